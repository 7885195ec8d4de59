//! From the start of the engine to its end (`vrrp:S-1`, `S-11`).

use std::time::Duration;

use crate::units::Instant;

/// How far the engine is.
#[derive(Clone, Copy, Debug, Default)]
pub struct Life {
    /// It was told to start.
    pub started: bool,
    /// How long instances stay in Initialize after that.
    pub startup_delay: Duration,
    /// The end of that delay.
    pub start_at: Option<Instant>,
    /// It was told to stop.
    pub stopping: bool,
    /// It has said that nothing is left to do.
    pub stopped: bool,
}
