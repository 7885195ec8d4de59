//! The socket that changes addresses, routes and rules.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use nix::sys::socket::SockProtocol;

use super::batch::{Answer, Batch, NotTaken, Request};
use super::frame::{PortId, messages};
use super::monitor::Left;
use super::socket::{MAX_DATAGRAMS_PER_READ, Received, Socket};

/// Size of the kernel's receive buffer: the answers to all requests in flight fit.
const RECEIVE_BUFFER_OCTETS: usize = 1024 * 1024;

/// Sends requests and returns their answers, each with its token.
#[derive(Debug)]
pub struct Commands<T> {
    socket: Socket,
    batch: Batch<T>,
}

impl<T> Commands<T> {
    /// Opens the socket.
    ///
    /// # Errors
    /// The error of the system call.
    pub fn open() -> io::Result<Self> {
        let socket = Socket::open(SockProtocol::NetlinkRoute, 0, RECEIVE_BUFFER_OCTETS)?;
        let batch = Batch::new(socket.port());
        Ok(Self { socket, batch })
    }

    /// The port id in events that requests of this socket caused (`netlink:N-47`).
    pub const fn port(&self) -> PortId {
        self.socket.port()
    }

    /// How many requests have no answer yet, sent or not.
    pub fn in_flight(&self) -> usize {
        self.batch.in_flight()
    }

    /// Whether there are requests for [`Commands::send`].
    pub fn has_unsent(&self) -> bool {
        !self.batch.to_send().is_empty()
    }

    /// Queues a request; [`Commands::send`] sends it.
    ///
    /// # Errors
    /// [`NotTaken`]; the request is dropped.
    pub fn push(&mut self, request: Request<'_>, token: T) -> Result<(), NotTaken> {
        self.batch.push(request, token)
    }

    /// Sends one batch of queued requests. The kernel handles it before this returns, so the answers
    /// can be read at once.
    ///
    /// # Errors
    /// The error of the system call.
    pub fn send(&mut self) -> io::Result<Left> {
        let octets = self.batch.to_send();
        if octets.is_empty() {
            return Ok(Left::Nothing);
        }
        if self.socket.send(octets)? {
            self.batch.sent();
        }
        Ok(if self.batch.to_send().is_empty() { Left::Nothing } else { Left::More })
    }

    /// Reads the waiting answers and appends them. To be called whenever the socket is readable.
    ///
    /// # Errors
    /// The error of the system call.
    pub fn read(&mut self, answers: &mut Vec<Answer<T>>) -> io::Result<Left> {
        for _ in 0..MAX_DATAGRAMS_PER_READ {
            match self.socket.receive()? {
                Received::Datagram(len) => {
                    for message in messages(self.socket.datagram(len)) {
                        match message.and_then(|message| self.batch.handle(&message)) {
                            Ok(answer) => answers.extend(answer),
                            Err(error) => {
                                log::warn!("netlink command: {error}; an answer is lost");
                                answers.extend(self.batch.lost());
                            }
                        }
                    }
                }
                Received::Foreign => {}
                Received::Overrun => {
                    log::warn!("netlink command: answers were lost");
                    answers.extend(self.batch.lost());
                }
                Received::Drained => return Ok(Left::Nothing),
            }
        }
        Ok(Left::More)
    }
}

impl<T> AsFd for Commands<T> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}
