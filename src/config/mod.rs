//! The configuration: typed model, defaults, validation and diagnostics.

pub mod objects;

/// placeholder
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Route {
    /// React when somebody else removes it.
    pub track: bool,
}

/// placeholder
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Rule {
    /// React when somebody else removes it.
    pub track: bool,
}
