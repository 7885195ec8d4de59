//! Another host that holds an address of ours while we are master, and is no master that we hear:
//! another pair of routers with another VRID, version or password, an address that somebody added
//! by hand, a router that stands still with its addresses, or one with the same own address.
//!
//! VRRP shows nothing of it, so the addresses are probed as a host does before it uses one
//! (RFC 5227 2.1.1, RFC 4862 5.4.2): such a probe claims nothing, changes nobody's neighbour table,
//! and only who has the address answers.
//!
//! 1. A master probes its addresses, and those that its adverts come from: the first time shortly
//!    after it became master, then in each [`probe`](super::settings::Announce::probe) a few
//!    of them in turn; of very many addresses so many that all had their turn after
//!    `PROBES_PER_ROUND` times that. A probe goes along with an advert, so that an idle router is not
//!    woken for it.
//! 2. Whoever answers, or announces one of these addresses by itself, is a second holder. The
//!    address is probed again every `ANSWERED_PROBE_INTERVAL` from then on, the first time after our
//!    own announcement had time to arrive: who only stepped down late does not answer any more.
//! 3. When `MAX_UNANSWERED_PROBES` in a row, `UNANSWERED_PROBE_INTERVAL` apart, have no answer,
//!    nobody else has it.
//!
//! Not in a planned hand-over, in which the successor holds them as well, and not in strict mode.

use std::net::IpAddr;
use std::time::Duration;

use super::action::{Announcement, Probed};
use super::engine::Engine;
use super::ids::{InstanceId, InterfaceId, ObjectId};
use super::instance::{Context, Instance};
use super::notice::Notice;
use super::state::{Duty, Master, SecondHolder, SecondHolders, StateData};
use super::timers::Timer;
use super::validation::Reject;
use crate::units::{Family, Mac};

/// From becoming master to the first probe: the master before has gone by then.
const FIRST_PROBE_DELAY: Duration = Duration::from_secs(2);
/// From an announcement of another host, or a probe without an answer, to the next probe.
const UNANSWERED_PROBE_INTERVAL: Duration = Duration::from_secs(1);
/// From an answer to the next probe.
const ANSWERED_PROBE_INTERVAL: Duration = Duration::from_secs(5);
/// Probes in a row without an answer that end it.
const MAX_UNANSWERED_PROBES: u8 = 3;
/// How many times it probes at the most until all addresses had their turn.
const PROBES_PER_ROUND: usize = 30;
/// Addresses that are probed at once at the least: most routers have no more.
const MIN_ADDRESSES_PER_PROBE: usize = 4;
/// The sender of a packet that was dropped longer ago has nothing to do with a second holder.
const REJECTED_SENDER_AGE: Duration = Duration::from_secs(60);
/// Second holders that are kept for an instance at the most. Those of further addresses are not
/// reported.
const MAX_SECOND_HOLDERS: usize = 16;

impl Instance {
    /// How often an address is probed; `None`: never.
    fn probe_interval(&self) -> Option<Duration> {
        let interval = self.settings.announce.probe;
        (!interval.is_zero() && !self.settings.strict).then_some(interval)
    }

    /// It is master from now on, or goes on being it.
    pub fn start_probing(&mut self, context: &Context<'_>) {
        let interval = self.probe_interval();
        if let Some(holders) = self.second_holders_mut() {
            holders.due = interval.map(|interval| context.now + interval.min(FIRST_PROBE_DELAY));
        }
    }

    /// After a reload.
    pub fn review_probing(&mut self, context: &Context<'_>) {
        let probes = self.probe_interval().is_some();
        let Some(holders) = self.second_holders_mut() else { return };
        if !probes {
            *holders = SecondHolders::default();
            self.timers.stop(Timer::Probe);
        } else if holders.due.is_none() {
            self.start_probing(context);
        }
    }

    /// With an advert: probes what is next in turn, if it is time to.
    pub fn probe_in_turn(&mut self, context: &mut Context<'_>) {
        let interval = self.probe_interval();
        let all = self.objects.len() + Family::ALL.len();
        let Some(holders) = self.second_holders_mut() else { return };
        let (Some(interval), Some(due)) = (interval, holders.due) else { return };
        if context.now < due {
            return;
        }
        holders.due = Some(context.now + interval);
        let mut place = self.announcing.probe_place;
        let mut left = all.div_ceil(PROBES_PER_ROUND).max(MIN_ADDRESSES_PER_PROBE);
        for _ in 0..all {
            let probed = match place.checked_sub(self.objects.len()) {
                None => self.objects.nth(place).map(|slot| self.probed_object(slot)),
                Some(of) => {
                    Family::ALL.get(of).map(|family| Probed::Source(self.router_id(*family)))
                }
            };
            place = if place + 1 < all { place + 1 } else { 0 };
            if let Some(probed) = probed
                && let Some(address) = self.probed_address(probed)
                && !self.second_holders().is_some_and(|holders| holders.has(address))
            {
                context.out.probe(probed);
                left -= 1;
                if left == 0 {
                    break;
                }
            }
        }
        self.announcing.probe_place = place;
    }

    const fn probed_object(&self, slot: u32) -> Probed {
        Probed::Object(ObjectId { instance: self.id, slot })
    }

    /// The address that is probed, if it is held now and should be.
    fn probed_address(&self, probed: Probed) -> Option<IpAddr> {
        match probed {
            Probed::Object(object) => self.to_announce(object.slot),
            Probed::Source(router) => {
                self.router(router.family).filter(|_| self.is_serving())?;
                self.source(router.family)
            }
        }
    }

    /// What this master has an address for. `there`: whether it has it on that interface; `None` is
    /// that of its adverts.
    fn holds(&self, address: IpAddr, there: impl Fn(Option<&str>) -> bool) -> Option<Probed> {
        let has = |slot: &u32| {
            let on = self.objects.get(*slot).and_then(|slot| slot.object.interface());
            self.to_announce(*slot) == Some(address) && there(on)
        };
        let slot = self.objects.iter().map(|(slot, _)| slot).find(has);
        let source = Probed::Source(self.router_id(Family::of(address)));
        let is_source = || there(None) && self.probed_address(source) == Some(address);
        slot.map(|slot| self.probed_object(slot)).or_else(|| is_source().then_some(source))
    }

    /// Another host has announced an address, or answered a probe.
    fn hear_holder(
        &mut self,
        address: IpAddr,
        mac: Mac,
        probed: Probed,
        context: &mut Context<'_>,
    ) {
        let now = context.now;
        if self.probe_interval().is_none() {
            if self.defend(address, context) {
                context.out.notice(Notice::AddressTaken { instance: self.id, address, mac });
            }
            return;
        }
        let Some(holders) = self.second_holders_mut() else { return };
        let Some(known) = holders.list.iter_mut().find(|known| known.address == address) else {
            if holders.list.len() < MAX_SECOND_HOLDERS {
                let (since, heard, next) = (now, now, now + UNANSWERED_PROBE_INTERVAL);
                let (asked, unanswered) = (false, 0);
                let new = SecondHolder { address, mac, since, heard, asked, unanswered, next };
                holders.list.push(new);
                self.timers.set_no_later(Timer::Probe, next);
                context.out.notice(Notice::AddressTaken { instance: self.id, address, mac });
            }
            self.defend(address, context);
            return;
        };
        (known.mac, known.heard, known.unanswered) = (mac, now, 0);
        if !std::mem::take(&mut known.asked) {
            self.defend(address, context);
            return;
        }
        known.next = now + ANSWERED_PROBE_INTERVAL;
        // It may be an announcement that happened to come now, and an answer by IPv6 goes to all, who
        // believe it. Once for each probe of ours, so that two masters do not drive each other on.
        let rounds = self.settings.announce.lower_prio_repeat.min(1);
        if let Probed::Object(object) = probed {
            self.announce_one(object.slot, rounds, context);
        }
    }

    /// The timer of the probes of addresses that another host has or had.
    pub fn probe_again(&mut self, context: &mut Context<'_>) {
        let now = context.now;
        let mut place = 0;
        let known_at = |instance: &Self, place| instance.second_holders()?.list.get(place).copied();
        while let Some(mut known) = known_at(self, place) {
            if known.next <= now {
                if known.asked {
                    known.unanswered += 1;
                }
                let probed = self.holds(known.address, |_| true);
                let disproved = known.unanswered >= MAX_UNANSWERED_PROBES;
                let Some(probed) = probed.filter(|_| !disproved) else {
                    if let Some(holders) = self.second_holders_mut() {
                        holders.list.remove(place);
                    }
                    if disproved {
                        let (instance, address, mac) = (self.id, known.address, known.mac);
                        context.out.notice(Notice::AddressFree { instance, address, mac });
                    }
                    continue;
                };
                context.out.probe(probed);
                (known.asked, known.next) = (true, now + UNANSWERED_PROBE_INTERVAL);
                if let Some(slot) = self.second_holders_mut().and_then(|h| h.list.get_mut(place)) {
                    *slot = known;
                }
            }
            place += 1;
        }
        let next = self.second_holders().and_then(|h| h.list.iter().map(|known| known.next).min());
        if let Some(next) = next {
            self.timers.set(Timer::Probe, next);
        }
    }
}

impl Engine {
    /// Addresses of a master that another host holds as well.
    pub fn second_holders(&self, instance: InstanceId) -> impl Iterator<Item = &SecondHolder> {
        let known = self.get(instance).and_then(Instance::second_holders);
        known.into_iter().flat_map(|holders| &holders.list)
    }

    /// Who sent an advert for this instance that was dropped, the last time, and why: of another
    /// version, or with another password.
    pub fn last_rejected(&self, instance: InstanceId) -> Option<(IpAddr, Reject)> {
        let instance = self.get(instance)?;
        let last = |family| {
            let (from, reason, at) = instance.router(family)?.last_rejected?;
            (self.now.since(at) < REJECTED_SENDER_AGE).then_some((from, reason))
        };
        instance.families().find_map(last)
    }

    /// Who sends adverts on an interface with a VRID that is not ours, and that VRID.
    pub fn last_stranger(&self, interface: InterfaceId) -> Option<(IpAddr, u8)> {
        let mut there =
            self.router_index.unknown_vrids.iter().filter(|((on, _, _), _)| *on == interface);
        there.next_back().map(|((_, _, vrid), from)| (*from, *vrid))
    }

    /// Whether addresses of this instance are probed, so that it is known when nobody else holds
    /// one any more.
    pub fn is_probing(&self, instance: InstanceId) -> bool {
        self.get(instance).is_some_and(|i| i.probe_interval().is_some())
    }

    /// The address that is to be probed; `None` when it need not be any more.
    pub fn probed_address(&self, probed: Probed) -> Option<IpAddr> {
        self.get(probed.instance())?.probed_address(probed)
    }

    /// The last part of the third lane of [`Engine::poll_action`].
    pub(super) fn poll_probe(&mut self) -> Option<Announcement> {
        while let Some(probed) = self.out.probes.pop_front() {
            if self.probed_address(probed).is_some() {
                return Some(Announcement::Probe(probed));
            }
        }
        None
    }

    /// See [`Event::Announced`](super::Event::Announced).
    pub(super) fn announced(&mut self, interface: InterfaceId, address: IpAddr, mac: Mac) {
        for id in self.ids() {
            let Some(instance) = self.get(id) else { continue };
            let StateData::Master(Master { duty, .. }) = &instance.state else { continue };
            let own = instance.interface == interface;
            if let Duty::HandingOver(_) = duty {
                let wish = self.with(id, |instance, _| instance.announced(address).filter(|_| own));
                if let Some(wish) = wish.flatten() {
                    self.grant(id, wish);
                }
                continue;
            }
            let name = self.sources.name(interface);
            let there = |on: Option<&str>| on.map_or(own, |on| Some(on) == name);
            let probed = instance.holds(address, there);
            if let Some(probed) = probed {
                self.with(id, |instance, context| {
                    instance.hear_holder(address, mac, probed, context);
                });
            }
        }
    }
}
