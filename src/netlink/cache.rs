//! A copy of the kernel's links and addresses.
//!
//! [`Cache::apply`] applies one event, [`Cache::replace`] the result of a whole dump. Both compare the
//! old state with the new one and report the differences (`netlink:N-10`, `netlink:N-22`), so that
//! a repeated or outdated event reports nothing.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::address::Address;
use super::event::Event;
use super::link::{Link, LinkIndex, NoInterface};
use crate::net::{Route, Rule};
use crate::sorted::Map;

/// Who made a change. The kernel tells it for links and IPv4 addresses; events about IPv6 addresses
/// are always [`Origin::Other`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Origin {
    /// This process, through its command socket (`netlink:N-47`).
    Own,
    /// Another process, or unknown: a change that was missed in an overrun has no origin.
    Other,
}

/// A difference between the cache before and after an event or a dump.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Change {
    /// Who made the change.
    pub origin: Origin,
    /// The object that changed.
    pub what: What,
}

/// An object that changed, with its state before and after.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum What {
    /// A link. A renamed link has different names before and after. A link that is deleted and created
    /// again gives two changes with two indices (`netlink:N-23`).
    Link {
        /// The state before; `None` when the link is new.
        before: Option<Link>,
        /// The state after; `None` when the link is gone.
        after: Option<Link>,
    },
    /// An address.
    Address {
        /// The state before; `None` when the address is new.
        before: Option<Address>,
        /// The state after; `None` when the address is gone.
        after: Option<Address>,
    },
    /// A watched route appeared or is gone.
    Route {
        /// The configured route.
        route: Box<Route>,
        /// Whether the kernel has it.
        present: bool,
    },
    /// A watched rule appeared or is gone.
    Rule {
        /// The configured rule.
        rule: Box<Rule>,
        /// Whether the kernel has it.
        present: bool,
    },
}

/// The state of an interface that matters to a virtual router on it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Interface<'a> {
    /// The link.
    pub link: &'a Link,
    /// Its primary IPv4 address.
    pub ipv4: Option<Ipv4Addr>,
    /// Its link-local IPv6 address.
    pub ipv6: Option<Ipv6Addr>,
    /// The interface is a port of a device that takes all its packets ([`Cache::taken_by`]).
    pub port: bool,
}

/// The addresses of one link.
#[derive(Clone, Debug, Default)]
struct LinkAddresses {
    /// The addresses in the order of the dump, followed by those of later events.
    list: BTreeMap<u64, Address>,
    /// The key of each address in the list. There may be thousands.
    place: BTreeMap<Identity, u64>,
    last: u64,
}

/// The values by which the kernel identifies an address of a link ([`Address::is_same`]).
type Identity = (IpAddr, u8, Option<IpAddr>);

const fn identity(address: &Address) -> Identity {
    (address.address, address.prefix_len, address.peer)
}

/// Equal lists have the same addresses in the same order.
impl PartialEq for LinkAddresses {
    fn eq(&self, other: &Self) -> bool {
        self.list.values().eq(other.list.values())
    }
}

impl Eq for LinkAddresses {}

impl LinkAddresses {
    /// Inserts an address and returns its former state.
    fn insert(&mut self, address: Address) -> Option<Address> {
        let place = *self.place.entry(identity(&address)).or_insert_with(|| {
            self.last += 1;
            self.last
        });
        self.list.insert(place, address)
    }

    fn remove(&mut self, address: &Address) -> Option<Address> {
        self.list.remove(&self.place.remove(&identity(address))?)
    }
}

/// The links and addresses of the kernel, as far as they are known.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Cache {
    links: Map<LinkIndex, Link>,
    /// The link that has a name now. While old events are handled, two links can have the same name;
    /// then it belongs to the link of the latest event.
    names: Map<Box<str>, LinkIndex>,
    addresses: Map<LinkIndex, LinkAddresses>,
}

impl Cache {
    /// An empty cache.
    pub const fn new() -> Self {
        Self { links: Map::new(), names: Map::new(), addresses: Map::new() }
    }

    /// A link by its number.
    pub fn link(&self, index: LinkIndex) -> Option<&Link> {
        self.links.get(&index)
    }

    /// A link by its current name.
    pub fn link_named(&self, name: &str) -> Option<&Link> {
        self.links.get(self.names.get(name)?)
    }

    /// A link by its current name.
    ///
    /// # Errors
    /// [`NoInterface`] when no link has that name.
    pub fn require(&self, name: &str) -> Result<&Link, NoInterface> {
        self.link_named(name).ok_or_else(|| NoInterface {
            name: name.into(),
            have: self.names.keys().cloned().collect(),
        })
    }

    /// The bridge, bond, team or Open vSwitch of which a link is a port, if that device takes all
    /// packets that arrive on the link.
    pub fn taken_by(&self, link: &Link) -> Option<&Link> {
        link.master.and_then(|master| self.link(master)).filter(|master| master.takes_all())
    }

    /// All links in the order of their index.
    pub fn links(&self) -> impl Iterator<Item = &Link> {
        self.links.values()
    }

    /// The addresses of a link; the most recent event is at the end.
    pub fn addresses(&self, index: LinkIndex) -> impl Iterator<Item = &Address> {
        self.addresses.get(&index).into_iter().flat_map(|on| on.list.values())
    }

    /// An address of a link, found by the values by which the kernel identifies it.
    pub fn address(
        &self,
        link: LinkIndex,
        address: IpAddr,
        prefix_len: u8,
        peer: Option<IpAddr>,
    ) -> Option<&Address> {
        let on = self.addresses.get(&link)?;
        on.list.get(on.place.get(&(address, prefix_len, peer))?)
    }

    /// All entries of a link for an address, with any prefix length or peer.
    pub fn variants(&self, link: LinkIndex, address: IpAddr) -> impl Iterator<Item = &Address> {
        let on_link = self.addresses.get(&link).into_iter();
        on_link.flat_map(move |on| {
            let from = on.place.range((address, 0, None)..);
            let same = from.take_while(move |((known, ..), _)| *known == address);
            same.filter_map(|(_, place)| on.list.get(place))
        })
    }

    /// An interface by its current name, with the source addresses of adverts. Addresses for which
    /// `is_virtual` returns `true` do not count, nor do IPv6 addresses that are not known to be unique.
    ///
    /// The primary IPv4 address is the oldest one of the widest scope that is not secondary. For IPv6
    /// it is the lowest link-local address: a dump lists the newest one first, events bring it last,
    /// and a new dump must not change the choice.
    pub fn interface(
        &self,
        name: &str,
        is_virtual: impl Fn(IpAddr) -> bool,
    ) -> Option<Interface<'_>> {
        let link = self.link_named(name)?;
        let counts = |a: &&Address| !is_virtual(a.address);
        let (mut ipv4, mut ipv6): (Option<(_, Ipv4Addr)>, Option<Ipv6Addr>) = (None, None);
        for address in self.addresses(link.index).filter(counts) {
            match address.address {
                IpAddr::V4(own) => {
                    let rank = (address.flags.secondary(), address.scope);
                    if ipv4.is_none_or(|(best, _)| rank < best) {
                        ipv4 = Some((rank, own));
                    }
                }
                IpAddr::V6(own) => {
                    if own.is_unicast_link_local() && address.flags.usable() {
                        ipv6 = Some(ipv6.map_or(own, |best| best.min(own)));
                    }
                }
            }
        }
        let port = self.taken_by(link).is_some();
        Some(Interface { link, ipv4: ipv4.map(|(_, own)| own), ipv6, port })
    }

    /// Applies an event and appends the changes.
    pub fn apply(&mut self, event: Event, origin: Origin, changes: &mut Vec<Change>) {
        let mut report = |what| changes.push(Change { origin, what });
        match event {
            Event::Link(link) => {
                let before = self.insert(link.clone());
                if before.as_ref() != Some(&link) {
                    report(What::Link { before, after: Some(link) });
                }
            }
            Event::LinkGone(link) => {
                for address in
                    self.addresses.remove(&link.index).unwrap_or_default().list.into_values()
                {
                    report(What::Address { before: Some(address), after: None });
                }
                if let Some(before) = self.links.remove(&link.index) {
                    self.forget_name(&before);
                    report(What::Link { before: Some(before), after: None });
                }
            }
            Event::Address(address) => {
                let before =
                    self.addresses.entry(address.link).or_default().insert(address.clone());
                if before.as_ref() != Some(&address) {
                    report(What::Address { before, after: Some(address) });
                }
            }
            Event::AddressGone(address) => {
                let Some(known) = self.addresses.get_mut(&address.link) else { return };
                let before = known.remove(&address);
                if known.list.is_empty() {
                    self.addresses.remove(&address.link);
                }
                if before.is_some() {
                    report(What::Address { before, after: None });
                }
            }
        }
    }

    /// Replaces everything by the result of a dump and appends the changes: first the objects that
    /// are gone, then the changed and new ones, links before their addresses.
    pub fn replace(&mut self, new: Self, changes: &mut Vec<Change>) {
        let old = std::mem::replace(self, new);
        let mut report = |what| changes.push(Change { origin: Origin::Other, what });
        for before in old.addresses.values().flat_map(|on| on.list.values()) {
            if self.find(before).is_none() {
                report(What::Address { before: Some(before.clone()), after: None });
            }
        }
        for before in old.links.values() {
            if self.link(before.index).is_none() {
                report(What::Link { before: Some(before.clone()), after: None });
            }
        }
        for after in self.links.values() {
            let before = old.link(after.index);
            if before != Some(after) {
                report(What::Link { before: before.cloned(), after: Some(after.clone()) });
            }
        }
        for after in self.addresses.values().flat_map(|on| on.list.values()) {
            let before = old.find(after);
            if before != Some(after) {
                report(What::Address { before: before.cloned(), after: Some(after.clone()) });
            }
        }
    }

    fn find(&self, address: &Address) -> Option<&Address> {
        self.address(address.link, address.address, address.prefix_len, address.peer)
    }

    /// Inserts a link and returns its former state.
    fn insert(&mut self, link: Link) -> Option<Link> {
        let (index, name) = (link.index, link.name.clone());
        let before = self.links.insert(index, link);
        if let Some(old) = before.as_ref().filter(|old| old.name != name) {
            self.forget_name(old);
        }
        self.names.insert(name, index);
        before
    }

    /// Removes the name of a link, or gives it to another link that has the same name.
    fn forget_name(&mut self, old: &Link) {
        let other = self.links.values().find(|l| l.name == old.name && l.index != old.index);
        match other.map(|link| link.index) {
            Some(index) => self.names.insert(old.name.clone(), index),
            None => self.names.remove(&old.name),
        };
    }
}

#[cfg(test)]
mod tests;
