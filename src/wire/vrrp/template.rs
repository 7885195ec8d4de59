//! A packet that is built once and sent many times.

use std::net::IpAddr;

use super::super::Error;
use super::super::checksum::{self, PseudoHeader};
use super::super::ip::{IPV4_HEADER_LEN, Ipv4Repr};
use super::{HEADER_LEN, PROTOCOL, Repr, TRAFFIC_CLASS, centiseconds, seconds};
use crate::units::{Centiseconds, Family, Priority, Version};

/// The packet of one virtual router to one destination, ready to send.
///
/// Between two adverts only priority, interval and checksum change; [`Template::set`] changes them in
/// place (`vrrp:C-6`). When anything else changes, a new template has to be built. Unicast needs one for
/// each peer, since the checksum covers the destination (`vrrp:C-5`).
#[derive(Clone, Debug)]
pub struct Template {
    /// The octets for the raw socket, see [`Template::as_bytes`].
    octets: Box<[u8]>,
    /// The offset of the VRRP message in them.
    message_at: usize,
    version: Version,
    destination: IpAddr,
}

impl Template {
    /// Builds the packet. `hop_limit` is used for IPv4 only; for IPv6 it is an option of the socket.
    /// `pseudo_header` is covered by the checksum; its addresses may differ from those of the packet
    /// (`vrrp:C-4`, `C-5`).
    ///
    /// # Errors
    /// [`Error::TooLong`] for more than 255 addresses; [`Error::Malformed`] when source or destination
    /// is of another family than the addresses in the packet.
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

    /// Changes priority and interval. An interval that the version cannot express is rounded as in
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

    /// The octets for the raw socket (`vrrp:X-1`). IPv4: the packet from the IP header on, in which the
    /// kernel sets the identification and the header checksum. IPv6: the message, whose checksum the
    /// kernel computes again.
    pub fn as_bytes(&self) -> &[u8] {
        &self.octets
    }

    /// The octets from the VRRP header on.
    pub fn message(&self) -> &[u8] {
        self.octets.get(self.message_at..).unwrap_or_default()
    }

    /// The destination address.
    pub const fn destination(&self) -> IpAddr {
        self.destination
    }
}
