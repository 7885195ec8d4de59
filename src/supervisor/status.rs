//! The status document: the daemon's part, and what its processes say.

use std::rc::Rc;

use super::child_link::Report;
use super::daemon::Daemon;
use super::supervised::Supervised;
use super::{log, memory_usage};
use crate::control::event::{Kind, Level};
use crate::control::humanize::{decimals, plural};
use crate::control::status::{
    Configuration, Daemon as DaemonStatus, Document, ProcessStatus, Refused, SCHEMA, Seconds,
    Upgraded, Verdict, VerdictLevel, Warning, WarningKind,
};
use crate::control::value::ToValue;
use crate::system::clock;
use crate::units::Instant;

/// The document as of now, with or without the memory of the processes.
pub async fn document(daemon: &Daemon, memory: bool) -> Document {
    let asked: Vec<_> =
        daemon.needed().map(|child| (Rc::clone(child), child.broker.ask())).collect();
    let mut children = Vec::new();
    for (child, report) in asked {
        children.push((child, report.wait().await));
    }
    let now = clock::now();
    let processes = children.iter().map(|(child, report)| {
        let mut status = process(child, report.as_deref(), now);
        let pid = status.pid.filter(|_| memory);
        let heap = report.as_ref().and_then(|report| report.heap);
        status.memory = pid.map(|pid| memory_usage::of(pid, heap));
        status
    });
    let processes = processes.collect();
    // Where no process has instances, it is known that there are none.
    let instances = match children.into_iter().find(|(child, _)| child.role.has_instances) {
        Some((_, report)) => report.map(|report| report.instances.clone()),
        None => Some(Vec::new()),
    };
    let mut document = Document {
        schema: SCHEMA,
        time: clock::wall().as_secs_f64(),
        verdict: Verdict { level: VerdictLevel::Ok, text: String::new() },
        daemon: DaemonStatus {
            memory: memory.then(memory_usage::own),
            processes,
            ..daemon_status(daemon, now)
        },
        instances,
        transitions: daemon.log.transitions().iter().map(|event| log::shown(event)).collect(),
        warnings: warnings(daemon, now),
    };
    document.conclude();
    document
}

fn age(since: Instant, now: Instant) -> Seconds {
    now.since(since).as_secs_f64()
}

/// What is known of a process without its memory, and what it says.
fn process(child: &Supervised, report: Option<&Report>, now: Instant) -> ProcessStatus {
    let shared = child.began().and_then(|_| child.shared());
    child.history(|history| ProcessStatus {
        name: child.role.name.to_owned(),
        pid: child.pid().map(|pid| pid.as_raw().cast_unsigned()),
        uptime: child.began().map(|began| age(began, now)),
        loop_late_max: shared.map(|shared| shared.worst_late().as_secs_f64()),
        restarts: history.restarts,
        crash: history.crash.as_ref().map(|crash| crash.status(now)),
        starts_in: child.starts_at().map(|at| at.since(now).as_secs_f64()),
        report: report.map(|report| report.process.clone()),
        memory: None,
    })
}

fn daemon_status(daemon: &Daemon, now: Instant) -> DaemonStatus {
    let current = daemon.configuration.current();
    let router_id = match &current.model.global.router_id {
        Some(id) => id.to_string(),
        None => host_name(),
    };
    let refused = daemon.configuration.refused.borrow();
    DaemonStatus {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        router_id,
        pid: std::process::id(),
        uptime: age(daemon.started, now),
        upgraded: daemon
            .upgraded
            .as_ref()
            .map(|(from, at)| Upgraded { age: age(*at, now), from: from.clone() }),
        state_dir: daemon.dir.path().display().to_string(),
        configuration: Configuration {
            file: daemon.configuration.file.display().to_string(),
            generation: current.generation,
            loaded_age: age(current.since, now),
            refused: refused
                .as_ref()
                .map(|(at, reason)| Refused { age: age(*at, now), reason: reason.clone() }),
        },
        log_level: daemon.log.level(),
        records_lost: daemon.log.lost(),
        memory: None,
        processes: Vec::new(),
    }
}

fn host_name() -> String {
    std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default().trim_end().to_owned()
}

/// What is wrong with the daemon itself.
fn warnings(daemon: &Daemon, now: Instant) -> Vec<Warning> {
    let warning = |kind, text: String, last_age| Warning {
        kind,
        instance: None,
        process: None,
        text,
        from: None,
        count: 1,
        last_age,
        ended_age: None,
    };
    let uptime = age(daemon.started, now);
    let not_written: Vec<String> =
        daemon.children.iter().filter_map(|child| child.holdings.loss()).collect();
    let mut warnings: Vec<Warning> = daemon
        .dir
        .losses()
        .iter()
        .chain(daemon.group_refused.borrow().iter())
        .chain(not_written.iter())
        .chain(daemon.watchdog.loss().iter())
        .map(|loss| warning(WarningKind::Storage, loss.clone(), uptime))
        .collect();
    for child in &daemon.children {
        let process = Some(child.role.name.to_owned());
        let troubles = child.scheduling.borrow().troubles(now);
        warnings.extend(troubles.into_iter().map(|trouble| Warning {
            process: process.clone(),
            count: u64::from(trouble.count),
            ended_age: (!trouble.lasts).then(|| age(trouble.at, now)),
            ..warning(WarningKind::Process, trouble.text, age(trouble.at, now))
        }));
        if let Some(silent) = child.link().and_then(|link| link.silent()) {
            let (name, silent) = (child.role.name, decimals(silent.as_secs_f64(), 1));
            let text = format!("the {name} process has not answered for {silent} s");
            warnings.push(Warning { process, ..warning(WarningKind::Process, text, 0.0) });
        }
    }
    warnings
}

/// Writes the document to a file in the state directory.
pub async fn dump(daemon: Rc<Daemon>) {
    let document = document(&daemon, true).await;
    let text = document.to_value().to_pretty_json();
    let written = daemon.dir.write(super::state_dir::DUMP, text.as_bytes());
    let (level, text) = match written {
        Ok(path) => (Level::Notice, format!("status written to {}", path.display())),
        Err(error) => {
            let path = daemon.dir.path().display();
            (Level::Warning, format!("the status cannot be written to {path}: {error}"))
        }
    };
    daemon.note(level, text);
}

/// Logs a line for each instance.
pub async fn statistics(daemon: Rc<Daemon>) {
    let Some(child) = daemon.of_instances() else { return };
    let Some(report) = child.broker.ask().wait().await else {
        daemon.note(Level::Error, "no statistics: the process does not answer");
        return;
    };
    for instance in &report.instances {
        let mut text = format!(
            "{}: {} for {} s, priority {}, {}",
            instance.name,
            instance.state,
            decimals(instance.state_age, 0),
            instance.effective_priority,
            plural(instance.transitions, "transition"),
        );
        for router in &instance.routers {
            let rejected: u64 = router.rejected.values().map(|count| u64::from(*count)).sum();
            text.push_str(&format!(
                "; {}: {} sent, {} received, {} rejected, {}",
                router.family,
                plural(router.adverts_sent, "advert"),
                router.adverts_received,
                rejected,
                plural(router.announcements_sent, "announcement"),
            ));
        }
        daemon.log.note(Level::Notice, Kind::Process, text);
    }
}
