//! The typed model of a configuration, with every default filled in.
//!
//! Values that an instance takes from `[global]` are already copied into it: two models are the
//! same exactly when the program would behave the same. Names are keepalived's where its users
//! know them.

mod global;
mod instance;
mod notify;
mod track;

pub use global::*;
pub use instance::*;
pub use notify::*;
pub use track::*;

use super::keys::{Key, Keys, Kind, Place, Table};
use super::section::{Section, section};
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

section! {
    /// `[static]`: installed as long as the program runs, whoever is master.
    #[derive(Clone, PartialEq, Debug)]
    pub struct Statics {
        /// Addresses.
        addresses: Vec<VirtualAddress> = Vec::new(),
            key Key::new("addresses", Kind::Other("a list of addresses"), "[\"192.168.1.1/24\"]");
        /// Routes.
        routes: Vec<Route> = Vec::new(),
            key Key::new("routes", Kind::Other("a list of routes"), "[\"...\"]");
        /// Policy rules.
        rules: Vec<Rule> = Vec::new(),
            key Key::new("rules", Kind::Other("a list of rules"), "[\"...\"]");
    }
}

/// What unicast keys wait for.
const UNICAST: &str = "unicast is";

const TABLE: Kind = Kind::Other("a table");
const IPVS: &str = "virtual servers (IPVS) are";

section! {
    /// The file itself: its tables.
    #[derive(Clone, PartialEq, Debug)]
    pub struct RootTable {
        /// What is not of one instance.
        global: () = (), own Key::new("global", TABLE, "");
        /// Instances and groups of VRRP.
        vrrp: () = (), own Key::new("vrrp", TABLE, "");
        /// Scripts, files, processes and BFD sessions that instances track.
        track: () = (), own Key::new("track", TABLE, "");
        /// Addresses, routes and rules that are there whoever is master.
        statics: () = (),
            own Key::new("static", TABLE, "").unbuilt("static addresses, routes and rules are");
        /// Virtual servers.
        virtual_server: () = (), own Key::new("virtual_server", TABLE, "").unbuilt(IPVS);
        /// Groups of virtual servers.
        virtual_server_group: () = (),
            own Key::new("virtual_server_group", TABLE, "").unbuilt(IPVS);
    }
}

section! {
    /// `[vrrp]`: where the tables of instances and groups are.
    #[derive(Clone, PartialEq, Debug)]
    pub struct VrrpTable {
        /// `[vrrp.instance.NAME]`.
        instance: () = (), own Key::new("instance", TABLE, "");
        /// `[vrrp.group.NAME]`.
        group: () = (), own Key::new("group", TABLE, "");
    }
}

/// Every kind of table that has a header, with its keys.
pub const TABLES: &[Table] =
    &[ROOT, GLOBAL, VRRP, INSTANCE, GROUP, TRACK, SCRIPT, FILE, PROCESS, BFD, STATIC];

/// A kind of table with the keys of a section.
const fn table(place: Place, keys: &'static Keys) -> Table {
    Table { place, keys }
}

/// The file itself.
pub const ROOT: Table = table(Place::Root, RootTable::KEYS);
/// `[global]`.
pub const GLOBAL: Table = table(Place::Global, GlobalTable::KEYS);
/// `[vrrp]`.
pub const VRRP: Table = table(Place::Vrrp, VrrpTable::KEYS);
/// `[vrrp.instance.NAME]`.
pub const INSTANCE: Table = table(Place::Instance, Instance::KEYS);
/// `[vrrp.group.NAME]`.
pub const GROUP: Table = table(Place::Group, Group::KEYS);
/// `[track]`.
pub const TRACK: Table = table(Place::Track, TrackTable::KEYS);
/// `[track.script.NAME]`.
pub const SCRIPT: Table = table(Place::Script, ScriptTracker::KEYS);
/// `[track.file.NAME]`.
pub const FILE: Table = table(Place::File, FileTracker::KEYS);
/// `[track.process.NAME]`.
pub const PROCESS: Table = table(Place::Process, ProcessTracker::KEYS);
/// `[track.bfd.NAME]`.
pub const BFD: Table = table(Place::Bfd, BfdTracker::KEYS);
/// `[static]`.
pub const STATIC: Table = table(Place::Static, Statics::KEYS);
