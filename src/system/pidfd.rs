//! Process descriptors, which become readable when the process ends.

use std::io;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};

use nix::errno::Errno;
use nix::libc;
use nix::unistd::Pid;

/// Opens a descriptor of an existing process, such as a child that was not waited for yet. It is
/// close-on-exec.
///
/// # Errors
/// The error of the system call; `ENOSYS` on a kernel before 5.3.
pub fn open(pid: Pid) -> io::Result<OwnedFd> {
    let flags: libc::c_uint = 0;
    // SAFETY: the call takes two numbers and touches no memory of ours.
    let result = unsafe { libc::syscall(libc::SYS_pidfd_open, pid.as_raw(), flags) };
    let fd = i32::try_from(Errno::result(result)?).map_err(io::Error::other)?;
    // SAFETY: the kernel has just opened this descriptor, no other code has its number.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Kills a process, also one that is not our child. The descriptor cannot refer to another process that
/// has the same process id by now.
///
/// # Errors
/// `ESRCH` when it has ended already, `EPERM` without the permission.
pub fn kill(process: &impl AsFd) -> io::Result<()> {
    let no_info: *const libc::siginfo_t = std::ptr::null();
    let flags: libc::c_uint = 0;
    let fd = process.as_fd().as_raw_fd();
    // SAFETY: without information about the signal the kernel reads no memory of ours.
    let result =
        unsafe { libc::syscall(libc::SYS_pidfd_send_signal, fd, libc::SIGKILL, no_info, flags) };
    Ok(Errno::result(result).map(drop)?)
}
