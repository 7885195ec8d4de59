//! Wanted against seen: what others do to our addresses, and what the kernel refuses
//! (objects.rs).

use std::time::Duration;
use steadfast::vrrp::KernelRequest;

use steadfast::net::VirtualAddress;
use steadfast::units::{Mac, Version};
use steadfast::vrrp::settings::{InstanceSettings, Object, OnForeignRemoval, Track, Tracker};
use steadfast::vrrp::{Action, Cause, Event, InterfaceState, KernelError, Notice, State};

use super::driver::*;

fn steal(d: &mut Driver, place: usize) {
    let object = d.objects()[place];
    d.event(Event::Object { object, present: false });
}

/// Put back and announced: at once the first time, after a second when it happens again.
#[test]
fn a_stolen_address_is_restored_within_a_second() {
    let mut d = Driver::master(InstanceSettings { hand_over: false, ..instance("a") });
    let object = d.objects()[0];
    let mut waits = Vec::new();
    for _ in 0..8 {
        d.clear();
        steal(&mut d, 0);
        let Some(Notice::ForeignRemoval { restore_in: Some(wait), .. }) = d.notices().pop() else {
            panic!("{:?}", d.log);
        };
        let due = d.now + wait;
        d.run_for(wait.saturating_sub(us(1)));
        assert_eq!(d.engine.object_present(object), wait.is_zero());
        d.run_until(due);
        assert!(d.engine.object_present(object));
        assert_eq!(d.announced(v4(100)).len(), 1);
        waits.push(wait.as_secs());
    }
    assert_eq!(waits, [0, 1, 1, 1, 1, 1, 1, 1]);
    assert_eq!(d.state(), State::Master);
    d.run_for(ms(120_000));
    d.clear();
    steal(&mut d, 0);
    let restore_in = Some(ms(0));
    assert_eq!(d.notices(), [Notice::ForeignRemoval { object, restore_in }], "forgotten");
}

/// netlink:N-45: keepalived's policy is to step down.
#[test]
fn a_stolen_address_may_cost_the_mastership() {
    let s = InstanceSettings {
        on_foreign_removal: OnForeignRemoval::Backup,
        objects: vec![address(100), address(101)],
        ..instance("a")
    };
    let mut d = Driver::master(s);
    let object = d.objects()[0];
    steal(&mut d, 0);
    assert_eq!((d.state(), d.cause()), (State::Backup, Cause::ForeignRemoval { object }));
    assert_eq!(d.deeds(), ["send a IPv4 0", "remove 192.0.2.101"]);
    assert!(d.notices().contains(&Notice::ForeignRemoval { object, restore_in: None }));
}

/// An address that is not tracked is left alone until the instance becomes master anew.
#[test]
fn an_untracked_address_is_left_alone() {
    let untracked = VirtualAddress { track: false, ..VirtualAddress::new(v4(100), 24) };
    for policy in [OnForeignRemoval::Restore, OnForeignRemoval::Backup] {
        let mut d = Driver::master(InstanceSettings {
            on_foreign_removal: policy,
            objects: vec![Object::Address(untracked.clone())],
            ..instance("a")
        });
        steal(&mut d, 0);
        d.run_for(ms(100_000));
        assert_eq!(d.state(), State::Master);
        assert!(!d.deeds().contains(&"install 192.0.2.100".to_owned()));
        assert!(d.notices().is_empty());
        d.hear(&peer(20, 200));
        d.run_for(ms(4_000));
        assert!(d.installed());
    }
}

/// What the kernel refuses is tried again, later and later, and said each time.
#[test]
fn a_refusal_is_tried_again() {
    let mut d = Driver::one(instance("a"));
    d.kernel = Kernel::Refuses;
    d.run_for(ms(4_000));
    assert_eq!(d.state(), State::Master, "the adverts do not wait for it");
    d.run_for(ms(116_000));
    let object = d.objects()[0];
    let refused = |seconds: u64| Notice::KernelRefused {
        object,
        present: true,
        error: KernelError(1),
        retry_in: ms(seconds * 1_000),
    };
    assert_eq!(d.notices()[2..], [1, 2, 4, 8, 16, 30, 30, 30].map(refused));
    assert_eq!(d.announced(v4(100)), NEVER);
    d.kernel = Kernel::Works;
    d.run_for(ms(30_000));
    assert!(d.installed());
    assert_eq!(d.announced(v4(100)).len(), 1);
}

/// A removal that is refused is tried again as well; a stop does not wait for it.
#[test]
fn a_refused_removal() {
    let mut d = Driver::master(InstanceSettings { hand_over: false, ..instance("a") });
    d.kernel = Kernel::Refuses;
    d.hear(&peer(20, 200));
    assert!(d.installed());
    d.kernel = Kernel::Works;
    d.run_for(ms(1_000));
    assert!(!d.installed());
    let mut d = Driver::master(InstanceSettings { hand_over: false, ..instance("a") });
    d.kernel = Kernel::Refuses;
    d.event(Event::Shutdown);
    assert_eq!(d.deeds().last().map(String::as_str), Some("stopped"));
}

/// Answers that come late, after the state has changed again: in the end the kernel has what the
/// state wants.
#[test]
fn late_answers() {
    let mut d = Driver::one(instance("a"));
    d.kernel = Kernel::Silent;
    d.run_for(ms(4_000));
    d.hear(&peer(20, 200));
    assert_eq!(d.asked.len(), 2);
    d.answer(Ok(()));
    assert_eq!(d.announced(v4(100)), NEVER, "no longer master");
    d.answer(Ok(()));
    assert!(!d.installed() && d.asked.is_empty());
    d.run_for(ms(4_000));
    d.hear(&peer(20, 200));
    d.run_for(ms(4_000));
    assert_eq!(d.asked.len(), 3, "install, remove, install");
    while !d.asked.is_empty() {
        d.answer(Ok(()));
    }
    assert!(d.installed());
    assert!(!d.announced(v4(100)).is_empty());
}

/// Addresses that others add while we are backup are removed.
#[test]
fn a_foreign_address_is_removed() {
    let mut d = Driver::one(instance("a"));
    let object = d.objects()[0];
    d.event(Event::Object { object, present: true });
    assert_eq!(d.deeds(), ["remove 192.0.2.100"]);
}

/// An interface that is gone took its addresses with it: nothing is to be removed there.
#[test]
fn a_vanished_interface_takes_the_addresses() {
    let elsewhere =
        VirtualAddress { interface: Some("lo".into()), ..VirtualAddress::new(v4(101), 32) };
    let objects = vec![address(100), Object::Address(elsewhere)];
    let mut d = Driver::master(InstanceSettings { objects, ..instance("a") });
    d.interface("eth0", InterfaceState::default());
    assert_eq!(d.state(), State::Fault);
    assert_eq!(d.deeds(), ["remove 192.0.2.101"]);
}

/// Addresses stay where they are when the interface changes in another way, or another interface
/// vanishes.
#[test]
fn other_changes_take_no_addresses() {
    let eth1 = Track { tracker: Tracker::Interface("eth1".into()), weight: 10, reverse: false };
    let mut d = Driver::master(InstanceSettings { track: vec![eth1], ..instance("a") });
    d.interface("eth0", InterfaceState { ipv6: None, ..up() });
    d.interface("eth1", InterfaceState::default());
    assert!(d.installed());
    assert!(d.deeds().is_empty(), "{:?}", d.deeds());
}

/// An object that a reload has dropped is no longer ours: what others do with it does not matter,
/// and a stop does not wait for it.
#[test]
fn a_forgotten_object_is_not_waited_for() {
    let s = |objects| InstanceSettings { objects, hand_over: false, ..instance("a") };
    let mut d = Driver::master(s(vec![address(100), address(101)]));
    let object = d.objects()[1];
    d.reload_one(s(vec![address(100)]));
    assert!(!d.engine.object_present(object));
    d.reload_one(s(vec![address(100)]));
    d.event(Event::Object { object, present: true });
    d.event(Event::Shutdown);
    assert_eq!(d.deeds().last().map(String::as_str), Some("stopped"));
}

/// Somebody removes the first address every 50 ms for so long.
fn remove_again_and_again(d: &mut Driver, length: Duration) {
    let object = d.objects()[0];
    let end = d.now + length;
    while d.now < end {
        if d.state() == State::Master && d.engine.object_present(object) {
            d.event(Event::Object { object, present: false });
        }
        d.run_for(ms(50));
    }
}

/// As long as it does not ask who takes over.
fn remove_until_it_asks(d: &mut Driver) {
    d.clear();
    for _ in 0..200 {
        if d.adverts().iter().any(|(_, priority, _)| *priority == 0) {
            return;
        }
        remove_again_and_again(d, ms(50));
    }
    panic!("it goes on: {:?}", d.deeds());
}

fn losses_as_cause(d: &Driver) -> bool {
    matches!(d.cause(), Cause::AddressesLost { .. })
}

/// Promises: a router that cannot keep its addresses gives way to one that can: it finds it by a
/// planned hand-over. It preempts again after a pause, which is twice as long each time.
#[test]
fn a_master_that_loses_its_address_again_and_again_gives_way() {
    let mut d = Driver::master(instance("a"));
    let start = d.elapsed();
    remove_until_it_asks(&mut d);
    d.hear(&peer(20, 90));
    d.hear_announcement(v4(100));
    assert_eq!((d.state(), losses_as_cause(&d)), (State::Backup, true));
    assert!(d.elapsed() - start < ms(6_000));
    d.hear_for(&peer(20, 90), ms(9_000));
    assert_eq!(d.state(), State::Backup, "the pause is 10 s");
    d.hear_for(&peer(20, 90), ms(6_000));
    assert_eq!(d.state(), State::Master);
    remove_until_it_asks(&mut d);
    d.hear(&peer(20, 90));
    d.hear_announcement(v4(100));
    assert!(losses_as_cause(&d));
    d.hear_for(&peer(20, 90), ms(19_000));
    assert_eq!(d.state(), State::Backup, "the second one is 20 s");
    // Without another master it does not wait.
    d.run_for(ms(4_000));
    assert_eq!(d.state(), State::Master);
}

/// With nobody who takes over it goes on as master, and puts the address back each second.
#[test]
fn a_lone_master_that_loses_its_address_puts_it_back_each_second() {
    let mut d = Driver::master(instance("a"));
    d.clear();
    remove_again_and_again(&mut d, ms(40_000));
    assert_eq!(d.state(), State::Master);
    let object = d.objects()[0];
    let installed =
        d.log.iter().filter(|(_, a)| *a == Action::Kernel(KernelRequest::Install(object))).count();
    assert!((25..=45).contains(&installed), "{installed}");
    let asked = d.adverts().iter().filter(|(_, priority, _)| *priority == 0).count();
    assert!((1..=3).contains(&asked), "after 10 s, 20 s, ...: {asked}");
    d.run_for(ms(2_500));
    assert!(d.engine.object_present(object), "as soon as the trouble ends");
}

/// Version 2 has no planned hand-over: only a router that was heard is left the addresses.
#[test]
fn a_master_of_version_2_gives_way_when_it_heard_another_router() {
    let two = || InstanceSettings { version: Version::V2, hand_over: false, ..instance("a") };
    let mut d = Driver::master(two());
    remove_again_and_again(&mut d, ms(10_000));
    assert_eq!(d.state(), State::Master);
    d.hear(&peer(20, 90).version(Version::V2));
    remove_again_and_again(&mut d, ms(1_500));
    assert_eq!((d.state(), losses_as_cause(&d)), (State::Backup, true));
}

/// An address on `wan`, which counts for 10 points or not at all.
fn on_wan(track: bool) -> InstanceSettings {
    let wan =
        VirtualAddress { interface: Some("wan".into()), track, ..VirtualAddress::new(v4(200), 24) };
    let weighted = Track { tracker: Tracker::Interface("wan".into()), weight: -10, reverse: false };
    InstanceSettings {
        objects: vec![address(100), Object::Address(wan)],
        track: if track { vec![weighted] } else { vec![] },
        on_foreign_removal: OnForeignRemoval::Backup,
        ..instance("a")
    }
}

/// Objects that the kernel removes with an interface that goes down count as removed by no program. They
/// are restored when it is up, untracked ones silently.
#[test]
fn what_goes_with_its_interface_comes_back_with_it() {
    for track in [true, false] {
        let mut d = Driver::master(on_wan(track));
        let (object, wan) = (d.objects()[1], d.engine.interface("wan").unwrap());
        for state in [InterfaceState { up: false, ..up() }, InterfaceState::default()] {
            d.interface("wan", state);
            d.clear();
            steal(&mut d, 1);
            let told = Notice::GoneWithInterface { object, interface: wan };
            assert_eq!(d.notices().contains(&told), track);
            assert!(!d.notices().iter().any(|n| matches!(n, Notice::ForeignRemoval { .. })));
            d.run_for(ms(10_000));
            assert_eq!(d.state(), State::Master);
            assert!(!d.engine.object_present(object));
            d.clear();
            d.interface("wan", up());
            assert!(d.deeds().contains(&"install 192.0.2.200".to_owned()), "{:?}", d.deeds());
            assert!(d.engine.object_present(object));
        }
        // With the interface up it was somebody else.
        d.clear();
        steal(&mut d, 1);
        assert_eq!(d.state(), if track { State::Backup } else { State::Master });
    }
}

/// Of another Ethernet address hosts are told at once: for what is on that interface, as a master.
#[test]
fn another_ethernet_address_is_announced() {
    let other = |last| Some(Mac([2, 0, 0, 0, 1, last]));
    let rounds = usize::from(instance("a").announce.repeat);
    let mut d = Driver::master(on_wan(false));
    d.clear();
    d.interface("eth0", InterfaceState { mac: other(1), ..up() });
    assert_eq!((d.announced(v4(100)).len(), d.announced(v4(200)).len()), (rounds, 0));
    d.clear();
    d.interface("wan", InterfaceState { mac: other(2), ..up() });
    assert_eq!((d.announced(v4(100)).len(), d.announced(v4(200)).len()), (0, rounds));
    d.clear();
    // The same once more, and one that is not known.
    d.interface("wan", InterfaceState { mac: other(2), ipv6: None, ..up() });
    d.interface("wan", InterfaceState { mac: None, ..up() });
    assert_eq!((d.announced(v4(100)).len(), d.announced(v4(200)).len()), (0, 0));
    let mut d = Driver::one(instance("a"));
    d.hear_for(&peer(20, 200), ms(5_000));
    d.interface("eth0", InterfaceState { mac: other(1), ..up() });
    assert_eq!((d.state(), d.announced(v4(100)).len()), (State::Backup, 0));
}
