//! The supervisor: holds the configuration, the log, the control socket and the state directory,
//! and keeps the process running that speaks VRRP. It sees no packets and knows no protocol.
//!
//! One thread runs everything, with one multiplexer; a small one beside it writes the log, since
//! that may block.
//!
//! | module | for |
//! |---|---|
//! | [`state_dir`] | who runs here: lock, process id, control socket |
//! | `claims` | one daemon for each virtual router |
//! | [`configuration`], `reload` | reading a configuration, and taking another one over |
//! | `child`, `child_lifecycle`, `backoff`, `hello` | starting the child, watching it, starting it again |
//! | `path_trust` | who else may write where we do |
//! | `role_lock` | one vrrp process at a time |
//! | `orphan_adoption` | going on with what a killed supervisor has left |
//! | [`installed`], `withdraw`, `sweep` | what it has in the kernel, and the removal when it is gone |
//! | `crash` | how it ended |
//! | `child_link` | what is said to it, and its answers |
//! | `scheduling` | when it runs, and when we do |
//! | [`log`] | the records of all processes |
//! | `server`, `client_lines`, `commands`, `status`, `memory_usage` | the control socket |
//! | [`upgrade`], [`exec_state`] | another program in the place of this one |
//! | `signals`, [`detach`], `sd_notify`, `watchdog_device` | the surroundings |

mod backoff;
mod child;
mod child_lifecycle;
mod child_link;
mod claims;
pub mod client_lines;
mod commands;
pub mod configuration;
mod crash;
mod daemon;
pub mod detach;
pub mod exec_state;
mod hello;
pub mod installed;
pub mod log;
mod memory_usage;
mod orphan_adoption;
mod path_trust;
mod ready;
mod reload;
mod role_lock;
mod scheduling;
mod sd_notify;
mod server;
mod signals;
pub mod state_dir;
mod status;
mod sweep;
mod timeouts;
pub mod upgrade;
mod watchdog_device;
mod withdraw;

use std::io;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use smol::LocalExecutor;
use smol::channel::{Receiver, bounded};
use smol::future::or;

use crate::config::model::Model;
use crate::control::child_messages::ToChild;
use crate::control::record::{Kind, Level};
use crate::control::shared_memory::{self, Shared};
use crate::system::inherited_fds::take;
use crate::system::scheduling::yield_when_too_long;
use crate::system::shared_memory::Region;
use crate::system::{clock, limits, memory, privileges, threads};
use child::{Child, InheritedFds};
pub use child::{LINK, LOCK, LOCKS_MEMORY, MEMORY, MEMORY_CHECK, RECORDS, VRRP_COMMAND};
use claims::{Claims, Taken};
use configuration::Accepted;
use daemon::{Current, Daemon, Parts};
use detach::Detached;
use exec_state::ExecState;
use log::{Log, Target};
use signals::{Asked, Signals};
use state_dir::StateDir;
use timeouts::{patience, start, within};
use upgrade::{Handoff, Plan};

/// The least number of descriptors that it works with; more instances take more.
const DESCRIPTORS: u16 = 64;
/// How long the first start of a child may take before a daemon counts as failed.
const START: Duration = Duration::from_secs(10);
/// Added to the time that a hand-over may take by the protocol.
const SLACK: Duration = Duration::from_secs(2);
/// How long the end of a killed child, and the removal of what it held, is waited for.
const HURRY: Duration = Duration::from_secs(3);

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
    fn new(what: impl Into<String>, help: impl Into<String>) -> Self {
        Self { what: what.into(), help: help.into() }
    }

    fn system(what: &str) -> impl Fn(io::Error) -> Self {
        move |error| Self::new(format!("{what}: {error}"), "see what the system is short of")
    }
}

/// Where a daemon comes from.
#[derive(Debug)]
pub enum Origin {
    /// It begins. Whoever went into the background with it is told when everything works.
    New(Option<Detached>),
    /// It takes the place of a program that ran in this process.
    ExecState(Box<ExecState>),
}

/// Runs until it is told to stop, or until another program takes its place.
///
/// # Errors
/// [`Failure`]: nothing runs any more.
pub fn run(options: Options, accepted: Accepted, origin: Origin) -> Result<(), Failure> {
    let strangers = match &origin {
        Origin::New(_) => {
            enough_descriptors()?;
            InheritedFds::look()
        }
        Origin::ExecState(former) => InheritedFds::known(former.strangers.clone()),
    };
    may_run()?;
    // Before there is a second thread, which would be interrupted instead.
    signals::block().map_err(Failure::system("cannot take signals"))?;
    threads::keep_stacks_small();
    yield_when_too_long().map_err(Failure::system("cannot take SIGXCPU"))?;
    // The configuration has passwords.
    memory::keep_private().map_err(Failure::system("cannot keep memory out of core files"))?;
    let start_log = || {
        let log = Log::start(options.log, options.level);
        log.map_err(Failure::system("cannot start the log"))
    };
    let (daemon, detached) = match origin {
        Origin::New(detached) => {
            let mut dir = StateDir::open(&options.state_dir)?;
            let mut claims = Claims::default();
            let refused = |Taken { what, help }| Failure::new(what, help);
            let claimed = claims.add(&accepted.model).map_err(refused);
            // What is ours there goes, since nobody begins to work there.
            let bound = claimed.and_then(|()| dir.bind());
            let listener = match bound {
                Ok(listener) => listener.map(OwnedFd::from),
                Err(failure) => {
                    dir.leave();
                    return Err(failure);
                }
            };
            let current = Current::new(accepted.model, 1, clock::now());
            let (log, memory, file) = (start_log()?, shared_memory()?, options.file);
            let parts = Parts { log, dir, file, current, memory, strangers, listener, claims };
            (Daemon::new(parts), detached)
        }
        Origin::ExecState(former) => {
            let system = Failure::system("cannot take over what the program before has left");
            let log = start_log()?;
            let daemon = go_on(*former, accepted.model, log, strangers).map_err(system)?;
            (daemon, None)
        }
    };
    for warning in &accepted.warnings {
        daemon.log.note(Level::Warning, Kind::Configuration, warning.clone());
    }
    let daemon = Rc::new(daemon);
    let result = {
        let executor = Rc::new(LocalExecutor::new());
        // Not async-io's, which drives the reactor itself and so competes with the thread of the
        // reactor: at each event they wake each other up a dozen times.
        smol::future::block_on(executor.run(work(&daemon, &executor, detached)))
    };
    // The tasks ended with the executor, and nobody else has it.
    let (Some(daemon), Ok(plan)) = (Rc::into_inner(daemon), &result) else {
        return result.map(drop);
    };
    let legacy = plan.clone().map(|plan| upgrade::legacy(&daemon, plan));
    if legacy.is_some() {
        scheduling::leave();
    }
    // Nobody understands what would be left.
    if plan.as_ref().is_none_or(|plan| !plan.seamless) {
        role_lock::leave(&daemon.dir);
        daemon.dir.leave();
    }
    daemon.log.finish();
    match legacy {
        None => Ok(()),
        Some(legacy) => {
            let error = legacy.map_or_else(|error| error, Handoff::pass_on);
            Err(Failure::system("the next program cannot take over")(error))
        }
    }
}

/// Memory that outlives a child.
fn shared_memory() -> Result<Region, Failure> {
    let memory = Region::create(shared_memory::WORDS)
        .map_err(Failure::system("cannot make memory for the processes to share"))?;
    Shared::create(&memory).map_err(|error| {
        Failure::new(format!("memory for the processes to share: {error}"), "please report it")
    })?;
    Ok(memory)
}

/// A daemon that goes on where the program before this one has stopped.
fn go_on(former: ExecState, model: Model, log: Log, strangers: InheritedFds) -> io::Result<Daemon> {
    let lock = former.lock.map(|(lock, marked)| io::Result::Ok((take(lock)?, marked)));
    let listener = former.listener.map(take).transpose()?;
    let dir = StateDir::adopt(former.state_dir, lock.transpose()?, listener.is_some());
    let memory = Region::open(take(former.memory)?, shared_memory::WORDS)
        .and_then(|memory| {
            Shared::open(&memory).map_err(io::Error::other)?;
            Ok(memory)
        })
        // Of another layout: nothing in it is needed, since the child has handed over.
        .or_else(|_| shared_memory().map_err(|failure| io::Error::other(failure.what)))?;
    log.go_on(former.transitions);
    let current = Current::new(model, former.generation.wrapping_add(1), clock::now());
    let file = former.file;
    let mut claims = Claims::adopt(former.claims);
    // Another daemon may have what the file has since; both know that already from the wire.
    let taken = claims.add(&current.model).err();
    claims.give_back(&current.model);
    if let Some(Taken { what, .. }) = taken {
        log.note(Level::Warning, Kind::Process, what);
    }
    let parts = Parts { log, dir, file, current, memory, strangers, listener, claims };
    let mut daemon = Daemon::new(parts);
    daemon.started = former.started;
    daemon.upgraded = Some((former.version, clock::now()));
    {
        let mut vrrp = daemon.vrrp.borrow_mut();
        (vrrp.restarts, vrrp.crash) = (former.restarts, former.crash);
    }
    *daemon.installed.borrow_mut() = former.installed;
    daemon.begun.set(true);
    *daemon.former.borrow_mut() = former.child.map(Child::adopt).transpose()?;
    Ok(daemon)
}

/// Whether there may be as many descriptors as a small configuration takes. What comes later can
/// say for itself that there are no more; what waits for descriptors cannot.
fn enough_descriptors() -> Result<(), Failure> {
    let few = limits::descriptors_below(DESCRIPTORS);
    let Some(most) = few.map_err(Failure::system("cannot read its limits"))? else {
        return Ok(());
    };
    Err(Failure::new(
        format!("this process may open {most} files, and needs {DESCRIPTORS} at least"),
        "raise the hard limit: LimitNOFILE= in its unit, or ulimit -Hn",
    ))
}

/// Whether this process has the rights that it needs.
fn may_run() -> Result<(), Failure> {
    let missing = privileges::missing().map_err(Failure::system("cannot see its rights"))?;
    if missing.is_empty() {
        return Ok(());
    }
    let list: Vec<String> =
        missing.iter().map(|right| format!("{} to {}", right.name, right.purpose)).collect();
    let names: Vec<&str> = privileges::NEEDED.iter().map(|right| right.name).collect();
    Err(Failure::new(
        format!("this process has no right {}", list.join(", nor ")),
        format!("run it as root, or with AmbientCapabilities={} in its unit", names.join(" ")),
    ))
}

/// Everything from the first start to the last hand-over; the program that is to go on, if one is.
async fn work(
    daemon: &Rc<Daemon>,
    executor: &Rc<LocalExecutor<'_>>,
    detached: Option<Detached>,
) -> Result<Option<Plan>, Failure> {
    let file = daemon.file.display();
    let version = env!("CARGO_PKG_VERSION");
    let text = match &daemon.upgraded {
        None => format!("steadfast {version} started with {file}"),
        Some((former, _)) => format!("steadfast {version} goes on after {former} with {file}"),
    };
    daemon.note(Level::Notice, text);
    if let Some(pid) = daemon.dir.killed() {
        // It could not say so itself, and its vrrp process had nobody to tell.
        let text = format!(
            "the supervisor before this one (process {pid}) did not stop: it was killed or \
             crashed, or the machine went down"
        );
        daemon.note(Level::Warning, text);
    }
    for loss in daemon.dir.losses() {
        daemon.note(Level::Warning, loss.clone());
    }
    daemon.set_socket_group();
    let library = daemon.log.of_library();
    let log = Rc::clone(daemon);
    let collect = start(executor, async move {
        while let Ok(record) = library.recv().await {
            log.log.take(record);
        }
    });
    if daemon.upgraded.is_none() {
        match installed::read(daemon) {
            Ok(held) => *daemon.installed.borrow_mut() = held,
            Err(text) => daemon.note(Level::Warning, text),
        }
    }
    let signals = Signals::open().map_err(Failure::system("cannot take signals"))?;
    let ask = start(executor, status::ask(Rc::clone(daemon)));
    let listener = daemon.listener.as_ref().map(OwnedFd::try_clone).transpose();
    let listener = listener.map_err(Failure::system("cannot use the control socket"))?;
    let serve = listener.map(|listener| {
        start(executor, server::serve(Rc::clone(daemon), Rc::clone(executor), listener.into()))
    });
    let tell = start(executor, sd_notify::serve(Rc::clone(daemon)));
    let guard = start(executor, watchdog_device::guard(Rc::clone(daemon)));
    let (first, went) = bounded(1);
    let keeper = start(
        executor,
        child_lifecycle::keep(Rc::clone(daemon), move |result| {
            // Only the first one counts.
            let _ = first.try_send(result);
        }),
    );
    let started = match detached {
        None => Ok(()),
        Some(detached) => begin(detached, &went).await,
    };
    let mut plan = None;
    if started.is_ok() {
        let upgrade = async {
            daemon.upgrade_asked.heard().await;
            daemon.upgrade.borrow_mut().take()
        };
        let signal = async {
            attend_signals(daemon, executor, &signals).await;
            None
        };
        plan = or(signal, upgrade).await;
    }
    match &plan {
        Some(plan) if make_room(daemon, plan).await => drop(keeper.cancel().await),
        Some(_) | None => stop(daemon, keeper, &signals, plan.is_some()).await,
    }
    // These hold what has to be given back in order.
    if let Some(serve) = serve {
        serve.cancel().await;
    }
    guard.cancel().await;
    drop((ask, collect, tell));
    started.map(|()| plan)
}

/// Before another program goes on: whether the vrrp process can stay until it does.
async fn make_room(daemon: &Daemon, plan: &Plan) -> bool {
    let (program, version) = (plan.program.display(), &plan.version);
    daemon.note(Level::Notice, format!("{program} (steadfast {version}) takes over"));
    if !plan.seamless {
        let text = "it does not understand what this one leaves: addresses are handed over first";
        daemon.note(Level::Notice, text);
        return false;
    }
    let quiet = match daemon.link() {
        Some(link) => link.quiesce().await,
        // It waits to be started, and is by the next program.
        None => true,
    };
    if !quiet {
        let text = "the vrrp process does not come to rest: addresses are handed over first";
        daemon.note(Level::Warning, text);
    }
    quiet
}

/// Waits for the first start, and tells how it went.
async fn begin(detached: Detached, went: &Receiver<Result<(), String>>) -> Result<(), Failure> {
    let help = "run it without --daemon to see the log";
    match within(START, went.recv()).await {
        Some(Ok(Ok(()))) => {
            detached.ready().map_err(Failure::system("cannot leave standard output"))
        }
        Some(Ok(Err(end))) => Err(Failure::new(end, help)),
        Some(Err(_)) | None => Err(Failure::new(
            format!("the vrrp process did not begin to work within {} s", START.as_secs()),
            help,
        )),
    }
}

/// Does what signals ask for, until one asks for the end.
async fn attend_signals(daemon: &Rc<Daemon>, executor: &Rc<LocalExecutor<'_>>, signals: &Signals) {
    loop {
        let daemon = Rc::clone(daemon);
        match signals.next().await {
            Ok(Asked::Stop) => return,
            Ok(Asked::Reload) => {
                if !daemon.reload_asked.replace(true) {
                    // The log and the status tell how it went.
                    start(executor, async move { drop(reload::reload(&daemon).await) }).detach();
                }
            }
            Ok(Asked::Dump) => start(executor, status::dump(daemon)).detach(),
            Ok(Asked::Statistics) => start(executor, status::statistics(daemon)).detach(),
            Err(error) => {
                daemon.note(Level::Error, format!("signals cannot be read: {error}; stopping"));
                return;
            }
        }
    }
}

/// Lets the child hand over and end. After a second signal nobody waits for it: it hands over and
/// ends by itself, since its connection does. One that takes longer than the protocol is killed.
async fn stop(daemon: &Rc<Daemon>, keeper: smol::Task<()>, signals: &Signals, goes_on: bool) {
    daemon.note(Level::Notice, "stopping: addresses are handed over");
    daemon.begin_stop();
    let limit = patience(daemon.current.borrow().longest_down_interval() + SLACK);
    if !goes_on {
        daemon.service.stopping(&daemon.log, limit + HURRY + SLACK);
    }
    let told = daemon.link().is_none_or(|link| link.say(ToChild::Stop).is_ok());
    let mut keeper = std::pin::pin!(keeper);
    let ended = async {
        keeper.as_mut().await;
        None
    };
    let hurry = async {
        loop {
            match signals.next().await {
                Ok(Asked::Stop) => return Some(Cut::Hurry),
                Ok(Asked::Reload | Asked::Dump | Asked::Statistics) => {}
                Err(_) => std::future::pending().await,
            }
        }
    };
    let cut = match told {
        true => within(limit, or(ended, hurry)).await.unwrap_or(Some(Cut::Late)),
        false => Some(Cut::Late),
    };
    match cut {
        None => {}
        Some(Cut::Hurry) => {
            daemon.note(Level::Warning, "stopping at once: the vrrp process ends by itself");
        }
        Some(Cut::Late) => {
            daemon.note(Level::Error, "the vrrp process took too long to hand over");
            daemon.in_a_hurry.set(true);
            if let Some(link) = daemon.link() {
                link.condemn();
            }
            within(HURRY, keeper).await;
        }
    }
    if !goes_on {
        daemon.note(Level::Notice, "stopped");
    }
}

/// Why the end is not waited for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Cut {
    /// A second signal.
    Hurry,
    /// The child takes too long.
    Late,
}
