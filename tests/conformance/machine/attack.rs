//! What a neighbour that is hostile or broken can cause is bounded: notices (each becomes a line in
//! the log), announcements, changes of state.

use std::time::Duration;

use steadfast::units::Priority;
use steadfast::vrrp::settings::{Announce, InstanceSettings, Preempt};
use steadfast::vrrp::{Cause, Notice, State};

use super::driver::*;

/// A master that changes with every packet does not make the same remarks worth repeating with
/// every packet; one that changes now and then does (action.rs).
#[test]
fn changing_masters_do_not_flood_the_log() {
    let mut d = Driver::one(instance("a"));
    d.clear();
    for round in 0..500_u16 {
        let last = 20 + (round % 2) as u8;
        d.hear(&peer(last, 200).every(50).addresses(&[v4(100), v4(7)]));
        d.hear(&Peer { hop_limit: 1, ..peer(last, 200) });
        d.run_for(ms(10));
    }
    assert!(d.notices().len() <= 12, "in 5 s: {}", d.notices().len());
    d.run_for(ms(60_000));
    d.hear_for(&peer(30, 200), ms(20_000));
    d.clear();
    d.hear(&peer(31, 200).addresses(&[v4(100), v4(7)]));
    assert_eq!(d.notices().len(), 1, "a new master is remarked");
}

fn reannouncing() -> InstanceSettings {
    let announce =
        Announce { lower_prio_repeat: 1, lower_prio_delay: ms(5_000), ..instance("a").announce };
    InstanceSettings { announce, ..instance("a") }
}

/// vrrp:S-29: a flood of adverts that we answer does not make a flood of announcements, and the
/// last of them is followed by one.
#[test]
fn s_29_a_flood_of_adverts_is_no_flood_of_announcements() {
    for priority in [99, 0] {
        let mut d = Driver::master(reannouncing());
        let at = d.elapsed();
        for _ in 0..250 {
            d.hear(&peer(20, priority));
            d.run_for(ms(10));
        }
        assert!(d.adverts().len() >= 250, "each is answered (S-23, S-26)");
        d.run_for(ms(20_000));
        let times: Vec<_> = d.announced(v4(100)).iter().map(|t| *t - at).collect();
        assert!(times.len() <= 5, "{priority}: {times:?}");
        assert!(times.last().is_some_and(|last| *last >= ms(2_490)), "{priority}: {times:?}");
    }
}

/// Promises: announcements of another host that do not end are answered every ten seconds, not
/// twice every ten seconds.
#[test]
fn lasting_announcements_of_another_host_are_answered_every_ten_seconds() {
    let announce = Announce { lower_prio_repeat: 1, ..instance("a").announce };
    let mut d = Driver::master(InstanceSettings { announce, ..instance("a") });
    d.run_for(ms(60_000));
    d.clear();
    let start = d.elapsed();
    for _ in 0..500 {
        d.hear_announcement(v4(100));
        d.run_for(ms(100));
    }
    let after: Vec<_> = d.announced(v4(100)).into_iter().map(|at| at - start).collect();
    assert_eq!(after, [0, 10_000, 20_000, 30_000, 40_000, 50_000].map(ms));
}

/// Hand-over: immediate preemption is for a lower master, not for a lower router beside a master
/// that is higher than we are.
#[test]
fn immediate_preemption_respects_a_higher_master() {
    let mut d = Driver::one(InstanceSettings { preempt: Preempt::Immediate, ..instance("a") });
    d.hear(&peer(20, 200));
    d.clear();
    d.run_for(ms(900));
    d.hear(&peer(21, 50));
    assert_eq!(d.state(), State::Backup, "200 is alive");
    d.run_for(us(3_609_375) - ms(901));
    d.hear(&peer(21, 50));
    assert_eq!(d.state(), State::Backup);
    d.run_for(ms(1));
    assert_eq!(d.state(), State::Master);
    assert_eq!(d.cause(), Cause::Preempted { master: v4(21), theirs: Priority(50) });
    // One that gave up is no master any more.
    let mut d = Driver::one(InstanceSettings { preempt: Preempt::Immediate, ..instance("a") });
    d.hear(&peer(20, 200));
    d.hear(&peer(20, 0));
    d.hear(&peer(21, 50));
    assert_eq!(d.state(), State::Master);
}

/// Hand-over: what the multicast loop or a bridge brings back of our own adverts is no successor.
#[test]
fn our_own_echo_is_no_successor() {
    let mut d = Driver::master(instance("a"));
    d.switchover(None, false);
    d.hear(&peer(OWN, 100).every(5));
    d.run_for(ms(20));
    d.hear(&peer(OWN, 100).every(5));
    d.run_for(ms(500));
    assert_eq!(d.adverts().last().map(|advert| advert.1), Some(0), "priority 0 was sent");
    assert!(d.engine.handing_over(d.a()), "nobody took over yet");
}

/// Hand-over: a successor that comes and goes is told once.
#[test]
fn a_successor_that_comes_and_goes_is_told_once() {
    let mut d = Driver::master(instance("a"));
    d.switchover(None, false);
    d.run_for(ms(20));
    for _ in 0..50 {
        d.hear(&peer(20, 90));
        d.hear(&peer(20, 0));
    }
    let taken = |n: &&Notice| matches!(n, Notice::HandOverTaken { .. });
    assert_eq!(d.notices().iter().filter(taken).count(), 1);
}

/// vrrp:S-32: the adverts of another owner with a long interval do not start the conflict again each
/// time.
#[test]
fn s_32_a_slow_second_owner() {
    let mut d = Driver::one(InstanceSettings { priority: Priority::OWNER, ..instance("a") });
    d.hear_for(&peer(1, 255).every(500), ms(60_000));
    assert_eq!(d.state(), State::Backup);
}

/// A burst of transitions is told completely, however many instances there are: scripts and
/// status depend on it.
#[test]
fn transitions_of_all_instances_are_told() {
    let all = (0..1_500_u16).map(|n| InstanceSettings {
        interface: format!("v{n}").into(),
        ..instance(&format!("i{n}"))
    });
    let mut d = Driver::started(&settings(all.collect()));
    d.clear();
    d.run_for(Duration::from_secs(4));
    let lost = |n: &&Notice| matches!(n, Notice::Lost { .. });
    assert_eq!(d.notices().iter().filter(lost).count(), 0);
    assert_eq!(d.notices().len(), 1_500);
}

/// vrrp:S-29: when exactly the bursts come: at once, at most one in an interval, and one more after
/// the delay, which does not move while adverts go on.
#[test]
fn s_29_the_times_of_the_bursts() {
    let mut d = Driver::master(reannouncing());
    d.run_for(ms(60_000));
    d.clear();
    let start = d.elapsed();
    let mut heard_at = Duration::ZERO;
    for at in [0, 300, 3_000, 20_000].map(ms) {
        d.run_for(at - heard_at);
        heard_at = at;
        let before = d.announced(v4(100)).len();
        d.hear(&peer(20, 50));
        let at_once = d.announced(v4(100)).len() - before;
        assert_eq!(at_once, usize::from(at != ms(300)), "at {at:?}");
    }
    d.run_for(ms(30_000));
    let times: Vec<_> = d.announced(v4(100)).into_iter().map(|at| at - start).collect();
    assert_eq!(times, [0, 1_000, 3_000, 5_000, 20_000, 25_000].map(ms));
}
