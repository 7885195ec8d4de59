//! A gateway pair, shown: two real routers and a client on a switch, in network namespaces of
//! this process. The master is killed, cut off, stopped and told to hand over; what the client
//! lost meanwhile, and how long it took, is measured on the wire.
//!
//! ```text
//! cargo run --release --example gateway-pair [-- --interval 100ms]
//! ```

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::wildcard_enum_match_arm,
    clippy::match_wildcard_for_single_variants,
    reason = "a demonstration: whatever goes wrong ends it, with words"
)]

#[path = "../harness/mod.rs"]
mod harness;
mod phases;
mod prepare;
mod report;
mod screen;

use std::process::ExitCode;
use std::time::Duration;

use steadfast::system::heap::Counting;
use steadfast::units::Centiseconds;

const HELP: &str = "\
Two routers that share a virtual address, and a client that pings it every 2 ms: what the client
notices when the master is killed, cut off, stopped and told to hand over.

Usage: cargo run --release --example gateway-pair [-- OPTIONS]

Options:
  --interval TIME   time between adverts: 10ms to 2s, in steps of 10ms; default 1s
  -h, --help        show this

All of it happens in network namespaces of this process; nothing outside is touched, and nothing
is left behind. It takes about 30 s, with --interval 100ms about 8 s. The routers run the same
program: with the name of a command instead of options it is steadfast itself.
";

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn main() -> ExitCode {
    // The routers run this program, which has all of steadfast in it: so it is built once.
    let command = std::env::args_os().nth(1);
    if command.is_some_and(|word| !word.as_encoded_bytes().starts_with(b"-")) {
        return steadfast::cli::main(std::env::args_os());
    }
    let interval = match arguments() {
        Ok(Some(interval)) => interval,
        Ok(None) => {
            print!("{HELP}");
            return ExitCode::SUCCESS;
        }
        Err(wrong) => {
            eprintln!("gateway-pair: {wrong}\n  = help: see --help");
            return ExitCode::from(64);
        }
    };
    if let Err(error) = prepare::everything() {
        eprintln!("gateway-pair: {error}");
        return ExitCode::FAILURE;
    }
    let rows = phases::run(interval);
    print!("{}", report::table(&rows));
    ExitCode::SUCCESS
}

/// The interval; nothing when help is wanted.
fn arguments() -> Result<Option<Centiseconds>, String> {
    let mut parser = lexopt::Parser::from_env();
    let mut interval = Centiseconds::SECOND;
    while let Some(argument) = parser.next().map_err(|error| error.to_string())? {
        match argument {
            lexopt::Arg::Long("interval") => {
                let value = parser.value().map_err(|error| error.to_string())?;
                let value = value.to_string_lossy();
                interval = read_interval(&value)
                    .ok_or_else(|| format!("--interval {value} is not from 10ms to 2s"))?;
            }
            lexopt::Arg::Long("help") | lexopt::Arg::Short('h') => return Ok(None),
            other => return Err(other.unexpected().to_string()),
        }
    }
    Ok(Some(interval))
}

fn read_interval(text: &str) -> Option<Centiseconds> {
    let length = if let Some(number) = text.strip_suffix("ms") {
        Duration::from_millis(number.parse().ok()?)
    } else {
        let seconds: f64 = text.strip_suffix('s').unwrap_or(text).parse().ok()?;
        Duration::try_from_secs_f64(seconds).ok()?
    };
    Centiseconds::from_duration(length).filter(|interval| (1..=200).contains(&interval.0))
}
