//! One virtual router: what an instance knows of one address family whatever its state is, and which
//! remarks about packets are new (`vrrp:V-3`, `V-40`).

use std::net::IpAddr;
use std::time::Duration;

use super::notice::Notice;
use super::statistics::Statistics;
use super::validation::Reject;
use crate::units::{Centiseconds, Instant, Priority};

/// New masters make remarks worth repeating only so often in [`RENEWAL_WINDOW`]: otherwise two
/// senders in turn would have each of their packets remarked.
const MAX_RENEWALS: u8 = 4;
/// See [`MAX_RENEWALS`].
const RENEWAL_WINDOW: Duration = Duration::from_secs(10);

/// How long a router of another pair is silent before the next one is reported.
const CONFLICT_SILENCE: Duration = Duration::from_secs(60);

/// A router of another pair that uses our VRID, and that was reported (`vrrp:V-40`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct OtherPair {
    from: IpAddr,
    heard_at: Instant,
}

/// An advert that waits to be sent. A later one replaces it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Pending {
    /// The priority to announce.
    pub priority: Priority,
    /// The interval to announce.
    pub interval: Centiseconds,
}

/// Remarks that are given once until the master or the state changes, beside the reasons of
/// [`Reject`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Remark {
    /// A packet was dropped for this reason.
    Rejected(Reject),
    /// Another interval.
    Interval,
    /// Another address list.
    Addresses,
    /// A lower priority while we are master.
    Lower,
    /// Our own address and priority.
    SameSender,
}

impl Remark {
    const fn bit(self) -> u64 {
        1 << match self {
            Self::Rejected(reason) => reason.index(),
            Self::Interval => 60,
            Self::Addresses => 61,
            Self::Lower => 62,
            Self::SameSender => 63,
        }
    }
}

const _: () = assert!(Reject::COUNT <= 60, "remarks share one 64-bit mask with the reasons");

/// What an instance knows of one family in every state.
#[derive(Clone, Debug)]
pub struct Router {
    /// Whether the instance has addresses of this family.
    pub active: bool,
    /// The addresses in the packet, in order.
    pub addresses: Vec<IpAddr>,
    /// Addresses of the instance that are in no packet, sorted (`vrrp:V-8`).
    pub excluded: Vec<IpAddr>,
    /// When the last advert with a priority above 0 was asked for.
    pub last_sent: Option<Instant>,
    /// What is to be sent.
    pub pending: Option<Pending>,
    /// The peer computes unicast checksums in the old way (`vrrp:C-5`).
    pub old_checksum: bool,
    /// Adverts in a row whose interval is not ours.
    pub odd_intervals: u8,
    /// The wake-up burst in which the last advert came (`vrrp:V-24`).
    pub burst: Option<u32>,
    /// Who sent what was dropped last, and why.
    pub last_rejected: Option<(IpAddr, Reject, Instant)>,
    /// Counters.
    pub statistics: Statistics,
    other_pair: Option<OtherPair>,
    noted: u64,
    /// Since when new masters made remarks worth repeating, and how often.
    renewals: (Instant, u8),
}

impl Router {
    /// A router that has not heard or sent anything.
    pub fn new(now: Instant) -> Self {
        Self {
            active: false,
            addresses: Vec::new(),
            excluded: Vec::new(),
            last_sent: None,
            pending: None,
            old_checksum: false,
            odd_intervals: 0,
            burst: None,
            last_rejected: None,
            statistics: Statistics::default(),
            other_pair: None,
            noted: 0,
            renewals: (now, 0),
        }
    }

    /// True the first time for a remark since [`Router::forget_remarks`].
    pub const fn note(&mut self, remark: Remark) -> bool {
        let first = self.noted & remark.bit() == 0;
        self.noted |= remark.bit();
        first
    }

    /// The notice, if the remark is new.
    pub fn once(&mut self, remark: Remark, notice: Notice) -> Option<Notice> {
        self.note(remark).then_some(notice)
    }

    /// A router of another pair was heard. Whether that is to be reported: one, until it has been
    /// silent for a while, whoever else there is beside it.
    pub fn hears_other_pair(&mut self, from: IpAddr, now: Instant) -> bool {
        match &mut self.other_pair {
            Some(known) if now.since(known.heard_at) < CONFLICT_SILENCE => {
                if known.from == from {
                    known.heard_at = now;
                }
                false
            }
            other => {
                *other = Some(OtherPair { from, heard_at: now });
                true
            }
        }
    }

    /// The state changed: remarks are worth repeating.
    pub const fn forget_remarks(&mut self) {
        self.noted = 0;
    }

    /// The master changed: remarks are worth repeating, unless that happens too often.
    pub fn forget_remarks_of_master(&mut self, now: Instant) {
        if now.since(self.renewals.0) >= RENEWAL_WINDOW {
            self.renewals = (now, 0);
        }
        if self.renewals.1 < MAX_RENEWALS {
            self.forget_remarks();
        }
        self.renewals.1 = self.renewals.1.saturating_add(1);
    }
}
