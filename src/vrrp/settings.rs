//! What the engine needs to know of the configuration: typed, complete, already checked.
//!
//! [`Settings`] is made from the configuration model and is compared field by field on a reload.

use std::net::IpAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::net::NextHop;
use crate::net::VirtualAddress;
use crate::net::{Route, Rule};
use crate::units::{Centiseconds, Family, Priority, Version, Vrid};

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
    /// The identifier, the same for both families.
    pub vrid: Vrid,
    /// The version sent and accepted (`vrrp:V-31`).
    pub version: Version,
    /// The configured (base) priority, 1 to 255.
    pub priority: Priority,
    /// The own advertisement interval; whole seconds for version 2.
    pub interval: Centiseconds,
    /// Adverts that may be missed: the 3 of Master_Down_Interval (`vrrp:T-3`).
    pub down_timer_adverts: u8,
    /// Whether and when to take over from a lower master.
    pub preempt: Preempt,
    /// Source of IPv4 adverts when it is not the interface's primary address.
    pub source_v4: Option<std::net::Ipv4Addr>,
    /// Source of IPv6 adverts when it is not the interface's link-local address.
    pub source_v6: Option<std::net::Ipv6Addr>,
    /// What is installed while master: filter first, then addresses, routes, rules
    /// (`vrrp:S-42`).
    pub objects: Vec<Object>,
    /// Authentication of version 2.
    pub authentication: Authentication,
    /// Which octets the checksum of version 3 over IPv4 covers (`vrrp:C-4`).
    pub checksum: V3Checksum,
    /// The peers, when adverts go to each of them instead of to the group.
    pub unicast_peers: Vec<IpAddr>,
    /// Unicast: drop adverts whose source is no configured peer (`vrrp:V-41`).
    pub check_unicast_source: bool,
    /// Compare the address list of a master only when it is new (`vrrp:V-40`).
    pub skip_check_adv_addr: bool,
    /// Gratuitous ARP and unsolicited neighbour advertisements.
    pub announce: AnnounceSettings,
    /// Answer a lower-priority advert with our own at once (`vrrp:S-26`).
    pub answer_lower_priority: bool,
    /// Send one more advert before giving way to a higher one (`vrrp:S-29`).
    pub higher_prio_send_advert: bool,
    /// As the owner, do not process other routers' adverts (`vrrp:V-38`).
    pub owner_ignore_adverts: bool,
    /// RFC behaviour without keepalived's extensions; switches the planned hand-over off.
    pub strict: bool,
    /// Step down instead of sending when the process slept for longer than a router of this
    /// priority would have waited (`vrrp:T-8`); only with preemption off.
    pub timer_expired_backup: Option<Priority>,
    /// When somebody else removes one of our objects.
    pub on_foreign_removal: OnForeignRemoval,
    /// Resume as master after a restart when the last advert is at most this old.
    /// `None`: twice the own interval.
    pub resume_within: Option<Duration>,
    /// How many other routers there are, for the speed of a planned hand-over.
    pub backups: Backups,
    /// Hand over without a gap on a planned stop or switchover (architecture.md, hand-over).
    pub hand_over: bool,
    /// The state of the instance's own interface does not matter.
    pub dont_track_primary: bool,
    /// What changes the priority or faults the instance.
    pub track: Vec<Track>,
}

/// Preemption (`vrrp:S-14`, `S-15`, `S-17`).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Preempt {
    /// Leave a lower master alone.
    Off,
    /// Take over from a lower master; with a delay, only when it was heard for that long.
    On {
        /// Zero is the behaviour of the RFC.
        delay: Duration,
    },
    /// Take over at the first lower advert, without waiting out the down timer.
    Immediate,
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

/// Authentication of VRRPv2 (section 8 of the rules).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Authentication {
    /// Type 0.
    None,
    /// Type 1: eight octets, NUL padded (`vrrp:A-1`).
    Password([u8; 8]),
}

/// Checksum of version 3 over IPv4 (`vrrp:C-4`, `C-5`).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum V3Checksum {
    /// With the pseudo-header, as deployed. For unicast, a peer that uses the multicast group in
    /// it is recognised and followed.
    PseudoHeader,
    /// With the pseudo-header, and no such automatic switch (`old_unicast_checksum never`).
    PseudoHeaderStrict,
    /// With the multicast group in the pseudo-header even for unicast (`old_unicast_checksum`).
    OldUnicast,
    /// The message alone (`v3_checksum_as_v2`, RFC 9568); any value is accepted.
    MessageOnly,
}

/// Announcements (`vrrp:G-5`).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct AnnounceSettings {
    /// Rounds on becoming master.
    pub repeat: u8,
    /// When the same number of rounds follows again; zero: never.
    pub delay: Duration,
    /// Time between refreshes; zero: none.
    pub refresh: Duration,
    /// Rounds of a refresh.
    pub refresh_repeat: u8,
    /// Rounds after a lower-priority advert (`vrrp:S-29`).
    pub lower_prio_repeat: u8,
    /// When those follow again; zero: never.
    pub lower_prio_delay: Duration,
    /// Smallest time between two gratuitous ARPs on one interface.
    pub garp_interval: Duration,
    /// Smallest time between two neighbour advertisements on one interface.
    pub gna_interval: Duration,
    /// Time between two probes for a second holder of an address; zero: none (module
    /// `second_holder`).
    pub probe: Duration,
}

/// When somebody else removes one of our addresses, routes or rules.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum OnForeignRemoval {
    /// Put it back and announce it again.
    Restore,
    /// Step down, as keepalived does (`netlink:N-45`).
    Backup,
}

/// How many other routers may answer a planned hand-over.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
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

impl InstanceSettings {
    /// Whether a master sends once more before it gives way (`vrrp:S-29`).
    pub const fn last_word(&self) -> bool {
        self.higher_prio_send_advert && !self.strict
    }

    /// Whether there is a virtual router of this family: one that has an address in the packet.
    pub fn has_family(&self, family: Family) -> bool {
        self.objects.iter().filter_map(Object::in_packet).any(|a| Family::of(a) == family)
    }
}
