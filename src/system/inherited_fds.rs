//! Descriptors that this process inherits from its parent.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use nix::fcntl::{F_GETFD, F_SETFD, FdFlag, fcntl};

/// Takes over an inherited descriptor by its number and marks it close-on-exec.
///
/// It works once for each number: an inherited descriptor is not close-on-exec, while all that were
/// taken over or opened by this process are.
///
/// # Errors
/// `NotFound` when the descriptor is not open, `AlreadyExists` when it was not inherited.
pub fn take(number: RawFd) -> io::Result<OwnedFd> {
    let not_open = || {
        io::Error::new(
            io::ErrorKind::NotFound,
            format!(
                "descriptor {number} is not open: this command is started by `steadfast run`, \
                 not by hand"
            ),
        )
    };
    if number < 0 {
        return Err(not_open());
    }
    // SAFETY: the number is not -1. The next call finds out whether it is open, and no other code
    // closes it, since an inherited descriptor has no owner yet.
    let borrowed = unsafe { BorrowedFd::borrow_raw(number) };
    let flags = fcntl(borrowed, F_GETFD).map_err(|_| not_open())?;
    if FdFlag::from_bits_truncate(flags).contains(FdFlag::FD_CLOEXEC) {
        return Err(io::Error::new(
            io::ErrorKind::AlreadyExists,
            format!("descriptor {number} belongs to this process already"),
        ));
    }
    fcntl(borrowed, F_SETFD(FdFlag::FD_CLOEXEC))?;
    // SAFETY: it is open, and no other code in this process owns it: the descriptors that this
    // process opened or took over are close-on-exec, and this one was not.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}

/// Lets the program that this process executes next inherit a descriptor.
///
/// # Errors
/// The error of the system call.
pub fn pass_on(fd: &OwnedFd) -> io::Result<RawFd> {
    fcntl(fd, F_SETFD(FdFlag::empty()))?;
    Ok(fd.as_raw_fd())
}

#[cfg(test)]
mod tests {
    use std::os::fd::{AsRawFd, IntoRawFd};

    use nix::unistd::pipe;

    use super::*;

    #[test]
    fn takes_over_once() {
        let (reader, _writer) = pipe().unwrap();
        let number = reader.into_raw_fd();
        let fd = take(number).unwrap();
        assert_eq!(fd.as_raw_fd(), number);
        let flags = FdFlag::from_bits_retain(fcntl(&fd, F_GETFD).unwrap());
        assert!(flags.contains(FdFlag::FD_CLOEXEC));
        let error = take(number).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AlreadyExists, "{error}");
    }

    #[test]
    fn what_is_not_open_is_not_taken() {
        for number in [-1, RawFd::MAX] {
            let error = take(number).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::NotFound, "{error}");
        }
    }
}
