//! Virtual routes beside those of others, in the place that they want.

use std::time::Duration;

use steadfast::control::status::{State, WarningKind};

use crate::harness::config::Instance;
use crate::harness::pair::Pair;
use crate::harness::router::find;
use crate::harness::until;

/// The routes to everywhere, first the one that is used.
fn defaults(pair: &Pair, family: &str) -> Vec<String> {
    let shown = pair.a.host.net.try_ip(&format!("{family} route show default")).unwrap();
    let lines = shown.lines().map(|line| line.trim().replace("proto 18", "proto keepalived"));
    lines.collect()
}

#[track_caller]
fn are(pair: &Pair, family: &str, wanted: &[&str]) {
    until(&format!("{wanted:?}"), || (defaults(pair, family) == wanted).then_some(()));
}

/// A pair of which the first router has a default route of its own; `lines` are of the instance.
fn running(foreign: &str, lines: &str) -> Pair {
    let mut pair = Pair::new();
    pair.a.host.net.ip(foreign);
    for (router, priority) in [(&mut pair.a, 150), (&mut pair.b, 100)] {
        router.configure(&Instance::lan(priority, &["192.0.2.1/24"]).with(lines).to_string());
        router.start();
    }
    pair.settle();
    pair
}

const DHCP: &str = "default via 192.0.2.9 dev eth0 proto dhcp";

/// In front of the other one while master; that is as it was afterwards.
#[test]
fn a_default_route_stands_in_front_of_the_one_of_dhcp() {
    let lines = "virtual_routes = [\"default via 192.0.2.254 dev eth0\"]";
    let mut pair = running("route add default via 192.0.2.9 proto dhcp", lines);
    let ours = "default via 192.0.2.254 dev eth0 proto keepalived";
    are(&pair, "-4", &[ours, DHCP]);
    let used = pair.a.host.net.try_ip("route get 198.51.100.1").unwrap();
    assert!(used.contains("via 192.0.2.254"), "{used}");
    let document = pair.a.until("the route is there", |document| {
        find(document, "lan").is_some_and(|lan| lan.objects.iter().all(|object| object.present))
    });
    assert_eq!(document.warnings, []);
    // A lease with another gateway replaces the first one, which is ours; ours comes in front again.
    pair.a.host.net.ip("route replace default via 192.0.2.8 proto dhcp");
    let other = "default via 192.0.2.8 dev eth0 proto dhcp";
    are(&pair, "-4", &[ours, other, DHCP]);
    pair.a.ask(&["switchover", "lan"]);
    pair.b.until_state("lan", State::Master);
    are(&pair, "-4", &[other, DHCP]);
}

/// Two routes to the same destination: both are there, and each goes alone.
#[test]
fn two_virtual_default_routes() {
    let both = "virtual_routes = [\"default via 192.0.2.254 dev eth0\", \
                \"default via 192.0.2.253 dev eth0\"]";
    let mut pair = running("link set lo up", both);
    let (last, first) = (
        "default via 192.0.2.253 dev eth0 proto keepalived",
        "default via 192.0.2.254 dev eth0 proto keepalived",
    );
    are(&pair, "-4", &[last, first]);
    let one = "virtual_routes = [\"default via 192.0.2.254 dev eth0\"]";
    pair.a.configure(&Instance::lan(150, &["192.0.2.1/24"]).with(one).to_string());
    pair.a.ask(&["reload"]);
    are(&pair, "-4", &[first]);
    pair.a.stop();
    are(&pair, "-4", &[]);
}

/// IPv6 has no "in front": the message names what is there and what to write.
#[test]
fn an_ipv6_route_in_the_place_of_another_needs_a_metric() {
    let default =
        |more: &str| format!("virtual_routes = [\"default via 2001:db8::fe dev eth0{more}\"]");
    let foreign = "-6 route add default via 2001:db8::9 dev eth0 proto ra";
    let mut pair = running(foreign, &default(""));
    let said = "the kernel refused to add route default via 2001:db8::fe dev eth0: File exists \
                (default via 2001:db8::9 dev eth0 proto ra metric 1024 is in its place: write a \
                lower metric, such as \"metric 1023\")";
    pair.a.until("it is said", |document| {
        document.warnings.iter().any(|warning| {
            warning.kind == WarningKind::KernelRefused && warning.text.contains(said)
        })
    });
    let ra = "default via 2001:db8::9 dev eth0 proto ra metric 1024 pref medium";
    are(&pair, "-6", &[ra]);
    let lan = Instance::lan(150, &["192.0.2.1/24"]).with(&default(" metric 1023"));
    pair.a.configure(&lan.to_string());
    pair.a.ask(&["reload"]);
    let ours = "default via 2001:db8::fe dev eth0 proto keepalived metric 1023 pref medium";
    are(&pair, "-6", &[ours, ra]);
    pair.a.stop();
    are(&pair, "-6", &[ra]);
}

/// Somebody else's route does the same: it is enough, it stays, and when it goes ours comes.
#[test]
fn an_ipv6_route_that_is_there_already_is_enough() {
    let lines = "virtual_routes = [\"default via 2001:db8::9 dev eth0\"]";
    let foreign = "-6 route add default via 2001:db8::9 dev eth0 proto static";
    let mut pair = running(foreign, lines);
    let all_there = |pair: &mut Pair| {
        pair.a.until("the route is there", |document| {
            find(document, "lan").is_some_and(|lan| {
                lan.state == State::Master && lan.objects.iter().all(|object| object.present)
            })
        })
    };
    let document = all_there(&mut pair);
    assert_eq!(document.warnings, []);
    let theirs = "default via 2001:db8::9 dev eth0 proto static metric 1024 pref medium";
    are(&pair, "-6", &[theirs]);
    pair.a.ask(&["switchover", "lan", "--for", "1s"]);
    pair.b.until_state("lan", State::Master);
    std::thread::sleep(Duration::from_millis(50));
    are(&pair, "-6", &[theirs]);
    pair.a.until_state("lan", State::Master);
    all_there(&mut pair);
    pair.a.host.net.ip("-6 route del default via 2001:db8::9 dev eth0 proto static");
    let ours = "default via 2001:db8::9 dev eth0 proto keepalived metric 1024 pref medium";
    are(&pair, "-6", &[ours]);
    pair.a.stop();
    are(&pair, "-6", &[]);
}
