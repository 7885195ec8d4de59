//! What outlives a child: the memory that it and the supervisor share (architecture.md).
//!
//! One process writes, the child, by plain stores that never wait; the supervisor and the next
//! child read. There are only words of 32 bits, since some CPUs have no larger atomic ones.
//!
//! ```text
//! word 0      magic and version of the layout, 0 while nobody has written it
//! word 1      how many slots were ever in use
//! word 2 ..   turns of the loop of the process, when the last one began, how late its timer was at
//!             worst (microseconds), when the next turn is due; moments are milliseconds of the
//!             clock, modulo 2^32
//! word 14     changes of slots, without those of the last advert and the priority
//! word 15     1: the kernel has no packet filter
//! word 16 ..  slots of 8 words each:
//!             sequence, key (2), flags, last advert (2), installed, hold
//! ```
//!
//! A slot's sequence is odd while its writer is at work. A reader that finds it odd, or changed,
//! tries again; after some tries it gives up, since the writer may have died there.

#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::atomic::{AtomicU32, Ordering, fence};
use std::time::Duration;

use crate::units::{Instant, Priority, State, Vrid};

/// Words of the whole: 256 KiB, of which only the touched pages are there.
pub const WORDS: usize = HEADER + SLOTS * SLOT;

/// The most instances.
pub const SLOTS: usize = 8192;

/// "SF", and the version of the layout: another number whenever a word gets another meaning.
pub const MAGIC: u32 = 0x5346_0003;

/// Words before the slots.
const HEADER: usize = 16;
/// Words of a slot.
const SLOT: usize = 8;

/// How often a reader tries: a write takes a few instructions, so that even one that was
/// interrupted in the middle is most often over by then.
const TRIES: usize = 1000;

mod word {
    pub const MAGIC: usize = 0;
    pub const USED: usize = 1;
    pub const TURNS: usize = 2;
    pub const BEGAN: usize = 3;
    pub const LATE: usize = 4;
    pub const DUE: usize = 5;
    pub const CHANGES: usize = 14;
    pub const UNFILTERED: usize = 15;
}

/// Bits of the word of flags.
mod flag {
    pub const STATE: u32 = 0x3;
    pub const HANDING_OVER: u32 = 0x4;
    pub const PRIORITY_AT: u32 = 8;
}

/// The word of a hold: none, without an end, or the second of the clock when it ends.
mod hold {
    use std::time::Duration;

    use crate::units::Instant;

    const NONE: u32 = 0;
    const ENDLESS: u32 = 1;
    const SECOND: u64 = 1_000_000_000;

    pub fn word(hold: Option<Option<Instant>>) -> u32 {
        match hold {
            None => NONE,
            Some(None) => ENDLESS,
            Some(Some(until)) => {
                let seconds = until.as_nanos().div_ceil(SECOND);
                u32::try_from(seconds).unwrap_or(u32::MAX).max(ENDLESS + 1)
            }
        }
    }

    pub fn from_word(word: u32) -> Option<Option<Instant>> {
        match word {
            NONE => None,
            ENDLESS => Some(None),
            seconds => Some(Some(Instant::ORIGIN + Duration::from_secs(seconds.into()))),
        }
    }
}

/// Why the memory cannot be used.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Unusable {
    /// It is shorter than [`WORDS`].
    TooShort,
    /// It was written by a program with another layout.
    Layout(u32),
}

impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooShort => f.write_str("the shared memory is too short"),
            Self::Layout(found) => write!(
                f,
                "the shared memory has layout {found:08x}, this program knows {MAGIC:08x}: both \
                 processes have to be of one version"
            ),
        }
    }
}

impl std::error::Error for Unusable {}

/// Which instance a slot is about: the same in each run as long as these three are.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Key(u64);

impl Key {
    /// FNV-1a over the name of the instance, its interface and its VRID. Not over its families: an
    /// instance has one state in all of them.
    pub fn new(instance: &str, interface: &str, vrid: Vrid) -> Self {
        // Names have no octet 0, so that it parts them.
        let octets = instance.bytes().chain([0]).chain(interface.bytes()).chain([0, vrid.get()]);
        let hash = octets.fold(0xcbf2_9ce4_8422_2325_u64, |hash, octet| {
            (hash ^ u64::from(octet)).wrapping_mul(0x0100_0000_01b3)
        });
        // 0 is the key of a slot that nobody has.
        Self(hash.max(1))
    }
}

/// A slot.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct SlotId(u32);

/// The two bits of a state in the flags of its slot.
const fn state_bits(state: State) -> u32 {
    match state {
        State::Initialize => 0,
        State::Backup => 1,
        State::Master => 2,
        State::Fault => 3,
    }
}

const fn state_of(flags: u32) -> State {
    match flags & flag::STATE {
        1 => State::Backup,
        2 => State::Master,
        3 => State::Fault,
        _ => State::Initialize,
    }
}

/// What is known of an instance.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Saved {
    /// Its state.
    pub state: State,
    /// When it last sent an advert; the origin: never.
    pub last_advert: Instant,
    /// Its effective priority.
    pub priority: Priority,
    /// How many of its addresses, routes and rules are in the kernel.
    pub installed: u32,
    /// A planned hand-over is under way.
    pub handing_over: bool,
    /// An operator holds it as backup, until that time (to the second), or until it is released.
    pub hold: Option<Option<Instant>>,
}

/// The shared memory with its layout.
#[derive(Debug)]
pub struct Shared<M> {
    memory: M,
}

impl<M: AsRef<[AtomicU32]>> Shared<M> {
    /// Over memory that is all zero, which becomes usable for [`Shared::open`].
    ///
    /// # Errors
    /// [`Unusable`].
    pub fn create(memory: M) -> Result<Self, Unusable> {
        let shared = Self::over(memory)?;
        shared.put(word::MAGIC, MAGIC);
        Ok(shared)
    }

    /// Over memory that another process has prepared.
    ///
    /// # Errors
    /// [`Unusable`].
    pub fn open(memory: M) -> Result<Self, Unusable> {
        let shared = Self::over(memory)?;
        match shared.read(word::MAGIC, Ordering::Acquire) {
            MAGIC => Ok(shared),
            other => Err(Unusable::Layout(other)),
        }
    }

    /// The memory itself.
    pub const fn memory(&self) -> &M {
        &self.memory
    }

    /// Takes over all that is in another memory of this layout, which nobody writes any more.
    pub fn take_over<N: AsRef<[AtomicU32]>>(&self, other: &Shared<N>) {
        let words = other.memory.as_ref().iter().take(HEADER + other.used() * SLOT);
        for (to, from) in self.memory.as_ref().iter().zip(words) {
            to.store(from.load(Ordering::Relaxed), Ordering::Relaxed);
        }
    }

    fn over(memory: M) -> Result<Self, Unusable> {
        if memory.as_ref().len() < WORDS { Err(Unusable::TooShort) } else { Ok(Self { memory }) }
    }

    /// Counts one turn of the loop of the process, which begins now.
    pub fn beat(&self, now: Instant) {
        self.put_relaxed(word::BEGAN, millis(now));
        if let Some(word) = self.word(word::TURNS) {
            word.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// The timer of the process was late by so much; the worst is kept.
    pub fn late(&self, by: Duration) {
        if let Some(word) = self.word(word::LATE) {
            let by = u32::try_from(by.as_micros()).unwrap_or(u32::MAX);
            word.fetch_max(by, Ordering::Relaxed);
        }
    }

    /// How many turns the loop of the process has made, modulo 2^32.
    pub fn beats(&self) -> u32 {
        self.read(word::TURNS, Ordering::Relaxed)
    }

    /// For how long the loop of the process has been in its last turn, or has waited since. Nothing longer
    /// than 49 days.
    pub fn since_beat(&self, now: Instant) -> Duration {
        let began = self.read(word::BEGAN, Ordering::Relaxed);
        Duration::from_millis(millis(now).wrapping_sub(began).into())
    }

    /// The next turn of the loop of the process is due then, at the latest.
    pub fn set_due(&self, at: Instant) {
        self.put_relaxed(word::DUE, millis(at));
    }

    /// When the next turn of the loop of the process is due. Good for moments within 24 days.
    pub fn due(&self, now: Instant) -> Instant {
        let due = self.read(word::DUE, Ordering::Relaxed).wrapping_sub(millis(now));
        let distance = Duration::from_millis(due.cast_signed().unsigned_abs().into());
        if due.cast_signed() < 0 { now - distance } else { now + distance }
    }

    /// How often what slots say has changed, without the last adverts and the priorities, modulo
    /// 2^32.
    pub fn changes(&self) -> u32 {
        self.read(word::CHANGES, Ordering::Acquire)
    }

    /// How late the timer of the process was at worst, since [`Shared::forget_late`].
    pub fn worst_late(&self) -> Duration {
        Duration::from_micros(self.read(word::LATE, Ordering::Relaxed).into())
    }

    /// The kernel has no packet filter: the next process need not ask, since where modules cannot
    /// be loaded the answer may take seconds.
    pub fn set_unfiltered(&self) {
        self.put_relaxed(word::UNFILTERED, 1);
    }

    /// Whether [`Shared::set_unfiltered`] was said.
    pub fn is_unfiltered(&self) -> bool {
        self.read(word::UNFILTERED, Ordering::Relaxed) != 0
    }

    /// Another process begins with nothing to be blamed for.
    pub fn forget_late(&self) {
        self.put_relaxed(word::LATE, 0);
    }

    /// The slot of an instance: the one that it had before, or one that nobody has; `None` when
    /// all are taken. Only for the writer; not for the hot path, since it looks through all.
    pub fn claim(&self, key: Key) -> Option<SlotId> {
        let mut free = None;
        for id in self.slots() {
            match self.key(id) {
                Some(found) if found == key => return Some(id),
                None if free.is_none() => free = Some(id),
                Some(_) | None => {}
            }
        }
        let used = self.used();
        let id =
            free.or_else(|| (used < SLOTS).then(|| SlotId(u32::try_from(used).unwrap_or(0))))?;
        self.write(id, Some(key), &Saved::NOTHING);
        if free.is_none() {
            // After the slot, so that nobody counts one that is not written.
            self.put(word::USED, id.0 + 1);
        }
        Some(id)
    }

    /// Writes what is known of an instance. Only for the writer; never waits.
    pub fn store(&self, id: SlotId, saved: &Saved) {
        self.write(id, self.key(id), saved);
    }

    /// What is known of an instance; `None` when nobody has the slot, or its writer died while it
    /// wrote.
    pub fn load(&self, id: SlotId) -> Option<Saved> {
        self.entry(id).map(|(_, saved)| saved)
    }

    /// The same with whose it is.
    fn entry(&self, id: SlotId) -> Option<(Key, Saved)> {
        let [sequence, _, _, flags, low, high, installed, hold] = self.slot(id)?;
        for _ in 0..TRIES {
            let before = sequence.load(Ordering::Acquire);
            if before & 1 == 1 {
                std::hint::spin_loop();
                continue;
            }
            let key = self.key(id);
            let flags = flags.load(Ordering::Relaxed);
            let advert = join(low, high);
            let installed = installed.load(Ordering::Relaxed);
            let hold = hold.load(Ordering::Relaxed);
            // The words are read before the sequence is read again.
            fence(Ordering::Acquire);
            if sequence.load(Ordering::Relaxed) == before {
                let [_, _, priority, _] = flags.to_be_bytes();
                let saved = Saved {
                    state: state_of(flags),
                    last_advert: Instant::from_nanos(advert),
                    priority: Priority(priority),
                    installed,
                    handing_over: flags & flag::HANDING_OVER != 0,
                    hold: hold::from_word(hold),
                };
                return Some((key?, saved));
            }
        }
        None
    }

    /// All slots that somebody has, with what is in them: nothing when the writer died while it
    /// wrote, and the key is only good to free the slot then.
    pub fn iter(&self) -> impl Iterator<Item = (SlotId, Key, Option<Saved>)> {
        self.slots().filter_map(|id| match self.entry(id) {
            Some((key, saved)) => Some((id, key, Some(saved))),
            None => Some((id, self.key(id)?, None)),
        })
    }

    /// Gives a slot back. Only for the writer.
    pub fn free(&self, id: SlotId) {
        self.write(id, None, &Saved::NOTHING);
    }

    fn write(&self, id: SlotId, key: Option<Key>, saved: &Saved) {
        let Some([sequence, key_low, key_high, flags, low, high, installed, hold]) = self.slot(id)
        else {
            return;
        };
        // Odd already when a former writer died at work; its words are replaced.
        let odd = sequence.load(Ordering::Relaxed) | 1;
        sequence.store(odd, Ordering::Relaxed);
        // Whoever reads one of the words below sees the odd sequence afterwards.
        fence(Ordering::Release);
        split(key.map_or(0, |key| key.0), key_low, key_high);
        let handing_over = if saved.handing_over { flag::HANDING_OVER } else { 0 };
        let state = state_bits(saved.state) | handing_over;
        let priority = u32::from(saved.priority.0) << flag::PRIORITY_AT;
        let hold_word = hold::word(saved.hold);
        let before = flags.load(Ordering::Relaxed) & (flag::STATE | flag::HANDING_OVER);
        let has_changed = before != state
            || installed.load(Ordering::Relaxed) != saved.installed
            || hold.load(Ordering::Relaxed) != hold_word;
        flags.store(state | priority, Ordering::Relaxed);
        split(saved.last_advert.as_nanos(), low, high);
        installed.store(saved.installed, Ordering::Relaxed);
        hold.store(hold_word, Ordering::Relaxed);
        sequence.store(odd.wrapping_add(1), Ordering::Release);
        if has_changed && let Some(count) = self.word(word::CHANGES) {
            // After the slot, so that whoever sees the count sees what is in the slot.
            count.fetch_add(1, Ordering::Release);
        }
    }

    fn key(&self, id: SlotId) -> Option<Key> {
        let [_, low, high, ..] = self.slot(id)?;
        match join(low, high) {
            0 => None,
            key => Some(Key(key)),
        }
    }

    fn used(&self) -> usize {
        let used = self.read(word::USED, Ordering::Acquire);
        usize::try_from(used).unwrap_or(SLOTS).min(SLOTS)
    }

    /// The slots that were ever in use.
    fn slots(&self) -> impl Iterator<Item = SlotId> + use<M> {
        (0..u32::try_from(self.used()).unwrap_or(0)).map(SlotId)
    }

    fn slot(&self, id: SlotId) -> Option<&[AtomicU32; SLOT]> {
        let at = HEADER + usize::try_from(id.0).ok()? * SLOT;
        self.memory.as_ref().get(at..at + SLOT)?.first_chunk()
    }

    /// A word of the header; it is there, since the length was looked at.
    fn word(&self, at: usize) -> Option<&AtomicU32> {
        self.memory.as_ref().get(at)
    }

    fn read(&self, at: usize, order: Ordering) -> u32 {
        self.word(at).map_or(0, |word| word.load(order))
    }

    fn put_relaxed(&self, at: usize, value: u32) {
        if let Some(word) = self.word(at) {
            word.store(value, Ordering::Relaxed);
        }
    }

    fn put(&self, at: usize, value: u32) {
        if let Some(word) = self.word(at) {
            word.store(value, Ordering::Release);
        }
    }
}

impl Saved {
    /// Whether its process is, or was to the last, master and does not give that up.
    pub fn stays_master(&self) -> bool {
        self.state == State::Master && !self.handing_over
    }

    const NOTHING: Self = Self {
        state: State::Initialize,
        last_advert: Instant::ORIGIN,
        priority: Priority::STOP,
        installed: 0,
        handing_over: false,
        hold: None,
    };
}

/// The clock as a word.
fn millis(now: Instant) -> u32 {
    let [a, b, c, d, ..] = (now.as_nanos() / 1_000_000).to_le_bytes();
    u32::from_le_bytes([a, b, c, d])
}

fn split(value: u64, low: &AtomicU32, high: &AtomicU32) {
    let [a, b, c, d, e, f, g, h] = value.to_le_bytes();
    low.store(u32::from_le_bytes([a, b, c, d]), Ordering::Relaxed);
    high.store(u32::from_le_bytes([e, f, g, h]), Ordering::Relaxed);
}

fn join(low: &AtomicU32, high: &AtomicU32) -> u64 {
    u64::from(high.load(Ordering::Relaxed)) << 32 | u64::from(low.load(Ordering::Relaxed))
}
