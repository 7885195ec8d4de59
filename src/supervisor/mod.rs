//! The supervisor: holds the configuration, the log, the control socket and the state directory,
//! and keeps a process running for each role. It sees no packets and knows no protocol.
//!
//! One thread runs everything, with one multiplexer; a small one beside it writes the log, since
//! that may block.
//!
//! | module | for |
//! |---|---|
//! | [`role`] | the table of roles |
//! | `supervised`, `role_context` | one role of a running daemon |
//! | `vrrp` | what only that role needs |
//! | `child_lifecycle`, `child_process`, `backoff`, `crash` | starting a process, attending to it, starting it again |
//! | `child_watch`, `liveness` | whether the processes work |
//! | `child_link` | what is said to a process, and its answers |
//! | `role_lock` | one process of a role at a time |
//! | `scheduling` | when processes run |
//! | [`state_dir`], `path_trust` | who runs here: lock, process id, control socket; who else may write there |
//! | [`configuration`], `in_effect`, `reload` | reading a configuration, and taking another one over |
//! | [`log`] | the events of all processes |
//! | `server`, `client_lines`, `commands`, `status`, `status_broker`, `memory_usage` | the control socket |
//! | [`upgrade`], [`upgrade_plan`], [`exec_state`] | another program in the place of this one |
//! | `startup`, `shutdown` | the begin and the end |
//! | `signals`, [`detach`], `sd_notify`, `watchdog_device` | the surroundings |

mod backoff;
mod child_lifecycle;
mod child_link;
mod child_process;
mod child_watch;
pub mod client_lines;
mod commands;
pub mod configuration;
mod crash;
mod daemon;
pub mod detach;
pub mod exec_state;
mod in_effect;
mod liveness;
pub mod log;
mod memory_usage;
mod notify;
mod options;
mod path_trust;
mod ready;
mod reload;
pub mod role;
mod role_context;
mod role_lock;
mod scheduling;
mod sd_notify;
mod server;
mod shutdown;
mod signals;
mod startup;
pub mod state_dir;
mod status;
mod status_broker;
mod supervised;
mod timeouts;
pub mod upgrade;
pub mod upgrade_plan;
pub mod vrrp;
mod watchdog_device;

use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::time::Duration;

use smol::LocalExecutor;
use smol::channel::{Receiver, unbounded};
use smol::future::or;

use crate::control::event::{DaemonEvent, Level, What};
use crate::system::scheduling::leave_real_time_on_sigxcpu;
use crate::system::{memory, threads};
use child_process::InheritedFds;
use configuration::Accepted;
use daemon::Daemon;
use detach::Detached;
use exec_state::ExecState;
pub use options::{Failure, Options};
use signals::{Asked, Signals};
use timeouts::{start, within};
use upgrade::Handoff;
use upgrade_plan::Plan;

/// How long the first start of the children may take before a daemon counts as failed.
const START_TIMEOUT: Duration = Duration::from_secs(10);

/// Where a daemon comes from.
#[derive(Debug)]
pub enum Origin {
    /// It begins. Whoever went into the background with it is told when everything works.
    New(Option<Detached>),
    /// It takes the place of a program that ran in this process.
    Former(Box<ExecState>),
}

/// Runs until it is told to stop, or until another program takes its place.
///
/// # Errors
/// [`Failure`]: nothing runs any more.
pub fn run(options: Options, accepted: Accepted, origin: Origin) -> Result<(), Failure> {
    let inherited = match &origin {
        Origin::New(_) => {
            startup::enough_descriptors()?;
            InheritedFds::look()
        }
        Origin::Former(former) => InheritedFds::known(former.inherited.clone()),
    };
    startup::may_run()?;
    // Before there is a second thread, which would be interrupted instead.
    signals::block().map_err(Failure::system("cannot take signals"))?;
    threads::set_stack_size();
    leave_real_time_on_sigxcpu().map_err(Failure::system("cannot take SIGXCPU"))?;
    // The configuration has passwords.
    memory::keep_private().map_err(Failure::system("cannot keep memory out of core files"))?;
    let warnings = accepted.warnings.clone();
    let (daemon, detached) = match origin {
        Origin::New(detached) => (startup::begin(options, accepted, inherited)?, detached),
        Origin::Former(former) => {
            let system = Failure::system("cannot take over what the program before has left");
            let log = startup::start_log(options.log, options.level)?;
            (startup::go_on(*former, accepted, log, inherited).map_err(system)?, None)
        }
    };
    for warning in warnings {
        daemon.log.tell(What::Daemon(DaemonEvent::ConfigurationWarning(warning.into())));
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
    let handoff = plan.clone().map(|plan| upgrade::handoff(&daemon, plan));
    if handoff.is_some() {
        scheduling::leave();
    }
    // Nobody understands what would be left.
    let is_seamless = plan.as_ref().is_some_and(|plan| plan.seamless);
    for child in daemon.children.iter().filter(|child| !is_seamless || !child.role.survives_upgrade)
    {
        role_lock::leave(child);
    }
    let Daemon { log, dir, children, configuration, .. } = daemon;
    // These hold the log and the directory as well.
    drop((children, configuration));
    if !is_seamless && let Some(dir) = Rc::into_inner(dir) {
        dir.leave();
    }
    if let Some(log) = Rc::into_inner(log) {
        log.finish();
    }
    match handoff {
        None => Ok(()),
        Some(handoff) => {
            let error = handoff.map_or_else(|error| error, Handoff::pass_on);
            Err(Failure::system("the next program cannot take over")(error))
        }
    }
}

/// Everything from the first start to the last hand-over; the program that is to go on, if one is.
async fn work(
    daemon: &Rc<Daemon>,
    executor: &Rc<LocalExecutor<'_>>,
    detached: Option<Detached>,
) -> Result<Option<Plan>, Failure> {
    announce(daemon);
    daemon.set_socket_group();
    let library = daemon.log.of_library();
    let log = Rc::clone(&daemon.log);
    let collect = start(executor, async move {
        while let Ok(event) = library.recv().await {
            log.take(Rc::new(event));
        }
    });
    let signals = Signals::open().map_err(Failure::system("cannot take signals"))?;
    let mut tasks = vec![collect];
    for child in &daemon.children {
        let child = Rc::clone(child);
        tasks.push(start(executor, async move { child.broker.serve(|| child.link()).await }));
    }
    let listener = daemon.listener.as_ref().map(OwnedFd::try_clone).transpose();
    let listener = listener.map_err(Failure::system("cannot use the control socket"))?;
    let serve = listener.map(|listener| {
        start(executor, server::serve(Rc::clone(daemon), Rc::clone(executor), listener.into()))
    });
    let tell = start(executor, sd_notify::serve(Rc::clone(daemon)));
    let guard = start(executor, watchdog_device::guard(Rc::clone(daemon)));
    let watched = Rc::clone(daemon);
    let watch = start(executor, async move {
        let result = child_watch::watch(&watched.children, &watched.common.look).await;
        if let Err(error) = result {
            watched.note(Level::Error, format!("nobody looks whether the children work: {error}"));
        }
    });
    let (started, starts) = unbounded();
    let mut keepers = Vec::new();
    for child in &daemon.children {
        let (daemon, started) = (Rc::clone(daemon), started.clone());
        let name = child.role.name;
        let first = move |result: Result<(), String>| {
            if result.is_ok() && daemon.needed().all(|child| child.has_applied()) {
                daemon.sd_notify.ready(&daemon.log);
            }
            // Who waits for the first start is gone after it.
            let _ = started.try_send((name, result));
        };
        keepers.push(start(executor, child_lifecycle::keep(Rc::clone(child), first)));
    }
    drop(started);
    let begun = match detached {
        None => Ok(()),
        Some(detached) => tell_detached(detached, daemon, &starts).await,
    };
    starts.close();
    let mut plan = None;
    if begun.is_ok() {
        let upgrade = async {
            daemon.upgrade_asked.notified().await;
            daemon.upgrade.borrow_mut().take()
        };
        let signal = async {
            or(attend_signals(daemon, executor, &signals), daemon.stop_asked.notified()).await;
            None
        };
        plan = or(signal, upgrade).await;
    }
    match &plan {
        Some(plan) if shutdown::make_room(daemon, plan).await => {
            shutdown::leave(daemon, keepers).await;
        }
        Some(_) | None => shutdown::stop(daemon, keepers, &signals, plan.is_some()).await,
    }
    // These hold what has to be given back in order.
    if let Some(serve) = serve {
        serve.cancel().await;
    }
    guard.cancel().await;
    tasks.extend([tell, watch]);
    for task in tasks {
        task.cancel().await;
    }
    begun.map(|()| plan)
}

/// The first lines of the log.
fn announce(daemon: &Daemon) {
    daemon.log.tell(What::Daemon(DaemonEvent::Started {
        version: env!("CARGO_PKG_VERSION").into(),
        file: daemon.configuration.file_name(),
        after: daemon.upgraded.as_ref().map(|(former, _)| former.as_str().into()),
    }));
    if let Some(pid) = daemon.dir.killed() {
        // It could not say so itself, and its children had nobody to tell.
        let text = format!(
            "the supervisor before this one (process {pid}) did not stop: it was killed or \
             crashed, or the machine went down"
        );
        daemon.note(Level::Warning, text);
    }
    for loss in daemon.dir.losses() {
        daemon.note(Level::Warning, loss.clone());
    }
}

/// Waits for the first start of all children that are needed, and tells how it went.
async fn tell_detached(
    detached: Detached,
    daemon: &Daemon,
    starts: &Receiver<(&'static str, Result<(), String>)>,
) -> Result<(), Failure> {
    let help = "run it without --daemon to see the log";
    let mut waiting: Vec<&str> = daemon.needed().map(|child| child.role.name).collect();
    let all = async {
        while !waiting.is_empty() {
            let Ok((name, result)) = starts.recv().await else { break };
            result?;
            waiting.retain(|waiting| *waiting != name);
        }
        Ok::<(), String>(())
    };
    match within(START_TIMEOUT, all).await {
        Some(Ok(())) => detached.ready().map_err(Failure::system("cannot leave standard output")),
        Some(Err(end)) => Err(Failure::new(end, help)),
        None => Err(Failure::new(
            format!(
                "the {} process did not begin to work within {} s",
                waiting.join(", the "),
                START_TIMEOUT.as_secs()
            ),
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
                if !daemon.configuration.reload_asked.replace(true) {
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
