//! The socket that hears of links and addresses.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use nix::sys::socket::SockProtocol;

use super::cache::{Cache, Change};
use super::consts;
use super::frame::{PortId, messages};
use super::mirror::{Fault, Mirror};
use super::socket::{Received, Socket};
use super::watch::Watch;
use crate::net::{Route, Rule};

/// The kernel's receive buffer, in octets: some thousand events.
pub const ROOM: usize = 1024 * 1024;
/// The most datagrams that one call reads, so that others get their turn.
const TURN: usize = 64;

/// What a call left behind.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Left {
    /// Nothing: wait until the socket is readable.
    Nothing,
    /// Perhaps more: call again, after others had their turn.
    More,
}

/// Hears of links and addresses, and keeps a [`Cache`] of them.
#[derive(Debug)]
pub struct Monitor {
    socket: Socket,
    mirror: Mirror,
    overruns: u32,
}

impl Monitor {
    /// Joins the groups and asks for everything (`netlink:N-11`). `own` is the port id of the
    /// command socket, `room` the size of the receive buffer in octets ([`ROOM`]).
    ///
    /// # Errors
    /// What the system says.
    pub fn open(own: Option<PortId>, room: usize) -> io::Result<Self> {
        let socket = Socket::open(SockProtocol::NetlinkRoute, consts::GROUPS, room)?;
        let mirror = Mirror::new(socket.port(), own);
        let mut monitor = Self { socket, mirror, overruns: 0 };
        monitor.ask()?;
        Ok(monitor)
    }

    /// What is known.
    pub const fn cache(&self) -> &Cache {
        self.mirror.cache()
    }

    /// Which of the watched routes and rules there are.
    pub const fn watch(&self) -> &Watch {
        self.mirror.watch()
    }

    /// Watches these routes and rules, and no others any more: what they are now is read, and
    /// changes of them are heard of. Without any, the kernel is not asked to tell about routes
    /// and rules, so that a router's million routes cost nothing.
    ///
    /// # Errors
    /// What the system says.
    pub fn set_watch(&mut self, routes: &[Route], rules: &[Rule]) -> io::Result<()> {
        self.socket.join(&consts::ROUTE_GROUPS, !routes.is_empty() || !rules.is_empty())?;
        self.mirror.set_watch(routes, rules);
        self.ask()
    }

    /// As [`Watch::lend`].
    pub fn lend(&mut self, route: &Route, lent: bool) {
        self.mirror.lend(route, lent);
    }

    /// Whether everything has been read and nothing was lost since.
    pub const fn is_current(&self) -> bool {
        self.mirror.is_current()
    }

    /// How often events were lost, and everything was read again (`netlink:N-10`).
    pub const fn overruns(&self) -> u32 {
        self.overruns
    }

    /// Reads what there is; appends what is different. To be called whenever the socket is
    /// readable. After lost events everything is read again, and the log has a line.
    ///
    /// # Errors
    /// What the system says, also when it refuses to list links or addresses.
    pub fn read(&mut self, changes: &mut Vec<Change>) -> io::Result<Left> {
        for _ in 0..TURN {
            match self.socket.receive()? {
                Received::Datagram(len) => {
                    for message in messages(self.socket.datagram(len)) {
                        let taken = match message {
                            Ok(message) => self.mirror.take(&message, changes),
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
                    self.ask()?;
                    return Ok(Left::Nothing);
                }
            }
        }
        Ok(Left::More)
    }

    /// Sends what the mirror wants to know, now that there is room for the answer.
    fn ask(&mut self) -> io::Result<()> {
        match self.mirror.request().map_err(io::Error::other)? {
            Some(request) if !self.socket.send(&request)? => Err(io::Error::new(
                io::ErrorKind::OutOfMemory,
                "no room to ask the kernel what it has",
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
