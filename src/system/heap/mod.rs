//! Counts allocations.
//!
//! The program installs [`Counting`]; the library does not, so that a test can choose its allocator.
//! Without [`Counting`], [`count`] returns `None`. In builds with debug assertions each block can be
//! recorded with its call site (`record`).

#[cfg(debug_assertions)]
pub mod record;
#[cfg(debug_assertions)]
pub mod sites;

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

/// Octets in use.
static LIVE_OCTETS: AtomicUsize = AtomicUsize::new(0);
/// The highest number of octets in use so far. It is 0 only when [`Counting`] is not installed.
static PEAK_OCTETS: AtomicUsize = AtomicUsize::new(0);
/// Blocks in use.
static LIVE_BLOCKS: AtomicUsize = AtomicUsize::new(0);
/// Allocations and reallocations.
static ALLOCATIONS: AtomicUsize = AtomicUsize::new(0);

/// The system's allocator, counted.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counting;

/// The memory use of this process. The numbers are read one after the other. They are as wide as a
/// pointer, since not every CPU has wider atomic integers; on 32 bits, `allocations` wraps after 2^32.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Heap {
    /// Octets in use, as requested.
    pub live: usize,
    /// The highest number of octets in use so far.
    pub peak: usize,
    /// Blocks in use.
    pub blocks: usize,
    /// Allocations since the start; a reallocation counts as one more.
    pub allocations: usize,
}

/// The memory use; `None` when [`Counting`] is not the allocator of this program.
pub fn count() -> Option<Heap> {
    let peak = PEAK_OCTETS.load(Ordering::Relaxed);
    (peak > 0).then(|| Heap {
        live: LIVE_OCTETS.load(Ordering::Relaxed),
        peak,
        blocks: LIVE_BLOCKS.load(Ordering::Relaxed),
        allocations: ALLOCATIONS.load(Ordering::Relaxed),
    })
}

/// Whether blocks are recorded (`record::start`).
pub fn is_recording() -> bool {
    #[cfg(debug_assertions)]
    let recording = record::is_recording();
    #[cfg(not(debug_assertions))]
    let recording = false;
    recording
}

/// Counts an allocated block.
fn allocated(block: *mut u8, size: usize) {
    if block.is_null() {
        return;
    }
    #[cfg(debug_assertions)]
    if !record::allocated(block, size) {
        return;
    }
    ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
    LIVE_BLOCKS.fetch_add(1, Ordering::Relaxed);
    change(0, size);
}

/// Counts a block that is about to be freed.
fn freeing(#[cfg_attr(not(debug_assertions), expect(unused))] block: *mut u8, size: usize) {
    #[cfg(debug_assertions)]
    if !record::freeing(block) {
        return;
    }
    LIVE_BLOCKS.fetch_sub(1, Ordering::Relaxed);
    LIVE_OCTETS.fetch_sub(size, Ordering::Relaxed);
}

/// Counts a block that had `from` octets and has `to` octets now.
fn change(from: usize, to: usize) {
    let by = to.wrapping_sub(from);
    let now = LIVE_OCTETS.fetch_add(by, Ordering::Relaxed).wrapping_add(by);
    // The peak seldom rises, and a load is cheaper than an atomic maximum.
    if now > PEAK_OCTETS.load(Ordering::Relaxed) {
        PEAK_OCTETS.fetch_max(now, Ordering::Relaxed);
    }
}

// Not inlined, since there are thousands of call sites.
// SAFETY: every call goes to the system's allocator with the same arguments, and the counting
// neither panics nor touches the block.
unsafe impl GlobalAlloc for Counting {
    #[inline(never)]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promise is passed on.
        let block = unsafe { System.alloc(layout) };
        allocated(block, layout.size());
        block
    }

    #[inline(never)]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as above.
        let block = unsafe { System.alloc_zeroed(layout) };
        allocated(block, layout.size());
        block
    }

    #[inline(never)]
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // Before the block is freed: afterwards another thread may have it already.
        freeing(block, layout.size());
        // SAFETY: as above.
        unsafe { System.dealloc(block, layout) }
    }

    #[inline(never)]
    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        #[cfg(debug_assertions)]
        let counted = record::freeing(block);
        // SAFETY: as above.
        let new = unsafe { System.realloc(block, layout, size) };
        #[cfg(debug_assertions)]
        if !counted {
            return new;
        }
        if new.is_null() {
            // The old block still exists.
            #[cfg(debug_assertions)]
            record::allocated(block, layout.size());
        } else {
            #[cfg(debug_assertions)]
            record::allocated(new, size);
            ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
            change(layout.size(), size);
        }
        new
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The tests of the library use the system's allocator, so that only this test counts.
    #[test]
    fn blocks_are_counted_and_without_the_counting_allocator_there_is_no_count() {
        assert_eq!(count(), None);
        let layout = Layout::from_size_align(100, 8).unwrap();
        // SAFETY: each block is used with the layout of its allocation, and not after it was freed.
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
