//! What the process of a role leaves in the kernel when it is gone, and who sees to it meanwhile.

use std::time::Duration;

use nix::unistd::Pid;

use super::Held;
use crate::control::child_messages::ToChild;
use crate::control::shared_memory::Shared;
use crate::supervisor::vrrp;
use crate::system::shared_memory::Region;
use crate::units::Instant;

/// Of one role.
#[derive(Debug)]
pub enum Holdings {
    /// A process of the role leaves nothing that anybody else has to remove.
    #[cfg(debug_assertions)]
    Nothing,
    /// Virtual addresses, routes and rules.
    Vrrp(Box<vrrp::Holdings>),
}

/// Calls a method of the holdings that there are.
macro_rules! of {
    ($self:ident, $held:ident => $some:expr, $nothing:expr) => {
        match $self {
            #[cfg(debug_assertions)]
            Self::Nothing => $nothing,
            Self::Vrrp($held) => $some,
        }
    };
}

impl Holdings {
    /// What a daemon before this one has left, for the first process.
    pub fn recall(&self) {
        of!(self, held => held.recall(), {});
    }

    /// The first process of a daemon that goes on after another program.
    pub fn go_on(&self, installed: Vec<Held>) {
        of!(self, held => held.go_on(installed), drop(installed));
    }

    /// A process of the program before this one is there, or not: what it has is not let go of
    /// before it is looked through.
    pub fn set_taking_over(&self, taking_over: bool) {
        of!(self, held => held.set_taking_over(taking_over), {});
    }

    /// The memory of a process of a killed supervisor that holds the lock of the role and has found
    /// no successor: it ends, and what it has in the kernel stays. `None`: it has none to give.
    pub async fn orphan_memory(&self, holder: Pid) -> Option<Shared<Region>> {
        match self {
            #[cfg(debug_assertions)]
            Self::Nothing => None,
            Self::Vrrp(_) => vrrp::orphan_memory(holder).await,
        }
    }

    /// Before a process starts: removes what it would not know of, or may not resume.
    pub async fn before_start(&self) {
        of!(self, held => held.before_start().await, {});
    }

    /// The process works with this generation of the configuration.
    pub fn applied(&self, generation: u32) {
        of!(self, held => held.applied(generation), {});
    }

    /// Looks at what there is now.
    pub fn update(&self) {
        of!(self, held => held.update(), {});
    }

    /// Whether the process has changed what it holds since [`Holdings::update`].
    pub fn is_outdated(&self) -> bool {
        of!(self, held => held.is_outdated(), false)
    }

    /// When what could not be removed is due again.
    pub fn retry_at(&self) -> Option<Instant> {
        of!(self, held => held.retry_at(), None)
    }

    /// Tries again what could not be removed.
    pub async fn remove_rest(&self) {
        of!(self, held => held.remove_rest().await, {});
    }

    /// Removes what nobody resumes in time; never ends.
    pub async fn remove_when_due(&self) {
        of!(self, held => held.remove_when_due().await, std::future::pending().await)
    }

    /// Removes everything, at the end.
    pub async fn remove_all(&self) {
        of!(self, held => held.remove_all().await, {});
    }

    /// Whether there is something.
    pub fn is_held(&self) -> bool {
        of!(self, held => held.is_held(), false)
    }

    /// Whether a process that starts now goes on where the one before has ended.
    pub fn is_resumable(&self, now: Instant) -> bool {
        of!(self, held => held.is_resumable(now), false)
    }

    /// What to tell a process that has ended again and again, and what that means, in words:
    /// nothing when it holds nothing.
    pub fn stand_back(&self) -> Option<(ToChild, Duration)> {
        match self {
            #[cfg(debug_assertions)]
            Self::Nothing => None,
            Self::Vrrp(_) => Some(vrrp::Holdings::stand_back()),
        }
    }

    /// All that is in the kernel, for the next program.
    pub fn all(&self) -> Vec<Held> {
        of!(self, held => held.all(), Vec::new())
    }

    /// Why it could not be written down.
    pub fn loss(&self) -> Option<String> {
        of!(self, held => held.loss(), None)
    }
}
