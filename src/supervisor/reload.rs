//! A new configuration for a running daemon: read, compare, send. A bad one changes nothing.

use std::time::Duration;

use smol::channel::Receiver;
use smol::future::yield_now;

use super::child_link::{Busy, Link};
use super::claims::Taken;
use super::configuration::{self, Accepted};
use super::daemon::{Current, Daemon};
use super::scheduling;
use super::timeouts::within;
use crate::config::diff::Diff;
use crate::control::humanize::plural;
use crate::control::record::{Kind, Level};
use crate::system::clock;

/// How long the vrrp process may take to apply a configuration.
const LIMIT: Duration = Duration::from_secs(10);

/// Reads the configuration again: what changed, one line each.
///
/// # Errors
/// Why it was refused, with all diagnostics; or that the vrrp process does not answer.
pub async fn reload(daemon: &Daemon) -> Result<String, String> {
    let _one_at_a_time = daemon.reloading.lock().await;
    // Whoever asks from now on may have changed the file after it is read.
    daemon.reload_asked.set(false);
    let _reloading = daemon.service.reloading(&daemon.log);
    let note = |level, text: String| daemon.log.note(level, Kind::Configuration, text);
    let file = daemon.file.display();
    let accepted = match configuration::load(&daemon.file, false) {
        Ok(accepted) => accepted,
        Err(refusal) => {
            let brief = refusal.brief();
            let errors = plural(brief.len(), "error");
            let text =
                format!("{file} is refused ({errors}): the configuration before stays in effect");
            note(Level::Error, text);
            for line in &brief {
                note(Level::Error, line.clone());
            }
            *daemon.refused.borrow_mut() = Some((clock::now(), brief.join("\n")));
            return Err(refusal.shown);
        }
    };
    *daemon.refused.borrow_mut() = None;
    for warning in &accepted.warnings {
        note(Level::Warning, warning.clone());
    }
    let changes = Diff::between(&daemon.current.borrow().model, &accepted.model);
    if changes.is_empty() {
        let text = format!("{file} says the same as before, nothing changes");
        note(Level::Notice, text.clone());
        return Ok(text);
    }
    let claimed = daemon.claims.borrow_mut().add(&accepted.model);
    if let Err(Taken { what, help }) = claimed {
        note(Level::Error, format!("{file} is refused, the configuration before stays: {what}"));
        *daemon.refused.borrow_mut() = Some((clock::now(), what.clone()));
        return Err(format!("{what}\n  = help: {help}"));
    }
    daemon.claims.borrow_mut().give_back(&accepted.model);
    let changes = changes.to_string();
    let say = || {
        let count = plural(changes.lines().count(), "change");
        note(Level::Notice, format!("{file} is loaded again, with {count}"));
        for line in changes.lines() {
            note(Level::Notice, line.to_owned());
        }
    };
    put_in_effect(daemon, accepted, say).await?;
    Ok(changes)
}

/// Takes a configuration over, and waits until the vrrp process has it. `say` tells of it, before
/// the vrrp process can.
async fn put_in_effect(
    daemon: &Daemon,
    accepted: Accepted,
    say: impl FnOnce(),
) -> Result<(), String> {
    let base = daemon.current.borrow().generation;
    let current = Current::new(accepted.model, base.wrapping_add(1), clock::now());
    let link = daemon.link();
    let told = tell(link.as_deref(), &daemon.current.borrow(), &current);
    let asked = told.map_err(|error| error.to_string())?;
    // Everything else can wait until the vrrp process has it, also giving back what was before.
    let before = daemon.current.replace(current);
    say();
    yield_now().await;
    daemon.set_socket_group();
    daemon.hardware.look();
    drop(before);
    let (Some(link), Some(asked)) = (link, asked) else {
        return Err("the vrrp process is not running; it starts with the new configuration".into());
    };
    let applied = match asked {
        Ok(applied) => within(LIMIT, applied.recv()).await,
        Err(_) => None,
    };
    match applied {
        Some(Ok(())) => {
            let child = daemon.vrrp.borrow().child.as_ref().map(|child| child.pid());
            if let Some(child) = child {
                scheduling::settle(daemon, &link, child).await;
            }
            Ok(())
        }
        Some(Err(_)) => {
            Err("the vrrp process has ended; it starts again with the new configuration".into())
        }
        None => Err(format!(
            "the new configuration is good, but the vrrp process has not taken it within {} s; see \
             steadfast status",
            LIMIT.as_secs()
        )),
    }
}

/// Tells the vrrp process, if there is one: what changes, if it has the configuration before.
fn tell(
    link: Option<&Link>,
    before: &Current,
    current: &Current,
) -> Result<Option<Result<Receiver<()>, Busy>>, postcard::Error> {
    let Some(link) = link else { return Ok(None) };
    let base = Some(before).filter(|before| link.follows(before.generation));
    let body = current.for_vrrp(base)?;
    Ok(Some(link.configure(current.generation, base.map(|base| base.generation), body)))
}
