//! The tree of a configuration: what the reader looks its keys up in, whatever language the text is
//! in. Every key and every value knows its place in the text.

mod from_toml;

use crate::sorted::Map;
use std::borrow::Cow;
use std::fmt;

use super::diagnostic::Span;
pub use from_toml::of_toml;

/// A range of octets of the text, in few octets. A text is never longer than [`u32::MAX`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Octets {
    start: u32,
    end: u32,
}

impl Octets {
    fn new(start: usize, end: usize) -> Self {
        let short = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
        Self { start: short(start), end: short(end) }
    }

    fn span(self) -> Span {
        let long = |at: u32| usize::try_from(at).unwrap_or(usize::MAX);
        long(self.start)..long(self.end)
    }
}

/// A value and its place.
#[derive(Clone, PartialEq, Debug)]
pub struct Node<'a> {
    /// The value.
    pub value: Value<'a>,
    octets: Octets,
}

impl Node<'_> {
    /// Where it is: the value itself, or the header of a table that has one.
    pub fn span(&self) -> Span {
        self.octets.span()
    }
}

/// A value. Dates are nothing that a configuration here has, so nothing is kept of them.
#[derive(Clone, PartialEq, Debug)]
pub enum Value<'a> {
    /// A text, without its quotes and escapes.
    String(Cow<'a, str>),
    /// A whole number.
    Integer(Integer<'a>),
    /// A number with decimals, as it was written but for its underscores.
    Float(Cow<'a, str>),
    /// `true` or `false`.
    Boolean(bool),
    /// A date, a time, or both.
    Datetime,
    /// A list.
    Array(Vec<Node<'a>>),
    /// A table.
    Table(Box<Table<'a>>),
}

impl<'a> Value<'a> {
    /// The text, if it is one.
    pub fn as_str(&self) -> Option<&str> {
        if let Self::String(text) = self { Some(text) } else { None }
    }

    /// The number, if it is a whole one.
    pub const fn as_integer(&self) -> Option<&Integer<'a>> {
        if let Self::Integer(number) = self { Some(number) } else { None }
    }

    /// The elements, if it is a list.
    pub fn as_array(&self) -> Option<&[Node<'a>]> {
        if let Self::Array(array) = self { Some(array) } else { None }
    }
}

/// A whole number of any length. It is shown as it was written, but for underscores and a plus.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Integer<'a> {
    /// The digits, with a minus before them where there is one.
    pub digits: Cow<'a, str>,
    /// Their base: 2, 8, 10 or 16.
    pub radix: u32,
}

impl Integer<'_> {
    /// The number, unless it is beyond 64 bits.
    pub fn value(&self) -> Option<i64> {
        i64::from_str_radix(&self.digits, self.radix).ok()
    }
}

impl fmt::Display for Integer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.radix {
            2 => "0b",
            8 => "0o",
            16 => "0x",
            _ => "",
        })?;
        f.write_str(&self.digits)
    }
}

/// A key of a table, and what it leads to.
#[derive(Clone, PartialEq, Debug)]
pub struct Entry<'a> {
    /// The key, without quotes.
    pub key: &'a str,
    /// The value.
    pub node: Node<'a>,
    octets: Octets,
}

impl Entry<'_> {
    /// Where the key is.
    pub fn key_span(&self) -> Span {
        self.octets.span()
    }
}

/// A table.
#[derive(Clone, Default, Debug)]
pub struct Table<'a> {
    entries: Vec<Entry<'a>>,
    /// Where in `entries` each key is, once there are more than [`SEARCHED_KEYS`].
    index: Option<Map<&'a str, usize>>,
}

/// In a table of so many keys a key is found sooner by looking at each.
const SEARCHED_KEYS: usize = 16;

impl<'a> Table<'a> {
    /// How many keys it has.
    pub const fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether it has no key.
    pub const fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Its keys, in no order that means anything.
    pub fn entries(&self) -> &[Entry<'a>] {
        &self.entries
    }

    /// A key with its value.
    pub fn entry(&self, key: &str) -> Option<&Entry<'a>> {
        self.entries.get(self.position(key)?)
    }

    /// The value of a key.
    pub fn get(&self, key: &str) -> Option<&Node<'a>> {
        self.entry(key).map(|entry| &entry.node)
    }

    fn position(&self, key: &str) -> Option<usize> {
        match &self.index {
            Some(index) => index.get(key).copied(),
            None => self.entries.iter().position(|entry| entry.key == key),
        }
    }

    /// Adds a key that is not there yet.
    fn add(&mut self, entry: Entry<'a>) {
        let at = self.entries.len();
        if let Some(index) = &mut self.index {
            index.insert(entry.key, at);
        } else if at == SEARCHED_KEYS {
            let all = self.entries.iter().chain([&entry]).enumerate();
            self.index = Some(all.map(|(at, entry)| (entry.key, at)).collect());
        }
        self.entries.push(entry);
    }
}

/// The same keys with the same values at the same places, in any order.
impl PartialEq for Table<'_> {
    fn eq(&self, other: &Self) -> bool {
        let same = |entry: &Entry<'_>| other.entry(entry.key) == Some(entry);
        self.len() == other.len() && self.entries.iter().all(same)
    }
}
