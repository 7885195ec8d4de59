//! Faults on real processes, drawn from a seed: two routers, a client that pings the virtual
//! address every few milliseconds, and one fault at a random moment between two adverts. Measured
//! is how often the other router took over, how long nobody and how long both had the address, and
//! what the client lost; and when it is over, all has to be whole again.
//!
//! ```text
//! cargo test --test faults -- --help
//! ```

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::wildcard_enum_match_arm,
    clippy::match_wildcard_for_single_variants,
    reason = "a test program: what it did not expect has to stop it, and it prints its results"
)]

mod arguments;
mod campaign;
#[path = "../harness/mod.rs"]
mod harness;
mod holders;
mod inflict;
mod kind;
mod outcome;
#[allow(dead_code, reason = "FRR takes no part here")]
#[path = "../../interop/peers/mod.rs"]
mod peers;
mod plan;
#[allow(dead_code, reason = "the simulator draws more")]
#[path = "../../simulation/rng.rs"]
mod rng;
mod room;
mod scene;
#[allow(dead_code, reason = "others need more of it")]
#[path = "../../interop/settings.rs"]
mod settings;
#[allow(dead_code, reason = "others need more of it")]
#[path = "../../interop/speaker.rs"]
mod speaker;
mod syslog;
mod table;
mod wire;

use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments = match arguments::Arguments::read() {
        Ok(arguments) => arguments,
        Err(text) => {
            eprintln!("{text}");
            return ExitCode::from(64);
        }
    };
    if arguments.help {
        print!("{}", arguments::help());
        return ExitCode::SUCCESS;
    }
    // Everything that faults touch is this program's own, and ends with it.
    match room::enter() {
        Ok(None) => {}
        Ok(Some(code)) => return code,
        Err(text) => {
            eprintln!("faults: {text}");
            return ExitCode::FAILURE;
        }
    }
    campaign::run(&arguments)
}
