//! The tree of a TOML text, from that of the toml crate.

use std::borrow::Cow;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::{Entry, Integer, Node, Octets, Table, Value};

/// The same tree as one of ours.
pub fn of_toml<'a>(tree: &'a DeTable<'a>) -> Table<'a> {
    let mut table = Table::default();
    table.entries.reserve(tree.len());
    for (name, value) in tree {
        let span = name.span();
        table.add(Entry {
            key: name.get_ref(),
            node: node(value),
            octets: Octets::new(span.start, span.end),
        });
    }
    table
}

fn node<'a>(value: &'a Spanned<DeValue<'a>>) -> Node<'a> {
    let span = value.span();
    let octets = Octets::new(span.start, span.end);
    let value = match value.get_ref() {
        DeValue::String(text) => Value::String(Cow::Borrowed(text)),
        DeValue::Integer(number) => {
            let digits = Cow::Borrowed(number.as_str());
            Value::Integer(Integer { digits, radix: number.radix() })
        }
        DeValue::Float(number) => Value::Float(Cow::Borrowed(number.as_str())),
        DeValue::Boolean(value) => Value::Boolean(*value),
        DeValue::Datetime(_) => Value::Datetime,
        DeValue::Array(array) => Value::Array(array.iter().map(node).collect()),
        DeValue::Table(table) => Value::Table(Box::new(of_toml(table))),
    };
    Node { value, octets }
}
