//! `--daemon`.

use std::fs;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::Output;

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, getsid};
use steadfast::control::status::State;

use crate::harness::{AWAIT_TIMEOUT, until};
use crate::scene::{Alone, said};

/// Nobody else ends it when a test fails.
struct Background(Pid);

impl Drop for Background {
    fn drop(&mut self) {
        let _ = kill(self.0, Signal::SIGKILL);
    }
}

#[test]
fn it_works_when_the_command_is_done() {
    let alone = Alone::new();
    let state = alone.router.state();
    let devices = devices(&alone);
    let log = UnixDatagram::bind(devices.join("log")).unwrap();
    log.set_read_timeout(Some(AWAIT_TIMEOUT)).unwrap();
    let ran = run_among(&alone, &devices, &["--daemon"]);
    assert_eq!(ran.status.code(), Some(0), "{}", said(&ran));
    let text = fs::read_to_string(state.join("steadfast.pid")).unwrap();
    let daemon = Background(Pid::from_raw(text.trim().parse().unwrap()));
    assert_eq!(said(&ran), "");
    let mut line = [0; 256];
    let len = log.recv(&mut line).unwrap();
    let line = String::from_utf8_lossy(&line[..len]);
    assert!(line.starts_with("<29>") && line.contains("]: steadfast "), "{line}");
    assert_eq!(getsid(Some(daemon.0)), Ok(daemon.0), "it has a session of its own");
    for number in 0..3 {
        let target = fs::read_link(format!("/proc/{}/fd/{number}", daemon.0)).unwrap();
        assert_eq!(target.to_str(), Some("/dev/null"), "descriptor {number}");
    }
    until("it is master", || {
        let document = alone.router.status().ok()?;
        (document.instances?[0].state == State::Master).then_some(())
    });
    kill(daemon.0, Signal::SIGTERM).unwrap();
    let socket = state.join("control.sock");
    until("its end", || (kill(daemon.0, None).is_err() || is_zombie(daemon.0)).then_some(()));
    assert!(!socket.exists());
    assert!(!alone.holds_address());
}

#[test]
fn a_system_log_that_is_away_is_said_and_does_not_keep_it_from_its_work() {
    let alone = Alone::new();
    let ran = run_among(&alone, &devices(&alone), &["--daemon"]);
    assert_eq!(ran.status.code(), Some(0), "{}", said(&ran));
    let text = fs::read_to_string(alone.router.state().join("steadfast.pid")).unwrap();
    let _daemon = Background(Pid::from_raw(text.trim().parse().unwrap()));
    let told = said(&ran);
    assert!(told.contains("there is no system log at /dev/log; it is tried again"), "{told}");
    assert!(told.contains("to log to standard error, run it without"), "{told}");
    assert_eq!(told.lines().count(), 1, "{told}");
    alone.router.status().unwrap();
}

/// A directory for devices, with what a daemon needs.
fn devices(alone: &Alone) -> PathBuf {
    let path = alone.scratch.path().join("dev");
    fs::create_dir(&path).unwrap();
    fs::write(path.join("null"), "").unwrap();
    path
}

/// Runs the program where `/dev` is this directory.
fn run_among(alone: &Alone, devices: &Path, more: &[&str]) -> Output {
    let null = "mount --bind /dev/null \"$0/null\"";
    let script = format!("set -e; {null}; mount --rbind \"$0\" /dev; exec \"$@\"");
    let devices = devices.to_str().unwrap();
    let wrapper = ["unshare", "--mount", "--propagation", "private", "sh", "-c", &script, devices];
    alone.run_through(&wrapper, &alone.router.state(), more)
}

/// Whether it ended and nobody has asked how.
fn is_zombie(pid: Pid) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(')').is_none_or(|(_, rest)| rest.trim_start().starts_with(['Z', 'X']))
}
