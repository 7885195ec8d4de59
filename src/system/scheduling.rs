//! The scheduling of a process: real-time priority, niceness and processors.
//!
//! The kernel has these settings for each thread. The functions here change all threads of a process,
//! since threads share locks: a thread that waits for a processor delays those that wait for its lock.
//!
//! They use plain system calls, since musl's functions of the same names always fail.

use std::io;
use std::time::Duration;

use nix::errno::Errno;
use nix::libc::{self, c_int, c_long, rlim_t};
use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};
use nix::unistd::Pid;

/// This process, or the calling thread.
pub const SELF: Pid = Pid::from_raw(0);

/// The kernel's `struct sched_param`. The struct of musl is longer.
#[repr(C)]
struct Parameters {
    priority: c_int,
}

/// The scheduling class of the threads and processes that a thread starts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Offspring {
    /// The class of the thread.
    Same,
    /// The normal class.
    Normal,
}

/// Gives every thread of a process a real-time priority (round robin); `None`: the normal class.
///
/// # Errors
/// `EPERM` without `CAP_SYS_NICE`, or in a control group without real-time bandwidth.
pub fn set_real_time(process: Pid, priority: Option<u8>, offspring: Offspring) -> io::Result<()> {
    let flag = match offspring {
        Offspring::Same => 0,
        Offspring::Normal => libc::SCHED_RESET_ON_FORK,
    };
    for thread in threads(process)? {
        let result = match priority {
            Some(priority) => set_class(thread, libc::SCHED_RR | flag, priority),
            // Clearing the flag needs CAP_SYS_NICE. In the normal class it has no effect.
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
/// `ESRCH` when the process does not exist.
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
/// `EACCES` or `EPERM`: lowering the value needs `CAP_SYS_NICE`.
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
    // The kernel returns 40 to 1 for -20 to 19.
    i8::try_from(20 - turned).unwrap_or(0)
}

/// Lets every thread of a process run on these processors only. Returns those of them that it may use.
///
/// # Errors
/// `EINVAL` when it may use none of them.
pub fn set_processors(process: Pid, numbers: &[u16]) -> io::Result<Vec<u16>> {
    let mut set = CpuSet::new();
    for number in numbers {
        // A number above the system's maximum is no processor.
        let _ = set.set(usize::from(*number));
    }
    for thread in threads(process)? {
        unless_gone(sched_setaffinity(thread, &set))?;
    }
    let got = sched_getaffinity(process)?;
    let may = |number: &u16| got.is_set(usize::from(*number)).unwrap_or(false);
    Ok(numbers.iter().copied().filter(may).collect())
}

/// Lets every thread of a process run on the processors of this process.
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

/// Limits the time that a thread of a process may run in real time without sleeping, before it receives
/// `SIGXCPU` (`RLIMIT_RTTIME`). `None`: no limit. The hard limit does not change, so the kernel does not
/// kill the process. It raises the limit by a second with each signal, after which it has to be set again.
///
/// # Errors
/// The error of the system call.
pub fn set_real_time_limit(process: Pid, limit: Option<Duration>) -> io::Result<()> {
    let soft = limit.and_then(|limit| rlim_t::try_from(limit.as_micros()).ok());
    // Raising the hard limit needs a capability, so it stays as it is.
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

/// Makes a thread of this process that exceeds its real-time limit leave the real-time class. Without
/// this handler, the signal would end the process. The thread may just be starting thousands of
/// instances; if it is in an endless loop, other processes have to run to notice it.
///
/// # Errors
/// The error of the system call.
pub fn leave_real_time_on_sigxcpu() -> io::Result<()> {
    let handler = SigHandler::Handler(leave_real_time);
    let action = SigAction::new(handler, SaFlags::SA_RESTART, SigSet::empty());
    // SAFETY: the handler makes one system call and nothing else.
    unsafe { sigaction(Signal::SIGXCPU, &action) }?;
    Ok(())
}

extern "C" fn leave_real_time(_: c_int) {
    let before = Errno::last_raw();
    // Leaving the class needs no capability as long as the flag stays set. If it fails, the kernel's
    // general real-time limit still applies.
    let _ = set_class(SELF, libc::SCHED_OTHER | libc::SCHED_RESET_ON_FORK, 0);
    Errno::set_raw(before);
}

/// The threads of a process; 0 is this process.
fn threads(process: Pid) -> io::Result<Vec<Pid>> {
    let path = match process.as_raw() {
        0 => "/proc/self/task".to_owned(),
        number => format!("/proc/{number}/task"),
    };
    let numbers = std::fs::read_dir(path)?
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok().map(Pid::from_raw));
    Ok(numbers.collect())
}

/// Ignores the error for a thread that has ended.
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
        set_real_time_limit(SELF, None).unwrap();
    }

    #[test]
    fn a_process_without_end_is_not_found() {
        let nobody = Pid::from_raw(c_int::MAX);
        assert!(set_nice(nobody, 0).is_err() && is_real_time(nobody).is_err());
    }
}
