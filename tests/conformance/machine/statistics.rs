//! What is counted, and that remarks are bounded.

use steadfast::units::{Centiseconds, Family};
use steadfast::vrrp::statistics::Statistics;
use steadfast::vrrp::timers::Timer;
use steadfast::vrrp::validation::Reject;
use steadfast::vrrp::{Event, Notice, State};

use super::driver::*;

fn statistics(d: &Driver) -> Statistics {
    d.engine.statistics(d.router(Family::V4)).unwrap().clone()
}

/// vrrp:V-39: valid adverts count as received, and every other number means what it says.
#[test]
fn v_39_a_life_in_numbers() {
    let mut d = Driver::one(instance("a"));
    d.hear(&peer(20, 200));
    d.hear(&peer(20, 0));
    d.run_for(us(609_375));
    assert_eq!(d.state(), State::Master);
    d.run_for(ms(2_000));
    d.hear(&peer(20, 50));
    d.hear(&peer(20, 200));
    d.hear(&Peer { hop_limit: 1, ..peer(20, 200) });
    d.run_for(ms(4_000));
    d.interface_down("eth0");
    d.interface("eth0", up());
    let s = statistics(&d);
    assert_eq!((s.adverts_received, s.priority_zero_received), (4, 1));
    assert_eq!((s.adverts_sent, s.priority_zero_sent), (6, 1));
    assert_eq!((s.become_master, s.release_master), (2, 2));
    assert_eq!(s.lower_priority_received, 1);
    assert_eq!(s.announcements_sent, 2);
    let rejected: u32 = s.rejected.iter().map(|(_, count)| count).sum();
    assert_eq!((rejected, s.rejected.get(Reject::HopLimit)), (1, 1));
}

/// One remark for each reason until the master or the state changes.
#[test]
fn remarks_are_given_once() {
    let mut d = Driver::one(instance("a"));
    let router = d.router(Family::V4);
    let wrong = Peer { hop_limit: 254, ..peer(66, 200) };
    let rejected = Notice::Rejected { router, from: v4(66), reason: Reject::HopLimit };
    let differs = |last, theirs| Notice::IntervalDiffers {
        router,
        from: v4(last),
        theirs: Centiseconds(theirs),
    };
    let noise = |d: &mut Driver| {
        d.clear();
        for _ in 0..5 {
            d.hear(&peer(20, 200).every(50));
            d.hear(&wrong);
        }
        d.notices()
    };
    assert_eq!(noise(&mut d), [rejected, differs(20, 50)]);
    assert_eq!(noise(&mut d), []);
    d.hear(&peer(21, 200));
    assert_eq!(noise(&mut d), [rejected, differs(20, 50)], "the master changed twice");
    d.run_for(ms(5_000));
    d.clear();
    d.hear(&wrong);
    assert_eq!(d.notices(), [rejected], "the state changed");
    d.hear(&wrong);
    assert_eq!(d.notices(), [rejected]);
}

/// Hand-over: the short interval of a hand-over is announced three times, and is no mistake.
#[test]
fn the_short_interval_of_a_hand_over_is_no_remark() {
    let mut d = Driver::one(instance("a"));
    d.hear(&peer(20, 200));
    for _ in 0..4 {
        d.clear();
        for _ in 0..3 {
            d.hear(&peer(20, 200).every(1));
        }
        d.hear(&peer(20, 200));
        assert_eq!(d.notices(), []);
    }
    let router = d.router(Family::V4);
    assert_eq!(d.engine.statistics(router).unwrap().interval_differs, 12, "counted all the same");
}

/// vrrp:V-22, vrrp:V-21: packets for VRIDs that nobody has are told once each; without one they
/// are only counted.
#[test]
fn strangers_are_told_once() {
    let mut d = Driver::one(instance("a"));
    d.clear();
    for _ in 0..2 {
        for vrid in [1, 50, 52, 255] {
            d.hear(&Peer { vrid, ..peer(20, 200) });
        }
    }
    assert_eq!(d.notices().len(), 4);
    for count in 0..3 {
        assert_eq!(d.engine.too_short(), count);
        d.hear_octets(&peer(20, 200), &[0x31, 51]);
    }
}

/// Notices that nobody takes are bounded and counted; nothing else is lost with them.
#[test]
fn notices_are_bounded() {
    let mut d = Driver::one(instance("a"));
    let interface = d.engine.interface("eth0").unwrap();
    for _ in 0..2_000 {
        for state in [steadfast::vrrp::InterfaceState { up: false, ..up() }, up()] {
            d.engine.handle(Event::Interface { interface, state }, d.now);
        }
    }
    d.clear();
    d.event(Event::Wake);
    let notices = d.notices();
    assert_eq!(notices.len(), 1025);
    assert_eq!(notices.last(), Some(&Notice::Lost { count: 4_000 - 1_024 }));
    assert!(d.timer(Timer::Down(Family::V4)).is_some());
}

/// The engine does not run back when its clock does.
#[test]
fn time_does_not_run_backwards() {
    let mut d = Driver::master(instance("a"));
    let due = d.engine.next_deadline();
    d.now = d.now - ms(5_000);
    d.event(Event::Wake);
    assert_eq!(d.engine.next_deadline(), due);
    assert!(d.log.is_empty());
}

/// vrrp:V-22: no more than 512 are remembered and told.
#[test]
fn v_22_very_many_strangers() {
    let mut d = Driver::started(&pair());
    d.clear();
    for interface in ["eth0", "eth1"] {
        for family in Family::ALL {
            for vrid in (1..=255).filter(|vrid| *vrid != 51) {
                d.hear(&Peer { vrid, ..peer_of(family, 20, 200) }.on(interface));
            }
        }
    }
    assert_eq!(d.notices().len(), 512);
}
