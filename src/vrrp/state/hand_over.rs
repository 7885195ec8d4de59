//! A planned hand-over of one instance (rules in module `hand_over`).

use std::net::IpAddr;
use std::time::Duration;

use super::super::ids::ObjectId;
use crate::units::{Centiseconds, Instant, PerFamily};

/// What the hand-over is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Goal {
    /// An operator's switchover.
    Switchover {
        /// How long to stay backup.
        hold_for: Option<Duration>,
        /// Give up the addresses even if nobody takes over.
        force: bool,
    },
    /// The instance ends.
    Stop,
    /// It cannot keep its addresses (module `repeated_removal`).
    Losing {
        /// Which one it lost.
        object: ObjectId,
        /// How long it leaves another master alone.
        pause: Duration,
    },
}

/// What one instance has found out in its hand-over.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum HandOverResult {
    /// A successor was heard.
    Taken,
    /// Nobody was.
    NotTaken,
}

/// How the hand-over of an instance ended, once its whole unit has ended it.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum HandOverEnd {
    /// A successor was heard.
    Taken {
        /// Who.
        by: IpAddr,
        /// Since priority 0 was sent.
        after: Duration,
    },
    /// Nobody was, and the instance goes on as master.
    Resumed,
    /// No successor was heard, and the instance gave up its addresses.
    GivenUp,
}

/// A planned hand-over of one instance.
#[derive(Clone, Copy, Debug)]
pub struct HandOver {
    /// What it is for.
    pub goal: Goal,
    /// The result, once known.
    pub result: Option<HandOverResult>,
    /// The interval that is announced before priority 0.
    pub short: Centiseconds,
    /// How many adverts with it were sent.
    pub sent: u8,
    /// When priority 0 was sent, or would have been if the successor had not come first.
    pub gave_up_at: Option<Instant>,
    /// Until when it waits for a successor.
    pub deadline: Instant,
    /// The successor in each family.
    pub successors: PerFamily<Option<IpAddr>>,
    /// The addresses were given up already.
    pub released: bool,
    /// The first successor of all families together, and how long after priority 0 it was heard.
    pub taken: Option<(IpAddr, Duration)>,
}

impl HandOver {
    /// Nothing was sent yet.
    pub fn new(goal: Goal, short: Centiseconds, now: Instant) -> Self {
        Self {
            goal,
            result: None,
            short,
            sent: 0,
            gave_up_at: None,
            deadline: now,
            successors: PerFamily::default(),
            released: false,
            taken: None,
        }
    }

    /// Who took over.
    pub fn successor(&self) -> Option<IpAddr> {
        self.successors.iter().find_map(|successor| *successor)
    }

    /// Whether ARP and neighbour solicitations are to be left to the successor.
    pub const fn is_silent(&self) -> bool {
        self.gave_up_at.is_some()
    }

    /// Whether nobody has taken over in any family, as far as is known.
    pub fn is_untaken(&self) -> bool {
        self.result.is_none() && !self.released && self.successor().is_none()
    }
}
