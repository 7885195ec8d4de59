//! The socket to nf_tables: makes the kernel silent about addresses while a successor takes them
//! over (architecture.md, hand-over).
//!
//! Nothing is answered for a muted address and no question is asked in its name, so that no
//! neighbour's cache comes back to this host. Frames that the process itself sends are not
//! touched. Opening the socket lets the kernel load what it needs, so that nothing is slow later.

use std::io;
use std::net::IpAddr;
use std::os::fd::{AsFd, BorrowedFd};

use nix::sys::socket::SockProtocol;

use super::frame::messages;
use super::monitor::Left;
use super::neighbor_filter_state::{CannotMute, Mute};
use super::socket::{Received, Socket};

/// The kernel's receive buffer, in octets: room for an error of every message under way.
const ROOM: usize = 256 * 1024;
/// The most datagrams that one call reads, so that others get their turn.
const TURN: usize = 64;

/// Makes the kernel silent about addresses.
#[derive(Debug)]
pub struct Firewall {
    socket: Socket,
    mute: Mute,
}

impl Firewall {
    /// Opens the socket, and removes what a dead process left under the same name. `name` names
    /// this process's tables, at most 31 octets: no other process in this network namespace may
    /// use it at the same time.
    ///
    /// # Errors
    /// What the system says, also when the kernel has no netfilter at all.
    pub fn open(name: &str) -> io::Result<Self> {
        let socket = Socket::open(SockProtocol::NetlinkNetFilter, 0, ROOM)?;
        let mute = Mute::new(socket.port(), name);
        let mut firewall = Self { socket, mute };
        firewall.send()?;
        Ok(firewall)
    }

    /// Wants silence about these addresses; [`Firewall::send`] tells the kernel. Addresses that
    /// are muted already stay so.
    pub fn mute(&mut self, addresses: &[IpAddr]) {
        self.mute.want(addresses, true);
    }

    /// Wants an end of the silence; the counterpart of [`Firewall::mute`].
    pub fn unmute(&mut self, addresses: &[IpAddr]) {
        self.mute.want(addresses, false);
    }

    /// Tells the kernel what is wanted, one batch a family; what does not fit, or has to wait for
    /// an answer, goes with the next call, which has to come after each [`Firewall::read`].
    ///
    /// # Errors
    /// What the system says.
    pub fn send(&mut self) -> io::Result<()> {
        while let Some(octets) = self.mute.to_send() {
            if !self.socket.send(&octets)? {
                self.mute.not_sent();
                break;
            }
        }
        Ok(())
    }

    /// Whether nothing is left to send or to be answered.
    pub fn is_settled(&self) -> bool {
        self.mute.is_settled()
    }

    /// Reads the answers that there are; appends what does not work here, once for each family.
    /// To be called whenever the socket is readable.
    ///
    /// # Errors
    /// What the system says.
    pub fn read(&mut self, failures: &mut Vec<CannotMute>) -> io::Result<Left> {
        for _ in 0..TURN {
            match self.socket.receive()? {
                Received::Datagram(len) => {
                    for message in messages(self.socket.datagram(len)) {
                        match message.and_then(|message| self.mute.take(&message)) {
                            Ok(failure) => failures.extend(failure),
                            Err(error) => {
                                log::warn!("netlink firewall: {error}; an answer is lost");
                                self.mute.lost();
                            }
                        }
                    }
                }
                Received::Foreign => {}
                Received::Overrun => {
                    log::warn!("netlink firewall: answers were lost");
                    self.mute.lost();
                }
                Received::Drained => return Ok(Left::Nothing),
            }
        }
        Ok(Left::More)
    }
}

impl AsFd for Firewall {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}
