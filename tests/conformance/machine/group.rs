//! Moving together: sync groups (vrrp:S-41), and the two families of an instance.

use steadfast::units::{Family, Priority};
use steadfast::vrrp::settings::{InstanceSettings, Preempt};
use steadfast::vrrp::timers::Timer;
use steadfast::vrrp::{Cause, Event, State, TrackerState};

use super::driver::*;

/// A peer on the link of "b".
fn peer_b(last: u8, priority: u8) -> Peer {
    peer(last, priority).on("eth1").addresses(&[v4(200)])
}

fn states(d: &Driver) -> (State, State) {
    (d.state_of("a"), d.state_of("b"))
}

const MASTERS: (State, State) = (State::Master, State::Master);
const BACKUPS: (State, State) = (State::Backup, State::Backup);

/// vrrp:S-41: a member whose DownTimer expired waits for the others.
#[test]
fn s_41_all_or_none_becomes_master() {
    let mut d = Driver::started(&pair());
    d.hear_for(&peer_b(20, 200), ms(20_000));
    assert_eq!(states(&d), BACKUPS);
    assert!(d.adverts().is_empty());
    assert_eq!(d.down(), None);
    d.run_for(ms(2_700));
    assert_eq!(states(&d), MASTERS);
    let causes = (d.cause(), d.engine.since(d.id("b")).unwrap().1);
    assert!(matches!(causes.0, Cause::NoAdvert { master: None, .. }));
    assert!(matches!(causes.1, Cause::NoAdvert { master: Some(_), .. }));
}

/// vrrp:S-41: hearing a master again ends the waiting; a lower one does not.
#[test]
fn s_41_waiting_ends_with_a_master() {
    let mut d = Driver::started(&pair());
    d.hear_for(&peer_b(20, 200), ms(10_000));
    d.hear(&peer(20, 99));
    assert_eq!(d.down(), None, "still wants to be master");
    d.hear(&peer(20, 0));
    assert_eq!(d.down(), None);
    d.hear(&peer(20, 100));
    assert_eq!(d.down(), Some(us(3_609_375)));
    d.hear_for(&peer(20, 100), ms(5_000));
    assert_eq!(states(&d), BACKUPS);
}

/// vrrp:S-41: one leaves, all leave; those that lost nothing say so with priority 0.
#[test]
fn s_41_all_leave() {
    let mut d = Driver::master_of(&pair());
    d.hear(&peer_b(20, 200));
    assert_eq!(states(&d), BACKUPS);
    assert_eq!(d.cause(), Cause::Group { member: d.id("b") });
    assert_eq!(d.deeds(), ["send a IPv4 0", "remove 192.0.2.100", "remove 192.0.2.200"]);
}

/// vrrp:S-41: one faults, all fault, and come back together.
#[test]
fn s_41_all_fault() {
    let mut d = Driver::master_of(&pair());
    d.interface_down("eth1");
    assert_eq!(states(&d), (State::Fault, State::Fault));
    assert_eq!(d.cause(), Cause::Group { member: d.id("b") });
    assert_eq!(d.adverts()[0].1, 0, "the one whose interface works says so");
    d.interface_down("eth0");
    d.interface("eth1", up());
    assert_eq!(states(&d), (State::Fault, State::Fault));
    d.interface("eth0", up());
    assert_eq!(states(&d), BACKUPS);
    d.run_for(ms(4_000));
    assert_eq!(states(&d), MASTERS);
}

/// vrrp:S-41: the group's own trackers concern all.
#[test]
fn s_41_trackers_of_the_group() {
    for (weight, expected) in [(0, State::Fault), (-30, State::Backup)] {
        let mut s = pair();
        s.groups[0].track = vec![super::fault::script("x", weight)];
        let mut d = Driver::idle(&s);
        d.tracker("x", TrackerState::Up);
        d.event(Event::Start);
        d.tracker("x", TrackerState::Down);
        assert_eq!(states(&d), (expected, expected));
        if weight != 0 {
            for name in ["a", "b"] {
                assert_eq!(d.engine.effective_priority(d.id(name)), Some(Priority(70)));
            }
        }
    }
}

/// vrrp:S-41, vrrp:S-1: owners start as masters only if all members are owners.
#[test]
fn s_41_owners() {
    let mut s = pair();
    s.instances[0].priority = Priority::OWNER;
    let mut d = Driver::started(&s);
    assert_eq!(states(&d), BACKUPS);
    d.run_for(us(3_609_374));
    assert_eq!(states(&d), BACKUPS);
    d.run_for(us(1));
    assert_eq!(states(&d), MASTERS);
    assert_eq!(d.cause(), Cause::Owner);
    s.instances[1].priority = Priority::OWNER;
    assert_eq!(states(&Driver::started(&s)), MASTERS);
}

/// With equal priorities the first member decides ties for all as long as it hears the contender:
/// a peer that would win on one link only does not make both give way (group.rs).
#[test]
fn a_tie_is_decided_by_the_first_member() {
    let mut d = Driver::master_of(&pair());
    d.hear(&peer(1, 100));
    d.hear(&peer_b(20, 100));
    assert_eq!(states(&d), MASTERS, "won on the link of the first member");
    d.run_for(ms(1_000));
    d.hear_for(&peer_b(20, 100), ms(3_000));
    assert_eq!(states(&d), MASTERS);
    d.hear(&peer_b(20, 100));
    assert_eq!(states(&d), BACKUPS, "the first member no longer hears it");
    // A contender that comes back after an hour has to be heard as long as one that is new.
    let mut d = Driver::master_of(&pair());
    d.hear(&peer_b(20, 100));
    d.run_for(ms(3_600_000));
    d.hear(&peer_b(20, 100));
    assert_eq!(states(&d), MASTERS);
    // Also when the contender never pauses.
    let mut d = Driver::master_of(&pair());
    d.hear_for(&peer_b(20, 100), ms(4_000));
    assert_eq!(states(&d), MASTERS);
    d.hear(&peer_b(20, 100));
    assert_eq!(states(&d), BACKUPS);
    // As long as the first member hears it, too, it decides.
    let mut d = Driver::master_of(&pair());
    for _ in 0..10 {
        d.hear(&peer_b(20, 100));
        d.hear(&peer(1, 100));
        d.run_for(ms(1_000));
    }
    assert_eq!(states(&d), MASTERS);
    // A higher priority is no tie.
    let mut d = Driver::master_of(&pair());
    d.hear(&peer(1, 100));
    d.hear(&peer_b(1, 101));
    assert_eq!(states(&d), BACKUPS);
    // The first member itself loses as ever.
    let mut d = Driver::master_of(&pair());
    d.hear(&peer_b(1, 100));
    d.hear(&peer(20, 100));
    assert_eq!(states(&d), BACKUPS);
}

/// The two families of an instance are one unit, and its IPv4 router decides ties.
#[test]
fn families_move_together() {
    let v6 = |last, priority| peer_of(Family::V6, last, priority);
    let mut d = Driver::one(both());
    d.hear_for(&v6(20, 200), ms(20_000));
    assert_eq!(d.state(), State::Backup);
    d.run_for(ms(3_000));
    assert_eq!(d.state(), State::Master);
    assert_eq!(d.adverts_of(d.router(Family::V4)), d.adverts_of(d.router(Family::V6)));
    assert_eq!(d.adverts().len(), 1);
    d.hear(&peer(1, 100));
    d.hear(&v6(20, 100));
    assert_eq!(d.state(), State::Master, "the tie was won on IPv4");
    d.clear();
    d.hear(&v6(1, 101));
    assert_eq!(d.state(), State::Backup);
    for family in Family::ALL {
        assert_eq!(d.left(Timer::Advert(family)), None);
        assert_eq!(d.left(Timer::Down(family)), Some(us(3_609_375)));
    }
}

/// A member with immediate preemption waits for the group as well (architecture.md, hand-over).
#[test]
fn immediate_preemption_waits_for_the_group() {
    let mut s = pair();
    for instance in &mut s.instances {
        instance.preempt = Preempt::Immediate;
    }
    let mut d = Driver::started(&s);
    d.hear(&peer_b(20, 200));
    d.hear(&peer(20, 99));
    assert_eq!(states(&d), BACKUPS);
    d.hear(&peer_b(20, 99));
    assert_eq!(states(&d), MASTERS);
}

/// An instance that is in no group does not move with one.
#[test]
fn others_are_not_concerned() {
    let mut s = pair();
    s.instances
        .push(InstanceSettings { vrid: steadfast::units::Vrid::new(7).unwrap(), ..instance("c") });
    let mut d = Driver::master_of(&s);
    d.hear(&peer_b(20, 200));
    assert_eq!(states(&d), BACKUPS);
    assert_eq!(d.state_of("c"), State::Master);
}
