//! Who has the virtual address, and since when.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::os::fd::AsFd;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::unistd::gettid;
use steadfast::netlink::cache::Cache;
use steadfast::netlink::monitor::{self, Left, Monitor};

use crate::harness::guard;
use crate::harness::namespace::Namespace;

/// How long the thread sleeps at most before it looks whether it is still wanted.
const POLL_INTERVAL: Duration = Duration::from_millis(100);

/// From then on, these have the address.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Change {
    /// Since when; the clock does not step.
    pub at: Instant,
    /// The first router, and the second.
    pub holds: [bool; 2],
}

#[derive(Debug, Default)]
struct Seen {
    changes: Vec<Change>,
    /// All addresses on the interface of each.
    addresses: [BTreeSet<IpAddr>; 2],
}

/// Watches the interfaces of two routers until it is dropped.
#[derive(Debug)]
pub struct Holders {
    seen: Arc<Mutex<Seen>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Holders {
    /// Starts. A thread of higher priority than all others does it where that is permitted;
    /// elsewhere the times are less exact.
    #[track_caller]
    pub fn start(nets: [&Namespace; 2], interface: &'static str, address: &str) -> Self {
        let address: IpAddr = address.parse().expect("an address");
        let room = 16 * monitor::RECEIVE_BUFFER_OCTETS;
        let mut monitors = nets.map(|net| net.run(|| Monitor::open(None, room).expect("netlink")));
        let seen = Arc::new(Mutex::new(Seen::default()));
        let stop = Arc::new(AtomicBool::new(false));
        let (result, stopped) = (Arc::clone(&seen), Arc::clone(&stop));
        let work = move || {
            let id = gettid().to_string();
            let mut chrt = Command::new("chrt");
            chrt.args(["--fifo", "--pid", "10", &id]).stdout(Stdio::null()).stderr(Stdio::null());
            let _ = guard::tool(&mut chrt);
            while !stopped.load(Ordering::Relaxed) {
                {
                    let mut all =
                        monitors.each_ref().map(|m| PollFd::new(m.as_fd(), PollFlags::POLLIN));
                    let _ =
                        poll(&mut all, PollTimeout::try_from(POLL_INTERVAL).expect("a short time"));
                }
                let at = Instant::now();
                let mut changes = Vec::new();
                for monitor in &mut monitors {
                    while monitor.read(&mut changes).expect("netlink") == Left::More {}
                }
                let caches = monitors.each_ref().map(Monitor::cache);
                let holds = caches.map(|cache| has(cache, interface, address));
                let mut seen = result.lock().expect("no panic");
                seen.addresses = caches.map(|cache| addresses(cache, interface));
                if seen.changes.last().map(|last| last.holds) != Some(holds) {
                    seen.changes.push(Change { at, holds });
                }
            }
        };
        let thread = thread::Builder::new().name("holders".into()).spawn(work);
        Self { seen, stop, thread: Some(thread.expect("a thread")) }
    }

    /// Who has the address now.
    pub fn now(&self) -> [bool; 2] {
        let seen = self.seen.lock().expect("no panic");
        seen.changes.last().map_or([false; 2], |last| last.holds)
    }

    /// All addresses on the interface of each router.
    pub fn addresses(&self) -> [BTreeSet<IpAddr>; 2] {
        self.seen.lock().expect("no panic").addresses.clone()
    }

    /// What changed since then, and at the beginning how it was.
    pub fn since(&self, start: Instant) -> Vec<Change> {
        let seen = self.seen.lock().expect("no panic");
        let first = seen.changes.iter().rposition(|change| change.at <= start).unwrap_or_default();
        let mut found = seen.changes.get(first..).unwrap_or_default().to_vec();
        if let Some(first) = found.first_mut() {
            first.at = start;
        }
        found
    }
}

impl Drop for Holders {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// The longest time in which that was so, until `end`.
pub fn longest(changes: &[Change], end: Instant, is_so: impl Fn([bool; 2]) -> bool) -> Duration {
    let mut longest = Duration::ZERO;
    let mut since = None;
    for change in changes {
        match (is_so(change.holds), since) {
            (true, None) => since = Some(change.at),
            (false, Some(start)) => {
                longest = longest.max(change.at.saturating_duration_since(start));
                since = None;
            }
            _ => {}
        }
    }
    since.map_or(longest, |start| longest.max(end.saturating_duration_since(start)))
}

/// How often a router got the address.
pub fn acquired(changes: &[Change], who: usize) -> usize {
    changes.windows(2).filter(|pair| !pair[0].holds[who] && pair[1].holds[who]).count()
}

/// When a router got the address back from the other one the last time.
pub fn returned(changes: &[Change], who: usize) -> Option<Instant> {
    let mut back = None;
    let mut was_away = false;
    for pair in changes.windows(2) {
        was_away |= pair[0].holds[1 - who];
        if was_away && !pair[0].holds[who] && pair[1].holds[who] {
            back = Some(pair[1].at);
            was_away = false;
        }
    }
    back
}

/// An address on a link that is not up is of no use, and in nobody's way.
fn has(cache: &Cache, interface: &str, address: IpAddr) -> bool {
    cache.link_named(interface).is_some_and(|link| {
        link.flags.up() && cache.addresses(link.index).any(|a| a.address == address)
    })
}

fn addresses(cache: &Cache, interface: &str) -> BTreeSet<IpAddr> {
    let link = cache.link_named(interface);
    link.map(|link| cache.addresses(link.index).map(|a| a.address).collect()).unwrap_or_default()
}
