//! Every vector: the good ones parse and become the same octets again, the bad ones are rejected
//! for their reason.

use std::net::IpAddr;

use steadfast::units::{Centiseconds, Family, Mac, Priority, Version};
use steadfast::vrrp::settings::{Authentication, Checksum};
use steadfast::vrrp::validation::{AddressCheck, Expectation, Reject};
use steadfast::wire::checksum::PseudoHeader;
use steadfast::wire::ip::{
    IPV4_HEADER_LEN, IPV6_HEADER_LEN, Ipv4Packet, Ipv4Repr, Ipv6Packet, Ipv6Repr,
};
use steadfast::wire::{arp, ethernet, ndisc, vrrp};

use crate::netlink::REPRODUCED;
use crate::routes::ROUTES_AND_RULES;
use crate::vectors::{addresses, expectation, load, names, verdict};

const PASSWORD: Authentication = Authentication::Password(*b"s3cr3t\0\0");

/// What a vector's checksum covers.
#[derive(Clone, Copy, PartialEq)]
enum Covers {
    /// Version 2, or RFC 9568 over IPv4.
    Message,
    /// The addresses of the packet.
    PseudoHeader,
    /// The multicast group instead of the destination.
    Group,
}

/// One VRRP packet that was captured or is as good: name, what it says, and what it covers.
struct Good {
    name: &'static str,
    says: &'static str,
    covers: Covers,
}

const fn good(name: &'static str, covers: Covers, says: &'static str) -> Good {
    Good { name, says, covers }
}

const GOOD: &[Good] = &[
    good(
        "v2-01-noauth-master",
        Covers::Message,
        "VRRPv2 vrid 51 priority 200 interval 1.00 s addresses 192.0.2.100",
    ),
    good(
        "v2-02-noauth-prio0",
        Covers::Message,
        "VRRPv2 vrid 51 priority 0 interval 1.00 s addresses 192.0.2.100",
    ),
    good(
        "v2-03-pass-master",
        Covers::Message,
        "VRRPv2 vrid 52 priority 150 interval 1.00 s with password addresses 192.0.2.100",
    ),
    good(
        "v2-07-five-addresses",
        Covers::Message,
        "VRRPv2 vrid 10 priority 120 interval 1.00 s addresses 192.0.2.101, 192.0.2.102, \
         10.1.2.3, 192.0.2.104, 192.0.2.105",
    ),
    good(
        "v2-08-unicast",
        Covers::Message,
        "VRRPv2 vrid 55 priority 130 interval 1.00 s addresses 192.0.2.100",
    ),
    good(
        "v2-09-frr",
        Covers::Message,
        "VRRPv2 vrid 5 priority 200 interval 1.00 s addresses 192.0.2.100, 192.0.2.101",
    ),
    good(
        "v3-01-ipv4-master",
        Covers::PseudoHeader,
        "VRRPv3 vrid 56 priority 140 interval 1.00 s addresses 192.0.2.100",
    ),
    good(
        "v3-02-ipv4-prio0",
        Covers::PseudoHeader,
        "VRRPv3 vrid 56 priority 0 interval 1.00 s addresses 192.0.2.100",
    ),
    good(
        "v3-04-ipv4-unicast",
        Covers::PseudoHeader,
        "VRRPv3 vrid 58 priority 141 interval 1.00 s addresses 192.0.2.100",
    ),
    good(
        "v3-05-ipv4-unicast-oldcsum",
        Covers::Group,
        "VRRPv3 vrid 58 priority 141 interval 1.00 s addresses 192.0.2.100",
    ),
    good(
        "v3-06-ipv4-checksum-as-v2",
        Covers::Message,
        "VRRPv3 vrid 61 priority 142 interval 1.00 s addresses 192.0.2.100",
    ),
    good(
        "v3-07-ipv4-vmac",
        Covers::PseudoHeader,
        "VRRPv3 vrid 60 priority 160 interval 1.00 s addresses 192.0.2.100",
    ),
    good(
        "v3-08-ipv4-frr",
        Covers::PseudoHeader,
        "VRRPv3 vrid 5 priority 200 interval 0.50 s addresses 192.0.2.100, 192.0.2.101",
    ),
    good(
        "v3-20-ipv6-master",
        Covers::PseudoHeader,
        "VRRPv3 vrid 81 priority 200 interval 1.00 s addresses fe80::5:0:51, 2001:db8::100",
    ),
    good(
        "v3-21-ipv6-prio0",
        Covers::PseudoHeader,
        "VRRPv3 vrid 81 priority 0 interval 1.00 s addresses fe80::5:0:51, 2001:db8::100",
    ),
    good(
        "v3-22-ipv6-vmac",
        Covers::PseudoHeader,
        "VRRPv3 vrid 83 priority 161 interval 1.00 s addresses fe80::5:0:51, 2001:db8::100",
    ),
    good(
        "neg-09-v3-interval-differs",
        Covers::PseudoHeader,
        "VRRPv3 vrid 56 priority 140 interval 0.50 s addresses 192.0.2.100",
    ),
    good(
        "neg-15-address-mismatch",
        Covers::PseudoHeader,
        "VRRPv3 vrid 56 priority 140 interval 1.00 s addresses 192.0.2.99",
    ),
    good(
        "pos-18-owner255",
        Covers::PseudoHeader,
        "VRRPv3 vrid 56 priority 255 interval 1.00 s addresses 192.0.2.100",
    ),
];

const GRATUITOUS_ARPS: &[&str] = &["arp-01-garp", "arp-02-garp-vmac"];
const ADVERTISEMENTS: &[&str] =
    &["na-01-unsolicited", "na-02-unsolicited-vmac", "na-03-frr-router"];

/// Vectors of the validation only: see [`rejected`] and [`accepted`].
const VALIDATED: &[&str] = &[
    "neg-01-ttl254",
    "neg-02-v3-bad-checksum",
    "neg-03-version4",
    "neg-04-type2",
    "neg-05-count-too-big",
    "neg-06-v2-bad-password",
    "neg-07-v2-authtype1-when-none",
    "neg-08-v2-interval2",
    "neg-10-v3-reserved-bits",
    "neg-14-v3-on-v2-instance",
    "neg-16-v3-trailing-4",
    "neg-17-padded-60",
];

/// Vectors of what is not there yet, by the beginning of their names, and what they need.
const LATER: &[(&str, &str)] = &[
    ("v2-04-ah-seq1", "needs wire/ah"),
    ("v2-05-ah-unicast-seq1", "needs wire/ah"),
    ("v2-06-ah-unicast-seq2", "needs wire/ah"),
    ("neg-13-ah-bad-icv", "needs wire/ah"),
    ("hm-01-v3-ipv4", "needs wire/hmac_ext"),
    ("hm-02-v3-ipv4-next", "needs wire/hmac_ext"),
    ("hm-04-v3-ipv6", "needs wire/hmac_ext"),
    ("neg-11-hmac-tampered-priority", "needs wire/hmac_ext"),
    ("neg-12-hmac-reserved", "needs wire/hmac_ext"),
    ("bfd-", "needs wire/bfd"),
    ("ipvs-", "needs ipvs"),
    ("nl-05-newlink-macvlan", "needs netlink: VMACs"),
    ("nl-06-addrgenmode-none", "needs netlink: VMACs"),
    ("nl-07-link-up", "needs netlink: VMACs"),
    ("nl-13-dellink", "needs netlink: VMACs"),
];

#[test]
fn every_vector_is_used_or_waits_for_its_module() {
    let used: Vec<&str> = GOOD
        .iter()
        .map(|good| good.name)
        .chain(
            [GRATUITOUS_ARPS, ADVERTISEMENTS, VALIDATED, REPRODUCED, ROUTES_AND_RULES]
                .into_iter()
                .flatten()
                .copied(),
        )
        .collect();
    for name in names() {
        let uses = used.iter().filter(|used| **used == name).count();
        let waits = LATER.iter().filter(|(start, _)| name.starts_with(start)).count();
        assert_eq!(uses + waits, 1, "{name}: used {uses} times, waits {waits} times");
    }
    for used in used.iter().chain(LATER.iter().map(|(start, _)| start)) {
        assert!(names().iter().any(|name| name.starts_with(used)), "there is no vector {used}");
    }
}

/// The IP part of a frame, read and to be written again.
enum Ip {
    V4(Ipv4Repr),
    V6(Ipv6Repr),
}

impl Ip {
    fn parse(payload: &[u8]) -> (Self, &[u8]) {
        match payload[0] >> 4 {
            4 => {
                let repr = Ipv4Repr::parse(&Ipv4Packet::new_checked(payload).unwrap()).unwrap();
                (Self::V4(repr), &payload[IPV4_HEADER_LEN..][..repr.payload_len])
            }
            _ => {
                let repr = Ipv6Repr::parse(&Ipv6Packet::new_checked(payload).unwrap()).unwrap();
                (Self::V6(repr), &payload[IPV6_HEADER_LEN..][..repr.payload_len])
            }
        }
    }

    fn ends(&self) -> (IpAddr, IpAddr) {
        match self {
            Self::V4(repr) => (repr.source.into(), repr.destination.into()),
            Self::V6(repr) => (repr.source.into(), repr.destination.into()),
        }
    }

    fn emit(&self, buffer: &mut [u8]) -> usize {
        match self {
            Self::V4(repr) => repr.emit(buffer).unwrap(),
            Self::V6(repr) => repr.emit(buffer).unwrap(),
        }
    }
}

/// Reads a whole frame and writes it again. Returns the printed message and the new octets.
fn round_trip(frame: &[u8], covers: Covers) -> (String, Vec<u8>) {
    let ethernet_packet = ethernet::Packet::new_checked(frame).unwrap();
    let ethernet_repr = ethernet::Repr::parse(&ethernet_packet);
    let (ip, message) = Ip::parse(ethernet_packet.payload());
    let (source, destination) = ip.ends();
    let family = Family::of(source);
    let pseudo_header = match covers {
        Covers::Message => None,
        Covers::PseudoHeader => PseudoHeader::new(source, destination),
        Covers::Group => PseudoHeader::new(source, vrrp::group(family)),
    };
    let packet = vrrp::Packet::new_checked(message).unwrap();
    let repr = vrrp::Repr::parse(&packet, family, pseudo_header).unwrap();

    // From a list of addresses, as the router has them.
    let list: Vec<IpAddr> = repr.addresses.iter().collect();
    let own = vrrp::Repr { addresses: vrrp::Addresses::of_family(family, &list), ..repr };
    let mut octets = vec![0xaa; frame.len()];
    let mut at = ethernet_repr.emit(&mut octets).unwrap();
    at += ip.emit(&mut octets[at..]);
    at += own.emit(pseudo_header, &mut octets[at..]).unwrap();
    octets.truncate(at);
    (repr.to_string(), octets)
}

#[test]
fn good_packets_are_read_and_written_alike() {
    for Good { name, says, covers } in GOOD {
        let frame = load(name);
        let (text, octets) = round_trip(&frame, *covers);
        assert_eq!(text, *says, "{name}");
        assert_eq!(octets, frame, "{name}");
    }
}

/// The padding is not part of the packet.
#[test]
fn padded_packet_is_written_without_padding() {
    let frame = load("neg-17-padded-60");
    let (_, octets) = round_trip(&frame, Covers::PseudoHeader);
    assert_eq!(frame.len(), 60);
    assert_eq!(octets, frame[..46]);
}

/// What was received is ignored, zero is sent.
#[test]
fn reserved_bits_are_written_as_zero() {
    let (_, octets) = round_trip(&load("neg-10-v3-reserved-bits"), Covers::PseudoHeader);
    assert_eq!(octets, load("v3-01-ipv4-master"));
}

#[test]
fn gratuitous_arps_are_read_and_written_alike() {
    for name in GRATUITOUS_ARPS {
        let frame = load(name);
        let payload = ethernet::Packet::new_checked(&frame[..]).unwrap();
        let repr = arp::Repr::parse(&arp::Packet::new_checked(payload.payload()).unwrap());
        assert!(repr.is_gratuitous(), "{name}");
        let mut octets = [0xaa; arp::FRAME_LEN];
        let own = arp::Repr::gratuitous(payload.source(), "192.0.2.100".parse().unwrap());
        assert_eq!(repr, own, "{name}");
        assert_eq!(own.emit_frame(&mut octets), Ok(frame.len()));
        assert_eq!(octets[..], frame, "{name}");
    }
}

#[test]
fn neighbour_advertisements_are_read_and_written_alike() {
    for name in ADVERTISEMENTS {
        let frame = load(name);
        let ethernet_packet = ethernet::Packet::new_checked(&frame[..]).unwrap();
        let ip = Ipv6Packet::new_checked(ethernet_packet.payload()).unwrap();
        let packet = ndisc::Packet::new_checked(ip.payload()).unwrap();
        let repr = ndisc::Repr::parse(&packet, &Ipv6Repr::parse(&ip).unwrap()).unwrap();
        let router = *name == "na-03-frr-router";
        let own = ndisc::Repr::unsolicited(ethernet_packet.source(), ip.source(), router);
        assert_eq!(repr, own, "{name}");
        let mut octets = [0xaa; ndisc::FRAME_LEN];
        assert_eq!(own.emit_frame(&mut octets), Ok(frame.len()));
        assert_eq!(octets[..], frame, "{name}");
    }
}

#[test]
fn virtual_macs_of_the_vectors() {
    for (name, family, vrid) in [
        ("v2-09-frr", Family::V4, 5),
        ("v3-07-ipv4-vmac", Family::V4, 60),
        ("v3-08-ipv4-frr", Family::V4, 5),
        ("v3-22-ipv6-vmac", Family::V6, 83),
    ] {
        let frame = load(name);
        let source = ethernet::Packet::new_checked(&frame[..]).unwrap().source();
        let vrid = steadfast::units::Vrid::new(vrid).unwrap();
        assert_eq!(source, Mac::virtual_router(family, vrid), "{name}");
    }
}

/// Asserts that a router rejects a vector.
fn rejected(name: &str, expectation: &Expectation<'_>, reason: Reject) {
    assert_eq!(verdict(name, expectation), Err(reason), "{name}");
}

/// Asserts that a router accepts a vector as just what it expects.
fn accepted(name: &str, expectation: &Expectation<'_>) {
    let advert = verdict(name, expectation).unwrap_or_else(|e| panic!("{name}: {e}"));
    assert_eq!(advert.addresses, AddressCheck::Match, "{name}");
    assert_eq!(advert.interval, expectation.interval, "{name}");
    assert!(!advert.interval_differs && !advert.old_checksum, "{name}");
}

#[test]
fn good_packets_are_accepted() {
    let one = addresses(["192.0.2.100"]);
    let two = addresses(["192.0.2.100", "192.0.2.101"]);
    let five = addresses(["192.0.2.101", "192.0.2.102", "10.1.2.3", "192.0.2.104", "192.0.2.105"]);
    let six = addresses(["fe80::5:0:51", "2001:db8::100"]);
    let v2 = expectation(Version::V2, Family::V4, &one);
    let v3 = expectation(Version::V3, Family::V4, &one);
    let v6 = expectation(Version::V3, Family::V6, &six);
    accepted("v2-01-noauth-master", &v2);
    accepted("v2-02-noauth-prio0", &v2);
    accepted("v2-03-pass-master", &Expectation { authentication: PASSWORD, ..v2 });
    accepted("v2-07-five-addresses", &Expectation { addresses: &five, ..v2 });
    accepted("v2-08-unicast", &Expectation { unicast: true, ..v2 });
    accepted("v2-09-frr", &Expectation { addresses: &two, ..v2 });
    accepted("v3-01-ipv4-master", &v3);
    accepted("v3-02-ipv4-prio0", &v3);
    accepted("v3-04-ipv4-unicast", &Expectation { unicast: true, ..v3 });
    accepted("v3-07-ipv4-vmac", &v3);
    let fast = Expectation { addresses: &two, interval: Centiseconds(50), ..v3 };
    accepted("v3-08-ipv4-frr", &fast);
    accepted("v3-20-ipv6-master", &v6);
    accepted("v3-21-ipv6-prio0", &v6);
    accepted("v3-22-ipv6-vmac", &v6);
    accepted("neg-10-v3-reserved-bits", &v3);
    accepted("neg-17-padded-60", &v3);
    accepted("pos-18-owner255", &v3);
    assert_eq!(verdict("pos-18-owner255", &v3).unwrap().priority, Priority::OWNER);
}

#[test]
fn bad_packets_are_rejected_for_their_reason() {
    let one = addresses(["192.0.2.100"]);
    let v2 = expectation(Version::V2, Family::V4, &one);
    let v3 = expectation(Version::V3, Family::V4, &one);
    rejected("neg-01-ttl254", &v3, Reject::HopLimit);
    rejected("neg-02-v3-bad-checksum", &v3, Reject::Checksum);
    rejected("neg-03-version4", &v3, Reject::Version);
    rejected("neg-04-type2", &v3, Reject::Type);
    rejected("neg-05-count-too-big", &v3, Reject::Length);
    let password = Expectation { authentication: PASSWORD, ..v2 };
    rejected("neg-06-v2-bad-password", &password, Reject::AuthFailed);
    rejected("neg-07-v2-authtype1-when-none", &v2, Reject::AuthTypeMismatch);
    rejected("neg-08-v2-interval2", &v2, Reject::Interval);
    rejected("neg-14-v3-on-v2-instance", &v2, Reject::Version);
    rejected("neg-16-v3-trailing-4", &v3, Reject::Length);
}

#[test]
fn other_interval_of_version_3_is_learned() {
    let one = addresses(["192.0.2.100"]);
    let v3 = expectation(Version::V3, Family::V4, &one);
    let advert = verdict("neg-09-v3-interval-differs", &v3).unwrap();
    assert!(advert.interval_differs);
    assert_eq!(advert.interval, Centiseconds(50));
    accepted("neg-09-v3-interval-differs", &Expectation { interval: Centiseconds(50), ..v3 });
}

#[test]
fn other_addresses_are_another_pair() {
    let one = addresses(["192.0.2.100"]);
    let v3 = expectation(Version::V3, Family::V4, &one);
    let name = "neg-15-address-mismatch";
    assert_eq!(verdict(name, &v3), Err(Reject::ForeignAddresses));
    let theirs = addresses(["192.0.2.99"]);
    accepted(name, &Expectation { addresses: &theirs, ..v3 });
}

#[test]
fn old_unicast_checksum_in_every_mode() {
    let one = addresses(["192.0.2.100"]);
    let v3 = Expectation { unicast: true, ..expectation(Version::V3, Family::V4, &one) };
    let with = |checksum| Expectation { checksum, ..v3 };
    let name = "v3-05-ipv4-unicast-oldcsum";
    rejected(name, &with(Checksum::PseudoHeaderStrict), Reject::Checksum);
    accepted(name, &with(Checksum::OldUnicast));
    accepted(name, &with(Checksum::MessageOnly));
    // The automatic switch: recognised once, then expected.
    assert!(verdict(name, &v3).unwrap().old_checksum);
    let switched = Expectation { old_checksum: true, ..v3 };
    accepted(name, &switched);
    rejected("v3-04-ipv4-unicast", &switched, Reject::Checksum);
    rejected("v3-04-ipv4-unicast", &with(Checksum::OldUnicast), Reject::Checksum);
}

#[test]
fn checksum_of_the_message_alone_in_both_modes() {
    let one = addresses(["192.0.2.100"]);
    let v3 = expectation(Version::V3, Family::V4, &one);
    rejected("v3-06-ipv4-checksum-as-v2", &v3, Reject::Checksum);
    let as_v2 = Expectation { checksum: Checksum::MessageOnly, ..v3 };
    accepted("v3-06-ipv4-checksum-as-v2", &as_v2);
    // keepalived then accepts any value.
    accepted("v3-01-ipv4-master", &as_v2);
    accepted("neg-02-v3-bad-checksum", &as_v2);
}
