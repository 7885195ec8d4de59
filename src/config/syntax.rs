//! Syntax errors of TOML in words that say what to write.

use std::collections::HashSet;

use super::diagnostic::{Diagnostic, Span};

/// One diagnostic for each line that is no TOML.
pub fn explain(text: &str, errors: &[toml::de::Error]) -> Vec<Diagnostic> {
    let mut lines = HashSet::new();
    let mut diagnostics = Vec::new();
    for error in errors {
        let span = error.span().unwrap_or(0..0);
        // After the first error of a line the parser often stumbles again over the same thing.
        if lines.insert(line_start(text, span.start)) {
            diagnostics.push(one(text, span, error.message()));
        }
    }
    diagnostics
}

fn line_start(text: &str, offset: usize) -> usize {
    let before = text.as_bytes().get(..offset).unwrap_or(text.as_bytes());
    before.iter().rposition(|octet| *octet == b'\n').map_or(0, |at| at + 1)
}

fn line_at(text: &str, start: usize) -> &str {
    text.get(start..).and_then(|rest| rest.lines().next()).unwrap_or_default()
}

fn one(text: &str, span: Span, message: &str) -> Diagnostic {
    let start = line_start(text, span.start);
    let line = line_at(text, start).trim();
    let what = message.split(", expected").next().unwrap_or(message);
    let keepalived = line.ends_with('{') && !line.contains('=') || line == "}";
    if keepalived {
        return Diagnostic::error(span, "this is keepalived's language and not TOML").help(
            "write [vrrp.instance.NAME] instead of vrrp_instance NAME { ... }; \
             conf/steadfast.toml shows how",
        );
    }
    if what == "duplicate key" {
        return duplicate(text, span, start);
    }
    let message = format!("not TOML: {message}");
    let key = line.split([' ', '\t', '=']).next().unwrap_or_default();
    let value = || line.split_once('=').map(|(_, value)| value.trim()).unwrap_or_default();
    let help = match what {
        "string values must be quoted" => format!("write {key} = \"{}\"", value()),
        "key with no value" => match line.split_once(char::is_whitespace) {
            Some((key, value)) => {
                let value = value.trim();
                let plain = matches!(value, "true" | "false") || value.parse::<u32>().is_ok();
                let quote = if plain { "" } else { "\"" };
                format!("write {key} = {quote}{value}{quote}")
            }
            None => format!("write {line} = VALUE"),
        },
        "unclosed table" => format!("write {line}]"),
        "unclosed array" => "end the list with ]".to_owned(),
        "invalid basic string" | "invalid literal string" => "end the text with a quote".to_owned(),
        "missing comma between array elements" => "put a comma between the elements".to_owned(),
        "unexpected leading zero" => "write the number without leading zeros".to_owned(),
        _ if message.contains('"') || message.contains('\'') => {
            "put the value into quotes, with one at each end".to_owned()
        }
        _ => "write KEY = VALUE, [TABLE] or # COMMENT".to_owned(),
    };
    Diagnostic::error(span, message).help(help)
}

/// A key or table that is there twice, with the place of the first.
fn duplicate(text: &str, span: Span, start: usize) -> Diagnostic {
    let line = line_at(text, start).trim();
    let name = text.get(span.clone()).unwrap_or_default();
    let error = |what: &str| Diagnostic::error(span.clone(), what);
    let before = text.get(..start).unwrap_or_default();
    if line.starts_with('[') {
        let header = line.split('#').next().unwrap_or_default().trim();
        let error = error(&format!("{header} is there twice"))
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
    let error = error(&format!("{name} is there twice in this table")).help("remove one of them");
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
/// left out; all of it, when a header is wrong and keys may have gone to another table.
pub fn merge(text: &str, syntax: Vec<Diagnostic>, found: Vec<Diagnostic>) -> Vec<Diagnostic> {
    let lines: HashSet<usize> = syntax.iter().map(|d| line_start(text, d.span.start)).collect();
    let headers = lines.iter().any(|start| {
        let line = line_at(text, *start).trim_start();
        line.starts_with(['[', '{', '}']) || line.trim_end().ends_with('{')
    });
    let mut all = syntax;
    if !headers {
        let stays = |d: &Diagnostic| !d.absence && !lines.contains(&line_start(text, d.span.start));
        all.extend(found.into_iter().filter(stays));
    }
    all
}
