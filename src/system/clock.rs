//! What time it is.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use nix::time::{ClockId, clock_gettime};

use crate::units::Instant;

/// The time since boot, with the time the machine was suspended (`CLOCK_BOOTTIME`, in Linux since
/// 2.6.39): a router that slept was not a master meanwhile.
pub fn now() -> Instant {
    // The kernel refuses only a clock that it does not know, and there it would refuse the timer.
    clock_gettime(ClockId::CLOCK_BOOTTIME)
        .map_or(Instant::ORIGIN, |time| Instant::ORIGIN + Duration::from(time))
}

/// The time since boot without suspended time (`CLOCK_MONOTONIC`), for those who count so.
pub fn monotonic() -> Duration {
    clock_gettime(ClockId::CLOCK_MONOTONIC).map(Duration::from).unwrap_or_default()
}

/// The time of day, for people: time since 1970 (UTC). It may jump either way.
pub fn wall() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_is_the_one_of_the_boot() {
        let text = std::fs::read_to_string("/proc/uptime").unwrap();
        let (whole, _) = text.split_once('.').unwrap();
        let uptime = Duration::from_secs(whole.parse().unwrap());
        let (first, second) = (now(), now());
        assert!(first <= second);
        assert!(first >= Instant::ORIGIN + uptime, "{first:?} is before {uptime:?}");
    }

    #[test]
    fn the_wall_clock_counts_from_1970() {
        assert!(wall() > Duration::from_secs(1_600_000_000));
    }
}
