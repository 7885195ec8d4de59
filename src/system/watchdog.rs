//! A watchdog device, which restarts the machine unless it is fed regularly (`linux/watchdog.h`).

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::Path;
use std::time::Duration;

use nix::errno::Errno;
use nix::libc::{O_NONBLOCK, c_int};

/// `WATCHDOG_IOCTL_BASE`.
const IOCTL_BASE: u8 = b'W';
/// The magic octet that disarms the device before it is closed.
const DISARM: &[u8] = b"V";

mod calls {
    use super::{IOCTL_BASE, c_int};

    nix::ioctl_readwrite!(set_timeout, IOCTL_BASE, 6, c_int);
    nix::ioctl_read!(get_timeout, IOCTL_BASE, 7, c_int);
}

/// An open device: the machine restarts unless [`Device::feed`] is called in time. Dropping the value
/// disarms the device; the end of the process does not.
#[derive(Debug)]
pub struct Device(File);

impl Device {
    /// Opens the device, which starts its timer.
    ///
    /// # Errors
    /// `EBUSY` when another process has it, `ENOTTY` when the file is not a watchdog; otherwise the error
    /// of the system call.
    pub fn open(path: &Path) -> io::Result<Self> {
        // Opening another kind of file could block, and writing to it could damage it.
        if !std::fs::metadata(path)?.file_type().is_char_device() {
            return Err(Errno::ENOTTY.into());
        }
        let file = OpenOptions::new().write(true).custom_flags(O_NONBLOCK).open(path)?;
        let device = Self(file);
        device.timeout()?;
        Ok(device)
    }

    /// The time after the last feeding at which the device restarts the machine.
    ///
    /// # Errors
    /// `ENOTTY` when it is not a watchdog; otherwise the error of the system call.
    pub fn timeout(&self) -> io::Result<Duration> {
        let mut seconds: c_int = 0;
        // SAFETY: the kernel writes one int to the place that it is given, which outlives the call.
        unsafe { calls::get_timeout(self.0.as_raw_fd(), &raw mut seconds) }?;
        Ok(in_seconds(seconds))
    }

    /// Sets that time, rounded up to whole seconds. Returns the time that the device uses.
    ///
    /// # Errors
    /// `EINVAL` when the device does not support the time, `EOPNOTSUPP` when its time is fixed; otherwise
    /// the error of the system call.
    pub fn set_timeout(&self, timeout: Duration) -> io::Result<Duration> {
        let whole = timeout.as_secs() + u64::from(timeout.subsec_nanos() > 0);
        let mut seconds = c_int::try_from(whole).unwrap_or(c_int::MAX);
        // SAFETY: the kernel reads and writes one int at the place that it is given, which
        // outlives the call.
        unsafe { calls::set_timeout(self.0.as_raw_fd(), &raw mut seconds) }?;
        Ok(in_seconds(seconds))
    }

    /// Restarts the time.
    ///
    /// # Errors
    /// The error of the system call.
    pub fn feed(&self) -> io::Result<()> {
        // Any octet but the magic one feeds.
        (&self.0).write_all(b"\0")
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        // If this fails, the machine restarts; there is no other way to disarm the device.
        let _ = (&self.0).write_all(DISARM);
    }
}

fn in_seconds(seconds: c_int) -> Duration {
    Duration::from_secs(u64::try_from(seconds).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_kind_of_file_is_not_touched() {
        let refused = |path: &str| Device::open(Path::new(path)).unwrap_err().raw_os_error();
        assert_eq!(refused("/dev/null"), Some(Errno::ENOTTY as i32));
        assert_eq!(refused("/etc/passwd"), Some(Errno::ENOTTY as i32));
        assert_eq!(refused("/dev/no-such-device"), Some(Errno::ENOENT as i32));
    }
}
