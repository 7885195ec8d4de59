//! The watchdog device.

use std::fs;
use std::path::{Path, PathBuf};

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

/// Needs a device that may be used up: `modprobe softdog soft_noboot=1`.
#[test]
#[ignore = "STEADFAST_WATCHDOG=/dev/watchdogN names a device that this may use"]
fn a_device_is_fed_and_let_go() {
    let device = std::env::var("STEADFAST_WATCHDOG");
    let device = PathBuf::from(device.expect("STEADFAST_WATCHDOG: the path of a device"));
    let name = device.to_str().unwrap();
    let mut alone = Alone::new();
    configure(&alone, name, 6);
    alone.router.start();
    until_said(alone.router.daemon(), "guards this machine, with a limit of 6 s");
    assert_eq!(
        (of_kernel(&device, "state"), of_kernel(&device, "timeout")),
        ("active".into(), "6".into())
    );
    let left = || of_kernel(&device, "timeleft").parse::<u32>().unwrap();
    // It is fed every two seconds, so this goes down and up again and never below.
    for _ in 0..3 {
        until("time passes", || (left() < 5).then_some(()));
        until("it is fed", || (left() >= 5).then_some(()));
    }

    configure(&alone, name, 20);
    alone.client().ask(r#"{"method":"reload"}"#);
    until("the other timeout", || (of_kernel(&device, "timeout") == "20").then_some(()));
    assert_eq!(of_kernel(&device, "state"), "active");

    // One that is killed does not let go of it, and the next one takes it over.
    alone.router.kill();
    assert_eq!(of_kernel(&device, "state"), "active");
    alone.router.start();
    until("it is fed", || (left() >= 18).then_some(()));

    // The supervisor hangs.
    alone.router.daemon().signal(Signal::SIGSTOP);
    until("nobody feeds it", || (left() < 11).then_some(()));
    alone.router.daemon().signal(Signal::SIGCONT);
    until("it is fed", || (left() >= 18).then_some(()));

    alone.configure(&Instance::lan(150, &[VIRTUAL]));
    alone.client().ask(r#"{"method":"reload"}"#);
    until("it is let go", || (of_kernel(&device, "state") == "inactive").then_some(()));
    configure(&alone, name, 20);
    alone.client().ask(r#"{"method":"reload"}"#);
    until("it is active", || (of_kernel(&device, "state") == "active").then_some(()));
    alone.router.stop();
    assert_eq!(of_kernel(&device, "state"), "inactive");
}
