//! The supervisor's account of what the vrrp process has in the kernel.

use std::cell::{Cell, RefCell};
use std::time::Duration;

use super::installed::{self, FILE, Held};
use super::withdraw::{self, Remainder};
use crate::control::child_messages::ToChild;
use crate::control::event::Level;
use crate::control::shared_memory::{Key, Saved, Shared};
use crate::sorted::Map;
use crate::supervisor::role_context::RoleContext;
use crate::system::shared_memory::Region;
use crate::units::Instant;
use crate::vrrp::settings::Settings;

/// How long a process that ends again and again stays backup: long enough to look at it.
const STAND_BACK_TIME: Duration = Duration::from_secs(300);

/// What is in the kernel because of the vrrp process.
#[derive(Debug)]
pub struct Holdings {
    pub(super) context: RoleContext,
    installed: RefCell<Vec<Held>>,
    /// A process of this daemon may have put there what is in `installed`; until then it is what a
    /// daemon before this one has left.
    pub(super) begun: Cell<bool>,
    /// A process takes the place of one of the program before: what that one had is not let go of
    /// before it is looked through.
    pub(super) taking_over: Cell<bool>,
    /// Instances whose objects the supervisor removed, and the last advert of the process that had
    /// them.
    pub(super) disowned: RefCell<Map<Key, Instant>>,
    /// What is in the kernel and no process knows of.
    pub(super) remainder: RefCell<Remainder>,
    /// Why the file could not be written.
    not_written: RefCell<Option<String>>,
    /// The generation of the configuration that the process works with.
    applied: Cell<u32>,
    /// The count of changes in the shared memory at the last look.
    seen: Cell<u32>,
}

impl Holdings {
    /// Nothing is known yet.
    pub fn new(context: RoleContext) -> Self {
        Self {
            context,
            installed: RefCell::default(),
            begun: Cell::new(false),
            taking_over: Cell::new(false),
            disowned: RefCell::default(),
            remainder: RefCell::default(),
            not_written: RefCell::default(),
            applied: Cell::new(0),
            seen: Cell::new(0),
        }
    }

    /// Reads what a former daemon left in the kernel when it was killed together with its process.
    pub fn recall(&self) {
        let text = match self.context.dir.read(FILE) {
            Ok(None) => return,
            Ok(Some(octets)) => match installed::parse(&octets) {
                Ok(held) => {
                    *self.installed.borrow_mut() = held;
                    return;
                }
                Err(text) => text,
            },
            Err(error) => format!("{FILE} cannot be read: {error}"),
        };
        self.context.note(Level::Warning, text);
    }

    /// Goes on after another program, which has told what there is.
    pub fn go_on(&self, installed: Vec<Held>) {
        *self.installed.borrow_mut() = installed;
        self.begun.set(true);
    }

    /// Says whether a process takes the place of one of the program before.
    pub fn set_taking_over(&self, taking_over: bool) {
        self.taking_over.set(taking_over);
    }

    fn shared(&self) -> Option<Shared<&Region>> {
        Shared::open(&*self.context.memory).ok()
    }

    /// What the shared memory says, as far as it `counts`.
    pub(super) fn written(&self, counts: &dyn Fn(&Key, &Saved) -> bool) -> Map<Key, Saved> {
        let Some(shared) = self.shared() else { return Map::new() };
        let slots = shared.iter().filter_map(|(_, key, saved)| Some((key, saved?)));
        Map::of_distinct(slots.filter(|(key, saved)| counts(key, saved)))
    }

    /// The same without what the supervisor has removed since it was written.
    pub(super) fn saved(&self) -> Map<Key, Saved> {
        let disowned = self.disowned.borrow();
        self.written(&|key, saved| disowned.get(key).is_none_or(|last| saved.last_advert > *last))
    }

    pub(super) fn settings(&self) -> Settings {
        Settings::from_model(&self.context.configuration.model())
    }

    /// The process works with this generation of the configuration.
    pub fn applied(&self, generation: u32) {
        self.applied.set(generation);
    }

    /// Whether the process has changed something since the last look.
    pub fn is_outdated(&self) -> bool {
        self.shared().is_some_and(|shared| shared.changes() != self.seen.get())
    }

    /// When what could not be removed is due again.
    pub fn retry_at(&self) -> Option<Instant> {
        self.remainder.borrow().at()
    }

    /// Looks, and writes the file when something is different. Not before a process of this daemon
    /// may run: the memory knows nothing of what a daemon before it has left.
    pub fn update(&self) {
        if !self.begun.get() {
            return;
        }
        if let Some(shared) = self.shared() {
            // Before the slots are read, so that a change meanwhile is seen the next time.
            self.seen.set(shared.changes());
            let holds = |slot: &Option<Saved>| slot.as_ref().is_some_and(installed::holds);
            if self.installed.borrow().is_empty() && !shared.iter().any(|(_, _, slot)| holds(&slot))
            {
                return;
            }
        }
        let (saved, settings) = (self.saved(), self.settings());
        let after = {
            let before = self.installed.borrow();
            if self.taking_over.get() {
                // The successor has written over what the memory said of the process before.
                let mut after = installed::look(&before, &saved, &settings, false);
                installed::keep(&mut after, &before);
                after
            } else {
                let settled = self.applied.get() == self.context.configuration.generation();
                installed::look(&before, &saved, &settings, settled)
            }
        };
        self.set(after);
    }

    /// From now on that is what there is.
    pub(super) fn set(&self, held: Vec<Held>) {
        if *self.installed.borrow() == held {
            return;
        }
        *self.installed.borrow_mut() = held;
        self.store();
    }

    /// Writes the file.
    pub(super) fn store(&self) {
        let written = self.write();
        let is_new = written.is_err() && self.not_written.borrow().is_none();
        if let Some(text) = written.as_ref().err().filter(|_| is_new) {
            self.context.note(Level::Warning, text.clone());
        }
        *self.not_written.borrow_mut() = written.err();
    }

    fn write(&self) -> Result<(), String> {
        let (held, dir) = (self.all(), &self.context.dir);
        let result = if held.is_empty() {
            dir.remove(FILE)
        } else {
            let octets = installed::encode(&held).map_err(std::io::Error::other);
            octets.and_then(|octets| dir.write(FILE, &octets)).map(drop)
        };
        result.map_err(|error| {
            format!(
                "{FILE} cannot be written: {error}; if all processes are killed, the next start \
                 does not know which addresses to remove"
            )
        })
    }

    /// What the vrrp process has.
    pub(super) fn installed(&self) -> Vec<Held> {
        self.installed.borrow().clone()
    }

    /// Asks something about what the vrrp process has.
    pub(super) fn with<T>(&self, ask: impl FnOnce(&[Held]) -> T) -> T {
        ask(&self.installed.borrow())
    }

    /// All that is in the kernel, also what no vrrp process knows of.
    pub fn all(&self) -> Vec<Held> {
        let mut held = self.installed();
        held.extend_from_slice(self.remainder.borrow().held());
        held
    }

    /// Whether there is something.
    pub fn is_held(&self) -> bool {
        !self.installed.borrow().is_empty()
    }

    /// Whether a process that starts now goes on as master somewhere.
    pub fn is_resumable(&self, now: Instant) -> bool {
        let saved = self.saved();
        let resumable =
            |one: &Held| saved.get(&one.key()).is_some_and(|slot| one.is_resumable(slot, now));
        self.installed.borrow().iter().any(resumable)
    }

    /// What a process is told that has ended again and again, and for how long it stays backup.
    pub const fn stand_back() -> (ToChild, Duration) {
        (ToChild::StandBack { hold_for: STAND_BACK_TIME }, STAND_BACK_TIME)
    }

    /// Why the file could not be written.
    pub fn loss(&self) -> Option<String> {
        self.not_written.borrow().clone()
    }

    /// See `withdraw`.
    pub async fn before_start(&self) {
        withdraw::before_start(self).await;
    }

    /// See `withdraw`.
    pub async fn remove_rest(&self) {
        withdraw::remove_rest(self).await;
    }

    /// See `withdraw`.
    pub async fn remove_when_due(&self) {
        withdraw::when_due(self).await;
    }

    /// See `withdraw`.
    pub async fn remove_all(&self) {
        withdraw::all(self).await;
    }
}
