//! `steadfast status`: shows the state of the daemon and its instances.

use std::ffi::OsString;
use std::io::{IsTerminal, stdout};
use std::time::Duration;

use lexopt::{Arg, Parser};

use super::client::{ANSWER_TIMEOUT, ClientError, DaemonClient, other_version};
use super::output::Output;
use super::{Exit, UsageError, screen};
use crate::config::values::duration;
use crate::control::request::{Format, Request};
use crate::control::status::VerdictLevel;
use crate::control::value::Value;
use crate::system::terminal::{self, Size};

/// What `--help` shows.
pub const HELP: &str = "\
Shows the state of the daemon and its instances. The first line is the verdict:

  OK        everything works
  DEGRADED  the daemon works, but something needs attention: an instance in
            FAULT, an address that the kernel does not hold, repeated changes of
            state, an operator's hold, a refused reload, or anything else that
            is wrong now
  SPLIT     two routers claim the same addresses
  DEAD      the daemon does not run or does not answer

After OK, problems of the last five minutes are shown in brackets.

The warnings, a table of the instances, the details of each instance (if there
are few, or NAME is given), the last changes of state and the daemon follow.
When the output is longer than the screen, the first line is repeated at the
end.

Usage: steadfast status [NAME] [--json] [--memory] [--watch [TIME]]
                        [--state-dir DIR]

Options:
      --json           one line of JSON: conf/status.schema.json describes it
      --memory         add the memory of each process, as the kernel and as its
                       allocator count it
      --watch [TIME]   show it every second, or every TIME, until Ctrl-C
      --state-dir DIR  the directory of the daemon (default: /run/steadfast)
  -h, --help           show this

Examples:
  steadfast status
  steadfast status lan
  steadfast status --watch 500ms
  steadfast status --json | jq -r .verdict.text

Exit codes; with NAME, of that instance alone:
  0   OK
  1   the daemon cannot be asked: no permission, or another program answers
  3   DEGRADED
  4   SPLIT
  5   DEAD; with --json nothing is shown if no daemon answers
  64  wrong arguments, or there is no such instance
";

const OPTIONS: [&str; 5] = ["json", "memory", "watch", "state-dir", "help"];

/// The default period of `--watch`.
const WATCH_PERIOD: Duration = Duration::from_secs(1);
/// The shortest period of `--watch`.
const MIN_WATCH_PERIOD: Duration = Duration::from_millis(100);

#[derive(Default)]
struct Options {
    daemon: DaemonClient,
    name: Option<String>,
    json: bool,
    memory: bool,
    watch: Option<Duration>,
}

/// Runs the command.
pub fn run(parser: &mut Parser, output: &mut Output) -> Result<Exit, UsageError> {
    let mut options = Options::default();
    while let Some(arg) = parser.next()? {
        match arg {
            Arg::Long("json") => options.json = true,
            Arg::Long("memory") => options.memory = true,
            Arg::Long("watch") => options.watch = Some(period(parser)?),
            Arg::Long("state-dir") => options.daemon.set_state_dir(parser)?,
            Arg::Short('h') | Arg::Long("help") => {
                output.out(HELP);
                return Ok(Exit::Success);
            }
            Arg::Value(name) if options.name.is_none() => {
                options.name = Some(name.to_string_lossy().into_owned());
            }
            Arg::Short(_) | Arg::Long(_) | Arg::Value(_) => {
                return Err(UsageError::unexpected("status", &arg, &OPTIONS));
            }
        }
    }
    match options.watch {
        None => once(&options, output),
        Some(period) => watch(&options, period, output),
    }
}

/// The time after `--watch`, if there is one.
fn period(parser: &mut Parser) -> Result<Duration, UsageError> {
    let given: Option<OsString> = match parser.optional_value() {
        Some(given) => Some(given),
        None => parser.try_raw_args().and_then(|mut rest| {
            rest.next_if(|next| next.to_str().is_some_and(|next| duration(next).is_ok()))
        }),
    };
    let Some(given) = given else { return Ok(WATCH_PERIOD) };
    let period = duration(&given.to_string_lossy())?;
    if period < MIN_WATCH_PERIOD {
        return Err(UsageError::new(
            format!("--watch {} is too often", given.to_string_lossy()),
            "write 100ms or more",
        ));
    }
    Ok(period)
}

fn once(options: &Options, output: &mut Output) -> Result<Exit, UsageError> {
    match ask(options, output) {
        Ok((text, exit)) => {
            output.out(&match screen(options) {
                Some(size) => screen::with_verdict(&text, size),
                None => text,
            });
            Ok(exit)
        }
        Err(error) => {
            if let (ClientError::Dead(problem), false) = (&error, options.json) {
                output.out(&format!("DEAD: {}\n", problem.what));
                output.err(&format!("  = help: {}\n", problem.help));
                return Ok(Exit::Dead);
            }
            Ok(error.report(output))
        }
    }
}

/// Shows the status again and again, until standard output is closed. A daemon that ended may come back.
fn watch(options: &Options, period: Duration, output: &mut Output) -> Result<Exit, UsageError> {
    while !output.closed() {
        let shown = match ask(options, output) {
            Ok((text, _)) => text,
            Err(ClientError::Dead(problem)) if !options.json => {
                format!("DEAD: {}\n  = help: {}\n", problem.what, problem.help)
            }
            Err(error @ ClientError::Dead(_)) => {
                error.report(output);
                String::new()
            }
            Err(error @ (ClientError::Refused(_) | ClientError::Failed(_))) => {
                return Ok(error.report(output));
            }
        };
        output.out(&match screen(options) {
            Some(size) => screen::fitted(&shown, size),
            None => shown,
        });
        std::thread::sleep(period);
    }
    Ok(Exit::Success)
}

/// The size of the screen; `None` for JSON or when standard output is not a terminal.
fn screen(options: &Options) -> Option<Size> {
    let stdout = stdout();
    if options.json || !stdout.is_terminal() { None } else { terminal::size(&stdout) }
}

/// The output for these options, and the exit code for the verdict.
fn ask(options: &Options, output: &Output) -> Result<(String, Exit), ClientError> {
    let colour = output.out_colour();
    let format = if options.json { Format::Json } else { Format::Text { colour } };
    let (memory, instance) = (options.memory, options.name.clone());
    let request = Request::Status { memory, instance, format };
    let answer = options.daemon.ask(&request, ANSWER_TIMEOUT)?;
    let (level, text) = match format {
        Format::Json => (answer.at(&["verdict", "level"]), Some(answer.to_json() + "\n")),
        Format::Text { .. } => {
            let text = answer.get("text").and_then(Value::as_text);
            (answer.get("level"), text.map(str::to_owned))
        }
    };
    let level = level.and_then(Value::as_text).and_then(VerdictLevel::named);
    let (Some(level), Some(text)) = (level, text) else { return Err(other_version()) };
    Ok((text, exit(level)))
}

const fn exit(level: VerdictLevel) -> Exit {
    match level {
        VerdictLevel::Ok => Exit::Success,
        VerdictLevel::Degraded => Exit::Degraded,
        VerdictLevel::Split => Exit::Split,
        VerdictLevel::Dead => Exit::Dead,
    }
}
