//! Two routers on a switch.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde_json::Value;
use steadfast::control::request::Request;
use steadfast::control::status::Document;
use steadfast::units::Family;

use crate::harness::capture::Capture;
use crate::harness::lan::{Host, Lan};
use crate::harness::namespace::Namespace;
use crate::harness::packet::Packet;
use crate::harness::router::{Answer, Router, find};
use crate::harness::scratch::Scratch;
use crate::harness::until;
use crate::harness::watch::Watch;
use crate::ours::Ours;
use crate::peers::frr::Frr;
use crate::peers::keepalived::Keepalived;
use crate::settings::{INTERFACE, Instance};
use crate::speaker::{Maker, Master, Role, Speaker};

/// Two routers on a switch, and what goes over it.
#[derive(Debug)]
pub struct Scene {
    /// Every advert; dropped first, so that a failed test shows what is on the wire.
    pub wire: Capture,
    /// The router with the lower address in both families.
    pub a: Member,
    /// The other one.
    pub b: Member,
    /// The switch.
    pub lan: Lan,
    _scratch: Scratch,
}

/// A router, and what it was told.
#[derive(Debug)]
pub struct Member {
    /// The name of its host.
    pub name: &'static str,
    /// Whose it is.
    pub maker: Maker,
    /// What it was told; the first one is what a test is about.
    pub instances: Vec<Instance>,
    /// Where its adverts come from.
    pub address: IpAddr,
    /// What its kernel has.
    pub kernel: Watch,
    speaker: Box<dyn Speaker>,
}

impl Scene {
    /// Both, ready to be started.
    #[track_caller]
    pub fn new(a: (Maker, Vec<Instance>), b: (Maker, Vec<Instance>)) -> Self {
        let (scratch, lan) = (Scratch::new(), Lan::new());
        let a = Member::new(&scratch, &lan, "gw-a", 2, a);
        let b = Member::new(&scratch, &lan, "gw-b", 3, b);
        Self { wire: Capture::start(&lan), a, b, lan, _scratch: scratch }
    }

    /// Whether the two do not hear each other, with both cables in.
    #[track_caller]
    pub fn split(&self, is_split: bool) {
        let word = if is_split { "on" } else { "off" };
        for name in [self.a.name, self.b.name] {
            self.lan.net.ip(&format!("link set {name} type bridge_slave isolated {word}"));
        }
    }
}

impl Member {
    fn new(
        scratch: &Scratch,
        lan: &Lan,
        name: &'static str,
        number: u8,
        (maker, instances): (Maker, Vec<Instance>),
    ) -> Self {
        let link_local = format!("fe80::{number}");
        let attach = |host: &Host| {
            // The order of link-local addresses has to be that of the others.
            host.net.sysctl("net/ipv6/conf/default/addr_gen_mode", "1");
            let own = [format!("192.0.2.{number}/24"), format!("{link_local}/64")];
            lan.attach(host, INTERFACE, &own.each_ref().map(String::as_str));
        };
        let speaker: Box<dyn Speaker> = match maker {
            Maker::Steadfast => {
                let router = Router::new(scratch, name);
                attach(&router.host);
                Box::new(Ours::new(router, &instances))
            }
            Maker::Keepalived => {
                let host = Host::new(name);
                attach(&host);
                Box::new(Keepalived::new(host, &instances))
            }
            Maker::Frr => {
                let host = Host::new(name);
                attach(&host);
                Box::new(Frr::new(host, &instances, &format!("{link_local}/64")))
            }
        };
        let address = match instances[0].profile.family() {
            Family::V4 => IpAddr::from([192, 0, 2, number]),
            Family::V6 => link_local.parse().expect("an address"),
        };
        let kernel = Watch::start(&speaker.host().net);
        Self { name, maker, instances, address, kernel, speaker }
    }

    /// Starts it, also again.
    #[track_caller]
    pub fn start(&mut self) {
        self.speaker.start();
    }

    /// Kills all its processes at once.
    #[track_caller]
    pub fn kill(&mut self) {
        self.speaker.kill();
    }

    /// Stops it as its administrator does.
    #[track_caller]
    pub fn stop(&mut self) {
        self.speaker.stop();
    }

    /// Asks ours for something; it has to be granted.
    #[track_caller]
    pub fn ask(&self, request: &Request) {
        let mut answers =
            self.speaker.ours().expect("one of ours").control().request(request).expect("it runs");
        let line =
            answers.line().unwrap_or_else(|| panic!("{}: no answer to {request:?}", self.name));
        let answer: Answer<Value> = serde_json::from_str(&line).expect("an answer");
        assert!(matches!(answer, Answer::Ok(_)), "{}: {request:?}: {line}", self.name);
    }

    /// The status of ours.
    #[track_caller]
    pub fn status(&self) -> Document {
        self.speaker.ours().expect("one of ours").status().expect("it runs")
    }

    /// What ours dropped, by reason.
    #[track_caller]
    pub fn rejected(&self) -> BTreeMap<String, u32> {
        let status = self.status();
        let found = find(&status, &self.instance().name).expect("its instance");
        found.routers[0].rejected.clone()
    }

    /// Its network.
    pub fn net(&self) -> &Namespace {
        &self.speaker.host().net
    }

    /// What a test is about.
    pub fn instance(&self) -> &Instance {
        &self.instances[0]
    }

    /// What it says that it is now.
    pub fn role(&self) -> Role {
        self.speaker.role(self.instance())
    }

    /// Waits until it is in a role in everything that it was told.
    #[track_caller]
    pub fn becomes(&self, role: Role) {
        for instance in &self.instances {
            until(&format!("{} is {role:?} of {}", self.name, instance.name), || {
                (self.speaker.role(instance) == role).then_some(())
            });
        }
    }

    /// Waits until it knows that the other one is master.
    #[track_caller]
    pub fn follows(&self, other: &Self) {
        for (own, of_other) in self.instances.iter().zip(&other.instances) {
            let master = Master {
                address: other.address,
                priority: of_other.priority,
                interval: of_other.interval,
            };
            until(&format!("{} follows {master:?} of {}", self.name, own.name), || {
                self.speaker.follows(own, &master).then_some(())
            });
        }
    }

    /// Waits until its kernel has all virtual addresses, or none.
    #[track_caller]
    pub fn holds(&mut self, all: bool) {
        // FRR's are on its macvlan all the time.
        if self.maker == Maker::Frr {
            return;
        }
        for address in self.instances.iter().flat_map(|instance| &instance.addresses) {
            let (address, _) = address.split_once('/').expect("a prefix");
            self.kernel.until_address(INTERFACE, address, all);
        }
    }

    /// Whether this is its advert, as master, of what a test is about.
    pub fn sent(&self, packet: &Packet) -> bool {
        packet.is_of_master(self.name) && is_of(packet, self.instance())
    }

    /// Whether it gives up with this.
    pub fn gave_up(&self, packet: &Packet) -> bool {
        packet.is_stop(self.name) && is_of(packet, self.instance())
    }
}

fn is_of(packet: &Packet, instance: &Instance) -> bool {
    packet.advert().is_some_and(|advert| advert.vrid == instance.vrid)
}
