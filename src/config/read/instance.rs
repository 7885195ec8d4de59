//! `[vrrp.instance.NAME]` and `[vrrp.group.NAME]`.

use std::net::IpAddr;
use std::time::Duration;

use super::global::{DAY, Defaults, announce, version};
use super::tokens::{Builder, Words, read};
use super::{notify, objects, routes, security, track};
use crate::config::keys::{self, Place};
use crate::config::model::{
    Announce, Checksum, GarpExtra, Group, Instance, Ipvlan, IpvlanMode, OnForeignRemoval,
    PreemptMode, Unicast, UnicastPeer, Vmac,
};
use crate::config::reader::{Item, Table};
use crate::config::tree::Value;
use crate::config::values::{self, Wrong};
use crate::net::VirtualAddress;
use crate::units::{Centiseconds, Family, Mac, Priority, Version, Vrid};

/// Reads an instance; also says whether its interface and identifier are known.
pub fn instance(
    name: &str,
    mut table: Table<'_>,
    defaults: &Defaults,
    complete: &mut bool,
) -> Instance {
    let interface = match table.get("interface") {
        Some(item) => item.interface(),
        None => {
            table.missing("interface", "add interface = \"eth0\", as `ip link` shows it");
            None
        }
    };
    let vrid = match table.get("virtual_router_id") {
        Some(item) => item.integer(1..=u8::MAX).and_then(Vrid::new),
        None => {
            let help = "add virtual_router_id = 51, the same on all routers that share the \
                        addresses";
            table.missing("virtual_router_id", help);
            None
        }
    };
    *complete = interface.is_some() && vrid.is_some();
    let addresses = addresses(&mut table);
    let version = pick_version(&mut table, &addresses, defaults.version);
    let (source_v4, source_v6) = sources(&mut table);
    let announce = announce(&mut table, "", defaults.announce);
    let unicast = unicast(&mut table, defaults);
    let authentication = table.table("authentication", Place::Authentication);
    let hmac = table.table("hmac", Place::Hmac);
    let mut flag = |key, default| table.bool(key).unwrap_or(default);
    let instance = Instance {
        lower_prio_no_advert: flag("lower_prio_no_advert", defaults.lower_prio_no_advert),
        higher_prio_send_advert: flag("higher_prio_send_advert", defaults.higher_prio_send_advert),
        owner_ignore_adverts: flag("owner_ignore_adverts", defaults.owner_ignore_adverts),
        strict: flag("strict_mode", defaults.strict),
        skip_check_adv_addr: flag("skip_check_adv_addr", defaults.skip_check_adv_addr),
        no_virtual_addresses: flag("no_virtual_addresses", false),
        promote_secondaries: flag("promote_secondaries", false),
        track_src_ip: flag("track_src_ip", false),
        dont_track_primary: flag("dont_track_primary", false),
        hand_over: flag("hand_over", true),
        accept: table.bool_without("accept", false, keys::NO_ACCEPT).unwrap_or(true),
        name: name.into(),
        interface: interface.unwrap_or_default(),
        // With a default of no meaning the instance is incomplete, and the model is not used.
        vrid: vrid.unwrap_or(Vrid::LOWEST),
        priority: priority(&mut table),
        version,
        interval: interval(&mut table, version),
        down_timer_adverts: table
            .integer("down_timer_adverts", 1..=100)
            .unwrap_or(defaults.down_timer_adverts),
        preempt: table.get("preempt").and_then(|item| preempt(&item)).unwrap_or_default(),
        preempt_delay: table
            .duration("preempt_delay", Duration::ZERO..=Duration::from_secs(1000))
            .unwrap_or_default(),
        addresses,
        excluded: table
            .get("excluded_addresses")
            .map(|i| objects::addresses(&i))
            .unwrap_or_default(),
        routes: table.list("virtual_routes", routes::route),
        rules: table.list("virtual_rules", routes::rule),
        source_v4,
        source_v6,
        authentication: authentication.and_then(security::auth).unwrap_or_default(),
        hmac: hmac.and_then(security::hmac),
        checksum: table.get("checksum").and_then(|i| i.choice(&CHECKSUMS)).unwrap_or_default(),
        announce: Announce {
            extra_if: table.get("garp_extra_if").and_then(|item| garp_extra(&item)),
            ..announce
        },
        timer_expired_backup: table.integer("timer_expired_backup", 1..=254).map(Priority),
        on_foreign_removal: table
            .get("on_foreign_removal")
            .and_then(|item| item.choice(&REMOVALS))
            .unwrap_or_default(),
        resume_within: table.duration("resume_within", Duration::ZERO..=DAY),
        backups: table.integer("backups", 1..=254),
        track: track::tracking(&mut table),
        notify: notify(&mut table),
        vmac: vmac(&mut table),
        ipvlan: table.get("use_ipvlan").and_then(|item| ipvlan(&item)),
        unicast,
        mcast_group: table.get("mcast_dst_ip").and_then(|item| group_address(&item)),
        kernel_rx_buf_size: table.integer("kernel_rx_buf_size", 1..=i32::MAX.unsigned_abs()),
    };
    table.finish();
    instance
}

/// `virtual_addresses`; without them there is nothing to do (`vrrp:V-8b`).
fn addresses(table: &mut Table<'_>) -> Vec<VirtualAddress> {
    let help =
        "add virtual_addresses = [\"192.168.1.1/24\"], the addresses that move to the master";
    let item = table.get("virtual_addresses");
    match &item {
        Some(item) if matches!(item.value, Value::Array(array) if array.is_empty()) => {
            item.wrong(Wrong::new("the list is empty", help));
        }
        Some(_) => {}
        None if table.has("no_virtual_addresses") => {}
        None => table.missing("virtual_addresses", help),
    }
    item.as_ref().map(objects::addresses).unwrap_or_default()
}

/// Reads a sync group.
pub fn group(name: &str, mut table: Table<'_>) -> Group {
    if !table.has("instances") {
        table.missing("instances", "add instances = [\"lan\", \"wan\"]");
    }
    let group = Group {
        name: name.into(),
        instances: table.list("instances", Item::text),
        track: track::tracking(&mut table),
        tracking_weight: table.bool("sync_group_tracking_weight").unwrap_or(false),
        notify: notify(&mut table),
    };
    table.finish();
    group
}

/// The version: as given, else 3 for IPv6, else the global one (`vrrp:V-8b`). When it is given
/// wrongly, 3, of which no other value is wrong.
fn pick_version(table: &mut Table<'_>, addresses: &[VirtualAddress], default: Version) -> Version {
    match table.get("version") {
        Some(item) => version(&item).unwrap_or(Version::V3),
        None if addresses.iter().any(|a| Family::of(a.address) == Family::V6) => Version::V3,
        None => default,
    }
}

fn priority(table: &mut Table<'_>) -> Priority {
    table.integer("priority", 1..=u8::MAX).map_or(Priority::DEFAULT, Priority)
}

/// The interval: version 2 in seconds up to 255, version 3 in hundredths up to 40.95 s
/// (`vrrp:V-7`).
fn interval(table: &mut Table<'_>, version: Version) -> Centiseconds {
    let Some(item) = table.get("advertisement_interval") else { return Centiseconds::SECOND };
    let (low, high) = match version {
        Version::V2 => (Duration::from_secs(1), Duration::from_secs(255)),
        Version::V3 => (Duration::from_millis(10), Centiseconds::MAX_V3.duration()),
    };
    let Some(length) = item.duration(Duration::ZERO..=DAY) else { return Centiseconds::SECOND };
    let shown = || values::show_duration(length);
    let whole = match version {
        Version::V2 => length.subsec_nanos() == 0,
        Version::V3 => true,
    };
    let version_3 = Duration::from_millis(10)..=Centiseconds::MAX_V3.duration();
    let wrong = if !whole && !version_3.contains(&length) {
        Wrong::new(
            format!("{} is out of range", shown()),
            "write whole seconds from \"1s\" to \"255s\"; version = 3 has \"10ms\" to \"40.95s\"",
        )
    } else if !whole {
        Wrong::new(
            format!("{} has a fraction, version 2 knows whole seconds only", shown()),
            "write version = 3 on all routers that share the addresses, or whole seconds",
        )
    } else if length < low || length > high {
        let (low, high) = (values::show_duration(low), values::show_duration(high));
        Wrong::new(
            format!("{} is out of range for version {version}", shown()),
            format!("write a time from \"{low}\" to \"{high}\""),
        )
    } else if let Some(interval) = Centiseconds::from_duration(length) {
        return interval;
    } else {
        Wrong::new(
            format!("{} is not a multiple of 10ms, the unit in the packet", shown()),
            "write a multiple of \"10ms\"",
        )
    };
    item.wrong(wrong);
    Centiseconds::SECOND
}

fn preempt(item: &Item<'_>) -> Option<PreemptMode> {
    match item.value {
        Value::Boolean(true) => Some(PreemptMode::On),
        Value::Boolean(false) => Some(PreemptMode::Off),
        Value::String(text) if text == "immediate" => Some(PreemptMode::Immediate),
        Value::String(_)
        | Value::Integer(_)
        | Value::Float(_)
        | Value::Datetime
        | Value::Array(_)
        | Value::Table(_) => {
            item.wrong(Wrong::new(
                "expected true, false or \"immediate\"",
                "write preempt = true, preempt = false or preempt = \"immediate\"",
            ));
            None
        }
    }
}

/// `source_address`: one, or one of each family.
fn sources(table: &mut Table<'_>) -> (Option<std::net::Ipv4Addr>, Option<std::net::Ipv6Addr>) {
    let (mut v4, mut v6) = (None, None);
    let Some(item) = table.get("source_address") else { return (v4, v6) };
    let list = matches!(item.value, Value::Array(_));
    let items = if list { item.items().unwrap_or_default() } else { vec![item] };
    for item in items {
        let Some(address) = item.parse(values::address) else { continue };
        if address.is_multicast() || address.is_unspecified() {
            let message = format!("{address} cannot be a source");
            item.wrong(Wrong::new(message, "write an address of the interface"));
        }
        let twice = match address {
            IpAddr::V4(address) => v4.replace(address).is_some(),
            IpAddr::V6(address) => v6.replace(address).is_some(),
        };
        if twice {
            item.wrong(Wrong::new(
                format!("a second {} address", Family::of(address)),
                "write at most one address of each family",
            ));
        }
    }
    (v4, v6)
}

const CHECKSUMS: [(&str, Checksum); 4] = [
    ("pseudo_header", Checksum::PseudoHeader),
    ("pseudo_header_strict", Checksum::PseudoHeaderStrict),
    ("old_unicast", Checksum::OldUnicast),
    ("message", Checksum::MessageOnly),
];

const REMOVALS: [(&str, OnForeignRemoval); 2] =
    [("restore", OnForeignRemoval::Restore), ("backup", OnForeignRemoval::Backup)];

fn garp_extra(item: &Item<'_>) -> Option<GarpExtra> {
    if !matches!(item.value, Value::Table(_)) {
        return Some(GarpExtra { interval: item.duration(Duration::ZERO..=DAY)?, all: false });
    }
    let mut table = item.table(Place::Other)?;
    let interval = table.duration("interval", Duration::ZERO..=DAY);
    if !table.has("interval") {
        table.missing("interval", "add interval = \"60s\"");
    }
    let all = table.bool("all").unwrap_or(false);
    table.finish();
    Some(GarpExtra { interval: interval?, all })
}

fn vmac(table: &mut Table<'_>) -> Option<Vmac> {
    let vmac = table.get("use_vmac").and_then(|item| vmac_item(&item));
    let xmit_base = table.bool("vmac_xmit_base").unwrap_or(false);
    let for_addresses = table.bool("use_vmac_addr").unwrap_or(false);
    vmac.map(|vmac| Vmac { xmit_base, for_addresses, ..vmac })
}

fn vmac_item(item: &Item<'_>) -> Option<Vmac> {
    match item.value {
        Value::Boolean(on) => on.then(Vmac::default),
        Value::String(_) => Some(Vmac { name: item.interface(), ..Vmac::default() }),
        Value::Integer(_)
        | Value::Float(_)
        | Value::Datetime
        | Value::Array(_)
        | Value::Table(_) => {
            let mut table = item.table(Place::Other)?;
            let vmac = Vmac {
                name: table.get("name").and_then(|item| item.interface()),
                mac: table.get("mac").and_then(|item| item.parse(mac)),
                group: table.integer("group", 0..=u32::MAX),
                ..Vmac::default()
            };
            table.finish();
            Some(vmac)
        }
    }
}

fn mac(text: &str) -> Result<Mac, Wrong> {
    let octet = |part: &str| (part.len() == 2).then(|| u8::from_str_radix(part, 16).ok())?;
    let octets: Option<Vec<u8>> = text.split(':').map(octet).collect();
    let octets = octets.and_then(|octets| <[u8; 6]>::try_from(octets).ok());
    match octets {
        Some(octets) if octets.first().is_some_and(|first| first & 1 == 0) => Ok(Mac(octets)),
        Some(_) => Err(Wrong::new(
            format!("{text} is a multicast address"),
            "write an address whose first byte is even",
        )),
        None => Err(Wrong::new(
            format!("\"{text}\" is not an Ethernet address"),
            "write six bytes, such as \"02:00:00:00:00:51\"",
        )),
    }
}

fn ipvlan(item: &Item<'_>) -> Option<Ipvlan> {
    const MODES: [(&str, IpvlanMode); 3] = [
        ("bridge", IpvlanMode::Bridge),
        ("private", IpvlanMode::Private),
        ("vepa", IpvlanMode::Vepa),
    ];
    match item.value {
        Value::Boolean(on) => on.then(Ipvlan::default),
        Value::String(_) => Some(Ipvlan { name: item.interface(), ..Ipvlan::default() }),
        Value::Integer(_)
        | Value::Float(_)
        | Value::Datetime
        | Value::Array(_)
        | Value::Table(_) => {
            let mut table = item.table(Place::Other)?;
            let ipvlan = Ipvlan {
                name: table.get("name").and_then(|item| item.interface()),
                address: table.get("address").and_then(|item| item.parse(values::address)),
                mode: table.get("mode").and_then(|i| i.choice(&MODES)).unwrap_or_default(),
                group: table.integer("group", 0..=u32::MAX),
            };
            table.finish();
            Some(ipvlan)
        }
    }
}

fn unicast(table: &mut Table<'_>, defaults: &Defaults) -> Unicast {
    Unicast {
        peers: table.list("unicast_peers", |item| read(item, PeerBuilder::default())),
        ttl: table.integer("unicast_ttl", 0..=u8::MAX),
        fault_no_peer: table.bool("unicast_fault_no_peer").unwrap_or(false),
        check_source: table.bool("check_unicast_src").unwrap_or(defaults.check_unicast_source),
    }
}

/// `ADDRESS [min_ttl N] [max_ttl N]`.
#[derive(Default)]
struct PeerBuilder {
    address: Option<IpAddr>,
    min_ttl: Option<u8>,
    max_ttl: Option<u8>,
}

impl Builder for PeerBuilder {
    type Built = UnicastPeer;
    const WHAT: &'static str = "a peer";
    const FIRST: &'static str = "address";
    const KEYS: &'static [&'static str] = &["min_ttl", "max_ttl"];
    const FLAGS: &'static [&'static str] = &[];

    fn set(&mut self, key: &str, words: &mut Words<'_>) -> Result<bool, Wrong> {
        match key {
            "min_ttl" => self.min_ttl = Some(words.number(key)?),
            "max_ttl" => self.max_ttl = Some(words.number(key)?),
            word if self.address.is_none() => self.address = Some(values::address(word)?),
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn finish(self) -> Result<UnicastPeer, Wrong> {
        let address = self.address.ok_or_else(|| {
            Wrong::new("the address is missing", "write it first, such as \"192.168.1.3\"")
        })?;
        let (min_ttl, max_ttl) = (self.min_ttl.unwrap_or(0), self.max_ttl.unwrap_or(u8::MAX));
        if min_ttl > max_ttl {
            return Err(Wrong::new(
                format!("min_ttl {min_ttl} is more than max_ttl {max_ttl}"),
                "exchange the two",
            ));
        }
        Ok(UnicastPeer { address, min_ttl, max_ttl })
    }
}

fn group_address(item: &Item<'_>) -> Option<IpAddr> {
    let group = item.parse(values::address)?;
    if !group.is_multicast() {
        let message = format!("{group} is not a multicast group");
        item.wrong(Wrong::new(message, "write a group such as \"224.0.0.18\" or \"ff02::12\""));
        return None;
    }
    Some(group)
}
