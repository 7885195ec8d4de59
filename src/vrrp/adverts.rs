//! The adverts of one instance: what is sent, and when (`vrrp:T-7`, `S-21`, `S-22`, `S-30`).

use std::time::Duration;

use super::instance::{Context, Instance};
use super::router::Pending;
use super::state::{Conflict, StateData};
use super::timers::Timer;
use crate::units::{Centiseconds, Family, Instant, Priority};

impl Instance {
    /// When the last advert with a priority was asked for.
    pub fn last_sent(&self) -> Option<Instant> {
        self.families().filter_map(|family| self.router(family)?.last_sent).max()
    }

    /// Asks for an advert. It replaces one that was not sent yet.
    pub fn send(
        &mut self,
        family: Family,
        priority: Priority,
        interval: Centiseconds,
        context: &mut Context<'_>,
    ) {
        let id = self.router_id(family);
        let router = self.router_of(family);
        if router.pending.replace(Pending { priority, interval }).is_none() {
            context.out.adverts.push_back(id);
        }
        if !priority.is_stop() {
            router.last_sent = Some(context.now);
        }
    }

    /// Sends the regular advert of a master.
    pub(super) fn send_regular(&mut self, family: Family, context: &mut Context<'_>) {
        self.send(family, self.effective_priority(), self.settings.interval, context);
        let interval = self.settings.interval.duration();
        if let Some(claim) = self.claim_mut(family)
            && let Some(Conflict::Sending(left)) = claim.conflict
        {
            let left = left.saturating_sub(1);
            claim.conflict = Some(Conflict::Sending(left));
            if left == 0 {
                let theirs = claim.rival.map_or(Duration::ZERO, |m| m.interval.duration());
                claim.conflict = Some(Conflict::Waiting);
                let wait = interval.max(theirs) * 6 / 5;
                self.timers.set(Timer::Owner(family), context.now + wait);
            }
        }
    }

    /// Sends the regular advert at once and starts AdverTimer anew (`vrrp:T-7`).
    pub fn send_now(&mut self, family: Family, context: &mut Context<'_>) {
        self.send_regular(family, context);
        let next = context.now + self.settings.interval.duration();
        self.timers.set(Timer::Advert(family), next);
    }

    /// Sends priority 0, if the interface lets it.
    pub(super) fn send_stop(&mut self, context: &mut Context<'_>) {
        if !self.link.can_send {
            return;
        }
        for family in self.families() {
            if self.source(family).is_some() {
                self.send(family, Priority::STOP, self.settings.interval, context);
            }
        }
    }

    /// Whether an advert with a priority may still leave: what a master was going to send is
    /// needless when it has left that state, except for the last word of `vrrp:S-29`.
    pub const fn may_claim(&self) -> bool {
        match self.state {
            StateData::Master(_) => true,
            StateData::Backup(_) => self.settings.last_word(),
            StateData::Initialize(_) | StateData::Fault(_) => false,
        }
    }

    /// Priority 0 that a fault kept from being sent at `since` is worth sending as long as the others
    /// may still be waiting for our next advert.
    pub(super) fn send_late_stop(&mut self, since: Instant, context: &mut Context<'_>) {
        if context.now.since(since) < self.longest_master_down() {
            self.send_stop(context);
        }
    }
}
