use super::*;

/// Reads a text that has to be good.
fn good(text: &str) -> Model {
    let parsed = parse(text, None);
    let messages: Vec<&str> = parsed.diagnostics.iter().map(|d| d.message.as_str()).collect();
    parsed.model.unwrap_or_else(|| panic!("{messages:#?}"))
}

#[test]
fn the_example_of_the_design_is_read() {
    let model = good(
        r#"
[global]
router_id = "gw-a"

[vrrp.instance.lan]
interface = "br-lan"
virtual_router_id = 51
priority = 150
version = 3
advertisement_interval = "1s"
virtual_addresses = ["192.168.1.1/24", { address = "192.168.1.2/24", label = "br-lan:v" }]
virtual_routes = ["default via 203.0.113.1 dev wan"]
track_interfaces = ["wan"]
preempt = true
preempt_delay = "0s"
"#,
    );
    let lan = &model.instances[0];
    assert_eq!(&*lan.settings.name, "lan");
    assert_eq!(lan.addresses.len(), 2);
    assert_eq!(lan.routes.len(), 1);
    assert_eq!(&*lan.track.interfaces[0].name, "wan");
}

/// What is found, as messages.
fn messages(text: &str) -> Vec<String> {
    parse(text, None).diagnostics.into_iter().map(|d| d.message).collect()
}

const ANNOTATED: &str = include_str!("../../conf/steadfast.toml");

#[test]
fn every_key_of_the_annotated_file_is_known() {
    let mut keys = 0;
    for (index, line) in ANNOTATED.lines().enumerate() {
        let Some(setting) = line.strip_prefix("# ").filter(|l| is_setting(l)) else { continue };
        keys += 1;
        // A group needs its header, the rest stands in the table that it is in.
        let group = ANNOTATED.lines().skip(index).all(|l| !l.starts_with("# [vrrp.group"));
        let text: Vec<String> = ANNOTATED
            .lines()
            .enumerate()
            .map(|(at, other)| if at == index { setting.to_owned() } else { other.to_owned() })
            .map(|other| if group { other.replace("# [vrrp.group", "[vrrp.group") } else { other })
            .collect();
        let wrong: Vec<String> = messages(&text.join("\n"))
            .into_iter()
            .filter(|m| !CROSS_CHECKS.iter().any(|known| m.contains(known)))
            .collect();
        assert!(wrong.is_empty(), "line {}: {wrong:#?}", index + 1);
    }
    assert!(keys > 40, "only {keys} settings found");
}

fn is_setting(line: &str) -> bool {
    let key = line.split(" = ").next().unwrap();
    key.len() < line.len()
        && key.bytes().all(|b| b.is_ascii_lowercase() || b"_0123456789".contains(&b))
}

/// What single lines of the annotated file rightly get told without the others.
const CROSS_CHECKS: [&str; 7] = [
    "watchdog_device is missing",
    "version 3 has no authentication",
    "works only without preemption",
    "instances is missing",
    "there is no instance dmz",
    "[vrrp.group.gateway] is there twice",
    "nothing runs in real time",
];

#[test]
fn the_defaults_of_the_annotated_file_are_the_defaults() {
    // Lines that show something else than the default say so above them.
    let others = ["track_", "backups", "resume_within", "timer_expired", "excluded", "virtual_r"];
    let more = ["source_address", "authentication", "instances", "sync_group", "vrrp_version"];
    let daemon = ["hello_interval", "control_socket_group", "watchdog_"];
    let process = ["vrrp_priority", "vrrp_rt_", "vrrp_rlimit_", "vrrp_cpu_"];
    let shown = ANNOTATED.split("# [vrrp.group").next().unwrap();
    let lines = shown.lines().map(|line| {
        let setting = line.strip_prefix("# ").filter(|line| is_setting(line));
        let others = others.iter().chain(&more).chain(&daemon).chain(&process);
        let other = |line: &&str| others.clone().any(|other| line.starts_with(other));
        setting.filter(|line| !other(line)).unwrap_or(line)
    });
    let uncommented: Vec<&str> = lines.collect();
    let diff = diff::Diff::between(&good(ANNOTATED), &good(&uncommented.join("\n")));
    assert!(diff.is_empty(), "{diff}");
}

#[test]
fn global_defaults_reach_the_instances_wherever_they_stand() {
    let instance = "[vrrp.instance.a]\ninterface = \"eth0\"\nvirtual_router_id = 7\n\
                    virtual_addresses = [\"10.0.0.1/24\"]\ngarp_master_delay = \"1s\"\n";
    let global = "[global]\nvrrp_version = 3\nvrrp_garp_master_repeat = 9\n\
                  vrrp_garp_master_delay = \"8s\"\n";
    let model = good(&format!("{instance}{global}"));
    let announce = model.instances[0].settings.announce;
    assert_eq!(model.instances[0].settings.version, crate::units::Version::V3);
    assert_eq!((announce.repeat, announce.delay.as_secs()), (9, 1));
    assert_eq!((announce.lower_prio_repeat, announce.lower_prio_delay.as_secs()), (9, 8));
    assert_eq!(model, good(&format!("{global}{instance}")));
}

#[test]
fn a_watchdog_has_a_device_and_a_sensible_timeout() {
    let told = |text: &str| parse(&format!("[global]\n{text}\n"), None);
    let global = told("watchdog_device = \"/dev/watchdog0\"\nwatchdog_timeout = 30").model;
    let global = global.unwrap().global;
    assert_eq!(global.watchdog_device.as_deref(), Some("/dev/watchdog0"));
    assert_eq!(global.watchdog_timeout.unwrap().as_secs(), 30);
    for (text, words) in [
        ("watchdog_timeout = 30", "watchdog_device is missing"),
        ("watchdog_device = \"watchdog\"", "is not the path of a device"),
        ("watchdog_device = \"/dev/x\"\nwatchdog_timeout = 1", "watchdog_timeout"),
        ("watchdog_device = \"/dev/x\"\nwatchdog_timeout = \"2h\"", "watchdog_timeout"),
    ] {
        let diagnostics = told(text).diagnostics;
        let shown = format!("{diagnostics:?}");
        assert!(shown.contains(words), "{text}: {shown}");
    }
}

#[test]
fn instances_keep_the_order_of_the_file() {
    let instance = |name: &str, vrid: u8| {
        format!(
            "[vrrp.instance.{name}]\ninterface = \"eth0\"\nvirtual_router_id = {vrid}\n\
             virtual_addresses = [\"10.0.0.{vrid}/24\"]\n"
        )
    };
    let model = good(&[instance("zz", 1), instance("aa", 2), instance("mm", 3)].concat());
    let names: Vec<&str> =
        model.instances.iter().map(|instance| &*instance.settings.name).collect();
    assert_eq!(names, ["zz", "aa", "mm"]);
}

#[test]
fn routes_and_rules_are_read_in_both_ways() {
    let model = good(
        r#"
[vrrp.instance.a]
interface = "eth0"
virtual_router_id = 7
virtual_addresses = ["10.0.0.1/24 dev eth1 brd + no_track", { address = "10.0.0.2/24", dev = "eth1", brd = "+", no_track = true }]
virtual_routes = [
    "default via 10.0.0.254 dev eth0 table 100 metric 5 src 10.0.0.1 mtu lock 1400 onlink",
    { to = "default", via = "10.0.0.254", dev = "eth0", table = 100, metric = 5, src = "10.0.0.1", mtu = "lock 1400", onlink = true },
    "10.1.0.0/16 nexthop via 10.0.0.3 weight 2 nexthop dev eth1",
    { to = "10.1.0.0/16", nexthop = [{ via = "10.0.0.3", weight = 2 }, "dev eth1"] },
    { to = "10.2.0.0/16", type = "blackhole" },
    "default via fe80::1 dev eth0",
    "10.3.0.0/16 via inet6 fe80::1 dev eth0",
]
virtual_rules = [
    "not from 10.0.0.0/8 iif eth0 fwmark 0x1/0xff table 100 priority 1000 suppress_prefixlength 0",
    { not = true, from = "10.0.0.0/8", iif = "eth0", fwmark = "0x1/0xff", table = 100, priority = 1000, suppress_prefixlength = 0 },
    "inet6 ipproto tcp dport 80-90 prohibit priority 2",
]
"#,
    );
    let a = &model.instances[0];
    assert_eq!(a.addresses[0].interface.as_deref(), Some("eth1"));
    assert!(!a.addresses[1].track && a.addresses[1].broadcast == a.addresses[0].broadcast);
    assert_eq!(a.routes[0], a.routes[1]);
    assert_eq!((a.routes[0].mtu, a.routes[0].mtu_locked), (Some(1400), true));
    assert_eq!(a.routes[2], a.routes[3]);
    assert_eq!(a.routes[2].next_hops.len(), 2);
    assert_eq!(a.routes[4].kind, crate::net::RouteKind::Blackhole);
    assert_eq!(a.routes[5].destination.family(), crate::units::Family::V6);
    assert_eq!(a.routes[6].destination.family(), crate::units::Family::V4);
    assert_eq!(a.rules[0], a.rules[1]);
    assert_eq!(a.rules[2].destination_ports, Some((80, 90)));
}

#[test]
fn the_model_is_complete_where_the_program_is_not() {
    // Everything here is refused by name, and only that.
    let text = r#"
[global]
vrrp_delay_after_boot = "1m"
vrrp_mcast_group4 = "224.0.0.19"
notify_fifo = "/run/fifo"
script_user = "nobody"
notification_email = ["root@example.org"]
enable_traps = true
checker_rt_priority = 50
bfd_cpu_affinity = [0, 1]

[vrrp.instance.a]
interface = "eth0"
virtual_router_id = 7
version = 3
virtual_addresses = ["10.0.0.1/24"]
use_vmac = { name = "vrrp7", mac = "02:00:00:00:00:07" }
use_ipvlan = { address = "10.0.0.9", mode = "vepa" }
unicast_peers = ["10.0.0.2", { address = "10.0.0.3", min_ttl = 254 }]
unicast_ttl = 64
hmac = { keys = [{ id = 1, key = "0123456789012345678901234567890123" }], active_key = 1 }
accept = false
track_scripts = ["s"]
track_files = { f = { weight = 2 } }
track_processes = ["p"]
track_bfd = ["b"]
notify = ["/bin/sh", "-c", "echo"]
notify_master = { command = "/bin/true", user = "nobody" }
smtp_alert = true

[track.script.s]
command = ["/bin/true"]
[track.file.f]
file = "/run/weight"
[track.process.p]
process = "nginx"
[track.bfd.b]
neighbor_ip = "10.0.0.2"

[static]
addresses = ["10.9.0.1/24 dev eth0"]
routes = ["10.8.0.0/16 dev eth0"]
rules = ["from all table 5 priority 5"]
"#;
    let messages = messages(text);
    let other: Vec<&String> = messages.iter().filter(|m| !m.contains("not built yet")).collect();
    assert!(other.is_empty(), "{other:#?}");
    assert_eq!(messages.len(), 8 + 13 + 4 + 1, "{messages:#?}");
}

/// Bytes that look random, from a seed (xorshift).
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % u64::try_from(limit).unwrap()).unwrap()
    }
}

#[test]
fn no_input_panics() {
    const SEEDS: [&str; 3] = [
        ANNOTATED,
        include_str!("../../tests/check/cases/22-routes-and-rules.toml"),
        include_str!("../../tests/check/cases/30-all-at-once.toml"),
    ];
    const PIECES: [&str; 24] = [
        "[",
        "]",
        "{",
        "}",
        "\"",
        "'",
        "=",
        ",",
        "\n",
        ".",
        "#",
        "\\",
        "-",
        "1e9",
        "nexthop ",
        "via",
        "\"\"\"",
        "\u{0}",
        "ü",
        "9999999999999999999",
        "/",
        "[[vrrp]]\n",
        "[vrrp.instance.lan]\n",
        "inf",
    ];
    let mut random = Random(0x5eed_5eed_5eed_5eed);
    for round in 0..400 {
        let mut text = SEEDS[round % SEEDS.len()].as_bytes().to_vec();
        for _ in 0..=random.below(8) {
            if text.is_empty() {
                break;
            }
            let at = random.below(text.len());
            match random.below(4) {
                0 => text[at] = u8::try_from(random.below(256)).unwrap(),
                1 => drop(text.drain(at..(at + random.below(40)).min(text.len()))),
                2 => {
                    let piece = PIECES[random.below(PIECES.len())];
                    drop(text.splice(at..at, piece.bytes()));
                }
                _ => text.truncate(at.max(1)),
            }
        }
        let text = String::from_utf8_lossy(&text);
        let parsed = parse(&text, Some(&Machine::of(Vec::new(), Vec::new())));
        let renderer = diagnostic::Renderer::new("fuzz", &text);
        for diagnostic in &parsed.diagnostics {
            assert!(!renderer.render(diagnostic, false).is_empty());
        }
        let clean = parsed.diagnostics.iter().all(|d| d.severity == Severity::Warning);
        assert_eq!(parsed.model.is_some(), clean);
    }
}

#[test]
fn deep_nesting_is_an_error_and_no_overflow() {
    let text = format!("[vrrp.instance.a]\nx = {}", "[".repeat(100_000));
    assert!(!messages(&text).is_empty());
    let text = format!("{}x = 1", "a.".repeat(100_000));
    assert!(!messages(&text).is_empty());
}

#[test]
fn a_weight_is_only_there_when_it_is_written() {
    let model = good(
        "[vrrp.instance.a]\ninterface = \"eth0\"\nvirtual_router_id = 7\n\
         virtual_addresses = [\"10.0.0.1/24\"]\n\
         track_interfaces = { a = {}, b = -5, c = { reverse = true } }\n",
    );
    let weights: Vec<_> = model.instances[0].track.interfaces.iter().map(|t| t.weight).collect();
    let weight = |weight, reverse| Some(model::Weight { weight, reverse });
    assert_eq!(weights, [None, weight(-5, false), weight(0, true)]);
}

#[test]
fn a_file_of_errors_is_explained_up_to_a_bound() {
    // The bound is on the number of explanations, of which each may look through the text.
    for line in ["[vrrp.instance.lan]\n", "[a]\nx = 1\nx = 2\n", "key value\n"] {
        let found = messages(&line.repeat(5_000));
        assert!((400..=500).contains(&found.len()), "{line} {}", found.len());
    }
}

#[test]
fn a_colon_in_a_comment_makes_no_yaml() {
    for first in ["[vrrp.instance.lan] # of the LAN:", "vrrp.x = 1 # see:", "config = 1"] {
        let found = messages(&format!("{first}\nwrong line\n"));
        assert!(found.iter().all(|message| !message.contains("looks like")), "{found:#?}");
        assert!(found.iter().any(|message| message.contains("there is no =")), "{found:#?}");
    }
}

#[test]
fn unknown_keys_are_reported_up_to_a_bound() {
    let keys: String = (0..3_000).map(|i| format!("key{i} = 1\n")).collect();
    let found = messages(&format!("[vrrp.instance.lan]\n{keys}"));
    // Besides them three keys are missing.
    assert_eq!(found.len(), 1_003);
}

/// A configuration with one more line in a table; `None` where the table stands in no file.
fn with_line(place: keys::Place, line: &str) -> Option<String> {
    use keys::Place;
    let global = if place == Place::Global { line } else { "" };
    let lan = if place == Place::Instance { line } else { "" };
    let extra = if place == Place::Group { line } else { "" };
    let group = format!("[vrrp.group.g]\ninstances = [\"lan\", \"wan\"]\n{extra}\n");
    let known = [
        ("interface", "interface = \"eth9\""),
        ("virtual_router_id", "virtual_router_id = 9"),
        ("virtual_addresses", "virtual_addresses = [\"10.9.0.1/24\"]"),
    ];
    let key = line.split(" = ").next().unwrap_or_default();
    let rest: Vec<&str> =
        known.iter().filter(|(name, _)| *name != key).map(|(_, line)| *line).collect();
    let group = if place == Place::Group && key == "instances" {
        group.replacen("instances = [\"lan\", \"wan\"]\n", "", 1)
    } else {
        group
    };
    matches!(place, Place::Global | Place::Instance | Place::Group).then(|| {
        format!(
            "[global]\n{global}\n[vrrp.instance.lan]\n{}\n{lan}\n[vrrp.instance.wan]\n\
             interface = \"wan\"\nvirtual_router_id = 8\n\
             virtual_addresses = [\"10.8.0.1/24\"]\n{group}",
            rest.join("\n")
        )
    })
}

/// Every key: its row says what the reader does. Written with its default it changes nothing,
/// written with its example it changes what the differences call by its name, misspelt it is
/// suggested, and keepalived's keywords lead to it.
#[test]
fn every_row_of_the_tables_of_keys_is_true() {
    let base = good(&with_line(keys::Place::Global, "").unwrap());
    let (mut read, mut changed) = (0, 0);
    for table in model::TABLES {
        table.keys.each(&mut |prefix, key, help| {
            let name = format!("{prefix}{}", key.name);
            assert!(help.trim().ends_with('.'), "{name}: help is a sentence: {help}");
            let Some(text) = with_line(table.place, &format!("{name} = {}", key.example)) else {
                return;
            };
            let parsed = parse(&text, None);
            let refused = |d: &Diagnostic| d.message.contains("not built yet");
            let wrong: Vec<&Diagnostic> =
                parsed.diagnostics.iter().filter(|d| d.severity == Severity::Error).collect();
            if key.unbuilt.is_some() {
                assert!(wrong.iter().any(|d| refused(d)), "{name} is refused: {wrong:#?}");
            } else if let Some(model) = parsed.model {
                read += 1;
                let diff = diff::Diff::between(&base, &model);
                let told = diff.to_string();
                if key.default != Some(key.example) && !diff.is_empty() {
                    changed += 1;
                    let of_instances = name.strip_prefix("vrrp_").unwrap_or(&name);
                    assert!(told.contains(&name) || told.contains(of_instances), "{name}: {told}");
                }
                let only_shown = ["true", "\"1s\""].contains(&key.example);
                assert!(
                    !diff.is_empty() || only_shown || key.required.is_some(),
                    "{name}: no effect"
                );
            } else {
                let crossed = CROSSED.iter().any(|(key, message)| {
                    *key == name && wrong.iter().all(|d| d.message.contains(message))
                });
                assert!(crossed, "{name}: {wrong:#?}");
            }
            let alone = !CROSSED.iter().any(|(key, _)| *key == name);
            if let (Some(default), None, true) = (key.default, key.unbuilt, alone) {
                let text = with_line(table.place, &format!("{name} = {default}")).unwrap();
                let diff = diff::Diff::between(&base, &good(&text));
                assert!(diff.is_empty(), "{name} = {default} is no default: {diff}");
            }
            let misspelt = name.replacen('_', "", 1) + "x";
            let text = with_line(table.place, &format!("{misspelt} = 1")).unwrap();
            let parsed = parse(&text, None);
            let help: Vec<_> = parsed.diagnostics.iter().filter_map(|d| d.help.clone()).collect();
            assert!(help.iter().any(|help| help.contains("did you mean")), "{misspelt}: {help:?}");
            for (keyword, _) in key.keepalived.iter().filter(|(keyword, _)| *keyword != name) {
                let answer = keys::aliases::answer(model::TABLES, *table, keyword);
                let to_it = match answer {
                    Some(keys::aliases::Answer::Write(to, _)) => to == name,
                    Some(keys::aliases::Answer::Unbuilt(_)) => true,
                    Some(_) | None => !prefix.is_empty(),
                };
                assert!(to_it, "{keyword} leads to {name}");
            }
        });
    }
    assert!(read > 50 && changed > 40, "{read} keys were read, {changed} made a difference");
}

/// Keys that go only together with others, and what is said about them alone.
const CROSSED: [(&str, &str); 3] = [
    ("checksum", "the checksum of version 2 has no variants"),
    ("timer_expired_backup", "works only without preemption"),
    ("watchdog_timeout", "watchdog_device is missing"),
];

/// The annotated file shows each key that is built.
#[test]
fn every_built_key_is_in_the_annotated_file() {
    for table in model::TABLES {
        table.keys.each(&mut |prefix, key, _| {
            let name = format!("{prefix}{}", key.name);
            let shown = ANNOTATED.lines().any(|line| {
                line.trim_start_matches(['#', ' ']).split([' ', '=']).next() == Some(&*name)
                    || line.contains(&format!(".{name}."))
                    || line.contains(&format!("[{name}]"))
                    || line.contains(&format!("[{name}."))
            });
            let tracker = matches!(
                table.place,
                keys::Place::Root
                    | keys::Place::Track
                    | keys::Place::Script
                    | keys::Place::File
                    | keys::Place::Process
                    | keys::Place::Bfd
                    | keys::Place::Static
            );
            assert!(shown || key.unbuilt.is_some() || tracker, "conf/steadfast.toml lacks {name}");
        });
    }
}
