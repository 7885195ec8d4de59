//! How much an event matters, and what it is about.

use serde::{Deserialize, Serialize};

/// How much an event matters. The same order and names as syslog's.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// Something does not work, and the network may notice.
    Error,
    /// Something is wrong, and we go on.
    Warning,
    /// What an administrator wants to know: changes of state.
    Notice,
    /// What may help.
    Info,
    /// For the developer.
    Debug,
}

impl Level {
    /// All, most important first.
    pub const ALL: [Self; 5] = [Self::Error, Self::Warning, Self::Notice, Self::Info, Self::Debug];

    /// By its name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|level| level.name() == name)
    }

    /// As the user writes it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Notice => "notice",
            Self::Info => "info",
            Self::Debug => "debug",
        }
    }
}

/// What an event is about, for programs that read events.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// An instance changed its state.
    Transition,
    /// The effective priority changed.
    Priority,
    /// Why an instance cannot take part changed.
    Fault,
    /// A packet was dropped, or something is wrong with it.
    Packet,
    /// Something that `status` lists as a warning.
    Warning,
    /// A planned hand-over or an operator's hold.
    HandOver,
    /// Addresses, routes and rules in the kernel.
    Kernel,
    /// The configuration was loaded, or refused.
    Configuration,
    /// A process started, ended, or had to wait.
    Process,
}
