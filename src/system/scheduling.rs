//! When a process runs: its real-time priority, its niceness, its processors.
//!
//! The kernel keeps all of that for each thread, and threads share locks: one that waits for its
//! turn holds up those that wait for its lock. So here a process is always all of its threads.
//!
//! These are plain system calls, since musl's functions of the same names only fail.

use std::io;
use std::time::Duration;

use nix::errno::Errno;
use nix::libc::{self, c_int, c_long, rlim_t};
use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};
use nix::unistd::Pid;

/// This process, or the calling thread.
pub const SELF: Pid = Pid::from_raw(0);

/// The kernel's `struct sched_param`. The one of musl is longer.
#[repr(C)]
struct Parameters {
    priority: c_int,
}

/// Who gets the class of a thread beside the thread.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Offspring {
    /// What it starts from now on, thread or process.
    Same,
    /// Nobody: what it starts is in the normal class.
    Normal,
}

/// Gives every thread of a process a real-time priority (round robin); `None`: the normal class.
///
/// # Errors
/// `EPERM`: without `CAP_SYS_NICE`, or in a control group that has no real-time bandwidth.
pub fn set_real_time(process: Pid, priority: Option<u8>, offspring: Offspring) -> io::Result<()> {
    let flag = match offspring {
        Offspring::Same => 0,
        Offspring::Normal => libc::SCHED_RESET_ON_FORK,
    };
    for thread in threads(process)? {
        let result = match priority {
            Some(priority) => set_class(thread, libc::SCHED_RR | flag, priority),
            // Only CAP_SYS_NICE takes that mark away, which does no harm in the normal class.
            None => set_class(thread, libc::SCHED_OTHER, 0)
                .or_else(|_| set_class(thread, libc::SCHED_OTHER | libc::SCHED_RESET_ON_FORK, 0)),
        };
        unless_gone(result)?;
    }
    Ok(())
}

/// Whether the first thread of a process has a real-time priority.
///
/// # Errors
/// `ESRCH`: there is no such process.
pub fn is_real_time(process: Pid) -> io::Result<bool> {
    // SAFETY: takes a number, gives a number.
    let class =
        unsafe { libc::syscall(libc::SYS_sched_getscheduler, c_long::from(process.as_raw())) };
    let class = Errno::result(class)? & !c_long::from(libc::SCHED_RESET_ON_FORK);
    Ok(class == c_long::from(libc::SCHED_RR) || class == c_long::from(libc::SCHED_FIFO))
}

fn set_class(thread: Pid, class: c_int, priority: u8) -> Result<(), Errno> {
    let parameters = Parameters { priority: c_int::from(priority) };
    // SAFETY: the kernel reads one integer there.
    let result = unsafe {
        libc::syscall(
            libc::SYS_sched_setscheduler,
            c_long::from(thread.as_raw()),
            c_long::from(class),
            &raw const parameters,
        )
    };
    Errno::result(result).map(drop)
}

/// Gives every thread of a process a nice value, -20 (most) to 19.
///
/// # Errors
/// `EACCES` or `EPERM`: a lower value than now needs `CAP_SYS_NICE`.
pub fn set_nice(process: Pid, nice: i8) -> io::Result<()> {
    for thread in threads(process)? {
        let (thread, nice) = (c_long::from(thread.as_raw()), c_long::from(nice));
        // SAFETY: takes numbers.
        let result = unsafe { libc::syscall(libc::SYS_setpriority, 0 as c_long, thread, nice) };
        unless_gone(Errno::result(result).map(drop))?;
    }
    Ok(())
}

/// The nice value of this process.
pub fn own_nice() -> i8 {
    // SAFETY: takes numbers, gives a number.
    let turned = unsafe { libc::syscall(libc::SYS_getpriority, 0 as c_long, 0 as c_long) };
    // 40 to 1 stands for -20 to 19.
    i8::try_from(20 - turned).unwrap_or(0)
}

/// Lets every thread of a process run on these processors only; which of them it may really use.
///
/// # Errors
/// `EINVAL`: on none of them.
pub fn set_processors(process: Pid, numbers: &[u16]) -> io::Result<Vec<u16>> {
    let mut set = CpuSet::new();
    for number in numbers {
        // Beyond what this system can count there is none.
        let _ = set.set(usize::from(*number));
    }
    for thread in threads(process)? {
        unless_gone(sched_setaffinity(thread, &set))?;
    }
    let got = sched_getaffinity(process)?;
    let may = |number: &u16| got.is_set(usize::from(*number)).unwrap_or(false);
    Ok(numbers.iter().copied().filter(may).collect())
}

/// Lets every thread of a process run wherever this process may.
///
/// # Errors
/// The error of the system call.
pub fn share_processors(process: Pid) -> io::Result<()> {
    let own = sched_getaffinity(SELF)?;
    for thread in threads(process)? {
        unless_gone(sched_setaffinity(thread, &own))?;
    }
    Ok(())
}

/// How long a thread of a process may run in real time without rest before it gets `SIGXCPU`;
/// `None`: for ever. The kernel never kills it for that, and gives it a second more after each
/// signal, so this has to be set again.
///
/// # Errors
/// The error of the system call.
pub fn set_rest_limit(process: Pid, limit: Option<Duration>) -> io::Result<()> {
    let soft = limit.and_then(|limit| rlim_t::try_from(limit.as_micros()).ok());
    // Above a lower hard limit only an administrator gets; it is what it was.
    let mut limits = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the kernel writes one structure there.
    let result = unsafe {
        libc::prlimit(process.as_raw(), libc::RLIMIT_RTTIME, std::ptr::null(), &raw mut limits)
    };
    Errno::result(result)?;
    limits.rlim_cur = soft.unwrap_or(libc::RLIM_INFINITY).min(limits.rlim_max);
    // SAFETY: the kernel reads one structure there.
    let result = unsafe {
        libc::prlimit(
            process.as_raw(),
            libc::RLIMIT_RTTIME,
            &raw const limits,
            std::ptr::null_mut(),
        )
    };
    Ok(Errno::result(result).map(drop)?)
}

/// A thread of this process that has run in real time for too long leaves that class, instead of
/// ending the process: it may be at the start of thousands of instances, or in an endless loop that
/// others have to see.
///
/// # Errors
/// The error of the system call.
pub fn yield_when_too_long() -> io::Result<()> {
    let handler = SigHandler::Handler(leave_real_time);
    let action = SigAction::new(handler, SaFlags::SA_RESTART, SigSet::empty());
    // SAFETY: all that the handler does is one system call.
    unsafe { sigaction(Signal::SIGXCPU, &action) }?;
    Ok(())
}

extern "C" fn leave_real_time(_: c_int) {
    let before = Errno::last_raw();
    // Everybody may leave, but only some may take the mark away. If it fails all the same, the
    // kernel's own bound for real time is left.
    let _ = set_class(SELF, libc::SCHED_OTHER | libc::SCHED_RESET_ON_FORK, 0);
    Errno::set_raw(before);
}

/// The threads of a process; 0 is this one.
fn threads(process: Pid) -> io::Result<Vec<Pid>> {
    let path = match process.as_raw() {
        0 => "/proc/self/task".to_owned(),
        number => format!("/proc/{number}/task"),
    };
    let numbers = std::fs::read_dir(path)?
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok().map(Pid::from_raw));
    Ok(numbers.collect())
}

/// A thread that has ended meanwhile needs nothing.
fn unless_gone(result: nix::Result<()>) -> nix::Result<()> {
    match result {
        Err(Errno::ESRCH) => Ok(()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_has_threads_and_no_real_time() {
        assert!(threads(SELF).unwrap().contains(&nix::unistd::gettid()));
        assert!(!is_real_time(SELF).unwrap());
    }

    #[test]
    fn what_is_allowed_already_may_be_asked_for() {
        set_nice(SELF, own_nice()).unwrap();
        share_processors(SELF).unwrap();
        set_rest_limit(SELF, None).unwrap();
    }

    #[test]
    fn a_process_without_end_is_not_found() {
        let nobody = Pid::from_raw(c_int::MAX);
        assert!(set_nice(nobody, 0).is_err() && is_real_time(nobody).is_err());
    }
}
