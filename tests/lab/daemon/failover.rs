//! One router goes, the other one comes.

use std::time::Duration;

use steadfast::control::status::State;

use crate::harness::config::Instance;
use crate::harness::packet::Packet;
use crate::harness::pair::{Pair, VIRTUAL, VIRTUAL_4, VIRTUAL_6};
use crate::harness::ping::Pinger;
use crate::harness::router::find;

fn is_v4(packet: &Packet) -> bool {
    packet.advert().is_some_and(|advert| advert.source.is_ipv4())
}

fn announces(packet: &Packet, host: &str, address: &str) -> bool {
    packet.host == host && packet.announces() == Some(address.parse().unwrap())
}

/// The place of the first such packet since the mark.
#[track_caller]
fn first(pair: &mut Pair, what: &str, is_it: impl Fn(&Packet) -> bool) -> usize {
    pair.capture.wait_for(what, &is_it);
    pair.capture.packets().iter().position(is_it).unwrap()
}

/// The second router takes over both families, each advert before what it announces.
#[track_caller]
fn is_taken_over_by_b(pair: &mut Pair) {
    for (is_v4_wanted, address) in [(true, VIRTUAL_4), (false, VIRTUAL_6), (false, "fe80::1:1")] {
        let advert = first(pair, "an advert of gw-b", |p| {
            p.is_of_master("gw-b") && is_v4(p) == is_v4_wanted
        });
        let announcement = first(pair, address, |p| announces(p, "gw-b", address));
        assert!(advert < announcement, "{address}");
        pair.watch_b().until_address("eth0", address, true);
    }
    pair.b.until_state("lan", State::Master);
}

#[test]
fn a_killed_master_is_replaced_and_comes_back() {
    let mut pair = Pair::running(&VIRTUAL);
    let mut ping = Vec::new();
    for address in [VIRTUAL_4, VIRTUAL_6] {
        ping.push(Pinger::start(&pair.client.net, address, Duration::from_millis(5)));
    }
    ping.iter().for_each(Pinger::until_answered);
    pair.capture.mark();
    pair.a.kill();
    is_taken_over_by_b(&mut pair);
    let of_a = |p: &Packet| p.host == "gw-a" && p.advert().is_some();
    let last = pair.capture.packets().iter().rposition(of_a);
    let new = first(&mut pair, "gw-b", |p| p.is_of_master("gw-b"));
    assert!(last < Some(new), "nobody else was master when gw-b became it");
    ping.iter().for_each(Pinger::until_answered);

    // What the killed one left in the kernel does not stay beside the new master's.
    let mut watch = pair.watch_a();
    assert!(watch.has("eth0", VIRTUAL_4), "a killed daemon cannot remove it");
    pair.a.start();
    watch.until_address("eth0", VIRTUAL_4, false);
    watch.until_address("eth0", VIRTUAL_6, false);
    pair.settle();
    watch.until_address("eth0", VIRTUAL_4, true);
    watch.until_address("eth0", VIRTUAL_6, true);
    let mut other = pair.watch_b();
    other.until_address("eth0", VIRTUAL_4, false);
    other.until_address("eth0", VIRTUAL_6, false);
    ping.iter().for_each(Pinger::until_answered);
}

#[test]
fn a_cable_that_is_pulled_moves_the_addresses() {
    let mut pair = Pair::running(&VIRTUAL);
    let ping = Pinger::start(&pair.client.net, VIRTUAL_4, Duration::from_millis(5));
    ping.until_answered();
    pair.capture.mark();
    pair.lan.cable(&pair.a.host, false);
    let lan = pair.a.until_state("lan", State::Fault);
    assert_eq!(lan.fault.as_deref(), Some("interface \"eth0\" is down"));
    is_taken_over_by_b(&mut pair);
    pair.watch_a().until_address("eth0", VIRTUAL_4, false);
    ping.until_answered();
    pair.lan.cable(&pair.a.host, true);
    pair.settle();
    ping.until_answered();
}

#[test]
fn a_stopped_master_is_succeeded_before_its_addresses_go() {
    let mut pair = Pair::running(&VIRTUAL);
    pair.capture.mark();
    pair.a.stop();
    is_taken_over_by_b(&mut pair);
    for is_v4_wanted in [true, false] {
        let stop =
            first(&mut pair, "priority 0", |p| p.is_stop("gw-a") && is_v4(p) == is_v4_wanted);
        let new = first(&mut pair, "gw-b", |p| p.is_of_master("gw-b") && is_v4(p) == is_v4_wanted);
        assert!(stop < new);
        let after = pair.capture.packets()[stop + 1..].iter();
        assert!(!after.clone().any(|p| p.is_of_master("gw-a") && is_v4(p) == is_v4_wanted));
    }
    let mut watch = pair.watch_a();
    assert!(!watch.has("eth0", VIRTUAL_4) && !watch.has("eth0", VIRTUAL_6));
    pair.a.start();
    pair.settle();
}

#[test]
fn a_switchover_holds_until_it_is_released() {
    let mut pair = Pair::running(&VIRTUAL);
    pair.capture.mark();
    pair.a.ask(&["switchover", "lan"]);
    is_taken_over_by_b(&mut pair);
    let lan = pair.a.until_state("lan", State::Backup);
    assert!(lan.hold.is_some_and(|hold| hold.ends_in.is_none()));
    // On hold it does not preempt: the master sends on and on.
    pair.capture.mark();
    pair.capture.wait_for_many(10, "gw-b stays", |p| p.is_of_master("gw-b") && is_v4(p));
    assert!(!pair.capture.packets().iter().any(|p| p.is_of_master("gw-a")));
    pair.a.ask(&["release", "lan"]);
    pair.settle();

    // With a time it comes back by itself.
    pair.a.ask(&["switchover", "lan", "--for", "1s"]);
    pair.b.until_state("lan", State::Master);
    pair.settle();
    pair.a.until("the hold is over", |d| find(d, "lan").is_some_and(|lan| lan.hold.is_none()));
}

#[test]
fn a_switchover_says_what_became_of_the_hold() {
    let pair = Pair::running(&VIRTUAL);
    let told = pair.b.ask(&["switchover", "lan", "--for", "10m"]);
    let timed = "it is held as backup for 10 min 0 s";
    assert_eq!(told, format!("lan: it was BACKUP, so nothing was handed over; {timed}\n"));
    // Without a time the hold has no end any more, which is said.
    let told = pair.b.ask(&["switchover", "lan"]);
    let endless = "it is held as backup until \"steadfast release lan\" (before: for ";
    assert!(told.contains(endless), "{told}");
    assert_eq!(pair.b.ask(&["release", "lan"]), "lan: released\n");
    let told = pair.a.ask(&["switchover", "lan", "--for", "10m"]);
    assert!(told.contains(" took over after ") && told.contains(timed), "{told}");
}

#[test]
fn a_switchover_to_nobody_fails_unless_it_is_forced() {
    let mut pair = Pair::running(&VIRTUAL);
    pair.b.stop();
    let output = pair.a.command(&["switchover", "lan"]);
    assert!(!output.status.success());
    let words = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(words.contains("nobody took over"), "{words}");
    pair.a.until_state("lan", State::Master);
    pair.watch_a().until_address("eth0", VIRTUAL_4, true);
    pair.a.ask(&["switchover", "lan", "--force"]);
    pair.watch_a().until_address("eth0", VIRTUAL_4, false);
}

#[test]
fn version_2_fails_over_and_back() {
    let mut pair = Pair::running_with(|priority| {
        Instance::lan(priority, &["192.0.2.1/24"]).version(2).every("1s").to_string()
    });
    pair.capture.mark();
    let advert = pair.capture.wait_for("an advert", |p| p.is_of_master("gw-a"));
    assert_eq!(advert.advert().unwrap().version, 2);
    pair.a.kill();
    pair.capture.wait_for("gw-b", |p| p.is_of_master("gw-b"));
    pair.capture.wait_for("gw-b", |p| announces(p, "gw-b", VIRTUAL_4));
    pair.a.start();
    pair.settle();
    // Version 2 has no short intervals: priority 0 alone.
    pair.capture.mark();
    pair.a.stop();
    pair.capture.wait_for("priority 0", |p| p.is_stop("gw-a"));
    pair.capture.wait_for("gw-b", |p| p.is_of_master("gw-b"));
    pair.watch_a().until_address("eth0", VIRTUAL_4, false);
}
