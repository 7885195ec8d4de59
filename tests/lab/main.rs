//! The lab: the library against the kernel itself, each test in a network namespace of its own.
//! Needs root: `sudo -E tests/run lab`.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may panic")]

mod namespace;
mod netlink;
