//! The file of what is in the kernel, which a former daemon wrote, or somebody else.

use std::collections::BTreeSet;

use steadfast::control::event::text;
use steadfast::control::shared_memory::Saved;
use steadfast::sorted::Map;
use steadfast::supervisor::vrrp::installed::{due, due_by, look, parse, stale, without};
use steadfast::units::{Instant, Priority, State};
use steadfast::vrrp::settings::Settings;

use super::netlink;

pub fn run(data: &[u8]) {
    let held = match parse(data) {
        Ok(held) => held,
        Err(told) => {
            assert!(!told.is_empty() && !told.contains('\n'), "a warning is one line");
            return;
        }
    };
    for one in &held {
        netlink::removals(&one.objects);
        for object in &one.objects {
            let _ = text::object(object);
        }
    }
    // Nobody holds it: all of it has to be gone at once.
    let mut saved = Map::new();
    let now = Instant::from_nanos(1 << 40);
    assert_eq!(due(&held, &saved).is_some(), !held.is_empty());
    assert_eq!(due_by(&held, &saved, now), held);
    let nothing = Settings::default();
    assert!(look(&held, &saved, &nothing, true).is_empty());
    let empty = held.iter().filter(|one| one.objects.is_empty()).count();
    assert_eq!(stale(&held, &nothing).len(), held.len() - empty);
    let keys: BTreeSet<_> = held.iter().map(|one| one.key()).collect();
    assert!(without(&held, &held).is_empty() || keys.len() < held.len());
    // Somebody holds it: whenever that ends, each is either due or not.
    for one in &held {
        let state = if one.owner { State::Backup } else { State::Master };
        let (priority, handing_over) = (Priority(100), one.vrid.get() & 1 == 1);
        let (last_advert, installed, hold) = (now, 1, None);
        let known = Saved { state, last_advert, priority, installed, handing_over, hold };
        saved.insert(one.key(), known);
    }
    let gone = due_by(&held, &saved, now);
    let kept: Vec<_> = held.iter().filter(|one| !gone.contains(one)).cloned().collect();
    assert!(due(&kept, &saved).is_none_or(|at| at > now));
    assert!(due(&gone, &saved).is_none_or(|at| at <= now));
    let _ = look(&held, &saved, &nothing, false);
}
