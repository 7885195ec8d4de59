//! Section 6.1: Initialize.

use steadfast::units::{Centiseconds, Family, Priority, Version};
use steadfast::vrrp::settings::{InstanceSettings, Preempt};
use steadfast::vrrp::timers::Timer;
use steadfast::vrrp::validation::Reject;
use steadfast::vrrp::{Cause, Event, InterfaceState, State};

use super::driver::*;

/// vrrp:S-1: the owner sends, installs, announces and starts its AdverTimer.
#[test]
fn s_1_the_owner_starts_as_master() {
    for family in Family::ALL {
        for version in [Version::V2, Version::V3] {
            if family == Family::V6 && version == Version::V2 {
                continue;
            }
            let owner = InstanceSettings {
                priority: Priority::OWNER,
                version,
                interval: Centiseconds(200),
                ..instance_of(family)
            };
            let d = Driver::one(owner);
            let ip = host(family, 100);
            assert_eq!(d.state(), State::Master);
            assert_eq!(d.cause(), Cause::Owner);
            assert_eq!(
                d.deeds(),
                [format!("send a {family} 255"), format!("install {ip}"), format!("announce {ip}")]
            );
            assert_eq!(d.adverts(), [(ms(0), 255, 200)]);
            assert_eq!(d.left(Timer::Advert(family)), Some(ms(2_000)));
            assert_eq!(d.left(Timer::Down(family)), None);
        }
    }
}

/// vrrp:S-1: also when preemption is off.
#[test]
fn s_1_the_owner_does_not_ask_whether_to_preempt() {
    let d = Driver::one(InstanceSettings {
        priority: Priority::OWNER,
        preempt: Preempt::Off,
        ..instance("a")
    });
    assert_eq!(d.state(), State::Master);
}

/// vrrp:S-2
#[test]
fn s_2_everybody_else_starts_as_backup() {
    for family in Family::ALL {
        for priority in [1, 99, 100, 101, 254] {
            let d = Driver::one(InstanceSettings {
                priority: Priority(priority),
                ..instance_of(family)
            });
            assert_eq!(d.state(), State::Backup);
            assert_eq!(d.cause(), Cause::Started);
            assert_eq!(d.deeds(), [""; 0], "a backup does and sends nothing");
            let skew = (256 - u64::from(priority)) * 1_000_000 / 256;
            assert_eq!(d.left(Timer::Down(family)), Some(us(3_000_000 + skew)));
            assert_eq!(d.left(Timer::Advert(family)), None);
        }
    }
}

/// vrrp:S-3: `vrrp:V-23` counts it.
#[test]
fn s_3_adverts_are_ignored() {
    for priority in [0, 1, 100, 255] {
        let mut d = Driver::idle(&settings(vec![instance("a")]));
        d.hear(&peer(20, priority));
        assert_eq!(d.state(), State::Initialize);
        assert_eq!(d.engine.next_deadline(), None);
        assert_eq!(d.deeds(), [""; 0]);
        let statistics = d.engine.statistics(d.router(Family::V4)).unwrap();
        assert_eq!(statistics.adverts_received, 0);
        assert_eq!(statistics.rejected.get(Reject::NotRunning), 1);
        d.event(Event::Start);
        assert_eq!(d.state(), State::Backup, "and leave no trace");
        assert_eq!(d.down(), Some(us(3_609_375)));
    }
}

/// Startup delay: nothing is sent or heard until it is over (settings.rs).
#[test]
fn a_startup_delay_keeps_everything_in_initialize() {
    for (priority, after) in [(100, State::Backup), (255, State::Master)] {
        let mut s =
            settings(vec![InstanceSettings { priority: Priority(priority), ..instance("a") }]);
        s.startup_delay = ms(10_000);
        let mut d = Driver::started(&s);
        d.hear(&peer(20, 255));
        d.interface_down("eth0");
        d.interface("eth0", up());
        d.run_for(ms(9_999));
        assert_eq!(d.state(), State::Initialize);
        assert_eq!(d.deeds(), [""; 0]);
        d.run_for(ms(1));
        assert_eq!(d.state(), after);
        assert_eq!(d.transitions().len(), 1);
    }
}

/// A tracker without weight that has no result yet keeps the instance in Initialize, a weighted
/// one does not (event.rs).
#[test]
fn an_unknown_tracker_without_weight_is_waited_for() {
    let mut s = instance("a");
    s.track = vec![super::fault::script("x", 0)];
    let mut d = Driver::one(s.clone());
    d.run_for(ms(60_000));
    assert_eq!(d.state(), State::Initialize);
    d.tracker("x", steadfast::vrrp::TrackerState::Up);
    assert_eq!(d.state(), State::Backup);
    s.track = vec![super::fault::script("x", -10)];
    assert_eq!(Driver::one(s).state(), State::Backup);
}

/// Adverts come from the interface's own address, unless another one is configured.
#[test]
fn the_source_of_adverts() {
    let mut s = both();
    let mut d = Driver::idle(&settings(vec![s.clone()]));
    let sources = |d: &Driver| Family::ALL.map(|family| d.engine.source(d.router(family)));
    assert_eq!(sources(&d), Family::ALL.map(|family| Some(host(family, OWN))));
    d.interface("eth0", InterfaceState { ipv6: None, ..up() });
    assert_eq!(sources(&d), [Some(v4(OWN)), None]);
    s.source.v4 = Some(std::net::Ipv4Addr::new(192, 0, 2, 7));
    s.source.v6 = Some(std::net::Ipv6Addr::LOCALHOST);
    d.reload_one(s);
    assert_eq!(sources(&d), [Some(v4(7)), Some(std::net::Ipv6Addr::LOCALHOST.into())]);
}
