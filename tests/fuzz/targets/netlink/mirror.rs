//! The mirror of links, addresses, routes and rules, fed with anything.

use std::collections::BTreeMap;
use std::net::IpAddr;

use steadfast::net::{NextHop, Prefix, Route, RouteKind, Rule, RuleAction, TableId};
use steadfast::netlink::address::Address;
use steadfast::netlink::cache::{Cache, Change, Origin, What};
use steadfast::netlink::event::Event;
use steadfast::netlink::frame::{PortId, Sequence, messages};
use steadfast::netlink::link::{Link, LinkFlags, LinkIndex};
use steadfast::netlink::mirror::Mirror;
use steadfast::netlink::route::Resolved;
use steadfast::netlink::{route, rule};
use steadfast::units::Family;

use super::super::input::Input;
use super::{datagram, decode, only};

const PORT: u32 = 77;
const OWN: u32 = 88;
const DONE: u16 = 3;
const MULTI: u16 = 2;
/// Rounds until a mirror is current: links, addresses, and a table for each thing watched.
const ROUNDS: usize = 20;
/// Steps of one run: longer ones find nothing more.
const STEPS: usize = 100;

/// Puts a link into a cache.
pub fn add_link(cache: &mut Cache, index: u32, name: &str) {
    let link = Link {
        index: LinkIndex(index),
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

/// What follows from the changes alone.
#[derive(Default)]
struct Picture {
    links: BTreeMap<LinkIndex, Link>,
    addresses: Vec<Address>,
    routes: Vec<Route>,
    rules: Vec<Rule>,
}

impl Picture {
    fn change(&mut self, change: Change) {
        match change.what {
            What::Link { before, after } => {
                let index = before.as_ref().or(after.as_ref()).expect("one of them").index;
                let known = match &after {
                    Some(after) => self.links.insert(index, after.clone()),
                    None => self.links.remove(&index),
                };
                assert_eq!(known, before, "what was known of a link");
                assert_ne!(before, after, "no change is no news");
            }
            What::Address { before, after } => {
                let any = before.as_ref().or(after.as_ref()).expect("one of them");
                let at = self.addresses.iter().position(|known| known.is_same(any));
                let known = at.map(|at| self.addresses.swap_remove(at));
                assert_eq!(known, before, "what was known of an address");
                assert_ne!(before, after, "no change is no news");
                self.addresses.extend(after);
            }
            What::Route { route, present } => {
                let at = self.routes.iter().position(|known| *known == *route);
                assert_eq!(at.is_none(), present, "no change is no news");
                match at {
                    Some(at) => drop(self.routes.swap_remove(at)),
                    None => self.routes.push(*route),
                }
            }
            What::Rule { rule, present } => {
                let at = self.rules.iter().position(|known| *known == *rule);
                assert_eq!(at.is_none(), present, "no change is no news");
                match at {
                    Some(at) => drop(self.rules.swap_remove(at)),
                    None => self.rules.push(*rule),
                }
            }
        }
    }

    fn compare(&self, mirror: &Mirror) {
        let cache = mirror.cache();
        assert!(self.links.values().eq(cache.links()), "links");
        let mut count = 0;
        for link in self.links.values() {
            let named = cache.link_named(&link.name).expect("its name is known");
            assert_eq!(named.name, link.name, "the link of that name");
            let interface = cache.interface(&link.name, |_| false).expect("it is there");
            assert!(interface.ipv6.is_none_or(|address| address.is_unicast_link_local()));
        }
        for known in &self.addresses {
            let mut all = cache.addresses(known.link);
            assert!(all.any(|address| address == known), "{known:?} is not there");
            count += 1;
        }
        assert_eq!(count, self.addresses.len());
        for route in routes() {
            assert_eq!(mirror.watch().has_route(route), self.routes.contains(route));
        }
        for rule in rules() {
            assert_eq!(mirror.watch().has_rule(rule), self.rules.contains(rule));
        }
    }
}

thread_local! {
    static ROUTES: &'static [Route] = Vec::leak(made_routes());
    static RULES: &'static [Rule] = Vec::leak(made_rules());
}

fn routes() -> &'static [Route] {
    ROUTES.with(|routes| *routes)
}

fn rules() -> &'static [Rule] {
    RULES.with(|rules| *rules)
}

fn made_routes() -> Vec<Route> {
    let prefix = |address: &str, len| Prefix { address: address.parse().expect("it is one"), len };
    let route = |destination, via: &str, metric, table| Route {
        kind: RouteKind::Unicast,
        destination,
        tos: 0,
        table,
        metric,
        source: None,
        scope: None,
        mtu: None,
        mtu_locked: false,
        advmss: None,
        initcwnd: None,
        initrwnd: None,
        hop_limit: None,
        next_hops: vec![NextHop {
            via: via.parse().ok(),
            interface: Some("a".into()),
            ..NextHop::new()
        }],
        track: true,
    };
    let mut several = route(Prefix::all(Family::V4), "10.0.0.9", None, TableId::MAIN);
    several.next_hops.push(NextHop { weight: 2, ..several.next_hops[0].clone() });
    vec![
        route(prefix("10.9.0.0", 16), "10.0.0.1", None, TableId::MAIN),
        route(prefix("2001:db8::", 32), "fe80::1", Some(5), TableId(1000)),
        several,
    ]
}

fn made_rules() -> Vec<Rule> {
    let source: IpAddr = [10, 8, 0, 0].into();
    vec![Rule {
        family: Family::V4,
        priority: 500,
        invert: false,
        from: Some(Prefix { address: source, len: 16 }),
        to: None,
        iif: Some("a".into()),
        oif: None,
        tos: 0,
        fwmark: Some((1, u32::MAX)),
        ip_protocol: None,
        source_ports: None,
        destination_ports: None,
        uid_range: None,
        action: RuleAction::Table(TableId(1000)),
        suppress_prefix_len: None,
        track: true,
    }]
}

/// Messages that the mirror knows what to do with, to be changed a little.
fn known(input: &mut Input<'_>) -> (u16, Vec<u8>) {
    let mut octets = Vec::new();
    let number = input.u8();
    if number & 1 == 0 {
        let routes = routes();
        let mut cache = Cache::new();
        add_link(&mut cache, 1 + u32::from(number >> 6), "a");
        let route = &routes[usize::from(number >> 1) % routes.len()];
        let resolved = Resolved::new(route, &cache).expect("the link is there");
        route::encode_add(&mut octets, Sequence(1), &resolved).expect("it is short");
        (if number & 0x20 == 0 { 24 } else { 25 }, only(&octets).payload.to_vec())
    } else {
        rule::encode_add(&mut octets, Sequence(1), &rules()[0]).expect("it is short");
        (if number & 0x20 == 0 { 32 } else { 33 }, only(&octets).payload.to_vec())
    }
}

/// A link or an address of a small world.
fn small(input: &mut Input<'_>) -> (u16, Vec<u8>) {
    let [kind, number, more] = input.array();
    let index = u32::from(number & 3) + 1;
    let mut body = Vec::new();
    let attribute = |body: &mut Vec<u8>, kind: u16, value: &[u8]| {
        body.extend(u16::try_from(4 + value.len()).expect("short").to_ne_bytes());
        body.extend(kind.to_ne_bytes());
        body.extend(value);
        body.resize(body.len().next_multiple_of(4), 0);
    };
    if kind & 1 == 0 {
        body.extend([0, 0, 1, 0]);
        body.extend(index.to_ne_bytes());
        body.extend(u32::from(more).to_ne_bytes());
        body.extend([0; 4]);
        attribute(&mut body, 3, &[b'a' + ((number >> 2) & 3), 0]);
        (if kind & 6 == 6 { 17 } else { 16 }, body)
    } else {
        let four = kind & 8 == 0;
        body.extend([if four { 2 } else { 10 }, 24, more & 0xe1, (more & 6) << 4]);
        body.extend(index.to_ne_bytes());
        let host = number >> 2;
        if four {
            attribute(&mut body, 2, &[10, 0, 0, host]);
            attribute(&mut body, 1, &[10, 0, 0, if more & 8 == 0 { host } else { 9 }]);
        } else {
            let mut address = [0; 16];
            (address[0], address[1], address[15]) = (0xfe, 0x80, host);
            attribute(&mut body, 1, &address);
        }
        (if kind & 6 == 6 { 21 } else { 20 }, body)
    }
}

pub fn run(input: &mut Input<'_>) {
    let mut mirror = Mirror::new(PortId(PORT), Some(PortId(OWN)));
    let mut picture = Picture::default();
    let mut changes = Vec::new();
    let mut sequence = 0;
    if input.flag() {
        mirror.set_watch(routes(), rules());
    }
    for _ in 0..STEPS {
        if input.is_empty() {
            break;
        }
        let step = input.u8();
        match step % 8 {
            0 => {
                if let Some(octets) = mirror.request().expect("requests have a fixed length") {
                    sequence = only(&octets).sequence.0;
                    assert_ne!(sequence, 0, "0 is the kernel's own");
                }
            }
            1 => mirror.overrun(),
            2 if step >= 240 => {
                // A reload: what is watched no more is forgotten.
                let keep = usize::from(step & 1);
                mirror.set_watch(&routes()[..keep], &[]);
                picture.routes.retain(|route| routes()[..keep].contains(route));
                picture.rules.clear();
                mirror.set_watch(routes(), rules());
            }
            _ => {
                let (kind, mut body) = match step % 8 {
                    2 => (input.one_of(&[DONE, 2, 4]), input.some().to_vec()),
                    3 => known(input),
                    4 => (input.u16(), input.some().to_vec()),
                    5 => (input.one_of(&[16, 17, 20, 21, 24, 25, 32, 33]), input.some().to_vec()),
                    _ => small(input),
                };
                let [at, change, flags] = input.array();
                if change != 0 && !body.is_empty() {
                    let at = usize::from(at) % body.len();
                    body[at] ^= change;
                }
                // Mostly an answer to the last request; flags are those that mean something.
                let (sequence, port) = match step >> 6 {
                    0 | 1 => (sequence, PORT),
                    2 => (0, 0),
                    _ => (u32::from(change), OWN),
                };
                let flags = u16::from(flags & 0x13) | (u16::from(flags & 0xe0) << 3);
                let datagram = datagram(kind, flags, sequence, port, &body);
                for message in messages(&datagram).map_while(Result::ok) {
                    decode(&message);
                    if let Err(fault) = mirror.handle(&message, &mut changes) {
                        assert!(!fault.to_string().is_empty());
                    }
                }
            }
        }
        changes.drain(..).for_each(|change| picture.change(change));
    }
    picture.compare(&mirror);
    settle(&mut mirror, &mut picture);
}

/// Whatever was said before: after an overrun and a clean answer to each question, the mirror shows
/// what there is, which is nothing but one link.
fn settle(mirror: &mut Mirror, picture: &mut Picture) {
    mirror.overrun();
    let mut changes = Vec::new();
    let mut link = vec![0; 16];
    link[4] = 5;
    link.extend([6, 0, 3, 0, b'z', 0, 0, 0]);
    let mut pending = None;
    for _ in 0..ROUNDS {
        if mirror.is_current() {
            break;
        }
        match mirror.request().expect("requests have a fixed length") {
            Some(octets) => {
                let request = only(&octets);
                pending = Some(request.sequence.0);
                if request.kind == 18 {
                    let part = datagram(16, MULTI, request.sequence.0, PORT, &link);
                    let _ = mirror.handle(&only(&part), &mut changes);
                }
            }
            // One was under way already: it ends, with whatever number it has.
            None => pending = pending.or(Some(last_sequence(mirror))),
        }
        if let Some(sequence) = pending {
            let end = datagram(DONE, MULTI, sequence, PORT, &[0; 4]);
            let _ = mirror.handle(&only(&end), &mut changes);
        }
    }
    assert!(mirror.is_current(), "it does not settle: {mirror:?}");
    changes.drain(..).for_each(|change| picture.change(change));
    picture.compare(mirror);
    let names: Vec<&str> = mirror.cache().links().map(|link| &*link.name).collect();
    assert_eq!(names, ["z"], "what there is");
    assert!(picture.addresses.is_empty() && picture.routes.is_empty() && picture.rules.is_empty());
}

/// The number of the running dump, from its description: nothing else shows it.
fn last_sequence(mirror: &Mirror) -> u32 {
    let shown = format!("{mirror:?}");
    let (_, rest) = shown.split_once("sequence: Sequence(").expect("a mirror has one");
    rest.split(')').next().and_then(|number| number.parse().ok()).expect("it is a number")
}
