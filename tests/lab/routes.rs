//! Routes and rules against the kernel.

use std::fmt::Write;
use std::time::{Duration, Instant};

use steadfast::net::{NextHop, Prefix, Route, RouteKind, Rule, RuleAction, TableId};
use steadfast::netlink::batch::{Outcome, Request};
use steadfast::netlink::cache::{Origin, What};
use steadfast::netlink::monitor;
use steadfast::netlink::route::Resolved;
use steadfast::units::Family;

use crate::harness::readable;
use crate::netlink::Lab;

fn prefix(text: &str) -> Prefix {
    let (address, len) = text.split_once('/').unwrap();
    Prefix { address: address.parse().unwrap(), len: len.parse().unwrap() }
}

fn hop(via: &str, interface: Option<&str>) -> NextHop {
    let interface = interface.map(Into::into);
    NextHop { via: Some(via.parse().unwrap()), interface, ..NextHop::new() }
}

fn route(kind: RouteKind, destination: &str, table: u32, next_hops: Vec<NextHop>) -> Route {
    Route {
        kind,
        destination: prefix(destination),
        tos: 0,
        table: TableId(table),
        metric: None,
        source: None,
        scope: None,
        mtu: None,
        mtu_locked: false,
        advmss: None,
        initcwnd: None,
        initrwnd: None,
        hop_limit: None,
        next_hops,
        track: true,
    }
}

fn unicast(destination: &str, via: &str) -> Route {
    route(RouteKind::Unicast, destination, 254, vec![hop(via, Some("eth0"))])
}

fn rule(family: Family, priority: u32, action: RuleAction) -> Rule {
    Rule {
        family,
        priority,
        invert: false,
        from: None,
        to: None,
        iif: None,
        oif: None,
        tos: 0,
        fwmark: None,
        ip_protocol: None,
        source_ports: None,
        destination_ports: None,
        uid_range: None,
        action,
        suppress_prefix_len: None,
        track: true,
    }
}

/// `eth0` with addresses that gateways are reached from.
fn lab(room: usize) -> Lab {
    let mut lab = Lab::with_room(room);
    lab.namespace.ip("address add 192.0.2.1/24 dev eth0");
    lab.namespace.ip("address add 2001:db8::1/64 dev eth0");
    let index = lab.index("eth0");
    lab.until_known("the addresses", |monitor| monitor.cache().addresses(index).count() >= 2);
    lab.changes.clear();
    lab
}

/// Routes of every kind.
fn routes() -> Vec<Route> {
    let six = "2001:db8:1::/48";
    vec![
        Route {
            metric: Some(50),
            source: Some([192, 0, 2, 1].into()),
            mtu: Some(1400),
            mtu_locked: true,
            ..unicast("198.51.100.0/24", "192.0.2.2")
        },
        route(RouteKind::Unicast, "0.0.0.0/0", 100, vec![hop("192.0.2.2", None)]),
        route(
            RouteKind::Unicast,
            "203.0.113.0/24",
            254,
            vec![
                hop("192.0.2.2", Some("eth0")),
                NextHop { weight: 3, ..hop("192.0.2.3", Some("eth0")) },
            ],
        ),
        route(RouteKind::Blackhole, "198.18.0.0/15", 1000, vec![]),
        route(RouteKind::Prohibit, "198.18.0.0/16", 254, vec![]),
        unicast("10.1.0.0/16", "2001:db8::2"),
        unicast(six, "2001:db8::2"),
        route(
            RouteKind::Unicast,
            six,
            100,
            vec![NextHop { interface: Some("eth0".into()), ..NextHop::new() }],
        ),
        route(
            RouteKind::Unicast,
            "2001:db8:2::/48",
            254,
            vec![hop("2001:db8::3", Some("eth0")), hop("2001:db8::2", Some("eth0"))],
        ),
        route(RouteKind::Unreachable, "2001:db8:3::/48", 1000, vec![]),
    ]
}

/// Rules with every selector.
fn rules() -> Vec<Rule> {
    vec![
        Rule {
            from: Some(prefix("192.0.2.0/24")),
            to: Some(prefix("198.51.100.0/24")),
            fwmark: Some((0x10, 0xff)),
            iif: Some("eth0".into()),
            tos: 0x10,
            suppress_prefix_len: Some(0),
            ..rule(Family::V4, 1000, RuleAction::Table(TableId(100)))
        },
        Rule {
            from: Some(prefix("2001:db8::/32")),
            uid_range: Some((100, 200)),
            oif: Some("eth0".into()),
            ip_protocol: Some(6),
            source_ports: Some((1000, 2000)),
            destination_ports: Some((80, 80)),
            invert: true,
            ..rule(Family::V6, 1001, RuleAction::Table(TableId(1000)))
        },
        Rule { fwmark: Some((7, u32::MAX)), ..rule(Family::V4, 1002, RuleAction::Blackhole) },
        Rule {
            from: Some(Prefix::all(Family::V6)),
            ..rule(Family::V6, 1003, RuleAction::Prohibit)
        },
        rule(Family::V4, 900, RuleAction::Goto(1002)),
    ]
}

/// Adds routes; all of them are new.
#[track_caller]
fn add(lab: &mut Lab, routes: &[Route]) {
    let cache = lab.monitor.cache().clone();
    for route in routes {
        let resolved = Resolved::new(route, &cache).unwrap();
        assert_eq!(lab.one(Request::AddRoute(&resolved)), Outcome::Done(None), "{route:?}");
    }
}

/// Which changes of watched routes and rules were reported: whose, and whether they are there.
fn reported(lab: &Lab) -> Vec<(Origin, bool)> {
    let presence = |what: &What| match what {
        What::Route { present, .. } | What::Rule { present, .. } => Some(*present),
        What::Link { .. } | What::Address { .. } => None,
    };
    let news = lab.changes.iter();
    news.filter_map(|change| presence(&change.what).map(|is| (change.origin, is))).collect()
}

/// netlink:N-50, netlink:N-51, netlink:N-53, netlink:N-54, netlink:N-57, netlink:N-60,
/// netlink:N-61: the kernel takes all of them, tells of them so that they are known again, by
/// event and by dump, and deletes them.
#[test]
fn routes_and_rules_come_and_go_and_are_known_again() {
    let mut lab = lab(monitor::RECEIVE_BUFFER_OCTETS);
    let (routes, rules) = (routes(), rules());
    let count = routes.len() + rules.len();
    lab.monitor.set_watch(&routes, &rules).unwrap();
    lab.until_known("none is there", |_| true);
    assert_eq!(reported(&lab), []);
    add(&mut lab, &routes);
    for rule in &rules {
        assert_eq!(lab.one(Request::AddRule(rule)), Outcome::Done(None), "{rule:?}");
        assert_eq!(lab.one(Request::AddRule(rule)), Outcome::Unchanged, "{rule:?}");
    }
    let all = |monitor: &monitor::Monitor| {
        let watch = monitor.watch();
        let routes = routes.iter().filter(|route| watch.has_route(route)).count();
        routes + rules.iter().filter(|rule| watch.has_rule(rule)).count()
    };
    lab.until_known("all are there", |monitor| all(monitor) == count);
    assert_eq!(reported(&lab), vec![(Origin::Own, true); count]);
    let shown = lab.namespace.try_ip("-4 route show table all proto 18").unwrap();
    let shown = shown.replace("proto keepalived", "proto 18");
    for words in ["198.51.100.0/24 via 192.0.2.2 dev eth0", "mtu lock 1400", "src 192.0.2.1"] {
        assert!(shown.contains(words), "{words}: {shown}");
    }

    // A new watch has to hear it from its dump.
    let mut late =
        lab.namespace.run(|| monitor::Monitor::open(None, monitor::RECEIVE_BUFFER_OCTETS).unwrap());
    late.set_watch(&routes, &rules).unwrap();
    let mut changes = Vec::new();
    while !late.is_current() {
        assert!(readable(&late, Instant::now() + crate::harness::AWAIT_TIMEOUT));
        late.read(&mut changes).unwrap();
    }
    for route in &routes {
        assert!(late.watch().has_route(route), "{route:?}");
    }
    for rule in &rules {
        assert!(late.watch().has_rule(rule), "{rule:?}");
    }

    lab.changes.clear();
    let cache = lab.monitor.cache().clone();
    for route in &routes {
        let resolved = Resolved::new(route, &cache).unwrap();
        assert_eq!(lab.one(Request::DeleteRoute(&resolved)), Outcome::Done(None), "{route:?}");
        assert_eq!(lab.one(Request::DeleteRoute(&resolved)), Outcome::Unchanged, "{route:?}");
    }
    for rule in &rules {
        assert_eq!(lab.one(Request::DeleteRule(rule)), Outcome::Done(None), "{rule:?}");
        assert_eq!(lab.one(Request::DeleteRule(rule)), Outcome::Unchanged, "{rule:?}");
    }
    lab.until_known("none is there", |monitor| all(monitor) == 0);
    assert_eq!(reported(&lab), vec![(Origin::Own, false); count]);
}

/// What somebody else removes, or puts in the place of ours, is gone.
#[test]
fn foreign_removal_of_routes_and_rules_is_heard() {
    let mut lab = lab(monitor::RECEIVE_BUFFER_OCTETS);
    let routes = [
        unicast("198.51.100.0/24", "192.0.2.2"),
        unicast("203.0.113.0/24", "192.0.2.2"),
        unicast("2001:db8:1::/48", "2001:db8::2"),
    ];
    let rules = [rule(Family::V4, 1000, RuleAction::Table(TableId(100)))];
    lab.monitor.set_watch(&routes, &rules).unwrap();
    add(&mut lab, &routes);
    lab.run(&[Request::AddRule(&rules[0])]);
    lab.until_known("all are there", |monitor| {
        routes.iter().all(|route| monitor.watch().has_route(route))
            && monitor.watch().has_rule(&rules[0])
    });
    lab.changes.clear();
    lab.namespace.ip("route delete 198.51.100.0/24");
    lab.namespace.ip("route replace 203.0.113.0/24 via 192.0.2.9");
    lab.namespace.ip("-6 route replace 2001:db8:1::/48 via 2001:db8::9");
    lab.namespace.ip("rule delete priority 1000");
    lab.until_known("all are gone", |monitor| {
        !routes.iter().any(|route| monitor.watch().has_route(route))
            && !monitor.watch().has_rule(&rules[0])
    });
    assert_eq!(reported(&lab), [(Origin::Other, false); 4]);
    // Another route stands there: it is not ours to delete. IPv4 goes in front of it.
    let cache = lab.monitor.cache().clone();
    for (route, done) in routes[1..].iter().zip([Outcome::Done(None), Outcome::Unchanged]) {
        let resolved = Resolved::new(route, &cache).unwrap();
        assert_eq!(lab.one(Request::AddRoute(&resolved)), done);
        assert_eq!(lab.one(Request::DeleteRoute(&resolved)), done);
    }
    let shown = lab.namespace.try_ip("route show 203.0.113.0/24").unwrap();
    assert!(shown.contains("192.0.2.9"), "{shown}");
}

/// netlink:N-56: an IPv4 route stands in front of others in its place, in any table, and only it is
/// deleted: by its ways out, even among our own.
#[test]
fn an_ipv4_route_stands_beside_others() {
    let mut lab = lab(monitor::RECEIVE_BUFFER_OCTETS);
    let net = &lab.namespace;
    let first = |lab: &Lab, table: &str| {
        let shown = lab.namespace.try_ip(&format!("route show default table {table}")).unwrap();
        let first = shown.lines().next().unwrap_or_default().to_owned();
        (first.split(" dev ").next().unwrap_or_default().to_owned(), shown.lines().count())
    };
    for table in ["main", "100"] {
        net.ip(&format!("route add default via 192.0.2.9 table {table} proto dhcp"));
    }
    let default = |via: &str, table| {
        route(RouteKind::Unicast, "0.0.0.0/0", table, vec![hop(via, Some("eth0"))])
    };
    for (number, table) in [(254, "main"), (100, "100")] {
        let several = Route {
            next_hops: vec![hop("192.0.2.4", Some("eth0")), hop("192.0.2.3", Some("eth0"))],
            ..default("192.0.2.2", number)
        };
        // The last one is what the other program has.
        let all = [
            default("192.0.2.2", number),
            default("192.0.2.3", number),
            several,
            default("192.0.2.9", number),
        ];
        lab.monitor.set_watch(&all, &[]).unwrap();
        add(&mut lab, &all);
        lab.until_known("all are there", |monitor| {
            all.iter().all(|route| monitor.watch().has_route(route))
        });
        assert_eq!(first(&lab, table).0, "default via 192.0.2.9");
        let cache = lab.monitor.cache().clone();
        for (left, route) in (0..all.len()).rev().zip(&all) {
            let resolved = Resolved::new(route, &cache).unwrap();
            assert_eq!(lab.one(Request::DeleteRoute(&resolved)), Outcome::Done(None));
            assert_eq!(lab.one(Request::DeleteRoute(&resolved)), Outcome::Unchanged);
            lab.until_known("the others are there", |monitor| {
                all.iter().filter(|route| monitor.watch().has_route(route)).count() == left
            });
        }
        assert_eq!(first(&lab, table), ("default via 192.0.2.9".to_owned(), 1));
    }
}

/// netlink:N-56: what stands in the place of an IPv6 route is found.
#[test]
fn what_is_in_the_place_of_an_ipv6_route_is_found() {
    let mut lab = lab(monitor::RECEIVE_BUFFER_OCTETS);
    lab.namespace.ip("-6 route add default via 2001:db8::9 dev eth0 proto ra");
    lab.namespace.ip("-6 route add 2001:db8:1::/48 via 2001:db8::9 dev eth0 proto static");
    let cache = lab.monitor.cache().clone();
    let mut find = |route: &Route| match lab.one(Request::FindRoute(route)) {
        Outcome::Found(Some(found)) => found,
        other => panic!("{other:?}"),
    };
    for (destination, words) in [
        ("::/0", "default via 2001:db8::9 dev eth0 proto ra metric 1024"),
        ("2001:db8:1::/48", "2001:db8:1::/48 via 2001:db8::9 dev eth0 proto static metric 1024"),
    ] {
        let same = unicast(destination, "2001:db8::9");
        let found = find(&same);
        assert_eq!(found.describe(&cache), words);
        assert!(found.does_the_same(&same, &cache));
        assert!(!found.does_the_same(&unicast(destination, "2001:db8::8"), &cache));
        let lower = Route { metric: Some(5), ..same };
        assert!(!found.is_in_place_of(&lower));
    }
    let nothing = route(RouteKind::Unicast, "2001:db8:2::/48", 254, vec![hop("2001:db8::9", None)]);
    assert!(!find(&nothing).is_in_place_of(&nothing));
}

/// netlink:N-58: the kernel does not say that routes went with their link or source address.
#[test]
fn routes_that_go_silently_are_missed() {
    let mut lab = lab(monitor::RECEIVE_BUFFER_OCTETS);
    lab.namespace.ip("address add 192.0.2.7/32 dev lo");
    let source =
        Route { source: Some([192, 0, 2, 7].into()), ..unicast("203.0.113.0/24", "192.0.2.2") };
    let routes = [
        source,
        unicast("198.51.100.0/24", "192.0.2.2"),
        unicast("2001:db8:1::/48", "2001:db8::2"),
        route(RouteKind::Blackhole, "198.18.0.0/15", 254, vec![]),
    ];
    lab.monitor.set_watch(&routes, &[]).unwrap();
    add(&mut lab, &routes);
    let has = |monitor: &monitor::Monitor| -> Vec<bool> {
        routes.iter().map(|route| monitor.watch().has_route(route)).collect()
    };
    lab.until_known("all are there", |monitor| has(monitor) == [true; 4]);
    lab.namespace.ip("address delete 192.0.2.7/32 dev lo");
    lab.until_known("without its source", |monitor| has(monitor) == [false, true, true, true]);
    lab.namespace.ip("link set eth0 down");
    lab.until_known("without its link", |monitor| has(monitor) == [false, false, false, true]);
}

/// netlink:N-10: what an overrun hid is found.
#[test]
fn after_an_overrun_watched_routes_are_right_again() {
    let mut lab = lab(2_048);
    let routes = [unicast("198.51.100.0/24", "192.0.2.2"), unicast("203.0.113.0/24", "192.0.2.2")];
    lab.monitor.set_watch(&routes, &[]).unwrap();
    add(&mut lab, &routes[..1]);
    let has = |monitor: &monitor::Monitor| -> Vec<bool> {
        routes.iter().map(|route| monitor.watch().has_route(route)).collect()
    };
    lab.until_known("one is there", |monitor| has(monitor) == [true, false]);
    let mut lines = String::new();
    for n in 0..1_000 {
        writeln!(lines, "route add blackhole 10.1.{}.{}/32", n / 250, n % 250).unwrap();
    }
    lines.push_str("route delete 198.51.100.0/24\n");
    lines.push_str("route add 203.0.113.0/24 via 192.0.2.2 proto 18\n");
    lab.namespace.ip_batch(&lines);
    lab.until_known("all is as it is", |monitor| has(monitor) == [false, true]);
}

/// netlink:N-2: a router without configured routes hears nothing of those that it has.
#[test]
fn without_a_watch_routes_cost_nothing() {
    let mut lab = lab(monitor::RECEIVE_BUFFER_OCTETS);
    // News of a new link's state come up to a second later.
    while readable(&lab.monitor, Instant::now() + Duration::from_millis(1_200)) {
        lab.until_known("all is known", |_| true);
    }
    let touch = |lab: &Lab| {
        lab.namespace.ip("route replace blackhole 10.1.0.0/16");
        lab.namespace.ip("-6 route replace blackhole 2001:db8:9::/48");
        for family in ["-4", "-6"] {
            lab.namespace.ip(&format!("{family} rule add priority 1000 table 100"));
            lab.namespace.ip(&format!("{family} rule delete priority 1000 table 100"));
        }
        readable(&lab.monitor, Instant::now())
    };
    assert!(!touch(&lab));
    lab.monitor.set_watch(&[unicast("10.2.0.0/16", "192.0.2.2")], &[]).unwrap();
    lab.until_known("all is known", |_| true);
    assert!(touch(&lab), "now it hears");
    lab.monitor.set_watch(&[], &[]).unwrap();
    lab.until_known("all is known", |_| true);
    assert!(!touch(&lab));
}
