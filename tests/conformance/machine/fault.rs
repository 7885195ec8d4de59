//! Section 6.5: Fault, and what is tracked.

use steadfast::units::{Family, Priority};
use steadfast::vrrp::settings::{InstanceSettings, Track, Tracker};
use steadfast::vrrp::timers::Timer;
use steadfast::vrrp::{Cause, Event, FaultReason, InterfaceState, Notice, State, TrackerState};

use super::driver::*;

pub fn script(name: &str, weight: i16) -> Track {
    Track { tracker: Tracker::Named(name.into()), weight, reverse: false }
}

fn tracking(track: Track) -> InstanceSettings {
    InstanceSettings { track: vec![track], ..instance("a") }
}

/// vrrp:S-40: each thing that an instance needs.
#[test]
fn s_40_reasons() {
    let gone = InterfaceState::default();
    let down = InterfaceState { up: false, ..up() };
    for family in Family::ALL {
        let mut s = instance_of(family);
        let wan = Track { tracker: Tracker::Interface("wan".into()), weight: 0, reverse: false };
        s.track = vec![script("x", 0), wan];
        let mut d = Driver::idle(&settings(vec![s]));
        d.tracker("x", TrackerState::Up);
        d.event(Event::Start);
        d.run_for(ms(4_000));
        let eth0 = d.engine.interface("eth0").unwrap();
        let bare = InterfaceState { ipv4: None, ipv6: None, ..up() };
        let port = InterfaceState { port: true, ..up() };
        for (state, reason) in [
            (gone, FaultReason::InterfaceMissing(eth0)),
            (down, FaultReason::InterfaceDown(eth0)),
            (port, FaultReason::InterfaceIsPort(eth0)),
            (bare, FaultReason::NoSourceAddress(family)),
        ] {
            d.interface("eth0", state);
            assert_eq!((d.state(), d.cause()), (State::Fault, Cause::Fault(reason)));
            assert_eq!(d.engine.fault(d.a()), Some(reason));
            d.interface("eth0", up());
            assert_eq!((d.state(), d.cause()), (State::Backup, Cause::Recovered));
        }
        d.tracker("x", TrackerState::Down);
        assert_eq!(d.cause(), Cause::Fault(FaultReason::Tracked(0)));
        d.tracker("x", TrackerState::Up);
        d.interface("wan", down);
        assert_eq!(d.cause(), Cause::Fault(FaultReason::Tracked(1)));
        d.interface("wan", up());
        assert_eq!(d.state(), State::Backup);
    }
}

/// vrrp:S-40, S-30: an interface that has another name now can still say that its master leaves.
#[test]
fn s_40_renamed_interface() {
    let mut d = Driver::master(instance("a"));
    d.clear();
    d.interface("eth0", InterfaceState { present: false, ..up() });
    let eth0 = d.engine.interface("eth0").unwrap();
    assert_eq!(d.cause(), Cause::Fault(FaultReason::InterfaceMissing(eth0)));
    assert_eq!(d.deeds(), ["send a IPv4 0"]);
    d.interface("eth0", InterfaceState::default());
    assert_eq!(d.deeds(), ["send a IPv4 0"]);
}

/// vrrp:S-40: from Master priority 0, then everything is withdrawn.
#[test]
fn s_40_entering() {
    let mut d = Driver::idle(&settings(vec![tracking(script("x", 0))]));
    d.tracker("x", TrackerState::Up);
    d.event(Event::Start);
    d.run_for(ms(4_000));
    d.clear();
    d.tracker("x", TrackerState::Down);
    assert_eq!(d.deeds(), ["send a IPv4 0", "remove 192.0.2.100"]);
    assert_eq!(d.engine.next_deadline(), None);
    d.run_for(ms(60_000));
    d.clear();
    // From Backup nothing is to be done.
    d.tracker("x", TrackerState::Up);
    d.hear(&peer(20, 200));
    d.tracker("x", TrackerState::Down);
    assert_eq!(d.deeds(), [""; 0]);
    assert_eq!(d.timer(Timer::Down(Family::V4)), None);
}

/// vrrp:S-40: a port of a bridge hears nothing, but priority 0 still leaves by it; with
/// `dont_track_primary` as well.
#[test]
fn s_40_a_port_of_a_bridge() {
    for dont_track_primary in [false, true] {
        let mut d = Driver::master(InstanceSettings { dont_track_primary, ..instance("a") });
        d.clear();
        d.interface("eth0", InterfaceState { port: true, ..up() });
        assert_eq!(d.state(), State::Fault);
        assert_eq!(d.deeds(), ["send a IPv4 0", "remove 192.0.2.100"]);
        d.run_for(ms(60_000));
        assert_eq!(d.state(), State::Fault);
        d.interface("eth0", up());
        assert_eq!((d.state(), d.cause()), (State::Backup, Cause::Recovered));
    }
}

/// A tracked interface may be a port: that it hears no adverts does not matter.
#[test]
fn a_tracked_interface_may_be_a_port() {
    let wan = Track { tracker: Tracker::Interface("wan".into()), weight: 0, reverse: false };
    let mut d = Driver::master(tracking(wan));
    d.interface("wan", InterfaceState { port: true, ..up() });
    assert_eq!(d.state(), State::Master);
}

/// vrrp:S-40: a whole Master_Down_Interval after it; an owner waits its interval and the skew.
#[test]
fn s_40_leaving() {
    for (priority, wait) in [(100, 3_609_375), (254, 3_007_812), (255, 1_003_906)] {
        let mut d = Driver::one(InstanceSettings { priority: Priority(priority), ..instance("a") });
        d.interface_down("eth0");
        d.run_for(ms(60_000));
        d.interface("eth0", up());
        assert_eq!(d.state(), State::Backup);
        assert_eq!(d.down(), Some(us(wait)), "{priority}");
        d.run_for(us(wait));
        assert_eq!(d.state(), State::Master);
    }
}

/// vrrp:S-40: in fault from the start.
#[test]
fn s_40_starting_without_an_interface() {
    let s = settings(vec![InstanceSettings { priority: Priority::OWNER, ..instance("a") }]);
    let mut d = Driver::idle(&s);
    d.interface("eth0", InterfaceState::default());
    d.event(Event::Start);
    assert_eq!(d.state(), State::Fault);
    d.interface("eth0", up());
    assert_eq!(d.state(), State::Backup);
}

/// A new reason while in fault is told (action.rs), no transition.
#[test]
fn another_reason_in_fault_is_told() {
    let mut d = Driver::one(instance("a"));
    let eth0 = d.engine.interface("eth0").unwrap();
    d.interface_down("eth0");
    d.clear();
    d.interface("eth0", InterfaceState::default());
    let instance = d.a();
    let reason = FaultReason::InterfaceMissing(eth0);
    assert_eq!(d.notices(), [Notice::FaultChanged { instance, reason }]);
}

/// `dont_track_primary`: the own interface may be down.
#[test]
fn the_own_interface_may_be_left_out() {
    let mut d = Driver::master(InstanceSettings { dont_track_primary: true, ..instance("a") });
    d.interface_down("eth0");
    assert_eq!(d.state(), State::Master);
    d.interface("eth0", InterfaceState::default());
    assert_eq!(d.state(), State::Fault);
}

/// Priority 0 that a down interface kept back is sent after a short fault, not after a long one
/// (instance.rs; vrrp:S-40).
#[test]
fn s_40_owed_priority_0() {
    for (away, owed) in [(ms(500), true), (us(3_996_092), true), (us(3_996_093), false)] {
        let mut d = Driver::master(instance("a"));
        d.interface_down("eth0");
        assert!(d.adverts().is_empty(), "an interface that is down sends nothing");
        d.run_for(away);
        d.interface("eth0", up());
        let sent: Vec<_> = d.adverts().iter().map(|advert| advert.1).collect();
        assert_eq!(sent, if owed { vec![0] } else { vec![] }, "{away:?}");
        d.run_for(ms(3_000));
        d.interface_down("eth0");
        d.interface("eth0", up());
        assert_eq!(d.adverts().len(), sent.len(), "paid once");
    }
}

/// Weights move the effective priority between 1 and 254 and are told; the next advert carries it.
#[test]
fn weights_change_the_priority() {
    let mut s = instance("a");
    s.track = vec![script("x", -30), script("y", 200), script("z", -200)];
    let mut d = Driver::master(s);
    let instance = d.a();
    for (name, state, from, to) in [
        ("x", TrackerState::Down, 100, 70),
        ("y", TrackerState::Up, 70, 254),
        ("x", TrackerState::Up, 254, 254),
        ("z", TrackerState::Down, 254, 100),
        ("y", TrackerState::Down, 100, 1),
        ("z", TrackerState::Up, 1, 100),
    ] {
        d.clear();
        d.tracker(name, state);
        let (from, to) = (Priority(from), Priority(to));
        let told = [Notice::PriorityChanged { instance, from, to }];
        assert_eq!(d.notices(), told[usize::from(from == to)..], "{name}");
        d.run_for(ms(1_000));
        assert_eq!(d.adverts()[0].1, to.0);
        assert_eq!(d.state(), State::Master);
    }
}

/// A tracked interface counts like any other tracker, by its sign and turned round.
#[test]
fn tracked_interfaces_have_weights() {
    for (weight, reverse, with, without) in
        [(-40, false, 100, 60), (40, false, 140, 100), (-40, true, 100, 140), (40, true, 60, 100)]
    {
        let track = Track { tracker: Tracker::Interface("wan".into()), weight, reverse };
        let mut d = Driver::one(tracking(track));
        assert_eq!(d.engine.effective_priority(d.a()), Some(Priority(with)));
        d.interface_down("wan");
        assert_eq!(d.engine.effective_priority(d.a()), Some(Priority(without)));
    }
}

/// Names that nothing uses are ignored.
#[test]
fn an_unknown_tracker_is_ignored() {
    let mut d = Driver::one(instance("a"));
    d.clear();
    d.tracker("nobody", TrackerState::Down);
    assert!(d.log.is_empty());
}

/// vrrp:S-40: what is not known any more (the process that checks it was restarted) is not good:
/// a fault ends with a result, as the wait in Initialize does.
#[test]
fn s_40_an_unknown_result_does_not_end_a_fault() {
    let mut d = Driver::one(tracking(script("x", 0)));
    d.tracker("x", TrackerState::Down);
    assert_eq!(d.state(), State::Fault);
    d.tracker("x", TrackerState::Unknown);
    assert_eq!(d.state(), State::Fault);
    d.tracker("x", TrackerState::Up);
    assert_eq!(d.state(), State::Backup);
}
