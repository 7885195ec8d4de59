//! What a captured frame is.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use steadfast::units::{Centiseconds, Family, Mac, Priority};
use steadfast::wire::checksum::PseudoHeader;
use steadfast::wire::ethernet::{self, EtherType};
use steadfast::wire::ip::{Ipv4Packet, Ipv6Packet, Ipv6Repr};
use steadfast::wire::{arp, ndisc, vrrp};

/// A frame that somebody sent.
#[derive(Clone, Debug)]
pub struct Packet {
    /// When, on the [wall clock](super::wall_clock); the kernel's time.
    pub at: Duration,
    /// The port that it came in by: the name of the host.
    pub host: String,
    /// Its source.
    pub mac: Mac,
    /// What it is.
    pub what: What,
    /// All of it, from the Ethernet header on.
    pub frame: Vec<u8>,
}

/// What a frame is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum What {
    /// VRRP that can be read; whether it is right is told by the fields.
    Advert(Advert),
    /// ARP.
    Arp(arp::Repr),
    /// A neighbour advertisement.
    Neighbor(ndisc::Repr),
    /// Anything else.
    Other,
}

/// A VRRP advertisement.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Advert {
    /// From whom.
    pub source: IpAddr,
    /// To whom.
    pub destination: IpAddr,
    /// Time to live, or hop limit.
    pub hop_limit: u8,
    /// Version of the protocol.
    pub version: u8,
    /// Which virtual router.
    pub vrid: u8,
    /// Priority; 0: the master gives up.
    pub priority: u8,
    /// Interval.
    pub interval: Centiseconds,
    /// Addresses, in order.
    pub addresses: Vec<IpAddr>,
    /// Whether the checksum is right; in version 3 with a pseudo header.
    pub checksum_is_good: bool,
}

impl Packet {
    /// The advert, if it is one.
    pub const fn advert(&self) -> Option<&Advert> {
        match &self.what {
            What::Advert(advert) => Some(advert),
            What::Arp(_) | What::Neighbor(_) | What::Other => None,
        }
    }

    /// The address that the frame announces without having been asked.
    pub fn announces(&self) -> Option<IpAddr> {
        match &self.what {
            What::Arp(arp) if arp.is_gratuitous() => Some(arp.sender_address.into()),
            What::Neighbor(neighbor) if neighbor.is_announcement() => Some(neighbor.target.into()),
            What::Advert(_) | What::Arp(_) | What::Neighbor(_) | What::Other => None,
        }
    }

    /// Whether this is an advert of a host that is master: any priority but 0.
    pub fn is_of_master(&self, host: &str) -> bool {
        self.host == host
            && self.advert().is_some_and(|advert| Priority(advert.priority) != Priority::STOP)
    }

    /// Whether this is an advert by which a host gives up.
    pub fn is_stop(&self, host: &str) -> bool {
        self.host == host
            && self.advert().is_some_and(|advert| Priority(advert.priority) == Priority::STOP)
    }
}

impl fmt::Display for Packet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = self.at.as_secs_f64();
        write!(f, "{at:.6} {:<8} ", self.host)?;
        match &self.what {
            What::Advert(advert) => write!(
                f,
                "{} > {} VRRPv{} vrid {} priority {} interval {} {:?}{}",
                advert.source,
                advert.destination,
                advert.version,
                advert.vrid,
                advert.priority,
                advert.interval,
                advert.addresses,
                if advert.checksum_is_good { "" } else { " (wrong checksum)" },
            ),
            What::Arp(arp) => arp.fmt(f),
            What::Neighbor(neighbor) => neighbor.fmt(f),
            What::Other => write!(f, "{} octets from {}", self.frame.len(), self.mac),
        }
    }
}

/// Reads a frame.
pub fn read(frame: &[u8]) -> What {
    let Ok(ethernet) = ethernet::Packet::new_checked(frame) else { return What::Other };
    let payload = ethernet.payload();
    let found = match ethernet.ether_type() {
        EtherType::Arp => {
            arp::Packet::new_checked(payload).ok().map(|p| What::Arp(arp::Repr::parse(&p)))
        }
        EtherType::Ipv4 => ipv4(payload),
        EtherType::Ipv6 => ipv6(payload),
        EtherType::Unknown(_) => None,
    };
    found.unwrap_or(What::Other)
}

fn ipv4(octets: &[u8]) -> Option<What> {
    let ip = Ipv4Packet::new_checked(octets).ok()?;
    let end = ip.total_len().checked_sub(ip.header_len())?;
    let message = ip.payload().get(..end)?;
    let pseudo_header = PseudoHeader::V4 { source: ip.source(), destination: ip.destination() };
    let ends = (ip.source().into(), ip.destination().into());
    (ip.protocol() == vrrp::PROTOCOL)
        .then(|| advert(message, ends, ip.ttl(), pseudo_header))
        .flatten()
}

fn ipv6(octets: &[u8]) -> Option<What> {
    let ip = Ipv6Repr::parse(&Ipv6Packet::new_checked(octets).ok()?).ok()?;
    let message = Ipv6Packet::new_checked(octets).ok()?.payload().get(..ip.payload_len)?.to_vec();
    let ends: (Ipv6Addr, Ipv6Addr) = (ip.source, ip.destination);
    if ip.next_header == vrrp::PROTOCOL {
        let pseudo_header = PseudoHeader::V6 { source: ends.0, destination: ends.1 };
        return advert(&message, (ends.0.into(), ends.1.into()), ip.hop_limit, pseudo_header);
    }
    let packet = ndisc::Packet::new_checked(&message).ok()?;
    ndisc::Repr::parse(&packet, &ip).ok().map(What::Neighbor)
}

fn advert(
    message: &[u8],
    (source, destination): (IpAddr, IpAddr),
    hop_limit: u8,
    pseudo_header: PseudoHeader,
) -> Option<What> {
    let packet = vrrp::Packet::new_checked(message).ok()?;
    Some(What::Advert(Advert {
        source,
        destination,
        hop_limit,
        version: packet.version(),
        vrid: packet.vrid(),
        priority: packet.priority().0,
        interval: packet.interval(),
        addresses: packet.addresses(Family::of(source)).iter().collect(),
        checksum_is_good: packet.checksum_is_good(Some(pseudo_header)),
    }))
}
