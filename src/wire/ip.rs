//! IPv4 header (RFC 791 section 3.1) and IPv6 header (RFC 8200 section 3).
//!
//! ```text
//!  0                   1                   2                   3
//!  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//! +-------+-------+---------------+-------------------------------+
//! |   4   |  IHL  |      TOS      |          total length         |
//! +-------+-------+---------------+-----+-------------------------+
//! |         identification        |flags|     fragment offset     |
//! +---------------+---------------+-----+-------------------------+
//! |      TTL      |    protocol   |        header checksum        |
//! +---------------+---------------+-------------------------------+
//! |                            source                             |
//! |                          destination                          |
//! |                   options (IHL - 5 words)                     |
//! +---------------------------------------------------------------+
//!
//! +-------+---------------+---------------------------------------+
//! |   6   | traffic class |              flow label               |
//! +-------+---------------+-------+---------------+---------------+
//! |         payload length        |  next header  |   hop limit   |
//! +-------------------------------+---------------+---------------+
//! |                          source (16)                          |
//! |                        destination (16)                       |
//! +---------------------------------------------------------------+
//! ```

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

use super::checksum::Sum;
use super::{Error, octet, read, write};

/// Octets of an IPv4 header without options.
pub const IPV4_HEADER_LEN: usize = 20;
/// Octets of an IPv6 header.
pub const IPV6_HEADER_LEN: usize = 40;
/// Protocol number of the authentication header.
pub const PROTOCOL_AH: u8 = 51;
/// Protocol number of ICMPv6.
pub const PROTOCOL_ICMPV6: u8 = 58;
/// Octets of the authentication header of VRRPv2, which stands between the IP header and the
/// message (`vrrp:V-21`, `V-27`).
pub const AH_LEN: usize = 24;

mod v4 {
    use std::ops::Range;

    pub const VERSION_IHL: usize = 0;
    pub const TOS: usize = 1;
    pub const TOTAL_LEN: Range<usize> = 2..4;
    pub const IDENTIFICATION: Range<usize> = 4..6;
    pub const FRAGMENT: Range<usize> = 6..8;
    pub const TTL: usize = 8;
    pub const PROTOCOL: usize = 9;
    pub const CHECKSUM: Range<usize> = 10..12;
    pub const SOURCE: Range<usize> = 12..16;
    pub const DESTINATION: Range<usize> = 16..20;
}

mod v6 {
    use std::ops::Range;

    pub const VERSION_CLASS_LABEL: Range<usize> = 0..4;
    pub const PAYLOAD_LEN: Range<usize> = 4..6;
    pub const NEXT_HEADER: usize = 6;
    pub const HOP_LIMIT: usize = 7;
    pub const SOURCE: Range<usize> = 8..24;
    pub const DESTINATION: Range<usize> = 24..40;
}

/// View of an IPv4 packet.
#[derive(Clone, Copy, Debug)]
pub struct Ipv4Packet<T>(T);

impl<T: AsRef<[u8]>> Ipv4Packet<T> {
    /// Checks that the whole header with its options is there. The total length is not checked, since
    /// the receiver has to report a wrong one (`vrrp:V-36`).
    ///
    /// # Errors
    /// [`Error::Truncated`], or [`Error::Malformed`] when the version is not 4 or the header
    /// length is below 20.
    pub fn new_checked(octets: T) -> Result<Self, Error> {
        let packet = Self(octets);
        let len = packet.0.as_ref().len();
        if len < IPV4_HEADER_LEN {
            return Err(Error::Truncated);
        }
        if packet.version() != 4 || packet.header_len() < IPV4_HEADER_LEN {
            return Err(Error::Malformed);
        }
        if len < packet.header_len() {
            return Err(Error::Truncated);
        }
        Ok(packet)
    }

    /// Version number, 4.
    pub fn version(&self) -> u8 {
        octet(self.0.as_ref(), v4::VERSION_IHL) >> 4
    }

    /// Octets of the header, options included.
    pub fn header_len(&self) -> usize {
        usize::from(octet(self.0.as_ref(), v4::VERSION_IHL) & 0x0f) * 4
    }

    /// Type of service.
    pub fn tos(&self) -> u8 {
        octet(self.0.as_ref(), v4::TOS)
    }

    /// Octets of header and payload, as the sender claims.
    pub fn total_len(&self) -> usize {
        u16::from_be_bytes(read(self.0.as_ref(), v4::TOTAL_LEN)).into()
    }

    /// Identification, for reassembly (and for the authentication header, `vrrp:A-4`).
    pub fn identification(&self) -> u16 {
        u16::from_be_bytes(read(self.0.as_ref(), v4::IDENTIFICATION))
    }

    /// Flags and fragment offset.
    pub fn fragment(&self) -> u16 {
        u16::from_be_bytes(read(self.0.as_ref(), v4::FRAGMENT))
    }

    /// Time to live.
    pub fn ttl(&self) -> u8 {
        octet(self.0.as_ref(), v4::TTL)
    }

    /// Protocol number.
    pub fn protocol(&self) -> u8 {
        octet(self.0.as_ref(), v4::PROTOCOL)
    }

    /// Whether the header checksum is correct.
    pub fn checksum_is_good(&self) -> bool {
        Sum::new().octets(self.0.as_ref().get(..self.header_len()).unwrap_or_default()).is_good()
    }

    /// Source address.
    pub fn source(&self) -> Ipv4Addr {
        Ipv4Addr::from(read::<4>(self.0.as_ref(), v4::SOURCE))
    }

    /// Destination address.
    pub fn destination(&self) -> Ipv4Addr {
        Ipv4Addr::from(read::<4>(self.0.as_ref(), v4::DESTINATION))
    }

    /// The octets after the header, to the end of the received ones.
    pub fn payload(&self) -> &[u8] {
        self.0.as_ref().get(self.header_len()..).unwrap_or_default()
    }
}

/// Flag: routers must not fragment the packet.
const DONT_FRAGMENT: u16 = 0x4000;

/// An IPv4 header without options, of an unfragmented packet.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Ipv4Repr {
    /// Type of service.
    pub tos: u8,
    /// Identification. The kernel replaces 0 by a value of its own.
    pub identification: u16,
    /// Routers must not fragment the packet. We send `false` (`vrrp:V-6`); FRR sets it.
    pub dont_fragment: bool,
    /// Time to live.
    pub ttl: u8,
    /// Protocol number.
    pub protocol: u8,
    /// Source address.
    pub source: Ipv4Addr,
    /// Destination address.
    pub destination: Ipv4Addr,
    /// Octets that follow the header.
    pub payload_len: usize,
}

impl Ipv4Repr {
    /// Reads a header.
    ///
    /// # Errors
    /// [`Error::Checksum`]; [`Error::Malformed`] for options, fragments and a total length below
    /// the header's; [`Error::Truncated`] when less was received than the total length.
    pub fn parse<T: AsRef<[u8]>>(packet: &Ipv4Packet<T>) -> Result<Self, Error> {
        if !packet.checksum_is_good() {
            return Err(Error::Checksum);
        }
        if packet.header_len() != IPV4_HEADER_LEN || packet.fragment() & !DONT_FRAGMENT != 0 {
            return Err(Error::Malformed);
        }
        let payload_len =
            packet.total_len().checked_sub(IPV4_HEADER_LEN).ok_or(Error::Malformed)?;
        if packet.payload().len() < payload_len {
            return Err(Error::Truncated);
        }
        Ok(Self {
            tos: packet.tos(),
            identification: packet.identification(),
            dont_fragment: packet.fragment() & DONT_FRAGMENT != 0,
            ttl: packet.ttl(),
            protocol: packet.protocol(),
            source: packet.source(),
            destination: packet.destination(),
            payload_len,
        })
    }

    /// Writes the header with its checksum to the front of `buffer` and returns its length.
    ///
    /// # Errors
    /// [`Error::NoRoom`]; [`Error::TooLong`] when the payload does not fit in 16 bits.
    pub fn emit(&self, buffer: &mut [u8]) -> Result<usize, Error> {
        let header = buffer.get_mut(..IPV4_HEADER_LEN).ok_or(Error::NoRoom)?;
        let total_len =
            u16::try_from(self.payload_len + IPV4_HEADER_LEN).map_err(|_| Error::TooLong)?;
        write(header, v4::VERSION_IHL..v4::TOTAL_LEN.start, &[0x45, self.tos])?;
        write(header, v4::TOTAL_LEN, &total_len.to_be_bytes())?;
        write(header, v4::IDENTIFICATION, &self.identification.to_be_bytes())?;
        let fragment = if self.dont_fragment { DONT_FRAGMENT } else { 0 };
        write(header, v4::FRAGMENT, &fragment.to_be_bytes())?;
        write(header, v4::TTL..v4::CHECKSUM.start, &[self.ttl, self.protocol])?;
        write(header, v4::CHECKSUM, &[0, 0])?;
        write(header, v4::SOURCE, &self.source.octets())?;
        write(header, v4::DESTINATION, &self.destination.octets())?;
        let checksum = Sum::new().octets(header).checksum();
        write(header, v4::CHECKSUM, &checksum.to_be_bytes())?;
        Ok(IPV4_HEADER_LEN)
    }
}

impl fmt::Display for Ipv4Repr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} > {} protocol {} ttl {} length {}",
            self.source, self.destination, self.protocol, self.ttl, self.payload_len
        )
    }
}

/// View of an IPv6 packet.
#[derive(Clone, Copy, Debug)]
pub struct Ipv6Packet<T>(T);

impl<T: AsRef<[u8]>> Ipv6Packet<T> {
    /// Checks that the header is complete.
    ///
    /// # Errors
    /// [`Error::Truncated`], or [`Error::Malformed`] when the version is not 6.
    pub fn new_checked(octets: T) -> Result<Self, Error> {
        let packet = Self(octets);
        if packet.0.as_ref().len() < IPV6_HEADER_LEN {
            return Err(Error::Truncated);
        }
        if packet.first_word() >> 28 != 6 {
            return Err(Error::Malformed);
        }
        Ok(packet)
    }

    fn first_word(&self) -> u32 {
        u32::from_be_bytes(read(self.0.as_ref(), v6::VERSION_CLASS_LABEL))
    }

    /// Traffic class.
    pub fn traffic_class(&self) -> u8 {
        let [class, ..] = (self.first_word() << 4).to_be_bytes();
        class
    }

    /// Flow label, 20 bits.
    pub fn flow_label(&self) -> u32 {
        self.first_word() & 0x000f_ffff
    }

    /// Octets after the header, as the sender claims.
    pub fn payload_len(&self) -> usize {
        u16::from_be_bytes(read(self.0.as_ref(), v6::PAYLOAD_LEN)).into()
    }

    /// Protocol number of the payload.
    pub fn next_header(&self) -> u8 {
        octet(self.0.as_ref(), v6::NEXT_HEADER)
    }

    /// Hop limit.
    pub fn hop_limit(&self) -> u8 {
        octet(self.0.as_ref(), v6::HOP_LIMIT)
    }

    /// Source address.
    pub fn source(&self) -> Ipv6Addr {
        Ipv6Addr::from(read::<16>(self.0.as_ref(), v6::SOURCE))
    }

    /// Destination address.
    pub fn destination(&self) -> Ipv6Addr {
        Ipv6Addr::from(read::<16>(self.0.as_ref(), v6::DESTINATION))
    }

    /// The octets after the header, to the end of the received ones.
    pub fn payload(&self) -> &[u8] {
        self.0.as_ref().get(IPV6_HEADER_LEN..).unwrap_or_default()
    }
}

/// An IPv6 header.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Ipv6Repr {
    /// Traffic class.
    pub traffic_class: u8,
    /// Flow label, 20 bits; higher bits are not written.
    pub flow_label: u32,
    /// Protocol number of the payload.
    pub next_header: u8,
    /// Hop limit.
    pub hop_limit: u8,
    /// Source address.
    pub source: Ipv6Addr,
    /// Destination address.
    pub destination: Ipv6Addr,
    /// Octets that follow the header.
    pub payload_len: usize,
}

impl Ipv6Repr {
    /// Reads a header.
    ///
    /// # Errors
    /// [`Error::Truncated`] when less was received than the payload length.
    pub fn parse<T: AsRef<[u8]>>(packet: &Ipv6Packet<T>) -> Result<Self, Error> {
        if packet.payload().len() < packet.payload_len() {
            return Err(Error::Truncated);
        }
        Ok(Self {
            traffic_class: packet.traffic_class(),
            flow_label: packet.flow_label(),
            next_header: packet.next_header(),
            hop_limit: packet.hop_limit(),
            source: packet.source(),
            destination: packet.destination(),
            payload_len: packet.payload_len(),
        })
    }

    /// Writes the header to the front of `buffer` and returns its length.
    ///
    /// # Errors
    /// [`Error::NoRoom`]; [`Error::TooLong`] when the payload does not fit in 16 bits.
    pub fn emit(&self, buffer: &mut [u8]) -> Result<usize, Error> {
        let header = buffer.get_mut(..IPV6_HEADER_LEN).ok_or(Error::NoRoom)?;
        let payload_len = u16::try_from(self.payload_len).map_err(|_| Error::TooLong)?;
        let first =
            (6 << 28) + (u32::from(self.traffic_class) << 20) + (self.flow_label & 0x000f_ffff);
        write(header, v6::VERSION_CLASS_LABEL, &first.to_be_bytes())?;
        write(header, v6::PAYLOAD_LEN, &payload_len.to_be_bytes())?;
        write(header, v6::NEXT_HEADER..v6::SOURCE.start, &[self.next_header, self.hop_limit])?;
        write(header, v6::SOURCE, &self.source.octets())?;
        write(header, v6::DESTINATION, &self.destination.octets())?;
        Ok(IPV6_HEADER_LEN)
    }
}

impl fmt::Display for Ipv6Repr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} > {} protocol {} hop limit {} length {}",
            self.source, self.destination, self.next_header, self.hop_limit, self.payload_len
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: [u8; 20] = [
        0x45, 0xc0, 0x00, 0x20, 0x00, 0x01, 0x00, 0x00, 0xff, 0x70, 0x18, 0x99, 0xc0, 0x00, 0x02,
        0x01, 0xe0, 0x00, 0x00, 0x12,
    ];

    fn packet() -> [u8; 32] {
        let mut packet = [0; 32];
        packet[..20].copy_from_slice(&HEADER);
        packet
    }

    /// A changed header with its checksum put right.
    fn changed(at: usize, value: u8) -> [u8; 32] {
        let mut packet = packet();
        packet[at] = value;
        packet[10..12].fill(0);
        let checksum = Sum::new().octets(&packet[..20]).checksum();
        packet[10..12].copy_from_slice(&checksum.to_be_bytes());
        packet
    }

    fn parse(octets: &[u8]) -> Result<Ipv4Repr, Error> {
        Ipv4Repr::parse(&Ipv4Packet::new_checked(octets)?)
    }

    #[test]
    fn ipv4_header_round_trip() {
        let repr = parse(&packet()).unwrap();
        assert_eq!(repr.to_string(), "192.0.2.1 > 224.0.0.18 protocol 112 ttl 255 length 12");
        let mut buffer = [0xaa; 20];
        assert_eq!(repr.emit(&mut buffer), Ok(20));
        assert_eq!(buffer, HEADER);
        assert_eq!(repr.emit(&mut buffer[..19]), Err(Error::NoRoom));
        let long = Ipv4Repr { payload_len: 65516, ..repr };
        assert_eq!(long.emit(&mut buffer), Err(Error::TooLong));
    }

    #[test]
    fn ipv4_header_faults() {
        assert_eq!(parse(&[]), Err(Error::Truncated));
        assert_eq!(parse(&packet()[..19]), Err(Error::Truncated));
        assert!(Ipv4Packet::new_checked(&HEADER).unwrap().payload().is_empty());
        assert_eq!(parse(&packet()[..31]), Err(Error::Truncated), "below the total length");
        assert_eq!(parse(&changed(0, 0x55)), Err(Error::Malformed), "version");
        assert_eq!(parse(&changed(0, 0x44)), Err(Error::Malformed), "header length 16");
        assert_eq!(parse(&changed(0, 0x49)), Err(Error::Truncated), "header length 36");
        assert_eq!(parse(&changed(3, 19)), Err(Error::Malformed), "total length");
        assert_eq!(parse(&changed(7, 1)), Err(Error::Malformed), "fragment");
        assert_eq!(parse(&changed(6, 0x20)), Err(Error::Malformed), "more fragments");
        assert_eq!(parse(&changed(6, 0x40)).map(|repr| repr.dont_fragment), Ok(true));
        let mut bad = packet();
        bad[8] = 254;
        assert_eq!(parse(&bad), Err(Error::Checksum));
    }

    #[test]
    fn ipv4_options_belong_to_the_header() {
        let mut octets = packet();
        octets[0] = 0x46;
        let packet = Ipv4Packet::new_checked(&octets[..]).unwrap();
        assert_eq!(packet.header_len(), 24);
        assert_eq!(packet.payload().len(), 8);
    }

    #[test]
    fn ipv6_header_round_trip() {
        let repr = Ipv6Repr {
            traffic_class: 0xc0,
            flow_label: 0xabcde,
            next_header: 112,
            hop_limit: 255,
            source: "fe80::1".parse().unwrap(),
            destination: "ff02::12".parse().unwrap(),
            payload_len: 2,
        };
        let mut buffer = [0; 42];
        assert_eq!(repr.emit(&mut buffer), Ok(40));
        assert_eq!(buffer[..4], [0x6c, 0x0a, 0xbc, 0xde]);
        let packet = Ipv6Packet::new_checked(&buffer[..]).unwrap();
        assert_eq!(Ipv6Repr::parse(&packet), Ok(repr));
        assert_eq!(repr.to_string(), "fe80::1 > ff02::12 protocol 112 hop limit 255 length 2");
        let short = Ipv6Packet::new_checked(&buffer[..41]).unwrap();
        assert_eq!(Ipv6Repr::parse(&short), Err(Error::Truncated));
        assert!(matches!(Ipv6Packet::new_checked(&buffer[..39]), Err(Error::Truncated)));
        assert!(Ipv6Packet::new_checked(&buffer[..40]).unwrap().payload().is_empty());
        assert_eq!(repr.emit(&mut buffer[..39]), Err(Error::NoRoom));
        buffer[0] = 0x40;
        assert!(matches!(Ipv6Packet::new_checked(&buffer[..]), Err(Error::Malformed)));
    }
}
