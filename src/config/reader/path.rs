//! The names of keys and values in messages.

use std::fmt;
use std::rc::Rc;

/// A dotted name, which is written out only where something is wrong: most are never shown.
#[derive(Clone, Debug)]
pub enum Path<'a> {
    /// The whole file.
    Root,
    /// What a key of a table leads to.
    Key(Rc<Self>, &'a str),
    /// An element of a list, counted from 0.
    Index(Rc<Self>, usize),
}

impl Path<'_> {
    /// The last key in it.
    pub fn key(&self) -> &str {
        match self {
            Self::Root => "",
            Self::Key(_, key) => key,
            Self::Index(list, _) => list.key(),
        }
    }
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Root => Ok(()),
            Self::Key(table, key) => f.write_str(&join(&table.to_string(), key)),
            Self::Index(list, index) => write!(f, "{list}[{index}]"),
        }
    }
}

/// A dotted name with one more part, quoted where TOML needs it.
pub fn join(path: &str, key: &str) -> String {
    let bare = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
    let mut joined = String::with_capacity(path.len() + key.len() + 1);
    joined.push_str(path);
    if !path.is_empty() {
        joined.push('.');
    }
    if !key.is_empty() && key.bytes().all(bare) {
        joined.push_str(key);
    } else {
        joined.push('"');
        joined.extend(key.escape_debug());
        joined.push('"');
    }
    joined
}
