//! Cross checks: what is wrong with values that are each possible.
//!
//! All of it is linear in the size of the model: places are looked up only for findings.

mod addresses;
mod groups;
mod instance;

use crate::sorted::{Map, Set};

use super::diagnostic::{Diagnostic, Severity, Span};
use super::locate::{Places, Step};
use super::machine::Machine;
use super::model::{Instance, Model, Tracking};
use super::read::Reading;
use super::reader::join;
use crate::net::{Prefix, TableId};
use crate::units::Family;

/// Looks at a model and adds what it finds.
pub fn validate(
    reading: &Reading,
    places: &dyn Places,
    machine: Option<&Machine>,
    found: &mut Vec<Diagnostic>,
) {
    let model = &reading.model;
    let mut checker = Checker { model, places, machine, found, absent: Set::new() };
    // After an error it would be a second message about the same thing.
    let failed = checker.found.iter().any(|found| found.severity == Severity::Error);
    if model.instances.is_empty() && !failed {
        checker.found.push(
            Diagnostic::warning(0..0, "there is no instance, so nothing to do")
                .help("add [vrrp.instance.NAME]; conf/steadfast.toml shows how"),
        );
    }
    checker.processes();
    for instance in &model.instances {
        instance::check(&mut checker, instance);
        addresses::check(&mut checker, instance);
    }
    checker.identifiers(&reading.incomplete);
    addresses::shared(&mut checker);
    groups::check(&mut checker);
    checker.routes();
    checker.interfaces();
    checker.characters();
}

/// What the checks share.
struct Checker<'a> {
    model: &'a Model,
    places: &'a dyn Places,
    machine: Option<&'a Machine>,
    found: &'a mut Vec<Diagnostic>,
    /// Interfaces whose absence was reported.
    absent: Set<&'a str>,
}

impl<'a> Checker<'a> {
    /// The place of a key of an instance, and what follows below it.
    fn place(&self, instance: &Instance, rest: &[Step<'_>]) -> Span {
        let mut path =
            vec![Step::Key("vrrp"), Step::Key("instance"), Step::Key(&instance.settings.name)];
        path.extend_from_slice(rest);
        self.places.find(&path)
    }

    /// Whether an instance has a key.
    fn writes(&self, instance: &Instance, key: &str) -> bool {
        let name = Step::Key(&instance.settings.name);
        self.places.is_written(&[Step::Key("vrrp"), Step::Key("instance"), name, Step::Key(key)])
    }

    /// An error at a key of an instance.
    fn error(&mut self, instance: &Instance, key: &str, what: &str, help: &str) {
        let message = format!("{}: {what}", name_of(instance, key));
        let span = self.place(instance, &[Step::Key(key)]);
        self.found.push(Diagnostic::error(span, message).help(help));
    }

    /// A warning at a key of an instance.
    fn warning(&mut self, instance: &Instance, key: &str, what: &str, help: &str) {
        let message = format!("{}: {what}", name_of(instance, key));
        let span = self.place(instance, &[Step::Key(key)]);
        self.found.push(Diagnostic::warning(span, message).help(help));
    }

    /// A bound that nothing reaches.
    fn processes(&mut self) {
        let limit = [Step::Key("global"), Step::Key("vrrp_rlimit_rttime")];
        let real_time = [Step::Key("global"), Step::Key("vrrp_rt_priority")];
        if self.places.is_written(&limit) && !self.places.is_written(&real_time) {
            let span = self.places.find(&limit);
            let message = "global.vrrp_rlimit_rttime: nothing runs in real time";
            let help = "add vrrp_rt_priority = 50, or remove it";
            self.found.push(Diagnostic::warning(span, message).help(help));
        }
    }

    /// One identifier twice on an interface and in an address family (`vrrp:V-3`).
    fn identifiers(&mut self, incomplete: &Set<Box<str>>) {
        let mut first: Map<(&str, u8, Family), &Instance> = Map::new();
        for instance in &self.model.instances {
            if incomplete.contains(&instance.settings.name) {
                continue;
            }
            for family in Family::ALL.into_iter().filter(|family| instance.has_family(*family)) {
                let key = (&*instance.settings.interface, instance.settings.vrid.get(), family);
                let Some(other) = first.insert(key, instance) else { continue };
                // Unicast routers may share one when their peers tell them apart (U-6).
                if !instance.unicast.peers.is_empty() && !other.unicast.peers.is_empty() {
                    continue;
                }
                let (vrid, interface) = (instance.settings.vrid, &instance.settings.interface);
                let key = [Step::Key("virtual_router_id")];
                let error = Diagnostic::error(
                    self.place(instance, &key),
                    format!(
                        "{}: {vrid} is taken for {family} on {interface}",
                        name_of(instance, "virtual_router_id")
                    ),
                );
                self.found.push(
                    error
                        .related(self.place(other, &key), format!("by {}", other.settings.name))
                        .help("write another number from 1 to 255, the same on the other routers"),
                );
                break;
            }
        }
    }

    /// Two routes in one place: which of them is used depends on which comes last, and IPv6 has but
    /// one of them (`netlink:N-56`).
    fn routes(&mut self) {
        let mut first: Map<(TableId, Prefix, u8, u32), (&Instance, usize)> = Map::new();
        for instance in &self.model.instances {
            for (index, route) in instance.routes.iter().enumerate() {
                // netlink:N-57
                let (metric, more) = match (route.metric.unwrap_or(0), route.destination.family()) {
                    (0, Family::V6) => (1024, 1024),
                    (metric, Family::V4 | Family::V6) => (metric, 100),
                };
                let key = (route.table, route.destination, route.tos, metric);
                let Some((other, place)) = first.insert(key, (instance, index)) else { continue };
                let key = "virtual_routes";
                let what = match route.destination.family() {
                    Family::V4 => "the one that is added last is used",
                    Family::V6 => "the kernel takes only one of them",
                };
                let to = match route.destination {
                    Prefix { len: 0, .. } => "default".to_owned(),
                    prefix => prefix.to_string(),
                };
                let message = format!(
                    "{}: there is another route to {to} with this metric: {what}",
                    name_of(instance, key)
                );
                let here = self.place(instance, &[Step::Key(key), Step::Index(index)]);
                let there = self.place(other, &[Step::Key(key), Step::Index(place)]);
                let metric = metric.saturating_add(more);
                self.found.push(
                    Diagnostic::warning(here, message)
                        .related(there, format!("in {}", other.settings.name))
                        .help(format!("add \"metric {metric}\" to the one that is to be second")),
                );
            }
        }
    }

    /// Interfaces that no virtual router can be on, or not as it is meant.
    fn characters(&mut self) {
        let Some(machine) = self.machine else { return };
        let mut seen = Set::new();
        for instance in &self.model.instances {
            let name = &*instance.settings.interface;
            if name.is_empty() || !seen.insert(name) {
                continue;
            }
            let Some(character) = machine.character(name) else { continue };
            let (what, help) = if let Some(master) = &character.port_of {
                (
                    format!("{name} is a port of {master}, which gets all adverts in its place"),
                    format!("write interface = \"{master}\""),
                )
            } else if character.loopback {
                (
                    format!("{name} leads back to this machine: no other router is on it"),
                    "write the interface by which the routers reach each other; an address on \
                     another one has \"dev\""
                        .to_owned(),
                )
            } else if !character.multicast {
                (
                    format!("{name} takes no multicast packets, and adverts are such"),
                    format!("set it up with: ip link set {name} multicast on"),
                )
            } else if !character.resolves {
                (
                    format!("{name} has no ARP: no host is told that an address has moved"),
                    format!(
                        "set it up with: ip link set {name} arp on; or ignore this on a tunnel"
                    ),
                )
            } else {
                continue;
            };
            self.warning(instance, "interface", &what, &help);
        }
    }

    /// Interfaces that this machine does not have.
    fn interfaces(&mut self) {
        let Some(machine) = self.machine else { return };
        let model = self.model;
        for instance in &model.instances {
            let path =
                [Step::Key("vrrp"), Step::Key("instance"), Step::Key(&instance.settings.name)];
            self.interface(machine, &path, &[Step::Key("interface")], &instance.settings.interface);
            let lists = [
                ("virtual_addresses", &instance.addresses),
                ("excluded_addresses", &instance.excluded),
            ];
            for (key, list) in lists {
                for (index, address) in list.iter().enumerate() {
                    if let Some(name) = &address.interface {
                        let steps = [Step::Key(key), Step::Index(index)];
                        self.interface(machine, &path, &steps, name);
                    }
                }
            }
            for (index, route) in instance.routes.iter().enumerate() {
                for name in route.next_hops.iter().filter_map(|hop| hop.interface.as_deref()) {
                    let steps = [Step::Key("virtual_routes"), Step::Index(index)];
                    self.interface(machine, &path, &steps, name);
                }
            }
            self.tracked(machine, &path, &instance.track);
        }
        for group in &model.groups {
            let path = [Step::Key("vrrp"), Step::Key("group"), Step::Key(&group.name)];
            self.tracked(machine, &path, &group.track);
        }
    }

    /// The same for `track_interfaces`, which is a list or a table.
    fn tracked(&mut self, machine: &Machine, path: &[Step<'_>], track: &'a Tracking) {
        let key = Step::Key("track_interfaces");
        for (index, tracked) in track.interfaces.iter().enumerate() {
            let by_name = [key, Step::Key(&tracked.name)];
            let by_index = [key, Step::Index(index)];
            let table = self.places.is_written(&[path, &by_name].concat());
            let steps = if table { by_name } else { by_index };
            self.interface(machine, path, &steps, &tracked.name);
        }
    }

    /// Reports an interface that is not there, once.
    fn interface(
        &mut self,
        machine: &Machine,
        path: &[Step<'_>],
        below: &[Step<'_>],
        name: &'a str,
    ) {
        if name.is_empty() || machine.has_interface(name) || !self.absent.insert(name) {
            return;
        }
        let have = machine
            .interfaces()
            .iter()
            .take(MAX_SHOWN_NAMES)
            .map(|name| &**name)
            .collect::<Vec<_>>();
        let more = if machine.interfaces().len() > MAX_SHOWN_NAMES { ", ..." } else { "" };
        // The first step below the table is the key that a person looks for.
        let keys = path.iter().chain(below.first()).filter_map(|step| match step {
            Step::Key(key) => Some(*key),
            Step::Index(_) => None,
        });
        let message = format!(
            "{}: this machine has no interface {name} (have: {}{more})",
            keys.fold(String::new(), |path, key| join(&path, key)),
            have.join(", ")
        );
        let help = match super::suggest::nearest(name, have) {
            Some(near) => format!("did you mean {near}? Otherwise {name} is waited for"),
            None => "correct the name; an interface that comes later is waited for".to_owned(),
        };
        let span = self.places.find(&[path, below].concat());
        self.found.push(Diagnostic::warning(span, message).help(help));
    }
}

/// How many interfaces of the machine a message names.
const MAX_SHOWN_NAMES: usize = 12;

/// The dotted name of a key of an instance.
fn name_of(instance: &Instance, key: &str) -> String {
    let path = join("vrrp.instance", &instance.settings.name);
    if key.is_empty() { path } else { join(&path, key) }
}

#[cfg(test)]
mod tests;
