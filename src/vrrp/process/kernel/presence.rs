//! What is really there: the objects against the cache.

use std::net::IpAddr;

use nix::errno::Errno;

use super::Kernel;
use crate::config::objects::VirtualAddress;
use crate::netlink::address::Address;
use crate::netlink::link::LinkIndex;
use crate::vrrp::settings::Object;
use crate::vrrp::{Engine, ObjectId};

/// Why a route can not be added.
pub(super) const IN_THE_WAY: &str =
    "another route with this destination and metric is in its place";

impl Kernel {
    /// The objects whose presence is known now: each with whether it is there. To be called when
    /// the monitor is read to the end; empty while the cache is not current. Objects with requests
    /// on their way come later.
    pub fn observe(&mut self, engine: &Engine) -> Vec<(ObjectId, bool)> {
        if !self.monitor.is_current() {
            return Vec::new();
        }
        for (token, errno) in std::mem::take(&mut self.lost) {
            let held = self.holds(engine, token.object);
            let result = if held == token.present { Ok(()) } else { Err(errno) };
            let in_the_way = result == Err(Errno::EEXIST);
            self.finish(token, result, in_the_way.then(|| IN_THE_WAY.into()));
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
