//! Who is master: what adverts and timers do to an instance in each state (`vrrp:S-11` to `S-32`).

use std::time::Duration;

use super::heard::Heard;
use super::instance::{Context, GroupRequest, Instance};
use super::notice::{Cause, Notice};
use super::router::Remark;
use super::settings::Preempt;
use super::state::{Conflict, Duty, Master, StateData};
use super::statistics::count;
use super::timers::{Timer, master_down, next_on_schedule, skew};
use super::validation::Advert;
use crate::units::{Centiseconds, Family, Instant, Version};

/// Own adverts that another owner shall hear before it is judged (`vrrp:S-32`).
const CONFLICT_ADVERTS: u8 = 2;

impl Instance {
    /// A valid advert (sections 6.1 to 6.4). `tie_decided`: another member of the group decides
    /// ties of equal priority and has stayed master.
    pub fn advert(
        &mut self,
        family: Family,
        advert: &Advert,
        tie_decided: bool,
        context: &mut Context<'_>,
    ) -> Option<GroupRequest> {
        let heard = Heard::new(advert, context.now);
        match &self.state {
            StateData::Initialize(_) | StateData::Fault(_) => None,
            StateData::Backup(_) => self.advert_in_backup(family, heard, context),
            StateData::Master(Master { duty: Duty::HandingOver(_), .. }) => {
                self.advert_in_hand_over(family, heard, context)
            }
            StateData::Master(_) if self.leaves_it_to(family, heard, context.now) => {
                Some(self.give_way_unheard(family, heard, context.now))
            }
            StateData::Master(_) => self.advert_in_master(family, heard, tie_decided, context),
        }
    }

    /// Takes over the interval of a master (`vrrp:T-6`).
    pub fn learn(&mut self, family: Family, interval: Centiseconds) {
        if self.settings.version != Version::V3 {
            return;
        }
        match &mut self.state {
            StateData::Backup(backup) => backup.listening.get_mut(family).learned = interval,
            StateData::Master(master) => master.claims.get_mut(family).learned = interval,
            StateData::Initialize(_) | StateData::Fault(_) => {}
        }
    }

    /// Gives way to this router from now on, or holds the addresses beside it.
    pub(super) const fn set_rival(&mut self, family: Family, heard: Heard) {
        if let Some(claim) = self.claim_mut(family) {
            claim.rival = Some(heard);
        }
    }

    pub(super) fn restart_down_timer(&mut self, family: Family, now: Instant) {
        self.timers.set(Timer::Down(family), now + self.master_down(family));
    }

    fn advert_in_backup(
        &mut self,
        family: Family,
        heard: Heard,
        context: &mut Context<'_>,
    ) -> Option<GroupRequest> {
        let mine = self.effective_priority();
        let now = context.now;
        let (preempt, delay) = self.preempt();
        let max_silence = self.master_down(family);
        let unheard = self.pauses.any_lasts(now);
        if heard.priority.is_stop() {
            // `vrrp:S-13`. A member that waits for its group goes on waiting.
            self.demote(false, context);
            let listening = self.listening(family)?;
            listening.gave_up = Some(heard.address);
            let (learned, wants) = (listening.learned, listening.wants);
            if wants.is_none() {
                self.timers.set(Timer::Down(family), now + self.skew(learned));
            }
            return None;
        }
        let listening = self.listening(family)?;
        let follow = if heard.priority >= mine || unheard {
            listening.preempt_at = None;
            true
        } else {
            match preempt {
                Preempt::Off => true,
                Preempt::On if !delay.is_zero() => {
                    now < *listening.preempt_at.get_or_insert(now + delay)
                }
                Preempt::On => false,
                // Not from beside a higher master: it would only take us back with its next
                // advert.
                Preempt::Immediate if listening.other_master(heard, mine, max_silence) => false,
                Preempt::Immediate => {
                    listening.lower = Some(heard);
                    let cause = Cause::Preempted { master: heard.address, theirs: heard.priority };
                    listening.wants = Some(cause);
                    self.timers.stop(Timer::Down(family));
                    return Some(GroupRequest::Master);
                }
            }
        };
        if follow {
            // `vrrp:S-14`
            let is_new = listening.master.map(|master| master.address) != Some(heard.address);
            listening.accept(heard);
            if is_new {
                self.router_of(family).forget_remarks_of_master(now);
            }
            self.learn(family, heard.interval);
            self.restart_down_timer(family, now);
        } else {
            // `vrrp:S-15`: DownTimer keeps running.
            listening.lower = Some(heard);
        }
        None
    }

    fn advert_in_master(
        &mut self,
        family: Family,
        heard: Heard,
        tie_decided: bool,
        context: &mut Context<'_>,
    ) -> Option<GroupRequest> {
        let mine = self.effective_priority();
        if heard.priority.is_stop() {
            // `vrrp:S-23`. It was master too until now, and clients may still believe in it.
            self.send_now(family, context);
            return self.wants_reannouncing();
        }
        let own_address = self.source(family);
        let id = self.router_id(family);
        let equal = heard.priority == mine;
        if equal {
            let forget_after = self.master_down(family);
            if let Some(claim) = self.claim_mut(family) {
                claim.hear_equal(context.now, forget_after);
            }
        }
        let loses_tie = equal && own_address.is_some_and(|own| heard.address > own);
        if loses_tie && tie_decided {
            // Not answered: the other one would answer back, and so on at the speed of the wire.
            return self.wants_reannouncing();
        }
        let yields =
            equal && mine.is_owner() && self.yields_to_owner(family, heard, loses_tie, context);
        if heard.priority > mine || loses_tie || yields {
            return Some(self.give_way(family, heard, context));
        }
        let since = self.since;
        let router = self.router_of(family);
        if equal && own_address == Some(heard.address) {
            // `vrrp:S-27`
            let notice = Notice::SameSender { router: id, from: heard.address };
            if let Some(notice) = router.once(Remark::SameSender, notice) {
                context.out.notice(notice);
            }
            return None;
        }
        // `vrrp:S-26`, `S-29`
        count(&mut router.statistics.lower_priority_received);
        // The last adverts of a master that is just preempted are no news: one that goes on hears
        // nothing of us.
        if context.now > since + heard.interval.duration() {
            let notice =
                Notice::LowerPriority { router: id, from: heard.address, theirs: heard.priority };
            if let Some(notice) = router.once(Remark::Lower, notice) {
                context.out.notice(notice);
            }
        }
        if self.settings.answers_lower_priority() {
            self.send_now(family, context);
        }
        self.wants_reannouncing()
    }

    /// Another router was master as well: announce once more (`vrrp:S-29`).
    fn wants_reannouncing(&self) -> Option<GroupRequest> {
        (!self.settings.strict).then_some(GroupRequest::Reannounce)
    }

    /// `vrrp:S-24`, `S-25`: learns from the winner and leaves without priority 0 (`S-30`).
    fn give_way(
        &mut self,
        family: Family,
        heard: Heard,
        context: &mut Context<'_>,
    ) -> GroupRequest {
        let mine = self.effective_priority();
        // An owner has lost a tie with another one. keepalived counts what that still sends as a reason
        // to lower itself (`vrrp:S-32`), and then nobody sends.
        if self.settings.last_word() && !mine.is_owner() {
            self.send_regular(family, context);
        }
        self.learn(family, heard.interval);
        self.set_rival(family, heard);
        let cause = if heard.priority > mine {
            Cause::HigherPriority { master: heard.address, theirs: heard.priority }
        } else {
            Cause::HigherAddress { master: heard.address }
        };
        GroupRequest::Backup { cause, stop: false }
    }

    /// How long another master may be silent before it counts as gone: it may send less often than
    /// we do.
    fn max_silence(&self, family: Family, theirs: Centiseconds) -> Duration {
        let settings = &self.settings;
        let adverts = settings.down_timer_adverts;
        self.master_down(family).max(master_down(
            settings.version,
            self.timer_priority(),
            theirs,
            adverts,
        ))
    }

    /// `vrrp:S-32`: whether this owner lowers itself for another one.
    fn yields_to_owner(
        &mut self,
        family: Family,
        heard: Heard,
        loses_tie: bool,
        context: &mut Context<'_>,
    ) -> bool {
        let id = self.router_id(family);
        let forget_after = self.max_silence(family, heard.interval);
        let Some(claim) = self.claim_mut(family) else { return false };
        let is_over = claim.rival.is_some_and(|last| context.now.since(last.at) > forget_after);
        if is_over {
            claim.conflict = None;
        }
        claim.rival = Some(heard);
        let before = claim.conflict;
        if before.is_none() && !loses_tie {
            claim.conflict = Some(Conflict::Sending(CONFLICT_ADVERTS));
        }
        if is_over {
            self.timers.stop(Timer::Owner(family));
        }
        let notice = |yielding| Notice::SecondOwner { router: id, from: heard.address, yielding };
        if loses_tie {
            context.out.notice(notice(true));
            return false;
        }
        if before.is_none() {
            context.out.notice(notice(false));
        } else if before == Some(Conflict::Decided) {
            context.out.notice(notice(true));
            self.demote(true, context);
            return true;
        }
        false
    }

    /// Runs one timer that was due at `due`. A timer runs only in the states that start it, since
    /// whoever leaves a state stops the timers of that.
    pub fn expire(
        &mut self,
        timer: Timer,
        due: Instant,
        context: &mut Context<'_>,
    ) -> Option<GroupRequest> {
        match (&mut self.state, timer) {
            (StateData::Backup(backup), Timer::Down(family)) => {
                let listening = backup.listening.get_mut(family);
                listening.wants = Some(listening.down_cause(context.now));
                return Some(GroupRequest::Master);
            }
            (StateData::Master(_), Timer::Advert(family)) => {
                return self.advert_timer(family, due, context);
            }
            (StateData::Master(master), Timer::Owner(family)) => {
                master.claims.get_mut(family).conflict = Some(Conflict::Decided);
            }
            (StateData::Master(_), Timer::HandOver) => return self.hand_over_step(context),
            (StateData::Master(_), Timer::SecondBurst) => {
                self.announce(self.settings.announce.repeat, context);
            }
            (StateData::Master(_), Timer::Refresh) => self.refresh_timer(due, context),
            (StateData::Master(_), Timer::LowerBurst) => self.lower_burst(context),
            (StateData::Master(_), Timer::Probe) => self.probe_again(context),
            (_, Timer::HoldEnd) => self.end_hold(context),
            (_, Timer::Retry) => {
                self.objects.unblock();
                self.queue_kernel(context);
            }
            (
                StateData::Initialize(_)
                | StateData::Backup(_)
                | StateData::Master(_)
                | StateData::Fault(_),
                Timer::Advert(_)
                | Timer::Down(_)
                | Timer::Owner(_)
                | Timer::HandOver
                | Timer::SecondBurst
                | Timer::Refresh
                | Timer::LowerBurst
                | Timer::Probe,
            ) => {}
        }
        None
    }

    fn refresh_timer(&mut self, due: Instant, context: &mut Context<'_>) {
        let announce = self.settings.announce;
        if !announce.refresh.is_zero() {
            self.announce(announce.refresh_repeat, context);
            let next = next_on_schedule(due, announce.refresh, context.now);
            self.timers.set(Timer::Refresh, next);
        }
    }

    fn advert_timer(
        &mut self,
        family: Family,
        due: Instant,
        context: &mut Context<'_>,
    ) -> Option<GroupRequest> {
        let interval = self.settings.interval;
        // `vrrp:T-8`
        if self.settings.preempt == Preempt::Off
            && let Some(others) = self.settings.timer_expired_backup
            && let Some(last) = self.router_of(family).last_sent
        {
            let slept = context.now.since(last);
            let limit = interval.duration() * 3 + skew(self.settings.version, others, interval);
            if slept > limit {
                return Some(GroupRequest::Backup {
                    cause: Cause::TimerExpired { slept },
                    stop: false,
                });
            }
        }
        self.send_regular(family, context);
        let next = next_on_schedule(due, interval.duration(), context.now);
        self.timers.set(Timer::Advert(family), next);
        self.probe_in_turn(context);
        None
    }

    /// Whether all routers want to be master: their DownTimers ran out.
    pub fn all_want_master(&self) -> bool {
        let StateData::Backup(backup) = &self.state else { return false };
        self.families().all(|family| backup.listening.get(family).wants.is_some())
    }

    /// Why the routers want to be master: the first one's cause.
    pub fn wanted_cause(&self) -> Option<Cause> {
        let StateData::Backup(backup) = &self.state else { return None };
        self.families().find_map(|family| backup.listening.get(family).wants)
    }
}
