//! Entering and leaving the states of one instance (`vrrp:S-1`, `S-2`, `S-21`, `S-40`, `S-42`).

use super::instance::{Context, Instance};
use super::notice::{Cause, Notice};
use super::state::{
    Backup, Claim, Duty, Fault, Goal, Initialize, Listening, Master, SecondHolders, StateData,
};
use super::statistics::count;
use super::timers::Timer;
use crate::units::{Family, PerFamily, State};

impl Instance {
    /// Puts the instance into the kernel lanes.
    pub fn queue_kernel(&mut self, context: &mut Context<'_>) {
        if !std::mem::replace(&mut self.lanes.removals, true) {
            context.out.removals.push_back(self.id);
        }
        if !std::mem::replace(&mut self.lanes.installations, true) {
            context.out.kernel.push_back(self.id);
        }
    }

    fn set_state(&mut self, data: StateData, cause: Cause, context: &mut Context<'_>) {
        let to = data.name();
        let from = std::mem::replace(&mut self.state, data).name();
        self.cause = cause;
        if from == to {
            return;
        }
        self.since = context.now;
        for family in Family::ALL {
            let router = self.router_of(family);
            router.forget_remarks();
            if router.active {
                match (from, to) {
                    (_, State::Master) => count(&mut router.statistics.become_master),
                    (State::Master, _) => count(&mut router.statistics.release_master),
                    (
                        State::Initialize | State::Backup | State::Fault,
                        State::Initialize | State::Backup | State::Fault,
                    ) => {}
                }
            }
        }
        context.out.notice(Notice::Transition { instance: self.id, from, to, cause });
    }

    /// Becomes master: adverts first, then addresses, then announcements as each is
    /// acknowledged (`vrrp:S-1`, `S-12`, `S-42`).
    pub fn enter_master(&mut self, cause: Cause, context: &mut Context<'_>) {
        self.demote(false, context);
        let own = self.settings.interval;
        let claims = PerFamily::new(|family| {
            let over = self.listening(family).and_then(|listening| listening.lower);
            Claim::new(own, over, context.now)
        });
        let duty = Duty::Serving(SecondHolders::default());
        let master = Master { claims, duty, reannounce_at: None };
        self.set_state(StateData::Master(master), cause, context);
        for family in self.families() {
            self.timers.stop(Timer::Down(family));
            self.send_now(family, context);
        }
        self.objects.want(true);
        self.queue_kernel(context);
        self.announce(self.settings.announce.repeat, context);
        self.start_announce_timers(context);
    }

    /// Starts the timers of the later bursts, and the probes.
    pub fn start_announce_timers(&mut self, context: &Context<'_>) {
        self.start_probing(context);
        let announce = self.settings.announce;
        if announce.repeat > 0 && !announce.delay.is_zero() {
            self.timers.set(Timer::SecondBurst, context.now + announce.delay);
        }
        if announce.refresh_repeat > 0 && !announce.refresh.is_zero() {
            self.timers.set(Timer::Refresh, context.now + announce.refresh);
        }
    }

    /// Ends a state without a word on the wire: timers, announcements, objects.
    fn let_go(&mut self, context: &mut Context<'_>) {
        for timer in Timer::ALL {
            match timer {
                Timer::HoldEnd => {}
                Timer::Advert(_)
                | Timer::Down(_)
                | Timer::Owner(_)
                | Timer::SecondBurst
                | Timer::Refresh
                | Timer::LowerBurst
                | Timer::HandOver
                | Timer::Retry
                | Timer::Probe => self.timers.stop(timer),
            }
        }
        self.objects.want(false);
        self.queue_kernel(context);
    }

    /// Goes to Backup and waits a full Master_Down_Interval (`vrrp:S-2`, `S-24`, `S-40`).
    pub fn enter_backup(&mut self, cause: Cause, stop: bool, context: &mut Context<'_>) {
        if stop && self.is(State::Master) {
            self.send_stop(context);
        }
        let own = self.settings.interval;
        let (recovered, owes_stop) = match self.state {
            StateData::Fault(fault) => (true, fault.owes_stop),
            StateData::Initialize(_) | StateData::Backup(_) | StateData::Master(_) => (false, None),
        };
        let listening = PerFamily::new(|family| match &self.state {
            StateData::Master(master) => {
                // What the winner of the election announced (`vrrp:S-24`).
                let claim = master.claims.get(family);
                Listening::new(claim.learned, claim.rival, context.now)
            }
            StateData::Initialize(_) | StateData::Backup(_) | StateData::Fault(_) => {
                Listening::new(own, None, context.now)
            }
        });
        self.let_go(context);
        self.set_state(StateData::Backup(Backup { listening }), cause, context);
        if let Some(since) = owes_stop {
            self.send_late_stop(since, context);
        }
        for family in self.families() {
            let wait = if recovered && self.effective_priority().is_owner() {
                // `vrrp:S-40`: the owner waits less, but it waits.
                own.duration() + self.skew(own)
            } else {
                self.master_down(family)
            };
            self.timers.set(Timer::Down(family), context.now + wait);
        }
    }

    /// Goes to Fault (`vrrp:S-40`).
    pub fn enter_fault(&mut self, cause: Cause, context: &mut Context<'_>) {
        if let Some(Goal::Switchover { hold_for, .. }) = self.hand_over().map(|h| h.goal) {
            self.start_hold(hold_for, context);
        }
        let owes_stop = self.is(State::Master) && !self.link.can_send;
        let fault = Fault { owes_stop: owes_stop.then_some(context.now) };
        self.leave(StateData::Fault(fault), cause, true, context);
    }

    /// Goes to Initialize (`vrrp:S-11`, `S-21`); `stop` is off after a planned hand-over, which
    /// has said so already.
    pub fn enter_initialize(&mut self, cause: Cause, stop: bool, context: &mut Context<'_>) {
        self.leave(StateData::Initialize(Initialize::default()), cause, stop, context);
    }

    fn leave(&mut self, to: StateData, cause: Cause, stop: bool, context: &mut Context<'_>) {
        if stop && self.is(State::Master) {
            self.send_stop(context);
        }
        self.let_go(context);
        self.set_state(to, cause, context);
    }
}
