//! What the engine needs to know of the configuration: typed, complete, already checked.
//!
//! [`Settings`] is made from the configuration model and is compared field by field on a reload.

use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use crate::config::model::{
    Announce, Authentication, Checksum, InstanceSettings, OnForeignRemoval, Pacing, Preempt,
    SourceAddresses, Track, Tracker,
};
pub use crate::net::Object;
use crate::units::Family;

/// All instances and groups of one generation of the configuration.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Settings {
    /// The instances, in configuration order.
    pub instances: Vec<InstanceSettings>,
    /// Sync groups (`vrrp:S-41`). An instance is in one at the most.
    pub groups: Vec<GroupSettings>,
    /// After the start, stay in Initialize and ignore all packets for this long
    /// (keepalived's `vrrp_startup_delay`).
    pub startup_delay: Duration,
}

/// Instances that move together.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct GroupSettings {
    /// As logs and commands use it.
    pub name: Box<str>,
    /// Names of instances. The first one decides ties of equal priority for all.
    pub members: Vec<Box<str>>,
    /// Added to the members' own.
    pub track: Vec<Track>,
}

/// How many other routers may answer a planned hand-over.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Backups {
    /// Exactly one: announce 1 cs.
    One,
    /// Several, or not known: announce 5 cs.
    Several,
}

impl InstanceSettings {
    /// Whether a master sends once more before it gives way (`vrrp:S-29`).
    pub const fn last_word(&self) -> bool {
        self.higher_prio_send_advert && !self.strict
    }

    /// Whether a lower-priority advert is answered with our own at once (`vrrp:S-26`).
    pub const fn answers_lower_priority(&self) -> bool {
        !self.lower_prio_no_advert && !self.strict
    }

    /// How many other routers there are, for the speed of a planned hand-over.
    pub const fn backups(&self) -> Backups {
        match self.backups {
            Some(1) => Backups::One,
            Some(_) | None => Backups::Several,
        }
    }

    /// Whether there is a virtual router of this family: one that has an address in the packet.
    pub fn has_family(&self, family: Family) -> bool {
        self.objects.iter().filter_map(Object::in_packet).any(|a| Family::of(a) == family)
    }
}
