//! The socket to nf_tables that keeps the kernel from answering for addresses while a successor takes
//! them over (architecture.md, hand-over).
//!
//! For a blocked address the kernel sends neither answers nor requests of ARP and neighbour
//! discovery, so that no neighbour updates its cache with this host. Frames that the process itself
//! sends are not affected. Opening the socket makes the kernel load its modules, so that blocking is
//! fast later.

use std::io;
use std::net::IpAddr;
use std::os::fd::{AsFd, BorrowedFd};

use nix::sys::socket::SockProtocol;

use super::frame::messages;
use super::monitor::Left;
use super::neighbor_filter_state::{FilterFailure, FilterState};
use super::socket::{MAX_DATAGRAMS_PER_READ, Received, Socket};

/// Size of the kernel's receive buffer: an error for every message in flight fits.
const RECEIVE_BUFFER_OCTETS: usize = 256 * 1024;

/// Blocks the kernel's ARP and neighbour discovery for addresses.
#[derive(Debug)]
pub struct FilterSocket {
    socket: Socket,
    filter: FilterState,
}

impl FilterSocket {
    /// Opens the socket and removes tables that an earlier process left under the same name. `name` is
    /// the name of this process's tables, at most 31 octets. No other process in this network namespace
    /// may use it at the same time.
    ///
    /// # Errors
    /// The error of the system call, also when the kernel has no netfilter at all.
    pub fn open(name: &str) -> io::Result<Self> {
        let socket = Socket::open(SockProtocol::NetlinkNetFilter, 0, RECEIVE_BUFFER_OCTETS)?;
        let filter = FilterState::new(socket.port(), name);
        let mut opened = Self { socket, filter };
        opened.send()?;
        Ok(opened)
    }

    /// Blocks these addresses with the next [`FilterSocket::send`]. Others stay blocked.
    pub fn block(&mut self, addresses: &[IpAddr]) {
        self.filter.set_blocked(addresses, true);
    }

    /// Unblocks these addresses with the next [`FilterSocket::send`].
    pub fn unblock(&mut self, addresses: &[IpAddr]) {
        self.filter.set_blocked(addresses, false);
    }

    /// Sends the changes to the kernel, one batch for each family. Changes that do not fit, or that have
    /// to wait for an answer, are sent by the next call; call it after each [`FilterSocket::read`].
    ///
    /// # Errors
    /// The error of the system call.
    pub fn send(&mut self) -> io::Result<()> {
        while let Some(octets) = self.filter.to_send() {
            if !self.socket.send(&octets)? {
                self.filter.not_sent();
                break;
            }
        }
        Ok(())
    }

    /// Whether all changes are sent and answered.
    pub fn is_settled(&self) -> bool {
        self.filter.is_settled()
    }

    /// Reads the waiting answers and appends the failures, one for each family. To be called whenever
    /// the socket is readable.
    ///
    /// # Errors
    /// The error of the system call.
    pub fn read(&mut self, failures: &mut Vec<FilterFailure>) -> io::Result<Left> {
        for _ in 0..MAX_DATAGRAMS_PER_READ {
            match self.socket.receive()? {
                Received::Datagram(len) => {
                    for message in messages(self.socket.datagram(len)) {
                        match message.and_then(|message| self.filter.handle(&message)) {
                            Ok(failure) => failures.extend(failure),
                            Err(error) => {
                                log::warn!("netlink neighbour filter: {error}; an answer is lost");
                                self.filter.lost();
                            }
                        }
                    }
                }
                Received::Foreign => {}
                Received::Overrun => {
                    log::warn!("netlink neighbour filter: answers were lost");
                    self.filter.lost();
                }
                Received::Drained => return Ok(Left::Nothing),
            }
        }
        Ok(Left::More)
    }
}

impl AsFd for FilterSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}
