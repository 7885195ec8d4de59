use std::net::IpAddr;

use super::addresses::packet_capacity;
use crate::config::diagnostic::Severity;
use crate::config::machine::{Character, Machine};
use crate::config::parse;
use crate::units::{Family, Version};

/// What is found in an instance `a` with these lines, as `severity message`.
fn found(lines: &str, machine: Option<&Machine>) -> Vec<String> {
    let text = format!(
        "[vrrp.instance.a]\ninterface = \"eth0\"\nvirtual_router_id = 7\nversion = 3\n{lines}\n"
    );
    parse(&text, machine)
        .diagnostics
        .into_iter()
        .map(|d| format!("{} {}", d.severity, d.message))
        .collect()
}

/// The only finding; it is of this severity and says this.
fn only(lines: &str, severity: Severity, says: &str) {
    let found = found(lines, None);
    assert_eq!(found.len(), 1, "{found:#?}");
    assert!(found[0].starts_with(&severity.to_string()), "{found:#?}");
    assert!(found[0].contains(says), "{found:#?}");
}

const ONE: &str = "virtual_addresses = [\"10.0.0.1/24\"]\n";

#[test]
fn a_plain_instance_is_clean() {
    assert_eq!(found(ONE, None), Vec::<String>::new());
}

#[test]
fn the_owner_always_takes_over() {
    let owner = format!("{ONE}priority = 255\n");
    let claims = "warning vrrp.instance.a.priority: 255 claims";
    let found = found(&format!("{owner}preempt = false"), None);
    assert!(found.iter().any(|f| f.contains("always takes over")), "{found:#?}");
    assert!(found.iter().any(|f| f.starts_with(claims)), "{found:#?}");
}

#[test]
fn the_owner_has_the_addresses() {
    let lines = "virtual_addresses = [\"10.0.0.1/24\", \"10.0.1.1/24 dev eth1\"]\npriority = 255";
    let address = |name: &str, text: &str| (name.into(), text.parse::<IpAddr>().unwrap());
    let mut held = vec![address("eth0", "10.0.0.1"), address("eth0", "10.0.1.1")];
    let machine = |held| Machine::of(vec!["eth0".into(), "eth1".into()], held);
    let missing = found(lines, Some(&machine(held.clone())));
    assert_eq!(missing.len(), 1, "{missing:#?}");
    assert!(missing[0].contains("has no 10.0.1.1 on eth1"), "{missing:#?}");
    held.push(address("eth1", "10.0.1.1"));
    assert_eq!(found(lines, Some(&machine(held))), Vec::<String>::new());
}

#[test]
fn the_only_address_of_a_router_is_no_virtual_one() {
    let lines = "virtual_addresses = [\"10.0.0.1/24\", \"fe80::1/64\"]\n";
    let address = |text: &str| ("eth0".into(), text.parse::<IpAddr>().unwrap());
    let machine = |all: &[&str]| {
        Machine::of(vec!["eth0".into()], all.iter().map(|text| address(text)).collect())
    };
    let only = found(lines, Some(&machine(&["10.0.0.1", "2001:db8::1", "fe80::1"])));
    assert_eq!(only.len(), 2, "{only:#?}");
    for (found, own) in only.iter().zip(["10.0.0.1", "fe80::1"]) {
        assert!(found.starts_with("warning") && found.contains(own), "{found}");
        assert!(found.contains("the only one that eth0 can send from"), "{found}");
    }
    // As a master has it.
    let master = machine(&["10.0.0.1", "10.0.0.2", "fe80::1", "fe80::2"]);
    assert_eq!(found(lines, Some(&master)), Vec::<String>::new());
    assert_eq!(found(lines, Some(&machine(&["2001:db8::1"]))), Vec::<String>::new());
}

#[test]
fn a_delay_needs_preemption() {
    only(
        &format!("{ONE}preempt = false\npreempt_delay = \"5s\""),
        Severity::Error,
        "no preemption to delay",
    );
    only(
        &format!("{ONE}preempt = \"immediate\"\npreempt_delay = \"5s\""),
        Severity::Error,
        "without any delay",
    );
    assert_eq!(found(&format!("{ONE}preempt_delay = \"5s\""), None), Vec::<String>::new());
}

#[test]
fn a_packet_holds_so_many_addresses() {
    assert_eq!(packet_capacity(Version::V2, Family::V4), 255);
    assert_eq!(packet_capacity(Version::V3, Family::V4), 255);
    assert_eq!(packet_capacity(Version::V3, Family::V6), 89);
    let many = |count: usize| {
        let list: Vec<String> = (1..=count).map(|i| format!("\"fe80::{i:x}/64\"")).collect();
        format!("virtual_addresses = [{}]", list.join(", "))
    };
    assert_eq!(found(&many(89), None), Vec::<String>::new());
    only(&many(91), Severity::Error, "91 IPv6 addresses, but a packet of version 3 holds 89");
}

#[test]
fn the_first_ipv6_address_is_link_local() {
    let lines = "virtual_addresses = [\"2001:db8::1/64\", \"fe80::1/64\"]";
    only(lines, Severity::Warning, "2001:db8::1, is not link-local");
    only(&format!("{lines}\nstrict_mode = true"), Severity::Error, "is not link-local");
}

#[test]
fn both_families_make_one_instance() {
    let lines = "virtual_addresses = [\"10.0.0.1/24\", \"fe80::7/64\", \"2001:db8::1/64\"]";
    assert_eq!(found(lines, None), Vec::<String>::new());
}

#[test]
fn an_address_is_held_once() {
    only(
        "virtual_addresses = [\"10.0.0.1/24\"]\nexcluded_addresses = [\"10.0.0.1/32\"]",
        Severity::Error,
        "10.0.0.1 is there twice",
    );
    let second = |address: &str| {
        format!(
            "virtual_addresses = [\"fe80::1/64\", \"10.0.0.1/24\"]\n[vrrp.instance.b]\n\
             interface = \"eth1\"\nvirtual_router_id = 7\nvirtual_addresses = [\"{address}\"]"
        )
    };
    only(&second("10.0.0.1/24"), Severity::Error, "10.0.0.1 belongs to instance a already");
    // A link-local address is another one on another link.
    assert_eq!(found(&second("fe80::1/64"), None), Vec::<String>::new());
}

#[test]
fn an_identifier_is_one_router_of_a_family() {
    let second = |interface: &str, vrid: u8, address: &str| {
        format!(
            "{ONE}[vrrp.instance.b]\ninterface = \"{interface}\"\nvirtual_router_id = {vrid}\n\
             version = 3\nvirtual_addresses = [\"{address}\"]"
        )
    };
    only(&second("eth0", 7, "10.0.0.2/24"), Severity::Error, "7 is taken for IPv4 on eth0");
    for other in [second("eth1", 7, "10.0.0.2/24"), second("eth0", 8, "10.0.0.2/24")] {
        assert_eq!(found(&other, None), Vec::<String>::new());
    }
    assert_eq!(found(&second("eth0", 7, "fe80::2/64"), None), Vec::<String>::new());
}

#[test]
fn an_incomplete_instance_is_no_second_one() {
    let text = "[vrrp.instance.a]\ninterface = \"eth0\"\nvirtual_addresses = [\"10.0.0.1/24\"]\n\
                [vrrp.instance.b]\ninterface = \"eth0\"\nvirtual_addresses = [\"10.0.0.2/24\"]\n";
    let messages: Vec<String> =
        parse(text, None).diagnostics.into_iter().map(|d| d.message).collect();
    assert_eq!(messages.len(), 2, "{messages:#?}");
    assert!(messages.iter().all(|m| m.contains("virtual_router_id is missing")));
}

#[test]
fn the_source_is_no_virtual_address() {
    only(
        &format!("{ONE}source_address = \"10.0.0.1\""),
        Severity::Error,
        "also the source_address",
    );
    only(
        &format!("{ONE}source_address = \"fe80::2\""),
        Severity::Error,
        "there is no virtual IPv6 address",
    );
}

#[test]
fn versions_have_different_options() {
    let v2 = |lines: &str| {
        let text = format!(
            "[vrrp.instance.a]\ninterface = \"eth0\"\nvirtual_router_id = 7\nversion = 2\n{lines}\n"
        );
        let found = parse(&text, None).diagnostics;
        found.into_iter().map(|d| d.message).collect::<Vec<_>>().join("\n")
    };
    assert!(v2("virtual_addresses = [\"fe80::1/64\"]").contains("version 2 is for IPv4 only"));
    assert!(v2(&format!("{ONE}checksum = \"message\"")).contains("has no variants"));
    let pass = "authentication = { type = \"pass\", password = \"secret\" }";
    assert_eq!(v2(&format!("{ONE}{pass}")), "");
    only(&format!("{ONE}{pass}"), Severity::Error, "version 3 has no authentication");
}

#[test]
fn strict_mode_forbids_what_is_written() {
    only(
        &format!("{ONE}strict_mode = true\ndown_timer_adverts = 5"),
        Severity::Error,
        "strict_mode does not allow this",
    );
    assert_eq!(found(&format!("{ONE}strict_mode = true"), None), Vec::<String>::new());
}

#[test]
fn missing_interfaces_are_named_once() {
    let machine = Machine::of(vec!["lo".into(), "eth1".into()], vec![]);
    let lines = format!("{ONE}dont_track_primary = true\ntrack_interfaces = [\"eth0\", \"wan\"]");
    let found = found(&lines, Some(&machine));
    assert_eq!(found.len(), 2, "{found:#?}");
    assert!(found[0].contains("a.interface: this machine has no interface eth0 (have: lo, eth1)"));
    assert!(found[1].contains("a.track_interfaces: this machine has no interface wan"));
    let group =
        format!("{ONE}[vrrp.group.g]\ninstances = [\"a\"]\ntrack_interfaces = {{ mgmt = 5 }}");
    let found = parse(
        &format!("[vrrp.instance.a]\ninterface = \"lo\"\nvirtual_router_id = 7\n{group}"),
        Some(&machine),
    );
    let messages: Vec<&str> = found.diagnostics.iter().map(|d| d.message.as_str()).collect();
    assert!(
        messages[1].contains("vrrp.group.g.track_interfaces: this machine has no interface mgmt")
    );
}

#[test]
fn groups_are_checked() {
    let group = |lines: &str| {
        let second = "[vrrp.instance.b]\ninterface = \"eth1\"\nvirtual_router_id = 7\n\
                      virtual_addresses = [\"10.0.1.1/24\"]\npriority = 100\n";
        found(
            &format!("{ONE}priority = 100\ntrack_interfaces = {{ w = -10 }}\n{second}{lines}"),
            None,
        )
    };
    let both = "[vrrp.group.g]\ninstances = [\"a\", \"b\"]\n";
    assert!(group(both)[0].contains("does not count in a member of group g"));
    assert_eq!(group(&format!("{both}sync_group_tracking_weight = true")), Vec::<String>::new());
    let says = |lines: &str, what: &str| {
        let found = group(lines);
        assert!(found.iter().any(|f| f.contains(what)), "{found:#?}");
    };
    says("[vrrp.group.g]\ninstances = [\"a\", \"c\"]\n", "there is no instance c");
    says("[vrrp.group.g]\ninstances = [\"b\"]\n", "a group of one does nothing");
    says("[vrrp.group.g]\ninstances = []\n", "the group is empty");
    says("[vrrp.group.g]\ninstances = [\"a\", \"b\", \"a\"]\n", "a is there twice");
    says(&format!("{both}[vrrp.group.h]\ninstances = [\"a\", \"b\"]"), "a is in group g already");
}

#[test]
fn the_own_interface_is_tracked_anyway() {
    let own = format!("{ONE}track_interfaces = [\"eth0\"]");
    only(&own, Severity::Warning, "tracked anyway");
    let weighted = format!("{ONE}track_interfaces = {{ eth0 = 5 }}");
    assert_eq!(found(&weighted, None), Vec::<String>::new());
    assert_eq!(found(&format!("{own}\ndont_track_primary = true"), None), Vec::<String>::new());
}

#[test]
fn a_host_has_an_address_of_a_host() {
    let one = |address: &str| format!("virtual_addresses = [\"{address}\"]");
    only(&one("10.0.0.255/24"), Severity::Warning, "broadcast address");
    only(&one("10.0.0.0/24"), Severity::Warning, "address of a network");
    only(&one("10.0.0.1/0"), Severity::Warning, "every address of the world");
    only(&one("127.0.0.1/8"), Severity::Error, "never leaves a machine");
    only(&one("::1"), Severity::Error, "never leaves a machine");
    only(&one("255.255.255.255"), Severity::Error, "cannot be the address of a host");
    for address in ["10.0.0.1/31", "10.0.0.0/31", "10.0.0.255/23", "10.0.0.255", "fe80::ff/120"] {
        assert_eq!(found(&one(address), None), Vec::<String>::new(), "{address}");
    }
}

#[test]
fn interfaces_without_use_are_named_with_what_to_write() {
    fn of(name: &str) -> Option<Character> {
        let ethernet =
            Character { port_of: None, loopback: false, multicast: true, resolves: true };
        Some(match name {
            "lo" => Character { loopback: true, multicast: false, ..ethernet },
            "port" => Character { port_of: Some("br0".into()), ..ethernet },
            "wg0" => Character { multicast: false, resolves: false, ..ethernet },
            "noarp" => Character { resolves: false, ..ethernet },
            _ => ethernet,
        })
    }
    let names = ["lo", "port", "wg0", "noarp", "eth0"];
    let machine = Machine::of(names.map(Into::into).to_vec(), vec![]).with(of);
    let found = |name: &str| {
        let text = format!(
            "[vrrp.instance.a]\ninterface = \"{name}\"\nvirtual_router_id = 7\n\
             virtual_addresses = [\"10.0.0.1/24\"]\n"
        );
        let found = parse(&text, Some(&machine)).diagnostics;
        assert!(found.iter().all(|found| found.severity == Severity::Warning), "{found:#?}");
        found.into_iter().map(|found| (found.message, found.help)).collect::<Vec<_>>()
    };
    for (name, message, help) in [
        ("lo", "lo leads back to this machine", "write the interface by which"),
        ("port", "port is a port of br0", "write interface = \"br0\""),
        ("wg0", "wg0 takes no multicast packets", "ip link set wg0 multicast on"),
        ("noarp", "noarp has no ARP", "ip link set noarp arp on"),
    ] {
        let found = found(name);
        assert_eq!(found.len(), 1, "{found:#?}");
        assert!(found[0].0.starts_with(&format!("vrrp.instance.a.interface: {message}")));
        assert!(found[0].1.as_ref().unwrap().contains(help), "{found:#?}");
    }
    assert_eq!(found("eth0"), []);
}

#[test]
fn routes_in_one_place_need_a_metric() {
    let of = |routes: &str| found(&format!("{ONE}virtual_routes = [{routes}]"), None);
    let v4 = "\"default via 10.0.0.8\", \"default via 10.0.0.9\"";
    let said = of(v4);
    assert_eq!(said.len(), 1, "{said:#?}");
    assert!(said[0].contains("there is another route to default with this metric: the one that"));
    let said = of("\"2001:db8::/32 via fe80::8 dev eth0\", \"2001:db8::/32 via fe80::9 dev eth0\"");
    assert!(said[0].contains("the kernel takes only one of them"), "{said:#?}");
    for apart in [
        "\"default via 10.0.0.8\", \"default via 10.0.0.9 metric 100\"",
        "\"default via 10.0.0.8\", \"default via 10.0.0.9 table 100\"",
        "\"default via 10.0.0.8\", \"10.1.0.0/16 via 10.0.0.9\"",
    ] {
        assert_eq!(of(apart), Vec::<String>::new());
    }
}
