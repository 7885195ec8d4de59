//! `steadfast reload`: makes the daemon read its configuration again.

use std::time::Duration;

use lexopt::{Arg, Parser};

use super::client::{ClientError, DaemonClient};
use super::output::Output;
use super::{Exit, UsageError};
use crate::control::answer::{Kind, Refusal};
use crate::control::request::Request;

/// What `--help` shows.
pub const HELP: &str = "\
Makes the daemon read its configuration again, and shows what changed.

Usage: steadfast reload [--state-dir DIR]

A configuration with errors is refused as a whole: the errors are shown, and the
former configuration stays in effect. A reload does not affect instances that
did not change. A changed priority, interval or address list does not end a
mastership.

Options:
      --state-dir DIR  the directory of the daemon (default: /run/steadfast)
  -h, --help           show this

Examples:
  steadfast reload
  steadfast check && steadfast reload

Exit codes:
  0   the configuration is in effect
  1   the vrrp process has not taken over the configuration, or the daemon
      cannot be asked
  2   the configuration was refused; the former one stays in effect
  5   the daemon does not run or does not answer
  64  wrong arguments
";

/// The time in which a large configuration is read and applied.
const RELOAD_TIMEOUT: Duration = Duration::from_secs(60);

/// Runs the command.
pub fn run(parser: &mut Parser, output: &mut Output) -> Result<Exit, UsageError> {
    let mut daemon = DaemonClient::default();
    while let Some(arg) = parser.next()? {
        match arg {
            Arg::Long("state-dir") => daemon.set_state_dir(parser)?,
            Arg::Short('h') | Arg::Long("help") => {
                output.out(HELP);
                return Ok(Exit::Success);
            }
            Arg::Short(_) | Arg::Long(_) | Arg::Value(_) => {
                return Err(UsageError::unexpected("reload", &arg, &["state-dir", "help"]));
            }
        }
    }
    match daemon.ask_text(&Request::Reload, RELOAD_TIMEOUT) {
        Ok(changes) => {
            output.out(&format!("{}\n", changes.trim_end()));
            Ok(Exit::Success)
        }
        Err(ClientError::Refused(Refusal { kind: Kind::Configuration, text, .. })) => {
            output.err(&format!(
                "steadfast: the configuration is refused, the former one stays in effect\n{}\n",
                text.trim_end()
            ));
            Ok(Exit::Configuration)
        }
        Err(error) => Ok(error.report(output)),
    }
}
