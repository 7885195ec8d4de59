//! `steadfast check`: checks a configuration.

use std::fmt::{self, Write};
use std::path::PathBuf;

use lexopt::{Arg, Parser};

use super::output::Output;
use super::{Exit, UsageError};
use crate::config::machine::Machine;
use crate::config::model::{Instance, Model};
use crate::config::report::{self, Counts};
use crate::config::source;
use crate::config::values::show_duration;
use crate::config::{DEFAULT_PATH, parse};
use crate::netlink::character::character;
use crate::units::Family;

/// What `--help` shows.
pub const HELP: &str = "\
Checks a configuration, and shows a summary of it.

Usage: steadfast check [-c FILE] [--no-system] [--strict]

Every mistake is shown on standard error with its place (FILE:LINE:COLUMN), the
reason and the remedy. A good configuration is summarised on standard output,
with one line for each instance. The command does not need root, changes
nothing, and also works on a machine that is not the router.

Options:
  -c, --config FILE    the file; - is standard input
                       (default: /etc/steadfast/steadfast.toml)
      --no-system      do not compare with the interfaces of this machine
      --strict         treat warnings as errors
  -h, --help           show this

Examples:
  steadfast check
  steadfast check -c ./steadfast.toml --no-system
  make-config | steadfast check -c - --strict

Exit codes:
  0   no errors; with --strict no warnings either
  1   the file cannot be read, or the output cannot be written
  2   there are errors; with --strict or warnings
  64  wrong arguments
";

const OPTIONS: [&str; 4] = ["config", "no-system", "strict", "help"];

/// Runs the command.
pub fn run(parser: &mut Parser, output: &mut Output) -> Result<Exit, UsageError> {
    let (mut path, mut system, mut strict) = (None, true, false);
    while let Some(arg) = parser.next()? {
        match arg {
            Arg::Short('c') | Arg::Long("config") => {
                let value = parser.value()?;
                if value.is_empty() {
                    return Err(UsageError::new("the name after -c is empty", "write -c FILE"));
                }
                if path.replace(PathBuf::from(value)).is_some() {
                    return Err(UsageError::new("-c is given twice", "name one file"));
                }
            }
            Arg::Long("no-system") => system = false,
            Arg::Long("strict") => strict = true,
            Arg::Short('h') | Arg::Long("help") => {
                output.out(HELP);
                return Ok(Exit::Success);
            }
            Arg::Short(_) | Arg::Long(_) | Arg::Value(_) => {
                return Err(UsageError::unexpected("check", &arg, &OPTIONS));
            }
        }
    }
    let path = path.unwrap_or_else(|| PathBuf::from(DEFAULT_PATH));
    let (name, text) = if path.as_os_str() == "-" {
        ("<stdin>".to_owned(), source::read_from(std::io::stdin().lock()))
    } else {
        (path.display().to_string(), source::read_file(&path))
    };
    let text = match text {
        Ok(text) => text,
        Err(error) => {
            output.err(&report::unreadable(&name, &error));
            return Ok(Exit::Failure);
        }
    };
    let machine = match system.then(|| Machine::look(character)).transpose() {
        Ok(machine) => machine,
        Err(error) => {
            output.err(&format!(
                "steadfast: cannot list the interfaces of this machine: {error}\n  \
                 = help: add --no-system to check without them\n"
            ));
            return Ok(Exit::Failure);
        }
    };
    let parsed = parse(&text, machine.as_ref());
    let counts = Counts::of(&parsed.diagnostics);
    output.err(&report::findings(&name, &text, &parsed.diagnostics, output.err_colour()));
    match parsed.model {
        Some(model) if counts.warnings == 0 || !strict => {
            output.out(&summary(&name, &model, &counts));
            // The program ends now, so freeing the memory would only take time.
            std::mem::forget(model);
            Ok(Exit::Success)
        }
        Some(_) => {
            output.err(&format!("{name}: {counts}; --strict counts warnings as errors\n"));
            Ok(Exit::Configuration)
        }
        None => {
            output.err(&format!("{name}: {counts}\n"));
            Ok(Exit::Configuration)
        }
    }
}

/// A summary of a configuration, for a person to compare with the intention.
fn summary(name: &str, model: &Model, counts: &Counts) -> String {
    let mut text = format!("{name}: {counts}\n");
    text.reserve(model.instances.len() * SUMMARY_LINE_OCTETS);
    for instance in &model.instances {
        // Writing to a String cannot fail.
        let _ = line(&mut text, instance);
    }
    for group in &model.groups {
        let members = group.instances.join(", ");
        let _ = writeln!(text, "group {}: {members}", group.name);
    }
    text
}

/// The usual length of a line of the summary.
const SUMMARY_LINE_OCTETS: usize = 128;

fn line(text: &mut String, instance: &Instance) -> fmt::Result {
    let count =
        |family| instance.addresses.iter().filter(|a| Family::of(a.address) == family).count();
    write!(
        text,
        "instance {}: interface {}, virtual router {}, version {}, priority {}, advert every {}",
        instance.settings.name,
        instance.settings.interface,
        instance.settings.vrid,
        instance.settings.version,
        instance.settings.priority,
        show_duration(instance.settings.interval.duration())
    )?;
    for family in Family::ALL {
        let count = count(family);
        if count > 0 {
            let ending = if count == 1 { "" } else { "es" };
            write!(text, ", {count} {family} address{ending}")?;
        }
    }
    if !instance.excluded.is_empty() {
        write!(text, ", {} excluded", instance.excluded.len())?;
    }
    text.push('\n');
    Ok(())
}
