//! Hearing the adverts of others: one socket for each interface and family, which all instances
//! there share.

use std::io;
use std::net::Ipv6Addr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::socket::sockopt::{
    Ipv4PacketInfo, Ipv6RecvHopLimit, Ipv6RecvPacketInfo, RcvBuf, RcvBufForce,
};
use nix::sys::socket::{MsgFlags, recv, setsockopt};
use socket2::{Domain, InterfaceIndexOrAddress, Protocol, SockAddr, Socket, Type};

use crate::netlink::link::LinkIndex;
use crate::system::filter::{self, Test};
use crate::system::options::{self, ChecksumAt};
use crate::system::{clock, raw};
use crate::units::{Family, Instant};
use crate::vrrp::validation::Reject;
use crate::vrrp::{InterfaceId, Received};
use crate::wire::vrrp::{CHECKSUM_AT, GROUP_V4, GROUP_V6, PROTOCOL};

/// Octets of room for packets that wait: a thousand adverts that come at once, as the kernel
/// counts them. Not memory that is taken.
const RECEIVE_BUFFER_OCTETS: usize = 2 * 1024 * 1024;

/// Octets of the longest packet that can be valid: 255 addresses of IPv6 with their header; an
/// IPv4 header with all its options and 255 addresses take less.
const MAX_ADVERT_OCTETS: usize = 8 + 255 * 16;

/// How long a packet may take from where the kernel looks for sockets to the socket's queue: a
/// thousand times what is usual.
const JOIN_SETTLE_TIME: Duration = Duration::from_secs(1);

/// Octets of the IPv4 header where filters look.
mod field {
    pub const FRAGMENT: u32 = 6;
    pub const PROTOCOL: u32 = 9;
    pub const DESTINATION: u32 = 16;
}

/// More fragments, and the offset: one of them is set in every fragment.
const FRAGMENT: u16 = 0x3fff;

/// Packets that are read with one call.
const MAX_PACKETS_PER_READ: usize = 32;

/// Memory that packets are read into. A process needs one.
#[derive(Debug)]
pub struct Buffer(raw::Inbox);

impl Buffer {
    /// A buffer that is long enough for every valid packet.
    pub fn new() -> Self {
        // Some more octets than are valid: what is cut is invalid in any case.
        Self(raw::Inbox::new(MAX_PACKETS_PER_READ, MAX_ADVERT_OCTETS + 16))
    }
}

impl Default for Buffer {
    fn default() -> Self {
        Self::new()
    }
}

/// A packet as it was received.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Datagram<'a> {
    /// IPv4: the packet from its IP header on.
    V4 {
        /// What fitted into the buffer.
        octets: &'a [u8],
        /// Octets of the whole packet; more than there are in `octets` when it was cut.
        len: usize,
    },
    /// IPv6: the message, and what the IP layer said.
    V6 {
        /// What fitted into the buffer.
        octets: &'a [u8],
        /// Octets of the whole message; more than there are in `octets` when it was cut.
        len: usize,
        /// From whom.
        source: Ipv6Addr,
        /// To whom.
        destination: Ipv6Addr,
        /// Hop limit.
        hop_limit: u8,
    },
}

impl<'a> Datagram<'a> {
    /// In the words of the engine. A packet that was cut keeps the length that it had, and so has
    /// a wrong one ([`Reject::Length`]): there is no valid packet that the buffer is too short
    /// for.
    ///
    /// # Errors
    /// [`Reject::TooShort`] when there is no whole IPv4 header (`vrrp:V-21`).
    pub fn received(&self, interface: InterfaceId) -> Result<Received<'a>, Reject> {
        match *self {
            Self::V4 { octets, len } => {
                let received = Received::from_ipv4(interface, octets)?;
                Ok(Received { received_len: len, ..received })
            }
            Self::V6 { octets, len, source, destination, hop_limit } => {
                let (source, destination) = (source.into(), destination.into());
                let received =
                    Received::from_ipv6(interface, source, destination, hop_limit, octets);
                Ok(Received { received_len: len, ip_total_len: len, ..received })
            }
        }
    }
}

/// The socket that hears all adverts to the group of a family on one interface (`vrrp:V-20`,
/// `vrrp:X-2`).
///
/// The kernel keeps the membership while the interface goes down and up. It ends with the
/// interface: one of the same name that comes later has another index and needs another
/// `Receiver`.
#[derive(Debug)]
pub struct Receiver {
    socket: Socket,
    link: LinkIndex,
    family: Family,
    /// Until then, a packet of another interface may come out of it.
    settled: Instant,
}

impl Receiver {
    /// Opens the socket and joins the group.
    ///
    /// # Errors
    /// `ENODEV` and `ENXIO`: there is no interface with this index (any more), or IPv6 is switched
    /// off on it. `EPERM`: no `CAP_NET_RAW`. `EAFNOSUPPORT`: the kernel has no IPv6. `ENOBUFS`: the
    /// limit of memberships is reached (`net.ipv4.igmp_max_memberships`).
    pub fn open(link: LinkIndex, family: Family) -> io::Result<Self> {
        let domain = match family {
            Family::V4 => Domain::IPV4,
            Family::V6 => Domain::IPV6,
        };
        // Close-on-exec and non-blocking from the start.
        let kind = Type::RAW.nonblocking().cloexec();
        let socket = Socket::new_raw(domain, kind, Some(Protocol::from(i32::from(PROTOCOL))))?;
        // A raw socket hears every interface from the moment it exists. So first nothing may come
        // in, then it is bound, then what had come in is thrown away, and only then is it opened.
        filter::drop_all(&socket)?;
        options::bind_to_interface(&socket, link.0)?;
        setsockopt(&socket, RcvBufForce, &RECEIVE_BUFFER_OCTETS)
            .or_else(|_| setsockopt(&socket, RcvBuf, &RECEIVE_BUFFER_OCTETS))?;
        match family {
            Family::V4 => {
                socket.set_multicast_all_v4(false)?;
                setsockopt(&socket, Ipv4PacketInfo, &true)?;
                socket.join_multicast_v4_n(&GROUP_V4, &InterfaceIndexOrAddress::Index(link.0))?;
                socket.bind(&SockAddr::from(std::net::SocketAddrV4::new(GROUP_V4, 0)))?;
            }
            Family::V6 => {
                only_joined_groups_v6(&socket)?;
                setsockopt(&socket, Ipv6RecvPacketInfo, &true)?;
                setsockopt(&socket, Ipv6RecvHopLimit, &true)?;
                setsockopt(&socket, ChecksumAt, &CHECKSUM_AT)?;
                socket.join_multicast_v6(&GROUP_V6, link.0)?;
                let group = std::net::SocketAddrV6::new(GROUP_V6, 0, 0, link.0);
                socket.bind(&SockAddr::from(group))?;
            }
        }
        let receiver = Self { socket, link, family, settled: clock::now() + JOIN_SETTLE_TIME };
        receiver.drain()?;
        match family {
            Family::V4 => filter::attach(
                &receiver.socket,
                &[
                    Test::Octet(field::PROTOCOL, PROTOCOL),
                    Test::HalfWithout(field::FRAGMENT, FRAGMENT),
                    Test::Word(field::DESTINATION, GROUP_V4.to_bits()),
                ],
            )?,
            // The kernel has compared protocol and group already, and the filter of an IPv6 raw
            // socket begins at the message.
            Family::V6 => filter::attach(&receiver.socket, &[])?,
        }
        Ok(receiver)
    }

    /// The family whose adverts it hears.
    pub const fn family(&self) -> Family {
        self.family
    }

    /// Reads packets that wait and hands them over one by one; `true`: there may be more. Never
    /// blocks, allocates nothing.
    ///
    /// # Errors
    /// What the system says; none is known that would come here. That the interface went down
    /// (`ENETDOWN`) or is gone (`ENODEV`) is not said: there is just nothing to read. Netlink tells.
    pub fn read(
        &self,
        buffer: &mut Buffer,
        mut take: impl FnMut(&Datagram<'_>),
    ) -> io::Result<bool> {
        let inbox = &mut buffer.0;
        let count = loop {
            match inbox.receive(self.socket.as_fd()) {
                Ok(count) => break count,
                Err(Errno::EINTR) => {}
                Err(Errno::EAGAIN) => return Ok(false),
                Err(error) => return Err(error.into()),
            }
        };
        for (octets, arrival) in inbox.iter() {
            if !self.is_foreign(&arrival) {
                take(&self.datagram(octets, &arrival));
            }
        }
        Ok(count == inbox.messages())
    }

    /// Whether a packet found the socket before it was bound, and was on its way to it while all
    /// others were thrown away. Later the kernel's word is taken for it: what it tells as the
    /// interface need not be the one that the socket is bound to.
    fn is_foreign(&self, arrival: &raw::Arrival) -> bool {
        arrival.link.is_some_and(|link| link != self.link.0) && clock::now() < self.settled
    }

    fn datagram<'a>(&self, octets: &'a [u8], arrival: &raw::Arrival) -> Datagram<'a> {
        let len = arrival.len;
        match self.family {
            Family::V4 => Datagram::V4 { octets, len },
            Family::V6 => Datagram::V6 {
                octets,
                len,
                source: arrival.source,
                // The socket asked for both; what is missing would be refused later.
                destination: arrival.destination.unwrap_or(Ipv6Addr::UNSPECIFIED),
                hop_limit: arrival.hop_limit.unwrap_or(0),
            },
        }
    }

    /// Throws away what waits; nothing more comes in meanwhile.
    fn drain(&self) -> io::Result<()> {
        let mut octet = [0];
        loop {
            match recv(self.socket.as_raw_fd(), &mut octet, MsgFlags::empty()) {
                Ok(_) | Err(Errno::EINTR) => {}
                Err(Errno::EAGAIN) => return Ok(()),
                Err(error) => return Err(error.into()),
            }
        }
    }
}

impl AsFd for Receiver {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// Packets to groups that other sockets joined do not come in. Linux before 4.20 cannot be told.
pub(super) fn only_joined_groups_v6(socket: &Socket) -> io::Result<()> {
    match socket.set_multicast_all_v6(false) {
        Err(error) if error.raw_os_error() == Some(Errno::ENOPROTOOPT as i32) => Ok(()),
        other => other,
    }
}
