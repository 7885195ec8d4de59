//! Reads the configuration for a start or a reload.

use std::path::Path;

use crate::config::diagnostic::Severity;
use crate::config::machine::Machine;
use crate::config::model::Model;
use crate::config::report::{self, Counts};
use crate::config::{parse, source};
use crate::netlink::character::character;

/// A configuration without errors.
#[derive(Clone, PartialEq, Debug)]
pub struct Accepted {
    /// What it means.
    pub model: Model,
    /// Its warnings, one line each.
    pub warnings: Vec<String>,
}

/// Why a configuration is not used.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Refusal {
    /// As `steadfast check` shows it.
    pub shown: String,
    /// One line for each error.
    pub lines: Vec<String>,
    /// The text has errors; otherwise it could not be looked at.
    pub errors: bool,
}

/// How many lines the log and the status have of a refusal.
const MAX_BRIEF_FINDINGS: usize = 3;

impl Refusal {
    /// The first errors, one line each.
    pub fn brief(&self) -> Vec<String> {
        let mut lines: Vec<String> = self.lines.iter().take(MAX_BRIEF_FINDINGS).cloned().collect();
        if let Some(rest) =
            self.lines.len().checked_sub(MAX_BRIEF_FINDINGS).filter(|rest| *rest > 0)
        {
            lines.push(format!("and {}", report::plural(rest, "more error")));
        }
        lines
    }
}

/// Reads and checks a file, also against the interfaces of this machine. `colour` uses the escape
/// sequences of a terminal.
///
/// # Errors
/// [`Refusal`]: nothing of it may be used.
pub fn load(path: &Path, colour: bool) -> Result<Accepted, Refusal> {
    let name = path.display().to_string();
    let around = |shown: String, line: String| Refusal { shown, lines: vec![line], errors: false };
    let text = source::read_file(path).map_err(|error| {
        around(report::unreadable(&name, &error), format!("{name}: {error} ({})", error.help()))
    })?;
    let machine = Machine::look(character).map_err(|error| {
        let line = format!("cannot list the interfaces of this machine: {error}");
        around(format!("steadfast: {line}\n"), line)
    })?;
    let parsed = parse(&text, Some(&machine));
    let lines = |severity| report::lines(&name, &text, &parsed.diagnostics, severity);
    match parsed.model {
        Some(model) => Ok(Accepted { model, warnings: lines(Severity::Warning) }),
        None => {
            let counts = Counts::of(&parsed.diagnostics);
            let findings = report::findings(&name, &text, &parsed.diagnostics, colour);
            Err(Refusal {
                shown: format!("{findings}{name}: {counts}\n"),
                lines: lines(Severity::Error),
                errors: true,
            })
        }
    }
}
