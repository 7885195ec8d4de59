//! Conformance: one test for each rule of the handbook in `rules/`, and the captured packets in
//! `vectors/`.
//!
//! A test's name begins with the number of its rule.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests: what is wrong in them has to fail the test"
)]

mod index;
mod machine;
mod mutation;
mod netlink;
mod packets;
mod purity;
mod routes;
mod structure;
mod validation;
mod vectors;
mod wire;
