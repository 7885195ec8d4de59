//! From a part of the model back to its place in the text.

use super::diagnostic::Span;
use super::reader::Holes;
use super::tree::{Node, Table, Value};

/// One step down.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Step<'p> {
    /// To the value of a key.
    Key(&'p str),
    /// To an element of a list of the model.
    Index(usize),
}

/// Knows where the parts of a model were written. Every language of configuration has its own.
pub trait Places {
    /// The place of what the steps lead to; when that is not written, of the nearest thing around
    /// it that is.
    fn find(&self, path: &[Step<'_>]) -> Span;

    /// Whether it is written at all.
    fn is_written(&self, path: &[Step<'_>]) -> bool;
}

/// The places of a TOML tree.
#[derive(Debug)]
pub struct TomlPlaces<'a> {
    tree: &'a Table<'a>,
    holes: Holes,
}

impl<'a> TomlPlaces<'a> {
    /// Of a tree, and of the elements that the model lacks.
    pub fn new(tree: &'a Table<'a>, holes: Holes) -> Self {
        Self { tree, holes }
    }

    /// The place, and whether all steps could be taken.
    fn walk(&self, path: &[Step<'_>]) -> (Span, bool) {
        let mut span = 0..0;
        let mut at: Option<&Node<'a>> = None;
        for step in path {
            let next = match (*step, at.map(|node| &node.value)) {
                (Step::Key(key), None) => self.tree.get(key),
                (Step::Key(key), Some(Value::Table(table))) => table.get(key),
                (Step::Index(index), Some(Value::Array(array))) => {
                    array.get(self.source_index(&span, index))
                }
                (Step::Key(_) | Step::Index(_), _) => None,
            };
            let Some(next) = next else { return (span, false) };
            span = next.span();
            at = Some(next);
        }
        (span, true)
    }

    /// The index in the text of an element that has this index in the model.
    fn source_index(&self, array: &Span, index: usize) -> usize {
        let holes = self.holes.get(&array.start).map(Vec::as_slice).unwrap_or_default();
        holes.iter().fold(index, |index, hole| if *hole <= index { index + 1 } else { index })
    }
}

impl Places for TomlPlaces<'_> {
    fn find(&self, path: &[Step<'_>]) -> Span {
        self.walk(path).0
    }

    fn is_written(&self, path: &[Step<'_>]) -> bool {
        self.walk(path).1
    }
}
