//! Why the state of an instance changed, and why an instance cannot take part.

use std::net::IpAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::kind::Name;
use crate::units::{Family, Priority};
use crate::vrrp::KernelError;
use crate::vrrp::settings::Object;

/// Why a state changed: what [`vrrp::Cause`](crate::vrrp::Cause) says, with names and values.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Cause {
    /// The process or the instance started.
    Started,
    /// The owner of the addresses does not wait (`vrrp:S-31`).
    Owner,
    /// A former process was master moments ago.
    Resumed {
        /// Since its last advert.
        gap: Duration,
    },
    /// No advert from a master for the whole Master_Down_Interval (`vrrp:S-12`).
    NoAdvert {
        /// The last master heard; `None`: none since we listen.
        master: Option<IpAddr>,
        /// How long nothing was heard.
        silence: Duration,
    },
    /// The master gave up (`vrrp:S-13`).
    MasterLeft {
        /// Who.
        master: IpAddr,
    },
    /// Our priority is higher than the master's (`vrrp:S-15`).
    Preempted {
        /// Whom.
        master: IpAddr,
        /// Its priority.
        theirs: Priority,
    },
    /// A router of higher priority is master (`vrrp:S-24`).
    HigherPriority {
        /// Who.
        master: IpAddr,
        /// Its priority.
        theirs: Priority,
    },
    /// A router of equal priority and higher address is master (`vrrp:S-25`).
    HigherAddress {
        /// Who.
        master: IpAddr,
    },
    /// None of our adverts leaves, and another router is master.
    Unheard {
        /// Who.
        master: IpAddr,
        /// Of which family ours are.
        family: Family,
        /// Why they do not leave.
        error: KernelError,
        /// When a master of lower priority is to be preempted again, at the earliest.
        pause: Duration,
    },
    /// Another member of the sync group moved (`vrrp:S-41`).
    Group {
        /// The member that did; `None`: this one, with its group.
        member: Option<Name>,
    },
    /// Something that is needed is missing (`vrrp:S-40`).
    Fault(Fault),
    /// All that is needed is there again.
    Recovered,
    /// An operator's switchover.
    Switchover {
        /// Who took over; `None` when forced.
        successor: Option<IpAddr>,
    },
    /// The process slept too long (`vrrp:T-8`).
    TimerExpired {
        /// Since the last advert.
        slept: Duration,
    },
    /// Somebody else removed an address, route or rule, and the policy is to step down.
    ForeignRemoval {
        /// Which; `None`: it is no longer configured.
        object: Option<Box<Object>>,
    },
    /// Somebody else removed an address, route or rule again and again.
    AddressesLost {
        /// Which; `None`: it is no longer configured.
        object: Option<Box<Object>>,
        /// Who took over; `None`: it is not known yet.
        successor: Option<IpAddr>,
        /// When a master of lower priority is to be preempted again, at the earliest.
        pause: Duration,
    },
    /// The instance or the process stops.
    Stopped,
    /// A reload changed what the instance is.
    Reconfigured,
}

/// Why an instance cannot take part.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Fault {
    /// Its own interface does not work.
    Interface(InterfaceTrouble),
    /// Its own interface is a port of a bridge, bond, team or Open vSwitch, so that it hears nothing.
    InterfaceIsPort {
        /// Its interface.
        interface: Name,
        /// The interface that took it; `None`: it is a port no longer.
        port_of: Option<Name>,
    },
    /// There is an address to send from, but no socket that hears adverts.
    NotListening {
        /// Its interface.
        interface: Name,
        /// Of these adverts.
        family: Family,
    },
    /// There is no address to send from.
    NoSource {
        /// Its interface.
        interface: Name,
        /// Of this family.
        family: Family,
    },
    /// The only address to send from cannot be used.
    SourceUnusable {
        /// Its interface.
        interface: Name,
        /// The address.
        address: IpAddr,
        /// Why.
        why: SourceTrouble,
    },
    /// A tracked interface does not work.
    TrackedInterface(InterfaceTrouble),
    /// An interface that an address or route names does not work.
    NeededInterface {
        /// What needs it; `None`: what did so is gone.
        object: Option<Box<Object>>,
        /// The interface.
        trouble: InterfaceTrouble,
    },
    /// A tracked thing is down.
    Tracked {
        /// Its name; `None`: it is no longer configured.
        name: Option<Name>,
    },
}

/// An interface that does not work.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct InterfaceTrouble {
    /// Its name.
    pub interface: Name,
    /// What is wrong with it.
    pub state: InterfaceState,
}

/// What is wrong with an interface.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum InterfaceState {
    /// It is down.
    Down,
    /// It does not exist.
    Missing {
        /// Some of those that exist, of [`MAX_NAMED_INTERFACES`](super::text::MAX_NAMED_INTERFACES)
        /// or more.
        have: Vec<Name>,
    },
}

/// Why no adverts can be sent from an address.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum SourceTrouble {
    /// Duplicate address detection found another host that uses it.
    Duplicate,
    /// Duplicate address detection has not ended.
    Tentative,
    /// It is a virtual address of the instance as well.
    Virtual,
}
