//! Netlink framing: splits a datagram into messages, and a payload into attributes.
//!
//! ```text
//!  0                   1                   2                   3
//!  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//! +---------------------------------------------------------------+
//! |                   length, header included                     |
//! +-------------------------------+-------------------------------+
//! |             type              |             flags             |
//! +-------------------------------+-------------------------------+
//! |                        sequence number                        |
//! +---------------------------------------------------------------+
//! |              port id of the socket that caused it             |
//! +---------------------------------------------------------------+
//! |                payload, padded to four octets                 |
//! +---------------------------------------------------------------+
//! ```
//!
//! An attribute is a length of 16 bits (its header of four octets included), a type of 16 bits and a
//! value, padded to four octets. All numbers are in host byte order. Every length is checked here, so
//! that neli sees only complete messages with complete attributes.

use std::fmt;
use std::net::IpAddr;

use super::consts;

/// Octets of a message header.
pub const HEADER_LEN: usize = 16;
/// Octets of an attribute header.
const ATTRIBUTE_HEADER_LEN: usize = 4;

/// The address of a netlink socket; the kernel has 0 (`netlink:N-7`).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct PortId(pub u32);

impl PortId {
    /// The kernel.
    pub const KERNEL: Self = Self(0);
}

/// The sequence number by which an answer is assigned to its request (`netlink:N-7`).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Sequence(pub u32);

impl Sequence {
    /// The next number. It wraps and skips 0, which the kernel's own messages have.
    #[must_use]
    pub const fn next(self) -> Self {
        match self.0.wrapping_add(1) {
            0 => Self(1),
            next => Self(next),
        }
    }
}

/// The flags of a header (`netlink:N-5`).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Flags(pub u16);

impl Flags {
    /// Whether the message is part of a dump.
    pub const fn multi(self) -> bool {
        self.0 & consts::NLM_F_MULTI != 0
    }

    /// Whether the table changed during its dump.
    pub const fn dump_interrupted(self) -> bool {
        self.0 & consts::NLM_F_DUMP_INTR != 0
    }

    /// Whether the message is an event about an object that replaced another one.
    pub const fn replaces(self) -> bool {
        self.0 & (consts::NLM_F_REPLACE | consts::NLM_F_MULTI) == consts::NLM_F_REPLACE
    }

    /// Whether the message is an answer that does not repeat the request.
    pub const fn capped(self) -> bool {
        self.0 & consts::NLM_F_CAPPED != 0
    }

    /// Whether the message is an answer with attributes.
    pub const fn has_attributes(self) -> bool {
        self.0 & consts::NLM_F_ACK_TLVS != 0
    }
}

/// One message of a datagram.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Message<'a> {
    /// The message type (`netlink:N-4`).
    pub kind: u16,
    /// The flags.
    pub flags: Flags,
    /// The sequence number of the request that caused it.
    pub sequence: Sequence,
    /// The port id of the socket whose request caused it.
    pub port: PortId,
    /// The octets after the header, without padding.
    pub payload: &'a [u8],
}

/// Why octets are not netlink.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Malformed {
    /// A header is cut short, or a length is larger than the octets received or smaller than its
    /// header.
    Length,
    /// An attribute has too few or too many octets for its meaning, or a mandatory one is missing.
    Body,
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Length => "a netlink message has a wrong length",
            Self::Body => "a netlink message has a wrong or missing attribute",
        })
    }
}

impl std::error::Error for Malformed {}

/// The octets of a number at an offset.
fn number<const N: usize>(octets: &[u8], at: usize) -> Result<[u8; N], Malformed> {
    octets.get(at..).and_then(<[u8]>::first_chunk).copied().ok_or(Malformed::Length)
}

/// A 16-bit number in host byte order.
///
/// # Errors
/// [`Malformed::Length`] when the octets end before it.
pub(super) fn u16_at(octets: &[u8], at: usize) -> Result<u16, Malformed> {
    number(octets, at).map(u16::from_ne_bytes)
}

/// A 32-bit number in host byte order.
///
/// # Errors
/// [`Malformed::Length`] when the octets end before it.
pub(super) fn u32_at(octets: &[u8], at: usize) -> Result<u32, Malformed> {
    number(octets, at).map(u32::from_ne_bytes)
}

/// An address of 4 or 16 octets.
///
/// # Errors
/// [`Malformed::Body`] when it has another length.
pub(super) fn address(value: &[u8]) -> Result<IpAddr, Malformed> {
    match (<[u8; 4]>::try_from(value), <[u8; 16]>::try_from(value)) {
        (Ok(four), _) => Ok(four.into()),
        (_, Ok(six)) => Ok(six.into()),
        (Err(_), Err(_)) => Err(Malformed::Body),
    }
}

/// Splits off the first `len` octets and the padding after them. The padding may be missing at the end
/// of the octets.
fn split_padded(octets: &[u8], len: usize) -> Result<(&[u8], &[u8]), Malformed> {
    let (first, _) = octets.split_at_checked(len).ok_or(Malformed::Length)?;
    Ok((first, octets.get(len.next_multiple_of(4)..).unwrap_or(&[])))
}

/// Applies `next` to the octets, and again to the rest that it returns, until nothing is left or it
/// fails.
fn parts<'a, T>(
    octets: &'a [u8],
    mut next: impl FnMut(&'a [u8]) -> Result<(T, &'a [u8]), Malformed>,
) -> impl Iterator<Item = Result<T, Malformed>> {
    let mut left = octets;
    std::iter::from_fn(move || {
        (!left.is_empty()).then(|| {
            let part = next(left);
            left = part.as_ref().map_or(&[], |(_, rest)| rest);
            part.map(|(part, _)| part)
        })
    })
}

/// The messages of a datagram. Iteration ends after the first malformed one.
pub fn messages(datagram: &[u8]) -> impl Iterator<Item = Result<Message<'_>, Malformed>> {
    parts(datagram, |left| {
        let len = usize::try_from(u32_at(left, 0)?).map_err(|_| Malformed::Length)?;
        let (message, rest) = split_padded(left, len)?;
        let payload = message.get(HEADER_LEN..).ok_or(Malformed::Length)?;
        let message = Message {
            kind: u16_at(message, 4)?,
            flags: Flags(u16_at(message, 6)?),
            sequence: Sequence(u32_at(message, 8)?),
            port: PortId(u32_at(message, 12)?),
            payload,
        };
        Ok((message, rest))
    })
}

/// Type and value of each attribute. Iteration ends after the first malformed one.
pub fn attributes(octets: &[u8]) -> impl Iterator<Item = Result<(u16, &[u8]), Malformed>> {
    parts(octets, |left| {
        let (attribute, rest) = split_padded(left, usize::from(u16_at(left, 0)?))?;
        let value = attribute.get(ATTRIBUTE_HEADER_LEN..).ok_or(Malformed::Length)?;
        Ok(((u16_at(attribute, 2)? & consts::NLA_TYPE_MASK, value), rest))
    })
}

#[cfg(test)]
mod tests {
    use super::{Malformed, Message, PortId, Sequence, attributes, messages};

    /// A message of type 20, flags 2, sequence 7, port 9.
    fn message(payload: &[u8], len: u32) -> Vec<u8> {
        let mut octets = len.to_ne_bytes().to_vec();
        octets.extend(20_u16.to_ne_bytes());
        octets.extend(2_u16.to_ne_bytes());
        octets.extend(7_u32.to_ne_bytes());
        octets.extend(9_u32.to_ne_bytes());
        octets.extend(payload);
        octets
    }

    fn all(datagram: &[u8]) -> Vec<Result<Message<'_>, Malformed>> {
        messages(datagram).collect()
    }

    /// netlink:N-9: one datagram may hold many messages.
    #[test]
    fn a_datagram_is_split_by_length_and_padding() {
        let mut datagram = message(&[1, 2, 3, 4, 5, 0, 0, 0], 21);
        datagram.extend(message(&[6], 17));
        let found: Vec<_> = messages(&datagram).map(Result::unwrap).collect();
        assert_eq!(found.len(), 2);
        assert_eq!(found[0].payload, [1, 2, 3, 4, 5]);
        assert_eq!(found[0].kind, 20);
        assert!(found[0].flags.multi() && !found[0].flags.capped());
        assert_eq!((found[0].sequence, found[0].port), (Sequence(7), PortId(9)));
        assert_eq!(found[1].payload, [6]);
        assert_eq!(all(&[]), []);
    }

    #[test]
    fn a_wrong_length_ends_the_datagram() {
        let good = message(&[], 16);
        for len in [0, 1, 15, 17, 33, u32::MAX] {
            let datagram = [message(&[], len), good.clone()].concat();
            let found = all(&datagram);
            let last = found.last().unwrap();
            // 17 takes one octet of its neighbour and leaves a rest that is too short.
            assert_eq!(*last, Err(Malformed::Length), "{len}");
        }
        for cut in 1..16 {
            assert_eq!(all(&good[..cut]), [Err(Malformed::Length)]);
        }
    }

    #[test]
    fn attributes_are_split_by_length_and_padding() {
        let mut octets = Vec::new();
        octets.extend(5_u16.to_ne_bytes());
        octets.extend(0x8003_u16.to_ne_bytes());
        octets.extend([1, 0, 0, 0]);
        octets.extend(4_u16.to_ne_bytes());
        octets.extend(4_u16.to_ne_bytes());
        let found: Vec<_> = attributes(&octets).map(Result::unwrap).collect();
        assert_eq!(found, [(3, &[1_u8][..]), (4, &[])]);
        for len in [0_u16, 3, 13, u16::MAX] {
            octets[..2].copy_from_slice(&len.to_ne_bytes());
            assert_eq!(attributes(&octets).last(), Some(Err(Malformed::Length)), "{len}");
        }
    }

    #[test]
    fn sequence_numbers_leave_out_the_kernels() {
        assert_eq!(Sequence(1).next(), Sequence(2));
        assert_eq!(Sequence(u32::MAX).next(), Sequence(1));
    }
}
