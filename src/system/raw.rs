//! Sending and receiving many packets with one system call, and the ancillary data of the IP layer.
//! Unlike nix, it does not allocate.

use std::io;
use std::mem::{self, MaybeUninit};
use std::net::{Ipv4Addr, Ipv6Addr};
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};

use nix::errno::Errno;
use nix::libc;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socket};

/// Messages that one [`send_many`] sends, at most.
pub const MAX_MESSAGES_PER_CALL: usize = 64;

/// A message to send.
#[derive(Clone, Copy, Debug)]
pub struct Outgoing<'a> {
    /// The octets, in the form that the kind of socket expects.
    pub octets: &'a [u8],
    /// The destination.
    pub to: Target,
}

/// The destination of a message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Target {
    /// For an IPv4 raw socket.
    V4 {
        /// Destination address.
        destination: Ipv4Addr,
        /// Index of the outgoing interface.
        link: u32,
    },
    /// For an IPv6 raw socket.
    V6 {
        /// Destination address.
        destination: Ipv6Addr,
        /// Source address, one of this host's.
        source: Ipv6Addr,
        /// Index of the outgoing interface.
        link: u32,
    },
    /// For a packet socket: the message is a whole frame.
    Frame {
        /// Index of the outgoing interface.
        link: u32,
        /// Ethernet type.
        protocol: u16,
    },
}

/// The memory that the header of one outgoing message points to.
struct Place {
    name: Name,
    name_len: usize,
    control: Control,
    control_len: usize,
    part: libc::iovec,
}

#[repr(C)]
union Name {
    v4: libc::sockaddr_in,
    v6: libc::sockaddr_in6,
    frame: libc::sockaddr_ll,
}

#[repr(C)]
union Control {
    v4: Ancillary<libc::in_pktinfo>,
    v6: Ancillary<libc::in6_pktinfo>,
    none: (),
}

/// A control message. The alignment of the data is not greater than that of the header, so that the data
/// is where the kernel expects it.
#[repr(C)]
#[derive(Clone, Copy)]
struct Ancillary<T> {
    header: libc::cmsghdr,
    data: T,
}

impl<T: Copy> Ancillary<T> {
    fn new(level: libc::c_int, kind: libc::c_int, data: T) -> Self {
        const { assert!(align_of::<T>() <= align_of::<libc::cmsghdr>()) };
        // SAFETY: all fields are integers; some systems have hidden padding fields.
        let mut header: libc::cmsghdr = unsafe { mem::zeroed() };
        header.cmsg_len = (size_of::<libc::cmsghdr>() + size_of::<T>()) as _;
        header.cmsg_level = level;
        header.cmsg_type = kind;
        Self { header, data }
    }
}

fn length(octets: usize) -> libc::socklen_t {
    libc::socklen_t::try_from(octets).unwrap_or(0)
}

impl Place {
    fn new(message: &Outgoing<'_>) -> Self {
        let part = libc::iovec {
            iov_base: message.octets.as_ptr().cast_mut().cast(),
            iov_len: message.octets.len(),
        };
        match message.to {
            Target::V4 { destination, link } => Self {
                name: Name { v4: address_v4(destination) },
                name_len: size_of::<libc::sockaddr_in>(),
                control: Control {
                    v4: Ancillary::new(
                        libc::IPPROTO_IP,
                        libc::IP_PKTINFO,
                        libc::in_pktinfo {
                            ipi_ifindex: link as _,
                            ipi_spec_dst: libc::in_addr { s_addr: 0 },
                            ipi_addr: libc::in_addr { s_addr: 0 },
                        },
                    ),
                },
                control_len: size_of::<Ancillary<libc::in_pktinfo>>(),
                part,
            },
            Target::V6 { destination, source, link } => Self {
                name: Name { v6: address_v6(destination, link) },
                name_len: size_of::<libc::sockaddr_in6>(),
                control: Control {
                    v6: Ancillary::new(
                        libc::IPPROTO_IPV6,
                        libc::IPV6_PKTINFO,
                        libc::in6_pktinfo {
                            ipi6_addr: libc::in6_addr { s6_addr: source.octets() },
                            ipi6_ifindex: link as _,
                        },
                    ),
                },
                control_len: size_of::<Ancillary<libc::in6_pktinfo>>(),
                part,
            },
            Target::Frame { link, protocol } => Self {
                name: Name { frame: address_of_link(link, protocol) },
                name_len: size_of::<libc::sockaddr_ll>(),
                control: Control { none: () },
                control_len: 0,
                part,
            },
        }
    }

    /// The header of the message. It points into `self`, which must not move.
    fn header(&mut self) -> libc::mmsghdr {
        // SAFETY: all fields are integers and pointers, for which zero is a valid value; some systems
        // have hidden padding fields.
        let mut header: libc::mmsghdr = unsafe { mem::zeroed() };
        header.msg_hdr.msg_name = (&raw mut self.name).cast();
        header.msg_hdr.msg_namelen = length(self.name_len);
        header.msg_hdr.msg_iov = &raw mut self.part;
        header.msg_hdr.msg_iovlen = 1;
        if self.control_len > 0 {
            header.msg_hdr.msg_control = (&raw mut self.control).cast();
            header.msg_hdr.msg_controllen = self.control_len as _;
        }
        header
    }
}

/// The number of an address family in the type of socket addresses.
const fn family(number: libc::c_int) -> libc::sa_family_t {
    let [low, high, ..] = number.to_le_bytes();
    libc::sa_family_t::from_le_bytes([low, high])
}

fn address_v4(address: Ipv4Addr) -> libc::sockaddr_in {
    libc::sockaddr_in {
        sin_family: family(libc::AF_INET),
        sin_port: 0,
        sin_addr: libc::in_addr { s_addr: u32::from_ne_bytes(address.octets()) },
        sin_zero: [0; 8],
    }
}

fn address_v6(address: Ipv6Addr, link: u32) -> libc::sockaddr_in6 {
    libc::sockaddr_in6 {
        sin6_family: family(libc::AF_INET6),
        sin6_port: 0,
        sin6_flowinfo: 0,
        sin6_addr: libc::in6_addr { s6_addr: address.octets() },
        sin6_scope_id: link,
    }
}

/// The address of a packet socket. `protocol` is an Ethernet type; `link` 0 means every interface.
fn address_of_link(link: u32, protocol: u16) -> libc::sockaddr_ll {
    libc::sockaddr_ll {
        sll_family: family(libc::AF_PACKET),
        sll_protocol: protocol.to_be(),
        sll_ifindex: link.cast_signed(),
        sll_hatype: 0,
        sll_pkttype: 0,
        sll_halen: 0,
        sll_addr: [0; 8],
    }
}

/// Sends up to [`MAX_MESSAGES_PER_CALL`] messages and returns how many were sent. When some are left,
/// sending these returns the reason.
///
/// # Errors
/// The error of the first message.
pub fn send_many(socket: BorrowedFd<'_>, messages: &[Outgoing<'_>]) -> nix::Result<usize> {
    let mut places = [const { MaybeUninit::<Place>::uninit() }; MAX_MESSAGES_PER_CALL];
    let mut headers = [const { MaybeUninit::<libc::mmsghdr>::uninit() }; MAX_MESSAGES_PER_CALL];
    let mut count = 0;
    for ((message, place), header) in messages.iter().zip(&mut places).zip(&mut headers) {
        header.write(place.write(Place::new(message)).header());
        count += 1;
    }
    let flags: libc::c_int = 0;
    // Not by musl's function, which makes one call for each message, since its headers may have other
    // values in the upper half of the kernel's wider fields. Ours are zero there.
    // SAFETY: the first `count` headers are written. What they point to, in `places` and
    // `messages`, stays where it is until after the call; the kernel only reads the octets.
    let sent = unsafe {
        libc::syscall(
            libc::SYS_sendmmsg,
            socket.as_raw_fd(),
            headers.as_mut_ptr().cast::<libc::mmsghdr>(),
            count,
            flags,
        )
    };
    usize::try_from(Errno::result(sent)?).map_err(|_| Errno::EINVAL)
}

/// The ancillary data of a received message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Arrival {
    /// Octets of the message, even if the buffer was shorter.
    pub len: usize,
    /// Index of the incoming interface, if the socket option is set (`IP_PKTINFO`,
    /// `IPV6_RECVPKTINFO`).
    pub link: Option<u32>,
    /// IPv6: source address.
    pub source: Ipv6Addr,
    /// IPv6: destination address, if the socket option is set (`IPV6_RECVPKTINFO`).
    pub destination: Option<Ipv6Addr>,
    /// Hop limit, if the socket option is set (`IPV6_RECVHOPLIMIT`).
    pub hop_limit: Option<u8>,
}

/// Memory for control messages: twice the size of the two that are requested.
type ControlBuffer = [u64; 16];

/// The memory that the header of one received message points to.
struct Slot {
    /// The source address. An IPv4 one is shorter, and is not used.
    name: libc::sockaddr_in6,
    control: ControlBuffer,
    part: libc::iovec,
}

/// Memory for receiving several messages with one call.
pub struct Inbox {
    octets: Box<[u8]>,
    /// Octets for each message.
    room: usize,
    /// The memory that the headers point to. It never moves.
    slots: Box<[Slot]>,
    headers: Box<[libc::mmsghdr]>,
    /// Messages that the last call received.
    count: usize,
}

impl std::fmt::Debug for Inbox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Inbox").field("room", &self.room).field("count", &self.count).finish()
    }
}

impl Inbox {
    /// An inbox for `messages` messages of `room` octets each, at least one of one octet.
    pub fn new(messages: usize, room: usize) -> Self {
        let (messages, room) = (messages.max(1), room.max(1));
        // Zeroed pages are allocated on first use, so that unused messages take no memory.
        let mut octets: Box<[u8]> = vec![0; messages * room].into();
        let parts = octets.chunks_exact_mut(room);
        let mut slots: Box<[Slot]> = parts
            .map(|part| Slot {
                name: address_v6(Ipv6Addr::UNSPECIFIED, 0),
                control: [0; 16],
                part: libc::iovec { iov_base: part.as_mut_ptr().cast(), iov_len: room },
            })
            .collect();
        let header = |slot: &mut Slot| {
            // SAFETY: all fields are integers and pointers, for which zero is a valid value.
            let mut header: libc::mmsghdr = unsafe { mem::zeroed() };
            header.msg_hdr.msg_name = (&raw mut slot.name).cast();
            header.msg_hdr.msg_iov = &raw mut slot.part;
            header.msg_hdr.msg_iovlen = 1;
            header.msg_hdr.msg_control = (&raw mut slot.control).cast();
            make_ready(&mut header);
            header
        };
        let headers = slots.iter_mut().map(header).collect();
        Self { octets, room, slots, headers, count: 0 }
    }

    /// Messages that one [`Inbox::receive`] receives, at most.
    pub fn messages(&self) -> usize {
        self.slots.len()
    }

    /// Receives the waiting messages of a raw socket, up to [`Inbox::messages`], and returns their
    /// number. A smaller number means that none is left. It neither blocks nor allocates.
    ///
    /// # Errors
    /// `EAGAIN` when no message waits; otherwise the error of the system call.
    pub fn receive(&mut self, socket: BorrowedFd<'_>) -> nix::Result<usize> {
        self.headers.iter_mut().take(self.count).for_each(make_ready);
        self.count = 0;
        let flags = libc::MSG_TRUNC | libc::MSG_DONTWAIT;
        let most = libc::c_uint::try_from(self.headers.len()).map_err(|_| Errno::EINVAL)?;
        // SAFETY: there are `most` headers. What they point to, in `slots` and `octets`, is writable
        // for the lengths in them, never moves, and is borrowed mutably during the call.
        let received = unsafe {
            libc::recvmmsg(
                socket.as_raw_fd(),
                self.headers.as_mut_ptr(),
                most,
                flags as _,
                std::ptr::null_mut(),
            )
        };
        self.count = usize::try_from(Errno::result(received)?).map_err(|_| Errno::EINVAL)?;
        Ok(self.count)
    }

    /// The messages of the last [`Inbox::receive`], in order: the octets that fitted, and the ancillary
    /// data.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], Arrival)> {
        let about = self.headers.iter().zip(&self.slots).take(self.count);
        self.octets.chunks_exact(self.room).zip(about).map(|(octets, (header, slot))| {
            let arrival = arrival(header, slot);
            (octets.get(..arrival.len).unwrap_or(octets), arrival)
        })
    }
}

/// Resets the lengths that the kernel has changed to the sizes of the buffers.
fn make_ready(header: &mut libc::mmsghdr) {
    header.msg_hdr.msg_namelen = length(size_of::<libc::sockaddr_in6>());
    header.msg_hdr.msg_controllen = size_of::<ControlBuffer>() as _;
    header.msg_hdr.msg_flags = 0;
}

/// Reads the ancillary data of a message.
fn arrival(header: &libc::mmsghdr, slot: &Slot) -> Arrival {
    let mut arrival = Arrival {
        len: header.msg_len as usize,
        link: None,
        source: Ipv6Addr::from(slot.name.sin6_addr.s6_addr),
        destination: None,
        hop_limit: None,
    };
    let header = &header.msg_hdr;
    // SAFETY: the kernel has filled the control messages in and set their length in `header`.
    let mut next = unsafe { libc::CMSG_FIRSTHDR(header) };
    while !next.is_null() {
        // SAFETY: it is inside the slot, which is aligned for it.
        let found = unsafe { *next };
        let len = found.cmsg_len as usize;
        // SAFETY: the data follows the header.
        let data = unsafe { libc::CMSG_DATA(next) };
        match (found.cmsg_level, found.cmsg_type) {
            (libc::IPPROTO_IPV6, libc::IPV6_PKTINFO) if holds::<libc::in6_pktinfo>(len) => {
                // SAFETY: the message is long enough for one.
                let info = unsafe { data.cast::<libc::in6_pktinfo>().read_unaligned() };
                arrival.destination = Some(Ipv6Addr::from(info.ipi6_addr.s6_addr));
                arrival.link = Some(info.ipi6_ifindex);
            }
            (libc::IPPROTO_IP, libc::IP_PKTINFO) if holds::<libc::in_pktinfo>(len) => {
                // SAFETY: the message is long enough for one.
                let info = unsafe { data.cast::<libc::in_pktinfo>().read_unaligned() };
                arrival.link = u32::try_from(info.ipi_ifindex).ok();
            }
            (libc::IPPROTO_IPV6, libc::IPV6_HOPLIMIT) if holds::<libc::c_int>(len) => {
                // SAFETY: the message is long enough for one.
                let limit = unsafe { data.cast::<libc::c_int>().read_unaligned() };
                arrival.hop_limit = u8::try_from(limit).ok();
            }
            _ => {}
        }
        // SAFETY: `next` is a message of this header.
        next = unsafe { libc::CMSG_NXTHDR(header, next) };
    }
    arrival
}

/// Whether a control message of this length holds a `T`.
fn holds<T>(len: usize) -> bool {
    len >= size_of::<Ancillary<T>>().min(size_of::<libc::cmsghdr>() + size_of::<T>())
}

/// Opens a non-blocking packet socket, for whole frames or for packets without link-layer header. It
/// receives nothing until [`listen`].
///
/// # Errors
/// `EPERM` without `CAP_NET_RAW`.
pub fn packet_socket(kind: SockType) -> io::Result<OwnedFd> {
    let flags = SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC;
    Ok(socket(AddressFamily::Packet, kind, flags, None)?)
}

/// Lets a packet socket receive frames of this Ethernet type from all interfaces.
///
/// # Errors
/// The error of the system call.
pub fn listen(socket: BorrowedFd<'_>, protocol: u16) -> io::Result<()> {
    let address = address_of_link(0, protocol);
    // SAFETY: the address is one of the socket's family, with its length.
    let result = unsafe {
        libc::bind(socket.as_raw_fd(), (&raw const address).cast(), length(size_of_val(&address)))
    };
    Errno::result(result)?;
    Ok(())
}
