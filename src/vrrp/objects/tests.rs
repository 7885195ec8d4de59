use super::*;
use crate::net::VirtualAddress;

fn address(last: u8) -> Object {
    Object::Address(VirtualAddress::new([192, 0, 2, last].into(), 24))
}

fn at(seconds: u64) -> Instant {
    Instant::ORIGIN + Duration::from_secs(seconds)
}

fn objects(list: &[Object]) -> Objects {
    let mut objects = Objects::default();
    objects.configure(list);
    objects
}

fn requests(objects: &mut Objects) -> Vec<(u32, bool)> {
    std::iter::from_fn(|| {
        let removal = objects.next_removal().map(|slot| (slot, false));
        removal.or_else(|| objects.next_installation().map(|slot| (slot, true)))
    })
    .collect()
}

fn order(objects: &Objects) -> Vec<u32> {
    objects.iter().map(|(slot, _)| slot).collect()
}

#[test]
fn installs_in_order_and_removes_backwards() {
    let mut o = objects(&[address(2), Object::Filter, address(1)]);
    assert_eq!(requests(&mut o), []);
    o.want(true);
    assert_eq!(requests(&mut o), [(1, true), (0, true), (2, true)]);
    assert_eq!(requests(&mut o), [], "unanswered requests are not repeated");
    o.want(false);
    assert_eq!(requests(&mut o), [(2, false), (0, false), (1, false)]);
    assert!(!o.at_rest());
    for (slot, present) in [(1, true), (0, true), (2, true), (2, false), (0, false), (1, false)] {
        o.acknowledge(slot, present, true, at(0));
    }
    assert!(o.at_rest() && o.none_present());
}

#[test]
fn a_reload_keeps_the_slots_of_equal_objects_and_removes_the_others() {
    let mut o = objects(&[address(1), address(2), address(3)]);
    o.want(true);
    for (slot, _) in requests(&mut o) {
        assert_eq!(o.acknowledge(slot, true, true, at(0)), Change::Installed);
    }
    o.configure(&[address(4), address(3), address(1)]);
    assert_eq!(order(&o), [3, 2, 0, 1], "what is still to be removed comes last");
    assert_eq!(requests(&mut o), [(1, false), (3, true)]);
    o.acknowledge(1, false, true, at(0));
    o.configure(&[address(5), address(4), address(3), address(1)]);
    assert_eq!(requests(&mut o), [(1, true)], "the slot of a removed object is used again");
}

#[test]
fn a_new_object_does_not_take_the_slot_of_one_that_stays() {
    let mut o = objects(&[address(1), address(2)]);
    o.configure(&[address(9), address(1), address(2)]);
    assert_eq!(order(&o), [2, 0, 1]);
    o.configure(&[address(1)]);
    assert_eq!(order(&o), [0], "what was never installed is forgotten at once");
}

#[test]
fn an_address_that_leaves_the_packet_or_is_no_longer_tracked_stays_installed() {
    let mut o = objects(&[address(1), address(2)]);
    o.want(true);
    for (slot, _) in requests(&mut o) {
        o.acknowledge(slot, true, true, at(0));
    }
    let (Object::Address(first), Object::Address(mut second)) = (address(1), address(2)) else {
        panic!("not addresses")
    };
    second.track = false;
    o.configure(&[Object::Address(second.clone()), Object::Excluded(first.clone())]);
    assert_eq!(requests(&mut o), []);
    assert_eq!(o.get(0).unwrap().object, Object::Excluded(first));
    assert_eq!(o.get(1).unwrap().object, Object::Address(second.clone()));
    second.label = Some("eth0:v".into());
    o.configure(&[Object::Address(second)]);
    assert_eq!(requests(&mut o), [(0, false), (1, false), (2, true)]);
}

#[test]
fn a_refused_object_waits_longer_each_time() {
    let mut o = objects(&[address(1)]);
    o.want(true);
    let mut waits = Vec::new();
    let mut now = at(0);
    for _ in 0..7 {
        assert_eq!(requests(&mut o), [(0, true)]);
        let Change::Refused(wait) = o.acknowledge(0, true, false, now) else {
            panic!("not refused")
        };
        assert_eq!(requests(&mut o), []);
        waits.push(wait.as_secs());
        now = now + wait;
        o.unblock();
    }
    assert_eq!(waits, [1, 2, 4, 8, 16, 30, 30]);
}

#[test]
fn a_stolen_object_is_put_back_at_once_then_later() {
    let mut o = objects(&[address(1)]);
    o.want(true);
    requests(&mut o);
    o.acknowledge(0, true, true, at(0));
    assert_eq!(o.observe(0, false), Change::Stolen);
    assert_eq!(o.restore(0, at(10)).0, Duration::ZERO);
    assert_eq!(requests(&mut o), [(0, true)]);
    o.acknowledge(0, true, true, at(10));
    assert_eq!(o.observe(0, false), Change::Stolen);
    assert_eq!(o.restore(0, at(11)).0, Duration::from_secs(1));
    assert_eq!(requests(&mut o), []);
    o.unblock();
    assert_eq!(requests(&mut o), [(0, true)]);
    o.acknowledge(0, true, true, at(12));
    assert_eq!(o.observe(0, false), Change::Stolen);
    assert_eq!(o.restore(0, at(72)).0, Duration::ZERO, "a minute after the last time");
}

#[test]
fn an_untracked_object_is_left_alone_until_the_next_time() {
    let mut untracked = VirtualAddress::new([192, 0, 2, 1].into(), 24);
    untracked.track = false;
    let mut o = objects(&[Object::Address(untracked)]);
    o.want(true);
    requests(&mut o);
    o.acknowledge(0, true, true, at(0));
    assert_eq!(o.observe(0, false), Change::None);
    assert_eq!(requests(&mut o), []);
    o.want(true);
    assert_eq!(requests(&mut o), [], "it was wanted all the time");
    o.want(false);
    o.want(true);
    assert_eq!(requests(&mut o), [(0, true)]);
}

#[test]
fn what_is_found_on_a_router_that_does_not_hold_it_is_removed() {
    let mut o = objects(&[address(1)]);
    assert_eq!(o.observe(0, true), Change::None);
    assert_eq!(requests(&mut o), [(0, false)]);
    assert_eq!(o.acknowledge(0, false, true, at(0)), Change::Removed);
    assert!(o.none_present());
}

#[test]
fn what_an_owner_found_and_lists_no_more_is_not_ours() {
    for stays_owner in [true, false] {
        let mut o = objects(&[address(1), address(2)]);
        o.set_owner(true);
        o.want(true);
        for slot in [0, 1] {
            o.observe(slot, true);
        }
        o.found(0);
        o.configure(&[address(2)]);
        o.set_owner(stays_owner);
        assert!(!o.get(0).unwrap().present());
        assert_eq!(requests(&mut o), [], "{stays_owner}");
        o.want(false);
        assert_eq!(requests(&mut o), [(1, false)], "{stays_owner}");
        o.acknowledge(1, false, true, at(0));
        assert!(o.none_left(), "{stays_owner}");
    }
}

#[test]
fn what_an_owner_found_is_looked_at_anew_when_it_is_none_any_more() {
    for stays_owner in [true, false] {
        let mut o = objects(&[address(1)]);
        o.set_owner(true);
        o.observe(0, true);
        o.found(0);
        o.configure(&[address(1)]);
        o.set_owner(stays_owner);
        assert_eq!(o.get(0).unwrap().kept(), stays_owner);
        assert_eq!(o.get(0).unwrap().present(), stays_owner);
        o.observe(0, true);
        assert_eq!(requests(&mut o), [(0, false)], "unless it is found again");
    }
}

#[test]
fn a_removal_reported_before_the_answer_leads_to_one_more_request() {
    let mut o = objects(&[address(1)]);
    o.want(true);
    assert_eq!(requests(&mut o), [(0, true)]);
    assert_eq!(o.observe(0, false), Change::None);
    assert_eq!(o.acknowledge(0, true, true, at(0)), Change::None);
    assert_eq!(requests(&mut o), [(0, true)]);
    assert_eq!(o.acknowledge(0, true, true, at(0)), Change::Installed);
}

#[test]
fn what_comes_back_by_itself_is_not_kept_from_being_removed() {
    let mut o = objects(&[address(1)]);
    o.want(true);
    requests(&mut o);
    o.acknowledge(0, true, true, at(0));
    for wait in [0, 1] {
        assert_eq!(o.observe(0, false), Change::Stolen);
        assert_eq!(o.restore(0, at(10)).0, Duration::from_secs(wait));
        requests(&mut o);
        assert_eq!(o.observe(0, true), Change::None);
        o.acknowledge(0, true, true, at(10));
    }
    o.want(false);
    assert_eq!(requests(&mut o), [(0, false)]);
}

#[test]
fn only_a_refusal_of_what_is_wanted_counts() {
    let mut o = objects(&[address(1)]);
    // Others were asked since.
    for wanted in [true, false, true] {
        o.want(wanted);
        assert_eq!(requests(&mut o), [(0, wanted)]);
    }
    assert_eq!(o.acknowledge(0, true, false, at(0)), Change::None);
    assert_eq!(o.acknowledge(0, false, true, at(0)), Change::None);
    o.want(false);
    assert_eq!(o.acknowledge(0, true, false, at(0)), Change::None, "not wanted any more");
    assert_eq!(requests(&mut o), []);
}

#[test]
fn what_was_not_there_is_not_stolen() {
    let mut o = objects(&[address(1)]);
    o.want(true);
    requests(&mut o);
    assert_eq!(o.acknowledge(0, true, false, at(0)), Change::Refused(FIRST_BACKOFF));
    assert_eq!(o.observe(0, false), Change::None);
}

#[test]
fn what_the_kernel_took_along_is_put_back_at_once_and_stolen_by_nobody() {
    let mut o = objects(&[address(1)]);
    o.want(true);
    requests(&mut o);
    o.acknowledge(0, true, true, at(0));
    for _ in 0..5 {
        o.went_along(0);
        assert!(o.none_present());
        assert_eq!(requests(&mut o), [(0, true)]);
        assert_eq!(o.acknowledge(0, true, true, at(0)), Change::Installed);
    }
    o.want(false);
    assert_eq!(requests(&mut o), [(0, false)]);
    o.went_along(0);
    o.acknowledge(0, false, true, at(0));
    assert_eq!(requests(&mut o), [], "it was to go anyway");
}

#[test]
fn an_address_that_another_host_has_is_tried_again_more_and_more_rarely() {
    let mut o = objects(&[address(1)]);
    o.want(true);
    requests(&mut o);
    o.acknowledge(0, true, true, at(0));
    for wait in [1, 2, 4, 8, 16, 32, 60, 60] {
        assert_eq!(o.duplicated(0, at(10)), Some(Duration::from_secs(wait)));
        assert!(o.get(0).unwrap().duplicate());
        assert_eq!(requests(&mut o), [], "not before its time");
        o.unblock();
        assert_eq!(requests(&mut o), [(0, true)]);
        o.acknowledge(0, true, true, at(10));
        assert!(!o.get(0).unwrap().duplicate(), "until the kernel says so again");
    }
    o.duplicated(0, at(10));
    o.want(false);
    assert_eq!(requests(&mut o), [(0, false)], "it does not stay behind");
    assert_eq!(o.duplicated(0, at(10)), None, "nobody wants it");
}
