//! What an event is called, what it is about, and how much it matters.

use super::kind::{Kind, Level};
use super::what::What;

/// What all events of a sort have in common.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Class {
    /// The name of the sort, for programs.
    pub name: &'static str,
    /// What it is about.
    pub kind: Kind,
    /// How much it matters.
    pub level: Level,
}

/// Of one event.
pub const fn of(what: &What) -> Class {
    use Kind as K;
    use Level as L;

    let (name, kind, level) = match what {
        What::Daemon(event) => return event.class(),
        What::Message { kind, level, .. } => ("message", *kind, *level),
        What::Transition { .. } => ("transition", K::Transition, L::Notice),
        What::PriorityChanged { .. } => ("priority_changed", K::Priority, L::Notice),
        What::FaultChanged(_) => ("fault_changed", K::Fault, L::Warning),
        What::BadPacket { .. } => ("bad_packet", K::Packet, L::Warning),
        What::UnknownVrid { .. } => ("unknown_vrid", K::Packet, L::Info),
        What::IntervalDiffers { .. } => ("interval_differs", K::Packet, L::Warning),
        What::AddressesDiffer { .. } => ("addresses_differ", K::Packet, L::Warning),
        What::VridConflict { .. } => ("vrid_conflict", K::Packet, L::Warning),
        What::LowerPriority { .. } => ("lower_priority", K::Packet, L::Warning),
        What::SecondOwner { .. } => ("second_owner", K::Packet, L::Warning),
        What::SameSender { .. } => ("same_sender", K::Packet, L::Warning),
        What::OldChecksum { .. } => ("old_checksum", K::Packet, L::Notice),
        What::SendFailed { .. } => ("send_failed", K::Packet, L::Warning),
        What::AddressTaken { .. } => ("address_taken", K::Kernel, L::Warning),
        What::SourceTaken { .. } => ("source_taken", K::Kernel, L::Warning),
        What::AddressFree { .. } => ("address_free", K::Packet, L::Notice),
        What::ForeignRemoval { .. } => ("foreign_removal", K::Kernel, L::Warning),
        What::GoneWithInterface { .. } => ("gone_with_interface", K::Kernel, L::Warning),
        What::KernelRefused { .. } => ("kernel_refused", K::Kernel, L::Warning),
        What::Duplicate { .. } => ("duplicate_address", K::Kernel, L::Warning),
        What::ForeignAddress { .. } => ("foreign_address", K::Kernel, L::Warning),
        What::PromotionRefused { .. } => ("promotion_refused", K::Kernel, L::Warning),
        What::SecondaryLost { .. } => ("secondary_lost", K::Kernel, L::Warning),
        What::NoPacketFilter { .. } => ("no_packet_filter", K::Kernel, L::Notice),
        What::PacketFilterFailed(_) => ("packet_filter_failed", K::Kernel, L::Warning),
        What::ListenFailed(_) => ("listen_failed", K::Packet, L::Error),
        What::AnnounceFailed(_) => ("announce_failed", K::Packet, L::Warning),
        What::HandOverStarted => ("hand_over_started", K::HandOver, L::Info),
        What::HandOverTaken { .. } => ("hand_over_taken", K::HandOver, L::Notice),
        What::HandOverFailed { .. } => ("hand_over_failed", K::HandOver, L::Warning),
        What::Held { .. } => ("held", K::HandOver, L::Notice),
        What::Released => ("released", K::HandOver, L::Notice),
        What::LateWake { .. } => ("late_wake", K::Process, L::Warning),
        What::NoticesLost { .. } => ("notices_lost", K::Process, L::Warning),
        What::EventsLost { .. } => ("events_lost", K::Process, L::Warning),
    };
    Class { name, kind, level }
}
