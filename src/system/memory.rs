//! Locking memory in RAM, and keeping it out of core files.

use std::io;

use nix::errno::Errno;
use nix::libc;
use nix::sys::mman::{MlockAllFlags, mlockall, munlockall};
use nix::sys::prctl::set_dumpable;
use nix::sys::resource::{RLIM_INFINITY, Resource, getrlimit, setrlimit};

use super::privileges::{IPC_LOCK, has};

/// Locks all present and future memory of this process in RAM, each page from its first use on.
///
/// # Errors
/// `EPERM` when RLIMIT_MEMLOCK allows only a part of it: allocations would fail at that limit.
pub fn lock() -> io::Result<()> {
    let (bound, _) = getrlimit(Resource::RLIMIT_MEMLOCK)?;
    if bound != RLIM_INFINITY && !has(IPC_LOCK)? {
        return Err(Errno::EPERM.into());
    }
    let all = MlockAllFlags::MCL_CURRENT | MlockAllFlags::MCL_FUTURE;
    let when_used = MlockAllFlags::from_bits_retain(libc::MCL_ONFAULT);
    match mlockall(all | when_used) {
        // Linux before 4.4 can only load and lock all pages at once.
        Err(Errno::EINVAL) => Ok(mlockall(all)?),
        other => Ok(other?),
    }
}

/// Undoes [`lock`].
///
/// # Errors
/// The error of the system call.
pub fn unlock() -> io::Result<()> {
    Ok(munlockall()?)
}

/// Removes the limit of locked memory of this process, also for the time after it has given up its
/// capabilities.
///
/// # Errors
/// `EPERM` without `CAP_SYS_RESOURCE`.
pub fn remove_lock_limit() -> io::Result<()> {
    Ok(setrlimit(Resource::RLIMIT_MEMLOCK, RLIM_INFINITY, RLIM_INFINITY)?)
}

/// Turns core files off, and keeps other processes of the same user from reading this process's memory,
/// which holds passwords.
///
/// # Errors
/// The error of the system call.
pub fn keep_private() -> io::Result<()> {
    let (_, most) = getrlimit(Resource::RLIMIT_CORE)?;
    setrlimit(Resource::RLIMIT_CORE, 0, most)?;
    Ok(set_dumpable(false)?)
}
