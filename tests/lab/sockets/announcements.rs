//! Sending and hearing announcements.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::AsFd;

use nix::errno::Errno;
use nix::sys::socket::SockType;
use steadfast::netlink::link::LinkIndex;
use steadfast::system::raw::{Outgoing, Target, packet_socket, send_many};
use steadfast::units::{Family, Mac};
use steadfast::vrrp_process::neighbor_packets::{Announcement, Announcer, Listener};
use steadfast::wire::checksum::PseudoHeader;
use steadfast::wire::ip::Ipv6Repr;
use steadfast::wire::{arp, ethernet, ndisc};

use super::{Side, Tap, await_one, cables, frame, mac};

const VIRTUAL: Mac = Mac([0, 0, 0x5e, 0, 1, 51]);
const ADDRESS_V4: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 100);
const ADDRESS_V6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0x100);

fn address(n: u8) -> IpAddr {
    if n.is_multiple_of(2) {
        [192, 0, 2, n].into()
    } else {
        Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, n.into()).into()
    }
}

/// The frame that announces an address.
fn announcement(mac: Mac, address: IpAddr, router: bool) -> Vec<u8> {
    let mut buffer = [0; 128];
    let len = match address {
        IpAddr::V4(address) => arp::Repr::gratuitous(mac, address).emit_frame(&mut buffer),
        IpAddr::V6(address) => {
            ndisc::Repr::unsolicited(mac, address, router).emit_frame(&mut buffer)
        }
    };
    buffer[..len.unwrap()].to_vec()
}

fn is_from(mac: Mac) -> impl Fn(&[u8]) -> bool {
    move |frame| ethernet::Packet::new_checked(frame).is_ok_and(|frame| frame.source() == mac)
}

/// `vrrp:G-1`, `vrrp:G-3`: more than one batch; what fails does not hold up the others.
#[test]
fn announcements_leave_as_they_were_built_by_the_interface_they_are_for() {
    let (here, there) = cables(3);
    let tap = Tap::open(&there);
    here.net.ip("link set eth1 down");
    let mut announcer = here.net.run(|| Announcer::open().unwrap());
    let gone = LinkIndex(9_999);
    for n in 0..150 {
        announcer.push(here.links[0], VIRTUAL, address(n), n % 4 == 1);
        if n % 50 == 0 {
            announcer.push(here.links[1], VIRTUAL, address(n), false);
        }
    }
    announcer.push(gone, VIRTUAL, address(7), false);
    announcer.push(here.links[2], VIRTUAL, address(200), false);
    announcer.flush();
    announcer.flush();

    let seen = tap.take(151, is_from(VIRTUAL));
    for (n, (link, frame)) in (0..150).zip(&seen) {
        assert_eq!(*link, there.links[0]);
        assert_eq!(*frame, announcement(VIRTUAL, address(n), n % 4 == 1), "{n}");
    }
    assert_eq!(seen[150], (there.links[2], announcement(VIRTUAL, address(200), false)));
    let failures = announcer.take_failures().unwrap();
    assert_eq!(failures.count, 4);
    assert_eq!((failures.link, failures.address), (gone, address(7)));
    assert!(matches!(failures.error, Errno::ENODEV | Errno::ENXIO), "{}", failures.error);
    assert_eq!(announcer.take_failures(), None);

    announcer.push(here.links[1], VIRTUAL, address(2), false);
    announcer.flush();
    assert_eq!(announcer.take_failures().map(|f| (f.count, f.error)), Some((1, Errno::ENETDOWN)));
}

#[test]
fn g_6_an_announcer_hears_nothing() {
    let (here, there) = cables(1);
    let _announcer = here.net.run(|| Announcer::open().unwrap());
    let tap = Tap::open(&here);
    let mut other = there.net.run(|| Announcer::open().unwrap());
    other.push(there.links[0], VIRTUAL, address(1), false);
    other.push(there.links[0], VIRTUAL, address(2), false);
    other.flush();
    assert_eq!(tap.take(2, is_from(VIRTUAL)).len(), 2);
    drop(tap);
    let text = here.net.run(|| fs::read_to_string("/proc/thread-self/net/packet")).unwrap();
    let sockets: Vec<Vec<&str>> =
        text.lines().skip(1).map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(sockets.len(), 1, "{text}");
    // Protocol, and octets that wait.
    assert_eq!((sockets[0][3], sockets[0][6]), ("0000", "0"), "{text}");
}

/// An ARP frame.
fn arp_frame(operation: arp::Operation, sender: [u8; 4], target: [u8; 4]) -> Vec<u8> {
    let repr = arp::Repr {
        operation,
        sender_mac: VIRTUAL,
        sender_address: sender.into(),
        target_mac: Mac::BROADCAST,
        target_address: target.into(),
    };
    let mut buffer = [0; 64];
    let len = repr.emit_frame(&mut buffer).unwrap();
    buffer[..len].to_vec()
}

/// A neighbour advertisement, or what is like one.
fn advertisement(repr: ndisc::Repr, hop_limit: u8, kind: u8) -> Vec<u8> {
    let ip = Ipv6Repr {
        traffic_class: 0,
        flow_label: 0,
        next_header: 58,
        hop_limit,
        source: repr.target,
        destination: ndisc::ALL_NODES,
        payload_len: ndisc::LEN,
    };
    let ether = ethernet::Repr {
        destination: Mac([0x33, 0x33, 0, 0, 0, 1]),
        source: repr.mac,
        ether_type: ethernet::EtherType::Ipv6,
    };
    let mut frame = vec![0; ndisc::FRAME_LEN];
    ether.emit(&mut frame).unwrap();
    ip.emit(&mut frame[14..]).unwrap();
    let pseudo_header = PseudoHeader::V6 { source: repr.target, destination: ndisc::ALL_NODES };
    repr.emit(pseudo_header, &mut frame[54..]).unwrap();
    frame[54] = kind;
    frame
}

fn send(side: &Side, frames: &[Vec<u8>]) {
    side.net.run(|| {
        let socket = packet_socket(SockType::Raw).unwrap();
        for octets in frames {
            let protocol = u16::from_be_bytes([octets[12], octets[13]]);
            let to = Target::Frame { link: side.links[0].0, protocol };
            assert_eq!(send_many(socket.as_fd(), &[Outgoing { octets, to }]), Ok(1));
        }
    });
}

/// What the kernel hands over of these frames, and what a listener makes of them; the last frame
/// has to be an announcement.
fn heard(family: Family, frames: &[Vec<u8>]) -> (Vec<Vec<u8>>, Vec<Announcement>) {
    let (here, there) = cables(2);
    let [counter, listener] = [(); 2].map(|()| here.net.run(|| Listener::open(family).unwrap()));
    send(&there, frames);
    let last = &frames.last().unwrap()[14..];
    let mut packets = Vec::new();
    while packets.last().is_none_or(|packet| packet != last) {
        let (link, packet) = await_one(&counter, || frame(&counter));
        assert_eq!(link, here.links[0]);
        packets.push(packet);
    }
    let mut announcements = vec![await_one(&listener, || listener.read())];
    while let Some(more) = listener.read().unwrap() {
        announcements.push(more);
    }
    assert!(announcements.iter().all(|found| found.link == here.links[0]));
    (packets, announcements)
}

#[test]
fn a_listener_hears_gratuitous_arps_and_no_other() {
    use arp::Operation::{Reply, Request, Unknown};

    let own = ADDRESS_V4.octets();
    let mut other_lengths = arp_frame(Request, own, own);
    other_lengths[14 + 4] = 8;
    let unicast = {
        let mut frame = arp_frame(Reply, own, own);
        frame[..6].copy_from_slice(&mac(9, 9).0);
        frame
    };
    let good = [arp_frame(Reply, own, own), arp_frame(Request, own, own)];
    let (packets, announcements) = heard(
        Family::V4,
        &[
            arp_frame(Request, [192, 0, 2, 2], own),
            arp_frame(Reply, own, [192, 0, 2, 2]),
            // A probe.
            arp_frame(Request, [0; 4], own),
            other_lengths,
            unicast,
            arp_frame(Unknown(3), own, own),
            arp_frame(Request, [0; 4], [0; 4]),
            good[0].clone(),
            good[1].clone(),
        ],
    );
    // The kernel sorts out all but two that are no announcements, but look like ones.
    assert_eq!(packets.len(), 4, "{packets:x?}");
    let announced: Vec<_> = announcements.iter().map(|a| (a.address, a.mac)).collect();
    assert_eq!(announced, [(ADDRESS_V4.into(), VIRTUAL); 2]);
}

#[test]
fn a_listener_hears_unsolicited_neighbour_advertisements_and_no_other() {
    const ADVERTISEMENT: u8 = ndisc::NEIGHBOR_ADVERTISEMENT;
    const SOLICITATION: u8 = 135;

    let good = ndisc::Repr::unsolicited(VIRTUAL, ADDRESS_V6, true);
    let mut damaged = advertisement(good, 255, ADVERTISEMENT);
    damaged[54 + 8 + 15] ^= 1;
    let mut other_protocol = advertisement(good, 255, ADVERTISEMENT);
    other_protocol[14 + 6] = 17;
    let (packets, announcements) = heard(
        Family::V6,
        &[
            advertisement(ndisc::Repr { solicited: true, ..good }, 255, ADVERTISEMENT),
            advertisement(good, 64, ADVERTISEMENT),
            advertisement(good, 255, SOLICITATION),
            other_protocol,
            advertisement(ndisc::Repr { overrides: false, ..good }, 255, ADVERTISEMENT),
            damaged,
            announcement(VIRTUAL, ADDRESS_V6.into(), false),
        ],
    );
    assert_eq!(packets.len(), 3, "{packets:x?}");
    let announced: Vec<_> = announcements.iter().map(|a| (a.address, a.mac)).collect();
    assert_eq!(announced, [(ADDRESS_V6.into(), VIRTUAL)]);
}
