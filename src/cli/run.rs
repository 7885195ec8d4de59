//! `steadfast run`: the daemon.

use std::ffi::OsString;
use std::path::PathBuf;

use lexopt::{Arg, Parser};

use super::output::Output;
use super::{Exit, UsageError, memory_check};
use crate::config::DEFAULT_PATH;
use crate::config::suggest::nearest;
use crate::control::event::Level;
use crate::supervisor::configuration::{self, Accepted};
use crate::supervisor::detach::{Detached, launch};
use crate::supervisor::exec_state::ExecState;
use crate::supervisor::log::Target;
use crate::supervisor::upgrade::OPTION as TAKE_OVER;
use crate::supervisor::{self, Options, Origin, state_dir};

/// What `--help` shows.
pub const HELP: &str = "\
Runs the daemon, which shares virtual addresses with other routers.

Usage: steadfast run [-c FILE] [--state-dir DIR] [--syslog] [--daemon]
                     [--log-level LEVEL] [--memory-check]

It stays in the foreground and logs to standard error, unless an option changes
that. If the configuration has errors, they are shown as in steadfast check, and
the daemon does not start. It needs root, or the capabilities CAP_NET_ADMIN and
CAP_NET_RAW.

Options:
  -c, --config FILE       the file (default: /etc/steadfast/steadfast.toml)
      --state-dir DIR     the directory of its socket and its process id
                          (default: /run/steadfast); several daemons can run on
                          one machine, each with its own directory
      --syslog            log to syslog
      --daemon            go into the background after the start, and log to
                          syslog
      --log-level LEVEL   error, warning, notice, info or debug (default: info)
      --memory-check      at the end, list memory that is still in use by call
                          site, on standard error; in debug builds only
  -h, --help              show this

Signals:
  TERM, INT   hand the addresses over and end; a second one gives up at once
              the addresses that no other router has taken over
  HUP         read the configuration again; if it has errors, the former one
              stays in effect
  USR1        write the status to status.json in the state directory
  USR2        log a line of statistics for each instance

With $NOTIFY_SOCKET, the daemon reports its state to systemd (Type=notify; do
not use --daemon).

Examples:
  steadfast run
  steadfast run -c ./steadfast.toml --state-dir /run/steadfast-test
  steadfast run --daemon --log-level notice

Exit codes:
  0   stopped by a signal
  1   it cannot run: no permission, another daemon uses the state directory or a
      virtual router, or a file cannot be read
  2   the configuration has errors
  64  wrong arguments
";

const OPTIONS: [&str; 7] =
    ["config", "state-dir", "syslog", "daemon", "log-level", memory_check::OPTION, "help"];

/// The hidden option of the process in the background.
const DETACHED: &str = "detached";

/// The parsed arguments.
struct Arguments {
    file: PathBuf,
    state_dir: PathBuf,
    syslog: bool,
    daemon: bool,
    detached: bool,
    take_over: Option<i32>,
    level: Level,
}

/// Runs the command.
pub fn run(parser: &mut Parser, output: &mut Output) -> Result<Exit, UsageError> {
    let Some(arguments) = arguments(parser)? else {
        output.out(HELP);
        return Ok(Exit::Success);
    };
    if let Some(number) = arguments.take_over {
        return Ok(take_over(output, number));
    }
    let accepted = match configuration::load(&arguments.file, output.err_colour()) {
        Ok(accepted) => accepted,
        Err(refusal) => {
            output.err(&refusal.shown);
            return Ok(if refusal.errors { Exit::Configuration } else { Exit::Failure });
        }
    };
    Ok(if arguments.daemon {
        background(output, arguments)
    } else {
        here(output, arguments, accepted)
    })
}

/// Runs the daemon in this process.
fn here(output: &mut Output, arguments: Arguments, accepted: Accepted) -> Exit {
    let detached = match arguments.detached.then(Detached::begin).transpose() {
        Ok(detached) => detached,
        Err(error) => {
            output.err(&format!("steadfast: cannot go into the background: {error}\n"));
            return Exit::Failure;
        }
    };
    let options = Options {
        file: arguments.file,
        state_dir: arguments.state_dir,
        log: if arguments.syslog { Target::Syslog } else { Target::Stderr },
        level: arguments.level,
    };
    run_supervisor(output, options, accepted, Origin::New(detached))
}

fn run_supervisor(
    output: &mut Output,
    options: Options,
    accepted: Accepted,
    origin: Origin,
) -> Exit {
    let ran = supervisor::run(options, accepted, origin);
    memory_check::settle();
    match ran {
        Ok(()) => Exit::Success,
        Err(failure) => {
            output.err(&format!("steadfast: {}\n  = help: {}\n", failure.what, failure.help));
            Exit::Failure
        }
    }
}

/// Takes over from another program, which has checked the configuration before.
fn take_over(output: &mut Output, number: i32) -> Exit {
    let former = match ExecState::find(number) {
        Ok(former) => former,
        Err(error) => {
            output.err(&format!("steadfast: cannot take over: {error}\n"));
            return Exit::Failure;
        }
    };
    let accepted = match configuration::load(&former.file, false) {
        Ok(accepted) => accepted,
        Err(refusal) => {
            // It had no errors a moment ago, so a service manager should try again.
            output.err(&refusal.shown);
            return Exit::Failure;
        }
    };
    let options = Options {
        file: former.file.clone(),
        state_dir: former.state_dir.clone(),
        log: if former.syslog { Target::Syslog } else { Target::Stderr },
        level: former.level,
    };
    run_supervisor(output, options, accepted, Origin::Former(Box::new(former)))
}

/// Runs the daemon in a new process. This one ends when the daemon works.
fn background(output: &mut Output, arguments: Arguments) -> Exit {
    let mut again: Vec<OsString> = vec!["run".into(), format!("--{DETACHED}").into()];
    // The daemon works in another directory.
    let mut path = |option: &str, path: PathBuf| {
        let path = std::path::absolute(&path).unwrap_or(path);
        again.extend([option.into(), path.into_os_string()]);
    };
    path("--config", arguments.file);
    path("--state-dir", arguments.state_dir);
    again.extend(["--log-level".into(), arguments.level.name().into()]);
    match launch(&again) {
        Ok(Ok(())) => Exit::Success,
        Ok(Err(2)) => Exit::Configuration,
        Ok(Err(_)) => Exit::Failure,
        Err(error) => {
            output.err(&format!("steadfast: cannot go into the background: {error}\n"));
            Exit::Failure
        }
    }
}

/// Parses the arguments; `None` when they ask for help.
fn arguments(parser: &mut Parser) -> Result<Option<Arguments>, UsageError> {
    let (mut file, mut state_dir) = (None, None);
    let (mut syslog, mut daemon, mut detached, mut level) = (false, false, false, Level::Info);
    let (mut take_over, mut check_memory) = (None, false);
    let path = |place: &mut Option<PathBuf>, name: &str, value: OsString| {
        if value.is_empty() {
            return Err(UsageError::new(
                format!("the name after {name} is empty"),
                format!("write {name} NAME"),
            ));
        }
        match place.replace(PathBuf::from(value)) {
            Some(_) => Err(UsageError::new(format!("{name} is given twice"), "name one")),
            None => Ok(()),
        }
    };
    while let Some(arg) = parser.next()? {
        match arg {
            Arg::Short('c') | Arg::Long("config") => path(&mut file, "-c", parser.value()?)?,
            Arg::Long("state-dir") => path(&mut state_dir, "--state-dir", parser.value()?)?,
            Arg::Long("syslog") => syslog = true,
            Arg::Long("daemon") => daemon = true,
            Arg::Long(memory_check::OPTION) => check_memory = true,
            Arg::Long(DETACHED) => (detached, syslog) = (true, true),
            Arg::Long(TAKE_OVER) => take_over = parser.value()?.to_string_lossy().parse().ok(),
            Arg::Long("log-level") => level = level_of(&parser.value()?.to_string_lossy())?,
            Arg::Short('h') | Arg::Long("help") => return Ok(None),
            Arg::Short(_) | Arg::Long(_) | Arg::Value(_) => {
                return Err(UsageError::unexpected("run", &arg, &OPTIONS));
            }
        }
    }
    let file = file.unwrap_or_else(|| PathBuf::from(DEFAULT_PATH));
    if file.as_os_str() == "-" {
        return Err(UsageError::new(
            "run does not read its configuration from standard input",
            "a reload reads it again, so name a file with -c FILE",
        ));
    }
    if check_memory && daemon {
        return Err(UsageError::new(
            "--memory-check writes to standard error at the end, which --daemon has left by then",
            "run it in the foreground, without --daemon",
        ));
    }
    if check_memory {
        memory_check::begin()?;
    }
    let state_dir = state_dir.unwrap_or_else(|| PathBuf::from(state_dir::DEFAULT));
    Ok(Some(Arguments { file, state_dir, syslog, daemon, detached, take_over, level }))
}

/// The level with a name.
fn level_of(name: &str) -> Result<Level, UsageError> {
    Level::ALL.into_iter().find(|level| level.name() == name).ok_or_else(|| {
        let names = || Level::ALL.iter().map(|level| level.name());
        let help = match nearest(name, names()) {
            Some(near) => format!("did you mean {near}?"),
            None => format!("the levels are: {}", names().collect::<Vec<_>>().join(", ")),
        };
        UsageError::new(format!("there is no log level {name}"), help)
    })
}
