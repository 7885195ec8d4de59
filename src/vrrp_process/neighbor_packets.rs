//! Gratuitous ARP and unsolicited neighbour advertisements: sending ours, hearing others'. Probes
//! for other holders of our addresses, and the answers.

use std::io;
use std::net::IpAddr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use heapless::Vec;
use nix::errno::Errno;
use nix::sys::socket::sockopt::RcvBuf;
use nix::sys::socket::{LinkAddr, SockType, recvfrom, setsockopt};

use super::advert_sender::deliver;
use crate::netlink::link::LinkIndex;
use crate::system::filter::{self, Test};
use crate::system::raw::{MAX_MESSAGES_PER_CALL, Outgoing, Target, listen, packet_socket};
use crate::units::{Family, Mac};
use crate::wire::ethernet::EtherType;
use crate::wire::ip::{Ipv6Packet, Ipv6Repr, PROTOCOL_ICMPV6};
use crate::wire::{arp, ndisc};

/// Octets of the longest announcement.
const MAX_SENT_OCTETS: usize =
    if ndisc::FRAME_LEN > arp::FRAME_LEN { ndisc::FRAME_LEN } else { arp::FRAME_LEN };

/// What was not sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Failures {
    /// How many.
    pub count: u32,
    /// The interface of the last one.
    pub link: LinkIndex,
    /// The address of the last one.
    pub address: IpAddr,
    /// The reason of the last one. `ENETDOWN`: the interface is down; `ENODEV`, `ENXIO`: it is
    /// gone; `EAGAIN`, `ENOBUFS`: its queue is full.
    pub error: Errno,
}

/// Announces addresses (`vrrp:G-1`, `vrrp:G-3`). Collects announcements, so that many leave in one
/// call, and hears nothing itself (`vrrp:G-6`). Never blocks, allocates nothing.
#[derive(Debug)]
pub struct Announcer {
    socket: OwnedFd,
    queue: Vec<Frame, MAX_MESSAGES_PER_CALL>,
    failures: Option<Failures>,
}

#[derive(Debug)]
struct Frame {
    link: LinkIndex,
    address: IpAddr,
    octets: Vec<u8, MAX_SENT_OCTETS>,
}

impl Announcer {
    /// Opens the socket.
    ///
    /// # Errors
    /// `EPERM`: no `CAP_NET_RAW`.
    pub fn open() -> io::Result<Self> {
        let socket = packet_socket(SockType::Raw)?;
        filter::drop_all(&socket)?;
        // The kernel makes it the least that there is.
        setsockopt(&socket, RcvBuf, &0)?;
        Ok(Self { socket, queue: Vec::new(), failures: None })
    }

    /// Says on an interface that `address` is at `mac` (`vrrp:G-2`); leaves with
    /// [`Announcer::flush`], or at once when many wait. `router`: the interface forwards IPv6.
    pub fn push(&mut self, link: LinkIndex, mac: Mac, address: IpAddr, router: bool) {
        let mut buffer = [0; MAX_SENT_OCTETS];
        let written = match address {
            IpAddr::V4(address) => arp::Repr::gratuitous(mac, address).emit_frame(&mut buffer),
            IpAddr::V6(address) => {
                ndisc::Repr::unsolicited(mac, address, router).emit_frame(&mut buffer)
            }
        };
        self.queue(link, address, written.ok().and_then(|len| buffer.get(..len)));
    }

    /// Asks on an interface, as the one that has `mac`, who else holds `address` (RFC 5227 2.1.1,
    /// RFC 4862 5.4.2). Leaves as [`Announcer::push`] does.
    pub fn probe(&mut self, link: LinkIndex, mac: Mac, address: IpAddr) {
        let mut buffer = [0; MAX_SENT_OCTETS];
        let written = match address {
            IpAddr::V4(address) => arp::Repr::probe(mac, address).emit_frame(&mut buffer),
            IpAddr::V6(address) => ndisc::emit_probe_frame(mac, address, &mut buffer),
        };
        self.queue(link, address, written.ok().and_then(|len| buffer.get(..len)));
    }

    fn queue(&mut self, link: LinkIndex, address: IpAddr, octets: Option<&[u8]>) {
        let octets = octets.unwrap_or_default().iter().copied().collect();
        if self.queue.is_full() {
            self.flush();
        }
        // There is room: a full queue was just sent.
        let _ = self.queue.push(Frame { link, address, octets });
    }

    /// Sends what waits. What cannot be sent is counted, and the others go on.
    pub fn flush(&mut self) {
        let messages: Vec<Outgoing<'_>, MAX_MESSAGES_PER_CALL> = self
            .queue
            .iter()
            .map(|frame| Outgoing {
                octets: &frame.octets,
                to: Target::Frame {
                    link: frame.link.0,
                    protocol: ether_type(Family::of(frame.address)).into(),
                },
            })
            .collect();
        deliver(&self.socket, &messages, |place, error| {
            if let Some(Frame { link, address, .. }) = self.queue.get(place) {
                let count = self.failures.map_or(0, |failures| failures.count).saturating_add(1);
                let (link, address) = (*link, *address);
                self.failures = Some(Failures { count, link, address, error });
            }
        });
        drop(messages);
        self.queue.clear();
    }

    /// What was not sent since this was asked last.
    pub const fn take_failures(&mut self) -> Option<Failures> {
        self.failures.take()
    }
}

/// What announcements of a family are carried in.
const fn ether_type(family: Family) -> EtherType {
    match family {
        Family::V4 => EtherType::Arp,
        Family::V6 => EtherType::Ipv6,
    }
}

/// An announcement of another host, or its answer to a probe.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Announcement {
    /// Where it was heard.
    pub link: LinkIndex,
    /// The address.
    pub address: IpAddr,
    /// Where it is now.
    pub mac: Mac,
}

/// Octets of the longest announcement that is looked at: one with more options than ours.
const MAX_RECEIVED_OCTETS: usize = 512;

/// How many frames that are no announcements after all are skipped in one read.
const MAX_SKIPPED_OCTETS: usize = 64;

/// Octets where filters look.
mod field {
    pub const ARP_TYPES: u32 = 0;
    pub const ARP_LENGTHS: u32 = 4;
    pub const ARP_SENDER: u32 = 14;
    pub const ARP_TARGET: u32 = 24;
    pub const NEXT_HEADER: u32 = 6;
    pub const HOP_LIMIT: u32 = 7;
    pub const ICMP_TYPE: u32 = 40;
    pub const FLAGS: u32 = 44;
}

/// Ethernet and IPv4; the lengths of their addresses.
const ARP_TYPES: (u32, u16) = (0x0001_0800, 0x0604);
/// The flag of an advertisement that was asked for.
const SOLICITED: u8 = 0x40;

/// Hears announcements of one family on all interfaces, and answers to probes, those of other network
/// namespaces and machines; frames that this one sends are not heard. The kernel sorts out all else, so that
/// ordinary address resolution wakes nobody.
#[derive(Debug)]
pub struct Listener {
    socket: OwnedFd,
    family: Family,
}

impl Listener {
    /// Opens the socket.
    ///
    /// # Errors
    /// `EPERM`: no `CAP_NET_RAW`.
    pub fn open(family: Family) -> io::Result<Self> {
        // Without link-layer header, so that the filter finds its way on every kind of interface.
        let socket = packet_socket(SockType::Datagram)?;
        let (types, lengths) = ARP_TYPES;
        match family {
            Family::V4 => filter::attach(
                &socket,
                &[
                    Test::ForUs,
                    Test::Word(field::ARP_TYPES, types),
                    Test::Half(field::ARP_LENGTHS, lengths),
                    // An announcement, or the answer to a probe.
                    Test::ZeroOrSameWord(field::ARP_TARGET, field::ARP_SENDER),
                ],
            )?,
            Family::V6 => filter::attach(
                &socket,
                &[
                    Test::ForUs,
                    Test::Octet(field::NEXT_HEADER, PROTOCOL_ICMPV6),
                    Test::Octet(field::HOP_LIMIT, u8::MAX),
                    Test::Octet(field::ICMP_TYPE, ndisc::NEIGHBOR_ADVERTISEMENT),
                    Test::OctetWithout(field::FLAGS, SOLICITED),
                ],
            )?,
        }
        // Only now does anything come in.
        listen(socket.as_fd(), ether_type(family).into())?;
        Ok(Self { socket, family })
    }

    /// The next announcement; `None` when none waits, or when many frames in a row were none, in
    /// which case the socket is still readable. Never blocks, allocates nothing.
    ///
    /// # Errors
    /// What the system says.
    pub fn read(&self) -> io::Result<Option<Announcement>> {
        let mut buffer = [0; MAX_RECEIVED_OCTETS];
        for _ in 0..MAX_SKIPPED_OCTETS {
            match recvfrom::<LinkAddr>(self.socket.as_raw_fd(), &mut buffer) {
                Ok((len, Some(from))) => {
                    let octets = buffer.get(..len).unwrap_or(&buffer);
                    let heard = match self.family {
                        Family::V4 => parse_arp(octets),
                        Family::V6 => parse_ndisc(octets),
                    };
                    if let Some((address, mac)) = heard
                        && let Ok(index) = u32::try_from(from.ifindex())
                    {
                        return Ok(Some(Announcement { link: LinkIndex(index), address, mac }));
                    }
                }
                Ok((_, None)) | Err(Errno::EINTR | Errno::ENETDOWN) => {}
                Err(Errno::EAGAIN) => return Ok(None),
                Err(error) => return Err(error.into()),
            }
        }
        Ok(None)
    }
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// The address that an ARP packet announces, or answers a probe for, from the hardware type on, and
/// where it is now; `None` when it does neither.
pub fn parse_arp(octets: &[u8]) -> Option<(IpAddr, Mac)> {
    let repr = arp::Repr::parse(&arp::Packet::new_checked(octets).ok()?);
    let said = match repr.operation {
        arp::Operation::Request => repr.is_gratuitous(),
        arp::Operation::Reply => repr.is_gratuitous() || repr.answers_probe(),
        arp::Operation::Unknown(_) => false,
    };
    said.then_some((repr.sender_address.into(), repr.sender_mac))
}

/// The same of a neighbour advertisement, from the IPv6 header on. The answer to a probe is an
/// announcement: it goes to all nodes, since the one who asks has no address yet (RFC 4861 7.2.4).
pub fn parse_ndisc(octets: &[u8]) -> Option<(IpAddr, Mac)> {
    let packet = Ipv6Packet::new_checked(octets).ok()?;
    let ip = Ipv6Repr::parse(&packet).ok()?;
    let message = packet.payload().get(..ip.payload_len)?;
    let repr = ndisc::Repr::parse(&ndisc::Packet::new_checked(message).ok()?, &ip).ok()?;
    repr.is_announcement().then_some((repr.target.into(), repr.mac))
}
