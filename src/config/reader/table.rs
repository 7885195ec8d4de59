//! Reading of a table.

use std::cell::RefCell;
use std::fmt::Display;
use std::ops::RangeInclusive;
use std::rc::Rc;
use std::time::Duration;

use super::path::{Path, join};
use super::{Context, Item};
use crate::config::diagnostic::{Diagnostic, Span};
use crate::config::keys::{self, KeywordAlias, Place};
use crate::config::suggest::nearest;
use crate::config::tree::{self, Entry, Value};
use crate::config::values;

/// A table that is being read.
#[derive(Debug)]
pub struct Table<'a> {
    cx: &'a Context<'a>,
    tree: &'a tree::Table<'a>,
    path: Rc<Path<'a>>,
    /// Its header, or all of it when it is written in braces.
    pub span: Span,
    place: Place,
    known: Vec<&'static str>,
    /// Required keys that are not there, with what to say about it.
    missing: RefCell<Vec<(String, Diagnostic)>>,
    /// How many of its keys were asked for.
    taken: usize,
}

impl<'a> Table<'a> {
    /// Starts to read a table.
    pub fn new(
        cx: &'a Context<'a>,
        tree: &'a tree::Table<'a>,
        span: Span,
        path: Path<'a>,
        place: Place,
    ) -> Self {
        let path = Rc::new(path);
        let known = cx.rooms.borrow_mut().pop().unwrap_or_default();
        let missing = RefCell::default();
        Self { cx, tree, path, span, place, known, missing, taken: 0 }
    }

    /// The name of what a key leads to.
    fn below(&self, key: &'a str) -> Path<'a> {
        Path::Key(Rc::clone(&self.path), key)
    }

    /// The value of a key. Reports keys that the program cannot honour yet, and still returns
    /// their value, so that it is checked.
    pub fn get(&mut self, key: &'static str) -> Option<Item<'a>> {
        let (entry, item) = self.look(key)?;
        if let Some(feature) = keys::unbuilt(self.place, key) {
            self.refuse(entry.key_span(), key, feature);
        }
        Some(item)
    }

    /// The value of a key of which only some values are not built yet.
    fn look(&mut self, key: &'static str) -> Option<(&'a Entry<'a>, Item<'a>)> {
        self.known.push(key);
        let entry = self.tree.entry(key)?;
        self.taken += 1;
        Some((entry, self.item(entry)))
    }

    /// What is under a key.
    fn item(&self, entry: &'a Entry<'a>) -> Item<'a> {
        let path = self.below(entry.key);
        Item { cx: self.cx, path, value: &entry.node.value, span: entry.node.span() }
    }

    fn refuse(&self, span: Span, key: &'a str, feature: &str) {
        let message = format!(
            "{}: {feature} not built yet in steadfast {}",
            self.below(key),
            env!("CARGO_PKG_VERSION")
        );
        let help = match self.place {
            Place::Instance => "remove the key, or keep keepalived for this instance",
            Place::Group => "remove the key, or keep keepalived for this group",
            Place::Root
            | Place::Global
            | Place::Vrrp
            | Place::Track
            | Place::Script
            | Place::File
            | Place::Process
            | Place::Bfd
            | Place::Static
            | Place::Authentication
            | Place::Hmac
            | Place::Other => "remove it, or keep keepalived until it is built",
        };
        self.cx.report(Diagnostic::error(span, message).help(help));
    }

    /// A text.
    pub fn text(&mut self, key: &'static str) -> Option<Box<str>> {
        self.get(key)?.text()
    }

    /// `true` or `false`.
    pub fn bool(&mut self, key: &'static str) -> Option<bool> {
        self.get(key)?.bool()
    }

    /// `true` or `false`, of which one value is not built yet.
    pub fn bool_without(
        &mut self,
        key: &'static str,
        missing: bool,
        feature: &str,
    ) -> Option<bool> {
        let (entry, item) = self.look(key)?;
        let value = item.bool()?;
        if value == missing {
            self.refuse(entry.key_span(), key, feature);
        }
        Some(value)
    }

    /// A whole number.
    pub fn integer<N>(&mut self, key: &'static str, range: RangeInclusive<N>) -> Option<N>
    where
        N: TryFrom<i64> + Copy + PartialOrd + Display,
    {
        self.get(key)?.integer(range)
    }

    /// A length of time.
    pub fn duration(
        &mut self,
        key: &'static str,
        range: RangeInclusive<Duration>,
    ) -> Option<Duration> {
        self.get(key)?.duration(range)
    }

    /// A list.
    pub fn list<T>(&mut self, key: &'static str, read: impl Fn(&Item<'a>) -> Option<T>) -> Vec<T> {
        self.get(key).map(|item| item.list(read)).unwrap_or_default()
    }

    /// A table.
    pub fn table(&mut self, key: &'static str, place: Place) -> Option<Table<'a>> {
        self.get(key)?.table(place)
    }

    /// The table under a name of keepalived, which is still reported as unknown: so the mistakes in
    /// it are found in the same run.
    pub fn renamed(&self, key: &'static str, place: Place) -> Option<Self> {
        let node = self.tree.get(key)?;
        let Value::Table(tree) = &node.value else { return None };
        Some(Self::new(self.cx, tree, node.span(), self.below(key), place))
    }

    /// Whether the key is there at all.
    pub fn has(&self, key: &str) -> bool {
        self.tree.get(key).is_some()
    }

    /// Reports a key that has to be there, unless it turns out to be misspelt.
    pub fn missing(&self, key: &str, help: impl Into<String>) {
        let message = format!("{}: {key} is missing", self.path);
        let diagnostic = Diagnostic::error(self.span.clone(), message).help(help).absent();
        self.missing.borrow_mut().push((key.to_owned(), diagnostic));
    }

    /// The entries in the order of the file; no two are at one place.
    fn in_order(&self) -> Vec<&'a Entry<'a>> {
        let start = |entry: &&Entry<'_>| entry.key_span().start;
        let mut entries: Vec<_> = self.tree.entries().iter().collect();
        if !entries.is_sorted_by_key(start) {
            entries.sort_unstable_by_key(start);
        }
        entries
    }

    /// The entries of a table that is keyed by name, in the order of the file. Reports names that
    /// logs and commands could not use.
    pub fn named(&mut self) -> Vec<(&'a str, Item<'a>)> {
        let entries = self.in_order();
        self.taken = entries.len();
        let item = |entry: &'a Entry<'a>| {
            let item = self.item(entry);
            if let Err(wrong) = values::name(entry.key) {
                item.wrong_at(entry.key_span(), wrong);
            }
            (entry.key, item)
        };
        entries.into_iter().map(item).collect()
    }

    /// All entries, in the order of the file, for tables whose keys are looked up elsewhere.
    pub fn entries(&mut self) -> Vec<(&'a str, Span, Item<'a>)> {
        let entries = self.in_order();
        self.taken = entries.len();
        let item = |entry: &'a Entry<'a>| (entry.key, entry.key_span(), self.item(entry));
        entries.into_iter().map(item).collect()
    }

    /// Reports the keys that nobody asked for.
    pub fn finish(self) {
        let mut missing = self.missing.take();
        if self.taken != self.tree.len() {
            let unknown = |entry: &&Entry<'_>| !self.known.contains(&entry.key);
            for entry in self.tree.entries().iter().filter(unknown).take(UNKNOWN_MAX) {
                let meant = self.unknown(entry.key, entry.key_span());
                missing.retain(|(key, _)| Some(&**key) != meant);
            }
        }
        missing.into_iter().for_each(|(_, diagnostic)| self.cx.report(diagnostic));
        let mut room = self.known;
        room.clear();
        self.cx.rooms.borrow_mut().push(room);
    }

    /// Reports a key; returns the one that was probably meant.
    fn unknown(&self, key: &'a str, span: Span) -> Option<&'static str> {
        let path = self.below(key);
        if let Some(habit) = keys::habit(self.place, key) {
            // At once, and not when the key has got its name here.
            if let Some(feature) = habit.unbuilt(self.place) {
                self.refuse(span, key, feature);
                return habit.key();
            }
            let message = format!("{path}: {}", habit.what());
            let help = match habit {
                KeywordAlias::Write(_) => self.with_value(key, habit.help()),
                KeywordAlias::Elsewhere(_) | KeywordAlias::Drop(_) | KeywordAlias::Later(_) => {
                    habit.help()
                }
            };
            self.cx.report(Diagnostic::error(span, message).help(help));
            return habit.key();
        }
        let meant = nearest(key, self.known.iter().copied());
        let elsewhere = keys::of_an_instance(self.place, key);
        let help = match meant.or(elsewhere) {
            Some(word) if meant.is_none() => {
                format!("did you mean {word}? Write it in [vrrp.instance.NAME]")
            }
            Some(word) => format!("did you mean {word}?"),
            // A name without the word before it.
            None if self.place == Place::Vrrp && self.is_table(key) => {
                format!("write [{}]", join("vrrp.instance", key))
            }
            None if self.known.len() <= 16 => {
                let built = |key: &&&str| keys::unbuilt(self.place, key).is_none();
                let known: Vec<&str> = self.known.iter().filter(built).copied().collect();
                format!("possible here: {}", known.join(", "))
            }
            None => "remove it; conf/steadfast.toml lists the keys".to_owned(),
        };
        self.cx.report(Diagnostic::error(span, format!("{path}: unknown key")).help(help));
        meant
    }

    fn is_table(&self, key: &str) -> bool {
        self.tree.get(key).is_some_and(|node| matches!(node.value, Value::Table(_)))
    }

    /// The advice `write KEY = EXAMPLE` with what was written under `key` in the place of the
    /// example, where that is of the same kind.
    fn with_value(&self, key: &str, help: String) -> String {
        let Some((begin, example)) = help.split_once(" = ") else { return help };
        let Some(node) = self.tree.get(key) else { return help };
        let source = self.cx.text.get(node.span()).unwrap_or_default();
        if source.len() > 80
            || help.contains(" in [")
            || self.place == Place::Authentication
            || source.contains(['\n', '{'])
        {
            return help;
        }
        let list_of_names = begin.ends_with('s');
        let written = match &node.value {
            Value::String(_) if example.starts_with('[') && list_of_names => {
                format!("[{source}]")
            }
            Value::String(_) if example.starts_with('"') => source.to_owned(),
            Value::Array(_) if example.starts_with('[') => source.to_owned(),
            Value::Integer(_) if example == "\"1s\"" => format!("\"{source}s\""),
            Value::Integer(_) if example.parse::<u32>().is_ok() => source.to_owned(),
            Value::String(_)
            | Value::Array(_)
            | Value::Integer(_)
            | Value::Float(_)
            | Value::Boolean(_)
            | Value::Datetime
            | Value::Table(_) => return help,
        };
        format!("{begin} = {written}")
    }
}

/// How many unknown keys of one table are reported: a suggestion for each takes its time.
const UNKNOWN_MAX: usize = 1000;
