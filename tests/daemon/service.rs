//! What the service manager is told.

use std::fs;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::{Duration, Instant};

use crate::harness::config::Instance;
use crate::harness::process::Process;
use crate::harness::router::{find, vrrp};
use crate::harness::{AWAIT_TIMEOUT, until};
use crate::scene::{Alone, VIRTUAL, pid, until_said};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// A service manager: the socket, and how it is called.
struct Manager(UnixDatagram, String);

impl Manager {
    /// With a socket in the file system.
    fn new(alone: &Alone) -> Self {
        let path = alone.scratch.path().join("notify");
        Self::with(UnixDatagram::bind(&path).unwrap(), path.to_str().unwrap().to_owned())
    }

    fn with(socket: UnixDatagram, name: String) -> Self {
        socket.set_read_timeout(Some(AWAIT_TIMEOUT)).unwrap();
        Self(socket, name)
    }

    /// Starts a daemon that is told about it, after a line of shell.
    #[track_caller]
    fn start(&self, alone: &Alone, shell: &str) -> Process {
        alone.start_after(&format!("export NOTIFY_SOCKET='{}'\n{shell}", self.1))
    }

    /// The next message; `None` when there is none in time.
    fn within(&self, limit: Duration) -> Option<String> {
        let mut octets = [0; 4_096];
        self.0.set_read_timeout(Some(limit)).unwrap();
        // A process that is stopped for a moment and goes on is interrupted here.
        let len = loop {
            match self.0.recv(&mut octets) {
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                received => break received.ok()?,
            }
        };
        Some(String::from_utf8(octets[..len].to_vec()).unwrap())
    }

    /// All messages up to one with this line.
    #[track_caller]
    fn until(&self, line: &str) -> Vec<String> {
        let (mut seen, deadline) = (Vec::new(), Instant::now() + AWAIT_TIMEOUT);
        while Instant::now() < deadline {
            let Some(message) = self.within(AWAIT_TIMEOUT) else { break };
            seen.push(message);
            if has(seen.last().unwrap(), line) {
                return seen;
            }
        }
        panic!("waited in vain for {line:?}: {seen:#?}");
    }
}

/// Whether a line of the message is this one, or begins with it if that ends with `=`.
fn has(message: &str, line: &str) -> bool {
    message.lines().any(|l| l == line || line.ends_with('=') && l.starts_with(line))
}

/// The value of a line.
#[track_caller]
fn value<'a>(message: &'a str, name: &str) -> &'a str {
    let mut lines = message.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix('='));
    lines.next().unwrap_or_else(|| panic!("no {name} in {message:?}"))
}

#[test]
fn life_is_told_in_order() {
    let mut alone = Alone::new();
    let manager = Manager::new(&alone);
    let mut daemon = manager.start(&alone, "");
    let first = manager.until("READY=1");
    assert_eq!(first.len(), 1, "{first:?}");
    assert_eq!(value(&first[0], "MAINPID"), daemon.id().to_string());
    // It has a configuration: no need to wait for that.
    assert!(alone.router.status().unwrap().instances.is_some());
    while !manager.until("STATUS=").last().unwrap().contains("OK: MASTER of 1/1 (at 20") {}

    alone.configure(&Instance::lan(140, &[VIRTUAL]));
    daemon.signal(Signal::SIGHUP);
    let before = nix::time::clock_gettime(nix::time::ClockId::CLOCK_MONOTONIC).unwrap();
    let reload = manager.until("RELOADING=1").pop().unwrap();
    let then: u64 = value(&reload, "MONOTONIC_USEC").parse().unwrap();
    let now = nix::time::clock_gettime(nix::time::ClockId::CLOCK_MONOTONIC).unwrap();
    let micros = |time: nix::sys::time::TimeSpec| Duration::from(time).as_micros();
    assert!(u128::from(then) <= micros(now) && u128::from(then) + 20_000_000 > micros(before));
    manager.until("READY=1");
    assert_eq!(find(&alone.router.status().unwrap(), "lan").unwrap().base_priority, 140);

    alone.router.configure("[vrrp.instance.lan]\nprioritty = 7\n");
    assert!(alone.client().ask(r#"{"method":"reload"}"#)["error"].is_string());
    manager.until("RELOADING=1");
    assert_eq!(manager.until("READY=1").len(), 1);
    let status = manager.until("STATUS=").pop().unwrap();
    assert!(status.contains("DEGRADED: last reload refused"), "{status}");
    assert!(status.contains("MASTER of 1/1"), "{status}");

    daemon.signal(Signal::SIGTERM);
    let stop = manager.until("STOPPING=1").pop().unwrap();
    let limit: u64 = value(&stop, "EXTEND_TIMEOUT_USEC").parse().unwrap();
    assert!(limit > 4_000_000, "{stop}");
    assert!(daemon.wait().success());
    assert_eq!(manager.within(Duration::from_millis(1)), None, "nothing follows");
}

#[test]
fn it_is_not_ready_before_the_vrrp_process_is() {
    // If the process cannot be stopped in time, the test tries again.
    for _ in 0..50 {
        let alone = Alone::new();
        // It is not replaced meanwhile.
        let instance = Instance::lan(150, &[VIRTUAL]);
        alone.router.configure(&format!("hello_interval = \"10s\"\n{instance}"));
        let manager = Manager::new(&alone);
        let daemon = manager.start(&alone, "export WATCHDOG_USEC=100000");
        let child = loop {
            let started = |child: &Pid| {
                let words = fs::read_to_string(format!("/proc/{child}/cmdline"));
                words.is_ok_and(|words| words.contains("vrrp-process"))
            };
            if let Some(child) = daemon.offspring().into_iter().find(started) {
                break child;
            }
        };
        kill(child, Signal::SIGSTOP).unwrap();
        let seen: Vec<String> = (0..4).flat_map(|_| manager.until("WATCHDOG=1")).collect();
        if seen.iter().any(|message| has(message, "READY=1")) {
            continue;
        }
        kill(child, Signal::SIGCONT).unwrap();
        manager.until("READY=1");
        return;
    }
    panic!("the vrrp process could not be stopped in time");
}

#[test]
fn the_watchdog_is_told_at_half_its_time_and_only_by_a_supervisor_that_works() {
    let alone = Alone::new();
    let manager = Manager::new(&alone);
    let variables = "export WATCHDOG_USEC=400000 WATCHDOG_PID=$$";
    let daemon = manager.start(&alone, variables);
    manager.until("WATCHDOG=1");
    let began = Instant::now();
    for _ in 0..10 {
        manager.until("WATCHDOG=1");
    }
    // The first one may have been waiting for us.
    assert!(began.elapsed() > Duration::from_millis(1_700), "{:?}", began.elapsed());

    // A vrrp process that ends is for the supervisor to mend.
    kill(*daemon.offspring().last().unwrap(), Signal::SIGKILL).unwrap();
    until_said(&daemon, "was killed by SIGKILL");
    for _ in 0..3 {
        let seen = manager.until("WATCHDOG=1");
        assert!(!seen.iter().any(|message| has(message, "READY=1")), "{seen:?}");
    }

    daemon.signal(Signal::SIGSTOP);
    until("it is stopped", || {
        let stat = fs::read_to_string(format!("/proc/{}/stat", daemon.id())).unwrap();
        stat.rsplit(')').next()?.trim_start().starts_with('T').then_some(())
    });
    while manager.within(Duration::from_millis(1)).is_some() {}
    assert_eq!(manager.within(Duration::from_secs(1)), None, "five would have come");
    daemon.signal(Signal::SIGCONT);
    manager.until("WATCHDOG=1");
}

#[test]
fn a_watchdog_for_another_process_is_not_ours() {
    let alone = Alone::new();
    let manager = Manager::new(&alone);
    let _daemon = manager.start(&alone, "export WATCHDOG_USEC=100000 WATCHDOG_PID=1");
    manager.until("READY=1");
    // That takes ten times as long.
    let seen = manager.until("STATUS=");
    assert!(!seen.iter().any(|message| has(message, "WATCHDOG=1")), "{seen:?}");
}

#[test]
fn an_abstract_address_works_and_a_manager_that_is_gone_is_said_once() {
    let alone = Alone::new();
    let name = alone.scratch.path().to_str().unwrap().to_owned();
    // Abstract names belong to a network.
    let bind = || UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
    let manager = Manager::with(alone.router.host.net.run(bind), format!("@{name}"));
    let daemon = manager.start(&alone, "export WATCHDOG_USEC=20000");
    manager.until("READY=1");
    drop(manager);
    until_said(&daemon, "the service manager at $NOTIFY_SOCKET: ");
    until_said(&daemon, "lan: BACKUP to MASTER");
    assert_eq!(daemon.words().matches("$NOTIFY_SOCKET").count(), 1, "{}", daemon.words());
}

/// `killall`, the end of the machine and service managers send them to every process.
#[test]
fn signals_for_all_do_not_end_the_vrrp_process() {
    let mut alone = Alone::master();
    let child = alone.child();
    let mut signals = vec![Signal::SIGHUP, Signal::SIGUSR1, Signal::SIGUSR2, Signal::SIGINT];
    signals.extend([Signal::SIGTERM, Signal::SIGABRT]);
    for signal in signals {
        kill(child, signal).unwrap();
    }
    alone.router.daemon().signal(Signal::SIGUSR2);
    until_said(alone.router.daemon(), "lan: MASTER for ");
    let document = alone.router.status().unwrap();
    assert_eq!((pid(&document), vrrp(&document).restarts), (child, 0));
    alone.router.stop();
    assert!(!alone.holds_address());
}
