//! The status document. Its JSON is an interface: within one [`SCHEMA`] keys are only added.
//! Times are seconds: `..._age` ago, `..._in` from now. Unknown or not applicable is `null`.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::event::Level;
use super::event::json::Event;
pub use super::event::kind::WarningKind;
pub use super::humanize::Seconds;
use crate::system::heap;
pub use crate::units::State;

/// The version of the document.
pub const SCHEMA: u32 = 2;

/// The role whose process runs the virtual routers.
pub const VRRP: &str = "vrrp";

/// Everything that is known.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Document {
    /// [`SCHEMA`].
    pub schema: u32,
    /// When this was made: seconds since 1970, UTC.
    pub time: f64,
    /// How things stand, in one line.
    pub verdict: Verdict,
    /// The daemon.
    pub daemon: Daemon,
    /// The virtual routers, in the order of the configuration. `null` when the process that runs
    /// them does not answer.
    pub instances: Option<Vec<InstanceStatus>>,
    /// The last changes of state, oldest first.
    pub transitions: Vec<Event>,
    /// What is wrong, as one list.
    pub warnings: Vec<Warning>,
}

/// How things stand.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Verdict {
    /// In one word.
    pub level: VerdictLevel,
    /// In one line, the word included: "OK: MASTER of 2/2".
    pub text: String,
}

/// How things stand, in one word, best first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum VerdictLevel {
    /// All is as it should be.
    Ok,
    /// It works, and something needs a look.
    Degraded,
    /// Two routers claim the same addresses.
    Split,
    /// The process that runs the virtual routers does not answer.
    Dead,
}

/// The daemon.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Daemon {
    /// Its version.
    pub version: String,
    /// `router_id`, or the host's name.
    pub router_id: String,
    /// Process id of the supervisor.
    pub pid: u32,
    /// Since it started.
    pub uptime: Seconds,
    /// The program that it took the place of last; `null`: it is the one that was started.
    #[serde(default)]
    pub upgraded: Option<Upgraded>,
    /// Where its sockets and files are.
    pub state_dir: String,
    /// Where its configuration comes from.
    pub configuration: Configuration,
    /// How much is logged.
    pub log_level: Level,
    /// Records that were lost because the log was too slow.
    pub records_lost: u64,
    /// The memory of the supervisor, where it was asked for.
    pub memory: Option<Memory>,
    /// The processes that do the work, one for each role that the configuration needs.
    pub processes: Vec<ProcessStatus>,
}

impl Daemon {
    /// The process of a role.
    pub fn process(&self, role: &str) -> Option<&ProcessStatus> {
        self.processes.iter().find(|process| process.name == role)
    }
}

/// The process of a role.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct ProcessStatus {
    /// The role: `vrrp` runs the virtual routers.
    pub name: String,
    /// Its process id; `null`: it does not run.
    pub pid: Option<u32>,
    /// Since it started.
    pub uptime: Option<Seconds>,
    /// How late its timer was at worst.
    #[serde(default)]
    pub loop_late_max: Option<Seconds>,
    /// How often a process of the role had to be started again.
    pub restarts: u32,
    /// How one ended the last time that nobody had asked it to; `null`: none ever did.
    #[serde(default)]
    pub crash: Option<Crash>,
    /// It has ended, and is started again after so long; `null`: it runs, or is just being started.
    #[serde(default)]
    pub starts_in: Option<Seconds>,
    /// What it says about itself; `null` when it does not answer.
    pub report: Option<ProcessReport>,
    /// Its memory, where that was asked for.
    #[serde(default)]
    pub memory: Option<Memory>,
}

/// What a process says about itself.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct ProcessReport {
    /// Records that were left out by rate limits.
    pub records_limited: u64,
    /// Records that were lost because the supervisor did not take them.
    pub records_lost: u64,
    /// What its role counts, since the process was started. `vrrp`: `packets_too_short` to name a
    /// virtual router, and `netlink_overruns`, which are times that the kernel lost events because
    /// they came too fast; all was read again.
    pub counters: BTreeMap<String, u32>,
}

/// The memory of a process, in octets.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Memory {
    /// What it has asked its allocator for; `null` when it does not answer or does not count.
    pub heap: Option<Heap>,
    /// What the kernel holds in RAM for it (RSS).
    pub resident: Option<u64>,
    /// The same, with what it shares divided among those who share it (PSS).
    pub proportional: Option<u64>,
    /// What is in no file: heap and stacks.
    pub anonymous: Option<u64>,
    /// Why some of these are not known.
    pub unknown: Option<String>,
}

/// What a process has asked its allocator for. On a CPU of 32 bits the counts begin again after
/// four thousand million.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Heap {
    /// Octets in use.
    pub live: u64,
    /// The most octets that ever were in use.
    pub peak: u64,
    /// Blocks in use.
    pub blocks: u64,
    /// Blocks that were ever asked for; another size of a block counts as one more.
    pub allocations: u64,
}

impl From<heap::Heap> for Heap {
    fn from(heap: heap::Heap) -> Self {
        // No CPU has pointers of more than 64 bits.
        Self {
            live: heap.live as u64,
            peak: heap.peak as u64,
            blocks: heap.blocks as u64,
            allocations: heap.allocations as u64,
        }
    }
}

/// A program that another one took the place of.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Upgraded {
    /// When.
    pub age: Seconds,
    /// Its version.
    pub from: String,
}

/// The end of a process that was not asked for.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Crash {
    /// When.
    pub age: Seconds,
    /// How: `vrrp process 77 was killed by SIGSEGV`.
    pub end: String,
    /// How often one has ended within a minute.
    #[serde(default)]
    pub in_a_minute: u64,
    /// That was so often that the next one handed over what the former had, and stayed backup for
    /// some minutes.
    #[serde(default)]
    pub handed_over: bool,
    /// How long it had run; `null`: it could not be started.
    pub ran: Option<Seconds>,
    /// For how long its loop had not turned: much more than the time between two events when it
    /// hung.
    pub loop_stood: Option<Seconds>,
    /// How late its timer was at worst.
    pub loop_late_max: Option<Seconds>,
    /// What it had said last, oldest first.
    pub last_lines: Vec<String>,
}

/// The configuration in effect.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Configuration {
    /// The file.
    pub file: String,
    /// Counts the configurations that were in effect.
    pub generation: u32,
    /// Since it is in effect.
    pub loaded_age: Seconds,
    /// The last attempt to load another one, when it was refused: the one above stays in effect.
    pub refused: Option<Refused>,
}

/// A configuration that was refused.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Refused {
    /// When.
    pub age: Seconds,
    /// Why: what `steadfast check` says about it.
    pub reason: String,
}

/// One instance.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct InstanceStatus {
    /// Its name.
    pub name: String,
    /// The interface that adverts use.
    pub interface: String,
    /// `virtual_router_id`.
    pub virtual_router_id: u8,
    /// Of the protocol.
    pub version: u8,
    /// Its state.
    pub state: State,
    /// Since it is in that state.
    pub state_age: Seconds,
    /// Why it is in that state.
    pub cause: String,
    /// What keeps it from taking part.
    pub fault: Option<String>,
    /// The sync group.
    pub group: Option<String>,
    /// As configured.
    pub base_priority: u8,
    /// With what trackers add and take.
    pub effective_priority: u8,
    /// `advertisement_interval`.
    pub advertisement_interval: Seconds,
    /// Whether and how it takes over from a lower master: `off`, `on`, `immediate`.
    pub preempt: String,
    /// It is handing over right now.
    pub handing_over: bool,
    /// An operator holds it as backup.
    pub hold: Option<Hold>,
    /// Times it became master or stopped being it, since the vrrp process was started.
    pub transitions: u32,
    /// For each address family that it has addresses of.
    pub routers: Vec<RouterStatus>,
    /// Addresses, routes and rules.
    pub objects: Vec<ObjectStatus>,
    /// What changes its priority or faults it.
    pub trackers: Vec<TrackerStatus>,
    /// The timers that run.
    pub timers: Vec<TimerStatus>,
    /// What is wrong.
    pub warnings: Vec<Warning>,
}

/// An operator's hold.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Hold {
    /// When it ends by itself; `null`: by `release` only.
    pub ends_in: Option<Seconds>,
}

/// A virtual router: an instance in one address family.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct RouterStatus {
    /// `IPv4` or `IPv6`.
    pub family: String,
    /// Where its adverts come from.
    pub source: Option<IpAddr>,
    /// As backup: the master that it follows.
    pub master: Option<MasterStatus>,
    /// As master: the other router that last announced itself as master (not priority 0), since
    /// this one is master and is not handing over. It stays here after it fell silent: its age
    /// says whether it still is one.
    pub rival: Option<MasterStatus>,
    /// Adverts sent. This and what follows is counted since the vrrp process was started.
    pub adverts_sent: u32,
    /// Since the last one was sent.
    pub last_sent_age: Option<Seconds>,
    /// Valid adverts received.
    pub adverts_received: u32,
    /// Since the last one was received.
    pub last_received_age: Option<Seconds>,
    /// Who sent that one.
    pub last_received_from: Option<IpAddr>,
    /// Priority 0 sent.
    pub priority_zero_sent: u32,
    /// Priority 0 received.
    pub priority_zero_received: u32,
    /// Gratuitous ARPs or neighbour advertisements sent.
    pub announcements_sent: u32,
    /// Times it became master.
    pub become_master: u32,
    /// Times it stopped being master.
    pub release_master: u32,
    /// Adverts of lower priority heard as master.
    pub lower_priority_received: u32,
    /// Adverts whose address list was not ours.
    pub address_list_errors: u32,
    /// Adverts with another interval than ours.
    pub interval_differs: u32,
    /// Packets dropped, by reason; only those that happened.
    pub rejected: BTreeMap<String, u32>,
}

/// A master.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct MasterStatus {
    /// Its address.
    pub address: IpAddr,
    /// Its priority.
    pub priority: u8,
    /// Its interval.
    pub advertisement_interval: Seconds,
    /// Its address list is not ours, as far as they were compared.
    #[serde(default)]
    pub addresses_differ: bool,
    /// Since its last advert.
    pub heard_age: Seconds,
}

/// An address, route or rule.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct ObjectStatus {
    /// `address`, `excluded`, `route` or `rule`.
    pub kind: String,
    /// As in the configuration.
    pub what: String,
    /// The interface of an address.
    pub interface: Option<String>,
    /// Whether it should be there now.
    pub wanted: bool,
    /// Whether the kernel has it, and uses it.
    pub present: bool,
    /// What the kernel says of an IPv6 address: `duplicate` (another host has it, so that the
    /// kernel does not use it), `tentative` (not known yet whether another host has it),
    /// `deprecated` (not chosen as a source).
    #[serde(default)]
    pub flags: Vec<String>,
}

/// A tracked thing.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct TrackerStatus {
    /// Its name.
    pub name: String,
    /// `interface`, or what was configured.
    pub kind: String,
    /// `null`: no result yet.
    pub up: Option<bool>,
    /// 0 faults the instance, anything else is added to the priority.
    pub weight: i16,
    /// Turned round.
    pub reverse: bool,
}

/// A timer that runs.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct TimerStatus {
    /// What happens then: `next advert`, `master down`, ...
    pub name: String,
    /// When.
    pub due_in: Seconds,
}

/// Something that is wrong.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Warning {
    /// What it is about.
    pub kind: WarningKind,
    /// The instance, if it is about one.
    pub instance: Option<String>,
    /// The role of the process, if it is about one.
    #[serde(default)]
    pub process: Option<String>,
    /// In words, with the remedy when there is one.
    pub text: String,
    /// Who caused it.
    pub from: Option<IpAddr>,
    /// How often.
    pub count: u64,
    /// Since the last time.
    pub last_age: Seconds,
    /// Since it is no longer true; it is listed for five minutes more, and the verdict is none the
    /// worse for it. `null`: it is true now.
    #[serde(default)]
    pub ended_age: Option<Seconds>,
}
