//! Events in words: what the log, `steadfast events` and `status` say.

mod object;

use std::time::Duration;

use nix::errno::Errno;

use super::cause::{Cause, Fault, InterfaceState, InterfaceTrouble, SourceTrouble};
use super::what::{Suspect, What};
use super::{Event, Name};
use crate::control::humanize::{decimals, length, plural};
use crate::units::{Centiseconds, Family};
use crate::vrrp::KernelError;
use crate::vrrp::settings::Object;
pub use object::object;

/// How many interfaces are named where one is missing.
pub const MAX_NAMED_INTERFACES: usize = 8;

/// The whole line, with the name of the instance: "lan: BACKUP to MASTER: ...".
pub fn event(event: &Event) -> String {
    match event.subject.name() {
        Some(name) => format!("{name}: {}", what(&event.what)),
        None => what(&event.what),
    }
}

/// What follows the name of the instance.
pub fn what(what: &What) -> String {
    match what {
        What::Message { text, .. }
        | What::PacketFilterFailed(text)
        | What::ListenFailed(text)
        | What::AnnounceFailed(text) => text.to_string(),
        What::Daemon(event) => event.text(),
        What::Transition { from, to, cause: why, .. } if from == to => {
            format!("stays {to}: {}", cause(why))
        }
        What::Transition { from, to, cause: why, .. } => {
            format!("{from} to {to}: {}", cause(why))
        }
        What::PriorityChanged { from, to } => format!("effective priority {from} to {to}"),
        What::FaultChanged(why) => format!("still FAULT: {}", fault(why)),
        What::BadPacket { peer, reason } => format!("bad packet from {peer} dropped: {reason}"),
        What::UnknownVrid { interface, peer, vrid: 0 } => format!(
            "{peer} announces virtual_router_id 0 on {interface}, which nobody may have: the \
             sender is broken"
        ),
        What::UnknownVrid { interface, peer, vrid } => format!(
            "{peer} announces virtual_router_id {vrid} on {interface}, which no instance here \
             has: another pair of routers"
        ),
        What::IntervalDiffers { peer, theirs, ours } => format!(
            "{peer} announces the interval {}, ours is {}; theirs is followed: set the same on \
             all routers",
            interval(*theirs),
            interval(*ours)
        ),
        What::AddressesDiffer { peer } => format!(
            "{peer} announces other addresses with this virtual_router_id: set the same \
             virtual_addresses on all routers"
        ),
        What::VridConflict { peer, vrid, theirs } => format!(
            "{peer} uses virtual_router_id {vrid} for other addresses (priority {theirs}): it is \
             ignored; give one of the two pairs of routers another virtual_router_id, or, if it \
             is a peer, give both the same addresses"
        ),
        What::LowerPriority { peer, theirs, ours } => {
            let why = match theirs == ours {
                true => format!("its priority is the same ({theirs}), its address is lower"),
                false => format!("its priority {theirs} is lower than ours ({ours})"),
            };
            format!(
                "{peer} is MASTER too, although {why}: look for what keeps our adverts from it, a \
                 filter, a switch, another VLAN"
            )
        }
        What::SecondOwner { peer, yielding } => {
            let then = match yielding {
                true => "this router lowers its priority to 254",
                false => "this router goes on",
            };
            format!(
                "{peer} claims to own the addresses too (priority 255), {then}: set 255 on one \
                 router only"
            )
        }
        What::SameSender { peer } => format!(
            "another router sends from {peer}, which is our own address: give each router an \
             address of its own"
        ),
        What::OldChecksum { peer } => format!(
            "{peer} computes checksums as keepalived up to 1.3.6 does; this router does the same \
             from now on"
        ),
        What::SendFailed { family, error } => send_failed(*family, *error),
        What::AddressTaken { address, mac, suspect: who } => format!(
            "another host ({mac}) holds {address} too, ours as MASTER: look for {}",
            suspect(who)
        ),
        What::SourceTaken { address, mac } => format!(
            "another host ({mac}) uses {address} too, the address that our adverts come from, so \
             that neither hears the other: give each router an address of its own"
        ),
        What::AddressFree { address, mac } => {
            format!("the other host ({mac}) does not answer for {address} any more")
        }
        What::ForeignRemoval { object, restore_in } => {
            let then = match restore_in {
                Some(wait) if wait.is_zero() => "it is put back".to_owned(),
                Some(wait) => format!("it is put back in {}", seconds(*wait)),
                None => "this router steps down".to_owned(),
            };
            removed(object.as_deref(), &then)
        }
        What::GoneWithInterface { object, trouble } => format!(
            "{}, and {} is gone with it; it is put back when the interface is up",
            interface(trouble),
            object_or_gone(object.as_deref())
        ),
        What::KernelRefused { object, present, error, words, retry_in } => format!(
            "{}; it is tried again in {}",
            refused(object.as_deref(), *present, *error, words.as_deref()),
            seconds(*retry_in)
        ),
        What::Duplicate { object, retry_in } => format!(
            "{} failed duplicate address detection: another host uses it; remove it there; it is \
             tried again in {}",
            object_or_gone(object.as_deref()),
            seconds(*retry_in)
        ),
        What::ForeignAddress { address, prefix_len, interface, replaced_by: Some((by, len)) } => {
            format!(
                "{address}/{prefix_len} on {interface} is replaced by {by}/{len}: somebody else \
                 had added it"
            )
        }
        What::ForeignAddress { address, prefix_len, interface, replaced_by: None } => format!(
            "{address}/{prefix_len} is removed from {interface}: somebody else had added it, and \
             only the MASTER may have a virtual address"
        ),
        What::PromotionRefused { interface, error } => format!(
            "promote_secondaries of {interface} cannot be set: {error}; when a virtual address is \
             removed, the kernel may delete other addresses of its subnet: sysctl \
             net.ipv4.conf.{interface}.promote_secondaries=1"
        ),
        What::SecondaryLost { address, prefix_len, interface } => format!(
            "{address}/{prefix_len} on {interface} went with a virtual address that was removed: \
             add it again, and sysctl net.ipv4.conf.{interface}.promote_secondaries=1"
        ),
        What::NoPacketFilter { error } => {
            format!("no packet filter, so planned hand-overs are not silent: {error}")
        }
        What::HandOverStarted => "planned hand-over begins".to_owned(),
        What::HandOverTaken { peer, after } => {
            let after = decimals(after.as_secs_f64() * 1000.0, 1);
            format!("{peer} took over {after} ms after priority 0")
        }
        What::HandOverFailed { resumed: true } => {
            "nobody took over; it goes on as MASTER".to_owned()
        }
        What::HandOverFailed { resumed: false } => {
            "nobody took over; the addresses are given up".to_owned()
        }
        What::Held { hold_for: Some(hold_for) } => {
            format!("held as backup for {}, or until released", length(hold_for.as_secs_f64()))
        }
        What::Held { hold_for: None } => "held as backup until released".to_owned(),
        What::Released => "released from the hold".to_owned(),
        What::LateWake { by } => format!(
            "the process stood still and woke up {} late; packets that waited are read first",
            seconds(*by)
        ),
        What::NoticesLost { count } => {
            format!("{} lost because there were too many at once", plural(*count, "notice"))
        }
        What::EventsLost { count } => {
            format!("{} left out: this client reads too slowly", plural(*count, "event"))
        }
    }
}

/// What is said of a trouble with an address, route or rule when the kernel has it as it should be
/// again, or while another router has it.
pub fn settled(trouble: &What, elsewhere: bool) -> String {
    if let What::ForeignRemoval { object, restore_in } = trouble {
        let then = match restore_in {
            _ if elsewhere => "another router has it for now",
            Some(_) => "it was put back",
            None => "this router stepped down",
        };
        removed(object.as_deref(), then)
    } else if let What::KernelRefused { object, present, error, words, .. } = trouble {
        refused(object.as_deref(), *present, *error, words.as_deref())
    } else {
        what(trouble)
    }
}

/// Why an instance changed its state.
pub fn cause(cause: &Cause) -> String {
    match cause {
        Cause::Started => "started".to_owned(),
        Cause::Owner => "priority 255: it owns the addresses".to_owned(),
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
            send_failed(*family, *error),
            length(pause.as_secs_f64())
        ),
        Cause::Group { member: None } => "with its sync group".to_owned(),
        Cause::Group { member: Some(member) } => format!("with {member} of its sync group"),
        Cause::Fault(reason) => fault(reason),
        Cause::Recovered => "the fault is over".to_owned(),
        Cause::Switchover { successor: Some(successor) } => {
            format!("switchover: {successor} took over")
        }
        Cause::Switchover { successor: None } => "switchover".to_owned(),
        Cause::TimerExpired { slept } => {
            format!("the process stood still for {}", seconds(*slept))
        }
        Cause::ForeignRemoval { object } => {
            format!("somebody else removed {}", object_or_gone(object.as_deref()))
        }
        Cause::AddressesLost { object, successor, pause } => {
            let took_over = successor.map(|by| format!(", and {by} took over")).unwrap_or_default();
            format!(
                "somebody else removed {} again and again{took_over} (it preempts again in {} at \
                 the earliest, or after a release): look for another program that manages this \
                 interface",
                object_or_gone(object.as_deref()),
                length(pause.as_secs_f64())
            )
        }
        Cause::Stopped => "stopped".to_owned(),
        Cause::Reconfigured => "the configuration changed".to_owned(),
    }
}

/// Why an instance cannot take part.
pub fn fault(fault: &Fault) -> String {
    match fault {
        Fault::Interface(trouble) => interface(trouble),
        Fault::InterfaceIsPort { interface, port_of: Some(other) } => format!(
            "{interface} is a port of {other}, so it hears no adverts: write interface = \
             \"{other}\""
        ),
        Fault::InterfaceIsPort { interface, port_of: None } => {
            format!("{interface} was a port of another interface")
        }
        Fault::NotListening { interface, family } => {
            format!("cannot listen for {family} adverts on interface \"{interface}\"")
        }
        Fault::NoSource { interface, family } => {
            let kind = match family {
                Family::V4 => "IPv4 address",
                Family::V6 => "link-local IPv6 address",
            };
            format!("interface \"{interface}\" has no {kind} to send from")
        }
        Fault::SourceUnusable { interface, address, why } => match why {
            SourceTrouble::Duplicate => format!(
                "link-local address {address} of \"{interface}\" failed duplicate address \
                 detection: another host uses it; give one of them another address"
            ),
            SourceTrouble::Tentative => format!(
                "link-local address {address} of \"{interface}\" waits for duplicate address \
                 detection"
            ),
            SourceTrouble::Virtual => format!(
                "{address} is the router's own address, and the only one that \"{interface}\" can \
                 send from: use priority 255, or another virtual address"
            ),
        },
        Fault::TrackedInterface(trouble) => format!("tracked {}", interface(trouble)),
        Fault::NeededInterface { object: user, trouble } => format!(
            "{} needs interface \"{}\", which {}",
            user.as_deref().map_or_else(|| "it".to_owned(), object),
            trouble.interface,
            is(&trouble.state)
        ),
        Fault::Tracked { name: Some(name) } => format!("tracked {name} is down"),
        Fault::Tracked { name: None } => "something tracked is down".to_owned(),
    }
}

fn interface(trouble: &InterfaceTrouble) -> String {
    format!("interface \"{}\" {}", trouble.interface, is(&trouble.state))
}

/// What is wrong with an interface, with those that there are; not more than fit on a line.
fn is(state: &InterfaceState) -> String {
    match state {
        InterfaceState::Down => "is down".to_owned(),
        InterfaceState::Missing { have } => {
            let mut names: Vec<&str> =
                have.iter().take(MAX_NAMED_INTERFACES).map(Name::as_ref).collect();
            if have.len() > names.len() {
                names.push("...");
            }
            format!("does not exist (have: {})", names.join(", "))
        }
    }
}

fn suspect(suspect: &Suspect) -> String {
    match suspect {
        Suspect::Rejected { peer, reason } => {
            format!("{peer}, whose adverts are dropped here ({reason})")
        }
        Suspect::NoSubnet { source } => format!(
            "rp_filter, which drops adverts of others since the own address {source}/32 has no \
             subnet: give it the prefix length of its network"
        ),
        Suspect::Stranger { peer, vrid } => format!(
            "{peer}, which sends virtual_router_id {vrid} there, another pair of routers, or an \
             address added by hand"
        ),
        Suspect::Unknown => "another pair of routers (other virtual_router_id, version or \
                             password), or an address added by hand"
            .to_owned(),
    }
}

fn removed(object: Option<&Object>, then: &str) -> String {
    format!(
        "somebody else removed {}; {then}: look for another program that manages this interface",
        object_or_gone(object)
    )
}

fn refused(
    object: Option<&Object>,
    present: bool,
    error: KernelError,
    words: Option<&str>,
) -> String {
    let verb = if present { "add" } else { "remove" };
    let words = words.map(|words| format!(" ({words})")).unwrap_or_default();
    let error = Errno::from_raw(error.0).desc();
    format!("the kernel refused to {verb} {}: {error}{words}", object_or_gone(object))
}

/// Why adverts do not leave, and what to look for.
fn send_failed(family: Family, error: KernelError) -> String {
    let errno = Errno::from_raw(error.0);
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

fn object_or_gone(known: Option<&Object>) -> String {
    known.map_or_else(|| "an object that is no longer configured".to_owned(), object)
}

/// A length of time as in "no advert for 3.609 s".
fn seconds(length: Duration) -> String {
    format!("{} s", decimals(length.as_secs_f64(), 3))
}

fn interval(interval: Centiseconds) -> String {
    let text = decimals(f64::from(interval.0) / 100.0, 2);
    format!("{} s", text.trim_end_matches('0').trim_end_matches('.'))
}
