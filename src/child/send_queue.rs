//! A bounded queue of octets in front of a non-blocking socket.

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
    /// Octets of the first message that are sent already (streams only).
    sent: usize,
    octets: usize,
    max_octets: usize,
}

impl SendQueue {
    /// A queue of at most `max_octets` octets.
    pub const fn new(fd: OwnedFd, max_octets: usize) -> Self {
        Self { fd, queue: VecDeque::new(), sent: 0, octets: 0, max_octets }
    }

    /// Queues a message; `false` when it does not fit and is lost.
    pub fn push(&mut self, message: Vec<u8>) -> bool {
        if self.octets.saturating_add(message.len()) > self.max_octets {
            return false;
        }
        self.octets += message.len();
        self.queue.push_back(message.into_boxed_slice());
        true
    }

    /// Octets in the queue.
    pub const fn waiting(&self) -> usize {
        self.octets
    }

    /// Sends as much as the socket accepts. `false` when some octets are left: wait until the socket is
    /// writable.
    ///
    /// # Errors
    /// The error of the system call; the other end is gone.
    pub fn flush(&mut self) -> io::Result<bool> {
        while let Some(first) = self.queue.front() {
            let rest = first.get(self.sent..).unwrap_or_default();
            let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL;
            match send(self.fd.as_raw_fd(), rest, flags) {
                Ok(len) if len < rest.len() => self.sent += len,
                // A message that is too long for the socket is dropped, so that the next can be sent.
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
        let mut queue = SendQueue::new(near, 8_000_000);
        assert!(queue.push(vec![1; 4_000_000]) && queue.push(vec![2]));
        assert!(queue.flush().unwrap());
        let mut found = [0; 8];
        assert_eq!(recv(far.as_raw_fd(), &mut found, MsgFlags::MSG_DONTWAIT), Ok(1));
        assert_eq!((found[0], queue.waiting()), (2, 0));
    }

    #[test]
    fn what_does_not_fit_is_refused_and_the_rest_arrives_in_order() {
        let (near, mut far) = UnixStream::pair().unwrap();
        let mut queue = SendQueue::new(near.into(), 1_000_000);
        let mut expected: Vec<u8> = Vec::new();
        for number in 0..10_u8 {
            let message = vec![number; 100_000];
            expected.extend(&message);
            assert!(queue.push(message));
        }
        assert!(!queue.push(vec![0]));
        assert!(!queue.flush().unwrap(), "a socket does not take a megabyte at once");
        let mut found: Vec<u8> = Vec::new();
        let mut part = vec![0; 65536];
        while found.len() < expected.len() {
            let len = far.read(&mut part).unwrap();
            found.extend(&part[..len]);
            queue.flush().unwrap();
        }
        assert_eq!(found, expected);
        assert_eq!(queue.waiting(), 0);
        assert!(queue.push(vec![0]), "there is room again");
    }
}
