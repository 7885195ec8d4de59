//! Processes: from one configuration to the next, without losing a mastership or an address that
//! both have (reload.rs).

use std::time::Duration;

use steadfast::net::VirtualAddress;
use steadfast::units::{Centiseconds, Family, Priority, Version, Vrid};
use steadfast::vrrp::change::Change;
use steadfast::vrrp::settings::{
    Announce, InstanceSettings, Object, Pacing, Preempt, SourceAddresses, Track, Tracker,
};
use steadfast::vrrp::timers::Timer;
use steadfast::vrrp::{
    Cause, Engine, Event, FaultReason, InstanceId, InterfaceState, Notice, State,
};

use super::driver::*;

/// The same configuration changes nothing.
#[test]
fn nothing_changes() {
    for settings in [settings(vec![instance("a"), both_as("b")]), pair()] {
        let mut d = Driver::master_of(&settings);
        let due = d.engine.next_deadline();
        d.reload(&settings);
        assert!(d.log.is_empty(), "{:?}", d.log);
        assert_eq!(d.engine.next_deadline(), due);
    }
}

fn both_as(name: &str) -> InstanceSettings {
    InstanceSettings { name: name.into(), vrid: Vrid::new(9).unwrap(), ..both() }
}

/// What follows a reload is done for those that it changed, and for no others.
#[test]
fn what_changed() {
    let (a, b) = (instance("a"), both_as("b"));
    let other_b = InstanceSettings { priority: Priority(7), ..b.clone() };
    let renamed_b = InstanceSettings { vrid: Vrid::new(8).unwrap(), ..b.clone() };
    let all = settings(vec![a.clone(), b.clone()]);
    let engine = Engine::new(&all);
    assert_eq!(engine.reloaded().changed.len(), 2);
    assert!(engine.reloaded().members, "also when there are none");
    for (new, changed, members) in [
        (vec![a.clone(), b.clone()], &[][..], false),
        (vec![b.clone(), a.clone()], &[], false),
        (vec![a.clone(), other_b], &["b"], false),
        (vec![a.clone()], &[], true),
        (vec![a.clone(), renamed_b], &["b"], true),
        (vec![a, b, both_as("c")], &["c"], true),
    ] {
        // Told by what is in effect, and told anew.
        for before in [all.clone(), settings(Vec::new())] {
            let mut d = Driver::started(&all);
            let change = Change::between(&before, &settings(new.clone()));
            d.engine.handle(Event::Reload(&change), d.now);
            let name = |id: &InstanceId| &*d.engine.settings(*id).unwrap().name;
            let names: Vec<&str> = d.engine.reloaded().changed.iter().map(name).collect();
            assert_eq!((&*names, d.engine.reloaded().members), (changed, members), "{new:#?}");
            let expected: Vec<_> = new.iter().collect();
            let mut now: Vec<_> =
                d.engine.instances().filter_map(|id| d.engine.settings(id)).collect();
            now.sort_by_key(|found| expected.iter().position(|i| i.name == found.name));
            assert_eq!(now, expected);
        }
    }
}

/// A master stays master, whatever of these changes.
#[test]
fn a_master_stays_master() {
    let base = instance("a");
    let changes = [
        InstanceSettings { priority: Priority(1), ..base.clone() },
        InstanceSettings { priority: Priority::OWNER, ..base.clone() },
        InstanceSettings { interval: Centiseconds(4095), ..base.clone() },
        InstanceSettings { preempt: Preempt::Off, ..base.clone() },
        InstanceSettings { objects: vec![address(100), address(101)], ..base.clone() },
        InstanceSettings { objects: vec![address(1)], ..base.clone() },
        InstanceSettings { objects: vec![address(100), address6(100)], ..base.clone() },
        InstanceSettings { objects: vec![address6(100)], ..base.clone() },
        InstanceSettings { strict: true, unicast_peers: vec![v4(20)], ..base.clone() },
        InstanceSettings {
            source: SourceAddresses { v4: Some([192, 0, 2, 99].into()), v6: None },
            ..base.clone()
        },
        InstanceSettings { track: vec![super::fault::script("x", -10)], ..base.clone() },
    ];
    for change in changes {
        let mut d = Driver::master(base.clone());
        let id = d.a();
        d.reload_one(change.clone());
        assert_eq!(d.a(), id);
        assert_eq!(d.state(), State::Master, "{change:?}");
        assert!(d.installed());
        d.run_for(ms(50_000));
        assert_eq!(d.transitions(), [], "{change:?}");
    }
}

/// The new priority and interval are announced; a shorter interval at once takes effect, and the
/// next advert is never later than the peers expect.
#[test]
fn priority_and_interval() {
    for (interval, next) in [(50, 500), (300, 700)] {
        let mut d = Driver::master(instance("a"));
        let at = d.elapsed();
        d.run_for(ms(300));
        let interval = Centiseconds(interval);
        let priority = Priority(120);
        d.reload_one(InstanceSettings { interval, priority, ..instance("a") });
        let instance = d.a();
        let (from, to) = (Priority(100), priority);
        assert_eq!(d.notices(), [Notice::PriorityChanged { instance, from, to }]);
        assert_eq!(d.left(Timer::Advert(Family::V4)), Some(ms(next)));
        d.run_for(ms(next));
        assert_eq!(d.adverts(), [(at + ms(300 + next), 120, interval.0)]);
    }
    // A backup follows its master's interval, and its own while there is none.
    let mut d = Driver::one(instance("a"));
    d.reload_one(InstanceSettings { interval: Centiseconds(10), ..instance("a") });
    assert_eq!(d.down(), Some(us(360_937)));
    let mut d = Driver::one(instance("a"));
    d.hear(&peer(20, 200));
    d.reload_one(InstanceSettings { interval: Centiseconds(10), ..instance("a") });
    assert_eq!(d.down(), Some(us(3_609_375)));
}

/// Only what differs is removed, added and announced.
#[test]
fn the_list_of_addresses() {
    let s = |list: &[u8]| InstanceSettings {
        objects: list.iter().map(|last| address(*last)).collect(),
        ..instance("a")
    };
    let mut d = Driver::master(s(&[100, 101, 102]));
    d.reload_one(s(&[103, 102, 100]));
    assert_eq!(d.deeds(), ["remove 192.0.2.101", "install 192.0.2.103", "announce 192.0.2.103"]);
    let packet: Vec<_> = d.engine.packet_addresses(d.router(Family::V4)).collect();
    assert_eq!(packet, [v4(103), v4(102), v4(100)]);
    // A backup installs nothing.
    let mut d = Driver::one(s(&[100]));
    d.reload_one(s(&[101]));
    assert_eq!(d.deeds(), [""; 0]);
}

/// A family that comes begins where the instance is; one that goes is given up.
#[test]
fn families() {
    let mut d = Driver::master(instance("a"));
    d.reload_one(both());
    assert_eq!(d.deeds(), ["send a IPv6 100", "install fe80::64", "announce fe80::64"]);
    assert_eq!(d.left(Timer::Advert(Family::V6)), Some(ms(1_000)));
    d.clear();
    d.reload_one(instance("a"));
    assert_eq!(d.deeds(), ["send a IPv6 0", "remove fe80::64"]);
    assert_eq!(d.left(Timer::Advert(Family::V6)), None);
    assert_eq!(d.state(), State::Master);

    let mut d = Driver::one(instance("a"));
    d.run_for(ms(2_000));
    d.reload_one(both());
    assert_eq!(d.left(Timer::Down(Family::V6)), Some(us(3_609_375)));
    d.run_for(ms(2_000));
    assert_eq!(d.state(), State::Backup, "waits for the new one");
    d.run_for(ms(2_000));
    assert_eq!(d.state(), State::Master);
}

/// A family that held the other one back, and goes: nothing holds it any more.
#[test]
fn a_family_that_held_the_other_back() {
    let mut d = Driver::one(both());
    d.hear_for(&peer_of(Family::V6, 20, 200), ms(10_000));
    assert_eq!(d.state(), State::Backup);
    d.reload_one(instance("a"));
    assert_eq!(d.state(), State::Master);
}

/// vrrp:S-41: the same for a member of a group.
#[test]
fn a_member_that_held_the_group_back() {
    for removed in [true, false] {
        let mut d = Driver::started(&pair());
        d.hear_for(&peer(20, 200).on("eth1").addresses(&[v4(200)]), ms(10_000));
        assert_eq!(d.state(), State::Backup);
        let mut s = pair();
        s.groups.clear();
        if removed {
            s.instances.pop();
        }
        d.reload(&s);
        assert_eq!(d.state(), State::Master);
    }
}

/// A new instance starts, a removed one hands over and is gone.
#[test]
fn instances_come_and_go() {
    let b = InstanceSettings {
        vrid: Vrid::new(52).unwrap(),
        objects: vec![address(52)],
        ..instance("b")
    };
    let mut d = Driver::master(instance("a"));
    d.reload(&settings(vec![instance("a"), b.clone()]));
    assert_eq!(d.state_of("b"), State::Backup);
    d.run_for(ms(4_000));
    assert_eq!(d.state_of("b"), State::Master);
    let old = d.id("b");
    d.clear();
    d.reload_one(instance("a"));
    assert_eq!(d.engine.instance("b"), None);
    assert_eq!(d.engine.instances().count(), 1);
    assert!(d.engine.handing_over(old));
    d.run_for(ms(20));
    d.hear(&Peer { vrid: 52, ..peer(20, 90).addresses(&[v4(52)]) });
    d.hear_announcement(v4(52));
    assert_eq!(d.engine.state(old), None, "forgotten");
    assert!(d.deeds().contains(&"remove 192.0.2.52".to_owned()));
    assert_eq!(d.state(), State::Master);
    d.run_for(ms(10_000));
    d.clear();
    d.hear(&Peer { vrid: 52, ..peer(20, 90) });
    assert!(matches!(d.notices()[0], Notice::UnknownVrid { vrid: 52, .. }));
    // Its place is free for another one.
    d.reload(&settings(vec![instance("a"), b]));
    assert_eq!(d.state_of("b"), State::Backup);
}

/// A removed instance is not forgotten before the kernel has answered everything.
#[test]
fn an_instance_ends_when_the_kernel_is_clean() {
    let mut d = Driver::one(InstanceSettings { hand_over: false, ..instance("a") });
    let id = d.a();
    d.kernel = Kernel::Silent;
    d.run_for(ms(4_000));
    d.reload(&settings(vec![]));
    assert_eq!(d.asked.len(), 2, "to install, and to remove");
    for _ in 0..2 {
        assert_eq!(d.engine.state(id), Some(State::Initialize));
        d.answer(Ok(()));
    }
    assert_eq!(d.engine.state(id), None);
}

/// One that comes back before it has ended goes on: master, or waiting for the kernel.
#[test]
fn an_instance_that_comes_back() {
    let mut d = Driver::master(instance("a"));
    let id = d.a();
    d.reload(&settings(vec![]));
    d.run_for(ms(20));
    assert!(d.engine.handing_over(id));
    d.clear();
    d.reload_one(instance("a"));
    assert_eq!((d.a(), d.state()), (id, State::Master));
    assert!(!d.engine.handing_over(id));
    assert_eq!(d.deeds(), ["send a IPv4 100", "unmute", "announce 192.0.2.100"]);

    let without = InstanceSettings { hand_over: false, ..instance("a") };
    let mut d = Driver::master(without.clone());
    let id = d.a();
    d.kernel = Kernel::Silent;
    d.reload(&settings(vec![]));
    assert_eq!(d.engine.state(id), Some(State::Initialize));
    d.reload_one(without);
    assert_eq!((d.a(), d.state()), (id, State::Backup));
}

/// One that comes back with another priority announces that one, and not the old one first: an
/// owner's 255 would take the address from a router that is to keep it.
#[test]
fn an_instance_that_comes_back_as_another() {
    let owner = InstanceSettings { priority: Priority::OWNER, ..instance("a") };
    let mut d = Driver::master(owner);
    let id = d.a();
    d.reload(&settings(vec![]));
    d.run_for(ms(20));
    assert!(d.engine.handing_over(id));
    d.clear();
    d.reload_one(InstanceSettings { priority: Priority(90), ..instance("a") });
    assert_eq!((d.a(), d.state()), (id, State::Master));
    assert_eq!(d.deeds(), ["send a IPv4 90", "unmute", "announce 192.0.2.100"]);
}

/// Another VRID or interface is another virtual router: the old one ends, the new one starts.
#[test]
fn another_virtual_router() {
    for change in [
        InstanceSettings { vrid: Vrid::new(52).unwrap(), ..instance("a") },
        InstanceSettings { interface: "eth1".into(), ..instance("a") },
    ] {
        let mut d = Driver::master(instance("a"));
        let old = d.a();
        d.reload_one(change);
        d.all_interfaces_up();
        assert_ne!(d.a(), old);
        assert_eq!(d.engine.state(old), None);
        assert_eq!(d.state(), State::Backup);
        assert!(d.deeds().iter().any(|deed| deed.ends_with("IPv4 0")), "{:?}", d.deeds());
        d.run_for(ms(4_000));
        assert_eq!(d.state(), State::Master);
        assert!(d.installed());
    }
}

/// vrrp:S-41: a group that is formed of a master and a backup moves together.
#[test]
fn a_new_group_is_brought_in_line() {
    let mut apart = pair();
    apart.groups.clear();
    let mut d = Driver::started(&apart);
    d.hear_for(&peer(20, 200).on("eth1").addresses(&[v4(200)]), ms(10_000));
    assert_eq!((d.state(), d.state_of("b")), (State::Master, State::Backup));
    d.reload(&pair());
    assert_eq!((d.state(), d.state_of("b")), (State::Backup, State::Backup));
    assert_eq!(d.cause(), Cause::Reconfigured);
    // Masters stay masters when they are joined, parted, or get a third.
    let mut d = Driver::master_of(&apart);
    d.reload(&pair());
    d.reload(&apart);
    let mut three = pair();
    three.instances.push(InstanceSettings { vrid: Vrid::new(7).unwrap(), ..instance("c") });
    three.groups[0].members.push("c".into());
    d.reload(&three);
    assert_eq!(d.state_of("c"), State::Master);
    assert_eq!((d.state(), d.state_of("b")), (State::Master, State::Master));
    assert!(d.transitions().is_empty() && d.transitions_of("b").is_empty());
}

/// vrrp:S-41: owners in one group of which one is backup: a new one does not go ahead alone.
#[test]
fn s_41_a_new_owner_does_not_go_ahead() {
    let mut s = pair();
    for instance in &mut s.instances {
        instance.priority = Priority::OWNER;
    }
    let mut one = s.clone();
    one.instances.pop();
    one.groups[0].members.pop();
    let mut d = Driver::started(&one);
    d.hear(&peer(20, 255));
    assert_eq!(d.state(), State::Backup);
    d.engine.handle(Event::Reload(&Change::between(&one, &s)), d.now);
    d.all_interfaces_up();
    assert_eq!((d.state(), d.state_of("b")), (State::Backup, State::Backup));
    d.hear_for(&peer(20, 255), ms(10_000));
    assert_eq!((d.state(), d.state_of("b")), (State::Backup, State::Backup));
}

/// The schedule of refreshes follows the configuration.
#[test]
fn announcements() {
    let rounds = |refresh_repeat, refresh| InstanceSettings {
        announce: Announce { refresh: ms(refresh), refresh_repeat, ..instance("a").announce },
        ..instance("a")
    };
    let with = |refresh| rounds(1, refresh);
    let mut d = Driver::master(with(0));
    d.reload_one(with(10_000));
    d.run_for(ms(10_000));
    assert_eq!(d.announced(v4(100)).len(), 1);
    for none in [with(0), rounds(0, 10_000)] {
        d.reload_one(with(10_000));
        d.reload_one(none);
        assert_eq!(d.timer(Timer::Refresh), None);
    }
    d.run_for(ms(60_000));
    assert_eq!(d.announced(v4(100)).len(), 1);
    // Neither while it hands over nor as backup.
    d.switchover(None, true);
    d.reload_one(with(10_000));
    assert_eq!(d.timer(Timer::Refresh), None);
    d.run_for(ms(100));
    d.hear(&peer(20, 200));
    d.run_for(ms(100));
    d.reload_one(with(20_000));
    assert_eq!((d.state(), d.timer(Timer::Refresh)), (State::Backup, None));
}

/// A reload while stopping is ignored.
#[test]
fn not_while_stopping() {
    let mut d = Driver::master(instance("a"));
    d.event(Event::Shutdown);
    d.run_for(ms(20));
    d.clear();
    let s = settings(vec![instance("a"), both_as("b")]);
    d.event(Event::Reload(&Change::between(&settings(vec![instance("a")]), &s)));
    assert_eq!(d.engine.instance("b"), None);
    assert_eq!(d.deeds(), [""; 0]);
}

/// An interface that a reload brings is unknown, not missing, until it was looked at: it costs no
/// mastership to track one more, or to get one more member.
#[test]
fn a_new_interface_is_not_missing() {
    let mut s = instance("a");
    let wan = Track { tracker: Tracker::Interface("wan".into()), weight: 0, reverse: false };
    s.track = vec![wan];
    let mut d = Driver::master(instance("a"));
    d.reload_one(s);
    assert_eq!(d.state(), State::Master);
    d.interface("wan", up());
    assert!(d.transitions().is_empty());
    d.interface("wan", InterfaceState::default());
    assert_eq!(d.state(), State::Fault);

    let mut one = pair();
    one.instances.pop();
    for (state, expected) in [(up(), State::Master), (InterfaceState::default(), State::Fault)] {
        let mut d = Driver::master_of(&one);
        d.reload(&pair());
        assert_eq!((d.state(), d.state_of("b")), (State::Master, State::Initialize));
        d.interface("eth1", state);
        assert_eq!((d.state(), d.state_of("b")), (expected, expected));
    }
}

/// Before the start an interface that was not reported is missing.
#[test]
fn an_unreported_interface_is_missing_at_the_start() {
    let mut engine = Engine::new(&settings(vec![instance("a")]));
    engine.handle(Event::Start, START);
    let a = engine.instance("a").unwrap();
    let eth0 = engine.interface("eth0").unwrap();
    assert_eq!(engine.state(a), Some(State::Fault));
    assert_eq!(engine.fault(a), Some(FaultReason::InterfaceMissing(eth0)));
}

/// An instance under a new name is another one. The hand-over of the old one still recognises its
/// successor, and does not keep the addresses until its timeout.
#[test]
fn a_renamed_instance_hears_its_successor() {
    let mut d = Driver::master(instance("a"));
    let old = d.a();
    d.reload(&settings(vec![instance("b")]));
    d.run_for(ms(20));
    assert!(d.engine.handing_over(old));
    d.hear(&peer(20, 90));
    d.hear_announcement(v4(100));
    assert_ne!(d.engine.state(old), Some(State::Master));
    assert!(d.deeds().contains(&"remove 192.0.2.100".to_owned()));
}

/// Hand-over: a hand-over does not wait for the successor of a family that a reload removes, nor
/// say priority 0 again.
#[test]
fn a_family_that_leaves_during_a_hand_over() {
    let mut d = Driver::master(both());
    d.switchover(None, false);
    d.run_for(ms(20));
    d.hear(&peer(20, 90));
    d.clear();
    d.reload_one(instance("a"));
    d.run_for(ms(100));
    assert_eq!(d.state(), State::Backup);
    assert!(!d.deeds().iter().any(|deed| deed.starts_with("send")), "{:?}", d.deeds());
}

/// Hand-over: peers of version 2 do not learn, and centiseconds do not fit into their adverts.
#[test]
fn version_2_comes_during_a_hand_over() {
    let mut d = Driver::master(instance("a"));
    d.switchover(None, false);
    d.clear();
    d.reload_one(InstanceSettings { version: Version::V2, ..instance("a") });
    d.run_for(ms(20));
    let sent: Vec<_> = d.adverts().iter().map(|advert| (advert.1, advert.2)).collect();
    assert_eq!(sent, [(0, 100)]);
}

/// An object that was left to those who removed it is put back when it is to be tracked.
#[test]
fn an_abandoned_object_becomes_tracked() {
    let object =
        |track| Object::Address(VirtualAddress { track, ..VirtualAddress::new(v4(100), 24) });
    let with = |track| InstanceSettings { objects: vec![object(track)], ..instance("a") };
    let mut d = Driver::master(with(false));
    let removed = d.objects()[0];
    d.event(Event::Object { object: removed, present: false });
    assert!(!d.installed());
    d.reload_one(with(true));
    assert!(d.installed());
}

/// vrrp:G-5: a shorter spacing holds at once.
#[test]
fn g_5_the_spacing_changes() {
    let with = |garp_interval| {
        let announce = Announce { repeat: 2, ..instance("a").announce };
        let pacing = Pacing { garp_interval, ..Pacing::default() };
        InstanceSettings { announce, pacing, ..instance("a") }
    };
    let mut d = Driver::one(with(Duration::from_secs(100_000)));
    d.run_for(ms(4_000));
    assert_eq!(d.announced(v4(100)).len(), 1);
    for spacing in [ms(10), ms(0)] {
        d.reload_one(with(spacing));
        d.run_for(ms(20));
        assert_eq!(d.announced(v4(100)).len(), 2);
    }
}

/// vrrp:S-17: a changed delay holds from the next lower advert on.
#[test]
fn s_17_the_delay_changes() {
    let with = |preempt_delay| InstanceSettings { preempt_delay, ..instance("a") };
    let mut d = Driver::one(with(Duration::from_secs(1_000)));
    d.hear_for(&peer(20, 50), ms(5_000));
    d.reload_one(with(ms(1_000)));
    d.hear_for(&peer(20, 50), ms(10_000));
    assert_eq!(d.state(), State::Master);
}

/// A family that a reload adds during a hand-over takes part in its end, and sends nothing before.
#[test]
fn a_family_added_during_a_hand_over() {
    let mut d = Driver::master(instance("a"));
    d.switchover(None, false);
    d.run_for(ms(20));
    d.reload_one(both());
    d.run_for(ms(3_900));
    let v6 = d.router(Family::V6);
    assert!(d.engine.handing_over(v6.instance));
    assert_eq!(d.adverts_of(v6), []);
    d.run_for(ms(1_000));
    assert_eq!(d.state(), State::Master);
    assert_eq!(d.adverts_of(v6).len(), 1);
}
