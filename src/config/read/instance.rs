//! `[vrrp.instance.NAME]` and `[vrrp.group.NAME]`.

use std::net::IpAddr;
use std::time::Duration;

use super::global::version;
use super::tokens::{Builder, Words, read};
use super::value_table;
use crate::config::keys::{DAY, Key, Kind, NO_TIME, aliases};
use crate::config::model::{
    Checksum, Defaults, GarpExtra, Group, Instance, Ipvlan, IpvlanMode, OnForeignRemoval,
    ParamMatch, Preempt, SourceAddresses, UnicastPeer, Vmac,
};
use crate::config::reader::{FromItem, Item, Table};
use crate::config::section::{Section, section};
use crate::config::tree::Value;
use crate::config::values::{self, Wrong};
use crate::units::{Centiseconds, Family, Mac, Version};

/// Reads an instance.
pub fn instance(name: &str, table: &Table<'_>, defaults: &Defaults) -> Instance {
    let mut instance = defaults.instance(name);
    if !table.has("no_virtual_addresses") {
        let help =
            "add virtual_addresses = [\"192.168.1.1/24\"], the addresses that move to the master";
        // Without them there is nothing to do (`vrrp:V-8b`).
        table.require("virtual_addresses", help);
    }
    table.read(|name, given| _ = instance.set(name, given));
    if let Some(item) = table.get("virtual_addresses")
        && item.value.as_array().is_some_and(<[_]>::is_empty)
    {
        let help =
            "add virtual_addresses = [\"192.168.1.1/24\"], the addresses that move to the master";
        item.wrong(Wrong::new("the list is empty", help));
    }
    instance.settings.version = version_of(table, &instance);
    instance.settings.interval = interval(table, instance.settings.version);
    if let Some(accept) = table.get("accept").and_then(|item| item.bool()) {
        instance.accept = accept;
        if !accept {
            table.refuse_value("accept", aliases::NO_ACCEPT);
        }
    }
    instance.mcast_group = table.get("mcast_dst_ip").and_then(|item| group_address(&item));
    instance
}

/// Reads a sync group.
pub fn group(name: &str, table: &Table<'_>) -> Group {
    let mut group = Group { name: name.into(), ..Group::default() };
    table.read(|name, given| _ = group.set(name, given));
    group
}

/// The version: as given, else 3 for IPv6, else the global one (`vrrp:V-8b`). When it is given
/// wrongly, 3, of which no other value is wrong.
fn version_of(table: &Table<'_>, instance: &Instance) -> Version {
    match table.get("version") {
        Some(item) => version(&item).unwrap_or(Version::V3),
        None if instance.has_family(Family::V6) => Version::V3,
        None => instance.settings.version,
    }
}

/// The interval: version 2 in seconds up to 255, version 3 in hundredths up to 40.95 s
/// (`vrrp:V-7`).
fn interval(table: &Table<'_>, version: Version) -> Centiseconds {
    let Some(item) = table.get("advertisement_interval") else { return Centiseconds::SECOND };
    let (low, high) = match version {
        Version::V2 => (Duration::from_secs(1), Duration::from_secs(255)),
        Version::V3 => (Duration::from_millis(10), Centiseconds::MAX_V3.duration()),
    };
    let Some(length) = item.duration(Duration::ZERO, DAY) else { return Centiseconds::SECOND };
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

impl FromItem for Preempt {
    fn from_item(item: &Item<'_>, _: Kind) -> Option<Self> {
        match item.value {
            Value::Boolean(true) => Some(Self::On),
            Value::Boolean(false) => Some(Self::Off),
            Value::String(text) if text == "immediate" => Some(Self::Immediate),
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
}

/// One address, or one of each family.
impl FromItem for SourceAddresses {
    fn from_item(item: &Item<'_>, _: Kind) -> Option<Self> {
        let mut source = Self::NONE;
        let list = matches!(item.value, Value::Array(_));
        let items = if list { item.items().unwrap_or_default() } else { vec![item.clone()] };
        for item in items {
            let Some(address) = item.parse(values::address) else { continue };
            if address.is_multicast() || address.is_unspecified() {
                let message = format!("{address} cannot be a source");
                item.wrong(Wrong::new(message, "write an address of the interface"));
            }
            let twice = match address {
                IpAddr::V4(address) => source.v4.replace(address).is_some(),
                IpAddr::V6(address) => source.v6.replace(address).is_some(),
            };
            if twice {
                item.wrong(Wrong::new(
                    format!("a second {} address", Family::of(address)),
                    "write at most one address of each family",
                ));
            }
        }
        Some(source)
    }
}

/// A value that is one of some words, given in the order of the words.
macro_rules! choices {
    ($($type:ident: $($variant:ident),*;)*) => { $(
        impl FromItem for $type {
            fn from_item(item: &Item<'_>, _: Kind) -> Option<Self> {
                const VALUES: &[$type] = &[$($type::$variant),*];
                const { assert!(VALUES.len() == $type::WORDS.len()) };
                VALUES.get(item.choice($type::WORDS)?).copied()
            }
        }
    )* };
}

choices! {
    Checksum: PseudoHeader, PseudoHeaderStrict, OldUnicast, MessageOnly;
    OnForeignRemoval: Restore, Backup;
    IpvlanMode: Bridge, Private, Vepa;
    ParamMatch: Exact, Initial, Partial;
}

section! {
    /// `garp_extra_if` as a table.
    #[derive(Clone, PartialEq, Debug)]
    pub struct GarpExtraTable {
        /// How often.
        interval: Option<Duration> = None,
            key Key::time("interval", NO_TIME, DAY, "\"60s\"")
                .required("add interval = \"60s\"");
        /// On every interface below, and not only on the first.
        all: bool = false, key Key::flag("all");
    }
}

impl FromItem for GarpExtra {
    fn from_item(item: &Item<'_>, _: Kind) -> Option<Self> {
        if !matches!(item.value, Value::Table(_)) {
            return Some(Self { interval: item.duration(NO_TIME, DAY)?, all: false });
        }
        let mut extra = GarpExtraTable::default();
        let table = item.table(value_table::<GarpExtraTable>())?;
        table.read(|name, given| _ = extra.set(name, given));
        Some(Self { interval: extra.interval?, all: extra.all })
    }
}

/// The tables of an interface to be made: also `true`, or its name alone.
macro_rules! made_interfaces {
    ($($type:ident),*) => { $(
        impl FromItem for Option<$type> {
            fn from_item(item: &Item<'_>, _: Kind) -> Option<Self> {
                let mut made = $type::default();
                match item.value {
                    Value::Boolean(on) => return Some(on.then_some(made)),
                    Value::String(_) => made.name = item.interface(),
                    Value::Integer(_)
                    | Value::Float(_)
                    | Value::Datetime
                    | Value::Array(_)
                    | Value::Table(_) => {
                        let table = item.table(value_table::<$type>())?;
                        table.read(|name, given| _ = made.set(name, given));
                    }
                }
                Some(Some(made))
            }
        }
    )* };
}

made_interfaces!(Vmac, Ipvlan);

impl FromItem for Mac {
    fn from_item(item: &Item<'_>, _: Kind) -> Option<Self> {
        item.parse(mac)
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

impl FromItem for UnicastPeer {
    fn from_item(item: &Item<'_>, _: Kind) -> Option<Self> {
        read(item, PeerBuilder::default())
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
