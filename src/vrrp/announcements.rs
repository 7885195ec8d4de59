//! When an instance announces its addresses, and how often: after it became master, again from time to
//! time, and when others announce them (`vrrp:G-5`, `S-29`).

use std::net::IpAddr;
use std::time::Duration;

use super::ids::ObjectId;
use super::instance::{Context, Instance};
use super::objects::Slot;
use super::state::StateData;
use super::timers::Timer;

/// The shortest time between two bursts that announcements of others cause.
const DEFEND_INTERVAL: Duration = Duration::from_secs(10);
/// The shortest and the longest time between two bursts that adverts of others cause; in between it
/// is our own interval.
const REANNOUNCE_INTERVAL: (Duration, Duration) =
    (Duration::from_millis(100), Duration::from_secs(1));

impl Instance {
    /// Announces all addresses that the kernel has, so many times.
    pub fn announce(&mut self, rounds: u8, context: &mut Context<'_>) {
        for place in 0..self.objects.len() {
            if let Some(slot) = self.objects.nth(place) {
                self.announce_one(slot, rounds, context);
            }
        }
    }

    /// The interface of this name has another Ethernet address: announces all that is on it.
    pub fn announce_on(&mut self, interface: &str, context: &mut Context<'_>) {
        for place in 0..self.objects.len() {
            let Some(slot) = self.objects.nth(place) else { continue };
            let object = self.objects.get(slot).map(|slot| &slot.object);
            let own = &*self.settings.interface;
            if object.is_some_and(|o| o.interfaces().next().unwrap_or(own) == interface) {
                self.announce_one(slot, self.settings.announce.repeat.max(1), context);
            }
        }
    }

    /// Announces one address, if the kernel has it, so many times.
    pub fn announce_one(&mut self, number: u32, rounds: u8, context: &mut Context<'_>) {
        let id = ObjectId { instance: self.id, slot: number };
        if rounds == 0 || self.to_announce(number).is_none() {
            return;
        }
        let Some(slot) = self.objects.get_mut(number) else { return };
        slot.due = slot.due.max(rounds);
        if !std::mem::replace(&mut slot.queued, true) {
            context.out.announcements.push_back(id);
        }
    }

    /// Another host announced an address of ours: a master that we do not hear, or that steps
    /// down before we do. We announce again, but not so often that two masters which hear only
    /// each other's announcements drive each other on (RFC 5227 2.4 has the same bound). `true`: at
    /// once, and not in a while.
    pub fn defend(&mut self, address: IpAddr, context: &mut Context<'_>) -> bool {
        let listed = |slot: &Slot| slot.listed() && slot.object.announced() == Some(address);
        let rounds = self.settings.announce.lower_prio_repeat;
        if rounds == 0 || self.settings.strict || !self.objects.iter().any(|(_, s)| listed(s)) {
            return false;
        }
        if let Some(last) = self.announcing.defended_at
            && context.now < last + DEFEND_INTERVAL
        {
            // The burst that comes later is the one of that moment, and others wait for it.
            let next = if last > context.now { last } else { last + DEFEND_INTERVAL };
            self.timers.set_no_later(Timer::LowerBurst, next);
            self.announcing.defended_at = Some(next);
            return false;
        }
        self.announcing.defended_at = Some(context.now);
        self.announce(rounds, context);
        true
    }

    /// The address of an object, if it may be announced now: a master has it and keeps it.
    pub(super) fn to_announce(&self, number: u32) -> Option<IpAddr> {
        let slot = self.objects.get(number)?;
        if self.is_serving() && slot.present() && slot.listed() {
            slot.object.announced()
        } else {
            None
        }
    }

    /// `vrrp:S-29`: the burst after a lower-priority advert, and its second one. A flood of such
    /// adverts has one from time to time: else each small packet would cost the network as many
    /// broadcasts as there are addresses.
    pub fn reannounce(&mut self, context: &mut Context<'_>) {
        let announce = self.settings.announce;
        let StateData::Master(master) = &mut self.state else { return };
        if announce.lower_prio_repeat == 0 {
            return;
        }
        let now = context.now;
        if !announce.lower_prio_delay.is_zero() && master.reannounce_at.is_none_or(|at| at <= now) {
            master.reannounce_at = Some(now + announce.lower_prio_delay);
        }
        let (shortest, longest) = REANNOUNCE_INTERVAL;
        let spacing = self.settings.interval.duration().clamp(shortest, longest);
        match self.announcing.reannounced_at.map(|last| last + spacing) {
            Some(next) if next > now => self.timers.set_no_later(Timer::LowerBurst, next),
            Some(_) | None => self.lower_burst(context),
        }
    }

    /// One burst of `vrrp:S-29`; the one after the delay follows.
    pub fn lower_burst(&mut self, context: &mut Context<'_>) {
        self.announcing.reannounced_at = Some(context.now);
        self.announce(self.settings.announce.lower_prio_repeat, context);
        if let StateData::Master(master) = &self.state
            && let Some(again) = master.reannounce_at.filter(|at| *at > context.now)
        {
            self.timers.set_no_later(Timer::LowerBurst, again);
        }
    }
}
