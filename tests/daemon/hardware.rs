//! The watchdog device.

use steadfast::control::status::{Document, State, VerdictLevel};

use crate::harness::config::Instance;
use crate::scene::{Alone, VIRTUAL};

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
    assert!(text.contains("/dev/null: ") && text.contains("it is not a watchdog"), "{text}");
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
