//! Octets that wait until a socket takes them: bounded, and never waited for.

use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use nix::errno::Errno;
use nix::sys::socket::{MsgFlags, send};

use std::os::fd::AsRawFd;

/// A non-blocking socket with a queue in front of it.
#[derive(Debug)]
pub struct SendQueue {
    fd: OwnedFd,
    queue: VecDeque<Box<[u8]>>,
    /// How much of the first one is gone already (streams only).
    sent: usize,
    octets: usize,
    limit: usize,
}

impl SendQueue {
    /// With room for so many octets.
    pub const fn new(fd: OwnedFd, limit: usize) -> Self {
        Self { fd, queue: VecDeque::new(), sent: 0, octets: 0, limit }
    }

    /// Adds a message; `false` when there is no room, and it is lost.
    pub fn push(&mut self, message: Vec<u8>) -> bool {
        if self.octets.saturating_add(message.len()) > self.limit {
            return false;
        }
        self.octets += message.len();
        self.queue.push_back(message.into_boxed_slice());
        true
    }

    /// How many octets wait.
    pub const fn waiting(&self) -> usize {
        self.octets
    }

    /// Sends what the socket takes. `true`: all is sent; `false`: wait until it is writable.
    ///
    /// # Errors
    /// The error of the system call: the other end is gone.
    pub fn flush(&mut self) -> io::Result<bool> {
        while let Some(first) = self.queue.front() {
            let rest = first.get(self.sent..).unwrap_or_default();
            let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL;
            match send(self.fd.as_raw_fd(), rest, flags) {
                Ok(len) if len < rest.len() => self.sent += len,
                // What no socket ever takes must not keep back what follows.
                Ok(_) | Err(Errno::EMSGSIZE) => {
                    self.octets = self.octets.saturating_sub(first.len());
                    self.sent = 0;
                    self.queue.pop_front();
                }
                Err(Errno::EINTR) => {}
                Err(Errno::EAGAIN | Errno::ENOBUFS) => return Ok(false),
                Err(errno) => return Err(errno.into()),
            }
        }
        Ok(true)
    }
}

impl AsFd for SendQueue {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::os::unix::net::UnixStream;

    use nix::sys::socket::{AddressFamily, SockFlag, SockType, recv, socketpair};

    use super::*;

    #[test]
    fn a_datagram_that_is_too_long_keeps_nothing_back() {
        let flags = SockFlag::SOCK_CLOEXEC;
        let (near, far) =
            socketpair(AddressFamily::Unix, SockType::SeqPacket, None, flags).unwrap();
        let mut outlet = SendQueue::new(near, 8_000_000);
        assert!(outlet.push(vec![1; 4_000_000]) && outlet.push(vec![2]));
        assert!(outlet.flush().unwrap());
        let mut found = [0; 8];
        assert_eq!(recv(far.as_raw_fd(), &mut found, MsgFlags::MSG_DONTWAIT), Ok(1));
        assert_eq!((found[0], outlet.waiting()), (2, 0));
    }

    #[test]
    fn what_does_not_fit_is_refused_and_the_rest_arrives_in_order() {
        let (near, mut far) = UnixStream::pair().unwrap();
        let mut outlet = SendQueue::new(near.into(), 1_000_000);
        let mut expected: Vec<u8> = Vec::new();
        for number in 0..10_u8 {
            let message = vec![number; 100_000];
            expected.extend(&message);
            assert!(outlet.push(message));
        }
        assert!(!outlet.push(vec![0]));
        assert!(!outlet.flush().unwrap(), "a socket does not take a megabyte at once");
        let mut found: Vec<u8> = Vec::new();
        let mut part = vec![0; 65536];
        while found.len() < expected.len() {
            let len = far.read(&mut part).unwrap();
            found.extend(&part[..len]);
            outlet.flush().unwrap();
        }
        assert_eq!(found, expected);
        assert_eq!(outlet.waiting(), 0);
        assert!(outlet.push(vec![0]), "there is room again");
    }
}
