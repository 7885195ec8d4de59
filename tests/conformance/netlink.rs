//! Netlink: the captured requests are written as iproute2 wrote them, and no octets make the
//! reader panic.
#![cfg(test)]

use steadfast::net::{Broadcast, Scope, VirtualAddress};
use steadfast::netlink::address::{self, Address, AddressFlags, ScopeNumber};
use steadfast::netlink::error::Reply;
use steadfast::netlink::event::Event;
use steadfast::netlink::frame::{Flags, Malformed, Message, Sequence, attributes, messages};
use steadfast::netlink::link::{self, Link, LinkIndex};
use steadfast::netlink::route::KernelRoute;
use steadfast::netlink::rule;

use crate::routes::{links, multipath};
use crate::vectors::{load, names};

/// Vectors that these tests reproduce.
pub const REPRODUCED: &[&str] =
    &["nl-01-newaddr4", "nl-02-newaddr4-peer", "nl-03-newaddr6", "nl-04-deladdr4"];

pub const LINK: LinkIndex = LinkIndex(2);
pub const FIRST: Sequence = Sequence(1);

/// A request as far as it has a meaning: type, flags, fixed part, attributes in order of types.
#[derive(PartialEq, Debug)]
pub struct Meaning {
    pub kind: u16,
    pub flags: Flags,
    sequence: Sequence,
    pub fixed: Vec<u8>,
    pub attributes: Vec<(u16, Vec<u8>)>,
}

pub fn only(octets: &[u8]) -> Message<'_> {
    let found: Vec<_> = messages(octets).collect();
    assert_eq!(found.len(), 1);
    found[0].unwrap()
}

pub fn meaning(octets: &[u8]) -> Meaning {
    let message = only(octets);
    let is_address = (20..24).contains(&message.kind);
    let (fixed, rest) = message.payload.split_at(if is_address { 8 } else { 12 });
    let mut attributes: Vec<_> =
        attributes(rest).map(|a| a.map(|(kind, value)| (kind, value.to_vec())).unwrap()).collect();
    attributes.sort();
    let Message { kind, flags, sequence, .. } = message;
    Meaning { kind, flags, sequence, fixed: fixed.to_vec(), attributes }
}

fn virtual_address(text: &str, prefix_len: u8) -> VirtualAddress {
    VirtualAddress::new(text.parse().unwrap(), prefix_len)
}

/// The address of vector nl-01.
fn first() -> VirtualAddress {
    VirtualAddress {
        label: Some("hrv0:v".into()),
        broadcast: Some(Broadcast::Ones),
        no_prefix_route: true,
        ..virtual_address("192.0.2.100", 24)
    }
}

fn add(address: &VirtualAddress) -> Vec<u8> {
    let mut octets = Vec::new();
    address::encode_add(&mut octets, FIRST, LINK, address).unwrap();
    octets
}

fn delete(address: &VirtualAddress) -> Vec<u8> {
    let mut octets = Vec::new();
    address::encode_delete(&mut octets, FIRST, LINK, address).unwrap();
    octets
}

/// Takes out who made an address, which iproute2 leaves out: the type of the attribute is 11.
fn without_protocol(mut meaning: Meaning) -> Meaning {
    let len = meaning.attributes.len();
    meaning.attributes.retain(|attribute| *attribute != (11, vec![18]));
    assert_eq!(len - meaning.attributes.len(), usize::from(meaning.kind == 20), "one, to add");
    meaning
}

/// The vectors are of a little-endian host, as netlink's numbers are in host order.
#[cfg(target_endian = "little")]
#[test]
fn n_40_to_44_requests_are_as_captured() {
    let peer =
        VirtualAddress { peer: Some([10, 9, 0, 2].into()), ..virtual_address("10.9.0.1", 32) };
    let six = VirtualAddress {
        home: true,
        preferred_lifetime: Some(0),
        ..virtual_address("2001:db8::100", 64)
    };
    let ours = [add(&first()), add(&peer), add(&six), delete(&first())];
    for (name, ours) in REPRODUCED.iter().zip(ours) {
        let theirs = load(name);
        assert_eq!(without_protocol(meaning(&ours)), meaning(&theirs), "{name}");
    }
}

/// The type and value of an attribute of a request to add.
fn attribute(address: &VirtualAddress, kind: u16) -> Option<Vec<u8>> {
    let meaning = meaning(&add(address));
    meaning.attributes.into_iter().find(|(found, _)| *found == kind).map(|(_, value)| value)
}

// netlink:N-40
#[test]
fn n_40_broadcast() {
    use Broadcast::{Address, Ones, Zeros};
    let explicit = [192, 0, 2, 7];
    for (len, broadcast, expected) in [
        (24, None, None),
        (24, Some(Ones), Some([192, 0, 2, 255])),
        (24, Some(Zeros), Some([192, 0, 2, 0])),
        (0, Some(Ones), Some([255, 255, 255, 255])),
        (30, Some(Ones), Some([192, 0, 2, 103])),
        (31, Some(Ones), None),
        (32, Some(Zeros), None),
        (32, Some(Address(explicit.into())), Some(explicit)),
    ] {
        let address = VirtualAddress { broadcast, ..virtual_address("192.0.2.100", len) };
        let found = attribute(&address, 4);
        assert_eq!(found.as_deref(), expected.as_ref().map(|e| &e[..]), "/{len} {broadcast:?}");
    }
    // The prefix is the peer's.
    let peer = Some([10, 0, 0, 1].into());
    let address = VirtualAddress { peer, ..first() };
    assert_eq!(attribute(&address, 4).unwrap(), [10, 0, 0, 255]);
    let six = VirtualAddress { broadcast: Some(Ones), ..virtual_address("2001:db8::1", 64) };
    assert_eq!(attribute(&six, 4), None);
}

/// netlink:N-44: RTM_SETLINK, with the setting in four nested attributes.
#[cfg(target_endian = "little")]
#[test]
fn n_44_promote_secondaries() {
    let mut octets = Vec::new();
    link::encode_promote(&mut octets, Sequence(1), LinkIndex(3), true).unwrap();
    let header = [52, 0, 0, 0, 19, 0, 5, 0, 1, 0, 0, 0, 0, 0, 0, 0];
    let body = [0, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0];
    assert_eq!(octets[..16], header);
    assert_eq!(octets[16..24], body[..8]);
    let nested = [20, 0, 26, 0, 16, 0, 2, 0, 12, 0, 1, 0, 8, 0, 20, 0, 1, 0, 0, 0];
    assert_eq!(octets[32..], nested);
}

/// netlink:N-44: an array of 32-bit numbers, the first one is the setting with number 1.
#[cfg(target_endian = "little")]
#[test]
fn n_44_promote_secondaries_of_a_link() {
    let link = |value: Option<usize>| {
        let mut settings = [[0_u8; 4]; 33];
        if let Some(place) = value {
            settings[place] = [1, 0, 0, 0];
        }
        let attribute = |kind: u8, inner: &[u8]| {
            [&[u8::try_from(inner.len()).unwrap() + 4, 0, kind, 0], inner].concat()
        };
        let families = attribute(2, &attribute(1, settings.as_flattened()));
        let mut payload = vec![0, 0, 1, 0, 3, 0, 0, 0, 0x41, 0, 0, 0, 0, 0, 0, 0];
        payload.extend(attribute(3, b"eth0\0\0\0\0"));
        payload.extend(attribute(26, &families));
        Link::decode(&payload).unwrap().unwrap().promotes
    };
    assert_eq!(
        [Some(18), Some(19), Some(20), None].map(link),
        [false, true, false, false].map(Some)
    );
}

// netlink:N-41
#[test]
fn n_41_ipv6_defaults() {
    const NODAD: u8 = 2;
    let flags = |address: &VirtualAddress| meaning(&add(address)).fixed[2];
    let host = virtual_address("2001:db8::1", 128);
    assert_eq!(flags(&host), NODAD);
    assert_eq!(flags(&VirtualAddress { dad: true, ..host.clone() }), 0);
    let home = VirtualAddress { home: true, dad: true, ..host.clone() };
    assert_eq!(flags(&home), 0x10);
    let lifetimes = |address: &VirtualAddress| {
        attribute(address, 6).map(|value| value.first_chunk().copied().map(u64::from_ne_bytes))
    };
    let pair = |preferred: u32| {
        let pair = [preferred, u32::MAX].map(u32::to_ne_bytes).concat();
        Some(pair.first_chunk().copied().map(u64::from_ne_bytes))
    };
    assert_eq!(lifetimes(&host), pair(0));
    let short = VirtualAddress { preferred_lifetime: Some(60), ..host.clone() };
    assert_eq!(lifetimes(&short), pair(60));
    let long = VirtualAddress { preferred_lifetime: Some(u32::MAX), ..host };
    assert_eq!(lifetimes(&long), None);
    assert_eq!(lifetimes(&virtual_address("2001:db8::1", 64)), pair(0));
    // Without meaning for IPv4.
    let four = VirtualAddress { preferred_lifetime: Some(0), ..virtual_address("10.0.0.1", 32) };
    assert_eq!(lifetimes(&four), None);
    assert_eq!(flags(&four), 0);
}

// netlink:N-42
#[test]
fn n_42_scopes() {
    for (scope, number) in [
        (Scope::Global, 0),
        (Scope::Site, 200),
        (Scope::Link, 253),
        (Scope::Host, 254),
        (Scope::Nowhere, 255),
    ] {
        assert_eq!(meaning(&add(&VirtualAddress { scope, ..first() })).fixed[3], number);
    }
}

#[test]
fn a_label_that_is_too_long_for_an_attribute_is_refused() {
    let label = Some("x".repeat(65_532).into());
    let address = VirtualAddress { label, ..first() };
    let mut octets = vec![1];
    assert!(address::encode_add(&mut octets, FIRST, LINK, &address).is_err());
    assert_eq!(octets, [1]);
}

/// netlink:N-4, netlink:N-5, netlink:N-20.
#[test]
fn dumps_ask_for_everything() {
    let mut octets = Vec::new();
    link::encode_dump(&mut octets, FIRST).unwrap();
    let message = only(&octets);
    assert_eq!((message.kind, message.flags), (18, Flags(0x301)));
    let found: Vec<_> = attributes(&message.payload[16..]).map(Result::unwrap).collect();
    assert_eq!(found, [(29, &8_u32.to_ne_bytes()[..])]);
    let mut octets = Vec::new();
    address::encode_dump(&mut octets, FIRST).unwrap();
    let message = only(&octets);
    assert_eq!((message.kind, message.flags), (22, Flags(0x301)));
    assert_eq!(message.payload, [0; 8]);
}

#[test]
fn what_is_asked_for_is_read_back() {
    let octets = add(&first());
    let Ok(Some(Event::Address(found))) = Event::decode(&only(&octets)) else { panic!("none") };
    let expected = Address {
        link: LINK,
        address: [192, 0, 2, 100].into(),
        prefix_len: 24,
        peer: None,
        broadcast: Some([192, 0, 2, 255].into()),
        label: Some("hrv0:v".into()),
        scope: ScopeNumber(0),
        flags: AddressFlags(0x200),
        is_own: true,
    };
    assert_eq!(found, expected);
    let peer = VirtualAddress { peer: Some([10, 9, 0, 2].into()), ..first() };
    let octets = delete(&peer);
    let Ok(Some(Event::AddressGone(found))) = Event::decode(&only(&octets)) else { panic!("none") };
    assert_eq!((found.address, found.peer), (peer.address, peer.peer));
}

/// Reads a datagram as both sockets would.
fn read(datagram: &[u8], good: &mut usize) -> Result<(), Malformed> {
    for message in messages(datagram) {
        let message = message?;
        let is_event = match message.kind {
            24 | 25 => match KernelRoute::decode(message.payload, true)? {
                Some(seen) => seen.is(&multipath(), &links()).map(|_| true)?,
                None => false,
            },
            32 | 33 => rule::decode(message.payload)?.is_some(),
            _ => Event::decode(&message)?.is_some(),
        };
        *good += usize::from(is_event);
        Reply::of_answer(&message)?;
        Reply::of_end(message.payload)?;
    }
    Ok(())
}

#[test]
fn no_octets_make_the_reader_panic() {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = move |below: usize| {
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        usize::try_from(state.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33).unwrap() % below
    };
    let (mut good, mut bad) = (0, 0);
    for name in names().iter().filter(|name| name.starts_with("nl-")) {
        let mut vector = load(name);
        if name.starts_with("nl-09") {
            // One of ours, so that its ways out are read.
            vector[16 + 5] = 18;
        }
        for _ in 0..20_000 {
            let mut octets = vector.clone();
            for _ in 0..=random(3) {
                let at = random(octets.len());
                octets[at] = [0, 1, 3, 4, 5, 0x7f, 0xff, octets[at] ^ (1 << random(8))][random(8)];
            }
            octets.truncate(octets.len() - random(8) * random(2) * random(2));
            bad += usize::from(read(&octets, &mut good).is_err());
        }
    }
    assert!(good > 10_000 && bad > 10_000, "{good} good, {bad} bad");
}
