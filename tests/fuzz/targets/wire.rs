//! Packets of others: nothing panics, and what can be read is written again as it was.

use std::net::IpAddr;

use steadfast::units::{Centiseconds, Family, Mac, Priority, Vrid};
use steadfast::vrrp::{InterfaceId, Received};
use steadfast::vrrp_process::neighbor_packets::{parse_arp, parse_ndisc};
use steadfast::wire::checksum::{self, PseudoHeader, Sum};
use steadfast::wire::vrrp::{Addresses, Authentication, Format, Repr, Template};
use steadfast::wire::{Error, arp, ethernet, ip, ndisc, vrrp};

use super::input::Input;

pub fn run(data: &[u8]) {
    let mut input = Input::new(data);
    let kind = input.u8();
    match kind % 12 {
        0 => read_frame(input.rest()),
        1 => read_ipv4(input.rest(), kind >= 128),
        2 => read_ipv6(input.rest()),
        3 => read_ndisc(&mut input, kind >= 128),
        4 => read_vrrp(&mut input, kind >= 128),
        5 => read_announcements(input.rest()),
        6 => write_arp(&mut input),
        7 => write_ip(&mut input),
        8 => write_ndisc(&mut input),
        9 => write_vrrp(&mut input),
        10 => change_a_word(&mut input),
        _ => read_received(&mut input),
    }
}

/// A buffer of any length either takes the whole and no octet behind it, or is too short.
fn emit(len: usize, emit: impl Fn(&mut [u8]) -> Result<usize, Error>) -> Vec<u8> {
    let mut octets = vec![0xa5; len + 3];
    assert_eq!(emit(&mut octets), Ok(len));
    assert_eq!(octets[len..], [0xa5; 3], "written behind the end");
    octets.truncate(len);
    for short in [0, len / 2, len - 1] {
        assert_eq!(emit(&mut vec![0; short]), Err(Error::NoRoom), "{short} of {len}");
    }
    octets
}

fn read_frame(octets: &[u8]) {
    let Ok(packet) = ethernet::Packet::new_checked(octets) else {
        assert!(octets.len() < ethernet::HEADER_LEN);
        return;
    };
    let repr = ethernet::Repr::parse(&packet);
    let _ = repr.to_string();
    let written = emit(ethernet::HEADER_LEN, |buffer| repr.emit(buffer));
    assert_eq!(written, octets[..ethernet::HEADER_LEN]);
    let payload = packet.payload();
    assert_eq!(payload, &octets[ethernet::HEADER_LEN..]);
    match packet.ether_type() {
        ethernet::EtherType::Ipv4 => read_ipv4(payload, false),
        ethernet::EtherType::Ipv6 => read_ipv6(payload),
        ethernet::EtherType::Arp | ethernet::EtherType::Unknown(_) => read_arp(payload),
    }
}

fn read_arp(octets: &[u8]) {
    let Ok(packet) = arp::Packet::new_checked(octets) else { return };
    let repr = arp::Repr::parse(&packet);
    let _ = repr.to_string();
    assert_eq!(emit(arp::LEN, |buffer| repr.emit(buffer)), octets[..arp::LEN]);
}

/// Puts the checksum of an IPv4 header right.
fn repaired_ipv4(octets: &[u8]) -> Vec<u8> {
    let mut octets = octets.to_vec();
    let len = octets.first().map_or(0, |first| usize::from(first & 0xf) * 4);
    if octets.len() >= len.max(ip::IPV4_HEADER_LEN) {
        octets[10..12].fill(0);
        let checksum = Sum::new().octets(&octets[..len]).checksum();
        octets[10..12].copy_from_slice(&checksum.to_be_bytes());
    }
    octets
}

fn read_ipv4(octets: &[u8], repair: bool) {
    let octets = if repair { repaired_ipv4(octets) } else { octets.to_vec() };
    let Ok(packet) = ip::Ipv4Packet::new_checked(&octets[..]) else { return };
    assert!(packet.header_len() + packet.payload().len() == octets.len());
    let Ok(repr) = ip::Ipv4Repr::parse(&packet) else { return };
    let _ = repr.to_string();
    assert!(repr.payload_len <= packet.payload().len());
    let written = emit(ip::IPV4_HEADER_LEN, |buffer| repr.emit(buffer));
    // A sum of zero has two forms.
    assert_eq!(written[..10], octets[..10]);
    assert_eq!(written[12..], octets[12..ip::IPV4_HEADER_LEN]);
    assert!(ip::Ipv4Packet::new_checked(&written[..]).is_ok_and(|p| p.checksum_is_good()));
}

fn read_ipv6(octets: &[u8]) {
    let Ok(packet) = ip::Ipv6Packet::new_checked(octets) else { return };
    let Ok(repr) = ip::Ipv6Repr::parse(&packet) else { return };
    let _ = repr.to_string();
    assert!(repr.payload_len <= packet.payload().len());
    let written = emit(ip::IPV6_HEADER_LEN, |buffer| repr.emit(buffer));
    assert_eq!(written, octets[..ip::IPV6_HEADER_LEN]);
}

fn read_ndisc(input: &mut Input<'_>, repair: bool) {
    let ip = ip::Ipv6Repr {
        traffic_class: 0,
        flow_label: 0,
        next_header: input.one_of(&[ip::PROTOCOL_ICMPV6, 0]),
        hop_limit: input.one_of(&[255, 254]),
        source: input.ipv6(),
        destination: if input.flag() { ndisc::ALL_NODES } else { input.ipv6() },
        payload_len: 0,
    };
    let pseudo_header = PseudoHeader::V6 { source: ip.source, destination: ip.destination };
    let mut octets = input.rest().to_vec();
    if repair && octets.len() >= ndisc::HEADER_LEN {
        octets[..2].copy_from_slice(&[ndisc::NEIGHBOR_ADVERTISEMENT, 0]);
        octets[2..4].fill(0);
        let checksum = pseudo_header.sum(ip::PROTOCOL_ICMPV6, &octets).checksum();
        octets[2..4].copy_from_slice(&checksum.to_be_bytes());
    }
    let Ok(packet) = ndisc::Packet::new_checked(&octets[..]) else { return };
    let Ok(repr) = ndisc::Repr::parse(&packet, &ip) else { return };
    let _ = repr.to_string();
    assert!(!repr.target.is_multicast());
    let written = emit(ndisc::LEN, |buffer| repr.emit(pseudo_header, buffer));
    let again = ndisc::Packet::new_checked(&written[..]).expect("it is whole");
    assert_eq!(ndisc::Repr::parse(&again, &ip), Ok(repr));
}

fn read_vrrp(input: &mut Input<'_>, repair: bool) {
    let family = input.one_of(&Family::ALL);
    let (source, destination): (IpAddr, IpAddr) = match family {
        Family::V4 => (input.ipv4().into(), input.ipv4().into()),
        Family::V6 => (input.ipv6().into(), input.ipv6().into()),
    };
    let pseudo_header = if input.flag() { PseudoHeader::new(source, destination) } else { None };
    let mut octets = input.rest().to_vec();
    if repair && octets.len() >= vrrp::HEADER_LEN {
        octets[6..8].fill(0);
        let sum = match pseudo_header {
            Some(header) if octets[0] >> 4 != 2 => header.sum(vrrp::PROTOCOL, &octets),
            Some(_) | None => Sum::new().octets(&octets),
        };
        octets[6..8].copy_from_slice(&sum.checksum().to_be_bytes());
    }
    let Ok(packet) = vrrp::Packet::new_checked(&octets[..]) else { return };
    let _ = packet.to_string();
    let present = packet.addresses(family).iter().count();
    assert!(present <= usize::from(packet.count()));
    let _ = packet.auth_data(family);
    let Ok(repr) = Repr::parse(&packet, family, pseudo_header) else { return };
    let _ = repr.to_string();
    assert_eq!(present, usize::from(packet.count()), "a whole packet has all its addresses");
    let written = emit(octets.len(), |buffer| repr.emit(pseudo_header, buffer));
    let again = vrrp::Packet::new_checked(&written[..]).expect("it is whole");
    assert_eq!(Repr::parse(&again, family, pseudo_header), Ok(repr));
}

/// As the listeners for announcements take them.
fn read_announcements(octets: &[u8]) {
    if let Some((address, _)) = parse_arp(octets) {
        assert!(address.is_ipv4() && !address.is_unspecified());
    }
    if let Some((address, _)) = parse_ndisc(octets) {
        assert!(address.is_ipv6() && !address.is_multicast());
    }
}

/// As the receiver takes them.
fn read_received(input: &mut Input<'_>) {
    let octets = input.rest();
    if let Ok(received) = Received::from_ipv4(InterfaceId::new(1), octets) {
        assert!(received.message.len() + received.ip_header_len <= octets.len());
    }
}

fn mac(input: &mut Input<'_>) -> Mac {
    Mac(input.array())
}

fn write_arp(input: &mut Input<'_>) {
    let repr = arp::Repr {
        operation: input.u16().into(),
        sender_mac: mac(input),
        sender_address: input.ipv4(),
        target_mac: mac(input),
        target_address: input.ipv4(),
    };
    let frame = emit(arp::FRAME_LEN, |buffer| repr.emit_frame(buffer));
    let ethernet = ethernet::Packet::new_checked(&frame[..]).expect("it is whole");
    assert_eq!(ethernet.ether_type(), ethernet::EtherType::Arp);
    let packet = arp::Packet::new_checked(ethernet.payload()).expect("it is whole");
    assert_eq!(arp::Repr::parse(&packet), repr);
    let heard = parse_arp(ethernet.payload());
    let known = matches!(repr.operation, arp::Operation::Request | arp::Operation::Reply);
    assert_eq!(heard.is_some(), known && repr.is_gratuitous());
}

fn write_ip(input: &mut Input<'_>) {
    let four = ip::Ipv4Repr {
        tos: input.u8(),
        identification: input.u16(),
        dont_fragment: input.flag(),
        ttl: input.u8(),
        protocol: input.u8(),
        source: input.ipv4(),
        destination: input.ipv4(),
        payload_len: usize::from(input.u8()),
    };
    let mut octets = emit(ip::IPV4_HEADER_LEN, |buffer| four.emit(buffer));
    octets.resize(octets.len() + four.payload_len, 0);
    let packet = ip::Ipv4Packet::new_checked(&octets[..]).expect("it is whole");
    assert_eq!(ip::Ipv4Repr::parse(&packet), Ok(four));
    let long = ip::Ipv4Repr { payload_len: 65_516 + usize::from(input.u16()), ..four };
    assert_eq!(long.emit(&mut [0; 64]), Err(Error::TooLong));
    let six = ip::Ipv6Repr {
        traffic_class: input.u8(),
        flow_label: input.u32() & 0x000f_ffff,
        next_header: input.u8(),
        hop_limit: input.u8(),
        source: input.ipv6(),
        destination: input.ipv6(),
        payload_len: usize::from(input.u8()),
    };
    let mut octets = emit(ip::IPV6_HEADER_LEN, |buffer| six.emit(buffer));
    octets.resize(octets.len() + six.payload_len, 0);
    let packet = ip::Ipv6Packet::new_checked(&octets[..]).expect("it is whole");
    assert_eq!(ip::Ipv6Repr::parse(&packet), Ok(six));
}

fn write_ndisc(input: &mut Input<'_>) {
    let repr = ndisc::Repr {
        router: input.flag(),
        solicited: input.flag(),
        overrides: input.flag(),
        target: input.ipv6(),
        mac: mac(input),
    };
    let frame = emit(ndisc::FRAME_LEN, |buffer| repr.emit_frame(buffer));
    let ethernet = ethernet::Packet::new_checked(&frame[..]).expect("it is whole");
    assert_eq!(ethernet.ether_type(), ethernet::EtherType::Ipv6);
    let heard = parse_ndisc(ethernet.payload());
    let valid = !repr.target.is_multicast() && repr.is_announcement();
    assert_eq!(heard, valid.then_some((repr.target.into(), repr.mac)));
}

fn write_vrrp(input: &mut Input<'_>) {
    let family = input.one_of(&Family::ALL);
    let format = match input.u8() % 4 {
        0 => Format::V2(Authentication::None),
        1 => Format::V2(Authentication::Password(input.array())),
        2 => Format::V2(Authentication::Header),
        _ => Format::V3,
    };
    let vrid = Vrid::new(input.u8().max(1)).expect("not 0");
    let priority = Priority(input.u8());
    let interval = Centiseconds(input.u16());
    let (source, destination) = match family {
        Family::V4 => (input.ipv4().into(), input.ipv4().into()),
        Family::V6 => (input.ipv6().into(), input.ipv6().into()),
    };
    let pseudo_header = if input.flag() { PseudoHeader::new(source, destination) } else { None };
    let (priority_later, interval_later) = (Priority(input.u8()), Centiseconds(input.u16()));
    let mut list = Vec::new();
    while !input.is_empty() {
        list.push(input.ip());
    }
    let addresses = Addresses::of_family(family, &list);
    let repr = Repr { format, vrid, priority, interval, addresses };
    let count = addresses.iter().count();
    if count > 255 {
        let mut room = vec![0; repr.buffer_len()];
        assert_eq!(repr.emit(pseudo_header, &mut room), Err(Error::TooLong));
        return;
    }
    let octets = emit(repr.buffer_len(), |buffer| repr.emit(pseudo_header, buffer));
    let packet = vrrp::Packet::new_checked(&octets[..]).expect("it is whole");
    let read = Repr::parse(&packet, family, pseudo_header).expect("what is written can be read");
    assert_eq!(
        (read.format, read.vrid, read.priority, read.addresses),
        (format, vrid, priority, addresses)
    );
    assert!(read.interval.0 > 0);
    // The interval is the nearest that the version can express, and that one stays.
    let exact = Repr { interval: read.interval, ..repr };
    assert_eq!(emit(exact.buffer_len(), |buffer| exact.emit(pseudo_header, buffer)), octets);

    // A template that is changed is what a new packet would be.
    let template = Template::new(&repr, source, destination, 255, pseudo_header);
    let mut template = template.expect("the addresses are of one family");
    assert_eq!(template.message(), octets);
    template.set(priority_later, interval_later);
    let later = Repr { priority: priority_later, interval: interval_later, ..repr };
    let later = emit(later.buffer_len(), |buffer| later.emit(pseudo_header, buffer));
    assert_eq!(template.message(), later);
}

/// `vrrp:C-6`
fn change_a_word(input: &mut Input<'_>) {
    let (at, new) = (input.below(64), input.u16());
    let mut octets = input.rest().to_vec();
    if octets.iter().all(|octet| *octet == 0) || octets.len() < at * 2 + 2 {
        return;
    }
    let place = at * 2..at * 2 + 2;
    let old = u16::from_be_bytes([octets[place.start], octets[place.start + 1]]);
    let before = Sum::new().octets(&octets).checksum();
    octets[place].copy_from_slice(&new.to_be_bytes());
    if octets.iter().all(|octet| *octet == 0) {
        return;
    }
    let after = Sum::new().octets(&octets).checksum();
    assert_eq!(checksum::update(before, old, new), after);
    let by_word = octets.chunks(2).fold(Sum::new(), |sum, word| sum.octets(word));
    assert_eq!(by_word.checksum(), after);
}
