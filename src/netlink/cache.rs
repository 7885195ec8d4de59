//! The links and addresses that the kernel is known to have.
//!
//! [`Cache::apply`] takes events, [`Cache::replace`] a whole new picture; both report what is
//! different from before by comparing states (`netlink:N-10`, `netlink:N-22`), so that an event
//! that comes twice, or late, reports nothing.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::address::Address;
use super::event::Event;
use super::link::{Link, LinkIndex, NoInterface};
use crate::net::{Route, Rule};
use crate::sorted::Map;

/// Who made a change. The kernel says so for links and IPv4 addresses; events about IPv6
/// addresses are always [`Origin::Other`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Origin {
    /// This process, through its command socket (`netlink:N-47`).
    Own,
    /// Somebody else, or it is not known: what was missed in an overrun has no origin.
    Other,
}

/// A difference between what was known and what is known now.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Change {
    /// Who made it.
    pub origin: Origin,
    /// What is different.
    pub what: What,
}

/// What is different.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum What {
    /// A link. A rename has different names before and after; one that is deleted and made again
    /// is two changes with two indices (`netlink:N-23`).
    Link {
        /// As it was; `None`: it is new.
        before: Option<Link>,
        /// As it is; `None`: it is gone.
        after: Option<Link>,
    },
    /// An address.
    Address {
        /// As it was; `None`: it is new.
        before: Option<Address>,
        /// As it is; `None`: it is gone.
        after: Option<Address>,
    },
    /// A watched route appeared or is gone.
    Route {
        /// As it is configured.
        route: Box<Route>,
        /// The kernel has it.
        present: bool,
    },
    /// A watched rule appeared or is gone.
    Rule {
        /// As it is configured.
        rule: Box<Rule>,
        /// The kernel has it.
        present: bool,
    },
}

/// What matters of one interface to a virtual router on it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Interface<'a> {
    /// The link.
    pub link: &'a Link,
    /// Its primary IPv4 address.
    pub ipv4: Option<Ipv4Addr>,
    /// Its link-local IPv6 address.
    pub ipv6: Option<Ipv6Addr>,
    /// It is a port of something that takes all packets ([`Cache::taken_by`]).
    pub port: bool,
}

/// The addresses of one link.
#[derive(Clone, Debug, Default)]
struct OnLink {
    /// In the order of a dump, and behind it that of the events.
    list: BTreeMap<u64, Address>,
    /// Where each is in the list: there may be thousands.
    place: BTreeMap<Identity, u64>,
    last: u64,
}

/// What makes an address of a link the same for the kernel ([`Address::is_same`]).
type Identity = (IpAddr, u8, Option<IpAddr>);

const fn identity(address: &Address) -> Identity {
    (address.address, address.prefix_len, address.peer)
}

/// The same addresses in the same order.
impl PartialEq for OnLink {
    fn eq(&self, other: &Self) -> bool {
        self.list.values().eq(other.list.values())
    }
}

impl Eq for OnLink {}

impl OnLink {
    /// Puts an address in; returns what was known of it.
    fn put(&mut self, address: Address) -> Option<Address> {
        let place = *self.place.entry(identity(&address)).or_insert_with(|| {
            self.last += 1;
            self.last
        });
        self.list.insert(place, address)
    }

    fn take(&mut self, address: &Address) -> Option<Address> {
        self.list.remove(&self.place.remove(&identity(address))?)
    }
}

/// Links and addresses, as far as known.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Cache {
    links: Map<LinkIndex, Link>,
    /// Whose name it is now. While old news is worked off, two links can have the same name: the
    /// one heard of last has it.
    names: Map<Box<str>, LinkIndex>,
    addresses: Map<LinkIndex, OnLink>,
}

impl Cache {
    /// With nothing in it.
    pub const fn new() -> Self {
        Self { links: Map::new(), names: Map::new(), addresses: Map::new() }
    }

    /// A link by its number.
    pub fn link(&self, index: LinkIndex) -> Option<&Link> {
        self.links.get(&index)
    }

    /// A link by its present name.
    pub fn link_named(&self, name: &str) -> Option<&Link> {
        self.links.get(self.names.get(name)?)
    }

    /// A link by its present name.
    ///
    /// # Errors
    /// [`NoInterface`] when there is none.
    pub fn require(&self, name: &str) -> Result<&Link, NoInterface> {
        self.link_named(name).ok_or_else(|| NoInterface {
            name: name.into(),
            have: self.names.keys().cloned().collect(),
        })
    }

    /// The bridge or the like that a link is a port of, if that takes all packets that come in by
    /// the link.
    pub fn taken_by(&self, link: &Link) -> Option<&Link> {
        link.master.and_then(|master| self.link(master)).filter(|master| master.takes_all())
    }

    /// All links, by number.
    pub fn links(&self) -> impl Iterator<Item = &Link> {
        self.links.values()
    }

    /// The addresses of a link, those heard of last at the end.
    pub fn addresses(&self, index: LinkIndex) -> impl Iterator<Item = &Address> {
        self.addresses.get(&index).into_iter().flat_map(|on| on.list.values())
    }

    /// An address of a link, by what makes it the same for the kernel.
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

    /// All that a link has under an address, with any prefix length or peer.
    pub fn variants(&self, link: LinkIndex, address: IpAddr) -> impl Iterator<Item = &Address> {
        let on_link = self.addresses.get(&link).into_iter();
        on_link.flat_map(move |on| {
            let from = on.place.range((address, 0, None)..);
            let same = from.take_while(move |((known, ..), _)| *known == address);
            same.filter_map(|(_, place)| on.list.get(place))
        })
    }

    /// An interface by its present name, with the addresses to send from. Those for which
    /// `is_virtual` says so do not count, nor does IPv6 that is not known to be unique.
    ///
    /// Primary is the oldest of the IPv4 addresses that are not secondary and have the widest
    /// scope, and the lowest link-local IPv6 address: the kernel lists the latest of these first,
    /// while events bring it last, and a new picture must not change the choice.
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

    /// Takes an event; appends what is different.
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
                let before = self.addresses.entry(address.link).or_default().put(address.clone());
                if before.as_ref() != Some(&address) {
                    report(What::Address { before, after: Some(address) });
                }
            }
            Event::AddressGone(address) => {
                let Some(known) = self.addresses.get_mut(&address.link) else { return };
                let before = known.take(&address);
                if known.list.is_empty() {
                    self.addresses.remove(&address.link);
                }
                if before.is_some() {
                    report(What::Address { before, after: None });
                }
            }
        }
    }

    /// Takes over a whole new picture; appends what is different: first what is gone, then what
    /// changed or is new, links before their addresses.
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

    /// Puts a link in; returns what was known of it.
    fn insert(&mut self, link: Link) -> Option<Link> {
        let (index, name) = (link.index, link.name.clone());
        let before = self.links.insert(index, link);
        if let Some(old) = before.as_ref().filter(|old| old.name != name) {
            self.forget_name(old);
        }
        self.names.insert(name, index);
        before
    }

    /// A link does not have its name any more. Should another link have it, it is that one's.
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
