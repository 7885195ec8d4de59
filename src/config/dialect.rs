//! What to write, in the language of the file that is wrong.
//!
//! Messages are written for TOML. For a file in another language the keys, values, tables and names
//! in them are said in that language: the rows of the keys know what each is called there.

use super::diagnostic::Diagnostic;
use super::keys::{Key, Place, Table};
use super::model::TABLES;

/// The language of a configuration.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Dialect {
    /// TOML, with our keys.
    Toml,
    /// keepalived.conf, with keepalived's keywords.
    Keepalived,
}

impl Dialect {
    /// Says a finding in this language.
    pub fn translate(self, found: &mut Diagnostic) {
        match self {
            Self::Toml => {}
            Self::Keepalived => {
                found.message = message(&found.message);
                found.help = found.help.take().map(|help| text(&help));
                for (_, remark) in &mut found.related {
                    *remark = text(remark);
                }
            }
        }
    }
}

/// Blocks of keepalived.conf that correspond to named tables, and to others.
const BLOCKS: [(&str, &str); 6] = [
    ("vrrp.instance", "vrrp_instance"),
    ("vrrp.group", "vrrp_sync_group"),
    ("track.script", "vrrp_script"),
    ("track.file", "track_file"),
    ("track.process", "vrrp_track_process"),
    ("track.bfd", "bfd_instance"),
];

/// A message, which begins with the name of what it is about: `vrrp.instance.lan.preempt: ...`.
fn message(message: &str) -> String {
    let Some((path, rest)) = message.split_once(": ") else { return text(message) };
    let named = BLOCKS.iter().find_map(|(table, block)| {
        let below = path.strip_prefix(table)?.strip_prefix('.')?;
        let (name, key) = match below.split_once('.') {
            Some((name, key)) => (name, Some(key)),
            None => (below, None),
        };
        let key = key.map(|key| format!(": {}", keyword_of(key))).unwrap_or_default();
        Some(format!("{block} {name}{key}"))
    });
    let global = || Some(format!("global_defs: {}", keyword_of(path.strip_prefix("global.")?)));
    let path = named.or_else(global).unwrap_or_else(|| path.to_owned());
    format!("{path}: {}", text(rest))
}

/// The key with an index behind it, or without.
fn keyword_of(key: &str) -> String {
    let (name, index) = key.split_once('[').map_or((key, ""), |(name, index)| (name, index));
    let keyword = known(name).and_then(|key| key.keepalived.first()).map_or(name, |first| first.0);
    if index.is_empty() { keyword.to_owned() } else { format!("{keyword}[{index}") }
}

/// The row of a key, of an instance before all others.
fn known(name: &str) -> Option<&'static Key> {
    let instance = TABLES.iter().filter(|table| table.place == Place::Instance);
    instance.chain(TABLES).find_map(|table: &Table| table.keys.find(name))
}

/// Sentences in which keys, `key = value` and headers of tables are said anew.
fn text(text: &str) -> String {
    let mut said = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(char) = rest.chars().next() {
        let word_len =
            rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
        let in_word = said.chars().next_back().is_some_and(|c| c.is_ascii_alphanumeric());
        let (part, used) = match header(rest) {
            Some(found) => found,
            None if word_len == 0 || in_word => (char.to_string(), char.len_utf8()),
            None => setting(rest, word_len),
        };
        said.push_str(&part);
        rest = rest.get(used..).unwrap_or_default();
    }
    said
}

/// `[vrrp.instance.NAME]` at the begin of a text, and how long it is.
fn header(text: &str) -> Option<(String, usize)> {
    let (path, _) = text.strip_prefix('[')?.split_once(']')?;
    let used = path.len() + 2;
    if path == "global" {
        return Some(("global_defs { ... }".to_owned(), used));
    }
    let (_, block, name) = BLOCKS.iter().find_map(|(table, block)| {
        Some((table, block, path.strip_prefix(table)?.strip_prefix('.')?))
    })?;
    Some((format!("{block} {name} {{ ... }}"), used))
}

/// A word at the begin of a text, with its value when it is a key that is set, and how long that
/// is.
fn setting(text: &str, word_len: usize) -> (String, usize) {
    let (word, after) = text.split_at_checked(word_len).unwrap_or((text, ""));
    let as_it_is = (word.to_owned(), word_len);
    let Some(key) = known(word) else { return as_it_is };
    let Some((first, _)) = key.keepalived.first() else { return as_it_is };
    let Some(after) = after.strip_prefix(" = ") else {
        // Names without an underscore are words of the language as well.
        return if word.contains('_') { ((*first).to_owned(), word_len) } else { as_it_is };
    };
    let value = after.get(..value_len(after)).unwrap_or(after);
    let used = word_len + 3 + value.len();
    let stands_for = key.keepalived.iter().find(|(_, stands_for)| *stands_for == Some(value));
    if let Some((keyword, _)) = stands_for {
        return ((*keyword).to_owned(), used);
    }
    (format!("{first} {}", plain_value(value)), used)
}

/// How long a TOML value at the begin of a text is: in brackets, in quotes, or a word.
fn value_len(text: &str) -> usize {
    let (mut depth, mut quoted) = (0_u32, false);
    for (at, char) in text.char_indices() {
        match char {
            '"' if quoted && depth == 0 => return at + 1,
            '"' => quoted = !quoted,
            '[' | '{' if !quoted => depth += 1,
            ']' | '}' if !quoted => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return at + 1;
                }
            }
            ' ' | ',' | ';' | ':' if !quoted && depth == 0 => return at,
            _ => {}
        }
    }
    text.len()
}

/// A value of TOML as keepalived has it: a text without quotes, a list in braces without commas.
fn plain_value(value: &str) -> String {
    let list = value.strip_prefix('[').and_then(|value| value.strip_suffix(']'));
    match list {
        Some(list) => format!("{{ {} }}", list.replace("\", \"", " ").replace('"', "")),
        None => seconds(&value.replace('"', "")),
    }
}

/// keepalived writes lengths of time as seconds without a unit.
fn seconds(value: &str) -> String {
    let number = value.strip_suffix('s').filter(|number| number.parse::<u32>().is_ok());
    number.unwrap_or(value).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{parse, parse_as};

    #[test]
    fn what_to_write_is_said_in_the_language_of_the_file() {
        for (toml, conf) in [
            (
                "add preempt = false, or remove timer_expired_backup",
                "add nopreempt, or remove thread_timer_expired",
            ),
            ("write version = 3 on all routers", "write version 3 on all routers"),
            (
                "add virtual_addresses = [\"192.168.1.1/24\"], the addresses that move to the master",
                "add virtual_ipaddress { 192.168.1.1/24 }, the addresses that move to the master",
            ),
            ("write advertisement_interval = \"1s\"", "write advert_int 1"),
            (
                "add interface = \"eth0\", as `ip link` shows it",
                "add interface eth0, as `ip link` shows it",
            ),
            (
                "did you mean priority? Write it in [vrrp.instance.NAME]",
                "did you mean priority? Write it in vrrp_instance NAME { ... }",
            ),
            ("write checksum = \"message\"", "write v3_checksum_as_v2"),
            ("add instances = [\"lan\", \"wan\"]", "add group { lan wan }"),
            ("groups of instances have names", "groups of instances have names"),
            ("write a whole number from 1 to 255", "write a whole number from 1 to 255"),
        ] {
            assert_eq!(text(toml), conf);
        }
    }

    #[test]
    fn messages_name_the_block_and_its_keyword() {
        for (toml, conf) in [
            (
                "vrrp.instance.lan.advertisement_interval: \"x\" is not a length of time",
                "vrrp_instance lan: advert_int: \"x\" is not a length of time",
            ),
            (
                "vrrp.instance.lan.virtual_addresses[1]: the address is missing",
                "vrrp_instance lan: virtual_ipaddress[1]: the address is missing",
            ),
            ("vrrp.group.g: instances is missing", "vrrp_sync_group g: instances is missing"),
            (
                "global.vrrp_version: there are the versions 2 and 3",
                "global_defs: vrrp_version: there are the versions 2 and 3",
            ),
        ] {
            assert_eq!(message(toml), conf);
        }
    }

    /// The same findings, each in its language, from the one place where all come together.
    #[test]
    fn findings_have_the_dialect_of_their_file() {
        let wrong = "[vrrp.instance.lan]\ninterface = \"eth0\"\npreempt_delay = \"5s\"\n\
                     preempt = false\nvirtual_router_id = 7\n\
                     virtual_addresses = [\"10.0.0.1/24\"]\n";
        let help = |parsed: crate::config::Parsed| parsed.diagnostics[0].message.clone();
        assert_eq!(
            help(parse(wrong, None)),
            "vrrp.instance.lan.preempt_delay: there is no preemption to delay"
        );
        assert_eq!(
            help(parse_as(Dialect::Keepalived, wrong)),
            "vrrp_instance lan: preempt_delay: there is no preemption to delay"
        );
    }
}
