//! Entering and leaving the states of one instance (`vrrp:S-1`, `S-2`, `S-21`, `S-40`, `S-42`).

use super::action::{Cause, Notice, State};
use super::hand_over::Goal;
use super::instance::{Context, Instance};
use super::statistics::count;
use super::timers::Timer;
use super::transmit_failure::Departures;
use crate::units::Family;

impl Instance {
    /// Puts the instance into the kernel lanes.
    pub fn queue_kernel(&mut self, context: &mut Context<'_>) {
        if !std::mem::replace(&mut self.removals_queued, true) {
            context.out.removals.push_back(self.id);
        }
        if !std::mem::replace(&mut self.kernel_queued, true) {
            context.out.kernel.push_back(self.id);
        }
    }

    fn set_state(&mut self, to: State, cause: Cause, context: &mut Context<'_>) {
        let from = std::mem::replace(&mut self.state, to);
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
        self.owes_stop = None;
        for family in self.families() {
            let own = self.settings.interval;
            let router = self.router_of(family);
            let over = router.lower;
            router.start_over(context.now);
            router.departures = Departures::new(context.now, over);
            router.learned = own;
            self.timers.stop(Timer::Down(family));
            self.send_now(family, context);
        }
        self.set_state(State::Master, cause, context);
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

    /// Ends being master without a word on the wire: timers, announcements, objects.
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
        self.reannounce_at = None;
        self.second_holders.clear();
        self.hand_over = None;
        self.objects.want(false);
        self.queue_kernel(context);
    }

    /// Goes to Backup and waits a full Master_Down_Interval (`vrrp:S-2`, `S-24`, `S-40`).
    pub fn enter_backup(&mut self, cause: Cause, stop: bool, context: &mut Context<'_>) {
        if stop && self.state == State::Master {
            self.send_stop(context);
        }
        let recovered = self.state == State::Fault;
        let was_master = self.state == State::Master;
        self.let_go(context);
        self.set_state(State::Backup, cause, context);
        if recovered {
            self.pay_stop(context);
        }
        for family in self.families() {
            let own = self.settings.interval;
            let router = self.router_of(family);
            let master = router.master;
            let learned = router.learned;
            router.start_over(context.now);
            if was_master {
                // What the winner of the election announced (`vrrp:S-24`).
                router.master = master;
                router.learned = learned;
            } else {
                router.learned = own;
            }
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
        if let Some(Goal::Switchover { hold_for, .. }) = self.hand_over.map(|h| h.goal) {
            self.start_hold(hold_for, context);
        }
        self.leave(State::Fault, cause, true, context);
    }

    /// Goes to Initialize (`vrrp:S-11`, `S-21`); `stop` is off after a planned hand-over, which
    /// has said so already.
    pub fn enter_initialize(&mut self, cause: Cause, stop: bool, context: &mut Context<'_>) {
        self.leave(State::Initialize, cause, stop, context);
    }

    fn leave(&mut self, to: State, cause: Cause, stop: bool, context: &mut Context<'_>) {
        if stop && self.state == State::Master {
            self.send_stop(context);
        }
        self.let_go(context);
        for family in self.families() {
            self.router_of(family).start_over(context.now);
        }
        self.set_state(to, cause, context);
    }
}
