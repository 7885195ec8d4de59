use super::*;

const SOURCE: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));

fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn repr(format: Format, addresses: Addresses<'_>) -> Repr<'_> {
    Repr {
        format,
        vrid: Vrid::new(51).unwrap(),
        priority: Priority(200),
        interval: Centiseconds::SECOND,
        addresses,
    }
}

fn emit(repr: &Repr<'_>, pseudo: Option<PseudoHeader>) -> Vec<u8> {
    let mut octets = vec![0xaa; repr.buffer_len()];
    assert_eq!(repr.emit(pseudo, &mut octets), Ok(octets.len()));
    octets
}

#[test]
fn round_trip_of_every_format() {
    let list = [address("192.0.2.100"), address("2001:db8::1"), address("192.0.2.101")];
    let formats = [
        (Format::V2(Authentication::None), Family::V4, 24),
        (Format::V2(Authentication::Password(*b"secret\0\0")), Family::V4, 24),
        (Format::V2(Authentication::Header), Family::V4, 24),
        (Format::V3, Family::V4, 16),
        (Format::V3, Family::V6, 24),
    ];
    for (format, family, len) in formats {
        let repr = repr(format, Addresses::of_family(family, &list));
        let pseudo = PseudoHeader::new(group(family), group(family));
        let octets = emit(&repr, pseudo);
        assert_eq!(octets.len(), len, "{format:?} {family}");
        let packet = Packet::new_checked(&octets[..]).unwrap();
        assert_eq!(Repr::parse(&packet, family, pseudo), Ok(repr), "{format:?} {family}");
        let mut short = vec![0; octets.len() - 1];
        assert_eq!(repr.emit(pseudo, &mut short), Err(Error::NoRoom));
    }
}

#[test]
fn refuses_what_must_not_be_sent() {
    let list = [address("192.0.2.100")];
    let good = emit(&repr(Format::V3, Addresses::of_family(Family::V4, &list)), None);
    let parse = |octets: &[u8]| {
        let packet = Packet::new_checked(octets)?;
        Repr::parse(&packet, Family::V4, None).map(|repr| repr.vrid)
    };
    let changed = |at: usize, value: u8| {
        let mut octets = good.clone();
        octets[at] = value;
        octets[field::CHECKSUM].fill(0);
        let checksum = Sum::new().octets(&octets).checksum();
        octets[field::CHECKSUM].copy_from_slice(&checksum.to_be_bytes());
        octets
    };
    assert!(parse(&changed(2, 7)).is_ok());
    assert_eq!(parse(&changed(0, 0x41)), Err(Error::Malformed), "version");
    assert_eq!(parse(&changed(0, 0x32)), Err(Error::Malformed), "type");
    assert_eq!(parse(&changed(1, 0)), Err(Error::Malformed), "vrid");
    assert_eq!(parse(&changed(5, 0)), Err(Error::Malformed), "interval");
    assert_eq!(parse(&changed(3, 2)), Err(Error::Truncated), "count");
    assert_eq!(parse(&changed(3, 0)), Err(Error::TooLong), "count");
    assert_eq!(parse(&good[..7]), Err(Error::Truncated));
    let mut bad = good.clone();
    bad[2] ^= 1;
    assert_eq!(parse(&bad), Err(Error::Checksum));

    let mut v2 = emit(
        &repr(Format::V2(Authentication::None), Addresses::of_family(Family::V4, &list)),
        None,
    );
    v2[4] = 3;
    v2[6..8].fill(0);
    let checksum = Sum::new().octets(&v2).checksum();
    v2[6..8].copy_from_slice(&checksum.to_be_bytes());
    assert_eq!(parse(&v2), Err(Error::Malformed), "authentication type");
}

#[test]
fn intervals_saturate_at_what_the_version_can_express() {
    for (interval, v2, v3) in [(0, 1, 1), (1, 1, 1), (100, 1, 100), (101, 2, 101)] {
        assert_eq!(seconds(Centiseconds(interval)), v2);
        assert_eq!(u16::from_be_bytes(centiseconds(Centiseconds(interval))), v3);
    }
    assert_eq!(seconds(Centiseconds(25_500)), 255);
    assert_eq!(seconds(Centiseconds(u16::MAX)), 255);
    assert_eq!(u16::from_be_bytes(centiseconds(Centiseconds(u16::MAX))), 4095);
}

#[test]
fn more_than_255_addresses_do_not_fit() {
    let list = vec![address("192.0.2.100"); 256];
    let fits = repr(Format::V3, Addresses::of_family(Family::V4, &list[..255]));
    let packet = emit(&fits, None);
    assert_eq!(packet.len(), 8 + 4 * 255);
    let too_many = repr(Format::V3, Addresses::of_family(Family::V4, &list));
    let mut buffer = [0; 2000];
    assert_eq!(too_many.emit(None, &mut buffer), Err(Error::TooLong));
    assert!(matches!(
        Template::new(&too_many, SOURCE, group(Family::V4), 255, None),
        Err(Error::TooLong)
    ));
}

/// `vrrp:C-6`: a template that was changed many times equals one that was built anew.
#[test]
fn template_equals_a_full_recomputation() {
    let list = [address("192.0.2.100"), address("2001:db8::1"), address("fe80::5:0:51")];
    let formats = [
        (Format::V2(Authentication::None), Family::V4, SOURCE),
        (Format::V2(Authentication::Password(*b"secret\0\0")), Family::V4, SOURCE),
        (Format::V3, Family::V4, SOURCE),
        (Format::V3, Family::V6, address("fe80::1")),
    ];
    for (format, family, source) in formats {
        for pseudo in [None, PseudoHeader::new(source, group(family))] {
            let base = repr(format, Addresses::of_family(family, &list));
            let build =
                |repr: &Repr<'_>| Template::new(repr, source, group(family), 255, pseudo).unwrap();
            let mut template = build(&base);
            for priority in 0..=255 {
                for interval in (0..5000_u16).step_by(61).chain([100, 1, 4095, 25_500, u16::MAX]) {
                    let (priority, interval) = (Priority(priority), Centiseconds(interval));
                    template.set(priority, interval);
                    let anew = build(&Repr { priority, interval, ..base });
                    assert_eq!(template.as_bytes(), anew.as_bytes(), "{priority} {interval}");
                }
            }
            let packet = Packet::new_checked(template.message()).unwrap();
            assert!(packet.checksum_is_good(pseudo));
        }
    }
}

#[test]
fn template_wants_one_family() {
    let list = [address("192.0.2.100")];
    let v4 = repr(Format::V3, Addresses::of_family(Family::V4, &list));
    for (source, destination) in [
        (SOURCE, group(Family::V6)),
        (address("fe80::1"), group(Family::V4)),
        (address("fe80::1"), group(Family::V6)),
    ] {
        assert!(matches!(
            Template::new(&v4, source, destination, 255, None),
            Err(Error::Malformed)
        ));
    }
}

/// The list is read in place: what is not of the family is left out.
#[test]
fn addresses_of_one_family() {
    let list = [address("192.0.2.100"), address("2001:db8::1")];
    assert_eq!(format!("{:?}", Addresses::of_family(Family::V6, &list)), "[2001:db8::1]");
    assert_eq!(Addresses::of_family(Family::V4, &list).iter().count(), 1);
}

#[test]
fn addresses_are_equal_when_family_list_and_order_are() {
    let list = [address("192.0.2.100"), address("192.0.2.101")];
    let of = |list| Addresses::of_family(Family::V4, list);
    let (same, backwards) = (list, [list[1], list[0]]);
    assert_eq!(of(&list), of(&same));
    for other in [&backwards[..], &list[..1], &[]] {
        assert_ne!(of(&list), of(other));
    }
    assert_ne!(of(&[]), Addresses::of_family(Family::V6, &[]));
}

#[test]
fn display() {
    let list = [address("192.0.2.100"), address("192.0.2.101")];
    let addresses = Addresses::of_family(Family::V4, &list);
    let v2 = repr(Format::V2(Authentication::Password(*b"secret\0\0")), addresses);
    assert_eq!(
        v2.to_string(),
        "VRRPv2 vrid 51 priority 200 interval 1.00 s with password addresses 192.0.2.100, \
         192.0.2.101"
    );
    assert!(!format!("{v2:?}").contains("115"), "no password in debug output");
    let octets = emit(&repr(Format::V3, Addresses::of_family(Family::V4, &[])), None);
    let packet = Packet::new_checked(&octets[..]).unwrap();
    assert_eq!(packet.checksum().to_be_bytes(), octets[6..8]);
    assert_eq!(
        packet.to_string(),
        format!(
            "VRRPv3 type 1 vrid 51 priority 200 count 0 interval 1.00 s checksum {:04x}",
            packet.checksum()
        )
    );
}
