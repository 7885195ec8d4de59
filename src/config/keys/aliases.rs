//! What to say to words that are not keys: keepalived's keywords, and what people write by habit.
//!
//! A keyword that a [`Key`] lists as its own is answered from there; here is the rest.

use super::{Key, Keys, Place, Table};
use crate::config::suggest::nearest;
use Advice::{Drop, Elsewhere, Header, Later, Write};
use Place::{
    Authentication, Bfd, File, Global, Group, Hmac, Instance, Process, Root, Script, Static, Vrrp,
};

/// `accept = false` waits for the packet filter; `accept = true` is what is built.
pub const NO_ACCEPT: &str = "keeping packets to the virtual addresses out is";
/// Of `authentication`: the value of `type` that waits.
pub const AH: &str = "authentication with AH is";
const IPVS: &str = "virtual servers (IPVS)";

/// What to say to a word that is no key of its table.
#[derive(Clone, Copy, Debug)]
enum Advice {
    /// The same thing has this name here: key and value.
    Write(&'static str, &'static str),
    /// The same thing is a table of this kind.
    Header(Place),
    /// It is a key, with this value, of a table of this kind.
    Elsewhere(Place, &'static str, &'static str),
    /// There is no such thing, because.
    Drop(&'static str),
    /// A feature that is not built yet and has no key.
    Later(&'static str),
}

/// The answer to a word that is no key of its table.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Answer {
    /// The key that it is called here, and a value for it.
    Write(&'static str, &'static str),
    /// What is wrong, and what to do.
    Say(&'static str, String),
    /// It asks for a feature that is not built yet.
    Unbuilt(&'static str),
    /// It belongs to a feature that has no keys yet.
    Later(&'static str),
}

/// What to say to `word` in a table. `tables` are all kinds of tables.
pub fn answer(tables: &[Table], table: Table, word: &str) -> Option<Answer> {
    let advice = advice(table, word)?;
    let waits_for = match advice {
        // `accept = false` alone is not built.
        Write("accept", "false") => Some(NO_ACCEPT),
        Write(key, _) => table.keys.find(key).and_then(|key| key.unbuilt),
        Elsewhere(place, key, _) => find(tables, place, key).and_then(|key| key.unbuilt),
        Header(place) => tracker_key(place)
            .and_then(|key| find(tables, Place::Track, key))
            .and_then(|key| key.unbuilt),
        Drop(_) | Later(_) => None,
    };
    // A table of keepalived's is one of ours as a whole.
    let statics = matches!(advice, Elsewhere(Static, ..));
    let waits_for = match statics {
        true => find(tables, Root, "static").and_then(|key| key.unbuilt),
        false => waits_for,
    };
    if let Some(feature) = waits_for {
        return Some(Answer::Unbuilt(feature));
    }
    Some(match advice {
        Write(key, value) => Answer::Write(key, value),
        Header(place) => Answer::Say(RENAMED, format!("write {}", place.header())),
        Elsewhere(place, key, value) => {
            let what = if statics { RENAMED } else { "this does not belong here" };
            let what_to_write =
                if value.is_empty() { key.to_owned() } else { format!("{key} = {value}") };
            Answer::Say(what, format!("write {what_to_write} in {}", place.header()))
        }
        Drop(reason) => Answer::Say("this is not needed", format!("remove it: {reason}")),
        Later(feature) => Answer::Later(feature),
    })
}

/// What to say to a word that has another name here.
pub const RENAMED: &str = "this has another name here";

fn find(tables: &[Table], place: Place, key: &str) -> Option<&'static Key> {
    tables.iter().find(|table| table.place == place)?.keys.find(key)
}

/// The key of `[track]` under which tables of a kind are.
const fn tracker_key(place: Place) -> Option<&'static str> {
    match place {
        Script => Some("script"),
        File => Some("file"),
        Process => Some("process"),
        Bfd => Some("bfd"),
        Root
        | Global
        | Vrrp
        | Instance
        | Group
        | Place::Track
        | Static
        | Authentication
        | Hmac
        | Place::Value
        | Place::Names => None,
    }
}

fn advice(Table { place, keys }: Table, word: &str) -> Option<Advice> {
    if let Some(advice) = keyword(keys, word) {
        return Some(advice);
    }
    let rows = ADVICE.iter().find(|(listed, _)| *listed == place).map(|(_, rows)| *rows);
    let row = rows.unwrap_or_default().iter().find(|(listed, _)| *listed == word);
    row.map(|(_, advice)| *advice).or_else(|| {
        let instance = matches!(place, Root | Vrrp | Global) && OF_AN_INSTANCE.contains(&word);
        if place == Global && word.starts_with("lvs_") {
            Some(Later(IPVS))
        } else {
            instance.then_some(Elsewhere(Instance, "it", ""))
        }
    })
}

/// The key that lists a word as keepalived's keyword for it, with a value.
fn keyword(keys: &'static Keys, word: &str) -> Option<Advice> {
    let mut found = None;
    keys.each(&mut |prefix, key, _| {
        let keyword = key.keepalived.iter().find(|(keyword, _)| *keyword == word);
        // A key with a prefix has another name than the one in its row.
        if let (Some((_, value)), None, "") = (keyword, found, prefix) {
            found = Some(Write(key.name, value.unwrap_or(key.example)));
        }
    });
    found
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

const STATE: Advice = Drop(
    "every router starts as backup and the highest priority becomes master; \
     the owner of the addresses has priority = 255",
);
const FIREWALL: Advice = Drop("the packet filter is managed without options");
const ADDRESSES: Advice = Write("virtual_addresses", "[\"192.168.1.1/24\"]");
const LIST: &str = "[\"...\"]";
const PASSWORD: Advice = Write("authentication", "{ type = \"pass\", password = \"...\" }");

/// By kind of table: words, and what to say to them.
const ADVICE: &[(Place, &[(&str, Advice)])] = &[
    (
        Root,
        &[
            ("global_defs", Header(Global)),
            ("vrrp_instance", Header(Instance)),
            ("vrrp_sync_group", Header(Group)),
            ("vrrp_script", Header(Script)),
            ("vrrp_track_file", Header(File)),
            ("track_file", Header(File)),
            ("vrrp_track_process", Header(Process)),
            ("bfd_instance", Header(Bfd)),
            ("static_ipaddress", Elsewhere(Static, "addresses", LIST)),
            ("static_routes", Elsewhere(Static, "routes", LIST)),
            ("static_rules", Elsewhere(Static, "rules", LIST)),
            ("instance", Header(Instance)),
            ("group", Header(Group)),
            ("net_namespace", Elsewhere(Global, "net_namespace", "\"...\"")),
        ],
    ),
    (
        Global,
        &[
            ("version", Write("vrrp_version", "3")),
            ("strict_mode", Write("vrrp_strict", "true")),
            ("startup_delay", Write("vrrp_startup_delay", "\"...\"")),
            ("v3_checksum_as_v2", Write("checksum", "\"message\"")),
            ("vrrp_checksum", Write("checksum", "\"...\"")),
            ("old_unicast_checksum", Write("checksum", "\"old_unicast\"")),
            ("default_interface", Drop("each instance names its interface")),
            ("dynamic_interfaces", Drop("interfaces may come and go at any time")),
            ("vrrp_min_garp", Write("vrrp_garp_master_repeat", "1 and vrrp_garp_master_delay = 0")),
            ("vrrp_iptables", FIREWALL),
            ("vrrp_ipsets", FIREWALL),
            ("nftables", FIREWALL),
            ("enable_dbus", Drop("there is no D-Bus interface; steadfast has a control socket")),
            ("advert_int", Elsewhere(Instance, "advertisement_interval", "\"1s\"")),
        ],
    ),
    (
        Vrrp,
        &[
            ("version", Elsewhere(Global, "vrrp_version", "3")),
            ("sync_group", Header(Group)),
            ("script", Header(Script)),
        ],
    ),
    (
        Instance,
        &[
            ("interval", Write("advertisement_interval", "\"1s\"")),
            ("virtual_ipaddresses", ADDRESSES),
            ("virtual_address", ADDRESSES),
            ("addresses", ADDRESSES),
            ("vrid", Write("virtual_router_id", "51")),
            ("state", STATE),
            ("source_ip", Write("source_address", "\"192.168.1.2\"")),
            ("password", PASSWORD),
            ("strict", Write("strict_mode", "true")),
            ("vrrp_strict", Write("strict_mode", "true")),
            ("vrrp_version", Write("version", "3")),
            ("garp_interval", Elsewhere(Global, "vrrp_garp_interval", "\"...\"")),
            ("gna_interval", Elsewhere(Global, "vrrp_gna_interval", "\"...\"")),
            ("router_id", Elsewhere(Global, "router_id", "\"...\"")),
            ("native_ipv6", Drop("the addresses tell the family")),
            ("debug", Drop("it never had an effect")),
            ("linkbeat_use_polling", Drop("the kernel tells the state of interfaces")),
            ("lvs_sync_daemon_interface", Later(IPVS)),
            ("vrf", Drop("name the interface of the instance")),
        ],
    ),
    (
        Group,
        &[
            ("members", Write("instances", "[\"lan\", \"wan\"]")),
            ("global_tracking", Drop("trackers of the group count for all its members")),
        ],
    ),
    (File, &[("path", Write("file", "\"/path\""))]),
    (Process, &[("name", Write("process", "\"name\"")), ("delay", Write("fork_delay", "\"...\""))]),
    (
        Bfd,
        &[
            ("neighbour_ip", Write("neighbor_ip", "\"...\"")),
            ("vrrp", Drop("whoever names the session tracks it")),
            ("checker", Drop("whoever names the session tracks it")),
        ],
    ),
    (Authentication, &[("pass", Write("password", "\"...\""))]),
    (Hmac, &[("key", Write("keys", "[{ id = 1, key = \"...\" }]"))]),
];
