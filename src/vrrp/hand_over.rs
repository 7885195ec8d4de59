//! Planned hand-over without a gap (architecture.md, hand-over): what each instance does.
//!
//! The master announces a very short interval a few times, so that backups which follow the
//! master's interval (`vrrp:T-2`, `T-6`) wait only moments, then priority 0. It keeps its
//! addresses, silently, until the successor has announced all of them or has had time to. When
//! nobody takes over, a switchover goes on as master.

use std::net::IpAddr;
use std::time::Duration;

use super::heard::Heard;
use super::instance::{Context, GroupRequest, Instance};
use super::notice::{Cause, Notice};
use super::settings::Backups;
use super::state::{Duty, Goal, HandOver, HandOverEnd, HandOverResult, SecondHolders, StateData};
use super::timers::{Timer, skew};
use crate::units::{Centiseconds, Family, Priority, State, Version};

/// Adverts with the short interval; more than one, since one may be lost.
pub(super) const SHORT_ADVERTS: u8 = 3;
/// Between two of them.
const SHORT_SPACING: Duration = Duration::from_millis(5);
/// From the successor's first advert until the addresses go, if its announcements were not seen.
const LINGER: Duration = Duration::from_millis(100);

impl Instance {
    /// Whether a planned hand-over is possible: only with peers that learn the interval.
    pub fn can_hand_over(&self) -> bool {
        self.is(State::Master)
            && self.settings.version == Version::V3
            && self.settings.hand_over
            && !self.settings.strict
    }

    /// The short interval, while it is announced.
    pub fn hand_over_interval(&self) -> Option<Centiseconds> {
        self.hand_over().filter(|hand_over| !hand_over.is_silent()).map(|h| h.short)
    }

    /// Starts it. The first short advert leaves at once.
    pub fn start_hand_over(&mut self, goal: Goal, context: &mut Context<'_>) {
        for timer in [Timer::SecondBurst, Timer::Refresh, Timer::LowerBurst, Timer::Probe] {
            self.timers.stop(timer);
        }
        for family in Family::ALL {
            self.timers.stop(Timer::Advert(family));
            self.timers.stop(Timer::Owner(family));
        }
        let short = match self.settings.backups() {
            Backups::One => Centiseconds(1),
            Backups::Several => Centiseconds(5),
        };
        let short = short.min(self.settings.interval);
        self.set_duty(Duty::HandingOver(HandOver::new(goal, short, context.now)));
        context.out.notice(Notice::HandOverStarted { instance: self.id });
        self.hand_over_step(context);
    }

    /// The timer of the hand-over ran out, or it starts.
    pub fn hand_over_step(&mut self, context: &mut Context<'_>) -> Option<GroupRequest> {
        let now = context.now;
        let priority = self.effective_priority();
        let own = self.settings.interval;
        let longest = match self.hand_over()?.goal {
            Goal::Switchover { .. } | Goal::Stop => self.longest_master_down(),
            // A backup waits no longer after priority 0, and nobody is served meanwhile.
            Goal::Losing { .. } => skew(self.settings.version, Priority::LOWEST, own) + LINGER,
        };
        // A reload may have changed the version: peers of version 2 learn nothing.
        let learned = self.settings.version == Version::V3;
        let hand_over = self.hand_over_mut()?;
        if hand_over.is_silent() {
            let taken = hand_over.successor().is_some();
            let result = if taken { HandOverResult::Taken } else { HandOverResult::NotTaken };
            hand_over.result = Some(result);
            return Some(GroupRequest::HandOver);
        }
        let (announced, interval) = if learned && hand_over.sent < SHORT_ADVERTS {
            hand_over.sent += 1;
            let short = hand_over.short;
            self.timers.set(Timer::HandOver, now + SHORT_SPACING);
            (priority, short)
        } else {
            hand_over.gave_up_at = Some(now);
            hand_over.deadline = now + longest;
            self.timers.set(Timer::HandOver, now + longest);
            (Priority::STOP, own)
        };
        for family in self.families() {
            self.send(family, announced, interval, context);
        }
        self.queue_kernel(context);
        None
    }

    /// Any advert but priority 0 is the successor's, whatever its priority; it is not answered. Our
    /// own, that the network gave back, is none.
    pub fn advert_in_hand_over(
        &mut self,
        family: Family,
        heard: Heard,
        context: &mut Context<'_>,
    ) -> Option<GroupRequest> {
        let now = context.now;
        if self.source(family) == Some(heard.address) {
            return None;
        }
        let longest = self.longest_master_down();
        let hand_over = self.hand_over_mut()?;
        let successor = hand_over.successors.get_mut(family);
        if heard.priority.is_stop() {
            if *successor == Some(heard.address) {
                *successor = None;
                let deadline = hand_over.deadline;
                self.timers.set(Timer::HandOver, deadline);
            }
            return None;
        }
        let first = successor.replace(heard.address).is_none();
        self.learn(family, heard.interval);
        self.set_rival(family, heard);
        let hand_over = self.hand_over_mut()?;
        // A successor that is heard before our priority 0 needs none; sent now, it would make the
        // other backups stop waiting for the successor's next advert.
        // A family whose successor is still to come gets it now.
        if !hand_over.is_silent() {
            hand_over.gave_up_at = Some(now);
            hand_over.deadline = now + longest;
            self.timers.set(Timer::HandOver, now + longest);
            self.queue_kernel(context);
            let own = self.settings.interval;
            for other in self.families().filter(|other| *other != family) {
                self.send(other, Priority::STOP, own, context);
            }
        }
        let after = now.since(self.hand_over()?.gave_up_at.unwrap_or(now));
        if first && self.all_succeeded() {
            let (instance, by) = (self.id, heard.address);
            let hand_over = self.hand_over_mut()?;
            if hand_over.taken.is_none() {
                hand_over.taken = Some((by, after));
                context.out.notice(Notice::HandOverTaken { instance, by, after });
            }
            self.timers.set(Timer::HandOver, now + LINGER);
            self.queue_kernel(context);
        }
        self.finish_if_announced()
    }

    /// After a reload: a family that had no successor may be gone.
    pub fn review_hand_over(&mut self, context: &Context<'_>) {
        if self.all_succeeded() && self.hand_over().is_some_and(|h| h.result.is_none()) {
            self.timers.set_no_later(Timer::HandOver, context.now + LINGER);
        }
    }

    /// Whether a hand-over is under way whose successor was not heard in any family.
    pub fn is_untaken(&self) -> bool {
        self.hand_over().is_some_and(HandOver::is_untaken)
    }

    fn all_succeeded(&self) -> bool {
        let Some(hand_over) = self.hand_over() else { return false };
        self.families().all(|family| hand_over.successors.get(family).is_some())
    }

    /// Another host announced an address.
    pub fn announced(&mut self, address: IpAddr) -> Option<GroupRequest> {
        self.hand_over()?;
        for place in 0..self.objects.len() {
            let number = self.objects.nth(place)?;
            if let Some(slot) = self.objects.get_mut(number)
                && slot.object.announced() == Some(address)
            {
                slot.taken = true;
            }
        }
        self.finish_if_announced()
    }

    fn finish_if_announced(&mut self) -> Option<GroupRequest> {
        let announced = self
            .objects
            .iter()
            .all(|(_, slot)| slot.taken || !slot.present() || slot.object.announced().is_none());
        if !announced || !self.all_succeeded() {
            return None;
        }
        self.hand_over_mut()?.result = Some(HandOverResult::Taken);
        self.timers.stop(Timer::HandOver);
        Some(GroupRequest::HandOver)
    }

    /// Gives up the addresses while other members of the group are still waiting.
    pub fn release_objects(&mut self, context: &mut Context<'_>) {
        if let Some(hand_over) = self.hand_over_mut()
            && !std::mem::replace(&mut hand_over.released, true)
        {
            self.objects.want(false);
            self.queue_kernel(context);
        }
    }

    /// Gives up at once, whether somebody has taken over or not; with priority 0, should it not have
    /// been sent.
    pub fn abandon_hand_over(&mut self, context: &mut Context<'_>) {
        let Some(hand_over) = self.hand_over() else { return };
        let owes_stop = !hand_over.is_silent();
        self.enter_initialize(Cause::Stopped, owes_stop, context);
    }

    /// The end: Backup or Initialize.
    pub fn end_hand_over(&mut self, context: &mut Context<'_>) {
        let Some(hand_over) = self.hand_over().copied() else { return };
        self.hand_over_end = Some(match hand_over.taken {
            Some((by, after)) => HandOverEnd::Taken { by, after },
            None => HandOverEnd::GivenUp,
        });
        if hand_over.result == Some(HandOverResult::NotTaken) {
            context.out.notice(Notice::HandOverFailed { instance: self.id, resumed: false });
        }
        match hand_over.goal {
            Goal::Stop => self.enter_initialize(Cause::Stopped, false, context),
            Goal::Losing { object, pause } => {
                let successor = hand_over.successor();
                let cause = Cause::AddressesLost { object, successor, pause };
                self.enter_backup(cause, false, context);
            }
            Goal::Switchover { hold_for, .. } => {
                let cause = Cause::Switchover { successor: hand_over.successor() };
                self.enter_backup(cause, false, context);
                self.start_hold(hold_for, context);
            }
        }
    }

    /// Nobody took over: goes on as master.
    pub fn resume_after_hand_over(&mut self, context: &mut Context<'_>) {
        self.set_duty(Duty::Serving(SecondHolders::default()));
        self.hand_over_end = Some(HandOverEnd::Resumed);
        self.timers.stop(Timer::HandOver);
        context.out.notice(Notice::HandOverFailed { instance: self.id, resumed: true });
        self.objects.want(true);
        for family in self.families() {
            let own = self.settings.interval;
            if let Some(claim) = self.claim_mut(family) {
                (claim.learned, claim.rival, claim.conflict) = (own, None, None);
            }
            self.send_now(family, context);
        }
        self.announce(self.settings.announce.repeat, context);
        self.start_announce_timers(context);
        self.queue_kernel(context);
    }

    /// Whether the kernel should answer nothing for our addresses: from priority 0 until the
    /// last address is gone. The own address of an owner stays, and is silent as long as another
    /// router is to have it.
    pub fn wants_mute(&self) -> bool {
        match &self.state {
            StateData::Master(_) => self.hand_over().is_some_and(HandOver::is_silent),
            // An owner that goes leaves its own address to the host.
            StateData::Initialize(_) => self.lanes.muted && !self.objects.none_left(),
            StateData::Backup(_) | StateData::Fault(_) => {
                self.lanes.muted && !self.objects.none_present()
            }
        }
    }
}
