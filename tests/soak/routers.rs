//! Two routers on a switch.

use crate::harness::lan::Lan;
use crate::harness::pair::{A, B};
use crate::harness::router::Router;
use crate::harness::scratch::Scratch;

/// The routers; nobody captures what they say, since that takes memory and time.
#[derive(Debug)]
pub struct Routers {
    /// Is meant to be master.
    pub a: Router,
    /// Is meant to be backup.
    pub b: Router,
    _lan: Lan,
    _scratch: Scratch,
}

impl Routers {
    /// Running, each with the configuration for its priority.
    pub fn running(text: impl Fn(u8) -> String) -> Self {
        let scratch = Scratch::new();
        let lan = Lan::new();
        let (mut a, mut b) = (Router::new(&scratch, "gw-a"), Router::new(&scratch, "gw-b"));
        for (router, addresses, priority) in [(&mut a, A, 150), (&mut b, B, 100)] {
            lan.attach(&router.host, "eth0", &addresses);
            router.configure(&text(priority));
            router.start();
        }
        Self { a, b, _lan: lan, _scratch: scratch }
    }
}
