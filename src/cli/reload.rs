//! `steadfast reload`: reads the configuration again.

use std::time::Duration;

use lexopt::{Arg, Parser};

use super::client::{Daemon, Trouble};
use super::output::Output;
use super::{Exit, Wrong};
use crate::control::answer::{Kind, Refusal};
use crate::control::request::Request;

/// What `--help` shows.
pub const HELP: &str = "\
Makes the daemon read its configuration again, and shows what changed.

Usage: steadfast reload [--state-dir DIR]

A configuration with errors is refused whole: the errors are shown, and the
former configuration stays in effect. Instances that did not change do not
notice; a changed priority, interval or address list does not take the
mastership away.

Options:
      --state-dir DIR  the directory of the daemon (default: /run/steadfast)
  -h, --help           show this

Examples:
  steadfast reload
  steadfast check && steadfast reload

Exit codes:
  0   the configuration is in effect
  1   it has no errors, but the vrrp process has not taken it; or the daemon
      cannot be asked
  2   it was refused; the former one stays in effect
  5   the daemon does not run or does not answer
  64  wrong arguments
";

/// A large configuration is read and applied in this time.
const RELOAD_TIMEOUT: Duration = Duration::from_secs(60);

/// Runs the command.
pub fn run(parser: &mut Parser, output: &mut Output) -> Result<Exit, Wrong> {
    let mut daemon = Daemon::default();
    while let Some(arg) = parser.next()? {
        match arg {
            Arg::Long("state-dir") => daemon.set_state_dir(parser)?,
            Arg::Short('h') | Arg::Long("help") => {
                output.out(HELP);
                return Ok(Exit::Success);
            }
            Arg::Short(_) | Arg::Long(_) | Arg::Value(_) => {
                return Err(Wrong::unexpected("reload", &arg, &["state-dir", "help"]));
            }
        }
    }
    match daemon.ask_text(&Request::Reload, RELOAD_TIMEOUT) {
        Ok(changes) => {
            output.out(&format!("{}\n", changes.trim_end()));
            Ok(Exit::Success)
        }
        Err(Trouble::Refused(Refusal { kind: Kind::Configuration, text, .. })) => {
            output.err(&format!(
                "steadfast: the configuration is refused, the former one stays in effect\n{}\n",
                text.trim_end()
            ));
            Ok(Exit::Configuration)
        }
        Err(trouble) => Ok(trouble.report(output)),
    }
}
