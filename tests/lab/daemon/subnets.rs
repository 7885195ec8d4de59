//! Several addresses of one subnet: the kernel deletes secondary addresses with their primary, and
//! connections of the router come from the primary.

use std::time::Duration;

use steadfast::control::status::State;

use crate::harness::config::Instance;
use crate::harness::lan::{Host, Lan};
use crate::harness::namespace::Namespace;
use crate::harness::pair::Pair;
use crate::harness::ping::Pinger;
use crate::harness::router::{Router, find};
use crate::harness::scratch::Scratch;
use crate::harness::{until, wall_clock};

/// `promote_secondaries` of an interface.
fn promotes(net: &Namespace, interface: &str) -> String {
    let path = format!("/proc/sys/net/ipv4/conf/{interface}/promote_secondaries");
    net.run(|| std::fs::read_to_string(&path)).expect("the setting").trim().to_owned()
}

/// The source address of a connection.
fn source(net: &Namespace, to: &str) -> String {
    let words = net.try_ip(&format!("route get {to}")).expect("a route");
    let (_, rest) = words.split_once(" src ").unwrap_or_else(|| panic!("no source: {words}"));
    rest.split_whitespace().next().expect("an address").to_owned()
}

/// A router with no address of the virtual one's subnet on `lan`, which it gets later.
fn alone(more: &str) -> (Router, Lan, Scratch) {
    let scratch = Scratch::new();
    let lan = Lan::new();
    let mut router = Router::new(&scratch, "gw-a");
    lan.attach(&router.host, "eth0", &["198.51.100.2/24"]);
    router.configure(&(Instance::lan(150, &["192.0.2.1/24"]).to_string() + more));
    router.start();
    router.until_state("lan", State::Master);
    router.until("it is there", |document| {
        find(document, "lan").is_some_and(|lan| lan.objects.iter().all(|object| object.present))
    });
    (router, lan, scratch)
}

/// netlink:N-44, netlink:N-46: the virtual addresses were there first, so that the router's own is
/// secondary.
#[test]
fn giving_up_costs_no_other_address_and_no_route() {
    let second = Instance::lan(150, &["192.0.2.11/24"]).named("more", 52).to_string();
    let (mut router, _lan, _scratch) = alone(&second);
    router.until_state("more", State::Master);
    let net = &router.host.net;
    assert_eq!(promotes(net, "eth0"), "1");
    // Somebody sets it back: nobody tells of that.
    net.sysctl("net/ipv4/conf/eth0/promote_secondaries", "0");
    router.ask(&["switchover", "lan", "--force"]);
    router.until_state("lan", State::Backup);
    let net = &router.host.net;
    let shown = net.try_ip("-4 address show dev eth0").unwrap();
    assert!(shown.contains("192.0.2.11/24") && !shown.contains("192.0.2.1/24"), "{shown}");
    net.ip("address add 192.0.2.2/24 dev eth0");
    until("the own address is the source", || {
        (source(net, "192.0.2.99") == "192.0.2.2").then_some(())
    });
    net.ip("route add 203.0.113.0/24 via 192.0.2.99 src 192.0.2.2");
    router.stop();
    let net = &router.host.net;
    let shown = net.try_ip("-4 address show dev eth0").unwrap();
    assert!(shown.contains("192.0.2.2/24") && !shown.contains("192.0.2.11"), "{shown}");
    let routes = net.try_ip("route").unwrap();
    assert!(routes.contains("203.0.113.0/24 via 192.0.2.99"), "{routes}");
    assert_eq!(promotes(net, "eth0"), "0", "as it was before");
}

/// The setting is the administrator's when it was 1.
#[test]
fn what_was_one_stays_one() {
    let mut pair = Pair::new();
    pair.a.host.net.sysctl("net/ipv4/conf/eth0/promote_secondaries", "1");
    pair.a.configure(&Instance::lan(150, &["192.0.2.1/24"]).to_string());
    pair.a.start();
    pair.a.until_state("lan", State::Master);
    pair.a.stop();
    assert_eq!(promotes(&pair.a.host.net, "eth0"), "1");
}

/// A lease that changes: the virtual address becomes primary, and is put behind the new one.
#[test]
fn the_router_s_own_address_is_the_source_after_a_change_of_it() {
    let mut pair = Pair::running(&["192.0.2.1/24", "192.0.2.11/24", "2001:db8::1/64"]);
    let mut watch = pair.watch_a();
    watch.until_address("eth0", "192.0.2.11", true);
    let before = pair.a.until_state("lan", State::Master).transitions;
    for own in ["192.0.2.4", "192.0.2.5"] {
        let net = &pair.a.host.net;
        let old = source(net, "192.0.2.99");
        net.ip(&format!("address add {own}/24 dev eth0"));
        net.ip(&format!("address del {old}/24 dev eth0"));
        until("the own address is the source", || (source(net, "192.0.2.99") == own).then_some(()));
        pair.a.until_state("lan", State::Master);
    }
    assert_eq!(source(&pair.a.host.net, "2001:db8::99"), "2001:db8::2");
    let words = pair.a.words();
    assert!(!words.contains("somebody else"), "{words}");
    let now = pair.a.until_state("lan", State::Master);
    assert!(now.objects.iter().all(|object| object.present), "{now:#?}");
    assert_eq!(now.transitions, before);
}

/// Six reloads, each of which removes the primary address: the others are not even away.
#[test]
fn a_reload_that_removes_the_first_address_costs_the_others_nothing() {
    let all: Vec<String> = (11..18).map(|n| format!("192.0.2.{n}/24")).collect();
    let text = |from: usize| {
        let rest: Vec<&str> = all.iter().skip(from).map(String::as_str).collect();
        Instance::lan(150, &rest).to_string()
    };
    let mut pair = Pair::new();
    pair.a.host.net.ip("address flush dev eth0 scope global");
    pair.a.host.net.ip("address add 198.51.100.2/24 dev eth0");
    pair.a.configure(&text(0));
    pair.a.start();
    let mut watch = pair.watch_a();
    watch.until_address("eth0", "192.0.2.17", true);
    let pinger = Pinger::start(&pair.client.net, "192.0.2.17", Duration::from_millis(2));
    pinger.until_answered();
    let from = wall_clock();
    watch.changes();
    for first in 1..7 {
        pair.a.configure(&text(first));
        pair.a.ask(&["reload"]);
        watch.until_address("eth0", &format!("192.0.2.{}", 10 + first), false);
        std::thread::sleep(Duration::from_millis(100));
    }
    assert_eq!(watch.removed().len(), 6, "those that are listed no more");
    // The kernel exchanges the route of the subnet when it has another primary address.
    let loss = pinger.loss(from, wall_clock());
    assert!(loss.lost <= 1, "{loss:?}");
    assert!(!pair.a.words().contains("somebody else"), "{}", pair.a.words());
}

/// What removes the addresses of a daemon that is no more is as careful.
#[test]
fn a_daemon_that_is_killed_costs_the_own_address_nothing() {
    let (mut router, _lan, _scratch) = alone("");
    let host: &Host = &router.host;
    host.net.ip("address add 192.0.2.2/24 dev eth0");
    until("it is in order", || (source(&host.net, "192.0.2.99") == "192.0.2.2").then_some(()));
    // As left by one that could not set it, and died before it put anything in order.
    host.net.ip("address del 192.0.2.2/24 dev eth0");
    router.kill();
    let net = &router.host.net;
    net.sysctl("net/ipv4/conf/eth0/promote_secondaries", "0");
    net.ip("address add 192.0.2.2/24 dev eth0");
    router.configure(&Instance::lan(150, &["192.0.2.7/24"]).to_string());
    router.start();
    router.until_state("lan", State::Master);
    let shown = router.host.net.try_ip("-4 address show dev eth0").unwrap();
    assert!(shown.contains("192.0.2.2/24") && !shown.contains("192.0.2.1/24"), "{shown}");
}
