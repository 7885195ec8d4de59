//! One instance as the status document shows it.

use std::collections::BTreeMap;

use crate::control::event::text;
use crate::control::status::{
    Hold, InstanceStatus, MasterStatus, ObjectStatus, RouterStatus, TimerStatus, TrackerStatus,
};
use crate::netlink::cache::Cache;
use crate::units::{Centiseconds, Instant};
use crate::vrrp::settings::{Object, Preempt};
use crate::vrrp::timers::Timer;
use crate::vrrp::validation::Reject;
use crate::vrrp::{Engine, Heard, InstanceId, ObjectId, RouterId, TrackerState};

use super::events::Translator;
use super::instance_warnings::{Warnings, rival};

/// Everything about one instance; `None` when there is no such.
/// `flags` says what the kernel says of an object.
pub fn instance(
    engine: &Engine,
    links: &Cache,
    id: InstanceId,
    warnings: Option<&Warnings>,
    flags: impl Fn(ObjectId) -> Vec<String>,
    now: Instant,
) -> Option<InstanceStatus> {
    let settings = engine.settings(id)?;
    let (since, cause) = engine.since(id)?;
    let names = Translator { engine, links };
    let routers: Vec<RouterStatus> =
        engine.routers(id).filter_map(|r| router(engine, r, now)).collect();
    let objects: Vec<ObjectStatus> = engine
        .objects(id)
        .map(|(id, object)| object_status(engine, id, object, &settings.interface, flags(id)))
        .collect();
    let transitions = routers.iter().map(|r| r.become_master + r.release_master).max();
    Some(InstanceStatus {
        name: settings.name.to_string(),
        interface: settings.interface.to_string(),
        virtual_router_id: settings.vrid.get(),
        version: settings.version.number(),
        state: engine.state(id)?,
        state_age: age(since, now),
        cause: text::cause(&names.cause(id, &cause)),
        fault: engine.fault(id).map(|reason| text::fault(&names.fault(id, reason))),
        group: engine.group_of(id).map(str::to_owned),
        base_priority: settings.priority.0,
        effective_priority: engine.effective_priority(id)?.0,
        advertisement_interval: interval(settings.interval),
        preempt: match settings.preempt {
            Preempt::Off => "off",
            Preempt::On => "on",
            Preempt::Immediate => "immediate",
        }
        .to_owned(),
        handing_over: engine.handing_over(id),
        hold: engine.held(id).map(|until| Hold { ends_in: until.map(|at| from_now(at, now)) }),
        transitions: transitions.unwrap_or(0),
        routers,
        objects,
        trackers: engine
            .tracked(id)
            .map(|tracked| TrackerStatus {
                name: tracked.name.to_owned(),
                kind: if tracked.interface { "interface" } else { "named" }.to_owned(),
                up: match tracked.state {
                    TrackerState::Unknown => None,
                    TrackerState::Up => Some(true),
                    TrackerState::Down => Some(false),
                },
                weight: tracked.weight,
                reverse: tracked.reverse,
            })
            .collect(),
        timers: timers(engine, id, now),
        warnings: warnings.into_iter().flat_map(|w| w.list(engine, &settings.name, now)).collect(),
    })
}

fn router(engine: &Engine, id: RouterId, now: Instant) -> Option<RouterStatus> {
    let statistics = engine.statistics(id)?;
    let rejected = statistics.rejected.iter().filter(|&(reason, count)| {
        // What comes before the start or in fault is not the sender's fault.
        count > 0 && reason != Reject::NotRunning
    });
    let mut labelled = BTreeMap::new();
    labelled.extend(rejected.map(|(reason, count)| (reason.label().to_owned(), count)));
    Some(RouterStatus {
        family: id.family.to_string(),
        source: engine.source(id),
        master: engine.master(id).map(|heard| master(&heard, now)),
        rival: rival(engine, id).map(|heard| master(&heard, now)),
        adverts_sent: statistics.adverts_sent,
        last_sent_age: engine.last_advert(id.instance).map(|at| age(at, now)),
        adverts_received: statistics.adverts_received,
        last_received_age: statistics.last_received.map(|heard| age(heard.at, now)),
        last_received_from: statistics.last_received.map(|heard| heard.address),
        priority_zero_sent: statistics.priority_zero_sent,
        priority_zero_received: statistics.priority_zero_received,
        announcements_sent: statistics.announcements_sent,
        become_master: statistics.become_master,
        release_master: statistics.release_master,
        lower_priority_received: statistics.lower_priority_received,
        address_list_errors: statistics.address_list_errors,
        interval_differs: statistics.interval_differs,
        rejected: labelled,
    })
}

fn master(heard: &Heard, now: Instant) -> MasterStatus {
    MasterStatus {
        address: heard.address,
        priority: heard.priority.0,
        advertisement_interval: interval(heard.interval),
        addresses_differ: heard.addresses_differ,
        heard_age: age(heard.at, now),
    }
}

fn object_status(
    engine: &Engine,
    id: ObjectId,
    object: &Object,
    own: &str,
    flags: Vec<String>,
) -> ObjectStatus {
    let (kind, interface) = match object {
        Object::Filter => ("filter", None),
        Object::Address(address) => ("address", Some(address.interface.as_deref())),
        Object::Excluded(address) => ("excluded", Some(address.interface.as_deref())),
        Object::Route(_) => ("route", None),
        Object::Rule(_) => ("rule", None),
    };
    ObjectStatus {
        kind: kind.to_owned(),
        what: text::object(object),
        interface: interface.map(|other| other.unwrap_or(own).to_owned()),
        wanted: engine.object_wanted(id),
        present: engine.object_present(id) && !engine.object_duplicate(id),
        flags,
    }
}

fn timers(engine: &Engine, id: InstanceId, now: Instant) -> Vec<TimerStatus> {
    let running =
        Timer::ALL.into_iter().filter_map(|timer| Some((timer, engine.timer(id, timer)?)));
    running
        .map(|(timer, at)| TimerStatus {
            name: match timer {
                Timer::Advert(family) => format!("next {family} advert"),
                Timer::Down(family) => format!("{family} master down"),
                Timer::Owner(family) => format!("wait for another {family} owner"),
                Timer::SecondBurst => "second announcements".to_owned(),
                Timer::Refresh => "next announcement refresh".to_owned(),
                Timer::LowerBurst => "announcements after a lower master".to_owned(),
                Timer::HandOver => "hand-over".to_owned(),
                Timer::HoldEnd => "end of the hold".to_owned(),
                Timer::Retry => "next try at the kernel".to_owned(),
                Timer::Probe => "next probe for another holder".to_owned(),
            },
            due_in: from_now(at, now),
        })
        .collect()
}

fn interval(interval: Centiseconds) -> f64 {
    f64::from(interval.0) / 100.0
}

fn age(at: Instant, now: Instant) -> f64 {
    now.since(at).as_secs_f64()
}

fn from_now(at: Instant, now: Instant) -> f64 {
    at.since(now).as_secs_f64()
}
