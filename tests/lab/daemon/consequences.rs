//! What the kernel does because of what we ask for, and what else it has under our addresses.

use std::time::Duration;

use steadfast::control::status::{State, WarningKind};

use crate::harness::config::Instance;
use crate::harness::pair::{Pair, VIRTUAL_4, VIRTUAL_6};
use crate::harness::ping::Pinger;
use crate::harness::router::{Router, find};
use crate::harness::{until, wall_clock};

#[track_caller]
fn reload(router: &Router, text: &Instance) {
    router.configure(&text.to_string());
    router.ask(&["reload"]);
}

#[track_caller]
fn shown(router: &Router, family: u8) -> String {
    router.host.net.try_ip(&format!("-{family} -o address show dev eth0")).unwrap()
}

/// Whether all is there, in the state it was in, and nobody is blamed.
#[track_caller]
fn nothing_happened(pair: &mut Pair, transitions: u32) {
    let document = pair.a.until("all is there", |document| {
        find(document, "lan").is_some_and(|lan| lan.objects.iter().all(|object| object.present))
    });
    let lan = find(&document, "lan").unwrap();
    assert_eq!((lan.state, lan.transitions), (State::Master, transitions), "{}", lan.cause);
    assert_eq!(document.warnings, [], "{}", pair.a.words());
    assert!(!pair.a.words().contains("somebody"), "{}", pair.a.words());
}

fn routed(addresses: &[&str], more: &str) -> Instance {
    Instance::lan(150, addresses)
        .with("on_foreign_removal = \"backup\"")
        .with("preempt = false")
        .with(&format!("virtual_routes = [\"203.0.113.0/24 via 192.0.2.99 src 192.0.2.1\"{more}]"))
}

fn running(text: impl Fn(u8) -> Instance) -> (Pair, u32) {
    let mut pair = Pair::new();
    pair.a.configure(&text(150).to_string());
    pair.a.start();
    pair.a.until_state("lan", State::Master);
    let other = Instance { priority: 100, ..text(100) };
    pair.b.configure(&other.to_string());
    pair.b.start();
    pair.settle();
    let document = pair.a.until("all is there", |document| {
        find(document, "lan").is_some_and(|lan| lan.objects.iter().all(|object| object.present))
    });
    let transitions = find(&document, "lan").unwrap().transitions;
    (pair, transitions)
}

/// netlink:N-58: a route goes with its preferred source.
#[test]
fn a_reload_that_changes_an_address_costs_neither_its_routes_nor_the_mastership() {
    let plain = ["192.0.2.1/24", "192.0.2.11/24"];
    let (mut pair, transitions) = running(|_| routed(&plain, ""));
    for addresses in [
        ["192.0.2.1/24 label eth0:v", "192.0.2.11/24"],
        ["192.0.2.1/24 brd 192.0.2.255", "192.0.2.11/24"],
        ["192.0.2.1/25", "192.0.2.11/24"],
        // The kernel wants one scope in a subnet.
        ["192.0.2.1/26 scope site", "192.0.2.11/25"],
        plain,
    ] {
        let text = routed(&addresses, ", \"198.18.0.0/15 via 192.0.2.98\"");
        reload(&pair.a, &text);
        nothing_happened(&mut pair, transitions);
        // The status may be from before the kernel took a route along.
        until(&format!("both routes are there with {addresses:?}"), || {
            let routes = pair.a.host.net.try_ip("route").unwrap();
            let both = ["203.0.113.0/24 via 192.0.2.99", "198.18.0.0/15 via 192.0.2.98"];
            both.iter().all(|route| routes.contains(route)).then_some(())
        });
        nothing_happened(&mut pair, transitions);
    }
    let four = shown(&pair.a, 4);
    assert!(four.contains("192.0.2.1/24") && !four.contains("/25"), "{four}");
}

/// netlink:N-43: the kernel changes it in place.
#[test]
fn another_lifetime_of_an_ipv6_address_costs_no_answer() {
    let text = |options: &str| {
        let address = format!("2001:db8::1/64{options}");
        let lan = Instance::lan(150, &["fe80::1:1/64", &address]);
        lan.with("on_foreign_removal = \"backup\"").with("preempt = false")
    };
    let (mut pair, transitions) = running(|_| text(""));
    let pinger = Pinger::start(&pair.client.net, VIRTUAL_6, Duration::from_millis(1));
    pinger.until_answered();
    let from = wall_clock();
    for (options, deprecated) in [
        ("", true),
        (" preferred_lft forever", false),
        (" preferred_lft 0", true),
        (" preferred_lft 900", false),
    ] {
        reload(&pair.a, &text(options));
        nothing_happened(&mut pair, transitions);
        let six = shown(&pair.a, 6);
        let line = six.lines().find(|line| line.contains("2001:db8::1/64")).unwrap();
        assert_eq!(line.contains("deprecated"), deprecated, "{line}");
        std::thread::sleep(Duration::from_millis(20));
    }
    let loss = pinger.loss(from, wall_clock());
    assert_eq!(loss.lost, 0, "{loss:?}");
}

/// With `promote_secondaries` 0 the kernel would take the other instance's address along.
#[test]
fn an_instance_that_leaves_a_shared_subnet_takes_nothing_along() {
    let more = Instance::lan(150, &["192.0.2.11/24"]).named("more", 52);
    let mut pair = Pair::new();
    pair.a.host.net.ip("address flush dev eth0 scope global");
    pair.a.host.net.ip("address add 198.51.100.2/24 dev eth0");
    let lan = routed(&["192.0.2.21/24", "192.0.2.1/24"], "");
    pair.a.configure(&format!("{more}{lan}"));
    pair.a.start();
    let document = pair.a.until("all is there", |document| {
        ["lan", "more"].iter().all(|name| {
            find(document, name).is_some_and(|instance| {
                instance.state == State::Master && instance.objects.iter().all(|o| o.present)
            })
        })
    });
    let transitions = find(&document, "lan").unwrap().transitions;
    reload(&pair.a, &lan);
    pair.watch_a().until_address("eth0", "192.0.2.11", false);
    nothing_happened(&mut pair, transitions);
}

/// A left-over of another configuration answers for the address, whatever its prefix length.
#[test]
fn a_backup_removes_its_address_with_another_prefix_length() {
    let mut pair = Pair::running(&["192.0.2.1/24", "2001:db8::1/64"]);
    let mut watch = pair.watch_b();
    for (left, address) in [
        ("192.0.2.1/32", VIRTUAL_4),
        ("192.0.2.1/25", VIRTUAL_4),
        ("2001:db8::1/128", VIRTUAL_6),
        ("2001:db8::1/64", VIRTUAL_6),
    ] {
        pair.b.host.net.ip(&format!("address add {left} dev eth0 nodad"));
        watch.changes();
        watch.until_address("eth0", address, false);
        until("it is told", || {
            let words = pair.b.words();
            let told = words.matches(&format!("{left} is removed from eth0")).count();
            assert!(told < 2, "{words}");
            (told == 1).then_some(())
        });
    }
    let document = pair.b.status().unwrap();
    assert_eq!(find(&document, "lan").unwrap().state, State::Backup);
    // The same at its start.
    pair.b.stop();
    pair.b.host.net.ip("address add 192.0.2.1/32 dev eth0");
    pair.b.start();
    watch.until_address("eth0", VIRTUAL_4, true);
    watch.until_address("eth0", VIRTUAL_4, false);
}

/// IPv6 refuses the same address with another prefix length: "File exists".
#[test]
fn a_master_replaces_its_address_with_another_prefix_length() {
    for policy in ["restore", "backup"] {
        let mut pair = Pair::new();
        for left in ["192.0.2.1/25", "2001:db8::1/128"] {
            let dad = if left.contains(':') { " nodad" } else { "" };
            pair.a.host.net.ip(&format!("address add {left} dev eth0{dad}"));
        }
        let text = Instance::lan(150, &["192.0.2.1/24", "2001:db8::1/64"])
            .with(&format!("on_foreign_removal = \"{policy}\""));
        pair.a.configure(&text.to_string());
        pair.a.start();
        let lan = pair.a.until_state("lan", State::Master);
        // It is put there again behind the back of the master, before it has its own.
        let (four, six) = ("192.0.2.1/24 ", "2001:db8::1/64 ");
        until("its own are there", || {
            (shown(&pair.a, 4).contains(four) && shown(&pair.a, 6).contains(six)).then_some(())
        });
        let nobody = pair.a.words();
        assert!(!nobody.contains("somebody else removed"), "{nobody}");
        if policy == "backup" {
            continue;
        }
        for _ in 0..2 {
            pair.a.host.net.ip("address del 2001:db8::1/64 dev eth0");
            // Ours may be back by now.
            let _ = pair.a.host.net.try_ip("address add 2001:db8::1/128 dev eth0 nodad");
            until("its own is there", || {
                let six = shown(&pair.a, 6);
                (six.contains("2001:db8::1/64 ") && !six.contains("/128")).then_some(())
            });
        }
        let now = pair.a.until_state("lan", State::Master);
        assert_eq!(now.transitions, lan.transitions);
        assert!(!pair.a.words().contains("File exists"), "{}", pair.a.words());
    }
}

/// RFC 4862, 5.4.5
#[test]
fn an_address_that_another_host_has_is_wrong_and_tried_again() {
    let mut pair = Pair::new();
    pair.client.net.ip("address add 2001:db8::1/64 dev eth0 nodad");
    pair.a.host.net.sysctl("net/ipv6/conf/eth0/accept_dad", "1");
    pair.a.configure(&Instance::lan(150, &["fe80::1:1/64", "2001:db8::1/64 dad"]).to_string());
    pair.a.start();
    let document = pair.a.until("it is a duplicate", |document| {
        find(document, "lan").is_some_and(|lan| {
            lan.objects.iter().any(|object| object.flags.iter().any(|flag| flag == "duplicate"))
        })
    });
    let lan = find(&document, "lan").unwrap();
    assert!(lan.objects.iter().any(|object| object.wanted && !object.present), "{lan:#?}");
    let missing = document.warnings.iter().find(|w| w.kind == WarningKind::AddressMissing);
    let text = &missing.expect("a warning").text;
    assert!(text.contains("2001:db8::1/64 failed duplicate address detection"), "{text}");
    assert!(text.contains("another host"), "{text}");
    assert!(document.verdict.text.contains("2001:db8::1"), "{}", document.verdict.text);
    let page = pair.a.command(&["status", "lan"]);
    let page = String::from_utf8_lossy(&page.stdout).into_owned();
    assert!(page.contains("! 2001:db8::1/64 on eth0 (duplicate): another host uses it"), "{page}");
    pair.client.net.ip("address del 2001:db8::1/64 dev eth0");
    pair.a.until("it is used", |document| {
        find(document, "lan").is_some_and(|lan| {
            lan.objects.iter().all(|o| o.present && !o.flags.contains(&"tentative".to_owned()))
        })
    });
    assert!(!pair.a.words().contains("somebody"), "{}", pair.a.words());
    let pinger = Pinger::start(&pair.client.net, VIRTUAL_6, Duration::from_millis(20));
    pinger.until_answered();
}

#[test]
fn a_link_local_address_that_another_host_has_is_named() {
    let mut pair = Pair::new();
    let net = &pair.a.host.net;
    let own = net.try_ip("-o -6 address show dev eth0 scope link").unwrap();
    let own = own.split_whitespace().find(|word| word.starts_with("fe80::")).unwrap().to_owned();
    let bare = own.trim_end_matches("/64").to_owned();
    net.ip(&format!("address del {own} dev eth0"));
    pair.client.net.ip(&format!("address add {own} dev eth0 nodad"));
    net.sysctl("net/ipv6/conf/eth0/accept_dad", "1");
    net.ip(&format!("address add {own} dev eth0"));
    pair.a.configure(&Instance::lan(150, &["fe80::1:1/64", "2001:db8::1/64"]).to_string());
    pair.a.start();
    let what = format!(
        "link-local address {bare} of \"eth0\" failed duplicate address detection: another host uses it"
    );
    pair.a.until("a reason", |document| {
        find(document, "lan").is_some_and(|lan| {
            lan.state == State::Fault && lan.fault.as_ref().is_some_and(|f| f.contains(&what))
        })
    });
}

/// The router's own address is no virtual one, unless it is the owner.
#[test]
fn the_only_address_of_the_router_is_not_taken_away() {
    let mut pair = Pair::new();
    let mut watch = pair.watch_a();
    let own: std::net::IpAddr = "192.0.2.2".parse().unwrap();
    pair.a.configure(&Instance::lan(150, &["192.0.2.2/24"]).to_string());
    let file = pair.a.file();
    let check = || {
        let mut command = std::process::Command::new(crate::harness::router::program());
        command.args(["check", "-c"]).arg(&file);
        pair.a.host.net.output(&mut command).expect("the program")
    };
    let words = String::from_utf8_lossy(&check().stderr).into_owned();
    assert!(words.contains("192.0.2.2 is the router's own address"), "{words}");
    pair.a.start();
    let lan = pair.a.until_state("lan", State::Fault);
    let fault = lan.fault.unwrap();
    assert!(fault.contains("192.0.2.2") && fault.contains("255"), "{fault}");
    assert!(watch.has("eth0", "192.0.2.2"));
    assert_eq!(watch.removed(), [] as [std::net::IpAddr; 0]);
    pair.a.stop();
    assert!(watch.has("eth0", "192.0.2.2"), "a stop leaves it, too");
    pair.a.start();
    pair.a.until_state("lan", State::Fault);
    // With another one it can take part; then it is a virtual one, and the backup has none.
    pair.a.host.net.ip("address add 192.0.2.22/24 dev eth0");
    pair.a.until_state("lan", State::Master);
    assert!(watch.removed().contains(&own));
    let words = pair.a.words();
    assert!(
        words.contains("192.0.2.2/24 is removed from eth0: somebody else had added it"),
        "{words}"
    );
}

/// The same by a reload: of an owner that becomes none, and of a list that takes it in.
#[test]
fn no_reload_takes_the_only_address_of_the_router_away() {
    for before in [Instance::lan(255, &["192.0.2.2/24"]), Instance::lan(150, &["192.0.2.1/24"])] {
        let mut pair = Pair::new();
        pair.a.configure(&before.to_string());
        pair.a.start();
        pair.a.until_state("lan", State::Master);
        let mut watch = pair.watch_a();
        reload(&pair.a, &Instance::lan(150, &["192.0.2.2/24", "192.0.2.1/24"]));
        let fault = pair.a.until_state("lan", State::Fault).fault.unwrap();
        assert!(fault.contains("192.0.2.2 is the router's own address"), "{fault}");
        pair.a.until("nothing else is left", |document| {
            find(document, "lan").is_some_and(|lan| {
                let mut objects = lan.objects.iter();
                objects.all(|object| object.present == object.what.starts_with("192.0.2.2/"))
            })
        });
        reload(&pair.a, &Instance::lan(150, &["192.0.2.1/24"]));
        pair.a.until_state("lan", State::Master);
        let own: std::net::IpAddr = "192.0.2.2".parse().unwrap();
        assert!(!watch.removed().contains(&own), "{}", pair.a.words());
        assert!(watch.has("eth0", "192.0.2.2"));
    }
}

/// IPv6 routes stay when their preferred source goes, without it.
#[test]
fn an_ipv6_route_has_its_source_again() {
    let text = |length: u8| {
        let address = format!("2001:db8::1/{length}");
        Instance::lan(150, &["fe80::1:1/64", &address])
            .with("on_foreign_removal = \"backup\"")
            .with("preempt = false")
            .with("virtual_routes = [\"2001:db8:1::/48 via 2001:db8::99 src 2001:db8::1\"]")
    };
    let (mut pair, transitions) = running(|_| text(64));
    for length in [80, 64] {
        reload(&pair.a, &text(length));
        nothing_happened(&mut pair, transitions);
        until("the route has its source", || {
            let routes = pair.a.host.net.try_ip("-6 route").unwrap();
            let mut lines = routes.lines().filter(|line| line.starts_with("2001:db8:1::/48"));
            lines.next().filter(|line| line.contains("src 2001:db8::1 ")).map(drop)
        });
        nothing_happened(&mut pair, transitions);
    }
}
