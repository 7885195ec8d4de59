//! What a scenario runs: nodes, segments and the two generations of their configuration.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use steadfast::net::VirtualAddress;
use steadfast::units::{Centiseconds, Family, Priority, Version, Vrid};
use steadfast::vrrp::settings::{
    Announce, Authentication, Checksum, InstanceSettings, Object, OnForeignRemoval, Pacing,
    Preempt, Settings, SourceAddresses,
};

/// Which of the two configurations of a node.
pub type Generation = usize;

/// The whole of a scenario's configuration.
#[derive(Clone, Debug)]
pub struct Plan {
    pub segments: usize,
    /// Per node, both generations.
    pub settings: Vec<[Settings; 2]>,
    /// The last octets of each node's addresses: they decide ties.
    pub hosts: Vec<Host>,
    /// Every instance name of any node and generation.
    pub names: Vec<Name>,
    /// The instance, by index into `names`, that an address belongs to.
    pub owners: BTreeMap<IpAddr, usize>,
    /// Nodes may stay in different generations for good.
    pub mixed_is_fine: bool,
    pub times: Times,
}

/// Addresses of a node: 10.{segment}.0.{v4} and fe80::{v6}.
#[derive(Clone, Copy, Debug)]
pub struct Host {
    pub v4: u8,
    pub v6: u8,
}

impl Host {
    pub fn ipv4(self, segment: usize) -> Ipv4Addr {
        Ipv4Addr::new(10, segment as u8, 0, self.v4)
    }

    pub fn ipv6(self) -> Ipv6Addr {
        Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, u16::from(self.v6))
    }

    pub fn address(self, family: Family, segment: usize) -> IpAddr {
        match family {
            Family::V4 => self.ipv4(segment).into(),
            Family::V6 => self.ipv6().into(),
        }
    }
}

/// One instance name.
#[derive(Clone, Debug)]
pub struct Name {
    pub name: Box<str>,
    pub segment: usize,
}

/// The longest times that the configurations allow.
#[derive(Clone, Copy, Debug, Default)]
pub struct Times {
    pub shortest_interval: Duration,
    pub interval: Duration,
    pub down: Duration,
    pub preempt_delay: Duration,
    pub startup: Duration,
    pub announce: Duration,
}

/// The name of a node's interface: one for each segment, then the uplink that is only tracked.
pub fn interface_name(index: usize, segments: usize) -> String {
    if index == segments { "up0".into() } else { format!("eth{index}") }
}

/// Master_Down_Interval (`vrrp:T-1`, `T-2`) with the interval that was learned.
pub fn down_interval(
    version: Version,
    adverts: u8,
    interval: Centiseconds,
    priority: Priority,
) -> Duration {
    interval.duration() * u32::from(adverts) + skew(version, interval, priority)
}

/// Skew_Time.
pub fn skew(version: Version, interval: Centiseconds, priority: Priority) -> Duration {
    let unit = match version {
        Version::V2 => Duration::from_secs(1),
        Version::V3 => interval.duration(),
    };
    unit * (256 - u32::from(priority.0)) / 256
}

/// An instance with every option at its default.
pub fn instance(name: &str, interface: &str, vrid: u8, objects: Vec<Object>) -> InstanceSettings {
    InstanceSettings {
        name: name.into(),
        interface: interface.into(),
        vrid: Vrid::new(vrid).expect("a plan has valid identifiers"),
        version: Version::V3,
        priority: Priority::DEFAULT,
        interval: Centiseconds::SECOND,
        down_timer_adverts: 3,
        preempt: Preempt::On,
        preempt_delay: Duration::ZERO,
        source: SourceAddresses::NONE,
        objects,
        authentication: Authentication::None,
        checksum: Checksum::PseudoHeader,
        unicast_peers: Vec::new(),
        check_unicast_source: false,
        skip_check_adv_addr: false,
        announce: Announce {
            repeat: 2,
            delay: Duration::from_millis(500),
            refresh: Duration::ZERO,
            refresh_repeat: 1,
            lower_prio_repeat: 2,
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

/// A virtual address of an instance.
pub fn address(family: Family, segment: usize, vrid: u8, number: u8) -> IpAddr {
    match family {
        Family::V4 => Ipv4Addr::new(10, segment as u8, vrid, number).into(),
        Family::V6 if number == 1 => {
            Ipv6Addr::new(0xfe80, 0, 0, 0, 1, segment as u16, vrid.into(), 1).into()
        }
        Family::V6 => Ipv6Addr::new(
            0x2001,
            0xdb8,
            segment as u16,
            0,
            0,
            0,
            u16::from(vrid),
            u16::from(number),
        )
        .into(),
    }
}

/// A virtual address as an object.
pub fn held(family: Family, segment: usize, vrid: u8, number: u8) -> VirtualAddress {
    let bits = match family {
        Family::V4 => 24,
        Family::V6 => 64,
    };
    VirtualAddress::new(address(family, segment, vrid, number), bits)
}

impl Plan {
    /// Derives everything else from the settings.
    pub fn new(segments: usize, hosts: Vec<Host>, settings: Vec<[Settings; 2]>) -> Self {
        let mut names: Vec<Name> = Vec::new();
        let mut owners = BTreeMap::new();
        let mut times = Times { shortest_interval: Duration::MAX, ..Times::default() };
        for generation in settings.iter().flatten() {
            times.startup = times.startup.max(generation.startup_delay);
            for instance in &generation.instances {
                let index =
                    names.iter().position(|n| n.name == instance.name).unwrap_or_else(|| {
                        let segment = (0..segments)
                            .find(|s| interface_name(*s, segments) == *instance.interface)
                            .expect("an instance runs on a segment");
                        names.push(Name { name: instance.name.clone(), segment });
                        names.len() - 1
                    });
                for address in instance.objects.iter().filter_map(Object::announced) {
                    owners.insert(address, index);
                }
                times.learn(instance);
            }
        }
        Self { segments, settings, hosts, names, owners, mixed_is_fine: true, times }
    }

    pub fn nodes(&self) -> usize {
        self.settings.len()
    }

    /// The settings of an instance in one generation of a node.
    pub fn instance(
        &self,
        node: usize,
        generation: Generation,
        name: usize,
    ) -> Option<&InstanceSettings> {
        let name = &self.names[name].name;
        self.settings[node][generation].instances.iter().find(|i| i.name == *name)
    }

    /// The members of the instance's group, itself included, as indexes into `names`.
    pub fn group(&self, node: usize, generation: Generation, name: usize) -> Vec<usize> {
        let settings = &self.settings[node][generation];
        let of = |wanted: &str| self.names.iter().position(|n| *n.name == *wanted);
        settings
            .groups
            .iter()
            .find(|g| g.members.contains(&self.names[name].name))
            .map_or_else(|| vec![name], |g| g.members.iter().filter_map(|m| of(m)).collect())
    }
}

impl Times {
    fn learn(&mut self, instance: &InstanceSettings) {
        let interval = instance.interval.duration();
        self.shortest_interval = self.shortest_interval.min(interval);
        self.interval = self.interval.max(interval);
        // With the longest interval of all: that may be learned.
        self.down = self.down.max(down_interval(
            instance.version,
            instance.down_timer_adverts,
            Centiseconds::from_duration(self.interval).expect("an interval is in hundredths"),
            Priority::LOWEST,
        ));
        match instance.preempt {
            Preempt::On => self.preempt_delay = self.preempt_delay.max(instance.preempt_delay),
            Preempt::Off | Preempt::Immediate => {}
        }
        let a = &instance.announce;
        let pacing = instance.pacing;
        let spacing = pacing.garp_interval.max(pacing.gna_interval)
            * u32::try_from(instance.objects.len()).expect("few objects")
            * u32::from(a.repeat.max(a.lower_prio_repeat).max(a.refresh_repeat));
        self.announce =
            self.announce.max(a.delay.max(a.lower_prio_delay).max(a.refresh) + 4 * spacing);
    }
}
