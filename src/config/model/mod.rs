//! The typed model of a configuration, with every default filled in.
//!
//! Values that an instance takes from `[global]` are already copied into it: two models are the
//! same exactly when the program would behave the same. Names are keepalived's where its users
//! know them.

mod global;
mod instance;
mod track;

pub use global::*;
pub use instance::*;
pub use track::*;

use crate::net::VirtualAddress;
use crate::net::{Route, Rule};

/// A whole configuration.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Model {
    /// `[global]`.
    pub global: Global,
    /// `[vrrp.instance.NAME]`, in the order of the file.
    pub instances: Vec<Instance>,
    /// `[vrrp.group.NAME]`, in the order of the file.
    pub groups: Vec<Group>,
    /// `[track.*.NAME]`.
    pub trackers: Trackers,
    /// `[static]`.
    pub statics: Statics,
}

/// `[static]`: installed as long as the program runs, whoever is master.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Statics {
    /// `addresses`.
    pub addresses: Vec<VirtualAddress>,
    /// `routes`.
    pub routes: Vec<Route>,
    /// `rules`.
    pub rules: Vec<Rule>,
}

/// A program to run, without a shell.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Command {
    /// The program and its arguments; at least one.
    pub argv: Vec<Box<str>>,
    /// The user that it runs as, when it is not `script_user`.
    pub user: Option<Box<str>>,
    /// The group, when it is not the user's.
    pub group: Option<Box<str>>,
}
