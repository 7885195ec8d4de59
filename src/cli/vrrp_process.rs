//! `steadfast vrrp-process`: what the supervisor starts. It is in no list of commands, since it is
//! of no use to a person.

use std::ffi::OsString;
use std::process::ExitCode;

use super::memory_check;
use super::output::Output;
use crate::child::{LINK, LOCK, LOCKS_MEMORY, MEMORY, MEMORY_CHECK, RECORDS};
use crate::system::inherited_fds::take;
use crate::vrrp_process::{self, Inherited};

/// Runs it. `words`: what its command line has beside the command.
pub fn run(words: &[OsString], output: &mut Output) -> ExitCode {
    let has = |word: &str| words.iter().any(|given| given == word);
    if has(MEMORY_CHECK) && memory_check::begin().is_err() {
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
            locks_memory: has(LOCKS_MEMORY),
        })
    };
    inherited().and_then(vrrp_process::run).unwrap_or_else(|error: std::io::Error| {
        output.err(&format!("steadfast vrrp-process: {error}\n"));
        ExitCode::FAILURE
    })
}
