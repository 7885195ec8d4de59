//! IPv6 neighbour advertisements (RFC 4861 section 4.4), such as the unsolicited one that announces a
//! virtual address (`vrrp:G-3`), and the neighbour solicitation (section 4.3) that probes for another
//! holder of an address.
//!
//! ```text
//!  0                   1                   2                   3
//!  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//! +---------------+---------------+-------------------------------+
//! |   type = 136  |    code = 0   |           checksum            |
//! +-+-+-+---------+---------------+-------------------------------+
//! |R|S|O|                      reserved                           |
//! +-+-+-+---------------------------------------------------------+
//! |                      target address (16)                      |
//! +---------------+---------------+-------------------------------+
//! | option type 2 |  length 1 x 8 |   target link-layer address   |
//! +---------------+---------------+              (6)              |
//! |                                                               |
//! +---------------------------------------------------------------+
//! ```

use std::fmt;
use std::net::Ipv6Addr;

use super::checksum::PseudoHeader;
use super::ip::{IPV6_HEADER_LEN, Ipv6Repr, PROTOCOL_ICMPV6};
use super::{Error, ethernet, octet, read, write};
use crate::units::Mac;

/// ICMPv6 type of a neighbour advertisement.
pub const NEIGHBOR_ADVERTISEMENT: u8 = 136;
/// ICMPv6 type of a neighbour solicitation.
pub const NEIGHBOR_SOLICITATION: u8 = 135;
/// The multicast group of all nodes on a link.
pub const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
/// Octets without options.
pub const HEADER_LEN: usize = 24;
/// Octets with the target link-layer address.
pub const LEN: usize = 32;
/// Octets of the frame of an unsolicited advertisement.
pub const FRAME_LEN: usize = ethernet::HEADER_LEN + IPV6_HEADER_LEN + LEN;

/// The hop limit of packets that no router has forwarded (RFC 4861 7.1.2).
const HOP_LIMIT: u8 = 255;
/// Option: target link-layer address.
const OPTION_TARGET: u8 = 2;
const ROUTER: u8 = 0x80;
const SOLICITED: u8 = 0x40;
const OVERRIDE: u8 = 0x20;

mod field {
    use std::ops::Range;

    pub const TYPE: usize = 0;
    pub const CODE: usize = 1;
    pub const CHECKSUM: Range<usize> = 2..4;
    pub const FLAGS: Range<usize> = 4..8;
    pub const TARGET: Range<usize> = 8..24;
    pub const OPTION_HEADER: Range<usize> = 24..26;
    pub const OPTION_MAC: Range<usize> = 26..32;
}

/// View of a neighbour advertisement, from the ICMPv6 type to the end of the message.
#[derive(Clone, Copy, Debug)]
pub struct Packet<T>(T);

impl<T: AsRef<[u8]>> Packet<T> {
    /// # Errors
    /// [`Error::Truncated`], or [`Error::Malformed`] when type or code differ.
    pub fn new_checked(octets: T) -> Result<Self, Error> {
        let packet = octets.as_ref();
        if packet.len() < HEADER_LEN {
            return Err(Error::Truncated);
        }
        if octet(packet, field::TYPE) != NEIGHBOR_ADVERTISEMENT || octet(packet, field::CODE) != 0 {
            return Err(Error::Malformed);
        }
        Ok(Self(octets))
    }

    fn flags(&self) -> u8 {
        octet(self.0.as_ref(), field::FLAGS.start)
    }

    /// R: the sender is a router.
    pub fn router(&self) -> bool {
        self.flags() & ROUTER != 0
    }

    /// S: the answer to a solicitation.
    pub fn solicited(&self) -> bool {
        self.flags() & SOLICITED != 0
    }

    /// O: the receiver replaces the address in its cache.
    pub fn overrides(&self) -> bool {
        self.flags() & OVERRIDE != 0
    }

    /// The announced address.
    pub fn target(&self) -> Ipv6Addr {
        Ipv6Addr::from(read::<16>(self.0.as_ref(), field::TARGET))
    }

    /// The last target link-layer address option that has the length of an Ethernet address.
    ///
    /// # Errors
    /// [`Error::Malformed`] when an option has length 0, [`Error::Truncated`] when one reaches
    /// beyond the packet (RFC 4861 7.1.2).
    pub fn target_mac(&self) -> Result<Option<Mac>, Error> {
        let mut rest = self.0.as_ref().get(HEADER_LEN..).unwrap_or_default();
        let mut found = None;
        while !rest.is_empty() {
            let len = usize::from(*rest.get(1).ok_or(Error::Truncated)?) * 8;
            if len == 0 {
                return Err(Error::Malformed);
            }
            let (option, next) = rest.split_at_checked(len).ok_or(Error::Truncated)?;
            if let [OPTION_TARGET, 1, mac @ ..] = option {
                found = mac.try_into().ok().map(Mac);
            }
            rest = next;
        }
        Ok(found)
    }

    /// Whether the checksum is correct.
    pub fn checksum_is_good(&self, pseudo_header: PseudoHeader) -> bool {
        pseudo_header.sum(PROTOCOL_ICMPV6, self.0.as_ref()).is_good()
    }
}

/// A neighbour advertisement that carries the link-layer address.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Repr {
    /// R: the sender is a router; set it when the interface forwards IPv6.
    pub router: bool,
    /// S: the answer to a solicitation.
    pub solicited: bool,
    /// O: the receiver replaces the address in its cache.
    pub overrides: bool,
    /// The announced address.
    pub target: Ipv6Addr,
    /// Its link-layer address.
    pub mac: Mac,
}

impl Repr {
    /// The announcement that `address` is at `mac` (`vrrp:G-3`).
    pub const fn unsolicited(mac: Mac, address: Ipv6Addr, router: bool) -> Self {
        Self { router, solicited: false, overrides: true, target: address, mac }
    }

    /// Whether a receiver updates its cache without a solicitation.
    pub const fn is_announcement(&self) -> bool {
        !self.solicited && self.overrides
    }

    /// Reads the advertisement in a packet with this IPv6 header, and checks it as RFC 4861 7.1.2
    /// requires.
    ///
    /// # Errors
    /// [`Error::Checksum`]; [`Error::Malformed`] for another protocol, a hop limit other than 255, a
    /// multicast target, a solicited answer to a group, or a missing link-layer address;
    /// [`Error::Truncated`] for incomplete options.
    pub fn parse<T: AsRef<[u8]>>(packet: &Packet<T>, ip: &Ipv6Repr) -> Result<Self, Error> {
        let pseudo_header = PseudoHeader::V6 { source: ip.source, destination: ip.destination };
        if !packet.checksum_is_good(pseudo_header) {
            return Err(Error::Checksum);
        }
        if ip.next_header != PROTOCOL_ICMPV6
            || ip.hop_limit != HOP_LIMIT
            || packet.target().is_multicast()
            || (packet.solicited() && ip.destination.is_multicast())
        {
            return Err(Error::Malformed);
        }
        Ok(Self {
            router: packet.router(),
            solicited: packet.solicited(),
            overrides: packet.overrides(),
            target: packet.target(),
            mac: packet.target_mac()?.ok_or(Error::Malformed)?,
        })
    }

    /// Writes the ICMPv6 message with its checksum to the front of `buffer` and returns its
    /// length.
    ///
    /// # Errors
    /// [`Error::NoRoom`].
    pub fn emit(&self, pseudo_header: PseudoHeader, buffer: &mut [u8]) -> Result<usize, Error> {
        let message = buffer.get_mut(..LEN).ok_or(Error::NoRoom)?;
        let flags: u8 =
            [(self.router, ROUTER), (self.solicited, SOLICITED), (self.overrides, OVERRIDE)]
                .into_iter()
                .map(|(set, flag)| if set { flag } else { 0 })
                .sum();
        write(message, field::TYPE..field::CHECKSUM.start, &[NEIGHBOR_ADVERTISEMENT, 0])?;
        write(message, field::CHECKSUM, &[0, 0])?;
        write(message, field::FLAGS, &[flags, 0, 0, 0])?;
        write(message, field::TARGET, &self.target.octets())?;
        write(message, field::OPTION_HEADER, &[OPTION_TARGET, 1])?;
        write(message, field::OPTION_MAC, &self.mac.0)?;
        let checksum = pseudo_header.sum(PROTOCOL_ICMPV6, message).checksum();
        write(message, field::CHECKSUM, &checksum.to_be_bytes())?;
        Ok(LEN)
    }

    /// Writes the whole frame to all nodes, [`FRAME_LEN`] octets, from the announced address
    /// (`vrrp:G-3`).
    ///
    /// # Errors
    /// [`Error::NoRoom`].
    pub fn emit_frame(&self, buffer: &mut [u8]) -> Result<usize, Error> {
        let (len, pseudo_header) = emit_headers(self.mac, self.target, ALL_NODES, LEN, buffer)?;
        Ok(len + self.emit(pseudo_header, buffer.get_mut(len..).ok_or(Error::NoRoom)?)?)
    }
}

/// Writes the headers of a frame to a group and returns their length.
fn emit_headers(
    mac: Mac,
    source: Ipv6Addr,
    destination: Ipv6Addr,
    payload_len: usize,
    buffer: &mut [u8],
) -> Result<(usize, PseudoHeader), Error> {
    let [_, _, _, _, _, _, _, _, _, _, _, _, a, b, c, d] = destination.octets();
    let header = ethernet::Repr {
        destination: Mac([0x33, 0x33, a, b, c, d]),
        source: mac,
        ether_type: ethernet::EtherType::Ipv6,
    };
    let ip = Ipv6Repr {
        traffic_class: 0,
        flow_label: 0,
        next_header: PROTOCOL_ICMPV6,
        hop_limit: HOP_LIMIT,
        source,
        destination,
        payload_len,
    };
    let mut len = header.emit(buffer)?;
    len += ip.emit(buffer.get_mut(len..).ok_or(Error::NoRoom)?)?;
    Ok((len, PseudoHeader::V6 { source, destination }))
}

/// Writes the frame that probes for the holder of an address without claiming it (RFC 4862 5.4.2): a
/// neighbour solicitation from the unspecified address to the solicited-node group. Returns its length.
///
/// # Errors
/// [`Error::NoRoom`].
pub fn emit_probe_frame(mac: Mac, target: Ipv6Addr, buffer: &mut [u8]) -> Result<usize, Error> {
    let [.., high, low] = target.segments();
    let group = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 1, 0xff00 | (high & 0xff), low);
    let (len, pseudo_header) = emit_headers(mac, Ipv6Addr::UNSPECIFIED, group, HEADER_LEN, buffer)?;
    let message = buffer.get_mut(len..len + HEADER_LEN).ok_or(Error::NoRoom)?;
    message.fill(0);
    write(message, field::TYPE..field::CODE, &[NEIGHBOR_SOLICITATION])?;
    write(message, field::TARGET, &target.octets())?;
    let checksum = pseudo_header.sum(PROTOCOL_ICMPV6, message).checksum();
    write(message, field::CHECKSUM, &checksum.to_be_bytes())?;
    Ok(len + HEADER_LEN)
}

impl fmt::Display for Repr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "neighbour advertisement: {} is at {}", self.target, self.mac)?;
        for (set, word) in [
            (self.router, " router"),
            (self.solicited, " solicited"),
            (self.overrides, " override"),
        ] {
            if set {
                f.write_str(word)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::ip::Ipv6Packet;
    use super::*;

    const MAC: Mac = Mac([0x02, 0, 0, 0, 0x0a, 0x01]);

    fn frame() -> (Repr, [u8; FRAME_LEN]) {
        let repr = Repr::unsolicited(MAC, "2001:db8::100".parse().unwrap(), true);
        let mut frame = [0; FRAME_LEN];
        assert_eq!(repr.emit_frame(&mut frame), Ok(FRAME_LEN));
        (repr, frame)
    }

    fn parse(frame: &[u8]) -> Result<Repr, Error> {
        let ip = Ipv6Packet::new_checked(&frame[14..])?;
        Repr::parse(&Packet::new_checked(ip.payload())?, &Ipv6Repr::parse(&ip)?)
    }

    /// Changes one octet and puts the checksum right again.
    fn changed(at: usize, value: u8) -> Vec<u8> {
        let mut frame = frame().1.to_vec();
        frame[at] = value;
        frame[56..58].fill(0);
        let address = |range| Ipv6Addr::from(read::<16>(&frame, range));
        let pseudo = PseudoHeader::V6 { source: address(22..38), destination: address(38..54) };
        let checksum = pseudo.sum(PROTOCOL_ICMPV6, &frame[54..]).checksum();
        frame[56..58].copy_from_slice(&checksum.to_be_bytes());
        frame
    }

    #[test]
    fn unsolicited_round_trip() {
        let (repr, mut frame) = frame();
        assert_eq!(parse(&frame), Ok(repr));
        assert!(repr.is_announcement());
        assert_eq!(
            repr.to_string(),
            "neighbour advertisement: 2001:db8::100 is at 02:00:00:00:0a:01 router override"
        );
        for len in 0..FRAME_LEN {
            assert_eq!(repr.emit_frame(&mut frame[..len]), Err(Error::NoRoom));
        }
    }

    #[test]
    fn a_probe_asks_the_group_of_the_address() {
        let target: Ipv6Addr = "2001:db8::12:3456:789a".parse().unwrap();
        let mut frame = [0; FRAME_LEN];
        let len = emit_probe_frame(MAC, target, &mut frame).unwrap();
        assert_eq!(len, 14 + 40 + HEADER_LEN);
        assert_eq!(frame[..6], [0x33, 0x33, 0xff, 0x56, 0x78, 0x9a]);
        let ip = Ipv6Packet::new_checked(&frame[14..len]).unwrap();
        let repr = Ipv6Repr::parse(&ip).unwrap();
        assert_eq!((repr.source, repr.hop_limit), (Ipv6Addr::UNSPECIFIED, 255));
        assert_eq!(repr.destination.to_string(), "ff02::1:ff56:789a");
        let (source, destination) = (repr.source, repr.destination);
        let pseudo = PseudoHeader::V6 { source, destination };
        assert!(pseudo.sum(PROTOCOL_ICMPV6, ip.payload()).is_good());
        assert_eq!((ip.payload()[0], &ip.payload()[8..24]), (135, &target.octets()[..]));
        for len in 0..len {
            assert_eq!(emit_probe_frame(MAC, target, &mut frame[..len]), Err(Error::NoRoom));
        }
    }

    #[test]
    fn each_flag_is_read_and_written_alone() {
        let source = Ipv6Addr::LOCALHOST;
        let ip = Ipv6Repr {
            traffic_class: 0,
            flow_label: 0,
            next_header: PROTOCOL_ICMPV6,
            hop_limit: HOP_LIMIT,
            source,
            destination: source,
            payload_len: LEN,
        };
        let pseudo = PseudoHeader::V6 { source, destination: source };
        for flags in 0..8_u8 {
            let repr = Repr {
                router: flags & 4 != 0,
                solicited: flags & 2 != 0,
                overrides: flags & 1 != 0,
                target: source,
                mac: MAC,
            };
            let mut message = [0; LEN];
            assert_eq!(repr.emit(pseudo, &mut message), Ok(LEN));
            assert_eq!(message[4], flags << 5);
            assert_eq!(Repr::parse(&Packet::new_checked(&message[..]).unwrap(), &ip), Ok(repr));
            assert_eq!(repr.is_announcement(), flags & 3 == 1, "{repr}");
        }
    }

    #[test]
    fn options_may_be_missing_the_rest_may_not() {
        let message = &frame().1[54..];
        assert!(matches!(Packet::new_checked(&message[..HEADER_LEN - 1]), Err(Error::Truncated)));
        let bare = Packet::new_checked(&message[..HEADER_LEN]).unwrap();
        assert_eq!(bare.target_mac(), Ok(None));
    }

    #[test]
    fn refuses_what_a_receiver_must_ignore() {
        let mut bad = frame().1;
        bad[60] ^= 1;
        assert_eq!(parse(&bad), Err(Error::Checksum));
        for (at, value, what) in [
            (54, 135, "type"),
            (55, 1, "code"),
            (21, 254, "hop limit"),
            (62, 0xff, "multicast target"),
            (58, 0x40, "solicited answer to a group"),
            (79, 0, "option of length 0"),
            (78, 1, "no target link-layer address"),
        ] {
            assert_eq!(parse(&changed(at, value)), Err(Error::Malformed), "{what}");
        }
        assert_eq!(parse(&changed(79, 2)), Err(Error::Truncated), "option beyond the end");
    }
}
