//! What is known about keys beyond their type: which are not built yet, and what keepalived's
//! keywords are called here.

use super::suggest::nearest;
use Place::{
    Authentication, Bfd, File, Global, Group, Hmac, Instance, Process, Root, Script, Track, Vrrp,
};

/// Which kind of table a key is in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Place {
    /// The file itself.
    Root,
    /// `[global]`.
    Global,
    /// `[vrrp]`.
    Vrrp,
    /// `[vrrp.instance.NAME]`.
    Instance,
    /// `[vrrp.group.NAME]`.
    Group,
    /// `[track]`.
    Track,
    /// `[track.script.NAME]`.
    Script,
    /// `[track.file.NAME]`.
    File,
    /// `[track.process.NAME]`.
    Process,
    /// `[track.bfd.NAME]`.
    Bfd,
    /// `[static]`.
    Static,
    /// `authentication`.
    Authentication,
    /// `hmac`.
    Hmac,
    /// Any other table.
    Other,
}

/// The feature behind a key that the model has and the program has not, as the begin of a
/// sentence ("... not built yet").
///
/// This is the one list of such features: a later change that builds one removes its rows.
pub fn unbuilt(place: Place, key: &str) -> Option<&'static str> {
    let (_, rows) = UNBUILT.iter().find(|(listed, _)| *listed == place)?;
    rows.iter().find(|(keys, _)| keys.contains(&key)).map(|(_, feature)| *feature)
}

/// `accept = false` waits for the packet filter; `accept = true` is what is built.
pub const NO_ACCEPT: &str = "keeping packets to the virtual addresses out is";

type Features = &'static [(&'static [&'static str], &'static str)];

const UNBUILT: &[(Place, Features)] = &[
    (
        Root,
        &[
            (&["virtual_server", "virtual_server_group"], "virtual servers (IPVS) are"),
            (&["static"], "static addresses, routes and rules are"),
        ],
    ),
    (
        Global,
        &[
            (&["vrrp_delay_after_boot"], "a delay that counts from boot is"),
            (&["vrrp_mcast_group4", "vrrp_mcast_group6"], "another multicast group is"),
            (&["vrrp_check_unicast_src"], "unicast is"),
            (&["log_unknown_vrids"], "logging of unknown identifiers is"),
            (
                &["script_user", "enable_script_security", "startup_script", "shutdown_script"],
                "running scripts is",
            ),
            (NOTIFY, "notification is"),
            (&["notify_fifo", "notify_fifo_script"], "notification is"),
            (
                &[
                    "notification_email",
                    "notification_email_from",
                    "smtp_server",
                    "smtp_helo_name",
                    "smtp_connect_timeout",
                ],
                "sending mail is",
            ),
            (
                &[
                    "snmp_socket",
                    "enable_traps",
                    "enable_snmp_vrrp",
                    "enable_snmp_checker",
                    "enable_snmp_rfc",
                    "enable_snmp_rfcv2",
                    "enable_snmp_rfcv3",
                ],
                "SNMP is",
            ),
            (
                &[
                    "checker_priority",
                    "checker_rt_priority",
                    "checker_rlimit_rttime",
                    "checker_cpu_affinity",
                    "checker_no_swap",
                    "bfd_priority",
                    "bfd_rt_priority",
                    "bfd_rlimit_rttime",
                    "bfd_cpu_affinity",
                    "bfd_no_swap",
                ],
                "that process is",
            ),
            (&["net_namespace"], "changing the network namespace is"),
        ],
    ),
    (
        Instance,
        &[
            (&["use_vmac", "use_vmac_addr", "vmac_xmit_base", "garp_extra_if"], "a virtual MAC is"),
            (&["use_ipvlan"], "an ipvlan interface is"),
            (
                &["unicast_peers", "unicast_ttl", "unicast_fault_no_peer", "check_unicast_src"],
                "unicast is",
            ),
            (&["mcast_dst_ip"], "another multicast group is"),
            (&["hmac"], "the HMAC trailer is"),
            (&["track_src_ip"], "tracking of the source address is"),
            (&["track_scripts"], "tracking of scripts is"),
            (&["track_files"], "tracking of files is"),
            (&["track_processes"], "tracking of processes is"),
            (&["track_bfd"], "tracking of BFD sessions is"),
            (&["no_virtual_addresses"], "an instance without addresses is"),
            (&["promote_secondaries"], "setting of interface options is"),
            (&["kernel_rx_buf_size"], "another receive buffer size is"),
            (NOTIFY, "notification is"),
        ],
    ),
    (
        Group,
        &[
            (&["track_scripts"], "tracking of scripts is"),
            (&["track_files"], "tracking of files is"),
            (&["track_processes"], "tracking of processes is"),
            (&["track_bfd"], "tracking of BFD sessions is"),
            (NOTIFY, "notification is"),
        ],
    ),
    (
        Track,
        &[
            (&["script"], "tracking of scripts is"),
            (&["file"], "tracking of files is"),
            (&["process"], "tracking of processes is"),
            (&["bfd"], "tracking of BFD sessions is"),
        ],
    ),
];

/// Of `Authentication`: the value of `type` that waits.
pub const AH: &str = "authentication with AH is";

const NOTIFY: &[&str] = &[
    "notify",
    "notify_master",
    "notify_backup",
    "notify_fault",
    "notify_stop",
    "notify_deleted",
    "notify_master_rx_lower_pri",
    "notify_priority_changes",
    "smtp_alert",
];

/// What to say to a word of keepalived's language.
#[derive(Clone, Copy, Debug)]
pub enum KeywordAlias {
    /// The same thing has this name here.
    Write(&'static str),
    /// It belongs to another table.
    Elsewhere(&'static str),
    /// There is no such thing, because.
    Drop(&'static str),
    /// A feature that is not built yet and has no model.
    Later(&'static str),
}

impl KeywordAlias {
    /// The key that it is called here.
    pub fn key(self) -> Option<&'static str> {
        match self {
            Self::Write(text) => text.split_whitespace().next(),
            Self::Elsewhere(_) | Self::Drop(_) | Self::Later(_) => None,
        }
    }

    /// The feature that its key here waits for, when it is not built yet.
    pub fn unbuilt(self, place: Place) -> Option<&'static str> {
        let (Self::Write(text) | Self::Elsewhere(text)) = self else { return None };
        if text == "accept = false" {
            return Some(NO_ACCEPT);
        }
        // `[track.script.NAME]`
        if let Some((table, rest)) = text.strip_prefix('[').and_then(|t| t.split_once('.')) {
            let below = rest.split(['.', ']']).next()?;
            return if table == "track" { unbuilt(Track, below) } else { None };
        }
        // `routes = [...] in [static]`
        let key = text.split_whitespace().next()?;
        match text.rsplit_once(" in [").map(|(_, table)| table) {
            None => unbuilt(place, key),
            Some("static]") => unbuilt(Root, "static"),
            Some("global]") => unbuilt(Global, key),
            Some(_) => unbuilt(Instance, key),
        }
    }

    /// What is wrong.
    pub fn what(self) -> String {
        match self {
            Self::Write(_) => "this has another name here".to_owned(),
            Self::Elsewhere(_) => "this does not belong here".to_owned(),
            Self::Drop(_) => "this is not needed".to_owned(),
            Self::Later(feature) => {
                format!("this belongs to {feature}, not built yet in steadfast {VERSION}")
            }
        }
    }

    /// What to write.
    pub fn help(self) -> String {
        match self {
            Self::Write(text) | Self::Elsewhere(text) => format!("write {text}"),
            Self::Drop(text) => format!("remove it: {text}"),
            Self::Later(_) => "remove it, or keep keepalived until it is built".to_owned(),
        }
    }
}

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// What keepalived's users write here by habit.
pub fn habit(place: Place, key: &str) -> Option<KeywordAlias> {
    let (_, rows) = HABITS.iter().find(|(listed, _)| *listed == place)?;
    let found = rows.iter().find(|(keyword, _)| *keyword == key).map(|(_, habit)| *habit);
    found.or_else(|| {
        let virtual_server = place == Global && key.starts_with("lvs_");
        let instance = matches!(place, Root | Vrrp | Global) && OF_AN_INSTANCE.contains(&key);
        if virtual_server {
            Some(Later("virtual servers (IPVS)"))
        } else {
            instance.then_some(Elsewhere("it in [vrrp.instance.NAME]"))
        }
    })
}

/// The key of an instance that a misspelt one above the first header, or under `[vrrp]`, is.
pub fn of_an_instance(place: Place, key: &str) -> Option<&'static str> {
    let words = OF_AN_INSTANCE.iter().copied();
    matches!(place, Root | Vrrp).then(|| nearest(key, words)).flatten()
}

/// Whether this is a key of an instance, as far as people write it in other tables.
pub fn is_of_an_instance(key: &str) -> bool {
    OF_AN_INSTANCE.contains(&key)
}

/// What people write above the first header, or under `[vrrp]`.
const OF_AN_INSTANCE: &[&str] = &[
    "interface",
    "virtual_router_id",
    "vrid",
    "priority",
    "virtual_addresses",
    "virtual_ipaddress",
    "excluded_addresses",
    "advertisement_interval",
    "advert_int",
    "preempt",
    "nopreempt",
    "preempt_delay",
    "state",
    "source_address",
    "authentication",
    "track_interfaces",
    "version",
];

use KeywordAlias::{Drop, Elsewhere, Later, Write};

const STATE: KeywordAlias = Drop(
    "every router starts as backup and the highest priority becomes master; \
     the owner of the addresses has priority = 255",
);
const FIREWALL: KeywordAlias = Drop("the packet filter is managed without options");

const HABITS: &[(Place, &[(&str, KeywordAlias)])] = &[
    (
        Root,
        &[
            ("global_defs", Write("[global]")),
            ("vrrp_instance", Write("[vrrp.instance.NAME]")),
            ("vrrp_sync_group", Write("[vrrp.group.NAME]")),
            ("vrrp_script", Write("[track.script.NAME]")),
            ("vrrp_track_file", Write("[track.file.NAME]")),
            ("track_file", Write("[track.file.NAME]")),
            ("vrrp_track_process", Write("[track.process.NAME]")),
            ("bfd_instance", Write("[track.bfd.NAME]")),
            ("static_ipaddress", Write("addresses = [\"...\"] in [static]")),
            ("static_routes", Write("routes = [\"...\"] in [static]")),
            ("static_rules", Write("rules = [\"...\"] in [static]")),
            ("instance", Write("[vrrp.instance.NAME]")),
            ("group", Write("[vrrp.group.NAME]")),
            ("net_namespace", Elsewhere("net_namespace = \"...\" in [global]")),
        ],
    ),
    (
        Global,
        &[
            ("version", Write("vrrp_version = 3")),
            ("strict_mode", Write("vrrp_strict = true")),
            ("startup_delay", Write("vrrp_startup_delay = \"...\"")),
            ("v3_checksum_as_v2", Write("checksum = \"message\"")),
            ("vrrp_checksum", Write("checksum = \"...\"")),
            ("old_unicast_checksum", Write("checksum = \"old_unicast\"")),
            ("default_interface", Drop("each instance names its interface")),
            ("dynamic_interfaces", Drop("interfaces may come and go at any time")),
            ("vrrp_min_garp", Write("vrrp_garp_master_repeat = 1 and vrrp_garp_master_delay = 0")),
            ("vrrp_iptables", FIREWALL),
            ("vrrp_ipsets", FIREWALL),
            ("nftables", FIREWALL),
            ("enable_dbus", Drop("there is no D-Bus interface; steadfast has a control socket")),
            ("enable_snmp_keepalived", Write("enable_snmp_vrrp = true")),
            ("advert_int", Elsewhere("advertisement_interval = \"1s\" in [vrrp.instance.NAME]")),
        ],
    ),
    (
        Vrrp,
        &[
            ("version", Elsewhere("vrrp_version = 3 in [global]")),
            ("sync_group", Write("[vrrp.group.NAME]")),
            ("script", Write("[track.script.NAME]")),
        ],
    ),
    (
        Instance,
        &[
            ("advert_int", Write("advertisement_interval = \"1s\"")),
            ("interval", Write("advertisement_interval = \"1s\"")),
            ("virtual_ipaddress", Write("virtual_addresses = [\"192.168.1.1/24\"]")),
            ("virtual_ipaddresses", Write("virtual_addresses = [\"192.168.1.1/24\"]")),
            ("virtual_address", Write("virtual_addresses = [\"192.168.1.1/24\"]")),
            ("addresses", Write("virtual_addresses = [\"192.168.1.1/24\"]")),
            ("virtual_ipaddress_excluded", Write("excluded_addresses = [\"192.168.1.1/24\"]")),
            ("no_virtual_ipaddress", Write("no_virtual_addresses = true")),
            ("nopreempt", Write("preempt = false")),
            ("vrid", Write("virtual_router_id = 51")),
            ("state", STATE),
            ("mcast_src_ip", Write("source_address = \"192.168.1.2\"")),
            ("unicast_src_ip", Write("source_address = \"192.168.1.2\"")),
            ("source_ip", Write("source_address = \"192.168.1.2\"")),
            ("unicast_peer", Write("unicast_peers = [\"192.168.1.3\"]")),
            ("track_interface", Write("track_interfaces = [\"wan\"]")),
            ("track_script", Write("track_scripts = [\"NAME\"]")),
            ("track_file", Write("track_files = [\"NAME\"]")),
            ("track_process", Write("track_processes = [\"NAME\"]")),
            ("auth_type", Write("authentication = { type = \"pass\", password = \"...\" }")),
            ("auth_pass", Write("authentication = { type = \"pass\", password = \"...\" }")),
            ("password", Write("authentication = { type = \"pass\", password = \"...\" }")),
            ("auth_hmac", Write("hmac = { keys = [{ id = 1, key = \"...\" }], active_key = 1 }")),
            ("no_accept", Write("accept = false")),
            ("strict", Write("strict_mode = true")),
            ("vrrp_strict", Write("strict_mode = true")),
            ("vrrp_version", Write("version = 3")),
            ("v3_checksum_as_v2", Write("checksum = \"message\"")),
            ("old_unicast_checksum", Write("checksum = \"old_unicast\"")),
            ("garp_interval", Elsewhere("vrrp_garp_interval = \"...\" in [global]")),
            ("gna_interval", Elsewhere("vrrp_gna_interval = \"...\" in [global]")),
            ("vmac_garp_intvl", Write("garp_extra_if = \"...\"")),
            ("thread_timer_expired", Write("timer_expired_backup = 254")),
            ("router_id", Elsewhere("router_id = \"...\" in [global]")),
            ("native_ipv6", Drop("the addresses tell the family")),
            ("debug", Drop("it never had an effect")),
            ("linkbeat_use_polling", Drop("the kernel tells the state of interfaces")),
            ("lvs_sync_daemon_interface", Later("virtual servers (IPVS)")),
            ("vrf", Drop("name the interface of the instance")),
        ],
    ),
    (
        Group,
        &[
            ("group", Write("instances = [\"lan\", \"wan\"]")),
            ("members", Write("instances = [\"lan\", \"wan\"]")),
            ("track_interface", Write("track_interfaces = [\"wan\"]")),
            ("track_script", Write("track_scripts = [\"NAME\"]")),
            ("track_file", Write("track_files = [\"NAME\"]")),
            ("track_process", Write("track_processes = [\"NAME\"]")),
            ("global_tracking", Drop("trackers of the group count for all its members")),
        ],
    ),
    (Script, &[("script", Write("command = [\"/path/to/program\", \"argument\"]"))]),
    (File, &[("path", Write("file = \"/path\""))]),
    (Process, &[("name", Write("process = \"name\"")), ("delay", Write("fork_delay = \"...\""))]),
    (
        Bfd,
        &[
            ("neighbour_ip", Write("neighbor_ip = \"...\"")),
            ("hoplimit", Write("ttl = 255")),
            ("vrrp", Drop("whoever names the session tracks it")),
            ("checker", Drop("whoever names the session tracks it")),
        ],
    ),
    (
        Authentication,
        &[
            ("auth_type", Write("type = \"pass\"")),
            ("auth_pass", Write("password = \"...\"")),
            ("pass", Write("password = \"...\"")),
        ],
    ),
    (Hmac, &[("key", Write("keys = [{ id = 1, key = \"...\" }]"))]),
];
