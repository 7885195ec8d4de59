//! The begin of a daemon: what it is made of, new or from what the program before it has left.

use std::cell::Cell;
use std::io;
use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::sync::Arc;

use super::child_process::{Child, InheritedFds};
use super::configuration::Accepted;
use super::daemon::Daemon;
use super::exec_state::{ExecChild, ExecState};
use super::in_effect::{Current, InEffect};
use super::log::{Log, Target};
use super::notify::{Notify, Once};
use super::options::{Failure, Options};
use super::role::{Claims, ROLES, Taken};
use super::role_context::RoleContext;
use super::sd_notify::SdNotify;
use super::state_dir::StateDir;
use super::supervised::{Common, Stopping, Supervised};
use super::watchdog_device::WatchdogDevice;
use crate::control::event::{Kind, Level};
use crate::control::shared_memory::{self, Shared};
use crate::system::inherited_fds::take;
use crate::system::shared_memory::Region;
use crate::system::{clock, limits, privileges};
use crate::units::Instant;

/// The least number of descriptors that it works with; more instances take more.
const MIN_DESCRIPTORS: u16 = 64;

/// Starts the log.
///
/// # Errors
/// There is no thread for it.
pub fn start_log(target: Target, level: Level) -> Result<Log, Failure> {
    Log::start(target, level).map_err(Failure::system("cannot start the log"))
}

/// A daemon that begins.
///
/// # Errors
/// Why it cannot.
pub fn begin(
    options: Options,
    accepted: Accepted,
    inherited: InheritedFds,
) -> Result<Daemon, Failure> {
    let locks: Vec<&str> = ROLES.iter().map(|role| role.lock).collect();
    let mut dir = StateDir::open(&options.state_dir, &locks)?;
    let mut claims = Claims::default();
    let refused = |Taken { what, help }| Failure::new(what, help);
    let claimed = claims.add(&accepted.model).map_err(refused);
    // What is ours there goes, since nobody begins to work there.
    let listener = match claimed.and_then(|()| dir.bind()) {
        Ok(listener) => listener.map(OwnedFd::from),
        Err(failure) => {
            dir.leave();
            return Err(failure);
        }
    };
    let started = clock::now();
    let current = Current { model: accepted.model, generation: 1, since: started };
    let configuration = InEffect::new(options.file, current);
    let log = start_log(options.log, options.level)?;
    let base = Base { log, dir, configuration, inherited, started };
    let daemon = base.daemon(claims, listener, |_| shared_memory())?;
    for child in &daemon.children {
        child.holdings.recall();
    }
    Ok(daemon)
}

/// What the parts of a daemon share.
struct Base {
    log: Log,
    dir: StateDir,
    configuration: InEffect,
    inherited: InheritedFds,
    started: Instant,
}

impl Base {
    /// The daemon, with the memory of each role.
    fn daemon<E>(
        self,
        claims: Claims,
        listener: Option<OwnedFd>,
        mut memory: impl FnMut(&str) -> Result<Region, E>,
    ) -> Result<Daemon, E> {
        let (log, dir) = (Rc::new(self.log), Rc::new(self.dir));
        let configuration = Rc::new(self.configuration);
        let common = Common {
            stopping: Rc::new(Stopping { begun: Once::new(), in_a_hurry: Cell::new(false) }),
            look: Rc::new(Notify::new()),
            inherited: Rc::new(self.inherited),
        };
        let mut children = Vec::new();
        for role in ROLES {
            let context = RoleContext {
                log: Rc::clone(&log),
                dir: Rc::clone(&dir),
                configuration: Rc::clone(&configuration),
                memory: Arc::new(memory(role.name)?),
            };
            children.push(Rc::new(Supervised::new(role, context, common.clone())));
        }
        Ok(Daemon {
            log,
            dir,
            started: self.started,
            configuration,
            children,
            common,
            claims: claims.into(),
            listener,
            group_refused: None.into(),
            upgrade: None.into(),
            upgrade_asked: Notify::new(),
            stop_asked: Notify::new(),
            stop_now: Notify::new(),
            upgraded: None,
            sd_notify: SdNotify::from_environment(),
            watchdog: WatchdogDevice::new(),
        })
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
///
/// # Errors
/// What the system says.
pub fn go_on(
    former: ExecState,
    accepted: Accepted,
    log: Log,
    inherited: InheritedFds,
) -> io::Result<Daemon> {
    let lock = former.lock.map(|(lock, marked)| io::Result::Ok((take(lock)?, marked)));
    let listener = former.listener.map(take).transpose()?;
    let dir = StateDir::adopt(former.state_dir, lock.transpose()?, listener.is_some());
    log.go_on(former.transitions);
    let (now, generation) = (clock::now(), former.generation.wrapping_add(1));
    let current = Current { model: accepted.model, generation, since: now };
    let mut claims = Claims::adopt(former.claims);
    // Another daemon may have what the file has since; both know that already from the wire.
    let taken = claims.add(&current.model).err();
    claims.give_back(&current.model);
    if let Some(Taken { what, .. }) = taken {
        log.note(Level::Warning, Kind::Process, what);
    }
    let configuration = InEffect::new(former.file, current);
    let base = Base { log, dir, configuration, inherited, started: former.started };
    let children = former.children;
    let mut daemon = base.daemon(claims, listener, |name| {
        let new = || shared_memory().map_err(|failure| io::Error::other(failure.what));
        let Some(former) = children.iter().find(|child| child.role == name) else { return new() };
        Region::open(take(former.memory)?, shared_memory::WORDS)
            .and_then(|memory| {
                Shared::open(&memory).map_err(io::Error::other)?;
                Ok(memory)
            })
            // Of another layout: nothing in it is needed, since the child has handed over.
            .or_else(|_| new())
    })?;
    daemon.upgraded = Some((former.version, now));
    for former in children {
        let ExecChild { role, restarts, crash, installed, process, .. } = former;
        let Some(child) = daemon.child(&role) else { continue };
        child.history(|history| (history.restarts, history.crash) = (restarts, crash));
        child.holdings.go_on(installed);
        *child.former.borrow_mut() = process.map(Child::adopt).transpose()?;
    }
    Ok(daemon)
}

/// Whether there may be as many descriptors as a small configuration takes. What comes later can
/// say for itself that there are no more; what waits for descriptors cannot.
pub fn enough_descriptors() -> Result<(), Failure> {
    let few = limits::descriptors_below(MIN_DESCRIPTORS);
    let Some(most) = few.map_err(Failure::system("cannot read its limits"))? else {
        return Ok(());
    };
    Err(Failure::new(
        format!("this process may open {most} files, and needs {MIN_DESCRIPTORS} at least"),
        "raise the hard limit: LimitNOFILE= in its unit, or ulimit -Hn",
    ))
}

/// Whether this process has the rights that it needs.
pub fn may_run() -> Result<(), Failure> {
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
