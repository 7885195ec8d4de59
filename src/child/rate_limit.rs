//! The rate limit for events of one kind, so that repeated events do not fill the log.

use std::time::Duration;

use crate::units::Instant;

/// Events that are sent in a burst, at most.
const BURST_EVENTS: u32 = 20;
/// After a burst, one event is sent in each period.
const REFILL_PERIOD: Duration = Duration::from_secs(3);

/// A token bucket.
#[derive(Clone, Copy, Debug)]
pub struct RateLimit {
    tokens: u32,
    filled: Instant,
    left_out: u32,
}

impl RateLimit {
    /// A full bucket.
    pub const fn new(now: Instant) -> Self {
        Self { tokens: BURST_EVENTS, filled: now, left_out: 0 }
    }

    /// Whether [`RateLimit::take`] would allow an event.
    pub fn allows(&self, now: Instant) -> bool {
        self.tokens > 0 || now.since(self.filled) >= REFILL_PERIOD
    }

    /// Counts an event. If it may be sent, returns the number of events that were left out before it.
    pub fn take(&mut self, now: Instant) -> Option<u32> {
        let periods = now.since(self.filled).as_nanos() / REFILL_PERIOD.as_nanos();
        let more = u32::try_from(periods).unwrap_or(u32::MAX);
        if more > 0 {
            self.tokens = self.tokens.saturating_add(more).min(BURST_EVENTS);
            self.filled =
                if self.tokens == BURST_EVENTS { now } else { self.filled + REFILL_PERIOD * more };
        }
        match self.tokens.checked_sub(1) {
            Some(left) => {
                self.tokens = left;
                Some(std::mem::take(&mut self.left_out))
            }
            None => {
                self.left_out = self.left_out.saturating_add(1);
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_storm_is_cut_and_said() {
        let start = Instant::ORIGIN + Duration::from_secs(100);
        let mut limit = RateLimit::new(start);
        let told = (0..50).filter(|_| limit.take(start).is_some()).count();
        assert_eq!(told, 20);
        assert_eq!(limit.take(start + Duration::from_secs(2)), None);
        assert!(
            !limit.allows(start + Duration::from_secs(2)) && limit.allows(start + REFILL_PERIOD)
        );
        assert_eq!(limit.take(start + REFILL_PERIOD), Some(31));
        assert_eq!(limit.take(start + REFILL_PERIOD), None);
        // A long silence fills it, and not more than that.
        let later = start + Duration::from_secs(3600);
        assert_eq!(limit.take(later), Some(1));
        assert_eq!((0..50).filter(|_| limit.take(later).is_some()).count(), 19);
    }
}
