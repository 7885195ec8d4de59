//! What happens to the engine, in the words of a driver.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use serde::{Deserialize, Serialize};

use super::change::Change;
use super::command::{Command, CommandId};
use super::ids::{InstanceId, InterfaceId, ObjectId, RouterId};
use crate::units::{Instant, Mac};

/// One input of [`Engine::handle`](super::Engine::handle).
#[derive(Clone, Debug)]
pub enum Event<'a> {
    /// Time has passed: run what is due.
    Wake,
    /// Leave Initialize (`vrrp:S-1`, `S-2`). Interfaces, kernel objects and [`Event::Resume`]
    /// of what is known by then come before.
    Start,
    /// A packet of protocol 112 (or 51) came in.
    Received(Received<'a>),
    /// Answer to [`Action::DrainSockets`](super::Action::DrainSockets): there was nothing more
    /// to read.
    SocketsDrained,
    /// An interface appeared, vanished or changed. One that was deleted and made anew is reported
    /// as not present in between, since what it held is gone.
    Interface {
        /// Which.
        interface: InterfaceId,
        /// What it is now.
        state: InterfaceState,
    },
    /// A named tracker (script, file, process, BFD) has a new result.
    Tracker {
        /// Its name in the configuration. One that nothing uses is ignored.
        name: &'a str,
        /// The result.
        state: TrackerState,
    },
    /// The kernel reported (event or dump) that an object is there or not, and it was not our
    /// own request that made it so.
    Object {
        /// Which.
        object: ObjectId,
        /// Whether it is there.
        present: bool,
    },
    /// As [`Event::Object`] with `present`, and it is not to be removed: not this program, or one
    /// that ended before, has put it there, and it is the owner's, or the only address that the
    /// interface has.
    Found {
        /// Which.
        object: ObjectId,
    },
    /// An object is not there any more, and nobody has removed it: the kernel took it along with
    /// something else, or for a request of ours. It is put back without a word.
    WentAlong {
        /// Which.
        object: ObjectId,
    },
    /// An IPv6 address is there, but the kernel does not use it, since another host has it.
    Duplicate {
        /// Which.
        object: ObjectId,
    },
    /// The kernel answered [`Action::Install`](super::Action::Install) or
    /// [`Action::Remove`](super::Action::Remove). "Exists already" and "is gone already" are
    /// successes. There has to be exactly one for each request: when an answer is lost, the driver
    /// looks whether the object is there and says that.
    Acknowledged {
        /// Which.
        object: ObjectId,
        /// What was asked for: to be there or not.
        present: bool,
        /// Whether it worked.
        result: Result<(), KernelError>,
    },
    /// [`Action::SendAdvert`](super::Action::SendAdvert) failed: nothing left. Not to be told when
    /// the error says no more than that the interface is down or gone.
    Refused {
        /// Whose advert it was.
        router: RouterId,
        /// Why.
        error: KernelError,
    },
    /// Another host announced an address (gratuitous ARP or unsolicited neighbour
    /// advertisement), or answered [`Action::Probe`](super::Action::Probe).
    Announced {
        /// Where it was heard.
        interface: InterfaceId,
        /// The address.
        address: IpAddr,
        /// The link-layer address that it has there.
        mac: Mac,
    },
    /// Before [`Event::Start`]: a former process was master when it ended.
    Resume {
        /// Which instance.
        instance: InstanceId,
        /// When that process last sent an advert.
        last_advert: Instant,
    },
    /// A new generation of the configuration. Before it, the driver takes all actions, since an
    /// advert of a router that goes may be among them. After it, it reports the interfaces that are
    /// new in [`Engine::interfaces`](super::Engine::interfaces), also those that do not exist, and
    /// the results of all named trackers.
    Reload(&'a Change),
    /// An operator's command, answered by [`Report::Answer`](super::Report::Answer).
    Command(CommandId, Command),
    /// Takes [`Event::Shutdown`] back where a hand-over was begun and nobody has taken it: these
    /// instances send again as master. For a process that another one succeeds at once.
    GoOn,
    /// Stop all instances, with a planned hand-over where that is possible (`vrrp:S-11`, `S-21`).
    Shutdown,
    /// The same at once: what is being handed over is given up, whether somebody has taken it or
    /// not.
    StopNow,
}

/// A received packet, with what the IP layer says about it.
#[derive(Clone, Copy, Debug)]
pub struct Received<'a> {
    /// Where it came in.
    pub interface: InterfaceId,
    /// IP source.
    pub source: IpAddr,
    /// IP destination.
    pub destination: IpAddr,
    /// TTL or hop limit.
    pub hop_limit: u8,
    /// IPv4: octets of the IP header with options; 0 for IPv6, which raw sockets deliver without
    /// header.
    pub ip_header_len: usize,
    /// IPv4: the total length field of the header; IPv6: the octets received.
    pub ip_total_len: usize,
    /// Octets received, IP header included.
    pub received_len: usize,
    /// Whether an authentication header (protocol 51) stood before the message (`vrrp:V-26`).
    pub authenticated: bool,
    /// From the VRRP header on.
    pub message: &'a [u8],
}

/// What the engine has to know of an interface.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct InterfaceState {
    /// It exists.
    pub present: bool,
    /// Up and running (`netlink:N-21`). Without `present`: the link has another name now, and can
    /// still send.
    pub up: bool,
    /// It is a port of a bridge or the like, which gets all packets that come in by it: it hears
    /// no advert, but can still send.
    pub port: bool,
    /// Its Ethernet address, which hosts are told to send to.
    pub mac: Option<Mac>,
    /// Primary IPv4 address (not one of the virtual ones).
    pub ipv4: Option<Ipv4Addr>,
    /// Link-local IPv6 address (not one of the virtual ones).
    pub ipv6: Option<Ipv6Addr>,
}

/// Result of a named tracker.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TrackerState {
    /// No result yet: an unweighted user waits in Initialize.
    Unknown,
    /// Good.
    Up,
    /// Bad.
    Down,
}

/// Why the kernel refused: an errno, for messages.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct KernelError(pub i32);
