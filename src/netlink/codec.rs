//! Helpers around neli, which encodes and decodes message bodies and attributes. Types of neli are
//! not used outside of `netlink`.

use std::fmt;
use std::io::Cursor;
use std::net::IpAddr;

use neli::consts::nl::NlmF;
use neli::consts::rtnl::{RtAddrFamily, RtTable, RtaType, Rtm};
use neli::nl::{NlPayload, NlmsghdrBuilder};
use neli::rtnl::{Rtattr, RtattrBuilder};
use neli::types::{Buffer, RtBuffer};
use neli::{FromBytesWithInput, Size, ToBytes};

use super::frame::{Malformed, Sequence, attributes};
use crate::net::TableId;
use crate::units::Family;

/// A request has more octets than its length fields can express.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Unencodable;

impl fmt::Display for Unencodable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the netlink request is too long")
    }
}

impl std::error::Error for Unencodable {}

/// Decodes a payload with `fixed` octets before its attributes. All lengths are checked first, since
/// neli trusts them.
pub(super) fn decode<T>(payload: &[u8], fixed: usize) -> Result<T, Malformed>
where
    T: FromBytesWithInput<Input = usize>,
{
    let octets = payload.get(fixed..).ok_or(Malformed::Length)?;
    attributes(octets).try_for_each(|attribute| attribute.map(drop))?;
    T::from_bytes_with_input(&mut Cursor::new(payload), payload.len()).map_err(|_| Malformed::Body)
}

/// Appends a request to `octets`, which stay unchanged on an error.
pub(super) fn encode<T: Size + ToBytes>(
    octets: &mut Vec<u8>,
    kind: Rtm,
    flags: NlmF,
    sequence: Sequence,
    body: T,
) -> Result<(), Unencodable> {
    let message = NlmsghdrBuilder::default()
        .nl_type(kind)
        .nl_flags(flags)
        .nl_seq(sequence.0)
        .nl_payload(NlPayload::Payload(body))
        .build()
        .map_err(|_| Unencodable)?;
    let mut cursor = Cursor::new(Vec::with_capacity(message.padded_size()));
    message.to_bytes(&mut cursor).map_err(|_| Unencodable)?;
    octets.append(cursor.get_mut());
    Ok(())
}

/// Builds an attribute.
pub(super) fn attribute<T: RtaType>(
    kind: T,
    value: &[u8],
) -> Result<Rtattr<T, Buffer>, Unencodable> {
    if u16::try_from(value.len() + 4).is_err() {
        return Err(Unencodable);
    }
    RtattrBuilder::default()
        .rta_type(kind)
        .rta_payload(Buffer::from(value.to_vec()))
        .build()
        .map_err(|_| Unencodable)
}

/// Encodes attributes, to be nested in another attribute.
pub(super) fn octets<T: RtaType>(attributes: &RtBuffer<T, Buffer>) -> Result<Vec<u8>, Unencodable> {
    let mut cursor = Cursor::new(Vec::with_capacity(attributes.padded_size()));
    attributes.to_bytes(&mut cursor).map_err(|_| Unencodable)?;
    Ok(cursor.into_inner())
}

/// An address as the value of an attribute: 4 or 16 octets.
pub(super) fn address_value(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    }
}

/// The neli value of a family.
pub(super) const fn family(family: Family) -> RtAddrFamily {
    match family {
        Family::V4 => RtAddrFamily::Inet,
        Family::V6 => RtAddrFamily::Inet6,
    }
}

/// The family with this number; `None` when it is neither IPv4 nor IPv6.
pub(super) fn family_of(number: u8) -> Option<Family> {
    Family::ALL.into_iter().find(|family| u8::from(self::family(*family)) == number)
}

/// The number of a table if it fits into the fixed part of a message. Larger ones need an attribute
/// (`netlink:N-50`).
pub(super) fn short_table(table: TableId) -> Option<RtTable> {
    u8::try_from(table.0).ok().map(RtTable::from)
}
