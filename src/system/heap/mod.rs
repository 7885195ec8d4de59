//! Counts what the allocator gives out.
//!
//! The program installs [`Counting`]; the library does not, so that a test takes the allocator
//! that it likes. Where nobody counts, [`count`] says so. In builds with debug assertions each block
//! can be recorded with the place that asked for it (`record`).

#[cfg(debug_assertions)]
pub mod record;
#[cfg(debug_assertions)]
pub mod sites;

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

/// Octets that are in use.
static LIVE: AtomicUsize = AtomicUsize::new(0);
/// The most that ever were. Never 0 where somebody counts.
static PEAK: AtomicUsize = AtomicUsize::new(0);
/// Blocks that are in use.
static BLOCKS: AtomicUsize = AtomicUsize::new(0);
/// Requests for a block or for another size of one.
static TAKEN: AtomicUsize = AtomicUsize::new(0);

/// The system's allocator, counted.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counting;

/// What was counted in this process. The numbers are read one after the other, and are as wide as
/// a pointer, since not every CPU has wider atomic ones: on 32 bits, `allocations` begins again
/// after 4 thousand million.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Heap {
    /// Octets in use, as they were asked for.
    pub live: usize,
    /// The most octets that ever were in use.
    pub peak: usize,
    /// Blocks in use.
    pub blocks: usize,
    /// Blocks that were ever asked for; another size of a block counts as one more.
    pub allocations: usize,
}

/// What was counted; `None` when [`Counting`] is not the allocator of this program.
pub fn count() -> Option<Heap> {
    let peak = PEAK.load(Ordering::Relaxed);
    (peak > 0).then(|| Heap {
        live: LIVE.load(Ordering::Relaxed),
        peak,
        blocks: BLOCKS.load(Ordering::Relaxed),
        allocations: TAKEN.load(Ordering::Relaxed),
    })
}

/// Whether blocks are recorded, which `record::start` begins.
pub fn is_recording() -> bool {
    #[cfg(debug_assertions)]
    let recording = record::is_recording();
    #[cfg(not(debug_assertions))]
    let recording = false;
    recording
}

/// The system gave a block.
fn took(block: *mut u8, size: usize) {
    if block.is_null() {
        return;
    }
    #[cfg(debug_assertions)]
    if !record::took(block, size) {
        return;
    }
    TAKEN.fetch_add(1, Ordering::Relaxed);
    BLOCKS.fetch_add(1, Ordering::Relaxed);
    change(0, size);
}

/// A block is about to go back.
fn gives(#[cfg_attr(not(debug_assertions), expect(unused))] block: *mut u8, size: usize) {
    #[cfg(debug_assertions)]
    if !record::gives(block) {
        return;
    }
    BLOCKS.fetch_sub(1, Ordering::Relaxed);
    LIVE.fetch_sub(size, Ordering::Relaxed);
}

/// So many octets became so many.
fn change(from: usize, to: usize) {
    let by = to.wrapping_sub(from);
    let now = LIVE.fetch_add(by, Ordering::Relaxed).wrapping_add(by);
    // Most of the time it is not the most, and a look is cheaper than an exchange.
    if now > PEAK.load(Ordering::Relaxed) {
        PEAK.fetch_max(now, Ordering::Relaxed);
    }
}

// Not inline: there are thousands of places that ask for memory.
// SAFETY: every call goes to the system's allocator with the same arguments, and what is done
// beside it neither panics nor touches the block.
unsafe impl GlobalAlloc for Counting {
    #[inline(never)]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promise is passed on.
        let block = unsafe { System.alloc(layout) };
        took(block, layout.size());
        block
    }

    #[inline(never)]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as above.
        let block = unsafe { System.alloc_zeroed(layout) };
        took(block, layout.size());
        block
    }

    #[inline(never)]
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // Before it goes: afterwards it may be somebody else's already.
        gives(block, layout.size());
        // SAFETY: as above.
        unsafe { System.dealloc(block, layout) }
    }

    #[inline(never)]
    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        #[cfg(debug_assertions)]
        let counted = record::gives(block);
        // SAFETY: as above.
        let new = unsafe { System.realloc(block, layout, size) };
        #[cfg(debug_assertions)]
        if !counted {
            return new;
        }
        if new.is_null() {
            // The old one is still there.
            #[cfg(debug_assertions)]
            record::took(block, layout.size());
        } else {
            #[cfg(debug_assertions)]
            record::took(new, size);
            TAKEN.fetch_add(1, Ordering::Relaxed);
            change(layout.size(), size);
        }
        new
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The tests of the library have the system's own allocator, so that nobody else counts here.
    #[test]
    fn blocks_are_counted_and_where_nobody_counts_nothing_is_said() {
        assert_eq!(count(), None);
        let layout = Layout::from_size_align(100, 8).unwrap();
        // SAFETY: each block is used as the allocator's rules say: with the layout that it was
        // asked for with, and not after it went back.
        unsafe {
            let first = Counting.alloc(layout);
            let second = Counting.alloc_zeroed(layout);
            assert!((0..100).all(|at| *second.add(at) == 0));
            let both = count().unwrap();
            assert_eq!((both.live, both.peak, both.blocks, both.allocations), (200, 200, 2, 2));
            let first = Counting.realloc(first, layout, 700);
            let large = Layout::from_size_align(700, 8).unwrap();
            assert_eq!(count().unwrap().live, 800);
            let first = Counting.realloc(first, large, 50);
            Counting.dealloc(second, layout);
            Counting.dealloc(first, Layout::from_size_align(50, 8).unwrap());
        }
        let after = count().unwrap();
        assert_eq!((after.live, after.peak, after.blocks, after.allocations), (0, 800, 0, 4));
    }
}
