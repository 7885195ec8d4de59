//! The `steadfast` binary: arguments to sub-command, nothing else.

use std::process::ExitCode;

use steadfast::system::heap::Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn main() -> ExitCode {
    steadfast::cli::main(std::env::args_os())
}
