//! What a virtual router counts. Names follow keepalived's statistics and the MIBs.

use super::heard::Heard;
use super::validation::Counters;

/// Counts one more; counters wrap.
pub(super) const fn count(counter: &mut u32) {
    *counter = counter.wrapping_add(1);
}

/// Counters of one virtual router since it exists. They wrap.
#[derive(Clone, Debug, Default)]
pub struct Statistics {
    /// Valid adverts received, priority 0 included (`vrrp:V-39`).
    pub adverts_received: u32,
    /// The last of them.
    pub last_received: Option<Heard>,
    /// Adverts sent, priority 0 included.
    pub adverts_sent: u32,
    /// Times it became master.
    pub become_master: u32,
    /// Times it stopped being master.
    pub release_master: u32,
    /// Priority 0 received.
    pub priority_zero_received: u32,
    /// Priority 0 sent.
    pub priority_zero_sent: u32,
    /// Adverts of lower priority heard as master.
    pub lower_priority_received: u32,
    /// Gratuitous ARPs or neighbour advertisements sent.
    pub announcements_sent: u32,
    /// Adverts whose address list was not ours (`vrrp:V-40`). They count as received, or as rejected
    /// when none of the addresses was ours.
    pub address_list_errors: u32,
    /// Adverts with another interval than ours that were accepted (`vrrp:V-36`).
    pub interval_differs: u32,
    /// Packets dropped, by reason.
    pub rejected: Counters,
}
