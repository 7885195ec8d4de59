//! The `steadfast` binary: passes the arguments to the command line of the library.

use std::process::ExitCode;

use steadfast::system::heap::Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn main() -> ExitCode {
    steadfast::cli::main(std::env::args_os())
}
