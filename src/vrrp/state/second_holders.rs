//! The other hosts that hold an address of a master as well (rules in module `second_holder`).

use std::net::IpAddr;

use crate::units::{Instant, Mac};

/// An address that another host holds as well.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SecondHolder {
    /// The address.
    pub address: IpAddr,
    /// The link-layer address that it was announced or answered with last.
    pub mac: Mac,
    /// Since when that is known.
    pub since: Instant,
    /// When it announced or answered last.
    pub heard: Instant,
    /// A probe has no answer yet.
    pub(in crate::vrrp) asked: bool,
    /// Probes in a row without an answer.
    pub(in crate::vrrp) unanswered: u8,
    /// When it is probed next.
    pub(in crate::vrrp) next: Instant,
}

/// What a master knows of second holders, and what it probes next.
#[derive(Clone, Debug, Default)]
pub struct SecondHolders {
    /// Those that are known.
    pub list: Vec<SecondHolder>,
    /// When the next addresses are probed in turn; `None`: never.
    pub due: Option<Instant>,
}

impl SecondHolders {
    /// Whether an address is known to have a second holder.
    pub fn has(&self, address: IpAddr) -> bool {
        self.list.iter().any(|known| known.address == address)
    }
}
