//! Processes: a process that was paused reads its sockets empty before it runs any timer.

use std::time::Duration;
use steadfast::vrrp::Urgent;

use steadfast::units::{Centiseconds, Family, Priority, Vrid};
use steadfast::vrrp::settings::InstanceSettings;
use steadfast::vrrp::{Action, Event, Notice, State};

use super::driver::*;

/// First the sockets, then the timers; nothing is sent before.
#[test]
fn sockets_first() {
    let mut d = Driver::master(instance("a"));
    d.drains = false;
    d.stall(ms(2_001));
    d.event(Event::Wake);
    assert_eq!(d.log[0].1, Action::Urgent(Urgent::DrainSockets));
    assert_eq!(d.notices(), [Notice::LateWake { by: ms(1_001) }]);
    assert_eq!(d.engine.next_deadline(), Some(d.now + ms(100)), "as long as sockets may take");
    d.event(Event::Wake);
    assert!(d.adverts().is_empty());
    assert_eq!(d.deeds(), ["drain"], "asked once");
    d.event(Event::SocketsDrained);
    assert_eq!(d.adverts().len(), 1);
    assert_eq!(d.left(steadfast::vrrp::timers::Timer::Advert(Family::V4)), Some(ms(1_000)));
}

/// What waited there counts: a master that was replaced meanwhile sends nothing, a backup whose
/// master sent all the time does not take over.
#[test]
fn packets_that_waited_count() {
    let mut d = Driver::master(instance("a"));
    d.drains = false;
    d.stall(ms(30_000));
    d.event(Event::Wake);
    d.hear(&peer(20, 101));
    d.event(Event::SocketsDrained);
    assert_eq!(d.state(), State::Backup);
    assert!(d.adverts().is_empty());

    let mut d = Driver::one(instance("a"));
    d.drains = false;
    d.stall(ms(30_000));
    d.event(Event::Wake);
    d.hear(&peer(20, 101));
    d.event(Event::SocketsDrained);
    assert_eq!(d.state(), State::Backup);
    assert_eq!(d.down(), Some(us(3_609_375)));
}

/// However little late the wake-up is: an advert that waits in the socket counts before the end of
/// the DownTimer does. Adverts that are due leave without waiting for the sockets.
#[test]
fn an_advert_that_waits_keeps_the_down_timer_running() {
    for late in [Duration::ZERO, ms(1), ms(900)] {
        let mut d = Driver::one(instance("a"));
        d.drains = false;
        d.hear(&peer(20, 101));
        d.stall(us(3_609_375) + late);
        d.event(Event::Wake);
        assert_eq!(d.deeds(), ["drain"], "{late:?}");
        assert_eq!((d.state(), d.down()), (State::Backup, Some(Duration::ZERO)));
        d.hear(&peer(20, 101));
        d.event(Event::SocketsDrained);
        assert_eq!((d.state(), d.down()), (State::Backup, Some(us(3_609_375))), "{late:?}");
        assert_eq!(d.deeds(), ["drain"]);
    }
    // Nobody was heard.
    let mut d = Driver::one(instance("a"));
    d.drains = false;
    d.stall(us(3_609_375));
    d.event(Event::Wake);
    d.event(Event::SocketsDrained);
    assert_eq!(d.state(), State::Master);
}

/// A flood does not keep a DownTimer from running out, nor adverts of other instances from leaving.
#[test]
fn waiting_for_the_sockets_is_bounded_and_holds_no_advert_up() {
    let fast = InstanceSettings {
        vrid: Vrid::new(7).unwrap(),
        interval: Centiseconds(1),
        priority: Priority::OWNER,
        ..instance("fast")
    };
    let mut d = Driver::started(&settings(vec![instance("a"), fast]));
    let a = d.id("a");
    d.run_for(us(3_609_374));
    d.clear();
    d.drains = false;
    d.stall(us(1));
    d.event(Event::Wake);
    assert_eq!(d.deeds(), ["drain"]);
    // The reading is broken off for an advert, and asked for again.
    let advert = d.engine.next_deadline().unwrap();
    assert!(advert <= d.now + ms(10));
    d.stall(advert.since(d.now));
    d.event(Event::Wake);
    let deeds = d.deeds();
    assert!(deeds.iter().any(|deed| deed.starts_with("send fast")), "{deeds:?}");
    assert_eq!(d.engine.state(a), Some(State::Backup));
    for _ in 0..10 {
        if d.engine.state(a) == Some(State::Master) {
            return;
        }
        let next = d.engine.next_deadline().unwrap();
        d.stall(next.since(d.now));
        d.event(Event::Wake);
    }
    panic!("the sockets are never empty, and the DownTimer never ends");
}

/// Up to one interval of the fastest instance is not late.
#[test]
fn what_counts_as_late() {
    let fast = InstanceSettings {
        vrid: Vrid::new(7).unwrap(),
        interval: Centiseconds(10),
        ..instance("fast")
    };
    for (instances, late) in [(vec![instance("a")], 1_000), (vec![instance("a"), fast], 100)] {
        for over in [0, 1] {
            let mut d = Driver::started(&settings(instances.clone()));
            let due = d.engine.next_deadline().unwrap();
            d.run_until(due - us(1));
            d.stall(us(1) + ms(late) + us(over));
            d.event(Event::Wake);
            let told = d.notices().iter().any(|n| matches!(n, Notice::LateWake { .. }));
            assert_eq!(told, over == 1, "{late}");
            assert!(d.engine.next_deadline().unwrap() > d.now);
        }
    }
}

/// Hand-over: during a hand-over others wait for the short interval. Who is late by more than that
/// may have a successor already, and says nothing more.
#[test]
fn in_a_hand_over_the_short_interval_counts() {
    for over in [0, 1] {
        let a = InstanceSettings { backups: Some(1), ..instance("a") };
        let mut d = Driver::master(a);
        d.switchover(None, false);
        d.clear();
        d.drains = false;
        d.stall(ms(5 + 10) + us(over));
        d.event(Event::Wake);
        assert_eq!(d.deeds().contains(&"drain".to_owned()), over == 1);
        assert_eq!(d.adverts().is_empty(), over == 1);
        d.hear(&peer(20, 90));
        d.event(Event::SocketsDrained);
        assert_eq!(d.adverts().is_empty(), over == 1, "not even priority 0");
    }
    // After priority 0 there is nothing to say that could be too late.
    let a = InstanceSettings { backups: Some(1), ..instance("a") };
    let mut d = Driver::master(a);
    d.switchover(None, false);
    d.run_for(ms(20));
    d.clear();
    let due = d.engine.next_deadline().unwrap();
    d.run_until(due - us(1));
    d.drains = false;
    d.stall(us(1) + ms(1_000));
    d.event(Event::Wake);
    assert!(!d.deeds().contains(&"drain".to_owned()));
}

/// More than one packet for a VRID may be handed over while the sockets are read empty.
#[test]
fn no_burst_limit_while_draining() {
    let mut d = Driver::master(instance("a"));
    d.drains = false;
    d.stall(ms(30_000));
    d.event(Event::Wake);
    let p = peer(20, 50);
    let octets = p.octets();
    let interface = d.engine.interface("eth0").unwrap();
    let advert = received(interface, &p, &octets);
    d.event(Event::Received(advert));
    assert!(!d.engine.burst_is_over(&advert));
}

/// A master that slept for longer than others wait, and that nobody contests, announces again:
/// another router may have been master meanwhile, and what it sent may be lost.
#[test]
fn a_master_that_slept_long_announces_again() {
    for (slept, announced) in [(2_500, 0), (3_001, 2)] {
        let mut a = instance("a");
        a.announce.repeat = 2;
        a.announce.delay = ms(0);
        let mut d = Driver::master(a);
        d.run_for(ms(20_000));
        d.clear();
        d.stall(ms(slept));
        d.event(Event::Wake);
        assert_eq!(d.state(), State::Master);
        assert_eq!(d.announced(v4(100)).len(), announced, "after {slept} ms");
    }
}

/// Promises: a flood that keeps the sockets full does not silence a master: it waits a while, at
/// the most one interval, and then goes on.
#[test]
fn reading_has_an_end() {
    for (interval, patience) in [(100, 100), (5, 50)] {
        let a = InstanceSettings { interval: Centiseconds(interval), ..instance("a") };
        let mut d = Driver::master(a);
        d.drains = false;
        d.stall(ms(5_000));
        d.event(Event::Wake);
        d.clear();
        d.stall(ms(patience) - us(1));
        d.event(Event::Wake);
        assert!(d.adverts().is_empty());
        d.stall(us(1));
        d.event(Event::Wake);
        assert_eq!(d.adverts().len(), 1);
        d.clear();
        d.event(Event::SocketsDrained);
        assert!(d.deeds().is_empty(), "too late to matter");
    }
}

/// Late wake-ups are told of once in a second.
#[test]
fn late_wakes_are_told_of_with_measure() {
    let a = InstanceSettings { interval: Centiseconds(1), ..instance("a") };
    let mut d = Driver::master(a);
    d.run_for(ms(20_000));
    d.clear();
    for _ in 0..50 {
        d.stall(ms(50));
        d.event(Event::Wake);
    }
    let late = d.notices().iter().filter(|n| matches!(n, Notice::LateWake { .. })).count();
    assert_eq!(late, 3);
}
