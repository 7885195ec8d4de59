//! `[track.*]` and how instances refer to it.

use std::net::IpAddr;
use std::time::Duration;

use super::Command;

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

/// What an instance or group tracks.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Tracking {
    /// `track_interfaces`.
    pub interfaces: Vec<TrackRef>,
    /// `track_scripts`.
    pub scripts: Vec<TrackRef>,
    /// `track_files`.
    pub files: Vec<TrackRef>,
    /// `track_processes`.
    pub processes: Vec<TrackRef>,
    /// `track_bfd`.
    pub bfd: Vec<TrackRef>,
}

/// `[track.script.NAME]`: a program whose exit code tells.
#[derive(Clone, PartialEq, Debug)]
pub struct ScriptTracker {
    /// As instances refer to it.
    pub name: Box<str>,
    /// `command`.
    pub command: Command,
    /// `interval` between two runs.
    pub interval: Duration,
    /// `timeout` of a run.
    pub timeout: Duration,
    /// `weight` and `reverse`.
    pub weight: Weight,
    /// `rise`: successes in a row that bring it up.
    pub rise: u16,
    /// `fall`: failures in a row that bring it down.
    pub fall: u16,
    /// `init_fail`: it counts as failed until it has succeeded.
    pub init_fail: bool,
}

/// `[track.file.NAME]`: a file that holds a number.
#[derive(Clone, PartialEq, Debug)]
pub struct FileTracker {
    /// As instances refer to it.
    pub name: Box<str>,
    /// `file`: absolute path.
    pub file: Box<str>,
    /// `weight` and `reverse`: multiplied with the number in the file.
    pub weight: Weight,
    /// `init_file`: the number to write when the file does not exist.
    pub init_file: Option<i32>,
    /// `overwrite`: write it even when the file exists.
    pub overwrite: bool,
}

/// `[track.process.NAME]`: whether processes run.
#[derive(Clone, PartialEq, Debug)]
pub struct ProcessTracker {
    /// As instances refer to it.
    pub name: Box<str>,
    /// `process`: its name, and arguments to compare.
    pub process: Vec<Box<str>>,
    /// `param_match`: how arguments are compared.
    pub param_match: ParamMatch,
    /// `full_command`: compare the whole command line and not only the name.
    pub full_command: bool,
    /// `weight` and `reverse`.
    pub weight: Weight,
    /// `quorum`: how many have to run.
    pub quorum: u16,
    /// `quorum_max`: how many may run.
    pub quorum_max: Option<u16>,
    /// `fork_delay`: how long they have to run before it is up.
    pub fork_delay: Duration,
    /// `terminate_delay`: how long they have to be gone before it is down.
    pub terminate_delay: Duration,
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

/// `[track.bfd.NAME]`: a BFD session.
#[derive(Clone, PartialEq, Debug)]
pub struct BfdTracker {
    /// As instances refer to it.
    pub name: Box<str>,
    /// `neighbor_ip`.
    pub neighbor: IpAddr,
    /// `source_ip`.
    pub source: Option<IpAddr>,
    /// `min_rx`: smallest interval between received packets.
    pub min_rx: Duration,
    /// `min_tx`: smallest interval between sent packets.
    pub min_tx: Duration,
    /// `idle_tx`: interval while the session is down.
    pub idle_tx: Duration,
    /// `multiplier`: packets that may be missed.
    pub multiplier: u8,
    /// `passive`: wait for the neighbour to begin.
    pub passive: bool,
    /// `multihop`: the neighbour is behind routers.
    pub multihop: bool,
    /// `ttl` of packets sent.
    pub ttl: Option<u8>,
    /// `max_hops` of packets received.
    pub max_hops: u8,
    /// `weight` and `reverse`.
    pub weight: Weight,
}
