//! `steadfast vrrp-process`: what the supervisor starts. It is in no list of commands, since it is
//! of no use to a person.

use std::process::ExitCode;

use super::output::Output;
use crate::supervisor::{LINK, LOCK, MEMORY, RECORDS};
use crate::system::inherited::take;
use crate::vrrp::process::{self, Inherited};

/// Runs it; `locks_memory`: it may be asked to lock its memory.
pub fn run(output: &mut Output, locks_memory: bool) -> ExitCode {
    // Only for those who look at a list of processes.
    let _ = nix::sys::prctl::set_name(c"steadfast: vrrp");
    let inherited = || {
        Ok(Inherited {
            channel: take(LINK)?,
            records: take(RECORDS)?,
            shared: take(MEMORY)?,
            lock: take(LOCK)?,
            locks_memory,
        })
    };
    inherited().and_then(process::run).unwrap_or_else(|error: std::io::Error| {
        output.err(&format!("steadfast vrrp-process: {error}\n"));
        ExitCode::FAILURE
    })
}
