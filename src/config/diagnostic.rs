//! What is wrong with a configuration, where, and what to write instead.
//!
//! A [`Diagnostic`] names a range of octets of the source; [`Renderer`] turns it into lines of
//! text in the form that editors recognise (`file:line:column: error: ...`), with the line itself
//! and a caret under what is meant.

use std::fmt;
use std::ops::Range;

use super::values::hidden;

/// How bad it is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Severity {
    /// Suspicious, but it runs as written.
    Warning,
    /// Must be changed before it runs.
    Error,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Warning => "warning",
            Self::Error => "error",
        })
    }
}

/// A range of octets of the source text.
pub type Span = Range<usize>;

/// One thing that is wrong.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// The octets that are meant.
    pub span: Span,
    /// What is wrong, beginning with the dotted name of the object.
    pub message: String,
    /// What to write instead.
    pub help: Option<String>,
    /// Other places that have to do with it, each with a remark.
    pub related: Vec<(Span, String)>,
    /// It complains of something that is not there, and so may follow from a syntax error.
    pub(crate) absence: bool,
}

impl Diagnostic {
    /// An error.
    pub fn error(span: Span, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Error,
            span,
            message: message.into(),
            help: None,
            related: Vec::new(),
            absence: false,
        }
    }

    /// A warning.
    pub fn warning(span: Span, message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(span, message) }
    }

    /// With the remedy.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// With one more place.
    #[must_use]
    pub fn related(mut self, span: Span, remark: impl Into<String>) -> Self {
        self.related.push((span, remark.into()));
        self
    }

    /// Marked as following from something that is missing.
    #[must_use]
    pub(crate) fn absent(mut self) -> Self {
        self.absence = true;
        self
    }
}

/// A place in a text: both numbers begin at 1, the column counts characters.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Position {
    /// Line.
    pub line: usize,
    /// Column, in characters.
    pub column: usize,
}

/// Turns diagnostics of one source text into text.
#[derive(Debug)]
pub struct Renderer<'a> {
    name: &'a str,
    text: &'a str,
    /// Where each line starts.
    lines: Vec<usize>,
}

/// Columns of the source line that are shown; longer lines are cut on both sides.
const MAX_LINE_COLUMNS: usize = 100;
/// Of these, how many at the most stand before the caret when the line is cut.
const COLUMNS_BEFORE_SPAN: usize = 40;
/// Characters of a message that are shown.
const MAX_MESSAGE_CHARS: usize = 400;

impl<'a> Renderer<'a> {
    /// For the text of the file `name`.
    pub fn new(name: &'a str, text: &'a str) -> Self {
        let starts = text.bytes().enumerate().filter(|(_, b)| *b == b'\n').map(|(i, _)| i + 1);
        Self { name, text, lines: std::iter::once(0).chain(starts).collect() }
    }

    /// The line (from 0) that an octet is in.
    fn line_of(&self, offset: usize) -> usize {
        self.lines.partition_point(|&start| start <= offset).saturating_sub(1)
    }

    /// Start of a line and its text without the line end.
    fn line(&self, line: usize) -> (usize, &'a str) {
        let start = self.lines.get(line).copied().unwrap_or(self.text.len());
        let end = self.lines.get(line + 1).copied().unwrap_or(self.text.len());
        let text = self.text.get(start..end).unwrap_or_default();
        (start, text.trim_end_matches(['\n', '\r']))
    }

    /// Where an octet is.
    pub fn position(&self, offset: usize) -> Position {
        let line = self.line_of(offset);
        let (start, text) = self.line(line);
        Position { line: line + 1, column: chars_before(text, offset.saturating_sub(start)) + 1 }
    }

    /// The whole text of a diagnostic, with a newline at the end. `colour` uses the escape
    /// sequences of a terminal.
    pub fn render(&self, diagnostic: &Diagnostic, colour: bool) -> String {
        let paint = Paint { on: colour };
        let position = self.position(diagnostic.span.start);
        let severity = match diagnostic.severity {
            Severity::Warning => paint.yellow("warning:"),
            Severity::Error => paint.red("error:"),
        };
        let gutter = std::iter::once(position.line)
            .chain(diagnostic.related.iter().map(|(span, _)| self.position(span.start).line))
            .map(|line| line.to_string().len())
            .max()
            .unwrap_or(1);
        let mut out = format!(
            "{}:{}:{}: {severity} {}\n",
            self.name,
            position.line,
            position.column,
            paint.bold(&clip(&diagnostic.message)),
        );
        self.excerpt(&mut out, &diagnostic.span, "", gutter, paint);
        for (span, remark) in &diagnostic.related {
            self.excerpt(&mut out, span, remark, gutter, paint);
        }
        if let Some(help) = &diagnostic.help {
            for (index, line) in help.lines().enumerate() {
                let lead = if index == 0 { "= help:" } else { "       " };
                out.push_str(&format!("{:gutter$} {lead} {}\n", "", clip(line)));
            }
        }
        out
    }

    /// A diagnostic in one line, with its place and the remedy, without a newline.
    pub fn line_for_log(&self, diagnostic: &Diagnostic) -> String {
        let Position { line, column } = self.position(diagnostic.span.start);
        let (name, severity) = (self.name, diagnostic.severity);
        let mut out = format!("{name}:{line}:{column}: {severity}: {}", clip(&diagnostic.message));
        if let Some(help) = &diagnostic.help {
            let help: Vec<&str> = help.lines().collect();
            out.push_str(&format!(" ({})", clip(&help.join("; "))));
        }
        out
    }

    /// The line of a span with a caret under it and a remark beside that.
    fn excerpt(&self, out: &mut String, span: &Span, remark: &str, gutter: usize, paint: Paint) {
        let number = self.line_of(span.start);
        let (start, line) = self.line(number);
        let from = chars_before(line, span.start.saturating_sub(start));
        let to = chars_before(line, span.end.saturating_sub(start)).max(from + 1);
        let skip = if line.chars().count() <= MAX_LINE_COLUMNS {
            0
        } else {
            from.saturating_sub(COLUMNS_BEFORE_SPAN)
        };
        let mut shown = String::new();
        let (mut left, mut under) = (0, 0);
        if skip > 0 {
            shown.push_str("...");
            left = 3;
        }
        for (index, char) in line.chars().enumerate().skip(skip) {
            if index >= skip + MAX_LINE_COLUMNS {
                shown.push_str("...");
                break;
            }
            // A tab takes part in the caret line as the spaces that it is shown as.
            let piece = if char == '\t' { "    ".into() } else { printable(char).to_string() };
            let width = piece.chars().count();
            if index < from {
                left += width;
            } else if index < to {
                under += width;
            }
            shown.push_str(&piece);
        }
        let carets = paint.red(&"^".repeat(under.max(1)));
        let remark = if remark.is_empty() { String::new() } else { format!(" {remark}") };
        out.push_str(&format!("{:gutter$} |\n{:>gutter$} | {shown}\n", "", number + 1));
        out.push_str(&format!("{:gutter$} | {:left$}{carets}{remark}\n", "", ""));
    }
}

/// How many characters of a line lie before an octet.
fn chars_before(line: &str, octets: usize) -> usize {
    // Every character has one octet that does not continue another.
    line.bytes().take(octets).filter(|octet| octet & 0xc0 != 0x80).count()
}

/// A message repeats what was written, which may be very long, and may move the cursor.
fn clip(message: &str) -> String {
    let mut clipped: String = message.chars().take(MAX_MESSAGE_CHARS).map(printable).collect();
    if message.chars().nth(MAX_MESSAGE_CHARS).is_some() {
        clipped.push_str("...");
    }
    clipped
}

/// Control characters would move the cursor, others turn the line round: they are shown as a
/// replacement character.
fn printable(char: char) -> char {
    if hidden(char) { char::REPLACEMENT_CHARACTER } else { char }
}

/// Terminal colours, or none.
#[derive(Clone, Copy)]
struct Paint {
    on: bool,
}

impl Paint {
    fn with(self, code: &str, text: &str) -> String {
        if self.on { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }

    fn red(self, text: &str) -> String {
        self.with("1;31", text)
    }

    fn yellow(self, text: &str) -> String {
        self.with("1;33", text)
    }

    fn bold(self, text: &str) -> String {
        self.with("1", text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_caret_is_under_what_is_meant() {
        let text = "a = 1\r\n\tkey = \"ü\" # x\r\n";
        let renderer = Renderer::new("f.toml", text);
        let start = text.find('"').unwrap();
        let diagnostic = Diagnostic::error(start..start + 4, "key: wrong").help("write b\nor c");
        assert_eq!(
            renderer.render(&diagnostic, false),
            "f.toml:2:8: error: key: wrong\n  |\n2 |     key = \"ü\" # x\n  |           ^^^\n  \
             = help: write b\n          or c\n"
        );
    }

    #[test]
    fn a_long_line_is_cut_around_the_caret() {
        let text = format!("{}X{}", "a".repeat(500), "b".repeat(500));
        let out = Renderer::new("f", &text).render(&Diagnostic::error(500..501, "m"), false);
        let lines: Vec<&str> = out.lines().collect();
        assert!(lines[2].len() < 120);
        assert_eq!(lines[2].find('X'), lines[3].find('^'));
    }

    #[test]
    fn a_message_is_clipped_and_has_no_control_characters() {
        let long = format!("a\x1b{}", "ü".repeat(9_000));
        let out = Renderer::new("f", "").render(&Diagnostic::error(0..0, &*long).help(long), false);
        assert!(out.chars().count() < 900, "{}", out.len());
        assert!(!out.contains('\x1b'));
    }

    #[test]
    fn an_empty_text_and_its_end_have_a_place() {
        assert_eq!(Renderer::new("f", "").position(0), Position { line: 1, column: 1 });
        assert_eq!(Renderer::new("f", "a\n").position(2), Position { line: 2, column: 1 });
        assert_eq!(Renderer::new("f", "a\n").position(99), Position { line: 2, column: 1 });
    }
}
