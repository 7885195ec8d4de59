//! Which instances there are, and which of them move together.

use super::ids::InstanceId;
use super::instance::Instance;

/// What the last configuration has changed.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Reloaded {
    /// Instances that are new, have other settings, or go on after all.
    pub changed: Vec<InstanceId>,
    /// Some were added or removed.
    pub members: bool,
}

/// The instances and the sync groups.
#[derive(Debug, Default)]
pub struct Members {
    /// All, by their identifiers. Those that a reload removed stay until they have ended.
    pub instances: Vec<Option<Instance>>,
    /// Those of the configuration, in its order.
    pub order: Vec<InstanceId>,
    /// The members of each group.
    pub groups: Vec<Vec<InstanceId>>,
    /// The names of the groups.
    pub group_names: Vec<Box<str>>,
    /// What the last configuration has changed.
    pub reloaded: Reloaded,
    /// Instances to forget as soon as all that they had to tell was told.
    pub ended: Vec<InstanceId>,
}

impl Members {
    /// Every instance, also those that end.
    pub fn iter(&self) -> impl Iterator<Item = &Instance> {
        self.instances.iter().flatten()
    }
}
