//! An event as clients of the control socket read it.

use std::net::IpAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::details::details;
use super::kind::{Kind, Level};
use super::text;
use super::what::What;
use crate::control::value::Value;
use crate::units::State;

/// What happened: a line of `steadfast events`, or of the history of transitions.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Event {
    /// Seconds since 1970, UTC.
    pub time: f64,
    /// How much it matters.
    pub level: Level,
    /// What it is about.
    pub kind: Kind,
    /// The sort of event, one word.
    #[serde(default)]
    pub event: String,
    /// The instance, if it is about one.
    pub instance: Option<String>,
    /// Of a transition: from. The same as `to` when another vrrp process went on as master.
    pub from: Option<State>,
    /// Of a transition: to.
    pub to: Option<State>,
    /// Of a transition: why, in words.
    pub cause: Option<String>,
    /// The whole line.
    pub text: String,
    /// How many like it were left out before this one.
    #[serde(default)]
    pub left_out: u32,
    /// The other router that it is about, if it is about one.
    #[serde(default)]
    pub peer: Option<IpAddr>,
    /// What the text is made of: names, addresses, priorities, seconds, by the sort of event. Here
    /// `cause` and `fault` are objects, whose `name` tells which other keys they have.
    #[serde(skip, default = "unread")]
    pub details: Value,
}

/// The details of an event that was read from JSON: only programs of others want them.
const fn unread() -> Value {
    Value::Object(Vec::new())
}

/// Renders an event that happened at this time since 1970, UTC.
pub fn event(event: &super::Event, time: Duration) -> Event {
    let (mut from, mut to, mut cause) = (None, None, None);
    if let What::Transition { from: before, to: now, cause: why, .. } = &event.what {
        (from, to, cause) = (Some(*before), Some(*now), Some(text::cause(why)));
    }
    let class = event.what.class();
    Event {
        time: time.as_secs_f64(),
        level: class.level,
        kind: class.kind,
        event: class.name.to_owned(),
        instance: event.subject.name().map(str::to_owned),
        from,
        to,
        cause,
        text: text::event(event),
        left_out: event.left_out,
        peer: event.what.peer(),
        details: details(event),
    }
}
