//! VRRP version 2 (RFC 2338, RFC 3768) and version 3 (RFC 5798, RFC 9568).
//!
//! ```text
//!  0                   1                   2                   3
//!  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//! +-------+-------+---------------+---------------+---------------+
//! |version|type 1 |     VRID      |   priority    |    count N    |
//! +-------+-------+---------------+---------------+---------------+
//! |   auth type   | interval, s   |           checksum            |  version 2
//! +-------+-------+---------------+-------------------------------+
//! |   0   |   max interval, cs    |           checksum            |  version 3
//! +-------+-----------------------+-------------------------------+
//! |              N addresses of the IP header's family            |
//! +---------------------------------------------------------------+
//! |               authentication data, 8 octets                   |  version 2
//! +---------------------------------------------------------------+
//! ```

mod template;
#[cfg(test)]
mod tests;

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::checksum::{PseudoHeader, Sum};
use super::{Error, octet, read, write};
use crate::units::{Centiseconds, Family, Priority, Version, Vrid};

pub use template::Template;

/// IP protocol number (`vrrp:V-1`).
pub const PROTOCOL: u8 = 112;
/// IPv4 multicast group (`vrrp:V-1`).
pub const GROUP_V4: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 18);
/// IPv6 multicast group (`vrrp:V-1`).
pub const GROUP_V6: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0x12);
/// TTL and hop limit of adverts (`vrrp:V-1`).
pub const HOP_LIMIT: u8 = 255;
/// IPv4 TOS and IPv6 traffic class: internetwork control (`vrrp:V-6`).
pub const TRAFFIC_CLASS: u8 = 0xc0;
/// The only packet type (`vrrp:V-2`).
pub const ADVERTISEMENT: u8 = 1;
/// Octets before the addresses, in both versions.
pub const HEADER_LEN: usize = 8;
/// The offset of the checksum in a message of either version, in the type of the socket option
/// (`vrrp:C-3`).
pub const CHECKSUM_AT: i32 = 6;
/// Octets of the authentication data at the end of a message of version 2 (`vrrp:V2-1`).
pub const AUTH_DATA_LEN: usize = 8;

mod field {
    use std::ops::Range;

    pub const VERSION_TYPE: usize = 0;
    pub const VRID: usize = 1;
    pub const PRIORITY: usize = 2;
    pub const COUNT: usize = 3;
    pub const AUTH_TYPE: usize = 4;
    pub const SECONDS: usize = 5;
    pub const CENTISECONDS: Range<usize> = 4..6;
    pub const CHECKSUM: Range<usize> = 6..8;
}

/// The multicast group of a family.
pub const fn group(family: Family) -> IpAddr {
    match family {
        Family::V4 => IpAddr::V4(GROUP_V4),
        Family::V6 => IpAddr::V6(GROUP_V6),
    }
}

/// Octets of one address.
const fn address_len(family: Family) -> usize {
    match family {
        Family::V4 => 4,
        Family::V6 => 16,
    }
}

/// Octets of a message with this version number and count (`vrrp:V2-1`, `V3-1`). Every number except 2
/// is treated as version 3, so that a receiver can check the length before the version.
pub const fn message_len(version: u8, family: Family, count: u8) -> usize {
    let auth_data = if version == 2 { AUTH_DATA_LEN } else { 0 };
    HEADER_LEN + count as usize * address_len(family) + auth_data
}

/// An interval in the seconds of version 2: rounded up, 1 to 255 (`vrrp:V-7`).
fn seconds(interval: Centiseconds) -> u8 {
    u8::try_from(interval.0.div_ceil(100).max(1)).unwrap_or(u8::MAX)
}

/// An interval in the centiseconds of version 3: 1 to 4095 (`vrrp:V-7`).
fn centiseconds(interval: Centiseconds) -> [u8; 2] {
    interval.0.clamp(1, Centiseconds::MAX_V3.0).to_be_bytes()
}

/// Authentication type of version 2.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum AuthType {
    /// 0: none.
    None,
    /// 1: a password in clear (RFC 2338 5.3.6.2).
    Password,
    /// 2: the IP authentication header (RFC 2338 5.3.6.3).
    Header,
    /// Anything else.
    Unknown(u8),
}

impl From<u8> for AuthType {
    fn from(number: u8) -> Self {
        match number {
            0 => Self::None,
            1 => Self::Password,
            2 => Self::Header,
            other => Self::Unknown(other),
        }
    }
}

impl From<AuthType> for u8 {
    fn from(auth_type: AuthType) -> Self {
        match auth_type {
            AuthType::None => 0,
            AuthType::Password => 1,
            AuthType::Header => 2,
            AuthType::Unknown(other) => other,
        }
    }
}

/// Addresses in packet order, either in a packet or in a list of the caller.
#[derive(Clone, Copy)]
pub struct Addresses<'a> {
    family: Family,
    /// Octets of a packet; empty when `list` is used.
    octets: &'a [u8],
    list: &'a [IpAddr],
}

impl<'a> Addresses<'a> {
    /// The addresses of this family in a list.
    pub const fn of_family(family: Family, list: &'a [IpAddr]) -> Self {
        Self { family, octets: &[], list }
    }

    /// The family of all of them.
    pub const fn family(&self) -> Family {
        self.family
    }

    /// The addresses in packet order.
    pub fn iter(&self) -> impl Iterator<Item = IpAddr> + Clone + use<'a> {
        let family = self.family;
        let parsed =
            self.octets.chunks_exact(address_len(family)).map(move |octets| match family {
                Family::V4 => IpAddr::from(read::<4>(octets, 0..4)),
                Family::V6 => IpAddr::from(read::<16>(octets, 0..16)),
            });
        parsed.chain(self.list.iter().copied().filter(move |a| Family::of(*a) == family))
    }
}

impl PartialEq for Addresses<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.family == other.family && self.iter().eq(other.iter())
    }
}

impl Eq for Addresses<'_> {}

impl fmt::Debug for Addresses<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

/// View of a message, from the VRRP header on.
#[derive(Clone, Copy, Debug)]
pub struct Packet<T>(T);

impl<T: AsRef<[u8]>> Packet<T> {
    /// Checks that the header is complete; the rest may be missing (`vrrp:V-21`).
    ///
    /// # Errors
    /// [`Error::Truncated`] when there are fewer than [`HEADER_LEN`] octets.
    pub fn new_checked(octets: T) -> Result<Self, Error> {
        if octets.as_ref().len() < HEADER_LEN {
            return Err(Error::Truncated);
        }
        Ok(Self(octets))
    }

    /// Version number, 4 bits.
    pub fn version(&self) -> u8 {
        octet(self.0.as_ref(), field::VERSION_TYPE) >> 4
    }

    /// Packet type, 4 bits.
    pub fn packet_type(&self) -> u8 {
        octet(self.0.as_ref(), field::VERSION_TYPE) & 0x0f
    }

    /// Virtual router identifier; 0 is invalid.
    pub fn vrid(&self) -> u8 {
        octet(self.0.as_ref(), field::VRID)
    }

    /// Priority.
    pub fn priority(&self) -> Priority {
        Priority(octet(self.0.as_ref(), field::PRIORITY))
    }

    /// The number of addresses, as the sender claims.
    pub fn count(&self) -> u8 {
        octet(self.0.as_ref(), field::COUNT)
    }

    /// Version 2: authentication type.
    pub fn auth_type(&self) -> AuthType {
        octet(self.0.as_ref(), field::AUTH_TYPE).into()
    }

    /// The announced interval: whole seconds in version 2, the low 12 bits in version 3
    /// (`vrrp:V3-2`). May be zero.
    pub fn interval(&self) -> Centiseconds {
        let octets = self.0.as_ref();
        if self.version() == 2 {
            Centiseconds(u16::from(octet(octets, field::SECONDS)) * 100)
        } else {
            Centiseconds(u16::from_be_bytes(read(octets, field::CENTISECONDS)) & 0x0fff)
        }
    }

    /// The checksum field.
    pub fn checksum(&self) -> u16 {
        u16::from_be_bytes(read(self.0.as_ref(), field::CHECKSUM))
    }

    /// Whether the checksum over all octets of the view is correct. Version 2 never has a pseudo-header
    /// (`vrrp:C-2`). Version 3 over IPv4 has none when the sender follows RFC 9568 (`vrrp:C-4`).
    pub fn checksum_is_good(&self, pseudo_header: Option<PseudoHeader>) -> bool {
        sum(self.version(), pseudo_header, self.0.as_ref()).is_good()
    }

    /// Octets of the message according to its version and count (`vrrp:V-27`).
    pub fn message_len(&self, family: Family) -> usize {
        message_len(self.version(), family, self.count())
    }

    /// The addresses: [`Packet::count`] of them, or fewer if the packet is too short.
    pub fn addresses(&self, family: Family) -> Addresses<'_> {
        let octets = self.0.as_ref().get(HEADER_LEN..).unwrap_or_default();
        let wanted = usize::from(self.count()) * address_len(family);
        Addresses { family, octets: octets.get(..wanted).unwrap_or(octets), list: &[] }
    }

    /// Version 2: the 8 octets after the addresses.
    pub fn auth_data(&self, family: Family) -> Option<[u8; AUTH_DATA_LEN]> {
        let start = HEADER_LEN + usize::from(self.count()) * address_len(family);
        self.0.as_ref().get(start..)?.first_chunk().copied()
    }
}

/// The sum for computing or checking the checksum (`vrrp:C-1` to `C-4`).
fn sum(version: u8, pseudo_header: Option<PseudoHeader>, message: &[u8]) -> Sum {
    match pseudo_header {
        Some(addresses) if version != 2 => addresses.sum(PROTOCOL, message),
        Some(_) | None => Sum::new().octets(message),
    }
}

impl<T: AsRef<[u8]>> fmt::Display for Packet<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "VRRPv{} type {} vrid {} priority {} count {} interval {} checksum {:04x}",
            self.version(),
            self.packet_type(),
            self.vrid(),
            self.priority(),
            self.count(),
            self.interval(),
            self.checksum()
        )
    }
}

/// Authentication of a message of version 2.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub enum Authentication {
    /// Type 0; the authentication data are zeros.
    None,
    /// Type 1: the password, padded with NUL (`vrrp:A-1`).
    Password([u8; AUTH_DATA_LEN]),
    /// Type 2: the IP authentication header has the digest; the authentication data are zeros.
    Header,
}

impl Authentication {
    const fn auth_type(self) -> AuthType {
        match self {
            Self::None => AuthType::None,
            Self::Password(_) => AuthType::Password,
            Self::Header => AuthType::Header,
        }
    }

    const fn data(self) -> [u8; AUTH_DATA_LEN] {
        match self {
            Self::Password(password) => password,
            Self::None | Self::Header => [0; AUTH_DATA_LEN],
        }
    }
}

impl fmt::Debug for Authentication {
    /// Formats the type only, without the password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.auth_type().fmt(f)
    }
}

/// The version of a message, with the fields that only this version has.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Format {
    /// Version 2, with its authentication.
    V2(Authentication),
    /// Version 3.
    V3,
}

impl Format {
    /// The version.
    pub const fn version(self) -> Version {
        match self {
            Self::V2(_) => Version::V2,
            Self::V3 => Version::V3,
        }
    }
}

/// An advertisement.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Repr<'a> {
    /// The version, with its own fields.
    pub format: Format,
    /// Virtual router.
    pub vrid: Vrid,
    /// Priority; 0 when the master gives up.
    pub priority: Priority,
    /// The announced interval. Version 2 has 1 to 255 whole seconds, version 3 has 1 to 4095
    /// centiseconds. Other values are rounded up to whole units and clamped to that range.
    pub interval: Centiseconds,
    /// The addresses, in configuration order (`vrrp:V-8`).
    pub addresses: Addresses<'a>,
}

impl<'a> Repr<'a> {
    /// Reads a message that fills its view exactly. For `pseudo_header` see
    /// [`Packet::checksum_is_good`].
    ///
    /// # Errors
    /// [`Error::Truncated`]; [`Error::TooLong`] when octets follow; [`Error::Checksum`];
    /// [`Error::Malformed`] for another version, type or authentication type, and for a VRID or an
    /// interval of 0.
    pub fn parse<T: AsRef<[u8]>>(
        packet: &'a Packet<T>,
        family: Family,
        pseudo_header: Option<PseudoHeader>,
    ) -> Result<Self, Error> {
        let received = packet.0.as_ref().len();
        if received < packet.message_len(family) {
            return Err(Error::Truncated);
        }
        if received > packet.message_len(family) {
            return Err(Error::TooLong);
        }
        if !packet.checksum_is_good(pseudo_header) {
            return Err(Error::Checksum);
        }
        let format = match packet.version() {
            2 => Format::V2(match packet.auth_type() {
                AuthType::None => Authentication::None,
                AuthType::Password => {
                    Authentication::Password(packet.auth_data(family).ok_or(Error::Truncated)?)
                }
                AuthType::Header => Authentication::Header,
                AuthType::Unknown(_) => return Err(Error::Malformed),
            }),
            3 => Format::V3,
            _ => return Err(Error::Malformed),
        };
        if packet.packet_type() != ADVERTISEMENT || packet.interval() == Centiseconds(0) {
            return Err(Error::Malformed);
        }
        Ok(Self {
            format,
            vrid: Vrid::new(packet.vrid()).ok_or(Error::Malformed)?,
            priority: packet.priority(),
            interval: packet.interval(),
            addresses: packet.addresses(family),
        })
    }

    /// Octets that [`Repr::emit`] writes.
    pub fn buffer_len(&self) -> usize {
        let addresses = self.addresses.iter().count() * address_len(self.addresses.family);
        message_len(self.format.version().number(), self.addresses.family, 0) + addresses
    }

    /// Writes the message with its checksum to the front of `buffer` and returns its length. For
    /// `pseudo_header` see [`Packet::checksum_is_good`].
    ///
    /// # Errors
    /// [`Error::NoRoom`]; [`Error::TooLong`] for more than 255 addresses.
    pub fn emit(
        &self,
        pseudo_header: Option<PseudoHeader>,
        buffer: &mut [u8],
    ) -> Result<usize, Error> {
        let count = u8::try_from(self.addresses.iter().count()).map_err(|_| Error::TooLong)?;
        let len = self.buffer_len();
        let message = buffer.get_mut(..len).ok_or(Error::NoRoom)?;
        let version = self.format.version().number();
        let first = (version << 4) + ADVERTISEMENT;
        write(
            message,
            field::VERSION_TYPE..field::AUTH_TYPE,
            &[first, self.vrid.get(), self.priority.0, count],
        )?;
        let timing = match self.format {
            Format::V2(auth) => [auth.auth_type().into(), seconds(self.interval)],
            Format::V3 => centiseconds(self.interval),
        };
        write(message, field::CENTISECONDS, &timing)?;
        write(message, field::CHECKSUM, &[0, 0])?;
        let mut at = HEADER_LEN;
        for address in self.addresses.iter() {
            let end = at + address_len(self.addresses.family);
            match address {
                IpAddr::V4(address) => write(message, at..end, &address.octets())?,
                IpAddr::V6(address) => write(message, at..end, &address.octets())?,
            }
            at = end;
        }
        if let Format::V2(auth) = self.format {
            write(message, at..len, &auth.data())?;
        }
        let checksum = sum(version, pseudo_header, message).checksum();
        write(message, field::CHECKSUM, &checksum.to_be_bytes())?;
        Ok(len)
    }
}

impl fmt::Display for Repr<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "VRRPv{} vrid {} priority {} interval {}",
            self.format.version(),
            self.vrid,
            self.priority,
            self.interval
        )?;
        if let Format::V2(auth) = self.format {
            match auth {
                Authentication::None => {}
                Authentication::Password(_) => f.write_str(" with password")?,
                Authentication::Header => f.write_str(" with authentication header")?,
            }
        }
        for (index, address) in self.addresses.iter().enumerate() {
            f.write_str(if index == 0 { " addresses " } else { ", " })?;
            address.fmt(f)?;
        }
        Ok(())
    }
}
