//! A packet that is built once and sent many times.

use std::net::IpAddr;

use super::super::Error;
use super::super::checksum::{self, PseudoHeader};
use super::super::ip::{IPV4_HEADER_LEN, Ipv4Repr};
use super::{HEADER_LEN, PROTOCOL, Repr, TRAFFIC_CLASS, centiseconds, seconds};
use crate::units::{Centiseconds, Family, Priority, Version};

/// The packet of one virtual router to one destination, ready to send.
///
/// Between two adverts only the priority, the interval and with them the checksum change, which
/// [`Template::set`] does in place (`vrrp:C-6`). Build a new one when anything else does.
/// Unicast needs one for each peer, since the destination is in the checksum (`vrrp:C-5`).
#[derive(Clone, Debug)]
pub struct Template {
    /// What a raw socket wants, see [`Template::as_bytes`].
    octets: Box<[u8]>,
    /// Where the message begins in it.
    message_at: usize,
    version: Version,
    destination: IpAddr,
}

impl Template {
    /// Builds the packet. `hop_limit` is used for IPv4 only; with IPv6 it is an option of the
    /// socket. `pseudo_header` is what the checksum covers besides the message, which is not
    /// always the addresses of the packet (`vrrp:C-4`, `C-5`).
    ///
    /// # Errors
    /// [`Error::TooLong`] for more than 255 addresses; [`Error::Malformed`] when source and
    /// destination are not both of the family of the addresses in the packet.
    pub fn new(
        repr: &Repr<'_>,
        source: IpAddr,
        destination: IpAddr,
        hop_limit: u8,
        pseudo_header: Option<PseudoHeader>,
    ) -> Result<Self, Error> {
        let family = repr.addresses.family();
        if PseudoHeader::new(source, destination).is_none() || Family::of(source) != family {
            return Err(Error::Malformed);
        }
        let len = repr.buffer_len();
        let message_at = match family {
            Family::V4 => IPV4_HEADER_LEN,
            Family::V6 => 0,
        };
        let mut octets = vec![0; message_at + len].into_boxed_slice();
        if let (IpAddr::V4(source), IpAddr::V4(destination)) = (source, destination) {
            let header = Ipv4Repr {
                tos: TRAFFIC_CLASS,
                identification: 0,
                dont_fragment: false,
                ttl: hop_limit,
                protocol: PROTOCOL,
                source,
                destination,
                payload_len: len,
            };
            header.emit(&mut octets)?;
        }
        repr.emit(pseudo_header, octets.get_mut(message_at..).ok_or(Error::NoRoom)?)?;
        Ok(Self { octets, message_at, version: repr.format.version(), destination })
    }

    /// Changes what is announced. An interval that the version cannot express is treated as in
    /// [`Repr::interval`].
    pub fn set(&mut self, priority: Priority, interval: Centiseconds) {
        let Some([_, _, priority_octet, count, high, low, sum_high, sum_low]) = self
            .octets
            .get_mut(self.message_at..)
            .and_then(|message| message.first_chunk_mut::<HEADER_LEN>())
        else {
            return;
        };
        let timing = match self.version {
            // The high octet is the authentication type.
            Version::V2 => [*high, seconds(interval)],
            Version::V3 => centiseconds(interval),
        };
        let word = |a: u8, b: u8| u16::from_be_bytes([a, b]);
        let mut sum = word(*sum_high, *sum_low);
        sum = checksum::update(sum, word(*priority_octet, *count), word(priority.0, *count));
        sum = checksum::update(sum, word(*high, *low), u16::from_be_bytes(timing));
        *priority_octet = priority.0;
        [*high, *low] = timing;
        [*sum_high, *sum_low] = sum.to_be_bytes();
    }

    /// What is handed to the raw socket (`vrrp:X-1`). IPv4: the packet from the IP header on,
    /// where the kernel fills in the identification and with it the header checksum. IPv6: the
    /// message, whose checksum the kernel writes once more.
    pub fn as_bytes(&self) -> &[u8] {
        &self.octets
    }

    /// From the VRRP header on.
    pub fn message(&self) -> &[u8] {
        self.octets.get(self.message_at..).unwrap_or_default()
    }

    /// Where to send it.
    pub const fn destination(&self) -> IpAddr {
        self.destination
    }
}
