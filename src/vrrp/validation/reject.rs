//! Why packets are dropped, and how often.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Why a packet is dropped, in the order in which the tests are made. The packet that fails
/// several is dropped for the first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[repr(u8)]
pub enum Reject {
    /// Too short for the headers (`vrrp:V-21`).
    TooShort,
    /// No router with this VRID on the socket (`vrrp:V-22`).
    UnknownVrid,
    /// The instance is in Initialize or Fault (`vrrp:V-23`).
    NotRunning,
    /// IPv6: multicast to a unicast instance or the reverse (`vrrp:V-25`).
    Ipv6Destination,
    /// With authentication header where none is configured, or the reverse (`vrrp:V-26`).
    AhMismatch,
    /// Not as long as its version and address count say (`vrrp:V-27`, `V-29`).
    Length,
    /// TTL or hop limit of a multicast is not 255 (`vrrp:V-30`).
    HopLimit,
    /// Not the configured version (`vrrp:V-31`).
    Version,
    /// Version 2: there is no such authentication type (`vrrp:V-33`).
    AuthTypeInvalid,
    /// Version 2: not the configured authentication type (`vrrp:V-33`).
    AuthTypeMismatch,
    /// Version 2: wrong password (`vrrp:V-33`).
    AuthFailed,
    /// Version 2: not the configured interval (`vrrp:V-34`).
    Interval,
    /// The announced interval is zero (`vrrp:V3-5`).
    IntervalZero,
    /// Not an advertisement (`vrrp:V-35`).
    Type,
    /// IPv4: the total length is not what was received (`vrrp:V-36`).
    IpLength,
    /// Wrong checksum (`vrrp:V-36`).
    Checksum,
    /// IPv4: multicast to a unicast instance or the reverse (`vrrp:V-37`).
    Ipv4Destination,
    /// We own the addresses and `owner_ignore_adverts` is on (`vrrp:V-38`).
    OwnerIgnored,
    /// None of the addresses is ours: another pair of routers has the same VRID (`vrrp:V-40`).
    ForeignAddresses,
    /// Unicast: the sender is not a configured peer (`vrrp:V-41`).
    NotAPeer,
}

impl Reject {
    /// All, in the order in which the tests are made.
    pub const ALL: [Self; Self::COUNT] = [
        Self::TooShort,
        Self::UnknownVrid,
        Self::NotRunning,
        Self::Ipv6Destination,
        Self::AhMismatch,
        Self::Length,
        Self::HopLimit,
        Self::Version,
        Self::AuthTypeInvalid,
        Self::AuthTypeMismatch,
        Self::AuthFailed,
        Self::Interval,
        Self::IntervalZero,
        Self::Type,
        Self::IpLength,
        Self::Checksum,
        Self::Ipv4Destination,
        Self::OwnerIgnored,
        Self::ForeignAddresses,
        Self::NotAPeer,
    ];

    /// How many there are.
    pub const COUNT: usize = Self::NotAPeer as usize + 1;

    /// Place in [`Reject::ALL`], below [`Reject::COUNT`].
    pub const fn index(self) -> usize {
        self as usize
    }

    /// Name in metrics and JSON.
    pub const fn label(self) -> &'static str {
        match self {
            Self::TooShort => "too_short",
            Self::UnknownVrid => "unknown_vrid",
            Self::NotRunning => "not_running",
            Self::Ipv6Destination => "ipv6_destination",
            Self::AhMismatch => "ah_mismatch",
            Self::Length => "length",
            Self::HopLimit => "hop_limit",
            Self::Version => "version",
            Self::AuthTypeInvalid => "auth_type_invalid",
            Self::AuthTypeMismatch => "auth_type_mismatch",
            Self::AuthFailed => "auth_failed",
            Self::Interval => "interval",
            Self::IntervalZero => "interval_zero",
            Self::Type => "type",
            Self::IpLength => "ip_length",
            Self::Checksum => "checksum",
            Self::Ipv4Destination => "ipv4_destination",
            Self::OwnerIgnored => "owner_ignored",
            Self::ForeignAddresses => "foreign_addresses",
            Self::NotAPeer => "not_a_peer",
        }
    }
}

impl fmt::Display for Reject {
    /// What is wrong with the packet, and what that usually means.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooShort => {
                "the packet is too short to be VRRP: something else sends IP protocol 112, or \
                 the packet was damaged"
            }
            Self::UnknownVrid => {
                "no instance here has this virtual_router_id: usually another pair of routers \
                 on the same network"
            }
            Self::NotRunning => {
                "the instance does not take part now: it is not started yet, or in fault"
            }
            Self::Ipv6Destination | Self::Ipv4Destination => {
                "the destination does not fit: one router is configured with unicast peers, the \
                 other one for multicast"
            }
            Self::AhMismatch => {
                "only one side uses an authentication header: set the same authentication on \
                 all routers"
            }
            Self::Length => {
                "the length is not what the version and the number of addresses ask for: \
                 usually the sender appends authentication that is not configured here, or the \
                 packet was damaged"
            }
            Self::HopLimit => {
                "the TTL is not 255: the packet came through another router, or is forged"
            }
            Self::Version => "it is of another VRRP version: set the same version on all routers",
            Self::AuthTypeInvalid => {
                "the authentication type does not exist: the sender is broken, or the packet \
                 was damaged"
            }
            Self::AuthTypeMismatch => {
                "the authentication type is not the one configured here: set the same \
                 authentication on all routers"
            }
            Self::AuthFailed => {
                "the password is wrong: set the same password on all routers (only 8 bytes of \
                 it count)"
            }
            Self::Interval => {
                "the advertisement interval is not ours, which VRRPv2 forbids: set the same \
                 interval on all routers"
            }
            Self::IntervalZero => {
                "it announces an advertisement interval of zero: the sender is broken or forged \
                 this to break the election"
            }
            Self::Type => {
                "it is not an advertisement: VRRP has no other type, the sender is broken"
            }
            Self::IpLength => {
                "the IP header gives another length than was received: the packet was cut or \
                 damaged on its way"
            }
            Self::Checksum => {
                "the checksum is wrong: the packet was damaged, or the routers do not agree \
                 about the pseudo-header: see checksum in steadfast.toml"
            }
            Self::OwnerIgnored => {
                "we own the addresses and owner_ignore_adverts is set: another router is master \
                 for them"
            }
            Self::ForeignAddresses => {
                "none of its addresses is ours: another pair of routers uses the same \
                 virtual_router_id on this network"
            }
            Self::NotAPeer => {
                "the sender is not a configured unicast peer: add it to the peers, or find out \
                 who it is"
            }
        })
    }
}

impl std::error::Error for Reject {}

/// How many packets were dropped for each reason. Counts wrap round after 2^32 packets.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counters([u32; Reject::COUNT]);

impl Counters {
    /// Counts one packet.
    pub fn count(&mut self, reason: Reject) {
        if let Some(counter) = self.0.get_mut(reason.index()) {
            *counter = counter.wrapping_add(1);
        }
    }

    /// How many were dropped for this reason.
    pub fn get(&self, reason: Reject) -> u32 {
        self.0.get(reason.index()).copied().unwrap_or(0)
    }

    /// All reasons with their counts, in the order of the tests.
    pub fn iter(&self) -> impl Iterator<Item = (Reject, u32)> + '_ {
        Reject::ALL.into_iter().zip(self.0)
    }
}
