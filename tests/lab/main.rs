//! The lab: the library and the daemon against the kernel itself, each test in network namespaces
//! of its own.
//! Needs root: `sudo -E tests/run lab`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    clippy::wildcard_enum_match_arm,
    clippy::match_wildcard_for_single_variants,
    reason = "helpers of tests: what is wrong in them has to fail the test"
)]

mod daemon;
mod harness;
mod harness_itself;
mod neighbor_filter;
mod netlink;
mod routes;
mod sockets;
