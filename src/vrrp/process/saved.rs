//! What the next process has to know, in the memory that the supervisor keeps (DESIGN 3).

use std::collections::{BTreeMap, BTreeSet};

use crate::control::shared::{Key, Process, SLOTS, Saved as Slot, SavedState, Shared, SlotId};
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
    /// By the number of the instance, which is small.
    slots: Vec<Option<Place>>,
}

impl Saved {
    /// In this memory.
    pub const fn new(shared: Shared<Region>) -> Self {
        Self { shared, slots: Vec::new() }
    }

    /// One more turn: the supervisor sees that the process lives.
    pub fn count_turn(&self) {
        self.shared.beat(Process::Vrrp);
    }

    /// Gives each instance its slot, and frees those of others, also of a former process. Says what
    /// has to be known about that.
    pub fn configure(&mut self, engine: &Engine) -> Vec<String> {
        let mut words = Vec::new();
        // Extended and not collected, which brings a sort for each type: kilobytes of flash.
        let (mut keys, mut known, mut own) = (BTreeMap::new(), BTreeSet::new(), BTreeSet::new());
        keys.extend(engine.instances().filter_map(|id| Some((id, key(engine, id)?))));
        known.extend(keys.values().copied());
        own.extend(self.slots.iter().flatten().map(|place| place.key));
        let mut left = 0_u32;
        for (slot, key, saved) in self.shared.iter() {
            if known.contains(&key) {
                continue;
            }
            let held = saved.is_some_and(|saved| saved.state == SavedState::Master);
            left += u32::from(held && !own.contains(&key));
            self.shared.free(slot);
        }
        if left > 0 {
            words.push(format!(
                "the vrrp process before this one was MASTER of instances that are no longer \
                 configured ({left}); their addresses may still be there: look at ip address"
            ));
        }
        for (number, slot) in (0..).zip(&mut self.slots) {
            *slot = slot.filter(|place| keys.get(&InstanceId(number)) == Some(&place.key));
        }
        let mut without = 0_u32;
        for (id, key) in keys {
            let number = id.0 as usize;
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
        for id in engine.instances() {
            self.state(engine, id);
        }
        words
    }

    /// The instances that a former process left as master, and when it sent the last advert of
    /// each. To be asked before [`Saved::configure`].
    pub fn masters(&self, engine: &Engine) -> Vec<(InstanceId, Instant)> {
        let mut left = BTreeMap::new();
        left.extend(self.shared.iter().filter_map(|(_, key, saved)| Some((key, saved?))));
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
        if let Some(Some(place)) = self.slots.get_mut(id.0 as usize) {
            place.installed = engine.installed(id);
        }
        self.store(engine, id, None);
    }

    fn store(&self, engine: &Engine, id: InstanceId, advert: Option<Instant>) {
        let (Some(Some(place)), Some(state), Some(priority)) =
            (self.slots.get(id.0 as usize), engine.state(id), engine.effective_priority(id))
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

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;

    use super::*;
    use crate::control::shared::WORDS;
    use crate::units::{Priority, Vrid};
    use crate::vrrp::settings::Settings;

    #[test]
    fn what_a_former_process_held_and_nobody_has_now_is_said_and_forgotten() {
        let memory = Region::create(WORDS).unwrap();
        let former = Shared::create(&memory).unwrap();
        let master = Slot {
            state: SavedState::Master,
            last_advert: Instant::from_nanos(7),
            priority: Priority(100),
            installed: 1,
            handing_over: false,
        };
        for name in ["lan", "old"] {
            let slot = former.claim(Key::new(name, "eth0", Vrid::new(1).unwrap())).unwrap();
            former.store(slot, &master);
        }
        let backup = Slot { state: SavedState::Backup, ..master };
        former.store(former.claim(Key::new("b", "eth0", Vrid::new(2).unwrap())).unwrap(), &backup);
        let text = "[vrrp.instance.lan]\ninterface = \"eth0\"\nvirtual_router_id = 1\n\
                    virtual_addresses = [\"192.0.2.1/24\"]\n\
                    [vrrp.instance.b]\ninterface = \"eth0\"\nvirtual_router_id = 2\n\
                    virtual_addresses = [\"192.0.2.2/24\"]\n";
        let settings = Settings::from_model(&crate::config::parse(text, None).model.unwrap());
        let engine = Engine::new(&settings);
        let id = engine.instance("lan").unwrap();

        let fd = memory.as_fd().try_clone_to_owned().unwrap();
        let mut saved = Saved::new(Shared::open(Region::open(fd, WORDS).unwrap()).unwrap());
        assert_eq!(saved.masters(&engine), [(id, Instant::from_nanos(7))]);
        let words = saved.configure(&engine);
        assert!(words.len() == 1 && words[0].contains("no longer configured (1)"), "{words:?}");
        assert_eq!(former.iter().count(), 2);
        assert!(saved.configure(&engine).is_empty(), "it is said once");
        assert!(saved.configure(&Engine::new(&Settings::default())).is_empty(), "it was our own");
        assert_eq!(former.iter().count(), 0);
    }
}
