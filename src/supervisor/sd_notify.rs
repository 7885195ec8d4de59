//! What the service manager is told: the protocol of sd_notify(3), lines in a datagram to
//! `$NOTIFY_SOCKET`.
//!
//! | when | what |
//! |---|---|
//! | the children have their first configuration in effect | `READY=1` |
//! | a reload begins | `RELOADING=1`, with the time |
//! | it ends, even if it was refused | `READY=1` |
//! | the state of an instance, or a warning, has changed | `STATUS=` and the verdict |
//! | the end begins | `STOPPING=1`, with how long the hand-over may take |
//! | half of `$WATCHDOG_USEC` has passed | `WATCHDOG=1` |
//!
//! The manager's watchdog is for the supervisor alone: it hears from us as long as our tasks have
//! their turn. Whether the vrrp process works does not count, because to start that one again is
//! our own work, and everything started again could do no more: it would only lose the memory by
//! which a process goes on as master.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::ffi::OsString;
use std::io::{self, ErrorKind};
use std::net::IpAddr;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::rc::Rc;
use std::time::Duration;

use smol::Timer;
use smol::future::{or, pending, poll_once};

use super::daemon::Daemon;
use super::log::Log;
use super::notify::Notify;
use super::status;
use super::timeouts::within;
use crate::config::values::hidden;
use crate::control::event::{Event, Kind, Level};
use crate::control::humanize;
use crate::control::status::{Document, State, VerdictLevel, WarningKind};
use crate::system::clock;

/// Changes are collected for so long before they are told.
const SETTLE_TIME: Duration = Duration::from_secs(1);
/// What changes without an event is found after so long.
const MAX_STATUS_AGE: Duration = Duration::from_secs(15);
/// Until a manager that reads too slowly is told again.
const RETRY_PERIOD: Duration = Duration::from_millis(100);
/// Messages that wait for it.
const MAX_WAITING_MESSAGES: usize = 16;
/// Characters of the longest verdict: a manager takes no more than 4096 octets at once.
const MAX_VERDICT_CHARS: usize = 900;

/// The way to the service manager, if there is one.
#[derive(Debug)]
pub struct SdNotify {
    manager: Option<(UnixDatagram, SocketAddr)>,
    /// Why there is none, although one was named.
    unusable: Option<String>,
    /// How often it wants to hear from us.
    watchdog: Option<Duration>,
    ready: Cell<bool>,
    stopping: Cell<bool>,
    failing: Cell<bool>,
    waiting: RefCell<VecDeque<String>>,
    full: Notify,
}

/// A reload that the manager knows of. It is over when this is dropped.
#[derive(Debug)]
pub struct Reloading<'a>(&'a SdNotify, &'a Log);

impl SdNotify {
    /// As the surroundings of this process say.
    pub fn from_environment() -> Self {
        Self::new(|name| std::env::var_os(name), std::process::id())
    }

    fn new(variable: impl Fn(&str) -> Option<OsString>, pid: u32) -> Self {
        let number = |name| variable(name)?.to_str()?.parse::<u64>().ok();
        let ours = variable("WATCHDOG_PID").is_none_or(|text| *text == *pid.to_string());
        let limit = number("WATCHDOG_USEC").filter(|limit| *limit > 1 && ours);
        let mut service = Self {
            manager: None,
            unusable: None,
            watchdog: limit.map(|limit| Duration::from_micros(limit / 2)),
            ready: Cell::new(false),
            stopping: Cell::new(false),
            failing: Cell::new(false),
            waiting: RefCell::default(),
            full: Notify::new(),
        };
        if let Some(name) = variable("NOTIFY_SOCKET") {
            match connect(name.as_bytes()) {
                Ok(manager) => service.manager = Some(manager),
                Err(error) => {
                    let name = name.display();
                    service.unusable = Some(format!("NOTIFY_SOCKET={name}: {error}"));
                }
            }
        }
        service
    }

    /// A configuration is in effect. Only the first time counts.
    pub fn ready(&self, log: &Log) {
        if !self.ready.replace(true) {
            // Who went into the background is not the process that the manager started.
            self.tell(log, format!("READY=1\nMAINPID={}", std::process::id()));
        }
    }

    /// A reload begins.
    pub fn reloading<'a>(&'a self, log: &'a Log) -> Option<Reloading<'a>> {
        if !self.ready.get() || self.stopping.get() {
            return None;
        }
        let now = clock::monotonic().as_micros();
        self.tell(log, format!("RELOADING=1\nMONOTONIC_USEC={now}"));
        Some(Reloading(self, log))
    }

    /// The end begins, and takes no longer than `limit`.
    pub fn stopping(&self, log: &Log, limit: Duration) {
        self.stopping.set(true);
        let limit = limit.as_micros();
        self.tell(
            log,
            format!("STOPPING=1\nEXTEND_TIMEOUT_USEC={limit}\nSTATUS=addresses are handed over"),
        );
    }

    /// Sends a message, or keeps it while the manager does not read. Never waits.
    fn tell(&self, log: &Log, message: String) {
        let mut waiting = self.waiting.borrow_mut();
        let sent = if waiting.is_empty() { self.send(&message) } else { Ok(false) };
        match sent {
            Ok(true) => self.failing.set(false),
            Ok(false) => {
                if waiting.len() < MAX_WAITING_MESSAGES {
                    waiting.push_back(message);
                }
                self.full.notify();
            }
            Err(error) => {
                if !self.failing.replace(true) {
                    let text = format!("the service manager at $NOTIFY_SOCKET: {error}");
                    log.note(Level::Warning, Kind::Process, text);
                }
            }
        }
    }

    /// Whether it was sent now; `false`: the manager does not read.
    fn send(&self, message: &str) -> io::Result<bool> {
        let Some((socket, to)) = &self.manager else { return Ok(true) };
        match socket.send_to_addr(message.as_bytes(), to) {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Tells what could not be told at once.
    async fn try_again(&self, log: &Log) {
        loop {
            self.full.notified().await;
            loop {
                Timer::after(RETRY_PERIOD).await;
                let Some(message) = self.waiting.borrow().front().cloned() else { break };
                match self.send(&message) {
                    Ok(true) => drop(self.waiting.borrow_mut().pop_front()),
                    Ok(false) => {}
                    Err(_) => {
                        // Told once more, and logged.
                        let messages = self.waiting.take();
                        messages.into_iter().for_each(|message| self.tell(log, message));
                    }
                }
            }
        }
    }

    /// Shows that this process works.
    async fn show_life(&self, log: &Log) {
        let Some(period) = self.watchdog else { return pending().await };
        loop {
            // One that is late is of no use.
            if self.waiting.borrow().is_empty() {
                self.tell(log, "WATCHDOG=1".to_owned());
            }
            Timer::after(period).await;
        }
    }
}

impl Drop for Reloading<'_> {
    fn drop(&mut self) {
        if !self.0.stopping.get() {
            self.0.tell(self.1, "READY=1".to_owned());
        }
    }
}

/// Tells the manager how things stand, as long as there is one.
pub async fn serve(daemon: Rc<Daemon>) {
    let service = &daemon.sd_notify;
    if let Some(text) = &service.unusable {
        daemon.note(Level::Warning, text.clone());
    }
    if service.manager.is_some() {
        let log = &daemon.log;
        or(or(service.try_again(log), service.show_life(log)), show_status(&daemon)).await;
    }
}

/// Keeps the status line right.
async fn show_status(daemon: &Daemon) {
    let events = daemon.log.subscribe();
    let mut shown = None;
    loop {
        Timer::after(SETTLE_TIME).await;
        // One look is for all that happened until now.
        while poll_once(events.next()).await.flatten().is_some() {}
        if daemon.is_stopping() {
            return pending().await;
        }
        let document = status::document(daemon, false).await;
        let gist = Some(Gist::of(&document));
        if gist != shown && !daemon.is_stopping() {
            daemon.sd_notify.tell(&daemon.log, status_line(&document));
            shown = gist;
        }
        let change = async {
            while let Some(event) = events.next().await {
                if matters(&event) {
                    return;
                }
            }
        };
        within(MAX_STATUS_AGE, change).await;
    }
}

/// Whether it may change the status.
fn matters(event: &Event) -> bool {
    event.is_transition() || event.level() <= Level::Warning
}

/// The verdict, and of when it is: it may stand there for long.
fn status_line(document: &Document) -> String {
    let text = document.verdict.text.chars().take(MAX_VERDICT_CHARS);
    let text: String = text.map(|c| if hidden(c) { ' ' } else { c }).collect();
    format!("STATUS={text} (at {})", humanize::utc(document.time))
}

/// What makes a status another one: all but the times in it.
#[derive(PartialEq, Eq, Debug)]
struct Gist {
    level: VerdictLevel,
    states: Vec<(State, bool, Vec<Option<IpAddr>>)>,
    warnings: Vec<(WarningKind, Option<String>, Option<IpAddr>, bool)>,
}

impl Gist {
    fn of(document: &Document) -> Self {
        let states = document.instances.iter().flatten().map(|instance| {
            let masters = instance.routers.iter();
            let masters = masters.map(|router| router.master.as_ref().map(|m| m.address));
            (instance.state, instance.handing_over, masters.collect())
        });
        let warnings = document.warnings.iter();
        let warnings =
            warnings.map(|w| (w.kind, w.instance.clone(), w.from, w.ended_age.is_some()));
        Self {
            level: document.verdict.level,
            states: states.collect(),
            warnings: warnings.collect(),
        }
    }
}

/// A socket, and the address with this name: a path, or `@` and an abstract name.
fn connect(name: &[u8]) -> io::Result<(UnixDatagram, SocketAddr)> {
    let to = match name {
        [b'@', rest @ ..] => SocketAddr::from_abstract_name(rest)?,
        [b'/', ..] => SocketAddr::from_pathname(std::ffi::OsStr::from_bytes(name))?,
        _ => {
            let text = "a path or an abstract name that begins with @ was expected";
            return Err(io::Error::new(ErrorKind::InvalidInput, text));
        }
    };
    let socket = UnixDatagram::unbound()?;
    socket.set_nonblocking(true)?;
    Ok((socket, to))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn service(variables: &[(&str, &str)]) -> SdNotify {
        let value = |name: &str| variables.iter().find(|(known, _)| *known == name);
        SdNotify::new(|name| value(name).map(|(_, value)| value.into()), 77)
    }

    #[test]
    fn the_watchdog_is_ours_unless_it_is_another_s() {
        let period = |limit: &str, pid: Option<&str>| {
            let pid = pid.map(|pid| ("WATCHDOG_PID", pid));
            let all: Vec<_> = [("WATCHDOG_USEC", limit)].into_iter().chain(pid).collect();
            service(&all).watchdog.map(|period| period.as_micros())
        };
        assert_eq!(period("3000000", None), Some(1_500_000));
        assert_eq!(period("3000000", Some("77")), Some(1_500_000));
        assert_eq!(period("3000000", Some("7")), None);
        for none in ["", "0", "1", "-5", "ten"] {
            assert_eq!(period(none, None), None, "{none:?}");
        }
    }

    #[test]
    fn a_socket_that_cannot_be_is_said() {
        let long = format!("/{}", "x".repeat(200));
        for (name, words) in [("run/notify", "begins with @"), ("", "a path"), (&long, "NOTIFY")] {
            let service = service(&[("NOTIFY_SOCKET", name)]);
            assert!(service.manager.is_none());
            let told = service.unusable.unwrap();
            assert!(told.contains(words), "{told}");
        }
        assert!(service(&[]).unusable.is_none());
    }

    #[test]
    fn a_manager_that_does_not_read_is_told_later_and_in_order() {
        let directory = std::env::temp_dir().join(format!("steadfast-{}", std::process::id()));
        std::fs::create_dir(&directory).unwrap();
        let path = directory.join("notify");
        let manager = UnixDatagram::bind(&path).unwrap();
        let service = service(&[("NOTIFY_SOCKET", path.to_str().unwrap())]);
        let log = Log::start(super::super::log::Target::Stderr, Level::Error).unwrap();
        let mut sent = 0;
        while service.waiting.borrow().is_empty() {
            service.tell(&log, format!("STATUS={sent}"));
            sent += 1;
        }
        for _ in 0..2 * MAX_WAITING_MESSAGES {
            service.tell(&log, "READY=1".to_owned());
        }
        assert_eq!(service.waiting.borrow().len(), MAX_WAITING_MESSAGES);
        service.waiting.borrow_mut().truncate(2);
        let mut heard = 0;
        let mut octets = [0; 64];
        while heard + 1 < sent {
            let len = manager.recv(&mut octets).unwrap();
            assert_eq!(octets[..len], *format!("STATUS={heard}").as_bytes());
            heard += 1;
        }
        // There is room again, and others come first.
        service.tell(&log, "STOPPING=1".to_owned());
        manager.set_nonblocking(true).unwrap();
        let read = async {
            let mut heard = Vec::new();
            while heard.len() < 3 {
                match manager.recv(&mut octets) {
                    Ok(len) => heard.push(String::from_utf8(octets[..len].to_vec()).unwrap()),
                    Err(_) => drop(Timer::after(Duration::from_millis(1)).await),
                }
            }
            heard
        };
        let again = async {
            service.try_again(&log).await;
            Vec::new()
        };
        let heard = async_io::block_on(or(read, again));
        assert_eq!(heard, [&format!("STATUS={}", sent - 1), "READY=1", "STOPPING=1"]);
        std::fs::remove_dir_all(&directory).unwrap();
    }
}
