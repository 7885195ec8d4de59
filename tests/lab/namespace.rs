//! Network namespaces and what is in them.

use std::process::Command;

use nix::sched::{CloneFlags, unshare};

/// The namespace that the calling thread, and so the test, is in from now on. It ends with the
/// thread, its sockets and its children.
#[derive(Debug)]
pub struct Namespace(());

impl Namespace {
    /// Enters a new one, without any interface but `lo`.
    pub fn enter() -> Self {
        if let Err(error) = unshare(CloneFlags::CLONE_NEWNET) {
            panic!("cannot make a network namespace: {error}; run: sudo -E tests/run lab");
        }
        Self(())
    }

    /// Runs `ip` with these words.
    #[track_caller]
    pub fn ip(&self, words: &str) {
        let output = Command::new("ip").args(words.split_whitespace()).output();
        let output = output.expect("ip; install it with: apt-get install iproute2");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "ip {words}: {said}");
    }

    /// Runs many commands of `ip`, one a line, as fast as it can.
    #[track_caller]
    pub fn ip_batch(&self, lines: &str) {
        use std::io::Write;
        use std::process::Stdio;

        let mut command = Command::new("ip");
        command.args(["-batch", "-"]).stdin(Stdio::piped());
        let mut child = command.spawn().expect("ip; install it with: apt-get install iproute2");
        child.stdin.take().unwrap().write_all(lines.as_bytes()).unwrap();
        assert!(child.wait().unwrap().success(), "ip -batch failed");
    }
}
