//! Two routers and a client on one switch.

use super::capture::Capture;
use super::config::Instance;
use super::lan::{Host, Lan};
use super::router::Router;
use super::scratch::Scratch;
use super::watch::Watch;
use steadfast::control::status::State;

/// Addresses of the first router.
pub const A: [&str; 2] = ["192.0.2.2/24", "2001:db8::2/64"];
/// Addresses of the second.
pub const B: [&str; 2] = ["192.0.2.3/24", "2001:db8::3/64"];
/// Addresses of the client.
pub const CLIENT: [&str; 2] = ["192.0.2.10/24", "2001:db8::10/64"];
/// The virtual IPv4 address.
pub const VIRTUAL_4: &str = "192.0.2.1";
/// The virtual IPv6 address.
pub const VIRTUAL_6: &str = "2001:db8::1";
/// The virtual addresses, as a configuration has them; IPv6 begins with a link-local one.
pub const VIRTUAL: [&str; 3] = ["192.0.2.1/24", "fe80::1:1/64", "2001:db8::1/64"];

/// Two routers with `eth0` on a switch, a client there, and a capture of it all.
#[derive(Debug)]
pub struct Pair {
    /// Sees everything; dropped first, so that a failed test shows what is on the wire.
    pub capture: Capture,
    /// Is meant to be master.
    pub a: Router,
    /// Is meant to be backup.
    pub b: Router,
    /// A host that uses the virtual addresses.
    pub client: Host,
    /// The switch.
    pub lan: Lan,
    scratch: Scratch,
}

impl Pair {
    /// The network; no daemon runs yet.
    #[track_caller]
    pub fn new() -> Self {
        let scratch = Scratch::new();
        let lan = Lan::new();
        let (a, b) = (Router::new(&scratch, "gw-a"), Router::new(&scratch, "gw-b"));
        let client = Host::new("client");
        lan.attach(&a.host, "eth0", &A);
        lan.attach(&b.host, "eth0", &B);
        lan.attach(&client, "eth0", &CLIENT);
        let capture = Capture::start(&lan);
        Self { capture, a, b, client, lan, scratch }
    }

    /// Starts both with `lan` at priorities 150 and 100, and waits until they know their places.
    #[track_caller]
    pub fn running(addresses: &[&str]) -> Self {
        Self::running_with(|priority| Instance::lan(priority, addresses).to_string())
    }

    /// Starts both with the configuration for their priority, 150 and 100, and waits until they
    /// know their places.
    #[track_caller]
    pub fn running_with(text: impl Fn(u8) -> String) -> Self {
        let mut pair = Self::new();
        pair.a.configure(&text(150));
        pair.b.configure(&text(100));
        pair.a.start();
        pair.b.start();
        pair.settle();
        pair
    }

    /// Waits until the first is master of `lan` and the second follows it.
    #[track_caller]
    pub fn settle(&mut self) {
        self.a.until_state("lan", State::Master);
        self.b.until("it follows the other one", |document| {
            let lan = super::router::find(document, "lan");
            lan.is_some_and(|lan| {
                lan.state == State::Backup && lan.routers.iter().all(|r| r.master.is_some())
            })
        });
    }

    /// Two further links for both: `name` on a switch of its own, with an address each.
    #[track_caller]
    pub fn second_link(&self, name: &str) -> Lan {
        let lan = Lan::new();
        lan.attach(&self.a.host, name, &["198.51.100.2/24"]);
        lan.attach(&self.b.host, name, &["198.51.100.3/24"]);
        lan
    }

    /// What the kernel of the first has.
    #[track_caller]
    pub fn watch_a(&self) -> Watch {
        Watch::start(&self.a.host.net)
    }

    /// What the kernel of the second has.
    #[track_caller]
    pub fn watch_b(&self) -> Watch {
        Watch::start(&self.b.host.net)
    }

    /// Where files of the test may be.
    pub const fn scratch(&self) -> &Scratch {
        &self.scratch
    }
}
