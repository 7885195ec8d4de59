//! `[global]`.

use std::net::IpAddr;

use crate::config::model::GlobalTable;
use crate::config::reader::{Item, Table};
use crate::config::section::Section;
use crate::config::values::{self, Wrong};
use crate::units::{Family, Version};

/// Reads the table.
pub fn global(table: &Table<'_>) -> GlobalTable {
    let mut all = GlobalTable::default();
    if table.has("watchdog_timeout") {
        table.require("watchdog_device", "write watchdog_device = \"/dev/watchdog\"");
    }
    table.read(|name, given| _ = all.set(name, given));
    let GlobalTable { global, defaults } = &mut all;
    let group = |key, family| table.get(key).and_then(|item| multicast(&item, family));
    if let Some(IpAddr::V4(group)) = group("vrrp_mcast_group4", Family::V4) {
        global.mcast_group4 = Some(group);
    }
    if let Some(IpAddr::V6(group)) = group("vrrp_mcast_group6", Family::V6) {
        global.mcast_group6 = Some(group);
    }
    global.watchdog_device = table.get("watchdog_device").and_then(|item| device(&item));
    let version = table.get("vrrp_version").and_then(|item| version(&item));
    defaults.version = version.unwrap_or(defaults.version);
    // These follow the values for becoming master.
    if !table.has("vrrp_garp_lower_prio_repeat") {
        defaults.announce.lower_prio_repeat = defaults.announce.repeat;
    }
    if !table.has("vrrp_garp_lower_prio_delay") {
        defaults.announce.lower_prio_delay = defaults.announce.delay;
    }
    all
}

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

/// A multicast group of a family.
fn multicast(item: &Item<'_>, family: Family) -> Option<IpAddr> {
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
