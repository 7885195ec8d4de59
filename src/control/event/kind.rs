//! How much an event matters, what it is about, and which sort of warning it may be.

use serde::{Deserialize, Serialize};

/// The name of an instance, an interface or a tracked thing.
pub type Name = Box<str>;

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

/// What a warning is about, most severe first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WarningKind {
    /// Another router is master of the same addresses now.
    SplitBrain,
    /// A process had to be started again, does not answer, or does not run as configured.
    Process,
    /// Adverts cannot be sent: others think that we are gone.
    SendFailed,
    /// A backup hears no master.
    NoMaster,
    /// An instance cannot take part.
    Fault,
    /// An address, route or rule that should be there is not.
    AddressMissing,
    /// An address, route or rule is there that should not be.
    LeftBehind,
    /// An instance changed its state again and again within a minute.
    Flapping,
    /// Two routers send from the same address.
    SameSender,
    /// Another router claims to own the addresses.
    SecondOwner,
    /// Another host holds one of our addresses as well.
    AddressTaken,
    /// A VRID on this link belongs to another pair.
    VridConflict,
    /// A master announces other addresses than ours.
    AddressesDiffer,
    /// The kernel refused what we asked for.
    KernelRefused,
    /// Somebody removed what we installed.
    ForeignRemoval,
    /// The last reload was refused.
    ReloadRefused,
    /// Nothing is configured.
    Empty,
    /// An operator holds an instance as backup.
    Held,
    /// Trackers lower the priority of an instance.
    PriorityLowered,
    /// Packets were dropped.
    BadPackets,
    /// A master announces another interval.
    IntervalDiffers,
    /// Something that the daemon wanted to keep is lost: no room, no permission.
    Storage,
    /// Records were lost.
    RecordsLost,
}
