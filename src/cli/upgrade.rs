//! `steadfast upgrade`: another program in the place of the running one.

use std::path::PathBuf;
use std::thread::sleep;
use std::time::{Duration, Instant};

use lexopt::{Arg, Parser};

use super::client::{Daemon, Trouble};
use super::output::Output;
use super::{Exit, Wrong};
use crate::control::request::Request;
use crate::control::value::Value;
use crate::supervisor::configuration;
use crate::supervisor::upgrade_plan::About;

/// What `--help` shows.
pub const HELP: &str = "\
Lets another version of the program take the place of the running one, without
losing a mastership.

Usage: steadfast upgrade [PROGRAM] [--state-dir DIR]

PROGRAM is the file to run from now on; without it, the file that the daemon was
started from: install the new version over the old one, then run this. The new
program reads the configuration first, and nothing happens when it refuses it.
Then it goes on in the same process, and starts its own vrrp process, which is
master again before another router notices. If the two versions do not
understand each other, addresses are handed over to another router first.

Only root may do this.

Options:
      --state-dir DIR  the directory of the daemon (default: /run/steadfast)
  -h, --help           show this

Examples:
  steadfast upgrade
  steadfast upgrade /usr/local/sbin/steadfast-next

Exit codes:
  0   the new program runs
  1   it was refused, and the former one goes on; or it does not work
  5   the daemon does not run or does not answer
  64  wrong arguments
";

/// How long the new program may take to read the configuration.
const PLAN_TIMEOUT: Duration = Duration::from_secs(30);
/// How long it may take to begin its work, with a hand-over in between.
const START_TIMEOUT: Duration = Duration::from_secs(60);
/// A daemon that nobody can connect to for so long has ended: the next program has the socket from
/// its first moment, or makes another one at once.
const GONE_TIME: Duration = Duration::from_secs(10);
/// How often is looked.
const LOOK_PERIOD: Duration = Duration::from_millis(50);

/// Runs the command.
pub fn run(parser: &mut Parser, output: &mut Output) -> Result<Exit, Wrong> {
    let (mut daemon, mut program) = (Daemon::default(), None);
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
                return Err(Wrong::unexpected("upgrade", &arg, &["state-dir", "help"]));
            }
        }
    }
    let before = match daemon.status() {
        Ok(document) => document,
        Err(trouble) => return Ok(trouble.report(output)),
    };
    match daemon.ask_text(&Request::Upgrade { program }, PLAN_TIMEOUT) {
        Ok(text) => output.out(&format!("{text}\n")),
        Err(trouble @ Trouble::Refused(_)) => return Ok(trouble.report(output)),
        // It may have hung up before it could say so.
        Err(Trouble::Failed(_) | Trouble::Dead(_)) => {}
    }
    Ok(wait(&daemon, &before, output))
}

/// Waits until the new program answers, with a vrrp process of its own.
fn wait(daemon: &Daemon, before: &Value, output: &mut Output) -> Exit {
    let pid = |document: &Value| document.at(&["daemon", "vrrp", "pid"]).cloned();
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
            if let (Some(how), Some(child)) = (how, pid(document))
                && Some(&child) != pid(before).as_ref()
            {
                let version = &["daemon", "version"];
                output.out(&format!(
                    "steadfast {} {how} {}, with vrrp process {}: {}\n",
                    text(document, version),
                    text(before, version),
                    child.to_json(),
                    text(document, &["verdict", "text"])
                ));
                return Exit::Success;
            }
        }
        if matches!(document, Err(Trouble::Failed(_)) | Ok(_)) {
            answered = Instant::now();
        }
        if asked.elapsed() > START_TIMEOUT || answered.elapsed() > GONE_TIME {
            return match document {
                Err(trouble) => trouble.report(output),
                Ok(_) => {
                    output.err("steadfast: the new program does not begin: see the log\n");
                    Exit::Failure
                }
            };
        }
        sleep(LOOK_PERIOD);
    }
}

/// `steadfast upgrade-check -c FILE`, which a running daemon asks another program: it says what it
/// is, or why it refuses the configuration.
pub fn check(parser: &mut Parser, output: &mut Output) -> Result<Exit, Wrong> {
    let mut file = None;
    while let Some(arg) = parser.next()? {
        match arg {
            Arg::Short('c') => file = Some(PathBuf::from(parser.value()?)),
            Arg::Short(_) | Arg::Long(_) | Arg::Value(_) => {
                return Err(Wrong::unexpected("upgrade-check", &arg, &["c"]));
            }
        }
    }
    let file = file.ok_or_else(|| Wrong::new("which configuration?", "give it with -c FILE"))?;
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
