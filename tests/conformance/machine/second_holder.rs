//! A second holder of an address of a master (module `second_holder`): architecture.md, promises, never two lasting
//! holders.

use std::time::Duration;
use steadfast::vrrp::{Announcement, Report};

use steadfast::vrrp::settings::{Announce, InstanceSettings};
use steadfast::vrrp::timers::Timer;
use steadfast::vrrp::{Action, Notice};

use super::driver::*;

fn probing() -> InstanceSettings {
    let announce = Announce { probe: ms(10_000), ..instance("a").announce };
    InstanceSettings { announce, ..instance("a") }
}

/// When an address was probed.
fn probes(d: &Driver, what: &str) -> Vec<Duration> {
    let is_probe = |(_, action): &&(Duration, Action)| {
        matches!(action, Action::Announcement(Announcement::Probe(_)))
    };
    let times = d.log.iter().filter(is_probe).map(|(at, _)| *at);
    let words = d.deeds().into_iter().filter(|deed| deed.starts_with("probe "));
    times.zip(words).filter(|(_, deed)| deed == what).map(|(at, _)| at).collect()
}

fn held(d: &Driver) -> usize {
    d.engine.second_holders(d.a()).count()
}

/// Each address and the source of the adverts in turn, with an advert, so that nobody wakes for it.
#[test]
fn a_master_probes_its_addresses_in_turn_with_its_adverts() {
    let mut d = Driver::master(probing());
    d.run_for(ms(100_000));
    let (own, source) = (probes(&d, "probe 192.0.2.100"), probes(&d, "probe 192.0.2.10"));
    assert_eq!((own.len(), source.len()), (10, 10));
    assert!(own.windows(2).all(|two| two[1] - two[0] == ms(10_000)), "{own:?}");
    let adverts: Vec<Duration> = d.adverts().into_iter().map(|(at, _, _)| at).collect();
    assert!(own.iter().chain(&source).all(|at| adverts.contains(at)));
    assert_eq!(d.left(Timer::Probe), None);
}

/// Of many addresses four are asked for at once, in turn.
#[test]
fn a_round_over_many_addresses_is_bounded() {
    let objects = (0..100).map(|n| address(101 + n)).collect();
    let mut d = Driver::master(InstanceSettings { objects, ..probing() });
    // A hundred and the source: in 26 times ten seconds all of them.
    d.run_for(ms(260_000));
    for n in 101..=200 {
        let asked = probes(&d, &format!("probe 192.0.2.{n}")).len();
        assert!((1..=2).contains(&asked), "{n}: {asked}");
    }
}

/// Who answers holds it until three probes in a row, a second apart, have no answer.
#[test]
fn a_second_holder_is_one_until_it_does_not_answer() {
    let mut d = Driver::master(probing());
    d.hear_announcement(v4(100));
    let taken = |n: &Notice| matches!(n, Notice::AddressTaken { .. });
    assert!(d.notices().iter().any(taken));
    assert_eq!((held(&d), d.left(Timer::Probe)), (1, Some(ms(1_000))));
    for _ in 0..10 {
        // One probe or its answer is lost, the next one is not.
        for _ in 0..2 {
            d.run_until(d.timer(Timer::Probe).unwrap());
        }
        d.hear_announcement(v4(100));
    }
    assert_eq!(held(&d), 1);
    d.clear();
    let start = d.elapsed();
    d.run_for(ms(60_000));
    let free: Vec<Duration> = d
        .log
        .iter()
        .filter(|(_, a)| matches!(a, Action::Report(Report::Notice(Notice::AddressFree { .. }))))
        .map(|(at, _)| *at - start)
        .collect();
    assert_eq!((held(&d), free.len()), (0, 1));
    assert!(free[0] <= ms(8_000), "{free:?}");
    assert_eq!(d.notices().iter().filter(|n| taken(n)).count(), 0, "told once");
}

/// What comes while a probe has no answer may be an announcement as well, so ours follows, once.
#[test]
fn whoever_answers_is_answered_once() {
    let announce = Announce { lower_prio_repeat: 2, ..probing().announce };
    let mut d = Driver::master(InstanceSettings { announce, ..probing() });
    d.hear_announcement(v4(100));
    d.run_until(d.timer(Timer::Probe).unwrap());
    d.clear();
    for _ in 0..3 {
        d.hear_announcement(v4(100));
    }
    assert_eq!(d.announced(v4(100)).len(), 1);
}

/// The address that the adverts come from: then neither hears the other.
#[test]
fn the_source_of_the_adverts_is_watched_as_well() {
    let mut d = Driver::master(probing());
    d.hear_announcement(v4(OWN));
    assert_eq!(held(&d), 1);
}

/// Not in a hand-over, in strict mode, as backup, or when that is off.
#[test]
fn nobody_probes_who_should_not() {
    let strict = InstanceSettings { strict: true, ..probing() };
    for settings in [strict, instance("a")] {
        let mut d = Driver::master(settings);
        d.hear_announcement(v4(100));
        d.run_for(ms(60_000));
        assert_eq!((probes(&d, "probe 192.0.2.100").len(), held(&d)), (0, 0));
    }
    let mut d = Driver::master(probing());
    d.hear_announcement(v4(100));
    d.hear(&peer(20, 200));
    assert_eq!((held(&d), d.left(Timer::Probe)), (0, None));
    d.clear();
    d.hear_for(&peer(20, 200), ms(30_000));
    assert_eq!(probes(&d, "probe 192.0.2.100"), NEVER);
    let mut d = Driver::master(probing());
    d.hear_announcement(v4(100));
    d.switchover(None, false);
    assert_eq!((held(&d), d.left(Timer::Probe)), (0, None));
}
