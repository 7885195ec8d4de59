//! The links and addresses of a namespace.

use std::net::IpAddr;
use std::time::Instant;

use steadfast::netlink::cache::{Cache, Change, What};
use steadfast::netlink::monitor::{self, Left, Monitor};

use super::namespace::Namespace;
use super::{AWAIT_TIMEOUT, readable};

/// Sees every change of links and addresses, in order.
#[derive(Debug)]
pub struct Watch {
    monitor: Monitor,
    changes: Vec<Change>,
}

impl Watch {
    /// Starts, and reads what there is.
    #[track_caller]
    pub fn start(net: &Namespace) -> Self {
        let monitor =
            net.run(|| Monitor::open(None, 16 * monitor::RECEIVE_BUFFER_OCTETS).expect("netlink"));
        let mut watch = Self { monitor, changes: Vec::new() };
        watch.until("the kernel lists everything", |_| true);
        watch.changes.clear();
        watch
    }

    /// Waits until this is so.
    ///
    /// # Panics
    /// When it does not come to be in time.
    #[track_caller]
    pub fn until(&mut self, what: &str, is_so: impl Fn(&Cache) -> bool) {
        let deadline = Instant::now() + AWAIT_TIMEOUT;
        loop {
            while self.monitor.read(&mut self.changes).expect("netlink") == Left::More {}
            if self.monitor.is_current() && is_so(self.monitor.cache()) {
                return;
            }
            assert!(
                readable(&self.monitor, deadline),
                "waited {} s in vain: {what}",
                AWAIT_TIMEOUT.as_secs()
            );
        }
    }

    /// Waits until an interface has an address, or has it no more.
    #[track_caller]
    pub fn until_address(&mut self, interface: &str, address: &str, is_there: bool) {
        let wanted: IpAddr = address.parse().expect("an address");
        let word = if is_there { "has" } else { "has no more" };
        self.until(&format!("{interface} {word} {address}"), |cache| {
            has(cache, interface, wanted) == is_there
        });
    }

    /// Whether an interface has an address now.
    #[track_caller]
    pub fn has(&mut self, interface: &str, address: &str) -> bool {
        self.until("what there is", |_| true);
        has(self.monitor.cache(), interface, address.parse().expect("an address"))
    }

    /// What changed since the start or since this was asked last.
    #[track_caller]
    pub fn changes(&mut self) -> Vec<Change> {
        self.until("what there is", |_| true);
        std::mem::take(&mut self.changes)
    }

    /// The addresses that were removed, of those changes.
    #[track_caller]
    pub fn removed(&mut self) -> Vec<IpAddr> {
        let gone = self.changes().into_iter().filter_map(|change| match change.what {
            What::Address { before: Some(before), after: None } => Some(before.address),
            What::Address { .. } | What::Link { .. } | What::Route { .. } | What::Rule { .. } => {
                None
            }
        });
        gone.collect()
    }
}

fn has(cache: &Cache, interface: &str, address: IpAddr) -> bool {
    cache
        .link_named(interface)
        .is_some_and(|link| cache.addresses(link.index).any(|a| a.address == address))
}
