//! The start of a child: takes over the descriptors from the supervisor and gives up privileges.

use std::ffi::{CStr, OsString};
use std::io;
use std::os::fd::{OwnedFd, RawFd};

use super::library_log;
use crate::control::shared_memory::{Shared, WORDS};
use crate::system::inherited_fds::take;
use crate::system::limits::raise_descriptors;
use crate::system::memory;
use crate::system::privileges::{Capability, IPC_LOCK, keep_only};
use crate::system::scheduling::leave_real_time_on_sigxcpu;
use crate::system::shared_memory::Region;

/// The descriptor for messages.
pub const LINK_FD: RawFd = 3;
/// The descriptor for events.
pub const EVENTS_FD: RawFd = 4;
/// The descriptor of the shared memory.
pub const MEMORY_FD: RawFd = 5;
/// The descriptor of the role's lock; not a regular file when the role has no lock.
pub const LOCK_FD: RawFd = 6;

/// The argument of a child that keeps the capability to lock memory.
pub const LOCKS_MEMORY_ARGUMENT: &str = "locks-memory";
/// The argument of a child that records its memory.
pub const MEMORY_CHECK_ARGUMENT: &str = "--memory-check";

/// What a child inherits from the supervisor.
#[derive(Debug)]
pub struct Inherited {
    /// Stream socket for [`ToChild`](crate::control::child_messages::ToChild) and its answers.
    pub stream: OwnedFd,
    /// Datagram socket for [`Event`](crate::control::event::Event)s.
    pub events: OwnedFd,
    /// The shared memory, which outlives this process.
    pub shared: Shared<Region>,
    /// The lock of the role, which this process holds until it ends.
    pub lock: OwnedFd,
}

/// Takes over the descriptors and gives up privileges. `words` are the arguments after the command;
/// `rights` are the capabilities that the role needs.
///
/// # Errors
/// A descriptor is missing: the command was started by hand.
pub fn start(name: &CStr, words: &[OsString], rights: &[Capability]) -> io::Result<Inherited> {
    // The name is only for lists of processes, so an error does not matter.
    let _ = nix::sys::prctl::set_name(name);
    let (stream, events) = (take(LINK_FD)?, take(EVENTS_FD)?);
    let memory = Region::open(take(MEMORY_FD)?, WORDS)?;
    let shared = Shared::open(memory).map_err(io::Error::other)?;
    let lock = take(LOCK_FD)?;
    library_log::install();
    for error in give_up(rights, words.iter().any(|word| word == LOCKS_MEMORY_ARGUMENT)) {
        log::warn!("{error}");
    }
    // If it fails, the former limit stays.
    let _ = raise_descriptors();
    Ok(Inherited { stream, events, shared, lock })
}

/// Gives up privileges. To be called while the process has one thread, since other threads would keep
/// theirs. The process works without this, too, so errors are only returned as texts for the log.
fn give_up(rights: &[Capability], locks_memory: bool) -> impl Iterator<Item = String> {
    // Without the limit, a reload can turn memory locking on even after CAP_IPC_LOCK is given up. The
    // call needs CAP_SYS_RESOURCE, which the supervisor may not have.
    let _ = memory::remove_lock_limit();
    let lock = locks_memory.then_some(IPC_LOCK);
    let kept: Vec<Capability> = rights.iter().copied().chain(lock).collect();
    [
        ("keep passwords out of core files", memory::keep_private()),
        ("give up rights", keep_only(&kept)),
        ("take SIGXCPU", leave_real_time_on_sigxcpu()),
    ]
    .into_iter()
    .filter_map(|(what, result)| Some(format!("cannot {what}: {}", result.err()?)))
}
