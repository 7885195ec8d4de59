//! Section 6.2: Backup.

use std::time::Duration;

use steadfast::net::VirtualAddress;
use steadfast::units::{Family, Priority, Version};
use steadfast::vrrp::settings::{InstanceSettings, Object, Preempt};
use steadfast::vrrp::timers::Timer;
use steadfast::vrrp::validation::Reject;
use steadfast::vrrp::{Cause, Event, Notice, State};

use super::driver::*;

const FULL: Duration = us(3_609_375);
const AT_ONCE: Preempt = Preempt::On;

fn preempting(preempt: Preempt) -> Driver {
    Driver::one(InstanceSettings { preempt, ..instance("a") })
}

/// As a backup nothing is installed, announced or sent: what S-10 asks of the kernel follows.
#[test]
fn a_backup_has_nothing_installed() {
    let objects = vec![Object::Filter, address(100), excluded(101), address(102)];
    let mut d = Driver::one(InstanceSettings { objects, ..instance("a") });
    d.hear_for(&peer(20, 200), ms(30_000));
    assert_eq!(d.state(), State::Backup);
    assert_eq!(d.deeds(), [""; 0]);
    assert!(!d.objects().into_iter().any(|object| d.engine.object_present(object)));
}

/// The process does nothing else after an advert that only moves the timer on; after all others it
/// looks for what there is to do.
#[test]
fn most_adverts_leave_nothing_to_do() {
    let mut d = Driver::one(instance("a"));
    d.hear(&peer(20, 200));
    for priority in [200, 100, 200, 0, 200] {
        d.hear_only(&peer(20, priority));
        assert!(d.engine.is_quiet(d.now), "priority {priority}");
    }
    assert!(!d.engine.is_quiet(d.now + FULL), "the timer has run down");
    let mut d = preempting(Preempt::Immediate);
    d.hear_only(&peer(20, 50));
    assert!(!d.engine.is_quiet(d.now));
    assert!(d.engine.poll_action().is_some());
}

/// vrrp:S-11
#[test]
fn s_11_shutdown() {
    for family in Family::ALL {
        let mut d = Driver::one(instance_of(family));
        d.event(Event::Shutdown);
        assert_eq!(d.state(), State::Initialize);
        assert_eq!(d.cause(), Cause::Stopped);
        assert_eq!(d.left(Timer::Down(family)), None);
        assert_eq!(d.deeds(), ["stopped"], "no priority 0 from a backup");
        assert_eq!(d.engine.next_deadline(), None);
        d.hear(&peer_of(family, 20, 0));
        d.run_for(ms(10_000));
        assert_eq!(d.state(), State::Initialize);
    }
}

/// vrrp:S-12
#[test]
fn s_12_the_down_timer() {
    for family in Family::ALL {
        let mut d = Driver::one(instance_of(family));
        let ip = host(family, 100);
        d.run_for(FULL - us(1));
        assert_eq!(d.state(), State::Backup);
        d.run_for(us(1));
        assert_eq!(d.state(), State::Master);
        assert_eq!(d.cause(), Cause::NoAdvert { master: None, silence: FULL });
        assert_eq!(
            d.deeds(),
            [format!("send a {family} 100"), format!("install {ip}"), format!("announce {ip}")]
        );
        assert_eq!(d.left(Timer::Advert(family)), Some(ms(1_000)));
        assert_eq!(d.left(Timer::Down(family)), None);
    }
}

/// vrrp:S-13
#[test]
fn s_13_priority_0() {
    for (preempt, version, priority, skew) in [
        (AT_ONCE, Version::V3, 100, 609_375),
        (Preempt::Off, Version::V3, 1, 996_093),
        (Preempt::Immediate, Version::V3, 254, 7_812),
        (AT_ONCE, Version::V2, 100, 609_375),
    ] {
        let s =
            InstanceSettings { preempt, version, priority: Priority(priority), ..instance("a") };
        let mut d = Driver::one(s);
        d.hear(&peer(20, 254).version(version));
        d.hear(&peer(20, 0).version(version));
        assert_eq!(d.down(), Some(us(skew)), "{preempt:?} {version}");
        d.run_for(us(skew));
        assert_eq!(d.state(), State::Master);
        assert_eq!(d.cause(), Cause::MasterLeft { master: v4(20) });
    }
}

/// vrrp:S-13: also when that is later than the DownTimer would have ended.
#[test]
fn s_13_priority_0_shortly_before_the_end() {
    let mut d = Driver::one(instance("a"));
    d.hear(&peer(20, 254));
    d.run_for(us(3_609_375) - ms(100));
    d.hear(&peer(20, 0));
    assert_eq!(d.down(), Some(us(609_375)));
}

/// vrrp:S-13, S-14: another master after one that gave up: it is its silence that counts.
#[test]
fn s_14_a_master_after_one_that_gave_up() {
    let mut d = Driver::one(instance("a"));
    d.hear(&peer(20, 254));
    d.hear(&peer(20, 0));
    d.hear(&peer(30, 200));
    d.run_for(us(3_609_375));
    let silence = us(3_609_375);
    assert_eq!(d.cause(), Cause::NoAdvert { master: Some(v4(30)), silence });
}

/// vrrp:S-13: the interval in it is not learned; the skew comes from the one that was.
#[test]
fn s_13_does_not_learn() {
    for family in Family::ALL {
        let mut d = Driver::one(instance_of(family));
        d.hear(&peer_of(family, 20, 200).every(10));
        d.hear(&peer_of(family, 20, 0).every(4095));
        assert_eq!(d.left(Timer::Down(family)), Some(us(60_937)));
    }
}

/// vrrp:S-14: a priority not below ours, or any when preemption is off.
#[test]
fn s_14_following_a_master() {
    for (preempt, mine, theirs) in [
        (AT_ONCE, 100, 100),
        (AT_ONCE, 100, 101),
        (AT_ONCE, 254, 255),
        (AT_ONCE, 1, 1),
        (Preempt::Off, 100, 99),
        (Preempt::Off, 254, 1),
        (Preempt::Immediate, 100, 100),
        (Preempt::Immediate, 100, 255),
    ] {
        for (family, version) in
            [(Family::V4, Version::V2), (Family::V4, Version::V3), (Family::V6, Version::V3)]
        {
            let priority = Priority(mine);
            let mut d =
                Driver::one(InstanceSettings { preempt, priority, version, ..instance_of(family) });
            let whole = d.left(Timer::Down(family));
            d.run_for(ms(3_000));
            d.hear(&peer_of(family, 20, theirs).version(version));
            assert_eq!(d.left(Timer::Down(family)), whole, "{preempt:?} {mine} {theirs}");
            assert_eq!(d.engine.master(d.router(family)).unwrap().address, host(family, 20));
            d.hear_for(&peer_of(family, 20, theirs).version(version), ms(20_000));
            assert_eq!(d.state(), State::Backup);
        }
    }
}

/// vrrp:S-14: the master's silence is timed from its last advert.
#[test]
fn s_14_then_silence() {
    let mut d = Driver::one(instance("a"));
    d.hear_for(&peer(20, 200), ms(10_000));
    d.run_for(ms(2_610));
    assert_eq!(d.state(), State::Master);
    assert_eq!(d.cause(), Cause::NoAdvert { master: Some(v4(20)), silence: FULL });
}

/// vrrp:S-15
#[test]
fn s_15_lower_priority_is_discarded() {
    for (mine, theirs) in [(100, 99), (254, 253), (101, 100), (2, 1)] {
        let mut d = Driver::one(InstanceSettings { priority: Priority(mine), ..instance("a") });
        let due = d.timer(Timer::Down(Family::V4)).unwrap();
        let end = due - us(1);
        while d.now + ms(100) < end {
            d.run_for(ms(100));
            d.hear(&peer(20, theirs).every(10));
        }
        assert_eq!(d.timer(Timer::Down(Family::V4)), Some(due));
        d.run_until(due);
        assert_eq!(d.state(), State::Master);
        assert_eq!(d.cause(), Cause::Preempted { master: v4(20), theirs: Priority(theirs) });
    }
}

/// vrrp:S-16: a backup follows an equal priority whatever the address.
#[test]
fn s_16_addresses_are_not_compared() {
    for family in Family::ALL {
        for last in [1, OWN, 20] {
            let mut d = Driver::one(instance_of(family));
            d.run_for(ms(1_000));
            d.hear(&peer_of(family, last, 100));
            assert_eq!(d.left(Timer::Down(family)), Some(FULL), "{family} {last}");
        }
    }
}

/// vrrp:S-17
#[test]
fn s_17_preempt_delay() {
    let with_delay = || InstanceSettings { preempt_delay: ms(10_000), ..instance("a") };
    let delayed = || Driver::one(with_delay());
    // Followed for the whole delay, which begins with the first lower advert.
    let mut d = delayed();
    d.run_for(ms(2_000));
    d.hear_for(&peer(20, 99), ms(10_000));
    assert_eq!(d.state(), State::Backup);
    assert_eq!(d.down(), Some(FULL - ms(1_000)));
    d.hear(&peer(20, 99));
    assert_eq!(d.down(), Some(FULL - ms(1_000)), "discarded from then on");
    d.hear_for(&peer(20, 99), ms(2_610));
    assert_eq!(d.state(), State::Master);
    assert_eq!(d.cause(), Cause::Preempted { master: v4(20), theirs: Priority(99) });

    // An advert that is not lower cancels it.
    let mut d = delayed();
    d.hear_for(&peer(20, 99), ms(9_000));
    d.hear(&peer(21, 100));
    d.hear_for(&peer(20, 99), ms(10_000));
    d.run_for(ms(500));
    assert_eq!(d.down(), Some(FULL - ms(1_500)), "a whole delay again");

    // Entering Backup clears it.
    let mut d = delayed();
    d.hear_for(&peer(20, 99), ms(9_000));
    d.interface_down("eth0");
    d.interface("eth0", up());
    d.hear_for(&peer(20, 99), ms(9_000));
    d.hear(&peer(20, 99));
    assert_eq!(d.down(), Some(FULL));

    // It begins when it is configured.
    let mut d = preempting(AT_ONCE);
    d.hear(&peer(20, 99));
    d.reload_one(with_delay());
    d.run_for(ms(500));
    d.hear(&peer(20, 99));
    assert_eq!(d.down(), Some(FULL));

    // No master at all is not waited for.
    let mut d = delayed();
    d.run_for(FULL);
    assert_eq!(d.state(), State::Master);
}

/// vrrp:S-18: what is wrong with a packet does not matter.
#[test]
fn s_18_invalid_packets_do_not_extend() {
    let mut d = Driver::one(instance("a"));
    let due = d.timer(Timer::Down(Family::V4));
    let good = peer(20, 200);
    let octets = good.octets();
    let damaged = |at: usize, value: u8| {
        let mut octets = octets.clone();
        octets[at] = value;
        octets
    };
    for wrong in [
        damaged(0, 0x21),
        damaged(0, 0x32),
        damaged(1, 52),
        damaged(2, 201),
        damaged(3, 2),
        octets[..7].to_vec(),
        octets[..11].to_vec(),
    ] {
        d.run_for(ms(100));
        d.hear_octets(&good, &wrong);
        assert_eq!(d.timer(Timer::Down(Family::V4)), due, "{wrong:x?}");
    }
    for wrong in [
        Peer { hop_limit: 254, ..good.clone() },
        Peer { destination: v4(OWN), summed: v4(OWN), ..good.clone() },
        good.clone().version(Version::V2),
    ] {
        d.hear(&wrong);
        assert_eq!(d.timer(Timer::Down(Family::V4)), due, "{wrong:?}");
    }
    assert_eq!(d.engine.statistics(d.router(Family::V4)).unwrap().adverts_received, 0);
    d.hear(&good);
    assert_ne!(d.timer(Timer::Down(Family::V4)), due);
}

/// vrrp:V3-5: an interval of zero would end the DownTimer at once.
#[test]
fn v3_5_interval_zero() {
    let mut d = Driver::one(instance("a"));
    d.run_for(ms(1_000));
    let mut octets = peer(20, 200).octets();
    // 100 cs become 0, and the checksum grows by as much.
    octets[5] = 0;
    let sum = u16::from_be_bytes([octets[6], octets[7]]);
    let (sum, carry) = sum.overflowing_add(100);
    octets[6..8].copy_from_slice(&(sum + u16::from(carry)).to_be_bytes());
    d.hear_octets(&peer(20, 200), &octets);
    assert_eq!(d.down(), Some(FULL - ms(1_000)));
    let statistics = d.engine.statistics(d.router(Family::V4)).unwrap();
    assert_eq!(statistics.rejected.get(Reject::IntervalZero), 1);
    // Of a master that gives up, too: the whole advert is discarded.
    octets[2] = 0;
    let sum = u16::from_be_bytes([octets[6], octets[7]]);
    let (sum, carry) = sum.overflowing_add(200 << 8);
    octets[6..8].copy_from_slice(&(sum + u16::from(carry)).to_be_bytes());
    d.hear_octets(&peer(20, 200), &octets);
    assert_eq!(d.down(), Some(FULL - ms(1_000)));
    let statistics = d.engine.statistics(d.router(Family::V4)).unwrap();
    assert_eq!(statistics.rejected.get(Reject::IntervalZero), 2);
}

/// vrrp:V3-4: adverts without addresses: fine when we have none either, otherwise of another
/// pair (`V-40`).
#[test]
fn v3_4_no_addresses() {
    let mut d = Driver::one(InstanceSettings { objects: vec![excluded(101)], ..instance("a") });
    assert_eq!(d.engine.packet_addresses(d.router(Family::V4)).count(), 0);
    d.hear(&peer(20, 200).addresses(&[]));
    assert_eq!(d.notices().len(), 1, "the start only: {:?}", d.notices());
    // Not in a family beside one that has addresses.
    let other = Object::Excluded(VirtualAddress::new(link_local(101), 64));
    let objects = vec![other, address(100)];
    let d = Driver::one(InstanceSettings { objects, ..instance("a") });
    assert_eq!(d.engine.routers(d.a()).collect::<Vec<_>>(), [d.router(Family::V4)]);
    let mut d = Driver::one(instance("a"));
    d.run_for(ms(500));
    d.hear(&peer(20, 200).addresses(&[]));
    let router = d.router(Family::V4);
    let theirs = Priority(200);
    assert!(d.notices().contains(&Notice::VridConflict { router, from: v4(20), theirs }));
    assert_eq!(d.down(), Some(FULL - ms(500)));
    assert_eq!(d.engine.statistics(router).unwrap().address_list_errors, 1);
}

/// `preempt = "immediate"` (architecture.md, hand-over): the first lower advert is enough.
#[test]
fn immediate_preemption_does_not_wait() {
    let mut d = preempting(Preempt::Immediate);
    d.hear(&peer(20, 100));
    assert_eq!(d.state(), State::Backup);
    d.run_for(ms(10));
    d.hear(&peer(20, 99));
    assert_eq!(d.state(), State::Master);
    assert_eq!(d.cause(), Cause::Preempted { master: v4(20), theirs: Priority(99) });
    assert_eq!(d.adverts(), [(ms(10), 100, 100)]);
}

/// Immediate preemption of an instance with both families waits for both (architecture.md, hand-over).
#[test]
fn immediate_preemption_moves_both_families() {
    let mut d = Driver::one(InstanceSettings { preempt: Preempt::Immediate, ..both() });
    d.hear(&peer_of(Family::V6, 20, 200));
    d.hear(&peer(20, 99));
    assert_eq!(d.state(), State::Backup);
    d.hear(&peer_of(Family::V6, 20, 99));
    assert_eq!(d.state(), State::Master);
}
