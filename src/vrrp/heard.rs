//! What is kept of an advert that was accepted.

use std::net::IpAddr;

use super::validation::Advert;
use crate::units::{Centiseconds, Instant, Priority};

/// A router that we heard.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Heard {
    /// Its address.
    pub address: IpAddr,
    /// Its priority.
    pub priority: Priority,
    /// The interval it announces.
    pub interval: Centiseconds,
    /// Its address list is not ours, as far as they were compared (`vrrp:V-40`).
    pub addresses_differ: bool,
    /// When its last advert came in.
    pub at: Instant,
}

impl Heard {
    /// The sender of an advert.
    pub const fn new(advert: &Advert, at: Instant) -> Self {
        Self {
            address: advert.source,
            priority: advert.priority,
            interval: advert.interval,
            addresses_differ: advert.addresses.differs(),
            at,
        }
    }
}
