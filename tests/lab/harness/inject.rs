//! A host that sends what it should not.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use socket2::{Domain, Protocol, SockAddr, Socket, Type};
use steadfast::units::{Centiseconds, Family, Priority, Vrid};
use steadfast::wire::checksum::PseudoHeader;
use steadfast::wire::ip::{IPV4_HEADER_LEN, Ipv4Repr};
use steadfast::wire::vrrp::{Addresses, Format, GROUP_V4, HOP_LIMIT, PROTOCOL, Repr};

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
