//! `steadfast switchover` and `steadfast release`: change the master by hand.

use std::time::Duration;

use lexopt::{Arg, Parser};

use super::client::{ANSWER_TIMEOUT, DaemonClient};
use super::output::Output;
use super::{Exit, UsageError};
use crate::config::values::duration;
use crate::control::request::Request;

/// What `--help` shows.
pub const HELP: &str = "\
Hands an instance over to another router without a gap, and holds it as backup
until it is released. It still takes over when no other router is there.

Usage: steadfast switchover NAME [--for TIME] [--force] [--state-dir DIR]

The command waits for the outcome. When no other router takes over, this one
goes on as master and is not held. A router that is not master is held as well,
although it has nothing to hand over. For an instance that is held already, only
the time of the hold changes: without --for it has no end.

Options:
      --for TIME       end the hold after this time: 90s, 10m, 2h
      --force          give up the addresses even if no other router takes over
      --state-dir DIR  the directory of the daemon (default: /run/steadfast)
  -h, --help           show this

Examples:
  steadfast switchover lan
  steadfast switchover lan --for 10m
  steadfast release lan

Exit codes:
  0   the instance is held; another router is master now, or was before
  1   no other router took over, or the daemon cannot be asked
  5   the daemon does not run or does not answer
  64  wrong arguments, or there is no such instance
";

/// What `--help` shows for `release`.
pub const RELEASE_HELP: &str = "\
Ends the hold of a switchover: the instance takes part in elections again with
its own priority.

Usage: steadfast release NAME [--state-dir DIR]

Options:
      --state-dir DIR  the directory of the daemon (default: /run/steadfast)
  -h, --help           show this

Examples:
  steadfast release lan

Exit codes:
  0   the hold has ended
  1   the instance was not held, or the daemon cannot be asked
  5   the daemon does not run or does not answer
  64  wrong arguments, or there is no such instance
";

/// The longest time of a hand-over: with the longest possible intervals, it waits for a successor for a
/// quarter of an hour. The daemon limits it according to the interval of the instance.
const HAND_OVER_TIMEOUT: Duration = Duration::from_secs(1_800);

/// Runs `switchover`.
pub fn run(parser: &mut Parser, output: &mut Output) -> Result<Exit, UsageError> {
    let (mut daemon, mut name, mut hold_for, mut force) =
        (DaemonClient::default(), None, None, false);
    while let Some(arg) = parser.next()? {
        match arg {
            Arg::Long("for") => hold_for = Some(time(&parser.value()?.to_string_lossy())?),
            Arg::Long("force") => force = true,
            Arg::Long("state-dir") => daemon.set_state_dir(parser)?,
            Arg::Short('h') | Arg::Long("help") => {
                output.out(HELP);
                return Ok(Exit::Success);
            }
            Arg::Value(value) if name.is_none() => name = Some(value),
            Arg::Short(_) | Arg::Long(_) | Arg::Value(_) => {
                let known = ["for", "force", "state-dir", "help"];
                return Err(UsageError::unexpected("switchover", &arg, &known));
            }
        }
    }
    let instance = named("switchover", name)?;
    Ok(command(&daemon, &Request::Switchover { instance, hold_for, force }, output))
}

/// Runs `release`.
pub fn release(parser: &mut Parser, output: &mut Output) -> Result<Exit, UsageError> {
    let (mut daemon, mut name) = (DaemonClient::default(), None);
    while let Some(arg) = parser.next()? {
        match arg {
            Arg::Long("state-dir") => daemon.set_state_dir(parser)?,
            Arg::Short('h') | Arg::Long("help") => {
                output.out(RELEASE_HELP);
                return Ok(Exit::Success);
            }
            Arg::Value(value) if name.is_none() => name = Some(value),
            Arg::Short(_) | Arg::Long(_) | Arg::Value(_) => {
                return Err(UsageError::unexpected("release", &arg, &["state-dir", "help"]));
            }
        }
    }
    let instance = named("release", name)?;
    Ok(command(&daemon, &Request::Release { instance }, output))
}

fn named(command: &str, name: Option<std::ffi::OsString>) -> Result<String, UsageError> {
    let name = name.ok_or_else(|| {
        UsageError::new(
            format!("{command} of which instance?"),
            format!("write steadfast {command} NAME; steadfast status shows the names"),
        )
    })?;
    Ok(name.to_string_lossy().into_owned())
}

fn time(text: &str) -> Result<f64, UsageError> {
    let time = duration(text)?;
    if time.is_zero() {
        return Err(UsageError::new(
            "--for 0 would hold nothing",
            "write a time such as --for 10m",
        ));
    }
    Ok(time.as_secs_f64())
}

/// Sends a request about one instance, after checking that the daemon answers.
fn command(daemon: &DaemonClient, request: &Request, output: &mut Output) -> Exit {
    let alive = daemon.ask(&Request::LogLevel { level: None }, ANSWER_TIMEOUT);
    match alive.and_then(|_| daemon.ask_text(request, HAND_OVER_TIMEOUT)) {
        Ok(text) => {
            output.out(&format!("{}\n", text.trim_end()));
            Exit::Success
        }
        Err(error) => error.report(output),
    }
}
