//! `steadfast run` and its surroundings: the state directory, the control socket, signals, the
//! configuration, the end of a child. Needs root: `sudo -E tests/run daemon`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    clippy::wildcard_enum_match_arm,
    reason = "tests, and helpers of tests: what is wrong in them has to fail the test"
)]

#[path = "../lab/harness/mod.rs"]
mod harness;

mod background;
mod clients;
mod configuration;
mod crashes;
mod hardware;
mod init;
mod life;
mod memory;
mod privileges;
mod roles;
mod scene;
mod seen;
mod service;
mod stored;
mod surroundings;
mod upgrade;
