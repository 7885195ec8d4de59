//! What the tests start from: settings, and other routers' adverts.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use steadfast::net::VirtualAddress;
use steadfast::units::{Centiseconds, Family, Priority, Version, Vrid};
use steadfast::vrrp::settings::*;
use steadfast::vrrp::validation::pseudo_header;
use steadfast::vrrp::{InterfaceId, Received};
use steadfast::wire::vrrp::{Addresses, Authentication as WireAuthentication, Format, Repr, group};

pub const fn v4(last: u8) -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(192, 0, 2, last))
}

pub fn link_local(last: u8) -> IpAddr {
    IpAddr::V6(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, u16::from(last)))
}

/// The real address of a router on the link.
pub fn host(family: Family, last: u8) -> IpAddr {
    match family {
        Family::V4 => v4(last),
        Family::V6 => link_local(last),
    }
}

pub const fn address(last: u8) -> Object {
    Object::Address(VirtualAddress::new(v4(last), 24))
}

pub const fn excluded(last: u8) -> Object {
    Object::Excluded(VirtualAddress::new(v4(last), 32))
}

pub fn address6(last: u8) -> Object {
    Object::Address(VirtualAddress::new(link_local(last), 64))
}

/// An instance as most tests want it: version 3, IPv4, priority 100, one second, 192.0.2.100.
pub fn instance(name: &str) -> InstanceSettings {
    InstanceSettings {
        name: name.into(),
        interface: "eth0".into(),
        vrid: Vrid::new(51).unwrap(),
        version: Version::V3,
        priority: Priority(100),
        interval: Centiseconds(100),
        down_timer_adverts: 3,
        preempt: Preempt::On,
        preempt_delay: Duration::ZERO,
        source: SourceAddresses::NONE,
        objects: vec![address(100)],
        authentication: Authentication::None,
        checksum: Checksum::PseudoHeader,
        unicast_peers: Vec::new(),
        check_unicast_source: false,
        skip_check_adv_addr: false,
        announce: Announce {
            repeat: 1,
            delay: Duration::ZERO,
            refresh: Duration::ZERO,
            refresh_repeat: 1,
            lower_prio_repeat: 0,
            lower_prio_delay: Duration::ZERO,
            probe: Duration::ZERO,
        },
        pacing: Pacing { garp_interval: Duration::ZERO, gna_interval: Duration::ZERO },
        lower_prio_no_advert: false,
        higher_prio_send_advert: false,
        owner_ignore_adverts: false,
        strict: false,
        timer_expired_backup: None,
        on_foreign_removal: OnForeignRemoval::Restore,
        resume_within: None,
        backups: None,
        hand_over: true,
        dont_track_primary: false,
        track: Vec::new(),
    }
}

/// The same for another family.
pub fn instance_of(family: Family) -> InstanceSettings {
    let objects = match family {
        Family::V4 => vec![address(100)],
        Family::V6 => vec![address6(100)],
    };
    InstanceSettings { objects, ..instance("a") }
}

/// An instance with virtual routers of both families.
pub fn both() -> InstanceSettings {
    InstanceSettings { objects: vec![address(100), address6(100)], ..instance("a") }
}

pub fn settings(instances: Vec<InstanceSettings>) -> Settings {
    Settings { instances, ..Settings::default() }
}

/// Two instances, "a" on eth0 and "b" on eth1, in one group.
pub fn pair() -> Settings {
    let b =
        InstanceSettings { interface: "eth1".into(), objects: vec![address(200)], ..instance("b") };
    Settings {
        groups: vec![GroupSettings {
            name: "g".into(),
            members: vec!["a".into(), "b".into()],
            track: Vec::new(),
        }],
        ..settings(vec![instance("a"), b])
    }
}

/// An advert of another router.
#[derive(Clone, Debug)]
pub struct Peer {
    pub interface: &'static str,
    pub family: Family,
    pub source: IpAddr,
    pub destination: IpAddr,
    pub version: Version,
    pub vrid: u8,
    pub priority: u8,
    pub interval: u16,
    pub addresses: Vec<IpAddr>,
    pub hop_limit: u8,
    /// What the sender takes for the destination in the checksum.
    pub summed: IpAddr,
}

/// An advert of 192.0.2.`last`, version 3, one second, for the default instance.
pub fn peer(last: u8, priority: u8) -> Peer {
    peer_of(Family::V4, last, priority)
}

pub fn peer_of(family: Family, last: u8, priority: u8) -> Peer {
    Peer {
        interface: "eth0",
        family,
        source: host(family, last),
        destination: group(family),
        version: Version::V3,
        vrid: 51,
        priority,
        interval: 100,
        addresses: vec![host(family, 100)],
        hop_limit: 255,
        summed: group(family),
    }
}

impl Peer {
    pub fn on(mut self, interface: &'static str) -> Self {
        self.interface = interface;
        self
    }

    pub fn every(mut self, centiseconds: u16) -> Self {
        self.interval = centiseconds;
        self
    }

    pub fn version(mut self, version: Version) -> Self {
        self.version = version;
        self
    }

    pub fn addresses(mut self, addresses: &[IpAddr]) -> Self {
        self.addresses = addresses.to_vec();
        self
    }

    pub fn octets(&self) -> Vec<u8> {
        let format = match self.version {
            Version::V2 => Format::V2(WireAuthentication::None),
            Version::V3 => Format::V3,
        };
        let repr = Repr {
            format,
            vrid: Vrid::new(self.vrid).unwrap(),
            priority: Priority(self.priority),
            interval: Centiseconds(self.interval),
            addresses: Addresses::of_family(self.family, &self.addresses),
        };
        let covered = pseudo_header(
            self.version,
            Checksum::PseudoHeader,
            false,
            self.source,
            self.summed,
            group(self.family),
        );
        let mut octets = vec![0; repr.buffer_len()];
        repr.emit(covered, &mut octets).unwrap();
        octets
    }
}

/// What a socket would deliver.
pub fn received<'a>(interface: InterfaceId, peer: &Peer, octets: &'a [u8]) -> Received<'a> {
    let header = match peer.family {
        Family::V4 => 20,
        Family::V6 => 0,
    };
    Received {
        interface,
        source: peer.source,
        destination: peer.destination,
        hop_limit: peer.hop_limit,
        ip_header_len: header,
        ip_total_len: header + octets.len(),
        received_len: header + octets.len(),
        authenticated: false,
        message: octets,
    }
}
