//! Another configuration while it runs.

use std::net::IpAddr;

use nix::sys::signal::Signal;
use steadfast::control::status::{State, WarningKind};

use crate::harness::config::Instance;
use crate::harness::pair::{Pair, VIRTUAL, VIRTUAL_4, VIRTUAL_6};
use crate::harness::router::find;

/// A reload that is accepted.
#[track_caller]
fn reload(pair: &mut Pair, text: &Instance) {
    pair.a.configure(&text.to_string());
    pair.a.ask(&["reload"]);
}

#[test]
fn what_changes_does_not_cost_the_mastership() {
    let mut pair = Pair::running(&VIRTUAL);
    let mut watch = pair.watch_a();
    watch.until_address("eth0", VIRTUAL_6, true);
    let before = pair.a.until_state("lan", State::Master).transitions;
    let mut other = pair.watch_b();
    other.changes();
    watch.changes();
    pair.capture.mark();

    reload(&mut pair, &Instance::lan(180, &VIRTUAL));
    pair.capture.wait_for("the new priority", |p| {
        p.host == "gw-a" && p.advert().is_some_and(|advert| advert.priority == 180)
    });
    reload(&mut pair, &Instance::lan(180, &VIRTUAL).every("50ms"));
    pair.capture.wait_for("the new interval", |p| {
        p.host == "gw-a" && p.advert().is_some_and(|advert| advert.interval.0 == 5)
    });
    let more: Vec<&str> = VIRTUAL.into_iter().chain(["192.0.2.7/24", "2001:db8::7/64"]).collect();
    reload(&mut pair, &Instance::lan(180, &more).every("50ms"));
    watch.until_address("eth0", "192.0.2.7", true);
    watch.until_address("eth0", "2001:db8::7", true);
    for address in ["192.0.2.7", "2001:db8::7"] {
        let address: IpAddr = address.parse().unwrap();
        pair.capture.wait_for("it is in an advert", |p| {
            p.host == "gw-a" && p.advert().is_some_and(|a| a.addresses.contains(&address))
        });
        pair.capture
            .wait_for("it is announced", |p| p.host == "gw-a" && p.announces() == Some(address));
    }
    assert_eq!(watch.removed(), [] as [IpAddr; 0], "nothing was taken away");
    reload(&mut pair, &Instance::lan(180, &VIRTUAL).every("50ms"));
    watch.until_address("eth0", "192.0.2.7", false);
    watch.until_address("eth0", "2001:db8::7", false);
    let mut removed = watch.removed();
    removed.sort();
    assert_eq!(removed, ["192.0.2.7", "2001:db8::7"].map(|a| a.parse::<IpAddr>().unwrap()));

    let document = pair.a.status().unwrap();
    assert_eq!(document.daemon.configuration.generation, 5);
    let lan = find(&document, "lan").unwrap();
    assert_eq!((lan.state, lan.transitions), (State::Master, before));
    assert_eq!((lan.base_priority, lan.advertisement_interval), (180, 0.05));
    assert!(!pair.capture.packets().iter().any(|p| p.is_of_master("gw-b")));
    assert!(!other.has("eth0", VIRTUAL_4) && other.changes().is_empty());
}

#[test]
fn a_refused_file_changes_nothing_and_says_why() {
    let mut pair = Pair::running(&VIRTUAL);
    let mut watch = pair.watch_a();
    watch.until_address("eth0", VIRTUAL_6, true);
    watch.changes();
    let before = pair.a.until_state("lan", State::Master);
    pair.capture.mark();

    pair.a.configure(&Instance::lan(120, &VIRTUAL).with("virtual_adresses = []").to_string());
    let output = pair.a.command(&["reload"]);
    assert!(!output.status.success());
    let words = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(words.contains("virtual_adresses") && words.contains("steadfast.toml"), "{words}");
    let document = pair.a.status().unwrap();
    let refused = document.daemon.configuration.refused.clone().expect("it is remembered");
    assert!(refused.reason.contains("virtual_adresses"), "{}", refused.reason);
    assert_eq!(document.daemon.configuration.generation, 1);
    assert!(document.warnings.iter().any(|w| w.kind == WarningKind::ReloadRefused));
    let lan = find(&document, "lan").unwrap();
    assert_eq!((lan.state, lan.transitions), (State::Master, before.transitions));
    assert_eq!(lan.base_priority, 150);
    pair.capture.wait_for_many(5, "it goes on", |p| {
        p.host == "gw-a" && p.advert().is_some_and(|advert| advert.priority == 150)
    });
    assert!(watch.changes().is_empty());

    // The same by the signal; then a good one, which clears it.
    pair.a.configure("nonsense");
    pair.a.daemon().signal(Signal::SIGHUP);
    pair.a.until("the signal was heard", |document| {
        document
            .daemon
            .configuration
            .refused
            .as_ref()
            .is_some_and(|r| r.reason.contains("nonsense"))
    });
    pair.a.configure(&Instance::lan(160, &VIRTUAL).to_string());
    pair.a.daemon().signal(Signal::SIGHUP);
    let document = pair.a.until("the new file is in effect", |document| {
        document.daemon.configuration.generation == 2
    });
    assert_eq!(document.daemon.configuration.refused, None);
    assert!(!document.warnings.iter().any(|w| w.kind == WarningKind::ReloadRefused));
    pair.capture.wait_for("the new priority", |p| {
        p.host == "gw-a" && p.advert().is_some_and(|advert| advert.priority == 160)
    });
}

#[test]
fn instances_come_and_go() {
    let mut pair = Pair::running(&VIRTUAL);
    let _link = pair.second_link("eth1");
    let wan = Instance::lan(150, &["198.51.100.1/24"]).named("wan", 52).on("eth1");
    let lan = Instance::lan(150, &VIRTUAL);
    let before = pair.a.until_state("lan", State::Master).transitions;
    let mut watch = pair.watch_a();
    pair.a.configure(&format!("{lan}\n{wan}"));
    pair.a.ask(&["reload"]);
    pair.a.until_state("wan", State::Master);
    watch.until_address("eth1", "198.51.100.1", true);
    watch.changes();
    pair.a.configure(&lan.to_string());
    pair.a.ask(&["reload"]);
    watch.until_address("eth1", "198.51.100.1", false);
    assert_eq!(watch.removed(), ["198.51.100.1".parse::<IpAddr>().unwrap()]);
    let document = pair.a.until("one is left", |document| {
        document.instances.as_ref().is_some_and(|all| all.len() == 1)
    });
    assert_eq!(find(&document, "lan").unwrap().transitions, before);
}
