//! Every sort of event, in words and as JSON. `conf/events.jsonl` has an example of each;
//! `UPDATE_SNAPSHOTS=1 cargo test --test status` writes it again.

use std::collections::BTreeSet;
use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use steadfast::config;
use steadfast::control::event::cause::{InterfaceState, InterfaceTrouble, SourceTrouble};
use steadfast::control::event::daemon::ConfigurationFault;
use steadfast::control::event::what::Suspect;
use steadfast::control::event::{
    Cause, DaemonEvent, Event, Fault, Kind, Level, MAX_EVENT_OCTETS, Subject, What, json,
};
use steadfast::control::status::State;
use steadfast::control::value::ToValue;
use steadfast::units::{Centiseconds, Family, Instant, Mac, Priority, Vrid};
use steadfast::vrrp::KernelError;
use steadfast::vrrp::settings::{Object, Settings};
use steadfast::vrrp::validation::Reject;

use super::schema;

const EPERM: KernelError = KernelError(1);
const PEER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 168, 1, 3));
const VIRTUAL: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 168, 1, 1));
const MAC: Mac = Mac([0x52, 0x54, 0, 0x12, 0x34, 0x56]);

fn objects() -> Vec<Object> {
    let text = "[vrrp.instance.lan]\ninterface = \"br-lan\"\nvirtual_router_id = 51\n\
                virtual_addresses = [\"192.168.1.1/24\"]\n\
                virtual_routes = [\"default via 203.0.113.254 dev eth1\"]\n";
    let settings = Settings::from_model(&config::parse(text, None).model.unwrap());
    settings.instances.first().unwrap().objects.clone()
}

fn address() -> Option<Box<Object>> {
    objects().into_iter().find(|object| object.announced().is_some()).map(Box::new)
}

fn route() -> Option<Box<Object>> {
    objects().into_iter().find(|object| matches!(object, Object::Route(_))).map(Box::new)
}

fn down() -> InterfaceTrouble {
    InterfaceTrouble { interface: "eth1".into(), state: InterfaceState::Down }
}

fn missing() -> InterfaceTrouble {
    let have = vec!["lo".into(), "br-lan".into()];
    InterfaceTrouble { interface: "eth1".into(), state: InterfaceState::Missing { have } }
}

fn causes() -> Vec<Cause> {
    let (silence, pause) = (Duration::from_millis(3609), Duration::from_secs(10));
    let theirs = Priority(200);
    let mut all = vec![
        Cause::Started,
        Cause::Owner,
        Cause::Resumed { gap: Duration::from_millis(120) },
        Cause::NoAdvert { master: Some(PEER), silence },
        Cause::NoAdvert { master: None, silence },
        Cause::MasterLeft { master: PEER },
        Cause::Preempted { master: PEER, theirs: Priority(90) },
        Cause::HigherPriority { master: PEER, theirs },
        Cause::HigherAddress { master: PEER },
        Cause::Unheard { master: PEER, family: Family::V4, error: EPERM, pause },
        Cause::Group { member: None },
        Cause::Group { member: Some("wan".into()) },
        Cause::Recovered,
        Cause::Switchover { successor: Some(PEER) },
        Cause::Switchover { successor: None },
        Cause::TimerExpired { slept: pause },
        Cause::ForeignRemoval { object: address() },
        Cause::AddressesLost { object: address(), successor: Some(PEER), pause },
        Cause::Stopped,
        Cause::Reconfigured,
    ];
    all.extend(faults().into_iter().map(Cause::Fault));
    all
}

fn faults() -> Vec<Fault> {
    let interface = || "br-lan".into();
    vec![
        Fault::Interface(down()),
        Fault::Interface(missing()),
        Fault::InterfaceIsPort { interface: "eth0".into(), port_of: Some(interface()) },
        Fault::NotListening { interface: interface(), family: Family::V6 },
        Fault::NoSource { interface: interface(), family: Family::V4 },
        Fault::SourceUnusable {
            interface: interface(),
            address: "fe80::1".parse().unwrap(),
            why: SourceTrouble::Duplicate,
        },
        Fault::TrackedInterface(down()),
        Fault::NeededInterface { object: route(), trouble: missing() },
        Fault::Tracked { name: Some("check_wan".into()) },
    ]
}

/// Between which states a cause may come.
fn states(cause: &Cause) -> (State, State) {
    match cause {
        Cause::Started => (State::Initialize, State::Backup),
        Cause::Recovered => (State::Fault, State::Backup),
        Cause::Resumed { .. } => (State::Master, State::Master),
        Cause::Fault(_) => (State::Backup, State::Fault),
        Cause::Stopped => (State::Backup, State::Initialize),
        Cause::Owner
        | Cause::NoAdvert { .. }
        | Cause::MasterLeft { .. }
        | Cause::Preempted { .. }
        | Cause::Group { .. } => (State::Backup, State::Master),
        Cause::HigherPriority { .. }
        | Cause::HigherAddress { .. }
        | Cause::Unheard { .. }
        | Cause::Switchover { .. }
        | Cause::TimerExpired { .. }
        | Cause::ForeignRemoval { .. }
        | Cause::AddressesLost { .. }
        | Cause::Reconfigured => (State::Master, State::Backup),
    }
}

/// What happens to an instance.
fn of_instance() -> Vec<What> {
    let (second, priority) = (Duration::from_secs(1), Priority::DEFAULT);
    let change = |cause| {
        let (from, to) = states(&cause);
        What::Transition { from, to, cause, priority }
    };
    let mut all: Vec<What> = causes().into_iter().map(change).collect();
    all.extend(faults().into_iter().take(1).map(What::FaultChanged));
    let suspects = [
        Suspect::Rejected { peer: PEER, reason: Reject::AuthFailed },
        Suspect::NoSubnet { source: VIRTUAL },
        Suspect::Stranger { peer: PEER, vrid: 77 },
        Suspect::Unknown,
    ];
    all.extend(suspects.map(|suspect| What::AddressTaken { address: VIRTUAL, mac: MAC, suspect }));
    all.extend([
        What::PriorityChanged { from: Priority(100), to: Priority(60) },
        What::BadPacket { peer: PEER, reason: Reject::AuthFailed },
        What::IntervalDiffers { peer: PEER, theirs: Centiseconds(200), ours: Centiseconds(100) },
        What::AddressesDiffer { peer: PEER },
        What::VridConflict { peer: PEER, vrid: 51, theirs: priority },
        What::LowerPriority { peer: PEER, theirs: Priority(90), ours: priority },
        What::SecondOwner { peer: PEER, yielding: true },
        What::SameSender { peer: PEER },
        What::OldChecksum { peer: PEER },
        What::SendFailed { family: Family::V4, error: EPERM },
        What::SourceTaken { address: PEER, mac: MAC },
        What::AddressFree { address: VIRTUAL, mac: MAC },
        What::ForeignRemoval { object: address(), restore_in: Some(second) },
        What::GoneWithInterface { object: route(), trouble: down() },
        What::KernelRefused {
            object: route(),
            present: true,
            error: EPERM,
            words: Some("Nexthop has invalid gateway".into()),
            retry_in: second,
        },
        What::Duplicate { object: address(), retry_in: second },
        What::ForeignAddress {
            address: VIRTUAL,
            prefix_len: 32,
            interface: "br-lan".into(),
            replaced_by: Some((VIRTUAL, 24)),
        },
        What::PromotionRefused { interface: "br-lan".into(), error: "Read-only".into() },
        What::SecondaryLost { address: VIRTUAL, prefix_len: 24, interface: "br-lan".into() },
        What::HandOverStarted,
        What::HandOverTaken { peer: PEER, after: Duration::from_micros(1500) },
        What::HandOverFailed { resumed: true },
        What::Held { hold_for: Some(Duration::from_secs(600)) },
        What::Released,
    ]);
    all
}

/// What happens to a process or the daemon.
fn of_process() -> Vec<What> {
    let file = || "/etc/steadfast/steadfast.toml".into();
    let role = || "vrrp".into();
    let daemon = [
        DaemonEvent::Started { version: "1.0.0".into(), file: file(), after: None },
        DaemonEvent::Upgrade { program: "/usr/sbin/steadfast".into(), version: "1.1.0".into() },
        DaemonEvent::Stopping { within: Duration::from_secs(4) },
        DaemonEvent::Stopped,
        DaemonEvent::ProcessStarted { role: role(), pid: 813 },
        DaemonEvent::ProcessEnded {
            role: role(),
            how: "vrrp process 813 was killed by SIGSEGV".into(),
            restart_in: Duration::ZERO,
        },
        DaemonEvent::Withdrawn {
            instances: vec!["lan".into(), "wan".into()],
            count: 3,
            why: "no vrrp process goes on with them".into(),
        },
        DaemonEvent::ConfigurationLoaded { file: file(), changes: 1 },
        DaemonEvent::ConfigurationChange("vrrp.instance.lan: priority 100 to 150".into()),
        DaemonEvent::ConfigurationSame { file: file() },
        DaemonEvent::ConfigurationRefused { file: file(), why: ConfigurationFault::Errors(2) },
        DaemonEvent::ConfigurationError("steadfast.toml:3:1: there is no key prioriti".into()),
        DaemonEvent::ConfigurationWarning("vrrp.instance.lan: no virtual address".into()),
    ];
    let mut all: Vec<What> = daemon.into_iter().map(What::Daemon).collect();
    all.extend([
        What::message(Level::Warning, Kind::Process, "something that is rare"),
        What::UnknownVrid { interface: "br-lan".into(), peer: PEER, vrid: 77 },
        What::NoPacketFilter { error: "Operation not supported".into() },
        What::PacketFilterFailed(
            "cannot ask the packet filter for silence: No buffer space available".into(),
        ),
        What::ListenFailed("cannot listen on br-lan: Too many open files".into()),
        What::AnnounceFailed("3 announcements could not be sent: No buffer space".into()),
        What::LateWake { by: Duration::from_millis(1200) },
        What::NoticesLost { count: 12 },
        What::EventsLost { count: 40 },
    ]);
    all
}

fn events() -> Vec<Event> {
    let lan = || Subject::Instance {
        name: "lan".into(),
        interface: "br-lan".into(),
        vrid: Vrid::new(51).unwrap(),
    };
    let instance = of_instance().into_iter().map(|what| (lan(), what));
    let process = of_process().into_iter().map(|what| (Subject::Process, what));
    let made = |(subject, what)| Event { at: Instant::ORIGIN, subject, what, left_out: 0 };
    instance.chain(process).map(made).collect()
}

fn shown(event: &Event) -> json::Event {
    json::event(event, Duration::from_millis(1_772_334_432_500))
}

fn path() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("conf/events.jsonl")
}

#[test]
fn the_examples_are_what_is_written() {
    let lines = events().into_iter().map(|event| shown(&event).to_value().to_json() + "\n");
    let text: String = lines.collect();
    if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
        fs::write(path(), &text).unwrap();
    }
    assert_eq!(fs::read_to_string(path()).unwrap(), text, "run it with UPDATE_SNAPSHOTS=1");
}

#[test]
fn there_is_an_example_of_every_sort_with_a_name_of_its_own() {
    let named = |source: &str| -> Vec<String> {
        let class = source.split("const fn ").nth(1).unwrap().split("Class { name,").next();
        let words = class.unwrap().split("(\"").skip(1);
        words.map(|rest| rest.split('"').next().unwrap().to_owned()).collect()
    };
    let names = [
        named(include_str!("../../src/control/event/class.rs")),
        named(include_str!("../../src/control/event/daemon.rs")),
    ]
    .concat();
    let once: BTreeSet<String> = names.iter().cloned().collect();
    assert_eq!(once.len(), names.len(), "{names:?}");
    assert!(once.len() > 40, "{once:?}");
    let seen: BTreeSet<String> = events().iter().map(|event| shown(event).event).collect();
    assert_eq!(seen, once);
}

#[test]
fn an_event_is_one_line_and_comes_through_as_it_is() {
    for event in events() {
        let shown = shown(&event);
        assert!(!shown.text.is_empty() && !shown.text.contains('\n'), "{shown:?}");
        let octets = postcard::to_allocvec(&event).unwrap();
        assert!(octets.len() * 10 < MAX_EVENT_OCTETS, "{} octets: {event:?}", octets.len());
        assert_eq!(postcard::from_bytes::<Event>(&octets).unwrap(), event);
    }
}

#[test]
fn the_schema_holds_for_events() {
    for line in fs::read_to_string(path()).unwrap().lines() {
        let value: serde_json::Value = serde_json::from_str(line).unwrap();
        assert_eq!(schema::faults_of("Event", &value), [""; 0], "{line}");
    }
}
