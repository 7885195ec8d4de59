//! `[track.*]` and how instances refer to it.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Command;
use super::notify::PROGRAM;
use crate::config::keys::{DAY, Key, Kind, NO_TIME};
use crate::config::section::section;

/// All named trackers, each kind in the order of the file.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Trackers {
    /// `[track.script.NAME]`.
    pub scripts: Vec<ScriptTracker>,
    /// `[track.file.NAME]`.
    pub files: Vec<FileTracker>,
    /// `[track.process.NAME]`.
    pub processes: Vec<ProcessTracker>,
    /// `[track.bfd.NAME]`.
    pub bfd: Vec<BfdTracker>,
}

/// How much a tracker counts: 0 faults the instance, anything else is added to the priority.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Weight {
    /// -254 to 254.
    pub weight: i16,
    /// Turns up and down round.
    pub reverse: bool,
}

/// One line of `track_interfaces` and its like.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TrackRef {
    /// The interface, or the name of a tracker.
    pub name: Box<str>,
    /// How much it counts here; `None`: as the tracker itself says.
    pub weight: Option<Weight>,
}

/// One tracked thing as an instance or group sees it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Track {
    /// What is tracked.
    pub tracker: Tracker,
    /// 0 faults the instance; otherwise it is added to the priority (behaviour of keepalived's
    /// weights).
    pub weight: i16,
    /// Turns up and down round.
    pub reverse: bool,
}

/// A thing whose state changes the priority.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Tracker {
    /// The state of an interface.
    Interface(Box<str>),
    /// The same of one that nobody listed, but an address or a route of the instance names.
    InUse(Box<str>),
    /// A script, file, process or BFD session, whose state arrives by name.
    Named(Box<str>),
}

/// The largest weight of a script, interface or BFD session.
pub const MAX_WEIGHT: i64 = 253;
/// The largest weight of a file or process.
pub const MAX_NUMBER_WEIGHT: i64 = 254;

const SCRIPTS: &str = "tracking of scripts is";
const FILES: &str = "tracking of files is";
const PROCESSES: &str = "tracking of processes is";
const BFD: &str = "tracking of BFD sessions is";

section! {
    /// What an instance or group tracks.
    #[derive(Clone, PartialEq, Eq, Debug)]
    pub struct Tracking {
        /// Interfaces.
        interfaces: Vec<TrackRef> = Vec::new(),
            key Key::new("track_interfaces", Kind::Whole(-MAX_WEIGHT, MAX_WEIGHT), "[\"wan\"]")
                .keepalived(&[("track_interface", None)]);
        /// Scripts, by the names of their tables.
        scripts: Vec<TrackRef> = Vec::new(),
            key Key::new("track_scripts", Kind::Whole(-MAX_WEIGHT, MAX_WEIGHT), "[\"NAME\"]")
                .keepalived(&[("track_script", None)])
                .unbuilt(SCRIPTS);
        /// Files, by the names of their tables.
        files: Vec<TrackRef> = Vec::new(),
            key Key::new(
                "track_files",
                Kind::Whole(-MAX_NUMBER_WEIGHT, MAX_NUMBER_WEIGHT),
                "[\"NAME\"]"
            )
            .keepalived(&[("track_file", None)])
            .unbuilt(FILES);
        /// Processes, by the names of their tables.
        processes: Vec<TrackRef> = Vec::new(),
            key Key::new(
                "track_processes",
                Kind::Whole(-MAX_NUMBER_WEIGHT, MAX_NUMBER_WEIGHT),
                "[\"NAME\"]"
            )
            .keepalived(&[("track_process", None)])
            .unbuilt(PROCESSES);
        /// BFD sessions, by the names of their tables.
        bfd: Vec<TrackRef> = Vec::new(),
            key Key::new("track_bfd", Kind::Whole(-MAX_WEIGHT, MAX_WEIGHT), "[\"NAME\"]")
                .keepalived(&[("track_bfd", None)])
                .unbuilt(BFD);
    }
}

section! {
    /// `[track]`: where the tables of the trackers are.
    #[derive(Clone, PartialEq, Debug)]
    pub struct TrackTable {
        /// `[track.script.NAME]`.
        script: () = (), own Key::new("script", TRACKER, "").unbuilt(SCRIPTS);
        /// `[track.file.NAME]`.
        file: () = (), own Key::new("file", TRACKER, "").unbuilt(FILES);
        /// `[track.process.NAME]`.
        process: () = (), own Key::new("process", TRACKER, "").unbuilt(PROCESSES);
        /// `[track.bfd.NAME]`.
        bfd: () = (), own Key::new("bfd", TRACKER, "").unbuilt(BFD);
    }
}

const TRACKER: Kind = Kind::Other("tables, each with a name");

/// The key of a tracker's weight.
const fn weight(most: i64) -> Key {
    Key::whole("weight", -most, most, "-40").keepalived(&[("weight", None)])
}

/// The key that turns up and down round.
const REVERSE: Key = Key::flag("reverse");

section! {
    /// `[track.script.NAME]`: a program whose exit code tells.
    #[derive(Clone, PartialEq, Debug)]
    pub struct ScriptTracker {
        /// As instances refer to it.
        name: Box<str> = Box::default();
        /// The program.
        command: Command = Command::default(),
            key Key::new("command", PROGRAM, "[\"/path/to/program\", \"argument\"]")
                .keepalived(&[("script", None)])
                .required("add command = [\"/path/to/program\", \"argument\"]");
        /// The user that it runs as.
        user: Option<Box<str>> = None,
            key Key::text("user", "\"nobody\"")
                .keepalived(&[("user", None)]);
        /// The group that it runs with.
        group: Option<Box<str>> = None, key Key::text("group", "\"nogroup\"");
        /// The time between two runs.
        interval: Duration = Duration::from_secs(1),
            key Key::time("interval", Duration::from_millis(1), DAY, "\"2s\"")
                .default("\"1s\"")
                .keepalived(&[("interval", None)]);
        /// How long a run may take; the default is the interval.
        timeout: Option<Duration> = None,
            key Key::time("timeout", Duration::from_millis(1), DAY, "\"1s\"")
                .keepalived(&[("timeout", None)]);
        /// How much it counts: 0 faults the instance, anything else is added to the priority.
        weight: i16 = 0, key weight(MAX_WEIGHT);
        /// Turns up and down round.
        reverse: bool = false, key REVERSE;
        /// Successes in a row that bring it up.
        rise: u16 = 1,
            key Key::whole("rise", 1, u16::MAX as i64, "2")
                .default("1")
                .keepalived(&[("rise", None)]);
        /// Failures in a row that bring it down.
        fall: u16 = 1,
            key Key::whole("fall", 1, u16::MAX as i64, "3")
                .default("1")
                .keepalived(&[("fall", None)]);
        /// It counts as failed until it has succeeded.
        init_fail: bool = false,
            key Key::flag("init_fail")
                .keepalived(&[("init_fail", Some("true"))]);
    }
}

section! {
    /// `[track.file.NAME]`: a file that holds a number.
    #[derive(Clone, PartialEq, Debug)]
    pub struct FileTracker {
        /// As instances refer to it.
        name: Box<str> = Box::default();
        /// The path of the file.
        file: Box<str> = Box::default(),
            own Key::new("file", Kind::Other("an absolute path"), "\"/path/to/file\"")
                .keepalived(&[("file", None)])
                .required("add file = \"/path/to/file\"");
        /// How much it counts: multiplied with the number in the file.
        weight: i16 = 1, key weight(MAX_NUMBER_WEIGHT);
        /// Turns up and down round.
        reverse: bool = false, key REVERSE;
        /// The number to write when the file does not exist.
        init_file: Option<i32> = None,
            key Key::whole("init_file", i32::MIN as i64, i32::MAX as i64, "0")
                .keepalived(&[("init_file", None)]);
        /// Write it even when the file exists.
        overwrite: bool = false, key Key::flag("overwrite");
    }
}

section! {
    /// `[track.process.NAME]`: whether processes run.
    #[derive(Clone, PartialEq, Debug)]
    pub struct ProcessTracker {
        /// As instances refer to it.
        name: Box<str> = Box::default();
        /// The name of the program, and arguments to compare.
        process: Vec<Box<str>> = Vec::new(),
            own Key::new("process", Kind::Other("a name, or a list of words"), "\"name\"")
                .keepalived(&[("process", None)])
                .required("add process = \"name\"");
        /// How arguments are compared.
        param_match: ParamMatch = ParamMatch::Exact,
            key Key::choice("param_match", ParamMatch::WORDS, "\"initial\"")
                .default("\"exact\"")
                .keepalived(&[("param_match", None)]);
        /// Compare the whole command line and not only the name.
        full_command: bool = false,
            key Key::flag("full_command")
                .keepalived(&[("full_command", Some("true"))]);
        /// How much it counts: 0 faults the instance, anything else is added to the priority.
        weight: i16 = 0, key weight(MAX_NUMBER_WEIGHT);
        /// Turns up and down round.
        reverse: bool = false, key REVERSE;
        /// How many have to run.
        quorum: u16 = 1,
            key Key::whole("quorum", 1, u16::MAX as i64, "2")
                .default("1")
                .keepalived(&[("quorum", None)]);
        /// How many may run; not less than the quorum.
        quorum_max: Option<u16> = None,
            own Key::whole("quorum_max", 1, u16::MAX as i64, "1")
                .keepalived(&[("quorum_max", None)]);
        /// How long they have to run before it is up.
        fork_delay: Duration = NO_TIME,
            key Key::time("fork_delay", NO_TIME, DAY, "\"1s\"")
                .default("\"0s\"")
                .keepalived(&[("fork_delay", None)]);
        /// How long they have to be gone before it is down.
        terminate_delay: Duration = NO_TIME,
            key Key::time("terminate_delay", NO_TIME, DAY, "\"1s\"")
                .default("\"0s\"")
                .keepalived(&[("terminate_delay", None)]);
    }
}

/// How the arguments of a tracked process are compared.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum ParamMatch {
    /// They are the same.
    #[default]
    Exact,
    /// They begin the same.
    Initial,
    /// The last one begins the same.
    Partial,
}

impl ParamMatch {
    /// The words for the values, in their order.
    pub const WORDS: &'static [&'static str] = &["exact", "initial", "partial"];
}

/// The longest interval between two packets of BFD: 32 bits of microseconds.
const MAX_BFD_INTERVAL: Duration = Duration::from_secs(4294);

section! {
    /// `[track.bfd.NAME]`: a BFD session.
    #[derive(Clone, PartialEq, Debug)]
    pub struct BfdTracker {
        /// As instances refer to it.
        name: Box<str> = Box::default();
        /// The address of the neighbour.
        neighbor: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            key Key::new("neighbor_ip", Kind::Other("an address"), "\"192.168.1.3\"")
                .keepalived(&[("neighbor_ip", None)])
                .required("add neighbor_ip = \"192.168.1.3\"");
        /// The own address.
        source: Option<IpAddr> = None,
            key Key::new("source_ip", Kind::Other("an address"), "\"192.168.1.2\"")
                .keepalived(&[("source_ip", None)]);
        /// The smallest interval between received packets.
        min_rx: Duration = Duration::from_millis(10),
            key Key::time("min_rx", Duration::from_millis(1), MAX_BFD_INTERVAL, "\"50ms\"")
                .default("\"10ms\"")
                .keepalived(&[("min_rx", None)]);
        /// The smallest interval between sent packets.
        min_tx: Duration = Duration::from_millis(10),
            key Key::time("min_tx", Duration::from_millis(1), MAX_BFD_INTERVAL, "\"50ms\"")
                .default("\"10ms\"")
                .keepalived(&[("min_tx", None)]);
        /// The interval while the session is down.
        idle_tx: Duration = Duration::from_secs(1),
            key Key::time("idle_tx", Duration::from_secs(1), MAX_BFD_INTERVAL, "\"2s\"")
                .default("\"1s\"")
                .keepalived(&[("idle_tx", None)]);
        /// Packets that may be missed.
        multiplier: u8 = 5,
            key Key::whole("multiplier", 1, 255, "3")
                .default("5")
                .keepalived(&[("multiplier", None)]);
        /// Wait for the neighbour to begin.
        passive: bool = false,
            key Key::flag("passive")
                .keepalived(&[("passive", Some("true"))]);
        /// The neighbour is behind routers.
        multihop: bool = false,
            key Key::flag("multihop")
                .keepalived(&[("multihop", Some("true"))]);
        /// The TTL of packets sent.
        ttl: Option<u8> = None,
            key Key::whole("ttl", 1, 255, "255")
                .keepalived(&[("ttl", None), ("hoplimit", None)]);
        /// How many routers packets received may have passed.
        max_hops: u8 = 0,
            key Key::whole("max_hops", 0, 255, "3")
                .default("0")
                .keepalived(&[("max_hops", None)]);
        /// How much it counts: 0 faults the instance, anything else is added to the priority.
        weight: i16 = 0, key weight(MAX_WEIGHT);
        /// Turns up and down round.
        reverse: bool = false, key REVERSE;
    }
}
