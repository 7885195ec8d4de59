//! What happens when time has passed: timers that are due run, but a process that was late, and a
//! DownTimer, let the sockets be read first (`vrrp:V-24`; architecture.md, processes).

use std::time::Duration;

use super::engine::Engine;
use super::ids::{InstanceId, InterfaceId};
use super::instance::Instance;
use super::notice::Notice;
use super::timers::{Timer, TimerTable};
use super::timing::Drain;
use crate::units::{Family, Instant};

/// The longest that reading the sockets may keep timers waiting: a flood must not silence us.
const MAX_DRAIN_TIME: Duration = Duration::from_millis(100);
/// The shortest time between two notices of late wake-ups.
const LATE_NOTICE_INTERVAL: Duration = Duration::from_secs(1);

impl Engine {
    /// When [`Event::Wake`](super::Event::Wake) is due; `None`: not before another event.
    pub fn next_deadline(&self) -> Option<Instant> {
        let timers = match self.timing.drain {
            Some(Drain { until, late: true }) => return Some(until),
            Some(Drain { until, late: false }) => {
                let mut next = until;
                let others = self.timing.schedule.due(self.now, &mut |id| {
                    let timers = self.get(InstanceId(id)).map(|instance| &instance.timers);
                    next = timers.and_then(TimerTable::next_but_down).map_or(next, |t| next.min(t));
                });
                Some(others.map_or(next, |others| next.min(others)))
            }
            None => self.timing.schedule.first().map(|(at, _)| at),
        };
        [timers, self.life.start_at, self.pacers.next()].into_iter().flatten().min()
    }

    /// The sockets that [`Urgent::DrainSockets`](super::Urgent::DrainSockets) is about: hands over
    /// those of routers whose DownTimer ran out, some of them perhaps more than once. `false`: it is
    /// about all.
    pub fn sockets_to_drain(&self, mut take: impl FnMut(InterfaceId, Family)) -> bool {
        if self.timing.drain.is_none_or(|drain| drain.late) {
            return false;
        }
        self.timing.schedule.due(self.now, &mut |id| {
            let Some(instance) = self.get(InstanceId(id)) else { return };
            for family in instance.families() {
                let due = instance.timers.get(Timer::Down(family));
                if due.is_some_and(|due| due <= self.now) {
                    take(instance.interface, family);
                }
            }
        });
        true
    }

    pub(super) fn wake(&mut self) {
        self.router_index.burst = self.router_index.burst.wrapping_add(1);
        match self.timing.drain {
            Some(drain) if drain.until <= self.now => return self.drained(),
            Some(Drain { late: true, .. }) => return,
            Some(Drain { late: false, .. }) => {
                // The reading was broken off for these.
                self.run_in_time();
                self.out.drain = true;
                return;
            }
            None => {}
        }
        if let Some((due, _)) = self.timing.schedule.first() {
            let late = self.now.since(due);
            if late > self.max_lateness() {
                // The process stood still. What others sent meanwhile comes first.
                self.start_drain(true);
                if self
                    .timing
                    .late_told
                    .is_none_or(|told| self.now.since(told) >= LATE_NOTICE_INTERVAL)
                {
                    self.timing.late_told = Some(self.now);
                    self.out.notice(Notice::LateWake { by: late });
                }
                return;
            }
        }
        self.run_timers(false);
    }

    /// How late a wake-up may be, and how long the sockets may be read.
    fn max_lateness(&self) -> Duration {
        // Whoever learned the interval of a hand-over waits no longer than that says.
        let first = self.timing.schedule.first().and_then(|(_, id)| self.get(InstanceId(id)));
        let short = first.and_then(Instance::hand_over_interval);
        short.map_or(self.timing.shortest, |short| self.timing.shortest.min(short.duration()))
    }

    fn start_drain(&mut self, late: bool) {
        let until = self.now + self.max_lateness().min(MAX_DRAIN_TIME);
        self.timing.drain = Some(Drain { until, late });
        self.out.drain = true;
    }

    /// The sockets are empty, or a flood keeps them from ever being so.
    pub(super) fn drained(&mut self) {
        if let Some(drain) = self.timing.drain.take() {
            self.out.drain = false;
            if drain.late {
                self.announce_after_sleep();
            }
            self.run_timers(true);
        }
    }

    /// Runs what is due. `heard`: the sockets were read empty just now. Before that no master counts
    /// as gone: however little late we are, its advert may be there already.
    fn run_timers(&mut self, heard: bool) {
        while let Some((due, id)) = self.timing.schedule.first()
            && due <= self.now
        {
            let timers = self.get(InstanceId(id)).map(|instance| &instance.timers);
            let first = timers.and_then(|timers| timers.first_due(self.now));
            if !heard && first.is_some_and(|(timer, _)| timer.is_down()) {
                self.start_drain(false);
                return self.run_in_time();
            }
            self.expire(InstanceId(id), first);
        }
        self.run_start();
    }

    /// Runs what is due and does not wait for the sockets.
    fn run_in_time(&mut self) {
        let mut due = std::mem::take(&mut self.timing.in_time);
        self.timing.schedule.due(self.now, &mut |id| due.push(InstanceId(id)));
        for id in due.drain(..) {
            while let Some(first) = self.get(id).and_then(|i| i.timers.first_due_but_down(self.now))
            {
                self.expire(id, Some(first));
            }
        }
        self.timing.in_time = due;
        self.run_start();
    }

    fn expire(&mut self, id: InstanceId, first: Option<(Timer, Instant)>) {
        let wish = self.with(id, |instance, context| {
            let (timer, due) = first?;
            instance.timers.stop(timer);
            instance.expire(timer, due, context)
        });
        if let Some(wish) = wish.flatten() {
            self.grant(id, wish);
        }
    }

    fn run_start(&mut self) {
        if self.life.start_at.is_some_and(|at| at <= self.now) {
            self.life.start_at = None;
            self.evaluate_all();
        }
    }

    /// While a master slept for longer than others wait for it, they may have announced its
    /// addresses, in packets that are lost by now.
    fn announce_after_sleep(&mut self) {
        for id in self.ids() {
            self.with(id, |instance, context| {
                let limit = instance.settings.interval.duration()
                    * u32::from(instance.settings.down_timer_adverts);
                let last = instance.last_sent();
                if last.is_some_and(|last| context.now.since(last) > limit) {
                    instance.announce(instance.settings.announce.repeat, context);
                }
            });
        }
    }
}
