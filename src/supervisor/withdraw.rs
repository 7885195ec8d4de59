//! The deadline of a process that is gone: when nobody resumes in time, the supervisor removes the
//! addresses itself, so that the other router is the only one to have them (DESIGN 3).

use std::collections::BTreeMap;

use smol::Timer;

use super::daemon::Daemon;
use super::installed::{self, Held};
use super::sweep::{Source, sweep};
use crate::control::record::{Kind, Level};
use crate::control::shared::{Key, Saved};
use crate::system::clock;
use crate::units::Instant;
use crate::vrrp::settings::Settings;

/// Watches the deadlines, and removes what is due. To be run as long as no process has said that
/// it works; never ends.
pub async fn when_due(daemon: &Daemon) {
    loop {
        installed::update(daemon);
        let due = installed::due(&daemon.installed.borrow(), &installed::saved(daemon));
        let Some(due) = due else { return std::future::pending().await };
        let now = clock::now();
        if due > now {
            // The process that starts may resume meanwhile, and then it is due later.
            Timer::after(due.since(now)).await;
            continue;
        }
        if !remove_due(daemon, "no vrrp process has resumed in time", now).await {
            // The next process, or the next start, tries again.
            return std::future::pending().await;
        }
    }
}

/// Before a process starts: removes what it would not know of, or has no right to resume.
pub async fn before_start(daemon: &Daemon) {
    remove_due(daemon, "a vrrp process before this one left them", clock::now()).await;
    let stale = {
        let current = daemon.current.borrow();
        installed::stale(&daemon.installed.borrow(), &Settings::from_model(&current.model))
    };
    if !stale.is_empty() && remove(daemon, &stale, "they are no longer configured").await {
        let rest = installed::without(&daemon.installed.borrow(), &stale);
        installed::set(daemon, rest);
    }
    daemon.begun.set(true);
}

/// Removes all that there is, at the end.
pub async fn all(daemon: &Daemon) {
    installed::update(daemon);
    let held = daemon.installed.borrow().clone();
    let saved = installed::saved(daemon);
    if remove(daemon, &held, "the vrrp process has not handed them over").await {
        disown(daemon, &held, &saved);
    }
}

async fn remove_due(daemon: &Daemon, why: &str, now: Instant) -> bool {
    let saved = installed::saved(daemon);
    let due = installed::due_by(&daemon.installed.borrow(), &saved, now);
    let removed = due.is_empty() || remove(daemon, &due, why).await;
    if removed {
        disown(daemon, &due, &saved);
    }
    removed
}

/// What was in the shared memory about them before they were removed counts no more. What a process
/// has written meanwhile does: it may have resumed at the last moment.
fn disown(daemon: &Daemon, gone: &[Held], saved: &BTreeMap<Key, Saved>) {
    for one in gone {
        let last = saved.get(&one.key()).map_or(Instant::ORIGIN, |slot| slot.last_advert);
        daemon.disowned.borrow_mut().insert(one.key(), last);
    }
    let rest = installed::without(&daemon.installed.borrow(), gone);
    installed::set(daemon, rest);
}

async fn remove(daemon: &Daemon, held: &[Held], why: &str) -> bool {
    if held.is_empty() {
        return true;
    }
    let names: Vec<&str> = held.iter().map(|one| &*one.instance).collect();
    let names = names.join(", ");
    let note = |level, text: String| daemon.log.note(level, Kind::Kernel, text);
    let source = if daemon.begun.get() { Source::Present } else { Source::Past };
    match sweep(held, source).await {
        Ok(swept) => {
            for text in &swept.refused {
                note(Level::Error, format!("cannot be removed: {text}"));
            }
            if swept.removed > 0 {
                let count = swept.removed;
                let text = format!("removed {count} addresses, routes and rules of {names}: {why}");
                note(Level::Warning, text);
            }
            true
        }
        Err(error) => {
            let text = format!(
                "the addresses of {names} cannot be removed: {error}; look at ip address, the \
                 other router may have them as well"
            );
            note(Level::Error, text);
            false
        }
    }
}
