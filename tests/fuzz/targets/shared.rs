//! Memory that another process has written.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use steadfast::control::shared_memory::{Key, SLOTS, Saved, Shared, SlotId, WORDS};
use steadfast::units::{Instant, Priority, State, Vrid};

use super::input::Input;

/// Words before the slots, and words of a slot.
const HEADER: usize = 16;
const SLOT: usize = 8;

pub fn run(data: &[u8]) {
    let mut input = Input::new(data);
    let manners = input.u8();
    if manners & 7 == 7 {
        // Too short: refused whatever is in it.
        let words: Vec<AtomicU32> = (0..usize::from(input.u16())).map(|_| 0.into()).collect();
        assert!(Shared::open(&words[..]).is_err());
        return;
    }
    // Made once, since it is large; `Touched` puts zeros where something was written.
    MEMORY.with(|memory| look(&mut Touched { memory, places: Vec::new() }, manners, &mut input));
}

thread_local! {
    static MEMORY: Vec<AtomicU32> = (0..WORDS).map(|_| AtomicU32::new(0)).collect();
}

struct Touched<'a> {
    memory: &'a [AtomicU32],
    places: Vec<usize>,
}

impl Touched<'_> {
    fn write(&mut self, place: usize, value: u32) {
        self.memory[place].store(value, Ordering::Relaxed);
        self.places.push(place);
    }
}

impl Drop for Touched<'_> {
    fn drop(&mut self) {
        for place in (0..HEADER).chain(self.places.drain(..)) {
            self.memory[place].store(0, Ordering::Relaxed);
        }
    }
}

fn look(touched: &mut Touched<'_>, manners: u8, input: &mut Input<'_>) {
    let memory = touched.memory;
    // The layout's own number, unless the input brings another.
    let _ = Shared::create(memory).expect("it is long enough");
    let magic = memory[0].load(Ordering::Relaxed);
    for word in &memory[1..HEADER] {
        if !input.is_empty() {
            word.store(input.u32(), Ordering::Relaxed);
        }
    }
    if manners & 8 != 0 {
        memory[0].store(input.u32(), Ordering::Relaxed);
    }
    // How many slots are in use decides over what is looked at: not always the most.
    if manners & 0x30 != 0x30 {
        memory[1].fetch_and(63, Ordering::Relaxed);
    }
    let steps = input.u8();
    while !input.is_empty() {
        let place = usize::from(input.u16()) % (WORDS - HEADER) + HEADER;
        let place = if steps & 1 == 0 { HEADER + place % (64 * SLOT) } else { place };
        touched.write(place, input.u32());
    }
    let Ok(shared) = Shared::open(memory) else {
        assert_ne!(memory[0].load(Ordering::Relaxed), magic, "its own layout");
        return;
    };
    assert_eq!(memory[0].load(Ordering::Relaxed), magic, "another layout is refused");

    let before: Vec<_> = shared.iter().collect();
    assert!(before.len() <= SLOTS);
    let beats = shared.beats();
    let now = Instant::from_nanos(u64::from(steps) << 36);
    shared.beat(now);
    assert_eq!(shared.beats(), beats.wrapping_add(1));
    let since = shared.since_beat(now + Duration::from_secs(3));
    assert_eq!(since, Duration::from_secs(3));
    let late = shared.worst_late().max(Duration::from_millis(steps.into()));
    shared.late(Duration::from_millis(steps.into()));
    assert_eq!(shared.worst_late(), late);
    shared.forget_late();
    assert_eq!(shared.worst_late(), Duration::ZERO);

    let key = Key::new("lan", "eth0", Vrid::new(1 + steps % 250).expect("not 0"));
    let saved = Saved {
        state: State::Master,
        last_advert: Instant::from_nanos(u64::from(magic) << (steps % 32)),
        priority: Priority(steps),
        installed: u32::from(steps) << 16,
        handing_over: manners & 32 != 0,
        hold: match manners >> 6 {
            0 | 1 => None,
            2 => Some(None),
            // Kept to the second.
            _ => Some(Some(Instant::ORIGIN + Duration::from_secs(2 + u64::from(steps)))),
        },
    };
    let Some(slot) = shared.claim(key) else {
        assert_eq!(before.len(), SLOTS, "there is a free slot");
        return;
    };
    assert_eq!(shared.claim(key), Some(slot), "the same slot each time");
    touched.places.extend(slot_words(slot));
    shared.store(slot, &saved);
    assert_eq!(shared.load(slot), Some(saved));
    let after: Vec<_> = shared.iter().collect();
    assert!(after.contains(&(slot, key, Some(saved))));
    for found in before.iter().filter(|(id, _, _)| *id != slot) {
        assert!(after.contains(found), "a slot of another changed");
    }
    shared.free(slot);
    assert_eq!(shared.load(slot), None);
    assert!(shared.iter().all(|(id, _, _)| id != slot));
}

/// Where the words of a slot are, which a claim has written.
fn slot_words(slot: SlotId) -> std::ops::Range<usize> {
    let shown = format!("{slot:?}");
    let digits = shown.trim_matches(|c: char| !c.is_ascii_digit());
    let number: usize = digits.parse().expect("a slot shows its number");
    HEADER + number * SLOT..HEADER + (number + 1) * SLOT
}
