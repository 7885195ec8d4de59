//! Records the blocks in use, each with its call site. For builds with debug assertions.
//!
//! A backtrace is captured for every block and resolved only at the end, since looking up the names of
//! functions is slow.

use std::backtrace::Backtrace;
use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::sites::{self, Found};

static RECORDING: AtomicBool = AtomicBool::new(false);
static BLOCKS: Mutex<BTreeMap<usize, Block>> = Mutex::new(BTreeMap::new());

thread_local! {
    /// The recorder is running: blocks that it allocates itself are not recorded.
    static BUSY: Cell<bool> = const { Cell::new(false) };
}

/// A block in use.
#[derive(Debug)]
struct Block {
    size: usize,
    taken: Backtrace,
}

/// The recorder is running while a value exists.
struct Busy;

impl Busy {
    /// `None` when the recorder is running already.
    fn begin() -> Option<Self> {
        // Not `then_some`: dropping the unused value would end the other one.
        (!BUSY.replace(true)).then(|| Self)
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        BUSY.set(false);
    }
}

/// Begins to record blocks. Earlier blocks are ignored.
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

/// Records an allocated block. `false`: it belongs to the recorder and is not counted.
pub(super) fn allocated(block: *mut u8, size: usize) -> bool {
    let Some(_busy) = Busy::begin() else { return false };
    if is_recording() {
        let taken = Backtrace::force_capture();
        blocks().insert(block.addr(), Block { size, taken });
    }
    true
}

/// Forgets a block that is freed. `false`: as with [`allocated`].
pub(super) fn freeing(block: *mut u8) -> bool {
    let Some(_busy) = Busy::begin() else { return false };
    if is_recording() {
        blocks().remove(&block.addr());
    }
    true
}

/// Ends the recording and reports the blocks in use, line by line. It reads the file of this program for
/// the names of functions.
pub fn finish(mut report: impl FnMut(&str)) {
    RECORDING.store(false, Ordering::Relaxed);
    let Some(_busy) = Busy::begin() else { return };
    let mut found = Found::default();
    for block in std::mem::take(&mut *blocks()).into_values() {
        found.add(block.size, &sites::frames(&block.taken.to_string()));
    }
    for line in found.lines() {
        report(&line);
    }
}
