//! An advert on the wire: real octets, and what the checks need to know of them.

use std::net::IpAddr;

use steadfast::units::{Centiseconds, Family, Priority, Version, Vrid};
use steadfast::vrrp::settings::{Authentication, Checksum, InstanceSettings};
use steadfast::vrrp::{InterfaceId, Received};
use steadfast::wire::checksum::PseudoHeader;
use steadfast::wire::vrrp::{self, Addresses, Format, Repr};

/// One copy of an advert.
#[derive(Clone, Debug)]
pub struct Packet {
    pub from: usize,
    /// Which instance, by index into the plan's names.
    pub name: usize,
    pub source: IpAddr,
    pub destination: IpAddr,
    pub priority: Priority,
    pub interval: Centiseconds,
    pub version: Version,
    pub vrid: Vrid,
    /// The sender is no router of the plan, and announces none of its addresses.
    pub of_another_pair: bool,
    message: Vec<u8>,
}

/// What stands in the IP header.
#[derive(Clone, Copy, Debug)]
pub struct Route {
    pub from: usize,
    pub name: usize,
    pub source: IpAddr,
    pub destination: IpAddr,
}

impl Packet {
    /// Builds the octets as the process does.
    pub fn new(
        route: Route,
        settings: &InstanceSettings,
        priority: Priority,
        interval: Centiseconds,
        addresses: &[IpAddr],
    ) -> Self {
        let family = Family::of(route.source);
        let format = match settings.version {
            Version::V2 => Format::V2(match settings.authentication {
                Authentication::None => vrrp::Authentication::None,
                Authentication::Password(password) => vrrp::Authentication::Password(password),
            }),
            Version::V3 => Format::V3,
        };
        let repr = Repr {
            format,
            vrid: settings.vrid,
            priority,
            interval,
            addresses: Addresses::of_family(family, addresses),
        };
        let covered = match (family, settings.checksum) {
            (Family::V6, _)
            | (Family::V4, Checksum::PseudoHeader | Checksum::PseudoHeaderStrict) => {
                Some(route.destination)
            }
            (Family::V4, Checksum::OldUnicast) => Some(vrrp::group(family)),
            (Family::V4, Checksum::MessageOnly) => None,
        };
        let pseudo_header = covered.map(|destination| {
            PseudoHeader::new(route.source, destination).expect("both are of one family")
        });
        let mut message = vec![0; repr.buffer_len()];
        let written = repr.emit(pseudo_header, &mut message).expect("the buffer has the length");
        assert_eq!(written, message.len(), "an advert fills its buffer");
        Self {
            from: route.from,
            name: route.name,
            source: route.source,
            destination: route.destination,
            priority,
            interval,
            version: settings.version,
            vrid: settings.vrid,
            of_another_pair: false,
            message,
        }
    }

    /// As a socket hands it over.
    pub fn received(&self, interface: InterfaceId) -> Received<'_> {
        let ip_header_len = match self.source {
            IpAddr::V4(_) => 20,
            IpAddr::V6(_) => 0,
        };
        let length = ip_header_len + self.message.len();
        Received {
            interface,
            source: self.source,
            destination: self.destination,
            hop_limit: vrrp::HOP_LIMIT,
            ip_header_len,
            ip_total_len: length,
            received_len: length,
            authenticated: false,
            message: &self.message,
        }
    }

    pub fn octets(&self) -> &[u8] {
        &self.message
    }
}
