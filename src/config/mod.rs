//! The configuration: typed model, defaults, validation and diagnostics.
//!
//! ```text
//! octets --source--> text --tree--> Table --read--> Model --validate--> diagnostics
//!                                     |                        |
//!                                     +--------- locate -------+
//! ```
//!
//! [`source`] turns the octets of a file into text, or says why it cannot. [`parse`] reads a
//! text: [`tree`] makes a tree of it in which every key and value knows its place; [`reader`]
//! reads typed values from it and goes on after an error, so that all are found in one run; `read`
//! builds the [`model::Model`]; [`validate`] looks at what goes together. The model holds no
//! places: when a cross check finds something, [`locate`] looks the place up in the tree.
//!
//! A key is one row of a [`section`]: the field of the model, its default, its [`keys::Key`] and its
//! help. [`report`] is what the user sees of it, in the [`dialect`] of the file. [`diff`] tells two models apart, for a reload.

pub mod diagnostic;
pub mod dialect;
pub mod diff;
pub mod keys;
pub mod locate;
pub mod machine;
pub mod model;
mod read;
pub mod reader;
pub mod report;
pub mod section;
pub mod source;
pub mod suggest;
mod syntax;
pub mod tree;
pub mod validate;
pub mod values;

use diagnostic::{Diagnostic, Severity};
use dialect::Dialect;
use locate::TomlPlaces;
use machine::Machine;
use model::Model;
use reader::Context;
use toml::de::DeTable;

/// Where the configuration is when nothing else is said.
pub const DEFAULT_PATH: &str = "/etc/steadfast/steadfast.toml";

/// What came of reading a text.
#[derive(Debug)]
pub struct Parsed {
    /// The model; `None` when there is an error.
    pub model: Option<Model>,
    /// Everything that was found, in the order of the text.
    pub diagnostics: Vec<Diagnostic>,
}

/// Reads a whole configuration from TOML. `machine` is what the cross checks compare interfaces
/// and addresses with; without it they look at the text alone.
pub fn parse(text: &str, machine: Option<&Machine>) -> Parsed {
    let (tree, errors) = DeTable::parse_recoverable(text);
    if errors.is_empty() {
        return parse_tree(Dialect::Toml, text, &tree::of_toml(tree.get_ref()), None, machine);
    }
    let repaired = syntax::repair(text, errors);
    let tree = DeTable::parse_recoverable(&repaired.text).0;
    let tree = tree::of_toml(tree.get_ref());
    parse_tree(Dialect::Toml, text, &tree, Some(repaired.diagnostics), machine)
}

/// The same of what was a text in some language; with the mistakes in its syntax.
fn parse_tree<'a>(
    dialect: Dialect,
    text: &'a str,
    tree: &'a tree::Table<'a>,
    syntax: Option<Vec<Diagnostic>>,
    machine: Option<&Machine>,
) -> Parsed {
    let context = Context::new(text, model::TABLES);
    let reading = read::model(&context, tree);
    let (mut diagnostics, holes) = context.finish();
    if let Some(syntax) = syntax {
        diagnostics = syntax::merge(text, syntax, diagnostics);
    } else {
        let places = TomlPlaces::new(tree, holes);
        validate::validate(&reading, &places, machine, &mut diagnostics);
    }
    diagnostics.iter_mut().for_each(|found| dialect.translate(found));
    diagnostics
        .sort_unstable_by(|a, b| (a.span.start, &a.message).cmp(&(b.span.start, &b.message)));
    let failed = diagnostics.iter().any(|d| d.severity == Severity::Error);
    Parsed { model: (!failed).then_some(reading.model), diagnostics }
}

/// A text of TOML, as if its tree came from another language.
#[cfg(test)]
fn parse_as(dialect: Dialect, text: &str) -> Parsed {
    let (tree, _) = DeTable::parse_recoverable(text);
    parse_tree(dialect, text, &tree::of_toml(tree.get_ref()), None, None)
}

#[cfg(test)]
mod tests;
