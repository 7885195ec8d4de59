//! Section 6.3: Master.

use std::net::IpAddr;
use steadfast::vrrp::Report;

use steadfast::net::{Route, Rule};
use steadfast::units::{Centiseconds, Family, Priority, Version};
use steadfast::vrrp::settings::{Announce, InstanceSettings, Object};
use steadfast::vrrp::timers::Timer;
use steadfast::vrrp::{Cause, Event, Notice, State};

use super::driver::*;

const KINDS: [(Family, Version); 3] =
    [(Family::V4, Version::V2), (Family::V4, Version::V3), (Family::V6, Version::V3)];

fn master(family: Family, version: Version) -> Driver {
    Driver::master(InstanceSettings { version, hand_over: false, ..instance_of(family) })
}

/// vrrp:S-21
#[test]
fn s_21_shutdown() {
    for (family, version) in KINDS {
        let mut d = master(family, version);
        d.event(Event::Shutdown);
        assert_eq!(d.state(), State::Initialize);
        assert_eq!(
            d.deeds(),
            [
                format!("send a {family} 0"),
                format!("remove {}", host(family, 100)),
                "stopped".into()
            ]
        );
        assert_eq!(d.left(Timer::Advert(family)), None);
        assert_eq!(d.engine.next_deadline(), None);
    }
}

/// vrrp:S-22
#[test]
fn s_22_the_advert_timer() {
    for (family, version) in KINDS {
        let mut d = Driver::master(InstanceSettings {
            version,
            interval: Centiseconds(300),
            ..instance_of(family)
        });
        let at = d.elapsed();
        d.run_for(ms(9_000));
        let adverts: Vec<_> = d.adverts().iter().map(|a| (a.0 - at, a.1, a.2)).collect();
        assert_eq!(adverts, [(ms(3_000), 100, 300), (ms(6_000), 100, 300), (ms(9_000), 100, 300)]);
        assert_eq!(d.state(), State::Master);
    }
}

/// vrrp:S-23
#[test]
fn s_23_priority_0() {
    for (family, version) in KINDS {
        let mut d = master(family, version);
        d.run_for(ms(400));
        d.hear(&peer_of(family, 20, 0).version(version));
        assert_eq!(d.state(), State::Master);
        assert_eq!(d.adverts(), [(d.elapsed(), 100, 100)]);
        assert_eq!(d.left(Timer::Advert(family)), Some(ms(1_000)));
    }
}

/// vrrp:S-24
#[test]
fn s_24_higher_priority() {
    for (family, version) in KINDS {
        for theirs in [101, 254, 255] {
            // From a lower address: only the priority counts.
            let mut d = master(family, version);
            let interval = if version == Version::V2 { 100 } else { 50 };
            let winner = peer_of(family, 1, theirs).version(version).every(interval);
            d.hear(&winner);
            assert_eq!(d.state(), State::Backup);
            let master = host(family, 1);
            assert_eq!(d.cause(), Cause::HigherPriority { master, theirs: Priority(theirs) });
            assert_eq!(d.deeds(), [format!("remove {}", host(family, 100))]);
            assert_eq!(d.left(Timer::Advert(family)), None);
            let down = if version == Version::V2 { 3_609_375 } else { 1_804_687 };
            assert_eq!(d.left(Timer::Down(family)), Some(us(down)));
            assert_eq!(d.engine.master(d.router(family)).unwrap().address, master);
        }
    }
}

/// vrrp:S-25
#[test]
fn s_25_equal_priority_and_higher_address() {
    for (family, version) in KINDS {
        let mut d = master(family, version);
        let (interval, down) =
            if version == Version::V2 { (100, 3_609_375) } else { (50, 1_804_687) };
        d.hear(&peer_of(family, OWN + 1, 100).version(version).every(interval));
        assert_eq!(d.state(), State::Backup);
        assert_eq!(d.cause(), Cause::HigherAddress { master: host(family, OWN + 1) });
        assert_eq!(d.deeds(), [format!("remove {}", host(family, 100))]);
        assert_eq!(d.left(Timer::Down(family)), Some(us(down)), "vrrp:T-6");
    }
}

/// vrrp:S-26: by priority, or by address at the same priority.
#[test]
fn s_26_lower_priority_or_address() {
    for (family, version) in KINDS {
        for (last, theirs) in [(20, 99), (20, 1), (OWN - 1, 100), (1, 99)] {
            let mut d = master(family, version);
            d.run_for(ms(400));
            d.hear(&peer_of(family, last, theirs).version(version));
            assert_eq!(d.state(), State::Master);
            assert_eq!(d.adverts(), [(d.elapsed(), 100, 100)], "answered at once");
            assert_eq!(d.left(Timer::Advert(family)), Some(ms(1_000)));
        }
    }
}

/// vrrp:S-26: RFC 5798 and strict mode only discard.
#[test]
fn s_26_without_the_answer() {
    for s in [
        InstanceSettings { lower_prio_no_advert: true, ..instance("a") },
        InstanceSettings { strict: true, ..instance("a") },
    ] {
        let mut d = Driver::master(s);
        d.run_for(ms(400));
        d.hear(&peer(20, 99));
        assert_eq!(d.state(), State::Master);
        assert!(d.adverts().is_empty());
        assert_eq!(d.left(Timer::Advert(Family::V4)), Some(ms(600)));
    }
}

/// vrrp:S-27: unsigned, octet by octet, against the address that we send from.
#[test]
fn s_27_comparison_of_addresses() {
    let ip = |text: &str| text.parse::<IpAddr>().unwrap();
    for (own, theirs, yields) in [
        ("10.0.0.9", "10.0.0.10", true),
        ("10.0.0.200", "10.0.0.127", false),
        ("10.0.0.127", "10.0.0.128", true),
        ("10.0.1.0", "10.0.0.255", false),
        ("127.255.255.255", "128.0.0.0", true),
        ("fe80::9", "fe80::10", true),
        ("fe80::1:0", "fe80::ffff", false),
        ("fe80::7fff", "fe80::8000", true),
        ("fe80:0:0:1::", "fe80::ffff:ffff:ffff:ffff", false),
    ] {
        let (own, theirs) = (ip(own), ip(theirs));
        let family = Family::of(own);
        let mut s = instance_of(family);
        match own {
            IpAddr::V4(own) => s.source.v4 = Some(own),
            IpAddr::V6(own) => s.source.v6 = Some(own),
        }
        let mut d = Driver::master(s);
        d.hear(&Peer { source: theirs, ..peer_of(family, 1, 100) });
        let expected = if yields { State::Backup } else { State::Master };
        assert_eq!(d.state(), expected, "{own} {theirs}");
    }
}

/// vrrp:S-27: the same address and priority: a warning, once, and nothing else.
#[test]
fn s_27_two_routers_that_cannot_decide() {
    for family in Family::ALL {
        let mut d = Driver::master(instance_of(family));
        for _ in 0..3 {
            d.hear(&peer_of(family, OWN, 100));
        }
        let router = d.router(family);
        let from = host(family, OWN);
        assert_eq!(d.notices(), [Notice::SameSender { router, from }]);
        assert_eq!(d.deeds(), [""; 0]);
        assert_eq!(d.state(), State::Master);
    }
}

/// vrrp:S-28
#[test]
fn s_28_preempt_mode_is_not_consulted() {
    use steadfast::vrrp::settings::Preempt;
    for preempt in [Preempt::Off, Preempt::On, Preempt::Immediate] {
        for (last, theirs) in [(1, 101), (OWN + 1, 100)] {
            let preempt_delay = if preempt == Preempt::On { ms(60_000) } else { ms(0) };
            let mut d =
                Driver::master(InstanceSettings { preempt, preempt_delay, ..instance("a") });
            d.hear(&peer(last, theirs));
            assert_eq!(d.state(), State::Backup, "{preempt:?}");
        }
    }
}

fn reannouncing(strict: bool) -> InstanceSettings {
    let announce =
        Announce { lower_prio_repeat: 2, lower_prio_delay: ms(5_000), ..instance("a").announce };
    InstanceSettings { announce, strict, ..instance("a") }
}

/// vrrp:S-26: what a master still sends that is just preempted is nothing to tell of.
#[test]
fn s_26_the_last_adverts_of_a_preempted_master_are_no_notice() {
    let mut d = Driver::started(&settings(vec![instance("a")]));
    while d.state() != State::Master {
        d.run_for(ms(10));
    }
    d.clear();
    d.run_for(ms(900));
    d.hear(&peer(20, 99));
    assert_eq!(d.notices(), []);
    d.run_for(ms(1_000));
    d.hear(&peer(20, 99));
    let router = d.router(Family::V4);
    assert_eq!(d.notices(), [Notice::LowerPriority { router, from: v4(20), theirs: Priority(99) }]);
}

/// vrrp:S-29: a burst after a lower-priority advert, and a second one.
#[test]
fn s_29_announcements_after_a_lower_priority() {
    let mut d = Driver::master(reannouncing(false));
    let at = d.elapsed();
    d.hear(&peer(20, 99));
    d.run_for(ms(20_000));
    let times: Vec<_> = d.announced(v4(100)).iter().map(|t| *t - at).collect();
    assert_eq!(times, [ms(0), ms(0), ms(5_000), ms(5_000)]);
    let lower =
        Notice::LowerPriority { router: d.router(Family::V4), from: v4(20), theirs: Priority(99) };
    assert_eq!(d.notices(), [lower]);
    // Not in strict mode.
    let mut d = Driver::master(reannouncing(true));
    d.hear(&peer(20, 99));
    d.run_for(ms(20_000));
    assert_eq!(d.announced(v4(100)), NEVER);
}

/// vrrp:S-29: the other members of the group announce as well.
#[test]
fn s_29_the_whole_group_announces() {
    let mut s = pair();
    let announce = reannouncing(false).announce;
    for instance in &mut s.instances {
        instance.announce = announce;
    }
    let mut d = Driver::master_of(&s);
    d.hear(&peer(20, 99));
    assert_eq!((d.announced(v4(100)).len(), d.announced(v4(200)).len()), (2, 2));
    d.run_for(ms(5_000));
    assert_eq!((d.announced(v4(100)).len(), d.announced(v4(200)).len()), (4, 4));
}

/// vrrp:S-29: `vrrp_higher_prio_send_advert`.
#[test]
fn s_29_one_more_advert_before_giving_way() {
    for (strict, theirs, last, sent) in [(false, 101, 1, 1), (false, 100, 20, 1), (true, 101, 1, 0)]
    {
        let mut d = Driver::master(InstanceSettings {
            higher_prio_send_advert: true,
            strict,
            ..instance("a")
        });
        d.hear(&peer(last, theirs));
        assert_eq!(d.state(), State::Backup);
        assert_eq!(d.adverts().len(), sent);
        assert!(d.adverts().iter().all(|advert| advert.1 == 100));
    }
}

/// vrrp:S-30: priority 0 on a fault or a stop, none after a lost election.
#[test]
fn s_30_when_priority_0_is_sent() {
    for (family, version) in KINDS {
        let mut d = master(family, version);
        d.hear(&peer_of(family, 20, 101).version(version));
        assert!(d.adverts().is_empty());

        let mut s = InstanceSettings { version, ..instance_of(family) };
        s.track = vec![super::fault::script("x", 0)];
        let mut d = Driver::idle(&settings(vec![s]));
        d.tracker("x", steadfast::vrrp::TrackerState::Up);
        d.event(Event::Start);
        d.run_for(ms(4_000));
        d.clear();
        d.tracker("x", steadfast::vrrp::TrackerState::Down);
        assert_eq!(d.state(), State::Fault);
        assert_eq!(d.adverts(), [(d.elapsed(), 0, 100)]);
        // No address to send from is left: nothing can be sent.
        let mut d = master(family, version);
        let bare = steadfast::vrrp::InterfaceState { ipv4: None, ipv6: None, ..up() };
        d.interface("eth0", bare);
        assert_eq!(d.state(), State::Fault);
        assert!(d.adverts().is_empty());
    }
}

/// vrrp:S-42: filter, addresses, routes, rules, after the advert; and the reverse.
#[test]
fn s_42_order_of_actions() {
    let (route, rule) = route_and_rule();
    let objects =
        vec![Object::Rule(rule), Object::Route(route), excluded(101), address(100), Object::Filter];
    let mut d = Driver::one(InstanceSettings { objects, hand_over: false, ..instance("a") });
    d.kernel = Kernel::Silent;
    d.run_for(ms(4_000));
    assert_eq!(
        d.deeds(),
        [
            "send a IPv4 100",
            "install filter",
            "install 192.0.2.100",
            "install 192.0.2.101",
            "install route",
            "install rule"
        ]
    );
    assert!(matches!(d.log.last(), Some((_, steadfast::vrrp::Action::Report(Report::Notice(_))))));
    d.clear();
    while !d.asked.is_empty() {
        d.answer(Ok(()));
    }
    assert_eq!(d.deeds(), ["announce 192.0.2.100", "announce 192.0.2.101"]);
    d.clear();
    d.event(Event::Shutdown);
    assert_eq!(
        d.deeds(),
        [
            "send a IPv4 0",
            "remove rule",
            "remove route",
            "remove 192.0.2.101",
            "remove 192.0.2.100",
            "remove filter"
        ]
    );
    d.clear();
    while !d.asked.is_empty() {
        d.answer(Ok(()));
    }
    assert_eq!(d.deeds(), ["stopped"]);
}

/// A route and a rule, as a configuration gives them.
fn route_and_rule() -> (Route, Rule) {
    let text = r#"
        [vrrp.instance.lan]
        interface = "eth0"
        virtual_router_id = 51
        version = 3
        virtual_addresses = ["192.0.2.100/24"]
        virtual_routes = ["198.51.100.0/24 via 192.0.2.2 dev eth0"]
        virtual_rules = ["from 192.0.2.0/24 table 100 priority 1000"]
    "#;
    let parsed = steadfast::config::parse(text, None);
    let model = parsed.model.unwrap_or_else(|| panic!("{:?}", parsed.diagnostics));
    let instance = &model.instances[0];
    (instance.routes[0].clone(), instance.rules[0].clone())
}

/// vrrp:S-42: all adverts of all instances leave before the first request to the kernel.
#[test]
fn s_42_adverts_of_all_instances_come_first() {
    let names = ["a", "b", "c", "d"];
    let instances = names.iter().zip(51..).map(|(name, vrid)| InstanceSettings {
        vrid: steadfast::units::Vrid::new(vrid).unwrap(),
        objects: vec![address(vrid), address(vrid + 100)],
        ..instance(name)
    });
    let mut d = Driver::started(&settings(instances.collect()));
    d.run_for(ms(4_000));
    let deeds = d.deeds();
    let last_send = deeds.iter().rposition(|deed| deed.starts_with("send")).unwrap();
    assert_eq!(last_send, 3);
    let mut requests: Vec<_> = deeds[4..8].iter().map(String::as_str).collect();
    requests.sort_unstable();
    assert_eq!(
        requests,
        ["install 192.0.2.51", "install 192.0.2.52", "install 192.0.2.53", "install 192.0.2.54"],
        "in turn: no instance waits for all addresses of another"
    );
}

/// What became needless is not done: an advert that was due when a higher one arrived is not sent
/// after giving way (mod.rs; vrrp:S-24).
#[test]
fn s_24_an_unsent_advert_is_dropped() {
    let mut d = Driver::master(instance("a"));
    d.stall(ms(1_000));
    let winner = peer(20, 101);
    let interface = d.engine.interface("eth0").unwrap();
    d.engine.handle(Event::Wake, d.now);
    d.engine.handle(Event::Received(received(interface, &winner, &winner.octets())), d.now);
    d.event(Event::Wake);
    assert_eq!(d.state(), State::Backup);
    assert!(d.adverts().is_empty());
}

/// vrrp:V-36: another interval is remarked once and accepted; vrrp:V-39: it counts as received.
#[test]
fn v_36_v_39_v_40_remarks_about_accepted_adverts() {
    let mut d = Driver::one(instance("a"));
    d.clear();
    let odd = peer(20, 200).every(50).addresses(&[v4(100), v4(7)]);
    for _ in 0..4 {
        d.hear(&odd);
    }
    let router = d.router(Family::V4);
    let theirs = Centiseconds(50);
    assert_eq!(
        d.notices(),
        [
            Notice::AddressesDiffer { router, from: v4(20) },
            Notice::IntervalDiffers { router, from: v4(20), theirs }
        ]
    );
    assert_eq!(d.down(), Some(us(1_804_687)), "learned");
    let statistics = d.engine.statistics(router).unwrap();
    assert_eq!(
        (statistics.adverts_received, statistics.interval_differs, statistics.address_list_errors),
        (4, 4, 4)
    );
}

/// vrrp:V-40: `vrrp_skip_check_adv_addr` spares the comparison for a master's later adverts, not
/// for a new master's or while master ourselves.
#[test]
fn v_40_skipping_the_comparison() {
    let mut d = Driver::one(InstanceSettings { skip_check_adv_addr: true, ..instance("a") });
    let router = d.router(Family::V4);
    let errors = |d: &Driver| d.engine.statistics(router).unwrap().address_list_errors;
    let other = [v4(100), v4(7)];
    let odd = |last| peer(last, 200).addresses(&other);
    d.hear(&odd(20));
    d.hear(&odd(20));
    assert_eq!(errors(&d), 1);
    d.hear(&odd(21));
    assert_eq!(errors(&d), 2);
    d.run_for(ms(4_000));
    assert_eq!(d.state(), State::Master);
    d.hear(&peer(20, 50).addresses(&other));
    d.hear(&peer(20, 50).addresses(&other));
    assert_eq!(errors(&d), 4);
}

/// vrrp:V-8: excluded addresses are installed and announced, never in the packet; the packet has
/// the order of the configuration.
#[test]
fn v_8_excluded_addresses() {
    let objects = vec![address(103), excluded(101), address(100), address(102)];
    let d = Driver::master(InstanceSettings { objects, ..instance("a") });
    let packet: Vec<_> = d.engine.packet_addresses(d.router(Family::V4)).collect();
    assert_eq!(packet, [v4(103), v4(100), v4(102)]);
    assert!(d.installed());
    assert_eq!(d.objects().len(), 4);
}

/// vrrp:C-5: a peer with the checksum of keepalived up to 1.3.6 is followed, and remarked once.
#[test]
fn c_5_automatic_switch() {
    use steadfast::vrrp::settings::Checksum;
    let unicast =
        |checksum| InstanceSettings { unicast_peers: vec![v4(20)], checksum, ..instance("a") };
    let old = Peer { destination: v4(OWN), ..peer(20, 200) };
    let new = Peer { summed: v4(OWN), ..old.clone() };
    let mut d = Driver::one(unicast(Checksum::PseudoHeader));
    d.run_for(ms(100));
    d.hear(&new);
    assert_eq!(d.down(), Some(us(3_609_375)));
    d.clear();
    d.hear(&old);
    d.hear(&old);
    let router = d.router(Family::V4);
    assert_eq!(d.notices(), [Notice::OldChecksum { router, from: v4(20) }]);
    d.run_for(ms(100));
    d.hear(&new);
    assert_eq!(d.down(), Some(us(3_509_375)), "from now on only the old way");
    let mut d = Driver::one(unicast(Checksum::PseudoHeaderStrict));
    d.run_for(ms(100));
    d.hear(&old);
    assert_eq!(d.down(), Some(us(3_509_375)), "never switched");
}

/// vrrp:V-23: nothing is heard while in fault.
#[test]
fn v_23_fault_ignores() {
    use steadfast::vrrp::validation::Reject;
    let mut d = Driver::one(instance("a"));
    d.interface_down("eth0");
    d.clear();
    for priority in [0, 50, 200] {
        d.hear(&peer(20, priority));
    }
    assert!(d.log.is_empty(), "not even a remark");
    assert_eq!(d.engine.next_deadline(), None);
    let statistics = d.engine.statistics(d.router(Family::V4)).unwrap();
    assert_eq!(statistics.rejected.get(Reject::NotRunning), 3);
}

/// vrrp:V-24: the reader of the sockets is told when the second advert for a VRID comes within one
/// wake-up.
#[test]
fn v_24_the_second_advert_of_a_burst() {
    let mut d = Driver::one(instance("a"));
    d.event(Event::Wake);
    let p = peer(20, 200);
    let octets = p.octets();
    let interface = d.engine.interface("eth0").unwrap();
    let advert = received(interface, &p, &octets);
    assert!(!d.engine.burst_is_over(&advert));
    d.event(Event::Received(advert));
    assert!(d.engine.burst_is_over(&advert));
    let other = Peer { vrid: 52, ..p.clone() }.octets();
    assert!(!d.engine.burst_is_over(&received(interface, &p, &other)), "another VRID");
    d.event(Event::Wake);
    assert!(!d.engine.burst_is_over(&advert));
}
