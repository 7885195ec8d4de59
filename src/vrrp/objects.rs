//! Which addresses, routes and rules of an instance the kernel should have, against those that it has,
//! and which request is due (`vrrp:S-42`).
//!
//! An object is wanted while its instance holds the addresses. What the kernel has is known from
//! dumps, events and acknowledgements. A request is made when the two differ, taking requests
//! that were not answered yet as done, because the kernel works them off in order. Nothing here
//! waits for an answer.

use std::time::Duration;

use super::settings::Object;
use crate::units::Instant;

/// The first wait before a refused or stolen object is tried again. A stolen one never waits longer,
/// since a master without its addresses serves nobody.
const FIRST_BACKOFF: Duration = Duration::from_secs(1);
/// The longest wait of a refused object.
const MAX_BACKOFF: Duration = Duration::from_secs(30);
/// The longest wait of an address that another host has.
const MAX_DUPLICATE_BACKOFF: Duration = Duration::from_secs(60);
/// An object that was left alone for this long starts with no wait again.
const BACKOFF_MEMORY: Duration = Duration::from_secs(60);
/// Removals of one object by others within this time are counted together.
const REMOVAL_WINDOW: Duration = Duration::from_secs(30);

/// What the engine knows of one object.
#[derive(Clone, Debug)]
pub struct Slot {
    /// What it is.
    pub object: Object,
    /// The configuration has it. An object that is no longer listed is removed and forgotten.
    listed: bool,
    /// The kernel has it, as far as answers and events tell.
    present: bool,
    /// What the last request asked for.
    asked: bool,
    /// Requests without an answer.
    in_flight: u16,
    /// Waits for the retry timer.
    blocked: bool,
    /// A removal was reported while requests were unanswered: which came first is not known.
    doubt: bool,
    /// Not tracked and removed by somebody else: left alone until wanted anew.
    abandoned: bool,
    /// Somebody else put it there.
    found: bool,
    /// The kernel has it but does not use it, as another host has it.
    duplicate: bool,
    /// Announcements still to send.
    pub due: u8,
    /// In the announcement lane.
    pub queued: bool,
    /// During a planned hand-over: the successor announced it.
    pub taken: bool,
    /// When it was last put back or tried again, and how long it waits the next time.
    backoff: Option<(Instant, Duration)>,
    /// Since when somebody else removes it, and how often.
    removals: Option<(Instant, u8)>,
}

impl Slot {
    const fn new(object: Object) -> Self {
        Self {
            object,
            listed: true,
            present: false,
            asked: false,
            in_flight: 0,
            blocked: false,
            doubt: false,
            abandoned: false,
            found: false,
            duplicate: false,
            due: 0,
            queued: false,
            taken: false,
            backoff: None,
            removals: None,
        }
    }

    /// Whether the kernel has it.
    pub const fn present(&self) -> bool {
        self.present
    }

    /// Whether the kernel has it but does not use it, as another host has it.
    pub const fn duplicate(&self) -> bool {
        self.duplicate
    }

    /// Whether it stays, wanted or not: somebody else put it there.
    pub const fn kept(&self) -> bool {
        self.found && self.present
    }

    /// Whether the configuration has it.
    pub const fn listed(&self) -> bool {
        self.listed
    }

    /// Neither configured nor in the kernel: its place is free for another object.
    pub const fn forgotten(&self) -> bool {
        !self.listed && !self.present && self.in_flight == 0
    }

    /// What will be when all requests are answered.
    pub const fn expected(&self) -> bool {
        if self.in_flight > 0 { self.asked } else { self.present }
    }

    /// One more removal by somebody else: how many there are.
    fn count_removal(&mut self, now: Instant) -> u8 {
        let lately = self.removals.filter(|(since, _)| now.since(*since) < REMOVAL_WINDOW);
        let (since, count) = lately.unwrap_or((now, 0));
        let count = count.saturating_add(1);
        self.removals = Some((since, count));
        count
    }

    /// The same, and whether it can be used then.
    const fn expected_usable(&self) -> bool {
        self.expected() && (self.in_flight > 0 || !self.duplicate)
    }

    /// Zero the first time, then doubling.
    fn wait(&mut self, most: Duration, now: Instant, immediately_first: bool) -> Duration {
        let wait = match self.backoff {
            Some((last, next)) if now.since(last) < BACKOFF_MEMORY => next,
            Some(_) | None if immediately_first => Duration::ZERO,
            Some(_) | None => FIRST_BACKOFF,
        };
        let next = if wait.is_zero() { FIRST_BACKOFF } else { (wait * 2).min(most) };
        self.backoff = Some((now + wait, next));
        self.blocked = !wait.is_zero();
        wait
    }
}

/// What an acknowledgement or a kernel event means.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Change {
    /// Nothing to do.
    None,
    /// The object is there now and wanted: announce it.
    Installed,
    /// The object is gone, as wanted.
    Removed,
    /// Somebody else removed a wanted object that is tracked.
    Stolen,
    /// The kernel refused; it is tried again after this time.
    Refused(Duration),
}

/// The objects of one instance. Slots keep their number while an object exists.
#[derive(Clone, Debug, Default)]
pub struct Objects {
    slots: Vec<Slot>,
    /// Slots in order of installation; removal goes backwards (`vrrp:S-42`).
    order: Vec<u32>,
    wanted: bool,
    /// Places in `order` still to be looked at: for installation from here on,
    install_from: usize,
    /// for removal below here.
    remove_below: usize,
    /// It is the owner of the addresses: they are those of its interface.
    is_owner: bool,
}

impl Objects {
    /// Takes the list of a new configuration: equal objects stay as they are.
    pub fn configure(&mut self, list: &[Object]) {
        for slot in &mut self.slots {
            slot.listed = false;
        }
        // First all that stay, so that no new object takes the slot of one of them.
        let mut places = vec![None; list.len()];
        let mut near = 0;
        for (object, place) in list.iter().zip(&mut places) {
            *place = self.find_unlisted(object, near);
            near = place.unwrap_or(near);
            if let Some(slot) = place.and_then(|place| self.slots.get_mut(place)) {
                slot.object.clone_from(object);
                slot.listed = true;
                slot.abandoned &= !object.tracked();
            }
        }
        // What somebody else has put there and is listed no more is that one's alone.
        for slot in self.slots.iter_mut().filter(|slot| !slot.listed && slot.kept()) {
            (slot.found, slot.present) = (false, false);
        }
        let mut order = Vec::with_capacity(list.len());
        for (object, place) in list.iter().zip(places) {
            let place = place.unwrap_or_else(|| self.add(object));
            order.push(u32::try_from(place).unwrap_or(u32::MAX));
        }
        let unlisted = (0..self.slots.len()).filter(|&place| self.leaving(place));
        order.extend(unlisted.filter_map(|place| u32::try_from(place).ok()));
        order.sort_by_key(|&slot| self.get(slot).map(|s| rank(&s.object)));
        self.order = order;
        self.look_again();
    }

    /// Says whether it is the owner of the addresses.
    pub fn set_owner(&mut self, is_owner: bool) {
        if self.is_owner && !is_owner {
            // They are looked at anew: none is the interface's because of the priority any more.
            for slot in self.slots.iter_mut().filter(|slot| slot.found) {
                (slot.found, slot.present) = (false, false);
            }
        }
        self.is_owner = is_owner;
    }

    fn leaving(&self, place: usize) -> bool {
        self.slots.get(place).is_some_and(|s| !s.listed && (s.present || s.in_flight > 0))
    }

    /// The slot of an equal object. Lists of thousands keep their order but for a few entries, so
    /// the search begins where the last one ended.
    fn find_unlisted(&self, object: &Object, near: usize) -> Option<usize> {
        let slots = || self.slots.iter().enumerate();
        slots()
            .skip(near)
            .chain(slots().take(near))
            .find(|(_, slot)| !slot.listed && slot.object.same_in_kernel(object))
            .map(|(place, _)| place)
    }

    /// Puts a new object into the slot of a forgotten one, or into one more.
    fn add(&mut self, object: &Object) -> usize {
        let forgotten = |s: &Slot| s.forgotten() && !s.queued;
        match self.slots.iter_mut().enumerate().find(|(_, slot)| forgotten(slot)) {
            Some((place, slot)) => {
                *slot = Slot::new(object.clone());
                place
            }
            None => {
                self.slots.push(Slot::new(object.clone()));
                self.slots.len() - 1
            }
        }
    }

    /// One slot.
    pub fn get(&self, slot: u32) -> Option<&Slot> {
        self.slots.get(slot as usize)
    }

    /// One slot.
    pub fn get_mut(&mut self, slot: u32) -> Option<&mut Slot> {
        self.slots.get_mut(slot as usize)
    }

    /// Slots in the order of installation.
    pub fn iter(&self) -> impl Iterator<Item = (u32, &Slot)> + '_ {
        self.order.iter().filter_map(|&slot| self.get(slot).map(|s| (slot, s)))
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.order.len()
    }

    /// The slot number at a place of the order.
    pub fn nth(&self, place: usize) -> Option<u32> {
        self.order.get(place).copied()
    }

    /// Says whether the objects shall be there.
    pub fn want(&mut self, wanted: bool) {
        if wanted && !self.wanted {
            for slot in &mut self.slots {
                slot.abandoned = false;
                slot.blocked = false;
                slot.backoff = None;
                slot.removals = None;
            }
        }
        self.wanted = wanted;
        for slot in &mut self.slots {
            slot.taken = false;
            if !wanted {
                slot.due = 0;
                slot.blocked = false;
            }
        }
        self.look_again();
    }

    /// Whether the kernel should have an object, or may.
    pub fn wants(&self, slot: u32) -> bool {
        self.get(slot).is_some_and(|s| self.wanted && s.listed && !s.abandoned || s.kept())
    }

    fn look_again(&mut self) {
        self.install_from = 0;
        self.remove_below = self.order.len();
    }

    /// The next object to remove, last installed first.
    pub fn next_removal(&mut self) -> Option<u32> {
        while let Some(place) = self.remove_below.checked_sub(1) {
            self.remove_below = place;
            if let Some(slot) = self.request_at(place, false) {
                return Some(slot);
            }
        }
        None
    }

    /// The next object to install, in order.
    pub fn next_installation(&mut self) -> Option<u32> {
        while self.nth(self.install_from).is_some() {
            let place = self.install_from;
            self.install_from += 1;
            if let Some(slot) = self.request_at(place, true) {
                return Some(slot);
            }
        }
        None
    }

    fn request_at(&mut self, place: usize, present: bool) -> Option<u32> {
        let number = *self.order.get(place)?;
        let wanted = self.wanted;
        if !present && self.get(number).is_some_and(|slot| slot.kept()) {
            return None;
        }
        let slot = self.slots.get_mut(number as usize)?;
        let desired = wanted && slot.listed && !slot.abandoned;
        let expected = if present { slot.expected_usable() } else { slot.expected() };
        if desired != present || expected == desired || slot.blocked {
            return None;
        }
        slot.asked = desired;
        slot.in_flight = slot.in_flight.saturating_add(1);
        Some(number)
    }

    /// The kernel's answer to a request.
    pub fn acknowledge(
        &mut self,
        number: u32,
        present: bool,
        worked: bool,
        now: Instant,
    ) -> Change {
        let wanted = self.wanted;
        let Some(slot) = self.slots.get_mut(number as usize) else { return Change::None };
        slot.in_flight = slot.in_flight.saturating_sub(1);
        let desired = wanted && slot.listed && !slot.abandoned;
        if worked {
            (slot.present, slot.duplicate) = (present, false);
            if slot.in_flight == 0 && std::mem::take(&mut slot.doubt) {
                // Asking once more is harmless: what exists already counts as installed.
                slot.present = false;
            }
        } else if slot.in_flight == 0 && slot.asked == present && desired == present {
            return Change::Refused(slot.wait(MAX_BACKOFF, now, false));
        }
        let change = match (worked && desired == present && slot.present == present, present) {
            (true, true) => Change::Installed,
            (true, false) => Change::Removed,
            (false, _) => Change::None,
        };
        if slot.expected() != desired {
            self.look_again();
        }
        change
    }

    /// An object that is there was put there by somebody else.
    pub fn found(&mut self, number: u32) {
        if let Some(slot) = self.slots.get_mut(number as usize) {
            slot.found = true;
        }
    }

    /// The kernel says by itself that an object is there or not.
    pub fn observe(&mut self, number: u32, present: bool) -> Change {
        let wanted = self.wanted;
        let Some(slot) = self.slots.get_mut(number as usize) else { return Change::None };
        if slot.forgotten() {
            return Change::None;
        }
        let was = slot.present;
        slot.present = present;
        (slot.found, slot.duplicate) = (false, false);
        slot.doubt = slot.in_flight > 0 && !present;
        let desired = wanted && slot.listed && !slot.abandoned;
        if slot.expected() == desired {
            return Change::None;
        }
        if desired && was && !present && slot.in_flight == 0 {
            if !slot.object.tracked() {
                slot.abandoned = true;
                return Change::None;
            }
            return Change::Stolen;
        }
        self.look_again();
        Change::None
    }

    /// The kernel took it away by itself, as a consequence of something else: with its address, its
    /// link, or for one of our own requests. It is asked for again, and nobody is to blame.
    pub fn went_along(&mut self, number: u32) {
        let Some(slot) = self.slots.get_mut(number as usize) else { return };
        if slot.forgotten() {
            return;
        }
        (slot.present, slot.found, slot.duplicate) = (false, false, false);
        slot.doubt = slot.in_flight > 0;
        self.look_again();
    }

    /// The kernel has it but does not use it, as another host has it (RFC 4862, 5.4). Gives the time
    /// until it is tried again, if it is wanted.
    pub fn duplicated(&mut self, number: u32, now: Instant) -> Option<Duration> {
        let wanted = self.wanted;
        let slot = self.slots.get_mut(number as usize).filter(|slot| !slot.forgotten())?;
        (slot.present, slot.found, slot.duplicate) = (true, false, true);
        let tries = wanted && slot.listed && !slot.abandoned && slot.in_flight == 0;
        let wait = tries.then(|| slot.wait(MAX_DUPLICATE_BACKOFF, now, false));
        self.look_again();
        wait
    }

    /// Puts a stolen object back: at once the first time, after a second if it happens again. Gives
    /// the time until then, and how often it was lost lately.
    pub fn restore(&mut self, number: u32, now: Instant) -> (Duration, u8) {
        let slot = self.slots.get_mut(number as usize);
        let found = slot.map_or((Duration::ZERO, 0), |s| {
            (s.wait(FIRST_BACKOFF, now, true), s.count_removal(now))
        });
        self.look_again();
        found
    }

    /// An object went with an interface that is down: it waits until somebody unblocks it. Says
    /// whether it is tracked.
    pub fn await_interface(&mut self, number: u32) -> bool {
        let Some(slot) = self.slots.get_mut(number as usize) else { return false };
        slot.abandoned = false;
        slot.blocked = true;
        slot.object.tracked()
    }

    /// The interface that carries the addresses without an interface of their own is gone.
    pub fn interface_gone(&mut self) {
        for slot in &mut self.slots {
            match &slot.object {
                Object::Address(a) | Object::Excluded(a) if a.interface.is_none() => {
                    slot.present = false;
                }
                Object::Address(_)
                | Object::Excluded(_)
                | Object::Filter
                | Object::Route(_)
                | Object::Rule(_) => {}
            }
        }
        self.look_again();
    }

    /// The retry timer ran.
    pub fn unblock(&mut self) {
        for slot in &mut self.slots {
            slot.blocked = false;
        }
        self.look_again();
    }

    /// Nothing is there, asked for, or still tried: what was refused does not count.
    pub fn at_rest(&self) -> bool {
        let gone = |s: &Slot| !s.present || s.blocked || s.kept();
        self.slots.iter().all(|s| s.in_flight == 0 && gone(s))
    }

    /// Nothing is left to remove.
    pub fn none_left(&self) -> bool {
        self.slots.iter().all(|s| s.in_flight == 0 && (!s.present || s.kept()))
    }

    /// No listed address is installed.
    pub fn none_present(&self) -> bool {
        self.slots.iter().all(|s| s.in_flight == 0 && !s.present)
    }
}

/// Order of installation (`vrrp:S-42`).
const fn rank(object: &Object) -> u8 {
    match object {
        Object::Filter => 0,
        Object::Address(_) => 1,
        Object::Excluded(_) => 2,
        Object::Route(_) => 3,
        Object::Rule(_) => 4,
    }
}

#[cfg(test)]
mod tests;
