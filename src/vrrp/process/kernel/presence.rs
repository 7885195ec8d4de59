//! What is really there: the objects against the cache.

use std::net::IpAddr;

use nix::errno::Errno;

use super::{Doubt, Kernel, Token};
use crate::config::objects::VirtualAddress;
use crate::config::routes::Route;
use crate::netlink::address::Address;
use crate::netlink::batch::Request;
use crate::netlink::cache::Cache;
use crate::netlink::link::LinkIndex;
use crate::netlink::route::{Place, Standing};
use crate::units::Family;
use crate::vrrp::settings::Object;
use crate::vrrp::{Engine, ObjectId};

/// Why a route cannot be added, and what to do.
fn in_the_way(route: &Route, found: Option<Standing>, cache: &Cache) -> Box<str> {
    let there = match found.filter(|found| found.is_in_place_of(route)) {
        Some(found) => format!("{} is in its place", found.words(cache)),
        None => "another route with this destination and metric is in its place".into(),
    };
    match Place::of(route).metric.saturating_sub(1) {
        0 => format!("{there}: write another metric"),
        lower => format!("{there}: write a lower metric, such as \"metric {lower}\""),
    }
    .into()
}

impl Kernel {
    /// The objects whose presence is known now: each with whether it is there. To be called when
    /// the monitor is read to the end; empty while the cache is not current. Objects with requests
    /// on their way come later.
    pub fn observe(&mut self, engine: &Engine) -> Vec<(ObjectId, bool)> {
        if !self.monitor.is_current() {
            return Vec::new();
        }
        for (token, doubt) in std::mem::take(&mut self.lost) {
            self.clear_up(engine, token, doubt);
        }
        let ready = |object: &ObjectId| {
            !self.in_flight.contains_key(object) && !self.opening.contains(*object)
        };
        let ready: Vec<ObjectId> = self.dirty.iter().copied().filter(ready).collect();
        let mut seen = Vec::with_capacity(ready.len());
        for object in ready {
            self.dirty.remove(&object);
            let held = self.holds(engine, object);
            if held {
                self.unheard.remove(&object);
            }
            if self.is_observed(engine, object)
                && held != engine.object_present(object)
                && !self.unheard.contains(&object)
            {
                seen.push((object, held));
            }
        }
        seen
    }

    /// Answers a request by what the cache has.
    fn clear_up(&mut self, engine: &Engine, token: Token, doubt: Doubt) {
        if self.holds(engine, token.object) == token.present {
            return self.finish(token, Ok(()), None);
        }
        let found = match doubt {
            Doubt::Unless(errno) => return self.finish(token, Err(errno), None),
            Doubt::InTheWay(found) => found,
        };
        let Some(Object::Route(route)) = engine.object(token.object) else {
            return self.finish(token, Err(Errno::EEXIST), None);
        };
        let is_v6 = route.destination.family() == Family::V6;
        if is_v6 && !token.finds {
            let finds = Token { finds: true, ..token };
            if self.commands.push(Request::FindRoute(route), finds).is_ok() {
                *self.in_flight.entry(token.object).or_default() += 1;
                return;
            }
        }
        let cache = self.monitor.cache();
        if found.is_some_and(|found| found.does_the_same(route, cache)) {
            self.monitor.lend(route, true);
            return self.finish(token, Ok(()), None);
        }
        let words = in_the_way(route, found, cache);
        self.finish(token, Err(Errno::EEXIST), Some(words));
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

    /// Whether the kernel has an address that somebody else put there.
    pub fn is_foreign(&self, engine: &Engine, object: ObjectId) -> bool {
        self.held(engine, object).is_some_and(|address| !address.is_own)
    }

    fn holds(&self, engine: &Engine, object: ObjectId) -> bool {
        match engine.object(object) {
            Some(Object::Route(route)) => self.monitor.watch().has_route(route),
            Some(Object::Rule(rule)) => self.monitor.watch().has_rule(rule),
            Some(Object::Filter | Object::Address(_) | Object::Excluded(_)) | None => {
                self.held(engine, object).is_some()
            }
        }
    }

    /// The address that an object is, if the kernel has it.
    fn held(&self, engine: &Engine, object: ObjectId) -> Option<&Address> {
        let (link, address, prefix_len, peer) = self.key(engine, object)?;
        self.monitor.cache().address(link, address, prefix_len, peer)
    }
}

/// What makes an address the same for the kernel.
type Key = (LinkIndex, IpAddr, u8, Option<IpAddr>);

fn key(link: LinkIndex, address: &VirtualAddress) -> Key {
    let peer = address.peer.filter(|peer| *peer != address.address);
    (link, address.address, address.prefix_len, peer)
}
