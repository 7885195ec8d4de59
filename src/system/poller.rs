//! Waiting for many descriptors at once, in the thread that works on them.
//!
//! The process that sends adverts does not use async-io's reactor. The reactor has a second thread,
//! which is not real-time, and a wake-up often passes through both threads. It also needs seven
//! system calls for each wake-up, for its own timer and notification and to rearm each event. This
//! poller needs one.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use nix::errno::Errno;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};

/// Descriptors that one wait reports, at most; the next wait reports the others.
pub const MAX_EVENTS_PER_WAIT: usize = 64;

/// The event that is waited for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Interest {
    /// The descriptor is readable. Every wait reports it until it is read.
    Readable,
    /// The descriptor became readable. It is reported once, for a timer that is not read.
    Fired,
    /// The descriptor is writable.
    Writable,
}

/// A set of descriptors to wait for.
#[derive(Debug)]
pub struct Poller(Epoll);

/// A member of the set, until it is removed.
#[derive(Debug)]
pub struct Member {
    fd: OwnedFd,
}

impl Poller {
    /// An empty set.
    ///
    /// # Errors
    /// The error of the system call.
    pub fn new() -> io::Result<Self> {
        Ok(Self(Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?))
    }

    /// Adds a descriptor under a key. The set keeps a duplicate, so that the caller may close its own.
    ///
    /// # Errors
    /// The error of the system call.
    pub fn add(&self, fd: BorrowedFd<'_>, key: u64, interest: Interest) -> io::Result<Member> {
        let flags = match interest {
            Interest::Readable => EpollFlags::EPOLLIN,
            Interest::Fired => EpollFlags::EPOLLIN | EpollFlags::EPOLLET,
            Interest::Writable => EpollFlags::EPOLLOUT,
        };
        let fd = fd.try_clone_to_owned()?;
        self.0.add(fd.as_fd(), EpollEvent::new(flags, key))?;
        Ok(Member { fd })
    }

    /// Removes a member.
    pub fn remove(&self, member: Member) {
        // It fails only for a descriptor that is no member.
        let _ = self.0.delete(member.fd);
    }

    /// Reports the keys of the members with events. With `block` it waits for at least one; a signal
    /// ends the wait, too.
    ///
    /// # Errors
    /// The error of the system call.
    pub fn wait(&self, block: bool, mut found: impl FnMut(u64)) -> io::Result<()> {
        let mut events = [EpollEvent::empty(); MAX_EVENTS_PER_WAIT];
        let timeout = if block { EpollTimeout::NONE } else { EpollTimeout::ZERO };
        match self.0.wait(&mut events, timeout) {
            Ok(count) => {
                events.iter().take(count).for_each(|event| found(event.data()));
                Ok(())
            }
            Err(Errno::EINTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::os::unix::net::UnixStream;

    use super::*;
    use crate::system::clock;
    use crate::system::timer::Timer;

    fn look(poller: &Poller) -> Vec<u64> {
        let mut found = Vec::new();
        poller.wait(false, |key| found.push(key)).unwrap();
        found
    }

    #[test]
    fn what_can_be_read_is_told_until_it_is_read() {
        let poller = Poller::new().unwrap();
        let (mut near, mut far) = UnixStream::pair().unwrap();
        let member = poller.add(near.as_fd(), 7, Interest::Readable).unwrap();
        assert!(look(&poller).is_empty());
        far.write_all(b"a").unwrap();
        assert_eq!((look(&poller), look(&poller)), (vec![7], vec![7]));
        near.read_exact(&mut [0]).unwrap();
        assert!(look(&poller).is_empty());
        far.write_all(b"b").unwrap();
        poller.remove(member);
        assert!(look(&poller).is_empty());
        let member = poller.add(near.as_fd(), 8, Interest::Writable).unwrap();
        assert_eq!(look(&poller), [8]);
        poller.remove(member);
    }

    #[test]
    fn a_timer_that_fires_is_told_once_and_can_be_set_again_unread() {
        let poller = Poller::new().unwrap();
        let timer = Timer::new().unwrap();
        let member = poller.add(timer.as_fd(), 1, Interest::Fired).unwrap();
        for _ in 0..3 {
            timer.set(Some(clock::now()), clock::now()).unwrap();
            let mut found = Vec::new();
            poller.wait(true, |key| found.push(key)).unwrap();
            assert_eq!(found, [1]);
            assert!(look(&poller).is_empty(), "once");
            timer.fired();
        }
        poller.remove(member);
    }
}
