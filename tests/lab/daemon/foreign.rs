//! Somebody else removes what we installed.

use steadfast::control::status::{State, WarningKind};

use crate::harness::config::Instance;
use crate::harness::pair::{Pair, VIRTUAL, VIRTUAL_4, VIRTUAL_6};
use crate::harness::router::find;

#[test]
fn a_removed_address_is_put_back_and_announced_with_a_warning() {
    let mut pair = Pair::running(&VIRTUAL);
    let mut watch = pair.watch_a();
    for (address, words) in [(VIRTUAL_4, "192.0.2.1/24"), (VIRTUAL_6, "2001:db8::1/64")] {
        watch.until_address("eth0", address, true);
        pair.capture.mark();
        watch.changes();
        pair.a.host.net.ip(&format!("address del {words} dev eth0"));
        pair.capture.wait_for("it is announced again", |p| {
            p.host == "gw-a" && p.announces() == Some(address.parse().unwrap())
        });
        watch.until_address("eth0", address, true);
        assert_eq!(watch.removed(), [address.parse::<std::net::IpAddr>().unwrap()]);
        let document = pair.a.until("a warning", |document| {
            document.warnings.iter().any(|warning| {
                warning.kind == WarningKind::ForeignRemoval && warning.text.contains(words)
            })
        });
        assert_eq!(find(&document, "lan").unwrap().state, State::Master);
        assert!(pair.a.words().contains(&format!("somebody else removed {words}; it is put back")));
    }
    assert_eq!(find(&pair.b.status().unwrap(), "lan").unwrap().state, State::Backup);
}

#[test]
fn an_endless_fight_is_slow_and_ends_in_the_right_state() {
    let mut pair = Pair::running(&["192.0.2.1/24"]);
    let mut watch = pair.watch_a();
    for round in 0..6 {
        watch.until_address("eth0", VIRTUAL_4, true);
        pair.a.host.net.ip("address del 192.0.2.1/24 dev eth0");
        let document = pair.a.until("it counts", |document| {
            document
                .warnings
                .iter()
                .any(|warning| warning.kind == WarningKind::ForeignRemoval && warning.count > round)
        });
        assert_eq!(find(&document, "lan").unwrap().state, State::Master);
    }
    // The first time at once, from then on after a while that grows.
    let words = pair.a.words();
    let waits: Vec<f64> = words
        .lines()
        .filter_map(|line| {
            let (_, rest) = line.split_once("it is put back in ")?;
            rest.split_once(" s:")?.0.parse().ok()
        })
        .collect();
    assert_eq!(waits.len(), 5, "{words}");
    assert!(waits.is_sorted() && waits[4] > waits[0] * 2.0, "{waits:?}");
    watch.until_address("eth0", VIRTUAL_4, true);
}

#[test]
fn who_wants_to_gives_way_instead() {
    let mut pair = Pair::running_with(|priority| {
        let lan = Instance::lan(priority, &VIRTUAL);
        // Otherwise it would be master again at once.
        lan.with("on_foreign_removal = \"backup\"").with("preempt = false").to_string()
    });
    pair.capture.mark();
    pair.a.host.net.ip("address del 192.0.2.1/24 dev eth0");
    pair.b.until_state("lan", State::Master);
    let lan = pair.a.until_state("lan", State::Backup);
    assert_eq!(lan.cause, "somebody else removed 192.0.2.1/24");
    // With priority 0, so that the other one comes at once.
    pair.capture.wait_for("priority 0", |p| p.is_stop("gw-a"));
    let mut watch = pair.watch_a();
    watch.until_address("eth0", VIRTUAL_4, false);
    watch.until_address("eth0", VIRTUAL_6, false);
    pair.watch_b().until_address("eth0", VIRTUAL_4, true);
}
