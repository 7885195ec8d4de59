//! When a process that ended is started again.

use std::collections::VecDeque;
use std::time::Duration;

use crate::units::Instant;

/// The first wait that is one.
const FIRST_WAIT: Duration = Duration::from_secs(1);
/// The longest.
const LONGEST_WAIT: Duration = Duration::from_secs(60);
/// A process that worked for so long has not failed to start. Ends that are longer ago do not count.
const SETTLED_TIME: Duration = Duration::from_secs(60);
/// So many ends within [`SETTLED_TIME`] are a loop. A cause that comes back with each start, such as a
/// packet that kills the process, shows within seconds; three faults in a minute that have nothing
/// to do with each other cost no failover.
const CRASH_LOOP_COUNT: usize = 5;

/// How it goes on after an end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Next {
    /// It is started after so long.
    pub wait: Duration,
    /// How often it has ended within [`SETTLED_TIME`]. A loop has waits, so these are never many.
    pub ends: usize,
    /// It ends again and again: the next one hands its addresses over and stays backup.
    pub hand_over: bool,
}

/// At once as long as that saves the addresses; else after 0, 1, 2, 4 ... 60 s.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct BackOff {
    next: Duration,
    ends: VecDeque<Instant>,
    looping: bool,
}

impl BackOff {
    /// A process has ended that ran for `ran`. `resumable`: one that is started now goes on as
    /// master, before another router takes over.
    pub fn after(&mut self, now: Instant, ran: Duration, resumable: bool) -> Next {
        if ran >= SETTLED_TIME {
            self.next = Duration::ZERO;
        }
        while self.ends.front().is_some_and(|at| now.since(*at) > SETTLED_TIME) {
            self.ends.pop_front();
        }
        self.ends.push_back(now);
        let ends = self.ends.len();
        let hand_over = ends >= CRASH_LOOP_COUNT;
        let looped = std::mem::replace(&mut self.looping, hand_over);
        // The one that hands over has to be there in time as well.
        if resumable && !(hand_over && looped) {
            // The wait grows with each end even when it does not help.
            if !hand_over {
                self.grow();
            }
            return Next { wait: Duration::ZERO, ends, hand_over };
        }
        let wait = self.next;
        self.grow();
        Next { wait, ends, hand_over }
    }

    fn grow(&mut self) {
        self.next = (self.next * 2).clamp(FIRST_WAIT, LONGEST_WAIT);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Instant {
        Instant::ORIGIN + Duration::from_secs(seconds)
    }

    #[test]
    fn waits_grow_to_a_minute_and_begin_anew_after_one_that_worked() {
        let (mut backoff, mut now) = (BackOff::default(), 0);
        let mut waits = |ran: u64, n: usize| -> Vec<u64> {
            let mut next = || {
                now += ran;
                let wait = backoff.after(at(now), Duration::from_secs(ran), false).wait.as_secs();
                now += wait;
                wait
            };
            (0..n).map(|_| next()).collect()
        };
        assert_eq!(waits(59, 9), [0, 1, 2, 4, 8, 16, 32, 60, 60]);
        assert_eq!(waits(60, 1), [0]);
        assert_eq!(waits(0, 2), [1, 2]);
    }

    #[test]
    fn a_master_is_started_at_once_until_it_is_a_loop() {
        let mut backoff = BackOff::default();
        let mut after = |second| {
            let next = backoff.after(at(second), Duration::from_secs(2), true);
            (next.wait.as_secs(), next.ends, next.hand_over)
        };
        for (ends, second) in (1..5).zip([0, 3, 6, 9]) {
            assert_eq!(after(second), (0, ends, false));
        }
        assert_eq!(after(12), (0, 5, true), "there is somebody to hand over");
        assert_eq!(after(13), (8, 6, true));
        assert_eq!(after(23), (16, 7, true));
        // The ends at 13 s and before are forgotten.
        assert_eq!(after(75), (0, 2, false));
        for (ends, second) in (3..5).zip([76, 77]) {
            assert_eq!(after(second), (0, ends, false));
        }
        assert_eq!(after(78), (0, 5, true), "another loop");
    }

    #[test]
    fn ends_that_are_far_apart_are_no_loop() {
        let mut backoff = BackOff::default();
        for second in (0..300).step_by(16) {
            assert!(
                !backoff.after(at(second), Duration::from_secs(16), true).hand_over,
                "{second}"
            );
        }
    }
}
