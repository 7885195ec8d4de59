//! All about one instance.

use std::time::Duration;

use super::super::humanize::length;
use super::super::status::{InstanceStatus, ObjectStatus, RouterStatus, Seconds, TrackerStatus};
use super::super::warnings::{is_duplicate, points};
use super::text::{Page, Paint};
use super::{paint, priority};
use crate::config::values::show_duration;

/// Where the words behind a label begin.
const LABEL_COLUMNS: usize = 13;

/// One instance.
pub fn instance(instance: &InstanceStatus, page: &mut Page) {
    page.end();
    page.put(Paint::Strong, &instance.name);
    page.put(Paint::Plain, ": ");
    page.put(paint(instance.state), instance.state.name());
    page.put(Paint::Plain, &format!(" for {}", length(instance.state_age)));
    page.end();
    item(page, "because", &instance.cause);
    if let Some(fault) = instance.fault.as_ref().filter(|fault| !instance.cause.contains(*fault)) {
        item(page, "fault", fault);
    }
    if let Some(hold) = &instance.hold {
        let text = match hold.ends_in {
            Some(ends_in) => format!("as backup for {} more", length(ends_in)),
            None => format!("as backup until: steadfast release {}", instance.name),
        };
        item(page, "held", &text);
    }
    objects(&instance.objects, page);
    let changes = count(instance.transitions, "change");
    let (priority, preempt) = (priority(instance, " of "), &instance.preempt);
    let text = format!("{priority}, preempt {preempt}, {changes} to or from MASTER");
    item(page, "priority", &text);
    item(page, "protocol", &protocol(instance));
    for router in &instance.routers {
        for (index, line) in traffic(router).iter().enumerate() {
            item(page, if index == 0 { &router.family } else { "" }, line);
        }
    }
    let trackers: Vec<String> = instance.trackers.iter().map(tracker).collect();
    if !trackers.is_empty() {
        item(page, "trackers", &trackers.join(", "));
    }
    let timers = instance.timers.iter().map(|timer| (timer.name.as_str(), timer.due_in));
    let timers: Vec<String> =
        timers.map(|(name, due_in)| format!("{name} in {}", length(due_in))).collect();
    if !timers.is_empty() {
        item(page, "timers", &timers.join(", "));
    }
}

fn item(page: &mut Page, label: &str, text: &str) {
    page.item(Paint::Plain, &format!("  {label}"), LABEL_COLUMNS, text);
}

/// Addresses, routes and rules, each kind behind its label.
fn objects(objects: &[ObjectStatus], page: &mut Page) {
    for (label, kind) in
        [("addresses", "address"), ("excluded", "excluded"), ("routes", "route"), ("rules", "rule")]
    {
        for (index, object) in objects.iter().filter(|object| object.kind == kind).enumerate() {
            marked(if index == 0 { label } else { "" }, object, page);
        }
    }
}

fn protocol(instance: &InstanceStatus) -> String {
    let text = format!(
        "VRRP {}, VRID {} on {}, advert every {}",
        instance.version,
        instance.virtual_router_id,
        instance.interface,
        interval(instance.advertisement_interval)
    );
    match &instance.group {
        Some(group) => format!("{text}, group {group}"),
        None => text,
    }
}

/// As in the configuration.
fn interval(seconds: Seconds) -> String {
    Duration::try_from_secs_f64(seconds).map_or("?".to_owned(), show_duration)
}

fn count(count: u32, noun: &str) -> String {
    super::plural(count as usize, noun)
}

/// Who is heard, what is sent, and what was counted: a line for each.
fn traffic(router: &RouterStatus) -> Vec<String> {
    let ago = |age: Option<Seconds>| age.map(|age| format!(", the last {} ago", length(age)));
    let source = match router.source {
        Some(source) => format!("from {source}"),
        None => "no address to send from".to_owned(),
    };
    let sent = count(router.adverts_sent, "advert");
    let sent_ago = ago(router.last_sent_age).unwrap_or_default();
    let received = count(router.adverts_received, "advert");
    let mut received_ago = ago(router.last_received_age).unwrap_or_default();
    if let (Some(from), false) = (router.last_received_from, received_ago.is_empty()) {
        received_ago += &format!(" from {from}");
    }
    let mut lines = vec![
        format!("{source}: {sent} sent{sent_ago}"),
        format!("{received} received{received_ago}"),
    ];
    for (what, other) in [("master", &router.master), ("other master", &router.rival)] {
        if let Some(other) = other {
            lines.push(format!(
                "{what} {}: priority {}, advert every {}, heard {} ago",
                other.address,
                other.priority,
                interval(other.advertisement_interval),
                length(other.heard_age)
            ));
        }
    }
    lines.extend(Some(counters(router)).filter(|counters| !counters.is_empty()));
    lines
}

/// What was counted, as far as it happened.
fn counters(router: &RouterStatus) -> String {
    let named = [
        ("announcements", router.announcements_sent),
        ("became master", router.become_master),
        ("left master", router.release_master),
        ("priority 0 sent", router.priority_zero_sent),
        ("priority 0 received", router.priority_zero_received),
        ("lower priority heard", router.lower_priority_received),
        ("other address list", router.address_list_errors),
        ("other interval", router.interval_differs),
    ];
    let mut parts: Vec<String> = named
        .into_iter()
        .filter(|(_, count)| *count > 0)
        .map(|(name, count)| format!("{name} {count}"))
        .collect();
    let rejected = router.rejected.iter().map(|(reason, count)| format!("{reason} {count}"));
    let rejected: Vec<String> = rejected.collect();
    if !rejected.is_empty() {
        parts.push(format!("packets dropped: {}", rejected.join(", ")));
    }
    parts.join(", ")
}

fn tracker(tracker: &TrackerStatus) -> String {
    let state = match tracker.up {
        Some(true) => "up",
        Some(false) => "down",
        None => "no result yet",
    };
    let reverse = if tracker.reverse { " (reverse)" } else { "" };
    let points = match points(tracker) {
        0 => String::new(),
        points => format!(" ({points:+})"),
    };
    format!("{} {} {state}{reverse}{points}", tracker.kind, tracker.name)
}

/// One address, route or rule with its mark.
fn marked(label: &str, object: &ObjectStatus, page: &mut Page) {
    let (mark, paint, remark) = match (object.wanted, object.present) {
        (true, true) => ("*", Paint::Good, ""),
        (true, false) if is_duplicate(object) => ("!", Paint::Bad, ": another host uses it"),
        (true, false) => ("!", Paint::Bad, ": missing"),
        (false, true) => ("!", Paint::Bad, ": still there"),
        (false, false) => ("-", Paint::Plain, ""),
    };
    page.put(Paint::Plain, &format!("  {label:<11}"));
    page.put(paint, mark);
    let on = object.interface.as_ref().map(|name| format!(" on {name}")).unwrap_or_default();
    let flags = match object.flags.join(", ") {
        flags if flags.is_empty() => flags,
        flags => format!(" ({flags})"),
    };
    page.put(Paint::Plain, &format!(" {}{on}{flags}{remark}", object.what));
    page.end();
}

/// What the marks mean.
pub fn legend(instances: &[InstanceStatus], page: &mut Page) {
    if instances.iter().any(|instance| !instance.objects.is_empty()) {
        page.end();
        page.item(Paint::Plain, "", 0, "* the kernel holds it  - not wanted now  ! wrong");
    }
}
