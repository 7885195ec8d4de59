//! ARP for IPv4 over Ethernet (RFC 826): 28 octets, and the gratuitous ARP frame of 42
//! (`vrrp:G-1`).
//!
//! ```text
//!  0                   1                   2                   3
//!  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//! +-------------------------------+-------------------------------+
//! |       hardware type = 1       |    protocol type = 0x0800     |
//! +---------------+---------------+-------------------------------+
//! |  hw length 6  | proto length 4|           operation           |
//! +---------------+---------------+-------------------------------+
//! |      sender hardware (6), sender protocol address (4)         |
//! |      target hardware (6), target protocol address (4)         |
//! +---------------------------------------------------------------+
//! ```

use std::fmt;
use std::net::Ipv4Addr;

use super::{Error, ethernet, read, write};
use crate::units::Mac;

/// Octets of an ARP packet for IPv4 over Ethernet.
pub const LEN: usize = 28;
/// Octets of the frame, without padding and FCS.
pub const FRAME_LEN: usize = ethernet::HEADER_LEN + LEN;

/// Ethernet, IPv4, and the lengths of their addresses.
const TYPES: [u8; 6] = [0, 1, 0x08, 0x00, 6, 4];

mod field {
    use std::ops::Range;

    pub const TYPES: Range<usize> = 0..6;
    pub const OPERATION: Range<usize> = 6..8;
    pub const SENDER_MAC: Range<usize> = 8..14;
    pub const SENDER_ADDRESS: Range<usize> = 14..18;
    pub const TARGET_MAC: Range<usize> = 18..24;
    pub const TARGET_ADDRESS: Range<usize> = 24..28;
}

/// The operation of a packet.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Operation {
    /// 1: asks which host has the target address.
    Request,
    /// 2: the answer.
    Reply,
    /// Anything else.
    Unknown(u16),
}

impl From<u16> for Operation {
    fn from(number: u16) -> Self {
        match number {
            1 => Self::Request,
            2 => Self::Reply,
            other => Self::Unknown(other),
        }
    }
}

impl From<Operation> for u16 {
    fn from(operation: Operation) -> Self {
        match operation {
            Operation::Request => 1,
            Operation::Reply => 2,
            Operation::Unknown(other) => other,
        }
    }
}

/// View of an ARP packet, from the hardware type on.
#[derive(Clone, Copy, Debug)]
pub struct Packet<T>(T);

impl<T: AsRef<[u8]>> Packet<T> {
    /// # Errors
    /// [`Error::Truncated`], or [`Error::Malformed`] when it is not IPv4 over Ethernet.
    pub fn new_checked(octets: T) -> Result<Self, Error> {
        if octets.as_ref().len() < LEN {
            return Err(Error::Truncated);
        }
        if octets.as_ref().get(field::TYPES) != Some(TYPES.as_slice()) {
            return Err(Error::Malformed);
        }
        Ok(Self(octets))
    }

    /// The operation.
    pub fn operation(&self) -> Operation {
        u16::from_be_bytes(read(self.0.as_ref(), field::OPERATION)).into()
    }

    /// Link-layer address that the sender claims for its address.
    pub fn sender_mac(&self) -> Mac {
        Mac(read(self.0.as_ref(), field::SENDER_MAC))
    }

    /// The sender's address.
    pub fn sender_address(&self) -> Ipv4Addr {
        Ipv4Addr::from(read::<4>(self.0.as_ref(), field::SENDER_ADDRESS))
    }

    /// Link-layer address of the target. It has no meaning in a request.
    pub fn target_mac(&self) -> Mac {
        Mac(read(self.0.as_ref(), field::TARGET_MAC))
    }

    /// The address that a request asks for, or that a reply is sent to.
    pub fn target_address(&self) -> Ipv4Addr {
        Ipv4Addr::from(read::<4>(self.0.as_ref(), field::TARGET_ADDRESS))
    }
}

/// An ARP packet.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Repr {
    /// The operation.
    pub operation: Operation,
    /// Link-layer address that the sender claims for its address.
    pub sender_mac: Mac,
    /// The sender's address.
    pub sender_address: Ipv4Addr,
    /// Link-layer address of the target.
    pub target_mac: Mac,
    /// The address that a request asks for, or that a reply is sent to.
    pub target_address: Ipv4Addr,
}

impl Repr {
    /// The announcement that `address` is at `mac` (`vrrp:G-1`).
    pub const fn gratuitous(mac: Mac, address: Ipv4Addr) -> Self {
        Self {
            operation: Operation::Request,
            sender_mac: mac,
            sender_address: address,
            target_mac: Mac::BROADCAST,
            target_address: address,
        }
    }

    /// The probe for `address`, sent by a host that does not claim it (RFC 5227 2.1.1). It changes no
    /// neighbour table. Linux answers it only for its own addresses, not as a proxy.
    pub const fn probe(mac: Mac, address: Ipv4Addr) -> Self {
        Self {
            operation: Operation::Request,
            sender_mac: mac,
            sender_address: Ipv4Addr::UNSPECIFIED,
            target_mac: Mac([0; 6]),
            target_address: address,
        }
    }

    /// Whether this is the answer to a probe, from a host that has the address.
    pub fn answers_probe(&self) -> bool {
        self.operation == Operation::Reply
            && self.target_address.is_unspecified()
            && !self.sender_address.is_unspecified()
    }

    /// Whether this announces the sender's own address, as a request or as a reply.
    pub fn is_gratuitous(&self) -> bool {
        self.sender_address == self.target_address && !self.sender_address.is_unspecified()
    }

    /// Reads a packet.
    pub fn parse<T: AsRef<[u8]>>(packet: &Packet<T>) -> Self {
        Self {
            operation: packet.operation(),
            sender_mac: packet.sender_mac(),
            sender_address: packet.sender_address(),
            target_mac: packet.target_mac(),
            target_address: packet.target_address(),
        }
    }

    /// Writes the packet to the front of `buffer` and returns its length.
    ///
    /// # Errors
    /// [`Error::NoRoom`].
    pub fn emit(&self, buffer: &mut [u8]) -> Result<usize, Error> {
        write(buffer, field::TYPES, &TYPES)?;
        write(buffer, field::OPERATION, &u16::from(self.operation).to_be_bytes())?;
        write(buffer, field::SENDER_MAC, &self.sender_mac.0)?;
        write(buffer, field::SENDER_ADDRESS, &self.sender_address.octets())?;
        write(buffer, field::TARGET_MAC, &self.target_mac.0)?;
        write(buffer, field::TARGET_ADDRESS, &self.target_address.octets())?;
        Ok(LEN)
    }

    /// Writes the packet as a broadcast frame of [`FRAME_LEN`] octets from the sender's
    /// link-layer address.
    ///
    /// # Errors
    /// [`Error::NoRoom`].
    pub fn emit_frame(&self, buffer: &mut [u8]) -> Result<usize, Error> {
        let header = ethernet::Repr {
            destination: Mac::BROADCAST,
            source: self.sender_mac,
            ether_type: ethernet::EtherType::Arp,
        };
        let start = header.emit(buffer)?;
        Ok(start + self.emit(buffer.get_mut(start..).ok_or(Error::NoRoom)?)?)
    }
}

impl fmt::Display for Repr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.operation {
            _ if self.is_gratuitous() => {
                write!(f, "ARP: {} is at {}", self.sender_address, self.sender_mac)
            }
            Operation::Request => {
                write!(f, "ARP: who has {}? tell {}", self.target_address, self.sender_address)
            }
            Operation::Reply => {
                write!(f, "ARP: {} is at {}", self.sender_address, self.sender_mac)
            }
            Operation::Unknown(number) => {
                write!(f, "ARP: operation {number} from {}", self.sender_address)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAC: Mac = Mac([0x02, 0, 0, 0, 0x0a, 0x01]);

    #[test]
    fn gratuitous_round_trip() {
        let repr = Repr::gratuitous(MAC, Ipv4Addr::new(192, 0, 2, 100));
        let mut frame = [0; FRAME_LEN];
        assert_eq!(repr.emit_frame(&mut frame), Ok(FRAME_LEN));
        let packet = Packet::new_checked(&frame[14..]).unwrap();
        assert_eq!(Repr::parse(&packet), repr);
        assert!(repr.is_gratuitous());
        assert_eq!(repr.to_string(), "ARP: 192.0.2.100 is at 02:00:00:00:0a:01");
        for len in 0..FRAME_LEN {
            assert_eq!(repr.emit_frame(&mut frame[..len]), Err(Error::NoRoom));
        }
    }

    #[test]
    fn other_packets_are_not_gratuitous() {
        let own = Repr::gratuitous(MAC, Ipv4Addr::new(192, 0, 2, 100));
        let question = Repr { target_address: Ipv4Addr::new(192, 0, 2, 1), ..own };
        assert!(!question.is_gratuitous());
        assert_eq!(question.to_string(), "ARP: who has 192.0.2.1? tell 192.0.2.100");
        // Nor is a probe for it, or its answer.
        let probe = Repr::probe(MAC, Ipv4Addr::new(192, 0, 2, 1));
        assert!(!probe.is_gratuitous() && !probe.answers_probe());
        assert_eq!(probe.to_string(), "ARP: who has 192.0.2.1? tell 0.0.0.0");
        let answer = Repr { target_address: Ipv4Addr::UNSPECIFIED, ..own };
        let answer = Repr { operation: Operation::Reply, ..answer };
        assert!(!answer.is_gratuitous() && answer.answers_probe());
        assert!(!Repr { operation: Operation::Request, ..answer }.answers_probe());
        // An address probe (RFC 5227) for 0.0.0.0 announces nothing.
        assert!(!Repr::gratuitous(MAC, Ipv4Addr::UNSPECIFIED).is_gratuitous());
    }

    #[test]
    fn refuses_other_hardware_and_short_packets() {
        let mut octets = [0; LEN];
        Repr::gratuitous(MAC, Ipv4Addr::LOCALHOST).emit(&mut octets).unwrap();
        assert!(matches!(Packet::new_checked(&octets[..27]), Err(Error::Truncated)));
        octets[1] = 32;
        assert!(matches!(Packet::new_checked(&octets[..]), Err(Error::Malformed)));
    }
}
