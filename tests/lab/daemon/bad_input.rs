//! Packets that are no good adverts, one by one and in a flood.

use std::time::{Duration, Instant};

use steadfast::control::status::{State, WarningKind};

use crate::harness::config::Instance;
use crate::harness::inject::{Injector, advert};
use crate::harness::lan::Host;
use crate::harness::pair::Pair;
use crate::harness::router::find;

/// The stranger's address.
const STRANGER: &str = "192.0.2.66";

fn stranger(pair: &Pair) -> (Host, Injector) {
    let host = Host::new("stranger");
    pair.lan.attach(&host, "eth0", &["192.0.2.66/24"]);
    let injector = Injector::start(&host.net, STRANGER);
    (host, injector)
}

/// What is wrong, as `rejected` of the status names it, and the packet. All claim priority 254,
/// so that one that is believed would end the mastership.
fn bad() -> Vec<(&'static str, Vec<u8>)> {
    let good = advert(STRANGER, 51, 254, &["192.0.2.1"]);
    let changed = |at: usize, value: u8| {
        let mut packet = good.clone();
        packet[at] = value;
        packet
    };
    // The header has 20 octets; octets of the message follow.
    let mut version = advert(STRANGER, 51, 254, &["192.0.2.1"]);
    version[20] = 0x41;
    vec![
        ("checksum", changed(26, good[26] ^ 0x55)),
        ("hop_limit", changed(8, 254)),
        ("version", version),
        ("length", good[..good.len() - 4].to_vec()),
        ("length", [&good[..], &[0; 1_000]].concat()),
        ("length", changed(23, 200)),
        ("type", changed(20, 0x32)),
        ("interval_zero", {
            let mut packet = changed(24, 0);
            packet[25] = 0;
            packet
        }),
    ]
}

#[test]
fn each_sort_is_counted_and_told_once() {
    let mut pair = Pair::running(&["192.0.2.1/24"]);
    let (_host, injector) = stranger(&pair);
    let before = pair.b.until_state("lan", State::Backup);
    for (reason, packet) in bad() {
        let count = |document: &_| {
            let lan = find(document, "lan").expect("lan");
            lan.routers[0].rejected.get(reason).copied().unwrap_or(0)
        };
        let known = count(&pair.b.status().unwrap());
        for _ in 0..3 {
            injector.send(&packet);
        }
        pair.b.until(&format!("{reason} is counted"), |document| count(document) == known + 3);
    }
    // Too short for the message, and foreign octets: nobody's packets.
    injector.send(&[0x45, 0, 0, 0, 0, 0, 0, 0, 255, 112, 0, 0, 192, 0, 2, 66, 224, 0, 0, 18, 0x31]);
    injector.send(&advert(STRANGER, 51, 254, &["192.0.2.1"])[..24]);
    let document = pair.b.until("it stands in the warnings", |document| {
        document.warnings.iter().any(|warning| {
            warning.kind == WarningKind::BadPackets
                && warning.from == Some(STRANGER.parse().unwrap())
        })
    });
    let lan = find(&document, "lan").unwrap();
    assert_eq!((lan.state, lan.transitions), (State::Backup, before.transitions));
    // One line for each reason and sender.
    let words = pair.b.words();
    let lines = |text: &str| words.lines().filter(|line| line.contains(text)).count();
    assert_eq!(lines("bad packet from 192.0.2.66"), 6, "{words}");
    assert_eq!(pair.a.status().unwrap().instances.unwrap()[0].state, State::Master);
}

#[test]
fn a_flood_does_not_delay_ours() {
    const RATE: usize = 50_000;
    const SECONDS: usize = 4;
    let mut pair = Pair::running_with(|priority| {
        Instance::lan(priority, &["192.0.2.1/24"]).every("1s").to_string()
    });
    let before = pair.a.until_state("lan", State::Master).transitions;
    let other = pair.b.until_state("lan", State::Backup).transitions;
    let (_host, injector) = stranger(&pair);
    let packets = bad();
    pair.capture.ignore("stranger");
    pair.capture.mark();
    let start = Instant::now();
    for number in 0..RATE * SECONDS {
        injector.send(&packets[number % packets.len()].1);
        if number % 500 == 0 {
            let ahead = Duration::from_secs_f64(number as f64 / RATE as f64);
            std::thread::sleep(ahead.saturating_sub(start.elapsed()));
            // The kernel keeps only so much of it for us.
            pair.capture.packets();
        }
    }
    pair.capture.wait_for_many(SECONDS, "adverts of gw-a", |p| p.is_of_master("gw-a"));
    assert!(!pair.capture.packets().iter().any(|p| p.is_of_master("gw-b")));
    let lan = pair.a.until_state("lan", State::Master);
    assert_eq!(lan.transitions, before);
    let lan = pair.b.until_state("lan", State::Backup);
    assert_eq!(lan.transitions, other);
    let counted: u32 = lan.routers[0].rejected.values().sum();
    assert!(counted > 10_000, "of {} packets {counted} arrived", RATE * SECONDS);
    let words = pair.b.words();
    assert!(words.lines().filter(|line| line.contains("bad packet")).count() <= 6, "{words}");
}
