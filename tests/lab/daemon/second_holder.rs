//! Another host holds an address of a master, and is no master that it hears.

use steadfast::control::status::{Document, State, VerdictLevel, WarningKind};

use crate::harness::config::Instance;
use crate::harness::pair::{Pair, VIRTUAL_4, VIRTUAL_6};
use crate::harness::router::Router;

/// Probes often enough for a test.
const OFTEN: &str = "second_holder_probe = \"500ms\"";

fn taken<'a>(document: &'a Document, address: &str) -> Option<&'a str> {
    let address = Some(address.parse().unwrap());
    let is_it = |w: &&steadfast::control::status::Warning| {
        w.kind == WarningKind::AddressTaken && w.from == address && w.ended_age.is_none()
    };
    document.warnings.iter().find(is_it).map(|warning| warning.text.as_str())
}

/// The verdict is SPLIT since another host holds an address; gives what is said of it.
#[track_caller]
fn is_split(router: &mut Router, address: &str) -> String {
    let document = router.until(&format!("it finds another holder of {address}"), |document| {
        document.verdict.level == VerdictLevel::Split && taken(document, address).is_some()
    });
    assert!(document.verdict.text.contains("another host ("), "{}", document.verdict.text);
    let output = router.command(&["status"]);
    assert_eq!(output.status.code(), Some(4));
    taken(&document, address).unwrap().to_owned()
}

/// Two routers that do not hear each other, by configuration.
#[track_caller]
fn both_masters(a: &Instance, b: &Instance) -> Pair {
    let mut pair = Pair::new();
    pair.a.configure(&a.clone().with(OFTEN).to_string());
    pair.b.configure(&b.clone().with(OFTEN).to_string());
    pair.a.start();
    pair.a.until_state("lan", State::Master);
    pair.b.start();
    pair.b.until_state("lan", State::Master);
    pair
}

const ADDRESS: [&str; 1] = ["192.0.2.1/24"];

#[test]
fn another_vrid_is_a_split_as_long_as_both_hold_the_address() {
    let lan = Instance::lan(150, &ADDRESS);
    let mut pair = both_masters(&lan, &Instance::lan(100, &ADDRESS).named("lan", 52));
    let text = is_split(&mut pair.a, VIRTUAL_4);
    assert!(text.contains("virtual_router_id 52") && text.contains("192.0.2.3"), "{text}");
    is_split(&mut pair.b, VIRTUAL_4);
    // Who is gone holds nothing: that is found out, and is past then.
    pair.b.stop();
    let document =
        pair.a.until("the split is over", |document| document.verdict.level == VerdictLevel::Ok);
    let past = document.warnings.iter().find(|w| w.kind == WarningKind::AddressTaken).unwrap();
    assert!(past.ended_age.is_some(), "{past:?}");
}

#[test]
fn another_version_or_password_is_named() {
    let two = |priority| Instance::lan(priority, &ADDRESS).every("1s").version(2);
    let mut pair = both_masters(&Instance::lan(150, &ADDRESS), &two(100));
    let text = is_split(&mut pair.a, VIRTUAL_4);
    assert!(text.contains("192.0.2.3") && text.contains("version"), "{text}");
    drop(pair);
    let password =
        |word: &str| format!("authentication = {{ type = \"pass\", password = \"{word}\" }}");
    let (a, b) = (two(150).with(&password("one")), two(100).with(&password("two")));
    let mut pair = both_masters(&a, &b);
    let text = is_split(&mut pair.a, VIRTUAL_4);
    assert!(text.contains("192.0.2.3") && text.contains("password"), "{text}");
}

#[test]
fn an_address_added_by_hand_is_found_though_nobody_announces_it() {
    let both = ["192.0.2.1/24", "2001:db8::1/64", "fe80::1:1/64"];
    let text = |priority| Instance::lan(priority, &both).with(OFTEN).to_string();
    let mut pair = Pair::running_with(text);
    assert_eq!(taken(&pair.a.status().unwrap(), VIRTUAL_4), None);
    pair.client.net.ip("address add 192.0.2.1/32 dev eth0");
    let text = is_split(&mut pair.a, VIRTUAL_4);
    assert!(text.contains("another host (") && text.contains("added by hand"), "{text}");
    pair.client.net.ip("address del 192.0.2.1/32 dev eth0");
    pair.client.net.ip("address add 2001:db8::1/128 dev eth0 nodad");
    is_split(&mut pair.a, VIRTUAL_6);
    pair.client.net.ip("address del 2001:db8::1/128 dev eth0");
    pair.a
        .until("nobody holds them any more", |document| document.verdict.level == VerdictLevel::Ok);
}

/// Then the kernel drops the adverts of the other one, and neither hears anything.
#[test]
fn the_same_own_address_on_both_routers_is_named() {
    let mut pair = Pair::new();
    pair.b.host.net.ip("address flush dev eth0 scope global");
    pair.b.host.net.ip("address add 192.0.2.2/24 dev eth0");
    for (router, priority) in [(&mut pair.a, 150), (&mut pair.b, 100)] {
        router.configure(&Instance::lan(priority, &ADDRESS).with(OFTEN).to_string());
        router.start();
        router.until_state("lan", State::Master);
    }
    is_split(&mut pair.a, VIRTUAL_4);
    let text = is_split(&mut pair.a, "192.0.2.2");
    assert!(text.contains("an address of its own"), "{text}");
}

/// With rp_filter the kernel drops adverts from where it has no route to.
#[test]
fn own_addresses_without_a_subnet_are_named() {
    let mut pair = Pair::new();
    for (router, address) in [(&pair.a, "192.0.2.2"), (&pair.b, "192.0.2.3")] {
        router.host.net.sysctl("net/ipv4/conf/all/rp_filter", "1");
        router
            .host
            .net
            .ip_batch(&format!("address flush dev eth0\naddress add {address}/32 dev eth0\n"));
        router.configure(&Instance::lan(100, &["192.0.2.1/32"]).with(OFTEN).to_string());
    }
    pair.a.start();
    pair.b.start();
    for (router, own) in [(&mut pair.a, "192.0.2.2"), (&mut pair.b, "192.0.2.3")] {
        let text = is_split(router, VIRTUAL_4);
        assert!(text.contains("rp_filter") && text.contains(&format!("{own}/32")), "{text}");
    }
}
