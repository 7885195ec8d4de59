//! What the routers of a test are told, in the words of each program.

use std::fmt::Write;
use std::time::Duration;

use steadfast::units::Family;

use crate::harness::config;

/// The name of the instance that a test is about.
pub const INSTANCE: &str = "lan";

/// The interface of every router.
pub const INTERFACE: &str = "eth0";

/// Protocol and address family.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Profile {
    /// Version 2.
    V2,
    /// Version 3 over IPv4.
    V3Ipv4,
    /// Version 3 over IPv6.
    V3Ipv6,
}

impl Profile {
    /// The version.
    pub const fn version(self) -> u8 {
        match self {
            Self::V2 => 2,
            Self::V3Ipv4 | Self::V3Ipv6 => 3,
        }
    }

    /// The family.
    pub const fn family(self) -> Family {
        match self {
            Self::V2 | Self::V3Ipv4 => Family::V4,
            Self::V3Ipv6 => Family::V6,
        }
    }

    /// The shortest interval that leaves a busy machine some air. Version 2 has whole seconds.
    pub const fn interval(self) -> Duration {
        match self {
            Self::V2 => Duration::from_secs(1),
            Self::V3Ipv4 | Self::V3Ipv6 => Duration::from_millis(300),
        }
    }
}

/// One virtual router, as one of its routers is told.
#[derive(Clone, Debug)]
pub struct Instance {
    /// What it is called.
    pub name: String,
    /// Protocol and family.
    pub profile: Profile,
    /// Its identifier.
    pub vrid: u8,
    /// The priority.
    pub priority: u8,
    /// The interval.
    pub interval: Duration,
    /// Whether a lower master is left alone.
    pub preempt: bool,
    /// The password; version 2.
    pub password: Option<&'static str>,
    /// How many other routers there are; 0: not said.
    pub backups: u8,
    /// The virtual addresses, with prefix.
    pub addresses: Vec<String>,
}

impl Instance {
    /// The usual one.
    pub fn new(profile: Profile, priority: u8) -> Self {
        let addresses = match profile {
            Profile::V2 | Profile::V3Ipv4 => &["192.0.2.1/24"][..],
            Profile::V3Ipv6 => &["fe80::51/64", "2001:db8::1/64"],
        };
        Self {
            name: INSTANCE.to_owned(),
            profile,
            vrid: 51,
            priority,
            interval: profile.interval(),
            preempt: true,
            password: None,
            backups: 0,
            addresses: addresses.iter().map(|&address| address.to_owned()).collect(),
        }
    }

    /// Another one beside the usual one.
    pub fn beside(profile: Profile, priority: u8) -> Self {
        let addresses = match profile {
            Profile::V2 | Profile::V3Ipv4 => &["192.0.2.11/24"][..],
            Profile::V3Ipv6 => &["fe80::52/64"],
        };
        Self {
            name: "beside".to_owned(),
            vrid: 52,
            addresses: addresses.iter().map(|&address| address.to_owned()).collect(),
            ..Self::new(profile, priority)
        }
    }

    fn for_steadfast(&self) -> config::Instance {
        let instance = config::Instance {
            name: self.name.clone(),
            interface: INTERFACE.to_owned(),
            vrid: self.vrid,
            priority: self.priority,
            version: self.profile.version(),
            interval: format!("{}ms", self.interval.as_millis()),
            addresses: self.addresses.clone(),
            more: String::new(),
        };
        let more = [
            (!self.preempt).then(|| "preempt = false".to_owned()),
            (self.backups > 0).then(|| format!("backups = {}", self.backups)),
            self.password
                .map(|it| format!("authentication = {{ type = \"pass\", password = {it:?} }}")),
        ];
        more.iter().flatten().fold(instance, |instance, line| instance.with(line))
    }

    /// How long a backup with this priority waits for a master that sends at this interval
    /// (vrrp.md T-1, T-2).
    pub fn master_down_interval(&self, of_master: Duration) -> Duration {
        3 * of_master + self.skew_time(of_master)
    }

    /// How long it waits for a successor when the master gives up.
    pub fn skew_time(&self, of_master: Duration) -> Duration {
        let unit = match self.profile {
            Profile::V2 => Duration::from_secs(1),
            Profile::V3Ipv4 | Profile::V3Ipv6 => of_master,
        };
        unit * (256 - u32::from(self.priority)) / 256
    }
}

/// steadfast.toml.
pub fn steadfast(instances: &[Instance]) -> String {
    instances.iter().map(|one| one.for_steadfast().to_string()).collect()
}

/// keepalived.conf, with a FIFO for the states.
pub fn keepalived(instances: &[Instance], router_id: &str, fifo: &str) -> String {
    let mut text =
        format!("global_defs {{\n  router_id {router_id}\n  vrrp_notify_fifo {fifo}\n}}\n");
    for one in instances {
        let Instance { name, vrid, priority, interval, addresses, profile, .. } = one;
        let version = profile.version();
        // Only as an owner it does not wait.
        let state = if *priority == 255 { "MASTER" } else { "BACKUP" };
        write!(
            text,
            "vrrp_instance {name} {{\n  \
               interface {INTERFACE}\n  \
               state {state}\n  \
               version {version}\n  \
               virtual_router_id {vrid}\n  \
               priority {priority}\n  \
               advert_int {}\n  \
               virtual_ipaddress {{\n    {}\n  }}\n",
            interval.as_secs_f64(),
            addresses.join("\n    "),
        )
        .unwrap();
        if !one.preempt {
            text.push_str("  nopreempt\n");
        }
        if let Some(password) = one.password {
            writeln!(
                text,
                "  authentication {{\n    auth_type PASS\n    auth_pass {password}\n  }}"
            )
            .unwrap();
        }
        text.push_str("}\n");
    }
    text
}

/// vrrpd.conf of FRR.
pub fn frr(instances: &[Instance]) -> String {
    let mut text = format!("interface {INTERFACE}\n");
    for one in instances {
        let Instance { vrid, priority, interval, addresses, profile, .. } = one;
        assert_eq!(one.password, None, "FRR knows no password");
        writeln!(text, " vrrp {vrid} version {}", profile.version()).unwrap();
        writeln!(text, " vrrp {vrid} priority {priority}").unwrap();
        writeln!(text, " vrrp {vrid} advertisement-interval {}", interval.as_millis()).unwrap();
        if !one.preempt {
            writeln!(text, " no vrrp {vrid} preempt").unwrap();
        }
        let word = match profile.family() {
            Family::V4 => "ip",
            Family::V6 => "ipv6",
        };
        for address in addresses {
            let (address, _) = address.split_once('/').expect("a prefix");
            writeln!(text, " vrrp {vrid} {word} {address}").unwrap();
        }
    }
    text
}
