//! `[track.*]`, and the lists of what an instance tracks.

use std::time::Duration;

use super::command;
use super::global::DAY;
use crate::config::keys::Place;
use crate::config::model::{
    BfdTracker, FileTracker, ParamMatch, ProcessTracker, ScriptTracker, TrackRef, Trackers,
    Tracking, Weight,
};
use crate::config::reader::{Item, Table};
use crate::config::tree::Value;
use crate::config::values::{self, Wrong};

/// Reads `[track]`.
pub fn trackers(mut table: Table<'_>) -> Trackers {
    let trackers = Trackers {
        scripts: kind(&mut table, "script", Place::Script, script),
        files: kind(&mut table, "file", Place::File, file),
        processes: kind(&mut table, "process", Place::Process, process),
        bfd: kind(&mut table, "bfd", Place::Bfd, bfd),
    };
    table.finish();
    trackers
}

fn kind<'a, T>(
    table: &mut Table<'a>,
    key: &'static str,
    place: Place,
    read: impl Fn(&str, &mut Table<'a>) -> Option<T>,
) -> Vec<T> {
    let mut trackers = Vec::new();
    for (name, item) in table.table(key, Place::Other).iter_mut().flat_map(Table::named) {
        if let Some(mut table) = item.table(place) {
            trackers.extend(read(name, &mut table));
            table.finish();
        }
    }
    trackers
}

/// The largest weight of a script, interface or BFD session; files and processes go one further.
const WEIGHT: i16 = 253;

fn weight(table: &mut Table<'_>, limit: i16, default: i16) -> Weight {
    Weight {
        weight: table.integer("weight", -limit..=limit).unwrap_or(default),
        reverse: table.bool("reverse").unwrap_or(false),
    }
}

fn script(name: &str, table: &mut Table<'_>) -> Option<ScriptTracker> {
    let command = match table.get("command") {
        Some(item) => command(&item),
        None => {
            table.missing("command", "add command = [\"/path/to/program\", \"argument\"]");
            None
        }
    };
    let range = Duration::from_millis(1)..=DAY;
    let interval = table.duration("interval", range.clone()).unwrap_or(Duration::from_secs(1));
    let timeout = table.duration("timeout", range).unwrap_or(interval);
    let (rise, fall) = (table.integer("rise", 1..=u16::MAX), table.integer("fall", 1..=u16::MAX));
    let weight = weight(table, WEIGHT, 0);
    let (user, group) = (table.text("user"), table.text("group"));
    let init_fail = table.bool("init_fail").unwrap_or(false);
    let mut command = command?;
    command.user = command.user.or(user);
    command.group = command.group.or(group);
    Some(ScriptTracker {
        name: name.into(),
        command,
        interval,
        timeout,
        weight,
        rise: rise.unwrap_or(1),
        fall: fall.unwrap_or(1),
        init_fail,
    })
}

fn file(name: &str, table: &mut Table<'_>) -> Option<FileTracker> {
    let path = match table.get("file") {
        Some(item) => item.text().filter(|path| {
            let absolute = path.starts_with('/');
            if !absolute {
                let message = format!("\"{path}\" is not an absolute path");
                item.wrong(Wrong::new(message, "write a path that begins with /"));
            }
            absolute
        }),
        None => {
            table.missing("file", "add file = \"/path/to/file\"");
            None
        }
    };
    let weight = weight(table, 254, 1);
    let init_file = table.integer("init_file", i32::MIN..=i32::MAX);
    let overwrite = table.bool("overwrite").unwrap_or(false);
    Some(FileTracker { name: name.into(), file: path?, weight, init_file, overwrite })
}

fn process(name: &str, table: &mut Table<'_>) -> Option<ProcessTracker> {
    let process = match table.get("process") {
        Some(item) if matches!(item.value, Value::String(_)) => item.text().map(|name| vec![name]),
        Some(item) => Some(item.list(Item::text)),
        None => {
            table.missing("process", "add process = \"name\"");
            None
        }
    };
    let matches = [
        ("exact", ParamMatch::Exact),
        ("initial", ParamMatch::Initial),
        ("partial", ParamMatch::Partial),
    ];
    let time = Duration::ZERO..=DAY;
    let quorum = table.integer("quorum", 1..=u16::MAX).unwrap_or(1);
    let tracker = ProcessTracker {
        name: name.into(),
        process: Vec::new(),
        param_match: table.get("param_match").and_then(|i| i.choice(&matches)).unwrap_or_default(),
        full_command: table.bool("full_command").unwrap_or(false),
        weight: weight(table, 254, 0),
        quorum,
        quorum_max: table.integer("quorum_max", quorum..=u16::MAX),
        fork_delay: table.duration("fork_delay", time.clone()).unwrap_or_default(),
        terminate_delay: table.duration("terminate_delay", time).unwrap_or_default(),
    };
    Some(ProcessTracker { process: process?, ..tracker })
}

fn bfd(name: &str, table: &mut Table<'_>) -> Option<BfdTracker> {
    let neighbor = match table.get("neighbor_ip") {
        Some(item) => item.parse(values::address),
        None => {
            table.missing("neighbor_ip", "add neighbor_ip = \"192.168.1.3\"");
            None
        }
    };
    let fast = Duration::from_millis(1)..=Duration::from_secs(4294);
    let slow = Duration::from_secs(1)..=Duration::from_secs(4294);
    let source = table.get("source_ip").and_then(|item| item.parse(values::address));
    let ten = Duration::from_millis(10);
    let (min_rx, min_tx) = (table.duration("min_rx", fast.clone()), table.duration("min_tx", fast));
    let idle_tx = table.duration("idle_tx", slow);
    let (multiplier, passive) = (table.integer("multiplier", 1..=255), table.bool("passive"));
    let (multihop, ttl) = (table.bool("multihop"), table.integer("ttl", 1..=255));
    let max_hops = table.integer("max_hops", 0..=255);
    let weight = weight(table, WEIGHT, 0);
    Some(BfdTracker {
        name: name.into(),
        neighbor: neighbor?,
        source,
        min_rx: min_rx.unwrap_or(ten),
        min_tx: min_tx.unwrap_or(ten),
        idle_tx: idle_tx.unwrap_or(Duration::from_secs(1)),
        multiplier: multiplier.unwrap_or(5),
        passive: passive.unwrap_or(false),
        multihop: multihop.unwrap_or(false),
        ttl,
        max_hops: max_hops.unwrap_or(0),
        weight,
    })
}

/// The `track_*` keys of an instance or group.
pub fn tracking(table: &mut Table<'_>) -> Tracking {
    let mut refs = |key, limit| table.get(key).map(|i| references(&i, limit)).unwrap_or_default();
    Tracking {
        interfaces: refs("track_interfaces", WEIGHT),
        scripts: refs("track_scripts", WEIGHT),
        files: refs("track_files", 254),
        processes: refs("track_processes", 254),
        bfd: refs("track_bfd", WEIGHT),
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

/// `["wan"]` or `{ wan = { weight = -40 } }`, or `{ wan = -40 }`.
fn references(item: &Item<'_>, limit: i16) -> Vec<TrackRef> {
    let key = item.key();
    let interface = key == "track_interfaces";
    let name_ok = |item: &Item<'_>, span, name: &str| {
        let wrong = if interface {
            values::interface(name).err()
        } else {
            let help = "write the name of a tracker";
            name.is_empty().then(|| Wrong::new("the name is empty", help))
        };
        let good = wrong.is_none();
        if let Some(wrong) = wrong {
            item.wrong_at(span, wrong);
        }
        good
    };
    if !matches!(item.value, Value::Table(_)) {
        return item.list(|item| {
            let name = item.string()?;
            if let Some(wrong) = weight_in_text(key, name) {
                item.wrong(wrong);
                return None;
            }
            let good = name_ok(item, item.span.clone(), name);
            good.then(|| TrackRef { name: name.into(), weight: None })
        });
    }
    let mut list = Vec::new();
    for (name, span, item) in item.table(Place::Other).iter_mut().flat_map(Table::entries) {
        let weight = if matches!(item.value, Value::Integer(_)) {
            item.integer(-limit..=limit).map(|weight| Some(Weight { weight, reverse: false }))
        } else {
            item.table(Place::Other).map(|mut table| {
                let given = table.has("weight") || table.has("reverse");
                let weight = weight(&mut table, limit, 0);
                table.finish();
                given.then_some(weight)
            })
        };
        if let (true, Some(weight)) = (name_ok(&item, span, name), weight) {
            list.push(TrackRef { name: name.into(), weight });
        }
    }
    list
}
