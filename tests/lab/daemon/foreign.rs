//! Somebody else removes what we installed.

use steadfast::control::status::{State, Warning, WarningKind};

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

/// The kernel tells of a new IPv6 address after it said that it added it.
#[test]
fn what_is_just_added_was_not_removed_by_anybody() {
    let mut pair = Pair::new();
    let four = (0..80).map(|n| format!("198.51.100.{n}/32"));
    let six = (1..80).map(|n| format!("fe80::2:{n:x}/64"));
    let all: Vec<String> = VIRTUAL.map(str::to_owned).into_iter().chain(four).chain(six).collect();
    let all: Vec<&str> = all.iter().map(String::as_str).collect();
    pair.a.configure(&Instance::lan(150, &all).to_string());
    pair.a.start();
    for _ in 0..3 {
        let document = pair.a.until("all are there", |document| {
            find(document, "lan").is_some_and(|lan| {
                lan.state == State::Master && lan.objects.iter().all(|object| object.present)
            })
        });
        assert_eq!(document.warnings, []);
        pair.a.ask(&["switchover", "lan", "--force"]);
        pair.a.until_state("lan", State::Backup);
        pair.a.ask(&["release", "lan"]);
    }
    assert!(!pair.a.words().contains("somebody else"), "{}", pair.a.words());
}

/// vrrp:S-31: the owner's address is that of its interface.
#[test]
fn an_owner_leaves_the_address_of_its_interface_alone() {
    let owner = Instance::lan(255, &["192.0.2.2/24"]);
    leaves_alone(&owner);
    // Then it begins before everything is seen: routes and rules are looked at one after the other.
    let owner = owner.with("virtual_routes = [\"198.51.100.0/24 dev eth0\"]");
    leaves_alone(&owner.with("virtual_rules = [\"from 203.0.113.0/24 table 100 priority 500\"]"));
}

#[track_caller]
fn leaves_alone(owner: &Instance) {
    let mut pair = Pair::new();
    let mut watch = pair.watch_a();
    pair.a.configure(&owner.to_string());
    pair.a.start();
    pair.a.until_state("lan", State::Master);
    pair.a.host.net.ip("link set eth0 down");
    pair.a.until_state("lan", State::Fault);
    pair.a.host.net.ip("link set eth0 up");
    let lan = pair.a.until_state("lan", State::Master);
    let past = |w: &Warning| w.kind == WarningKind::Fault && w.ended_age.is_some();
    assert!(lan.warnings.iter().all(past), "{:#?}", lan.warnings);
    pair.a.stop();
    watch.until_address("eth0", "192.0.2.2", true);
    let own: std::net::IpAddr = "192.0.2.2".parse().unwrap();
    assert!(!watch.removed().contains(&own), "it was never away");
}

#[test]
fn an_endless_fight_is_slow_and_ends_in_the_right_state() {
    let mut pair = Pair::running(&["192.0.2.1/24"]);
    let mut watch = pair.watch_a();
    for round in 0..4 {
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
    assert_eq!(waits.len(), 3, "{words}");
    assert!(waits.is_sorted() && waits[2] > waits[0] * 2.0, "{waits:?}");
    watch.until_address("eth0", VIRTUAL_4, true);
}

#[test]
fn who_wants_to_gives_way_instead() {
    let mut pair = Pair::new();
    for (router, priority) in [(&pair.a, 150), (&pair.b, 100)] {
        let lan = Instance::lan(priority, &VIRTUAL).with("on_foreign_removal = \"backup\"");
        // Otherwise it would be master again at once.
        router.configure(&lan.with("preempt = false").to_string());
    }
    pair.a.start();
    pair.a.until_state("lan", State::Master);
    pair.b.start();
    pair.settle();
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
