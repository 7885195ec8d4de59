//! Which instance has to run next, and what it waits for.

use std::time::Duration;

use super::deadline_heap::Schedule;
use super::ids::InstanceId;
use crate::units::Instant;

/// The sockets are being read empty: what others sent counts before timers do.
#[derive(Clone, Copy, Debug)]
pub struct Drain {
    /// Until this moment at the latest.
    pub until: Instant,
    /// The process woke up late, and all timers wait. Otherwise DownTimers do, and adverts leave in
    /// time.
    pub late: bool,
}

/// The timers of all instances.
#[derive(Debug)]
pub struct Timing {
    /// When each instance has to run.
    pub schedule: Schedule,
    /// The shortest interval of all instances: what counts as being late.
    pub shortest: Duration,
    /// The sockets are being read empty.
    pub drain: Option<Drain>,
    /// When a late wake-up was last told of.
    pub late_told: Option<Instant>,
    /// Instances with timers that run while others wait for the sockets. Empty in between.
    pub in_time: Vec<InstanceId>,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            schedule: Schedule::default(),
            shortest: Duration::MAX,
            drain: None,
            late_told: None,
            in_time: Vec::new(),
        }
    }
}
