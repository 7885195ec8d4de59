//! Typed reading of a TOML tree that reports every error and goes on.
//!
//! serde stops at the first error and drops the places of what it has read. A [`Table`] knows the
//! keys that it may have instead: [`Table::read`] hands over those that are there, and reports the
//! others. A value is read [as its type](FromItem) or becomes an entry in the list of diagnostics.

mod from_item;
mod path;
mod table;

use crate::sorted::Map;
use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use crate::config::diagnostic::{Diagnostic, Span};
use crate::config::keys::{self, Place, aliases};
use crate::config::suggest::nearest;
use crate::config::tree::{Node, Value};
use crate::config::values::{self, Wrong, show_duration};

pub use from_item::FromItem;
pub use path::{Path, join};
pub use table::{Given, Table};

/// What is collected while reading.
#[derive(Debug)]
pub struct Context<'a> {
    /// The source text.
    pub text: &'a str,
    diagnostics: RefCell<Vec<Diagnostic>>,
    /// Every kind of table that has a header.
    pub tables: &'static [keys::Table],
    holes: RefCell<Holes>,
}

/// For arrays (by where they start): the indices of elements that could not be read and so are
/// missing in the model.
pub type Holes = Map<usize, Vec<usize>>;

impl<'a> Context<'a> {
    /// Nothing found yet.
    pub fn new(text: &'a str, tables: &'static [keys::Table]) -> Self {
        let (diagnostics, holes) = Default::default();
        Self { text, diagnostics, tables, holes }
    }

    /// Adds a finding.
    pub fn report(&self, diagnostic: Diagnostic) {
        self.diagnostics.borrow_mut().push(diagnostic);
    }

    /// What was found.
    pub fn finish(self) -> (Vec<Diagnostic>, Holes) {
        (self.diagnostics.into_inner(), self.holes.into_inner())
    }
}

/// A value with its name and place.
#[derive(Clone, Debug)]
pub struct Item<'a> {
    cx: &'a Context<'a>,
    path: Path<'a>,
    /// The value.
    pub value: &'a Value<'a>,
    /// Where the value is.
    pub span: Span,
}

impl<'a> Item<'a> {
    /// Reports that something is wrong with this value.
    pub fn wrong(&self, wrong: Wrong) {
        self.wrong_at(self.span.clone(), wrong);
    }

    /// The same, about a part of it.
    pub fn wrong_at(&self, span: Span, wrong: Wrong) {
        let message = format!("{}: {}", self.path, wrong.message);
        self.cx.report(Diagnostic::error(span, message).help(wrong.help));
    }

    /// Reports another type than the expected one.
    fn type_error(&self, expected: &str, example: &str) {
        let found = match self.value {
            Value::String(_) => "a string",
            Value::Integer(_) => "a number",
            Value::Float(_) => "a number with decimals",
            Value::Boolean(_) => "true or false",
            Value::Datetime => "a date",
            Value::Array(_) => "a list",
            Value::Table(_) => "a table",
        };
        self.wrong(Wrong::new(format!("expected {expected}, found {found}"), example));
    }

    /// A text.
    pub fn string(&self) -> Option<&'a str> {
        if let Value::String(text) = self.value {
            return Some(text);
        }
        let only = |array: &&[Node<'_>]| array.len() == 1;
        let text =
            self.value.as_array().filter(only).and_then(|array| array.first()?.value.as_str());
        let number = self.value.as_integer().map(|number| number.to_string());
        let example = text.map(ToOwned::to_owned).or(number).unwrap_or_else(|| "...".to_owned());
        self.type_error("a string", &format!("write {} = \"{example}\"", self.key()));
        None
    }

    /// The last part of the name, without an index.
    pub fn key(&self) -> &str {
        self.path.key()
    }

    /// `true` or `false`.
    pub fn bool(&self) -> Option<bool> {
        if let Value::Boolean(value) = self.value {
            return Some(*value);
        }
        let key = self.key();
        self.type_error("true or false", &format!("write {key} = true or {key} = false"));
        None
    }

    /// A whole number within bounds.
    pub fn integer(&self, low: i64, high: i64) -> Option<i64> {
        let help = || format!("write a whole number from {low} to {high}");
        let Value::Integer(number) = self.value else {
            let quoted = self.value.as_str().filter(|text| text.parse::<i64>().is_ok());
            let unquote = |text| format!("write {} = {text}, without quotes", self.key());
            self.type_error("a whole number", &quoted.map_or_else(help, unquote));
            return None;
        };
        let value = number.value().filter(|value| (low..=high).contains(value));
        if value.is_none() {
            self.wrong(Wrong::new(format!("{number} is out of range"), help()));
        }
        value
    }

    /// A length of time within bounds.
    pub fn duration(&self, low: Duration, high: Duration) -> Option<Duration> {
        let parsed = match self.value {
            Value::String(text) => values::duration(text),
            Value::Integer(number) if number.radix == 10 => values::duration(&number.digits),
            Value::Float(number) => values::duration(number),
            Value::Integer(_)
            | Value::Boolean(_)
            | Value::Datetime
            | Value::Array(_)
            | Value::Table(_) => {
                let key = self.key();
                let help = format!("write {key} = \"1s\"; a bare number is seconds");
                self.type_error("a length of time", &help);
                return None;
            }
        };
        let length = parsed.map_err(|wrong| self.wrong(wrong)).ok()?;
        if !(low..=high).contains(&length) {
            self.wrong(Wrong::new(
                format!("{} is out of range", show_duration(length)),
                format!(
                    "write a length of time from \"{}\" to \"{}\"",
                    show_duration(low),
                    show_duration(high)
                ),
            ));
            return None;
        }
        Some(length)
    }

    fn array(&self) -> Option<&'a [Node<'a>]> {
        let Value::Array(array) = self.value else {
            let key = self.key();
            let help = match self.value.as_str() {
                Some(text) => format!("write {key} = [{}]", elements_of(text)),
                None if matches!(self.value, Value::Table(_)) => {
                    format!("write {key} = [{{ ... }}], with brackets around the table")
                }
                None => format!("write {key} = [...]"),
            };
            self.type_error("a list", &help);
            return None;
        };
        Some(array)
    }

    /// The elements of a list.
    pub fn items(&self) -> Option<Vec<Self>> {
        let list = Rc::new(self.path.clone());
        let element = |(index, node)| self.element(&list, index, node);
        Some(self.array()?.iter().enumerate().map(element).collect())
    }

    /// One element of this list, whose name is `list`.
    fn element(&self, list: &Rc<Path<'a>>, index: usize, node: &'a Node<'a>) -> Self {
        let path = Path::Index(Rc::clone(list), index);
        Self { cx: self.cx, path, value: &node.value, span: node.span() }
    }

    /// A list whose elements are read one by one; those that cannot be read are left out.
    pub fn list<T>(&self, read: impl Fn(&Self) -> Option<T>) -> Vec<T> {
        self.list_of(|_, _| false, read)
    }

    /// The same, where `plain` adds what nothing can be said against.
    pub fn list_of<T>(
        &self,
        plain: impl Fn(&Value<'a>, &mut Vec<T>) -> bool,
        read: impl Fn(&Self) -> Option<T>,
    ) -> Vec<T> {
        let Some(array) = self.array() else { return Vec::new() };
        let mut list = Vec::with_capacity(array.len());
        let mut name = None;
        for (index, node) in array.iter().enumerate() {
            if plain(&node.value, &mut list) {
                continue;
            }
            let name = name.get_or_insert_with(|| Rc::new(self.path.clone()));
            match read(&self.element(name, index, node)) {
                Some(value) => list.push(value),
                None => {
                    self.cx.holes.borrow_mut().entry(self.span.start).or_default().push(index);
                }
            }
        }
        list
    }

    /// A table.
    pub fn table(&self, table: keys::Table) -> Option<Table<'a>> {
        if let Value::Table(tree) = self.value {
            let path = self.path.clone();
            return Some(Table::new(self.cx, tree, self.span.clone(), path, table));
        }
        let help = self.table_help(table.place);
        self.type_error("a table", &help);
        None
    }

    /// What to write instead of a value that is no table.
    fn table_help(&self, place: Place) -> String {
        let path = &*self.path.to_string();
        let header = self.cx.text.get(self.span.clone()).is_some_and(|text| text.starts_with("[["));
        match place {
            Place::Names if path == "vrrp.instance" || path == "vrrp.group" => {
                format!("write [{path}.NAME], in single brackets, with a name such as lan")
            }
            _ if header => format!("write [{path}], in single brackets"),
            Place::Instance if aliases::is_of_an_instance(self.key()) => {
                "write [vrrp.instance.NAME] above it, with a name such as lan".to_owned()
            }
            Place::Group => {
                "write [vrrp.group.NAME] above it, with a name such as gateway".to_owned()
            }
            Place::Authentication => {
                "write authentication = { type = \"pass\", password = \"...\" }".to_owned()
            }
            Place::Root
            | Place::Global
            | Place::Vrrp
            | Place::Instance
            | Place::Track
            | Place::Static => {
                format!("write [{path}] and its keys below it")
            }
            Place::Script
            | Place::File
            | Place::Process
            | Place::Bfd
            | Place::Hmac
            | Place::Value
            | Place::Names => {
                format!("write {} = {{ ... }}", self.key())
            }
        }
    }

    /// One of several words: its place among them.
    pub fn choice(&self, words: &[&'static str]) -> Option<usize> {
        let all = || words.iter().map(|word| format!("\"{word}\"")).collect::<Vec<_>>().join(", ");
        let Value::String(text) = self.value else {
            self.type_error("a word", &format!("write one of {}", all()));
            return None;
        };
        let found = words.iter().position(|word| *word == text.as_ref());
        if found.is_none() {
            let help = match nearest(text, words.iter().copied()) {
                Some(word) => format!("did you mean \"{word}\"? Possible are {}", all()),
                None => format!("write one of {}", all()),
            };
            self.wrong(Wrong::new(format!("\"{text}\" is not possible here"), help));
        }
        found
    }

    /// The result of a parser of texts.
    pub fn parse<T>(&self, parser: impl Fn(&str) -> Result<T, Wrong>) -> Option<T> {
        parser(self.string()?).map_err(|wrong| self.wrong(wrong)).ok()
    }

    /// The name of an interface.
    pub fn interface(&self) -> Option<Box<str>> {
        self.parse(|text| values::interface(text).map(|()| text.into()))
    }

    /// A text that is not empty.
    pub fn text(&self) -> Option<Box<str>> {
        let text = self.string()?;
        if text.is_empty() {
            self.wrong(Wrong::new("is empty", "write a value, or remove the key"));
            return None;
        }
        if let Err(wrong) = values::visible(text) {
            self.wrong(wrong);
            return None;
        }
        Some(text.into())
    }

    /// The place of a part of this text: exact where the source has no escapes.
    pub fn part(&self, part: std::ops::Range<usize>) -> Span {
        let quoted = self.cx.text.get(self.span.clone()).unwrap_or_default();
        let same = |text: &&str| {
            quoted.len() == text.len() + 2 && quoted.get(1..=text.len()) == Some(*text)
        };
        if self.value.as_str().as_ref().is_some_and(same) {
            let start = self.span.start + 1;
            return start + part.start..start + part.end;
        }
        self.span.clone()
    }
}

/// The elements of a list that was written as one text: several addresses, or one of anything.
fn elements_of(text: &str) -> String {
    let split = |char: char| char == ',' || char.is_whitespace();
    let parts: Vec<&str> = text.split(split).filter(|part| !part.is_empty()).collect();
    if parts.iter().all(|part| values::address_with_len(part).is_ok()) {
        return parts.iter().map(|part| format!("\"{part}\"")).collect::<Vec<_>>().join(", ");
    }
    format!("\"{text}\"")
}
