//! `steadfast status`: how things stand.

use std::ffi::OsString;
use std::io::{IsTerminal, stdout};
use std::time::Duration;

use lexopt::{Arg, Parser};

use super::client::{ANSWER_TIMEOUT, Daemon, Trouble, other_version};
use super::output::Output;
use super::{Exit, Wrong, screen};
use crate::config::values::duration;
use crate::control::request::{Format, Request};
use crate::control::status::VerdictLevel;
use crate::control::value::Value;
use crate::system::terminal::{self, Size};

/// What `--help` shows.
pub const HELP: &str = "\
Shows how things stand. The first line says it all:

  OK        all is as it should be
  DEGRADED  it works, and something needs a look: an instance in FAULT, an
            address that the kernel does not hold, changes of state again
            and again, an operator's hold, a refused reload, or anything else
            that is wrong now
  SPLIT     two routers claim the same addresses
  DEAD      the daemon does not run or does not answer

What was wrong within the last five minutes stands in brackets after OK.

Then come the warnings, a table of the instances, all about each instance (when
there are few, or one is named), the last changes of state, and the daemon. When
all this is longer than the screen, the first line comes once more at the end.

Usage: steadfast status [NAME] [--json] [--memory] [--watch [TIME]]
                        [--state-dir DIR]

Options:
      --json           one line of JSON: conf/status.schema.json describes it
      --memory         with the memory of each process: what the kernel holds
                       for it, and what it has asked its allocator for
      --watch [TIME]   show it again and again, every second or every TIME,
                       until Ctrl-C
      --state-dir DIR  the directory of the daemon (default: /run/steadfast)
  -h, --help           show this

Examples:
  steadfast status
  steadfast status lan
  steadfast status --watch 500ms
  steadfast status --json | jq -r .verdict.text

Exit codes, with NAME of that instance alone:
  0   OK
  1   the daemon cannot be asked: no permission, or another program answers
  3   DEGRADED
  4   SPLIT
  5   DEAD; with --json nothing is shown when no daemon answers
  64  wrong arguments, or there is no such instance
";

const OPTIONS: [&str; 5] = ["json", "memory", "watch", "state-dir", "help"];

/// How often `--watch` looks.
const WATCH_PERIOD: Duration = Duration::from_secs(1);
/// Not more often than this.
const SHORTEST_WATCH_PERIOD: Duration = Duration::from_millis(100);

#[derive(Default)]
struct Options {
    daemon: Daemon,
    name: Option<String>,
    json: bool,
    memory: bool,
    watch: Option<Duration>,
}

/// Runs the command.
pub fn run(parser: &mut Parser, output: &mut Output) -> Result<Exit, Wrong> {
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
                return Err(Wrong::unexpected("status", &arg, &OPTIONS));
            }
        }
    }
    match options.watch {
        None => once(&options, output),
        Some(period) => watch(&options, period, output),
    }
}

/// The time after `--watch`, if there is one.
fn period(parser: &mut Parser) -> Result<Duration, Wrong> {
    let given: Option<OsString> = match parser.optional_value() {
        Some(given) => Some(given),
        None => parser.try_raw_args().and_then(|mut rest| {
            rest.next_if(|next| next.to_str().is_some_and(|next| duration(next).is_ok()))
        }),
    };
    let Some(given) = given else { return Ok(WATCH_PERIOD) };
    let period = duration(&given.to_string_lossy())?;
    if period < SHORTEST_WATCH_PERIOD {
        return Err(Wrong::new(
            format!("--watch {} is too often", given.to_string_lossy()),
            "write 100ms or more",
        ));
    }
    Ok(period)
}

fn once(options: &Options, output: &mut Output) -> Result<Exit, Wrong> {
    match ask(options, output) {
        Ok((text, exit)) => {
            output.out(&match screen(options) {
                Some(size) => screen::with_verdict(&text, size),
                None => text,
            });
            Ok(exit)
        }
        Err(trouble) => {
            if let (Trouble::Dead(fault), false) = (&trouble, options.json) {
                output.out(&format!("DEAD: {}\n", fault.what));
                output.err(&format!("  = help: {}\n", fault.help));
                return Ok(Exit::Dead);
            }
            Ok(trouble.report(output))
        }
    }
}

/// Shows it until nobody reads it. A daemon that ended may come back.
fn watch(options: &Options, period: Duration, output: &mut Output) -> Result<Exit, Wrong> {
    while !output.closed() {
        let shown = match ask(options, output) {
            Ok((text, _)) => text,
            Err(Trouble::Dead(fault)) if !options.json => {
                format!("DEAD: {}\n  = help: {}\n", fault.what, fault.help)
            }
            Err(trouble @ Trouble::Dead(_)) => {
                trouble.report(output);
                String::new()
            }
            Err(trouble @ (Trouble::Refused(_) | Trouble::Failed(_))) => {
                return Ok(trouble.report(output));
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

/// The screen that a person reads the text from.
fn screen(options: &Options) -> Option<Size> {
    let stdout = stdout();
    if options.json || !stdout.is_terminal() { None } else { terminal::size(&stdout) }
}

/// What was asked for, as the daemon shows it, and how the verdict ends the program.
fn ask(options: &Options, output: &Output) -> Result<(String, Exit), Trouble> {
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
