//! What is wrong, as one list: what the processes reported, and what follows from the document.

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::humanize::{length, plural, some};
use super::status::{
    Document, InstanceStatus, MasterStatus, ObjectStatus, ProcessStatus, Refused, RouterStatus,
    Seconds, State, TrackerStatus, Warning, WarningKind,
};

/// What has ended is listed for so long.
const PAST_WARNING_TIME: Seconds = 300.0;
/// A process that was started again is not trusted before it has run for so long.
const PROBATION_TIME: Seconds = 60.0;

/// All warnings of a document: first what is true now, most severe first, then what was. The same
/// when it holds them already.
pub fn warnings(document: &Document) -> Vec<Warning> {
    let instances = document.instances.iter().flatten();
    let reported = document.warnings.iter().chain(instances.flat_map(|i| &i.warnings));
    let mut all: Vec<Warning> = Vec::new();
    let mut texts = BTreeSet::new();
    let mut known = BTreeSet::new();
    // Warnings that a process reports have a count and a time, so they come first.
    for warning in reported.cloned().map(named) {
        let key = key(&warning);
        if texts.insert((key.clone(), warning.text.clone())) {
            known.insert(key);
            all.push(warning);
        }
    }
    all.extend(derived(document).into_iter().filter(|warning| !known.contains(&key(warning))));
    // Beside whatever else is said about the processes.
    let crashed = document.daemon.processes.iter().filter_map(crashed);
    all.extend(crashed.filter(|crash| !texts.contains(&(key(crash), crash.text.clone()))));
    all.retain(|warning| warning.ended_age.is_none_or(|age| age < PAST_WARNING_TIME));
    all.sort_by_key(|warning| (warning.ended_age.is_some(), warning.kind));
    all
}

/// What tells one warning from another: what has ended may begin again.
fn key(warning: &Warning) -> (WarningKind, Option<String>, Option<IpAddr>, bool) {
    let about = warning.instance.as_ref().or(warning.process.as_ref()).cloned();
    (warning.kind, about, warning.from, warning.ended_age.is_some())
}

/// The text names the instance.
fn named(mut warning: Warning) -> Warning {
    if let Some(name) = warning.instance.as_ref().filter(|name| !warning.text.starts_with(*name)) {
        warning.text = format!("{name}: {}", warning.text);
    }
    warning
}

/// What follows from the document itself.
fn derived(document: &Document) -> Vec<Warning> {
    let mut found = of_the_daemon(document);
    for instance in document.instances.iter().flatten() {
        found.extend(of_an_instance(instance));
    }
    found
}

fn standing(kind: WarningKind, instance: Option<&InstanceStatus>, text: String) -> Warning {
    let instance = instance.map(|instance| instance.name.clone());
    let (process, from, ended_age) = (None, None, None);
    Warning { kind, instance, process, text, from, count: 1, last_age: 0.0, ended_age }
}

fn of_a_process(process: &ProcessStatus, text: String) -> Warning {
    let process = Some(process.name.clone());
    Warning { process, ..standing(WarningKind::Process, None, text) }
}

fn of_the_daemon(document: &Document) -> Vec<Warning> {
    let mut found = Vec::new();
    let daemon = &document.daemon;
    for process in daemon.processes.iter().filter(|process| process.report.is_none()) {
        let text = format!("the {} process does not answer: see the log", process.name);
        found.push(of_a_process(process, text));
    }
    if document.instances.as_ref().is_some_and(Vec::is_empty) {
        let file = &daemon.configuration.file;
        let text = format!("{file} has no instance: no address is kept alive");
        found.push(standing(WarningKind::Empty, None, text));
    }
    if let Some(refused) = &daemon.configuration.refused {
        let text = format!(
            "the last reload was refused: {}; the former configuration stays, \
             but a restart would not find it",
            first_line(refused)
        );
        found.push(standing(WarningKind::ReloadRefused, None, text));
    }
    let reports = daemon.processes.iter().filter_map(|process| process.report.as_ref());
    let lost = daemon.records_lost + reports.map(|report| report.records_lost).sum::<u64>();
    if lost > 0 {
        let text = format!("{} missing in the log: it was too slow", plural(lost, "record"));
        // When is not known: some time since the start.
        let last_age = daemon.uptime;
        let warning = standing(WarningKind::RecordsLost, None, text);
        found.push(Warning { count: lost, last_age, ..warning });
    }
    found
}

/// How a process ended, when nobody had asked it to.
fn crashed(process: &ProcessStatus) -> Option<Warning> {
    let crash = process.crash.as_ref()?;
    let state = match (crash.handed_over, process.starts_in) {
        (false, None) => "started again",
        (false, Some(_)) => "not running",
        (true, None) => "it hands over and stays backup: see the log",
        (true, Some(_)) => "it is not running: see the log",
    };
    let text = match crash.in_a_minute {
        0 | 1 => format!("{}; {state}", crash.end),
        times => format!(
            "the {} process crashed {times} times within a minute, at last {}; {state}",
            process.name, crash.end
        ),
    };
    let (count, last_age) = (u64::from(process.restarts).max(1), crash.age);
    let ended_age =
        Some(last_age).filter(|age| *age >= PROBATION_TIME && process.starts_in.is_none());
    Some(Warning { count, last_age, ended_age, ..of_a_process(process, text) })
}

/// The first line of the diagnostics.
pub(super) fn first_line(refused: &Refused) -> &str {
    refused.reason.lines().next().unwrap_or_default()
}

fn of_an_instance(instance: &InstanceStatus) -> Vec<Warning> {
    let mut found = Vec::new();
    let name = &instance.name;
    let mut add = |kind, text| found.push(standing(kind, Some(instance), text));
    match instance.state {
        State::Fault | State::Initialize => {
            let (state, reason) = (instance.state, out_of_service(instance));
            add(WarningKind::Fault, format!("{name}: {state}: {reason}"));
        }
        State::Master => {}
        State::Backup => {
            for router in instance.routers.iter().filter(|router| masterless(instance, router)) {
                let family = family(instance, router);
                let heard = silence(instance, router);
                let text = format!("{name}{family}: no router is master: {heard}");
                add(WarningKind::NoMaster, text);
            }
        }
    }
    if instance.hold.is_some() {
        add(WarningKind::Held, format!("{name}: {}", held(instance)));
    } else if instance.effective_priority < instance.base_priority && !yields(instance) {
        add(WarningKind::PriorityLowered, format!("{name}: {}", lowered(instance)));
    }
    for object in missing(instance).filter(|object| is_duplicate(object)) {
        let on = object.interface.as_deref().unwrap_or("?");
        let text = format!(
            "{name}: {} failed duplicate address detection: another host on {on} uses it; remove it \
             there",
            object.what
        );
        add(WarningKind::AddressMissing, text);
    }
    let missing: Vec<_> = missing(instance).filter(|object| !is_duplicate(object)).collect();
    if !missing.is_empty() {
        let what = some(missing.iter().map(|object| object.what.as_str()));
        add(WarningKind::AddressMissing, format!("{name}: the kernel does not hold {what}"));
    }
    let left: Vec<&ObjectStatus> = left_behind(instance).collect();
    if !left.is_empty() {
        let what = some(left.iter().map(|object| object.what.as_str()));
        let state = instance.state;
        let text = format!("{name}: the kernel still holds {what}, though {name} is {state}");
        add(WarningKind::LeftBehind, text);
    }
    for (router, rival) in rivals(instance) {
        let family = family(instance, router);
        let why = if discards(instance, rival) {
            format!(
                "{} discards our adverts since its list differs (keepalived before 2.3.3 does): \
                 give both the same list (virtual_addresses)",
                rival.address
            )
        } else {
            "look for what keeps our adverts from it: a filter, a switch, another VLAN".to_owned()
        };
        let text = format!("{name}{family}: {}; {why}", too(instance, rival));
        found.push(Warning {
            from: Some(rival.address),
            last_age: rival.heard_age,
            ..standing(WarningKind::SplitBrain, Some(instance), text)
        });
    }
    for (router, rival) in former_rivals(instance) {
        let family = family(instance, router);
        let text = format!(
            "{name}{family}: {} was MASTER too (priority {})",
            rival.address, rival.priority
        );
        found.push(Warning {
            from: Some(rival.address),
            last_age: rival.heard_age,
            ended_age: Some(rival.heard_age),
            ..standing(WarningKind::SplitBrain, Some(instance), text)
        });
    }
    found
}

/// "192.168.1.3 is MASTER too ...".
pub(super) fn too(instance: &InstanceStatus, rival: &MasterStatus) -> String {
    format!(
        "{} is MASTER too (priority {}, ours {}), heard {} ago",
        rival.address,
        rival.priority,
        instance.effective_priority,
        length(rival.heard_age)
    )
}

/// Whether another master hears our adverts, as far as can be told, and discards them: its address
/// list is not ours, and it should give way to us (`vrrp:V-40`).
pub(super) const fn discards(instance: &InstanceStatus, rival: &MasterStatus) -> bool {
    rival.addresses_differ && rival.priority <= instance.effective_priority
}

/// Why an instance does not take part.
pub(super) fn out_of_service(instance: &InstanceStatus) -> &str {
    instance.fault.as_deref().unwrap_or(&instance.cause)
}

/// " (IPv4)" where there are two families.
fn family(instance: &InstanceStatus, router: &RouterStatus) -> String {
    if instance.routers.len() > 1 { format!(" ({})", router.family) } else { String::new() }
}

/// Routers that are master of the same addresses now: heard within their Master_Down_Interval
/// (`vrrp:T-2`), while we are master and not giving up. VRRP shows no more than that: a master
/// cannot hear a backup.
pub(super) fn rivals(
    instance: &InstanceStatus,
) -> impl Iterator<Item = (&RouterStatus, &MasterStatus)> {
    other_masters(instance).filter(|(_, rival)| rival.heard_age <= down_time(rival))
}

/// Routers that were master of the same addresses since we are.
fn former_rivals(
    instance: &InstanceStatus,
) -> impl Iterator<Item = (&RouterStatus, &MasterStatus)> {
    other_masters(instance).filter(|(_, rival)| rival.heard_age > down_time(rival))
}

fn other_masters(
    instance: &InstanceStatus,
) -> impl Iterator<Item = (&RouterStatus, &MasterStatus)> {
    let master = instance.state == State::Master && !instance.handing_over;
    let routers = instance.routers.iter().filter(move |_| master);
    routers
        .filter_map(|router| Some((router, router.rival.as_ref()?)))
        .filter(|(_, rival)| rival.priority > 0 && rival.heard_age <= instance.state_age)
}

/// Three adverts and the skew time; a few milliseconds of lateness are allowed.
fn down_time(master: &MasterStatus) -> Seconds {
    let skew = f64::from(256 - u16::from(master.priority)) / 256.0;
    master.advertisement_interval * (3.0 + skew) + 0.005
}

/// How many intervals without an advert are too many for a backup: its own waiting time is less.
const NO_MASTER_MARGIN: Seconds = 4.0;

/// Whether a backup waits for a master longer than the protocol has it.
pub(super) fn masterless(instance: &InstanceStatus, router: &RouterStatus) -> bool {
    let (silence, interval) = match &router.master {
        Some(master) => (master.heard_age, master.advertisement_interval),
        None => (instance.state_age, instance.advertisement_interval),
    };
    silence > NO_MASTER_MARGIN * interval.max(instance.advertisement_interval)
}

fn silence(instance: &InstanceStatus, router: &RouterStatus) -> String {
    match &router.master {
        Some(master) => {
            format!("{} was last heard {} ago", master.address, length(master.heard_age))
        }
        None => format!("none was heard for {}", length(instance.state_age)),
    }
}

/// Addresses, routes and rules that should be there and are not.
pub(super) fn missing(instance: &InstanceStatus) -> impl Iterator<Item = &ObjectStatus> {
    instance.objects.iter().filter(|object| object.wanted && !object.present)
}

/// Another host has the address, so that the kernel does not use it.
pub(super) fn is_duplicate(object: &ObjectStatus) -> bool {
    object.flags.iter().any(|flag| flag == "duplicate")
}

/// Addresses, routes and rules that are there and should not be.
fn left_behind(instance: &InstanceStatus) -> impl Iterator<Item = &ObjectStatus> {
    instance.objects.iter().filter(|object| !object.wanted && object.present)
}

fn held(instance: &InstanceStatus) -> String {
    match instance.hold.as_ref().and_then(|hold| hold.ends_in) {
        Some(ends_in) => format!(
            "it is held as backup for {} more, or until \"steadfast release {}\"",
            length(ends_in),
            instance.name
        ),
        None => format!("it is held as backup until \"steadfast release {}\"", instance.name),
    }
}

/// Whether an owner made room for another one (`vrrp:S-32`), which has a warning of its own.
const fn yields(instance: &InstanceStatus) -> bool {
    instance.base_priority == 255 && instance.effective_priority == 254
}

/// What a tracker adds to the priority now (`vrrp:S-41` and the weights of section 6).
pub(super) fn points(tracker: &TrackerStatus) -> i16 {
    match tracker.up {
        Some(up) if (tracker.weight > 0) == up => {
            if tracker.reverse {
                tracker.weight.saturating_neg()
            } else {
                tracker.weight
            }
        }
        Some(_) | None => 0,
    }
}

fn lowered(instance: &InstanceStatus) -> String {
    let lowers = |tracker: &&TrackerStatus| points(tracker) < 0;
    let trackers: Vec<&str> =
        instance.trackers.iter().filter(lowers).map(|tracker| tracker.name.as_str()).collect();
    let (now, base) = (instance.effective_priority, instance.base_priority);
    if trackers.is_empty() {
        return format!("its priority is {now} instead of {base}");
    }
    format!("its priority is {now} instead of {base}, because of {}", some(trackers))
}
