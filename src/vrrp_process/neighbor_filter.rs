//! Blocks answers for addresses that a successor takes over, by the packet filter of the kernel if it has one.

use std::io;
use std::net::IpAddr;
use std::os::fd::{AsFd, BorrowedFd};

use crate::netlink::neighbor_filter::FilterSocket;
use crate::vrrp::{Engine, InstanceId};

/// The socket to the packet filter. A hand-over works without it, but a late answer
/// of ours may bring a client back to us for a moment.
#[derive(Debug)]
pub struct NeighborFilter {
    socket: Option<FilterSocket>,
}

impl NeighborFilter {
    /// Without a packet filter.
    pub const fn without() -> Self {
        Self { socket: None }
    }

    /// Opens the socket. The kernel deletes the table when the process ends, however it ends. The
    /// second value is why there is no packet filter.
    pub fn open() -> (Self, Option<io::Error>) {
        match FilterSocket::open(&format!("steadfast_{}", std::process::id())) {
            Ok(socket) => (Self { socket: Some(socket) }, None),
            Err(error) => (Self::without(), Some(error)),
        }
    }

    /// Answers no ARP and no neighbour solicitation for the addresses of an instance, or does so
    /// again.
    ///
    /// # Errors
    /// What the system says.
    pub fn set(&mut self, engine: &Engine, id: InstanceId, silent: bool) -> io::Result<()> {
        let Some(socket) = &mut self.socket else { return Ok(()) };
        let addresses: Vec<IpAddr> =
            engine.objects(id).filter_map(|(_, object)| object.announced()).collect();
        if silent {
            socket.block(&addresses);
        } else {
            socket.unblock(&addresses);
        }
        socket.send()
    }

    /// Reads answers; gives what does not work, once each.
    ///
    /// # Errors
    /// What the system says.
    pub fn read(&mut self) -> io::Result<Vec<String>> {
        let mut failures = Vec::new();
        if let Some(socket) = &mut self.socket {
            while socket.read(&mut failures)? == crate::netlink::monitor::Left::More {}
            socket.send()?;
        }
        Ok(failures.iter().map(ToString::to_string).collect())
    }

    /// What to wait for, if there is anything.
    pub fn fd(&self) -> Option<BorrowedFd<'_>> {
        self.socket.as_ref().map(AsFd::as_fd)
    }
}
