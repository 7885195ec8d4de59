//! What a master knows of its rivals, for each family, and what it is about (`vrrp:S-21` to `S-32`).

use std::time::Duration;

use super::super::heard::Heard;
use super::departures::Departures;
use super::hand_over::HandOver;
use super::second_holders::SecondHolders;
use crate::units::{Centiseconds, Instant, PerFamily};

/// The data of Master.
#[derive(Clone, Debug)]
pub struct Master {
    /// The claim in each family.
    pub claims: PerFamily<Claim>,
    /// What it is about.
    pub duty: Duty,
    /// When a burst after an advert of another master is to be repeated (`vrrp:S-29`).
    pub reannounce_at: Option<Instant>,
}

/// What a master is about.
#[derive(Clone, Debug)]
pub enum Duty {
    /// It serves the addresses.
    Serving(SecondHolders),
    /// It hands them over.
    HandingOver(HandOver),
}

/// What a master knows in one family.
#[derive(Clone, Copy, Debug)]
pub struct Claim {
    /// Its own interval, until it learns that of its successor (`vrrp:T-6`).
    pub learned: Centiseconds,
    /// The other owner (`vrrp:S-32`), or the router that it gives way to.
    pub rival: Option<Heard>,
    /// The dispute with another owner.
    pub conflict: Option<Conflict>,
    /// Another router of equal priority is master as well.
    pub contest: Option<Contest>,
    /// What became of the adverts.
    pub departures: Departures,
}

/// Adverts of equal priority that a master hears.
#[derive(Clone, Copy, Debug)]
pub struct Contest {
    /// Since when they come again and again.
    pub since: Instant,
    /// When the last one came.
    pub last: Instant,
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

impl Claim {
    /// Of a router that becomes master. `over`: the master whose place it takes.
    pub const fn new(own: Centiseconds, over: Option<Heard>, now: Instant) -> Self {
        Self {
            learned: own,
            rival: None,
            conflict: None,
            contest: None,
            departures: Departures::new(now, over),
        }
    }

    /// An advert of equal priority came. Adverts further apart than `gap` are not the same contest.
    pub fn hear_equal(&mut self, now: Instant, gap: Duration) {
        let same = self.contest.filter(|contest| now.since(contest.last) < gap);
        self.contest = Some(Contest { since: same.map_or(now, |same| same.since), last: now });
    }
}
