//! The operator's commands that wait for an answer, and answers that were not taken yet.

use std::collections::VecDeque;

use super::action::Report;
use super::command::{CommandId, Held};
use super::ids::InstanceId;
use crate::units::State;

/// A switchover whose end is not known yet.
#[derive(Clone, Copy, Debug)]
pub struct Pending {
    /// Of the command.
    pub id: CommandId,
    /// The instance that it is about.
    pub instance: InstanceId,
    /// Its state before.
    pub state: State,
    /// Its hold before.
    pub held: Held,
}

/// Commands on their way.
#[derive(Debug, Default)]
pub struct Commands {
    /// Switchovers that have not ended.
    pub pending: Vec<Pending>,
    /// Answers, in the order of the ends.
    pub answers: VecDeque<Report>,
}

impl Commands {
    /// Whether every command has been answered.
    pub fn is_empty(&self) -> bool {
        self.pending.is_empty() && self.answers.is_empty()
    }
}
