//! The data of an event, as names and plain values: what programs read, whatever the format.

use std::net::IpAddr;
use std::time::Duration;

use nix::errno::Errno;
use serde::ser::{Serialize, SerializeMap, Serializer};

use super::cause::{Cause, Fault, InterfaceState, InterfaceTrouble, SourceTrouble};
use super::what::{Suspect, What};
use super::{Event, Subject, text};
use crate::vrrp::KernelError;
use crate::vrrp::settings::Object;

/// Names with their values.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Details(Vec<(&'static str, Detail)>);

/// A plain value.
#[derive(Clone, PartialEq, Debug)]
pub enum Detail {
    /// A name, an address, a word.
    Text(String),
    /// A count, a priority, an identifier.
    Number(u32),
    /// A length of time in seconds.
    Seconds(f64),
    /// Yes or no.
    Flag(bool),
    /// Several names.
    List(Vec<String>),
    /// A cause, a fault.
    Object(Details),
}

impl Details {
    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn put(&mut self, name: &'static str, value: impl Into<Detail>) -> &mut Self {
        self.0.push((name, value.into()));
        self
    }

    /// Leaves out what is not known or does not apply.
    fn put_some(&mut self, name: &'static str, value: Option<impl Into<Detail>>) -> &mut Self {
        if let Some(value) = value {
            self.put(name, value);
        }
        self
    }

    fn put_error(&mut self, error: KernelError) -> &mut Self {
        self.put("error", Errno::from_raw(error.0).desc())
    }

    fn put_trouble(&mut self, trouble: &InterfaceTrouble) -> &mut Self {
        self.put("interface", &*trouble.interface);
        match &trouble.state {
            InterfaceState::Down => self.put("state", "down"),
            InterfaceState::Missing { have } => {
                let have = have.iter().map(|name| name.to_string()).collect();
                self.put("state", "missing").put("have", Detail::List(have))
            }
        }
    }
}

impl From<&str> for Detail {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Detail {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<IpAddr> for Detail {
    fn from(address: IpAddr) -> Self {
        Self::Text(address.to_string())
    }
}

impl From<u8> for Detail {
    fn from(number: u8) -> Self {
        Self::Number(number.into())
    }
}

impl From<u32> for Detail {
    fn from(number: u32) -> Self {
        Self::Number(number)
    }
}

impl From<bool> for Detail {
    fn from(flag: bool) -> Self {
        Self::Flag(flag)
    }
}

impl From<Duration> for Detail {
    fn from(length: Duration) -> Self {
        Self::Seconds(length.as_secs_f64())
    }
}

impl From<&Object> for Detail {
    fn from(object: &Object) -> Self {
        Self::Text(text::object(object))
    }
}

impl Serialize for Details {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut map = to.serialize_map(Some(self.0.len()))?;
        for (name, value) in &self.0 {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

impl Serialize for Detail {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Text(text) => to.serialize_str(text),
            Self::Number(number) => to.serialize_u32(*number),
            Self::Seconds(seconds) => to.serialize_f64(*seconds),
            Self::Flag(flag) => to.serialize_bool(*flag),
            Self::List(names) => to.collect_seq(names),
            Self::Object(details) => details.serialize(to),
        }
    }
}

/// The data of an event.
pub fn details(event: &Event) -> Details {
    let mut all = Details::default();
    if let Subject::Instance { interface, vrid, .. } = &event.subject {
        all.put("interface", &**interface).put("virtual_router_id", vrid.get());
    }
    all.put_some("peer", event.what.peer());
    what(&event.what, &mut all);
    all
}

fn what(what: &What, all: &mut Details) {
    match what {
        What::Transition { cause, priority, .. } => {
            all.put("priority", priority.0).put("cause", Detail::Object(of_cause(cause)));
        }
        What::PriorityChanged { from, to } => {
            all.put("from_priority", from.0).put("to_priority", to.0);
        }
        What::FaultChanged(fault) => {
            all.put("fault", Detail::Object(of_fault(fault)));
        }
        What::BadPacket { reason, .. } => {
            all.put("reason", reason.label());
        }
        What::UnknownVrid { interface, vrid, .. } => {
            all.put("interface", &**interface).put("virtual_router_id", *vrid);
        }
        What::IntervalDiffers { theirs, ours, .. } => {
            all.put("theirs", theirs.duration()).put("ours", ours.duration());
        }
        What::VridConflict { theirs, .. } => {
            all.put("theirs", theirs.0);
        }
        What::LowerPriority { theirs, ours, .. } => {
            all.put("theirs", theirs.0).put("ours", ours.0);
        }
        What::SecondOwner { yielding, .. } => {
            all.put("yielding", *yielding);
        }
        What::SendFailed { family, error } => {
            all.put("family", family.to_string()).put_error(*error);
        }
        What::AddressTaken { address, mac, suspect } => {
            all.put("address", *address).put("mac", mac.to_string());
            of_suspect(*suspect, all);
        }
        What::SourceTaken { address, mac } | What::AddressFree { address, mac } => {
            all.put("address", *address).put("mac", mac.to_string());
        }
        What::ForeignRemoval { object, restore_in } => {
            all.put_some("object", object.as_deref()).put_some("restore_in", *restore_in);
        }
        What::GoneWithInterface { object, trouble } => {
            all.put_some("object", object.as_deref());
            let mut missing = Details::default();
            missing.put_trouble(trouble);
            all.put("needs", Detail::Object(missing));
        }
        What::KernelRefused { object, present, error, words, retry_in } => {
            let action = if *present { "add" } else { "remove" };
            all.put_some("object", object.as_deref()).put("action", action);
            all.put_error(*error).put_some("words", words.as_deref()).put("retry_in", *retry_in);
        }
        What::Duplicate { object, retry_in } => {
            all.put_some("object", object.as_deref()).put("retry_in", *retry_in);
        }
        What::ForeignAddress { address, prefix_len, interface, replaced_by } => {
            prefix("object", *address, *prefix_len, all).put("on", &**interface);
            if let Some((address, prefix_len)) = replaced_by {
                prefix("replaced_by", *address, *prefix_len, all);
            }
        }
        What::PromotionRefused { interface, error } => {
            all.put("on", &**interface).put("error", &**error);
        }
        What::SecondaryLost { address, prefix_len, interface } => {
            prefix("object", *address, *prefix_len, all).put("on", &**interface);
        }
        What::NoPacketFilter { error } => {
            all.put("error", &**error);
        }
        What::HandOverTaken { after, .. } => {
            all.put("after", *after);
        }
        What::HandOverFailed { resumed } => {
            all.put("resumed", *resumed);
        }
        What::Held { hold_for } => {
            all.put_some("hold_for", *hold_for);
        }
        What::LateWake { by } => {
            all.put("by", *by);
        }
        What::NoticesLost { count } | What::EventsLost { count } => {
            all.put("count", *count);
        }
        What::Message { .. }
        | What::AddressesDiffer { .. }
        | What::SameSender { .. }
        | What::OldChecksum { .. }
        | What::HandOverStarted
        | What::Released => {}
    }
}

fn prefix<'a>(
    name: &'static str,
    address: IpAddr,
    prefix_len: u8,
    all: &'a mut Details,
) -> &'a mut Details {
    all.put(name, format!("{address}/{prefix_len}"))
}

fn of_cause(cause: &Cause) -> Details {
    let mut all = Details::default();
    let mut named = |name: &str| {
        all.put("name", name);
    };
    match cause {
        Cause::Started => named("started"),
        Cause::Owner => named("owner"),
        Cause::Resumed { gap } => {
            all.put("name", "resumed").put("gap", *gap);
        }
        Cause::NoAdvert { master, silence } => {
            all.put("name", "no_advert").put_some("master", *master).put("silence", *silence);
        }
        Cause::MasterLeft { master } => {
            all.put("name", "master_left").put("master", *master);
        }
        Cause::Preempted { master, theirs } => {
            all.put("name", "preempted").put("master", *master).put("theirs", theirs.0);
        }
        Cause::HigherPriority { master, theirs } => {
            all.put("name", "higher_priority").put("master", *master).put("theirs", theirs.0);
        }
        Cause::HigherAddress { master } => {
            all.put("name", "higher_address").put("master", *master);
        }
        Cause::Unheard { master, family, error, pause } => {
            all.put("name", "unheard").put("master", *master).put("family", family.to_string());
            all.put_error(*error).put("pause", *pause);
        }
        Cause::Group { member } => {
            all.put("name", "group").put_some("member", member.as_deref());
        }
        Cause::Fault(fault) => {
            all.put("name", "fault").put("fault", Detail::Object(of_fault(fault)));
        }
        Cause::Recovered => named("recovered"),
        Cause::Switchover { successor } => {
            all.put("name", "switchover").put_some("successor", *successor);
        }
        Cause::TimerExpired { slept } => {
            all.put("name", "timer_expired").put("slept", *slept);
        }
        Cause::ForeignRemoval { object } => {
            all.put("name", "foreign_removal").put_some("object", object.as_deref());
        }
        Cause::AddressesLost { object, successor, pause } => {
            all.put("name", "addresses_lost").put_some("object", object.as_deref());
            all.put_some("successor", *successor).put("pause", *pause);
        }
        Cause::Stopped => named("stopped"),
        Cause::Reconfigured => named("reconfigured"),
    }
    all
}

fn of_fault(fault: &Fault) -> Details {
    let mut all = Details::default();
    match fault {
        Fault::Interface(trouble) => all.put("name", "interface").put_trouble(trouble),
        Fault::InterfaceIsPort { interface, port_of } => all
            .put("name", "interface_is_port")
            .put("interface", &**interface)
            .put_some("port_of", port_of.as_deref()),
        Fault::NotListening { interface, family } => all
            .put("name", "not_listening")
            .put("interface", &**interface)
            .put("family", family.to_string()),
        Fault::NoSource { interface, family } => all
            .put("name", "no_source_address")
            .put("interface", &**interface)
            .put("family", family.to_string()),
        Fault::SourceUnusable { interface, address, why } => all
            .put("name", "source_address_unusable")
            .put("interface", &**interface)
            .put("address", *address)
            .put(
                "state",
                match why {
                    SourceTrouble::Duplicate => "duplicate",
                    SourceTrouble::Tentative => "tentative",
                    SourceTrouble::Virtual => "virtual",
                },
            ),
        Fault::TrackedInterface(trouble) => {
            all.put("name", "tracked_interface").put_trouble(trouble)
        }
        Fault::NeededInterface { object, trouble } => all
            .put("name", "needed_interface")
            .put_some("object", object.as_deref())
            .put_trouble(trouble),
        Fault::Tracked { name } => all.put("name", "tracked").put_some("tracker", name.as_deref()),
    };
    all
}

fn of_suspect(suspect: Suspect, all: &mut Details) {
    match suspect {
        Suspect::Rejected { peer, reason } => {
            all.put("suspect", peer).put("reason", reason.label());
        }
        Suspect::NoSubnet { source } => {
            all.put("source_without_subnet", source);
        }
        Suspect::Stranger { peer, vrid } => {
            all.put("suspect", peer).put("suspect_virtual_router_id", vrid);
        }
        Suspect::Unknown => {}
    }
}
