//! Validation of received packets, in the order of section 4 of the rules (`vrrp:V-21` to
//! `V-41`).
//!
//! The order is part of the interface: counters, log messages and SNMP error reasons name the
//! first test that fails. What depends on the instance's state, and on which router a packet is
//! for, is the engine's (`V-22` to `V-24`).

mod reject;
#[cfg(test)]
mod tests;

use std::net::IpAddr;

pub use reject::{Counters, Reject};

use super::event::Received;
use super::ids::InterfaceId;
use super::settings::{Authentication, Checksum};
use crate::units::{Centiseconds, Family, Priority, Version};
use crate::wire::checksum::PseudoHeader;
use crate::wire::ip::{AH_LEN, Ipv4Packet, PROTOCOL_AH};
use crate::wire::vrrp::{ADVERTISEMENT, AuthType, HEADER_LEN, HOP_LIMIT, Packet, message_len};

/// Ethernet pads what is shorter than this (60 octets of frame without the header of 14).
const ETHERNET_MIN_PAYLOAD: usize = 46;

impl<'a> Received<'a> {
    /// From what an IPv4 raw socket delivers: the packet with its IP header. An authentication
    /// header is skipped.
    ///
    /// # Errors
    /// [`Reject::TooShort`] when there is no whole IPv4 header, or when the authentication header
    /// is cut (`vrrp:V-21`).
    pub fn from_ipv4(interface: InterfaceId, octets: &'a [u8]) -> Result<Self, Reject> {
        let packet = Ipv4Packet::new_checked(octets).map_err(|_| Reject::TooShort)?;
        let authenticated = packet.protocol() == PROTOCOL_AH;
        let message_at = packet.header_len() + if authenticated { AH_LEN } else { 0 };
        Ok(Self {
            interface,
            source: packet.source().into(),
            destination: packet.destination().into(),
            hop_limit: packet.ttl(),
            ip_header_len: packet.header_len(),
            ip_total_len: packet.total_len(),
            received_len: octets.len(),
            authenticated,
            message: octets.get(message_at..).ok_or(Reject::TooShort)?,
        })
    }

    /// From what an IPv6 raw socket delivers: the message, the rest beside it (`vrrp:V-20`).
    pub const fn from_ipv6(
        interface: InterfaceId,
        source: IpAddr,
        destination: IpAddr,
        hop_limit: u8,
        message: &'a [u8],
    ) -> Self {
        Self {
            interface,
            source,
            destination,
            hop_limit,
            ip_header_len: 0,
            ip_total_len: message.len(),
            received_len: message.len(),
            authenticated: false,
            message,
        }
    }
}

/// What a virtual router expects of an advert.
#[derive(Clone, Copy, Debug)]
pub struct Expectation<'a> {
    /// The configured version.
    pub version: Version,
    /// The router's family.
    pub family: Family,
    /// Adverts come from peers instead of from the group.
    pub unicast: bool,
    /// The multicast group of this family. Unicast: the group that old checksums contain.
    pub group: IpAddr,
    /// Authentication of version 2.
    pub authentication: Authentication,
    /// The own interval.
    pub interval: Centiseconds,
    /// What the checksum of version 3 over IPv4 covers.
    pub checksum: Checksum,
    /// An earlier advert had [`Advert::old_checksum`] (`vrrp:C-5`).
    pub old_checksum: bool,
    /// The effective priority is 255.
    pub owner: bool,
    /// Do not process others' adverts while [`Expectation::owner`] (`vrrp:V-38`).
    pub owner_ignore_adverts: bool,
    /// The addresses that the own packets of this family carry.
    pub addresses: &'a [IpAddr],
    /// Addresses of this family that are ours and in no packet, sorted (`vrrp:V-8`).
    pub excluded: &'a [IpAddr],
    /// Whether to compare the whole lists (`vrrp:V-40`). An advert without any of our addresses is
    /// refused in any case.
    pub compare_addresses: bool,
    /// The configured peers.
    pub unicast_peers: &'a [IpAddr],
    /// Whether the source has to be one of them (`vrrp:V-41`).
    pub check_unicast_source: bool,
}

/// What a valid advert says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Advert {
    /// Who sent it.
    pub source: IpAddr,
    /// The sender's priority, 0 when it gives up.
    pub priority: Priority,
    /// The sender's interval, never zero.
    pub interval: Centiseconds,
    /// It is not ours: to be logged once, and learned (`vrrp:V-36`). Never so in version 2.
    pub interval_differs: bool,
    /// The sender's addresses against ours.
    pub addresses: AddressCheck,
    /// News: the checksum was the one of keepalived up to 1.3.6. From now on this router sends
    /// that, too, and sets [`Expectation::old_checksum`] (`vrrp:C-5`).
    pub old_checksum: bool,
}

/// Result of comparing the address lists of routers that share an address (`vrrp:V-40`). Without
/// any in common the packet is refused: [`Reject::ForeignAddresses`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AddressCheck {
    /// The packet has the same number of addresses, and all of ours.
    Match,
    /// Another number of addresses than ours.
    CountDiffers,
    /// One of ours is not in the packet.
    Missing,
    /// Not compared, because it was not asked for.
    NotCompared,
}

impl AddressCheck {
    /// Whether this is an address list error.
    pub const fn differs(self) -> bool {
        match self {
            Self::CountDiffers | Self::Missing => true,
            Self::Match | Self::NotCompared => false,
        }
    }
}

/// The VRID that a packet is for; the engine looks the router up with it.
///
/// # Errors
/// [`Reject::TooShort`] (`vrrp:V-21`).
pub fn peek_vrid(received: &Received<'_>) -> Result<u8, Reject> {
    Ok(message(received)?.vrid())
}

/// The priority in a packet that was refused, for the message.
///
/// # Errors
/// [`Reject::TooShort`] (`vrrp:V-21`).
pub fn peek_priority(received: &Received<'_>) -> Result<Priority, Reject> {
    Ok(message(received)?.priority())
}

/// The view of the message with all octets that were received.
fn message<'a>(received: &Received<'a>) -> Result<Packet<&'a [u8]>, Reject> {
    let authentication_len = if received.authenticated { AH_LEN } else { 0 };
    let before = received.ip_header_len + authentication_len;
    if received.received_len < before + HEADER_LEN {
        return Err(Reject::TooShort);
    }
    Packet::new_checked(received.message).map_err(|_| Reject::TooShort)
}

/// What the checksum covers besides the message (`vrrp:C-2` to `C-5`), for sending and for
/// receiving. `old` says that the router was switched to the old unicast checksum.
///
/// `None` also when `source` and `destination` are of different families, which cannot be sent.
pub const fn pseudo_header(
    version: Version,
    checksum: Checksum,
    old: bool,
    source: IpAddr,
    destination: IpAddr,
    group: IpAddr,
) -> Option<PseudoHeader> {
    match (version, source) {
        (Version::V2, _) => None,
        (Version::V3, IpAddr::V6(_)) => PseudoHeader::new(source, destination),
        (Version::V3, IpAddr::V4(_)) => match checksum {
            Checksum::MessageOnly => None,
            Checksum::OldUnicast => PseudoHeader::new(source, group),
            Checksum::PseudoHeader if old => PseudoHeader::new(source, group),
            Checksum::PseudoHeader | Checksum::PseudoHeaderStrict => {
                PseudoHeader::new(source, destination)
            }
        },
    }
}

/// Tests a packet against what its router expects, in the order of section 4.
///
/// # Errors
/// The first test that it fails.
pub fn validate(expectation: &Expectation<'_>, received: &Received<'_>) -> Result<Advert, Reject> {
    let packet = message(received)?;
    if expectation.family == Family::V6 && !destination_fits(expectation, received) {
        return Err(Reject::Ipv6Destination);
    }
    // No router can be configured with one.
    if received.authenticated {
        return Err(Reject::AhMismatch);
    }
    let packet = whole_message(expectation.family, received, packet)?;
    if !expectation.unicast && received.hop_limit != HOP_LIMIT {
        return Err(Reject::HopLimit);
    }
    if packet.version() != expectation.version.number() {
        return Err(Reject::Version);
    }
    let interval_differs = packet.interval() != expectation.interval;
    if expectation.version == Version::V2 {
        authenticate(expectation, &packet)?;
        if interval_differs {
            return Err(Reject::Interval);
        }
    }
    if packet.interval() == Centiseconds(0) {
        return Err(Reject::IntervalZero);
    }
    if packet.packet_type() != ADVERTISEMENT {
        return Err(Reject::Type);
    }
    if expectation.family == Family::V4
        && !fits(received.ip_total_len, received.received_len, expectation.family)
    {
        return Err(Reject::IpLength);
    }
    let old_checksum = verify_checksum(expectation, received, &packet)?;
    if expectation.family == Family::V4 && !destination_fits(expectation, received) {
        return Err(Reject::Ipv4Destination);
    }
    if expectation.owner && expectation.owner_ignore_adverts {
        return Err(Reject::OwnerIgnored);
    }
    let addresses = compare_addresses(expectation, &packet)?;
    if expectation.check_unicast_source
        && expectation.unicast
        && !expectation.unicast_peers.contains(&received.source)
    {
        return Err(Reject::NotAPeer);
    }
    Ok(Advert {
        source: received.source,
        priority: packet.priority(),
        interval: packet.interval(),
        interval_differs,
        addresses,
        old_checksum,
    })
}

/// `vrrp:V-25`, `V-37`: a multicast router hears its group, a unicast router anything else.
fn destination_fits(expectation: &Expectation<'_>, received: &Received<'_>) -> bool {
    if expectation.unicast {
        !received.destination.is_multicast()
    } else {
        received.destination == expectation.group
    }
}

/// `vrrp:V-27`, `V-29`: the view of exactly the message, which follows the IP header.
fn whole_message<'a>(
    family: Family,
    received: &Received<'a>,
    packet: Packet<&'a [u8]>,
) -> Result<Packet<&'a [u8]>, Reject> {
    let len = message_len(packet.version(), family, packet.count());
    let expected = received.ip_header_len + len;
    if !fits(expected, received.received_len, family) {
        return Err(Reject::Length);
    }
    let message = received.message.get(..len).ok_or(Reject::Length)?;
    Packet::new_checked(message).map_err(|_| Reject::Length)
}

/// Whether what was received has the expected length, or is padded to the least that Ethernet
/// carries, less 4 octets for each VLAN tag (`vrrp:V-29`). An IPv6 packet is never that short.
const fn fits(expected: usize, received: usize, family: Family) -> bool {
    match family {
        Family::V4 if expected < ETHERNET_MIN_PAYLOAD && received > expected => {
            received.abs_diff(expected) % 4 == 2
        }
        Family::V4 | Family::V6 => received == expected,
    }
}

/// `vrrp:V-33`.
fn authenticate(expectation: &Expectation<'_>, packet: &Packet<&[u8]>) -> Result<(), Reject> {
    match (packet.auth_type(), expectation.authentication) {
        (AuthType::Unknown(_), _) => Err(Reject::AuthTypeInvalid),
        (AuthType::None, Authentication::None) => Ok(()),
        (AuthType::Password, Authentication::Password(password)) => {
            match packet.auth_data(expectation.family) {
                Some(data) if equal_in_constant_time(&password, &data) => Ok(()),
                Some(_) | None => Err(Reject::AuthFailed),
            }
        }
        (AuthType::None | AuthType::Header, Authentication::Password(_))
        | (AuthType::Password | AuthType::Header, Authentication::None) => {
            Err(Reject::AuthTypeMismatch)
        }
    }
}

/// `vrrp:A-1`: how long it takes tells nothing about where the first difference is.
fn equal_in_constant_time(a: &[u8; 8], b: &[u8; 8]) -> bool {
    let difference = a.iter().zip(b).fold(0, |difference, (a, b)| difference | (a ^ b));
    std::hint::black_box(difference) == 0
}

/// `vrrp:V-36`, `C-2` to `C-5`. True when only the old unicast checksum fits, and that is news.
fn verify_checksum(
    expectation: &Expectation<'_>,
    received: &Received<'_>,
    packet: &Packet<&[u8]>,
) -> Result<bool, Reject> {
    let covered = |old| {
        pseudo_header(
            expectation.version,
            expectation.checksum,
            old,
            received.source,
            received.destination,
            expectation.group,
        )
    };
    let v3_over_ipv4 = expectation.version == Version::V3 && expectation.family == Family::V4;
    if v3_over_ipv4 && expectation.checksum == Checksum::MessageOnly {
        return Ok(false);
    }
    if packet.checksum_is_good(covered(expectation.old_checksum)) {
        return Ok(false);
    }
    // Where there is no old checksum this is the same sum once more.
    if expectation.unicast && packet.checksum_is_good(covered(true)) {
        return Ok(true);
    }
    Err(Reject::Checksum)
}

/// `vrrp:V-40`, `V3-4`.
///
/// A virtual link-local address is one of ours like any other: two pairs of routers that both have
/// it really hold the same address, and one of them has to give way.
fn compare_addresses(
    expectation: &Expectation<'_>,
    packet: &Packet<&[u8]>,
) -> Result<AddressCheck, Reject> {
    let theirs = packet.addresses(expectation.family);
    let ours = expectation.addresses;
    let in_packet = |ours: &IpAddr| theirs.iter().any(|address| address == *ours);
    // Routers that are configured alike share the first address, so this ends at once.
    let shared = ours.iter().any(in_packet)
        || theirs.iter().any(|address| expectation.excluded.binary_search(&address).is_ok());
    if !shared && (packet.count() > 0 || !ours.is_empty()) {
        return Err(Reject::ForeignAddresses);
    }
    if !expectation.compare_addresses {
        return Ok(AddressCheck::NotCompared);
    }
    if usize::from(packet.count()) != ours.len() {
        return Ok(AddressCheck::CountDiffers);
    }
    // In the same order, mostly.
    let alike = theirs.iter().eq(ours.iter().copied()) || ours.iter().all(in_packet);
    Ok(if alike { AddressCheck::Match } else { AddressCheck::Missing })
}
