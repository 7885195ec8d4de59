//! Whether the adverts of a master leave (rules in module `transmit_failure`).

use super::super::event::KernelError;
use super::super::heard::Heard;
use crate::units::Instant;

/// What became of the adverts of one virtual router.
#[derive(Clone, Copy, Debug)]
pub struct Departures {
    /// When the last one left, as far as is known, or since when there are some.
    pub left: Instant,
    /// The same without the one that the driver has now.
    before: Instant,
    /// The driver has one and has not called it refused.
    asked: bool,
    /// One has left.
    ever: bool,
    /// The master whose place was taken, until then.
    pub over: Option<Heard>,
    /// How many in a row were refused.
    pub refused: u8,
    /// Why the last one was refused.
    pub error: KernelError,
}

impl Departures {
    /// None was sent yet. `over`: a master that is heard, and whose place is taken now.
    pub const fn new(now: Instant, over: Option<Heard>) -> Self {
        let (left, before, error) = (now, now, KernelError(0));
        Self { left, before, asked: false, ever: false, over, refused: 0, error }
    }

    /// The driver gets an advert. If the one before it has left: how many in a row were refused
    /// before that.
    pub const fn asked(&mut self, now: Instant) -> Option<u8> {
        let has_left = std::mem::replace(&mut self.asked, true);
        self.before = self.left;
        self.left = now;
        if !has_left {
            return None;
        }
        self.ever = true;
        Some(std::mem::replace(&mut self.refused, 0))
    }

    /// The driver calls the last one refused.
    pub const fn refuse(&mut self, error: KernelError) {
        if std::mem::replace(&mut self.asked, false) {
            self.left = self.before;
            self.refused = self.refused.saturating_add(1);
            self.error = error;
        }
    }

    /// The last one was refused.
    pub const fn is_refused(&self) -> bool {
        !self.asked && self.refused > 0
    }

    /// All that was sent was refused.
    pub const fn nothing_left(&self) -> bool {
        self.is_refused() && !self.ever
    }
}
