//! The timer of a child's loop, and the loop's counter in the memory that the supervisor reads.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use crate::control::shared_memory::Shared;
use crate::system::shared_memory::Region;
use crate::system::timer::Timer;
use crate::units::Instant;

/// The loop turns so often even if nothing happens: the supervisor sees that the process works.
const IDLE_PERIOD: Duration = Duration::from_millis(2_500);

/// When the loop turns next.
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

    /// A turn of the loop begins: it is counted, and whether the timer was late.
    pub fn turn(&self, shared: &Shared<Region>, now: Instant) {
        shared.beat(now);
        if let Some(armed) = self.armed.filter(|armed| now > *armed) {
            shared.late(now.since(armed));
        }
    }

    /// The loop turns again at the deadline, or some time later if there is none.
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

    /// When it turns next.
    pub const fn armed(&self) -> Option<Instant> {
        self.armed
    }

    /// The timer has fired.
    pub fn fired(&self) {
        self.timer.fired();
    }
}

impl AsFd for Alarm {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.timer.as_fd()
    }
}
