//! `steadfast stop`: the end of the daemon.

use lexopt::{Arg, Parser};

use super::client::{ANSWER_TIMEOUT, Daemon};
use super::output::Output;
use super::{Exit, Wrong};
use crate::control::request::Request;

/// What `--help` shows.
pub const HELP: &str = "\
Stops the daemon: it hands its addresses over to another router without a gap
and ends. When no other router is there, they stay for some seconds, as long as
one might take to notice.

Usage: steadfast stop [--now] [--state-dir DIR]

The command does not wait for the end; the log tells of it. A service manager
that keeps the daemon running starts it again: stop it there.

Options:
      --now            give up at once what no other router has taken over, also
                       of a daemon that stops already
      --state-dir DIR  the directory of the daemon (default: /run/steadfast)
  -h, --help           show this

Examples:
  steadfast stop
  steadfast stop --now

Exit codes:
  0   it stops
  1   the daemon cannot be asked, or does not stop for this user
  5   the daemon does not run or does not answer
  64  wrong arguments
";

/// Runs the command.
pub fn run(parser: &mut Parser, output: &mut Output) -> Result<Exit, Wrong> {
    let (mut daemon, mut now) = (Daemon::default(), false);
    while let Some(arg) = parser.next()? {
        match arg {
            Arg::Long("now") => now = true,
            Arg::Long("state-dir") => daemon.set_state_dir(parser)?,
            Arg::Short('h') | Arg::Long("help") => {
                output.out(HELP);
                return Ok(Exit::Success);
            }
            Arg::Short(_) | Arg::Long(_) | Arg::Value(_) => {
                return Err(Wrong::unexpected("stop", &arg, &["now", "state-dir", "help"]));
            }
        }
    }
    match daemon.ask_text(&Request::Stop { now }, ANSWER_TIMEOUT) {
        Ok(text) => {
            output.out(&format!("{text}\n"));
            Ok(Exit::Success)
        }
        Err(trouble) => Ok(trouble.report(output)),
    }
}
