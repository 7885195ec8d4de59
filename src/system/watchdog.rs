//! A device that restarts the machine when nobody feeds it (`linux/watchdog.h`).

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::Path;
use std::time::Duration;

use nix::errno::Errno;
use nix::libc::{O_NONBLOCK, c_int};

/// `WATCHDOG_IOCTL_BASE`.
const KIND: u8 = b'W';
/// What is written before an orderly close.
const MAGIC: &[u8] = b"V";

mod calls {
    use super::{KIND, c_int};

    nix::ioctl_readwrite!(set_timeout, KIND, 6, c_int);
    nix::ioctl_read!(get_timeout, KIND, 7, c_int);
}

/// An open device: from now on the machine depends on [`Device::feed`]. Dropping it lets the
/// machine go on without; a process that ends in any other way does not.
#[derive(Debug)]
pub struct Device(File);

impl Device {
    /// Opens it, which starts its clock.
    ///
    /// # Errors
    /// The error of the system call: `EBUSY` when another process has it, `ENOTTY` when it is another kind
    /// of file, which is not opened.
    pub fn open(path: &Path) -> io::Result<Self> {
        // What is not a device could keep us waiting, or be damaged by what we write.
        if !std::fs::metadata(path)?.file_type().is_char_device() {
            return Err(Errno::ENOTTY.into());
        }
        let file = OpenOptions::new().write(true).custom_flags(O_NONBLOCK).open(path)?;
        let device = Self(file);
        device.timeout()?;
        Ok(device)
    }

    /// After which time without food it restarts the machine.
    ///
    /// # Errors
    /// The error of the system call; `ENOTTY` when it is no watchdog.
    pub fn timeout(&self) -> io::Result<Duration> {
        let mut seconds: c_int = 0;
        // SAFETY: the kernel writes one int to the place that it is given, which outlives the call.
        unsafe { calls::get_timeout(self.0.as_raw_fd(), &raw mut seconds) }?;
        Ok(in_seconds(seconds))
    }

    /// Sets that time, in whole seconds, rounded up. Gives the one that the device can do.
    ///
    /// # Errors
    /// The error of the system call: `EINVAL` when the device cannot do it, `EOPNOTSUPP` when its time is
    /// fixed.
    pub fn set_timeout(&self, timeout: Duration) -> io::Result<Duration> {
        let whole = timeout.as_secs() + u64::from(timeout.subsec_nanos() > 0);
        let mut seconds = c_int::try_from(whole).unwrap_or(c_int::MAX);
        // SAFETY: the kernel reads and writes one int at the place that it is given, which
        // outlives the call.
        unsafe { calls::set_timeout(self.0.as_raw_fd(), &raw mut seconds) }?;
        Ok(in_seconds(seconds))
    }

    /// Starts its time anew.
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
        // When it does not take that, the machine restarts, and nothing could be done about it.
        let _ = (&self.0).write_all(MAGIC);
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
