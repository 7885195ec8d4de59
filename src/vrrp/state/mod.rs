//! What an instance knows only while it is in one of its states (section 6 of the rules). Whoever
//! leaves a state loses what belongs to it; the transitions carry over what the next state needs.

mod backup;
mod departures;
mod hand_over;
mod master;
mod second_holders;

pub use backup::{Backup, Listening};
pub use hand_over::{Goal, HandOver, HandOverEnd, HandOverResult};
pub use master::{Claim, Conflict, Duty, Master};
pub use second_holders::{SecondHolder, SecondHolders};

use crate::units::{Instant, State};

/// The state of an instance, with its data.
#[derive(Clone, Debug)]
pub enum StateData {
    /// Not started, or stopped.
    Initialize(Initialize),
    /// Listening for a master.
    Backup(Backup),
    /// Holding the addresses.
    Master(Master),
    /// Cannot take part (`vrrp:S-40`).
    Fault(Fault),
}

/// The data of Initialize.
#[derive(Clone, Copy, Debug, Default)]
pub struct Initialize {
    /// When a former process sent its last advert as master of this instance.
    pub resume: Option<Instant>,
}

/// The data of Fault.
#[derive(Clone, Copy, Debug, Default)]
pub struct Fault {
    /// When priority 0 could not be sent, since the interface was down.
    pub owes_stop: Option<Instant>,
}

impl StateData {
    /// Which of the four states it is.
    pub const fn name(&self) -> State {
        match self {
            Self::Initialize(_) => State::Initialize,
            Self::Backup(_) => State::Backup,
            Self::Master(_) => State::Master,
            Self::Fault(_) => State::Fault,
        }
    }
}
