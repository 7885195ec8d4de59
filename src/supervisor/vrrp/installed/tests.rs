use super::*;
use crate::units::Priority;

fn settings(instances: &[(&str, u8, &[&str])]) -> Settings {
    let mut text = String::new();
    for (number, (name, priority, addresses)) in instances.iter().enumerate() {
        let list: Vec<String> = addresses.iter().map(|a| format!("\"{a}/24\"")).collect();
        text.push_str(&format!(
            "[vrrp.instance.{name}]\ninterface = \"eth0\"\nvirtual_router_id = {}\npriority = \
             {priority}\nvirtual_addresses = [{}]\n",
            number + 1,
            list.join(", "),
        ));
    }
    Settings::from_model(&crate::config::parse(&text, None).model.unwrap())
}

pub(in crate::supervisor) fn held(settings: &Settings) -> Vec<Held> {
    settings.instances.iter().map(Held::new).collect()
}

fn slot(state: State, seconds: u64, installed: u32) -> Saved {
    Saved {
        state,
        last_advert: at(seconds * 1_000),
        priority: Priority(100),
        installed,
        handing_over: false,
        hold: None,
    }
}

fn at(millis: u64) -> Instant {
    Instant::ORIGIN + Duration::from_millis(millis)
}

fn slots(settings: &Settings, saved: &[Saved]) -> Map<Key, Saved> {
    let mut all = Map::new();
    all.extend(held(settings).iter().map(Held::key).zip(saved.iter().copied()));
    all
}

const TWO: &[(&str, u8, &[&str])] = &[("a", 100, &["10.0.0.1"]), ("b", 100, &["10.0.0.2"])];

#[test]
fn who_is_master_or_has_something_there_is_listed() {
    let settings = settings(TWO);
    let both = held(&settings);
    let look =
        |one: Saved, other: Saved| look(&[], &slots(&settings, &[one, other]), &settings, true);
    let (master, backup) = (slot(State::Master, 1, 0), slot(State::Backup, 1, 0));
    assert_eq!(look(master, backup), [both[0].clone()]);
    assert_eq!(look(backup, slot(State::Backup, 1, 1)), [both[1].clone()]);
    assert_eq!(look(backup, backup), []);
}

#[test]
fn during_a_reload_what_both_configurations_have_is_listed() {
    let (old, new) = (settings(TWO), settings(&[("a", 100, &["10.0.0.1", "10.0.0.9"])]));
    let saved = slots(&old, &[slot(State::Master, 1, 1), slot(State::Master, 1, 1)]);
    let before = held(&settings(&[("a", 100, &["10.0.0.5"]), ("b", 100, &["10.0.0.2"])]));
    let during = look(&before, &saved, &new, false);
    let objects: Vec<usize> = during.iter().map(|held| held.objects.len()).collect();
    assert_eq!(objects, [3, 1], "{during:?}");
    let after = look(&during, &saved, &new, true);
    assert_eq!(after.iter().map(|held| held.objects.len()).collect::<Vec<_>>(), [2, 1]);
    let gone = slots(&new, &[slot(State::Master, 1, 1)]);
    assert_eq!(look(&after, &gone, &new, true).len(), 1, "b has nothing there any more");
}

#[test]
fn it_is_due_when_nobody_may_resume_any_more() {
    let settings = settings(TWO);
    let both = held(&settings);
    let due = |saved: &[Saved]| due(&both, &slots(&settings, saved));
    let master = |seconds| slot(State::Master, seconds, 1);
    assert_eq!(due(&[master(7), master(8)]), Some(at(9_500)));
    assert_eq!(due(&[master(7)]), Some(Instant::ORIGIN), "nobody knows of the other");
    let handing_over = Saved { handing_over: true, ..master(7) };
    assert_eq!(due(&[master(7), handing_over]), Some(Instant::ORIGIN));
    assert_eq!(due(&[slot(State::Backup, 7, 1), master(7)]), Some(Instant::ORIGIN));
    let now = due_by(&both, &slots(&settings, &[master(7), master(8)]), at(9_500));
    assert_eq!(now, [both[0].clone()]);
    assert_eq!(super::due(&[], &Map::new()), None);
}

#[test]
fn an_address_with_other_options_is_the_next_process_s() {
    let settings = |address: &str| {
        let text = format!(
            "[vrrp.instance.a]\ninterface = \"eth0\"\nvirtual_router_id = 1\n\
             virtual_addresses = [\"{address}\"]\n"
        );
        Settings::from_model(&crate::config::parse(&text, None).model.unwrap())
    };
    let old = held(&settings("10.0.0.1/24"));
    for (new, left) in [
        ("10.0.0.1/25", 0),
        ("10.0.0.1/24 label eth0:v", 0),
        ("10.0.0.1/24 dev eth1", 1),
        ("10.0.0.2/24", 1),
    ] {
        assert_eq!(stale(&old, &settings(new)).len(), left, "{new}");
    }
}

#[test]
fn what_the_next_process_does_not_know_of_is_stale() {
    let old = held(&settings(&[("a", 100, &["10.0.0.1", "10.0.0.3"]), ("b", 100, &["10.0.0.2"])]));
    let new = settings(&[("a", 100, &["10.0.0.3", "10.0.0.4"])]);
    let stale = stale(&old, &new);
    let names: Vec<(&str, usize)> =
        stale.iter().map(|held| (&*held.instance, held.objects.len())).collect();
    assert_eq!(names, [("a", 1), ("b", 1)]);
    let rest = without(&old, &stale);
    assert_eq!(rest.len(), 1);
    assert_eq!(rest[0].objects, [new.instances[0].objects[0].clone()]);
}

#[test]
fn the_file_says_again_what_was_written() {
    let settings = settings(&[("a", 255, &["10.0.0.1", "10.0.0.2"])]);
    let held = held(&settings);
    assert!(held[0].owner);
    let octets = encode(&held).unwrap();
    assert_eq!(parse(&octets).unwrap(), held);
    for len in 0..octets.len() {
        assert!(parse(&octets[..len]).is_err(), "{len}");
    }
    let mut other = octets;
    other[3] += 1;
    assert_eq!(parse(&other).unwrap_err(), "installed is damaged, or of another version");
}
