//! What the vrrp process has in the kernel: how it follows from the shared memory, and the small
//! file for the case that everything dies.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::control::shared_memory::{Key, Saved};
use crate::sorted::{Map, Set};
use crate::units::{Instant, State, Vrid};
use crate::vrrp::settings::{InstanceSettings, Object, Settings};

/// The file.
pub const FILE: &str = "installed";
/// What it begins with: another number when a field gets another meaning. Then follows the list, in
/// postcard's encoding: the code for that is in the program anyway.
const FORMAT: [u8; 4] = *b"SFI\x01";

/// An instance that has something in the kernel.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Held {
    /// Its name.
    pub instance: Box<str>,
    /// The interface of its addresses.
    pub interface: Box<str>,
    /// Its identifier.
    pub vrid: Vrid,
    /// It owns the addresses: what others put there is not ours (priority 255).
    pub owner: bool,
    /// What it may have there.
    pub objects: Vec<Object>,
    /// So long after its last advert another process resumes; a little later it is all to be gone.
    resume_within: Duration,
    interval: Duration,
}

impl Held {
    fn new(settings: &InstanceSettings) -> Self {
        let interval = settings.interval.duration();
        Self {
            instance: settings.name.clone(),
            interface: settings.interface.clone(),
            vrid: settings.vrid,
            owner: settings.priority.is_owner(),
            objects: settings.objects.clone(),
            resume_within: settings.resume_within.unwrap_or(interval * 2),
            interval,
        }
    }

    /// Its slot in the shared memory.
    pub fn key(&self) -> Key {
        Key::new(&self.instance, &self.interface, self.vrid)
    }

    /// Whether a process that starts now goes on as master of it.
    pub fn is_resumable(&self, saved: &Saved, now: Instant) -> bool {
        saved.stays_master() && now.since(saved.last_advert) <= self.resume_within
    }

    /// When it has to be gone, should nobody resume.
    fn due(&self, saved: &Saved) -> Instant {
        if !saved.stays_master() {
            return Instant::ORIGIN;
        }
        // Whoever decides at the last moment has half an interval to say so.
        saved.last_advert + self.resume_within + self.interval / 2
    }
}

/// Whether something of an instance may be in the kernel.
pub fn holds(saved: &Saved) -> bool {
    saved.state == State::Master || saved.installed > 0
}

/// What is in the kernel after a look into the shared memory. `settled`: the process works with the
/// configuration in effect, and with nothing else.
pub fn look(
    before: &[Held],
    saved: &Map<Key, Saved>,
    settings: &Settings,
    settled: bool,
) -> Vec<Held> {
    let mut after = Vec::new();
    // By their keys, since there may be thousands.
    let old = Map::of_distinct(before.iter().map(|held| (held.key(), held)));
    let mut known = Set::new();
    for instance in &settings.instances {
        let mut held = Held::new(instance);
        let key = held.key();
        if !saved.get(&key).is_some_and(holds) {
            continue;
        }
        known.insert(key);
        if let Some(old) = old.get(&key).filter(|_| !settled) {
            let more = old.objects.iter().filter(|object| !held.objects.contains(object));
            let more: Vec<Object> = more.cloned().collect();
            held.objects.extend(more);
        }
        after.push(held);
    }
    // Of a configuration before: until the process has let go of it.
    for held in before {
        let key = held.key();
        if !known.contains(&key) && saved.get(&key).is_some_and(holds) {
            after.push(held.clone());
        }
    }
    after
}

/// Adds the instances that it has not.
pub fn keep(held: &mut Vec<Held>, more: &[Held]) {
    let mut known = Set::new();
    known.extend(held.iter().map(Held::key));
    held.extend(more.iter().filter(|one| !known.contains(&one.key())).cloned());
}

/// The contents of the file.
///
/// # Errors
/// They cannot be encoded.
pub fn encode(held: &[Held]) -> Result<Vec<u8>, postcard::Error> {
    let mut octets = FORMAT.to_vec();
    octets.extend(postcard::to_allocvec(held)?);
    Ok(octets)
}

/// Reads the file.
///
/// # Errors
/// In words.
pub fn parse(octets: &[u8]) -> Result<Vec<Held>, String> {
    match octets.split_first_chunk() {
        Some((&FORMAT, list)) => {
            postcard::from_bytes(list).map_err(|error| format!("{FILE} is damaged: {error}"))
        }
        Some(_) | None => Err(format!("{FILE} is damaged, or of another version")),
    }
}

/// When the first of them has to be gone; `None`: nothing is there.
pub fn due(held: &[Held], saved: &Map<Key, Saved>) -> Option<Instant> {
    held.iter().map(|one| saved.get(&one.key()).map_or(Instant::ORIGIN, |slot| one.due(slot))).min()
}

/// Those that have to be gone now.
pub fn due_by(held: &[Held], saved: &Map<Key, Saved>, now: Instant) -> Vec<Held> {
    let is_due = |one: &&Held| due(std::slice::from_ref(*one), saved).is_some_and(|at| at <= now);
    held.iter().filter(is_due).cloned().collect()
}

/// What of them no instance of the configuration has: a process that starts with it does not know
/// of these.
pub fn stale(held: &[Held], settings: &Settings) -> Vec<Held> {
    let mut stale = Vec::new();
    let mut wanted = Map::new();
    for settings in &settings.instances {
        let key = Key::new(&settings.name, &settings.interface, settings.vrid);
        wanted.insert(key, &settings.objects);
    }
    for one in held {
        let wanted = wanted.get(&one.key());
        let mut rest = one.clone();
        let known = |object: &Object| {
            let mut wanted = wanted.into_iter().flat_map(|wanted| wanted.iter());
            wanted.any(|own| own == object || is_same_address(own, object))
        };
        rest.objects.retain(|object| !known(object));
        if !rest.objects.is_empty() {
            stale.push(rest);
        }
    }
    stale
}

/// Whether both are one address, with other options or another prefix length: the process that has one
/// of them sees to the other.
fn is_same_address(one: &Object, other: &Object) -> bool {
    match (one, other) {
        (
            Object::Address(one) | Object::Excluded(one),
            Object::Address(other) | Object::Excluded(other),
        ) => one.address == other.address && one.interface == other.interface,
        (_, _) => false,
    }
}

/// Leaves out what some instance of the configuration has at the same place.
pub fn spare(held: &mut Vec<Held>, settings: &Settings) {
    for one in &mut *held {
        let here = settings.instances.iter().filter(|other| other.interface == one.interface);
        let has = |object: &Object| {
            let mut own = here.clone().flat_map(|other| &other.objects);
            own.any(|own| own.same_in_kernel(object) || is_same_address(own, object))
        };
        one.objects.retain(|object| !has(object));
    }
    held.retain(|one| !one.objects.is_empty());
}

/// What is left of them without the objects of others.
pub fn without(held: &[Held], gone: &[Held]) -> Vec<Held> {
    let mut rest = held.to_vec();
    for one in &mut rest {
        let key = one.key();
        // It may be there twice, should some of it have stayed when the rest went.
        for gone in gone.iter().filter(|gone| gone.key() == key) {
            one.objects.retain(|object| !gone.objects.contains(object));
        }
    }
    rest.retain(|one| !one.objects.is_empty());
    rest
}

#[cfg(test)]
pub(super) mod tests;
