//! The clocks of the system.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use nix::time::{ClockId, clock_gettime};

use crate::units::Instant;

/// The time since boot, including the time in suspend (`CLOCK_BOOTTIME`): a router that was suspended
/// was not master during that time.
pub fn now() -> Instant {
    // The call fails only in kernels without this clock, where creating the timer fails before.
    clock_gettime(ClockId::CLOCK_BOOTTIME)
        .map_or(Instant::ORIGIN, |time| Instant::ORIGIN + Duration::from(time))
}

/// The time since boot, excluding the time in suspend (`CLOCK_MONOTONIC`), as systemd expects it.
pub fn monotonic() -> Duration {
    clock_gettime(ClockId::CLOCK_MONOTONIC).map(Duration::from).unwrap_or_default()
}

/// The time since 1970 (UTC), for people. It may jump forward and back.
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
