//! A file lock that belongs to the open descriptor: a process that inherits the descriptor holds it.

use std::io;
use std::os::fd::{AsFd, AsRawFd};

use nix::errno::Errno;
use nix::libc;

/// Tries to take the lock (flock(2)). It is released when the last copy of the descriptor is closed, in
/// any process; nix's own lock would be released when its value is dropped.
///
/// # Errors
/// The error of the system call. When another process holds the lock, the result is `false`.
pub fn take(file: &impl AsFd) -> io::Result<bool> {
    let fd = file.as_fd().as_raw_fd();
    // SAFETY: the call takes two numbers and touches no memory of ours; the descriptor is open as
    // long as it is borrowed.
    let result = unsafe { libc::flock(fd, libc::LOCK_EX | libc::LOCK_NB) };
    match Errno::result(result) {
        Ok(_) => Ok(true),
        Err(Errno::EWOULDBLOCK) => Ok(false),
        Err(errno) => Err(errno.into()),
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{File, remove_file};

    use super::*;

    #[test]
    fn the_lock_goes_with_the_last_copy() {
        let path = std::env::temp_dir().join(format!("steadfast-{}-lock", std::process::id()));
        let open = || File::options().create(true).append(true).open(&path).unwrap();
        let first = open();
        assert!(take(&first).unwrap());
        let copy = first.try_clone().unwrap();
        drop(first);
        let other = open();
        assert!(!take(&other).unwrap());
        drop(copy);
        assert!(take(&other).unwrap());
        remove_file(path).unwrap();
    }
}
