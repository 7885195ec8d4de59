//! An operator's commands, and how they end: the words of the interface.

use std::net::IpAddr;
use std::time::Duration;

use super::ids::InstanceId;
use crate::units::{Instant, State};

/// Matches the answer to a command.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct CommandId(pub u32);

/// An operator's command.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Command {
    /// Hand over, then stay backup with the lowest priority until released. Concerns all members
    /// of the instance's group.
    Switchover {
        /// Which instance.
        instance: InstanceId,
        /// Release by itself after this time; `None`: only by command.
        hold_for: Option<Duration>,
        /// Give up the addresses even if no successor is heard.
        force: bool,
    },
    /// End of a switchover's hold.
    Release {
        /// Which instance.
        instance: InstanceId,
    },
    /// Announce all addresses once more.
    Announce {
        /// Which instance.
        instance: InstanceId,
    },
}

/// An operator's hold of an instance: none, until a moment, or until it is released.
pub type Held = Option<Option<Instant>>;

/// How a command ended. Every command has one answer.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Outcome {
    /// Another router took over.
    Taken {
        /// Who.
        by: IpAddr,
        /// Since priority 0 was sent.
        after: Duration,
        /// The hold now.
        hold: Held,
        /// The hold before the command.
        before: Held,
    },
    /// Nobody took over, so that the instance stays master.
    NotTaken,
    /// Nobody took over; the addresses were given up as the command asked.
    GivenUp {
        /// The hold now.
        hold: Held,
        /// The hold before the command.
        before: Held,
    },
    /// The addresses were given up without a planned hand-over, or there were none to give up.
    Held {
        /// The state before the command.
        state: State,
        /// The hold now.
        hold: Held,
        /// The hold before the command.
        before: Held,
    },
    /// There is no switchover while everything stops, or the instance is removed.
    Ended,
    /// A hold ended.
    Released,
    /// Nothing was held, but the instance left a master of lower priority alone, since its own
    /// adverts did not leave; it preempts again.
    Unheard,
    /// The same, since somebody removed its addresses again and again.
    Losing,
    /// There was nothing to release.
    NotHeld,
    /// The addresses are announced.
    Announced,
}
