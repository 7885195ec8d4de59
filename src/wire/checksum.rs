//! The Internet checksum: RFC 1071 (sum), RFC 1624 (change of one word), and the pseudo-headers
//! of IPv4 (RFC 793 3.1) and IPv6 (RFC 8200 8.1). Rules `vrrp:C-1` to `C-6`.
//!
//! ```text
//!  IPv4 pseudo-header, 12 octets              IPv6 pseudo-header, 40 octets
//! +--------+--------+--------+--------+      +--------+--------+--------+--------+
//! |          source address           |      |       source address (16)         |
//! |        destination address        |      |     destination address (16)      |
//! |  zero  |protocol|      length     |      |              length               |
//! +--------+--------+--------+--------+      |           zero           |  next  |
//!                                            +--------+--------+--------+--------+
//! ```

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A running one's complement sum of 16-bit words.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Sum(u64);

impl Sum {
    /// The sum of nothing.
    pub const fn new() -> Self {
        Self(0)
    }

    /// Adds one word.
    #[must_use]
    pub const fn word(self, word: u16) -> Self {
        Self(self.0 + word as u64)
    }

    /// Adds octets. Only the last piece of a sum may have an odd length; it is padded with zero.
    #[must_use]
    pub fn octets(self, octets: &[u8]) -> Self {
        let mut sum = self.0;
        // 2^16 = 1 modulo 2^16 - 1, so 32-bit words give the same sum with half the steps.
        let mut words = octets.chunks_exact(4);
        for word in words.by_ref() {
            sum += u64::from(word.try_into().map_or(0, u32::from_be_bytes));
        }
        let mut tail = [0; 4];
        for (to, from) in tail.iter_mut().zip(words.remainder()) {
            *to = *from;
        }
        Self(sum + u64::from(u32::from_be_bytes(tail)))
    }

    /// The sum in 16 bits. It is zero only when every word was zero.
    const fn folded(self) -> u16 {
        let mut sum = self.0;
        while sum > 0xffff {
            sum = (sum & 0xffff) + (sum >> 16);
        }
        let [.., high, low] = sum.to_be_bytes();
        u16::from_be_bytes([high, low])
    }

    /// The value for the checksum field, which must have been zero in the sum.
    pub const fn checksum(self) -> u16 {
        !self.folded()
    }

    /// Whether a sum that includes the checksum field is correct.
    pub const fn is_good(self) -> bool {
        self.checksum() == 0
    }
}

/// The checksum after one word of the packet changed (RFC 1624, equation 3). It equals a full
/// recomputation for every packet that is not all zeros (`vrrp:C-6`).
pub const fn update(checksum: u16, old: u16, new: u16) -> u16 {
    Sum::new().word(!checksum).word(!old).word(new).checksum()
}

/// The addresses that a checksum covers besides the message.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum PseudoHeader {
    /// IPv4.
    V4 {
        /// Source.
        source: Ipv4Addr,
        /// Destination.
        destination: Ipv4Addr,
    },
    /// IPv6.
    V6 {
        /// Source.
        source: Ipv6Addr,
        /// Destination.
        destination: Ipv6Addr,
    },
}

impl PseudoHeader {
    /// A pseudo-header; `None` when the addresses are of different families.
    pub const fn new(source: IpAddr, destination: IpAddr) -> Option<Self> {
        match (source, destination) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => Some(Self::V4 { source, destination }),
            (IpAddr::V6(source), IpAddr::V6(destination)) => Some(Self::V6 { source, destination }),
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => None,
        }
    }

    /// The sum of the pseudo-header and of `message`, whose length it contains.
    pub fn sum(self, protocol: u8, message: &[u8]) -> Sum {
        let addresses = match self {
            Self::V4 { source, destination } => {
                Sum::new().octets(&source.octets()).octets(&destination.octets())
            }
            Self::V6 { source, destination } => {
                Sum::new().octets(&source.octets()).octets(&destination.octets())
            }
        };
        Sum(addresses.word(u16::from(protocol)).0 + message.len() as u64).octets(message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of RFC 1071 section 3.
    #[test]
    fn sums_the_published_example() {
        let sum = Sum::new().octets(&[0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7]);
        assert_eq!(sum.folded(), 0xddf2);
    }

    /// The example of RFC 1624 section 4, where the older equation gives the wrong zero.
    #[test]
    fn updates_the_published_example() {
        assert_eq!(update(0xdd2f, 0x5555, 0x3285), 0x0000);
    }

    #[test]
    fn pads_an_odd_end_with_zero() {
        for (odd, even) in [(&[1_u8][..], &[1_u8, 0][..]), (&[1, 2, 3], &[1, 2, 3, 0])] {
            assert_eq!(Sum::new().octets(odd).folded(), Sum::new().octets(even).folded());
        }
    }

    #[test]
    fn pieces_give_the_sum_of_the_whole() {
        let octets: Vec<u8> = (0..=255).collect();
        let whole = Sum::new().octets(&octets).checksum();
        for at in (0..octets.len()).step_by(2) {
            let (a, b) = octets.split_at(at);
            assert_eq!(Sum::new().octets(a).octets(b).checksum(), whole);
        }
    }

    #[test]
    fn carries_are_not_lost() {
        assert_eq!(Sum::new().octets(&[0xff; 1500]).folded(), 0xffff);
        assert_eq!(Sum::new().octets(&[0xff; 4]).word(1).folded(), 1);
    }

    #[test]
    fn pseudo_header_refuses_mixed_families() {
        let v4 = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let v6 = IpAddr::V6(Ipv6Addr::LOCALHOST);
        assert_eq!(PseudoHeader::new(v4, v6), None);
        assert_eq!(PseudoHeader::new(v6, v4), None);
        assert!(PseudoHeader::new(v4, v4).is_some() && PseudoHeader::new(v6, v6).is_some());
    }
}
