//! `steadfast vrrp-process`: what the supervisor starts. It is in no list of commands, since it is
//! of no use to a person.

use std::ffi::OsStr;
use std::process::ExitCode;

use super::memory_check;
use super::output::Output;
use crate::supervisor::{LINK, LOCK, MEMORY, MEMORY_CHECK, RECORDS};
use crate::system::inherited::take;
use crate::vrrp::process::{self, Inherited};

/// Runs it. `word`: what its command line has beside the command.
pub fn run(word: Option<&OsStr>, output: &mut Output) -> ExitCode {
    if word.is_some_and(|word| word == MEMORY_CHECK) && memory_check::begin().is_err() {
        return ExitCode::FAILURE;
    }
    // Only for those who look at a list of processes.
    let _ = nix::sys::prctl::set_name(c"steadfast: vrrp");
    let inherited = || {
        Ok(Inherited {
            channel: take(LINK)?,
            records: take(RECORDS)?,
            shared: take(MEMORY)?,
            lock: take(LOCK)?,
        })
    };
    inherited().and_then(process::run).unwrap_or_else(|error: std::io::Error| {
        output.err(&format!("steadfast vrrp-process: {error}\n"));
        ExitCode::FAILURE
    })
}
