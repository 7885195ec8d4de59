//! The identifiers of what the engine holds. They are valid while that exists.

use crate::units::Family;

/// An instance of the running engine. Stays valid over reloads while the instance exists.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct InstanceId(pub(super) u32);

impl InstanceId {
    /// By its number.
    pub const fn new(number: u32) -> Self {
        Self(number)
    }

    /// Its place in a table of all instances. Places of removed instances are used again.
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// A virtual router: an instance in one address family.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct RouterId {
    /// The instance.
    pub instance: InstanceId,
    /// The family.
    pub family: Family,
}

/// An interface that some instance uses or tracks.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct InterfaceId(pub(super) u32);

impl InterfaceId {
    /// By its number, for packets that reach the validation without an engine: the tests and the
    /// fuzzers make such.
    pub const fn new(number: u32) -> Self {
        Self(number)
    }
}

/// An object of an instance.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ObjectId {
    /// The instance.
    pub instance: InstanceId,
    /// Its slot there.
    pub(super) slot: u32,
}

impl ObjectId {
    /// Some object of an instance, for tests of what only compares them.
    #[cfg(test)]
    pub(crate) const fn of(instance: InstanceId) -> Self {
        Self { instance, slot: 0 }
    }
}
