//! What is said of another host that holds an address of a master.

use std::net::IpAddr;

use crate::netlink::cache::Cache;
use crate::units::{Family, Mac};
use crate::vrrp::{Engine, InstanceId, RouterId};

/// Who else holds an address of a master, and what to look for.
pub fn words(
    engine: &Engine,
    links: &Cache,
    instance: InstanceId,
    address: IpAddr,
    mac: Mac,
) -> String {
    let is_virtual = engine.objects(instance).any(|(_, o)| o.announced() == Some(address));
    if !is_virtual {
        return format!(
            "another host ({mac}) uses {address} too, the address that our adverts come from, so \
             that neither hears the other: give each router an address of its own"
        );
    }
    format!(
        "another host ({mac}) holds {address} too, ours as MASTER: look for {}",
        suspect(engine, links, instance)
    )
}

/// What may be behind it: a sender whose packets are not for us, or are dropped, if there is one.
fn suspect(engine: &Engine, links: &Cache, instance: InstanceId) -> String {
    if let Some((from, reason)) = engine.last_rejected(instance) {
        return format!("{from}, whose adverts are dropped here ({reason})");
    }
    if let Some(source) = lonely_source(engine, links, instance) {
        return format!(
            "rp_filter, which drops adverts of others since the own address {source}/32 has no \
             subnet: give it the prefix length of its network"
        );
    }
    let on = engine.interface_of(instance);
    match on.and_then(|on| engine.last_stranger(on)) {
        Some((from, vrid)) => format!(
            "{from}, which sends virtual_router_id {vrid} there, another pair of routers, or an \
             address added by hand"
        ),
        None => "another pair of routers (other virtual_router_id, version or password), or an \
                 address added by hand"
            .to_owned(),
    }
}

/// The address that IPv4 adverts come from, if no other host can be in its subnet.
fn lonely_source(engine: &Engine, links: &Cache, instance: InstanceId) -> Option<IpAddr> {
    let source = engine.source(RouterId { instance, family: Family::V4 })?;
    let link = links.link_named(&engine.settings(instance)?.interface)?;
    let mut alike = links.addresses(link.index).filter(|own| own.address == source);
    alike.any(|own| own.prefix_len == 32).then_some(source)
}
