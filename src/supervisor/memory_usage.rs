//! The memory of the processes, for the status.

use crate::control::status::{Heap, Memory};
use crate::system::heap;
use crate::system::resident_memory::Resident;

/// Of this process.
pub fn own() -> Memory {
    of(std::process::id(), heap::count().map(Into::into))
}

/// Of a process that has counted its heap. It is not asked about what the kernel knows, since
/// children read no files.
pub fn of(pid: u32, heap: Option<Heap>) -> Memory {
    let kernel = Resident::of(pid);
    Memory {
        heap,
        resident: kernel.resident,
        proportional: kernel.proportional,
        anonymous: kernel.anonymous,
        unknown: kernel.unknown,
    }
}
