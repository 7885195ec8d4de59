//! What a backup knows of the master, for each family (`vrrp:S-11` to `S-17`).

use std::net::IpAddr;
use std::time::Duration;

use super::super::heard::Heard;
use super::super::notice::Cause;
use crate::units::{Centiseconds, Instant, PerFamily, Priority};

/// The data of Backup.
#[derive(Clone, Debug)]
pub struct Backup {
    /// What is heard in each family.
    pub listening: PerFamily<Listening>,
}

/// What a backup hears in one family.
#[derive(Clone, Debug)]
pub struct Listening {
    /// Master_Adver_Interval (`vrrp:T-5`, `T-6`).
    pub learned: Centiseconds,
    /// The master that is followed.
    pub master: Option<Heard>,
    /// The last advert that was discarded because its priority is lower than ours (`vrrp:S-15`).
    pub lower: Option<Heard>,
    /// The master that announced priority 0.
    pub gave_up: Option<IpAddr>,
    /// Why this family wants to be master: the DownTimer ran out. It waits for the other family and
    /// the other members of the group (`vrrp:S-41`).
    pub wants: Option<Cause>,
    /// The end of the preemption delay, once it runs (`vrrp:S-17`).
    pub preempt_at: Option<Instant>,
    /// Since when nothing that counts was heard, for the message.
    quiet_since: Instant,
}

impl Listening {
    /// Nothing was heard yet, except for the winner of an election that was lost.
    pub const fn new(learned: Centiseconds, master: Option<Heard>, now: Instant) -> Self {
        Self {
            learned,
            master,
            lower: None,
            gave_up: None,
            wants: None,
            preempt_at: None,
            quiet_since: now,
        }
    }

    /// Follows this router as the master.
    pub const fn accept(&mut self, heard: Heard) {
        self.master = Some(heard);
        self.quiet_since = heard.at;
        self.wants = None;
        self.gave_up = None;
        self.lower = None;
    }

    /// Whether another router than this one is master as far as we know, with at least our priority.
    /// `max_silence`: how long a master may be silent.
    pub fn other_master(&self, heard: Heard, mine: Priority, max_silence: Duration) -> bool {
        let alive = |m: Heard| m.priority >= mine && heard.at.since(m.at) < max_silence;
        self.gave_up.is_none()
            && self.master.is_some_and(|m| m.address != heard.address && alive(m))
    }

    /// What the end of the DownTimer means.
    pub fn down_cause(&self, now: Instant) -> Cause {
        if let Some(lower) = self.lower {
            return Cause::Preempted { master: lower.address, theirs: lower.priority };
        }
        match self.gave_up {
            Some(master) => Cause::MasterLeft { master },
            None => Cause::NoAdvert {
                master: self.master.map(|m| m.address),
                silence: now.since(self.quiet_since),
            },
        }
    }
}
