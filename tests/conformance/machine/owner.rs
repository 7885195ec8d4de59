//! Section 6.4: address owner.

use steadfast::units::{Family, Priority};
use steadfast::vrrp::settings::{InstanceSettings, Preempt};
use steadfast::vrrp::validation::Reject;
use steadfast::vrrp::{Cause, Event, Notice, State, TrackerState};

use super::driver::*;

fn owner() -> InstanceSettings {
    InstanceSettings { priority: Priority::OWNER, ..instance("a") }
}

/// vrrp:S-31: trackers do not move an owner, and it preempts even if told not to.
#[test]
fn s_31_the_owner() {
    let mut s = owner();
    s.preempt = Preempt::Off;
    s.track = vec![super::fault::script("x", -100)];
    let mut d = Driver::one(s);
    d.tracker("x", TrackerState::Down);
    assert_eq!(d.engine.effective_priority(d.a()), Some(Priority::OWNER));
    // Back from a fault it hears a lower master, and does not follow.
    d.interface_down("eth0");
    d.interface("eth0", up());
    assert_eq!(d.state(), State::Backup);
    let wait = d.down().unwrap();
    d.hear(&peer(20, 254));
    d.run_for(wait);
    assert_eq!(d.state(), State::Master);
    assert_eq!(d.cause(), Cause::Preempted { master: v4(20), theirs: Priority(254) });
}

/// vrrp:S-32: the owner with the lower address gives way by S-25, without a last advert, for which the
/// other one would lower itself.
#[test]
fn s_32_lower_address_gives_way() {
    let mut d = Driver::one(InstanceSettings { higher_prio_send_advert: true, ..owner() });
    d.clear();
    d.hear(&peer(OWN + 1, 255));
    assert_eq!(d.state(), State::Backup);
    assert!(d.adverts().is_empty());
    assert_eq!(d.cause(), Cause::HigherAddress { master: v4(OWN + 1) });
    let router = d.router(Family::V4);
    let notice = Notice::SecondOwner { router, from: v4(OWN + 1), yielding: true };
    assert_eq!(d.notices()[0], notice);
    d.hear_for(&peer(OWN + 1, 255), ms(20_000));
    assert_eq!(d.state(), State::Backup);
    d.run_for(ms(4_000));
    assert_eq!(d.state(), State::Master);
}

/// vrrp:S-32: the one with the higher address sends two adverts, waits 1.2 x the longer interval,
/// and lowers itself to 254 if the other still sends.
#[test]
fn s_32_higher_address_yields_in_the_end() {
    for (theirs, wait) in [(100, 1_200), (300, 3_600), (10, 1_200)] {
        let mut d = Driver::one(owner());
        d.clear();
        let router = d.router(Family::V4);
        let from = v4(1);
        let other = peer(1, 255).every(theirs);
        d.hear(&other);
        assert_eq!(d.notices(), [Notice::SecondOwner { router, from, yielding: false }]);
        assert_eq!(d.adverts().len(), 1, "the first of two adverts");
        d.run_for(ms(1));
        d.hear(&other);
        assert_eq!(d.adverts().len(), 2);
        d.run_for(ms(wait - 1));
        d.hear(&other);
        assert_eq!(d.state(), State::Master, "{theirs}: within the wait");
        d.run_for(ms(1));
        d.clear();
        d.hear(&other);
        assert_eq!(d.state(), State::Backup);
        assert_eq!(d.engine.effective_priority(d.a()), Some(Priority(254)));
        assert!(d.notices().contains(&Notice::SecondOwner { router, from, yielding: true }));
        assert!(d.notices().contains(&Notice::PriorityChanged {
            instance: d.a(),
            from: Priority::OWNER,
            to: Priority(254)
        }));
        assert!(d.adverts().is_empty(), "no priority 0");
        d.hear_for(&other, ms(20_000));
        assert_eq!(d.state(), State::Backup);
    }
}

/// vrrp:S-32: until the other stops, or we are master again; vrrp:T-3: the timers of an owner are
/// those of 255 all the time.
#[test]
fn s_32_the_yielding_ends() {
    for stops in [true, false] {
        let mut d = Driver::one(owner());
        let other = peer(1, 255);
        d.hear_for(&other, ms(5_000));
        assert_eq!(d.state(), State::Backup);
        d.hear(&other);
        assert_eq!(d.down(), Some(us(3_003_906)));
        d.clear();
        let wait = if stops {
            d.hear(&peer(1, 0));
            assert_eq!(d.engine.effective_priority(d.a()), Some(Priority::OWNER));
            us(3_906)
        } else {
            us(3_003_906)
        };
        d.run_for(wait);
        assert_eq!(d.state(), State::Master);
        assert_eq!(d.adverts().last().map(|advert| advert.1), Some(255));
        let changed =
            Notice::PriorityChanged { instance: d.a(), from: Priority(254), to: Priority::OWNER };
        assert!(d.notices().contains(&changed));
    }
}

/// vrrp:S-32: a reload does not end the yielding, unless we are no owner any more.
#[test]
fn s_32_yielding_over_a_reload() {
    let mut d = Driver::one(owner());
    d.hear_for(&peer(1, 255), ms(5_000));
    let objects = vec![address(100), address(101)];
    for (settings, priority) in
        [(InstanceSettings { objects, ..owner() }, 254), (instance("a"), 100), (owner(), 255)]
    {
        d.reload_one(settings);
        assert_eq!(d.engine.effective_priority(d.a()), Some(Priority(priority)));
    }
}

/// vrrp:S-32: a conflict that ended is forgotten.
#[test]
fn s_32_an_old_conflict_does_not_count() {
    let mut d = Driver::one(owner());
    d.hear(&peer(1, 255));
    d.run_for(ms(60_000));
    d.clear();
    d.hear(&peer(1, 255));
    assert_eq!(d.state(), State::Master);
    let first = |n: &Notice| matches!(n, Notice::SecondOwner { yielding: false, .. });
    assert_eq!(d.notices().iter().filter(|n| first(n)).count(), 1);
    // It ends when a Master_Down_Interval has passed without an advert.
    for (silence, state) in [(0, State::Backup), (1, State::Master)] {
        let mut d = Driver::one(owner());
        d.hear(&peer(1, 255));
        d.hear(&peer(1, 255));
        d.run_for(us(3_003_906 + silence));
        d.hear(&peer(1, 255));
        assert_eq!(d.state(), state, "{silence}");
    }
}

/// vrrp:V-38
#[test]
fn v_38_owner_ignores_adverts_when_told() {
    let mut d = Driver::one(InstanceSettings { owner_ignore_adverts: true, ..owner() });
    d.hear_for(&peer(OWN + 1, 255), ms(20_000));
    assert_eq!(d.state(), State::Master);
    let statistics = d.engine.statistics(d.router(Family::V4)).unwrap();
    assert_eq!(statistics.rejected.get(Reject::OwnerIgnored), 20);
    assert_eq!(statistics.adverts_received, 0, "V-39: it does not count as received");
    // An owner that hands over listens for its successor.
    d.switchover(None, false);
    d.run_for(ms(20));
    d.hear(&peer(20, 90));
    d.hear_announcement(v4(100));
    assert_eq!(d.cause(), Cause::Switchover { successor: Some(v4(20)) });
    // Who is no owner listens in any case.
    let mut d = Driver::master(InstanceSettings { owner_ignore_adverts: true, ..instance("a") });
    d.hear(&peer(20, 101));
    assert_eq!(d.state(), State::Backup);
}

/// vrrp:S-32: a hand-over that nobody took ends a conflict as well: the next one runs its course.
#[test]
fn s_32_a_conflict_before_a_failed_hand_over() {
    let mut d = Driver::one(owner());
    let other = peer(1, 255);
    d.hear(&other);
    d.hear(&other);
    d.switchover(None, false);
    d.run_for(ms(10_000));
    assert_eq!(d.state(), State::Master);
    d.hear_for(&other, ms(6_000));
    assert_eq!(d.state(), State::Backup);
}

/// vrrp:V-40: the list of another owner is compared each time, as always in master state.
#[test]
fn v_40_another_owner() {
    let mut d = Driver::one(InstanceSettings { skip_check_adv_addr: true, ..owner() });
    for _ in 0..3 {
        d.hear(&peer(1, 255).addresses(&[v4(100), v4(7)]));
    }
    let statistics = d.engine.statistics(d.router(Family::V4)).unwrap();
    assert_eq!(statistics.address_list_errors, 3);
}

/// vrrp:S-31: the address of its owner is that of the interface: what was there before the start
/// stays there, whatever becomes of the instance; what it installed itself goes.
#[test]
fn s_31_the_owners_own_address_stays() {
    for found in [true, false] {
        let mut d = Driver::idle(&settings(vec![owner()]));
        let object = d.objects()[0];
        if found {
            d.event(Event::Found { object });
        }
        d.event(Event::Start);
        assert_eq!(d.state(), State::Master);
        assert_eq!(d.deeds().contains(&"install 192.0.2.100".to_owned()), !found);
        d.interface_down("eth0");
        assert_eq!(d.state(), State::Fault);
        assert_eq!(d.engine.object_present(object), found);
        assert_eq!(d.engine.object_wanted(object), found, "status finds nothing wrong");
        d.all_interfaces_up();
        d.run_for(ms(10_000));
        assert_eq!(d.state(), State::Master);
        d.event(Event::Shutdown);
        d.run_for(ms(60_000));
        assert!(d.deeds().contains(&"stopped".to_owned()));
        assert_eq!(d.deeds().contains(&"remove 192.0.2.100".to_owned()), !found);
    }
}
