//! `steadfast explain`: what a key of the configuration means.

use std::fmt::Write as _;

use lexopt::{Arg, Parser};

use super::output::Output;
use super::{Exit, UsageError};
use crate::config::keys::{Key, Kind, Table};
use crate::config::model::TABLES;
use crate::config::suggest::nearest;
use crate::config::values::show_duration;

/// What `--help` shows.
pub const HELP: &str = "\
Explains a key of the configuration: what it means, its values and its default.

Usage: steadfast explain [KEY]

Without KEY, all keys are listed, each table with its own. KEY may also be a keyword
of keepalived or an option of UCI; then it is told what that is called here.

Options:
  -h, --help           show this

Examples:
  steadfast explain priority
  steadfast explain advert_int

Exit codes:
  0   done
  1   there is no such key
  64  wrong arguments
";

/// Runs the command.
pub fn run(parser: &mut Parser, output: &mut Output) -> Result<Exit, UsageError> {
    let mut wanted = None;
    while let Some(arg) = parser.next()? {
        match arg {
            Arg::Short('h') | Arg::Long("help") => {
                output.out(HELP);
                return Ok(Exit::Success);
            }
            Arg::Value(word) if wanted.is_none() => {
                wanted = Some(word.to_string_lossy().into_owned());
            }
            Arg::Short(_) | Arg::Long(_) | Arg::Value(_) => {
                return Err(UsageError::unexpected("explain", &arg, &["help"]));
            }
        }
    }
    let Some(wanted) = wanted else {
        output.out(&all());
        return Ok(Exit::Success);
    };
    let text = explained(&wanted);
    if !text.is_empty() {
        output.out(&text);
        return Ok(Exit::Success);
    }
    let mut names = Vec::new();
    each(&mut |_, name, _, _| names.push(name.to_owned()));
    let help = match nearest(&wanted, names.iter().map(String::as_str)) {
        Some(name) => format!("did you mean {name}?"),
        None => "`steadfast explain` lists all".to_owned(),
    };
    output.err(&format!("steadfast: there is no key {wanted:?}: {help}\n"));
    Ok(Exit::Failure)
}

/// Every key that is written below a header.
fn each(visit: &mut dyn FnMut(&Table, &str, &Key, &str)) {
    for table in TABLES.iter().filter(|table| !table.place.header().is_empty()) {
        table.keys.each(&mut |prefix, key, help| {
            visit(table, &format!("{prefix}{}", key.name), key, help);
        });
    }
}

/// All keys, each with its values and its default on a line.
fn all() -> String {
    let (mut text, mut place) = (String::new(), None);
    each(&mut |table, name, key, _| {
        if place.replace(table.place) != Some(table.place) {
            let gap = if text.is_empty() { "" } else { "\n" };
            _ = writeln!(text, "{gap}{}", table.place.header());
        }
        let state = if key.unbuilt.is_some() { " (not built yet)" } else { "" };
        _ = writeln!(text, "  {name:<28} {}{state}", values(key));
    });
    text
}

/// Every key of this name, here, in keepalived or in UCI.
fn explained(wanted: &str) -> String {
    let mut text = String::new();
    each(&mut |table, name, key, help| {
        let keyword = key.keepalived.iter().any(|(keyword, _)| *keyword == wanted);
        if name != wanted && key.uci != Some(wanted) && !keyword {
            return;
        }
        let gap = if text.is_empty() { "" } else { "\n" };
        _ = writeln!(text, "{gap}{name}, in {}", table.place.header());
        _ = writeln!(text, "  {}", plain(help));
        _ = writeln!(text, "  Values:     {}", values(key));
        _ = writeln!(text, "  Example:    {name} = {}", key.example);
        let keywords: Vec<String> = key.keepalived.iter().map(in_keepalived).collect();
        if !keywords.is_empty() {
            _ = writeln!(text, "  keepalived: {}", keywords.join(", "));
        }
        if let Some(option) = key.uci {
            _ = writeln!(text, "  UCI:        {option}");
        }
        let state = match key.unbuilt {
            Some(feature) => format!("{feature} not built yet"),
            None => format!("since {}", key.since),
        };
        _ = writeln!(text, "  Status:     {state}");
    });
    text
}

fn in_keepalived((keyword, value): &(&str, Option<&str>)) -> String {
    match value {
        Some(value) => format!("{keyword} (stands for {value})"),
        None => (*keyword).to_owned(),
    }
}

/// Type, range and default.
fn values(key: &Key) -> String {
    let kind = match key.kind {
        Kind::Flag => "true or false".to_owned(),
        Kind::Whole(low, high) => format!("{low} to {high}"),
        Kind::Time(low, high) => format!("{} to {}", show_duration(low), show_duration(high)),
        Kind::Text => "a text".to_owned(),
        Kind::Interface => "the name of an interface".to_owned(),
        Kind::Choice(words) => words.join(", "),
        Kind::Other(what) => what.to_owned(),
    };
    match (key.required, key.default) {
        (Some(_), _) => format!("{kind}; required"),
        (None, Some(default)) => format!("{kind}; default {default}"),
        (None, None) => kind,
    }
}

/// Help without the citations of rules, for people.
fn plain(help: &str) -> String {
    let mut text = String::new();
    let mut rest = help.trim();
    while let Some((before, cited)) = rest.split_once(" (`") {
        text.push_str(before);
        rest = cited.split_once("`)").map_or("", |(_, after)| after);
    }
    text.push_str(rest);
    text.replace('`', "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_found_by_its_names() {
        let priority = explained("priority");
        assert!(priority.starts_with("priority, in [vrrp.instance.NAME]\n"), "{priority}");
        assert!(priority.contains("1 to 255; default 100"), "{priority}");
        assert!(explained("advert_int").starts_with("advertisement_interval, in"));
        assert!(explained("nopreempt").contains("nopreempt (stands for false)"));
        assert!(explained("vrrp_rt_priority").starts_with("vrrp_rt_priority, in [global]"));
        assert!(
            !explained("higher_prio_send_advert").contains("vrrp:"),
            "rules are for developers"
        );
        assert_eq!(explained("no_such_key"), "");
    }
}
