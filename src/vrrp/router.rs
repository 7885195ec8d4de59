//! One virtual router: what an instance knows of one address family.

use std::net::IpAddr;
use std::time::Duration;

use super::action::{Cause, Notice};
use super::statistics::Statistics;
use super::transmit_failure::Departures;
use super::validation::{Advert, Reject};
use crate::units::{Centiseconds, Instant, Priority};

/// New masters make remarks worth repeating only so often in [`RENEWAL_WINDOW`]: otherwise two
/// senders in turn would have each of their packets remarked.
const RENEWALS: u8 = 4;
/// See [`RENEWALS`].
const RENEWAL_WINDOW: Duration = Duration::from_secs(10);

/// How long a router of another pair is silent before the next one is reported.
const CONFLICT_OVER: Duration = Duration::from_secs(60);

/// A router of another pair that uses our VRID, and that was reported (`vrrp:V-40`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct OtherPair {
    from: IpAddr,
    heard_at: Instant,
}

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

/// An advert that waits to be sent. A later one replaces it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Pending {
    /// The priority to announce.
    pub priority: Priority,
    /// The interval to announce.
    pub interval: Centiseconds,
}

/// The dispute of two owners (`vrrp:S-32`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Conflict {
    /// Own adverts still to be sent, so that the other hears us.
    Sending(u8),
    /// Waiting whether it goes on.
    Waiting,
    /// It had its time: its next advert makes us yield.
    Decided,
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

/// The election state of one family.
#[derive(Clone, Debug)]
pub struct Router {
    /// Whether the instance has addresses of this family.
    pub active: bool,
    /// The addresses in the packet, in order.
    pub addresses: Vec<IpAddr>,
    /// Addresses of the instance that are in no packet, sorted (`vrrp:V-8`).
    pub excluded: Vec<IpAddr>,
    /// Master_Adver_Interval (`vrrp:T-5`, `T-6`).
    pub learned: Centiseconds,
    /// The master that we accept, while backup.
    pub master: Option<Heard>,
    /// The last advert that was discarded because its priority is lower than ours (`vrrp:S-15`).
    pub lower: Option<Heard>,
    /// The master that announced priority 0.
    pub gave_up: Option<IpAddr>,
    /// The DownTimer ran out; waits for the other members (`vrrp:S-41`).
    pub wants: Option<Cause>,
    /// The end of the preemption delay, once it runs (`vrrp:S-17`).
    pub preempt_at: Option<Instant>,
    /// Since when nothing that counts was heard, for the message.
    pub quiet_since: Instant,
    /// When the last advert with a priority above 0 was asked for.
    pub last_sent: Option<Instant>,
    /// What is to be sent.
    pub pending: Option<Pending>,
    /// What became of what was sent.
    pub departures: Departures,
    /// The peer computes unicast checksums in the old way (`vrrp:C-5`).
    pub old_checksum: bool,
    /// Adverts in a row whose interval is not ours.
    pub odd_intervals: u8,
    /// Another owner.
    pub conflict: Option<Conflict>,
    /// When a router of equal priority was last heard while master.
    pub contested_at: Option<Instant>,
    /// Since when one has been heard again and again while master.
    pub contested_since: Option<Instant>,
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
    pub fn new(interval: Centiseconds, now: Instant) -> Self {
        Self {
            active: false,
            addresses: Vec::new(),
            excluded: Vec::new(),
            learned: interval,
            master: None,
            lower: None,
            gave_up: None,
            wants: None,
            preempt_at: None,
            quiet_since: now,
            last_sent: None,
            pending: None,
            departures: Departures::new(now, None),
            old_checksum: false,
            odd_intervals: 0,
            conflict: None,
            contested_at: None,
            contested_since: None,
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
            Some(known) if now.since(known.heard_at) < CONFLICT_OVER => {
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

    /// The master or the state changed: remarks are worth repeating.
    pub const fn forget_remarks(&mut self) {
        self.noted = 0;
    }

    fn may_renew(&mut self, now: Instant) -> bool {
        if now.since(self.renewals.0) >= RENEWAL_WINDOW {
            self.renewals = (now, 0);
        }
        let may = self.renewals.1 < RENEWALS;
        self.renewals.1 = self.renewals.1.saturating_add(1);
        may
    }

    /// Accepts a router as the master while backup.
    pub fn accept(&mut self, heard: Heard) {
        if self.master.map(|m| m.address) != Some(heard.address) && self.may_renew(heard.at) {
            self.forget_remarks();
        }
        self.master = Some(heard);
        self.quiet_since = heard.at;
        self.wants = None;
        self.gave_up = None;
        self.lower = None;
    }

    /// Whether another router than this one is master as far as we know, with at least our priority.
    pub fn other_master(&self, heard: Heard, mine: Priority, patience: Duration) -> bool {
        let alive = |m: Heard| m.priority >= mine && heard.at.since(m.at) < patience;
        self.gave_up.is_none()
            && self.master.is_some_and(|m| m.address != heard.address && alive(m))
    }

    /// Forgets the election: the instance enters another state.
    pub fn start_over(&mut self, now: Instant) {
        self.wants = None;
        self.preempt_at = None;
        self.lower = None;
        self.gave_up = None;
        self.conflict = None;
        self.contested_at = None;
        self.contested_since = None;
        self.master = None;
        self.quiet_since = now;
        self.departures = Departures::new(now, None);
        self.forget_remarks();
    }
}
