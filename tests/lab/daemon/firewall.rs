//! A firewall that drops our adverts: two routers would have the addresses for as long as it does.

use std::process::Command;

use steadfast::control::status::{State, WarningKind};

use crate::harness::packet::Packet;
use crate::harness::pair::{Pair, VIRTUAL, VIRTUAL_4, VIRTUAL_6};

#[track_caller]
fn nft(pair: &Pair, words: &str) {
    let mut command = Command::new("nft");
    command.args(words.split(' '));
    let output = pair.a.host.net.output(&mut command);
    let output = output.expect("nft; install it with: apt-get install nftables");
    assert!(output.status.success(), "nft {words}: {}", String::from_utf8_lossy(&output.stderr));
}

/// Protocol 112 is dropped on its way out: the peer takes over, and this router leaves it to it.
#[test]
fn a_master_whose_adverts_are_dropped_gives_way() {
    let mut pair = Pair::running(&VIRTUAL);
    pair.capture.mark();
    for words in [
        "add table inet test",
        "add chain inet test out { type filter hook output priority 0 ; }",
        "add rule inet test out meta l4proto 112 drop",
    ] {
        nft(&pair, words);
    }
    let lan = pair.a.until_state("lan", State::Backup);
    assert!(lan.cause.contains("allow IP protocol 112"), "{}", lan.cause);
    assert!(
        lan.cause.starts_with("192.0.2.3 ") || lan.cause.starts_with("fe80::"),
        "{}",
        lan.cause
    );
    pair.b.until_state("lan", State::Master);
    let mut watch = pair.watch_a();
    watch.until_address("eth0", VIRTUAL_4, false);
    watch.until_address("eth0", VIRTUAL_6, false);
    // Whose advert it heard first it did not answer: no client learned that it is master still.
    let packets = pair.capture.packets();
    let new = packets.iter().position(|p| p.is_of_master("gw-b")).unwrap();
    let announces = |p: &Packet| p.host == "gw-a" && p.announces().is_some();
    let late = packets[new..].iter().find(|p| announces(p));
    assert!(late.is_none(), "announced beside the new master: {late:?}");
    // It is said as long as it lasts.
    pair.a.until("the status says what is wrong", |document| {
        document.warnings.iter().any(|warning| warning.kind == WarningKind::SendFailed)
    });

    nft(&pair, "delete table inet test");
    pair.a.ask(&["release", "lan"]);
    pair.settle();
    watch.until_address("eth0", VIRTUAL_4, true);
    pair.watch_b().until_address("eth0", VIRTUAL_4, false);
}
