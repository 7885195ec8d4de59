//! What else the kernel has under the address of an object.
//!
//! For ARP and neighbour discovery an address is its bits, whatever its prefix length: the kernel
//! answers for a left-over of 192.0.2.1/25 as it does for 192.0.2.1/24. So it is one object here.

use super::{Kernel, Note, Token, presence};
use crate::control::event::{Name, What};
use crate::net::{Route, VirtualAddress};
use crate::netlink::address::{Address, can_replace};
use crate::netlink::batch::Request;
use crate::netlink::link::LinkIndex;
use crate::netlink::route::Resolved;
use crate::vrrp::settings::Object;
use crate::vrrp::{Engine, ObjectId};

impl Kernel {
    /// Everything that the link of an object has under its address.
    pub(super) fn variants<'a>(
        &'a self,
        engine: &Engine,
        object: ObjectId,
    ) -> impl Iterator<Item = &'a Address> + use<'a> {
        let place = self.place(engine, object);
        let address = engine.object(object).and_then(Object::announced);
        let key = place.zip(address).into_iter();
        key.flat_map(|(link, address)| self.monitor.cache().variants(link, address))
    }

    /// Whether a link has this very address.
    pub(super) fn has(&self, link: LinkIndex, address: &VirtualAddress) -> bool {
        let (link, address, prefix_len, peer) = presence::key(link, address);
        self.monitor.cache().address(link, address, prefix_len, peer).is_some()
    }

    /// The configured object that has the address and the link of one that is no longer configured.
    pub(super) fn heir(&self, engine: &Engine, object: ObjectId) -> Option<ObjectId> {
        if engine.object_listed(object) {
            return None;
        }
        let (address, place) = (engine.object(object)?.announced()?, self.place(engine, object)?);
        let mut others = self.address_index.of(address).filter(|other| *other != object);
        others
            .find(|other| engine.object_listed(*other) && self.place(engine, *other) == Some(place))
    }

    /// Whether it is not known whose an address is: the object that it was is on its way out, and
    /// the one that it is to be has not been asked for. Their answers say it.
    pub(super) fn is_between(&self, engine: &Engine, object: ObjectId) -> bool {
        if self.inherits.contains(&object) && engine.object_wanted(object) {
            return true;
        }
        if !engine.object_listed(object) {
            return self.heir(engine, object).is_some() && !engine.object_kept(object);
        }
        let Some(address) = engine.object(object).and_then(Object::announced) else { return false };
        let Some(place) = self.place(engine, object) else { return false };
        self.address_index.of(address).any(|other| {
            other != object
                && engine.has_object(other)
                && !engine.object_listed(other)
                && !engine.object_kept(other)
                && self.place(engine, other) == Some(place)
        })
    }

    /// Leaves the address of an object that is no longer configured to its heir, when the kernel
    /// can turn one into the other in place: then no packet is lost.
    pub(super) fn bequeath(&mut self, engine: &Engine, object: ObjectId, link: LinkIndex) -> bool {
        let Some(heir) = self.heir(engine, object) else { return false };
        let (Some(old), Some(new)) = (address(engine, object), address(engine, heir)) else {
            return false;
        };
        if !can_replace(old, new)
            || !engine.object_wanted(heir)
            || engine.object_present(heir)
            || !self.has(link, old)
        {
            return false;
        }
        self.inherits.insert(heir);
        // Should nobody ask for it any more, it is found there, and removed.
        self.dirty.insert(heir);
        true
    }

    /// Asks to remove what stands in the way of an address that is to be added: the same address
    /// with another prefix length, or one that is not used as another host has it. And with an
    /// address that is to be removed, whatever else there is of it.
    pub(super) fn clear_way(
        &mut self,
        engine: &Engine,
        object: ObjectId,
        link: LinkIndex,
        wanted: &VirtualAddress,
        present: bool,
    ) {
        let exact = presence::key(link, wanted);
        let is_exact = |a: &Address| (a.link, a.address, a.prefix_len, a.peer) == exact;
        if !present && self.heir(engine, object).is_some() {
            return;
        }
        let ours = self.places.contains_key(&object);
        let mut way = Vec::new();
        for found in self.monitor.cache().variants(link, wanted.address) {
            let exact = is_exact(found);
            if !found.is_own && !(exact && (ours || present)) {
                let what = What::ForeignAddress {
                    address: found.address,
                    prefix_len: found.prefix_len,
                    interface: self.interface_name(found.link),
                    replaced_by: present.then_some((wanted.address, wanted.prefix_len)),
                };
                self.news.notes.push(Note { object, what });
            }
            let in_the_way = if present { !exact || found.flags.is_duplicate() } else { !exact };
            if in_the_way {
                way.push(as_virtual(found));
            }
        }
        for other in way {
            if self.commands.push(Request::Delete(link, &other), Token::Way(object)).is_ok() {
                *self.in_flight.entry(object).or_default() += 1;
            }
        }
    }

    /// IPv6 routes stay when their preferred source goes, without it, and then they are in the way of
    /// what they were.
    pub(super) fn clear_rest(&mut self, object: ObjectId, route: &Route) {
        let is_v6 = route.source.is_some_and(|source| source.is_ipv6());
        if is_v6 && self.monitor.watch().went_along(route) {
            let rest = self.added(object, route);
            if self.commands.push(Request::DeleteRoute(&rest), Token::Way(object)).is_ok() {
                *self.in_flight.entry(object).or_default() += 1;
            }
        }
    }

    /// A route as it was added: its interfaces may have other names by now.
    pub(super) fn added<'a>(&mut self, object: ObjectId, route: &'a Route) -> Resolved<'a> {
        match self.ways.remove(&object) {
            Some(links) => Resolved::added(route, links),
            None => Resolved::to_delete(route, |name| self.link(name).map(|link| link.index)),
        }
    }

    /// What an interface is called in events.
    pub(super) fn interface_name(&self, link: LinkIndex) -> Name {
        self.monitor.cache().link(link).map_or("?", |link| &*link.name).into()
    }
}

fn address(engine: &Engine, object: ObjectId) -> Option<&VirtualAddress> {
    match engine.object(object)? {
        Object::Address(address) | Object::Excluded(address) => Some(address),
        Object::Filter | Object::Route(_) | Object::Rule(_) => None,
    }
}

/// What a request to delete it needs.
pub(super) fn as_virtual(address: &Address) -> VirtualAddress {
    VirtualAddress {
        peer: address.peer,
        ..VirtualAddress::new(address.address, address.prefix_len)
    }
}
