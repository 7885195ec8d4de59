//! The command line.

use std::ffi::OsString;
use std::process::ExitCode;

/// Runs the command that the arguments name.
pub fn main(_args: impl Iterator<Item = OsString>) -> ExitCode {
    ExitCode::SUCCESS
}
