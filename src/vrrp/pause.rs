//! How long an instance that gave way leaves a master of lower priority alone (modules
//! `transmit_failure` and `repeated_removal`): 10 s, then twice as long each time, up to 5 min.

use std::time::Duration;

use crate::units::Instant;

/// The first pause before a master of lower priority is preempted again.
const FIRST_PAUSE: Duration = Duration::from_secs(10);
/// The longest pause.
const MAX_PAUSE: Duration = Duration::from_secs(300);

/// An instance gave way to a master of lower priority.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Pause {
    /// Until then it follows masters of lower priority.
    until: Instant,
    /// The pause that ends then.
    pause: Duration,
}

impl Pause {
    /// The next one after another: twice as long, unless that was long ago.
    pub fn after(former: Option<Self>, now: Instant) -> Self {
        let pause = match former.filter(|former| now.since(former.until) < MAX_PAUSE) {
            Some(former) => (former.pause * 2).clamp(FIRST_PAUSE, MAX_PAUSE),
            None => FIRST_PAUSE,
        };
        Self { until: now + pause, pause }
    }

    /// Whether it lasts.
    pub fn lasts(self, now: Instant) -> bool {
        now < self.until
    }

    /// How long it lasts in all.
    pub const fn length(self) -> Duration {
        self.pause
    }

    const fn end(&mut self, now: Instant) {
        *self = Self { until: now, pause: Duration::ZERO };
    }
}

/// The pauses of an instance, by what made it give way.
#[derive(Clone, Copy, Debug, Default)]
pub struct Pauses {
    /// None of its adverts left.
    pub unheard: Option<Pause>,
    /// It could not keep its addresses.
    pub losing: Option<Pause>,
}

impl Pauses {
    /// Whether one of them lasts.
    pub fn any_lasts(&self, now: Instant) -> bool {
        [self.unheard, self.losing].into_iter().flatten().any(|pause| pause.lasts(now))
    }

    /// Ends both.
    pub const fn end(&mut self, now: Instant) {
        if let Some(pause) = &mut self.unheard {
            pause.end(now);
        }
        if let Some(pause) = &mut self.losing {
            pause.end(now);
        }
    }
}
