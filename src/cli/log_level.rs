//! `steadfast log-level`: shows or sets the log level.

use lexopt::{Arg, Parser};

use super::client::{ANSWER_TIMEOUT, DaemonClient};
use super::output::Output;
use super::{Exit, UsageError};
use crate::config::suggest::nearest;
use crate::control::event::Level;
use crate::control::request::Request;

/// What `--help` shows.
pub const HELP: &str = "\
Shows the log level of the daemon, or sets it until the next start or reload.

Usage: steadfast log-level [LEVEL] [--state-dir DIR]

Levels; each one includes those before it:
  error     something does not work, and the network may notice
  warning   something is wrong, and the daemon goes on
  notice    changes of state, switchovers, reloads
  info      details that explain the above
  debug     details for developers of steadfast

Options:
      --state-dir DIR  the directory of the daemon (default: /run/steadfast)
  -h, --help           show this

Examples:
  steadfast log-level
  steadfast log-level debug

Exit codes:
  0   done; the level in effect is shown
  1   the daemon cannot be asked: no permission, or another program answers
  5   the daemon does not run or does not answer
  64  wrong arguments
";

/// Runs the command.
pub fn run(parser: &mut Parser, output: &mut Output) -> Result<Exit, UsageError> {
    let (mut daemon, mut level) = (DaemonClient::default(), None);
    while let Some(arg) = parser.next()? {
        match arg {
            Arg::Long("state-dir") => daemon.set_state_dir(parser)?,
            Arg::Short('h') | Arg::Long("help") => {
                output.out(HELP);
                return Ok(Exit::Success);
            }
            Arg::Value(word) if level.is_none() => level = Some(named(&word.to_string_lossy())?),
            Arg::Short(_) | Arg::Long(_) | Arg::Value(_) => {
                return Err(UsageError::unexpected("log-level", &arg, &["state-dir", "help"]));
            }
        }
    }
    match daemon.ask_text(&Request::LogLevel { level }, ANSWER_TIMEOUT) {
        Ok(level) => {
            output.out(&format!("{level}\n"));
            Ok(Exit::Success)
        }
        Err(error) => Ok(error.report(output)),
    }
}

fn named(word: &str) -> Result<Level, UsageError> {
    Level::named(word).ok_or_else(|| {
        let names = Level::ALL.map(Level::name);
        let help = match nearest(word, names) {
            Some(near) => format!("did you mean {near}?"),
            None => format!("write one of: {}", names.join(", ")),
        };
        UsageError::new(format!("there is no level {word}"), help)
    })
}
