//! What is really there: the objects against the cache.

use std::net::IpAddr;

use nix::errno::Errno;

use super::{Asked, Doubt, Kernel, Token};
use crate::net::Route;
use crate::net::VirtualAddress;
use crate::netlink::address::Address;
use crate::netlink::batch::Request;
use crate::netlink::cache::Cache;
use crate::netlink::link::LinkIndex;
use crate::netlink::route::{BlockingRoute, Place};
use crate::units::Family;
use crate::vrrp::settings::Object;
use crate::vrrp::{Engine, ObjectId, RouterId};

/// Why a route cannot be added, and what to do.
fn in_the_way(route: &Route, found: Option<BlockingRoute>, cache: &Cache) -> Box<str> {
    let there = match found.filter(|found| found.is_in_place_of(route)) {
        Some(found) => format!("{} is in its place", found.describe(cache)),
        None => "another route with this destination and metric is in its place".into(),
    };
    match Place::of(route).metric.saturating_sub(1) {
        0 => format!("{there}: write another metric"),
        lower => format!("{there}: write a lower metric, such as \"metric {lower}\""),
    }
    .into()
}

/// What there is of an object.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Seen {
    /// The kernel has it.
    Present,
    /// The same, and it stays where it is as somebody else has put it there.
    Kept,
    /// The kernel has the address but does not use it, as another host has it.
    Duplicate,
    /// Somebody removed it.
    Removed,
    /// The kernel took it along with something else.
    WentAlong,
}

impl Kernel {
    /// The objects that are otherwise than the engine knows. To be called when the monitor is read
    /// to the end; empty while the cache is not current. Objects with requests on their way come
    /// later.
    pub fn observe(&mut self, engine: &Engine) -> Vec<(ObjectId, Seen)> {
        if !self.monitor.is_current() {
            return Vec::new();
        }
        for (asked, doubt) in std::mem::take(&mut self.lost) {
            self.settle(engine, asked, doubt);
        }
        let ready = |object: &ObjectId| {
            !self.in_flight.contains_key(object) && !self.ipv6_readiness.contains(*object)
        };
        let ready: Vec<ObjectId> = self.dirty.iter().copied().filter(ready).collect();
        let mut seen = Vec::with_capacity(ready.len());
        for object in ready {
            if self.is_between(engine, object) {
                continue;
            }
            self.dirty.remove(&object);
            let now = self.look_at(engine, object);
            if now.is_some() {
                self.unheard.remove(&object);
            }
            if now == Some(Seen::Kept) {
                self.kept.insert(object);
            } else {
                self.kept.remove(&object);
            }
            let known = match engine.object_present(object) {
                true if engine.object_duplicate(object) => Some(Seen::Duplicate),
                true if engine.object_kept(object) => Some(Seen::Kept),
                true => Some(Seen::Present),
                false => None,
            };
            if self.is_observed(engine, object) && now != known && !self.unheard.contains(&object) {
                seen.push((object, now.unwrap_or_else(|| self.missing(engine, object))));
            }
        }
        self.order(engine);
        seen
    }

    /// What became of a request whose answer does not say it.
    fn settle(&mut self, engine: &Engine, asked: Asked, doubt: Doubt) {
        let Asked { object, present, again, .. } = asked;
        // What is left of one that is no longer configured may be another one's by now.
        let inherited = !present && self.heir(engine, object).is_some();
        if inherited || self.look_at(engine, object).is_some() == present {
            if present {
                self.news.there.push(object);
            }
            self.finish(asked, Ok(()), None);
            return;
        }
        match (doubt, engine.object(object)) {
            (Doubt::Unless(errno), _) => self.finish(asked, Err(errno), None),
            (Doubt::Exists, Some(Object::Route(route))) => self.find_in_the_way(asked, route),
            (Doubt::InTheWay(found), Some(Object::Route(route))) => {
                self.is_in_the_way(asked, route, found);
            }
            // The address is there with another prefix length, which was not known before.
            (Doubt::Exists, _) if !again => {
                self.ask_for(engine, Asked { again: true, ..asked });
            }
            (Doubt::Exists | Doubt::InTheWay(_), _) => {
                self.finish(asked, Err(Errno::EEXIST), None);
            }
        }
    }

    /// Asks which route is in the place of one that was to be added. Of IPv4 only an equal one can
    /// be, which is somebody else's.
    fn find_in_the_way(&mut self, asked: Asked, route: &Route) {
        if route.destination.family() == Family::V6
            && self.commands.push(Request::FindRoute(route), Token::Finds(asked)).is_ok()
        {
            *self.in_flight.entry(asked.object).or_default() += 1;
            return;
        }
        self.is_in_the_way(asked, route, None);
    }

    fn is_in_the_way(&mut self, asked: Asked, route: &Route, found: Option<BlockingRoute>) {
        let cache = self.monitor.cache();
        if found.is_some_and(|found| found.does_the_same(route, cache)) {
            self.monitor.set_substituted(route, true);
            return self.finish(asked, Ok(()), None);
        }
        let words = in_the_way(route, found, cache);
        self.finish(asked, Err(Errno::EEXIST), Some(words));
    }

    /// What there is of an object; `None`: nothing. Of an address that is wanted that is what is
    /// configured; of another one, whatever has the same address, since the kernel answers for it.
    fn look_at(&self, engine: &Engine, object: ObjectId) -> Option<Seen> {
        let what = engine.object(object)?;
        match what {
            Object::Route(route) => {
                return self.monitor.watch().has_route(route).then_some(Seen::Present);
            }
            Object::Rule(rule) => {
                return self.monitor.watch().has_rule(rule).then_some(Seen::Present);
            }
            Object::Filter => return None,
            Object::Address(_) | Object::Excluded(_) => {}
        }
        let held = match self.held(engine, object) {
            Some(held) => held,
            // What another object has is not what is left of this one.
            None if !wants(engine, object) => {
                self.variants(engine, object).find(|_| self.heir(engine, object).is_none())?
            }
            None => return None,
        };
        Some(if held.flags.is_duplicate() {
            Seen::Duplicate
        } else if self.keeps(engine, object, held) {
            Seen::Kept
        } else {
            Seen::Present
        })
    }

    /// Why an object that was there is there no more.
    fn missing(&self, engine: &Engine, object: ObjectId) -> Seen {
        let went_along = match engine.object(object) {
            Some(Object::Route(route)) => self.monitor.watch().went_along(route),
            _ => self.went_along.contains(&object),
        };
        if went_along { Seen::WentAlong } else { Seen::Removed }
    }

    /// Whether an object that is there stays where it is, wanted or not.
    pub fn stays(&self, engine: &Engine, object: ObjectId) -> bool {
        self.held(engine, object).is_some_and(|held| self.keeps(engine, object, held))
    }

    /// Whether an address stays where it is: this program has not added it, and the owner has it, or
    /// there is no other one that the adverts could come from.
    fn keeps(&self, engine: &Engine, object: ObjectId, held: &Address) -> bool {
        let Some(settings) = engine.settings(object.instance) else { return false };
        if held.is_own || self.places.contains_key(&object) && !settings.priority.is_owner() {
            return false;
        }
        if settings.priority.is_owner() {
            return true;
        }
        let router = RouterId { instance: object.instance, family: Family::of(held.address) };
        let is_source = match held.address {
            IpAddr::V4(_) => true,
            IpAddr::V6(address) => address.is_unicast_link_local(),
        };
        is_source
            && self.link(&settings.interface).is_some_and(|link| link.index == held.link)
            && engine.source(router).is_none_or(|source| source == held.address)
    }

    /// What the kernel says of an address, as words of the status document.
    pub fn flags(&self, engine: &Engine, object: ObjectId) -> Vec<String> {
        let Some(held) = self.held(engine, object) else { return Vec::new() };
        let flags = held.flags;
        let all = [
            (flags.is_duplicate(), "duplicate"),
            (flags.is_tentative(), "tentative"),
            (flags.is_deprecated() && !flags.is_duplicate(), "deprecated"),
        ];
        all.iter().filter(|(is, _)| *is).map(|(_, word)| (*word).to_owned()).collect()
    }

    /// Whether the cache can tell of an object.
    fn is_observed(&self, engine: &Engine, object: ObjectId) -> bool {
        engine.object(object).is_some_and(|what| match what {
            Object::Address(_) | Object::Excluded(_) | Object::Route(_) | Object::Rule(_) => true,
            Object::Filter => false,
        })
    }

    /// Whether the event about it comes after the answer.
    pub(super) fn comes_late(&self, engine: &Engine, object: ObjectId) -> bool {
        let address = engine.object(object).and_then(Object::announced);
        address.is_some_and(|address| address.is_ipv6())
    }

    fn key(&self, engine: &Engine, object: ObjectId) -> Option<Key> {
        let link = self.place(engine, object)?;
        match engine.object(object)? {
            Object::Address(address) | Object::Excluded(address) => Some(key(link, address)),
            Object::Filter | Object::Route(_) | Object::Rule(_) => None,
        }
    }

    /// The address that an object is, if the kernel has it.
    pub(super) fn held(&self, engine: &Engine, object: ObjectId) -> Option<&Address> {
        let (link, address, prefix_len, peer) = self.key(engine, object)?;
        self.monitor.cache().address(link, address, prefix_len, peer)
    }
}

/// Whether an object is to be there, and not only left where it is.
fn wants(engine: &Engine, object: ObjectId) -> bool {
    engine.object_wanted(object) && !engine.object_kept(object)
}

/// What makes an address the same for the kernel.
type Key = (LinkIndex, IpAddr, u8, Option<IpAddr>);

pub(super) fn key(link: LinkIndex, address: &VirtualAddress) -> Key {
    let peer = address.peer.filter(|peer| *peer != address.address);
    (link, address.address, address.prefix_len, peer)
}
