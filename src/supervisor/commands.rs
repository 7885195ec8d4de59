//! What clients ask for, and the answers.

use std::path::PathBuf;
use std::time::Duration;

use super::daemon::Daemon;
use super::timeouts::within;
use super::{reload, status, upgrade_plan};
use crate::control::answer::{self, Kind, Refusal};
use crate::control::child_messages::{Ticket, ToChild};
use crate::control::event::Level;
use crate::control::request::{Format, Request};
use crate::control::value::ToValue;

/// Added to what a hand-over may take by the protocol.
const ANSWER_MARGIN: Duration = Duration::from_secs(5);

/// Answers a request with a line, without its end; `Err`: it asks for events, which is no single
/// answer.
pub async fn answer(daemon: &Daemon, request: Request, is_root: bool) -> Result<String, Format> {
    let text = |result: Result<String, Refusal>| result.map(|text| text.to_value());
    Ok(answer::line(match request {
        Request::Status { memory, instance, format } => {
            answer::status(status::document(daemon, memory).await, instance.as_deref(), format)
        }
        Request::Reload => text(reload::reload(daemon).await),
        Request::Switchover { instance, hold_for, force } => {
            text(switchover(daemon, instance, hold_for, force).await)
        }
        Request::Release { instance } => text(
            command(daemon, instance, |ticket, instance| ToChild::Release { ticket, instance })
                .await,
        ),
        Request::Stop { now } => text(stop(daemon, now, is_root)),
        Request::Upgrade { program } => text(upgrade(daemon, program, is_root).await),
        Request::Events { format } => return Err(format),
        Request::LogLevel { level } => {
            if let Some(level) = level {
                set_log_level(daemon, level);
            }
            Ok(daemon.log.level().to_value())
        }
    }))
}

/// A refusal as a line.
pub fn refusal(text: impl Into<String>) -> String {
    answer::line(Err(Refusal::from(text.into())))
}

fn set_log_level(daemon: &Daemon, level: Level) {
    daemon.log.set_level(level);
    daemon.note(Level::Notice, format!("log level: {}", level.name()));
    for child in &daemon.children {
        // A child that takes no messages hears of it when it is started again.
        child.say(ToChild::LogLevel(daemon.log.level_of_children()));
    }
}

/// Begins the end of the daemon, or hurries it.
fn stop(daemon: &Daemon, now: bool, is_root: bool) -> Result<String, Refusal> {
    if !is_root {
        return Err("only root may stop the daemon".to_owned().into());
    }
    if now {
        daemon.stop_now.notify();
    }
    if daemon.is_stopping() {
        return Ok("it stops already".to_owned());
    }
    daemon.stop_asked.notify();
    Ok("it stops".to_owned())
}

/// Finds out whether a program could take over, and lets it.
async fn upgrade(
    daemon: &Daemon,
    program: Option<String>,
    is_root: bool,
) -> Result<String, Refusal> {
    if !is_root {
        return Err("only root may choose the program that runs as root".to_owned().into());
    }
    let _no_reload = daemon.configuration.reloading.lock().await;
    let plan =
        match upgrade_plan::plan(&daemon.configuration.file, program.map(PathBuf::from)).await {
            Ok(plan) => plan,
            Err(why) => {
                let first = why.lines().next().unwrap_or_default();
                daemon.note(Level::Warning, format!("no upgrade: {first}"));
                return Err(why.into());
            }
        };
    if daemon.is_stopping() || daemon.upgrade.borrow().is_some() {
        return Err("the daemon is ending already, or an upgrade is going on".to_owned().into());
    }
    if let Some(child) = daemon.needed().find(|child| !child.has_applied()) {
        return Err(format!(
            "the {} process is not at work: an upgrade or a restart is going on, try again",
            child.role.name
        )
        .into());
    }
    let text = format!("{} (steadfast {}) takes over", plan.program.display(), plan.version);
    *daemon.upgrade.borrow_mut() = Some(plan);
    daemon.upgrade_asked.notify();
    Ok(text)
}

async fn switchover(
    daemon: &Daemon,
    instance: String,
    hold_for: Option<f64>,
    force: bool,
) -> Result<String, Refusal> {
    let hold_for = hold_for.map(Duration::try_from_secs_f64).transpose();
    let hold_for =
        hold_for.map_err(|error| format!("for: {error}; give a number of seconds, such as 600"))?;
    command(daemon, instance, |ticket, instance| ToChild::Switchover {
        ticket,
        instance,
        hold_for,
        force,
    })
    .await
}

/// Gives the process that has instances a command about one.
async fn command(
    daemon: &Daemon,
    instance: String,
    message: impl FnOnce(Ticket, String) -> ToChild,
) -> Result<String, Refusal> {
    let child = daemon.of_instances().ok_or_else(|| "no process has instances".to_owned())?;
    let limit = {
        let model = daemon.configuration.model();
        let names = || model.instances.iter().map(|instance| &*instance.settings.name);
        if !names().any(|name| name == instance) {
            return Err(Refusal::no_instance(&instance, names()));
        }
        (child.role.stop_time)(&model) + ANSWER_MARGIN
    };
    let silent = || {
        let text = format!("the {} process does not answer; see steadfast status", child.role.name);
        Refusal::new(Kind::Dead, text)
    };
    let link = child.link().ok_or_else(silent)?;
    let answer = link.command(|ticket| message(ticket, instance)).map_err(|_| silent())?;
    let result = within(limit, answer.wait()).await.flatten().ok_or_else(silent)?;
    result.map_err(Refusal::from)
}
