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

/// Octets that fit any datagram of the kernel (`netlink:N-9`).
const BUFFER_LEN: usize = 32 * 1024;

/// What a receive found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Received {
    /// A datagram of the kernel with this length.
    Datagram(usize),
    /// A datagram of somebody else, which is not to be read (`netlink:N-7`).
    Foreign,
    /// Something was lost.
    Overrun,
    /// There is nothing.
    Drained,
}

/// A netlink socket, with the buffer that it receives into.
#[derive(Debug)]
pub(super) struct Socket {
    fd: OwnedFd,
    port: PortId,
    buffer: Box<[u8]>,
}

impl Socket {
    /// Opens a socket to a part of the kernel that is in multicast groups, given as bits
    /// (`netlink:N-2`, `netlink:N-3`). `room` is the size of the kernel's receive buffer in octets.
    ///
    /// # Errors
    /// What the system says.
    pub fn open(to: SockProtocol, groups: u32, room: usize) -> io::Result<Self> {
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
        // Without the right to exceed the system's limit, take what that gives.
        setsockopt(&fd, RcvBufForce, &room).or_else(|_| setsockopt(&fd, RcvBuf, &room))?;
        bind(fd.as_raw_fd(), &NetlinkAddr::new(0, groups))?;
        let port = PortId(getsockname::<NetlinkAddr>(fd.as_raw_fd())?.pid());
        Ok(Self { fd, port, buffer: vec![0; BUFFER_LEN].into() })
    }

    /// The address of the socket.
    pub const fn port(&self) -> PortId {
        self.port
    }

    /// Goes into multicast groups, given by their numbers, or out of them.
    ///
    /// # Errors
    /// What the system says.
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

    /// Sends to the kernel; `false` when there is no room at the moment.
    ///
    /// # Errors
    /// What the system says.
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
    /// What the system says.
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

    /// The first `len` octets that were received last.
    pub fn datagram(&self, len: usize) -> &[u8] {
        self.buffer.get(..len).unwrap_or(&self.buffer)
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}
