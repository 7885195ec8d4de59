//! Everything that can happen, with its data: names and values, no identifiers of a process.

use std::net::IpAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::cause::{Cause, Fault, InterfaceTrouble};
use super::class;
use super::daemon::DaemonEvent;
use super::kind::{Kind, Level, Name};
use crate::units::{Centiseconds, Family, Mac, Priority, State};
use crate::vrrp::KernelError;
use crate::vrrp::settings::Object;
use crate::vrrp::validation::Reject;

/// What happened.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum What {
    /// Free text, for rare diagnostics of a process.
    Message {
        /// How much it matters.
        level: Level,
        /// What it is about.
        kind: Kind,
        /// In words, with the remedy when there is one.
        text: Box<str>,
    },
    /// Something of the daemon, its processes or its configuration.
    Daemon(DaemonEvent),
    /// An instance changed its state.
    Transition {
        /// From. The same as `to` when another vrrp process went on as master.
        from: State,
        /// To.
        to: State,
        /// Why.
        cause: Cause,
        /// The effective priority.
        priority: Priority,
    },
    /// The effective priority changed.
    PriorityChanged {
        /// It was.
        from: Priority,
        /// It is.
        to: Priority,
    },
    /// Why an instance cannot take part changed while it stays in fault.
    FaultChanged(Fault),
    /// A packet was dropped, or is wrong in a way that is only noted.
    BadPacket {
        /// Who sent it.
        peer: IpAddr,
        /// What is wrong with it.
        reason: Reject,
    },
    /// A packet for a virtual router that no instance has.
    UnknownVrid {
        /// Where it came in.
        interface: Name,
        /// Who sent it.
        peer: IpAddr,
        /// The identifier.
        vrid: u8,
    },
    /// The master announces another interval than ours, which is followed (`vrrp:V-36`).
    IntervalDiffers {
        /// The master.
        peer: IpAddr,
        /// Its interval.
        theirs: Centiseconds,
        /// The configured one.
        ours: Centiseconds,
    },
    /// The master's address list is not ours (`vrrp:V-40`).
    AddressesDiffer {
        /// The master.
        peer: IpAddr,
    },
    /// A router announces only addresses that are not ours with our identifier (`vrrp:V-40`).
    VridConflict {
        /// The router.
        peer: IpAddr,
        /// The identifier.
        vrid: u8,
        /// The priority of the other.
        theirs: Priority,
    },
    /// A master heard an advert of a router with lower priority (`vrrp:S-29`).
    LowerPriority {
        /// The router.
        peer: IpAddr,
        /// Its priority.
        theirs: Priority,
        /// The effective one.
        ours: Priority,
    },
    /// Another router claims to own the addresses too (`vrrp:S-32`).
    SecondOwner {
        /// The router.
        peer: IpAddr,
        /// Whether this router lowers its priority to 254 until that stops.
        yielding: bool,
    },
    /// Equal priority and equal address: two routers that cannot decide (`vrrp:S-27`).
    SameSender {
        /// The address of both.
        peer: IpAddr,
    },
    /// The peer's unicast checksum is the one of keepalived up to 1.3.6, which is followed
    /// (`vrrp:C-5`).
    OldChecksum {
        /// The peer.
        peer: IpAddr,
    },
    /// Adverts of a master do not leave.
    SendFailed {
        /// Of which family.
        family: Family,
        /// Why.
        error: KernelError,
    },
    /// Another host holds a virtual address of a master as well.
    AddressTaken {
        /// The address.
        address: IpAddr,
        /// The link-layer address of the other host.
        mac: Mac,
        /// What may be behind it.
        suspect: Suspect,
    },
    /// Another host holds the address that our adverts come from.
    SourceTaken {
        /// The address.
        address: IpAddr,
        /// The link-layer address of the other host.
        mac: Mac,
    },
    /// That host holds the address no longer.
    AddressFree {
        /// The address.
        address: IpAddr,
        /// The link-layer address of the other host.
        mac: Mac,
    },
    /// Somebody else removed an address, route or rule.
    ForeignRemoval {
        /// Which; `None`: it is no longer configured.
        object: Option<Box<Object>>,
        /// When it is put back; `None`: this router steps down.
        restore_in: Option<Duration>,
    },
    /// An address, route or rule is gone since its interface is down or does not exist.
    GoneWithInterface {
        /// Which; `None`: it is no longer configured.
        object: Option<Box<Object>>,
        /// The interface.
        trouble: InterfaceTrouble,
    },
    /// The kernel refused to add or remove an address, route or rule, or the packet filter.
    KernelRefused {
        /// Which; `None`: it is no longer configured.
        object: Option<Box<Object>>,
        /// Whether it should be there.
        present: bool,
        /// The kernel's error.
        error: KernelError,
        /// The kernel's own words, when it has any.
        words: Option<Box<str>>,
        /// When it is tried again.
        retry_in: Duration,
    },
    /// Duplicate address detection found that another host has a virtual address.
    Duplicate {
        /// Which; `None`: it is no longer configured.
        object: Option<Box<Object>>,
        /// When it is tried again.
        retry_in: Duration,
    },
    /// A virtual address that somebody else had added gives way.
    ForeignAddress {
        /// The address.
        address: IpAddr,
        /// The length of its prefix.
        prefix_len: u8,
        /// Where it is.
        interface: Name,
        /// What takes its place; `None`: it is removed.
        replaced_by: Option<(IpAddr, u8)>,
    },
    /// The kernel refused to keep secondary addresses when the first of a subnet goes.
    PromotionRefused {
        /// Where.
        interface: Name,
        /// Why.
        error: Box<str>,
    },
    /// An address that is not ours went with a virtual one that was removed.
    SecondaryLost {
        /// The address.
        address: IpAddr,
        /// The length of its prefix.
        prefix_len: u8,
        /// Where it was.
        interface: Name,
    },
    /// There is no packet filter, so planned hand-overs are not silent.
    NoPacketFilter {
        /// Why.
        error: Box<str>,
    },
    /// The packet filter does not do what it is asked for: which, and why.
    PacketFilterFailed(Box<str>),
    /// No adverts are heard on an interface: which, why, and the remedy.
    ListenFailed(Box<str>),
    /// Announcements of addresses could not be sent: where, how often, and why.
    AnnounceFailed(Box<str>),
    /// A planned hand-over began.
    HandOverStarted,
    /// The successor was heard.
    HandOverTaken {
        /// Who took over.
        peer: IpAddr,
        /// Since priority 0 was sent.
        after: Duration,
    },
    /// Nobody took over.
    HandOverFailed {
        /// Whether this router goes on as master.
        resumed: bool,
    },
    /// An operator holds an instance as backup.
    Held {
        /// It ends by itself after this time; `None`: when it is released.
        hold_for: Option<Duration>,
    },
    /// That hold is over.
    Released,
    /// A process stood still.
    LateWake {
        /// How late it woke up.
        by: Duration,
    },
    /// Notices were lost because there were too many at once.
    NoticesLost {
        /// How many.
        count: u32,
    },
    /// A client of `steadfast events` reads too slowly.
    EventsLost {
        /// How many events were left out.
        count: u32,
    },
}

/// What may be behind a second holder of an address.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Suspect {
    /// A router whose adverts are dropped.
    Rejected {
        /// Who.
        peer: IpAddr,
        /// What is wrong with them.
        reason: Reject,
    },
    /// Our own address has a prefix of full length, so that `rp_filter` drops adverts of others.
    NoSubnet {
        /// The address.
        source: IpAddr,
    },
    /// A router whose virtual router no instance has.
    Stranger {
        /// Who.
        peer: IpAddr,
        /// The identifier that it sends.
        vrid: u8,
    },
    /// Nobody in particular.
    Unknown,
}

impl What {
    /// Free text.
    pub fn message(level: Level, kind: Kind, text: impl Into<Box<str>>) -> Self {
        Self::Message { level, kind, text: text.into() }
    }

    /// Name, kind and level.
    pub const fn class(&self) -> class::Class {
        class::of(self)
    }

    /// The other router or host that it is about.
    pub const fn peer(&self) -> Option<IpAddr> {
        match self {
            Self::Transition { cause, .. } => match cause {
                Cause::NoAdvert { master, .. } => *master,
                Cause::MasterLeft { master }
                | Cause::Preempted { master, .. }
                | Cause::HigherPriority { master, .. }
                | Cause::HigherAddress { master }
                | Cause::Unheard { master, .. } => Some(*master),
                Cause::Switchover { successor } | Cause::AddressesLost { successor, .. } => {
                    *successor
                }
                Cause::Started
                | Cause::Owner
                | Cause::Resumed { .. }
                | Cause::Group { .. }
                | Cause::Fault(_)
                | Cause::Recovered
                | Cause::TimerExpired { .. }
                | Cause::ForeignRemoval { .. }
                | Cause::Stopped
                | Cause::Reconfigured => None,
            },
            Self::BadPacket { peer, .. }
            | Self::UnknownVrid { peer, .. }
            | Self::IntervalDiffers { peer, .. }
            | Self::AddressesDiffer { peer }
            | Self::VridConflict { peer, .. }
            | Self::LowerPriority { peer, .. }
            | Self::SecondOwner { peer, .. }
            | Self::SameSender { peer }
            | Self::OldChecksum { peer }
            | Self::HandOverTaken { peer, .. } => Some(*peer),
            Self::Message { .. }
            | Self::Daemon(_)
            | Self::PriorityChanged { .. }
            | Self::FaultChanged(_)
            | Self::SendFailed { .. }
            | Self::AddressTaken { .. }
            | Self::SourceTaken { .. }
            | Self::AddressFree { .. }
            | Self::ForeignRemoval { .. }
            | Self::GoneWithInterface { .. }
            | Self::KernelRefused { .. }
            | Self::Duplicate { .. }
            | Self::ForeignAddress { .. }
            | Self::PromotionRefused { .. }
            | Self::SecondaryLost { .. }
            | Self::NoPacketFilter { .. }
            | Self::PacketFilterFailed(_)
            | Self::ListenFailed(_)
            | Self::AnnounceFailed(_)
            | Self::HandOverStarted
            | Self::HandOverFailed { .. }
            | Self::Held { .. }
            | Self::Released
            | Self::LateWake { .. }
            | Self::NoticesLost { .. }
            | Self::EventsLost { .. } => None,
        }
    }
}
