//! Processes: a new process after one that was master.

use std::time::Duration;

use steadfast::vrrp::settings::{InstanceSettings, Settings};
use steadfast::vrrp::{Cause, Event, State};

use super::driver::*;

/// Starts after a process that sent its last advert so long ago and left its addresses.
fn after(s: &Settings, gap: Duration) -> Driver {
    let mut d = Driver::idle(s);
    let last_advert = d.now - gap;
    for instance in d.engine.instances().collect::<Vec<_>>() {
        for object in d.engine.objects(instance).map(|o| o.0).collect::<Vec<_>>() {
            d.event(Event::Object { object, present: true });
        }
        d.event(Event::Resume { instance, last_advert });
    }
    assert!(d.log.is_empty(), "nothing before the start");
    d.event(Event::Start);
    d
}

/// Within twice the interval: master at once, an advert first, the addresses stay.
#[test]
fn resumes_within_two_intervals() {
    for gap in [ms(0), ms(1_500), ms(2_000)] {
        let d = after(&settings(vec![instance("a")]), gap);
        assert_eq!((d.state(), d.cause()), (State::Master, Cause::Resumed { gap }));
        assert_eq!(d.deeds(), ["send a IPv4 100", "announce 192.0.2.100"]);
    }
}

/// Later: what was left is removed, and we start as backup.
#[test]
fn is_backup_after_that() {
    let d = after(&settings(vec![instance("a")]), us(2_000_001));
    assert_eq!((d.state(), d.cause()), (State::Backup, Cause::Started));
    assert_eq!(d.deeds(), ["remove 192.0.2.100"]);
}

/// How long is configurable.
#[test]
fn the_limit_is_configurable() {
    let s =
        |within| settings(vec![InstanceSettings { resume_within: Some(within), ..instance("a") }]);
    assert_eq!(after(&s(ms(500)), ms(501)).state(), State::Backup);
    assert_eq!(after(&s(ms(5_000)), ms(5_000)).state(), State::Master);
}

/// What is missing is put back.
#[test]
fn resuming_completes_the_addresses() {
    let s = InstanceSettings { objects: vec![address(100), address(101)], ..instance("a") };
    let mut d = Driver::idle(&settings(vec![s]));
    let object = d.objects()[0];
    d.event(Event::Object { object, present: true });
    let (instance, last_advert) = (d.a(), d.now);
    d.event(Event::Resume { instance, last_advert });
    d.event(Event::Start);
    assert!(d.installed());
    assert!(!d.deeds().contains(&"install 192.0.2.100".to_owned()));
}

/// A startup delay does not keep a master from resuming, nor does a tracker without result.
#[test]
fn resuming_does_not_wait() {
    let mut s = settings(vec![InstanceSettings {
        track: vec![super::fault::script("x", 0)],
        ..instance("a")
    }]);
    s.startup_delay = ms(10_000);
    assert_eq!(after(&s, ms(500)).state(), State::Master);
}

/// A fault found at the start is no mastership: what was left goes.
#[test]
fn a_fault_does_not_resume() {
    let mut d = Driver::idle(&settings(vec![instance("a")]));
    let (instance, last_advert, object) = (d.a(), d.now, d.objects()[0]);
    d.event(Event::Object { object, present: true });
    d.event(Event::Resume { instance, last_advert });
    d.interface_down("eth0");
    d.event(Event::Start);
    assert_eq!(d.state(), State::Fault);
    assert!(!d.installed());
}

/// A group resumes as a whole or not at all.
#[test]
fn a_group_resumes_together() {
    let d = after(&pair(), ms(500));
    assert_eq!((d.state(), d.state_of("b")), (State::Master, State::Master));
    let mut d = Driver::idle(&pair());
    let (instance, last_advert) = (d.a(), d.now);
    d.event(Event::Resume { instance, last_advert });
    d.event(Event::Start);
    assert_eq!((d.state(), d.state_of("b")), (State::Backup, State::Backup));
}

/// What a former process said after the start comes too late.
#[test]
fn resume_comes_before_the_start() {
    let mut d = Driver::one(instance("a"));
    let (instance, last_advert) = (d.a(), d.now);
    d.event(Event::Resume { instance, last_advert });
    d.interface_down("eth0");
    d.interface("eth0", up());
    assert_eq!(d.state(), State::Backup);
}

/// The moment to store is that of the last advert above priority 0.
#[test]
fn the_last_advert_is_known() {
    let mut d = Driver::one(instance("a"));
    assert_eq!(d.engine.last_advert(d.a()), None);
    d.run_for(us(3_609_375));
    let sent = d.now;
    assert_eq!(d.engine.last_advert(d.a()), Some(sent));
    d.run_for(ms(500));
    d.event(Event::Shutdown);
    d.run_for(ms(15));
    assert_eq!(d.engine.last_advert(d.a()), Some(sent + ms(510)));
}

/// The startup delay is for what has not begun: a master that resumed meanwhile faults like any
/// other.
#[test]
fn a_fault_after_resuming_within_the_startup_delay() {
    let s = Settings { startup_delay: ms(60_000), ..settings(vec![instance("a")]) };
    let mut d = after(&s, ms(500));
    assert_eq!(d.state(), State::Master);
    d.interface_down("eth0");
    assert_eq!(d.state(), State::Fault);
    assert!(!d.installed());
}
