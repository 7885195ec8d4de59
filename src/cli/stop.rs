//! `steadfast stop`: ends the daemon.

use lexopt::{Arg, Parser};

use super::client::{ANSWER_TIMEOUT, DaemonClient};
use super::output::Output;
use super::{Exit, UsageError};
use crate::control::request::Request;

/// What `--help` shows.
pub const HELP: &str = "\
Stops the daemon: it hands its addresses over to another router without a gap,
and ends. When no other router takes them over, it keeps them for some seconds,
as long as another router may need to notice.

Usage: steadfast stop [--now] [--state-dir DIR]

The command does not wait for the end of the daemon, which is logged. A service
manager that keeps the daemon running starts it again: stop it there.

Options:
      --now            give up at once the addresses that no other router has
                       taken over, also when the daemon is stopping already
      --state-dir DIR  the directory of the daemon (default: /run/steadfast)
  -h, --help           show this

Examples:
  steadfast stop
  steadfast stop --now

Exit codes:
  0   the daemon stops
  1   the daemon cannot be asked, or does not stop for this user
  5   the daemon does not run or does not answer
  64  wrong arguments
";

/// Runs the command.
pub fn run(parser: &mut Parser, output: &mut Output) -> Result<Exit, UsageError> {
    let (mut daemon, mut now) = (DaemonClient::default(), false);
    while let Some(arg) = parser.next()? {
        match arg {
            Arg::Long("now") => now = true,
            Arg::Long("state-dir") => daemon.set_state_dir(parser)?,
            Arg::Short('h') | Arg::Long("help") => {
                output.out(HELP);
                return Ok(Exit::Success);
            }
            Arg::Short(_) | Arg::Long(_) | Arg::Value(_) => {
                return Err(UsageError::unexpected("stop", &arg, &["now", "state-dir", "help"]));
            }
        }
    }
    match daemon.ask_text(&Request::Stop { now }, ANSWER_TIMEOUT) {
        Ok(text) => {
            output.out(&format!("{text}\n"));
            Ok(Exit::Success)
        }
        Err(error) => Ok(error.report(output)),
    }
}
