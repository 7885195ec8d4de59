//! The watchdog device.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use nix::sys::signal::Signal;
use steadfast::control::status::{Document, State, VerdictLevel};

use crate::harness::config::Instance;
use crate::harness::until;
use crate::scene::{Alone, VIRTUAL, until_said};

/// Writes a configuration that names a device.
fn configure(alone: &Alone, device: &str, timeout: u32) {
    let instance = Instance::lan(150, &[VIRTUAL]);
    let global = format!("watchdog_device = {device:?}\nwatchdog_timeout = {timeout}\n");
    alone.router.configure(&format!("{global}{instance}"));
}

/// What the status says about the device.
fn warning(document: &Document) -> Option<&str> {
    let mut texts = document.warnings.iter().map(|warning| warning.text.as_str());
    texts.find(|text| text.contains("watchdog_device"))
}

#[test]
fn a_device_that_cannot_be_had_is_said_and_all_else_works() {
    let mut alone = Alone::new();
    configure(&alone, "/dev/null", 5);
    alone.router.start();
    alone.router.until_state("lan", State::Master);
    let document = alone.router.status().unwrap();
    let text = warning(&document).expect("a warning");
    assert!(text.contains("/dev/null: ") && text.contains("it is no watchdog"), "{text}");
    assert_eq!(document.verdict.level, VerdictLevel::Ok, "{}", document.verdict.text);

    configure(&alone, "/dev/no-such-device", 5);
    let told = alone.client().ask(r#"{"method":"reload"}"#);
    assert_eq!(told["ok"], "global changed: watchdog_device\n");
    let document = alone.router.until("the other one is tried", |document| {
        warning(document).is_some_and(|text| text.contains("/dev/no-such-device: "))
    });
    assert!(warning(&document).unwrap().contains("load the kernel module"));

    alone.configure(&Instance::lan(150, &[VIRTUAL]));
    alone.client().ask(r#"{"method":"reload"}"#);
    alone.router.until("nothing is wrong", |document| warning(document).is_none());
    alone.router.stop();
}

/// What the kernel says about a device.
fn of_kernel(device: &Path, what: &str) -> String {
    let name = device.file_name().unwrap().to_str().unwrap();
    let path = format!("/sys/class/watchdog/{name}/{what}");
    let text = fs::read_to_string(&path);
    text.unwrap_or_else(|error| panic!("{path}: {error}")).trim().to_owned()
}

/// How often `softdog` would have restarted this machine.
fn restarts() -> usize {
    let told = Command::new("dmesg").output().expect("dmesg; apt-get install util-linux");
    String::from_utf8_lossy(&told.stdout).matches("Triggered - Reboot ignored").count()
}

/// In a virtual machine: `modprobe softdog soft_noboot=1`.
#[test]
#[ignore = "STEADFAST_WATCHDOG=/dev/watchdogN names a softdog with soft_noboot=1"]
fn a_device_is_fed_and_let_go() {
    let device = std::env::var("STEADFAST_WATCHDOG");
    let device = PathBuf::from(device.expect("STEADFAST_WATCHDOG: the path of a device"));
    let name = device.to_str().unwrap();
    let is = |what, value| of_kernel(&device, what) == value;
    let reload = |alone: &Alone| drop(alone.client().ask(r#"{"method":"reload"}"#));
    let mut alone = Alone::new();
    configure(&alone, name, 4);
    alone.router.start();
    until_said(alone.router.daemon(), "guards this machine, with a limit of 4 s");
    assert!(is("state", "active") && is("timeout", "4"));
    let before = restarts();
    std::thread::sleep(Duration::from_secs(10));
    assert_eq!(restarts(), before, "it is fed");

    configure(&alone, name, 5);
    reload(&alone);
    until("the other timeout", || is("timeout", "5").then_some(()));
    assert!(is("state", "active"));

    // The supervisor hangs.
    alone.router.daemon().signal(Signal::SIGSTOP);
    until("nobody feeds it", || (restarts() > before).then_some(()));
    alone.router.daemon().signal(Signal::SIGCONT);

    // One that is killed does not let go of it, and the next one takes it over.
    alone.router.kill();
    assert!(is("state", "active"));
    alone.router.start();
    until_said(alone.router.daemon(), "guards this machine, with a limit of 5 s");
    alone.configure(&Instance::lan(150, &[VIRTUAL]));
    until("it answers", || alone.router.status().ok());
    reload(&alone);
    until("it is let go", || is("state", "inactive").then_some(()));
    configure(&alone, name, 4);
    reload(&alone);
    until("it is active", || is("state", "active").then_some(()));
    alone.router.stop();
    assert!(is("state", "inactive"));
}
