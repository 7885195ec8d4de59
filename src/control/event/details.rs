//! The data of an event as names and plain values: what programs read, whatever the format. What is
//! not known is null, lengths of time are in seconds.

use std::net::IpAddr;
use std::time::Duration;

use nix::errno::Errno;

use super::cause::{Cause, Fault, InterfaceState, InterfaceTrouble, SourceTrouble};
use super::entries::{Entries, name, seconds};
use super::what::{Suspect, What};
use super::{Event, Subject, text};
use crate::control::value::{ToValue, Value};
use crate::vrrp::KernelError;
use crate::vrrp::settings::Object;

/// The data of an event, beside what all events have.
pub fn details(event: &Event) -> Value {
    let mut entries = match &event.subject {
        Subject::Process => Vec::new(),
        Subject::Instance { interface, vrid, .. } => {
            vec![("interface", name(interface)), ("virtual_router_id", vrid.get().to_value())]
        }
    };
    entries.extend(of_what(&event.what));
    Value::Object(entries.into_iter().map(|(key, value)| (key.into(), value)).collect())
}

fn of_what(what: &What) -> Entries {
    match what {
        What::Transition { cause, priority, .. } => {
            vec![("priority", priority.0.to_value()), ("cause", of_cause(cause))]
        }
        What::PriorityChanged { from, to } => {
            vec![("from_priority", from.0.to_value()), ("to_priority", to.0.to_value())]
        }
        What::FaultChanged(fault) => vec![("fault", of_fault(fault))],
        What::BadPacket { reason, .. } => vec![("reason", reason.label().to_value())],
        What::UnknownVrid { interface, vrid, .. } => {
            vec![("interface", name(interface)), ("virtual_router_id", vrid.to_value())]
        }
        What::IntervalDiffers { theirs, ours, .. } => {
            vec![("theirs", seconds(theirs.duration())), ("ours", seconds(ours.duration()))]
        }
        What::VridConflict { theirs, .. } => vec![("theirs", theirs.0.to_value())],
        What::LowerPriority { theirs, ours, .. } => {
            vec![("theirs", theirs.0.to_value()), ("ours", ours.0.to_value())]
        }
        What::SecondOwner { yielding, .. } => vec![("yielding", yielding.to_value())],
        What::SendFailed { family, error } => {
            vec![("family", family.to_string().to_value()), ("error", of_error(*error))]
        }
        What::AddressTaken { address, mac, suspect } => vec![
            ("address", address.to_value()),
            ("mac", mac.to_string().to_value()),
            ("suspect", of_suspect(*suspect)),
        ],
        What::SourceTaken { address, mac } | What::AddressFree { address, mac } => {
            vec![("address", address.to_value()), ("mac", mac.to_string().to_value())]
        }
        What::ForeignRemoval { object, restore_in } => {
            vec![
                ("object", of_object(object.as_deref())),
                ("restore_in", some_seconds(*restore_in)),
            ]
        }
        What::GoneWithInterface { object, trouble } => {
            let [interface, state, have] = of_trouble(trouble);
            let needs = Value::object([interface, state, have]);
            vec![("object", of_object(object.as_deref())), ("needs", needs)]
        }
        What::KernelRefused { object, present, error, words, retry_in } => vec![
            ("object", of_object(object.as_deref())),
            ("action", if *present { "add" } else { "remove" }.to_value()),
            ("error", of_error(*error)),
            ("words", words.as_deref().map(str::to_owned).to_value()),
            ("retry_in", seconds(*retry_in)),
        ],
        What::Duplicate { object, retry_in } => {
            vec![("object", of_object(object.as_deref())), ("retry_in", seconds(*retry_in))]
        }
        What::ForeignAddress { address, prefix_len, interface, replaced_by } => vec![
            ("object", of_prefix((*address, *prefix_len))),
            ("on", name(interface)),
            ("replaced_by", replaced_by.map_or(Value::Null, of_prefix)),
        ],
        What::PromotionRefused { interface, error } => {
            vec![("on", name(interface)), ("error", name(error))]
        }
        What::SecondaryLost { address, prefix_len, interface } => {
            vec![("object", of_prefix((*address, *prefix_len))), ("on", name(interface))]
        }
        What::NoPacketFilter { error } => vec![("error", name(error))],
        What::HandOverTaken { after, .. } => vec![("after", seconds(*after))],
        What::HandOverFailed { resumed } => vec![("resumed", resumed.to_value())],
        What::Held { hold_for } => vec![("hold_for", some_seconds(*hold_for))],
        What::LateWake { by } => vec![("by", seconds(*by))],
        What::NoticesLost { count } | What::EventsLost { count } => {
            vec![("count", count.to_value())]
        }
        What::Daemon(event) => event.details(),
        What::Message { .. }
        | What::PacketFilterFailed(_)
        | What::ListenFailed(_)
        | What::AnnounceFailed(_)
        | What::AddressesDiffer { .. }
        | What::SameSender { .. }
        | What::OldChecksum { .. }
        | What::HandOverStarted
        | What::Released => Vec::new(),
    }
}

/// An object whose `name` tells which other keys it has.
fn named<const N: usize>(name: &'static str, rest: [(&'static str, Value); N]) -> Value {
    let entries = [("name", name.to_value())].into_iter().chain(rest);
    Value::Object(entries.map(|(key, value)| (key.into(), value)).collect())
}

fn of_cause(cause: &Cause) -> Value {
    match cause {
        Cause::Started => named("started", []),
        Cause::Owner => named("owner", []),
        Cause::Resumed { gap } => named("resumed", [("gap", seconds(*gap))]),
        Cause::NoAdvert { master, silence } => {
            named("no_advert", [("master", master.to_value()), ("silence", seconds(*silence))])
        }
        Cause::MasterLeft { master } => named("master_left", [("master", master.to_value())]),
        Cause::Preempted { master, theirs } => {
            named("preempted", [("master", master.to_value()), ("theirs", theirs.0.to_value())])
        }
        Cause::HigherPriority { master, theirs } => named(
            "higher_priority",
            [("master", master.to_value()), ("theirs", theirs.0.to_value())],
        ),
        Cause::HigherAddress { master } => named("higher_address", [("master", master.to_value())]),
        Cause::Unheard { master, family, error, pause } => named(
            "unheard",
            [
                ("master", master.to_value()),
                ("family", family.to_string().to_value()),
                ("error", of_error(*error)),
                ("pause", seconds(*pause)),
            ],
        ),
        Cause::Group { member } => {
            named("group", [("member", member.as_ref().map_or(Value::Null, name))])
        }
        Cause::Fault(fault) => named("fault", [("fault", of_fault(fault))]),
        Cause::Recovered => named("recovered", []),
        Cause::Switchover { successor } => {
            named("switchover", [("successor", successor.to_value())])
        }
        Cause::TimerExpired { slept } => named("timer_expired", [("slept", seconds(*slept))]),
        Cause::ForeignRemoval { object } => {
            named("foreign_removal", [("object", of_object(object.as_deref()))])
        }
        Cause::AddressesLost { object, successor, pause } => named(
            "addresses_lost",
            [
                ("object", of_object(object.as_deref())),
                ("successor", successor.to_value()),
                ("pause", seconds(*pause)),
            ],
        ),
        Cause::Stopped => named("stopped", []),
        Cause::Reconfigured => named("reconfigured", []),
    }
}

fn of_fault(fault: &Fault) -> Value {
    match fault {
        Fault::Interface(trouble) => named("interface", of_trouble(trouble)),
        Fault::InterfaceIsPort { interface, port_of } => named(
            "interface_is_port",
            [
                ("interface", name(interface)),
                ("port_of", port_of.as_ref().map_or(Value::Null, name)),
            ],
        ),
        Fault::NotListening { interface, family } => named(
            "not_listening",
            [("interface", name(interface)), ("family", family.to_string().to_value())],
        ),
        Fault::NoSource { interface, family } => named(
            "no_source_address",
            [("interface", name(interface)), ("family", family.to_string().to_value())],
        ),
        Fault::SourceUnusable { interface, address, why } => {
            let state = match why {
                SourceTrouble::Duplicate => "duplicate",
                SourceTrouble::Tentative => "tentative",
                SourceTrouble::Virtual => "virtual",
            };
            named(
                "source_address_unusable",
                [
                    ("interface", name(interface)),
                    ("address", address.to_value()),
                    ("state", state.to_value()),
                ],
            )
        }
        Fault::TrackedInterface(trouble) => named("tracked_interface", of_trouble(trouble)),
        Fault::NeededInterface { object, trouble } => {
            let [interface, state, have] = of_trouble(trouble);
            let object = ("object", of_object(object.as_deref()));
            named("needed_interface", [object, interface, state, have])
        }
        Fault::Tracked { name: tracked } => {
            named("tracked", [("tracked", tracked.as_ref().map_or(Value::Null, name))])
        }
    }
}

fn of_trouble(trouble: &InterfaceTrouble) -> [(&'static str, Value); 3] {
    let (state, have) = match &trouble.state {
        InterfaceState::Down => ("down", Value::Null),
        InterfaceState::Missing { have } => {
            ("missing", Value::List(have.iter().map(name).collect()))
        }
    };
    [("interface", name(&trouble.interface)), ("state", state.to_value()), ("have", have)]
}

fn of_suspect(suspect: Suspect) -> Value {
    match suspect {
        Suspect::Rejected { peer, reason } => {
            named("rejected", [("peer", peer.to_value()), ("reason", reason.label().to_value())])
        }
        Suspect::NoSubnet { source } => named("no_subnet", [("source", source.to_value())]),
        Suspect::Stranger { peer, vrid } => {
            named("stranger", [("peer", peer.to_value()), ("virtual_router_id", vrid.to_value())])
        }
        Suspect::Unknown => Value::Null,
    }
}

fn of_object(object: Option<&Object>) -> Value {
    object.map(text::object).to_value()
}

fn of_prefix((address, prefix_len): (IpAddr, u8)) -> Value {
    format!("{address}/{prefix_len}").to_value()
}

fn of_error(error: KernelError) -> Value {
    Errno::from_raw(error.0).desc().to_value()
}

fn some_seconds(length: Option<Duration>) -> Value {
    length.map_or(Value::Null, seconds)
}
