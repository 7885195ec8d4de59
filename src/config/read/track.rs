//! `[track.*]`, and the lists of what an instance tracks.

use super::{named, value_table};
use crate::config::diagnostic::Span;
use crate::config::keys::{self, Key, Kind};
use crate::config::model::{
    self, BfdTracker, FileTracker, MAX_NUMBER_WEIGHT, ProcessTracker, ScriptTracker, TrackRef,
    Trackers, Weight,
};
use crate::config::reader::{FromItem, Item, Table};
use crate::config::section::{Section, section};
use crate::config::tree::Value;
use crate::config::values::{self, Wrong};

/// Reads `[track]`.
pub fn trackers(table: &Table<'_>) -> Trackers {
    table.read(|_, _| ());
    Trackers {
        scripts: kind(table, "script", model::SCRIPT, script),
        files: kind(table, "file", model::FILE, file),
        processes: kind(table, "process", model::PROCESS, process),
        bfd: kind(table, "bfd", model::BFD, bfd),
    }
}

fn kind<T>(
    table: &Table<'_>,
    key: &str,
    of: keys::Table,
    read: impl Fn(&str, &Table<'_>) -> T,
) -> Vec<T> {
    let named = named(table.table(key, keys::Table::NAMES));
    let tracker = |(name, item): (&str, Item<'_>)| item.table(of).map(|table| read(name, &table));
    named.into_iter().filter_map(tracker).collect()
}

fn script(name: &str, table: &Table<'_>) -> ScriptTracker {
    let mut tracker = ScriptTracker { name: name.into(), ..ScriptTracker::default() };
    table.read(|name, given| _ = tracker.set(name, given));
    tracker
}

fn file(name: &str, table: &Table<'_>) -> FileTracker {
    let mut tracker = FileTracker { name: name.into(), ..FileTracker::default() };
    table.read(|name, given| _ = tracker.set(name, given));
    let item = table.get("file");
    if let Some((item, path)) = item.and_then(|item| item.text().map(|path| (item, path))) {
        if !path.starts_with('/') {
            let message = format!("\"{path}\" is not an absolute path");
            item.wrong(Wrong::new(message, "write a path that begins with /"));
        }
        tracker.file = path;
    }
    tracker
}

fn process(name: &str, table: &Table<'_>) -> ProcessTracker {
    let mut tracker = ProcessTracker { name: name.into(), ..ProcessTracker::default() };
    table.read(|name, given| _ = tracker.set(name, given));
    tracker.process = match table.get("process") {
        Some(item) if matches!(item.value, Value::String(_)) => item.text().into_iter().collect(),
        Some(item) => item.list(Item::text),
        None => Vec::new(),
    };
    let most = table.get("quorum_max");
    let most = most.and_then(|item| item.integer(tracker.quorum.into(), u16::MAX.into()));
    tracker.quorum_max = most.and_then(|most| u16::try_from(most).ok());
    tracker
}

fn bfd(name: &str, table: &Table<'_>) -> BfdTracker {
    let mut tracker = BfdTracker { name: name.into(), ..BfdTracker::default() };
    table.read(|name, given| _ = tracker.set(name, given));
    tracker
}

impl FromItem for TrackRef {
    fn from_item(item: &Item<'_>, _: Kind) -> Option<Self> {
        let (key, name) = (item.key(), item.string()?);
        if let Some(wrong) = weight_in_text(key, name) {
            item.wrong(wrong);
            return None;
        }
        is_name(item, item.span.clone(), name).then(|| Self { name: name.into(), weight: None })
    }

    fn from_list(item: &Item<'_>, kind: Kind) -> Option<Vec<Self>> {
        Some(references(item, kind))
    }
}

/// keepalived has the weight beside the name.
fn weight_in_text(key: &str, text: &str) -> Option<Wrong> {
    let mut words = text.split_whitespace();
    let (name, weight) = (words.next()?, words.next()?);
    let help = match (weight, words.next().map(str::parse::<i16>)) {
        ("weight", Some(Ok(weight))) => {
            format!("write {key} = {{ {name} = {{ weight = {weight} }} }}")
        }
        _ => format!("write {key} = {{ {name} = {{ weight = -60 }} }}"),
    };
    Some(Wrong::new("a name has no words after it", help))
}

/// Whether something of this name can be tracked; reports why not.
fn is_name(item: &Item<'_>, span: Span, name: &str) -> bool {
    let wrong = if item.key() == "track_interfaces" {
        values::interface(name).err()
    } else {
        name.is_empty().then(|| Wrong::new("the name is empty", "write the name of a tracker"))
    };
    let good = wrong.is_none();
    if let Some(wrong) = wrong {
        item.wrong_at(span, wrong);
    }
    good
}

section! {
    /// How much a tracker counts in an instance, as a table.
    #[derive(Clone, PartialEq, Debug)]
    pub struct WeightTable {
        /// 0 faults the instance, anything else is added to the priority.
        weight: i16 = 0,
            own Key::whole("weight", -MAX_NUMBER_WEIGHT, MAX_NUMBER_WEIGHT, "-40");
        /// Turns up and down round.
        reverse: bool = false, key Key::flag("reverse");
    }
}

/// `["wan"]` or `{ wan = { weight = -40 } }`, or `{ wan = -40 }`.
fn references(item: &Item<'_>, kind: Kind) -> Vec<TrackRef> {
    if !matches!(item.value, Value::Table(_)) {
        return item.list(|item| TrackRef::from_item(item, kind));
    }
    let mut list = Vec::new();
    for (name, span, below) in item.table(keys::Table::NAMES).iter().flat_map(Table::entries) {
        let weight = if matches!(below.value, Value::Integer(_)) {
            i16::from_item(&below, kind).map(|weight| Some(Weight { weight, reverse: false }))
        } else {
            below.table(value_table::<WeightTable>()).map(|table| {
                let mut read = WeightTable::default();
                table.read(|name, given| _ = read.set(name, given));
                let weight = table.get("weight").and_then(|item| i16::from_item(&item, kind));
                let given = table.has("weight") || table.has("reverse");
                given.then_some(Weight { weight: weight.unwrap_or(0), reverse: read.reverse })
            })
        };
        if let (true, Some(weight)) = (is_name(item, span, name), weight) {
            list.push(TrackRef { name: name.into(), weight });
        }
    }
    list
}
