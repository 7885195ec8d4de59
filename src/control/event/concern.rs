//! Which events stay in the list of warnings after they are told, and which of them are the same.

use std::net::IpAddr;

use super::kind::WarningKind;
use super::what::What;
use crate::units::Family;
use crate::vrrp::validation::Reject;

/// What `status` lists as long as it lasts. Two events with the same concern are one warning.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Concern {
    /// What it is about.
    pub kind: WarningKind,
    /// Of packets: the family of the virtual router.
    pub family: Option<Family>,
    /// Who caused it.
    pub from: Option<IpAddr>,
    /// Of bad packets: what is wrong with them.
    pub reject: Option<Reject>,
}

impl Concern {
    /// Of something that an instance does itself.
    pub const fn of_itself(kind: WarningKind) -> Self {
        Self { kind, family: None, from: None, reject: None }
    }

    /// Of something that another router does.
    const fn of_router(kind: WarningKind, from: IpAddr) -> Self {
        let family = match from {
            IpAddr::V4(_) => Family::V4,
            IpAddr::V6(_) => Family::V6,
        };
        Self { kind, family: Some(family), from: Some(from), reject: None }
    }

    /// Of an event; `None`: it is over when it is told.
    pub const fn of(what: &What) -> Option<Self> {
        use WarningKind as W;

        Some(match what {
            What::BadPacket { peer, reason } => {
                Self { reject: Some(*reason), ..Self::of_router(W::BadPackets, *peer) }
            }
            What::VridConflict { peer, .. } => {
                let reject = Some(Reject::ForeignAddresses);
                Self { reject, ..Self::of_router(W::VridConflict, *peer) }
            }
            What::IntervalDiffers { peer, .. } => Self::of_router(W::IntervalDiffers, *peer),
            What::AddressesDiffer { peer } => Self::of_router(W::AddressesDiffer, *peer),
            What::SecondOwner { peer, .. } => Self::of_router(W::SecondOwner, *peer),
            What::SameSender { peer } => Self::of_router(W::SameSender, *peer),
            What::SendFailed { family, .. } => {
                Self { family: Some(*family), ..Self::of_itself(W::SendFailed) }
            }
            What::AddressTaken { address, .. } | What::SourceTaken { address, .. } => {
                Self { from: Some(*address), ..Self::of_itself(W::AddressTaken) }
            }
            What::ForeignRemoval { .. } => Self::of_itself(W::ForeignRemoval),
            What::KernelRefused { .. }
            | What::PromotionRefused { .. }
            | What::SecondaryLost { .. } => Self::of_itself(W::KernelRefused),
            What::Message { .. }
            | What::Daemon(_)
            | What::Transition { .. }
            | What::PriorityChanged { .. }
            | What::FaultChanged(_)
            | What::UnknownVrid { .. }
            | What::LowerPriority { .. }
            | What::OldChecksum { .. }
            | What::AddressFree { .. }
            | What::GoneWithInterface { .. }
            | What::Duplicate { .. }
            | What::ForeignAddress { .. }
            | What::NoPacketFilter { .. }
            | What::PacketFilterFailed(_)
            | What::ListenFailed(_)
            | What::AnnounceFailed(_)
            | What::HandOverStarted
            | What::HandOverTaken { .. }
            | What::HandOverFailed { .. }
            | What::Held { .. }
            | What::Released
            | What::LateWake { .. }
            | What::NoticesLost { .. }
            | What::EventsLost { .. } => return None,
        })
    }
}
