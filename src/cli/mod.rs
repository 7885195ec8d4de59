//! The command line.
//!
//! Each sub-command has a module, which parses its arguments and returns an exit code. All sub-commands
//! use the same codes, see [`Exit`].

mod check;
mod child_process;
mod client;
mod events;
mod explain;
mod log_level;
mod memory_check;
mod output;
mod reload;
mod run;
mod screen;
mod status;
mod stop;
mod switchover;
mod upgrade;

use std::ffi::OsString;
use std::process::ExitCode;

use lexopt::{Arg, Parser};
use output::Output;

use crate::config::suggest::nearest;
use crate::config::values;
use crate::supervisor::upgrade_plan::CHECK_COMMAND;

/// The result of a command, which becomes its exit code.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Exit {
    /// The command succeeded.
    Success,
    /// A file cannot be read, the output cannot be written, or a system call failed.
    Failure,
    /// The configuration has errors.
    Configuration,
    /// The daemon works, but something needs attention.
    Degraded,
    /// Two routers claim the same addresses.
    Split,
    /// The daemon does not run, or does not answer.
    Dead,
    /// The arguments are wrong (EX_USAGE of `sysexits.h`).
    Usage,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Success => 0,
            Exit::Failure => 1,
            Exit::Configuration => 2,
            Exit::Degraded => 3,
            Exit::Split => 4,
            Exit::Dead => 5,
            Exit::Usage => 64,
        })
    }
}

/// A sub-command.
struct Command {
    name: &'static str,
    help: &'static str,
    run: fn(&mut Parser, &mut Output) -> Result<Exit, UsageError>,
}

const COMMANDS: &[Command] = &[
    Command { name: "run", help: run::HELP, run: run::run },
    Command { name: "status", help: status::HELP, run: status::run },
    Command { name: "events", help: events::HELP, run: events::run },
    Command { name: "switchover", help: switchover::HELP, run: switchover::run },
    Command { name: "release", help: switchover::RELEASE_HELP, run: switchover::release },
    Command { name: "reload", help: reload::HELP, run: reload::run },
    Command { name: "stop", help: stop::HELP, run: stop::run },
    Command { name: "upgrade", help: upgrade::HELP, run: upgrade::run },
    Command { name: "explain", help: explain::HELP, run: explain::run },
    Command { name: "log-level", help: log_level::HELP, run: log_level::run },
    Command { name: "check", help: check::HELP, run: check::run },
];

const HELP: &str = "\
Keeps a gateway alive: virtual addresses that two or more routers share (VRRP).

Usage: steadfast COMMAND [OPTIONS]

Commands:
  run          run the daemon
  status       show which router is master, and what is wrong
  events       show events as they happen
  switchover   hand an instance over to another router
  release      end the hold of a switchover
  reload       read the configuration again
  stop         hand the addresses over and end the daemon
  upgrade      replace the running version by another one
  explain      explain a key of the configuration
  log-level    show or set the log level
  check        check a configuration

Options:
  -h, --help       show this help, or the help of a command
  -V, --version    show the version

Examples:
  steadfast run
  steadfast status
  steadfast switchover lan --for 10m
  steadfast check && steadfast reload
  steadfast check --help

Exit codes:
  0   success
  1   a file cannot be read, output cannot be written, or a system call failed
  2   the configuration has errors
  3   status: the daemon works, but something needs attention (DEGRADED)
  4   status: two routers claim the same addresses (SPLIT)
  5   the daemon does not run or does not answer (DEAD)
  64  wrong arguments
";

/// An error in the arguments, with the remedy.
struct UsageError {
    what: String,
    help: String,
}

impl UsageError {
    fn new(what: impl Into<String>, help: impl Into<String>) -> Self {
        Self { what: what.into(), help: help.into() }
    }

    /// The error for an option or value that a command does not have.
    fn unexpected(command: &str, arg: &Arg<'_>, known: &[&'static str]) -> Self {
        let (given, bare) = match arg {
            Arg::Short(letter) => (format!("-{letter}"), String::new()),
            Arg::Long(name) => (format!("--{name}"), (*name).to_owned()),
            Arg::Value(value) => {
                let value = value.to_string_lossy();
                let help = if known.contains(&"config") {
                    format!("name a file with -c: steadfast {command} -c {value}")
                } else {
                    format!("see steadfast {command} --help")
                };
                return Self::new(format!("{command} takes no argument {value}"), help);
            }
        };
        let help = match nearest(&bare, known.iter().copied()) {
            Some(near) => format!("did you mean --{near}?"),
            None => format!("see steadfast {command} --help"),
        };
        Self::new(format!("{command} has no option {given}"), help)
    }
}

impl From<values::Wrong> for UsageError {
    fn from(wrong: values::Wrong) -> Self {
        Self::new(wrong.message, wrong.help)
    }
}

impl From<lexopt::Error> for UsageError {
    fn from(error: lexopt::Error) -> Self {
        if let lexopt::Error::MissingValue { option: Some(option) } = &error {
            return Self::new(
                format!("{option} needs a value"),
                format!("write {option} VALUE; --help after the command has the options"),
            );
        }
        if let lexopt::Error::UnexpectedValue { option, .. } = &error {
            return Self::new(format!("{option} takes no value"), format!("write {option} alone"));
        }
        Self::new(error.to_string(), "see steadfast --help")
    }
}

/// Runs the command that the arguments name.
pub fn main(args: impl Iterator<Item = OsString>) -> ExitCode {
    abort_on_panic();
    let mut output = Output::default();
    let exit = command(args.collect(), &mut output);
    memory_check::finish(&mut output);
    exit
}

fn command(args: Vec<OsString>, output: &mut Output) -> ExitCode {
    // The hidden commands of the supervisor.
    if let Some(role) = args.get(1).and_then(|word| child_process::role(word)) {
        return child_process::run(role, args.get(2..).unwrap_or_default(), output);
    }
    let mut parser = Parser::from_iter(args);
    let exit = dispatch(&mut parser, output).unwrap_or_else(|wrong| {
        output.err(&format!("steadfast: {}\n  = help: {}\n", wrong.what, wrong.help));
        Exit::Usage
    });
    if exit == Exit::Success
        && let Some(error) = output.failed()
    {
        // When standard output is a file on a full disk, standard error may still work.
        Output::default().err(&format!(
            "steadfast: cannot write the output: {error}\n  = help: see that the disk is not full\n"
        ));
        return Exit::Failure.into();
    }
    exit.into()
}

fn dispatch(parser: &mut Parser, output: &mut Output) -> Result<Exit, UsageError> {
    let names = || COMMANDS.iter().map(|command| command.name);
    let all = || names().collect::<Vec<_>>().join(", ");
    let arg = parser.next()?;
    match arg {
        None => Err(UsageError::new(
            "which command?",
            format!("write steadfast COMMAND, one of: {}", all()),
        )),
        Some(Arg::Short('h') | Arg::Long("help")) => {
            output.out(HELP);
            Ok(Exit::Success)
        }
        Some(Arg::Short('V') | Arg::Long("version")) => {
            output.out(concat!("steadfast ", env!("CARGO_PKG_VERSION"), "\n"));
            Ok(Exit::Success)
        }
        Some(Arg::Value(name)) => {
            let name = name.to_string_lossy().into_owned();
            if name == "help" {
                return help(parser, output);
            }
            // The hidden command that a running daemon executes before an upgrade.
            if name == CHECK_COMMAND {
                return upgrade::check(parser, output);
            }
            (find(&name)?.run)(parser, output)
        }
        Some(Arg::Short(letter)) => Err(UsageError::new(
            format!("there is no option -{letter} without a command"),
            "options of a command come after it, such as steadfast check -c FILE",
        )),
        Some(Arg::Long(name)) => {
            let help = match nearest(name, ["help", "version"]) {
                Some(near) => format!("did you mean --{near}?"),
                None => "options of a command come after it; see steadfast --help".to_owned(),
            };
            Err(UsageError::new(format!("there is no option --{name} without a command"), help))
        }
    }
}

/// `steadfast help [COMMAND]`.
fn help(parser: &mut Parser, output: &mut Output) -> Result<Exit, UsageError> {
    let text = match parser.next()? {
        Some(Arg::Value(name)) => find(&name.to_string_lossy())?.help,
        Some(Arg::Short(_) | Arg::Long(_)) | None => HELP,
    };
    output.out(text);
    Ok(Exit::Success)
}

/// The command with a name.
fn find(name: &str) -> Result<&'static Command, UsageError> {
    let names = || COMMANDS.iter().map(|command| command.name);
    COMMANDS.iter().find(|command| command.name == name).ok_or_else(|| {
        let help = match nearest(name, names()) {
            Some(near) => format!("did you mean steadfast {near}?"),
            None => format!("the commands are: {}", names().collect::<Vec<_>>().join(", ")),
        };
        UsageError::new(format!("there is no command {name}"), help)
    })
}

/// Makes a panic abort the process, also in builds that unwind: other tasks must not go on with a state
/// that is only partly changed.
fn abort_on_panic() {
    std::panic::set_hook(Box::new(|info| {
        Output::default().err(&format!("steadfast: internal error, please report it: {info}\n"));
        std::process::abort();
    }));
}
