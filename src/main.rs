//! The `steadfast` binary: arguments to sub-command, nothing else.

use std::process::ExitCode;

fn main() -> ExitCode {
    steadfast::cli::main(std::env::args_os())
}
