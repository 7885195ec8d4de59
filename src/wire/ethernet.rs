//! Ethernet II header (RFC 894, RFC 2464 section 3): 14 octets, no FCS.
//!
//! ```text
//! +------------------+------------------+-----------+
//! | destination (6)  |    source (6)    | type (2)  |
//! +------------------+------------------+-----------+
//! ```

use std::fmt;
use std::net::IpAddr;

use super::{Error, read, write};
use crate::units::Mac;

/// Octets of the header.
pub const HEADER_LEN: usize = 14;

mod field {
    use std::ops::Range;

    pub const DESTINATION: Range<usize> = 0..6;
    pub const SOURCE: Range<usize> = 6..12;
    pub const TYPE: Range<usize> = 12..14;
}

/// The protocol of a frame's payload.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum EtherType {
    /// 0x0800.
    Ipv4,
    /// 0x0806.
    Arp,
    /// 0x86dd.
    Ipv6,
    /// Anything else.
    Unknown(u16),
}

impl From<u16> for EtherType {
    fn from(number: u16) -> Self {
        match number {
            0x0800 => Self::Ipv4,
            0x0806 => Self::Arp,
            0x86dd => Self::Ipv6,
            other => Self::Unknown(other),
        }
    }
}

impl From<EtherType> for u16 {
    fn from(kind: EtherType) -> Self {
        match kind {
            EtherType::Ipv4 => 0x0800,
            EtherType::Arp => 0x0806,
            EtherType::Ipv6 => 0x86dd,
            EtherType::Unknown(other) => other,
        }
    }
}

/// The destination address of frames to a multicast group (RFC 1112 6.4, RFC 2464 7, `vrrp:V-5`).
/// `None` when the address is not a multicast group.
pub const fn multicast_mac(group: IpAddr) -> Option<Mac> {
    if !group.is_multicast() {
        return None;
    }
    Some(match group {
        IpAddr::V4(group) => {
            let [_, a, b, c] = group.octets();
            Mac([0x01, 0x00, 0x5e, a & 0x7f, b, c])
        }
        IpAddr::V6(group) => {
            let [.., a, b, c, d] = group.octets();
            Mac([0x33, 0x33, a, b, c, d])
        }
    })
}

/// View of a frame.
#[derive(Clone, Copy, Debug)]
pub struct Packet<T>(T);

impl<T: AsRef<[u8]>> Packet<T> {
    /// # Errors
    /// [`Error::Truncated`] when there are fewer than [`HEADER_LEN`] octets.
    pub fn new_checked(octets: T) -> Result<Self, Error> {
        if octets.as_ref().len() < HEADER_LEN {
            return Err(Error::Truncated);
        }
        Ok(Self(octets))
    }

    /// Destination address.
    pub fn destination(&self) -> Mac {
        Mac(read(self.0.as_ref(), field::DESTINATION))
    }

    /// Source address.
    pub fn source(&self) -> Mac {
        Mac(read(self.0.as_ref(), field::SOURCE))
    }

    /// The protocol of the payload.
    pub fn ether_type(&self) -> EtherType {
        u16::from_be_bytes(read(self.0.as_ref(), field::TYPE)).into()
    }

    /// The octets after the header, padding included.
    pub fn payload(&self) -> &[u8] {
        self.0.as_ref().get(HEADER_LEN..).unwrap_or_default()
    }
}

/// An Ethernet header.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Repr {
    /// Destination address.
    pub destination: Mac,
    /// Source address.
    pub source: Mac,
    /// The protocol of the payload.
    pub ether_type: EtherType,
}

impl Repr {
    /// Reads the header.
    pub fn parse<T: AsRef<[u8]>>(packet: &Packet<T>) -> Self {
        Self {
            destination: packet.destination(),
            source: packet.source(),
            ether_type: packet.ether_type(),
        }
    }

    /// Writes the header to the front of `buffer` and returns its length.
    ///
    /// # Errors
    /// [`Error::NoRoom`].
    pub fn emit(&self, buffer: &mut [u8]) -> Result<usize, Error> {
        write(buffer, field::DESTINATION, &self.destination.0)?;
        write(buffer, field::SOURCE, &self.source.0)?;
        write(buffer, field::TYPE, &u16::from(self.ether_type).to_be_bytes())?;
        Ok(HEADER_LEN)
    }
}

impl fmt::Display for Repr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} > {} type {:04x}", self.source, self.destination, u16::from(self.ether_type))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn maps_groups_to_addresses() {
        let mac = |group: &str| multicast_mac(group.parse().unwrap());
        assert_eq!(mac("224.0.0.18"), Some(Mac([0x01, 0x00, 0x5e, 0x00, 0x00, 0x12])));
        assert_eq!(mac("239.255.1.2"), Some(Mac([0x01, 0x00, 0x5e, 0x7f, 0x01, 0x02])));
        assert_eq!(mac("ff02::12"), Some(Mac([0x33, 0x33, 0x00, 0x00, 0x00, 0x12])));
        assert_eq!(mac("192.0.2.1"), None);
        assert_eq!(mac("fe80::12"), None);
    }

    #[test]
    fn emits_what_it_parsed_and_asks_for_room() {
        let octets = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 0x86, 0xdd, 0xaa];
        let packet = Packet::new_checked(&octets[..]).unwrap();
        assert_eq!(packet.payload(), [0xaa]);
        let repr = Repr::parse(&packet);
        assert_eq!(repr.ether_type, EtherType::Ipv6);
        let mut buffer = [0; HEADER_LEN];
        assert_eq!(repr.emit(&mut buffer), Ok(HEADER_LEN));
        assert_eq!(buffer, octets[..HEADER_LEN]);
        assert_eq!(repr.emit(&mut buffer[..13]), Err(Error::NoRoom));
        assert!(matches!(Packet::new_checked(&octets[..13]), Err(Error::Truncated)));
    }
}
