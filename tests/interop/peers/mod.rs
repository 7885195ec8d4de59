//! Routers of others, each in a namespace of a test, and what they say about themselves.

pub mod frr;
pub mod keepalived;

use std::ffi::OsStr;
use std::path::Path;

use crate::harness::namespace::Namespace;
use crate::harness::process::Process;
use crate::harness::until;

/// Starts a program of a package in a process and a mount namespace of its own: when this test
/// ends, so does all that it started, and `/tmp` is `directory` to it, `/var/tmp` and `/run` are
/// empty. The machine's own instance, if there is one, never hears of it.
#[track_caller]
pub fn start(
    net: &Namespace,
    directory: &Path,
    program: &str,
    package: &str,
    words: &[&str],
) -> Process {
    assert!(
        Path::new(program).exists(),
        "{program} is missing; install it with: apt-get install {package}"
    );
    let name = Path::new(program).file_name().and_then(OsStr::to_str).expect("a name");
    let own = directory.to_str().expect("a path");
    // The shell stays: the end of the first process is the end of all, also of those that changed
    // their user, for which the kernel forgets that they should die with their parent.
    let set_up = "mount --bind \"$1\" /tmp && mount -t tmpfs tmpfs /var/tmp && \
                  mount -t tmpfs tmpfs /run && cd / && shift && \"$@\"; exit $?";
    let before = ["--mount", "--pid", "--fork", "--kill-child", "sh", "-c", set_up, "sh", own];
    let all = before.iter().chain([&program]).chain(words);
    let process = Process::start(net, name, "unshare", all, directory);
    // Signals are for the program, not for what holds its namespaces.
    until(&format!("{name} runs"), || program_in(&process, name));
    process
}

/// The process id of the program in what [`start`] gave.
fn program_in(process: &Process, name: &str) -> Option<nix::unistd::Pid> {
    let offspring = process.offspring();
    offspring.into_iter().find(|id| {
        let comm = std::fs::read_to_string(format!("/proc/{id}/comm")).unwrap_or_default();
        comm.trim_end() == name
    })
}
