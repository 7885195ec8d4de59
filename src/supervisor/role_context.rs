//! What the supervisor's part of a role works with.

use std::rc::Rc;
use std::sync::Arc;

use super::in_effect::InEffect;
use super::log::Log;
use super::state_dir::StateDir;
use crate::control::event::{Kind, Level};
use crate::system::shared_memory::Region;

/// The parts of the daemon that a role shares with the others, and its own memory.
#[derive(Clone, Debug)]
pub struct RoleContext {
    /// The log.
    pub log: Rc<Log>,
    /// The state directory.
    pub dir: Rc<StateDir>,
    /// The configuration in effect.
    pub configuration: Rc<InEffect>,
    /// The memory that the process of the role shares with the supervisor.
    pub memory: Arc<Region>,
}

impl RoleContext {
    /// Logs a line about processes.
    pub fn note(&self, level: Level, text: impl Into<String>) {
        self.log.note(level, Kind::Process, text);
    }
}
