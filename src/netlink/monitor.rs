//! The socket that receives events about links, addresses, routes and rules.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use nix::sys::socket::SockProtocol;

use super::cache::{Cache, Change};
use super::consts;
use super::frame::{PortId, messages};
use super::mirror::{Fault, Mirror};
use super::socket::{MAX_DATAGRAMS_PER_READ, Received, Socket};
use super::watch::WatchList;
use crate::net::{Route, Rule};

/// Default size of the kernel's receive buffer: some thousand events.
pub const RECEIVE_BUFFER_OCTETS: usize = 1024 * 1024;

/// What is left to do after a call.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Left {
    /// Nothing: wait until the socket is readable.
    Nothing,
    /// Perhaps something: call again after other work had its turn.
    More,
}

/// Receives events and keeps a [`Cache`] of links and addresses.
#[derive(Debug)]
pub struct Monitor {
    socket: Socket,
    mirror: Mirror,
    overruns: u32,
}

impl Monitor {
    /// Joins the multicast groups and requests a dump (`netlink:N-11`). `own` is the port id of the
    /// command socket; `buffer_octets` is the size of the kernel's receive buffer
    /// ([`RECEIVE_BUFFER_OCTETS`]).
    ///
    /// # Errors
    /// The error of the system call.
    pub fn open(own: Option<PortId>, buffer_octets: usize) -> io::Result<Self> {
        let socket = Socket::open(SockProtocol::NetlinkRoute, consts::GROUPS, buffer_octets)?;
        let mirror = Mirror::new(socket.port(), own);
        let mut monitor = Self { socket, mirror, overruns: 0 };
        monitor.send_request()?;
        Ok(monitor)
    }

    /// The links and addresses, as far as they are known.
    pub const fn cache(&self) -> &Cache {
        self.mirror.cache()
    }

    /// The watched routes and rules, and which of them the kernel has.
    pub const fn watch(&self) -> &WatchList {
        self.mirror.watch()
    }

    /// Replaces the watched routes and rules. The kernel's present ones are read, and their changes
    /// are reported. While none is watched, the socket is not in the groups of routes and rules, so
    /// that events about the million routes of a large router cost nothing.
    ///
    /// # Errors
    /// The error of the system call.
    pub fn set_watch(&mut self, routes: &[Route], rules: &[Rule]) -> io::Result<()> {
        self.socket.join(&consts::ROUTE_GROUPS, !routes.is_empty() || !rules.is_empty())?;
        self.mirror.set_watch(routes, rules);
        self.send_request()
    }

    /// As [`WatchList::set_substituted`].
    pub fn set_substituted(&mut self, route: &Route, substituted: bool) {
        self.mirror.set_substituted(route, substituted);
    }

    /// Whether all dumps have ended and no event was lost since.
    pub const fn is_current(&self) -> bool {
        self.mirror.is_current()
    }

    /// How often events were lost and everything was read again (`netlink:N-10`).
    pub const fn overruns(&self) -> u32 {
        self.overruns
    }

    /// Reads the waiting messages and appends the changes. To be called whenever the socket is
    /// readable. When events were lost, it logs that and reads everything again.
    ///
    /// # Errors
    /// The error of the system call, also when it refuses to list links or addresses.
    pub fn read(&mut self, changes: &mut Vec<Change>) -> io::Result<Left> {
        for _ in 0..MAX_DATAGRAMS_PER_READ {
            match self.socket.receive()? {
                Received::Datagram(len) => {
                    for message in messages(self.socket.datagram(len)) {
                        let taken = match message {
                            Ok(message) => self.mirror.handle(&message, changes),
                            Err(error) => Err(error.into()),
                        };
                        match taken {
                            Ok(()) => {}
                            Err(fault @ Fault::Dump(_)) if !fault.is_transient() => {
                                return Err(io::Error::other(fault));
                            }
                            Err(fault) => log::warn!("netlink monitor: {fault}"),
                        }
                    }
                }
                Received::Foreign => {}
                Received::Overrun => {
                    log::warn!("netlink monitor: events were lost; reading everything again");
                    self.overruns = self.overruns.saturating_add(1);
                    self.mirror.overrun();
                }
                Received::Drained => {
                    self.send_request()?;
                    return Ok(Left::Nothing);
                }
            }
        }
        Ok(Left::More)
    }

    /// Sends the next request of the mirror, now that the buffer has room for the answer.
    fn send_request(&mut self) -> io::Result<()> {
        match self.mirror.request().map_err(io::Error::other)? {
            Some(request) if !self.socket.send(&request)? => Err(io::Error::new(
                io::ErrorKind::OutOfMemory,
                "the kernel has no buffer for a request to list its links and addresses",
            )),
            Some(_) | None => Ok(()),
        }
    }
}

impl AsFd for Monitor {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}
