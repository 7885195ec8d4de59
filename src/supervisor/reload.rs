//! A new configuration for a running daemon: read, compare, send. A bad one changes nothing.

use std::time::Duration;

use smol::channel::Receiver;
use smol::future::yield_now;

use super::configuration::{self, Accepted};
use super::daemon::Daemon;
use super::in_effect::Current;
use super::role::Taken;
use super::scheduling;
use super::supervised::Supervised;
use super::timeouts::within;
use crate::config::diff::Diff;
use crate::control::answer::{Kind as No, Refusal};
use crate::control::child_messages::ToChild;
use crate::control::event::daemon::ConfigurationFault;
use crate::control::event::{DaemonEvent, What};
use crate::system::clock;

/// How long a child may take to apply a configuration.
const APPLY_TIMEOUT: Duration = Duration::from_secs(10);

/// Reads the configuration again: what changed, one line each.
///
/// # Errors
/// Why it was refused, with all diagnostics; or that a child does not answer.
pub async fn reload(daemon: &Daemon) -> Result<String, Refusal> {
    let _one_at_a_time = daemon.configuration.reloading.lock().await;
    // Whoever asks from now on may have changed the file after it is read.
    daemon.configuration.reload_asked.set(false);
    let _reloading = daemon.sd_notify.reloading(&daemon.log);
    let tell = |event| daemon.log.tell(What::Daemon(event));
    let file = daemon.configuration.file_name();
    let accepted = match configuration::load(&daemon.configuration.file, false) {
        Ok(accepted) => accepted,
        Err(refusal) => {
            let brief = refusal.brief();
            let why = ConfigurationFault::Errors(counted(brief.len()));
            tell(DaemonEvent::ConfigurationRefused { file, why });
            for line in &brief {
                tell(DaemonEvent::ConfigurationError(line.as_str().into()));
            }
            *daemon.configuration.refused.borrow_mut() = Some((clock::now(), brief.join("\n")));
            return Err(Refusal::new(No::Configuration, refusal.shown));
        }
    };
    *daemon.configuration.refused.borrow_mut() = None;
    for warning in &accepted.warnings {
        tell(DaemonEvent::ConfigurationWarning(warning.as_str().into()));
    }
    let changes = Diff::between(&daemon.configuration.model(), &accepted.model);
    if changes.is_empty() {
        let same = DaemonEvent::ConfigurationSame { file };
        let text = same.text();
        tell(same);
        return Ok(text);
    }
    let claimed = daemon.claims.borrow_mut().add(&accepted.model);
    if let Err(Taken { what, help }) = claimed {
        let why = ConfigurationFault::Conflict(what.as_str().into());
        tell(DaemonEvent::ConfigurationRefused { file, why });
        *daemon.configuration.refused.borrow_mut() = Some((clock::now(), what.clone()));
        let text = format!("{what}\n  = help: {help}");
        return Err(Refusal::new(No::Configuration, text));
    }
    daemon.claims.borrow_mut().give_back(&accepted.model);
    let changes = changes.to_string();
    let say = || {
        let count = counted(changes.lines().count());
        tell(DaemonEvent::ConfigurationLoaded { file, changes: count });
        for line in changes.lines() {
            tell(DaemonEvent::ConfigurationChange(line.into()));
        }
    };
    put_in_effect(daemon, accepted, say).await?;
    Ok(changes)
}

fn counted(lines: usize) -> u32 {
    u32::try_from(lines).unwrap_or(u32::MAX)
}

/// Takes a configuration over, and waits until all children have it. `say` tells of it, before they
/// can.
async fn put_in_effect(
    daemon: &Daemon,
    accepted: Accepted,
    say: impl FnOnce(),
) -> Result<(), String> {
    let generation = daemon.configuration.generation().wrapping_add(1);
    let current = Current { model: accepted.model, generation, since: clock::now() };
    let mut told = Vec::new();
    for child in &daemon.children {
        told.push((child, tell(child, &current).map_err(|error| error.to_string())?));
    }
    // Everything else can wait until they have it, also giving back what was before.
    let before = daemon.configuration.replace(current);
    say();
    yield_now().await;
    daemon.set_socket_group();
    daemon.watchdog.look();
    drop(before);
    let mut troubles = Vec::new();
    for (child, told) in told {
        child.reloaded.notify();
        let name = child.role.name;
        match told {
            Told::Nothing => {}
            Told::NotRunning => troubles.push(format!(
                "the {name} process is not running; it starts with the new configuration"
            )),
            Told::Busy => troubles.push(not_taken(name)),
            Told::Asked(applied) => match within(APPLY_TIMEOUT, applied.recv()).await {
                Some(Ok(())) => {
                    if let (Some(link), Some(pid)) = (child.link(), child.pid()) {
                        scheduling::settle(child, &link, pid).await;
                    }
                }
                Some(Err(_)) => troubles.push(format!(
                    "the {name} process has ended; it starts again with the new configuration"
                )),
                None => troubles.push(not_taken(name)),
            },
        }
    }
    if troubles.is_empty() { Ok(()) } else { Err(troubles.join("\n")) }
}

fn not_taken(name: &str) -> String {
    format!(
        "the new configuration is good, but the {name} process has not taken it within {} s; see \
         steadfast status",
        APPLY_TIMEOUT.as_secs()
    )
}

/// What a child was told of a new configuration.
enum Told {
    /// The child is not needed, or ends since it is not needed any more.
    Nothing,
    /// There is no child.
    NotRunning,
    /// It takes no more messages.
    Busy,
    /// To take it; the receiver hears when it has.
    Asked(Receiver<()>),
}

/// Tells a child of a configuration: what changes, if it has the one before.
fn tell(child: &Supervised, current: &Current) -> Result<Told, postcard::Error> {
    let is_needed = (child.role.is_needed)(&current.model);
    let Some(link) = child.link() else {
        return Ok(if is_needed && child.is_needed() { Told::NotRunning } else { Told::Nothing });
    };
    if !is_needed {
        // One that does not read is found by its loop.
        child.say(ToChild::Stop);
        return Ok(Told::Nothing);
    }
    let before = child.context.configuration.current();
    let base = Some(&*before).filter(|before| link.follows(before.generation));
    let body = (child.role.part)(base.map(|base| &base.model), &current.model)?;
    let told = link.configure(current.generation, base.map(|base| base.generation), body);
    Ok(told.map_or(Told::Busy, Told::Asked))
}
