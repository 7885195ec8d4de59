//! placeholder: engine
pub mod action;
mod engine;
pub mod event;
mod from_config;
pub mod settings;
pub mod validation;

pub use action::*;
pub use engine::Engine;
pub use event::*;

use crate::units::Family;

/// An instance of the running engine. Stays valid over reloads while the instance exists.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct InstanceId(pub(crate) u32);

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
pub struct InterfaceId(pub(crate) u32);

/// An object of an instance.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ObjectId {
    /// The instance.
    pub instance: InstanceId,
    /// Its slot there.
    pub(crate) slot: u32,
}
