//! Which of two processes of a role works: the one that has the lock.
//!
//! In an upgrade the successor is there before the process that it succeeds leaves, so that one of
//! them can hand the addresses over whoever is killed. The successor has read its configuration and
//! knows what is in the kernel by then, and only waits for the lock, which the other one lets go
//! when it ends.

use std::fs::File;
use std::os::fd::OwnedFd;
use std::time::Duration;

use crate::system::lock;

/// Between two attempts to have the lock.
pub const RETRY_PERIOD: Duration = Duration::from_millis(2);

/// The lock of the role.
#[derive(Debug)]
pub struct RoleClaim {
    lock: File,
    taken: bool,
}

impl RoleClaim {
    /// By this descriptor. One that is no file is none: the state directory takes no files.
    pub fn new(lock: OwnedFd) -> Self {
        let lock = File::from(lock);
        let taken = !lock.metadata().is_ok_and(|about| about.is_file());
        Self { lock, taken }
    }

    /// Whether no other process has it, now or ever since.
    pub fn is_ours(&mut self) -> bool {
        // A lock that does not work keeps nobody apart.
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
