//! A non-blocking netlink socket.

use std::io;
use std::io::IoSliceMut;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use nix::errno::Errno;
use nix::sys::socket::sockopt::{RcvBuf, RcvBufForce};
use nix::sys::socket::{
    AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, bind, getsockname,
    recvmsg, send, setsockopt, socket,
};

use super::frame::PortId;
use crate::system::options::{
    CappedAcknowledgement, ExtendedAcknowledgement, JoinGroup, LeaveGroup, StrictChecking,
    if_supported,
};

/// Octets of the largest datagram of the kernel (`netlink:N-9`).
const MAX_DATAGRAM_OCTETS: usize = 32 * 1024;
/// Datagrams that one call of a `read` takes, at most: other work gets its turn between the calls.
pub(super) const MAX_DATAGRAMS_PER_READ: usize = 64;

/// The result of a receive call.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Received {
    /// A datagram of the kernel with this length.
    Datagram(usize),
    /// A datagram of another process, which must be ignored (`netlink:N-7`).
    Foreign,
    /// Datagrams were lost.
    Overrun,
    /// No datagram waits.
    Drained,
}

/// A netlink socket with its receive buffer.
#[derive(Debug)]
pub(super) struct Socket {
    fd: OwnedFd,
    port: PortId,
    buffer: Box<[u8]>,
}

impl Socket {
    /// Opens a socket for a netlink protocol and joins multicast groups, given as bits
    /// (`netlink:N-2`, `netlink:N-3`). `buffer_octets` is the size of the kernel's receive buffer.
    ///
    /// # Errors
    /// The error of the system call.
    pub fn open(to: SockProtocol, groups: u32, buffer_octets: usize) -> io::Result<Self> {
        let fd = socket(
            AddressFamily::Netlink,
            SockType::Raw,
            SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC,
            to,
        )?;
        // Older kernels do without (`netlink:N-3`).
        if_supported(setsockopt(&fd, ExtendedAcknowledgement, &true))?;
        if_supported(setsockopt(&fd, CappedAcknowledgement, &true))?;
        if_supported(setsockopt(&fd, StrictChecking, &true))?;
        // Without CAP_NET_ADMIN the system's limit applies.
        setsockopt(&fd, RcvBufForce, &buffer_octets)
            .or_else(|_| setsockopt(&fd, RcvBuf, &buffer_octets))?;
        bind(fd.as_raw_fd(), &NetlinkAddr::new(0, groups))?;
        let port = PortId(getsockname::<NetlinkAddr>(fd.as_raw_fd())?.pid());
        Ok(Self { fd, port, buffer: vec![0; MAX_DATAGRAM_OCTETS].into() })
    }

    /// The port id of the socket.
    pub const fn port(&self) -> PortId {
        self.port
    }

    /// Joins multicast groups, given by their numbers, or leaves them (`into` is `false`).
    ///
    /// # Errors
    /// The error of the system call.
    pub fn join(&self, groups: &[u32], into: bool) -> io::Result<()> {
        for group in groups {
            if into {
                setsockopt(&self.fd, JoinGroup, group)?;
            } else {
                setsockopt(&self.fd, LeaveGroup, group)?;
            }
        }
        Ok(())
    }

    /// Sends to the kernel; `false` when the kernel has no buffer at the moment.
    ///
    /// # Errors
    /// The error of the system call.
    pub fn send(&self, octets: &[u8]) -> io::Result<bool> {
        loop {
            return match send(self.fd.as_raw_fd(), octets, MsgFlags::empty()) {
                Ok(_) => Ok(true),
                Err(Errno::EINTR) => continue,
                Err(Errno::EAGAIN | Errno::ENOBUFS) => Ok(false),
                Err(error) => Err(error.into()),
            };
        }
    }

    /// Receives one datagram, for [`Socket::datagram`].
    ///
    /// # Errors
    /// The error of the system call.
    pub fn receive(&mut self) -> io::Result<Received> {
        loop {
            let mut slices = [IoSliceMut::new(&mut self.buffer)];
            let fd = self.fd.as_raw_fd();
            return match recvmsg::<NetlinkAddr>(fd, &mut slices, None, MsgFlags::empty()) {
                Ok(message) => Ok(match message.address {
                    Some(from) if PortId(from.pid()) != PortId::KERNEL => Received::Foreign,
                    Some(_) if message.flags.contains(MsgFlags::MSG_TRUNC) => Received::Overrun,
                    Some(_) => Received::Datagram(message.bytes),
                    None => Received::Foreign,
                }),
                Err(Errno::EINTR) => continue,
                Err(Errno::ENOBUFS) => Ok(Received::Overrun),
                Err(Errno::EAGAIN) => Ok(Received::Drained),
                Err(error) => Err(error.into()),
            };
        }
    }

    /// The first `len` octets of the last datagram.
    pub fn datagram(&self, len: usize) -> &[u8] {
        self.buffer.get(..len).unwrap_or(&self.buffer)
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}
