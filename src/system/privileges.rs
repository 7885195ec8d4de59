//! What this process may do.

use std::io;

use nix::errno::Errno;
use nix::libc::{self, c_int, c_ulong};
use nix::sys::prctl::set_no_new_privs;

/// A right that is needed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Capability {
    /// Its number.
    bit: u32,
    /// As the kernel and systemd write it.
    pub name: &'static str,
    /// What it is needed for.
    pub purpose: &'static str,
}

/// Everything that the program needs to do its work.
pub const NEEDED: [Capability; 2] = [
    Capability { bit: 12, name: "CAP_NET_ADMIN", purpose: "add and remove virtual addresses" },
    Capability { bit: 13, name: "CAP_NET_RAW", purpose: "send and receive adverts" },
];

/// Keeps more in RAM than the limit allows.
pub const IPC_LOCK: Capability =
    Capability { bit: 14, name: "CAP_IPC_LOCK", purpose: "keep memory in RAM" };
/// Changes when processes run.
pub const SYS_NICE: Capability =
    Capability { bit: 23, name: "CAP_SYS_NICE", purpose: "run in real time" };

/// What of [`NEEDED`] this process has not.
///
/// # Errors
/// The error of the system call.
pub fn missing() -> io::Result<Vec<Capability>> {
    let (effective, _) = own()?;
    Ok(NEEDED.into_iter().filter(|needed| effective & mask(needed) == 0).collect())
}

/// Whether this process has a right.
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

/// The effective and the permitted set of this thread. Not from `/proc`, which takes a descriptor:
/// rights have to go also where there is none.
fn own() -> io::Result<(u64, u64)> {
    let mut sets = [Sets { effective: 0, permitted: 0, inheritable: 0 }; 2];
    let mut header = Header { version: VERSION, pid: 0 };
    // SAFETY: the kernel takes a header, where it may write a version that it knows, and with this
    // version writes two structures.
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

/// Gives up every right but these, for good: no program that this process could
/// start gets one back. What it has not it does not get. To be called before there is a second
/// thread, which would keep its rights.
///
/// # Errors
/// The error of the system call; nothing is sure then.
pub fn give_up_all_but(kept: &[Capability]) -> io::Result<()> {
    let keep = kept.iter().fold(0, |keep, right| keep | mask(right));
    set_no_new_privs()?;
    // Before the right to do so is gone. Who does not have it has no more to lose: nothing gets
    // back from there into the sets that count, once new privileges are out of the question.
    for bit in (0..u64::BITS).filter(|bit| keep & (1 << bit) == 0) {
        if control(libc::PR_CAPBSET_DROP, c_ulong::from(bit)).is_err() {
            break;
        }
    }
    // Linux before 4.3 has no such set.
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
    // SAFETY: as above, and the structures are read.
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
