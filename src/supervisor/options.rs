//! How a daemon is to run, and why it does not.

use std::io;
use std::path::PathBuf;

use super::log::Target;
use crate::control::event::Level;

/// How to run.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Options {
    /// The file of the configuration.
    pub file: PathBuf,
    /// The state directory.
    pub state_dir: PathBuf,
    /// Where the log goes.
    pub log: Target,
    /// How much is logged.
    pub level: Level,
}

/// Why it does not run.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Failure {
    /// What is wrong.
    pub what: String,
    /// What to do about it.
    pub help: String,
}

impl Failure {
    /// With what is wrong, and the remedy.
    pub fn new(what: impl Into<String>, help: impl Into<String>) -> Self {
        Self { what: what.into(), help: help.into() }
    }

    /// Of a call that the system refused.
    pub fn system(what: &str) -> impl Fn(io::Error) -> Self {
        move |error| Self::new(format!("{what}: {error}"), "see what the system is short of")
    }
}
