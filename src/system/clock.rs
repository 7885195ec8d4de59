//! The clocks.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use nix::time::{ClockId, clock_gettime};

use crate::units::Instant;

/// The time since the machine started, with the time that it was suspended.
pub fn now() -> Instant {
    let time = clock_gettime(ClockId::CLOCK_BOOTTIME).map(Duration::from);
    Instant::ORIGIN + time.unwrap_or_default()
}

/// The time of day: since 1970, UTC; zero for a clock that was never set.
pub fn wall() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}
