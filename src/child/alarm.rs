//! The timer of a child's event loop, and the loop's counter in the shared memory that the supervisor
//! reads.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use crate::control::shared_memory::Shared;
use crate::system::shared_memory::Region;
use crate::system::timer::Timer;
use crate::units::Instant;

/// The longest time between two turns of the loop. An idle loop turns, too, so that the supervisor sees
/// that the process works.
const IDLE_PERIOD: Duration = Duration::from_millis(2_500);

/// The timer of the loop, and the moment that it is set to.
#[derive(Debug)]
pub struct Alarm {
    timer: Timer,
    armed: Option<Instant>,
}

impl Alarm {
    /// A timer that is not set.
    ///
    /// # Errors
    /// The error of the system call.
    pub fn new() -> io::Result<Self> {
        Ok(Self { timer: Timer::new()?, armed: None })
    }

    /// Begins a turn of the loop: counts it, and records the delay if the timer was late.
    pub fn turn(&self, shared: &Shared<Region>, now: Instant) {
        shared.beat(now);
        if let Some(armed) = self.armed.filter(|armed| now > *armed) {
            shared.late(now.since(armed));
        }
    }

    /// Sets the timer to the deadline, at most `IDLE_PERIOD` from now.
    ///
    /// # Errors
    /// The error of the system call.
    pub fn set(
        &mut self,
        shared: &Shared<Region>,
        deadline: Option<Instant>,
        now: Instant,
    ) -> io::Result<()> {
        let idle = now + IDLE_PERIOD;
        let due = deadline.map_or(idle, |at| at.min(idle));
        self.armed = Some(due);
        shared.set_due(due);
        self.timer.set(self.armed, now)
    }

    /// The moment of the next turn.
    pub const fn armed(&self) -> Option<Instant> {
        self.armed
    }

    /// Notes that the timer has fired.
    pub fn fired(&self) {
        self.timer.fired();
    }
}

impl AsFd for Alarm {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.timer.as_fd()
    }
}
