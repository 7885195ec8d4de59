//! Other routers that do not agree with ours.

use std::process::Command;

use steadfast::control::event::Kind;
use steadfast::control::status::{State, VerdictLevel, Warning, WarningKind};

use crate::harness::config::Instance;
use crate::harness::pair::{Pair, VIRTUAL};
use crate::harness::router::{Router, find};

/// Waits for a warning of this kind about a sender.
#[track_caller]
fn warned(router: &mut Router, kind: WarningKind, from: &str) {
    let document = router.until(&format!("{kind:?} from {from}"), |document| {
        document
            .warnings
            .iter()
            .any(|warning| warning.kind == kind && warning.from == Some(from.parse().unwrap()))
    });
    let warning = document.warnings.iter().find(|warning| warning.kind == kind).unwrap();
    assert!(warning.text.contains(from), "{}", warning.text);
    assert_eq!(warning.instance.as_deref(), Some("lan"));
}

/// How many lines of the log have this.
fn lines(router: &mut Router, text: &str) -> usize {
    router.words().lines().filter(|line| line.contains(text)).count()
}

#[test]
fn another_address_list_is_one_line_and_a_warning() {
    let mut pair = Pair::new();
    pair.a.configure(&Instance::lan(150, &["192.0.2.1/24"]).to_string());
    pair.b.configure(&Instance::lan(100, &["192.0.2.1/24", "192.0.2.7/24"]).to_string());
    pair.a.start();
    pair.b.start();
    pair.settle();
    warned(&mut pair.b, WarningKind::AddressesDiffer, "192.0.2.2");
    pair.capture.mark();
    pair.capture.wait_for_many(20, "adverts", |p| p.is_of_master("gw-a"));
    assert_eq!(lines(&mut pair.b, "announces other addresses"), 1);
    let status = pair.b.status().unwrap();
    let counted = find(&status, "lan").unwrap().routers[0].address_list_errors;
    assert!(counted > 10, "each one is counted: {counted}");
}

#[test]
fn another_pair_with_the_same_identifier_is_named() {
    let mut pair = Pair::new();
    pair.a.configure(&Instance::lan(150, &["192.0.2.1/24"]).to_string());
    pair.b.configure(&Instance::lan(100, &["192.0.2.77/24"]).to_string());
    pair.a.start();
    pair.b.start();
    warned(&mut pair.b, WarningKind::VridConflict, "192.0.2.2");
    pair.capture.mark();
    pair.capture.wait_for_many(20, "adverts", |p| p.is_of_master("gw-a"));
    assert_eq!(lines(&mut pair.b, "virtual_router_id"), 1);
}

#[test]
fn another_interval_is_followed_with_a_warning() {
    let mut pair = Pair::new();
    pair.a.configure(&Instance::lan(150, &["192.0.2.1/24"]).every("50ms").to_string());
    pair.b.configure(&Instance::lan(100, &["192.0.2.1/24"]).to_string());
    pair.a.start();
    pair.b.start();
    pair.settle();
    warned(&mut pair.b, WarningKind::IntervalDiffers, "192.0.2.2");
    let status = pair.b.status().unwrap();
    let master = find(&status, "lan").unwrap().routers[0].master.clone().unwrap();
    assert_eq!(master.advertisement_interval, 0.05);
}

#[test]
fn a_second_owner_is_named() {
    let mut pair = Pair::new();
    for router in [&pair.a, &pair.b] {
        // Owners have the address on the interface all the time.
        router.host.net.ip("address add 192.0.2.1/24 dev eth0");
        let owner = Instance::lan(255, &["192.0.2.1/24"]);
        router.configure(&owner.with("second_holder_probe = \"500ms\"").to_string());
    }
    pair.a.start();
    pair.a.until_state("lan", State::Master);
    pair.b.start();
    warned(&mut pair.a, WarningKind::SecondOwner, "192.0.2.3");
    // The one that gives way says nothing more (vrrp:S-32), but answers for its own address.
    pair.b.until("the address has two holders", |document| {
        let is_taken = |w: &Warning| w.kind == WarningKind::AddressTaken && w.ended_age.is_none();
        document.verdict.level == VerdictLevel::Split && document.warnings.iter().any(is_taken)
    });
}

#[test]
fn another_pair_on_the_link_is_told_once() {
    let mut pair = Pair::new();
    pair.a.configure(&Instance::lan(150, &["192.0.2.1/24"]).to_string());
    pair.b.configure(&Instance::lan(150, &["192.0.2.7/24"]).named("other", 77).to_string());
    pair.a.start();
    pair.a.until_state("lan", State::Master);
    let mut events = pair.a.events();
    pair.b.start();
    let event = events.until("a word about the other pair", |event| {
        event.kind == Kind::Packet && event.text.contains("virtual_router_id 77")
    });
    assert!(event.text.contains("192.0.2.3"), "{}", event.text);
    pair.capture.mark();
    pair.capture.wait_for_many(20, "adverts", |p| p.is_of_master("gw-b"));
    assert_eq!(lines(&mut pair.a, "virtual_router_id 77"), 1);
    pair.a.until_state("lan", State::Master);
}

#[test]
fn a_split_brain_is_shown() {
    let mut pair = Pair::running(&VIRTUAL);
    // The second one hears nobody any more, as behind a switch that loses multicast one way.
    let rules = "add table inet deaf; add chain inet deaf in { type filter hook input priority 0; }; \
                 add rule inet deaf in meta l4proto 112 drop";
    let nft = |words: &str| {
        let output = pair.b.host.net.output(Command::new("nft").arg(words));
        let output = output.expect("nft; install it with: apt-get install nftables");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    };
    nft(rules);
    pair.b.until_state("lan", State::Master);
    let document = pair.a.until("it sees the other master", |document| {
        document.verdict.level == VerdictLevel::Split
    });
    assert!(document.verdict.text.contains("192.0.2.3"), "{}", document.verdict.text);
    let rival = find(&document, "lan").unwrap().routers[0].rival.clone().expect("a rival");
    assert_eq!((rival.address.to_string().as_str(), rival.priority), ("192.0.2.3", 100));
    let output = pair.a.command(&["status"]);
    assert!(String::from_utf8_lossy(&output.stdout).starts_with("SPLIT"));
    assert!(!output.status.success());
    // As soon as it hears again, it gives way.
    let output = pair.b.host.net.output(Command::new("nft").arg("flush ruleset"));
    assert!(output.unwrap().status.success());
    pair.settle();
    pair.a.until("the split is over", |document| document.verdict.level != VerdictLevel::Split);
}
