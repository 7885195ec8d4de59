//! Simulates two to five engines on a faulty network: every seed is another configuration and
//! another series of faults. See `--help` in `args.rs`; the invariants are in `invariants.rs`,
//! `rest.rs` and `scenario.rs`.

#![allow(
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::panic,
    clippy::expect_used,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a test program: what it did not expect has to stop it, and it prints its results"
)]

mod actions;
mod args;
mod client;
mod coverage;
mod directed;
mod faults;
mod inbound;
mod invariants;
mod kernel;
mod life;
mod network;
mod node;
mod other_pair;
mod packet;
mod plan;
mod random_plan;
mod rest;
mod rng;
mod runner;
mod scenario;
mod timeline;
mod world;

use std::process::ExitCode;

fn main() -> ExitCode {
    match args::Args::parse(std::env::args().skip(1)) {
        Ok(args) => runner::run(&args),
        Err(text) => {
            eprintln!("{text}");
            ExitCode::from(2)
        }
    }
}
