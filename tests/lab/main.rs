//! The lab: the library against the kernel itself, each test in a network namespace of its own.
//! Needs root: `sudo -E tests/run lab`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of tests: what is wrong in them has to fail the test"
)]

mod mute;
mod namespace;
mod netlink;
