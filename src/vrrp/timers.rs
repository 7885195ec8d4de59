//! The timers of an instance, the order in which they run, and the formulas of section 5 of the rules
//! (`vrrp:T-1` to `T-3`).

use std::time::Duration;

use crate::units::{Centiseconds, Family, Instant, Priority, Version};

/// One timer. Each runs at most once at a time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Timer {
    /// AdverTimer: the next advert of a master (`vrrp:S-22`).
    Advert(Family),
    /// DownTimer: no master (`vrrp:S-12`).
    Down(Family),
    /// The wait of an owner that heard another one (`vrrp:S-32`).
    Owner(Family),
    /// The second burst of announcements after becoming master (`vrrp:G-5`).
    SecondBurst,
    /// The next refresh of the announcements (`vrrp:G-5`).
    Refresh,
    /// The second burst after a lower-priority advert (`vrrp:S-29`).
    LowerBurst,
    /// The next step of a planned hand-over (architecture.md, hand-over).
    HandOver,
    /// The end of an operator's hold.
    HoldEnd,
    /// Kernel objects that were refused or taken away are tried again.
    Retry,
    /// Addresses that another host holds as well are probed again.
    Probe,
}

impl Timer {
    /// All of them, in the order in which they run when several are due.
    pub const ALL: [Self; 13] = [
        Self::Advert(Family::V4),
        Self::Advert(Family::V6),
        Self::HandOver,
        Self::Owner(Family::V4),
        Self::Owner(Family::V6),
        Self::Down(Family::V4),
        Self::Down(Family::V6),
        Self::SecondBurst,
        Self::Refresh,
        Self::LowerBurst,
        Self::HoldEnd,
        Self::Retry,
        Self::Probe,
    ];

    /// Whether its end means that the master is gone.
    pub const fn is_down(self) -> bool {
        matches!(self, Self::Down(_))
    }

    const fn index(self) -> usize {
        match self {
            Self::Advert(Family::V4) => 0,
            Self::Advert(Family::V6) => 1,
            Self::Down(Family::V4) => 2,
            Self::Down(Family::V6) => 3,
            Self::Owner(Family::V4) => 4,
            Self::Owner(Family::V6) => 5,
            Self::SecondBurst => 6,
            Self::Refresh => 7,
            Self::LowerBurst => 8,
            Self::HandOver => 9,
            Self::HoldEnd => 10,
            Self::Retry => 11,
            Self::Probe => 12,
        }
    }
}

/// When each timer of an instance is due.
#[derive(Clone, Debug)]
pub struct TimerTable {
    /// [`NEVER`] for a timer that does not run: the first one is looked for on each advert.
    due: [Instant; Timer::ALL.len()],
}

/// No clock comes to it.
const NEVER: Instant = Instant::from_nanos(u64::MAX);

impl Default for TimerTable {
    fn default() -> Self {
        Self { due: [NEVER; Timer::ALL.len()] }
    }
}

impl TimerTable {
    /// Starts a timer, or starts it anew.
    pub fn set(&mut self, timer: Timer, at: Instant) {
        if let Some(slot) = self.due.get_mut(timer.index()) {
            *slot = at;
        }
    }

    /// Starts a timer unless it is due sooner already.
    pub fn set_no_later(&mut self, timer: Timer, at: Instant) {
        match self.get(timer) {
            Some(due) if due <= at => {}
            Some(_) | None => self.set(timer, at),
        }
    }

    /// Stops a timer.
    pub fn stop(&mut self, timer: Timer) {
        if let Some(slot) = self.due.get_mut(timer.index()) {
            *slot = NEVER;
        }
    }

    /// When a timer is due; `None` when it does not run.
    pub fn get(&self, timer: Timer) -> Option<Instant> {
        self.due.get(timer.index()).copied().filter(|at| *at != NEVER)
    }

    /// When the first of all is due.
    pub fn next(&self) -> Option<Instant> {
        self.due.iter().copied().min().filter(|at| *at != NEVER)
    }

    /// The first timer, in the order of [`Timer::ALL`], that is due, with the time it was due at.
    pub fn first_due(&self, now: Instant) -> Option<(Timer, Instant)> {
        self.running().find(|&(_, at)| at <= now)
    }

    /// The same without a DownTimer.
    pub fn first_due_but_down(&self, now: Instant) -> Option<(Timer, Instant)> {
        self.running().find(|&(timer, at)| at <= now && !timer.is_down())
    }

    /// When the first is due that is no DownTimer.
    pub fn next_but_down(&self) -> Option<Instant> {
        self.running().filter(|(timer, _)| !timer.is_down()).map(|(_, at)| at).min()
    }

    fn running(&self) -> impl Iterator<Item = (Timer, Instant)> {
        Timer::ALL.into_iter().filter_map(|timer| self.get(timer).map(|at| (timer, at)))
    }
}

/// Skew_Time: what keeps routers of different priority from acting together (`vrrp:T-1`, `T-2`,
/// `T-3`). In whole microseconds, as keepalived computes it.
pub fn skew(version: Version, priority: Priority, interval: Centiseconds) -> Duration {
    let rank = 256 - u64::from(priority.0);
    Duration::from_micros(match version {
        Version::V2 => rank * 1_000_000 / 256,
        Version::V3 => rank * u64::from(interval.0) * 625 / 16,
    })
}

/// Master_Down_Interval (RFC 9568: Active_Down_Interval) (`vrrp:T-1`, `T-2`).
pub fn master_down(
    version: Version,
    priority: Priority,
    interval: Centiseconds,
    adverts: u8,
) -> Duration {
    interval.duration() * u32::from(adverts) + skew(version, priority, interval)
}

/// When a periodic timer runs next: from the schedule, so that intervals do not drift, unless
/// that has passed as well.
pub fn next_on_schedule(due: Instant, interval: Duration, now: Instant) -> Instant {
    let next = due + interval;
    if next > now { next } else { now + interval }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_due_timer_in_the_order_of_the_list_runs_first() {
        let mut table = TimerTable::default();
        let at = |s| Instant::from_nanos(s);
        table.set(Timer::Retry, at(1));
        table.set(Timer::Down(Family::V4), at(5));
        table.set(Timer::Advert(Family::V6), at(9));
        assert_eq!((table.next(), table.next_but_down()), (Some(at(1)), Some(at(1))));
        assert_eq!(table.first_due(at(0)), None);
        for (timer, due) in
            [(Timer::Advert(Family::V6), 9), (Timer::Down(Family::V4), 5), (Timer::Retry, 1)]
        {
            assert_eq!(table.first_due(at(9)), Some((timer, at(due))));
            let other =
                if timer.is_down() { Some((Timer::Retry, at(1))) } else { Some((timer, at(due))) };
            assert_eq!(table.first_due_but_down(at(9)), other);
            table.stop(timer);
        }
        assert_eq!((table.first_due(at(9)), table.next()), (None, None));
    }

    #[test]
    fn every_timer_has_a_place_of_its_own() {
        let mut seen = Timer::ALL.map(Timer::index);
        seen.sort_unstable();
        assert_eq!(seen.to_vec(), (0..Timer::ALL.len()).collect::<Vec<_>>());
    }

    #[test]
    fn a_periodic_timer_keeps_its_schedule_unless_a_whole_interval_was_missed() {
        let at = |ms| Instant::ORIGIN + Duration::from_millis(ms);
        let second = Duration::from_secs(1);
        assert_eq!(next_on_schedule(at(1000), second, at(1004)), at(2000));
        assert_eq!(next_on_schedule(at(1000), second, at(2000)), at(3000));
        assert_eq!(next_on_schedule(at(1000), second, at(5500)), at(6500));
    }
}
