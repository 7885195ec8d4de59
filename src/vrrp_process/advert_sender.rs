//! Sending adverts: one socket for each family, whatever the interfaces, so that all that is due
//! leaves in as few calls as possible.

use std::io;
use std::net::IpAddr;
use std::os::fd::AsFd;

use heapless::Vec;
use nix::errno::Errno;
use nix::sys::socket::setsockopt;
use nix::sys::socket::sockopt::{Ipv6MulticastHops, RcvBuf, SndBuf, SndBufForce};
use socket2::{Domain, Protocol, Socket, Type};

use super::advert_receiver::only_joined_groups_v6;
use crate::netlink::link::LinkIndex;
use crate::system::filter;
use crate::system::options::ChecksumAt;
use crate::system::raw::{MAX_MESSAGES_PER_CALL, Outgoing, Target, send_many};
use crate::units::Family;
use crate::wire::vrrp::{CHECKSUM_AT, HOP_LIMIT, PROTOCOL, TRAFFIC_CLASS, Template};

/// Octets of room for adverts that an interface has not sent yet: some thousands, as the kernel
/// counts them. Not memory that is taken.
const SEND_BUFFER_OCTETS: usize = 4 * 1024 * 1024;

/// `TC_PRIO_INTERACTIVE`, the best that needs no right: the first queue of an interface, and class
/// 6 (internetwork control) on a VLAN that maps priorities.
const SOCKET_PRIORITY: u32 = 6;

/// An advert to send.
#[derive(Clone, Copy, Debug)]
pub struct Advert<'a> {
    /// The interface that it leaves by.
    pub link: LinkIndex,
    /// IPv6: the source address, which the interface has to have. IPv4: not used, the template has
    /// it.
    pub source: IpAddr,
    /// The packet.
    pub template: &'a Template,
}

/// The sockets that adverts leave by (`vrrp:X-1`, `vrrp:X-2`). They hear nothing and never block.
#[derive(Debug, Default)]
pub struct Transmitter {
    v4: Option<Socket>,
    v6: Option<Socket>,
}

/// The adverts of one family that leave together, each with its place among all.
type Batch<'a> = Vec<(usize, Outgoing<'a>), MAX_MESSAGES_PER_CALL>;

impl Transmitter {
    /// Without sockets: each is opened when it is needed first.
    pub const fn new() -> Self {
        Self { v4: None, v6: None }
    }

    /// Sends all adverts, in their order within each family. What cannot be sent is told to
    /// `failed` with its place among `adverts`, counted from 0, and the others go on.
    ///
    /// What an error means: `ENETUNREACH`, `ENETDOWN`: the interface is down, which is no news
    /// when a priority 0 is all that was to be sent (`vrrp:X-4`); `EINVAL`, `EADDRNOTAVAIL`: it
    /// does not have the IPv6 source address (yet; or any more, since it went down); `ENODEV`,
    /// `ENXIO`: it is gone; `EAGAIN`, `ENOBUFS`: its queue is full, the advert is lost, and the
    /// next one may do; `EMSGSIZE`: the packet is longer than its MTU; `EPERM`: a firewall rule
    /// dropped it; `EAFNOSUPPORT`: the kernel has no IPv6.
    pub fn send<'a>(
        &mut self,
        adverts: impl IntoIterator<Item = Advert<'a>>,
        mut failed: impl FnMut(usize, Errno),
    ) {
        let (mut v4, mut v6) = (Batch::new(), Batch::new());
        for (place, advert) in adverts.into_iter().enumerate() {
            let link = advert.link.0;
            let octets = advert.template.as_bytes();
            let (family, to) = match (advert.template.destination(), advert.source) {
                (IpAddr::V4(destination), _) => (Family::V4, Target::V4 { destination, link }),
                (IpAddr::V6(destination), IpAddr::V6(source)) => {
                    (Family::V6, Target::V6 { destination, source, link })
                }
                (IpAddr::V6(_), IpAddr::V4(_)) => {
                    failed(place, Errno::EAFNOSUPPORT);
                    continue;
                }
            };
            let batch = match family {
                Family::V4 => &mut v4,
                Family::V6 => &mut v6,
            };
            // There is room: a full batch is sent at once.
            let _ = batch.push((place, Outgoing { octets, to }));
            if batch.is_full() {
                self.flush(family, batch, &mut failed);
            }
        }
        self.flush(Family::V4, &mut v4, &mut failed);
        self.flush(Family::V6, &mut v6, &mut failed);
    }

    /// Opens the socket of a family, so that the first advert does not have to. Should that fail,
    /// the first advert does.
    pub fn prepare(&mut self, family: Family) {
        let _ = self.socket(family);
    }

    fn flush(
        &mut self,
        family: Family,
        batch: &mut Batch<'_>,
        failed: &mut impl FnMut(usize, Errno),
    ) {
        if batch.is_empty() {
            return;
        }
        match self.socket(family) {
            Ok(socket) => {
                let messages: Vec<Outgoing<'_>, MAX_MESSAGES_PER_CALL> =
                    batch.iter().map(|(_, message)| *message).collect();
                deliver(socket, &messages, |place, error| {
                    if let Some((place, _)) = batch.get(place) {
                        failed(*place, error);
                    }
                });
            }
            Err(error) => {
                let errno = error.raw_os_error().map_or(Errno::EIO, Errno::from_raw);
                batch.iter().for_each(|(place, _)| failed(*place, errno));
            }
        }
        batch.clear();
    }

    fn socket(&mut self, family: Family) -> io::Result<&Socket> {
        let socket = match family {
            Family::V4 => &mut self.v4,
            Family::V6 => &mut self.v6,
        };
        match socket {
            Some(open) => Ok(open),
            None => Ok(socket.insert(open(family)?)),
        }
    }
}

/// Sends what can be sent; `failed` is told the place of each other one.
pub(super) fn deliver(
    socket: &impl AsFd,
    messages: &[Outgoing<'_>],
    mut failed: impl FnMut(usize, Errno),
) {
    let mut done = 0;
    while let Some(rest) = messages.get(done..).filter(|rest| !rest.is_empty()) {
        match send_many(socket.as_fd(), rest) {
            Ok(sent) => done += sent.max(1),
            Err(Errno::EINTR) => {}
            Err(error) => {
                failed(done, error);
                done += 1;
            }
        }
    }
}

fn open(family: Family) -> io::Result<Socket> {
    let kind = Type::RAW.nonblocking().cloexec();
    let protocol = Some(Protocol::from(i32::from(PROTOCOL)));
    let socket = match family {
        Family::V4 => Socket::new_raw(Domain::IPV4, kind, protocol)?,
        Family::V6 => Socket::new_raw(Domain::IPV6, kind, protocol)?,
    };
    filter::drop_all(&socket)?;
    // The kernel makes it the least that there is.
    setsockopt(&socket, RcvBuf, &0)?;
    setsockopt(&socket, SndBufForce, &SEND_BUFFER_OCTETS)
        .or_else(|_| setsockopt(&socket, SndBuf, &SEND_BUFFER_OCTETS))?;
    match family {
        Family::V4 => {
            socket.set_header_included_v4(true)?;
            socket.set_multicast_loop_v4(false)?;
            socket.set_multicast_all_v4(false)?;
            socket.set_tos_v4(TRAFFIC_CLASS.into())?;
        }
        Family::V6 => {
            setsockopt(&socket, ChecksumAt, &CHECKSUM_AT)?;
            setsockopt(&socket, Ipv6MulticastHops, &HOP_LIMIT.into())?;
            socket.set_multicast_loop_v6(false)?;
            only_joined_groups_v6(&socket)?;
            socket.set_tclass_v6(TRAFFIC_CLASS.into())?;
        }
    }
    // After the type of service, which changes it.
    socket.set_priority(SOCKET_PRIORITY)?;
    Ok(socket)
}
