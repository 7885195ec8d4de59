//! Two daemons on a link for a long time: adverts take no memory, and reloads leave none behind.
//! Prints what was counted; ends with 1 when something grows.
//!
//! `cargo test --profile simulation --test soak -- [--adverts N] [--reloads N]`, as root. Without
//! options 100,000 adverts and 1,000 reloads.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::wildcard_enum_match_arm,
    clippy::cast_precision_loss,
    reason = "a test program: what it did not expect has to stop it, and it prints its results"
)]

#[path = "../lab/harness/mod.rs"]
mod harness;

mod adverts;
mod reading;
mod reloads;
mod routers;

use std::process::ExitCode;

const USAGE: &str = "usage: soak [--adverts N] [--reloads N]";

/// How much of it.
struct Args {
    adverts: u64,
    reloads: u32,
}

impl Args {
    fn parse(mut words: impl Iterator<Item = String>) -> Option<Self> {
        let mut args = Self { adverts: 100_000, reloads: 1_000 };
        while let Some(word) = words.next() {
            let value = words.next()?;
            match word.as_str() {
                "--adverts" => args.adverts = value.parse().ok()?,
                "--reloads" => args.reloads = value.parse().ok()?,
                _ => return None,
            }
        }
        Some(args)
    }
}

fn main() -> ExitCode {
    let Some(args) = Args::parse(std::env::args().skip(1)) else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    let mut faults = adverts::run(args.adverts);
    faults.extend(reloads::run(args.reloads));
    for fault in &faults {
        println!("FAILED: {fault}");
    }
    if faults.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
