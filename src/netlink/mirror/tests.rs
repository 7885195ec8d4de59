use super::{Fault, Mirror};
use crate::net::{Prefix, Route, RouteKind, Rule, RuleAction, TableId};
use crate::netlink::cache::{Change, Origin, What};
use crate::netlink::frame::{Malformed, PortId, messages};
use crate::units::Family;

const MONITOR: u32 = 100;
const COMMAND: u32 = 101;
const MULTI: u16 = 2;
const INTERRUPTED: u16 = 0x10;
const DONE: u16 = 3;
const ERROR: u16 = 2;
const NEWLINK: u16 = 16;
const DELLINK: u16 = 17;
const NEWADDR: u16 = 20;
const DELADDR: u16 = 21;

fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
    let len = 4 + value.len();
    let mut octets = u16::try_from(len).unwrap().to_ne_bytes().to_vec();
    octets.extend(kind.to_ne_bytes());
    octets.extend(value);
    octets.resize(len.next_multiple_of(4), 0);
    octets
}

fn link(index: u32, name: &str) -> Vec<u8> {
    let mut octets = vec![0; 4];
    octets.extend(index.to_ne_bytes());
    octets.extend(0x41_u32.to_ne_bytes());
    octets.extend([0; 4]);
    octets.extend(attribute(3, &[name.as_bytes(), &[0]].concat()));
    octets
}

fn address(last: u8) -> Vec<u8> {
    let mut octets = vec![2, 24, 0, 0];
    octets.extend(1_u32.to_ne_bytes());
    octets.extend(attribute(1, &[10, 0, 0, last]));
    octets
}

/// A mirror and what it reported.
struct Lab {
    mirror: Mirror,
    changes: Vec<Change>,
}

impl Lab {
    fn new() -> Self {
        let mirror = Mirror::new(PortId(MONITOR), Some(PortId(COMMAND)));
        Self { mirror, changes: Vec::new() }
    }

    fn take(
        &mut self,
        kind: u16,
        flags: u16,
        sequence: u32,
        port: u32,
        payload: &[u8],
    ) -> Result<(), Fault> {
        let mut octets = u32::try_from(16 + payload.len()).unwrap().to_ne_bytes().to_vec();
        octets.extend(kind.to_ne_bytes());
        octets.extend(flags.to_ne_bytes());
        octets.extend(sequence.to_ne_bytes());
        octets.extend(port.to_ne_bytes());
        octets.extend(payload);
        let message = messages(&octets).next().unwrap().unwrap();
        self.mirror.handle(&message, &mut self.changes)
    }

    /// What the mirror asks: the message type and the sequence number.
    fn asked(&mut self) -> Option<(u16, u32)> {
        let octets = self.mirror.request().unwrap()?;
        let message = messages(&octets).next().unwrap().unwrap();
        Some((message.kind, message.sequence.0))
    }

    /// The mirror asks for this type; gives the sequence number.
    #[track_caller]
    fn asks(&mut self, kind: u16) -> u32 {
        let (asked, sequence) = self.asked().expect("a request");
        assert_eq!(asked, kind);
        assert_eq!(self.asked(), None, "one at a time");
        sequence
    }

    fn part(&mut self, kind: u16, sequence: u32, payload: &[u8]) {
        self.take(kind, MULTI, sequence, MONITOR, payload).unwrap();
    }

    fn event(&mut self, kind: u16, payload: &[u8]) {
        self.take(kind, 0, 0, 0, payload).unwrap();
    }

    fn done(&mut self, sequence: u32) {
        self.part(DONE, sequence, &[0; 4]);
    }

    /// A whole dump with the link `a` of index 1 and these addresses.
    fn dump(&mut self, addresses: &[u8]) {
        let sequence = self.asks(18);
        self.part(NEWLINK, sequence, &link(1, "a"));
        self.done(sequence);
        let sequence = self.asks(22);
        for last in addresses {
            self.part(NEWADDR, sequence, &address(*last));
        }
        self.done(sequence);
        assert_eq!(self.asked(), None);
        assert!(self.mirror.is_current());
    }

    /// The last octets of the addresses known.
    fn known(&self) -> Vec<String> {
        let cache = self.mirror.cache();
        let link = cache.link_named("a").map(|link| link.index);
        let addresses = link.into_iter().flat_map(|index| cache.addresses(index));
        addresses.map(|a| a.address.to_string().replace("10.0.0.", "")).collect()
    }
}

// netlink:N-11
#[test]
fn the_first_dump_reports_all_there_is() {
    let mut lab = Lab::new();
    assert!(!lab.mirror.is_current());
    lab.dump(&[1, 2]);
    assert_eq!(lab.changes.len(), 3);
    assert_eq!(lab.known(), ["1", "2"]);
}

#[test]
fn an_event_before_its_part_is_older_and_one_after_it_newer() {
    let mut lab = Lab::new();
    lab.dump(&[1]);
    lab.mirror.overrun();
    let sequence = lab.asks(18);
    lab.event(NEWLINK, &link(7, "late"));
    lab.part(NEWLINK, sequence, &link(1, "a"));
    lab.event(NEWLINK, &link(8, "new"));
    lab.event(DELLINK, &link(7, "late"));
    lab.done(sequence);
    let sequence = lab.asks(22);
    lab.event(DELADDR, &address(2));
    lab.part(NEWADDR, sequence, &address(2));
    lab.part(NEWADDR, sequence, &address(3));
    lab.event(DELADDR, &address(3));
    lab.event(NEWADDR, &address(4));
    lab.done(sequence);
    assert_eq!(lab.known(), ["2", "4"], "order apart: 4 by event, 2 by dump");
    assert!(lab.mirror.cache().link_named("new").is_some());
    assert!(lab.mirror.cache().link_named("late").is_none());
}

// netlink:N-8
#[test]
fn an_interrupted_dump_is_repeated() {
    for interrupted in [NEWLINK, DONE] {
        let mut lab = Lab::new();
        lab.dump(&[1]);
        lab.mirror.overrun();
        let sequence = lab.asks(18);
        let payload = if interrupted == DONE { vec![0; 4] } else { link(2, "b") };
        lab.take(interrupted, MULTI | INTERRUPTED, sequence, MONITOR, &payload).unwrap();
        if interrupted != DONE {
            lab.done(sequence);
        }
        assert!(!lab.mirror.is_current());
        assert_eq!(lab.known(), ["1"], "half a picture is none");
        lab.dump(&[2]);
        assert_eq!(lab.known(), ["2"]);
    }
}

// netlink:N-10
#[test]
fn what_an_overrun_hid_is_reported_by_comparison() {
    let mut lab = Lab::new();
    lab.dump(&[1, 2]);
    lab.changes.clear();
    lab.mirror.overrun();
    assert!(!lab.mirror.is_current());
    lab.dump(&[2, 3]);
    let what: Vec<bool> = lab
        .changes
        .iter()
        .map(|change| matches!(&change.what, What::Address { after: Some(_), .. }))
        .collect();
    assert_eq!(what, [false, true], "1 is gone, 3 is new");
}

#[test]
fn an_overrun_during_the_dump_repeats_it() {
    let mut lab = Lab::new();
    let sequence = lab.asks(18);
    lab.mirror.overrun();
    assert_eq!(lab.asked(), None, "the kernel runs one dump at a time");
    lab.done(sequence);
    lab.dump(&[1]);
}

// netlink:N-7, netlink:N-47
#[test]
fn news_is_told_apart_by_port_and_sequence() {
    let mut lab = Lab::new();
    lab.dump(&[]);
    lab.changes.clear();
    lab.take(NEWADDR, 0, 5, COMMAND, &address(1)).unwrap();
    lab.take(NEWADDR, 0, 5, 999, &address(2)).unwrap();
    let origins: Vec<Origin> = lab.changes.iter().map(|change| change.origin).collect();
    assert_eq!(origins, [Origin::Own, Origin::Other]);
    // An end that is not ours ends nothing.
    lab.mirror.overrun();
    let sequence = lab.asks(18);
    for (sequence, port) in [(sequence + 1, MONITOR), (sequence, COMMAND)] {
        lab.take(DONE, MULTI, sequence, port, &[0; 4]).unwrap();
        assert_eq!(lab.asked(), None);
    }
    lab.done(sequence);
    lab.asks(22);
}

#[test]
fn a_dump_that_fails_is_repeated() {
    let busy = (-16_i32).to_ne_bytes();
    for kind in [DONE, ERROR] {
        let mut lab = Lab::new();
        let sequence = lab.asks(18);
        let payload = [&busy[..], &[0; 16]].concat();
        let payload = if kind == DONE { &busy[..] } else { &payload };
        let flags = if kind == DONE { MULTI } else { 0x100 };
        let fault = lab.take(kind, flags, sequence, MONITOR, payload).unwrap_err();
        assert!(matches!(fault, Fault::Dump(_)) && fault.is_transient(), "{fault}");
        lab.dump(&[1]);
    }
    let mut lab = Lab::new();
    let sequence = lab.asks(18);
    let refused = (-1_i32).to_ne_bytes();
    let fault = lab.take(DONE, MULTI, sequence, MONITOR, &refused).unwrap_err();
    assert!(!fault.is_transient());
}

#[test]
fn what_is_malformed_is_skipped() {
    let mut lab = Lab::new();
    lab.dump(&[1]);
    for payload in [&[][..], &[0; 16], &[0; 17]] {
        let fault = lab.take(NEWLINK, 0, 0, 0, payload).unwrap_err();
        assert!(matches!(fault, Fault::Malformed(Malformed::Length | Malformed::Body)));
        assert!(lab.mirror.is_current());
    }
}

// netlink:N-24
#[test]
fn other_families_and_types_are_ignored() {
    let mut lab = Lab::new();
    lab.dump(&[1]);
    lab.changes.clear();
    let mut bridge = link(1, "a");
    bridge[0] = 7;
    lab.event(DELLINK, &bridge);
    let mut other = address(1);
    other[0] = 28;
    lab.event(DELADDR, &other);
    lab.event(24, &[1, 2, 3]);
    assert_eq!(lab.changes, []);
}

const NEWROUTE: u16 = 24;
const DELROUTE: u16 = 25;
const NEWRULE: u16 = 32;
const REPLACE: u16 = 0x100;

/// A route that drops 10.N.0.0/16, in this table.
pub fn dropped(n: u8, table: u32) -> Route {
    Route {
        kind: RouteKind::Blackhole,
        destination: Prefix { address: [10, n, 0, 0].into(), len: 16 },
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
        next_hops: Vec::new(),
        track: true,
    }
}

pub fn prohibit(priority: u32) -> Rule {
    Rule {
        family: Family::V6,
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
        action: RuleAction::Prohibit,
        suppress_prefix_len: None,
        track: true,
    }
}

/// The same as the kernel tells of it.
fn told(n: u8, table: u8, protocol: u8) -> Vec<u8> {
    let mut octets = vec![2, 16, 0, 0, table, protocol, 0, 6, 0, 0, 0, 0];
    octets.extend(attribute(1, &[10, n, 0, 0]));
    octets
}

fn told_rule(priority: u32) -> Vec<u8> {
    let mut octets = vec![10, 0, 0, 0, 0, 0, 0, 8, 0, 0, 0, 0];
    octets.extend(attribute(6, &priority.to_ne_bytes()));
    octets.extend(attribute(21, &[18]));
    octets
}

impl Lab {
    /// Watches two routes in two tables and a rule; all is read, and none of them is there.
    fn watching() -> Self {
        let mut lab = Self::new();
        lab.dump(&[1]);
        lab.changes.clear();
        lab.mirror.set_watch(&[dropped(1, 100), dropped(2, 254)], &[prohibit(5)]);
        assert!(!lab.mirror.is_current());
        lab.tables(|_, _| {});
        assert!(lab.presence().is_empty());
        lab
    }

    /// The dump of the watched tables, each with what `parts` says of it by number.
    fn tables(&mut self, mut parts: impl FnMut(&mut Self, (usize, u32))) {
        for (number, asked) in [26, 26, 34].into_iter().enumerate() {
            let sequence = self.asks(asked);
            parts(self, (number, sequence));
            self.done(sequence);
        }
        assert_eq!(self.asked(), None);
        assert!(self.mirror.is_current());
    }

    /// What was reported of routes and rules since the last call.
    fn presence(&mut self) -> Vec<bool> {
        let changes = std::mem::take(&mut self.changes).into_iter();
        changes
            .filter_map(|change| match change.what {
                What::Route { present, .. } | What::Rule { present, .. } => Some(present),
                What::Link { .. } | What::Address { .. } => None,
            })
            .collect()
    }
}

#[test]
fn watched_routes_and_rules_are_known_by_dump_and_event() {
    let mut lab = Lab::watching();
    lab.event(NEWROUTE, &told(1, 100, 18));
    lab.event(NEWROUTE, &told(1, 100, 18));
    lab.event(NEWROUTE, &told(2, 254, 3));
    lab.event(NEWROUTE, &told(3, 254, 18));
    assert_eq!(lab.presence(), [true], "once, and nobody else's");
    assert!(lab.mirror.watch().has_route(&dropped(1, 100)));
    lab.mirror.overrun();
    let sequence = lab.asks(18);
    lab.part(NEWLINK, sequence, &link(1, "a"));
    lab.done(sequence);
    let sequence = lab.asks(22);
    lab.part(NEWADDR, sequence, &address(1));
    lab.done(sequence);
    lab.tables(|lab, (number, sequence)| match number {
        1 => lab.part(NEWROUTE, sequence, &told(2, 254, 18)),
        2 => lab.part(NEWRULE, sequence, &told_rule(5)),
        _ => {}
    });
    assert_eq!(lab.presence(), [false, true, true]);
    lab.event(DELROUTE, &told(2, 254, 18));
    assert_eq!(lab.presence(), [false]);
    // What stays in the configuration is still known.
    lab.mirror.set_watch(&[], &[prohibit(5)]);
    assert!(lab.mirror.watch().has_rule(&prohibit(5)));
    lab.mirror.set_watch(&[], &[]);
    assert_eq!(lab.asked(), None, "nothing to read");
    lab.event(NEWROUTE, &[1, 2, 3]);
    assert!(lab.mirror.is_current());
}

#[test]
fn an_event_during_the_dump_of_routes_counts() {
    let mut lab = Lab::watching();
    lab.event(NEWROUTE, &told(1, 100, 18));
    lab.mirror.set_watch(&[dropped(1, 100), dropped(2, 254)], &[prohibit(5)]);
    lab.tables(|lab, (number, sequence)| {
        if number == 0 {
            lab.part(NEWROUTE, sequence, &told(1, 100, 18));
            lab.event(DELROUTE, &told(1, 100, 18));
            lab.event(NEWROUTE, &told(2, 254, 18));
        }
    });
    // The second was dumped before it was added.
    assert_eq!(lab.presence(), [true, false, true]);
    assert!(lab.mirror.watch().has_route(&dropped(2, 254)));
}

/// netlink:N-8: the others know already; only the tables are read again.
#[test]
fn an_interrupted_dump_of_routes_is_repeated() {
    let mut lab = Lab::watching();
    lab.event(NEWROUTE, &told(1, 100, 18));
    lab.event(NEWRULE, &told_rule(5));
    lab.presence();
    lab.mirror.set_watch(&[dropped(1, 100), dropped(2, 254)], &[prohibit(5)]);
    let sequence = lab.asks(26);
    lab.take(DONE, MULTI | INTERRUPTED, sequence, MONITOR, &[0; 4]).unwrap();
    assert!(lab.presence().is_empty());
    lab.tables(|lab, (number, sequence)| {
        if number == 0 {
            lab.part(NEWROUTE, sequence, &told(1, 100, 18));
        }
    });
    assert_eq!(lab.presence(), [false], "the rule is gone");
}

#[test]
fn a_table_that_there_is_not_has_no_routes() {
    let mut lab = Lab::watching();
    lab.mirror.set_watch(&[dropped(1, 100)], &[prohibit(5)]);
    let sequence = lab.asks(26);
    let missing = (-2_i32).to_ne_bytes();
    lab.take(DONE, MULTI, sequence, MONITOR, &missing).unwrap();
    let sequence = lab.asks(34);
    let fault = lab.take(DONE, MULTI, sequence, MONITOR, &missing).map(|()| lab.asked());
    assert_eq!(fault, Ok(None));
    lab.mirror.set_watch(&[dropped(1, 100)], &[]);
    let sequence = lab.asks(26);
    let refused = (-1_i32).to_ne_bytes();
    let fault = lab.take(DONE, MULTI, sequence, MONITOR, &refused).unwrap_err();
    assert!(!fault.is_transient(), "{fault}");
    assert!(!lab.mirror.is_current());
}

/// netlink:N-58
#[test]
fn what_takes_routes_along_makes_them_read_again() {
    let mut lab = Lab::watching();
    let mut without_carrier = link(1, "a");
    without_carrier[8..12].copy_from_slice(&1_u32.to_ne_bytes());
    lab.event(NEWLINK, &without_carrier);
    lab.event(NEWADDR, &address(2));
    assert!(lab.mirror.is_current());
    let mut down = link(1, "a");
    down[8..12].copy_from_slice(&0_u32.to_ne_bytes());
    lab.event(NEWLINK, &down);
    lab.tables(|_, _| {});
    lab.event(DELADDR, &address(2));
    lab.tables(|_, _| {});
    lab.event(DELLINK, &down);
    // It was down, yet its address went with it.
    lab.tables(|_, _| {});
    lab.mirror.set_watch(&[], &[]);
    lab.event(NEWLINK, &link(1, "a"));
    lab.event(DELLINK, &down);
    assert!(lab.mirror.is_current(), "nothing is watched");
}

/// netlink:N-58: somebody's route may have taken the place of ours.
#[test]
fn what_is_done_at_the_place_of_a_route_makes_it_read_again() {
    let mut lab = Lab::watching();
    lab.take(NEWROUTE, REPLACE, 0, 0, &told(1, 100, 3)).unwrap();
    assert!(lab.mirror.is_current(), "ours is not there anyway");
    lab.event(NEWROUTE, &told(1, 100, 18));
    lab.event(NEWROUTE, &told(1, 100, 3));
    assert!(lab.mirror.is_current(), "beside ours");
    lab.take(NEWROUTE, REPLACE, 0, 0, &told(1, 100, 3)).unwrap();
    assert_eq!(lab.presence(), [true]);
    lab.tables(|_, _| {});
    assert_eq!(lab.presence(), [false]);
}

/// netlink:N-58: the kernel takes routes with an address, without a word or with one of its own.
#[test]
fn a_route_that_the_kernel_took_is_told_from_one_that_was_removed() {
    let route = dropped(1, 100);
    let mut lab = Lab::watching();
    let there = |lab: &mut Lab, kind: u16, flags: u16, port: u32, protocol: u8| {
        lab.take(NEWROUTE, 0, 0, COMMAND, &told(1, 100, 18)).unwrap();
        assert!(!lab.mirror.watch().went_along(&route), "it is there");
        lab.take(kind, flags, 0, port, &told(1, 100, protocol)).unwrap();
    };
    there(&mut lab, DELROUTE, 0, 7, 18);
    assert!(!lab.mirror.watch().went_along(&dropped(1, 100)), "somebody removed it");
    there(&mut lab, DELROUTE, 0, 0, 18);
    assert!(lab.mirror.watch().went_along(&dropped(1, 100)));
    // Somebody's takes its place.
    there(&mut lab, NEWROUTE, REPLACE, 7, 3);
    lab.tables(|_, _| {});
    assert!(!lab.mirror.watch().went_along(&dropped(1, 100)));
    // It is missing after an address went.
    lab.take(NEWROUTE, 0, 0, COMMAND, &told(1, 100, 18)).unwrap();
    lab.event(NEWADDR, &address(2));
    lab.event(DELADDR, &address(2));
    lab.tables(|_, _| {});
    assert!(lab.mirror.watch().went_along(&dropped(1, 100)));
    assert!(!lab.mirror.watch().went_along(&dropped(2, 254)), "it was never there");
}
