//! Packet formats, one file each. No I/O, no clock, no allocation.
//!
//! Every file has the same order: the drawing of the header with its RFC, constants, `mod field` with
//! the offset of each field, the view, the value, and their `Display`.
//!
//! - A **`Packet`** is a view: it wraps octets and reads one field at a time. `new_checked` is its only
//!   constructor and checks that the fixed part is complete. Accessors never panic; they return the
//!   numbers in the packet, also invalid ones.
//! - A **`Repr`** is a value that may be sent. `parse` makes one from a view and refuses values that
//!   the format does not allow. `emit` writes it to the front of the caller's buffer and returns the
//!   length; a buffer that is too short is [`Error::NoRoom`], never a panic.
//!
//! The detailed reasons for discarding an advert, for messages and counters, are in
//! [`vrrp::validation`](crate::vrrp::validation), which reads the views.

pub mod arp;
pub mod checksum;
pub mod ethernet;
pub mod ip;
pub mod ndisc;
pub mod vrrp;

use std::fmt;
use std::ops::Range;

/// Why octets cannot be parsed as a packet, or a packet cannot be written.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Error {
    /// Fewer octets than the fixed header, or than its length fields announce.
    Truncated,
    /// A field has a value that the format does not allow.
    Malformed,
    /// The checksum is wrong.
    Checksum,
    /// The buffer to write to is smaller than the packet.
    NoRoom,
    /// The packet has more addresses or octets than the format's fields can express.
    TooLong,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Truncated => "the packet is cut short",
            Self::Malformed => "a field has a value that the format does not allow",
            Self::Checksum => "the checksum is wrong",
            Self::NoRoom => "the buffer is smaller than the packet to write",
            Self::TooLong => "the packet has more addresses or bytes than its fields can express",
        })
    }
}

impl std::error::Error for Error {}

/// The octet at an offset; zero beyond the end.
fn octet(octets: &[u8], at: usize) -> u8 {
    octets.get(at).copied().unwrap_or(0)
}

/// A field of `N` octets; zeros when it is incomplete.
fn read<const N: usize>(octets: &[u8], at: Range<usize>) -> [u8; N] {
    octets.get(at).and_then(|field| field.try_into().ok()).unwrap_or([0; N])
}

/// Writes a field.
fn write(octets: &mut [u8], at: Range<usize>, value: &[u8]) -> Result<(), Error> {
    match octets.get_mut(at) {
        Some(field) if field.len() == value.len() => {
            field.copy_from_slice(value);
            Ok(())
        }
        Some(_) | None => Err(Error::NoRoom),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_that_does_not_fill_its_field_is_not_written() {
        let mut octets = [0xaa; 4];
        for value in [&[1][..], &[1, 2, 3]] {
            assert_eq!(write(&mut octets, 1..3, value), Err(Error::NoRoom));
        }
        assert_eq!(write(&mut octets, 3..5, &[1, 2]), Err(Error::NoRoom));
        assert_eq!(octets, [0xaa; 4]);
        assert_eq!(write(&mut octets, 1..3, &[1, 2]), Ok(()));
        assert_eq!(octets, [0xaa, 1, 2, 0xaa]);
    }
}
