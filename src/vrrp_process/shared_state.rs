//! What the next process has to know, in the memory that the supervisor keeps.

use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use crate::control::shared_memory::{Key, SLOTS, Saved as Slot, Shared, SlotId};
use crate::sorted::{Map, Set};
use crate::system::shared_memory::Region;
use crate::units::Instant;
use crate::vrrp::{Engine, InstanceId};

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
pub struct SharedState {
    shared: Shared<Region>,
    /// By the number of the instance, which is small.
    slots: Vec<Option<Place>>,
}

impl SharedState {
    /// In this memory.
    pub const fn new(shared: Shared<Region>) -> Self {
        Self { shared, slots: Vec::new() }
    }

    /// The memory, for whoever goes on with it.
    pub fn memory(&self) -> BorrowedFd<'_> {
        self.shared.memory().as_fd()
    }

    /// The memory itself, for the counter of the loop.
    pub const fn shared(&self) -> &Shared<Region> {
        &self.shared
    }

    /// The kernel has no packet filter.
    pub fn set_unfiltered(&self) {
        self.shared.set_unfiltered();
    }

    /// Whether a process before this one found no packet filter.
    pub fn is_unfiltered(&self) -> bool {
        self.shared.is_unfiltered()
    }

    /// Gives each instance its slot, and frees those of others, also of a former process. What was
    /// in it stays there. Says when there are not enough.
    pub fn configure(&mut self, engine: &Engine) -> Vec<String> {
        let mut words = Vec::new();
        // Extended and not collected, which brings a sort for each type: kilobytes of flash.
        let (mut keys, mut known) = (Map::new(), Set::new());
        keys.extend(engine.instances().filter_map(|id| Some((id, key(engine, id)?))));
        known.extend(keys.values().copied());
        // What a former process held of others is the supervisor's to remove.
        for (slot, key, _) in self.shared.iter() {
            if !known.contains(&key) {
                self.shared.free(slot);
            }
        }
        for (number, slot) in (0..).zip(&mut self.slots) {
            *slot = slot.filter(|place| keys.get(&InstanceId::new(number)) == Some(&place.key));
        }
        let mut without = 0_u32;
        for (id, key) in keys {
            let number = id.index();
            if number >= self.slots.len() {
                self.slots.resize(number + 1, None);
            }
            let Some(place) = self.slots.get_mut(number).filter(|place| place.is_none()) else {
                continue;
            };
            match self.shared.claim(key) {
                Some(slot) => *place = Some(Place { key, slot, installed: 0 }),
                None => without += 1,
            }
        }
        if without > 0 {
            words.push(format!(
                "there are more than {SLOTS} instances: {without} of them begin as BACKUP if the \
                 vrrp process has to be started again"
            ));
        }
        words
    }

    /// The state, or what the kernel has, may have changed for all of them.
    pub fn states(&mut self, engine: &Engine) {
        for id in engine.instances() {
            self.state(engine, id);
        }
    }

    /// The instances that a former process left as master, and when it sent the last advert of
    /// each. To be asked before [`SharedState::configure`].
    pub fn masters(&self, engine: &Engine) -> Vec<(InstanceId, Instant)> {
        let mut left = Map::new();
        left.extend(self.shared.iter().filter_map(|(_, key, saved)| Some((key, saved?))));
        let of = |id| {
            let slot = left.get(&key(engine, id)?)?;
            slot.stays_master().then_some((id, slot.last_advert))
        };
        engine.instances().filter_map(of).collect()
    }

    /// The instances that an operator held when a former process ended, each with the rest of the
    /// time. To be asked before [`SharedState::configure`].
    pub fn holds(&self, engine: &Engine, now: Instant) -> Vec<(InstanceId, Option<Duration>)> {
        let mut left = Map::new();
        left.extend(self.shared.iter().filter_map(|(_, key, saved)| Some((key, saved?.hold?))));
        let of = |id| {
            let until = left.get(&key(engine, id)?)?;
            let rest = until.map(|until| until.since(now));
            (rest != Some(Duration::ZERO)).then_some((id, rest))
        };
        engine.instances().filter_map(of).collect()
    }

    /// An advert is about to leave.
    pub fn advert(&self, engine: &Engine, id: InstanceId, now: Instant) {
        self.store(engine, id, Some(now));
    }

    /// The state, or what the kernel has, may have changed.
    pub fn state(&mut self, engine: &Engine, id: InstanceId) {
        if let Some(Some(place)) = self.slots.get_mut(id.index()) {
            place.installed = engine.installed(id);
        }
        self.store(engine, id, None);
    }

    fn store(&self, engine: &Engine, id: InstanceId, advert: Option<Instant>) {
        let (Some(Some(place)), Some(state), Some(priority)) =
            (self.slots.get(id.index()), engine.state(id), engine.effective_priority(id))
        else {
            return;
        };
        let saved = Slot {
            state,
            last_advert: advert.or_else(|| engine.last_advert(id)).unwrap_or_default(),
            priority,
            installed: place.installed,
            handing_over: engine.handing_over(id),
            hold: engine.held(id),
        };
        self.shared.store(place.slot, &saved);
    }
}

fn key(engine: &Engine, id: InstanceId) -> Option<Key> {
    let settings = engine.settings(id)?;
    Some(Key::new(&settings.name, &settings.interface, settings.vrid))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::shared_memory::WORDS;
    use crate::units::{Priority, State, Vrid};
    use crate::vrrp::settings::Settings;

    #[test]
    fn what_a_former_process_held_is_resumed_or_forgotten() {
        let memory = Region::create(WORDS).unwrap();
        let former = Shared::create(&memory).unwrap();
        let master = Slot {
            state: State::Master,
            last_advert: Instant::from_nanos(7),
            priority: Priority(100),
            installed: 1,
            handing_over: false,
            hold: None,
        };
        for name in ["lan", "old"] {
            let slot = former.claim(Key::new(name, "eth0", Vrid::new(1).unwrap())).unwrap();
            former.store(slot, &master);
        }
        // The successor may have taken over already: nothing to go back to.
        let handing_over = Slot { handing_over: true, ..master };
        let c = former.claim(Key::new("c", "eth0", Vrid::new(3).unwrap())).unwrap();
        former.store(c, &handing_over);
        let held = Some(Some(Instant::ORIGIN + Duration::from_secs(9)));
        let backup = Slot { state: State::Backup, hold: held, ..master };
        former.store(former.claim(Key::new("b", "eth0", Vrid::new(2).unwrap())).unwrap(), &backup);
        let text = "[vrrp.instance.lan]\ninterface = \"eth0\"\nvirtual_router_id = 1\n\
                    virtual_addresses = [\"192.0.2.1/24\"]\n\
                    [vrrp.instance.b]\ninterface = \"eth0\"\nvirtual_router_id = 2\n\
                    virtual_addresses = [\"192.0.2.2/24\"]\n\
                    [vrrp.instance.c]\ninterface = \"eth0\"\nvirtual_router_id = 3\n\
                    virtual_addresses = [\"192.0.2.3/24\"]\n";
        let settings = Settings::from_model(&crate::config::parse(text, None).model.unwrap());
        let engine = Engine::new(&settings);
        let id = engine.instance("lan").unwrap();

        let fd = memory.as_fd().try_clone_to_owned().unwrap();
        let mut state = SharedState::new(Shared::open(Region::open(fd, WORDS).unwrap()).unwrap());
        assert_eq!(state.masters(&engine), [(id, Instant::from_nanos(7))]);
        let b = engine.instance("b").unwrap();
        let at = |seconds| Instant::ORIGIN + Duration::from_secs(seconds);
        assert_eq!(state.holds(&engine, at(7)), [(b, Some(Duration::from_secs(2)))]);
        assert_eq!(state.holds(&engine, at(9)), []);
        assert!(state.configure(&engine).is_empty());
        assert_eq!(former.iter().count(), 3);
        // Whoever comes after one that dies here finds the same.
        assert_eq!(state.masters(&engine), [(id, Instant::from_nanos(7))]);
        assert_eq!(state.holds(&engine, at(7)).len(), 1);
        state.states(&engine);
        assert_eq!((state.masters(&engine).len(), state.holds(&engine, at(7)).len()), (0, 0));
        assert!(state.configure(&Engine::new(&Settings::default())).is_empty());
        assert_eq!(former.iter().count(), 0);
    }
}
