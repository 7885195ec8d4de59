//! What a master installs.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::{NextHop, Route, Rule, VirtualAddress};

/// Something that a master installs.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub enum Object {
    /// Rules that keep the addresses from being used (Accept_Mode off).
    Filter,
    /// An address that is in the packet.
    Address(VirtualAddress),
    /// An address that is not in the packet (`vrrp:V-8`).
    Excluded(VirtualAddress),
    /// A route.
    Route(Route),
    /// A policy rule.
    Rule(Rule),
}

impl Object {
    /// The interfaces that it names: those that it cannot do without.
    pub fn interfaces(&self) -> impl Iterator<Item = &str> {
        let (own, hops): (Option<&str>, &[NextHop]) = match self {
            Self::Address(address) | Self::Excluded(address) => (address.interface.as_deref(), &[]),
            Self::Route(route) => (None, &route.next_hops),
            Self::Filter | Self::Rule(_) => (None, &[]),
        };
        own.into_iter().chain(hops.iter().filter_map(|hop| hop.interface.as_deref()))
    }

    /// The address that has to be announced, if it is one.
    pub const fn announced(&self) -> Option<IpAddr> {
        match self {
            Self::Address(address) | Self::Excluded(address) => Some(address.address),
            Self::Filter | Self::Route(_) | Self::Rule(_) => None,
        }
    }

    /// The interface of an address that has one of its own.
    pub fn interface(&self) -> Option<&str> {
        match self {
            Self::Address(address) | Self::Excluded(address) => address.interface.as_deref(),
            Self::Filter | Self::Route(_) | Self::Rule(_) => None,
        }
    }

    /// The address that is in the packet, if it is one.
    pub const fn in_packet(&self) -> Option<IpAddr> {
        match self {
            Self::Address(address) => Some(address.address),
            Self::Excluded(_) | Self::Filter | Self::Route(_) | Self::Rule(_) => None,
        }
    }

    /// Whether the kernel would hold the same, so that a reload from one to the other has nothing
    /// to ask of it: an address may move in or out of the packet, and tracking may change.
    pub fn same_in_kernel(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Address(a) | Self::Excluded(a), Self::Address(b) | Self::Excluded(b)) => {
                a.same_in_kernel(b)
            }
            (Self::Route(a), Self::Route(b)) => {
                a == b || *a == Route { track: a.track, ..b.clone() }
            }
            (Self::Rule(a), Self::Rule(b)) => a == b || *a == Rule { track: a.track, ..b.clone() },
            (Self::Filter, Self::Filter) => true,
            (
                Self::Filter
                | Self::Address(_)
                | Self::Excluded(_)
                | Self::Route(_)
                | Self::Rule(_),
                _,
            ) => false,
        }
    }

    /// Whether its removal by somebody else matters, and the state of the interfaces that it names.
    pub const fn tracked(&self) -> bool {
        match self {
            Self::Address(address) | Self::Excluded(address) => address.track,
            Self::Route(route) => route.track,
            Self::Rule(rule) => rule.track,
            Self::Filter => true,
        }
    }
}
