//! A host that sends what it should not.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use socket2::{Domain, Protocol, SockAddr, Socket, Type};
use steadfast::netlink::link::LinkIndex;
use steadfast::units::{Centiseconds, Family, Priority, Vrid};
use steadfast::vrrp_process::advert_sender::{Advert, Transmitter};
use steadfast::wire::checksum::PseudoHeader;
use steadfast::wire::ip::{IPV4_HEADER_LEN, Ipv4Repr};
use steadfast::wire::vrrp::{
    Addresses, Authentication, Format, GROUP_V4, HOP_LIMIT, PROTOCOL, Repr, Template, group,
};

use super::namespace::Namespace;

/// Sends IPv4 packets as they are given, to the group of VRRP.
#[derive(Debug)]
pub struct Injector {
    socket: Socket,
    group: SockAddr,
}

impl Injector {
    /// One that sends by the interface with this address.
    #[track_caller]
    pub fn start(net: &Namespace, address: &str) -> Self {
        let address: Ipv4Addr = address.parse().expect("an IPv4 address");
        let open = || {
            let protocol = Protocol::from(i32::from(PROTOCOL));
            let socket = Socket::new(Domain::IPV4, Type::RAW, Some(protocol))?;
            socket.set_header_included_v4(true)?;
            socket.set_multicast_if_v4(&address)?;
            Ok::<_, std::io::Error>(socket)
        };
        let socket = net.run(|| open().expect("a raw socket"));
        Self { socket, group: SocketAddr::new(IpAddr::V4(GROUP_V4), 0).into() }
    }

    /// Sends a packet; the kernel puts its total length and header checksum right.
    pub fn send(&self, packet: &[u8]) {
        // A full queue is no concern of who floods.
        let _ = self.socket.send_to(packet, &self.group);
    }
}

/// A good packet of version 3 with the interval 1 s, from its IP header on.
pub fn advert(source: &str, vrid: u8, priority: u8, addresses: &[&str]) -> Vec<u8> {
    let source: Ipv4Addr = source.parse().expect("an IPv4 address");
    let addresses: Vec<IpAddr> =
        addresses.iter().map(|address| address.parse().expect("an address")).collect();
    let repr = Repr {
        format: Format::V3,
        vrid: Vrid::new(vrid).expect("not 0"),
        priority: Priority(priority),
        interval: Centiseconds::SECOND,
        addresses: Addresses::of_family(Family::V4, &addresses),
    };
    let mut packet = vec![0; 1_500];
    let pseudo_header = PseudoHeader::V4 { source, destination: GROUP_V4 };
    let message = packet.get_mut(IPV4_HEADER_LEN..).expect("room");
    let payload_len = repr.emit(Some(pseudo_header), message).expect("room");
    let header = Ipv4Repr {
        tos: 0xc0,
        identification: 0,
        dont_fragment: false,
        ttl: HOP_LIMIT,
        protocol: PROTOCOL,
        source,
        destination: GROUP_V4,
        payload_len,
    };
    let length = header.emit(&mut packet).expect("room") + payload_len;
    packet.truncate(length);
    packet
}

/// What a master of another pair says.
#[derive(Clone, Debug)]
pub struct Claim {
    /// Version 2 or 3.
    pub version: u8,
    /// The identifier.
    pub vrid: u8,
    /// The priority.
    pub priority: u8,
    /// The interval in the packet.
    pub interval: Centiseconds,
    /// The addresses, of one family.
    pub addresses: Vec<IpAddr>,
}

impl Claim {
    /// The packet, from this address.
    #[track_caller]
    pub fn packet(&self, source: IpAddr) -> Template {
        let family = Family::of(source);
        let (format, pseudo_header) = match self.version {
            2 => (Format::V2(Authentication::None), None),
            _ => (Format::V3, PseudoHeader::new(source, group(family))),
        };
        let repr = Repr {
            format,
            vrid: Vrid::new(self.vrid).expect("not 0"),
            priority: Priority(self.priority),
            interval: self.interval,
            addresses: Addresses::of_family(family, &self.addresses),
        };
        Template::new(&repr, source, group(family), HOP_LIMIT, pseudo_header).expect("a packet")
    }
}

/// A host that goes on claiming things in turn, until it is dropped.
#[derive(Debug)]
pub struct Impostor {
    stop: Arc<AtomicBool>,
    sent: Arc<AtomicUsize>,
    thread: Option<JoinHandle<()>>,
}

impl Impostor {
    /// Starts to send by `interface` of a namespace, each claim from an address there.
    #[track_caller]
    pub fn start(
        net: &Namespace,
        interface: &str,
        every: Duration,
        claims: &[(&str, Claim)],
    ) -> Self {
        let packets: Vec<(IpAddr, Template)> = claims
            .iter()
            .map(|(source, claim)| {
                let source = source.parse().expect("an address");
                (source, claim.packet(source))
            })
            .collect();
        let (mut transmitter, link) = net.run(|| {
            let mut transmitter = Transmitter::new();
            Family::ALL.into_iter().for_each(|family| transmitter.prepare(family));
            (transmitter, nix::net::if_::if_nametoindex(interface).expect("an interface"))
        });
        let (stop, sent) = (Arc::<AtomicBool>::default(), Arc::<AtomicUsize>::default());
        let (stopped, count) = (Arc::clone(&stop), Arc::clone(&sent));
        let work = move || {
            for (source, template) in packets.iter().cycle() {
                if stopped.load(Ordering::Relaxed) {
                    break;
                }
                let advert = Advert { link: LinkIndex(link), source: *source, template };
                transmitter.send([advert], |_, error| panic!("cannot send: {error}"));
                count.fetch_add(1, Ordering::Relaxed);
                thread::sleep(every);
            }
        };
        let thread = thread::Builder::new().name("impostor".into()).spawn(work);
        Self { stop, sent, thread: Some(thread.expect("a thread")) }
    }

    /// How many it sent.
    pub fn sent(&self) -> usize {
        self.sent.load(Ordering::Relaxed)
    }
}

impl Drop for Impostor {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
