//! The watchdog device: the last resort. It restarts the machine when the supervisor is gone or
//! hangs, or when a child cannot be made to work, so that the other router is master for
//! good, and this one comes back well.

use std::cell::{Ref, RefCell};
use std::io;
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use nix::errno::Errno;

use super::daemon::Daemon;
use super::notify::Notify;
use super::timeouts::within;
use crate::config::model::Global;
use crate::control::event::Level;
use crate::system::clock;
use crate::system::watchdog::Device;
use crate::units::Instant;

/// What `watchdog_timeout` is when nothing else is said.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(10);
/// A child that has not worked for so long cannot be repaired: twice the longest pause
/// between two attempts to start it.
const REPAIR_TIME: Duration = Duration::from_secs(120);
/// How often a device is tried that could not be opened.
const RETRY_PERIOD: Duration = Duration::from_secs(60);

/// What others see of the device.
#[derive(Debug)]
pub struct WatchdogDevice {
    loss: RefCell<Option<String>>,
    configured: Notify,
}

impl WatchdogDevice {
    /// Without a device.
    pub fn new() -> Self {
        Self { loss: RefCell::default(), configured: Notify::new() }
    }

    /// Why the device of the configuration does not guard this machine.
    pub fn loss(&self) -> Ref<'_, Option<String>> {
        self.loss.borrow()
    }

    /// The configuration may name another device now.
    pub fn look(&self) {
        self.configured.notify();
    }
}

/// What the configuration wants.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Wanted {
    path: Box<str>,
    timeout: Duration,
}

impl Wanted {
    fn of(global: &Global) -> Option<Self> {
        let path = global.watchdog_device.clone()?;
        Some(Self { path, timeout: global.watchdog_timeout.unwrap_or(DEFAULT_TIMEOUT) })
    }
}

/// A device in use. Dropping it lets the machine go on without.
#[derive(Debug)]
struct InUse {
    device: Device,
    wanted: Wanted,
    /// What the device made of it.
    timeout: Duration,
}

impl InUse {
    /// How often it is fed.
    fn period(&self) -> Duration {
        self.timeout / 3
    }
}

/// Feeds the device of the configuration as long as all is well. A device that was opened is let
/// go when this ends, and when the configuration does not name it any more.
pub async fn guard(daemon: Rc<Daemon>) {
    let mut in_use: Option<InUse> = None;
    let mut health = Health::default();
    loop {
        let wanted = Wanted::of(&daemon.configuration.model().global);
        let is_as_wanted = in_use.as_ref().map(|used| &used.wanted) == wanted.as_ref();
        let is_lost = daemon.watchdog.loss().is_some() && in_use.is_none();
        if is_lost || !is_as_wanted {
            in_use = take(&daemon, in_use.take(), wanted.as_ref());
            health = Health::default();
        }
        if let Some(used) = &in_use {
            feed(&daemon, used, &mut health);
        }
        let configured = daemon.watchdog.configured.notified();
        let pause = in_use.as_ref().map(InUse::period).or(wanted.map(|_| RETRY_PERIOD));
        match pause {
            Some(pause) => drop(within(pause, configured).await),
            None => configured.await,
        }
    }
}

/// Replaces the device in use.
fn take(daemon: &Daemon, before: Option<InUse>, wanted: Option<&Wanted>) -> Option<InUse> {
    if let Some(before) = &before {
        let path = &before.wanted.path;
        daemon.note(Level::Notice, format!("{path} does not guard this machine any more"));
    }
    // Two at a time are not possible when they are the same device.
    drop(before);
    let (used, loss) = match wanted.map(|wanted| (wanted, begin(daemon, wanted))) {
        Some((_, Ok(used))) => (Some(used), None),
        Some((wanted, Err(error))) => (None, Some(why(wanted, &error))),
        None => (None, None),
    };
    let new = loss.as_ref().filter(|loss| daemon.watchdog.loss().as_ref() != Some(loss));
    if let Some(loss) = new {
        daemon.note(Level::Warning, loss.clone());
    }
    *daemon.watchdog.loss.borrow_mut() = loss;
    used
}

/// Opens a device.
fn begin(daemon: &Daemon, wanted: &Wanted) -> io::Result<InUse> {
    let device = Device::open(Path::new(&*wanted.path))?;
    let path = &wanted.path;
    let timeout = match device.set_timeout(wanted.timeout) {
        Ok(timeout) => timeout,
        Err(error) => {
            let own = device.timeout()?;
            let text = format!(
                "{path} cannot wait for {} s: {error}; it waits for {} s",
                wanted.timeout.as_secs(),
                own.as_secs()
            );
            daemon.note(Level::Warning, text);
            own
        }
    };
    let seconds = timeout.as_secs();
    daemon.note(Level::Notice, format!("{path} guards this machine, with a limit of {seconds} s"));
    // A device that says nothing sensible is fed often.
    let timeout = timeout.max(Duration::from_secs(1));
    Ok(InUse { device, wanted: wanted.clone(), timeout })
}

/// Why a device cannot be used, and what to do.
fn why(wanted: &Wanted, error: &io::Error) -> String {
    let remedy = match error.raw_os_error().map(Errno::from_raw) {
        Some(Errno::EBUSY) => {
            "another program feeds it, such as systemd (RuntimeWatchdogSec) or procd: leave it to \
             that one and remove watchdog_device, or name another device"
        }
        Some(Errno::ENOENT | Errno::ENODEV | Errno::ENXIO) => {
            "load the kernel module of the watchdog, or softdog"
        }
        Some(Errno::ENOTTY) => "it is not a watchdog: name one such as /dev/watchdog0",
        Some(_) | None => "let this process have it, or remove watchdog_device",
    };
    format!("watchdog_device {}: {error}; nothing guards this machine; {remedy}", wanted.path)
}

/// Feeds the device, unless a child is beyond repair.
fn feed(daemon: &Daemon, used: &InUse, health: &mut Health) {
    let was_well = health.is_well();
    health.look(clock::now(), daemon.works(), used.period());
    let path = &used.wanted.path;
    if !health.is_well() {
        if was_well {
            daemon.note(
                Level::Error,
                format!(
                    "the processes could not be made to work for {} s: {path} restarts this \
                     machine in {} s",
                    REPAIR_TIME.as_secs(),
                    used.timeout.as_secs()
                ),
            );
        }
        return;
    }
    let loss = used
        .device
        .feed()
        .err()
        .map(|error| format!("{path} cannot be fed: {error}; it may restart this machine"));
    let mut known = daemon.watchdog.loss.borrow_mut();
    if let Some(loss) = loss.as_ref().filter(|_| known.is_none()) {
        daemon.note(Level::Error, loss.clone());
    }
    *known = loss;
}

/// Whether the children work, or may still be made to.
#[derive(Debug, Default)]
struct Health {
    /// Since it last worked, in time during which this process ran; `None`: it never did. Then a
    /// restart of the machine would only lead to the next one.
    failing: Option<Duration>,
    last: Option<Instant>,
}

impl Health {
    /// Takes notice; to be called once in a `period`.
    fn look(&mut self, now: Instant, works: bool, period: Duration) {
        let passed = self.last.map(|last| now.since(last)).unwrap_or_default();
        self.last = Some(now);
        self.failing = match self.failing {
            _ if works => Some(Duration::ZERO),
            // More than that we were not there ourselves: the machine slept.
            Some(failing) => Some(failing + passed.min(period * 2)),
            None => None,
        };
    }

    fn is_well(&self) -> bool {
        self.failing.is_none_or(|failing| failing < REPAIR_TIME)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PERIOD: Duration = Duration::from_secs(3);

    /// Looks again and again for so many seconds; whether it is well then.
    fn pass(health: &mut Health, now: &mut Instant, seconds: u64, works: bool) -> bool {
        for _ in 0..seconds / PERIOD.as_secs() {
            *now = *now + PERIOD;
            health.look(*now, works, PERIOD);
        }
        health.is_well()
    }

    #[test]
    fn two_minutes_without_a_working_process_are_too_much() {
        let (mut health, mut now) = (Health::default(), Instant::ORIGIN);
        assert!(pass(&mut health, &mut now, 30, true));
        assert!(pass(&mut health, &mut now, 117, false));
        assert!(pass(&mut health, &mut now, 3, true), "it was repaired");
        assert!(pass(&mut health, &mut now, 117, false), "all is counted anew");
        assert!(!pass(&mut health, &mut now, 3, false));
        assert!(pass(&mut health, &mut now, 3, true), "late is better than never");
    }

    #[test]
    fn a_process_that_never_worked_does_not_restart_the_machine_for_ever() {
        let (mut health, mut now) = (Health::default(), Instant::ORIGIN);
        assert!(pass(&mut health, &mut now, 3_600, false));
    }

    #[test]
    fn time_in_which_nobody_ran_does_not_count() {
        let (mut health, mut now) = (Health::default(), Instant::ORIGIN);
        assert!(pass(&mut health, &mut now, 3, true));
        now = now + Duration::from_secs(86_400);
        health.look(now, false, PERIOD);
        assert!(health.is_well(), "the machine slept for a day");
        assert!(!pass(&mut health, &mut now, 120, false));
    }
}
