//! What this process may do.

use std::io;

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

/// What of [`NEEDED`] this process has not.
///
/// # Errors
/// `/proc` cannot be read.
pub fn missing() -> io::Result<Vec<Capability>> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let effective = effective(&status).ok_or(io::ErrorKind::InvalidData)?;
    Ok(NEEDED.into_iter().filter(|needed| effective & (1 << needed.bit) == 0).collect())
}

/// The effective capabilities in the text of `/proc/PID/status`.
fn effective(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("CapEff:"))?;
    u64::from_str_radix(line.trim(), 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_s_text_is_understood() {
        assert_eq!(effective("CapPrm:\tffff\nCapEff:\t0000000000003000\n"), Some(0x3000));
        assert_eq!(effective("Name:\tx\n"), None);
    }
}
