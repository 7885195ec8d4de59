//! Which blocks are in use, and who asked for each. For builds with debug assertions.
//!
//! A backtrace is taken for every block, and only read at the end: the names of functions cost
//! more than all that the program does.

use std::backtrace::Backtrace;
use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::sites::{self, Found};

static RECORDING: AtomicBool = AtomicBool::new(false);
static BLOCKS: Mutex<BTreeMap<usize, Block>> = Mutex::new(BTreeMap::new());

thread_local! {
    /// The recorder itself is at work: what it needs is none of the program's blocks.
    static BUSY: Cell<bool> = const { Cell::new(false) };
}

/// A block in use.
#[derive(Debug)]
struct Block {
    size: usize,
    taken: Backtrace,
}

/// While there is one, the recorder is at work.
struct Busy;

impl Busy {
    /// `None`: it is already.
    fn begin() -> Option<Self> {
        // Not `then_some`: the one that is not wanted would end the other.
        (!BUSY.replace(true)).then(|| Self)
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        BUSY.set(false);
    }
}

/// From now on every block is recorded. What was taken before is of no interest.
pub fn start() {
    RECORDING.store(true, Ordering::Relaxed);
}

/// Whether blocks are recorded.
pub fn is_recording() -> bool {
    RECORDING.load(Ordering::Relaxed)
}

fn blocks() -> MutexGuard<'static, BTreeMap<usize, Block>> {
    BLOCKS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The system gave a block. `false`: it is the recorder's, and does not count.
pub(super) fn took(block: *mut u8, size: usize) -> bool {
    let Some(_busy) = Busy::begin() else { return false };
    if is_recording() {
        let taken = Backtrace::force_capture();
        blocks().insert(block.addr(), Block { size, taken });
    }
    true
}

/// A block goes back. `false`: as with [`took`].
pub(super) fn gives(block: *mut u8) -> bool {
    let Some(_busy) = Busy::begin() else { return false };
    if is_recording() {
        blocks().remove(&block.addr());
    }
    true
}

/// Ends the recording: what is in use, said line by line. Reads this program's file for the names.
pub fn finish(mut say: impl FnMut(&str)) {
    RECORDING.store(false, Ordering::Relaxed);
    let Some(_busy) = Busy::begin() else { return };
    let mut found = Found::default();
    for block in std::mem::take(&mut *blocks()).into_values() {
        found.add(block.size, &sites::frames(&block.taken.to_string()));
    }
    for line in found.lines() {
        say(&line);
    }
}
