//! The status document: the daemon's part, and what the vrrp process says.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use smol::channel::{Receiver, Sender, bounded};

use super::child_link::Report;
use super::daemon::Daemon;
use super::memory_usage;
use super::timeouts::within;
use crate::control::humanize::plural;
use crate::control::record::Kind;
use crate::control::status::{
    Configuration, Daemon as DaemonStatus, Document, Refused, SCHEMA, Seconds, Upgraded, Verdict,
    VerdictLevel, Warning, WarningKind,
};
use crate::system::clock;
use crate::units::Instant;

/// How long a status waits for the vrrp process.
const LIMIT: Duration = Duration::from_secs(2);

/// Where all who want to know the status at the same time share one question.
#[derive(Debug)]
pub struct StatusBroker {
    waiting: RefCell<Vec<Sender<Rc<Report>>>>,
    bell: Sender<()>,
    rung: Receiver<()>,
}

impl StatusBroker {
    /// Without anybody.
    pub fn new() -> Self {
        let (bell, rung) = bounded(1);
        Self { waiting: RefCell::default(), bell, rung }
    }
}

/// Asks the vrrp process whenever somebody wants to know: whoever comes while a question is on its
/// way gets the answer to the next one, never an older one.
pub async fn ask(daemon: Rc<Daemon>) {
    while daemon.desk.rung.recv().await.is_ok() {
        let waiting = daemon.desk.waiting.take();
        let report = within(LIMIT, async {
            let link = daemon.link()?;
            link.ask_status().ok()?.wait().await
        });
        if let Some(report) = report.await.flatten().map(Rc::new) {
            for to in waiting {
                // Whoever has stopped waiting does not hear it.
                let _ = to.try_send(Rc::clone(&report));
            }
        }
    }
}

/// What the vrrp process says now; `None` when it does not answer in time.
async fn report(daemon: &Daemon) -> Option<Rc<Report>> {
    let (to, answer) = bounded(1);
    daemon.desk.waiting.borrow_mut().push(to);
    // A bell that was not heard yet will be heard for both.
    let _ = daemon.desk.bell.try_send(());
    within(LIMIT, answer.recv()).await?.ok()
}

/// The document as of now, with or without the memory of the processes.
pub async fn document(daemon: &Daemon, memory: bool) -> Document {
    let report = report(daemon).await;
    let now = clock::now();
    let mut document = Document {
        schema: SCHEMA,
        time: clock::wall().as_secs_f64(),
        verdict: Verdict { level: VerdictLevel::Ok, text: String::new() },
        daemon: DaemonStatus {
            memory: memory.then(|| memory_usage::of_processes(daemon, report.as_deref())),
            ..daemon_status(daemon, report.as_deref(), now)
        },
        instances: report.map(|report| report.instances.clone()),
        transitions: daemon.log.transitions(),
        warnings: warnings(daemon, now),
    };
    document.conclude();
    document
}

fn age(since: Instant, now: Instant) -> Seconds {
    now.since(since).as_secs_f64()
}

fn daemon_status(daemon: &Daemon, report: Option<&Report>, now: Instant) -> DaemonStatus {
    let current = daemon.current.borrow();
    let router_id = match &current.model.global.router_id {
        Some(id) => id.to_string(),
        None => host_name(),
    };
    let refused = daemon.refused.borrow();
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
            file: daemon.file.display().to_string(),
            generation: current.generation,
            loaded_age: age(current.since, now),
            refused: refused
                .as_ref()
                .map(|(at, reason)| Refused { age: age(*at, now), reason: reason.clone() }),
        },
        log_level: daemon.log.level(),
        records_lost: daemon.log.lost(),
        vrrp: report.map(|report| report.process.clone()),
        vrrp_restarts: daemon.vrrp.borrow().restarts,
        vrrp_crash: daemon.vrrp.borrow().crash.as_ref().map(|crash| crash.status(now)),
        vrrp_starts_in: daemon.vrrp.borrow().starts_at.map(|at| at.since(now).as_secs_f64()),
        memory: None,
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
        text,
        from: None,
        count: 1,
        last_age,
        ended_age: None,
    };
    let uptime = age(daemon.started, now);
    let mut warnings: Vec<Warning> = daemon
        .dir
        .losses()
        .iter()
        .chain(daemon.group_refused.borrow().iter())
        .chain(daemon.not_written.borrow().iter())
        .chain(daemon.hardware.loss().iter())
        .map(|loss| warning(WarningKind::Storage, loss.clone(), uptime))
        .collect();
    warnings.extend(daemon.scheduling.borrow().troubles(now).into_iter().map(|trouble| Warning {
        count: u64::from(trouble.count),
        ended_age: (!trouble.lasts).then(|| age(trouble.at, now)),
        ..warning(WarningKind::Process, trouble.text, age(trouble.at, now))
    }));
    let vrrp = daemon.vrrp.borrow();
    if let Some(silent) = vrrp.link.as_ref().and_then(|link| link.silent(false)) {
        let silent = silent.as_secs_f64();
        let text = format!("the vrrp process has not answered for {silent:.1} s");
        warnings.push(warning(WarningKind::Process, text, 0.0));
    }
    warnings
}

/// Writes the document to a file in the state directory.
pub async fn dump(daemon: Rc<Daemon>) {
    let document = document(&daemon, true).await;
    let written = serde_json::to_vec_pretty(&document)
        .map_err(std::io::Error::from)
        .and_then(|text| daemon.dir.write(super::state_dir::DUMP, &text));
    let (level, text) = match written {
        Ok(path) => (super::Level::Notice, format!("status written to {}", path.display())),
        Err(error) => {
            let path = daemon.dir.path().display();
            (super::Level::Warning, format!("the status cannot be written to {path}: {error}"))
        }
    };
    daemon.note(level, text);
}

/// Logs a line for each instance.
pub async fn statistics(daemon: Rc<Daemon>) {
    let Some(report) = report(&daemon).await else {
        daemon.note(super::Level::Error, "no statistics: the vrrp process does not answer");
        return;
    };
    for instance in &report.instances {
        let mut text = format!(
            "{}: {} for {:.0} s, priority {}, {}",
            instance.name,
            instance.state,
            instance.state_age,
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
        daemon.log.note(super::Level::Notice, Kind::Process, text);
    }
}
