//! Sending and hearing adverts.

use std::fs;
use std::net::IpAddr;
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, Ordering};

use nix::errno::Errno;
use socket2::{Domain, Protocol, Socket, Type};
use steadfast::netlink::link::LinkIndex;
use steadfast::system::raw::{Outgoing, Target, send_many};
use steadfast::units::{Centiseconds, Family, Priority, Vrid};
use steadfast::vrrp::InterfaceId;
use steadfast::vrrp::validation::Reject;
use steadfast::vrrp_process::advert_receiver::{Buffer, Datagram, Receiver};
use steadfast::vrrp_process::advert_sender::{Advert, Transmitter};
use steadfast::wire::checksum::PseudoHeader;
use steadfast::wire::ip::{Ipv4Packet, Ipv4Repr, Ipv6Packet, Ipv6Repr};
use steadfast::wire::vrrp::{
    Addresses, Format, GROUP_V4, GROUP_V6, PROTOCOL, Packet, Repr, Template, group,
};
use steadfast::wire::{ethernet, vrrp};

use super::{Side, Tap, await_one, cables, ours, theirs};
use crate::harness::until;

const ETHERNET: usize = ethernet::HEADER_LEN;

/// An advert between two addresses; its priority says which one it is.
fn advert(source: IpAddr, destination: IpAddr, priority: u8) -> Template {
    sealed(source, destination, priority, PseudoHeader::new(source, destination))
}

/// The same, with a checksum over this.
fn sealed(
    source: IpAddr,
    destination: IpAddr,
    priority: u8,
    pseudo_header: Option<PseudoHeader>,
) -> Template {
    let list: [IpAddr; 1] = match source {
        IpAddr::V4(_) => [[192, 0, 2, 100].into()],
        IpAddr::V6(_) => ["fe80::100".parse().unwrap()],
    };
    let repr = Repr {
        format: Format::V3,
        vrid: Vrid::new(51).unwrap(),
        priority: Priority(priority),
        interval: Centiseconds::SECOND,
        addresses: Addresses::of_family(Family::of(source), &list),
    };
    Template::new(&repr, source, destination, 255, pseudo_header).unwrap()
}

/// An advert of this side to the group.
fn own(family: Family, priority: u8) -> Template {
    advert(ours(family), group(family), priority)
}

/// An advert of the other side to the group.
fn other(family: Family, priority: u8) -> Template {
    advert(theirs(family), group(family), priority)
}

/// Sends in one call, from the namespace of `side`; what failed.
fn send(
    side: &Side,
    transmitter: &mut Transmitter,
    adverts: &[(LinkIndex, &Template)],
) -> Vec<(usize, Errno)> {
    side.net.run(|| {
        let mut failed = Vec::new();
        let source = side.address.into();
        let adverts =
            adverts.iter().map(|(link, template)| Advert { link: *link, source, template });
        transmitter.send(adverts, |place, error| failed.push((place, error)));
        failed
    })
}

fn open(side: &Side, cable: usize, family: Family) -> Receiver {
    let link = side.links[cable];
    side.net.run(|| Receiver::open(link, family)).unwrap()
}

/// The priorities of the adverts that are there, once there are some.
#[track_caller]
fn hear(receiver: &Receiver) -> Vec<u8> {
    let mut buffer = Buffer::new();
    await_one(receiver, || {
        let mut heard = Vec::new();
        receiver.read(&mut buffer, |datagram| {
            let received = datagram.received(InterfaceId::new(0)).unwrap();
            heard.push(Packet::new_checked(received.message).unwrap().priority().0);
        })?;
        Ok((!heard.is_empty()).then_some(heard))
    })
}

fn is_silent(receiver: &Receiver) -> bool {
    let mut silent = true;
    let more = receiver.read(&mut Buffer::new(), |_| silent = false).unwrap();
    silent && !more
}

/// Whether a frame is an advert.
fn is_advert(frame: &[u8]) -> bool {
    let Ok(header) = ethernet::Packet::new_checked(frame) else { return false };
    match header.ether_type() {
        ethernet::EtherType::Ipv4 => {
            Ipv4Packet::new_checked(header.payload()).is_ok_and(|ip| ip.protocol() == PROTOCOL)
        }
        ethernet::EtherType::Ipv6 => {
            Ipv6Packet::new_checked(header.payload()).is_ok_and(|ip| ip.next_header() == PROTOCOL)
        }
        ethernet::EtherType::Arp | ethernet::EtherType::Unknown(_) => false,
    }
}

/// Family and priority of the advert in a frame.
fn read(frame: &[u8]) -> (Family, u8) {
    let ip = &frame[ETHERNET..];
    let (family, message) =
        if ip[0] >> 4 == 4 { (Family::V4, &ip[20..]) } else { (Family::V6, &ip[40..]) };
    (family, Packet::new_checked(message).unwrap().priority().0)
}

/// `vrrp:X-1`, `vrrp:V-1`, `vrrp:V-6`: and no route is needed, nor an IPv4 address.
#[test]
fn x_1_an_advert_leaves_as_it_was_built_by_the_interface_it_is_for() {
    let (here, there) = cables(2);
    assert_eq!(here.net.try_ip("route show default").unwrap(), "");
    let tap = Tap::open(&there);
    let mut transmitter = Transmitter::new();
    for pass in ["without a route", "with a route elsewhere"] {
        for family in Family::ALL {
            let template = own(family, 100);
            assert_eq!(send(&here, &mut transmitter, &[(here.links[1], &template)]), []);
            let (link, frame) = tap.take(1, is_advert).remove(0);
            assert_eq!(link, there.links[1], "{pass}");
            let header = ethernet::Packet::new_checked(&frame).unwrap();
            assert_eq!(Some(header.destination()), ethernet::multicast_mac(group(family)));
            match family {
                Family::V4 => {
                    let packet = Ipv4Packet::new_checked(header.payload()).unwrap();
                    let repr = Ipv4Repr::parse(&packet).unwrap();
                    let sent = Ipv4Packet::new_checked(template.as_bytes()).unwrap();
                    let sent = Ipv4Repr::parse(&sent).unwrap();
                    let identification = repr.identification;
                    assert_eq!(repr, Ipv4Repr { identification, ..sent }, "but for what is ours");
                    assert_eq!((repr.ttl, repr.tos), (255, 0xc0));
                    assert_eq!(packet.payload(), template.message());
                }
                Family::V6 => {
                    let packet = Ipv6Packet::new_checked(header.payload()).unwrap();
                    let repr = Ipv6Repr::parse(&packet).unwrap();
                    assert_eq!((repr.hop_limit, repr.traffic_class), (255, 0xc0));
                    assert_eq!((repr.source, repr.destination), (super::OURS_V6, GROUP_V6));
                    assert_eq!(packet.payload(), template.message(), "the kernel's checksum, too");
                }
            }
        }
        here.net.ip("route replace default dev eth0");
        here.net.ip("-6 route replace default dev eth0");
    }
}

/// `vrrp:X-1`, `vrrp:C-3`: an IPv6 advert whose checksum is not ours to compute has a good one, and
/// one that comes with a bad one is not heard.
#[test]
fn x_1_the_kernel_writes_and_checks_ipv6_checksums() {
    let (here, there) = cables(1);
    let tap = Tap::open(&there);
    let receiver = open(&there, 0, Family::V6);
    let (source, destination) = (ours(Family::V6), group(Family::V6));
    let wrong = sealed(source, destination, 10, None);
    let link = here.links[0];
    here.net.run(|| {
        let protocol = Some(Protocol::from(i32::from(PROTOCOL)));
        let socket = Socket::new(Domain::IPV6, Type::RAW, protocol).unwrap();
        socket.set_multicast_hops_v6(255).unwrap();
        let to = Target::V6 { destination: GROUP_V6, source: super::OURS_V6, link: link.0 };
        let message = Outgoing { octets: wrong.as_bytes(), to };
        assert_eq!(send_many(socket.as_fd(), &[message]), Ok(1));
    });
    let mut transmitter = Transmitter::new();
    let mut again = wrong.clone();
    again.set(Priority(20), Centiseconds::SECOND);
    assert_eq!(send(&here, &mut transmitter, &[(link, &again)]), []);
    assert_eq!(hear(&receiver), [20]);
    let frames = tap.take(2, is_advert);
    let good = |frame: &[u8]| {
        let message = Packet::new_checked(&frame[ETHERNET + 40..]).unwrap();
        message.checksum_is_good(PseudoHeader::new(source, destination))
    };
    assert_eq!(frames.iter().map(|(_, frame)| good(frame)).collect::<Vec<_>>(), [false, true]);
}

/// `vrrp:V-20`: what comes with the message is what the validation wants to know.
#[test]
fn v_20_a_receiver_tells_what_the_ip_layer_says() {
    let (here, there) = cables(1);
    let mut transmitter = Transmitter::new();
    let mut buffer = Buffer::new();
    for family in Family::ALL {
        let receiver = open(&there, 0, family);
        assert_eq!(receiver.family(), family);
        let template = own(family, 100);
        assert_eq!(send(&here, &mut transmitter, &[(here.links[0], &template)]), []);
        hear(&receiver);
        assert_eq!(send(&here, &mut transmitter, &[(here.links[0], &template)]), []);
        assert!(crate::harness::readable(
            &receiver,
            std::time::Instant::now() + crate::harness::AWAIT_TIMEOUT
        ));
        let mut count = 0;
        let take = |datagram: &Datagram<'_>| {
            count += 1;
            let received = datagram.received(InterfaceId::new(7)).unwrap();
            assert_eq!(received.interface, InterfaceId::new(7));
            assert_eq!(received.source, ours(family));
            assert_eq!(received.destination, group(family));
            assert_eq!(received.hop_limit, 255);
            assert_eq!(received.message, template.message());
            assert_eq!(received.received_len, template.as_bytes().len());
            assert_eq!(received.ip_total_len, template.as_bytes().len());
        };
        assert!(!receiver.read(&mut buffer, take).unwrap());
        assert_eq!(count, 1);
        assert!(is_silent(&receiver));
    }
}

/// `vrrp:X-2`: bound to the device.
#[test]
fn x_2_an_interface_does_not_hear_what_comes_in_by_another() {
    let (here, there) = cables(2);
    let mut transmitter = Transmitter::new();
    for family in Family::ALL {
        let receivers = [open(&there, 0, family), open(&there, 1, family)];
        let (first, second) = (own(family, 10), own(family, 20));
        let adverts = [(here.links[0], &first), (here.links[1], &second), (here.links[0], &second)];
        assert_eq!(send(&here, &mut transmitter, &adverts), []);
        assert_eq!(hear(&receivers[0]), [10, 20]);
        assert_eq!(hear(&receivers[1]), [20]);
        assert!(is_silent(&receivers[0]) && is_silent(&receivers[1]));
    }
}

/// `vrrp:X-2`: not even what came in before the socket was bound.
#[test]
fn x_2_a_new_receiver_has_heard_nothing_of_other_interfaces() {
    let (here, there) = cables(2);
    for family in Family::ALL {
        // Else the kernel has no use for what comes in there.
        let _member = open(&there, 0, family);
        let stop = AtomicBool::new(false);
        let running = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                here.net.run(|| {
                    let template = own(family, 100);
                    let advert =
                        Advert { link: here.links[0], source: ours(family), template: &template };
                    let mut transmitter = Transmitter::new();
                    while !stop.load(Ordering::Relaxed) {
                        transmitter.send([advert; 64], |_, error| panic!("{error}"));
                        running.store(true, Ordering::Relaxed);
                    }
                });
            });
            until("adverts come in", || running.load(Ordering::Relaxed).then_some(()));
            let silent = there.net.run(|| {
                (0..1_000).all(|_| is_silent(&Receiver::open(there.links[1], family).unwrap()))
            });
            stop.store(true, Ordering::Relaxed);
            assert!(silent, "{family}");
        });
    }
}

/// `vrrp:X-2`: no multicast loop.
#[test]
fn x_2_own_adverts_do_not_come_back() {
    let (here, there) = cables(1);
    let (mut near, mut far) = (Transmitter::new(), Transmitter::new());
    for family in Family::ALL {
        let receiver = open(&here, 0, family);
        assert_eq!(send(&here, &mut near, &[(here.links[0], &own(family, 10))]), []);
        assert_eq!(send(&there, &mut far, &[(there.links[0], &other(family, 20))]), []);
        assert_eq!(hear(&receiver), [20]);
        assert!(is_silent(&receiver));
    }
}

/// Octets that wait in each raw socket of the family in a namespace, by the socket's address.
fn waiting(side: &Side, family: Family) -> Vec<(String, String)> {
    let path = match family {
        Family::V4 => "/proc/thread-self/net/raw",
        Family::V6 => "/proc/thread-self/net/raw6",
    };
    let text = side.net.run(|| fs::read_to_string(path)).unwrap();
    let socket = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let (_, waiting) = words[4].split_once(':').unwrap();
        (words[1].to_owned(), waiting.to_owned())
    };
    text.lines().skip(1).map(socket).collect()
}

/// `vrrp:X-2`, `vrrp:V-20`: the send socket hears nothing, and a receiver nothing but the group.
#[test]
fn x_2_what_is_not_for_the_group_is_not_heard() {
    let (here, there) = cables(1);
    let (mut near, mut far) = (Transmitter::new(), Transmitter::new());
    for family in Family::ALL {
        let receiver = open(&here, 0, family);
        // Opens the socket.
        assert_eq!(send(&here, &mut near, &[(here.links[0], &own(family, 10))]), []);
        let direct = advert(theirs(family), ours(family), 10);
        let multicast = other(family, 20);
        let adverts = [(there.links[0], &direct), (there.links[0], &multicast)];
        assert_eq!(send(&there, &mut far, &adverts), []);
        assert_eq!(hear(&receiver), [20]);
        assert!(is_silent(&receiver));
        let sockets = waiting(&here, family);
        assert_eq!(sockets.len(), 2, "{sockets:?}");
        assert!(sockets.iter().all(|(_, waiting)| waiting == "00000000"), "{sockets:?}");
    }
}

/// `vrrp:X-4`: one that fails does not hold up the others.
#[test]
fn x_4_a_link_that_is_down_or_gone_costs_only_its_own_adverts() {
    let (here, there) = cables(3);
    let tap = Tap::open(&there);
    here.net.ip("link set eth1 down");
    let gone = LinkIndex(9_999);
    let mut transmitter = Transmitter::new();
    for family in Family::ALL {
        let templates: Vec<_> = (0..5).map(|n| own(family, n + 1)).collect();
        let links = [here.links[0], here.links[1], here.links[2], gone, here.links[0]];
        let adverts: Vec<_> = links.into_iter().zip(&templates).collect();
        let failed = send(&here, &mut transmitter, &adverts);
        let places: Vec<usize> = failed.iter().map(|(place, _)| *place).collect();
        assert_eq!(places, [1, 3], "{family}");
        // IPv6 addresses go with the link.
        let down = if family == Family::V4 { Errno::ENETUNREACH } else { Errno::EINVAL };
        assert_eq!((failed[0].1, failed[1].1), (down, Errno::ENODEV), "{family}");
        let arrived: Vec<_> = tap.take(3, is_advert);
        let arrived: Vec<_> = arrived.iter().map(|(link, frame)| (*link, read(frame))).collect();
        let expected = [(0, 1), (2, 3), (0, 5)];
        let expected = expected.map(|(cable, n)| (there.links[cable], (family, n)));
        assert_eq!(arrived, expected);
    }
}

/// `vrrp:X-3`: an address that the interface does not have cannot be sent from.
#[test]
fn x_3_without_its_source_address_an_ipv6_advert_is_refused() {
    let (here, there) = cables(1);
    let tap = Tap::open(&there);
    here.net.ip("address del fe80::1/64 dev eth0");
    let (v6, v4) = (own(Family::V6, 1), own(Family::V4, 2));
    let link = here.links[0];
    let failed = here.net.run(|| {
        let mut failed = Vec::new();
        let source = ours(Family::V6);
        let adverts = [
            Advert { link, source, template: &v6 },
            Advert { link, source: ours(Family::V4), template: &v4 },
            Advert { link, source: ours(Family::V4), template: &v6 },
        ];
        Transmitter::new().send(adverts, |place, error| failed.push((place, error)));
        failed
    });
    assert_eq!(failed, [(2, Errno::EAFNOSUPPORT), (0, Errno::EINVAL)]);
    assert_eq!(read(&tap.take(1, is_advert)[0].1), (Family::V4, 2));
}

/// `vrrp:X-1`: more than one batch, both families, several interfaces.
#[test]
fn x_1_three_hundred_adverts_of_one_call_all_arrive_in_order() {
    let (here, there) = cables(3);
    let tap = Tap::open(&there);
    let templates: Vec<_> =
        (1..=100).map(|n| (own(Family::V4, n), own(Family::V6, n), usize::from(n) % 3)).collect();
    let adverts: Vec<_> = templates
        .iter()
        .flat_map(|(v4, v6, cable)| {
            let link = here.links[*cable];
            [(link, v4), (link, v6), (link, v4)]
        })
        .collect();
    assert_eq!(adverts.len(), 300);
    let mut transmitter = Transmitter::new();
    assert_eq!(send(&here, &mut transmitter, &adverts), []);
    let arrived = tap.take(300, is_advert);
    for family in Family::ALL {
        let mut of_family: Vec<(LinkIndex, u8)> = arrived
            .iter()
            .map(|(link, frame)| (*link, read(frame)))
            .filter(|(_, (found, _))| *found == family)
            .map(|(link, (_, n))| (link, n))
            .collect();
        let expected: Vec<_> = (1..=100)
            .flat_map(|n| {
                let link = there.links[usize::from(n) % 3];
                std::iter::repeat_n((link, n), if family == Family::V4 { 2 } else { 1 })
            })
            .collect();
        // Frames of different interfaces may overtake each other.
        of_family.sort_by_key(|(link, _)| *link);
        let mut by_link = expected;
        by_link.sort_by_key(|(link, _)| *link);
        assert_eq!(of_family, by_link, "{family}");
    }
}

/// The kernel keeps the memberships, so that the process need not care.
#[test]
fn a_receiver_hears_again_after_its_link_was_down() {
    let (here, there) = cables(1);
    let mut transmitter = Transmitter::new();
    for family in Family::ALL {
        let receiver = open(&there, 0, family);
        there.net.ip("link set eth0 down");
        assert!(is_silent(&receiver), "it is not told");
        there.net.ip("link set eth0 up");
        let up = |side: &Side| {
            until("the cable is up", || {
                side.net.try_ip("link show eth0").unwrap().contains("state UP").then_some(())
            });
        };
        up(&here);
        up(&there);
        assert_eq!(send(&here, &mut transmitter, &[(here.links[0], &own(family, 30))]), []);
        assert_eq!(hear(&receiver), [30]);
    }
    let receivers = Family::ALL.map(|family| open(&there, 0, family));
    there.net.ip("link delete eth0");
    assert!(receivers.iter().all(is_silent), "nor that it is gone");
}

#[test]
fn without_the_link_there_is_no_receiver() {
    let (here, _there) = cables(1);
    here.net.run(|| {
        for family in Family::ALL {
            let error = Receiver::open(LinkIndex(9_999), family).unwrap_err();
            let errno = Errno::from_raw(error.raw_os_error().unwrap());
            assert!(matches!(errno, Errno::ENODEV | Errno::ENXIO), "{family}: {errno}");
        }
    });
}

/// What is longer than any advert is cut, and keeps its length; the kernel puts fragments together
/// before.
#[test]
fn a_packet_that_is_too_long_is_refused_for_its_length() {
    let (here, there) = cables(1);
    let mut octets = vec![0; 9_000];
    octets[..8].copy_from_slice(&[0x31, 51, 100, 1, 0, 100, 0, 0]);
    for family in Family::ALL {
        let receiver = open(&there, 0, family);
        let link = here.links[0].0;
        here.net.run(|| {
            let protocol = Some(Protocol::from(i32::from(PROTOCOL)));
            let (domain, to) = match family {
                Family::V4 => (Domain::IPV4, Target::V4 { destination: GROUP_V4, link }),
                Family::V6 => {
                    let source = super::OURS_V6;
                    (Domain::IPV6, Target::V6 { destination: GROUP_V6, source, link })
                }
            };
            let socket = Socket::new(domain, Type::RAW, protocol).unwrap();
            if family == Family::V6 {
                nix::sys::socket::setsockopt(
                    &socket,
                    steadfast::system::options::ChecksumAt,
                    &vrrp::CHECKSUM_AT,
                )
                .unwrap();
            }
            assert_eq!(send_many(socket.as_fd(), &[Outgoing { octets: &octets, to }]), Ok(1));
        });
        let mut buffer = Buffer::new();
        assert!(crate::harness::readable(
            &receiver,
            std::time::Instant::now() + crate::harness::AWAIT_TIMEOUT
        ));
        let mut count = 0;
        let take = |datagram: &Datagram<'_>| {
            count += 1;
            let (cut, header) = match datagram {
                Datagram::V4 { octets, len } => (octets.len() < *len, 20),
                Datagram::V6 { octets, len, .. } => (octets.len() < *len, 0),
            };
            let received = datagram.received(InterfaceId::new(0)).unwrap();
            assert!(cut, "{family}");
            assert_eq!(received.received_len, 9_000 + header, "{family}");
            assert_eq!(received.ip_total_len, 9_000 + header, "{family}");
            assert_eq!(Packet::new_checked(received.message).unwrap().vrid(), 51);
        };
        assert!(!receiver.read(&mut buffer, take).unwrap());
        assert_eq!(count, 1);
        assert!(is_silent(&receiver));
    }
}

/// `vrrp:V-21`
#[test]
fn a_packet_without_a_whole_header_is_too_short() {
    let datagram = Datagram::V4 { octets: &[0x45, 0, 0], len: 3 };
    let error = datagram.received(InterfaceId::new(0)).unwrap_err();
    assert_eq!(error, Reject::TooShort);
}
