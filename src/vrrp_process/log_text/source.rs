//! What is said of a missing address to send adverts from.

use std::net::IpAddr;

use crate::netlink::cache::Cache;
use crate::units::Family;
use crate::vrrp::{Engine, InstanceId};

/// The address that adverts of an instance would come from, if it were not for something that can be
/// mended.
pub fn unusable(
    engine: &Engine,
    links: &Cache,
    instance: InstanceId,
    family: Family,
) -> Option<String> {
    let on = &engine.settings(instance)?.interface;
    let is_source = |address: IpAddr| match address {
        IpAddr::V4(_) => family == Family::V4,
        IpAddr::V6(own) => family == Family::V6 && own.is_unicast_link_local(),
    };
    let mut all = links.addresses(links.link_named(on)?.index);
    let held = all.find(|held| is_source(held.address) && !held.is_own)?;
    let address = held.address;
    if held.flags.is_duplicate() {
        return Some(format!(
            "link-local address {address} of \"{on}\" failed duplicate address detection: another \
             host uses it; give one of them another address"
        ));
    }
    if held.flags.is_tentative() {
        return Some(format!(
            "link-local address {address} of \"{on}\" waits for duplicate address detection"
        ));
    }
    let mut objects =
        engine.objects(instance).filter(|(_, what)| what.announced() == Some(address));
    objects.next()?;
    Some(format!(
        "{address} is the router's own address, and the only one that \"{on}\" can send from: use \
         priority 255, or another virtual address"
    ))
}
