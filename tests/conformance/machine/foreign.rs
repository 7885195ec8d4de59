//! vrrp:V-40: adverts of another pair of routers that uses our VRID change nothing but counters.

use std::net::IpAddr;
use steadfast::vrrp::Report;

use steadfast::units::{Family, Priority, Version};
use steadfast::vrrp::settings::{InstanceSettings, Preempt};
use steadfast::vrrp::validation::Reject;
use steadfast::vrrp::{Action, Event, Notice, State};

use super::driver::*;

/// What the other pair announces.
fn theirs(family: Family) -> Vec<IpAddr> {
    vec![host(family, 99)]
}

/// The instances that are tried, and of which family.
fn all() -> Vec<(Family, InstanceSettings)> {
    let v2 = InstanceSettings { version: Version::V2, ..instance("a") };
    let mut all: Vec<_> =
        Family::ALL.into_iter().map(|family| (family, instance_of(family))).collect();
    all.push((Family::V4, v2));
    all.push((Family::V6, both()));
    all
}

/// Runs a story twice, once with adverts of another pair all along, and expects that the engine
/// does the same, at the same times.
#[track_caller]
fn changes_nothing(
    family: Family,
    one: &InstanceSettings,
    priority: u8,
    interval: u16,
    story: impl Fn(&mut Driver, &mut dyn FnMut(&mut Driver)),
) {
    let run = |attacked: bool| {
        let mut d = Driver::one(one.clone());
        let other = Peer { version: one.version, ..peer_of(family, 20, priority) };
        let other = other.every(interval).addresses(&theirs(family));
        let mut attack = |d: &mut Driver| {
            if attacked {
                d.hear(&other);
            }
        };
        story(&mut d, &mut attack);
        let told = |(_, action): &(_, Action)| {
            !matches!(action, Action::Report(Report::Notice(Notice::VridConflict { .. })))
        };
        d.log.retain(told);
        let statistics = d.engine.statistics(d.router(family)).unwrap().clone();
        assert_eq!(statistics.rejected.get(Reject::ForeignAddresses) > 0, attacked);
        let heard = (statistics.last_received, statistics.adverts_received);
        (d.log.clone(), d.state(), d.engine.next_deadline(), heard)
    };
    assert_eq!(run(true), run(false), "priority {priority}, {interval} cs, {one:?}");
}

/// A backup takes over when it would have, and does not preempt because of it.
#[test]
fn v_40_it_does_not_keep_a_backup() {
    for (family, one) in all() {
        for (preempt, preempt_delay) in
            [(Preempt::On, ms(0)), (Preempt::On, ms(2_000)), (Preempt::Immediate, ms(0))]
        {
            let one = InstanceSettings { preempt, preempt_delay, ..one.clone() };
            for priority in [0, 1, 100, 200, 255] {
                changes_nothing(family, &one, priority, 100, |d, attack| {
                    for _ in 0..50 {
                        attack(d);
                        d.run_for(ms(100));
                    }
                    assert_eq!(d.state(), State::Master);
                });
            }
        }
    }
}

/// A backup keeps following its own master, with the interval of that one.
#[test]
fn v_40_it_teaches_no_interval() {
    for family in Family::ALL {
        changes_nothing(family, &instance_of(family), 200, 4_095, |d, attack| {
            d.hear(&peer_of(family, 21, 150));
            attack(d);
            d.run_for(ms(100));
            attack(d);
        });
    }
}

/// A master stays master, answers nothing and announces nothing, whatever the priority: not to an
/// owner, and not when it is one.
#[test]
fn v_40_a_master_does_not_give_way() {
    for (family, one) in all() {
        for mine in [100, 255] {
            let mut one = InstanceSettings { priority: Priority(mine), ..one.clone() };
            one.announce.lower_prio_repeat = 1;
            for priority in [0, 50, 100, 200, 255] {
                changes_nothing(family, &one, priority, 100, |d, attack| {
                    d.run_for(ms(5_000));
                    for _ in 0..50 {
                        attack(d);
                        d.run_for(ms(100));
                    }
                    assert_eq!(d.state(), State::Master);
                    assert_eq!(d.engine.effective_priority(d.a()), Some(Priority(mine)));
                });
            }
        }
    }
}

/// A master whose adverts do not leave does not leave its addresses to it.
#[test]
fn v_40_a_master_that_nobody_hears_does_not_give_way() {
    changes_nothing(Family::V4, &instance("a"), 50, 100, |d, attack| {
        d.run_for(ms(5_000));
        d.refused_on = Some("eth0");
        for _ in 0..100 {
            attack(d);
            d.run_for(ms(100));
        }
        assert_eq!(d.state(), State::Master);
    });
}

/// It is no successor, and takes no place of one.
#[test]
fn v_40_it_is_no_successor() {
    for family in Family::ALL {
        let one = InstanceSettings { backups: Some(1), ..instance_of(family) };
        for priority in [0, 200] {
            changes_nothing(family, &one, priority, 100, |d, attack| {
                d.run_for(ms(5_000));
                d.switchover(None, false);
                attack(d);
                d.run_for(ms(30));
                attack(d);
                d.run_for(ms(100));
                attack(d);
                assert!(d.engine.handing_over(d.a()));
                d.hear(&peer_of(family, 21, 90));
                attack(d);
                d.run_for(ms(50));
                attack(d);
                d.run_for(ms(200));
                assert_eq!(d.state(), State::Backup);
            });
        }
    }
}

/// With skip_check_adv_addr, a master whose list has none of our addresses any more is still reported.
#[test]
fn v_40_skipping_the_comparison_is_no_way_round_it() {
    let one = InstanceSettings { skip_check_adv_addr: true, ..instance("a") };
    let mut d = Driver::one(one);
    d.hear(&peer(20, 200));
    d.run_for(ms(1_000));
    d.hear(&peer(20, 200).addresses(&[v4(99)]));
    assert_eq!(d.down(), Some(us(2_609_375)));
}

/// A peer that moved its addresses to `excluded_addresses`, or back, is none of another pair as
/// long as its list has one that is excluded here.
#[test]
fn v_40_excluded_addresses_are_ours() {
    let mut d = Driver::one(InstanceSettings { objects: vec![excluded(101)], ..instance("a") });
    d.run_for(ms(1_000));
    d.hear(&peer(20, 200).addresses(&[v4(101)]));
    assert_eq!(d.down(), Some(us(3_609_375)));
    d.run_for(ms(1_000));
    d.hear(&peer(20, 200).addresses(&[v4(99)]));
    assert_eq!(d.down(), Some(us(2_609_375)));
}

/// The list is that of now: after a reload that replaces it, the former one is another pair's.
#[test]
fn v_40_a_reload_replaces_the_list() {
    let mut d = Driver::one(instance("a"));
    d.reload_one(InstanceSettings { objects: vec![address(99), excluded(98)], ..instance("a") });
    d.run_for(ms(1_000));
    d.hear(&peer(20, 200));
    assert_eq!(d.down(), Some(us(2_609_375)));
    for last in [98, 99] {
        d.hear(&peer(20, 200).addresses(&[v4(last)]));
        assert_eq!(d.down(), Some(us(3_609_375)));
        d.run_for(ms(100));
    }
}

/// It is told with sender and priority, once, and again when it comes back after a minute; a
/// second router of that pair, or a flood with ever new senders, is not told beside it.
#[test]
fn v_40_the_conflict_is_told_now_and_then() {
    let mut d = Driver::master(instance("a"));
    let router = d.router(Family::V4);
    let told = |d: &Driver| {
        let all = d.notices().into_iter();
        all.filter(|n| matches!(n, Notice::VridConflict { .. })).collect::<Vec<_>>()
    };
    let conflict =
        |last, theirs| Notice::VridConflict { router, from: v4(last), theirs: Priority(theirs) };
    for _ in 0..1_000 {
        d.hear(&peer(20, 200).addresses(&[v4(99)]));
        d.run_for(ms(100));
    }
    assert_eq!(told(&d), [conflict(20, 200)], "as long as it goes on");
    for round in 0..3_000_u16 {
        d.hear(&peer(20, 200).addresses(&[v4(99)]));
        d.hear(&peer(21 + (round % 200) as u8, 255).addresses(&[v4(99)]));
        d.run_for(ms(100));
    }
    assert_eq!(told(&d), [conflict(20, 200)]);
    d.run_for(ms(60_000));
    d.hear(&peer(30, 7).addresses(&[v4(98)]));
    assert_eq!(told(&d), [conflict(20, 200), conflict(30, 7)]);
    let statistics = d.engine.statistics(router).unwrap();
    assert_eq!(statistics.address_list_errors, 7_001);
    assert_eq!(statistics.adverts_received, 0);
}

/// A lower master whose list differs is known as such: it may discard our adverts for that.
#[test]
fn v_40_what_was_heard_says_whether_the_list_differs() {
    let mut d = Driver::master(instance("a"));
    let differs = |d: &Driver| {
        let statistics = d.engine.statistics(d.router(Family::V4)).unwrap();
        statistics.last_received.unwrap().addresses_differ
    };
    d.hear(&peer(20, 50).addresses(&[v4(100), v4(101)]));
    assert!(differs(&d));
    d.hear(&peer(20, 50));
    assert!(!differs(&d));
    d.event(Event::Shutdown);
}
