//! The interfaces and named trackers that instances use, with their last reported state. They have
//! numbers, so that nothing is looked up by name when an event comes in.

use super::event::{InterfaceState, TrackerState};
use super::ids::InterfaceId;

/// What instances depend on.
#[derive(Debug, Default)]
pub struct Sources {
    /// `None`: a reload brought it, and it was not reported yet.
    pub interfaces: Vec<(Box<str>, Option<InterfaceState>)>,
    /// Scripts, files, processes and BFD sessions.
    pub trackers: Vec<(Box<str>, TrackerState)>,
}

impl Sources {
    /// The state of an interface; `None`: it was not reported yet.
    pub fn interface(&self, id: InterfaceId) -> Option<InterfaceState> {
        self.interfaces.get(id.0 as usize)?.1
    }

    /// The name of an interface.
    pub fn name(&self, id: InterfaceId) -> Option<&str> {
        self.interfaces.get(id.0 as usize).map(|(name, _)| &**name)
    }

    /// The number of an interface.
    pub fn find(&self, name: &str) -> Option<InterfaceId> {
        let place = self.interfaces.iter().position(|(known, _)| **known == *name)?;
        u32::try_from(place).ok().map(InterfaceId)
    }

    /// The state of a named tracker.
    pub fn tracker(&self, index: u32) -> TrackerState {
        self.trackers.get(index as usize).map_or(TrackerState::Unknown, |(_, state)| *state)
    }

    /// The number of an interface, which it gets now if it has none.
    pub fn intern_interface(&mut self, name: &str) -> InterfaceId {
        self.find(name).unwrap_or_else(|| {
            self.interfaces.push((name.into(), None));
            InterfaceId(u32::try_from(self.interfaces.len() - 1).unwrap_or(u32::MAX))
        })
    }

    /// The number of a named tracker, which it gets now if it has none.
    pub fn intern_tracker(&mut self, name: &str) -> u32 {
        let found = self.trackers.iter().position(|(known, _)| **known == *name);
        let index = found.unwrap_or_else(|| {
            self.trackers.push((name.into(), TrackerState::Unknown));
            self.trackers.len() - 1
        });
        u32::try_from(index).unwrap_or(u32::MAX)
    }
}
