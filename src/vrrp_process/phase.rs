//! How far the process is with its configuration.

use std::time::Duration;

use crate::vrrp::change::Change;

/// From one configuration to the next.
#[derive(Debug, Default)]
enum Phase {
    /// None has come.
    #[default]
    Unconfigured,
    /// One has come. It waits for the kernel's links and addresses, and for the role.
    Starting(u32),
    /// One is in effect: its interfaces and addresses are reported, and the engine runs.
    Running(u32),
    /// Another one has come, and waits until the one in effect has nothing left to do.
    Reloading(u32, u32, Box<Change>),
}

/// The configuration, and what is asked for beside it.
#[derive(Debug, Default)]
pub struct Progress {
    phase: Phase,
    /// Everything is to be handed over.
    stopping: bool,
    /// It is to hand over and be held for so long, once it has started.
    stand_back: Option<Duration>,
}

impl Progress {
    /// Whether a configuration is in effect.
    pub const fn has_started(&self) -> bool {
        matches!(self.phase, Phase::Running(_) | Phase::Reloading(..))
    }

    /// Whether a first configuration has come and is not in effect yet: what is true of it is not
    /// known before the kernel has told of its links and addresses.
    pub const fn is_starting(&self) -> bool {
        matches!(self.phase, Phase::Starting(_))
    }

    /// The first configuration that is not in effect yet.
    pub const fn starting(&self) -> Option<u32> {
        match self.phase {
            Phase::Starting(generation) => Some(generation),
            Phase::Unconfigured | Phase::Running(_) | Phase::Reloading(..) => None,
        }
    }

    /// The configuration in effect, if no other one waits.
    pub const fn in_effect(&self) -> Option<u32> {
        match self.phase {
            Phase::Running(generation) => Some(generation),
            Phase::Unconfigured | Phase::Starting(_) | Phase::Reloading(..) => None,
        }
    }

    /// The first configuration has come.
    pub fn begin(&mut self, generation: u32) {
        self.phase = Phase::Starting(generation);
    }

    /// It is in effect; which one it is.
    pub fn started(&mut self) -> Option<u32> {
        let generation = self.starting()?;
        self.phase = Phase::Running(generation);
        Some(generation)
    }

    /// Another configuration waits.
    pub fn reload(&mut self, generation: u32, change: Change) {
        if let Phase::Running(now) | Phase::Reloading(now, ..) = self.phase {
            self.phase = Phase::Reloading(now, generation, Box::new(change));
        }
    }

    /// The configuration that waits, which is in effect from now on. None while everything stops.
    pub fn take_reload(&mut self) -> Option<(u32, Change)> {
        if !matches!(self.phase, Phase::Reloading(..)) {
            return None;
        }
        let Phase::Reloading(now, next, change) = std::mem::take(&mut self.phase) else {
            return None;
        };
        self.phase = Phase::Running(if self.stopping { now } else { next });
        (!self.stopping).then_some((next, *change))
    }

    /// Whether everything is to be handed over.
    pub const fn is_stopping(&self) -> bool {
        self.stopping
    }

    /// Everything is to be handed over; whether that is new.
    pub fn stop(&mut self) -> bool {
        !std::mem::replace(&mut self.stopping, true)
    }

    /// Everything is to be held as backup for so long, once it has started.
    pub fn set_stand_back(&mut self, hold_for: Duration) {
        self.stand_back = Some(hold_for);
    }

    /// The same, when it is time for that.
    pub fn take_stand_back(&mut self) -> Option<Duration> {
        if !self.has_started() || self.stopping { None } else { self.stand_back.take() }
    }
}
