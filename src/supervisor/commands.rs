//! What clients ask for, and the answers.

use std::path::PathBuf;
use std::time::Duration;

use serde::Serialize;

use super::daemon::Daemon;
use super::timeouts::within;
use super::{reload, status, upgrade_plan};
use crate::config::suggest::nearest;
use crate::control::child_messages::{Ticket, ToChild};
use crate::control::event::Level;
use crate::control::request::{Answer, Request};

/// Added to what a hand-over may take by the protocol.
const SLACK: Duration = Duration::from_secs(5);

/// Answers a request with a line, without its end; `None`: it asks for events, which is no single
/// answer.
pub async fn answer(daemon: &Daemon, request: Request, is_root: bool) -> Option<Vec<u8>> {
    Some(match request {
        Request::Status { memory } => line(&Answer::Ok(status::document(daemon, memory).await)),
        Request::Reload {} => words(reload::reload(daemon).await),
        Request::Switchover { instance, hold_for, force } => {
            words(switchover(daemon, instance, hold_for, force).await)
        }
        Request::Release { instance } => words(
            command(daemon, instance, |ticket, instance| ToChild::Release { ticket, instance })
                .await,
        ),
        Request::Stop { now } => words(stop(daemon, now, is_root)),
        Request::Upgrade { program } => words(upgrade(daemon, program, is_root).await),
        Request::Events {} => return None,
        Request::LogLevel { level } => {
            if let Some(level) = level {
                set_log_level(daemon, level);
            }
            line(&Answer::Ok(daemon.log.level()))
        }
    })
}

/// An answer as a line of JSON.
pub fn line<T: Serialize>(answer: &Answer<T>) -> Vec<u8> {
    serde_json::to_vec(answer)
        .unwrap_or_else(|_| br#"{"error":"the answer cannot be written as JSON"}"#.to_vec())
}

/// A refusal as a line of JSON.
pub fn error(text: impl Into<String>) -> Vec<u8> {
    line(&Answer::<()>::Error(text.into()))
}

fn words(result: Result<String, String>) -> Vec<u8> {
    line(&match result {
        Ok(text) => Answer::Ok(text),
        Err(text) => Answer::Error(text),
    })
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
fn stop(daemon: &Daemon, now: bool, is_root: bool) -> Result<String, String> {
    if !is_root {
        return Err("only root may stop the daemon".to_owned());
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
) -> Result<String, String> {
    if !is_root {
        return Err("only root may choose the program that runs as root".to_owned());
    }
    let _no_reload = daemon.configuration.reloading.lock().await;
    let plan =
        match upgrade_plan::plan(&daemon.configuration.file, program.map(PathBuf::from)).await {
            Ok(plan) => plan,
            Err(why) => {
                let first = why.lines().next().unwrap_or_default();
                daemon.note(Level::Warning, format!("no upgrade: {first}"));
                return Err(why);
            }
        };
    if daemon.is_stopping() || daemon.upgrade.borrow().is_some() {
        return Err("the daemon is ending already, or an upgrade is going on".to_owned());
    }
    if let Some(child) = daemon.needed().find(|child| !child.has_applied()) {
        return Err(format!(
            "the {} process is not at work: an upgrade or a restart is going on, try again",
            child.role.name
        ));
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
) -> Result<String, String> {
    let hold_for = match hold_for.map(Duration::try_from_secs_f64).transpose() {
        Ok(hold_for) => hold_for,
        Err(error) => return Err(format!("for: {error}; give a number of seconds, such as 600")),
    };
    command(daemon, instance, |ticket, instance| ToChild::Switchover {
        ticket,
        instance,
        hold_for,
        force,
    })
    .await
}

/// Gives the process a command about an instance.
async fn command(
    daemon: &Daemon,
    instance: String,
    message: impl FnOnce(Ticket, String) -> ToChild,
) -> Result<String, String> {
    let child = daemon.children.first().ok_or("no process takes commands")?;
    let limit = {
        let model = daemon.configuration.model();
        let names = || model.instances.iter().map(|instance| &*instance.name);
        if !names().any(|name| name == instance) {
            let have = names().collect::<Vec<_>>().join(", ");
            let help = match nearest(&instance, names()) {
                Some(near) => format!("did you mean {near}?"),
                None => format!("have: {have}"),
            };
            return Err(format!("there is no instance \"{instance}\" ({help})"));
        }
        (child.role.stop_time)(&model) + SLACK
    };
    let silent =
        || format!("the {} process does not answer; see steadfast status", child.role.name);
    let link = child.link().ok_or_else(silent)?;
    let answer = link.command(|ticket| message(ticket, instance)).map_err(|_| silent())?;
    within(limit, answer.wait()).await.flatten().ok_or_else(silent)?
}
