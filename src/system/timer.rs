//! A timer that becomes readable at a moment.

use std::cell::Cell;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use nix::sys::time::TimeSpec;
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};

use crate::units::Instant;

/// The latest moment that a timer can be set to: the largest number of seconds on a 32-bit system.
const LATEST_MOMENT: Instant = Instant::from_nanos(i32::MAX as u64 * 1_000_000_000);

/// A descriptor that becomes readable at a moment of [`clock::now`](super::clock::now). It counts
/// suspended time, so that it fires at once after a long sleep.
#[derive(Debug)]
pub struct Timer {
    fd: TimerFd,
    /// The moment that was set in the kernel, unless [`Timer::fired`] was called since.
    armed: Cell<Option<Instant>>,
}

impl Timer {
    /// A timer that is not set.
    ///
    /// # Errors
    /// The error of the system call.
    pub fn new() -> io::Result<Self> {
        let flags = TimerFlags::TFD_NONBLOCK | TimerFlags::TFD_CLOEXEC;
        Ok(Self { fd: TimerFd::new(ClockId::CLOCK_BOOTTIME, flags)?, armed: Cell::new(None) })
    }

    /// Sets the moment at which the timer fires: at once when it is in the past, never with `None`. An
    /// earlier moment that was set before may stay; then the timer fires early and has to be set again.
    ///
    /// # Errors
    /// The error of the system call.
    pub fn set(&self, at: Option<Instant>, now: Instant) -> io::Result<()> {
        // A moment that moves with every packet does not need a system call for each. When half of
        // the time has passed it is set anew, since firing for nothing would cost more.
        if let (Some(armed), Some(at)) = (self.armed.get(), at)
            && armed <= at
            && (armed == at || armed.since(now) > at.since(now) / 2)
        {
            return Ok(());
        }
        if at.is_none() && self.armed.get().is_none() {
            return Ok(());
        }
        match at {
            Some(moment) => {
                // For the kernel, zero disarms the timer.
                let moment = moment.clamp(Instant::from_nanos(1), LATEST_MOMENT);
                let since_boot = TimeSpec::from_duration(moment.since(Instant::ORIGIN));
                let flags = TimerSetTimeFlags::TFD_TIMER_ABSTIME;
                self.fd.set(Expiration::OneShot(since_boot), flags)?;
            }
            None => self.fd.unset()?,
        }
        self.armed.set(at);
        Ok(())
    }

    /// Notes that the timer has fired, as its poller reported. It is not read, since setting it also
    /// makes it unreadable. Afterwards even the same moment can be set again.
    pub fn fired(&self) {
        self.armed.set(None);
    }
}

impl AsFd for Timer {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

    use super::*;
    use crate::system::clock;

    const HOUR: Duration = Duration::from_secs(3600);

    fn fires_within(timer: &Timer, milliseconds: u16) -> bool {
        let mut fds = [PollFd::new(timer.as_fd(), PollFlags::POLLIN)];
        poll(&mut fds, PollTimeout::from(milliseconds)).unwrap() == 1
    }

    #[test]
    fn fires_not_before_its_moment() {
        let timer = Timer::new().unwrap();
        let at = clock::now() + Duration::from_millis(20);
        timer.set(Some(at), clock::now()).unwrap();
        assert!(fires_within(&timer, 20_000));
        assert!(clock::now() >= at);
        timer.set(None, clock::now()).unwrap();
        assert!(!fires_within(&timer, 0));
    }

    #[test]
    fn the_past_is_at_once_and_each_time() {
        let timer = Timer::new().unwrap();
        for at in [Instant::ORIGIN, clock::now() - HOUR, clock::now() - HOUR] {
            timer.set(Some(at), clock::now()).unwrap();
            assert!(fires_within(&timer, 20_000), "{at:?}");
            timer.fired();
        }
        let same = Instant::from_nanos(5);
        for _ in 0..2 {
            timer.set(Some(same), clock::now()).unwrap();
            assert!(fires_within(&timer, 20_000), "the same moment once more");
            timer.fired();
        }
    }

    #[test]
    fn what_is_set_replaces_what_was_set() {
        let timer = Timer::new().unwrap();
        let set = |at| timer.set(at, clock::now()).unwrap();
        set(Some(Instant::ORIGIN));
        set(None);
        assert!(!fires_within(&timer, 0));
        set(Some(clock::now() + HOUR));
        set(Some(Instant::ORIGIN));
        assert!(fires_within(&timer, 20_000));
        timer.fired();
        set(Some(Instant::from_nanos(u64::MAX)));
        assert!(!fires_within(&timer, 0));
    }

    #[test]
    fn a_moment_that_moves_on_is_told_to_the_kernel_now_and_then() {
        let timer = Timer::new().unwrap();
        let far = clock::now() + HOUR;
        let at = |seconds| far + Duration::from_secs(seconds);
        let set = |moment, now| {
            timer.set(Some(at(moment)), at(now)).unwrap();
            timer.armed.get().unwrap().since(far).as_secs()
        };
        let told = [set(36, 0), set(46, 10), set(56, 20), set(66, 30), set(76, 40)];
        assert_eq!(told, [36, 36, 56, 56, 76]);
    }
}
