//! Syntax errors of TOML in words that say what to write.

use toml::de::{DeTable, Error};

use super::diagnostic::{Diagnostic, Span};
use crate::sorted::Map;

/// A text with syntax errors.
#[derive(Debug)]
pub struct Repaired {
    /// What is wrong, at most once for each line.
    pub diagnostics: Vec<Diagnostic>,
    /// The text with spaces in the place of every wrong line: what is left has the same places and
    /// can be read.
    pub text: String,
}

/// How often a text is read again without the lines that were wrong.
const MAX_REPAIR_ROUNDS: usize = 8;

/// How many errors are explained. Finding the first of two keys looks through the text, so this
/// bounds the time that a file of errors takes.
const MAX_EXPLAINED_CHARS: usize = 500;

/// The words that begin a block of keepalived.conf.
const KEEPALIVED: [&str; 8] = [
    "global_defs",
    "vrrp_instance",
    "vrrp_sync_group",
    "vrrp_script",
    "vrrp_track_process",
    "virtual_server",
    "static_ipaddress",
    "bfd_instance",
];

/// Explains the errors of a first reading, and finds those behind them: the parser gives up at some
/// errors, so the text is read again without the wrong lines.
pub fn repair(text: &str, errors: Vec<Error>) -> Repaired {
    if let Some(diagnostic) = keepalived(text).or_else(|| other_language(text)) {
        return Repaired { diagnostics: vec![diagnostic], text: String::new() };
    }
    let mut found: Map<usize, Diagnostic> = Map::new();
    let mut errors = errors;
    let mut patched = text.to_owned();
    // Keys under a header that is there twice are there twice as well.
    let mut under_twice: Map<usize, usize> = Map::new();
    for _ in 0..MAX_REPAIR_ROUNDS {
        errors.sort_unstable_by_key(|error| error.span().map_or(0, |span| span.start));
        let mut open = false;
        let before = found.len();
        for error in &errors {
            let span = error.span().unwrap_or(0..0);
            let start = line_start(text, span.start);
            open |= error.message().contains("unclosed array")
                || error.message().contains("unclosed inline table");
            let table = under_twice.iter().rev().find(|(from, _)| **from <= start);
            if table.is_some_and(|(_, end)| start < *end) || found.contains_key(&start) {
                continue;
            }
            if found.len() == MAX_EXPLAINED_CHARS {
                let diagnostics = found.into_values().collect();
                return Repaired { diagnostics, text: String::new() };
            }
            if error.message() == "duplicate key" && line_at(text, start).starts_with('[') {
                under_twice.insert(start, next_header(text, start));
            }
            found.insert(start, explain(text, span, start, error.message()));
        }
        patched = blank(text, found.keys().copied());
        // What is open to the end cannot be repaired without guessing.
        if found.len() == before || open {
            break;
        }
        errors = DeTable::parse_recoverable(&patched).1;
        if errors.is_empty() {
            break;
        }
    }
    Repaired { diagnostics: found.into_values().collect(), text: patched }
}

/// The text with spaces instead of some lines, given by their starts in order.
fn blank(text: &str, starts: impl Iterator<Item = usize>) -> String {
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    for start in starts {
        let end = start + line_at(text, start).len();
        out.push_str(text.get(at..start).unwrap_or_default());
        out.extend(std::iter::repeat_n(' ', end - start));
        at = end;
    }
    out.push_str(text.get(at..).unwrap_or_default());
    out
}

fn line_start(text: &str, offset: usize) -> usize {
    let before = text.as_bytes().get(..offset).unwrap_or(text.as_bytes());
    before.iter().rposition(|octet| *octet == b'\n').map_or(0, |at| at + 1)
}

fn line_at(text: &str, start: usize) -> &str {
    text.get(start..).and_then(|rest| rest.lines().next()).unwrap_or_default()
}

/// Where the next header after a line begins.
fn next_header(text: &str, start: usize) -> usize {
    let rest = text.get(start..).unwrap_or_default();
    rest.find("\n[").map_or(text.len(), |at| start + at + 1)
}

/// A keepalived.conf under another name: one message instead of one for each line.
fn keepalived(text: &str) -> Option<Diagnostic> {
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let word = line.split_whitespace().next().unwrap_or_default();
        if KEEPALIVED.contains(&word) && line.trim_end().ends_with('{') && !line.contains('=') {
            let message = "this is the language of keepalived.conf and not TOML";
            return Some(Diagnostic::error(at..at + word.len(), message).help(
                "reading it is not built yet: write [vrrp.instance.NAME] instead of \
                 vrrp_instance NAME { ... }; conf/steadfast.toml shows how",
            ));
        }
        at += line.len();
    }
    None
}

/// A file in another language that people take for TOML: one message as well.
fn other_language(text: &str) -> Option<Diagnostic> {
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let trimmed = line.trim();
        let indent = line.len() - line.trim_start().len();
        at += line.len();
        if trimmed.is_empty() || trimmed.starts_with('#') {
            continue;
        }
        let mut words = trimmed.split_whitespace();
        let (first, second) = (words.next(), words.next());
        let language = if trimmed.starts_with('{') {
            "JSON"
        } else if trimmed == "---" || trimmed.ends_with(':') && !trimmed.contains(['=', '[', '#']) {
            "YAML"
        } else if matches!(first, Some("config" | "package"))
            && second.is_some_and(|word| !word.starts_with('='))
        {
            "UCI"
        } else {
            return None;
        };
        let begin = at - line.len() + indent;
        let message = format!("this looks like {language} and not TOML");
        return Some(Diagnostic::error(begin..begin + trimmed.len(), message).help(
            "write [vrrp.instance.NAME] and below it lines such as interface = \"eth0\"; \
             conf/steadfast.toml shows how",
        ));
    }
    None
}

fn explain(text: &str, span: Span, start: usize, message: &str) -> Diagnostic {
    let offset = span.start.saturating_sub(start);
    let whole = line_at(text, start);
    // An error before the = is one of the key.
    let in_key = whole.find('=').is_some_and(|equals| offset < equals);
    let line = whole.trim();
    let what = message.split(", expected").next().unwrap_or(message);
    let (key, value) = line.split_once('=').map_or((line, ""), |(k, v)| (k.trim(), v.trim()));
    let bare = !value.starts_with(['"', '\'', '[', '{']);
    let wrong = |message: &str, help: String| Diagnostic::error(span.clone(), message).help(help);
    match what {
        "duplicate key" => duplicate(text, span, start),
        _ if CONFLICT_MARKERS.iter().any(|mark| line.starts_with(mark)) => wrong(
            "not TOML: a mark of a merge conflict",
            "resolve the conflict, and remove the lines with <<<<<<<, ======= and >>>>>>>".to_owned(),
        ),
        "key with no value" => no_equals(span, line),
        "invalid unquoted key" if colon(line).is_some() => no_equals(span, line),
        "unclosed table" if line.contains(']') => wrong(
            "not TOML: the name in the header has a space or another character without quotes",
            format!("write {}", dotted_header(line)),
        ),
        "unclosed table" => {
            wrong("not TOML: the header has no ] at its end", format!("write {}", header_of(line)))
        }
        "invalid unquoted key" if line.starts_with('[') => wrong(
            "not TOML: the header has a character that needs quotes",
            "write a name of the letters a to z, digits, - and _; quotes around the name keep others"
                .to_owned(),
        ),
        "invalid unquoted key" if in_key => wrong(
            "not TOML: the key has a character that no key here has",
            "write a key of the letters a to z and _; conf/steadfast.toml lists the keys".to_owned(),
        ),
        _ if line.starts_with('=') => wrong(
            "not TOML: there is no key before the =",
            "write KEY = VALUE, or remove the line".to_owned(),
        ),
        _ if message.contains("escape") => wrong(
            "not TOML: a \\ in a string begins an escape",
            "write \\\\ for a \\, or put the string in single quotes".to_owned(),
        ),
        _ if control(text, &span) => wrong(
            "not TOML: a control character",
            "remove it; it may be invisible in an editor".to_owned(),
        ),
        _ if line.starts_with(['!', ';', '/']) => {
            let comment = line.trim_start_matches(['!', ';', '/']).trim_start();
            wrong("not TOML: a comment begins with #", format!("write # {comment}"))
        }
        _ if message.contains("carriage return") => wrong(
            "not TOML: a carriage return without a line feed",
            "save the file with the line ends of Unix (LF)".to_owned(),
        ),
        _ if message.contains("recurs") => wrong(
            "not TOML: brackets or names are nested too deeply",
            "a configuration needs no more than five levels; remove the others".to_owned(),
        ),
        "unclosed array" => wrong("not TOML: the list has no ] at its end", "add ]".to_owned()),
        "unclosed inline table" => {
            wrong("not TOML: the table has no } at its end", "add }".to_owned())
        }
        "missing comma between array elements" | "missing comma between key-value pairs" => wrong(
            "not TOML: there is no comma before this",
            "put a comma between two elements, and ] or } after the last one".to_owned(),
        ),
        "unexpected key or value" => {
            let help = match text.get(span.start..).map(str::trim_start) {
                Some(rest) if rest.starts_with(',') => "remove the comma",
                _ => "put it on a line of its own, or remove it",
            };
            wrong("not TOML: there is something after the value", help.to_owned())
        }
        "unexpected leading zero" => wrong(
            "not TOML: a number does not begin with 0",
            format!("write {key} = {}", value.trim_start_matches('0')),
        ),
        _ if key != line && value.is_empty() => {
            wrong("not TOML: there is no value", format!("write {key} = VALUE, or remove the key"))
        }
        _ if key != line && bare => {
            let value = value.split('#').next().unwrap_or_default().trim();
            let help = format!("write {key} = {}", quoted(value));
            wrong(&format!("not TOML: {value} is not a value"), help)
        }
        "invalid basic string" | "invalid literal string" => {
            wrong("not TOML: the text has no quote at its end", "add the quote".to_owned())
        }
        _ => wrong(
            &format!("not TOML: {message}"),
            "write KEY = VALUE, [TABLE] or # COMMENT".to_owned(),
        ),
    }
}

/// What version control leaves in a file.
const CONFLICT_MARKERS: [&str; 3] = ["<<<<<<<", "=======", ">>>>>>>"];

/// Whether a control character is what is wrong.
fn control(text: &str, span: &Span) -> bool {
    let first = text.get(span.start..).and_then(|rest| rest.chars().next());
    first.is_some_and(|char| char.is_control() && !matches!(char, '\t' | '\n' | '\r'))
}

/// A key and its value with something else than = between them.
fn no_equals(span: Span, line: &str) -> Diagnostic {
    let (key, value) =
        colon(line).or_else(|| line.split_once(char::is_whitespace)).unwrap_or((line, "VALUE"));
    let message = "not TOML: there is no = between the key and its value";
    Diagnostic::error(span, message).help(format!("write {key} = {}", quoted(value.trim())))
}

/// A key and its value with a colon between them.
fn colon(line: &str) -> Option<(&str, &str)> {
    let (key, value) = line.split_once(':')?;
    let key = key.trim_end();
    let bare = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-' || b == b'.';
    (!key.is_empty() && key.bytes().all(bare)).then_some((key, value))
}

/// A header with the ] that it lacks.
fn header_of(line: &str) -> String {
    format!("{}]", line.split('#').next().unwrap_or_default().trim_end())
}

/// A header of words, with dots between them.
fn dotted_header(line: &str) -> String {
    let inside = line.trim_start_matches('[').split(']').next().unwrap_or_default();
    format!("[{}]", inside.split_whitespace().collect::<Vec<_>>().join("."))
}

/// A value as TOML would have it: numbers as they are, everything else in quotes.
fn quoted(value: &str) -> String {
    let value = value.trim_start_matches('=').trim_end_matches([',', ';']).trim();
    match value.to_ascii_lowercase().as_str() {
        "value" => return value.to_owned(),
        "true" | "yes" | "on" => return "true".to_owned(),
        "false" | "no" | "off" => return "false".to_owned(),
        _ => {}
    }
    if value.starts_with(['"', '\'']) {
        return value.to_owned();
    }
    let quotes = ['\u{201c}', '\u{201d}', '\u{201e}', '\u{2018}', '\u{2019}', '`'];
    // Quotes of word processors.
    let plain = value.trim_matches(quotes);
    if plain.parse::<u32>().is_ok() {
        return plain.to_owned();
    }
    format!("\"{plain}\"")
}

/// A key or table that is there twice, with the place of the first.
fn duplicate(text: &str, span: Span, start: usize) -> Diagnostic {
    let line = line_at(text, start).trim();
    let name = text.get(span.clone()).unwrap_or_default();
    let before = text.get(..start).unwrap_or_default();
    if line.starts_with('[') {
        let header = line.split('#').next().unwrap_or_default().trim();
        let error = Diagnostic::error(span, format!("{header} is there twice"))
            .help("put all keys of the table under one header, or write another name");
        let mut at = 0;
        for other in before.split_inclusive('\n') {
            if other.split('#').next().unwrap_or_default().trim() == header {
                return error.related(at..at + header.len(), "here for the first time");
            }
            at += other.len();
        }
        return error;
    }
    let error = Diagnostic::error(span, format!("{name} is there twice in this table"))
        .help("remove one of them");
    let mut end = before.len();
    for other in before.split_inclusive('\n').rev() {
        end -= other.len();
        let trimmed = other.trim_start();
        if trimmed.starts_with('[') {
            break;
        }
        let rest = trimmed.strip_prefix(name).map(str::trim_start);
        if rest.is_some_and(|rest| rest.starts_with('=')) {
            let at = end + (other.len() - trimmed.len());
            return error.related(at..at + name.len(), "here for the first time");
        }
    }
    error
}

/// Joins syntax errors with what was found in the rest. What may follow from a syntax error is
/// left out; all of it, when a header is wrong and keys went to another table.
pub fn merge(text: &str, syntax: Vec<Diagnostic>, found: Vec<Diagnostic>) -> Vec<Diagnostic> {
    let header = |d: &Diagnostic| line_at(text, line_start(text, d.span.start)).starts_with('[');
    let broken_header = syntax.iter().any(header);
    let mut all = syntax;
    if !broken_header {
        all.extend(found.into_iter().filter(|diagnostic| !diagnostic.absence));
    }
    all
}
