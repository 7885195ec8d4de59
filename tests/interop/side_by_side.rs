//! The same scene with keepalived and with Steadfast alone on a router, and what each does, printed
//! beside each other: routes in the place of others, and interfaces that only an address names.
//! Asserted is what Steadfast does, and that keepalived 2.2.7 does what it was seen to do.

use std::fmt::Write;

use crate::harness::lan::{Host, Lan};
use crate::harness::namespace::Namespace;
use crate::harness::router::{Router, find};
use crate::harness::scratch::Scratch;
use crate::harness::until;
use crate::peers::keepalived::Keepalived;
use crate::settings::{INTERFACE, Instance, Profile};
use crate::speaker::{Role, Speaker};

use steadfast::control::status::State;

/// One router, of either maker.
enum One {
    Theirs(Keepalived),
    Ours(Router),
}

impl One {
    fn net(&self) -> &Namespace {
        match self {
            Self::Theirs(speaker) => &speaker.host().net,
            Self::Ours(router) => &router.host.net,
        }
    }

    fn start(&mut self) {
        match self {
            Self::Theirs(speaker) => speaker.start(),
            Self::Ours(router) => router.start(),
        }
    }

    fn stop(&mut self) {
        match self {
            Self::Theirs(speaker) => speaker.stop(),
            Self::Ours(router) => router.stop(),
        }
    }

    fn role(&self, instance: &Instance) -> Role {
        match self {
            Self::Theirs(speaker) => speaker.role(instance),
            Self::Ours(router) => {
                let status = router.status().ok();
                let state = status.and_then(|s| Some(find(&s, &instance.name)?.state));
                match state {
                    Some(State::Master) => Role::Master,
                    Some(State::Backup) => Role::Backup,
                    Some(State::Initialize | State::Fault) | None => Role::Neither,
                }
            }
        }
    }

    #[track_caller]
    fn becomes(&self, instance: &Instance, role: Role) {
        until(&format!("it is {role:?}"), || (self.role(instance) == role).then_some(()));
    }

    fn words(&mut self) -> String {
        match self {
            Self::Theirs(speaker) => speaker.words(),
            Self::Ours(router) => router.words(),
        }
    }
}

/// Both, each on a network of its own, which `prepare` makes; with these lines for each.
fn both(
    instance: &Instance,
    theirs: &str,
    ours: &str,
    prepare: impl Fn(&Host, &Lan),
) -> (Scratch, [(&'static str, One, Lan); 2]) {
    let scratch = Scratch::new();
    let attach = |host: &Host, lan: &Lan| {
        lan.attach(host, INTERFACE, &["192.0.2.2/24", "2001:db8::2/64"]);
        prepare(host, lan);
    };
    let (lan, other) = (Lan::new(), Lan::new());
    let host = Host::new("gw-k");
    attach(&host, &lan);
    let keepalived = Keepalived::with(host, std::slice::from_ref(instance), theirs);
    let router = Router::new(&scratch, "gw-s");
    attach(&router.host, &other);
    let text = crate::settings::steadfast(std::slice::from_ref(instance));
    router.configure(&format!("{}\n{ours}\n", text.trim_end()));
    (
        scratch,
        [("keepalived", One::Theirs(keepalived), lan), ("steadfast", One::Ours(router), other)],
    )
}

/// The default routes, first the one that is used, in one line.
fn defaults(net: &Namespace, family: &str) -> String {
    let shown = net.try_ip(&format!("{family} route show default")).unwrap();
    let shown = shown.replace("proto 18", "proto keepalived");
    shown.lines().map(str::trim).collect::<Vec<_>>().join(" | ")
}

#[test]
fn a_default_route_in_the_place_of_another() {
    let cases = [
        (Profile::V3Ipv4, "-4", "192.0.2.9", "192.0.2.254", "dhcp"),
        (Profile::V3Ipv6, "-6", "2001:db8::9", "2001:db8::fe", "ra"),
    ];
    let mut table = String::new();
    for (profile, family, theirs, virtual_one, protocol) in cases {
        let instance = Instance::new(profile, 100);
        let route = format!("default via {virtual_one} dev {INTERFACE}");
        let (_scratch, routers) = both(
            &instance,
            &format!("  virtual_routes {{\n    {route}\n  }}"),
            &format!("virtual_routes = [{route:?}]"),
            |host, _| {
                let foreign = format!("default via {theirs} dev {INTERFACE} proto {protocol}");
                host.net.ip(&format!("{family} route add {foreign}"));
            },
        );
        for (name, mut router, lan) in routers {
            let before = defaults(router.net(), family);
            router.start();
            router.becomes(&instance, Role::Master);
            // Both add routes after the addresses, within a moment.
            let mut during = before.clone();
            for _ in 0..50 {
                during = defaults(router.net(), family);
                if during != before {
                    break;
                }
                std::thread::sleep(std::time::Duration::from_millis(20));
            }
            let said: Vec<String> = router
                .words()
                .lines()
                .filter(|line| line.contains("exists") || line.contains("refused"))
                .map(str::to_owned)
                .collect();
            router.stop();
            let after = defaults(router.net(), family);
            let _ = write!(
                table,
                "{family} {name}\n  before  {before}\n  master  {during}\n  after   {after}\n"
            );
            for line in said {
                let _ = writeln!(table, "  said    {line}");
            }
            if name == "steadfast" {
                assert_eq!(before, after, "{table}");
                let first = during.split(" | ").next().unwrap_or_default();
                let in_front = first.contains(virtual_one);
                assert_eq!(in_front, profile == Profile::V3Ipv4, "{table}");
                assert!(during.contains(&before), "{table}");
            }
            drop(lan);
        }
    }
    println!("{table}");
}

#[test]
fn an_interface_that_only_an_address_names() {
    let mut instance = Instance::new(Profile::V3Ipv4, 100);
    instance.addresses.push("203.0.113.1/24 dev wan".to_owned());
    let (_scratch, routers) = both(&instance, "", "", |host, _| {
        host.net.ip("link add wan type veth peer name far");
        host.net.ip_batch("link set wan up\nlink set far up\n");
    });
    let mut table = String::new();
    for (name, mut router, lan) in routers {
        router.start();
        router.becomes(&instance, Role::Master);
        let _ = writeln!(table, "{name}");
        for (what, down, up) in [
            ("carrier of wan lost", "link set far down", "link set far up"),
            ("wan set down", "link set wan down", "link set wan up"),
        ] {
            router.net().ip(down);
            router.becomes(&instance, Role::Neither);
            let _ = writeln!(table, "  {what:<20} FAULT");
            router.net().ip(up);
            router.becomes(&instance, Role::Master);
            let _ = writeln!(table, "  {:<20} MASTER", "and back");
        }
        let said = router.words();
        for line in said.lines().filter(|line| line.contains("reports") || line.contains("FAULT")) {
            let _ = writeln!(table, "  said  {line}");
        }
        drop(lan);
    }
    println!("{table}");
}
