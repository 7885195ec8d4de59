//! Sending announcements, with the spacing that an administrator asked for (`vrrp:G-5`).

use std::collections::VecDeque;
use std::net::IpAddr;
use std::time::Duration;

use super::action::{Announcement, State};
use super::action_queue::ActionQueue;
use super::engine::Engine;
use super::ids::{InterfaceId, ObjectId};
use super::instance::{Context, Instance};
use super::objects::Slot;
use super::statistics::count;
use super::timers::Timer;
use crate::units::{Family, Instant};

/// The shortest time between two bursts that announcements of others cause.
const DEFEND_INTERVAL: Duration = Duration::from_secs(10);
/// The shortest and the longest time between two bursts that adverts of others cause; in between it
/// is our own interval.
const REANNOUNCE_INTERVAL: (Duration, Duration) =
    (Duration::from_millis(100), Duration::from_secs(1));

/// The queues of interfaces on which announcements are spaced.
#[derive(Debug, Default)]
pub struct Pacers {
    list: Vec<Pacer>,
}

/// One queue: GARP and NA are spaced apart.
#[derive(Debug)]
struct Pacer {
    interface: InterfaceId,
    family: Family,
    queue: VecDeque<ObjectId>,
    free_at: Instant,
}

impl Pacers {
    /// When the next spaced announcement may leave.
    pub fn next(&self) -> Option<Instant> {
        self.list.iter().filter(|p| !p.queue.is_empty()).map(|p| p.free_at).min()
    }

    /// The spacing may have changed: what waits for its turn is looked at again.
    pub fn start_over(&mut self, now: Instant, lane: &mut VecDeque<ObjectId>) {
        for pacer in &mut self.list {
            pacer.free_at = pacer.free_at.min(now);
            lane.extend(pacer.queue.drain(..));
        }
    }

    fn push(&mut self, interface: InterfaceId, family: Family, object: ObjectId) {
        let mine = |p: &&mut Pacer| p.interface == interface && p.family == family;
        match self.list.iter_mut().find(mine) {
            Some(pacer) => pacer.queue.push_back(object),
            None => self.list.push(Pacer {
                interface,
                family,
                queue: [object].into(),
                free_at: Instant::ORIGIN,
            }),
        }
    }
}

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
        if let Some(last) = self.defended_at
            && context.now < last + DEFEND_INTERVAL
        {
            // The burst that comes later is the one of that moment, and others wait for it.
            let next = if last > context.now { last } else { last + DEFEND_INTERVAL };
            self.timers.set_no_later(Timer::LowerBurst, next);
            self.defended_at = Some(next);
            return false;
        }
        self.defended_at = Some(context.now);
        self.announce(rounds, context);
        true
    }

    /// The address of an object, if it may be announced now: a master has it and keeps it.
    pub(super) fn to_announce(&self, number: u32) -> Option<IpAddr> {
        let slot = self.objects.get(number)?;
        let holds = self.state == State::Master && self.hand_over.is_none();
        if holds && slot.present() && slot.listed() { slot.object.announced() } else { None }
    }

    /// `vrrp:S-29`: the burst after a lower-priority advert, and its second one. A flood of such
    /// adverts has one from time to time: else each small packet would cost the network as many
    /// broadcasts as there are addresses.
    pub fn reannounce(&mut self, context: &mut Context<'_>) {
        let announce = self.settings.announce;
        if self.state != State::Master || announce.lower_prio_repeat == 0 {
            return;
        }
        let now = context.now;
        if !announce.lower_prio_delay.is_zero() && self.reannounce_at.is_none_or(|at| at <= now) {
            self.reannounce_at = Some(now + announce.lower_prio_delay);
        }
        let (shortest, longest) = REANNOUNCE_INTERVAL;
        let spacing = self.settings.interval.duration().clamp(shortest, longest);
        match self.reannounced_at.map(|last| last + spacing) {
            Some(next) if next > now => self.timers.set_no_later(Timer::LowerBurst, next),
            Some(_) | None => self.lower_burst(context),
        }
    }

    /// One burst of `vrrp:S-29`; the one after the delay follows.
    pub fn lower_burst(&mut self, context: &mut Context<'_>) {
        self.reannounced_at = Some(context.now);
        self.announce(self.settings.announce.lower_prio_repeat, context);
        if let Some(again) = self.reannounce_at.filter(|at| *at > context.now) {
            self.timers.set_no_later(Timer::LowerBurst, again);
        }
    }
}

impl Engine {
    /// The third lane of [`Engine::poll_action`] alone: announcements that may leave now, and
    /// probes.
    pub fn poll_announcement(&mut self) -> Option<Announcement> {
        self.poll_first_announcement()
            .or_else(|| self.poll_paced())
            .or_else(|| self.poll_queued(|out| &mut out.repeats))
            .or_else(|| self.poll_probe())
    }

    /// Of the third lane, addresses that were not announced in this burst yet. For a driver that
    /// still has addresses to install: each of them is to be announced once before others are
    /// again.
    pub fn poll_first_announcement(&mut self) -> Option<Announcement> {
        self.poll_queued(|out| &mut out.announcements)
    }

    fn poll_queued(
        &mut self,
        queue: impl Fn(&mut ActionQueue) -> &mut VecDeque<ObjectId>,
    ) -> Option<Announcement> {
        while let Some(object) = queue(&mut self.out).pop_front() {
            match self.spacing(object) {
                Some((interface, family, spacing)) if !spacing.is_zero() => {
                    self.pacers.push(interface, family, object);
                }
                Some(_) | None => {
                    if let Some(again) = self.take_announcement(object) {
                        if again {
                            self.out.repeats.push_back(object);
                        }
                        return Some(Announcement::Announce(object));
                    }
                }
            }
        }
        None
    }

    fn poll_paced(&mut self) -> Option<Announcement> {
        for index in 0..self.pacers.list.len() {
            while let Some(object) = self.take_paced(index) {
                let spacing = self.spacing(object).map_or(Duration::ZERO, |(_, _, s)| s);
                if let Some(again) = self.take_announcement(object) {
                    if let Some(pacer) = self.pacers.list.get_mut(index) {
                        pacer.free_at = self.now + spacing;
                        if again {
                            pacer.queue.push_back(object);
                        }
                    }
                    return Some(Announcement::Announce(object));
                }
            }
        }
        None
    }

    fn take_paced(&mut self, index: usize) -> Option<ObjectId> {
        let pacer = self.pacers.list.get_mut(index)?;
        if pacer.free_at > self.now {
            return None;
        }
        pacer.queue.pop_front()
    }

    /// Where an announcement goes, and the spacing there.
    fn spacing(&self, object: ObjectId) -> Option<(InterfaceId, Family, Duration)> {
        let instance = self.get(object.instance)?;
        let address = instance.objects.get(object.slot)?.object.announced()?;
        let family = Family::of(address);
        let announce = &instance.settings.announce;
        let spacing = match family {
            Family::V4 => announce.garp_interval,
            Family::V6 => announce.gna_interval,
        };
        Some((instance.interface, family, spacing))
    }

    /// Counts one announcement as sent and says whether it is due again, so that it stays in its
    /// queue; `None` when it is no longer wanted.
    fn take_announcement(&mut self, object: ObjectId) -> Option<bool> {
        let instance = self.get_mut(object.instance)?;
        let address = instance.to_announce(object.slot);
        let slot = instance.objects.get_mut(object.slot)?;
        let (Some(address), Some(left)) = (address, slot.due.checked_sub(1)) else {
            slot.due = 0;
            slot.queued = false;
            return None;
        };
        slot.due = left;
        slot.queued = left > 0;
        let again = slot.queued;
        count(&mut instance.router_of(Family::of(address)).statistics.announcements_sent);
        Some(again)
    }
}
