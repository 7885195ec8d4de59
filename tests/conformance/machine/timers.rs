//! Section 5: timers.

use steadfast::units::{Centiseconds, Family, Priority, Version};
use steadfast::vrrp::settings::{InstanceSettings, Preempt};
use steadfast::vrrp::timers::{Timer, master_down, skew};
use steadfast::vrrp::{Cause, Event, State};

use super::driver::*;

/// vrrp:T-1: in version 2 the skew does not depend on the interval.
#[test]
fn t_1_version_2() {
    for (priority, interval, skew_us, down_us) in [
        (1, 100, 996_093, 3_996_093),
        (99, 100, 613_281, 3_613_281),
        (101, 100, 605_468, 3_605_468),
        (254, 100, 7_812, 3_007_812),
        (255, 25_500, 3_906, 765_003_906),
        (100, 25_500, 609_375, 765_609_375),
    ] {
        let (priority, interval) = (Priority(priority), Centiseconds(interval));
        assert_eq!(skew(Version::V2, priority, interval), us(skew_us), "{priority}");
        assert_eq!(master_down(Version::V2, priority, interval, 3), us(down_us), "{priority}");
    }
}

/// vrrp:T-2: in version 3 the skew is a part of the master's interval, and both follow what the
/// master announces.
#[test]
fn t_2_version_3() {
    for (priority, interval, skew_us) in
        [(1, 1, 9_960), (99, 1, 6_132), (100, 5, 30_468), (101, 4095, 24_793_945), (255, 1, 39)]
    {
        let (priority, interval) = (Priority(priority), Centiseconds(interval));
        assert_eq!(skew(Version::V3, priority, interval), us(skew_us), "{priority} {interval}");
        let down = interval.duration() * 3 + us(skew_us);
        assert_eq!(master_down(Version::V3, priority, interval, 3), down);
    }
    for family in Family::ALL {
        let mut d = Driver::one(instance_of(family));
        d.hear(&peer_of(family, 1, 200).every(25));
        assert_eq!(d.left(Timer::Down(family)), Some(us(750_000 + 152_343)));
    }
}

/// vrrp:T-3: whole microseconds; the factor is configurable; the effective priority counts,
/// except that an owner is always 255.
#[test]
fn t_3_resolution_factor_and_priority() {
    assert_eq!(master_down(Version::V3, Priority(100), Centiseconds(100), 1), us(1_609_375));
    assert_eq!(master_down(Version::V3, Priority(100), Centiseconds(100), 10), us(10_609_375));
    let d = Driver::one(InstanceSettings { down_timer_adverts: 5, ..instance("a") });
    assert_eq!(d.down(), Some(us(5_609_375)));
    // Lowered by a tracker: effective 60.
    let mut s = instance("a");
    s.track = vec![super::fault::script("x", -40)];
    let mut d = Driver::idle(&settings(vec![s]));
    d.tracker("x", steadfast::vrrp::TrackerState::Down);
    d.event(Event::Start);
    assert_eq!(d.down(), Some(us(3_765_625)));
}

/// vrrp:T-4
#[test]
fn t_4_examples() {
    for (version, priority, interval, skew_us, down_us) in [
        (Version::V2, 100, 100, 609_375, 3_609_375),
        (Version::V3, 100, 100, 609_375, 3_609_375),
        (Version::V3, 254, 25, 1_953, 751_953),
        (Version::V3, 1, 4095, 40_790_039, 163_640_039),
        (Version::V2, 255, 100, 3_906, 3_003_906),
    ] {
        let (priority, interval) = (Priority(priority), Centiseconds(interval));
        assert_eq!(skew(version, priority, interval), us(skew_us), "{version} {priority}");
        assert_eq!(master_down(version, priority, interval, 3), us(down_us));
    }
}

/// vrrp:T-5
#[test]
fn t_5_the_first_interval_is_our_own() {
    for (version, interval, down) in
        [(Version::V2, 200, 6_609_375), (Version::V3, 200, 7_218_750), (Version::V3, 10, 360_937)]
    {
        let interval = Centiseconds(interval);
        let mut d = Driver::one(InstanceSettings { version, interval, ..instance("a") });
        assert_eq!(d.down(), Some(us(down)), "{version} {interval}");
        d.run_for(us(down - 1));
        assert_eq!(d.state(), State::Backup);
        d.run_for(us(1));
        assert_eq!(d.state(), State::Master);
    }
}

/// vrrp:T-6: every accepted advert teaches its interval to a backup, a lost election to a master;
/// a master sends with its own, and forgets what it learned.
#[test]
fn t_6_learning() {
    let mut d = Driver::one(instance("a"));
    for (interval, down) in [(300, 10_828_125), (50, 1_804_687), (4095, 147_803_906)] {
        d.hear(&peer(20, 100).every(interval));
        assert_eq!(d.down(), Some(us(down)), "{interval}");
    }
    d.hear(&peer(20, 100).every(10));
    d.run_for(ms(361));
    assert_eq!(d.state(), State::Master);
    assert_eq!(d.adverts(), [(us(360_937), 100, 100)], "our own interval");
    d.hear(&peer(20, 101).every(20));
    assert_eq!(d.state(), State::Backup);
    assert_eq!(d.down(), Some(us(721_875)), "learned from the winner");
    // What is refused teaches nothing.
    let mut d = Driver::one(instance("a"));
    d.hear(&peer(20, 99).every(300));
    assert_eq!(d.down(), Some(us(3_609_375)));
    // Back from fault: our own again.
    let mut d = Driver::one(instance("a"));
    d.hear(&peer(20, 100).every(10));
    d.interface_down("eth0");
    d.interface("eth0", up());
    assert_eq!(d.down(), Some(us(3_609_375)));
}

/// vrrp:T-6: becoming master resets the learned interval, so that a former master's does not come
/// back.
#[test]
fn t_6_a_master_forgets_what_it_learned() {
    let mut d = Driver::one(both());
    for family in Family::ALL {
        d.hear(&peer_of(family, 20, 200).every(10));
    }
    d.run_for(ms(400));
    assert_eq!(d.state(), State::Master);
    d.hear(&peer(20, 200).every(10));
    assert_eq!(d.left(Timer::Down(Family::V4)), Some(us(360_937)));
    assert_eq!(d.left(Timer::Down(Family::V6)), Some(us(3_609_375)), "nothing was heard on IPv6");
}

/// vrrp:T-7
#[test]
fn t_7_each_advert_restarts_the_advert_timer() {
    let mut d = Driver::master(instance("a"));
    let at = d.elapsed();
    d.run_for(ms(700));
    d.hear(&peer(5, 99));
    d.run_for(ms(2_300));
    let times: Vec<_> = d.adverts().iter().map(|a| a.0 - at).collect();
    assert_eq!(times, [ms(700), ms(1_700), ms(2_700)]);
}

/// vrrp:T-7: the interval does not drift when each wake-up is late.
#[test]
fn t_7_adverts_keep_their_schedule() {
    let mut d = Driver::master(instance("a"));
    let at = d.elapsed();
    for second in 1..=5 {
        d.run_until(START + at + ms(second * 1000 - 1));
        d.stall(ms(4));
        d.event(Event::Wake);
    }
    let times: Vec<_> = d.adverts().iter().map(|a| a.0 - at).collect();
    assert_eq!(times, [ms(1_003), ms(2_003), ms(3_003), ms(4_003), ms(5_003)]);
    assert_eq!(d.left(Timer::Advert(Family::V4)), Some(ms(997)));
}

/// vrrp:T-8: a master that slept longer than the others would have waited steps down without
/// sending, if that was asked for and preemption is off.
#[test]
fn t_8_a_master_that_slept_steps_down() {
    let sleeper = |preempt| InstanceSettings {
        preempt,
        timer_expired_backup: Some(Priority(254)),
        ..instance("a")
    };
    let limit = us(3_000_000 + 7_812);
    let mut d = Driver::master(sleeper(Preempt::Off));
    d.stall(limit + us(1));
    d.event(Event::Wake);
    assert_eq!(d.state(), State::Backup);
    assert_eq!(d.cause(), Cause::TimerExpired { slept: limit + us(1) });
    assert!(d.adverts().is_empty(), "nothing is sent, no priority 0 either");
    assert_eq!(d.down(), Some(us(3_609_375)));

    let mut d = Driver::master(sleeper(Preempt::Off));
    d.stall(limit);
    d.event(Event::Wake);
    assert_eq!(d.state(), State::Master, "not longer than that");

    for settings in
        [sleeper(Preempt::On), InstanceSettings { preempt: Preempt::Off, ..instance("a") }]
    {
        let mut d = Driver::master(settings);
        d.stall(ms(60_000));
        d.event(Event::Wake);
        assert_eq!(d.state(), State::Master);
        assert_eq!(d.adverts().len(), 1);
    }
}

/// vrrp:T-8: the other members of its group have slept as long: they are silent as well.
#[test]
fn t_8_a_group_that_slept_steps_down_in_silence() {
    let mut s = pair();
    for instance in &mut s.instances {
        instance.preempt = Preempt::Off;
    }
    s.instances[0].timer_expired_backup = Some(Priority(254));
    let mut d = Driver::master_of(&s);
    d.stall(ms(20_000));
    d.event(Event::Wake);
    assert_eq!((d.state(), d.state_of("b")), (State::Backup, State::Backup));
    assert!(!d.deeds().iter().any(|deed| deed.starts_with("send")), "{:?}", d.deeds());
}
