//! `steadfast events`: shows events as they happen.

use lexopt::{Arg, Parser};

use super::client::{ANSWER_TIMEOUT, ClientError, DaemonClient, other_version};
use super::output::Output;
use super::{Exit, UsageError};
use crate::control::request::{Format, Request};

/// What `--help` shows.
pub const HELP: &str = "\
Shows events from now on, one line for each: changes of state with their causes,
faults, hand-overs, reloads, and invalid or conflicting packets.

Usage: steadfast events [--json] [--state-dir DIR]

It ends when the daemon ends, or with Ctrl-C. For earlier events see the log and
steadfast status.

Options:
      --json           one JSON object a line, \"Event\" in status.schema.json;
                       conf/events.jsonl has an example of each
      --state-dir DIR  the directory of the daemon (default: /run/steadfast)
  -h, --help           show this

Examples:
  steadfast events
  steadfast events --json | jq -r 'select(.to == \"MASTER\") | .instance'
  steadfast events --json | jq 'select(.event == \"bad_packet\") | .peer'

Exit codes:
  0   nobody reads the output any more
  1   the daemon cannot be asked: no permission, or another program answers
  5   the daemon does not run, does not answer, or ended
  64  wrong arguments
";

/// Runs the command.
pub fn run(parser: &mut Parser, output: &mut Output) -> Result<Exit, UsageError> {
    let (mut daemon, mut json) = (DaemonClient::default(), false);
    while let Some(arg) = parser.next()? {
        match arg {
            Arg::Long("json") => json = true,
            Arg::Long("state-dir") => daemon.set_state_dir(parser)?,
            Arg::Short('h') | Arg::Long("help") => {
                output.out(HELP);
                return Ok(Exit::Success);
            }
            Arg::Short(_) | Arg::Long(_) | Arg::Value(_) => {
                return Err(UsageError::unexpected("events", &arg, &["json", "state-dir", "help"]));
            }
        }
    }
    match follow(&daemon, json, output) {
        Ok(()) => Ok(Exit::Success),
        Err(error) => Ok(error.report(output)),
    }
}

/// Shows events until standard output is closed.
fn follow(daemon: &DaemonClient, json: bool, output: &mut Output) -> Result<(), ClientError> {
    let colour = output.out_colour();
    let format = if json { Format::Json } else { Format::Text { colour } };
    let mut events = daemon.begin(&Request::Events { format }, ANSWER_TIMEOUT)?;
    while !output.closed() {
        let event = events.next()?;
        match event.as_text() {
            Some(text) => output.out(text),
            None if json => output.out(&(event.to_json() + "\n")),
            None => return Err(other_version()),
        }
    }
    Ok(())
}
