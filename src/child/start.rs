//! The start of a child: what it has from the supervisor, and what it gives up.

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

/// The number of the descriptor that a child has for messages.
pub const LINK: RawFd = 3;
/// For events.
pub const EVENTS: RawFd = 4;
/// For the shared memory.
pub const MEMORY: RawFd = 5;
/// For the lock of its role; nothing to lock when there is none.
pub const LOCK: RawFd = 6;

/// The word after the command of a child that is to keep the right to lock memory.
pub const LOCKS_MEMORY: &str = "locks-memory";
/// The word after the command of a child that is to record its memory as well.
pub const MEMORY_CHECK: &str = "--memory-check";

/// What the supervisor gives a child.
#[derive(Debug)]
pub struct Inherited {
    /// Stream socket for [`ToChild`](crate::control::child_messages::ToChild) and its answers.
    pub stream: OwnedFd,
    /// Datagram socket for [`Event`](crate::control::event::Event)s.
    pub events: OwnedFd,
    /// Memory that outlives this process.
    pub shared: Shared<Region>,
    /// The lock of the role, waited for when another process has it, and held until this one ends.
    pub lock: OwnedFd,
}

/// Takes what the supervisor gives, and gives up what is not needed. `words`: what the command line
/// has beside the command; `rights`: what the role needs.
///
/// # Errors
/// The descriptors are not there: it was started by hand.
pub fn start(name: &CStr, words: &[OsString], rights: &[Capability]) -> io::Result<Inherited> {
    // Only for those who look at a list of processes.
    let _ = nix::sys::prctl::set_name(name);
    let (stream, events) = (take(LINK)?, take(EVENTS)?);
    let memory = Region::open(take(MEMORY)?, WORDS)?;
    let shared = Shared::open(memory).map_err(io::Error::other)?;
    let lock = take(LOCK)?;
    library_log::install();
    for error in give_up(rights, words.iter().any(|word| word == LOCKS_MEMORY)) {
        log::warn!("{error}");
    }
    // Should it fail, there are as many as there were.
    let _ = raise_descriptors();
    Ok(Inherited { stream, events, shared, lock })
}

/// Gives up what is not needed, while there is one thread: the others would keep it. It works
/// without, too, so what goes wrong is only said.
fn give_up(rights: &[Capability], locks_memory: bool) -> impl Iterator<Item = String> {
    // Then it may even without the right, after a reload. Not everybody may lift it.
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
