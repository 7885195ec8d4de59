//! Signals, and the end.

use std::fs;

use nix::sys::signal::Signal;
use steadfast::control::status::{Document, State};

use crate::harness::config::Instance;
use crate::harness::until;
use crate::scene::{Alone, VIRTUAL, until_said};

#[test]
fn term_hands_over_and_leaves_nothing() {
    let mut alone = Alone::master();
    assert!(alone.holds_address());
    let state = alone.router.state();
    for name in ["control.sock", "steadfast.pid"] {
        assert!(state.join(name).exists(), "{name}");
    }
    alone.router.stop();
    assert!(!alone.holds_address());
    let left: Vec<_> = fs::read_dir(&state).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn a_second_term_does_not_wait() {
    let mut alone = Alone::master();
    // Nobody takes over, and it would wait for that for more than the tests' patience.
    alone.configure(&Instance::lan(150, &[VIRTUAL]).every("40s"));
    assert!(alone.client().ask(r#"{"method":"reload"}"#)["ok"].is_string());
    alone.router.daemon().signal(Signal::SIGTERM);
    until_said(alone.router.daemon(), "stopping: ");
    assert!(alone.holds_address());
    alone.router.daemon().signal(Signal::SIGTERM);
    assert!(alone.router.daemon().wait().success());
    assert!(alone.router.daemon().words().contains("stopping at once"));
    assert!(!alone.holds_address(), "the address is gone with it");
    assert!(!alone.router.state().join("control.sock").exists());
}

#[test]
fn stop_by_command_waits_or_not() {
    let mut alone = Alone::master();
    alone.configure(&Instance::lan(150, &[VIRTUAL]).every("40s"));
    assert!(alone.client().ask(r#"{"method":"reload"}"#)["ok"].is_string());
    let stop = alone.router.command(&["stop"]);
    assert!(stop.status.success(), "{stop:?}");
    until_said(alone.router.daemon(), "stopping: ");
    assert!(alone.holds_address());
    let stop = alone.router.command(&["stop", "--now"]);
    assert_eq!(String::from_utf8_lossy(&stop.stdout), "it stops already\n");
    assert!(alone.router.daemon().wait().success());
    assert!(!alone.holds_address());
}

#[test]
fn a_killed_supervisor_is_told_of_by_the_next_one() {
    let mut alone = Alone::master();
    let killed = alone.router.daemon().id();
    alone.router.kill();
    alone.router.start();
    until_said(
        alone.router.daemon(),
        &format!(" warning the supervisor before this one (process {killed}) did not stop"),
    );
    alone.router.stop();
    alone.router.start();
    // All of them write to one log.
    let words = alone.router.daemon().words();
    assert_eq!(words.matches("supervisor before this one").count(), 1, "{words}");
}

/// A socket whose other end is gone is readable for ever.
#[test]
fn a_child_without_a_supervisor_waits_in_peace() {
    let mut alone = Alone::new();
    alone.configure(&Instance::lan(150, &[VIRTUAL]).every("500ms"));
    alone.router.start();
    alone.router.until_state("lan", State::Master);
    let child = alone.child();
    let reads = || {
        let counters = fs::read_to_string(format!("/proc/{child}/io")).ok()?;
        counters.lines().find_map(|line| line.strip_prefix("syscr: ")?.parse::<u64>().ok())
    };
    let before = reads().expect("its counters");
    alone.router.daemon().signal(Signal::SIGKILL);
    // Nobody takes over, so it hands over for 1.7 s and then ends.
    let mut last = before;
    until("the child ends", || match reads() {
        Some(count) if alone.holds_address() => {
            last = count;
            None
        }
        Some(_) | None => Some(()),
    });
    assert!(last - before < 500, "{} reads with nothing to read", last - before);
}

#[test]
fn usr1_writes_the_status_and_usr2_logs_statistics() {
    let mut alone = Alone::master();
    alone.router.daemon().signal(Signal::SIGUSR1);
    let path = alone.router.state().join("status.json");
    let text = until("status.json", || fs::read_to_string(&path).ok());
    let document: Document = serde_json::from_str(&text).unwrap();
    assert_eq!(document.instances.unwrap()[0].state, State::Master);
    alone.router.daemon().signal(Signal::SIGUSR2);
    until_said(alone.router.daemon(), "lan: MASTER for ");
}
