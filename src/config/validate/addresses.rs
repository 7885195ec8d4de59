//! Virtual addresses: number, order, and that each is held once.

use crate::sorted::Map;
use std::net::IpAddr;

use super::{Checker, name_of};
use crate::config::diagnostic::Diagnostic;
use crate::config::locate::Step;
use crate::config::machine::Machine;
use crate::config::model::Instance;
use crate::config::values;
use crate::net::VirtualAddress;
use crate::units::{Family, Version};

/// The MTU that an interface is taken to have.
const ETHERNET_MTU_OCTETS: usize = 1500;

/// How many addresses a packet holds: what fits and can be counted in an octet (`vrrp:V-8a`).
pub const fn packet_capacity(version: Version, family: Family) -> usize {
    let (header, authentication) = match version {
        Version::V2 => (8, 8),
        Version::V3 => (8, 0),
    };
    let (ip, address) = match family {
        Family::V4 => (20, 4),
        Family::V6 => (40, 16),
    };
    // keepalived counts the Ethernet header into the MTU; both ends have to count the same.
    let fit = (ETHERNET_MTU_OCTETS - 14 - ip - header - authentication) / address;
    if fit > 255 { 255 } else { fit }
}

/// The two lists with their keys.
fn lists(instance: &Instance) -> [(&'static str, &[VirtualAddress]); 2] {
    [("virtual_addresses", &instance.addresses), ("excluded_addresses", &instance.excluded)]
}

/// Checks the addresses of one instance.
pub fn check(checker: &mut Checker<'_>, instance: &Instance) {
    for family in Family::ALL {
        count(checker, instance, family);
    }
    first_v6(checker, instance);
    owner(checker, instance);
    own_address(checker, instance);
    for (key, list) in lists(instance) {
        for (index, address) in list.iter().enumerate() {
            let steps = [Step::Key(key), Step::Index(index)];
            let source = instance.settings.source.v4.map(IpAddr::V4) == Some(address.address)
                || instance.settings.source.v6.map(IpAddr::V6) == Some(address.address);
            if source && !instance.settings.priority.is_owner() {
                let message = format!(
                    "{}: {} is also the source_address",
                    name_of(instance, key),
                    address.address
                );
                let span = checker.place(instance, &steps);
                let source = checker.place(instance, &[Step::Key("source_address")]);
                checker.found.push(
                    Diagnostic::error(span, message)
                        .related(source, "the source of adverts")
                        .help("write an address as the source that this router has at all times"),
                );
            }
            if let Some(what) = no_host(address) {
                let message = format!(
                    "{}: {}/{} {what}",
                    name_of(instance, key),
                    address.address,
                    address.prefix_len
                );
                let span = checker.place(instance, &steps);
                checker.found.push(
                    Diagnostic::warning(span, message)
                        .help("write the address that the routers share, with its prefix length"),
                );
            }
        }
    }
}

/// Why an address with this prefix length is probably not meant.
fn no_host(address: &VirtualAddress) -> Option<&'static str> {
    if address.prefix_len == 0 {
        return Some("makes every address of the world a neighbour");
    }
    let IpAddr::V4(v4) = address.address else { return None };
    let network = values::network(address.address, address.prefix_len);
    // /31 and /32 have neither (RFC 3021).
    let hosts = u32::MAX.checked_shr(address.prefix_len.into()).filter(|hosts| *hosts > 1)?;
    if network == address.address {
        Some("is the address of a network and not of a host")
    } else {
        (v4.to_bits() & hosts == hosts).then_some("is the broadcast address of its network")
    }
}

/// More addresses than a packet holds.
fn count(checker: &mut Checker<'_>, instance: &Instance, family: Family) {
    let capacity = packet_capacity(instance.settings.version, family);
    let of_family =
        instance.addresses.iter().enumerate().filter(|(_, a)| Family::of(a.address) == family);
    let total = of_family.clone().count();
    let Some((first, _)) = of_family.clone().nth(capacity) else { return };
    let message = format!(
        "{}: {total} {family} addresses, but a packet of version {} holds {capacity}",
        name_of(instance, "virtual_addresses"),
        instance.settings.version
    );
    let steps = [Step::Key("virtual_addresses"), Step::Index(first)];
    let span = checker.place(instance, &steps);
    checker.found.push(Diagnostic::error(span, message).help(format!(
        "move the {} from here on to excluded_addresses, in the same way on all routers: \
         the master holds those as well, but does not advertise them",
        total - capacity
    )));
}

/// The first IPv6 address is link-local (`vrrp:V3-3`).
fn first_v6(checker: &mut Checker<'_>, instance: &Instance) {
    let v6 = |(index, address): (usize, &VirtualAddress)| match address.address {
        IpAddr::V6(address) => Some((index, address)),
        IpAddr::V4(_) => None,
    };
    let Some((index, first)) = instance.addresses.iter().enumerate().find_map(v6) else { return };
    if first.is_unicast_link_local() {
        return;
    }
    let message = format!(
        "{}: the first IPv6 address, {first}, is not link-local",
        name_of(instance, "virtual_addresses")
    );
    let steps = [Step::Key("virtual_addresses"), Step::Index(index)];
    let span = checker.place(instance, &steps);
    let diagnostic = if instance.settings.strict {
        Diagnostic::error(span, message)
    } else {
        Diagnostic::warning(span, message)
    };
    checker.found.push(diagnostic.help(format!(
        "write one before it, such as \"fe80::{:x}/64\", on all routers; hosts use it as their \
         gateway",
        instance.settings.vrid.get()
    )));
}

/// The owner has the addresses on its interface all the time (`vrrp:V-4`).
fn owner(checker: &mut Checker<'_>, instance: &Instance) {
    if !instance.settings.priority.is_owner() || instance.addresses.is_empty() {
        return;
    }
    let help = "write priority = 254 or less, unless the addresses are set on the interface \
                independently of steadfast";
    let own = |address: &VirtualAddress| -> Box<str> {
        address.interface.clone().unwrap_or_else(|| instance.settings.interface.clone())
    };
    let there =
        checker.machine.filter(|machine| machine.has_interface(&instance.settings.interface));
    let Some(addresses) = there.and_then(Machine::addresses) else {
        checker.warning(
            instance,
            "priority",
            "255 claims that this router owns the virtual addresses, which was not checked",
            help,
        );
        return;
    };
    let held = |address: &&VirtualAddress| {
        addresses.get(&own(address)).is_some_and(|held| held.contains(&address.address))
    };
    let missing: Vec<String> = instance
        .addresses
        .iter()
        .filter(|address| !held(address))
        .map(|address| format!("{} on {}", address.address, own(address)))
        .collect();
    if !missing.is_empty() {
        let what = format!(
            "255 claims that this router owns the virtual addresses, but it has no {}",
            missing.join(", ")
        );
        checker.error(instance, "priority", &what, help);
    }
}

/// A router that is not the owner needs an address of its own to send from.
fn own_address(checker: &mut Checker<'_>, instance: &Instance) {
    if instance.settings.priority.is_owner() {
        return;
    }
    let there =
        checker.machine.filter(|machine| machine.has_interface(&instance.settings.interface));
    let Some(addresses) = there.and_then(Machine::addresses) else { return };
    let Some(addresses) = addresses.get(&instance.settings.interface) else { return };
    for family in Family::ALL {
        let is_source = |address: IpAddr| match address {
            IpAddr::V4(_) => family == Family::V4,
            IpAddr::V6(own) => family == Family::V6 && own.is_unicast_link_local(),
        };
        let mut here = addresses.iter().copied().filter(|address| is_source(*address));
        let place = |own| instance.addresses.iter().position(|one| one.address == own);
        let Some((own, index)) = here.next().and_then(|own| Some((own, place(own)?))) else {
            continue;
        };
        if here.any(|other| place(other).is_none()) {
            continue;
        }
        let message = format!(
            "{}: {own} is the router's own address, and the only one that {} can send from",
            name_of(instance, "virtual_addresses"),
            instance.settings.interface
        );
        let steps = [Step::Key("virtual_addresses"), Step::Index(index)];
        let span = checker.place(instance, &steps);
        checker.found.push(
            Diagnostic::warning(span, message)
                .help("write priority = 255, or another virtual address on all routers"),
        );
    }
}

/// Whether no two are the same.
fn all_different<N: Ord>(all: &mut [N]) -> bool {
    let different = |all: &[N]| all.is_sorted_by(|a, b| a < b);
    // People write them in their order.
    different(all) || {
        all.sort_unstable();
        different(all)
    }
}

/// An address in two places, in one instance or in two.
pub fn shared(checker: &mut Checker<'_>) {
    // A link-local address belongs to its link, any other one to the machine.
    type Key<'a> = (IpAddr, Option<&'a str>);
    let model = checker.model;
    // Most often all are different, which is seen soonest in their order.
    let (mut v4, mut v6): (Vec<u32>, Vec<u128>) = (Vec::new(), Vec::new());
    for instance in &model.instances {
        for (_, list) in lists(instance) {
            for address in list {
                match address.address {
                    IpAddr::V4(address) => v4.push(address.to_bits()),
                    IpAddr::V6(address) => v6.push(address.to_bits()),
                }
            }
        }
    }
    if all_different(&mut v4) && all_different(&mut v6) {
        return;
    }
    let mut first: Map<Key<'_>, (&Instance, &str, usize)> = Map::new();
    for instance in &model.instances {
        for (key, list) in lists(instance) {
            for (index, address) in list.iter().enumerate() {
                let link_local = match address.address {
                    IpAddr::V4(address) => address.is_link_local(),
                    IpAddr::V6(address) => address.is_unicast_link_local(),
                };
                let interface =
                    address.interface.as_deref().unwrap_or(&instance.settings.interface);
                let held = (address.address, link_local.then_some(interface));
                let place = (instance, key, index);
                let Some((other, other_key, other_index)) = first.insert(held, place) else {
                    continue;
                };
                let steps = [Step::Key(other_key), Step::Index(other_index)];
                let there = checker.place(other, &steps);
                let here = checker.place(instance, &[Step::Key(key), Step::Index(index)]);
                let what = address.address;
                let (message, remark, help) = if std::ptr::eq(other, instance) {
                    (
                        format!("{what} is there twice"),
                        "here for the first time".to_owned(),
                        "remove one of them",
                    )
                } else {
                    (
                        format!("{what} belongs to instance {} already", other.settings.name),
                        format!("in {}", other.settings.name),
                        "remove it from one of the two: each would take it from the other",
                    )
                };
                let message = format!("{}: {message}", name_of(instance, key));
                checker
                    .found
                    .push(Diagnostic::error(here, message).related(there, remark).help(help));
            }
        }
    }
}
