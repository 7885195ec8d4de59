use super::{Fault, Mirror};
use crate::netlink::cache::{Change, Origin, What};
use crate::netlink::frame::{Malformed, PortId, messages};

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
        self.mirror.take(&message, &mut self.changes)
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
        let addresses = link.map_or(&[][..], |index| cache.addresses(index));
        addresses.iter().map(|a| a.address.to_string().replace("10.0.0.", "")).collect()
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
