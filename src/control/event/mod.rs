//! What happens, as one type that is complete in itself: whom it is about, what, why, and when.
//!
//! A child translates what its engine says into an [`Event`] once and sends that. The line of the
//! log, `steadfast events`, the history of transitions and the warnings of `status` are renderings
//! of it: pure functions, called where somebody wants to read it.
//!
//! | module | for |
//! |---|---|
//! | [`kind`] | the words of all of them: how much an event matters, what it is about |
//! | [`what`] | everything that can happen, with its data |
//! | [`daemon`] | the same of the daemon, its processes and its configuration |
//! | [`cause`] | why the state of an instance changed, and why an instance is in fault |
//! | [`class`] | name, kind and level of each |
//! | [`concern`] | which of them `status` lists as warnings, and for which the same warning |
//! | [`text`] | in words |
//! | [`json`], [`details`] | as clients of the control socket read it |

pub mod cause;
pub mod class;
pub mod concern;
pub mod daemon;
pub mod details;
mod entries;
pub mod json;
pub mod kind;
pub mod text;
pub mod what;

use serde::{Deserialize, Serialize};

use crate::units::{Instant, Vrid};
pub use cause::{Cause, Fault};
pub use concern::Concern;
pub use daemon::DaemonEvent;
pub use kind::{Kind, Level, Name};
pub use what::What;

/// The longest encoding of an event that a child sends. An address or route and the names that
/// belong to it are a tenth of that.
pub const MAX_EVENT_OCTETS: usize = 16 * 1024;

/// Something that happened.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Event {
    /// When.
    pub at: Instant,
    /// What it is about.
    pub subject: Subject,
    /// What happened.
    pub what: What,
    /// How many events of the same kind and subject were left out before this one.
    pub left_out: u32,
}

/// What an event is about.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Subject {
    /// The daemon or one of its processes.
    Process,
    /// An instance of VRRP.
    Instance {
        /// As the configuration names it.
        name: Name,
        /// The interface that it runs on.
        interface: Name,
        /// Its virtual router.
        vrid: Vrid,
    },
}

impl Subject {
    /// The name of the instance, if it is one.
    pub fn name(&self) -> Option<&str> {
        match self {
            Self::Process => None,
            Self::Instance { name, .. } => Some(name),
        }
    }
}

impl Event {
    /// Of the daemon or one of its processes.
    pub const fn of_process(at: Instant, what: What) -> Self {
        Self { at, subject: Subject::Process, what, left_out: 0 }
    }

    /// How much it matters.
    pub const fn level(&self) -> Level {
        self.what.class().level
    }

    /// What it is about.
    pub const fn kind(&self) -> Kind {
        self.what.class().kind
    }

    /// Whether an instance changed its state.
    pub const fn is_transition(&self) -> bool {
        matches!(self.what, What::Transition { .. })
    }
}
