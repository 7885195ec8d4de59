//! IPv4 addresses of one subnet on one link.
//!
//! The kernel calls the first address of a subnet primary and the others secondary (`netlink:N-46`).
//! With the primary it deletes all its secondaries, and their routes, unless `promote_secondaries`
//! is 1 (`netlink:N-44`): then the next one becomes primary. Connections of the router itself come
//! from the primary. So
//!
//! - the setting is 1 on each link that has a virtual address. It is set by netlink, as this process
//!   may not write to /proc; by a request before removals, too, since nobody tells when it is changed
//!   there; and it is 0 again at the end if it was before. What is left behind by a process that was
//!   killed harms nobody, and the one after it takes it for the administrator's.
//! - a virtual address that is primary while an address of the router's own is secondary is removed
//!   and added again in one batch, which puts it behind the others. That comes of a lease that
//!   changes, or of an own address that comes after the virtual one. Routes with the own one as
//!   preferred source stay: the kernel does not let go of an address that it promotes.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use super::same_address::as_virtual;
use super::{Kernel, Note, Token};
use crate::control::event::What;
use crate::net::VirtualAddress;
use crate::netlink::address::Address;
use crate::netlink::batch::Request;
use crate::netlink::error::KernelError;
use crate::netlink::link::{Link, LinkIndex};
use crate::sorted::{Map, Set};
use crate::system::clock;
use crate::units::Instant;
use crate::vrrp::settings::Object;
use crate::vrrp::{Engine, ObjectId};

/// Within this time the setting is asked for once on a link.
const PROMOTION_TIME: Duration = Duration::from_millis(100);
/// Whoever sets it back again and again is answered once in this time.
const PROMOTION_RETRY_PAUSE: Duration = Duration::from_secs(1);
/// In this time a link's addresses are put in order as many times as there are virtual ones on it,
/// and a few times more: whatever undoes it, it does not keep the process busy.
const RESTORE_WINDOW: Duration = Duration::from_secs(10);
/// The few times more.
const MAX_RESTORES: usize = 8;

/// What is known of the setting of a link.
#[derive(Clone, Copy, Debug)]
struct Promotion {
    /// For this object.
    object: ObjectId,
    /// It was 0.
    was_off: bool,
    asked_at: Instant,
    /// The kernel refused, and that is told.
    refused: bool,
}

/// The links with addresses of ours.
#[derive(Debug, Default)]
pub(super) struct Subnets {
    promotions: Map<LinkIndex, Promotion>,
    /// Links whose addresses are to be looked at.
    changed: Set<LinkIndex>,
    /// Since when, and how many addresses were put in order since.
    ordered: Map<LinkIndex, (Instant, usize)>,
    /// When to look at those that were in order too often.
    look_at: Option<Instant>,
}

impl Subnets {
    pub(super) fn look_at(&mut self, address: &Address) {
        if address.address.is_ipv4() {
            self.changed.insert(address.link);
        }
    }

    pub(super) fn forget(&mut self, link: LinkIndex) {
        self.promotions.remove(&link);
        self.ordered.remove(&link);
    }

    /// When the addresses are to be looked at again.
    pub(super) const fn next(&self) -> Option<Instant> {
        self.look_at
    }

    /// Whether they are to be looked at now.
    pub(super) fn take_due(&mut self, now: Instant) -> bool {
        self.look_at.take_if(|at| *at <= now).is_some()
    }

    /// Whether one more may be put in order.
    fn allows(&mut self, link: LinkIndex, virtuals: usize, now: Instant) -> bool {
        let (since, count) = self.ordered.entry(link).or_insert((now, 0));
        if now.since(*since) >= RESTORE_WINDOW {
            (*since, *count) = (now, 0);
        }
        *count += 1;
        if *count <= virtuals + MAX_RESTORES {
            return true;
        }
        let at = *since + RESTORE_WINDOW;
        self.look_at = Some(self.look_at.map_or(at, |known| known.min(at)));
        self.changed.insert(link);
        false
    }
}

impl Kernel {
    /// Before an IPv4 address is added to a link or removed: makes that cost no other one.
    pub(super) fn promote(
        &mut self,
        object: ObjectId,
        link: LinkIndex,
        address: &VirtualAddress,
        present: bool,
    ) {
        if !address.address.is_ipv4() {
            return;
        }
        let is_off = self.monitor.cache().link(link).and_then(|l| l.promotes) == Some(false);
        let now = clock::now();
        let known = self.subnets.promotions.get(&link);
        let is_recent = known.is_some_and(|known| now.since(known.asked_at) < PROMOTION_TIME);
        if is_recent || present && !is_off {
            return;
        }
        self.ask_promotion(object, link, is_off, now);
    }

    fn ask_promotion(&mut self, object: ObjectId, link: LinkIndex, is_off: bool, now: Instant) {
        let pushed =
            self.commands.push(Request::Promote(link, true), Token::Promotion(object, link));
        if pushed.is_ok() {
            let known = self.subnets.promotions.get(&link);
            let was_off = is_off || known.is_some_and(|known| known.was_off);
            let refused = known.is_some_and(|known| known.refused);
            let promotion = Promotion { object, was_off, asked_at: now, refused };
            self.subnets.promotions.insert(link, promotion);
        }
    }

    /// Somebody has changed a link, perhaps this setting.
    pub(super) fn promote_again(&mut self, link: &Link) {
        let now = clock::now();
        let Some(known) = self.subnets.promotions.get(&link.index) else { return };
        // The event about something that was before our request comes after it.
        if link.promotes == Some(false)
            && self.places.values().any(|on| *on == link.index)
            && now.since(known.asked_at) >= PROMOTION_RETRY_PAUSE
        {
            self.ask_promotion(known.object, link.index, true, now);
        }
    }

    /// At the end: what was 0 is 0 again.
    pub fn restore_promotions(&mut self) {
        for (link, known) in std::mem::take(&mut self.subnets.promotions) {
            if known.was_off {
                // What cannot be sent stays as it is, which harms nobody.
                let token = Token::Promotion(known.object, link);
                let _ = self.commands.push(Request::Promote(link, false), token);
            }
        }
        while self.commands.send().is_ok_and(|left| left == crate::netlink::monitor::Left::More) {}
    }

    pub(super) fn not_promoted(&mut self, object: ObjectId, link: LinkIndex, error: &KernelError) {
        let Some(known) = self.subnets.promotions.get_mut(&link) else { return };
        if std::mem::replace(&mut known.refused, true) {
            return;
        }
        let interface = self.interface_name(link);
        let what = What::PromotionRefused { interface, error: error.to_string().into() };
        self.news.notes.push(Note { object, what });
    }

    /// A removal of ours has cost an address that is of no object. A late word about one that was
    /// ours is none.
    pub(super) fn took_along(&mut self, lost: &Address) {
        if lost.is_own || !lost.flags.secondary() {
            return;
        }
        let Some(known) = self.subnets.promotions.get(&lost.link) else { return };
        let what = What::SecondaryLost {
            address: lost.address,
            prefix_len: lost.prefix_len,
            interface: self.interface_name(lost.link),
        };
        self.news.notes.push(Note { object: known.object, what });
    }

    /// Puts virtual addresses behind the router's own ones of their subnets.
    pub(super) fn order(&mut self, engine: &Engine) {
        let now = clock::now();
        for link in std::mem::take(&mut self.subnets.changed) {
            let cache = self.monitor.cache();
            let all = || cache.addresses(link).filter(|a| a.address.is_ipv4());
            let own: Set<Subnet> = all()
                .filter(|a| a.flags.secondary() && !self.address_index.moves(a.address))
                .filter_map(subnet)
                .collect();
            if own.is_empty() {
                continue;
            }
            let virtuals = || all().filter(|a| self.address_index.moves(a.address));
            let first = virtuals().filter(|a| !a.flags.secondary());
            let first = first.filter(|a| subnet(a).is_some_and(|subnet| own.contains(&subnet)));
            let is_settled = |object: &ObjectId| {
                engine.object_present(*object)
                    && engine.object_wanted(*object)
                    && !engine.object_kept(*object)
                    && !self.in_flight.contains_key(object)
            };
            let is_it = |object: &ObjectId, address: &Address| {
                self.held(engine, *object).is_some_and(|held| held.is_same(address))
            };
            let last: Vec<(ObjectId, Address)> = first
                .filter_map(|a| {
                    let mut objects = self.address_index.of(a.address);
                    let object = objects.find(|o| is_settled(o) && is_it(o, a))?;
                    Some((object, a.clone()))
                })
                .collect();
            let count = virtuals().count();
            for (object, address) in last {
                if self.subnets.allows(link, count, now) {
                    self.put_behind(engine, object, &address);
                }
            }
        }
    }

    fn put_behind(&mut self, engine: &Engine, object: ObjectId, address: &Address) {
        let (Some(Object::Address(wanted) | Object::Excluded(wanted)), link) =
            (engine.object(object), address.link)
        else {
            return;
        };
        self.promote(object, link, wanted, false);
        let old = as_virtual(address);
        if self.commands.push(Request::Delete(link, &old), Token::Way(object)).is_err() {
            return;
        }
        *self.in_flight.entry(object).or_default() += 1;
        match self.commands.push(Request::Add(link, wanted), Token::Again(object)) {
            Ok(()) => *self.in_flight.entry(object).or_default() += 1,
            Err(_) => {
                self.went_along.insert(object);
            }
        }
    }
}

/// What decides whether an address is secondary: the prefix length, and the network of the address,
/// or of the other end where there is one.
type Subnet = (u8, u32);

fn subnet(address: &Address) -> Option<Subnet> {
    let IpAddr::V4(other) = address.peer.unwrap_or(address.address) else { return None };
    let host_bits = u32::MAX.checked_shr(address.prefix_len.into()).unwrap_or(0);
    Some((address.prefix_len, Ipv4Addr::to_bits(other) & !host_bits))
}
