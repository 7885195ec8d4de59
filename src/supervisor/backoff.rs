//! When a process that ended is started again.

use std::time::Duration;

/// The first wait that is one.
const FIRST: Duration = Duration::from_secs(1);
/// The longest.
const LONGEST: Duration = Duration::from_secs(60);
/// A process that worked for so long has not failed to start.
const SETTLED: Duration = Duration::from_secs(60);

/// At once, then after 1 s, 2 s, ... 60 s (DESIGN 3).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct BackOff {
    next: Duration,
}

impl BackOff {
    /// How long to wait now that a process has ended that ran for `ran`.
    pub fn wait(&mut self, ran: Duration) -> Duration {
        if ran >= SETTLED {
            self.next = Duration::ZERO;
        }
        let wait = self.next;
        self.next = (wait * 2).clamp(FIRST, LONGEST);
        wait
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_a_minute_and_begin_anew_after_one_that_worked() {
        let mut backoff = BackOff::default();
        let mut waits = |ran: u64, n: usize| -> Vec<u64> {
            (0..n).map(|_| backoff.wait(Duration::from_secs(ran)).as_secs()).collect()
        };
        assert_eq!(waits(59, 9), [0, 1, 2, 4, 8, 16, 32, 60, 60]);
        assert_eq!(waits(60, 1), [0]);
        assert_eq!(waits(0, 2), [1, 2]);
    }
}
