//! The hidden commands that run this program as a child of the supervisor. No list of commands shows
//! them, since they are of no use to a person.

use std::ffi::{OsStr, OsString};
use std::io;
use std::process::ExitCode;

use super::memory_check;
use super::output::Output;
#[cfg(debug_assertions)]
use crate::child::idle;
use crate::child::start::MEMORY_CHECK_ARGUMENT;
use crate::vrrp_process;

/// A role: its hidden command and its main function.
pub type Role = (&'static str, fn(&[OsString]) -> io::Result<ExitCode>);

const ROLES: &[Role] = &[
    (vrrp_process::COMMAND, vrrp_process::run),
    #[cfg(debug_assertions)]
    (idle::COMMAND, idle::run),
];

/// The role with this command.
pub fn role(word: &OsStr) -> Option<Role> {
    ROLES.iter().find(|(command, _)| word == *command).copied()
}

/// Runs a role. `words` are the arguments after the command.
pub fn run((command, run): Role, words: &[OsString], output: &mut Output) -> ExitCode {
    let recorded = words.iter().any(|word| word == MEMORY_CHECK_ARGUMENT);
    if recorded && memory_check::begin().is_err() {
        return ExitCode::FAILURE;
    }
    run(words).unwrap_or_else(|error| {
        output.err(&format!("steadfast {command}: {error}\n"));
        ExitCode::FAILURE
    })
}
