//! `[global]`.

use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::time::Duration;

use super::{command, notify};
use crate::config::model::{Announce, Global, ProcessOptions, Smtp, Snmp};
use crate::config::reader::{Item, Table};
use crate::config::values::{self, Wrong};
use crate::units::{Family, Version};

/// What instances have when they do not say otherwise.
#[derive(Debug)]
pub struct Defaults {
    /// `vrrp_version`.
    pub version: Version,
    /// `vrrp_down_timer_adverts`.
    pub down_timer_adverts: u8,
    /// `vrrp_garp_*` and `vrrp_gna_interval`.
    pub announce: Announce,
    /// `vrrp_lower_prio_no_advert`.
    pub lower_prio_no_advert: bool,
    /// `vrrp_higher_prio_send_advert`.
    pub higher_prio_send_advert: bool,
    /// `vrrp_owner_ignore_adverts`.
    pub owner_ignore_adverts: bool,
    /// `vrrp_strict`.
    pub strict: bool,
    /// `vrrp_skip_check_adv_addr`.
    pub skip_check_adv_addr: bool,
    /// `vrrp_check_unicast_src`.
    pub check_unicast_source: bool,
}

impl Default for Defaults {
    fn default() -> Self {
        Self {
            version: Version::V2,
            down_timer_adverts: 3,
            announce: Announce::default(),
            lower_prio_no_advert: false,
            // keepalived's default is off. But a router that was cut off and steps down in
            // silence leaves its announcements in the caches of its neighbours, and the winner
            // never learns that it has to announce again.
            higher_prio_send_advert: true,
            owner_ignore_adverts: false,
            strict: false,
            skip_check_adv_addr: false,
            check_unicast_source: false,
        }
    }
}

/// The longest time that an option takes: a day.
pub const DAY: Duration = Duration::from_secs(86_400);

/// What a watchdog may wait for: below that a busy machine could be restarted, and above it nobody
/// would.
const WATCHDOG: RangeInclusive<Duration> = Duration::from_secs(2)..=Duration::from_secs(3_600);

/// The path of a device.
fn device(item: &Item<'_>) -> Option<Box<str>> {
    let path = item.text()?;
    if path.starts_with('/') {
        return Some(path);
    }
    let help = "write the whole path, such as \"/dev/watchdog\"";
    item.wrong(Wrong::new(format!("{path:?} is not the path of a device"), help));
    None
}

/// The two versions by number.
pub fn version(item: &Item<'_>) -> Option<Version> {
    match item.value.as_integer().map_or("", |number| &number.digits) {
        "2" => Some(Version::V2),
        "3" => Some(Version::V3),
        _ => {
            let help = "write version = 3, or 2 for routers that do not speak 3";
            item.wrong(Wrong::new("there are the versions 2 and 3", help));
            None
        }
    }
}

/// Reads the table.
pub fn global(mut table: Table<'_>) -> (Global, Defaults) {
    let defaults = defaults(&mut table);
    let rfc = table.bool("enable_snmp_rfc").unwrap_or(false);
    let mut flag = |key| table.bool(key).unwrap_or(false);
    let snmp = Snmp {
        socket: None,
        traps: flag("enable_traps"),
        vrrp: flag("enable_snmp_vrrp"),
        checker: flag("enable_snmp_checker"),
        rfc_v2: flag("enable_snmp_rfcv2") || rfc,
        rfc_v3: flag("enable_snmp_rfcv3") || rfc,
    };
    let log_unknown_vrids = flag("log_unknown_vrids");
    let enable_script_security = flag("enable_script_security");
    let smtp = Smtp {
        to: table.list("notification_email", Item::text),
        from: table.text("notification_email_from"),
        server: table.text("smtp_server"),
        helo_name: table.text("smtp_helo_name"),
        connect_timeout: table
            .duration("smtp_connect_timeout", Duration::from_secs(1)..=DAY)
            .unwrap_or(Smtp::default().connect_timeout),
    };
    let group4 = table.get("vrrp_mcast_group4").and_then(|item| multicast(&item, Family::V4));
    let group6 = table.get("vrrp_mcast_group6").and_then(|item| multicast(&item, Family::V6));
    let watchdog_device = table.get("watchdog_device").and_then(|item| device(&item));
    let watchdog_timeout = table.duration("watchdog_timeout", WATCHDOG);
    if watchdog_timeout.is_some() && !table.has("watchdog_device") {
        table.missing("watchdog_device", "write watchdog_device = \"/dev/watchdog\"");
    }
    let global = Global {
        router_id: table.text("router_id"),
        startup_delay: table
            .duration("vrrp_startup_delay", Duration::ZERO..=DAY)
            .unwrap_or_default(),
        delay_after_boot: table
            .duration("vrrp_delay_after_boot", Duration::ZERO..=DAY)
            .unwrap_or_default(),
        mcast_group4: match group4 {
            Some(IpAddr::V4(group)) => Some(group),
            Some(IpAddr::V6(_)) | None => None,
        },
        mcast_group6: match group6 {
            Some(IpAddr::V6(group)) => Some(group),
            Some(IpAddr::V4(_)) | None => None,
        },
        log_unknown_vrids,
        script_user: table.text("script_user"),
        enable_script_security,
        notify: notify(&mut table),
        notify_fifo: table.text("notify_fifo"),
        notify_fifo_script: table.get("notify_fifo_script").and_then(|item| command(&item)),
        startup_script: table.get("startup_script").and_then(|item| command(&item)),
        shutdown_script: table.get("shutdown_script").and_then(|item| command(&item)),
        smtp,
        snmp: Snmp { socket: table.text("snmp_socket"), ..snmp },
        vrrp_process: process(&mut table, &VRRP),
        checker_process: process(&mut table, &CHECKER),
        bfd_process: process(&mut table, &BFD),
        hello_interval: table.duration("hello_interval", Duration::from_millis(50)..=DAY),
        control_socket_group: table.text("control_socket_group"),
        watchdog_device,
        watchdog_timeout,
        net_namespace: table.text("net_namespace"),
    };
    table.finish();
    (global, defaults)
}

fn defaults(table: &mut Table<'_>) -> Defaults {
    let built_in = Defaults::default();
    let announce = announce(table, "vrrp_", built_in.announce);
    let mut flag = |key, default| table.bool(key).unwrap_or(default);
    Defaults {
        lower_prio_no_advert: flag("vrrp_lower_prio_no_advert", built_in.lower_prio_no_advert),
        higher_prio_send_advert: flag(
            "vrrp_higher_prio_send_advert",
            built_in.higher_prio_send_advert,
        ),
        owner_ignore_adverts: flag("vrrp_owner_ignore_adverts", built_in.owner_ignore_adverts),
        strict: flag("vrrp_strict", built_in.strict),
        skip_check_adv_addr: flag("vrrp_skip_check_adv_addr", built_in.skip_check_adv_addr),
        check_unicast_source: flag("vrrp_check_unicast_src", built_in.check_unicast_source),
        version: table.get("vrrp_version").and_then(|i| version(&i)).unwrap_or(built_in.version),
        down_timer_adverts: table
            .integer("vrrp_down_timer_adverts", 1..=100)
            .unwrap_or(built_in.down_timer_adverts),
        announce: Announce {
            garp_interval: table
                .duration("vrrp_garp_interval", Duration::ZERO..=DAY)
                .unwrap_or_default(),
            gna_interval: table
                .duration("vrrp_gna_interval", Duration::ZERO..=DAY)
                .unwrap_or_default(),
            ..announce
        },
    }
}

/// The keys of announcements and probes: in `[global]` they begin with `vrrp_`, in an instance they do not.
pub fn announce(table: &mut Table<'_>, prefix: &str, defaults: Announce) -> Announce {
    let global = !prefix.is_empty();
    let name = |global_name, own_name| if global { global_name } else { own_name };
    let time = Duration::ZERO..=DAY;
    let repeat = table
        .integer(name("vrrp_garp_master_repeat", "garp_master_repeat"), 1..=u8::MAX)
        .unwrap_or(defaults.repeat);
    let delay = table
        .duration(name("vrrp_garp_master_delay", "garp_master_delay"), time.clone())
        .unwrap_or(defaults.delay);
    let lower_repeat = name("vrrp_garp_lower_prio_repeat", "garp_lower_prio_repeat");
    let lower_delay = name("vrrp_garp_lower_prio_delay", "garp_lower_prio_delay");
    Announce {
        repeat,
        delay,
        refresh: table
            .duration(name("vrrp_garp_master_refresh", "garp_master_refresh"), time.clone())
            .unwrap_or(defaults.refresh),
        refresh_repeat: table
            .integer(name("vrrp_garp_master_refresh_repeat", "garp_master_refresh_repeat"), 1..=255)
            .unwrap_or(defaults.refresh_repeat),
        // Globally these follow the values for becoming master; an instance takes the global ones.
        lower_prio_repeat: table.integer(lower_repeat, 0..=u8::MAX).unwrap_or(if global {
            repeat
        } else {
            defaults.lower_prio_repeat
        }),
        second_holder_probe: table
            .duration(name("vrrp_second_holder_probe", "second_holder_probe"), time.clone())
            .unwrap_or(defaults.second_holder_probe),
        lower_prio_delay: table.duration(lower_delay, time).unwrap_or(if global {
            delay
        } else {
            defaults.lower_prio_delay
        }),
        ..defaults
    }
}

/// A multicast group of a family.
pub fn multicast(item: &Item<'_>, family: Family) -> Option<IpAddr> {
    let group = item.parse(values::address)?;
    if group.is_multicast() && Family::of(group) == family {
        return Some(group);
    }
    let example = match family {
        Family::V4 => "224.0.0.18",
        Family::V6 => "ff02::12",
    };
    item.wrong(Wrong::new(
        format!("{group} is not an {family} multicast group"),
        format!("write a group such as \"{example}\""),
    ));
    None
}

/// The keys of one process.
struct ProcessKeys {
    nice: &'static str,
    realtime: &'static str,
    rttime: &'static str,
    affinity: &'static str,
    no_swap: &'static str,
}

const VRRP: ProcessKeys = ProcessKeys {
    nice: "vrrp_priority",
    realtime: "vrrp_rt_priority",
    rttime: "vrrp_rlimit_rttime",
    affinity: "vrrp_cpu_affinity",
    no_swap: "vrrp_no_swap",
};
const CHECKER: ProcessKeys = ProcessKeys {
    nice: "checker_priority",
    realtime: "checker_rt_priority",
    rttime: "checker_rlimit_rttime",
    affinity: "checker_cpu_affinity",
    no_swap: "checker_no_swap",
};
const BFD: ProcessKeys = ProcessKeys {
    nice: "bfd_priority",
    realtime: "bfd_rt_priority",
    rttime: "bfd_rlimit_rttime",
    affinity: "bfd_cpu_affinity",
    no_swap: "bfd_no_swap",
};

fn process(table: &mut Table<'_>, keys: &ProcessKeys) -> ProcessOptions {
    ProcessOptions {
        nice: table.integer(keys.nice, -20..=19),
        realtime: table.integer(keys.realtime, 1..=99),
        rlimit_rttime: table.duration(keys.rttime, Duration::from_micros(2)..=DAY),
        cpu_affinity: table.list(keys.affinity, |item| item.integer(0..=4095)),
        no_swap: table.bool(keys.no_swap).unwrap_or(false),
    }
}
