//! The packets in `vectors/`; the table in its `README.md` decodes each.

use std::fs;
use std::net::IpAddr;
use std::path::PathBuf;

use steadfast::units::{Centiseconds, Family, Version};
use steadfast::vrrp::settings::{Authentication, Checksum};
use steadfast::vrrp::validation::{Advert, Expectation, Reject, validate};
use steadfast::vrrp::{InterfaceId, Received};
use steadfast::wire::ethernet::{self, EtherType};
use steadfast::wire::ip::Ipv6Packet;
use steadfast::wire::vrrp::group;

fn directory() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/conformance/vectors")
}

/// The names of all vectors, without `.hex`.
pub fn names() -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(directory())
        .unwrap()
        .filter_map(|entry| {
            let name = entry.unwrap().file_name().into_string().unwrap();
            name.strip_suffix(".hex").map(str::to_owned)
        })
        .collect();
    names.sort();
    names
}

/// The octets of a vector.
pub fn load(name: &str) -> Vec<u8> {
    let path = directory().join(format!("{name}.hex"));
    let text = fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    text.lines()
        .filter(|line| !line.starts_with('#'))
        .flat_map(str::split_whitespace)
        .map(|octet| u8::from_str_radix(octet, 16).unwrap_or_else(|e| panic!("{name}: {e}")))
        .collect()
}

/// A frame as the VRRP socket of its family would deliver it.
pub fn received(frame: &[u8]) -> Result<Received<'_>, Reject> {
    let interface = InterfaceId::new(1);
    let payload = &frame[ethernet::HEADER_LEN..];
    match ethernet::Packet::new_checked(frame).unwrap().ether_type() {
        EtherType::Ipv4 => Received::from_ipv4(interface, payload),
        EtherType::Ipv6 => {
            let packet = Ipv6Packet::new_checked(payload).unwrap();
            Ok(Received::from_ipv6(
                interface,
                packet.source().into(),
                packet.destination().into(),
                packet.hop_limit(),
                &payload[steadfast::wire::ip::IPV6_HEADER_LEN..],
            ))
        }
        other @ (EtherType::Arp | EtherType::Unknown(_)) => panic!("{other:?} is not VRRP"),
    }
}

/// A multicast router without authentication at one second, that has these addresses.
pub fn expectation(version: Version, family: Family, addresses: &[IpAddr]) -> Expectation<'_> {
    Expectation {
        version,
        family,
        unicast: false,
        group: group(family),
        authentication: Authentication::None,
        interval: Centiseconds::SECOND,
        checksum: Checksum::PseudoHeader,
        old_checksum: false,
        owner: false,
        owner_ignore_adverts: false,
        addresses,
        excluded: &[],
        compare_addresses: true,
        unicast_peers: &[],
        check_unicast_source: false,
    }
}

/// What the router says to a vector.
pub fn verdict(name: &str, expectation: &Expectation<'_>) -> Result<Advert, Reject> {
    validate(expectation, &received(&load(name))?)
}

/// Addresses from text.
pub fn addresses<const N: usize>(texts: [&str; N]) -> [IpAddr; N] {
    texts.map(|text| text.parse().unwrap())
}
