//! Packet formats, one file each. No I/O, no clock, no allocation.
//!
//! Every file has the same order: the drawing of the header with the RFC it is from, constants,
//! `mod field` with the place of each field, the view, the value, their `Display`.
//!
//! - A **`Packet`** is a view: it wraps octets and reads one field at a time. `new_checked` is
//!   its only constructor and makes sure that the fixed part is there. Accessors never panic,
//!   whatever the octets are; they report numbers as they stand, also those that make no sense.
//! - A **`Repr`** is a value: small, plain and always something that may be sent. `parse` makes
//!   one from a view and refuses what the format does not allow. `emit` writes it to the front
//!   of a buffer of the caller's and returns the length; a buffer that is too short is
//!   [`Error::NoRoom`], never a panic.
//!
//! Reasons that people and counters need to know apart are not here but in
//! [`vrrp::validation`](crate::vrrp::validation), which reads the views.

pub mod arp;
pub mod checksum;
pub mod ethernet;
pub mod ip;
pub mod ndisc;
pub mod vrrp;

use std::fmt;
use std::ops::Range;

/// Why octets are not a packet, or a packet does not become octets.
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
    /// More addresses or octets than the format's fields can express.
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

/// One octet; zero when there is none.
fn octet(octets: &[u8], at: usize) -> u8 {
    octets.get(at).copied().unwrap_or(0)
}

/// A field of `N` octets; zeros when it is not all there.
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
