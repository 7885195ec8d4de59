//! Programs start only in a network namespace that the tests made.
//!
//! A router in the network of this machine would take its addresses. Each way in which tests start
//! a program goes through here; clippy refuses the methods of [`Command`] elsewhere
//! (`.clippy.toml`), and the benchmark has the same in `net.py`.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::process::{Child, Command, Output};

/// Starts a program in the network namespace of the calling thread.
///
/// # Errors
/// When that is the one of this machine, and what the system says.
#[allow(clippy::disallowed_methods, reason = "this is the guard")]
pub fn spawn(command: &mut Command) -> io::Result<Child> {
    refuse_outside(command)?;
    command.spawn()
}

/// Runs a program to its end in the network namespace of the calling thread.
///
/// # Errors
/// When that is the one of this machine, and what the system says.
#[allow(clippy::disallowed_methods, reason = "this is the guard")]
pub fn output(command: &mut Command) -> io::Result<Output> {
    refuse_outside(command)?;
    command.output()
}

/// Runs a tool that is no router, wherever the caller is.
///
/// # Errors
/// What the system says.
#[allow(clippy::disallowed_methods, reason = "it says that it starts a tool")]
pub fn tool(command: &mut Command) -> io::Result<Output> {
    let program = command.get_program().to_string_lossy().into_owned();
    if ROUTERS.iter().any(|name| program.ends_with(name)) {
        return Err(io::Error::other(format!("{program} is no tool; use guard::output")));
    }
    command.output()
}

/// How the names of programs end that are routers, or start one.
const ROUTERS: [&str; 4] = ["steadfast", "gateway-pair", "keepalived", "vrrpd"];

/// An error when a child of this thread would be in the network of the test program, or in that of
/// the first process. Where the latter's may not be seen, by an ordinary user, it is another one.
fn refuse_outside(command: &Command) -> io::Result<()> {
    let here = namespace("/proc/thread-self/ns/net")?;
    let tests = namespace("/proc/self/ns/net")?;
    if here == tests || namespace("/proc/1/ns/net").is_ok_and(|first| here == first) {
        return Err(io::Error::other(format!(
            "refused: {} would run in the network of this machine, and not in a namespace that \
             the tests made",
            command.get_program().display()
        )));
    }
    Ok(())
}

fn namespace(path: &str) -> io::Result<(u64, u64)> {
    let found = fs::metadata(path)?;
    Ok((found.dev(), found.ino()))
}
