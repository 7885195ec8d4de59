//! Interfaces go, come back, have other names and other indices; each time without a restart.

use nix::sys::signal::{Signal, kill};
use steadfast::control::status::State;

use crate::harness::config::Instance;
use crate::harness::lan::Lan;
use crate::harness::pair::{A, B, Pair, VIRTUAL, VIRTUAL_4, VIRTUAL_6};
use crate::harness::router::{find, vrrp, vrrp_pid};
use crate::harness::until;

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
    assert_eq!(vrrp(&document).restarts, 0);
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
    let child = vrrp_pid(&pair.a.status().unwrap()).unwrap();
    for all_at_once in [false, true] {
        // Down and renamed in one go: who sees only the end of it must not look for the old name.
        if all_at_once {
            kill(child, Signal::SIGSTOP).unwrap();
        }
        pair.capture.mark();
        pair.a.host.net.ip_batch("link set eth0 down\nlink set eth0 name wan0\nlink set wan0 up\n");
        if all_at_once {
            // The kernel drops what is sent before it has seen the carrier.
            let net = &pair.a.host.net;
            let is_up = || net.try_ip("link show wan0").unwrap().contains("state UP");
            until("wan0 is up", || is_up().then_some(()));
            kill(child, Signal::SIGCONT).unwrap();
            // It is up, whatever its name is.
            pair.capture.wait_for("priority 0 of gw-a", |p| p.is_stop("gw-a"));
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
    for (router, priority, of_late) in [(&pair.a, 150, 120), (&pair.b, 100, 121)] {
        let lan = Instance::lan(priority, &VIRTUAL);
        let late = Instance::lan(of_late, &["198.51.100.1/24"]).named("late", 52).on("eth9");
        router.configure(&format!("{lan}\n{late}"));
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
    until("the second one is master", || {
        let states =
            [&pair.a, &pair.b].map(|router| find(&router.status().unwrap(), "late").unwrap().state);
        (states == [State::Backup, State::Master]).then_some(())
    });
    // The higher priority wins, even if it is second, and the other instance is not affected.
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

/// A port hears no advert: the bridge takes them. It says priority 0, which still leaves by it.
#[test]
fn the_interface_becomes_a_port_of_a_bridge() {
    let mut pair = Pair::running(&VIRTUAL);
    let net = &pair.a.host.net;
    net.ip("link add br-lan type bridge forward_delay 0 mcast_snooping 0");
    net.ip("link set br-lan up");
    pair.capture.mark();
    net.ip("link set eth0 master br-lan");
    pair.capture.wait_for("priority 0 of gw-a", |p| p.is_stop("gw-a"));
    is_out(
        &mut pair,
        "eth0 is a port of br-lan, so it hears no adverts: write interface = \"br-lan\"",
    );
    let shown = String::from_utf8(pair.a.command(&["status"]).stdout).unwrap();
    println!("{shown}");
    assert!(shown.contains("eth0 is a port of br-lan"), "{shown}");
    pair.watch_a().until_address("eth0", VIRTUAL_4, false);
    // It stays out for longer than a backup waits, and also when it starts like this.
    pair.capture.mark();
    pair.capture.wait_for_many(5, "adverts of gw-b", |p| p.is_of_master("gw-b"));
    pair.a.stop();
    pair.a.start();
    is_out(&mut pair, "eth0 is a port of br-lan");
    pair.capture.mark();
    pair.capture.wait_for_many(5, "adverts of gw-b", |p| p.is_of_master("gw-b"));
    assert!(!pair.capture.packets().iter().any(|p| p.is_of_master("gw-a")));
    pair.a.host.net.ip("link set eth0 nomaster");
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

/// `lan` with one address on `wan`; the second router has no `lan` fault of its own.
fn pair_with_wan(more: &str) -> (Pair, Lan) {
    let mut pair = Pair::new();
    let wan = pair.second_link("wan");
    let addresses = [
        "192.0.2.1/24",
        "fe80::1:1/64",
        "2001:db8::1/64",
        "203.0.113.1/24 dev wan",
        "2001:db8:7::1/64 dev wan",
    ];
    for (router, priority) in [(&mut pair.a, 150), (&mut pair.b, 100)] {
        let lan = Instance::lan(priority, &addresses).with(more);
        router.configure(&lan.to_string());
        router.start();
    }
    pair.settle();
    (pair, wan)
}

const WAN_ROUTE: &str = "virtual_routes = [\"198.18.0.0/15 via 203.0.113.254 dev wan\"]";

/// An interface that only addresses and routes name counts: its carrier, its administrative state,
/// and its existence.
#[test]
fn an_interface_that_only_an_address_names_is_tracked() {
    let (mut pair, wan) = pair_with_wan(WAN_ROUTE);
    pair.watch_a().until_address("wan", "203.0.113.1", true);
    wan.cable(&pair.a.host, false);
    is_out(&mut pair, "203.0.113.1/24 needs interface \"wan\", which is down");
    pair.watch_a().until_address("wan", "203.0.113.1", false);
    pair.watch_b().until_address("wan", "203.0.113.1", true);
    wan.cable(&pair.a.host, true);
    is_back(&mut pair);
    pair.a.host.net.ip("link set wan down");
    is_out(&mut pair, "203.0.113.1/24 needs interface \"wan\", which is down");
    pair.a.host.net.ip("link set wan up");
    is_back(&mut pair);
    pair.a.host.net.ip("link del wan");
    is_out(
        &mut pair,
        "203.0.113.1/24 needs interface \"wan\", which does not exist (have: lo, eth0)",
    );
    println!("{}", String::from_utf8(pair.a.command(&["status"]).stdout).unwrap());
    wan.attach_with(&pair.a.host, "wan", "02:00:00:00:00:01", &["198.51.100.2/24"]);
    is_back(&mut pair);
    let words = pair.a.words();
    assert!(!words.contains("somebody else") && !words.contains("refused"), "{words}");
}

/// With a weight, or with `no_track`, the router goes on. What the kernel takes from an interface that
/// is set down comes back with it, and nobody is accused.
#[test]
fn an_interface_in_use_may_count_less() {
    let (mut pair, _wan) =
        pair_with_wan(&format!("{WAN_ROUTE}\ntrack_interfaces = {{ wan = -10 }}"));
    let mut watch = pair.watch_a();
    watch.until_address("wan", "2001:db8:7::1", true);
    pair.a.host.net.ip("link set wan down");
    watch.until_address("wan", "2001:db8:7::1", false);
    pair.a.until("what is gone is told", |document| {
        find(document, "lan").is_some_and(|lan| {
            lan.state == State::Master && lan.objects.iter().any(|object| !object.present)
        })
    });
    pair.a.host.net.ip("link set wan up");
    watch.until_address("wan", "2001:db8:7::1", true);
    pair.a.until("all is there", |document| {
        find(document, "lan").is_some_and(|lan| {
            lan.state == State::Master && lan.objects.iter().all(|object| object.present)
        })
    });
    let words = pair.a.words();
    assert!(!words.contains("somebody else"), "{words}");
    assert!(words.contains("is gone with it; it is put back when the interface is up"), "{words}");
}

/// Hosts send to the old Ethernet address until they are told of the new one.
#[test]
fn another_ethernet_address_is_announced_at_once() {
    let announced = |pair: &mut Pair, mac: &str, addresses: &[&str]| {
        let mac: Vec<u8> = mac.split(':').map(|o| u8::from_str_radix(o, 16).unwrap()).collect();
        for address in addresses {
            pair.capture.wait_for(&format!("{address} at its new place"), |p| {
                p.announces() == Some(address.parse().unwrap()) && p.mac.0[..] == mac[..]
            });
        }
    };
    let mut pair = Pair::running(&VIRTUAL);
    pair.capture.mark();
    pair.a.host.net.ip("link set eth0 address 02:00:00:00:aa:01");
    announced(&mut pair, "02:00:00:00:aa:01", &[VIRTUAL_4, VIRTUAL_6]);
    assert_eq!(find(&pair.a.status().unwrap(), "lan").unwrap().state, State::Master);
}

/// A bridge without an address of its own has the lowest one of its ports.
#[test]
fn a_bridge_that_takes_over_the_address_of_a_port_announces_it() {
    let mut pair = Pair::new();
    let net = &pair.a.host.net;
    net.ip("link set eth0 name port0");
    net.ip("address flush dev port0");
    net.ip("link add eth0 type bridge forward_delay 0 mcast_snooping 0");
    net.ip("link set port0 master eth0");
    net.ip_batch("link set eth0 up\nlink set port0 up\n");
    for address in A {
        net.ip(&format!("address add {address} dev eth0"));
    }
    for (router, priority) in [(&mut pair.a, 150), (&mut pair.b, 100)] {
        router.configure(&Instance::lan(priority, &["192.0.2.1/24"]).to_string());
        router.start();
    }
    pair.settle();
    pair.watch_a().until_address("eth0", VIRTUAL_4, true);
    pair.capture.mark();
    let net = &pair.a.host.net;
    net.ip("link add low address 00:00:5e:00:53:01 up master eth0 type veth peer name low1");
    pair.capture.wait_for("the address of the port is announced", |p| {
        p.announces() == Some(VIRTUAL_4.parse().unwrap()) && p.mac.0 == [0, 0, 0x5e, 0, 0x53, 1]
    });
}
