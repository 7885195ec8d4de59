//! What the engine needs to know of the configuration: typed, complete, already checked.
//!
//! [`Settings`] is made from the configuration model and is compared field by field on a reload.

use std::net::IpAddr;
use std::ops::{Deref, DerefMut};
use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use crate::config::model::{
    Announce, Authentication, Checksum, InstanceOptions, OnForeignRemoval, Pacing, Preempt,
    SourceAddresses,
};
use crate::net::{NextHop, Route, Rule, VirtualAddress};
use crate::units::Family;

/// All instances and groups of one generation of the configuration.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Settings {
    /// The instances, in configuration order.
    pub instances: Vec<InstanceSettings>,
    /// Sync groups (`vrrp:S-41`). An instance is in one at the most.
    pub groups: Vec<GroupSettings>,
    /// After the start, stay in Initialize and ignore all packets for this long
    /// (keepalived's `vrrp_startup_delay`).
    pub startup_delay: Duration,
}

/// Instances that move together.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct GroupSettings {
    /// As logs and commands use it.
    pub name: Box<str>,
    /// Names of instances. The first one decides ties of equal priority for all.
    pub members: Vec<Box<str>>,
    /// Added to the members' own.
    pub track: Vec<Track>,
}

/// One VRRP instance: one virtual router per address family that it has addresses of.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct InstanceSettings {
    /// As logs and commands use it.
    pub name: Box<str>,
    /// The interface that adverts are sent and received on.
    pub interface: Box<str>,
    /// What the protocol does, as it is written. In strict mode nothing in it is against the RFC.
    pub options: InstanceOptions,
    /// Gratuitous ARP and unsolicited neighbour advertisements.
    pub announce: Announce,
    /// The smallest time between two of them on one interface.
    pub pacing: Pacing,
    /// What is installed while master: filter first, then addresses, routes, rules
    /// (`vrrp:S-42`).
    pub objects: Vec<Object>,
    /// The peers, when adverts go to each of them instead of to the group.
    pub unicast_peers: Vec<IpAddr>,
    /// Unicast: drop adverts whose source is no configured peer (`vrrp:V-41`).
    pub check_unicast_source: bool,
    /// What changes the priority or faults the instance.
    pub track: Vec<Track>,
}

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

/// How many other routers may answer a planned hand-over.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Backups {
    /// Exactly one: announce 1 cs.
    One,
    /// Several, or not known: announce 5 cs.
    Several,
}

/// One tracked thing as an instance or group sees it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Track {
    /// What is tracked.
    pub tracker: Tracker,
    /// 0 faults the instance; otherwise it is added to the priority (behaviour of keepalived's
    /// weights).
    pub weight: i16,
    /// Turns up and down round.
    pub reverse: bool,
}

/// A thing whose state changes the priority.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Tracker {
    /// The state of an interface.
    Interface(Box<str>),
    /// The same of one that nobody listed, but an address or a route of the instance names.
    InUse(Box<str>),
    /// A script, file, process or BFD session, whose state arrives by name.
    Named(Box<str>),
}

impl Deref for InstanceSettings {
    type Target = InstanceOptions;

    fn deref(&self) -> &InstanceOptions {
        &self.options
    }
}

impl DerefMut for InstanceSettings {
    fn deref_mut(&mut self) -> &mut InstanceOptions {
        &mut self.options
    }
}

impl InstanceSettings {
    /// Whether a master sends once more before it gives way (`vrrp:S-29`).
    pub const fn last_word(&self) -> bool {
        self.options.higher_prio_send_advert && !self.options.strict
    }

    /// Whether a lower-priority advert is answered with our own at once (`vrrp:S-26`).
    pub const fn answers_lower_priority(&self) -> bool {
        !self.options.lower_prio_no_advert && !self.options.strict
    }

    /// How many other routers there are, for the speed of a planned hand-over.
    pub const fn backups(&self) -> Backups {
        match self.options.backups {
            Some(1) => Backups::One,
            Some(_) | None => Backups::Several,
        }
    }

    /// Whether there is a virtual router of this family: one that has an address in the packet.
    pub fn has_family(&self, family: Family) -> bool {
        self.objects.iter().filter_map(Object::in_packet).any(|a| Family::of(a) == family)
    }
}
