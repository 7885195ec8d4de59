//! What the log says of the engine's notices: they are translated, and put in words.

use std::net::IpAddr;
use std::time::Duration;

use nix::errno::Errno;

use super::*;
use crate::control::event::{Concern, text};
use crate::control::status::WarningKind;
use crate::netlink::event::Event;
use crate::netlink::link::{Link, LinkFlags, LinkIndex};
use crate::units::Family;
use crate::vrrp::settings::Settings;

fn engine() -> (Engine, InstanceId, ObjectId) {
    let text = "[vrrp.instance.lan]\ninterface = \"eth0\"\nvirtual_router_id = 1\n\
                virtual_addresses = [\"192.0.2.1/24\"]\n";
    let settings = Settings::from_model(&crate::config::parse(text, None).model.unwrap());
    let engine = Engine::new(&settings);
    let id = engine.instance("lan").unwrap();
    let object = engine.objects(id).next().unwrap().0;
    (engine, id, object)
}

fn told(engine: &Engine, links: &Cache, notice: &Notice) -> String {
    text::what(&Translator { engine, links }.notice(notice, None).1)
}

fn fault(engine: &Engine, links: &Cache, id: InstanceId, reason: FaultReason) -> String {
    text::fault(&Translator { engine, links }.fault(id, reason))
}

fn links(names: &[&str]) -> Cache {
    let mut cache = Cache::new();
    for (index, name) in (1..).zip(names) {
        let link = Link {
            index: LinkIndex(index),
            name: (*name).into(),
            flags: LinkFlags(0x41),
            mac: None,
            mtu: None,
            master: None,
            kind: None,
            promotes: None,
        };
        cache.apply(Event::Link(link), crate::netlink::cache::Origin::Other, &mut Vec::new());
    }
    cache
}

#[test]
fn nobody_is_accused_when_the_interface_is_gone() {
    let (engine, _, object) = engine();
    let taken = Notice::ForeignRemoval { object, restore_in: Some(Duration::ZERO) };
    let interface = engine.interface("eth0").unwrap();
    let gone = Notice::GoneWithInterface { object, interface };
    assert_eq!(
        told(&engine, &links(&["lo", "eth0"]), &taken),
        "somebody else removed 192.0.2.1/24; it is put back: look for another program that \
         manages this interface"
    );
    assert_eq!(
        told(&engine, &links(&["lo", "eth0"]), &gone),
        "interface \"eth0\" is down, and 192.0.2.1/24 is gone with it; it is put back when the \
         interface is up"
    );
    assert_eq!(
        told(&engine, &links(&["lo"]), &gone),
        "interface \"eth0\" does not exist (have: lo), and 192.0.2.1/24 is gone with it; it is \
         put back when the interface is up"
    );
}

#[test]
fn a_missing_interface_is_named_with_some_that_there_are() {
    let (engine, id, _) = engine();
    let missing = FaultReason::InterfaceMissing(engine.interface("eth0").unwrap());
    let told = |names: &[&str]| fault(&engine, &links(names), id, missing);
    assert_eq!(told(&["lo"]), "interface \"eth0\" does not exist (have: lo)");
    let names = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"];
    assert!(told(&names).ends_with("(have: a, b, c, d, e, f, g, h, ...)"), "{}", told(&names));
}

#[test]
fn an_interface_in_use_is_named_with_what_needs_it() {
    let text = "[vrrp.instance.lan]\ninterface = \"eth0\"\nvirtual_router_id = 1\n\
                virtual_addresses = [\"192.0.2.1/24\", \"203.0.113.2/24 dev wan no_track\", \
                \"203.0.113.1/24 dev wan\"]\nvirtual_routes = [\"default via 198.51.100.9 dev up\"]\n\
                track_interfaces = [\"dmz\"]\n";
    let settings = Settings::from_model(&crate::config::parse(text, None).model.unwrap());
    let engine = Engine::new(&settings);
    let id = engine.instance("lan").unwrap();
    let told =
        |index, names: &[&str]| fault(&engine, &links(names), id, FaultReason::Tracked(index));
    let all = ["eth0", "wan", "dmz"];
    assert_eq!(told(0, &all), "tracked interface \"dmz\" is down");
    assert_eq!(told(1, &all), "203.0.113.1/24 needs interface \"wan\", which is down");
    assert_eq!(
        told(2, &all),
        "route default via 198.51.100.9 dev up needs interface \"up\", which does not exist (have: \
         eth0, wan, dmz)"
    );
    assert_eq!(told(0, &["wan"]), "tracked interface \"dmz\" does not exist (have: wan)");
}

#[test]
fn a_port_is_told_what_to_write() {
    let (engine, id, _) = engine();
    let mut links = links(&["lo", "eth0", "br0"]);
    let (eth0, br0) = (links.link_named("eth0").unwrap(), links.link_named("br0").unwrap());
    let port = Link { master: Some(br0.index), ..eth0.clone() };
    let bridge = Link { kind: Some("bridge".into()), ..br0.clone() };
    for link in [port, bridge] {
        links.apply(Event::Link(link), crate::netlink::cache::Origin::Other, &mut Vec::new());
    }
    let reason = FaultReason::InterfaceIsPort(engine.interface("eth0").unwrap());
    assert_eq!(
        fault(&engine, &links, id, reason),
        "eth0 is a port of br0, so it hears no adverts: write interface = \"br0\""
    );
}

#[test]
fn who_cannot_send_says_why_and_what_to_do() {
    let (engine, id, _) = engine();
    let unheard = vrrp::Cause::Unheard {
        master: "192.0.2.3".parse().unwrap(),
        family: Family::V4,
        error: vrrp::KernelError(Errno::EPERM as i32),
        pause: Duration::from_secs(10),
    };
    let links = links(&[]);
    let translator = Translator { engine: &engine, links: &links };
    assert_eq!(
        text::cause(&translator.cause(id, &unheard)),
        "192.0.2.3 serves the addresses, and this router cannot send IPv4 adverts: Operation not \
         permitted: a firewall rule drops them; allow IP protocol 112 (it preempts again in 10 s \
         at the earliest, or after a release)"
    );
}

#[test]
fn a_refusal_has_the_kernel_s_words() {
    let (engine, id, object) = engine();
    let refused = Notice::KernelRefused {
        object,
        present: true,
        error: vrrp::KernelError(Errno::EINVAL as i32),
        retry_in: Duration::from_secs(2),
    };
    let links = links(&[]);
    let translator = Translator { engine: &engine, links: &links };
    let (instance, what) = translator.notice(&refused, Some("bad label".into()));
    assert_eq!(
        text::what(&what),
        "the kernel refused to add 192.0.2.1/24: Invalid argument (bad label); it is tried \
         again in 2.000 s"
    );
    assert_eq!(
        text::settled(&what, false),
        "the kernel refused to add 192.0.2.1/24: Invalid argument (bad label)"
    );
    assert_eq!(instance, Some(id));
    assert_eq!(Concern::of(&what).map(|concern| concern.kind), Some(WarningKind::KernelRefused));
}

#[test]
fn no_pair_of_routers_has_the_identifier_0() {
    let (engine, _, _) = engine();
    let from = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);
    let text = |vrid| {
        let stranger = Notice::UnknownVrid { interface: InterfaceId::new(0), from, vrid };
        told(&engine, &Cache::default(), &stranger)
    };
    assert!(text(0).ends_with("which nobody may have: the sender is broken"), "{}", text(0));
    assert!(text(9).ends_with("another pair of routers"), "{}", text(9));
}
