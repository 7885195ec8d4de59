//! A third host announces other addresses with our VRID (`vrrp:V-40`).

use std::net::IpAddr;
use std::thread;
use std::time::Duration;

use steadfast::control::status::{State, WarningKind};
use steadfast::units::Centiseconds;

use crate::harness::config::Instance;
use crate::harness::inject::{Claim, Impostor};
use crate::harness::lan::Host;
use crate::harness::pair::{Pair, VIRTUAL_4, VIRTUAL_6};
use crate::harness::ping::Pinger;
use crate::harness::router::find;
use crate::harness::wall_clock;

/// How long it goes on; `STEADFAST_ATTACK=60` for a minute each.
fn length() -> Duration {
    let text = std::env::var("STEADFAST_ATTACK").unwrap_or_default();
    Duration::from_secs(text.parse().unwrap_or(2))
}

/// Where the third host sends from.
const SOURCES: [&str; 2] = ["192.0.2.66", "fe80::66"];

/// All that it claims: every kind of priority, and an interval that would keep a backup waiting.
fn claims(version: u8) -> Vec<(&'static str, Claim)> {
    let mut all = Vec::new();
    for (source, address) in SOURCES.into_iter().zip(["192.0.2.99", "2001:db8::99"]) {
        if version == 2 && address.contains(':') {
            continue;
        }
        let addresses: Vec<IpAddr> = vec![address.parse().unwrap()];
        for priority in [200, 255, 0, 1] {
            for interval in [Centiseconds::SECOND, Centiseconds(4_000)] {
                let addresses = addresses.clone();
                all.push((source, Claim { version, vrid: 51, priority, interval, addresses }));
            }
        }
    }
    all
}

fn attacked(version: u8, addresses: &[&str], asked: &[&str]) {
    let every = if version == 2 { "1s" } else { "100ms" };
    let mut pair = Pair::running_with(|priority| {
        Instance::lan(priority, addresses).version(version).every(every).to_string()
    });
    let third = Host::new("third");
    third.net.sysctl("net/ipv6/conf/default/addr_gen_mode", "1");
    third.net.sysctl("net/ipv6/conf/default/accept_dad", "0");
    pair.lan.attach(&third, "eth0", &["192.0.2.66/24", "fe80::66/64"]);
    let pings: Vec<_> = asked
        .iter()
        .map(|address| Pinger::start(&pair.client.net, address, Duration::from_millis(5)))
        .collect();
    pings.iter().for_each(Pinger::until_answered);
    pair.capture.mark();
    let from = wall_clock();
    let impostor = Impostor::start(&third.net, "eth0", Duration::from_millis(7), &claims(version));
    thread::sleep(length());
    let to = wall_clock();
    let sent = impostor.sent();
    for (ping, address) in pings.iter().zip(asked) {
        let loss = ping.loss(from, to);
        assert_eq!(loss.lost, 0, "version {version}, {sent} adverts, {address}: {loss:?}");
    }
    let others = |packet: &&crate::harness::packet::Packet| {
        packet.is_of_master("gw-b") || packet.is_stop("gw-a")
    };
    assert_eq!(pair.capture.packets().iter().filter(others).count(), 0);
    for (router, state) in [(&mut pair.a, State::Master), (&mut pair.b, State::Backup)] {
        let document = router.status().unwrap();
        let lan = find(&document, "lan").unwrap();
        assert_eq!((lan.state, lan.transitions <= 1), (state, true));
        for family in &lan.routers {
            assert!(family.rejected["foreign_addresses"] > 0, "{:?}", family.rejected);
            assert_eq!(family.rival, None);
        }
        let conflicts: Vec<_> =
            document.warnings.iter().filter(|w| w.kind == WarningKind::VridConflict).collect();
        assert_eq!(conflicts.len(), lan.routers.len(), "{conflicts:?}");
        for conflict in conflicts {
            let from = conflict.from.unwrap().to_string();
            assert!(SOURCES.contains(&from.as_str()), "{from}");
            for words in [&from, "priority 200", "virtual_router_id 51", "another"] {
                assert!(conflict.text.contains(words), "{}", conflict.text);
            }
        }
        let told = router.words().matches("uses virtual_router_id 51").count();
        assert_eq!(told, lan.routers.len(), "once for each family");
    }

    // The master is gone: nobody else keeps its backup from taking over, or teaches it to wait.
    pair.a.kill();
    pair.b.until_state("lan", State::Master);
    assert!(impostor.sent() > sent);
}

#[test]
fn version_2_is_not_taken_in() {
    attacked(2, &["192.0.2.1/24"], &[VIRTUAL_4]);
}

#[test]
fn version_3_is_not_taken_in_in_both_families() {
    attacked(3, &["192.0.2.1/24", "fe80::1:1/64", "2001:db8::1/64"], &[VIRTUAL_4, VIRTUAL_6]);
}
