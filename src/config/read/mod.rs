//! From the TOML tree to the model.

mod global;
mod instance;
mod objects;
mod routes;
mod security;
mod tokens;
mod track;

use crate::sorted::Set;

use super::keys::{self, Key, Kind, Place};
use super::model::{self, Command, Defaults, GlobalTable, Model};
use super::reader::{Context, FromItem, Item, Path, Table};
use super::section::{Section, section};
use super::tree::{self, Value};
use super::values::Wrong;

/// What was read, as far as it could be.
#[derive(Debug)]
pub struct Reading {
    /// The model; where something was wrong, with a default in its place.
    pub model: Model,
    /// Names of instances of which `interface` or `virtual_router_id` is such a default.
    pub incomplete: Set<Box<str>>,
}

/// Reads everything, and reports what is wrong to the context.
pub fn model<'a>(cx: &'a Context<'a>, tree: &'a tree::Table<'a>) -> Reading {
    let root = Table::new(cx, tree, 0..0, Path::Root, model::ROOT);
    root.read(|_, _| ());
    let global = root.table("global", model::GLOBAL).map(|table| global::global(&table));
    let GlobalTable { global, defaults } = global.unwrap_or_default();
    let mut model = Model { global, ..Model::default() };
    let mut incomplete = Set::new();
    if let Some(vrrp) = root.table("vrrp", model::VRRP) {
        vrrp.read(|_, _| ());
        let instances = named(vrrp.table("instance", keys::Table::NAMES));
        model.instances.reserve_exact(instances.len());
        for (name, item) in instances {
            let Some(table) = item.table(model::INSTANCE) else { continue };
            let instance = instance::instance(name, &table, &defaults);
            let vrid =
                table.get("virtual_router_id").and_then(|item| item.value.as_integer()?.value());
            if instance.settings.interface.is_empty()
                || !vrid.is_some_and(|vrid| (1..=255).contains(&vrid))
            {
                incomplete.insert(name.into());
            }
            model.instances.push(instance);
        }
        for (name, item) in named(vrrp.table("group", keys::Table::NAMES)) {
            model.groups.extend(item.table(model::GROUP).map(|t| instance::group(name, &t)));
        }
    }
    if let Some(table) = root.table("track", model::TRACK) {
        model.trackers = track::trackers(&table);
    }
    if let Some(table) = root.table("static", model::STATIC) {
        table.read(|name, given| _ = model.statics.set(name, given));
    }
    renamed(&root, &defaults);
    Reading { model, incomplete }
}

/// The tables of a table whose keys are names.
fn named<'a>(table: Option<Table<'a>>) -> Vec<(&'a str, Item<'a>)> {
    table.as_ref().map(Table::named).unwrap_or_default()
}

/// What is wrong in tables that have keepalived's names.
fn renamed(root: &Table<'_>, defaults: &Defaults) {
    root.renamed("global_defs", model::GLOBAL).map(|table| global::global(&table));
    for key in ["vrrp_instance", "instance"] {
        for (name, item) in named(root.renamed(key, keys::Table::NAMES)) {
            item.table(model::INSTANCE).map(|table| instance::instance(name, &table, defaults));
        }
    }
    for key in ["vrrp_sync_group", "group"] {
        for (name, item) in named(root.renamed(key, keys::Table::NAMES)) {
            item.table(model::GROUP).map(|table| instance::group(name, &table));
        }
    }
}

section! {
    /// A program as a table.
    #[derive(Clone, PartialEq, Debug)]
    pub struct CommandTable {
        /// The program and its arguments.
        argv: Vec<Box<str>> = Vec::new(),
            own Key::new("command", model::PROGRAM, "[\"/path/to/program\", \"argument\"]")
                .required("write command = [\"/path/to/program\", \"argument\"]");
        /// The user that it runs as.
        user: Option<Box<str>> = None, key Key::text("user", "\"nobody\"");
        /// The group that it runs with.
        group: Option<Box<str>> = None, key Key::text("group", "\"nogroup\"");
    }
}

impl FromItem for Command {
    fn from_item(item: &Item<'_>, _: Kind) -> Option<Self> {
        if !matches!(item.value, Value::Table(_)) {
            return Some(Self { argv: argv(item)?, user: None, group: None });
        }
        let table = item.table(value_table::<CommandTable>())?;
        let mut command = CommandTable::default();
        table.read(|name, given| _ = command.set(name, given));
        let argv = table.get("command").and_then(|item| argv(&item));
        Some(Self { argv: argv?, user: command.user, group: command.group })
    }
}

/// A table in braces with the keys of a section.
const fn value_table<S: Section>() -> keys::Table {
    keys::Table { place: Place::Value, keys: S::KEYS }
}

/// The program and its arguments.
fn argv(item: &Item<'_>) -> Option<Vec<Box<str>>> {
    let argv: Vec<Box<str>> = if let Value::String(text) = item.value {
        if text.contains(['"', '\'', '|', '>', '<', '&', ';', '$', '`']) {
            item.wrong(Wrong::new(
                "no shell runs this, so quotes and redirections would be arguments",
                "write a list, such as [\"/bin/sh\", \"-c\", \"...\"]",
            ));
            return None;
        }
        text.split_whitespace().map(Into::into).collect()
    } else {
        item.list(|item| item.string().map(Into::into))
    };
    let Some(program) = argv.first() else {
        item.wrong(Wrong::new("names no program", "write [\"/path/to/program\", \"argument\"]"));
        return None;
    };
    if !program.starts_with('/') {
        item.wrong(Wrong::new(
            format!("\"{program}\" is not an absolute path"),
            "write the whole path; the search path of a login does not apply",
        ));
        return None;
    }
    Some(argv)
}
