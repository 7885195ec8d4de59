//! The lock of a role. Of two processes of a role, the one that holds the lock works.
//!
//! In an upgrade the successor is started before its predecessor ends, so that one of them can hand the
//! addresses over when the other is killed. By then the successor has read its configuration and the
//! state of the kernel. It only waits for the lock, which the predecessor releases when it ends.

use std::fs::File;
use std::os::fd::OwnedFd;
use std::time::Duration;

use crate::system::lock;

/// The time between two attempts to take the lock.
pub const RETRY_PERIOD: Duration = Duration::from_millis(2);

/// The lock of the role.
#[derive(Debug)]
pub struct RoleClaim {
    lock: File,
    taken: bool,
}

impl RoleClaim {
    /// The lock on the file with this descriptor. When it is not a regular file, since the state directory
    /// is not writable, there is nothing to lock.
    pub fn new(lock: OwnedFd) -> Self {
        let lock = File::from(lock);
        let taken = !lock.metadata().is_ok_and(|about| about.is_file());
        Self { lock, taken }
    }

    /// Whether this process holds the lock; tries to take it. Once taken, the lock stays with this
    /// process.
    pub fn is_ours(&mut self) -> bool {
        // If locking fails, the role works without a lock.
        self.taken = self.taken || lock::take(&self.lock).unwrap_or(true);
        self.taken
    }
}

#[cfg(test)]
mod tests {
    use std::fs::remove_file;

    use super::*;

    #[test]
    fn one_has_it_and_the_other_one_waits() {
        let path = std::env::temp_dir().join(format!("steadfast-{}-role", std::process::id()));
        let open = || OwnedFd::from(File::options().create(true).append(true).open(&path).unwrap());
        let (mut first, mut second) = (RoleClaim::new(open()), RoleClaim::new(open()));
        assert!(first.is_ours() && !second.is_ours());
        drop(first);
        assert!(second.is_ours());
        let nothing = || OwnedFd::from(File::open("/dev/null").unwrap());
        let (mut one, mut other) = (RoleClaim::new(nothing()), RoleClaim::new(nothing()));
        assert!(one.is_ours() && other.is_ours(), "without a file there is no lock");
        remove_file(path).unwrap();
    }
}
