//! Notices and causes in words: what the log, `status` and scripts say.

mod second_holder;
mod source;

use std::fmt::Write;
use std::net::IpAddr;
use std::time::Duration;

use nix::errno::Errno;

use crate::control::humanize::{length, plural};
use crate::control::record::{Kind, Level};
use crate::control::status::WarningKind;
use crate::net::{Route, RouteKind, TableId};
use crate::netlink::cache::Cache;
use crate::units::{Centiseconds, Family, Instant};
use crate::vrrp::settings::Object;
use crate::vrrp::validation::Reject;
use crate::vrrp::{
    Cause, Engine, FaultReason, InstanceId, InterfaceId, Notice, ObjectId, RouterId, State,
};

/// Interfaces that are named where one is missing.
const NAMED: usize = 8;

/// What a tracked interface or address of the machine is called in messages.
pub fn interface(engine: &Engine, id: InterfaceId) -> &str {
    engine.interfaces().find(|&(known, _)| known == id).map_or("?", |(_, name)| name)
}

/// The name of an instance; also of one that a reload removed, as long as it exists.
pub fn name(engine: &Engine, id: InstanceId) -> &str {
    engine.settings(id).map_or("?", |settings| &settings.name)
}

/// A length of time as in "no advert for 3.609 s".
pub fn seconds(length: Duration) -> String {
    format!("{:.3} s", length.as_secs_f64())
}

fn interval(interval: Centiseconds) -> String {
    format!("{} s", f64::from(interval.0) / 100.0)
}

/// What an instance was before: for others, one that resumes was master all the time.
pub const fn from_state(from: State, cause: &Cause) -> State {
    if matches!(cause, Cause::Resumed { .. }) { State::Master } else { from }
}

/// Why an instance changed its state.
pub fn cause(engine: &Engine, links: &Cache, instance: InstanceId, cause: &Cause) -> String {
    match cause {
        Cause::Started => "started".into(),
        Cause::Owner => "priority 255: it owns the addresses".into(),
        Cause::Resumed { gap } => {
            let gap = seconds(*gap);
            format!("resumed after a restart of the vrrp process, {gap} after the last advert")
        }
        Cause::NoAdvert { master: Some(master), silence } => {
            format!("no advert from {master} for {}", seconds(*silence))
        }
        Cause::NoAdvert { master: None, silence } => {
            format!("no master was heard for {}", seconds(*silence))
        }
        Cause::MasterLeft { master } => format!("{master} gave up (priority 0)"),
        Cause::Preempted { master, theirs } => {
            format!("priority is higher than that of {master} ({theirs})")
        }
        Cause::HigherPriority { master, theirs } => {
            format!("{master} has the higher priority {theirs}")
        }
        Cause::HigherAddress { master } => {
            format!("{master} has the same priority and the higher address")
        }
        Cause::Unheard { master, family, error, pause } => format!(
            "{master} serves the addresses, and this router {} (it preempts again in {} at the \
             earliest, or after a release)",
            send_failed(*family, Errno::from_raw(error.0)),
            length(pause.as_secs_f64())
        ),
        Cause::Group { member } if *member == instance => "with its sync group".into(),
        Cause::Group { member } => format!("with {} of its sync group", name(engine, *member)),
        Cause::Fault(reason) => fault(engine, links, instance, *reason),
        Cause::Recovered => "the fault is over".into(),
        Cause::Switchover { successor: Some(successor) } => {
            format!("switchover: {successor} took over")
        }
        Cause::Switchover { successor: None } => "switchover".into(),
        Cause::TimerExpired { slept } => {
            format!("the process stood still for {}", seconds(*slept))
        }
        Cause::ForeignRemoval { object: removed } => {
            format!("somebody else removed {}", object(engine, *removed))
        }
        Cause::AddressesLost { object: lost, successor, pause } => {
            let took_over = successor.map(|by| format!(", and {by} took over")).unwrap_or_default();
            format!(
                "somebody else removed {} again and again{took_over} (it preempts again in {} at \
                 the earliest, or after a release): look for another program that manages this \
                 interface",
                object(engine, *lost),
                length(pause.as_secs_f64())
            )
        }
        Cause::Stopped => "stopped".into(),
        Cause::Reconfigured => "the configuration changed".into(),
    }
}

/// Why an instance cannot take part.
pub fn fault(engine: &Engine, links: &Cache, instance: InstanceId, reason: FaultReason) -> String {
    match reason {
        FaultReason::InterfaceMissing(id) => {
            format!(
                "interface \"{}\" does not exist (have: {})",
                interface(engine, id),
                have(links)
            )
        }
        FaultReason::InterfaceDown(id) => {
            format!("interface \"{}\" is down", interface(engine, id))
        }
        FaultReason::InterfaceIsPort(id) => {
            let own = interface(engine, id);
            let link = links.link_named(own);
            match link.and_then(|link| links.taken_by(link)) {
                Some(master) => format!(
                    "{own} is a port of {0}, so it hears no adverts: write interface = \"{0}\"",
                    master.name
                ),
                None => format!("{own} was a port of another interface"),
            }
        }
        FaultReason::NoSourceAddress(family) => {
            let kind = match family {
                Family::V4 => "IPv4 address",
                Family::V6 => "link-local IPv6 address",
            };
            let on = engine.settings(instance).map_or("?", |settings| &settings.interface);
            if has_source(engine, links, on, family) {
                return format!("cannot listen for {family} adverts on interface \"{on}\"");
            }
            if let Some(why) = source::unusable(engine, links, instance, family) {
                return why;
            }
            format!("interface \"{on}\" has no {kind} to send from")
        }
        FaultReason::Tracked(index) => match engine.tracked(instance).nth(usize::from(index)) {
            Some(tracked) if tracked.in_use => {
                let user = engine.objects(instance).find(|(_, object)| {
                    object.tracked() && object.interfaces().any(|name| name == tracked.name)
                });
                let what = user.map_or_else(|| "it".into(), |(_, object)| object_words(object));
                let is = interface_is(links, tracked.name);
                format!("{what} needs interface \"{}\", which {is}", tracked.name)
            }
            Some(tracked) if tracked.interface => {
                let is = interface_is(links, tracked.name);
                format!("tracked interface \"{}\" {is}", tracked.name)
            }
            Some(tracked) => format!("tracked {} is down", tracked.name),
            None => "something tracked is down".into(),
        },
    }
}

/// Whether there is an address to send from all the same.
fn has_source(engine: &Engine, links: &Cache, interface: &str, family: Family) -> bool {
    let is_virtual = |address| {
        let mut objects = engine.instances().flat_map(|id| engine.objects(id));
        objects.any(|(_, object)| object.announced() == Some(address))
    };
    links.interface(interface, is_virtual).is_some_and(|found| match family {
        Family::V4 => found.ipv4.is_some(),
        Family::V6 => found.ipv6.is_some(),
    })
}

/// What is wrong with an interface that is not up.
fn interface_is(links: &Cache, name: &str) -> String {
    match links.link_named(name) {
        Some(_) => "is down".into(),
        None => format!("does not exist (have: {})", have(links)),
    }
}

/// The interfaces that there are; not more than fit on a line.
fn have(links: &Cache) -> String {
    let mut names: Vec<&str> = links.links().take(NAMED + 1).map(|link| &*link.name).collect();
    if names.len() > NAMED {
        names.truncate(NAMED);
        names.push("...");
    }
    names.join(", ")
}

/// An address, route or rule as the configuration has it.
pub fn object(engine: &Engine, id: ObjectId) -> String {
    match engine.object(id) {
        Some(object) => object_words(object),
        None => "an object that is no longer configured".into(),
    }
}

/// See [`object`].
pub fn object_words(object: &Object) -> String {
    match object {
        Object::Filter => "the packet filter".into(),
        Object::Address(address) | Object::Excluded(address) => {
            format!("{}/{}", address.address, address.prefix_len)
        }
        Object::Route(route) => route_words(route),
        Object::Rule(rule) => format!("rule {}", rule.priority),
    }
}

fn route_words(route: &Route) -> String {
    let kind = match route.kind {
        RouteKind::Unicast => "",
        RouteKind::Local => "local ",
        RouteKind::Broadcast => "broadcast ",
        RouteKind::Multicast => "multicast ",
        RouteKind::Blackhole => "blackhole ",
        RouteKind::Unreachable => "unreachable ",
        RouteKind::Prohibit => "prohibit ",
        RouteKind::Throw => "throw ",
    };
    let mut words = if route.destination.len == 0 {
        format!("route {kind}default")
    } else {
        format!("route {kind}{}", route.destination)
    };
    for hop in &route.next_hops {
        // Writing to a String cannot fail.
        if let Some(via) = hop.via {
            let _ = write!(words, " via {via}");
        }
        if let Some(interface) = &hop.interface {
            let _ = write!(words, " dev {interface}");
        }
    }
    if let Some(metric) = route.metric {
        let _ = write!(words, " metric {metric}");
    }
    if route.table != TableId::MAIN {
        let _ = write!(words, " table {}", route.table.0);
    }
    words
}

/// What `status` lists as long as it lasts.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Concern {
    /// What it is about.
    pub kind: WarningKind,
    /// Whom it concerns, with the family when it is about packets.
    pub router: Option<RouterId>,
    /// Who caused it.
    pub from: Option<IpAddr>,
    /// Of bad packets: what is wrong with them.
    pub reject: Option<Reject>,
}

impl Concern {
    /// Of something that an instance does itself.
    pub const fn of_itself(kind: WarningKind) -> Self {
        Self { kind, router: None, from: None, reject: None }
    }
}

/// What ends a trouble with an object: the kernel has it as it should be.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Settled {
    /// Which one.
    pub object: ObjectId,
    /// What is said about the trouble from then on.
    pub text: String,
    /// The same while another router has it, since it was lost too often (module `losses`).
    pub given_up: Option<String>,
}

/// A notice in words.
#[derive(Clone, PartialEq, Debug)]
pub struct Told {
    /// How much it matters.
    pub level: Level,
    /// What it is about.
    pub kind: Kind,
    /// The instance that it is about.
    pub instance: Option<InstanceId>,
    /// What follows the instance's name.
    pub text: String,
    /// What remains in the list of warnings.
    pub concern: Option<Concern>,
    /// What ends it, when that can be seen in the kernel.
    pub settled: Option<Settled>,
}

impl Told {
    fn new(level: Level, kind: Kind, instance: InstanceId, text: String) -> Self {
        Self { level, kind, instance: Some(instance), text, concern: None, settled: None }
    }

    fn of_process(kind: Kind, text: String) -> Self {
        Self { level: Level::Warning, kind, instance: None, text, concern: None, settled: None }
    }

    fn of_router(kind: WarningKind, router: RouterId, from: IpAddr, text: String) -> Self {
        let concern = Concern { kind, router: Some(router), from: Some(from), reject: None };
        Self {
            level: Level::Warning,
            kind: Kind::Packet,
            instance: Some(router.instance),
            text,
            concern: Some(concern),
            settled: None,
        }
    }

    fn of_instance(kind: WarningKind, instance: InstanceId, text: String) -> Self {
        let (level, concern) = (Level::Warning, Some(Concern::of_itself(kind)));
        Self { level, kind: Kind::Kernel, instance: Some(instance), text, concern, settled: None }
    }

    fn of_object(kind: WarningKind, object: ObjectId, text: String, settled: String) -> Self {
        let settled = Some(Settled { object, text: settled, given_up: None });
        Self { settled, ..Self::of_instance(kind, object.instance, text) }
    }
}

/// A notice in words. `refusal` is what the kernel said when it refused something.
pub fn notice(engine: &Engine, links: &Cache, notice: &Notice, refusal: Option<&str>) -> Told {
    match notice {
        Notice::Transition { instance, from, to, cause: why } => {
            let (from, to) = (from_state(*from, why), *to);
            let why = cause(engine, links, *instance, why);
            let text = match from == to {
                true => format!("stays {to}: {why}"),
                false => format!("{from} to {to}: {why}"),
            };
            Told::new(Level::Notice, Kind::Transition, *instance, text)
        }
        Notice::PriorityChanged { instance, from, to } => {
            let text = format!("effective priority {from} to {to}");
            Told::new(Level::Notice, Kind::Priority, *instance, text)
        }
        Notice::FaultChanged { instance, reason } => {
            let why = fault(engine, links, *instance, *reason);
            Told::new(Level::Warning, Kind::Fault, *instance, format!("still FAULT: {why}"))
        }
        Notice::Rejected { router, from, reason } => {
            let text = format!("bad packet from {from} dropped: {reason}");
            let mut told = Told::of_router(WarningKind::BadPackets, *router, *from, text);
            if let Some(concern) = &mut told.concern {
                concern.reject = Some(*reason);
            }
            told
        }
        Notice::UnknownVrid { interface: id, from, vrid: 0 } => Told {
            level: Level::Info,
            ..Told::of_process(
                Kind::Packet,
                format!(
                    "{from} announces virtual_router_id 0 on {}, which nobody may have: the \
                     sender is broken",
                    interface(engine, *id)
                ),
            )
        },
        Notice::UnknownVrid { interface: id, from, vrid } => Told {
            level: Level::Info,
            ..Told::of_process(
                Kind::Packet,
                format!(
                    "{from} announces virtual_router_id {vrid} on {}, which no instance here has: \
                     another pair of routers",
                    interface(engine, *id)
                ),
            )
        },
        Notice::IntervalDiffers { router, from, theirs } => {
            let own = engine.settings(router.instance).map(|s| interval(s.interval));
            let text = format!(
                "{from} announces the interval {}, ours is {}; theirs is followed: set the same \
                 on all routers",
                interval(*theirs),
                own.unwrap_or_default()
            );
            Told::of_router(WarningKind::IntervalDiffers, *router, *from, text)
        }
        Notice::AddressesDiffer { router, from } => {
            let text = format!(
                "{from} announces other addresses with this virtual_router_id: set the same \
                 virtual_addresses on all routers"
            );
            Told::of_router(WarningKind::AddressesDiffer, *router, *from, text)
        }
        Notice::VridConflict { router, from, theirs } => {
            let vrid = engine.settings(router.instance).map_or(0, |s| s.vrid.get());
            let text = format!(
                "{from} uses virtual_router_id {vrid} for other addresses (priority {theirs}): \
                 it is ignored; give one of the two pairs of routers another \
                 virtual_router_id, or, if it is a peer, give both the same addresses"
            );
            let mut told = Told::of_router(WarningKind::VridConflict, *router, *from, text);
            if let Some(concern) = &mut told.concern {
                concern.reject = Some(Reject::ForeignAddresses);
            }
            told
        }
        Notice::LowerPriority { router, from, theirs } => {
            let ours = engine.effective_priority(router.instance).unwrap_or(*theirs);
            let why = match *theirs == ours {
                true => format!("its priority is the same ({theirs}), its address is lower"),
                false => format!("its priority {theirs} is lower than ours ({ours})"),
            };
            let text = format!(
                "{from} is MASTER too, although {why}: look for what keeps our adverts from it, a \
                 filter, a switch, another VLAN"
            );
            Told::new(Level::Warning, Kind::Packet, router.instance, text)
        }
        Notice::SecondOwner { router, from, yielding } => {
            let then = if *yielding {
                "this router lowers its priority to 254"
            } else {
                "this router goes on"
            };
            let text = format!(
                "{from} claims to own the addresses too (priority 255), {then}: set 255 on one \
                 router only"
            );
            Told::of_router(WarningKind::SecondOwner, *router, *from, text)
        }
        Notice::SameSender { router, from } => {
            let text = format!(
                "another router sends from {from}, which is our own address: give each router an \
                 address of its own"
            );
            Told::of_router(WarningKind::SameSender, *router, *from, text)
        }
        Notice::OldChecksum { router, from } => {
            let text = format!(
                "{from} computes checksums as keepalived up to 1.3.6 does; this router does the \
                 same from now on"
            );
            Told::new(Level::Notice, Kind::Packet, router.instance, text)
        }
        Notice::ForeignRemoval { object: removed, restore_in } => {
            let what = object(engine, *removed);
            let (then, settled) = match restore_in {
                Some(wait) if wait.is_zero() => ("it is put back".to_owned(), "it was put back"),
                Some(wait) => (format!("it is put back in {}", seconds(*wait)), "it was put back"),
                None => ("this router steps down".to_owned(), "this router stepped down"),
            };
            let text = |then: &str| {
                format!(
                    "somebody else removed {what}; {then}: look for another program that manages \
                     this interface"
                )
            };
            let given_up = text("another router has it for now");
            let (text, settled) = (text(&then), text(settled));
            let mut told = Told::of_object(WarningKind::ForeignRemoval, *removed, text, settled);
            if let Some(settled) = &mut told.settled {
                settled.given_up = Some(given_up);
            }
            told
        }
        Notice::GoneWithInterface { object: gone, interface: id } => {
            let (what, on) = (object(engine, *gone), interface(engine, *id));
            let is = interface_is(links, on);
            let text = format!(
                "interface \"{on}\" {is}, and {what} is gone with it; it is put back when the \
                 interface is up"
            );
            Told::new(Level::Warning, Kind::Kernel, gone.instance, text)
        }
        Notice::KernelRefused { object: refused, present, error, retry_in } => {
            let what = object(engine, *refused);
            let verb = if *present { "add" } else { "remove" };
            let said = refusal.map(|words| format!(" ({words})")).unwrap_or_default();
            let error = Errno::from_raw(error.0).desc();
            let settled = format!("the kernel refused to {verb} {what}: {error}{said}");
            let text = format!("{settled}; it is tried again in {}", seconds(*retry_in));
            Told::of_object(WarningKind::KernelRefused, *refused, text, settled)
        }
        Notice::Duplicate { object: id, retry_in } => {
            let text = format!(
                "{} failed duplicate address detection: another host uses it; remove it there; it \
                 is tried again in {}",
                object(engine, *id),
                seconds(*retry_in)
            );
            Told::new(Level::Warning, Kind::Kernel, id.instance, text)
        }
        Notice::AddressTaken { instance, address, mac } => {
            let text = second_holder::words(engine, links, *instance, *address, *mac);
            let mut told = Told::of_instance(WarningKind::AddressTaken, *instance, text);
            if let Some(concern) = &mut told.concern {
                concern.from = Some(*address);
            }
            told
        }
        Notice::AddressFree { instance, address, mac } => {
            let text = format!("the other host ({mac}) does not answer for {address} any more");
            Told::new(Level::Notice, Kind::Packet, *instance, text)
        }
        Notice::HandOverStarted { instance } => {
            Told::new(Level::Info, Kind::HandOver, *instance, "planned hand-over begins".into())
        }
        Notice::HandOverTaken { instance, by, after } => {
            let after = after.as_secs_f64() * 1000.0;
            let text = format!("{by} took over {after:.1} ms after priority 0");
            Told::new(Level::Notice, Kind::HandOver, *instance, text)
        }
        Notice::HandOverFailed { instance, resumed } => {
            let text = if *resumed {
                "nobody took over; it goes on as MASTER"
            } else {
                "nobody took over; the addresses are given up"
            };
            Told::new(Level::Warning, Kind::HandOver, *instance, text.into())
        }
        Notice::Hold { instance, held: true, hold_for } => {
            let text = match hold_for {
                Some(hold_for) => {
                    format!(
                        "held as backup for {}, or until released",
                        length(hold_for.as_secs_f64())
                    )
                }
                None => "held as backup until released".to_owned(),
            };
            Told::new(Level::Notice, Kind::HandOver, *instance, text)
        }
        Notice::Hold { instance, held: false, .. } => {
            Told::new(Level::Notice, Kind::HandOver, *instance, "released from the hold".into())
        }
        Notice::LateWake { by } => Told::of_process(
            Kind::Process,
            format!(
                "the process stood still and woke up {} late; packets that waited are read first",
                seconds(*by)
            ),
        ),
        Notice::Lost { count } => Told::of_process(
            Kind::Process,
            format!("{} lost because there were too many at once", plural(*count, "notice")),
        ),
    }
}

/// How long an operator's hold lasts.
pub fn hold(name: &str, until: Option<Instant>, now: Instant) -> String {
    match until {
        Some(until) => format!("for {}", length(until.since(now).as_secs_f64().round())),
        None => format!("until \"steadfast release {name}\""),
    }
}

/// Why adverts do not leave, and what to look for.
pub fn send_failed(family: Family, errno: Errno) -> String {
    let look = if errno == Errno::EPERM {
        ": a firewall rule drops them; allow IP protocol 112"
    } else if errno == Errno::EADDRNOTAVAIL {
        ": the interface does not have the source address"
    } else if errno == Errno::EMSGSIZE {
        ": the packet is longer than the MTU of the interface; use fewer addresses, or move some \
         to excluded_addresses"
    } else {
        ""
    };
    format!("cannot send {family} adverts: {}{look}", errno.desc())
}

#[cfg(test)]
mod tests;
