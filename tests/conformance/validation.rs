//! Rules about received packets: section 4. They use the captured vectors, which are changed where a rule
//! needs a packet that no implementation sends.

use std::net::IpAddr;

use steadfast::units::{Centiseconds, Family, Priority, Version};
use steadfast::vrrp::settings::{Authentication, Checksum};
use steadfast::vrrp::validation::{AddressCheck, Advert, Expectation, Reject, peek_vrid, validate};
use steadfast::vrrp::{InterfaceId, Received};
use steadfast::wire::vrrp::{Addresses, Format, Repr, group};

use crate::vectors::{addresses, expectation, load, received, verdict};

const PASSWORD: Authentication = Authentication::Password(*b"s3cr3t\0\0");
/// Where the IP header and the message begin in the frames of the vectors.
const IP: usize = 14;
const MESSAGE_V4: usize = 34;
const MESSAGE_V6: usize = 54;

fn own_v4() -> [IpAddr; 1] {
    addresses(["192.0.2.100"])
}

fn own_v6() -> [IpAddr; 2] {
    addresses(["fe80::5:0:51", "2001:db8::100"])
}

/// Changes a frame and puts the checksum right again, by the change of the octet.
fn set(frame: &mut [u8], message_at: usize, octet: usize, value: u8) {
    let word_at = message_at + octet / 2 * 2;
    let word = |frame: &[u8], at: usize| u16::from_be_bytes([frame[at], frame[at + 1]]);
    let old = word(frame, word_at);
    frame[message_at + octet] = value;
    let new = word(frame, word_at);
    let sum = steadfast::wire::checksum::update(word(frame, message_at + 6), old, new);
    frame[message_at + 6..message_at + 8].copy_from_slice(&sum.to_be_bytes());
}

/// Validates a frame as its socket delivers it.
fn check(frame: &[u8], expectation: &Expectation<'_>) -> Result<Advert, Reject> {
    validate(expectation, &received(frame)?)
}

/// vrrp:V-21
#[test]
fn v_21_a_packet_without_a_whole_header_is_too_short() {
    let own = own_v4();
    let router = expectation(Version::V3, Family::V4, &own);
    let frame = load("v3-01-ipv4-master");
    for len in IP..MESSAGE_V4 + 8 {
        assert_eq!(check(&frame[..len], &router), Err(Reject::TooShort), "{len} octets");
    }
    let whole = received(&frame[..MESSAGE_V4 + 8]).unwrap();
    assert_eq!(peek_vrid(&whole), Ok(56));
    assert_eq!(validate(&router, &whole), Err(Reject::Length));
    // Who delivers says that less was received than it hands over.
    let less = Received { received_len: 27, ..whole };
    assert_eq!(peek_vrid(&less), Err(Reject::TooShort));
    // With an authentication header, 24 octets more.
    let frame = load("v2-04-ah-seq1");
    for len in IP..MESSAGE_V4 + 24 + 8 {
        let seen = received(&frame[..len]).and_then(|packet| peek_vrid(&packet));
        assert_eq!(seen, Err(Reject::TooShort), "{len} octets");
    }
    assert_eq!(peek_vrid(&received(&frame[..MESSAGE_V4 + 24 + 8]).unwrap()), Ok(53));
    let whole = received(&frame).unwrap();
    let less = Received { received_len: 20 + 24 + 7, ..whole };
    assert_eq!(peek_vrid(&less), Err(Reject::TooShort));
    let v6 = load("v3-20-ipv6-master");
    let router = expectation(Version::V3, Family::V6, &own);
    assert_eq!(check(&v6[..MESSAGE_V6 + 7], &router), Err(Reject::TooShort));
}

/// vrrp:V-25
#[test]
fn v_25_ipv6_destination_fits_the_kind_of_instance() {
    let own = own_v6();
    let multicast = expectation(Version::V3, Family::V6, &own);
    let unicast = Expectation { unicast: true, ..multicast };
    assert!(verdict("v3-20-ipv6-master", &multicast).is_ok());
    assert_eq!(verdict("v3-20-ipv6-master", &unicast), Err(Reject::Ipv6Destination));

    // To a unicast address, with the checksum that belongs to it.
    let [source, destination] = addresses(["fe80::1", "fe80::2"]);
    let repr = Repr {
        format: Format::V3,
        vrid: steadfast::units::Vrid::new(81).unwrap(),
        priority: Priority(200),
        interval: Centiseconds::SECOND,
        addresses: Addresses::of_family(Family::V6, &own),
    };
    let mut message = vec![0; repr.buffer_len()];
    let covered = steadfast::wire::checksum::PseudoHeader::new(source, destination);
    repr.emit(covered, &mut message).unwrap();
    let packet = Received::from_ipv6(InterfaceId::new(1), source, destination, 64, &message);
    assert!(validate(&unicast, &packet).is_ok());
    assert_eq!(validate(&multicast, &packet), Err(Reject::Ipv6Destination));
    // Before everything else, even the length.
    let cut = Received { message: &message[..12], received_len: 12, ..packet };
    assert_eq!(validate(&multicast, &cut), Err(Reject::Ipv6Destination));
}

/// vrrp:V-26
#[test]
fn v_26_authentication_header_only_where_it_is_configured() {
    let own = own_v4();
    let router = expectation(Version::V2, Family::V4, &own);
    for authentication in [Authentication::None, PASSWORD] {
        let router = Expectation { authentication, ..router };
        assert_eq!(verdict("v2-04-ah-seq1", &router), Err(Reject::AhMismatch));
    }
    // Without the header, but with its type in the message.
    let mut frame = load("v2-01-noauth-master");
    set(&mut frame, MESSAGE_V4, 4, 2);
    assert_eq!(check(&frame, &router), Err(Reject::AuthTypeMismatch));
}

/// vrrp:V-27
#[test]
fn v_27_length_follows_the_received_version_and_count() {
    let own = own_v4();
    for (name, version) in
        [("v2-01-noauth-master", Version::V2), ("v3-01-ipv4-master", Version::V3)]
    {
        let router = expectation(version, Family::V4, &own);
        assert!(verdict(name, &router).is_ok());
        for count in [0, 2, 255] {
            let mut frame = load(name);
            set(&mut frame, MESSAGE_V4, 3, count);
            assert_eq!(check(&frame, &router), Err(Reject::Length), "{name} count {count}");
        }
    }
    // A version 2 packet has the length of version 2, also for a router of version 3: it is the
    // version that is wrong, not the length.
    let v3 = expectation(Version::V3, Family::V4, &own);
    assert_eq!(verdict("v2-01-noauth-master", &v3), Err(Reject::Version));
    assert_eq!(verdict("neg-05-count-too-big", &v3), Err(Reject::Length));
    // The message comes after the options of the IP header.
    let mut frame = load("v3-01-ipv4-master");
    frame.splice(MESSAGE_V4..MESSAGE_V4, [1, 1, 1, 0]);
    frame[IP] = 0x46;
    let total = u16::from_be_bytes([frame[IP + 2], frame[IP + 3]]) + 4;
    frame[IP + 2..IP + 4].copy_from_slice(&total.to_be_bytes());
    let router = expectation(Version::V3, Family::V4, &own);
    assert!(check(&frame, &router).is_ok(), "{:?}", check(&frame, &router));
    assert_eq!(received(&frame).map(|packet| packet.message.len()), Ok(12));
}

/// vrrp:V-29
#[test]
fn v_29_other_lengths_only_as_ethernet_padding() {
    let own = own_v4();
    let router = expectation(Version::V3, Family::V4, &own);
    let frame = load("v3-01-ipv4-master");
    let expected = frame.len() - IP;
    assert_eq!(expected, 32);
    // 46 octets are what an untagged frame is padded to, 42 one with a VLAN tag, 38 with two.
    for padding in 1..=20 {
        let mut padded = frame.clone();
        padded.extend(vec![0; padding]);
        let verdict = check(&padded, &router).map(|_| ());
        let wanted = if padding % 4 == 2 { Ok(()) } else { Err(Reject::Length) };
        assert_eq!(verdict, wanted, "{padding} octets of padding");
    }
    for cut in 1..=4 {
        assert_eq!(check(&frame[..frame.len() - cut], &router), Err(Reject::Length));
    }
    assert_eq!(verdict("neg-16-v3-trailing-4", &router), Err(Reject::Length));
    assert!(verdict("neg-17-padded-60", &router).is_ok());
    // What is longer than the shortest frame is not padded.
    let five = addresses(["192.0.2.101", "192.0.2.102", "10.1.2.3", "192.0.2.104", "192.0.2.105"]);
    let mut long = load("v2-07-five-addresses");
    let router = expectation(Version::V2, Family::V4, &five);
    assert!(check(&long, &router).is_ok());
    long.extend([0; 2]);
    assert_eq!(check(&long, &router), Err(Reject::Length));
    // Neither is IPv6.
    let own = own_v6();
    let mut long = load("v3-21-ipv6-prio0");
    let router = expectation(Version::V3, Family::V6, &own);
    assert!(check(&long, &router).is_ok());
    long.extend([0; 2]);
    assert_eq!(check(&long, &router), Err(Reject::Length));
}

/// vrrp:V-30
#[test]
fn v_30_hop_limit_of_multicast_is_255() {
    let (own, own6) = (own_v4(), own_v6());
    let v4 = expectation(Version::V3, Family::V4, &own);
    assert_eq!(verdict("neg-01-ttl254", &v4), Err(Reject::HopLimit));
    let v6 = expectation(Version::V3, Family::V6, &own6);
    let mut frame = load("v3-20-ipv6-master");
    frame[IP + 7] = 254;
    assert_eq!(check(&frame, &v6), Err(Reject::HopLimit));
    // vrrp:U-3: not from peers.
    let mut frame = load("v3-04-ipv4-unicast");
    frame[IP + 8] = 64;
    assert!(check(&frame, &Expectation { unicast: true, ..v4 }).is_ok());
}

/// vrrp:V-31
#[test]
fn v_31_version_must_equal_the_configured_one() {
    let own = own_v4();
    let v2 = expectation(Version::V2, Family::V4, &own);
    let v3 = expectation(Version::V3, Family::V4, &own);
    assert_eq!(verdict("neg-03-version4", &v3), Err(Reject::Version));
    assert_eq!(verdict("neg-03-version4", &v2), Err(Reject::Version));
    assert_eq!(verdict("neg-14-v3-on-v2-instance", &v2), Err(Reject::Version));
    assert_eq!(verdict("v2-01-noauth-master", &v3), Err(Reject::Version));
}

/// vrrp:V-33
#[test]
fn v_33_authentication_of_version_2() {
    let own = own_v4();
    let none = expectation(Version::V2, Family::V4, &own);
    let password = Expectation { authentication: PASSWORD, ..none };
    assert!(verdict("v2-01-noauth-master", &none).is_ok());
    assert!(verdict("v2-03-pass-master", &password).is_ok());
    assert_eq!(verdict("v2-03-pass-master", &none), Err(Reject::AuthTypeMismatch));
    assert_eq!(verdict("v2-01-noauth-master", &password), Err(Reject::AuthTypeMismatch));
    assert_eq!(verdict("neg-07-v2-authtype1-when-none", &none), Err(Reject::AuthTypeMismatch));
    assert_eq!(verdict("neg-06-v2-bad-password", &password), Err(Reject::AuthFailed));
    for auth_type in 3..=255 {
        let mut frame = load("v2-03-pass-master");
        set(&mut frame, MESSAGE_V4, 4, auth_type);
        assert_eq!(check(&frame, &password), Err(Reject::AuthTypeInvalid), "type {auth_type}");
        assert_eq!(check(&frame, &none), Err(Reject::AuthTypeInvalid), "type {auth_type}");
    }
}

/// vrrp:V-34
#[test]
fn v_34_interval_of_version_2_must_be_ours() {
    let own = own_v4();
    let router = expectation(Version::V2, Family::V4, &own);
    assert_eq!(verdict("neg-08-v2-interval2", &router), Err(Reject::Interval));
    let slow = Expectation { interval: Centiseconds(200), ..router };
    assert!(verdict("neg-08-v2-interval2", &slow).is_ok());
    assert_eq!(verdict("v2-01-noauth-master", &slow), Err(Reject::Interval));
}

/// vrrp:V-35
#[test]
fn v_35_type_must_be_1() {
    let (own, own6) = (own_v4(), own_v6());
    let v3 = expectation(Version::V3, Family::V4, &own);
    assert_eq!(verdict("neg-04-type2", &v3), Err(Reject::Type));
    for (name, message_at, router) in [
        ("v2-01-noauth-master", MESSAGE_V4, expectation(Version::V2, Family::V4, &own)),
        ("v3-01-ipv4-master", MESSAGE_V4, v3),
        ("v3-20-ipv6-master", MESSAGE_V6, expectation(Version::V3, Family::V6, &own6)),
    ] {
        for packet_type in (0..=15).filter(|packet_type| *packet_type != 1) {
            let mut frame = load(name);
            let first = frame[message_at] & 0xf0 | packet_type;
            set(&mut frame, message_at, 0, first);
            assert_eq!(check(&frame, &router), Err(Reject::Type), "{name} {packet_type}");
        }
    }
}

/// vrrp:V-36
#[test]
fn v_36_ip_length_then_interval_then_checksum() {
    let own = own_v4();
    let router = expectation(Version::V3, Family::V4, &own);
    for total_len in [0, 20, 31, 33, 36] {
        let mut frame = load("v3-01-ipv4-master");
        frame[IP + 3] = total_len;
        assert_eq!(check(&frame, &router), Err(Reject::IpLength), "{total_len}");
        // The checksum comes after.
        frame[MESSAGE_V4 + 7] ^= 1;
        assert_eq!(check(&frame, &router), Err(Reject::IpLength), "{total_len}");
    }
    // Where nothing was padded, no other length is padding.
    let five = addresses(["192.0.2.101", "192.0.2.102", "10.1.2.3", "192.0.2.104", "192.0.2.105"]);
    let long = expectation(Version::V2, Family::V4, &five);
    let mut frame = load("v2-07-five-addresses");
    assert_eq!(frame.len() - IP, 56);
    frame[IP + 3] = 46;
    assert_eq!(check(&frame, &long), Err(Reject::IpLength));
    let advert = verdict("neg-09-v3-interval-differs", &router).unwrap();
    assert_eq!((advert.interval_differs, advert.interval), (true, Centiseconds(50)));
    assert_eq!(verdict("neg-02-v3-bad-checksum", &router), Err(Reject::Checksum));
    // Each bit of the message is covered, that of no other test before.
    let frame = load("v3-01-ipv4-master");
    for octet in [1, 2, 5, 6, 7, 8, 11] {
        for bit in 0..8 {
            let mut bad = frame.clone();
            bad[MESSAGE_V4 + octet] ^= 1 << bit;
            assert_eq!(check(&bad, &router), Err(Reject::Checksum), "octet {octet} bit {bit}");
        }
    }
    let v2 = expectation(Version::V2, Family::V4, &own);
    let mut bad = load("v2-01-noauth-master");
    bad[MESSAGE_V4 + 12] ^= 1;
    assert_eq!(check(&bad, &v2), Err(Reject::Checksum), "authentication data are covered");
}

/// vrrp:V-37
#[test]
fn v_37_ipv4_destination_fits_the_kind_of_instance() {
    let own = own_v4();
    for (version, to_group, to_us) in [
        (Version::V2, "v2-01-noauth-master", "v2-08-unicast"),
        (Version::V3, "v3-01-ipv4-master", "v3-04-ipv4-unicast"),
    ] {
        let multicast = expectation(version, Family::V4, &own);
        let unicast = Expectation { unicast: true, ..multicast };
        assert!(verdict(to_group, &multicast).is_ok());
        assert!(verdict(to_us, &unicast).is_ok());
        assert_eq!(verdict(to_us, &multicast), Err(Reject::Ipv4Destination));
        assert_eq!(verdict(to_group, &unicast), Err(Reject::Ipv4Destination));
    }
    let other_group = Expectation {
        group: "224.0.0.81".parse().unwrap(),
        ..expectation(Version::V3, Family::V4, &own)
    };
    assert_eq!(verdict("v3-01-ipv4-master", &other_group), Err(Reject::Ipv4Destination));
    assert_eq!(group(Family::V4).to_string(), "224.0.0.18");
}

/// vrrp:V-38
#[test]
fn v_38_owner_may_ignore_adverts() {
    let own = own_v4();
    let router = expectation(Version::V3, Family::V4, &own);
    for (owner, owner_ignore_adverts, dropped) in
        [(false, false, false), (true, false, false), (false, true, false), (true, true, true)]
    {
        let router = Expectation { owner, owner_ignore_adverts, ..router };
        let verdict = verdict("pos-18-owner255", &router).map(|advert| advert.priority);
        let wanted = if dropped { Err(Reject::OwnerIgnored) } else { Ok(Priority::OWNER) };
        assert_eq!(verdict, wanted, "owner {owner}, ignore {owner_ignore_adverts}");
    }
}

/// vrrp:V-39
#[test]
fn v_39_what_counts_is_told_whole() {
    let own = own_v4();
    let router = expectation(Version::V3, Family::V4, &own);
    let advert = Advert {
        source: "192.0.2.1".parse().unwrap(),
        priority: Priority(140),
        interval: Centiseconds::SECOND,
        interval_differs: false,
        addresses: AddressCheck::Match,
        old_checksum: false,
    };
    assert_eq!(verdict("v3-01-ipv4-master", &router), Ok(advert));
    let stop = Advert { priority: Priority::STOP, ..advert };
    assert_eq!(verdict("v3-02-ipv4-prio0", &router), Ok(stop));
}

/// vrrp:V-40
#[test]
fn v_40_another_list_with_an_address_in_common_is_accepted() {
    let five = addresses(["192.0.2.101", "192.0.2.102", "10.1.2.3", "192.0.2.104", "192.0.2.105"]);
    let compared = |own: &[IpAddr]| {
        let router = expectation(Version::V2, Family::V4, own);
        verdict("v2-07-five-addresses", &router).unwrap().addresses
    };
    assert_eq!(compared(&five), AddressCheck::Match);
    let mut other_order = five;
    other_order.reverse();
    assert_eq!(compared(&other_order), AddressCheck::Match);
    assert_eq!(compared(&five[..4]), AddressCheck::CountDiffers);
    assert_eq!(compared(&five[4..]), AddressCheck::CountDiffers);
    let six = [&five[..], &five[..1]].concat();
    assert_eq!(compared(&six), AddressCheck::CountDiffers);
    for at in 0..5 {
        let mut other = five;
        other[at] = "192.0.2.9".parse().unwrap();
        assert_eq!(compared(&other), AddressCheck::Missing);
    }
    for (check, differs) in [
        (AddressCheck::Match, false),
        (AddressCheck::NotCompared, false),
        (AddressCheck::CountDiffers, true),
        (AddressCheck::Missing, true),
    ] {
        assert_eq!(check.differs(), differs);
    }
    let router = expectation(Version::V2, Family::V4, &five[..1]);
    let skip = Expectation { compare_addresses: false, ..router };
    let name = "v2-07-five-addresses";
    assert_eq!(verdict(name, &skip).unwrap().addresses, AddressCheck::NotCompared);
}

/// vrrp:V-40: without an address in common it is another pair, whether lists are compared or not.
#[test]
fn v_40_a_list_without_any_of_our_addresses_is_refused() {
    let none = addresses(["192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4", "192.0.2.5"]);
    for own in [&none[..], &none[..2], &[]] {
        for compare_addresses in [true, false] {
            let router = expectation(Version::V2, Family::V4, own);
            let router = Expectation { compare_addresses, ..router };
            assert_eq!(verdict("v2-07-five-addresses", &router), Err(Reject::ForeignAddresses));
        }
    }
    // An excluded address is one of ours, though we do not announce it.
    let excluded = addresses(["10.1.2.3", "192.0.2.77"]);
    let router = expectation(Version::V2, Family::V4, &none);
    let router = Expectation { excluded: &excluded, ..router };
    assert_eq!(verdict("v2-07-five-addresses", &router).unwrap().addresses, AddressCheck::Missing);

    let own = own_v4();
    let router = expectation(Version::V3, Family::V4, &own);
    assert_eq!(verdict("neg-15-address-mismatch", &router), Err(Reject::ForeignAddresses));
    // IPv6: a link-local address in common is one.
    let [link_local, global] = own_v6();
    let other = addresses(["2001:db8::7"])[0];
    let compared =
        |own: &[IpAddr]| verdict("v3-20-ipv6-master", &expectation(Version::V3, Family::V6, own));
    assert_eq!(compared(&[link_local, global]).unwrap().addresses, AddressCheck::Match);
    assert_eq!(compared(&[link_local, other]).unwrap().addresses, AddressCheck::Missing);
    assert_eq!(compared(&[other]), Err(Reject::ForeignAddresses));
}

/// vrrp:V-41
#[test]
fn v_41_source_must_be_a_peer_when_that_is_asked_for() {
    let own = own_v4();
    let peers = addresses(["192.0.2.7", "192.0.2.1"]);
    let strangers = addresses(["192.0.2.7", "192.0.2.8"]);
    let router = Expectation {
        unicast: true,
        check_unicast_source: true,
        unicast_peers: &peers,
        checksum: Checksum::PseudoHeaderStrict,
        ..expectation(Version::V3, Family::V4, &own)
    };
    let name = "v3-04-ipv4-unicast";
    assert!(verdict(name, &router).is_ok());
    let other = Expectation { unicast_peers: &strangers, ..router };
    assert_eq!(verdict(name, &other), Err(Reject::NotAPeer));
    assert!(verdict(name, &Expectation { check_unicast_source: false, ..other }).is_ok());
    // A group has no peers.
    let multicast = Expectation { unicast: false, ..other };
    assert!(verdict("v3-01-ipv4-master", &multicast).is_ok());
}
