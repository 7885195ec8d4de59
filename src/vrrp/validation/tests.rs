use std::collections::HashSet;

use super::*;
use crate::wire::checksum::Sum;
use crate::wire::vrrp::{PROTOCOL, group};

/// A packet, field by field, and the router that it meets. Without faults it is valid.
#[derive(Clone, Debug)]
struct Case {
    expectation: Expectation<'static>,
    version: u8,
    packet_type: u8,
    auth_type: u8,
    auth_data: [u8; 8],
    /// In the unit of the version.
    interval: u16,
    destination: IpAddr,
    hop_limit: u8,
    authenticated: bool,
    cut_to: Option<usize>,
    trailing: usize,
    ip_total_len_short_by: usize,
    checksum_error: u8,
}

const PASSWORD: [u8; 8] = *b"secret\0\0";
const PEERS: [IpAddr; 2] = [SOURCE_V4, SOURCE_V6];
const SOURCE_V4: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));
const SOURCE_V6: IpAddr = IpAddr::V6(std::net::Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1));
const OWN_V4: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 2));
const OWN_V6: IpAddr = IpAddr::V6(std::net::Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 2));

impl Case {
    fn new(version: Version, family: Family, unicast: bool) -> Self {
        let own = if family == Family::V4 { OWN_V4 } else { OWN_V6 };
        Self {
            expectation: Expectation {
                version,
                family,
                unicast,
                group: group(family),
                authentication: match version {
                    Version::V2 => Authentication::Password(PASSWORD),
                    Version::V3 => Authentication::None,
                },
                interval: Centiseconds::SECOND,
                checksum: Checksum::PseudoHeader,
                old_checksum: false,
                owner: false,
                owner_ignore_adverts: false,
                addresses: &[],
                excluded: &[],
                compare_addresses: true,
                unicast_peers: &PEERS,
                check_unicast_source: true,
            },
            version: version.number(),
            packet_type: 1,
            auth_type: 1,
            auth_data: PASSWORD,
            interval: if version == Version::V2 { 1 } else { 100 },
            destination: if unicast { own } else { group(family) },
            hop_limit: 255,
            authenticated: false,
            cut_to: None,
            trailing: 0,
            ip_total_len_short_by: 0,
            checksum_error: 0,
        }
    }

    fn source(&self) -> IpAddr {
        match self.expectation.family {
            Family::V4 => SOURCE_V4,
            Family::V6 => SOURCE_V6,
        }
    }

    fn message(&self) -> Vec<u8> {
        let mut octets = vec![(self.version << 4) | self.packet_type, 51, 100, 0];
        if self.version == 2 {
            octets.extend([self.auth_type, u8::try_from(self.interval).unwrap(), 0, 0]);
            octets.extend(self.auth_data);
        } else {
            octets.extend(self.interval.to_be_bytes());
            octets.extend([0, 0]);
        }
        let sum = if self.version == 2 {
            Sum::new().octets(&octets)
        } else {
            PseudoHeader::new(self.source(), self.destination).unwrap().sum(PROTOCOL, &octets)
        };
        let [high, low] = sum.checksum().to_be_bytes();
        octets[6] = high;
        octets[7] = low ^ self.checksum_error;
        octets.extend(vec![0; self.trailing]);
        octets.truncate(self.cut_to.unwrap_or(usize::MAX));
        octets
    }

    fn validate(&self) -> Result<Advert, Reject> {
        let message = self.message();
        let ip_header_len = if self.expectation.family == Family::V4 { 20 } else { 0 };
        let received_len =
            ip_header_len + message.len() + if self.authenticated { AH_LEN } else { 0 };
        validate(
            &self.expectation,
            &Received {
                interface: InterfaceId::new(1),
                source: self.source(),
                destination: self.destination,
                hop_limit: self.hop_limit,
                ip_header_len,
                ip_total_len: received_len - self.ip_total_len_short_by,
                received_len,
                authenticated: self.authenticated,
                message: &message,
            },
        )
    }

    /// Adds a fault. `false` when a packet of this kind cannot have it.
    fn spoil(&mut self, reason: Reject) -> bool {
        let Expectation { version, family, unicast, .. } = self.expectation;
        let other = match (unicast, family) {
            (true, _) => group(family),
            (false, Family::V4) => OWN_V4,
            (false, Family::V6) => OWN_V6,
        };
        match reason {
            Reject::TooShort => self.cut_to = Some(7),
            Reject::Ipv6Destination if family == Family::V6 => self.destination = other,
            Reject::AhMismatch => self.authenticated = true,
            Reject::Length => self.trailing = 4,
            Reject::HopLimit if !unicast => self.hop_limit = 254,
            Reject::Version => self.version = 4,
            Reject::AuthTypeInvalid if version == Version::V2 => self.auth_type = 3,
            Reject::AuthTypeMismatch if version == Version::V2 => self.auth_type = 0,
            Reject::AuthFailed if version == Version::V2 => self.auth_data[7] ^= 1,
            Reject::Interval if version == Version::V2 => self.interval = 2,
            Reject::IntervalZero if version == Version::V3 => self.interval = 0,
            Reject::Type => self.packet_type = 2,
            Reject::IpLength if family == Family::V4 => self.ip_total_len_short_by = 4,
            Reject::Checksum => self.checksum_error = 1,
            Reject::Ipv4Destination if family == Family::V4 => self.destination = other,
            Reject::OwnerIgnored => {
                self.expectation.owner = true;
                self.expectation.owner_ignore_adverts = true;
            }
            Reject::ForeignAddresses => self.expectation.addresses = &[OWN_V4, OWN_V6],
            Reject::NotAPeer if unicast => self.expectation.unicast_peers = &[OWN_V4],
            Reject::UnknownVrid
            | Reject::NotRunning
            | Reject::Ipv6Destination
            | Reject::HopLimit
            | Reject::AuthTypeInvalid
            | Reject::AuthTypeMismatch
            | Reject::AuthFailed
            | Reject::Interval
            | Reject::IntervalZero
            | Reject::IpLength
            | Reject::Ipv4Destination
            | Reject::NotAPeer => return false,
        }
        true
    }
}

fn cases() -> [Case; 6] {
    [
        Case::new(Version::V2, Family::V4, false),
        Case::new(Version::V2, Family::V4, true),
        Case::new(Version::V3, Family::V4, false),
        Case::new(Version::V3, Family::V4, true),
        Case::new(Version::V3, Family::V6, false),
        Case::new(Version::V3, Family::V6, true),
    ]
}

#[test]
fn packets_without_faults_are_adverts() {
    for case in cases() {
        let advert = Advert {
            source: case.source(),
            priority: Priority(100),
            interval: Centiseconds::SECOND,
            interval_differs: false,
            addresses: AddressCheck::Match,
            old_checksum: false,
        };
        assert_eq!(case.validate(), Ok(advert), "{case:?}");
    }
}

#[test]
fn one_fault_is_its_reason() {
    for case in cases() {
        for reason in Reject::ALL {
            let mut case = case.clone();
            if case.spoil(reason) {
                assert_eq!(case.validate(), Err(reason), "{case:?}");
            }
        }
    }
}

/// Every two faults that one packet can have, adjacent ones among them: the first is the reason.
#[test]
fn of_two_faults_the_first_is_the_reason() {
    let mut seen = HashSet::new();
    for case in cases() {
        for (index, first) in Reject::ALL.into_iter().enumerate() {
            for second in Reject::ALL.into_iter().skip(index + 1) {
                let mut case = case.clone();
                // The later fault first: where both are in one field, the earlier one stays.
                if case.spoil(second) && case.spoil(first) {
                    assert_eq!(case.validate(), Err(first), "{first:?} {second:?} {case:?}");
                    seen.insert((first, second));
                }
            }
        }
    }
    let tested: Vec<Reject> = Reject::ALL
        .into_iter()
        // The engine's own tests.
        .filter(|reason| !matches!(reason, Reject::UnknownVrid | Reject::NotRunning))
        .collect();
    for pair in tested.windows(2) {
        // Not in one packet of this table: see the next test.
        if pair != [Reject::Interval, Reject::IntervalZero] {
            assert!(seen.contains(&(pair[0], pair[1])), "{pair:?} is not tested");
        }
    }
}

/// An interval of zero in version 2 differs from ours first of all.
#[test]
fn version_2_interval_of_zero_differs() {
    let mut case = Case::new(Version::V2, Family::V4, false);
    case.interval = 0;
    assert_eq!(case.validate(), Err(Reject::Interval));
}

#[test]
fn reasons_are_numbered_in_order_and_named_apart() {
    for (index, reason) in Reject::ALL.into_iter().enumerate() {
        assert_eq!(reason.index(), index);
    }
    let labels: HashSet<&str> = Reject::ALL.into_iter().map(Reject::label).collect();
    assert_eq!(labels.len(), Reject::COUNT);
    for reason in Reject::ALL {
        let text = reason.to_string();
        assert!(text.contains(": "), "{text} says what is wrong, but not what it means");
        assert!(!text.contains("  "), "{text}");
    }
}

#[test]
fn counters_count_each_reason_alone() {
    let mut counters = Counters::default();
    counters.count(Reject::TooShort);
    counters.count(Reject::NotAPeer);
    counters.count(Reject::NotAPeer);
    for (reason, count) in counters.iter() {
        let expected = match reason.label() {
            "too_short" => 1,
            "not_a_peer" => 2,
            _ => 0,
        };
        assert_eq!((count, counters.get(reason)), (expected, expected), "{reason:?}");
    }
    assert_eq!(counters.iter().count(), Reject::COUNT);
}

/// What a caller can get wrong must not panic: a message that is shorter than the lengths say.
#[test]
fn message_may_be_shorter_than_the_lengths_say() {
    let case = Case::new(Version::V3, Family::V4, false);
    let message = case.message();
    for len in 0..message.len() {
        let received = Received {
            interface: InterfaceId::new(1),
            source: SOURCE_V4,
            destination: group(Family::V4),
            hop_limit: 255,
            ip_header_len: 20,
            ip_total_len: 28,
            received_len: 28,
            authenticated: false,
            message: &message[..len],
        };
        assert_eq!(validate(&case.expectation, &received), Err(Reject::TooShort));
        assert_eq!(peek_vrid(&received), Err(Reject::TooShort));
    }
}
