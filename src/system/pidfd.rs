//! Descriptors of processes: readable when the process has ended.

use std::io;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};

use nix::errno::Errno;
use nix::libc;
use nix::unistd::Pid;

/// A descriptor of a process that exists, such as a child that was not waited for yet. It is closed
/// on exec.
///
/// # Errors
/// The error of the system call; `ENOSYS` on a kernel before 5.3.
pub fn open(pid: Pid) -> io::Result<OwnedFd> {
    let flags: libc::c_uint = 0;
    // SAFETY: the call takes two numbers and touches no memory of ours.
    let result = unsafe { libc::syscall(libc::SYS_pidfd_open, pid.as_raw(), flags) };
    let fd = i32::try_from(Errno::result(result)?).map_err(io::Error::other)?;
    // SAFETY: the kernel has just given us this descriptor, nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Ends a process at once, also one that is not our child: the descriptor cannot mean another one
/// that has its number by now.
///
/// # Errors
/// The error of the system call: that it has ended already, or that we may not.
pub fn kill(process: &impl AsFd) -> io::Result<()> {
    let no_info: *const libc::siginfo_t = std::ptr::null();
    let flags: libc::c_uint = 0;
    let fd = process.as_fd().as_raw_fd();
    // SAFETY: without information about the signal the kernel reads no memory of ours.
    let result =
        unsafe { libc::syscall(libc::SYS_pidfd_send_signal, fd, libc::SIGKILL, no_info, flags) };
    Ok(Errno::result(result).map(drop)?)
}
