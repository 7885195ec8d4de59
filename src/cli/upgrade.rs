//! `steadfast upgrade`: replaces the running program by another version.

use std::path::PathBuf;
use std::thread::sleep;
use std::time::{Duration, Instant};

use lexopt::{Arg, Parser};

use super::client::{ClientError, DaemonClient};
use super::output::Output;
use super::{Exit, UsageError};
use crate::control::request::Request;
use crate::control::status::VRRP;
use crate::control::value::Value;
use crate::supervisor::configuration;
use crate::supervisor::upgrade_plan::About;

/// What `--help` shows.
pub const HELP: &str = "\
Replaces the running version of the program by another one without losing a
mastership.

Usage: steadfast upgrade [PROGRAM] [--state-dir DIR]

PROGRAM is the file to run from now on. Without it, the daemon runs the file
that it was started from: install the new version over the old one before. First
the new program checks the configuration; if it refuses it, nothing changes.
Then it goes on in the process of the daemon and starts its own vrrp process,
which is master again before another router notices. If the two versions are not
compatible, the addresses are handed over to another router first.

Only root may do this.

Options:
      --state-dir DIR  the directory of the daemon (default: /run/steadfast)
  -h, --help           show this

Examples:
  steadfast upgrade
  steadfast upgrade /usr/local/sbin/steadfast-next

Exit codes:
  0   the new program runs
  1   the new program was refused and the former one goes on, or the new one
      does not work
  5   the daemon does not run or does not answer
  64  wrong arguments
";

/// The time in which the new program reads the configuration.
const PLAN_TIMEOUT: Duration = Duration::from_secs(30);
/// The time in which the new program starts to work, including a hand-over.
const START_TIMEOUT: Duration = Duration::from_secs(60);
/// The time without a control socket after which the daemon counts as ended. The new program inherits
/// the socket, or creates another one at once.
const GONE_TIMEOUT: Duration = Duration::from_secs(10);
/// The time between two requests for the status.
const POLL_PERIOD: Duration = Duration::from_millis(50);

/// Runs the command.
pub fn run(parser: &mut Parser, output: &mut Output) -> Result<Exit, UsageError> {
    let (mut daemon, mut program) = (DaemonClient::default(), None);
    while let Some(arg) = parser.next()? {
        match arg {
            Arg::Long("state-dir") => daemon.set_state_dir(parser)?,
            Arg::Short('h') | Arg::Long("help") => {
                output.out(HELP);
                return Ok(Exit::Success);
            }
            Arg::Value(file) if program.is_none() => {
                // The daemon works in another directory.
                let file = PathBuf::from(file);
                let file = std::path::absolute(&file).unwrap_or(file);
                program = Some(file.to_string_lossy().into_owned());
            }
            Arg::Short(_) | Arg::Long(_) | Arg::Value(_) => {
                return Err(UsageError::unexpected("upgrade", &arg, &["state-dir", "help"]));
            }
        }
    }
    let before = match daemon.status() {
        Ok(document) => document,
        Err(error) => return Ok(error.report(output)),
    };
    match daemon.ask_text(&Request::Upgrade { program }, PLAN_TIMEOUT) {
        Ok(text) => output.out(&format!("{text}\n")),
        Err(error @ ClientError::Refused(_)) => return Ok(error.report(output)),
        // The old program may have ended before it could answer.
        Err(ClientError::Failed(_) | ClientError::Dead(_)) => {}
    }
    Ok(wait(&daemon, &before, output))
}

/// The id of the vrrp process, if that answers.
fn vrrp_pid(document: &Value) -> Option<i64> {
    let Some(Value::List(processes)) = document.at(&["daemon", "processes"]) else { return None };
    let is_vrrp = |process: &&Value| process.get("name").and_then(Value::as_text) == Some(VRRP);
    let process = processes.iter().find(is_vrrp)?;
    process.at(&["report"])?;
    process.get("pid")?.as_integer()
}

/// Waits until the new program answers, with a vrrp process of its own.
fn wait(daemon: &DaemonClient, before: &Value, output: &mut Output) -> Exit {
    let text = |document: &Value, keys: &[&str]| {
        document.at(keys).and_then(Value::as_text).unwrap_or("?").to_owned()
    };
    let asked = Instant::now();
    let mut answered = asked;
    loop {
        let document = daemon.status();
        if let Ok(document) = &document {
            let since = asked.elapsed().as_secs_f64() + 1.0;
            let is_new = |keys: &[&str]| {
                document.at(keys).and_then(Value::as_number).is_some_and(|age| age < since)
            };
            let how = match (is_new(&["daemon", "upgraded", "age"]), is_new(&["daemon", "uptime"]))
            {
                (true, _) => Some("goes on after"),
                (false, true) => Some("starts in the place of"),
                (false, false) => None,
            };
            if let (Some(how), Some(child)) = (how, vrrp_pid(document))
                && Some(child) != vrrp_pid(before)
            {
                let version = &["daemon", "version"];
                output.out(&format!(
                    "steadfast {} {how} {}, with vrrp process {}: {}\n",
                    text(document, version),
                    text(before, version),
                    child,
                    text(document, &["verdict", "text"])
                ));
                return Exit::Success;
            }
        }
        if matches!(document, Err(ClientError::Failed(_)) | Ok(_)) {
            answered = Instant::now();
        }
        if asked.elapsed() > START_TIMEOUT || answered.elapsed() > GONE_TIMEOUT {
            return match document {
                Err(error) => error.report(output),
                Ok(_) => {
                    output.err("steadfast: the new program does not start: see the log\n");
                    Exit::Failure
                }
            };
        }
        sleep(POLL_PERIOD);
    }
}

/// `steadfast upgrade-check -c FILE`: a running daemon executes it with another program, which prints its
/// version and formats, or the errors of the configuration.
pub fn check(parser: &mut Parser, output: &mut Output) -> Result<Exit, UsageError> {
    let mut file = None;
    while let Some(arg) = parser.next()? {
        match arg {
            Arg::Short('c') => file = Some(PathBuf::from(parser.value()?)),
            Arg::Short(_) | Arg::Long(_) | Arg::Value(_) => {
                return Err(UsageError::unexpected("upgrade-check", &arg, &["c"]));
            }
        }
    }
    let file =
        file.ok_or_else(|| UsageError::new("which configuration?", "give it with -c FILE"))?;
    match configuration::load(&file, false) {
        Ok(_) => {
            let about = About::this().to_value().to_json();
            output.out(&format!("{about}\n"));
            Ok(Exit::Success)
        }
        Err(refusal) => {
            output.err(&refusal.shown);
            Ok(Exit::Configuration)
        }
    }
}
