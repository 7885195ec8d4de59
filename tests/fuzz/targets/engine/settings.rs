//! Settings as a checked configuration may give them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use steadfast::net::VirtualAddress;
use steadfast::units::{Centiseconds, Family, Priority, Version, Vrid};
use steadfast::vrrp::settings::{
    Announce, Authentication, Checksum, GroupSettings, InstanceSettings, Object, OnForeignRemoval,
    Pacing, Preempt, Settings, SourceAddresses, Track, Tracker,
};

use super::super::input::Input;

/// The interfaces that instances are on.
pub const INTERFACES: [&str; 2] = ["eth0", "eth1"];
/// The identifier of the first instance.
pub const FIRST_VRID: u8 = 51;

/// An address of a small world: the highest bit is the family, the others the host.
pub fn address(number: u8) -> IpAddr {
    let host = number & 0x7f;
    if number & 0x80 == 0 {
        Ipv4Addr::new(192, 0, 2, host + 1).into()
    } else {
        Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, u16::from(host) + 1).into()
    }
}

/// Up to three instances, perhaps in a group.
pub fn some(input: &mut Input<'_>) -> Settings {
    let shape = input.u8();
    let count = 1 + shape % 3;
    let instances: Vec<_> = (0..count).map(|number| instance(number, input)).collect();
    let grouped = shape & 0x10 != 0;
    let members = instances.iter().map(|instance| instance.name.clone()).collect();
    let track = if shape & 0x20 != 0 { vec![track(input)] } else { Vec::new() };
    let group = GroupSettings { name: "g".into(), members, track };
    Settings {
        instances,
        groups: if grouped { vec![group] } else { Vec::new() },
        startup_delay: if shape & 0x40 != 0 { length(input) } else { Duration::ZERO },
    }
}

/// From nothing to some minutes.
fn length(input: &mut Input<'_>) -> Duration {
    match input.u8() % 40 {
        0 => Duration::ZERO,
        exponent => Duration::from_nanos(1 << exponent),
    }
}

fn track(input: &mut Input<'_>) -> Track {
    let tracker = match input.u8() % 4 {
        0 => Tracker::Interface("eth0".into()),
        1 => Tracker::Interface("wan".into()),
        2 => Tracker::Named("script".into()),
        _ => Tracker::Named("file".into()),
    };
    let weight = i16::from_le_bytes(input.array()).clamp(-254, 254);
    Track { tracker, weight, reverse: input.flag() }
}

fn instance(number: u8, input: &mut Input<'_>) -> InstanceSettings {
    let [kind, more, manners] = input.array();
    let version = if kind & 1 == 0 { Version::V3 } else { Version::V2 };
    let families: &[Family] = match (version, kind & 6) {
        (Version::V2, _) | (Version::V3, 0) => &[Family::V4],
        (Version::V3, 2) => &[Family::V6],
        (Version::V3, _) => &Family::ALL,
    };
    let priority = Priority(match input.u8() {
        0 => Priority::OWNER.0,
        other => other,
    });
    let interval = match (version, input.u8()) {
        (Version::V2, seconds) => Centiseconds(u16::from(seconds).clamp(1, 40) * 100),
        (Version::V3, 0) => Centiseconds::SECOND,
        (Version::V3, 255) => Centiseconds::MAX_V3,
        (Version::V3, other) => Centiseconds(other.into()),
    };
    let strict = kind & 0x80 != 0;
    // So that the addresses of no two instances are the same.
    let own = 32 * (number + 1);
    let mut objects = Vec::new();
    if manners & 1 != 0 && !priority.is_owner() {
        objects.push(Object::Filter);
    }
    for family in families {
        let high = if *family == Family::V6 { 0x80 } else { 0 };
        for host in 0..1 + (more & 3) {
            let address = address(high | (own + host));
            let mut address = VirtualAddress::new(address, if high == 0 { 24 } else { 64 });
            address.track = manners & 2 == 0;
            let excluded = host > 0 && more & 4 != 0;
            objects.push(if excluded {
                Object::Excluded(address)
            } else {
                Object::Address(address)
            });
        }
    }
    let peers: Vec<_> = if kind & 0x10 != 0 {
        let high = if families == [Family::V6] { 0x80 } else { 0 };
        [1, 2].map(|host| address(high | host)).into()
    } else {
        Vec::new()
    };
    // In the order in which the octets of the input are used.
    let down_timer_adverts = if more & 0x10 == 0 { 3 } else { 1 + input.u8() % 100 };
    let preempt_delay = match (kind >> 5) & 3 {
        3 if !priority.is_owner() => length(input),
        _ => Duration::ZERO,
    };
    let (announce, pacing) = announce(input);
    InstanceSettings {
        name: format!("v{number}").into(),
        interface: INTERFACES[usize::from(more >> 3) % 2].into(),
        vrid: Vrid::new(FIRST_VRID + number).expect("not 0"),
        version,
        priority,
        interval,
        down_timer_adverts,
        preempt: match (kind >> 5) & 3 {
            1 if !priority.is_owner() => Preempt::Off,
            2 if !priority.is_owner() => Preempt::Immediate,
            _ => Preempt::On,
        },
        preempt_delay,
        source: SourceAddresses::NONE,
        objects,
        authentication: if version == Version::V2 && kind & 8 != 0 {
            Authentication::Password(*b"secret\0\0")
        } else {
            Authentication::None
        },
        checksum: match more >> 6 {
            0 => Checksum::PseudoHeader,
            1 => Checksum::PseudoHeaderStrict,
            2 => Checksum::OldUnicast,
            _ => Checksum::MessageOnly,
        },
        check_unicast_source: !peers.is_empty() && manners & 4 != 0,
        unicast_peers: peers,
        skip_check_adv_addr: manners & 8 != 0,
        announce,
        pacing,
        lower_prio_no_advert: manners & 0x10 != 0 || strict,
        higher_prio_send_advert: manners & 0x20 != 0 && !strict,
        owner_ignore_adverts: manners & 0x40 != 0,
        strict,
        timer_expired_backup: ((kind >> 5) & 3 == 1 && manners & 0x80 != 0).then_some(priority),
        on_foreign_removal: if more & 0x20 == 0 {
            OnForeignRemoval::Restore
        } else {
            OnForeignRemoval::Backup
        },
        resume_within: None,
        backups: (kind & 0x40 != 0).then_some(1),
        hand_over: version == Version::V3 && !strict,
        dont_track_primary: manners & 0x11 == 0x11,
        track: if kind & 0x0c == 0x0c { vec![track(input)] } else { Vec::new() },
    }
}

fn announce(input: &mut Input<'_>) -> (Announce, Pacing) {
    let [repeat, bits] = input.array();
    let delay = |bit: u8, length: Duration| if bits & bit == 0 { Duration::ZERO } else { length };
    let announce = Announce {
        repeat: repeat & 7,
        delay: delay(1, Duration::from_secs(5)),
        refresh: delay(2, Duration::from_secs(3)),
        refresh_repeat: 1 + (repeat >> 6),
        lower_prio_repeat: (repeat >> 3) & 7,
        lower_prio_delay: delay(4, Duration::from_secs(1)),
        probe: delay(64, Duration::from_millis(500)),
    };
    let garp_interval = delay(8, Duration::from_millis(7));
    let gna_interval = delay(16, Duration::from_millis(11));
    (announce, Pacing { garp_interval, gna_interval })
}
