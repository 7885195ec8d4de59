//! The capabilities of this process.

use std::io;

use nix::errno::Errno;
use nix::libc::{self, c_int, c_ulong};
use nix::sys::prctl::set_no_new_privs;

/// A capability that the program uses.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Capability {
    /// Its number.
    bit: u32,
    /// Its name, as in the kernel and systemd.
    pub name: &'static str,
    /// The purpose, for messages.
    pub purpose: &'static str,
}

/// The capabilities without which the program cannot work.
pub const NEEDED: [Capability; 2] = [
    Capability { bit: 12, name: "CAP_NET_ADMIN", purpose: "add and remove virtual addresses" },
    Capability { bit: 13, name: "CAP_NET_RAW", purpose: "send and receive adverts" },
];

/// The capability to lock more memory than the limit allows.
pub const IPC_LOCK: Capability =
    Capability { bit: 14, name: "CAP_IPC_LOCK", purpose: "keep memory in RAM" };
/// The capability to change the scheduling of processes.
pub const SYS_NICE: Capability =
    Capability { bit: 23, name: "CAP_SYS_NICE", purpose: "run in real time" };

/// The capabilities of [`NEEDED`] that this process does not have.
///
/// # Errors
/// The error of the system call.
pub fn missing() -> io::Result<Vec<Capability>> {
    let (effective, _) = own()?;
    Ok(NEEDED.into_iter().filter(|needed| effective & mask(needed) == 0).collect())
}

/// Whether this process has a capability.
///
/// # Errors
/// The error of the system call.
pub fn has(right: Capability) -> io::Result<bool> {
    let (effective, _) = own()?;
    Ok(effective & mask(&right) != 0)
}

const fn mask(right: &Capability) -> u64 {
    1 << right.bit
}

/// The effective and the permitted set of this thread. They are not read from `/proc`, since that needs a
/// descriptor and the process may have none left.
fn own() -> io::Result<(u64, u64)> {
    let mut sets = [Sets { effective: 0, permitted: 0, inheritable: 0 }; 2];
    let mut header = Header { version: VERSION, pid: 0 };
    // SAFETY: the kernel reads the header, where it may write a version that it knows, and for this
    // version it writes two structures.
    let result = unsafe { libc::syscall(libc::SYS_capget, &raw mut header, &raw mut sets) };
    Errno::result(result)?;
    let [low, high] = sets;
    let join = |low: u32, high: u32| u64::from(high) << 32 | u64::from(low);
    Ok((join(low.effective, high.effective), join(low.permitted, high.permitted)))
}

/// The kernel's `struct __user_cap_header_struct`.
#[repr(C)]
struct Header {
    version: u32,
    pid: c_int,
}

/// The kernel's `struct __user_cap_data_struct`.
#[derive(Clone, Copy)]
#[repr(C)]
struct Sets {
    effective: u32,
    permitted: u32,
    inheritable: u32,
}

/// `_LINUX_CAPABILITY_VERSION_3`: two of [`Sets`], the lower 32 capabilities first.
const VERSION: u32 = 0x2008_0522;

/// Gives up every capability except `kept`, permanently: programs that this process executes cannot
/// regain one. A capability that the process does not have is not added. To be called while the process
/// has one thread, since other threads would keep their capabilities.
///
/// # Errors
/// The error of the system call. Some capabilities may be given up by then.
pub fn keep_only(kept: &[Capability]) -> io::Result<()> {
    let keep = kept.iter().fold(0, |keep, right| keep | mask(right));
    set_no_new_privs()?;
    // Dropping from the bounding set needs CAP_SETPCAP, so it comes first. Without that capability it
    // is not needed: with no_new_privs, nothing returns from the bounding set to the other sets.
    for bit in (0..u64::BITS).filter(|bit| keep & (1 << bit) == 0) {
        if control(libc::PR_CAPBSET_DROP, c_ulong::from(bit)).is_err() {
            break;
        }
    }
    // Linux before 4.3 has no ambient set.
    let _ = control(
        libc::PR_CAP_AMBIENT,
        c_ulong::try_from(libc::PR_CAP_AMBIENT_CLEAR_ALL).unwrap_or_default(),
    );
    let (_, permitted) = own()?;
    let keep = keep & permitted;
    let half = |bits: u64| u32::try_from(bits & u64::from(u32::MAX)).unwrap_or_default();
    let sets = [keep, keep >> 32].map(half);
    let sets = sets.map(|bits| Sets { effective: bits, permitted: bits, inheritable: 0 });
    let mut header = Header { version: VERSION, pid: 0 };
    // SAFETY: the kernel reads a header and two structures.
    let result = unsafe { libc::syscall(libc::SYS_capset, &raw mut header, &raw const sets) };
    Ok(Errno::result(result).map(drop)?)
}

/// `prctl` with one argument.
fn control(what: c_int, argument: c_ulong) -> nix::Result<()> {
    const NOTHING: c_ulong = 0;
    // SAFETY: the two operations that are used take numbers.
    Errno::result(unsafe { libc::prctl(what, argument, NOTHING, NOTHING, NOTHING) }).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sets_are_those_that_the_kernel_shows() {
        let status = std::fs::read_to_string("/proc/thread-self/status").unwrap();
        let shown = |set: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(set)).unwrap();
            u64::from_str_radix(line.trim(), 16).unwrap()
        };
        assert_eq!(own().unwrap(), (shown("CapEff:"), shown("CapPrm:")));
    }
}
