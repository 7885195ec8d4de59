//! What every child process has.

pub mod idle;

use std::os::fd::RawFd;

/// The number of the descriptor that a child has for messages.
pub const LINK: RawFd = 3;
/// For records.
pub const RECORDS: RawFd = 4;
/// For the shared memory.
pub const MEMORY: RawFd = 5;
/// For the lock of its role; nothing to lock when there is none.
pub const LOCK: RawFd = 6;

/// The word after the command of a child that is to keep the right to lock memory.
pub const LOCKS_MEMORY: &str = "locks-memory";
/// The word after the command of a child that is to record its memory as well.
pub const MEMORY_CHECK: &str = "--memory-check";
