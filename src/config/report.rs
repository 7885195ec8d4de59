//! What was found in a configuration, as the user sees it: the same text from every command.

use std::fmt;

use super::diagnostic::{Diagnostic, Renderer, Severity};
use super::source::SourceError;

/// How many findings are shown at most.
const MAX_SHOWN_FINDINGS: usize = 200;

/// All findings with their places, reasons and remedies. `colour` uses the escape sequences of a
/// terminal.
pub fn findings(name: &str, text: &str, diagnostics: &[Diagnostic], colour: bool) -> String {
    let mut shown = String::new();
    if diagnostics.is_empty() {
        return shown;
    }
    let renderer = Renderer::new(name, text);
    for diagnostic in diagnostics.iter().take(MAX_SHOWN_FINDINGS) {
        shown.push_str(&renderer.render(diagnostic, colour));
        shown.push('\n');
    }
    if let Some(rest) = diagnostics.len().checked_sub(MAX_SHOWN_FINDINGS).filter(|rest| *rest > 0) {
        shown.push_str(&format!("{rest} more are not shown\n\n"));
    }
    shown
}

/// The findings of one severity, one line each, for a log: place, what is wrong, remedy.
pub fn lines(
    name: &str,
    text: &str,
    diagnostics: &[Diagnostic],
    severity: Severity,
) -> Vec<String> {
    let mut wanted =
        diagnostics.iter().filter(|diagnostic| diagnostic.severity == severity).peekable();
    if wanted.peek().is_none() {
        return Vec::new();
    }
    let renderer = Renderer::new(name, text);
    wanted.take(MAX_SHOWN_FINDINGS).map(|diagnostic| renderer.line_for_log(diagnostic)).collect()
}

/// A file without text.
pub fn unreadable(name: &str, error: &SourceError) -> String {
    format!("{name}: error: {error}\n  = help: {}\n", error.help())
}

/// How many findings there are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Counts {
    /// Of errors.
    pub errors: usize,
    /// Of warnings.
    pub warnings: usize,
}

impl Counts {
    /// Counts them.
    pub fn of(diagnostics: &[Diagnostic]) -> Self {
        let errors = diagnostics.iter().filter(|d| d.severity == Severity::Error).count();
        Self { errors, warnings: diagnostics.len() - errors }
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.errors, self.warnings) {
            (0, 0) => f.write_str("ok"),
            (0, warnings) => f.write_str(&plural(warnings, "warning")),
            (errors, 0) => f.write_str(&plural(errors, "error")),
            (errors, warnings) => {
                write!(f, "{}, {}", plural(errors, "error"), plural(warnings, "warning"))
            }
        }
    }
}

/// A number of things: `1 error`, `2 errors`.
pub fn plural(count: impl TryInto<u64>, noun: &str) -> String {
    let count = count.try_into().unwrap_or(u64::MAX);
    let ending = match (count, noun.ends_with("ss")) {
        (1, _) => "",
        (_, true) => "es",
        (_, false) => "s",
    };
    format!("{count} {noun}{ending}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_for_the_log_has_place_reason_and_remedy() {
        let found = [
            Diagnostic::error(4..5, "a: wrong").help("write b\nor c"),
            Diagnostic::warning(0..1, "odd"),
        ];
        assert_eq!(
            lines("f", "x\n  y", &found, Severity::Error),
            ["f:2:3: error: a: wrong (write b; or c)"]
        );
        assert_eq!(lines("f", "x\n  y", &found, Severity::Warning), ["f:1:1: warning: odd"]);
    }
}
