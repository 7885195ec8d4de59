//! From the TOML tree to the model.

mod global;
mod instance;
mod objects;
mod routes;
mod security;
mod tokens;
mod track;

use std::collections::HashSet;

use super::keys::Place;
use global::Defaults;

use super::model::{Command, Model, Notify, Statics};
use super::reader::{Context, Item, Path, Table};
use super::tree::{self, Value};
use super::values::Wrong;

/// What was read, as far as it could be.
#[derive(Debug)]
pub struct Reading {
    /// The model; where something was wrong, with a default in its place.
    pub model: Model,
    /// Names of instances of which `interface` or `virtual_router_id` is such a default.
    pub incomplete: HashSet<Box<str>>,
}

/// Reads everything, and reports what is wrong to the context.
pub fn model<'a>(cx: &'a Context<'a>, tree: &'a tree::Table<'a>) -> Reading {
    let mut root = Table::new(cx, tree, 0..0, Path::Root, Place::Root);
    let mut model = Model::default();
    let global = root.table("global", Place::Global);
    let (global, defaults) = global.map(global::global).unwrap_or_default();
    model.global = global;
    let mut incomplete = HashSet::new();
    if let Some(mut vrrp) = root.table("vrrp", Place::Vrrp) {
        if let Some(mut table) = vrrp.table("instance", Place::Other) {
            let named = table.named();
            model.instances.reserve_exact(named.len());
            for (name, item) in named {
                if let Some(table) = item.table(Place::Instance) {
                    let complete = &mut true;
                    model.instances.push(instance::instance(name, table, &defaults, complete));
                    if !*complete {
                        incomplete.insert(name.into());
                    }
                }
            }
        }
        if let Some(mut table) = vrrp.table("group", Place::Other) {
            for (name, item) in table.named() {
                model.groups.extend(item.table(Place::Group).map(|t| instance::group(name, t)));
            }
        }
        vrrp.finish();
    }
    if let Some(table) = root.table("track", Place::Track) {
        model.trackers = track::trackers(table);
    }
    if let Some(mut table) = root.table("static", Place::Static) {
        model.statics = Statics {
            addresses: table.get("addresses").map(|i| objects::addresses(&i)).unwrap_or_default(),
            routes: table.list("routes", routes::route),
            rules: table.list("rules", routes::rule),
        };
        table.finish();
    }
    renamed(&root, &defaults);
    root.get("virtual_server");
    root.get("virtual_server_group");
    root.finish();
    Reading { model, incomplete }
}

/// What is wrong in tables that have keepalived's names.
fn renamed(root: &Table<'_>, defaults: &Defaults) {
    root.renamed("global_defs", Place::Global).map(global::global);
    for key in ["vrrp_instance", "instance"] {
        let Some(mut table) = root.renamed(key, Place::Other) else { continue };
        for (name, item) in table.named() {
            if let Some(table) = item.table(Place::Instance) {
                instance::instance(name, table, defaults, &mut true);
            }
        }
    }
    for key in ["vrrp_sync_group", "group"] {
        let Some(mut table) = root.renamed(key, Place::Other) else { continue };
        for (name, item) in table.named() {
            item.table(Place::Group).map(|table| instance::group(name, table));
        }
    }
}

/// A program: a text of words, a list, or a table with `command`, `user` and `group`.
fn command(item: &Item<'_>) -> Option<Command> {
    if matches!(item.value, Value::Table(_)) {
        let mut table = item.table(Place::Other)?;
        let argv = match table.get("command") {
            Some(item) => argv(&item),
            None => {
                table.missing("command", "write command = [\"/path/to/program\", \"argument\"]");
                None
            }
        };
        let (user, group) = (table.text("user"), table.text("group"));
        table.finish();
        return Some(Command { argv: argv?, user, group });
    }
    Some(Command { argv: argv(item)?, user: None, group: None })
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

/// The keys that begin with `notify`, and `smtp_alert`.
fn notify(table: &mut Table<'_>) -> Option<Box<Notify>> {
    let mut one = |key| table.get(key).and_then(|item| command(&item));
    let (master, backup, fault) = (one("notify_master"), one("notify_backup"), one("notify_fault"));
    let (stop, deleted, any) = (one("notify_stop"), one("notify_deleted"), one("notify"));
    let master_rx_lower_pri = one("notify_master_rx_lower_pri");
    let notify = Notify {
        master,
        backup,
        fault,
        stop,
        deleted,
        master_rx_lower_pri,
        any,
        priority_changes: table.bool("notify_priority_changes").unwrap_or(false),
        smtp_alert: table.bool("smtp_alert").unwrap_or(false),
    };
    (notify != Notify::default()).then(|| Box::new(notify))
}
