//! When addresses leave an interface, to a fraction of a millisecond.

use std::net::IpAddr;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use nix::unistd::gettid;
use steadfast::netlink::cache::What;
use steadfast::netlink::monitor::{self, Left, Monitor};

use crate::harness::guard;
use crate::harness::namespace::Namespace;
use crate::harness::{AWAIT_TIMEOUT, readable, wall_clock};

/// Pause between two looks.
const PAUSE: Duration = Duration::from_micros(100);

/// An address that left. Netlink does not say when: it was there at one look and not at the next.
#[derive(Clone, Copy, Debug)]
pub struct Departure {
    /// Which.
    pub address: IpAddr,
    /// It was there then, on the [`wall_clock`] of captures.
    pub not_before: Duration,
    /// It was gone then.
    pub not_after: Duration,
}

/// Looks all the time, until it is asked for the result: only for short times.
#[derive(Debug)]
pub struct Departures {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<Vec<Departure>>>,
}

impl Departures {
    /// Starts to look. A thread of higher priority than all others does it where that is
    /// permitted; elsewhere the times are less exact.
    #[track_caller]
    pub fn start(net: &Namespace) -> Self {
        let mut monitor =
            net.run(|| Monitor::open(None, monitor::RECEIVE_BUFFER_OCTETS).expect("netlink"));
        let mut changes = Vec::new();
        let deadline = Instant::now() + AWAIT_TIMEOUT;
        while !monitor.is_current() {
            assert!(readable(&monitor, deadline), "the kernel lists its addresses");
            while monitor.read(&mut changes).expect("netlink") == Left::More {}
        }
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let (begun, begins) = std::sync::mpsc::channel();
        let look = move || {
            let id = gettid().to_string();
            let mut chrt = Command::new("chrt");
            chrt.args(["--fifo", "--pid", "10", &id]).stdout(Stdio::null()).stderr(Stdio::null());
            let _ = guard::tool(&mut chrt);
            begun.send(()).expect("the test waits");
            let mut departures = Vec::new();
            let mut not_before = wall_clock();
            while !stopped.load(Ordering::Relaxed) {
                let now = wall_clock();
                let mut changes = Vec::new();
                while monitor.read(&mut changes).expect("netlink") == Left::More {}
                let not_after = wall_clock();
                departures.extend(changes.into_iter().filter_map(|change| match change.what {
                    What::Address { before: Some(before), after: None } => {
                        Some(Departure { address: before.address, not_before, not_after })
                    }
                    What::Address { .. }
                    | What::Link { .. }
                    | What::Route { .. }
                    | What::Rule { .. } => None,
                }));
                not_before = now;
                thread::sleep(PAUSE);
            }
            departures
        };
        let thread = thread::Builder::new().name("departures".into()).spawn(look);
        let thread = Some(thread.expect("a thread"));
        begins.recv().expect("the thread begins");
        Self { stop, thread }
    }

    /// All that left.
    pub fn finish(mut self) -> Vec<Departure> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.take().expect("it is asked once").join().expect("no panic")
    }
}

impl Drop for Departures {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}
