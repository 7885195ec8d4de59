//! Reading of a table.

use std::borrow::Cow;
use std::cell::RefCell;
use std::rc::Rc;

use super::path::{Path, join};
use super::{Context, FromItem, Item};
use crate::config::diagnostic::{Diagnostic, Span};
use crate::config::keys::aliases::{self, Answer};
use crate::config::keys::{self, Key, Keys, Place};
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
    keys: &'static Keys,
    /// Required keys that are not there, with what to say about it.
    missing: RefCell<Vec<(String, Diagnostic)>>,
}

/// A key that is there, and what it is.
#[derive(Clone, Debug)]
pub struct Given<'a> {
    item: Item<'a>,
    key: &'static Key,
}

impl Given<'_> {
    /// Reads the value into the field that it is for; a wrong value is reported and leaves the
    /// field as it is.
    // Inlined into the reading of each key, it would be a tenth of the program.
    #[inline(never)]
    pub fn write<T: FromItem>(&self, field: &mut T) {
        if let Some(value) = T::from_item(&self.item, self.key.kind) {
            *field = value;
        }
    }
}

impl<'a> Table<'a> {
    /// Starts to read a table.
    pub fn new(
        cx: &'a Context<'a>,
        tree: &'a tree::Table<'a>,
        span: Span,
        path: Path<'a>,
        table: keys::Table,
    ) -> Self {
        let keys::Table { place, keys } = table;
        let (path, missing) = (Rc::new(path), RefCell::default());
        Self { cx, tree, path, span, place, keys, missing }
    }

    /// The name of what a key leads to.
    fn below(&self, key: &'a str) -> Path<'a> {
        Path::Key(Rc::clone(&self.path), key)
    }

    /// What is under a key.
    fn item(&self, entry: &'a Entry<'a>) -> Item<'a> {
        let path = self.below(entry.key);
        Item { cx: self.cx, path, value: &entry.node.value, span: entry.node.span() }
    }

    /// Hands over every key that is there to `set`, which reads it. Reports keys that the table
    /// does not have, that are required and not there, and that the program cannot honour yet;
    /// the values of these are read nevertheless, so that they are checked.
    pub fn read(&self, mut set: impl FnMut(&str, &Given<'a>)) {
        self.keys.each(&mut |_, key, _| {
            if let Some(help) = key.required {
                self.require(key.name, help);
            }
        });
        let mut unknown = 0;
        for entry in self.tree.entries() {
            let Some(key) = self.keys.find(entry.key) else {
                unknown += 1;
                if unknown <= MAX_UNKNOWN_KEYS {
                    let meant = self.unknown(entry.key, entry.key_span());
                    self.missing.borrow_mut().retain(|(key, _)| Some(&**key) != meant);
                }
                continue;
            };
            if let Some(feature) = key.unbuilt {
                self.refuse(entry.key_span(), entry.key, feature);
            }
            set(entry.key, &Given { item: self.item(entry), key });
        }
        self.missing.take().into_iter().for_each(|(_, diagnostic)| self.cx.report(diagnostic));
    }

    /// The value of a key that is read together with others.
    pub fn get(&self, key: &str) -> Option<Item<'a>> {
        self.tree.entry(key).map(|entry| self.item(entry))
    }

    /// Reports that a value which is there is not built yet.
    pub fn refuse_value(&self, key: &str, feature: &str) {
        if let Some(entry) = self.tree.entry(key) {
            self.refuse(entry.key_span(), entry.key, feature);
        }
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
            | Place::Value
            | Place::Names => "remove it, or keep keepalived until it is built",
        };
        self.cx.report(Diagnostic::error(span, message).help(help));
    }

    /// A table under a key.
    pub fn table(&self, key: &str, table: keys::Table) -> Option<Self> {
        self.get(key)?.table(table)
    }

    /// The table under a name of keepalived, which is still reported as unknown: so the mistakes in
    /// it are found in the same run.
    pub fn renamed(&self, key: &'static str, table: keys::Table) -> Option<Self> {
        let node = self.tree.get(key)?;
        let Value::Table(tree) = &node.value else { return None };
        Some(Self::new(self.cx, tree, node.span(), self.below(key), table))
    }

    /// Whether the key is there at all.
    pub fn has(&self, key: &str) -> bool {
        self.tree.get(key).is_some()
    }

    /// Reports a key that has to be there and is not, unless it turns out to be misspelt.
    pub fn require(&self, key: &str, help: impl Into<String>) {
        if self.has(key) {
            return;
        }
        let message = format!("{}: {key} is missing", self.path);
        let diagnostic = Diagnostic::error(self.span.clone(), message).help(help).absent();
        self.missing.borrow_mut().push((key.to_owned(), diagnostic));
    }

    /// The entries of a table whose keys are names, in the order of the file.
    pub fn entries(&self) -> Vec<(&'a str, Span, Item<'a>)> {
        let start = |entry: &&Entry<'_>| entry.key_span().start;
        let mut entries: Vec<_> = self.tree.entries().iter().collect();
        if !entries.is_sorted_by_key(start) {
            entries.sort_unstable_by_key(start);
        }
        let item = |entry: &'a Entry<'a>| (entry.key, entry.key_span(), self.item(entry));
        entries.into_iter().map(item).collect()
    }

    /// The same, with a report of names that logs and commands could not use.
    pub fn named(&self) -> Vec<(&'a str, Item<'a>)> {
        let named = |(name, span, item): (&'a str, Span, Item<'a>)| {
            if let Err(wrong) = values::name(name) {
                item.wrong_at(span, wrong);
            }
            (name, item)
        };
        self.entries().into_iter().map(named).collect()
    }

    /// Reports a key; returns the one that was probably meant.
    fn unknown(&self, key: &'a str, span: Span) -> Option<&'static str> {
        let path = self.below(key);
        let table = keys::Table { place: self.place, keys: self.keys };
        if let Some(answer) = aliases::answer(self.cx.tables, table, key) {
            let (message, help, meant) = match answer {
                // At once, and not when the key has got its name here.
                Answer::Unbuilt(feature) => {
                    self.refuse(span, key, feature);
                    return None;
                }
                Answer::Write(meant, value) => {
                    let help = format!("write {meant} = {}", self.written(key, meant, value));
                    (aliases::RENAMED.to_owned(), help, Some(meant))
                }
                Answer::Say(what, help) => (what.to_owned(), help, None),
                Answer::Later(feature) => (
                    format!(
                        "this belongs to {feature}, not built yet in steadfast {}",
                        env!("CARGO_PKG_VERSION")
                    ),
                    "remove it, or keep keepalived until it is built".to_owned(),
                    None,
                ),
            };
            self.cx.report(Diagnostic::error(span, format!("{path}: {message}")).help(help));
            return meant;
        }
        let mut names = Vec::new();
        let mut built = Vec::new();
        self.keys.each(&mut |prefix, key, _| {
            let name = format!("{prefix}{}", key.name);
            if key.unbuilt.is_none() {
                built.push(name.clone());
            }
            names.push(name);
        });
        let meant = nearest(key, names.iter().map(String::as_str));
        let elsewhere = aliases::of_an_instance(self.place, key);
        let help = match (meant, elsewhere) {
            (Some(word), _) => format!("did you mean {word}?"),
            (None, Some(word)) => {
                format!("did you mean {word}? Write it in {}", Place::Instance.header())
            }
            // A name without the word before it.
            (None, None) if self.place == Place::Vrrp && self.is_table(key) => {
                format!("write [{}]", join("vrrp.instance", key))
            }
            (None, None) if names.len() <= 16 => format!("possible here: {}", built.join(", ")),
            (None, None) => "remove it; conf/steadfast.toml lists the keys".to_owned(),
        };
        self.cx.report(Diagnostic::error(span, format!("{path}: unknown key")).help(help));
        meant.and_then(|meant| self.keys.find(meant)).map(|key| key.name)
    }

    fn is_table(&self, key: &str) -> bool {
        self.tree.get(key).is_some_and(|node| matches!(node.value, Value::Table(_)))
    }

    /// What was written under `key`, as the value of the key that is `meant`: in the place of its
    /// example, where that is of the same kind.
    fn written(&self, key: &str, meant: &str, example: &'static str) -> Cow<'static, str> {
        let Some(node) = self.tree.get(key) else { return example.into() };
        let source = self.cx.text.get(node.span()).unwrap_or_default();
        if source.len() > 80 || self.place == Place::Authentication || source.contains(['\n', '{'])
        {
            return example.into();
        }
        let list_of_names = meant.ends_with('s');
        match &node.value {
            Value::String(_) if example.starts_with('[') && list_of_names => {
                format!("[{source}]").into()
            }
            Value::String(_) if example.starts_with('"') => source.to_owned().into(),
            Value::Array(_) if example.starts_with('[') => source.to_owned().into(),
            Value::Integer(_) if example == "\"1s\"" => format!("\"{source}s\"").into(),
            Value::Integer(_) if example.parse::<u32>().is_ok() => source.to_owned().into(),
            Value::String(_)
            | Value::Array(_)
            | Value::Integer(_)
            | Value::Float(_)
            | Value::Boolean(_)
            | Value::Datetime
            | Value::Table(_) => example.into(),
        }
    }
}

/// How many unknown keys of one table are reported: a suggestion for each takes its time.
const MAX_UNKNOWN_KEYS: usize = 1000;
