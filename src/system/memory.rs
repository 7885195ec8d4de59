//! What is kept in RAM, and what is kept out of files.

use std::io;

use nix::errno::Errno;
use nix::libc;
use nix::sys::mman::{MlockAllFlags, mlockall, munlockall};
use nix::sys::prctl::set_dumpable;
use nix::sys::resource::{RLIM_INFINITY, Resource, getrlimit, setrlimit};

use super::privileges::{IPC_LOCK, has};

/// Keeps all memory of this process in RAM once it has been used, from now on.
///
/// # Errors
/// `EPERM`: only a part of it may be, and then memory would run out at that bound.
pub fn lock() -> io::Result<()> {
    let (bound, _) = getrlimit(Resource::RLIMIT_MEMLOCK)?;
    if bound != RLIM_INFINITY && !has(IPC_LOCK)? {
        return Err(Errno::EPERM.into());
    }
    let all = MlockAllFlags::MCL_CURRENT | MlockAllFlags::MCL_FUTURE;
    let when_used = MlockAllFlags::from_bits_retain(libc::MCL_ONFAULT);
    match mlockall(all | when_used) {
        // Linux before 4.4 can only fetch all of it now.
        Err(Errno::EINVAL) => Ok(mlockall(all)?),
        other => Ok(other?),
    }
}

/// The opposite of [`lock`].
///
/// # Errors
/// The error of the system call.
pub fn unlock() -> io::Result<()> {
    Ok(munlockall()?)
}

/// Lets this process lock as much as it likes, even when it has given up its rights.
///
/// # Errors
/// `EPERM`: without `CAP_SYS_RESOURCE`.
pub fn lift_lock_bound() -> io::Result<()> {
    Ok(setrlimit(Resource::RLIMIT_MEMLOCK, RLIM_INFINITY, RLIM_INFINITY)?)
}

/// No core file, and no look into the memory for others of the same user: it holds passwords.
///
/// # Errors
/// The error of the system call.
pub fn keep_private() -> io::Result<()> {
    let (_, most) = getrlimit(Resource::RLIMIT_CORE)?;
    setrlimit(Resource::RLIMIT_CORE, 0, most)?;
    Ok(set_dumpable(false)?)
}
