//! Addresses, routes and rules: as a line of words, as `ip` takes them, or as a table with the
//! same words as keys.

use std::ops::Range;

use crate::config::keys::Table;
use crate::config::reader::Item;
use crate::config::suggest::nearest;
use crate::config::tree::Value;
use crate::config::values::Wrong;

/// Something that is made of words.
pub trait Builder {
    /// What comes out.
    type Built;
    /// What it is called in messages.
    const WHAT: &'static str;
    /// The key of a table that stands for words without a keyword in a line.
    const FIRST: &'static str;
    /// The words that begin a setting with a value.
    const KEYS: &'static [&'static str];
    /// The words that are a setting by themselves; in a table they are `true` or `false`.
    const FLAGS: &'static [&'static str];

    /// Takes one setting; the words of its value come from `words`. `Ok(false)` when there is no
    /// such setting.
    fn set(&mut self, key: &str, words: &mut Words<'_>) -> Result<bool, Wrong>;

    /// Takes one setting of a table that is a list; `None` when there is no such setting.
    fn set_list(&mut self, _key: &str, _item: &Item<'_>) -> Option<()> {
        None
    }

    /// Checks what goes together.
    fn finish(self) -> Result<Self::Built, Wrong>;
}

/// Words separated by spaces.
#[derive(Debug)]
pub struct Words<'s> {
    text: &'s str,
    /// Where the words that were not taken yet begin.
    rest: usize,
    /// The word that was taken last.
    last: Range<usize>,
}

impl<'s> Words<'s> {
    /// All words of a text.
    pub fn new(text: &'s str) -> Self {
        Self { text, rest: 0, last: 0..text.len() }
    }

    /// The next word, without taking it.
    pub fn peek(&self) -> Option<&'s str> {
        self.text.get(self.rest..)?.split_whitespace().next()
    }

    /// Takes the next word.
    pub fn next(&mut self) -> Option<&'s str> {
        let rest = self.text.get(self.rest..)?.trim_start();
        let word = rest.split_whitespace().next()?;
        let start = self.text.len() - rest.len();
        self.last = start..start + word.len();
        self.rest = self.last.end;
        Some(word)
    }

    /// Takes the next word, which belongs to `key`.
    pub fn value(&mut self, key: &str) -> Result<&'s str, Wrong> {
        self.next().ok_or_else(|| {
            Wrong::new(format!("the value of {key} is missing"), format!("write it after {key}"))
        })
    }

    /// Takes the next word as a number.
    pub fn number<N: std::str::FromStr>(&mut self, key: &str) -> Result<N, Wrong> {
        let word = self.value(key)?;
        word.parse().map_err(|_| {
            Wrong::new(format!("{key} {word} is not a number in range"), "write a whole number")
        })
    }
}

/// Reads a text or a table.
pub fn read<B: Builder>(item: &Item<'_>, mut builder: B) -> Option<B::Built> {
    let complete = match item.value {
        Value::String(text) => read_line(item, text, &mut builder),
        Value::Table(_) => read_table(item, &mut builder)?,
        Value::Integer(_)
        | Value::Float(_)
        | Value::Boolean(_)
        | Value::Datetime
        | Value::Array(_) => {
            let message = format!("expected {} as a string or a table", B::WHAT);
            item.wrong(Wrong::new(message, "write it in quotes"));
            false
        }
    };
    if !complete {
        return None;
    }
    builder.finish().map_err(|wrong| item.wrong(wrong)).ok()
}

fn read_line<B: Builder>(item: &Item<'_>, text: &str, builder: &mut B) -> bool {
    let mut words = Words::new(text);
    let mut seen: Vec<&str> = Vec::new();
    while let Some(word) = words.next() {
        let key = word;
        if seen.contains(&key) && key != "nexthop" {
            item.wrong_at(
                item.part(words.last.clone()),
                Wrong::new(format!("{key} is given twice"), "remove one of them"),
            );
            return false;
        }
        if key == "nexthop" {
            seen.clear();
        }
        let result = match builder.set(key, &mut words) {
            Ok(true) => {
                // Most lines are one word, and nothing to remember.
                if words.peek().is_some() {
                    seen.push(key);
                }
                continue;
            }
            Ok(false) => unknown_word::<B>(key),
            Err(wrong) => wrong,
        };
        item.wrong_at(item.part(words.last), result);
        return false;
    }
    true
}

fn read_table<B: Builder>(item: &Item<'_>, builder: &mut B) -> Option<bool> {
    let mut complete = true;
    for (key, key_span, value) in item.table(Table::NAMES)?.entries() {
        if matches!(value.value, Value::Array(_)) && builder.set_list(key, &value).is_some() {
            continue;
        }
        let known = key == B::FIRST || B::KEYS.contains(&key) || B::FLAGS.contains(&key);
        if !known {
            value.wrong_at(key_span, unknown_key::<B>(key));
            complete = false;
            continue;
        }
        if B::FLAGS.contains(&key) {
            match value.bool() {
                Some(true) => {}
                Some(false) => continue,
                None => {
                    complete = false;
                    continue;
                }
            }
        }
        let text = match value.value {
            Value::String(text) => text.to_string(),
            Value::Integer(number) => number.to_string(),
            Value::Boolean(_) if B::FLAGS.contains(&key) => String::new(),
            Value::Float(_)
            | Value::Boolean(_)
            | Value::Datetime
            | Value::Array(_)
            | Value::Table(_) => {
                let help = format!("write {key} = \"...\"");
                value.wrong(Wrong::new("expected a string or a number", help));
                complete = false;
                continue;
            }
        };
        let mut words = Words::new(&text);
        let result = if key == B::FIRST {
            match words.next() {
                Some(word) => builder.set(word, &mut words),
                None => Err(Wrong::new("is empty", "write a value, or remove the key")),
            }
        } else {
            builder.set(key, &mut words)
        };
        let wrong = match result {
            Ok(true) if words.peek().is_none() => continue,
            Ok(true) => {
                Wrong::new("has more words than it takes", "give every setting its own key")
            }
            Ok(false) => unknown_word::<B>(&text),
            Err(wrong) => wrong,
        };
        value.wrong_at(value.part(words.last), wrong);
        complete = false;
    }
    Some(complete)
}

/// An unknown key of a table, where what is the first word of a text is a key as well.
fn unknown_key<B: Builder>(key: &str) -> Wrong {
    let wrong = unknown_word::<B>(key);
    match wrong.help.strip_prefix("possible are ") {
        Some(words) => Wrong::new(wrong.message, format!("possible are {}, {words}", B::FIRST)),
        None => wrong,
    }
}

fn unknown_word<B: Builder>(word: &str) -> Wrong {
    if word.starts_with('/') {
        let message = format!("there is a space before \"{word}\"");
        return Wrong::new(message, format!("write the address and {word} as one word"));
    }
    let known = || B::KEYS.iter().chain(B::FLAGS).copied();
    let help = match (word, nearest(word, known())) {
        ("-nodad", _) => "write dad to run duplicate address detection".to_owned(),
        ("gw" | "gateway", _) => "write via before the gateway".to_owned(),
        ("device" | "interface", _) => "write dev before the interface".to_owned(),
        ("nodad" | "no_dad", _) => {
            "remove it: duplicate address detection is off unless dad is written".to_owned()
        }
        ("track", _) => "write no_track to ignore its removal by others".to_owned(),
        ("mngtmpaddr" | "autojoin" | "use_vmac" | "track_group" | "or" | "encap", _) => {
            format!("remove it: not built yet in steadfast {}", env!("CARGO_PKG_VERSION"))
        }
        (_, Some(near)) => format!("did you mean {near}?"),
        (_, None) => format!("possible are {}", known().collect::<Vec<_>>().join(", ")),
    };
    Wrong::new(format!("{} has no \"{word}\"", B::WHAT), help)
}
