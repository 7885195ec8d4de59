//! With Debian's keepalived and FRR as the other router, each in a network namespace of its own.
//! Needs root and both packages: `sudo -E tests/run interop`.
//!
//! Asserted are states and the order on the wire. How long things took is printed.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::wildcard_enum_match_arm,
    reason = "tests, and helpers of tests: what is wrong in them has to fail the test"
)]

#[path = "../lab/harness/mod.rs"]
mod harness;

mod departures;
mod ours;
mod owners;
mod peers;
mod scenarios;
mod scene;
mod settings;
mod side_by_side;
mod speaker;

mod frr;
mod hand_over;
mod keepalived;
mod lists;
mod peer_alone;
mod subnet;
