//! What the engine says about changes of state, odd packets and the kernel: to be logged, shown and
//! notified.

use std::net::IpAddr;
use std::time::Duration;

use super::event::KernelError;
use super::ids::{InstanceId, InterfaceId, ObjectId, RouterId};
use super::validation::Reject;
use crate::units::{Centiseconds, Family, Mac, Priority, State};

/// Something worth knowing. Notices that a packet can cause come at most once per reason until
/// the master or the state changes.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Notice {
    /// An instance changed its state.
    Transition {
        /// Which.
        instance: InstanceId,
        /// From.
        from: State,
        /// To.
        to: State,
        /// Why.
        cause: Cause,
    },
    /// The effective priority changed.
    PriorityChanged {
        /// Which.
        instance: InstanceId,
        /// It was.
        from: Priority,
        /// It is.
        to: Priority,
    },
    /// Why the instance cannot take part changed while it stays in Fault.
    FaultChanged {
        /// Which.
        instance: InstanceId,
        /// The first reason now.
        reason: FaultReason,
    },
    /// A packet was dropped or is wrong in a way that is only noted.
    Rejected {
        /// The router it was for.
        router: RouterId,
        /// Who sent it.
        from: IpAddr,
        /// What is wrong with it.
        reason: Reject,
    },
    /// A packet for a VRID that is not ours.
    UnknownVrid {
        /// Where it came in.
        interface: InterfaceId,
        /// Who sent it.
        from: IpAddr,
        /// The identifier.
        vrid: u8,
    },
    /// The master announces another interval than ours; we follow it (`vrrp:V-36`).
    IntervalDiffers {
        /// The router.
        router: RouterId,
        /// Who.
        from: IpAddr,
        /// Theirs.
        theirs: Centiseconds,
    },
    /// The master's address list is not ours, though we have addresses in common (`vrrp:V-40`).
    AddressesDiffer {
        /// The router.
        router: RouterId,
        /// Who.
        from: IpAddr,
    },
    /// A router announces only addresses that are not ours with our VRID: another pair of routers,
    /// or a peer whose list was replaced. It is not heeded (`vrrp:V-40`).
    VridConflict {
        /// The router.
        router: RouterId,
        /// Who.
        from: IpAddr,
        /// With which priority.
        theirs: Priority,
    },
    /// As master we heard a lower-priority advert (`vrrp:S-29`), later than the last one that a
    /// router sends which gives way to us.
    LowerPriority {
        /// The router.
        router: RouterId,
        /// Who.
        from: IpAddr,
        /// With which priority.
        theirs: Priority,
    },
    /// Another router claims to own the addresses too (`vrrp:S-32`).
    SecondOwner {
        /// The router.
        router: RouterId,
        /// Who.
        from: IpAddr,
        /// Whether we lower ourselves to 254 until it stops.
        yielding: bool,
    },
    /// Equal priority and equal address: two routers that cannot decide (`vrrp:S-27`).
    SameSender {
        /// The router.
        router: RouterId,
        /// The address of both.
        from: IpAddr,
    },
    /// The peer's unicast checksum is the one of keepalived up to 1.3.6; we follow (`vrrp:C-5`).
    OldChecksum {
        /// The router.
        router: RouterId,
        /// Who.
        from: IpAddr,
    },
    /// Somebody else removed an object of ours.
    ForeignRemoval {
        /// Which.
        object: ObjectId,
        /// When it is put back; `None`: we stepped down.
        restore_in: Option<Duration>,
    },
    /// An object is gone since an interface that it needs is down or does not exist; it is put back
    /// when that is up.
    GoneWithInterface {
        /// Which.
        object: ObjectId,
        /// The interface.
        interface: InterfaceId,
    },
    /// The kernel refused an object; it is tried again.
    KernelRefused {
        /// Which.
        object: ObjectId,
        /// Whether it should be there.
        present: bool,
        /// Its words.
        error: KernelError,
        /// When it is tried again.
        retry_in: Duration,
    },
    /// Duplicate address detection found that another host has an address of ours; it is tried
    /// again.
    Duplicate {
        /// Which.
        object: ObjectId,
        /// When it is tried again.
        retry_in: Duration,
    },
    /// As master we heard another host announce one of our addresses, or it answered a probe; we
    /// announced it again, or will shortly. Says which host that is.
    AddressTaken {
        /// Which instance.
        instance: InstanceId,
        /// The address.
        address: IpAddr,
        /// The link-layer address that it was announced with.
        mac: Mac,
    },
    /// That host holds the address no longer: it does not answer (module `second_holder`).
    AddressFree {
        /// Which instance.
        instance: InstanceId,
        /// The address.
        address: IpAddr,
        /// The link-layer address of that host.
        mac: Mac,
    },
    /// A planned hand-over began.
    HandOverStarted {
        /// Which instance.
        instance: InstanceId,
    },
    /// The successor was heard.
    HandOverTaken {
        /// Which instance.
        instance: InstanceId,
        /// Who took over.
        by: IpAddr,
        /// Since priority 0 was sent.
        after: Duration,
    },
    /// Nobody took over.
    HandOverFailed {
        /// Which instance.
        instance: InstanceId,
        /// Whether we went on as master.
        resumed: bool,
    },
    /// An operator's hold began or ended.
    Hold {
        /// Which instance.
        instance: InstanceId,
        /// Held now.
        held: bool,
        /// It ends by itself after this time; `None`: when it is released.
        hold_for: Option<Duration>,
    },
    /// The process was late by this much; packets that waited are read first.
    LateWake {
        /// How late.
        by: Duration,
    },
    /// Notices were lost because nobody took them.
    Lost {
        /// How many.
        count: u32,
    },
}

/// Why a state changed.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Cause {
    /// The process or the instance started.
    Started,
    /// The owner of the addresses does not wait (`vrrp:S-31`).
    Owner,
    /// A former process was master moments ago (architecture.md, processes).
    Resumed {
        /// Since its last advert.
        gap: Duration,
    },
    /// No advert from a master for the whole Master_Down_Interval (`vrrp:S-12`).
    NoAdvert {
        /// The last master heard; `None`: none since we listen.
        master: Option<IpAddr>,
        /// How long we heard nothing.
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
    /// None of our adverts leaves, and another router is master (module `transmit_failure`).
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
        /// The member that did.
        member: InstanceId,
    },
    /// Something we need is missing.
    Fault(FaultReason),
    /// All that we need is there again.
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
    /// Somebody else removed one of our objects and the policy is to step down.
    ForeignRemoval {
        /// Which.
        object: ObjectId,
    },
    /// Somebody else removed one of our objects again and again (module `repeated_removal`).
    AddressesLost {
        /// Which.
        object: ObjectId,
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
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FaultReason {
    /// The interface does not exist.
    InterfaceMissing(InterfaceId),
    /// The interface is down.
    InterfaceDown(InterfaceId),
    /// The interface is a port of a bridge, bond, team or Open vSwitch, so that it hears nothing.
    InterfaceIsPort(InterfaceId),
    /// There is no address of this family to send from.
    NoSourceAddress(Family),
    /// A tracked thing without weight is down: index into the instance's
    /// [`track`](super::settings::InstanceSettings::track) list, the group's following.
    Tracked(u16),
}
