//! Section 7: when announcements are sent. What is in them is in `wire`.

use std::time::Duration;
use steadfast::vrrp::CommandId;

use steadfast::units::Family;
use steadfast::vrrp::settings::{Announce, InstanceSettings, Pacing};
use steadfast::vrrp::timers::Timer;
use steadfast::vrrp::{Command, Event, Notice, State};

use super::driver::*;

fn with(announce: Announce) -> InstanceSettings {
    InstanceSettings { objects: vec![address(100), excluded(101)], announce, ..instance("a") }
}

/// With at least this long between two gratuitous ARPs.
fn spaced(garp_interval: Duration, settings: InstanceSettings) -> InstanceSettings {
    InstanceSettings { pacing: Pacing { garp_interval, ..settings.pacing }, ..settings }
}

fn plain() -> Announce {
    instance("a").announce
}

/// When an address was announced, from the moment it became master.
fn times(d: &Driver, last: u8) -> Vec<Duration> {
    let became = d.transitions().iter().rfind(|t| t.2 == State::Master).unwrap().0;
    d.announced(v4(last)).into_iter().map(|at| at - became).collect()
}

/// vrrp:G-5: keepalived's defaults: five rounds, and five again after five seconds; excluded
/// addresses as well.
#[test]
fn g_5_two_bursts() {
    let mut d = Driver::one(with(Announce { repeat: 5, delay: ms(5_000), ..plain() }));
    d.run_for(ms(60_000));
    for last in [100, 101] {
        let mut expected = vec![ms(0); 5];
        expected.extend([ms(5_000); 5]);
        assert_eq!(times(&d, last), expected, "{last}");
    }
}

/// vrrp:G-5: a shorter burst does not end a longer one that is spaced out.
#[test]
fn g_5_a_short_burst_within_a_long_one() {
    let announce = Announce { repeat: 5, refresh: ms(3_000), refresh_repeat: 1, ..plain() };
    let mut d = Driver::one(spaced(ms(1_000), with(announce)));
    d.run_for(us(3_609_375) + ms(9_000));
    assert_eq!(times(&d, 100)[..5], [0, 2, 4, 6, 8].map(|n| ms(n * 1_000)));
}

/// vrrp:G-5: rounds: no address waits for all announcements of another.
#[test]
fn g_5_rounds() {
    let mut d = Driver::master(with(plain()));
    let instance = d.a();
    d.reload(&settings(vec![with(Announce { repeat: 3, ..plain() })]));
    d.clear();
    d.command(Command::Announce { instance });
    let pair = ["announce 192.0.2.100", "announce 192.0.2.101"];
    assert_eq!(d.deeds(), [pair, pair, pair].concat());

    let announce = Announce { repeat: 3, ..plain() };
    let mut d = Driver::master(InstanceSettings { announce, ..both() });
    d.command(Command::Announce { instance: d.a() });
    let pair = ["announce 192.0.2.100", "announce fe80::64"];
    assert_eq!(d.deeds(), [pair, pair, pair].concat(), "neither does a family");
}

/// vrrp:G-5: a driver with addresses still to install has each announced once before any is again.
#[test]
fn g_5_first_ones_first() {
    let mut d = Driver::master(with(plain()));
    let instance = d.a();
    d.reload(&settings(vec![with(Announce { repeat: 3, ..plain() })]));
    let engine = &mut d.engine;
    engine.handle(Event::Command(CommandId(0), Command::Announce { instance }), d.now);
    let first: Vec<_> = std::iter::from_fn(|| engine.poll_first_announcement()).collect();
    assert_eq!(first.len(), 2);
    let rest: Vec<_> = std::iter::from_fn(|| engine.poll_announcement()).collect();
    assert_eq!(rest, first.repeat(2));
}

/// vrrp:G-5: refresh, on its own schedule.
#[test]
fn g_5_refresh() {
    let mut d = Driver::one(with(Announce { refresh: ms(10_000), refresh_repeat: 2, ..plain() }));
    d.run_for(us(3_609_375) + ms(30_000));
    let expected = [0, 10_000, 10_000, 20_000, 20_000, 30_000, 30_000].map(ms);
    assert_eq!(times(&d, 100), expected);
    d.hear(&peer(20, 200));
    d.clear();
    d.run_for(ms(2_000));
    assert_eq!(d.announced(v4(100)), NEVER, "not as backup");
}

/// vrrp:G-5: the smallest time between two on one interface, for each family.
#[test]
fn g_5_spacing() {
    let mut s = with(Announce { repeat: 2, ..plain() });
    s.pacing = Pacing { garp_interval: ms(10), gna_interval: ms(7) };
    s.objects.push(address6(100));
    let mut d = Driver::one(s);
    d.run_for(ms(10_000));
    assert_eq!(times(&d, 100), [ms(0), ms(20)]);
    assert_eq!(times(&d, 101), [ms(10), ms(30)]);
    let became = d.transitions().last().unwrap().0;
    let v6: Vec<_> = d.announced(host(Family::V6, 100)).iter().map(|t| *t - became).collect();
    assert_eq!(v6, [ms(0), ms(7)]);
}

/// The moment of the next advert: nothing else is to be done.
fn only_adverts(d: &Driver) -> bool {
    d.engine.next_deadline() == d.timer(Timer::Advert(Family::V4))
}

/// vrrp:G-5: spacing wakes nobody when nothing waits for it.
#[test]
fn g_5_spacing_without_announcements() {
    let mut d = Driver::master(spaced(ms(10), instance("a")));
    let announce = Command::Announce { instance: d.a() };
    d.command(announce);
    assert!(only_adverts(&d), "all was sent");
    d.command(announce);
    assert!(!only_adverts(&d));
    d.run_for(ms(10));
    assert!(only_adverts(&d), "all was sent");
    assert_eq!(d.announced(v4(100)).len(), 2);

    d.kernel = Kernel::Silent;
    d.hear(&peer(20, 200));
    d.command(announce);
    assert_eq!(d.engine.next_deadline(), d.timer(Timer::Down(Family::V4)));
}

/// vrrp:G-5: the same for an address that came when no announcement was asked for.
#[test]
fn g_5_spacing_without_rounds() {
    let announce = Announce { repeat: 0, ..plain() };
    let mut d = Driver::master(spaced(ms(10), InstanceSettings { announce, ..instance("a") }));
    d.command(Command::Announce { instance: d.a() });
    let object = d.objects()[0];
    d.event(Event::Object { object, present: false });
    assert!(d.installed());
    assert!(only_adverts(&d));
}

/// vrrp:G-5: what waits for its turn is sent only if the address is still there and still ours.
#[test]
fn g_5_waiting_announcements_of_addresses_that_go() {
    let mut s = spaced(ms(10), with(plain()));
    s.objects.push(excluded(102));
    let mut d = Driver::master(s);
    d.command(Command::Announce { instance: d.a() });
    d.kernel = Kernel::Silent;
    let stolen = d.objects()[1];
    d.event(Event::Object { object: stolen, present: false });
    d.reload_one(spaced(ms(10), with(plain())));
    d.run_for(ms(100));
    assert_eq!(d.announced(v4(100)).len(), 1);
    assert_eq!(d.announced(v4(101)), NEVER, "somebody removed it");
    assert_eq!(d.announced(v4(102)), NEVER, "the configuration has it no more");
}

/// vrrp:S-42: what waits for its turn ends with the mastership, also if that comes back.
#[test]
fn s_42_waiting_announcements_do_not_outlast_a_mastership() {
    let announce = Announce { repeat: 0, ..plain() };
    let mut d = Driver::master(spaced(ms(30_000), with(announce)));
    d.command(Command::Announce { instance: d.a() });
    d.hear(&peer(20, 200));
    d.run_for(ms(10_000));
    assert_eq!(d.state(), State::Master);
    d.run_for(ms(100_000));
    assert_eq!((d.announced(v4(100)).len(), d.announced(v4(101)).len()), (1, 0));
}

/// vrrp:S-42: a backup announces nothing, whatever the kernel still has.
#[test]
fn s_42_a_backup_announces_nothing() {
    let mut d = Driver::master(instance("a"));
    d.kernel = Kernel::Silent;
    d.hear(&peer(20, 200));
    assert!(d.installed());
    d.command(Command::Announce { instance: d.a() });
    assert_eq!(d.announced(v4(100)), NEVER);
}

/// vrrp:G-5: the spacing holds over all instances of an interface, and what is no longer wanted
/// takes no place in it.
#[test]
fn g_5_spacing_over_instances() {
    let one = |name: &str, vrid: u8| InstanceSettings {
        vrid: steadfast::units::Vrid::new(vrid).unwrap(),
        objects: vec![address(vrid)],
        announce: plain(),
        ..spaced(ms(10), instance(name))
    };
    let mut d = Driver::one(one("a", 51));
    d.reload(&settings(vec![one("a", 51), one("b", 52), one("c", 53)]));
    d.run_for(us(3_609_375));
    // "b" loses before its turn.
    let winner = Peer { vrid: 52, ..peer(20, 200) }.addresses(&[v4(52)]);
    d.hear(&winner);
    d.run_for(ms(100));
    let at = d.announced(v4(51))[0];
    assert_eq!(d.announced(v4(52)), NEVER);
    assert_eq!(d.announced(v4(53)), [at + ms(10)]);
}

/// vrrp:G-5: zero rounds are none at all.
#[test]
fn g_5_switched_off() {
    let mut d = Driver::one(with(Announce {
        repeat: 0,
        delay: ms(5_000),
        refresh: ms(5_000),
        refresh_repeat: 0,
        ..plain()
    }));
    d.run_for(ms(4_000));
    assert_eq!(d.state(), State::Master);
    assert_eq!((d.timer(Timer::SecondBurst), d.timer(Timer::Refresh)), (None, None));
    d.run_for(ms(60_000));
    assert_eq!(times(&d, 100), NEVER);
}

/// vrrp:G-5: a master that goes on after a hand-over announces, and refreshes a whole interval
/// later.
#[test]
fn g_5_refresh_after_a_hand_over() {
    let announce = Announce { refresh: ms(10_000), refresh_repeat: 2, ..plain() };
    let mut d = Driver::master(with(announce));
    d.switchover(None, false);
    // Three adverts, 5 ms apart, then the longest Master_Down_Interval.
    d.run_for(ms(15) + us(3_996_093));
    assert!(!d.engine.handing_over(d.a()));
    let at = d.elapsed();
    d.run_for(ms(10_000));
    let times: Vec<_> = d.announced(v4(100)).into_iter().map(|time| time - at).collect();
    assert_eq!(times, [ms(0), ms(10_000), ms(10_000)]);
}

/// vrrp:S-42: leaving cancels what was still to be announced.
#[test]
fn s_42_pending_announcements_are_cancelled() {
    let announce = Announce { repeat: 3, delay: ms(5_000), ..plain() };
    let mut d = Driver::one(spaced(ms(500), with(announce)));
    d.run_for(us(3_609_375) + ms(600));
    assert_eq!(times(&d, 100).len() + times(&d, 101).len(), 2);
    d.hear(&peer(20, 200));
    d.clear();
    d.hear_for(&peer(20, 200), ms(20_000));
    assert_eq!((d.announced(v4(100)), d.announced(v4(101))), (vec![], vec![]));
}

/// Each address is announced when its installation is acknowledged, not before (architecture.md, promises).
#[test]
fn announced_when_acknowledged() {
    let mut d = Driver::one(with(plain()));
    d.kernel = Kernel::Silent;
    d.run_for(ms(4_000));
    assert_eq!(d.announced(v4(100)), NEVER);
    d.answer(Ok(()));
    assert_eq!((d.announced(v4(100)).len(), d.announced(v4(101)).len()), (1, 0));
    d.answer(Ok(()));
    assert_eq!((d.announced(v4(100)).len(), d.announced(v4(101)).len()), (1, 1));
}

/// The command announces once more, as master only (event.rs).
#[test]
fn announcing_by_command() {
    let mut d = Driver::one(with(Announce { repeat: 0, ..plain() }));
    let instance = d.a();
    d.command(Command::Announce { instance });
    assert_eq!(d.announced(v4(100)), NEVER);
    d.run_for(ms(4_000));
    d.command(Command::Announce { instance });
    assert_eq!((d.announced(v4(100)).len(), d.announced(v4(101)).len()), (1, 1));
}

/// vrrp:S-29: no second burst where none is configured, each member by its own settings.
#[test]
fn s_29_second_burst_only_where_configured() {
    let announce = |repeat, delay| Announce {
        lower_prio_repeat: repeat,
        lower_prio_delay: ms(delay),
        ..plain()
    };
    let mut s = pair();
    s.instances[0].announce = announce(1, 0);
    s.instances[1].announce = announce(0, 5_000);
    let mut d = Driver::master_of(&s);
    d.hear(&peer(20, 99));
    assert_eq!(d.announced(v4(100)).len(), 1);
    for name in ["a", "b"] {
        assert_eq!(d.engine.timer(d.id(name), Timer::LowerBurst), None, "{name}");
    }
    // The one that hears it decides whether it is worth announcing.
    d.hear(&peer(20, 99).on("eth1").addresses(&[v4(200)]));
    assert_eq!(d.announced(v4(100)).len(), 1);
}

/// Promises (never two lasting holders): a master that hears another host announce its address
/// announces again, at once and then at most every ten seconds.
#[test]
fn an_announcement_of_another_host_is_answered_with_measure() {
    let mut d = Driver::master(with(Announce { lower_prio_repeat: 2, ..plain() }));
    d.run_for(ms(60_000));
    d.clear();
    let start = d.elapsed();
    for _ in 0..50 {
        d.hear_announcement(v4(100));
        d.run_for(ms(100));
    }
    d.run_for(ms(60_000));
    let after: Vec<_> = d.announced(v4(100)).into_iter().map(|at| at - start).collect();
    assert_eq!(after, [ms(0), ms(0), ms(10_000), ms(10_000)]);
    let taken =
        |n: &Notice| matches!(n, Notice::AddressTaken { address, .. } if *address == v4(100));
    assert_eq!(d.notices().iter().filter(|n| taken(n)).count(), 1);
}

/// Section 14 of the rules: strict mode has no extra announcements; nor does 0 rounds. Addresses
/// of others are none of our business.
#[test]
fn an_announcement_of_another_host_is_not_answered_when_that_is_off() {
    let two = Announce { lower_prio_repeat: 2, ..plain() };
    let off = Announce { lower_prio_repeat: 0, ..plain() };
    for (settings, address) in [
        (InstanceSettings { strict: true, ..with(two) }, v4(100)),
        (with(off), v4(100)),
        (with(two), v4(99)),
    ] {
        let mut d = Driver::master(settings);
        d.run_for(ms(60_000));
        d.clear();
        d.hear_announcement(address);
        d.run_for(ms(60_000));
        assert_eq!(d.announced(v4(100)), NEVER);
        assert_eq!(d.notices(), []);
    }
}
