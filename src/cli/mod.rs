//! The command line.
//!
//! One module per sub-command; each takes the rest of the arguments and gives back an exit code.
//! The codes are the same everywhere, see [`Exit`].

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

/// How a command ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Exit {
    /// It did what it was asked for.
    Success,
    /// Something around it failed: a file that cannot be read, a system call.
    Failure,
    /// The configuration has errors.
    Configuration,
    /// It works, and something needs a look.
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
    run: fn(&mut Parser, &mut Output) -> Result<Exit, Wrong>,
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
  status       show how things stand: who is master, and what is wrong
  events       show what happens, as it happens
  switchover   hand an instance over to another router
  release      let an instance take part again after a switchover
  reload       read the configuration again
  stop         hand the addresses over and end
  upgrade      let another version take the place of the running one
  explain      what a key of the configuration means
  log-level    show or set how much is logged
  check        look for mistakes in a configuration

Options:
  -h, --help       show this, or with a command its help
  -V, --version    show the version

Examples:
  steadfast run
  steadfast status
  steadfast switchover lan --for 10m
  steadfast check && steadfast reload
  steadfast check --help

Exit codes:
  0   done
  1   a file cannot be read, output cannot be written, or a system call failed
  2   the configuration has errors
  3   status: it works, and something needs a look (DEGRADED)
  4   status: two routers claim the same addresses (SPLIT)
  5   the daemon does not run or does not answer (DEAD)
  64  wrong arguments
";

/// Wrong arguments: what is wrong and what to write.
struct Wrong {
    what: String,
    help: String,
}

impl Wrong {
    fn new(what: impl Into<String>, help: impl Into<String>) -> Self {
        Self { what: what.into(), help: help.into() }
    }

    /// An option or value that a command does not have.
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

impl From<values::Wrong> for Wrong {
    fn from(wrong: values::Wrong) -> Self {
        Self::new(wrong.message, wrong.help)
    }
}

impl From<lexopt::Error> for Wrong {
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
    // What the supervisor starts; of no use to a person, and so in no list.
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
        // On a full disk standard error is often still there.
        Output::default().err(&format!(
            "steadfast: cannot write the output: {error}\n  = help: see that the disk is not full\n"
        ));
        return Exit::Failure.into();
    }
    exit.into()
}

fn dispatch(parser: &mut Parser, output: &mut Output) -> Result<Exit, Wrong> {
    let names = || COMMANDS.iter().map(|command| command.name);
    let all = || names().collect::<Vec<_>>().join(", ");
    let arg = parser.next()?;
    match arg {
        None => {
            Err(Wrong::new("which command?", format!("write steadfast COMMAND, one of: {}", all())))
        }
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
            // What a running daemon asks; of no use to a person, and so in no list.
            if name == CHECK_COMMAND {
                return upgrade::check(parser, output);
            }
            (find(&name)?.run)(parser, output)
        }
        Some(Arg::Short(letter)) => Err(Wrong::new(
            format!("there is no option -{letter} without a command"),
            "options of a command come after it, such as steadfast check -c FILE",
        )),
        Some(Arg::Long(name)) => {
            let help = match nearest(name, ["help", "version"]) {
                Some(near) => format!("did you mean --{near}?"),
                None => "options of a command come after it; see steadfast --help".to_owned(),
            };
            Err(Wrong::new(format!("there is no option --{name} without a command"), help))
        }
    }
}

/// `steadfast help [COMMAND]`.
fn help(parser: &mut Parser, output: &mut Output) -> Result<Exit, Wrong> {
    let text = match parser.next()? {
        Some(Arg::Value(name)) => find(&name.to_string_lossy())?.help,
        Some(Arg::Short(_) | Arg::Long(_)) | None => HELP,
    };
    output.out(text);
    Ok(Exit::Success)
}

/// The command of a name.
fn find(name: &str) -> Result<&'static Command, Wrong> {
    let names = || COMMANDS.iter().map(|command| command.name);
    COMMANDS.iter().find(|command| command.name == name).ok_or_else(|| {
        let help = match nearest(name, names()) {
            Some(near) => format!("did you mean steadfast {near}?"),
            None => format!("the commands are: {}", names().collect::<Vec<_>>().join(", ")),
        };
        Wrong::new(format!("there is no command {name}"), help)
    })
}

/// A panic ends the process at once, whether it was built to unwind or not: what is left half done
/// in one task must not go on in another.
fn abort_on_panic() {
    std::panic::set_hook(Box::new(|info| {
        Output::default().err(&format!("steadfast: internal error, please report it: {info}\n"));
        std::process::abort();
    }));
}
