//! Interfaces go, come back, have other names and other indices; each time without a restart.

use nix::sys::signal::{Signal, kill};
use steadfast::control::status::State;

use crate::harness::config::Instance;
use crate::harness::lan::Lan;
use crate::harness::pair::{A, B, Pair, VIRTUAL, VIRTUAL_4, VIRTUAL_6};
use crate::harness::router::find;

/// The first router cannot take part, for this reason, and the second one is master.
#[track_caller]
fn is_out(pair: &mut Pair, reason: &str) {
    pair.a.until(&format!("FAULT: {reason}"), |document| {
        find(document, "lan").is_some_and(|lan| {
            lan.state == State::Fault && lan.fault.as_ref().is_some_and(|f| f.starts_with(reason))
        })
    });
    pair.b.until_state("lan", State::Master);
}

/// The first router is master again with all addresses, in the process that it was.
#[track_caller]
fn is_back(pair: &mut Pair) {
    pair.settle();
    let mut watch = pair.watch_a();
    watch.until_address("eth0", VIRTUAL_4, true);
    watch.until_address("eth0", VIRTUAL_6, true);
    let mut watch = pair.watch_b();
    watch.until_address("eth0", VIRTUAL_4, false);
    let document = pair.a.until("it shows its addresses", |document| {
        find(document, "lan").is_some_and(|lan| lan.objects.iter().all(|o| o.present))
    });
    assert_eq!(document.daemon.vrrp_restarts, 0);
    let lan = find(&document, "lan").unwrap();
    assert!(lan.fault.is_none() && lan.objects.iter().all(|o| o.wanted), "{lan:#?}");
    // The wire says so too: no other master speaks after its advert.
    pair.capture.mark();
    pair.capture.wait_for_many(5, "adverts of gw-a", |p| p.is_of_master("gw-a"));
    assert!(!pair.capture.packets().iter().any(|p| p.is_of_master("gw-b")));
}

// netlink:N-21
#[test]
fn down_and_up() {
    let mut pair = Pair::running(&VIRTUAL);
    for _ in 0..2 {
        pair.a.host.net.ip("link set eth0 down");
        is_out(&mut pair, "interface \"eth0\" is down");
        pair.a.host.net.ip("link set eth0 up");
        is_back(&mut pair);
    }
}

#[test]
fn deleted_and_made_again_with_another_index() {
    let mut pair = Pair::running(&VIRTUAL);
    let index = |pair: &Pair| pair.a.host.net.try_ip("-o link show dev eth0").unwrap();
    let before = index(&pair);
    pair.a.host.net.ip("link del eth0");
    is_out(&mut pair, "interface \"eth0\" does not exist");
    // The same to the last octet, but for the index, which the kernel does not give again.
    pair.lan.attach_with(&pair.a.host, "eth0", "02:00:00:00:00:01", &A);
    assert_ne!(index(&pair).split(':').next(), before.split(':').next());
    is_back(&mut pair);
}

#[test]
fn deleted_and_made_again_at_once() {
    let mut pair = Pair::running(&VIRTUAL);
    let port = &pair.a.host.name;
    // In one batch, so that the daemon sees the end and the beginning together.
    pair.lan.net.ip_batch(&format!(
        "link del {port}\n\
         link add {port} up master br0 type veth peer name eth0 netns {}\n",
        pair.a.host.net.path()
    ));
    for address in A {
        pair.a.host.net.ip(&format!("address add {address} dev eth0"));
    }
    pair.a.host.net.ip("link set eth0 up");
    is_back(&mut pair);
}

// netlink:N-23
#[test]
fn renamed_away_and_back() {
    let mut pair = Pair::running(&VIRTUAL);
    let child = pair.a.status().unwrap().daemon.vrrp.unwrap().pid;
    let child = nix::unistd::Pid::from_raw(child.cast_signed());
    for all_at_once in [false, true] {
        // Down and renamed in one go: who sees only the end of it must not look for the old name.
        if all_at_once {
            kill(child, Signal::SIGSTOP).unwrap();
        }
        pair.a.host.net.ip_batch("link set eth0 down\nlink set eth0 name wan0\nlink set wan0 up\n");
        if all_at_once {
            kill(child, Signal::SIGCONT).unwrap();
        }
        is_out(&mut pair, "interface \"eth0\" does not exist");
        // What has another name now is not ours, so nothing of ours is on it.
        pair.watch_a().until_address("wan0", VIRTUAL_4, false);
        pair.a.host.net.ip_batch("link set wan0 down\nlink set wan0 name eth0\nlink set eth0 up\n");
        is_back(&mut pair);
    }
}

#[test]
fn another_interface_gets_the_name() {
    let mut pair = Pair::running(&VIRTUAL);
    pair.a.host.net.ip_batch("link set eth0 down\nlink set eth0 name old0\n");
    is_out(&mut pair, "interface \"eth0\" does not exist");
    pair.lan.net.ip(&format!("link set {} name gone", pair.a.host.name));
    pair.lan.attach(&pair.a.host, "eth0", &A);
    is_back(&mut pair);
}

#[test]
fn late_at_the_start() {
    let mut pair = Pair::new();
    let late = || Instance::lan(120, &["198.51.100.1/24"]).named("late", 52).on("eth9");
    for (router, priority) in [(&pair.a, 150), (&pair.b, 100)] {
        let lan = Instance::lan(priority, &VIRTUAL);
        router.configure(&format!("{lan}\n{}", late()));
    }
    pair.a.start();
    pair.b.start();
    pair.settle();
    let late = pair.a.until_state("late", State::Fault);
    let fault = late.fault.unwrap();
    assert_eq!(fault, "interface \"eth9\" does not exist (have: lo, eth0)");
    let before = find(&pair.a.status().unwrap(), "lan").unwrap().transitions;
    let lan = pair.second_link("eth9");
    pair.a.until("one of both is master", |document| {
        find(document, "late").is_some_and(|late| late.fault.is_none())
    });
    crate::harness::until("one of both is master", || {
        let states =
            [&pair.a, &pair.b].map(|router| find(&router.status().unwrap(), "late").unwrap().state);
        (states == [State::Backup, State::Master]).then_some(())
    });
    // The equal priority is decided by the higher address, and the other instance did not notice.
    pair.watch_b().until_address("eth9", "198.51.100.1", true);
    assert_eq!(find(&pair.a.status().unwrap(), "lan").unwrap().transitions, before);
    drop(lan);
}

// netlink:N-24
/// The instances' interface is a bridge, as on most routers.
#[test]
fn ports_of_a_bridge_come_and_go() {
    let mut pair = Pair::new();
    for (router, addresses) in [(&pair.a, A), (&pair.b, B)] {
        let net = &router.host.net;
        net.ip("link set eth0 name port0");
        net.ip("address flush dev port0");
        net.ip("link add eth0 type bridge forward_delay 0 mcast_snooping 0");
        net.ip("link set port0 master eth0");
        net.ip_batch("link set eth0 up\nlink set port0 up\n");
        for address in addresses {
            net.ip(&format!("address add {address} dev eth0"));
        }
    }
    for (router, priority) in [(&pair.a, 150), (&pair.b, 100)] {
        router.configure(&Instance::lan(priority, &VIRTUAL).to_string());
    }
    pair.a.start();
    pair.b.start();
    pair.settle();
    let before = find(&pair.a.status().unwrap(), "lan").unwrap().transitions;
    let net = &pair.a.host.net;
    let mut watch = pair.watch_a();
    // A port that leaves a bridge looks like a link that is deleted, to who does not look well.
    for round in 0..3 {
        net.ip(&format!("link add one{round} master eth0 up type veth peer name two{round}"));
        net.ip(&format!("link set two{round} up"));
        net.ip(&format!("link set one{round} nomaster"));
        net.ip(&format!("link set one{round} master eth0"));
        net.ip(&format!("link del one{round}"));
    }
    pair.capture.mark();
    pair.capture.wait_for_many(5, "gw-a goes on", |p| p.is_of_master("gw-a"));
    assert!(!watch.removed().contains(&VIRTUAL_4.parse().unwrap()));
    let lan = pair.a.until_state("lan", State::Master);
    assert_eq!((lan.transitions, lan.fault), (before, None));

    // Without its last port the bridge has no carrier.
    pair.a.host.net.ip("link set port0 nomaster");
    is_out(&mut pair, "interface \"eth0\" is down");
    pair.a.host.net.ip("link set port0 master eth0");
    is_back(&mut pair);
}

#[test]
fn the_own_address_is_lost_and_back() {
    let mut pair = Pair::running(&VIRTUAL);
    pair.a.host.net.ip("address del 192.0.2.2/24 dev eth0");
    is_out(&mut pair, "interface \"eth0\" has no IPv4 address to send from");
    pair.a.host.net.ip("address add 192.0.2.2/24 dev eth0");
    is_back(&mut pair);
    let own = pair.a.host.net.try_ip("-o -6 address show dev eth0 scope link").unwrap();
    let own = own.split_whitespace().find(|w| w.starts_with("fe80::") && !w.contains("1:1/"));
    let own = own.unwrap().to_owned();
    pair.a.host.net.ip(&format!("address del {own} dev eth0"));
    is_out(&mut pair, "interface \"eth0\" has no link-local IPv6 address to send from");
    pair.a.host.net.ip(&format!("address add {own} dev eth0"));
    is_back(&mut pair);
}

#[test]
fn an_address_that_changes_is_the_new_source() {
    let mut pair = Pair::running(&["192.0.2.1/24"]);
    pair.a
        .host
        .net
        .ip_batch("address add 192.0.2.22/24 dev eth0\naddress del 192.0.2.2/24 dev eth0\n");
    pair.capture.mark();
    let source = "192.0.2.22".parse::<std::net::IpAddr>().unwrap();
    pair.capture.wait_for("adverts from the new address", |p| {
        p.is_of_master("gw-a") && p.advert().is_some_and(|advert| advert.source == source)
    });
}

#[test]
fn two_links_are_independent() {
    let mut pair = Pair::new();
    let lan: Lan = pair.second_link("eth1");
    let wan = |priority| {
        Instance::lan(priority, &["198.51.100.1/24"]).named("wan", 52).on("eth1").to_string()
    };
    for (router, priority) in [(&pair.a, 150), (&pair.b, 100)] {
        router.configure(&format!("{}\n{}", Instance::lan(priority, &VIRTUAL), wan(priority)));
    }
    pair.a.start();
    pair.b.start();
    pair.settle();
    pair.a.until_state("wan", State::Master);
    let before = find(&pair.a.status().unwrap(), "lan").unwrap().transitions;
    lan.cable(&pair.a.host, false);
    pair.a.until_state("wan", State::Fault);
    pair.b.until_state("wan", State::Master);
    let status = pair.a.status().unwrap();
    let here = find(&status, "lan").unwrap();
    assert_eq!((here.state, here.transitions), (State::Master, before));
}

// vrrp:G-4
#[test]
fn where_there_is_no_arp_nothing_is_announced() {
    let mut pair = Pair::new();
    pair.a.host.net.ip("link set eth0 arp off");
    for (router, priority) in [(&mut pair.a, 150), (&mut pair.b, 100)] {
        router.configure(&Instance::lan(priority, &["192.0.2.1/24"]).to_string());
        router.start();
    }
    pair.settle();
    pair.watch_a().until_address("eth0", VIRTUAL_4, true);
    pair.capture.mark();
    pair.capture.wait_for_many(5, "adverts of gw-a", |p| p.is_of_master("gw-a"));
    let packets = pair.capture.packets();
    assert!(!packets.iter().any(|p| p.host == "gw-a" && p.announces().is_some()), "{packets:#?}");
}
