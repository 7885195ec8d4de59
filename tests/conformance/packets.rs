//! Rules about the octets of packets: sections 1 to 3, 7 and 8.1.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use steadfast::units::{Centiseconds, Family, Mac, Priority, Version, Vrid};
use steadfast::vrrp::settings::{Authentication, Checksum};
use steadfast::vrrp::validation::{AddressCheck, Expectation, Reject, pseudo_header, validate};
use steadfast::vrrp::{InterfaceId, Received};
use steadfast::wire::checksum::{PseudoHeader, Sum, update};
use steadfast::wire::vrrp::{
    Addresses, Authentication as WireAuthentication, Format, GROUP_V4, GROUP_V6, Packet, Repr,
    Template, group,
};
use steadfast::wire::{arp, ethernet, ndisc};

use crate::vectors::{addresses, expectation, load, received, verdict};

const SOURCE_V4: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
const SOURCE_V6: IpAddr = IpAddr::V6(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1));
const V2: Format = Format::V2(WireAuthentication::None);
const MAC: Mac = Mac([0x02, 0, 0, 0, 0x0a, 0x01]);

const fn source(family: Family) -> IpAddr {
    match family {
        Family::V4 => SOURCE_V4,
        Family::V6 => SOURCE_V6,
    }
}

fn repr(format: Format, family: Family, list: &[IpAddr]) -> Repr<'_> {
    Repr {
        format,
        vrid: Vrid::new(51).unwrap(),
        priority: Priority(200),
        interval: Centiseconds::SECOND,
        addresses: Addresses::of_family(family, list),
    }
}

/// The octets of a message with the usual checksum.
fn message(repr: &Repr<'_>) -> Vec<u8> {
    let family = repr.addresses.family();
    let mut octets = vec![0xaa; repr.buffer_len()];
    let pseudo_header = PseudoHeader::new(source(family), group(family));
    assert_eq!(repr.emit(pseudo_header, &mut octets), Ok(octets.len()));
    octets
}

fn template(repr: &Repr<'_>) -> Template {
    let family = repr.addresses.family();
    let pseudo_header = PseudoHeader::new(source(family), group(family));
    Template::new(repr, source(family), group(family), 255, pseudo_header).unwrap()
}

/// One's complement checksum by the definition, one word at a time.
fn slow_checksum(octets: &[u8]) -> u16 {
    let mut sum = 0_u16;
    for pair in octets.chunks(2) {
        let word = u16::from_be_bytes([pair[0], pair.get(1).copied().unwrap_or(0)]);
        let (next, carry) = sum.overflowing_add(word);
        sum = next + u16::from(carry);
    }
    !sum
}

fn checksum_field(message: &[u8]) -> u16 {
    u16::from_be_bytes([message[6], message[7]])
}

/// The message with the checksum field zero.
fn without_checksum(message: &[u8]) -> Vec<u8> {
    let mut octets = message.to_vec();
    octets[6..8].fill(0);
    octets
}

/// vrrp:V-1
#[test]
fn v_1_protocol_groups_and_hop_limit() {
    let list = addresses(["192.0.2.100"]);
    let packet = template(&repr(Format::V3, Family::V4, &list));
    assert_eq!(packet.as_bytes()[8..10], [255, 112], "TTL and protocol");
    assert_eq!(packet.as_bytes()[16..20], [224, 0, 0, 18]);
    assert_eq!(packet.destination(), group(Family::V4));
    assert_eq!(GROUP_V4.to_string(), "224.0.0.18");
    assert_eq!(GROUP_V6.to_string(), "ff02::12");
}

/// vrrp:V-2
#[test]
fn v_2_type_is_1() {
    let list = addresses(["192.0.2.100"]);
    for format in [V2, Format::V3] {
        assert_eq!(message(&repr(format, Family::V4, &list))[0] & 0x0f, 1);
    }
}

/// vrrp:V-3
#[test]
fn v_3_vrid_is_1_to_255() {
    assert_eq!(Vrid::new(0), None);
    let list = addresses(["192.0.2.100"]);
    for id in [1, 255] {
        let vrid = Vrid::new(id).unwrap();
        let octets = message(&Repr { vrid, ..repr(Format::V3, Family::V4, &list) });
        assert_eq!(octets[1], id);
    }
}

/// vrrp:V-4
#[test]
fn v_4_priority_is_sent_as_it_is() {
    let list = addresses(["192.0.2.100"]);
    for priority in [Priority::STOP, Priority::DEFAULT, Priority::HIGHEST_BACKUP, Priority::OWNER] {
        let octets = message(&Repr { priority, ..repr(Format::V3, Family::V4, &list) });
        assert_eq!(octets[2], priority.0);
    }
    assert_eq!(
        [Priority::STOP.0, Priority::DEFAULT.0, Priority::HIGHEST_BACKUP.0, Priority::OWNER.0],
        [0, 100, 254, 255]
    );
}

/// vrrp:V-5
#[test]
fn v_5_virtual_and_multicast_macs() {
    let vrid = Vrid::new(51).unwrap();
    for (family, own, all) in [
        (Family::V4, "00:00:5e:00:01:33", "01:00:5e:00:00:12"),
        (Family::V6, "00:00:5e:00:02:33", "33:33:00:00:00:12"),
    ] {
        assert_eq!(Mac::virtual_router(family, vrid).to_string(), own);
        assert_eq!(ethernet::multicast_mac(group(family)).unwrap().to_string(), all);
    }
}

/// vrrp:V-6
#[test]
fn v_6_ip_header_asks_for_priority_and_has_no_options() {
    let list = addresses(["192.0.2.100"]);
    let packet = template(&repr(Format::V3, Family::V4, &list));
    assert_eq!(packet.as_bytes()[..2], [0x45, 0xc0], "no options, internetwork control");
    assert_eq!(packet.as_bytes()[6..8], [0, 0], "fragment field");
    assert_eq!(slow_checksum(&packet.as_bytes()[..20]), 0, "header checksum");
}

/// vrrp:V-7
#[test]
fn v_7_interval_in_the_unit_of_the_version() {
    let list = addresses(["192.0.2.100"]);
    let sent = |format, interval| {
        let interval = Centiseconds(interval);
        let octets = message(&Repr { interval, ..repr(format, Family::V4, &list) });
        u16::from_be_bytes([octets[4], octets[5]])
    };
    assert_eq!(Centiseconds::SECOND, Centiseconds(100));
    for (interval, seconds) in [(100, 1), (25_500, 255), (150, 2), (0, 1), (u16::MAX, 255)] {
        assert_eq!(sent(V2, interval), seconds, "version 2, {interval} cs");
    }
    for (interval, hundredths) in [(100, 100), (1, 1), (4095, 4095), (0, 1), (4096, 4095)] {
        assert_eq!(sent(Format::V3, interval), hundredths, "version 3, {interval} cs");
    }
}

/// vrrp:V-8
#[test]
fn v_8_addresses_are_in_configuration_order() {
    let list = addresses(["192.0.2.105", "10.1.2.3", "192.0.2.101"]);
    for format in [V2, Format::V3] {
        let octets = message(&repr(format, Family::V4, &list));
        assert_eq!(octets[3], 3);
        let expected = [192, 0, 2, 105, 10, 1, 2, 3, 192, 0, 2, 101];
        assert_eq!(octets[8..20], expected);
        let packet = Packet::new_checked(&octets[..]).unwrap();
        assert!(packet.addresses(Family::V4).iter().eq(list));
    }
}

/// vrrp:V-8, V3-3: neither a link-local address nor a low one comes first by itself.
#[test]
fn v_8_ipv6_addresses_are_in_configuration_order() {
    let list = addresses(["2001:db8::9", "fe80::5:0:51", "2001:db8::1"]);
    let octets = message(&repr(Format::V3, Family::V6, &list));
    let expected: Vec<u8> = list
        .iter()
        .flat_map(|address| match address {
            IpAddr::V6(address) => address.octets(),
            IpAddr::V4(address) => panic!("{address}"),
        })
        .collect();
    assert_eq!(octets[8..], expected);
}

/// vrrp:V2-1
#[test]
fn v2_1_length_is_16_and_the_addresses() {
    let list = addresses(["192.0.2.100", "192.0.2.101", "192.0.2.102"]);
    for count in 0..=3 {
        for auth in [WireAuthentication::None, WireAuthentication::Password([7; 8])] {
            let octets = message(&repr(Format::V2(auth), Family::V4, &list[..count]));
            assert_eq!(octets.len(), 16 + 4 * count);
            assert_eq!(octets[0], 0x21);
            assert_eq!(octets[octets.len() - 8..], [octets[4] * 7; 8]);
        }
    }
}

/// vrrp:V2-2
#[test]
fn v2_2_without_authentication_type_and_data_are_zero() {
    let list = addresses(["192.0.2.100"]);
    let octets = message(&repr(V2, Family::V4, &list));
    assert_eq!(octets[4], 0);
    assert_eq!(octets[12..], [0; 8]);
}

/// vrrp:V3-1
#[test]
fn v3_1_length_is_8_and_the_addresses() {
    let list = addresses(["192.0.2.100", "192.0.2.101", "fe80::5:0:51", "2001:db8::100"]);
    for (family, each) in [(Family::V4, 4), (Family::V6, 16)] {
        let octets = message(&repr(Format::V3, family, &list));
        assert_eq!(octets.len(), 8 + 2 * each);
        assert_eq!(octets[0], 0x31);
        assert_eq!(octets[3], 2);
        assert_eq!(message(&repr(Format::V3, family, &[])).len(), 8);
    }
}

/// vrrp:V3-2
#[test]
fn v3_2_reserved_bits_are_ignored() {
    let own = addresses(["192.0.2.100"]);
    let router = expectation(Version::V3, Family::V4, &own);
    let frame = load("neg-10-v3-reserved-bits");
    assert_eq!(frame[38] >> 4, 0xf, "the vector has them set");
    let advert = validate(&router, &received(&frame).unwrap()).unwrap();
    assert_eq!(advert.interval, Centiseconds::SECOND);
    assert!(!advert.interval_differs);
    let sent =
        message(&Repr { interval: Centiseconds(u16::MAX), ..repr(Format::V3, Family::V4, &own) });
    assert_eq!(sent[4] >> 4, 0, "sent as zero");
}

/// vrrp:V3-3
#[test]
fn v3_3_link_local_first_is_not_enforced() {
    let other_way = addresses(["2001:db8::100", "fe80::5:0:51"]);
    let octets = message(&repr(Format::V3, Family::V6, &other_way));
    let own = addresses(["fe80::5:0:51", "2001:db8::100"]);
    let router = expectation(Version::V3, Family::V6, &own);
    let packet = Received::from_ipv6(InterfaceId::new(1), SOURCE_V6, GROUP_V6.into(), 255, &octets);
    assert_eq!(validate(&router, &packet).unwrap().addresses, AddressCheck::Match);
}

/// vrrp:V3-4
#[test]
fn v3_4_no_addresses_is_ours_only_when_we_have_none() {
    let own = addresses(["192.0.2.100"]);
    let packet = template(&repr(Format::V3, Family::V4, &[]));
    let packet = Received::from_ipv4(InterfaceId::new(1), packet.as_bytes()).unwrap();
    let alike = expectation(Version::V3, Family::V4, &[]);
    assert_eq!(validate(&alike, &packet).unwrap().addresses, AddressCheck::Match);
    let other = expectation(Version::V3, Family::V4, &own);
    assert_eq!(validate(&other, &packet), Err(Reject::ForeignAddresses));
}

/// vrrp:V3-5
#[test]
fn v3_5_interval_of_zero_is_discarded() {
    let own = addresses(["192.0.2.100"]);
    let router = expectation(Version::V3, Family::V4, &own);
    let mut frame = load("v3-01-ipv4-master");
    assert!(validate(&router, &received(&frame).unwrap()).is_ok());
    for reserved in [0x00, 0xf0] {
        let old = u16::from_be_bytes([frame[38], frame[39]]);
        let new = u16::from_be_bytes([reserved, 0]);
        let checksum = update(checksum_field(&frame[34..]), old, new);
        frame[38..40].copy_from_slice(&new.to_be_bytes());
        frame[40..42].copy_from_slice(&checksum.to_be_bytes());
        assert_eq!(validate(&router, &received(&frame).unwrap()), Err(Reject::IntervalZero));
    }
}

/// vrrp:C-1
#[test]
fn c_1_sum_equals_the_definition() {
    let mut octets = Vec::new();
    for n in 0..600_u32 {
        assert_eq!(Sum::new().octets(&octets).checksum(), slow_checksum(&octets), "{n} octets");
        octets.push((n.wrapping_mul(2_654_435_761) >> 24).to_be_bytes()[3]);
    }
    assert_eq!(Sum::new().octets(&[0xff; 512]).checksum(), slow_checksum(&[0xff; 512]));
}

/// vrrp:C-2
#[test]
fn c_2_version_2_covers_the_message_alone() {
    let list = addresses(["192.0.2.100"]);
    let format = Format::V2(WireAuthentication::Password(*b"s3cr3t\0\0"));
    let octets = message(&repr(format, Family::V4, &list));
    assert_eq!(checksum_field(&octets), slow_checksum(&without_checksum(&octets)));
    let (v2, modes) = (Version::V2, [Checksum::PseudoHeader, Checksum::OldUnicast]);
    for mode in modes {
        let covered = pseudo_header(v2, mode, false, SOURCE_V4, SOURCE_V4, GROUP_V4.into());
        assert_eq!(covered, None);
    }
    // What is configured for version 3 changes nothing.
    let mut frame = load("v2-01-noauth-master");
    let router = Expectation {
        checksum: Checksum::MessageOnly,
        ..expectation(Version::V2, Family::V4, &list)
    };
    let validated = |frame: &[u8]| validate(&router, &received(frame).unwrap()).map(|_| ());
    assert_eq!(validated(&frame), Ok(()));
    frame[34 + 2] ^= 1;
    assert_eq!(validated(&frame), Err(Reject::Checksum));
}

/// vrrp:C-3
#[test]
fn c_3_version_3_over_ipv6_covers_a_pseudo_header() {
    let list = addresses(["fe80::5:0:51", "2001:db8::100"]);
    let octets = message(&repr(Format::V3, Family::V6, &list));
    let mut covered = Vec::new();
    for address in [SOURCE_V6, IpAddr::V6(GROUP_V6)] {
        let IpAddr::V6(address) = address else { panic!("{address} is not IPv6") };
        covered.extend(address.octets());
    }
    covered.extend([0, 0, 0, 40, 0, 0, 0, 112]);
    covered.extend(without_checksum(&octets));
    assert_eq!(octets.len(), 40);
    assert_eq!(checksum_field(&octets), slow_checksum(&covered));

    let router = expectation(Version::V3, Family::V6, &list);
    let validated = |octets: &[u8]| {
        let group = GROUP_V6.into();
        let packet = Received::from_ipv6(InterfaceId::new(1), SOURCE_V6, group, 255, octets);
        validate(&router, &packet)
    };
    assert!(validated(&octets).is_ok());
    // The simulator and the fuzzers have no kernel that drops it.
    let mut bad = octets.clone();
    bad[2] ^= 1;
    assert_eq!(validated(&bad), Err(Reject::Checksum));
    // What is configured for IPv4 changes nothing.
    let packet = Received::from_ipv6(InterfaceId::new(1), SOURCE_V6, GROUP_V6.into(), 255, &bad);
    let router = Expectation { checksum: Checksum::MessageOnly, ..router };
    assert_eq!(validate(&router, &packet), Err(Reject::Checksum));
}

/// vrrp:C-4
#[test]
fn c_4_version_3_over_ipv4_covers_a_pseudo_header_unless_told_otherwise() {
    let list = addresses(["192.0.2.100"]);
    let with = message(&repr(Format::V3, Family::V4, &list));
    let mut covered = vec![192, 0, 2, 1, 224, 0, 0, 18, 0, 112, 0, 12];
    covered.extend(without_checksum(&with));
    assert_eq!(checksum_field(&with), slow_checksum(&covered));

    let cover =
        |mode| pseudo_header(Version::V3, mode, false, SOURCE_V4, GROUP_V4.into(), GROUP_V4.into());
    assert_eq!(cover(Checksum::MessageOnly), None);
    assert_eq!(cover(Checksum::PseudoHeader), PseudoHeader::new(SOURCE_V4, GROUP_V4.into()));
    let mut without = [0; 12];
    repr(Format::V3, Family::V4, &list).emit(None, &mut without).unwrap();
    assert_eq!(checksum_field(&without), slow_checksum(&without_checksum(&without)));

    let router = expectation(Version::V3, Family::V4, &list);
    let as_v2 = Expectation { checksum: Checksum::MessageOnly, ..router };
    for (name, by_default) in [
        ("v3-01-ipv4-master", Ok(())),
        ("v3-06-ipv4-checksum-as-v2", Err(Reject::Checksum)),
        ("neg-02-v3-bad-checksum", Err(Reject::Checksum)),
    ] {
        assert_eq!(verdict(name, &router).map(|_| ()), by_default, "{name}");
        assert!(verdict(name, &as_v2).is_ok(), "{name}");
    }
}

/// vrrp:C-5
#[test]
fn c_5_unicast_checksum_follows_the_peer() {
    let list = addresses(["192.0.2.100"]);
    let router = Expectation { unicast: true, ..expectation(Version::V3, Family::V4, &list) };
    let (new, old) = ("v3-04-ipv4-unicast", "v3-05-ipv4-unicast-oldcsum");
    let strict = Expectation { checksum: Checksum::PseudoHeaderStrict, ..router };
    let always_old = Expectation { checksum: Checksum::OldUnicast, ..router };
    let switched = Expectation { old_checksum: true, ..router };
    let checked = |name, router: &Expectation<'_>| verdict(name, router).map(|a| a.old_checksum);
    assert_eq!(checked(new, &router), Ok(false));
    assert_eq!(checked(old, &router), Ok(true), "recognised");
    assert_eq!(checked(old, &switched), Ok(false), "no news");
    assert_eq!(checked(new, &switched), Err(Reject::Checksum));
    assert_eq!(checked(old, &strict), Err(Reject::Checksum));
    assert_eq!(checked(new, &strict), Ok(false));
    assert_eq!(checked(old, &always_old), Ok(false));
    assert_eq!(checked(new, &always_old), Err(Reject::Checksum));
    // A router that has no peers has none that is old.
    let multicast = Expectation { unicast: false, ..router };
    assert_eq!(checked(old, &multicast), Err(Reject::Checksum));
    assert_eq!(checked(new, &multicast), Err(Reject::Ipv4Destination));

    // Sending: the real destination, the group once switched.
    let peer = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 2));
    for (mode, switched, destination) in [
        (Checksum::PseudoHeader, false, peer),
        (Checksum::PseudoHeader, true, GROUP_V4.into()),
        (Checksum::PseudoHeaderStrict, true, peer),
        (Checksum::OldUnicast, false, GROUP_V4.into()),
    ] {
        let sent = pseudo_header(Version::V3, mode, switched, SOURCE_V4, peer, GROUP_V4.into());
        assert_eq!(sent, PseudoHeader::new(SOURCE_V4, destination), "{mode:?} {switched}");
    }
}

/// vrrp:C-6
#[test]
fn c_6_incremental_update_equals_a_full_recomputation() {
    let list = addresses(["192.0.2.100", "fe80::5:0:51", "2001:db8::100"]);
    let password = Format::V2(WireAuthentication::Password(*b"s3cr3t\0\0"));
    for (format, family) in [
        (V2, Family::V4),
        (password, Family::V4),
        (Format::V3, Family::V4),
        (Format::V3, Family::V6),
    ] {
        let base = repr(format, family, &list);
        let mut prebuilt = template(&base);
        for priority in (0..=255).rev() {
            for interval in [100, 1, 5, 4095, 300, 25_500, 0, 256] {
                let (priority, interval) = (Priority(priority), Centiseconds(interval));
                prebuilt.set(priority, interval);
                let anew = template(&Repr { priority, interval, ..base });
                assert_eq!(prebuilt.as_bytes(), anew.as_bytes(), "{format:?} {priority}");
            }
        }
    }
}

/// vrrp:A-1
#[test]
fn a_1_password_is_eight_octets_of_the_message() {
    let list = addresses(["192.0.2.100"]);
    let password = *b"s3cr3t\0\0";
    let octets =
        message(&repr(Format::V2(WireAuthentication::Password(password)), Family::V4, &list));
    assert_eq!(octets[4], 1);
    assert_eq!(octets[12..20], password);
    let router = Expectation {
        authentication: Authentication::Password(password),
        ..expectation(Version::V2, Family::V4, &list)
    };
    assert!(verdict("v2-03-pass-master", &router).is_ok());
    // Each octet counts, the padding too.
    for at in 0..8 {
        let mut other = password;
        other[at] ^= 0x80;
        let router = Expectation { authentication: Authentication::Password(other), ..router };
        assert_eq!(verdict("v2-03-pass-master", &router), Err(Reject::AuthFailed), "octet {at}");
    }
    // Two differences do not make up for each other.
    let other = password.map(|octet| octet ^ 0x80);
    let router = Expectation { authentication: Authentication::Password(other), ..router };
    assert_eq!(verdict("v2-03-pass-master", &router), Err(Reject::AuthFailed));
}

/// vrrp:G-1
#[test]
fn g_1_gratuitous_arp_is_a_broadcast_request() {
    let mut frame = [0xaa; arp::FRAME_LEN];
    let announcement = arp::Repr::gratuitous(MAC, Ipv4Addr::new(192, 0, 2, 100));
    assert_eq!(announcement.emit_frame(&mut frame), Ok(42));
    let mut expected = vec![0xff; 6];
    expected.extend(MAC.0);
    expected.extend([0x08, 0x06, 0, 1, 0x08, 0x00, 6, 4, 0, 1]);
    expected.extend(MAC.0);
    expected.extend([192, 0, 2, 100]);
    expected.extend([0xff; 6]);
    expected.extend([192, 0, 2, 100]);
    assert_eq!(frame[..], expected);
}

/// vrrp:G-2
#[test]
fn g_2_announced_mac_is_the_frames_source() {
    let vrid = Vrid::new(60).unwrap();
    for mac in [MAC, Mac::virtual_router(Family::V4, vrid)] {
        let mut frame = [0; arp::FRAME_LEN];
        let address = Ipv4Addr::new(192, 0, 2, 100);
        arp::Repr::gratuitous(mac, address).emit_frame(&mut frame).unwrap();
        assert_eq!((&frame[6..12], &frame[22..28]), (&mac.0[..], &mac.0[..]));
    }
    for mac in [MAC, Mac::virtual_router(Family::V6, vrid)] {
        let mut frame = [0; ndisc::FRAME_LEN];
        let address = "2001:db8::100".parse().unwrap();
        ndisc::Repr::unsolicited(mac, address, false).emit_frame(&mut frame).unwrap();
        assert_eq!((&frame[6..12], &frame[80..86]), (&mac.0[..], &mac.0[..]));
    }
}

/// vrrp:G-3
#[test]
fn g_3_unsolicited_neighbour_advertisement() {
    let address: Ipv6Addr = "2001:db8::100".parse().unwrap();
    for (forwards, flags) in [(false, 0x20), (true, 0xa0)] {
        let mut frame = [0xaa; ndisc::FRAME_LEN];
        let announcement = ndisc::Repr::unsolicited(MAC, address, forwards);
        assert_eq!(announcement.emit_frame(&mut frame), Ok(86));
        assert_eq!(frame[..6], [0x33, 0x33, 0, 0, 0, 1]);
        assert_eq!(frame[18..22], [0, 32, 58, 255], "length, ICMPv6, hop limit");
        assert_eq!(frame[22..38], address.octets(), "source");
        assert_eq!(frame[38..54], "ff02::1".parse::<Ipv6Addr>().unwrap().octets());
        assert_eq!(frame[54..56], [136, 0], "type and code");
        assert_eq!(frame[58..62], [flags, 0, 0, 0]);
        assert_eq!(frame[62..78], address.octets(), "target");
        assert_eq!(frame[78..80], [2, 1], "target link-layer address, one unit of 8 octets");
        assert_eq!(frame[80..], MAC.0);
        let mut covered = frame[22..54].to_vec();
        covered.extend([0, 0, 0, 32, 0, 0, 0, 58]);
        covered.extend(&frame[54..]);
        assert_eq!(slow_checksum(&covered), 0);
    }
}
