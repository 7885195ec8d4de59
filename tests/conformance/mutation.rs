//! No input makes a parser panic: random octets, and the vectors with octets changed, cut off and
//! added. The same numbers in each run.

use steadfast::units::{Centiseconds, Family, Version};
use steadfast::vrrp::settings::{Authentication, Checksum};
use steadfast::vrrp::validation::{Expectation, peek_vrid, validate};
use steadfast::vrrp::{InterfaceId, Received};
use steadfast::wire::checksum::PseudoHeader;
use steadfast::wire::ip::{Ipv4Packet, Ipv4Repr, Ipv6Packet, Ipv6Repr};
use steadfast::wire::{arp, ethernet, ndisc, vrrp};

use crate::vectors::{addresses, expectation, load, names};

const RANDOM_ROUNDS: usize = 100_000;
const ROUNDS_PER_VECTOR: usize = 4_000;

/// xorshift64*.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// Below `limit`.
    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() >> 33).unwrap() % limit
    }

    fn octet(&mut self) -> u8 {
        self.next().to_be_bytes()[0]
    }
}

/// How far packets got, so that a test that reaches nothing fails.
#[derive(Debug, Default)]
struct Reached {
    vrrp: u32,
    valid: u32,
    arp: u32,
    advertisement: u32,
}

/// Gives octets to all parsers, as if each had received them.
fn parse_as_everything(octets: &[u8], reached: &mut Reached) {
    if let Ok(packet) = ethernet::Packet::new_checked(octets) {
        let _ = ethernet::Repr::parse(&packet).to_string();
        let payload = packet.payload();
        parse_arp(payload, reached);
        parse_ip(payload, reached);
    }
    parse_arp(octets, reached);
    parse_ip(octets, reached);
    parse_vrrp(octets, reached);
}

fn parse_arp(octets: &[u8], reached: &mut Reached) {
    if let Ok(packet) = arp::Packet::new_checked(octets) {
        let repr = arp::Repr::parse(&packet);
        let _ = repr.to_string();
        let mut again = [0; arp::LEN];
        assert_eq!(repr.emit(&mut again), Ok(arp::LEN));
        assert_eq!(again, octets[..arp::LEN]);
        reached.arp += 1;
    }
}

fn parse_ip(octets: &[u8], reached: &mut Reached) {
    if let Ok(packet) = Ipv4Packet::new_checked(octets) {
        if let Ok(repr) = Ipv4Repr::parse(&packet) {
            let _ = repr.to_string();
        }
        parse_vrrp(packet.payload(), reached);
    }
    if let Ok(received) = Received::from_ipv4(InterfaceId::new(1), octets) {
        check(&received, reached);
    }
    if let Ok(packet) = Ipv6Packet::new_checked(octets) {
        if let (Ok(ip), Ok(message)) =
            (Ipv6Repr::parse(&packet), ndisc::Packet::new_checked(packet.payload()))
        {
            let _ = message.target_mac();
            if let Ok(repr) = ndisc::Repr::parse(&message, &ip) {
                let _ = (repr.to_string(), ip.to_string());
                reached.advertisement += 1;
            }
        }
        let (source, destination) = (packet.source().into(), packet.destination().into());
        let message = packet.payload();
        check(
            &Received::from_ipv6(
                InterfaceId::new(1),
                source,
                destination,
                packet.hop_limit(),
                message,
            ),
            reached,
        );
        parse_vrrp(message, reached);
    }
}

fn parse_vrrp(octets: &[u8], reached: &mut Reached) {
    let Ok(packet) = vrrp::Packet::new_checked(octets) else { return };
    let _ = packet.to_string();
    for family in Family::ALL {
        let _ = (packet.auth_data(family), packet.addresses(family).iter().count());
        let covered = PseudoHeader::new(vrrp::group(family), vrrp::group(family));
        for covered in [None, covered] {
            if let Ok(repr) = vrrp::Repr::parse(&packet, family, covered) {
                let _ = repr.to_string();
                let mut again = vec![0; repr.buffer_len()];
                assert_eq!(repr.emit(covered, &mut again), Ok(octets.len()));
                reached.vrrp += 1;
            }
        }
    }
}

/// Validates for routers of each kind.
fn check(received: &Received<'_>, reached: &mut Reached) {
    let _ = peek_vrid(received);
    let own = addresses(["192.0.2.100"]);
    for version in [Version::V2, Version::V3] {
        for family in Family::ALL {
            let router = expectation(version, family, &own);
            let other = Expectation {
                unicast: true,
                authentication: Authentication::Password(*b"s3cr3t\0\0"),
                interval: Centiseconds(50),
                checksum: Checksum::MessageOnly,
                check_unicast_source: true,
                unicast_peers: &own,
                ..router
            };
            reached.valid += u32::from(validate(&router, received).is_ok());
            reached.valid += u32::from(validate(&other, received).is_ok());
        }
    }
}

#[test]
fn random_octets_do_not_panic() {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let mut reached = Reached::default();
    let mut octets = Vec::new();
    for _ in 0..RANDOM_ROUNDS {
        octets.clear();
        let len = random.below(120);
        octets.resize_with(len, || random.octet());
        // Half of them at least begin like something.
        if let (Some(first), 0) = (octets.first_mut(), random.below(2)) {
            *first = [0x45, 0x46, 0x60, 0x21, 0x31, 0x00][random.below(6)];
        }
        parse_as_everything(&octets, &mut reached);
    }
}

#[test]
fn mutated_vectors_do_not_panic() {
    let mut random = Random(0x0123_4567_89ab_cdef);
    let mut reached = Reached::default();
    let of_ours = |name: &String| {
        ["v2-", "v3-", "hm-", "neg-", "pos-", "arp-", "na-"].iter().any(|s| name.starts_with(s))
    };
    for name in names().into_iter().filter(of_ours) {
        let original = load(&name);
        parse_as_everything(&original, &mut reached);
        for _ in 0..ROUNDS_PER_VECTOR {
            let mut octets = original.clone();
            for _ in 0..random.below(4) {
                let at = random.below(octets.len());
                octets[at] = random.octet();
            }
            match random.below(4) {
                0 => octets.truncate(random.below(octets.len())),
                1 => {
                    let more = random.below(64);
                    octets.extend((0..more).map(|_| random.octet()));
                }
                _ => {}
            }
            parse_as_everything(&octets, &mut reached);
        }
    }
    let Reached { vrrp, valid, arp, advertisement } = reached;
    for count in [vrrp, valid, arp, advertisement] {
        assert!(count > 100, "the changes leave nothing to parse: {reached:?}");
    }
}
