//! Hand-over: planned hand-over without a gap.

use std::time::Duration;
use steadfast::vrrp::Report;

use steadfast::units::{Centiseconds, Family, Version};
use steadfast::vrrp::settings::{InstanceSettings, Object, Track, Tracker};
use steadfast::vrrp::{Action, Cause, Event, Notice, State};

use super::driver::*;

/// The longest that any backup waits at 1 s: Master_Down_Interval of priority 1.
const LONGEST_MASTER_DOWN_INTERVAL: Duration = us(3_996_093);

fn switching(s: InstanceSettings) -> (Driver, Duration) {
    let mut d = Driver::master(s);
    d.run_for(ms(300));
    d.clear();
    let at = d.elapsed();
    d.switchover(None, false);
    (d, at)
}

fn adverts_since(d: &Driver, at: Duration) -> Vec<(Duration, u8, u16)> {
    let since = d.adverts().into_iter().filter(|advert| advert.0 >= at);
    since.map(|(t, priority, interval)| (t - at, priority, interval)).collect()
}

/// Hand-over: three adverts with the short interval, 5 ms apart, then priority 0.
#[test]
fn the_sequence_of_adverts() {
    for (backups, interval, short) in [(Some(1), 100, 1), (Some(2), 100, 5), (None, 2, 2)] {
        let s = InstanceSettings { backups, interval: Centiseconds(interval), ..instance("a") };
        let (mut d, at) = switching(s);
        d.run_for(ms(20));
        let zero = (ms(15), 0, interval);
        assert_eq!(
            adverts_since(&d, at),
            [(ms(0), 100, short), (ms(5), 100, short), (ms(10), 100, short), zero]
        );
        assert_eq!(d.state(), State::Master);
        assert!(d.engine.handing_over(d.a()));
        assert!(d.installed(), "the addresses are kept");
    }
}

/// Hand-over: answers to ARP stop with priority 0, after it, and not before.
#[test]
fn mute_from_priority_0_on() {
    let (mut d, _) = switching(instance("a"));
    d.run_for(ms(14));
    assert!(!d.deeds().contains(&"mute".to_owned()));
    d.run_for(ms(1));
    let deeds = d.deeds();
    assert_eq!(deeds[deeds.len() - 2..], ["send a IPv4 0", "mute"]);
}

/// Hand-over: the addresses go as soon as the successor has announced all of them; only then the
/// silence ends.
#[test]
fn the_successors_announcements_end_it() {
    let s = InstanceSettings { objects: vec![address(100), excluded(101)], ..instance("a") };
    let (mut d, _) = switching(s);
    d.run_for(ms(20));
    d.clear();
    d.hear(&peer(20, 90).every(50));
    let instance = d.a();
    assert_eq!(
        d.notices(),
        [Notice::HandOverTaken { instance, by: v4(20), after: ms(5) }],
        "any priority is the successor's"
    );
    d.run_for(ms(10));
    d.hear_announcement(v4(100));
    d.hear_announcement(v4(77));
    assert!(d.installed());
    d.hear_announcement(v4(101));
    assert_eq!(
        d.deeds(),
        ["remove 192.0.2.101", "remove 192.0.2.100", "unmute"],
        "and the successor is not answered"
    );
    assert_eq!(d.state(), State::Backup);
    assert_eq!(d.cause(), Cause::Switchover { successor: Some(v4(20)) });
    assert_eq!(d.down(), Some(us(1_998_046)), "vrrp:T-6: its interval counts from now on");
}

/// Hand-over: announcements that come before the successor's advert count.
#[test]
fn announcements_may_come_first() {
    let (mut d, _) = switching(instance("a"));
    d.run_for(ms(20));
    d.hear_announcement(v4(100));
    assert_eq!(d.state(), State::Master);
    d.hear(&peer(20, 90));
    assert_eq!(d.state(), State::Backup);
}

/// Hand-over: objects that are no addresses, and addresses that were not there, need not be announced.
#[test]
fn only_addresses_that_were_there_have_to_be_announced() {
    let objects = vec![Object::Filter, address(100), address(101)];
    let (mut d, _) = switching(InstanceSettings { objects, ..instance("a") });
    let stolen = d.objects()[2];
    d.kernel = Kernel::Silent;
    d.event(Event::Object { object: stolen, present: false });
    d.kernel = Kernel::Works;
    d.run_for(ms(20));
    d.hear(&peer(20, 90));
    assert_eq!(d.state(), State::Master);
    d.hear_announcement(v4(100));
    assert_eq!(d.state(), State::Backup);
}

/// Hand-over: what is announced on another link is another address.
#[test]
fn announcements_on_another_link_do_not_count() {
    let eth1 = Track { tracker: Tracker::Interface("eth1".into()), weight: 0, reverse: false };
    let (mut d, _) = switching(InstanceSettings { track: vec![eth1], ..instance("a") });
    d.run_for(ms(20));
    d.hear(&peer(20, 90));
    d.hear_announcement_on("eth1", v4(100));
    assert_eq!(d.state(), State::Master);
    d.hear_announcement_on("eth0", v4(100));
    assert_eq!(d.state(), State::Backup);
}

/// Hand-over: without announcements the addresses go 100 ms after the successor's first advert.
#[test]
fn lingering_ends_after_100_ms() {
    for family in Family::ALL {
        let (mut d, _) = switching(instance_of(family));
        d.run_for(ms(30));
        d.hear(&peer_of(family, 20, 90));
        d.run_for(ms(50));
        d.hear(&peer_of(family, 20, 90));
        d.run_for(us(49_999));
        assert!(d.installed());
        d.run_for(us(1));
        assert_eq!(d.state(), State::Backup);
        assert!(!d.installed());
    }
}

/// Hand-over: with no successor a switchover resumes as master and says so.
#[test]
fn nobody_takes_over() {
    let (mut d, at) = switching(instance("a"));
    d.run_for(ms(15) + LONGEST_MASTER_DOWN_INTERVAL - us(1));
    assert!(d.engine.handing_over(d.a()));
    assert_eq!(d.adverts().len(), 4);
    d.clear();
    d.run_for(us(1));
    let instance = d.a();
    assert_eq!(d.state(), State::Master);
    assert!(!d.engine.handing_over(d.a()) && d.installed());
    assert_eq!(d.notices(), [Notice::HandOverFailed { instance, resumed: true }]);
    assert_eq!(d.deeds(), ["send a IPv4 100", "unmute", "announce 192.0.2.100"]);
    assert_eq!(adverts_since(&d, at), [(ms(15) + LONGEST_MASTER_DOWN_INTERVAL, 100, 100)]);
    assert_eq!(d.engine.held(d.a()), None, "no hold");
    d.run_for(ms(1_000));
    assert_eq!(d.adverts().len(), 2, "and goes on");
}

/// Hand-over: `--force` releases anyway.
#[test]
fn force_releases_anyway() {
    let mut d = Driver::master(instance("a"));
    d.switchover(None, true);
    d.run_for(ms(15) + LONGEST_MASTER_DOWN_INTERVAL);
    assert_eq!(d.state(), State::Backup);
    assert_eq!(d.cause(), Cause::Switchover { successor: None });
    let instance = d.a();
    assert!(d.notices().contains(&Notice::HandOverFailed { instance, resumed: false }));
    assert!(!d.installed());
    assert_eq!(d.engine.held(d.a()), Some(None));
}

/// Hand-over: a stop hands over as well, and releases even if nobody takes over.
#[test]
fn a_stop_releases() {
    for successor in [true, false] {
        let mut d = Driver::master(instance("a"));
        d.event(Event::Shutdown);
        d.run_for(ms(20));
        let sent: Vec<_> = d.adverts().iter().map(|a| (a.1, a.2)).collect();
        assert_eq!(sent, [(100, 5), (100, 5), (100, 5), (0, 100)]);
        d.clear();
        if successor {
            d.hear(&peer(20, 90));
            d.hear_announcement(v4(100));
        } else {
            d.run_for(LONGEST_MASTER_DOWN_INTERVAL);
        }
        assert_eq!(d.state(), State::Initialize);
        assert_eq!(d.cause(), Cause::Stopped);
        assert_eq!(d.deeds(), ["remove 192.0.2.100", "unmute", "stopped"]);
        assert_eq!(d.engine.next_deadline(), None);
    }
}

/// Hand-over: another process that comes before a successor lets this one be master to the last.
#[test]
fn a_stop_that_nobody_has_taken_is_taken_back() {
    for after in [0, 7, 20, 900] {
        let mut d = Driver::master(instance("a"));
        d.event(Event::Shutdown);
        d.run_for(ms(after));
        assert!(d.engine.can_go_on());
        d.clear();
        d.event(Event::GoOn);
        let sent: Vec<_> = d.adverts().iter().map(|a| (a.1, a.2)).collect();
        assert_eq!(sent, [(100, 100)], "at once, and as before");
        assert_eq!(d.state(), State::Master);
        assert!(!d.engine.handing_over(d.a()) && d.installed() && !d.engine.can_go_on());
        d.run_for(LONGEST_MASTER_DOWN_INTERVAL * 2);
        assert_eq!(d.state(), State::Master);
        assert!(d.adverts().len() > 7 && d.installed());
    }
}

/// Hand-over: what somebody has taken is not taken back, nor is a part of a group.
#[test]
fn a_stop_that_somebody_has_taken_is_not_taken_back() {
    let mut d = Driver::master_of(&pair());
    d.event(Event::Shutdown);
    d.run_for(ms(20));
    d.hear(&peer(20, 90));
    assert!(!d.engine.can_go_on());
    d.clear();
    d.event(Event::GoOn);
    assert_eq!(d.adverts().len(), 0);
    d.run_for(LONGEST_MASTER_DOWN_INTERVAL);
    assert_eq!((d.state(), d.state_of("b")), (State::Initialize, State::Initialize));
    let mut backup = Driver::one(instance("a"));
    backup.event(Event::Shutdown);
    backup.event(Event::GoOn);
    assert_eq!(backup.state(), State::Initialize);
}

/// Hand-over: a stop during a switchover makes it a stop.
#[test]
fn a_switchover_becomes_a_stop() {
    let (mut d, _) = switching(instance("a"));
    d.run_for(ms(20));
    d.event(Event::Shutdown);
    d.hear(&peer(20, 90));
    d.hear_announcement(v4(100));
    assert_eq!(d.state(), State::Initialize);
    assert_eq!(d.adverts().len(), 4, "priority 0 once");
    assert!(matches!(d.log.last(), Some((_, Action::Report(Report::Stopped)))));
}

/// Hand-over: version 2, strict mode and `hand_over = false`: priority 0 alone.
#[test]
fn priority_0_alone() {
    for s in [
        InstanceSettings { version: Version::V2, ..instance("a") },
        InstanceSettings { strict: true, ..instance("a") },
        InstanceSettings { hand_over: false, ..instance("a") },
    ] {
        let (d, at) = switching(s.clone());
        assert_eq!(d.state(), State::Backup);
        assert_eq!(adverts_since(&d, at), [(ms(0), 0, 100)]);
        assert_eq!(d.deeds(), ["send a IPv4 0", "remove 192.0.2.100"]);
        assert_eq!(d.engine.held(d.a()), Some(None));
        let mut d = Driver::master(s);
        d.event(Event::Shutdown);
        assert_eq!(d.deeds(), ["send a IPv4 0", "remove 192.0.2.100", "stopped"]);
    }
}

/// Hand-over: a successor that is heard before priority 0 needs none.
#[test]
fn an_early_successor() {
    let (mut d, _) = switching(instance("a"));
    d.run_for(ms(7));
    d.hear(&peer(20, 90));
    d.run_for(ms(50));
    assert!(d.adverts().iter().all(|advert| advert.1 == 100), "{:?}", d.adverts());
    assert_eq!(d.deeds().last().map(String::as_str), Some("mute"));
    assert!(d.installed());
    d.run_for(ms(50));
    assert_eq!(d.state(), State::Backup);
}

/// Hand-over: an early successor in one family does not end the hand-over of the other, which is
/// told at once.
#[test]
fn an_early_successor_in_one_family() {
    let (mut d, at) = switching(both());
    d.run_for(ms(7));
    d.hear(&peer(20, 90));
    let v6 = d.router(Family::V6);
    assert_eq!(d.adverts_of(v6).last(), Some(&(at + ms(7), 0, 100)));
    assert_eq!(d.adverts().last().map(|advert| advert.1), Some(100));
    d.run_for(ms(50));
    assert!(d.installed() && d.engine.handing_over(d.a()));
    d.hear(&peer_of(Family::V6, 20, 90));
    d.run_for(ms(99));
    assert!(d.installed());
    d.run_for(ms(1));
    assert_eq!(d.state(), State::Backup);
}

/// Hand-over: a successor that gives up again is none.
#[test]
fn a_successor_that_gives_up_again() {
    // Heard after priority 0, and so early that it is not sent.
    for (heard, priority_0) in [(20, 15), (8, 8)] {
        let (mut d, at) = switching(instance("a"));
        d.run_for(ms(heard));
        d.hear(&peer(20, 90));
        d.run_for(ms(50));
        d.hear(&peer(21, 0));
        d.hear(&peer(20, 0));
        d.run_for(ms(200));
        assert!(d.installed());
        d.run_until(START + at + ms(priority_0) + LONGEST_MASTER_DOWN_INTERVAL - us(1));
        assert!(d.engine.handing_over(d.a()));
        d.run_for(us(1));
        assert_eq!(d.state(), State::Master);
        assert!(!d.engine.handing_over(d.a()));
    }
}

/// Hand-over: a successor stays one when another router gives up.
#[test]
fn another_router_gives_up() {
    let (mut d, _) = switching(instance("a"));
    d.run_for(ms(20));
    d.hear(&peer(20, 90));
    d.hear(&peer(21, 0));
    d.run_for(ms(100));
    assert_eq!(d.cause(), Cause::Switchover { successor: Some(v4(20)) });
}

/// Hand-over: a group hands over together; a member whose successor is there releases its
/// addresses, its state changes with the others'.
#[test]
fn a_group_hands_over_together() {
    let mut d = Driver::master_of(&pair());
    d.switchover(None, false);
    d.run_for(ms(20));
    for name in ["a", "b"] {
        let instance = d.id(name);
        let family = Family::V4;
        let router = steadfast::vrrp::RouterId { instance, family };
        assert_eq!(d.adverts_of(router).len(), 4, "{name}");
    }
    d.clear();
    d.hear(&peer(20, 90));
    d.run_for(ms(100));
    assert_eq!(d.deeds(), ["remove 192.0.2.100"]);
    assert_eq!((d.state(), d.state_of("b")), (State::Master, State::Master));
    d.hear(&peer(20, 90).on("eth1").addresses(&[v4(200)]));
    d.run_for(ms(100));
    assert_eq!((d.state(), d.state_of("b")), (State::Backup, State::Backup));
    assert_eq!(d.engine.held(d.id("b")), Some(None));
}

/// Hand-over: one member without a successor does not keep a group that found one elsewhere; a
/// group that found none resumes as a whole.
#[test]
fn a_group_ends_as_one() {
    for found in [true, false] {
        let mut d = Driver::master_of(&pair());
        d.switchover(None, false);
        d.run_for(ms(20));
        if found {
            d.hear(&peer(20, 90));
        }
        d.run_for(LONGEST_MASTER_DOWN_INTERVAL);
        let state = if found { State::Backup } else { State::Master };
        assert_eq!((d.state(), d.state_of("b")), (state, state));
        assert!(!d.engine.handing_over(d.a()) && !d.engine.handing_over(d.id("b")));
    }
}

/// A fault during a switchover ends it; the hold stays (instance.rs).
#[test]
fn a_fault_during_a_switchover() {
    let (mut d, _) = switching(instance("a"));
    d.run_for(ms(20));
    d.interface_down("eth0");
    assert_eq!(d.state(), State::Fault);
    assert_eq!(d.engine.held(d.a()), Some(None));
    assert!(!d.engine.handing_over(d.a()) && !d.installed());
    assert_eq!(d.deeds().last().map(String::as_str), Some("unmute"));
}

/// A group that changes during a hand-over: what is left of it comes to an end (reload.rs).
#[test]
fn a_member_that_leaves_during_a_hand_over() {
    for removed in [true, false] {
        let mut d = Driver::master_of(&pair());
        d.switchover(None, false);
        d.run_for(ms(20));
        d.hear(&peer(20, 90));
        d.run_for(ms(150));
        // "a" is done and waits for "b".
        let mut s = pair();
        s.groups.clear();
        if removed {
            s.instances.pop();
        }
        d.reload(&s);
        assert_eq!(d.state(), State::Backup, "{removed}");
        assert!(!d.engine.handing_over(d.a()));
    }
}

/// A member that joins during a hand-over does not keep it from its end, nor stays master alone.
#[test]
fn a_member_that_joins_during_a_hand_over() {
    for started in [false, true] {
        let mut alone = pair();
        alone.groups.clear();
        if !started {
            alone.instances.pop();
        }
        let mut d = Driver::master_of(&alone);
        d.switchover(None, false);
        d.run_for(ms(20));
        d.reload(&pair());
        d.all_interfaces_up();
        d.hear(&peer(20, 90));
        d.run_for(ms(150));
        assert!(!d.engine.handing_over(d.a()), "{started}");
        assert_eq!((d.state(), d.state_of("b")), (State::Backup, State::Backup), "{started}");
    }
}

/// Announcements that still wait when it begins would win against the successor's.
#[test]
fn no_announcement_during_a_hand_over() {
    let mut s = InstanceSettings { objects: vec![address(100), address(101)], ..instance("a") };
    s.announce.repeat = 5;
    s.pacing.garp_interval = ms(400);
    let mut d = Driver::one(s);
    d.run_for(us(3_609_375) + ms(100));
    d.switchover(None, false);
    d.clear();
    d.run_for(ms(3_000));
    assert_eq!((d.announced(v4(100)), d.announced(v4(101))), (vec![], vec![]));
}

/// A group whose second member came while the first one hands over.
fn joined() -> Driver {
    let mut one = pair();
    one.instances.pop();
    let mut d = Driver::master_of(&one);
    d.switchover(None, false);
    d.run_for(ms(20));
    d.reload(&pair());
    d.all_interfaces_up();
    assert_eq!((d.state(), d.state_of("b")), (State::Master, State::Backup));
    d
}

/// A member that joined does not wait for the hand-over when all stops, nor for ever after it.
#[test]
fn a_stop_after_a_member_joined() {
    let mut d = joined();
    d.event(Event::Shutdown);
    assert_eq!((d.state(), d.state_of("b")), (State::Master, State::Initialize));
    d.run_for(LONGEST_MASTER_DOWN_INTERVAL);
    assert!(matches!(d.log.last(), Some((_, Action::Report(Report::Stopped)))), "{:?}", d.log);
}

/// A member that joins during a hand-over that nobody takes becomes master with the others.
#[test]
fn a_member_that_joins_a_failing_hand_over() {
    let mut d = joined();
    d.run_for(LONGEST_MASTER_DOWN_INTERVAL);
    assert_eq!((d.state(), d.state_of("b")), (State::Master, State::Master));
    assert_eq!(d.transitions_of("b").len(), 2);
}
