//! What the next process has to know, in the memory that the supervisor keeps (DESIGN 3).

use std::collections::BTreeMap;

use crate::control::shared::{Key, Process, Saved as Slot, SavedState, Shared, SlotId};
use crate::system::shared::Region;
use crate::units::Instant;
use crate::vrrp::{Engine, InstanceId, State};

/// The slot of an instance.
#[derive(Clone, Copy, Debug)]
struct Place {
    key: Key,
    slot: SlotId,
    /// How many objects the kernel had when that was last counted: not for each advert, since there
    /// may be thousands.
    installed: u32,
}

/// The process's part of the shared memory.
#[derive(Debug)]
pub struct Saved {
    shared: Shared<Region>,
    slots: BTreeMap<InstanceId, Place>,
}

impl Saved {
    /// In this memory.
    pub const fn new(shared: Shared<Region>) -> Self {
        Self { shared, slots: BTreeMap::new() }
    }

    /// One more turn: the supervisor sees that the process lives.
    pub fn count_turn(&self) {
        self.shared.beat(Process::Vrrp);
    }

    /// Gives each instance its slot, and frees those of others.
    pub fn configure(&mut self, engine: &Engine) {
        let keys: BTreeMap<InstanceId, Key> =
            engine.instances().filter_map(|id| Some((id, key(engine, id)?))).collect();
        let shared = &self.shared;
        self.slots.retain(|id, place| {
            let stays = keys.get(id) == Some(&place.key);
            if !stays {
                shared.free(place.slot);
            }
            stays
        });
        for (id, key) in keys {
            if !self.slots.contains_key(&id)
                && let Some(slot) = self.shared.claim(key)
            {
                self.slots.insert(id, Place { key, slot, installed: 0 });
            }
        }
        let ids: Vec<InstanceId> = self.slots.keys().copied().collect();
        for id in ids {
            self.state(engine, id);
        }
    }

    /// The instances that a former process left as master, and when it sent the last advert of
    /// each. To be asked before [`Saved::configure`].
    pub fn masters(&self, engine: &Engine) -> Vec<(InstanceId, Instant)> {
        let left: BTreeMap<_, _> =
            self.shared.iter().filter_map(|(_, key, saved)| Some((key, saved?))).collect();
        let of = |id| {
            let slot = left.get(&key(engine, id)?)?;
            (slot.state == SavedState::Master).then_some((id, slot.last_advert))
        };
        engine.instances().filter_map(of).collect()
    }

    /// An advert is about to leave.
    pub fn advert(&self, engine: &Engine, id: InstanceId, now: Instant) {
        self.store(engine, id, Some(now));
    }

    /// The state, or what the kernel has, may have changed.
    pub fn state(&mut self, engine: &Engine, id: InstanceId) {
        if let Some(place) = self.slots.get_mut(&id) {
            place.installed = engine.installed(id);
        }
        self.store(engine, id, None);
    }

    fn store(&self, engine: &Engine, id: InstanceId, advert: Option<Instant>) {
        let (Some(place), Some(state), Some(priority)) =
            (self.slots.get(&id), engine.state(id), engine.effective_priority(id))
        else {
            return;
        };
        let saved = Slot {
            state: match state {
                State::Initialize => SavedState::Initialize,
                State::Backup => SavedState::Backup,
                State::Master => SavedState::Master,
                State::Fault => SavedState::Fault,
            },
            last_advert: advert.or_else(|| engine.last_advert(id)).unwrap_or_default(),
            priority,
            installed: place.installed,
            handing_over: engine.handing_over(id),
        };
        self.shared.store(place.slot, &saved);
    }
}

fn key(engine: &Engine, id: InstanceId) -> Option<Key> {
    let settings = engine.settings(id)?;
    Some(Key::new(&settings.name, &settings.interface, settings.vrid))
}
