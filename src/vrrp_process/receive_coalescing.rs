//! How often packets of others may wake the process.
//!
//! To wake up costs ten times what it costs to take an advert in, and adverts that come soon after
//! each other can be read with one call. So a process that is woken by packets again and again
//! rests a little before it waits for the next ones; they are in the socket meanwhile.

use std::time::Duration;

use crate::units::Instant;

/// The longest rest, and the time between two that are woken from in the long run. It adds to how
/// long a packet of others takes until it counts, which is no matter beside the seconds or the
/// tenths of them that many virtual routers have as intervals.
const PERIOD: Duration = Duration::from_millis(4);

/// So many periods may pass in advance: who is woken by a few packets does not rest at all.
const EARLY_PERIODS: u32 = 8;

/// When the process was woken by packets.
#[derive(Clone, Copy, Debug, Default)]
pub struct ReceiveCoalescing {
    /// All that woke it until now would have taken until then, one a period.
    paid: Instant,
}

impl ReceiveCoalescing {
    /// Packets have woken the process: how long it rests before it waits for more. Not at all when
    /// something is due soon, so that no timer is ever late, and runs before packets that came
    /// earlier.
    pub fn woken(&mut self, now: Instant, deadline: Option<Instant>) -> Option<Duration> {
        self.paid = self.paid.max(now) + PERIOD;
        let rest = self.paid.since(now + PERIOD * EARLY_PERIODS).min(PERIOD);
        let soon = deadline.is_some_and(|at| at < now + PERIOD * 2);
        (!soon && rest > Duration::ZERO).then_some(rest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(micros: u64) -> Instant {
        Instant::ORIGIN + Duration::from_micros(micros)
    }

    #[test]
    fn who_is_woken_now_and_then_never_rests() {
        let mut pace = ReceiveCoalescing::default();
        for time in (0..1_000).map(|n| at(n * 4_000)) {
            assert_eq!(pace.woken(time, None), None);
        }
        for time in (5_000_000..5_000_008).map(at) {
            assert_eq!(pace.woken(time, None), None, "a few at once");
        }
    }

    #[test]
    fn a_stream_of_packets_wakes_it_once_a_period() {
        let (mut pace, mut now, mut count) = (ReceiveCoalescing::default(), at(0), 0);
        while now < at(1_000_000) {
            count += 1;
            let rest = pace.woken(now, None).unwrap_or_default();
            assert!(rest <= PERIOD);
            now = now + rest + Duration::from_micros(100);
        }
        assert!((240..=262).contains(&count), "{count}");
    }

    #[test]
    fn nothing_is_late() {
        let mut pace = ReceiveCoalescing::default();
        for _ in 0..100 {
            assert_eq!(pace.woken(at(50), Some(at(8_000))), None);
        }
        assert_eq!(pace.woken(at(50), Some(at(8_050))), Some(PERIOD));
    }
}
