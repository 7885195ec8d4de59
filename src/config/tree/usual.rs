//! From the events of the toml crate's parser.

use std::borrow::Cow;

use toml_parser::decoder::{Encoding, ScalarKind};
use toml_parser::lexer::{Token, TokenKind};
use toml_parser::parser::{EventReceiver, parse_document};
use toml_parser::{ErrorSink, ParseError, Raw, Source, Span};

use super::{Entry, Integer, Node, Octets, Origin, Table, Value};

/// How many tokens are parsed at a time: what the processor keeps at hand.
const TOKENS: usize = 1024;

/// How many names a header has, and how many brackets are open in a value, at the most. The toml
/// crate's limit is higher.
const DEEP: usize = 16;

/// A table with a header has about as many keys.
const KEYS: usize = 8;

/// The tree of a text of the usual form: without mistakes, dotted keys, arrays of tables and dates.
/// `None`: it is of another.
pub fn usual(text: &str) -> Option<Table<'_>> {
    in_slices(text, TOKENS)
}

/// The same, parsed in slices of this many tokens and the rest of the last line.
pub(super) fn in_slices(text: &str, slice: usize) -> Option<Table<'_>> {
    let source = Source::new(text);
    let mut builder = Builder {
        source,
        root: Table::default(),
        current: Vec::with_capacity(DEEP),
        header: None,
        names: Vec::with_capacity(DEEP),
        key: None,
        open: Vec::with_capacity(DEEP),
        elements: Vec::new(),
        unusual: false,
    };
    let mut mistake = Mistake(false);
    let mut tokens = Vec::with_capacity(2 * slice);
    // The end of a line is the end of an expression where no bracket is open.
    let (mut square, mut curly) = (0_i32, 0_i32);
    for token in source.lex() {
        tokens.push(token);
        match token.kind() {
            TokenKind::LeftSquareBracket => square += 1,
            TokenKind::RightSquareBracket => square -= 1,
            TokenKind::LeftCurlyBracket => curly += 1,
            TokenKind::RightCurlyBracket => curly -= 1,
            TokenKind::Newline if tokens.len() >= slice && (square, curly) == (0, 0) => {
                builder.take(&tokens, &mut mistake)?;
                tokens.clear();
            }
            TokenKind::Newline
            | TokenKind::Dot
            | TokenKind::Equals
            | TokenKind::Comma
            | TokenKind::Whitespace
            | TokenKind::Comment
            | TokenKind::LiteralString
            | TokenKind::BasicString
            | TokenKind::MlLiteralString
            | TokenKind::MlBasicString
            | TokenKind::Atom
            | TokenKind::Eof => {}
        }
    }
    builder.take(&tokens, &mut mistake)?;
    Some(builder.root)
}

/// Whether there was one.
struct Mistake(bool);

impl ErrorSink for Mistake {
    fn report_error(&mut self, _: ParseError) {
        self.0 = true;
    }
}

/// Makes the tree.
struct Builder<'a> {
    source: Source<'a>,
    root: Table<'a>,
    /// The way from the root to the table that keys go to: where each table is in the one before.
    current: Vec<usize>,
    /// Inside of a header: where it begins.
    header: Option<usize>,
    /// The names in the latest header.
    names: Vec<(&'a str, Octets)>,
    /// The key that waits for its value, outside of braces.
    key: Option<(&'a str, Octets)>,
    /// The lists and tables in brackets that have no end yet.
    open: Vec<Open<'a>>,
    /// The elements of all open lists.
    elements: Vec<Node<'a>>,
    /// Something is left to the toml crate.
    unusual: bool,
}

/// A value that has no end yet.
enum Open<'a> {
    /// A list, and where its elements begin.
    Array { start: usize, first: usize },
    /// A table, and the key that waits for its value.
    Table { start: usize, table: Box<Table<'a>>, key: Option<(&'a str, Octets)> },
}

impl<'a> Builder<'a> {
    fn take(&mut self, tokens: &[Token], mistake: &mut Mistake) -> Option<()> {
        parse_document(tokens, self, mistake);
        (!mistake.0 && !self.unusual).then_some(())
    }

    /// A part of the text.
    fn raw(&mut self, span: Span, encoding: Option<Encoding>) -> Option<Raw<'a>> {
        let text = self.source.input().get(span.start()..span.end());
        self.unusual |= text.is_none();
        Some(Raw::new_unchecked(text?, encoding, span))
    }

    /// The table that keys go to.
    fn table(&mut self) -> Option<&mut Table<'a>> {
        let mut table = &mut self.root;
        for at in &self.current {
            table = table.with_headers(*at)?;
        }
        Some(table)
    }

    /// A value is complete.
    fn value(&mut self, value: Value<'a>, octets: Octets) {
        let node = Node { value, octets };
        let (table, key) = match self.open.last_mut() {
            Some(Open::Array { .. }) => return self.elements.push(node),
            Some(Open::Table { table, key, .. }) => (Some(&mut **table), key.take()),
            None => {
                let key = self.key.take();
                (self.table(), key)
            }
        };
        let added = table.zip(key).is_some_and(|(table, (key, octets))| {
            let new = table.position(key).is_none();
            if new {
                table.add(Entry { key, node, octets });
            }
            new
        });
        self.unusual |= !added;
    }

    /// A header is complete: goes to its table. `None`: its table cannot be, or it is there.
    fn go(&mut self, end: usize) -> Option<()> {
        let start = self.header.take()?;
        let ((key, octets), above) = self.names.split_last()?;
        self.current.clear();
        let mut table = &mut self.root;
        for (key, octets) in above {
            let at = table.position(key).unwrap_or_else(|| {
                let implied = Box::new(Table { origin: Origin::Implied, ..Table::default() });
                let node = Node { value: Value::Table(implied), octets: *octets };
                table.add(Entry { key, node, octets: *octets })
            });
            self.current.push(at);
            table = table.with_headers(at)?;
        }
        let span = Octets::new(start, end);
        let at = match table.position(key) {
            Some(at) => {
                let below = table.with_headers(at)?;
                if std::mem::take(&mut below.origin) != Origin::Implied {
                    return None;
                }
                let entry = table.entries.get_mut(at)?;
                (entry.octets, entry.node.octets) = (*octets, span);
                at
            }
            None => {
                let entries = Vec::with_capacity(KEYS);
                let table_of_keys = Box::new(Table { entries, ..Table::default() });
                let node = Node { value: Value::Table(table_of_keys), octets: span };
                table.add(Entry { key, node, octets: *octets })
            }
        };
        self.current.push(at);
        Some(())
    }
}

impl EventReceiver for Builder<'_> {
    fn std_table_open(&mut self, span: Span, _: &mut dyn ErrorSink) {
        self.names.clear();
        self.header = Some(span.start());
    }

    fn std_table_close(&mut self, span: Span, _: &mut dyn ErrorSink) {
        self.unusual |= self.go(span.end()).is_none();
    }

    fn array_table_open(&mut self, _: Span, _: &mut dyn ErrorSink) {
        self.unusual = true;
    }

    fn inline_table_open(&mut self, span: Span, _: &mut dyn ErrorSink) -> bool {
        self.unusual |= self.open.len() == DEEP;
        let table = Box::new(Table { origin: Origin::Braces, ..Table::default() });
        self.open.push(Open::Table { start: span.start(), table, key: None });
        !self.unusual
    }

    fn inline_table_close(&mut self, span: Span, _: &mut dyn ErrorSink) {
        match self.open.pop() {
            Some(Open::Table { start, table, .. }) => {
                self.value(Value::Table(table), Octets::new(start, span.end()));
            }
            Some(Open::Array { .. }) | None => self.unusual = true,
        }
    }

    fn array_open(&mut self, span: Span, _: &mut dyn ErrorSink) -> bool {
        self.unusual |= self.open.len() == DEEP;
        self.open.push(Open::Array { start: span.start(), first: self.elements.len() });
        !self.unusual
    }

    fn array_close(&mut self, span: Span, _: &mut dyn ErrorSink) {
        match self.open.pop() {
            Some(Open::Array { start, first }) if first <= self.elements.len() => {
                let elements = self.elements.split_off(first);
                self.value(Value::Array(elements), Octets::new(start, span.end()));
            }
            Some(Open::Array { .. } | Open::Table { .. }) | None => self.unusual = true,
        }
    }

    fn simple_key(&mut self, span: Span, encoding: Option<Encoding>, error: &mut dyn ErrorSink) {
        let Some(raw) = self.raw(span, encoding) else { return };
        // One with escapes is a mistake here, for there is no place for what they mean.
        let mut key = "";
        if encoding.is_none() && is_bare(raw.as_str()) {
            key = raw.as_str();
        } else {
            raw.decode_key(&mut key, error);
        }
        let key = (key, Octets::new(span.start(), span.end()));
        if self.header.is_some() {
            self.unusual |= self.names.len() == DEEP;
            self.names.push(key);
            return;
        }
        let place = match self.open.last_mut() {
            Some(Open::Table { key, .. }) => key,
            Some(Open::Array { .. }) | None => &mut self.key,
        };
        self.unusual |= place.replace(key).is_some();
    }

    fn key_sep(&mut self, _: Span, _: &mut dyn ErrorSink) {
        self.unusual |= self.header.is_none();
    }

    fn scalar(&mut self, span: Span, encoding: Option<Encoding>, error: &mut dyn ErrorSink) {
        let Some(raw) = self.raw(span, encoding) else { return };
        let octets = Octets::new(span.start(), span.end());
        if encoding == Some(Encoding::BasicString)
            && let Some(text) = unescaped(raw.as_str())
        {
            return self.value(Value::String(Cow::Borrowed(text)), octets);
        }
        let mut text = Cow::Borrowed("");
        let value = match raw.decode_scalar(&mut text, error) {
            ScalarKind::String => Value::String(text),
            ScalarKind::Boolean(value) => Value::Boolean(value),
            ScalarKind::Integer(radix) => {
                Value::Integer(Integer { digits: text, radix: radix.value() })
            }
            ScalarKind::Float => Value::Float(text),
            // There are dates that are none, such as of a thirteenth month.
            ScalarKind::DateTime => {
                self.unusual = true;
                Value::Datetime
            }
        };
        self.value(value, octets);
    }

    fn comment(&mut self, span: Span, error: &mut dyn ErrorSink) {
        if let Some(raw) = self.raw(span, None) {
            raw.decode_comment(error);
        }
    }

    fn newline(&mut self, span: Span, error: &mut dyn ErrorSink) {
        if let Some(raw) = self.raw(span, None) {
            raw.decode_newline(error);
        }
    }

    fn error(&mut self, _: Span, _: &mut dyn ErrorSink) {
        self.unusual = true;
    }
}

/// What is in the quotes, where that needs no decoding: letters, digits and marks of ASCII alone.
fn unescaped(quoted: &str) -> Option<&str> {
    let inside = quoted.strip_prefix('"')?.strip_suffix('"')?;
    inside.bytes().all(|octet| is(PLAIN, octet)).then_some(inside)
}

/// Whether a key without quotes is one.
fn is_bare(key: &str) -> bool {
    !key.is_empty() && key.bytes().all(|octet| is(BARE, octet))
}

/// What stands for itself in quotes.
const PLAIN: u8 = 1;
/// What a key without quotes is made of.
const BARE: u8 = 2;

fn is(kind: u8, octet: u8) -> bool {
    KINDS.get(usize::from(octet)).is_some_and(|kinds| kinds & kind != 0)
}

/// What each octet can be.
static KINDS: [u8; 256] = {
    let mut kinds = [0; 256];
    let (mut octet, mut left): (u8, &mut [u8]) = (0, &mut kinds);
    while let [kind, rest @ ..] = left {
        if matches!(octet, b' '..=b'~') && octet != b'\\' && octet != b'"' {
            *kind |= PLAIN;
        }
        if octet.is_ascii_alphanumeric() || octet == b'_' || octet == b'-' {
            *kind |= BARE;
        }
        octet = octet.wrapping_add(1);
        left = rest;
    }
    kinds
};
