//! The sockets of the VRRP process against the kernel: two machines with cables between them.

mod adverts;
mod announcements;

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::time::Instant;

use nix::errno::Errno;
use nix::net::if_::if_nametoindex;
use nix::sys::socket::sockopt::RcvBufForce;
use nix::sys::socket::{LinkAddr, SockType, recvfrom, setsockopt};
use steadfast::netlink::link::LinkIndex;
use steadfast::system::raw::{listen, packet_socket};
use steadfast::units::{Family, Mac};

use crate::harness::namespace::Namespace;
use crate::harness::{AWAIT_TIMEOUT, readable, until};

/// The address of this side, on every cable.
const OURS_V4: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
const OURS_V6: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1);
/// The address of the other side.
const THEIRS_V4: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 2);
const THEIRS_V6: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 2);

const fn ours(family: Family) -> IpAddr {
    match family {
        Family::V4 => IpAddr::V4(OURS_V4),
        Family::V6 => IpAddr::V6(OURS_V6),
    }
}

const fn theirs(family: Family) -> IpAddr {
    match family {
        Family::V4 => IpAddr::V4(THEIRS_V4),
        Family::V6 => IpAddr::V6(THEIRS_V6),
    }
}

/// A machine and its ends of the cables: eth0, eth1 ...
struct Side {
    net: Namespace,
    links: Vec<LinkIndex>,
    /// What it sends IPv6 packets from.
    address: Ipv6Addr,
}

/// The link-layer address of an end.
fn mac(side: u8, cable: u8) -> Mac {
    Mac([2, 0, 0, 0, cable, side])
}

/// Two machines with so many cables. IPv4 addresses are on the first one only; link-local ones on
/// all. Neither has a default route.
fn cables(count: u8) -> (Side, Side) {
    let nets = [Namespace::new(), Namespace::new()];
    for net in &nets {
        for name in ["net/ipv4/conf/all/rp_filter", "net/ipv4/conf/default/rp_filter"] {
            net.sysctl(name, "0");
        }
        net.sysctl("net/ipv6/conf/default/addr_gen_mode", "1");
    }
    let [here, there] = &nets;
    for n in 0..count {
        here.ip(&format!(
            "link add eth{n} address {} type veth peer name eth{n} address {} netns {}",
            mac(1, n),
            mac(2, n),
            there.path(),
        ));
    }
    for (side, net) in [(1, here), (2, there)] {
        for n in 0..count {
            net.ip(&format!("link set eth{n} up"));
            // Without `nodad` it is of use only some time later, even where nothing is detected.
            net.ip(&format!("address add fe80::{side}/64 dev eth{n} nodad"));
        }
        net.ip(&format!("address add 192.0.2.{side}/24 dev eth0"));
        // Packets that are not for a group need not wait for the address of the other side.
        let (other, mac) = (3 - side, mac(3 - side, 0));
        net.ip(&format!("neigh replace 192.0.2.{other} lladdr {mac} dev eth0"));
        net.ip(&format!("neigh replace fe80::{other} lladdr {mac} dev eth0"));
    }
    let [here, there] = nets.map(|net| {
        until("all cables are up", || {
            let all = net.try_ip("-o link show type veth").expect("a list");
            (all.matches("state UP").count() == usize::from(count)).then_some(())
        });
        let index = |n| LinkIndex(if_nametoindex(format!("eth{n}").as_str()).expect("it is there"));
        let links = net.run(|| (0..count).map(index).collect());
        (net, links)
    });
    let side = |(net, links), address| Side { net, links, address };
    (side(here, OURS_V6), side(there, THEIRS_V6))
}

/// Every frame that comes in at a machine.
struct Tap(OwnedFd);

impl Tap {
    fn open(side: &Side) -> Self {
        const EVERYTHING: u16 = 3;
        Self(side.net.run(|| {
            let socket = packet_socket(SockType::Raw).unwrap();
            setsockopt(&socket, RcvBufForce, &(16 * 1024 * 1024)).unwrap();
            listen(socket.as_fd(), EVERYTHING).unwrap();
            socket
        }))
    }

    /// The next frames that are wanted, each with where it came in.
    #[track_caller]
    fn take(&self, count: usize, wanted: impl Fn(&[u8]) -> bool) -> Vec<(LinkIndex, Vec<u8>)> {
        let mut found = Vec::new();
        while found.len() < count {
            let (link, frame) = await_one(&self.0, || frame(&self.0));
            if wanted(&frame) {
                found.push((link, frame));
            }
        }
        found
    }
}

/// A frame or packet of a packet socket.
fn frame(socket: &impl AsFd) -> io::Result<Option<(LinkIndex, Vec<u8>)>> {
    let mut buffer = vec![0; 65_536];
    match recvfrom::<LinkAddr>(socket.as_fd().as_raw_fd(), &mut buffer) {
        Ok((len, from)) => {
            buffer.truncate(len);
            let index = from.expect("it says where").ifindex();
            Ok(Some((LinkIndex(index.try_into().expect("an index")), buffer)))
        }
        Err(Errno::EAGAIN) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Waits for something to read.
#[track_caller]
fn await_one<T>(socket: &impl AsFd, mut read: impl FnMut() -> io::Result<Option<T>>) -> T {
    let deadline = Instant::now() + AWAIT_TIMEOUT;
    loop {
        if let Some(found) = read().expect("a good socket") {
            return found;
        }
        assert!(readable(socket, deadline), "nothing came");
    }
}
