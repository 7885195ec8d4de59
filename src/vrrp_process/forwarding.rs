//! Whether an interface forwards IPv6, which neighbour advertisements say (`vrrp:G-3`).

use std::time::Duration;

use crate::netlink::link::{Link, LinkIndex};
use crate::sorted::Map;
use crate::units::Instant;

/// How long an answer is good for.
const CACHE_TIME: Duration = Duration::from_secs(5);

/// What was found, and when.
#[derive(Debug, Default)]
pub struct Forwarding {
    known: Map<LinkIndex, (Instant, bool)>,
}

impl Forwarding {
    /// Whether a link forwards IPv6. Reads the kernel's file at most every few seconds.
    pub fn on(&mut self, link: &Link, now: Instant) -> bool {
        if let Some((at, forwards)) = self.known.get(&link.index)
            && now.since(*at) < CACHE_TIME
        {
            return *forwards;
        }
        let path = format!("/proc/sys/net/ipv6/conf/{}/forwarding", link.name);
        let forwards = std::fs::read(path).is_ok_and(|octets| !octets.starts_with(b"0"));
        self.known.retain(|_, (at, _)| now.since(*at) < CACHE_TIME);
        self.known.insert(link.index, (now, forwards));
        forwards
    }
}
