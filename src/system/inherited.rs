//! The descriptors that a child gets from the supervisor.
#![allow(unsafe_code, reason = "a number becomes a descriptor")]

use std::io;
use std::os::fd::{FromRawFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicBool, Ordering};

use nix::errno::Errno;
use nix::libc;

/// The stream of messages.
pub const LINK: RawFd = 3;
/// The datagrams of records.
pub const RECORDS: RawFd = 4;
/// The shared memory.
pub const MEMORY: RawFd = 5;

/// What a child was given.
#[derive(Debug)]
pub struct Inherited {
    /// [`LINK`].
    pub link: OwnedFd,
    /// [`RECORDS`].
    pub records: OwnedFd,
    /// [`MEMORY`].
    pub memory: OwnedFd,
}

static TAKEN: AtomicBool = AtomicBool::new(false);

/// Takes the three descriptors, once.
///
/// # Errors
/// One of them is not open, so that this process was not started by the supervisor, or they were
/// taken before.
pub fn take() -> io::Result<Inherited> {
    if TAKEN.swap(true, Ordering::Relaxed) {
        return Err(io::ErrorKind::AlreadyExists.into());
    }
    let one = |fd: RawFd| -> io::Result<OwnedFd> {
        // SAFETY: the call takes numbers and touches no memory of ours.
        Errno::result(unsafe { libc::fcntl(fd, libc::F_SETFD, libc::FD_CLOEXEC) })?;
        // SAFETY: it is open, and nothing else in this process owns it: it was there before the
        // process began, and is taken only once.
        Ok(unsafe { OwnedFd::from_raw_fd(fd) })
    };
    Ok(Inherited { link: one(LINK)?, records: one(RECORDS)?, memory: one(MEMORY)? })
}
