//! Routes and rules: the captured requests are written as iproute2 wrote them, and every option
//! has its place.
#![cfg(test)]

use steadfast::net::Scope;
use steadfast::net::{NextHop, Prefix, Route, RouteKind, Rule, RuleAction, TableId};
use steadfast::netlink::cache::{Cache, Origin};
use steadfast::netlink::event::Event;
use steadfast::netlink::link::{Link, LinkFlags, LinkIndex};
use steadfast::netlink::route::{self, KernelRoute, Resolved};
use steadfast::netlink::rule;
use steadfast::units::Family;

use crate::netlink::{FIRST, LINK, Meaning, meaning, only};
use crate::vectors::load;

/// Vectors that these tests reproduce.
pub const ROUTES_AND_RULES: &[&str] = &[
    "nl-08-newroute4",
    "nl-09-newroute4-multipath",
    "nl-10-newroute4-blackhole",
    "nl-11-newrule4",
    "nl-12-newrule6",
];

/// The links `hrv0` with number 2 and `wan` with number 3.
pub fn links() -> Cache {
    let mut cache = Cache::new();
    for (index, name) in [(LINK, "hrv0"), (LinkIndex(3), "wan")] {
        let link = Link {
            index,
            name: name.into(),
            flags: LinkFlags(0x41),
            mac: None,
            mtu: None,
            master: None,
            kind: None,
            promotes: None,
        };
        cache.apply(Event::Link(link), Origin::Other, &mut Vec::new());
    }
    cache
}

pub fn prefix(text: &str) -> Prefix {
    let (address, len) = text.split_once('/').unwrap();
    Prefix { address: address.parse().unwrap(), len: len.parse().unwrap() }
}

pub fn hop(via: &str) -> NextHop {
    NextHop { via: Some(via.parse().unwrap()), ..NextHop::new() }
}

/// A route in the table `main` without options.
pub fn plain(kind: RouteKind, destination: &str, next_hops: Vec<NextHop>) -> Route {
    Route {
        kind,
        destination: prefix(destination),
        tos: 0,
        table: TableId::MAIN,
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

/// A rule without selectors.
pub fn bare(family: Family, priority: u32, action: RuleAction) -> Rule {
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

fn add(route: &Route) -> Meaning {
    let mut octets = Vec::new();
    let links = links();
    route::encode_add(&mut octets, FIRST, &Resolved::new(route, &links).unwrap()).unwrap();
    meaning(&octets)
}

fn delete(route: &Route) -> Meaning {
    let mut octets = Vec::new();
    let links = links();
    route::encode_delete(&mut octets, FIRST, &Resolved::new(route, &links).unwrap()).unwrap();
    meaning(&octets)
}

fn add_rule(rule: &Rule) -> Meaning {
    let mut octets = Vec::new();
    rule::encode_add(&mut octets, FIRST, rule).unwrap();
    meaning(&octets)
}

fn value(meaning: &Meaning, kind: u16) -> Option<&[u8]> {
    meaning.attributes.iter().find(|(found, _)| *found == kind).map(|(_, value)| &value[..])
}

/// The route of vector nl-08.
fn first() -> Route {
    let interface = Some("hrv0".into());
    let hops = vec![NextHop { interface, onlink: true, ..hop("192.0.2.2") }];
    Route {
        table: TableId(100),
        metric: Some(50),
        source: Some([192, 0, 2, 1].into()),
        mtu: Some(1400),
        ..plain(RouteKind::Unicast, "198.51.100.0/24", hops)
    }
}

/// The route of vector nl-09.
pub fn multipath() -> Route {
    let interface = Some("hrv0".into());
    let second = NextHop { interface, weight: 3, ..hop("192.0.2.3") };
    let first = NextHop { interface: second.interface.clone(), ..hop("192.0.2.2") };
    plain(RouteKind::Unicast, "203.0.113.0/24", vec![first, second])
}

/// The rule of vector nl-11.
fn first_rule() -> Rule {
    Rule {
        from: Some(prefix("192.0.2.0/24")),
        to: Some(prefix("198.51.100.0/24")),
        fwmark: Some((0x10, 0xff)),
        iif: Some("hrv0".into()),
        suppress_prefix_len: Some(0),
        ..bare(Family::V4, 1000, RuleAction::Table(TableId(100)))
    }
}

/// netlink:N-50, netlink:N-51, netlink:N-52, netlink:N-53, netlink:N-56: the requests to add are
/// as captured, but for the protocol number, which is ours, and that IPv4 stands beside what there
/// is. The vectors are of a little-endian host.
#[cfg(target_endian = "little")]
#[test]
fn n_50_to_56_routes_are_as_captured() {
    const PROTOCOL: usize = 5;
    let blackhole =
        Route { metric: Some(9), ..plain(RouteKind::Blackhole, "198.18.0.0/15", vec![]) };
    for (name, route) in ROUTES_AND_RULES.iter().zip([first(), multipath(), blackhole]) {
        let (ours, mut theirs) = (add(&route), meaning(&load(name)));
        assert_eq!(ours.fixed[PROTOCOL], 18, "{name}");
        theirs.fixed[PROTOCOL] = 18;
        assert_eq!(theirs.flags.0 & EXCL, EXCL, "{name}");
        theirs.flags.0 &= !EXCL;
        assert_eq!(ours, theirs, "{name}");
    }
}

/// Nothing else may be there.
const EXCL: u16 = 0x200;

/// netlink:N-56: IPv4 goes in front of what stands in its place; IPv6 cannot, and is to be refused.
/// Neither replaces (0x100) nor appends (0x800).
#[test]
fn n_56_only_ipv6_wants_its_place_to_be_free() {
    for (destination, flags) in [("198.51.100.0/24", 0x400), ("2001:db8::/32", 0x400 | EXCL)] {
        let meaning = add(&plain(RouteKind::Blackhole, destination, vec![]));
        assert_eq!(meaning.flags.0 & 0xf00, flags, "{destination}");
    }
}

/// netlink:N-56: a request to delete names the ways out, since another route may stand in the same
/// place; one that may be on any interface, since its own is gone, does not name that. IPv6 has no
/// other in its place, and would delete several ways one by one.
#[test]
fn n_56_a_route_is_deleted_with_its_ways_out() {
    for route in [first(), multipath()] {
        let (delete, add) = (delete(&route), add(&route));
        for kind in [1, 4, 5, 6, 9, 15] {
            assert_eq!(value(&delete, kind), value(&add, kind), "{kind}");
        }
    }
    let nowhere = Resolved::to_delete(&first(), |_| None).links().to_vec();
    assert_eq!(nowhere, [None]);
    let mut octets = Vec::new();
    let route = first();
    route::encode_delete(&mut octets, FIRST, &Resolved::added(&route, nowhere)).unwrap();
    let meaning = meaning(&octets);
    assert_eq!((value(&meaning, 4), value(&meaning, 5)), (None, Some(&[192, 0, 2, 2][..])));
    let hops = vec![hop("fe80::2"), hop("fe80::3")];
    let several = plain(RouteKind::Unicast, "2001:db8::/32", hops);
    assert_eq!(value(&delete(&several), 9), None);
}

/// netlink:N-60: so are rules, which say in an attribute (21) that they are ours.
#[cfg(target_endian = "little")]
#[test]
fn n_60_rules_are_as_captured() {
    let second = Rule {
        from: Some(prefix("2001:db8::/32")),
        uid_range: Some((100, 200)),
        ..bare(Family::V6, 1001, RuleAction::Table(TableId(100)))
    };
    for (name, rule) in ROUTES_AND_RULES[3..].iter().zip([first_rule(), second]) {
        let mut ours = add_rule(&rule);
        assert_eq!(value(&ours, 21), Some(&[18][..]));
        ours.attributes.retain(|(kind, _)| *kind != 21);
        assert_eq!(ours, meaning(&load(name)), "{name}");
    }
}

/// netlink:N-60: a request to delete has all selectors and the priority.
#[test]
fn n_60_a_rule_is_deleted_with_all_its_selectors() {
    let rule = Rule {
        oif: Some("wan".into()),
        ip_protocol: Some(6),
        source_ports: Some((1, 2)),
        destination_ports: Some((80, 81)),
        tos: 0x10,
        invert: true,
        ..first_rule()
    };
    let mut octets = Vec::new();
    rule::encode_delete(&mut octets, FIRST, &rule).unwrap();
    let (delete, add) = (meaning(&octets), add_rule(&rule));
    assert_eq!((delete.kind, add.kind), (33, 32));
    assert_eq!((&delete.fixed, &delete.attributes), (&add.fixed, &add.attributes));
    let kinds: Vec<u16> = add.attributes.iter().map(|(kind, _)| *kind).collect();
    assert_eq!(kinds, [1, 2, 3, 6, 10, 14, 16, 17, 21, 22, 23, 24]);
    let ports = [80_u16, 81].map(u16::to_ne_bytes).concat();
    assert_eq!(value(&add, 24), Some(&ports[..]), "in host order");
    assert_eq!((add.fixed[3], &add.fixed[8..]), (0x10, &2_u32.to_ne_bytes()[..]));
}

/// netlink:N-61: without selectors, neither addresses nor lengths; what is not suppressed is left
/// out.
#[test]
fn n_61_a_rule_for_everything() {
    for (action, number) in [
        (RuleAction::Table(TableId(1000)), 1),
        (RuleAction::Goto(2000), 2),
        (RuleAction::Blackhole, 6),
        (RuleAction::Unreachable, 7),
        (RuleAction::Prohibit, 8),
    ] {
        let from = Some(Prefix::all(Family::V6));
        let meaning = add_rule(&Rule { from, ..bare(Family::V6, 5, action) });
        assert_eq!(meaning.fixed[..4], [10, 0, 0, 0], "{action:?}");
        assert_eq!(meaning.fixed[7], number, "{action:?}");
        for absent in [1, 2, 13, 14] {
            assert_eq!(value(&meaning, absent), None, "{action:?}");
        }
        let table = (number == 1).then(|| 1000_u32.to_ne_bytes());
        assert_eq!(value(&meaning, 15), table.as_ref().map(|t| &t[..]));
        let goto = (number == 2).then(|| 2000_u32.to_ne_bytes());
        assert_eq!(value(&meaning, 4), goto.as_ref().map(|g| &g[..]));
    }
}

/// netlink:N-61: the kernel says of every rule what it suppresses, also of those that do not.
#[test]
fn n_61_what_is_not_suppressed_is_said() {
    let rule = bare(Family::V4, 5, RuleAction::Table(TableId(1000)));
    let mut octets = Vec::new();
    rule::encode_add(&mut octets, FIRST, &rule).unwrap();
    let mut payload = only(&octets).payload.to_vec();
    payload.extend(8_u16.to_ne_bytes());
    payload.extend(14_u16.to_ne_bytes());
    let suppressing = [&payload[..], &16_u32.to_ne_bytes()].concat();
    payload.extend(u32::MAX.to_ne_bytes());
    let seen = rule::decode(&payload).unwrap().unwrap();
    assert!(rule::is(&seen, &rule), "{seen:?}");
    let seen = rule::decode(&suppressing).unwrap().unwrap();
    assert!(!rule::is(&seen, &rule));
    assert!(rule::is(&seen, &Rule { suppress_prefix_len: Some(16), ..rule }));
}

/// netlink:N-50: a table that fits stands in the header, another one in an attribute.
#[test]
fn n_50_tables() {
    for (table, short, long) in [(254, 254, None), (255, 255, None), (256, 252, Some(256_u32))] {
        let route = Route { table: TableId(table), ..first() };
        for meaning in [add(&route), delete(&route)] {
            assert_eq!(meaning.fixed[4], short);
            let long = long.map(u32::to_ne_bytes);
            assert_eq!(value(&meaning, 15), long.as_ref().map(|l| &l[..]));
        }
    }
}

/// netlink:N-51: kinds and scopes; any scope to delete.
#[test]
fn n_51_kinds_and_scopes() {
    let device = || vec![NextHop { interface: Some("wan".into()), ..NextHop::new() }];
    let gateway = || vec![hop("192.0.2.2")];
    for (kind, hops, number, scope) in [
        (RouteKind::Unicast, gateway(), 1, 0),
        (RouteKind::Unicast, device(), 1, 253),
        (RouteKind::Local, device(), 2, 254),
        (RouteKind::Broadcast, device(), 3, 253),
        (RouteKind::Multicast, device(), 5, 253),
        (RouteKind::Blackhole, vec![], 6, 0),
        (RouteKind::Unreachable, vec![], 7, 0),
        (RouteKind::Prohibit, vec![], 8, 0),
        (RouteKind::Throw, vec![], 9, 0),
    ] {
        let route = plain(kind, "198.51.100.0/24", hops);
        let fixed = add(&route).fixed;
        assert_eq!((fixed[7], fixed[6]), (number, scope), "{kind:?}");
        let fixed = delete(&route).fixed;
        assert_eq!((fixed[7], fixed[6]), (number, 255), "{kind:?}");
        let site = Route { scope: Some(Scope::Site), ..route };
        assert_eq!(add(&site).fixed[6], 200, "{kind:?}");
    }
    let six = plain(RouteKind::Unicast, "2001:db8::/32", device());
    assert_eq!(add(&six).fixed[6], 0);
}

/// netlink:N-52: all in METRICS, each a number of 32 bits.
#[test]
fn n_52_metrics() {
    let route = Route {
        mtu: Some(1400),
        mtu_locked: true,
        advmss: Some(1300),
        hop_limit: Some(64),
        initcwnd: Some(10),
        initrwnd: Some(20),
        ..first()
    };
    let meaning = add(&route);
    let expected: Vec<u8> = [(1_u16, 4_u32), (2, 1400), (8, 1300), (10, 64), (11, 10), (14, 20)]
        .into_iter()
        .flat_map(|(kind, value)| {
            [&8_u16.to_ne_bytes()[..], &kind.to_ne_bytes(), &value.to_ne_bytes()].concat()
        })
        .collect();
    assert_eq!(value(&meaning, 8), Some(&expected[..]));
    // A lock of nothing is none.
    assert_eq!(value(&add(&Route { mtu: None, mtu_locked: true, ..first() }), 8), None);
}

/// netlink:N-53, netlink:N-54: several ways out, one of them through a gateway of the other
/// family.
#[test]
fn n_54_gateways_of_the_other_family() {
    let six: std::net::Ipv6Addr = "2001:db8::2".parse().unwrap();
    let via = [&10_u16.to_ne_bytes()[..], &six.octets()].concat();
    let interface = Some("wan".into());
    let mixed = NextHop { interface, onlink: true, weight: 256, ..hop("2001:db8::2") };
    let single = add(&plain(RouteKind::Unicast, "0.0.0.0/0", vec![mixed.clone()]));
    assert_eq!(value(&single, 18), Some(&via[..]));
    assert_eq!((value(&single, 1), value(&single, 5)), (None, None), "the default has no prefix");
    assert_eq!(single.fixed[8..], 4_u32.to_ne_bytes());
    let several = add(&plain(RouteKind::Unicast, "0.0.0.0/0", vec![mixed, hop("192.0.2.2")]));
    let mut expected = [&32_u16.to_ne_bytes()[..], &[4, 255], &3_u32.to_ne_bytes()].concat();
    expected.extend([&22_u16.to_ne_bytes()[..], &18_u16.to_ne_bytes(), &via, &[0; 2]].concat());
    expected.extend([&16_u16.to_ne_bytes()[..], &[0, 0], &[0; 4]].concat());
    expected.extend([&8_u16.to_ne_bytes()[..], &5_u16.to_ne_bytes(), &[192, 0, 2, 2]].concat());
    assert_eq!(value(&several, 9), Some(&expected[..]));
    assert_eq!(several.fixed[8..], [0; 4]);
}

/// netlink:N-57: the metric of IPv6 is never 0, so that a request to delete names the right one.
#[test]
fn n_57_metrics_of_ipv6() {
    for (destination, metric, expected) in [
        ("2001:db8::/32", None, Some(1024_u32)),
        ("2001:db8::/32", Some(0), Some(1024)),
        ("2001:db8::/32", Some(5), Some(5)),
        ("192.0.2.0/24", None, None),
        ("192.0.2.0/24", Some(5), Some(5)),
    ] {
        let route = Route { metric, ..plain(RouteKind::Blackhole, destination, vec![]) };
        let expected = expected.map(u32::to_ne_bytes);
        for meaning in [add(&route), delete(&route)] {
            assert_eq!(value(&meaning, 6), expected.as_ref().map(|e| &e[..]), "{metric:?}");
        }
    }
}

/// netlink:N-53, netlink:N-56: a route is known by its place, kind, source and ways out.
#[test]
fn n_56_a_route_is_known_again() {
    let links = links();
    let is = |told: &Route, route: &Route| {
        let mut octets = Vec::new();
        let resolved = Resolved::new(told, &links).unwrap();
        route::encode_add(&mut octets, FIRST, &resolved).unwrap();
        let seen = KernelRoute::decode(only(&octets).payload, false).unwrap().unwrap();
        seen.is(route, &links).unwrap()
    };
    let no_source = Route { source: None, ..first() };
    assert!(is(&first(), &first()) && is(&first(), &no_source));
    assert!(is(&first(), &Route { mtu: None, track: false, ..first() }));
    assert!(!is(&no_source, &first()));
    let hops = |change: fn(&mut NextHop)| {
        let mut route = first();
        route.next_hops.iter_mut().for_each(change);
        route
    };
    assert!(is(&first(), &hops(|hop| hop.interface = None)));
    for other in [
        Route { metric: Some(51), ..first() },
        Route { tos: 8, ..first() },
        Route { table: TableId(101), ..first() },
        Route { destination: prefix("198.51.100.0/25"), ..first() },
        hops(|hop| hop.interface = Some("wan".into())),
        hops(|hop| hop.interface = Some("ppp0".into())),
        hops(|hop| hop.via = Some([192, 0, 2, 3].into())),
        hops(|hop| hop.via = None),
        Route { kind: RouteKind::Blackhole, next_hops: vec![], ..first() },
        Route { next_hops: multipath().next_hops, ..first() },
    ] {
        assert!(!is(&first(), &other), "{other:?}");
        if let Ok(Some(_)) = Resolved::new(&other, &links).map(|_| other.source) {
            assert!(!is(&other, &first()), "{other:?}");
        }
    }
    let mut turned = multipath();
    turned.next_hops.reverse();
    assert!(is(&turned, &multipath()), "IPv6 keeps no order");
    turned.next_hops[0].weight = 4;
    assert!(!is(&turned, &multipath()));
    turned = multipath();
    turned.next_hops.push(hop("192.0.2.4"));
    assert!(!is(&turned, &multipath()) && !is(&multipath(), &turned));
}

/// netlink:N-60: a rule is known by all that it says.
#[test]
fn n_60_a_rule_is_known_again() {
    let read = |told: &Rule| {
        let mut octets = Vec::new();
        rule::encode_add(&mut octets, FIRST, told).unwrap();
        rule::decode(only(&octets).payload).unwrap().unwrap()
    };
    let all = Rule {
        oif: Some("wan".into()),
        ip_protocol: Some(6),
        source_ports: Some((1, 2)),
        destination_ports: Some((80, 81)),
        uid_range: Some((5, 6)),
        tos: 0x10,
        invert: true,
        ..first_rule()
    };
    assert_eq!(read(&all), all);
    for action in [
        RuleAction::Table(TableId(1000)),
        RuleAction::Goto(5),
        RuleAction::Blackhole,
        RuleAction::Unreachable,
        RuleAction::Prohibit,
    ] {
        let rule = bare(Family::V6, 7, action);
        assert_eq!(read(&rule), rule);
    }
    let seen = read(&all);
    assert!(rule::is(&seen, &Rule { track: false, ..all.clone() }));
    assert!(!rule::is(&seen, &Rule { to: None, ..all.clone() }));
    let everything = Rule { from: Some(Prefix::all(Family::V4)), fwmark: Some((0, 0)), ..all };
    let nothing = Rule { from: None, fwmark: None, ..everything.clone() };
    assert!(rule::is(&nothing, &everything));
}

/// netlink:N-50, netlink:N-60: what does not carry our number is not ours.
#[test]
fn n_60_what_others_made_is_theirs() {
    for name in &ROUTES_AND_RULES[1..3] {
        let theirs = load(name);
        assert_eq!(KernelRoute::decode(only(&theirs).payload, false), Ok(None), "{name}");
        assert!(
            !KernelRoute::decode(only(&theirs).payload, true).unwrap().unwrap().is_own,
            "{name}"
        );
    }
    let mut octets = Vec::new();
    rule::encode_add(&mut octets, FIRST, &first_rule()).unwrap();
    // The last attribute but its padding: who made it.
    let at = octets.len() - 4;
    assert_eq!(octets[at], 18);
    octets[at] = 3;
    assert_eq!(rule::decode(only(&octets).payload), Ok(None));
}

#[test]
fn an_interface_that_there_is_not_is_named() {
    let interface = Some("ppp0".into());
    let route =
        plain(RouteKind::Unicast, "0.0.0.0/0", vec![NextHop { interface, ..NextHop::new() }]);
    let error = Resolved::new(&route, &links()).unwrap_err();
    assert_eq!(error.to_string(), "interface \"ppp0\" does not exist (have: hrv0, wan)");
}

#[test]
fn too_many_ways_out_are_no_request() {
    let route = plain(RouteKind::Unicast, "0.0.0.0/0", vec![hop("192.0.2.2"); 5_000]);
    let mut octets = vec![1];
    let links = links();
    let resolved = Resolved::new(&route, &links).unwrap();
    assert!(route::encode_add(&mut octets, FIRST, &resolved).is_err());
    assert_eq!(octets, [1]);
}
