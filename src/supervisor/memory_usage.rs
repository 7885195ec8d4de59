//! The memory of the processes, for the status.

use std::rc::Rc;

use super::child_link::Report;
use super::supervised::Supervised;
use crate::control::status::{Heap, ProcessMemory};
use crate::system::heap;
use crate::system::resident_memory::Resident;

/// Of this process, and of its child when there is one; `report` is what that one said.
pub fn of_processes(children: &[Rc<Supervised>], report: Option<&Report>) -> Vec<ProcessMemory> {
    let mut all = vec![of("supervisor", std::process::id(), heap::count().map(Into::into))];
    for (number, child) in children.iter().enumerate() {
        let heap = report.filter(|_| number == 0).and_then(|report| report.heap);
        let pid = child.pid().map(|pid| pid.as_raw().cast_unsigned());
        all.extend(pid.map(|pid| of(child.role.name, pid, heap)));
    }
    all
}

/// The child is not asked about what the kernel knows: it reads no files.
fn of(process: &str, pid: u32, heap: Option<Heap>) -> ProcessMemory {
    let kernel = Resident::of(pid);
    ProcessMemory {
        process: process.to_owned(),
        pid,
        heap,
        resident: kernel.resident,
        proportional: kernel.proportional,
        anonymous: kernel.anonymous,
        unknown: kernel.unknown,
    }
}
