//! The socket that changes addresses.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use nix::sys::socket::SockProtocol;

use super::batch::{Answer, Batch, NotTaken, Request};
use super::frame::{PortId, messages};
use super::monitor::Left;
use super::socket::{Received, Socket};

/// The kernel's receive buffer, in octets: room for the answers to all requests in flight.
const ROOM: usize = 1024 * 1024;
/// The most datagrams that one call reads, so that others get their turn.
const TURN: usize = 64;

/// Sends requests and brings their answers, each with its token.
#[derive(Debug)]
pub struct Commands<T> {
    socket: Socket,
    batch: Batch<T>,
}

impl<T> Commands<T> {
    /// Opens the socket.
    ///
    /// # Errors
    /// What the system says.
    pub fn open() -> io::Result<Self> {
        let socket = Socket::open(SockProtocol::NetlinkRoute, 0, ROOM)?;
        let batch = Batch::new(socket.port());
        Ok(Self { socket, batch })
    }

    /// The port id that events carry which this socket caused (`netlink:N-47`).
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

    /// Takes a request; [`Commands::send`] sends it.
    ///
    /// # Errors
    /// [`NotTaken`]; the request is then forgotten.
    pub fn push(&mut self, request: Request<'_>, token: T) -> Result<(), NotTaken> {
        self.batch.push(request, token)
    }

    /// Sends a batch of what was pushed. The kernel works it off before this returns, so the
    /// answers can be read at once.
    ///
    /// # Errors
    /// What the system says.
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

    /// Reads the answers that there are; appends them. To be called whenever the socket is
    /// readable.
    ///
    /// # Errors
    /// What the system says.
    pub fn read(&mut self, answers: &mut Vec<Answer<T>>) -> io::Result<Left> {
        for _ in 0..TURN {
            match self.socket.receive()? {
                Received::Datagram(len) => {
                    for message in messages(self.socket.datagram(len)) {
                        match message.and_then(|message| self.batch.take(&message)) {
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
