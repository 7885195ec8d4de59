//! What the tasks of the supervisor share.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use smol::channel::{Receiver, Sender, bounded};

use super::child::{Child, InheritedFds};
use super::child_link::Link;
use super::claims::Claims;
use super::crash::{Crash, LastLines};
use super::installed::Held;
use super::log::Log;
use super::scheduling::Scheduling;
use super::sd_notify::SdNotify;
use super::state_dir::StateDir;
use super::status::StatusBroker;
use super::upgrade::Plan;
use super::watchdog_device::WatchdogDevice;
use super::withdraw::Remainder;
use crate::config::model::Model;
use crate::control::record::{Kind, Level};
use crate::control::shared_memory::Key;
use crate::system::shared_memory::Region;
use crate::units::Instant;
use crate::vrrp::change::Change;

/// The daemon: what it has, and how it stands.
#[derive(Debug)]
pub struct Daemon {
    /// The log.
    pub log: Log,
    /// The state directory.
    pub dir: StateDir,
    /// When this process began to work.
    pub started: Instant,
    /// The file of the configuration.
    pub file: PathBuf,
    /// The configuration in effect.
    pub current: RefCell<Current>,
    /// The last configuration that was refused: when, and why.
    pub refused: RefCell<Option<(Instant, String)>>,
    /// Why the group of the control socket could not be set.
    pub group_refused: RefCell<Option<String>>,
    /// The vrrp process.
    pub vrrp: RefCell<Vrrp>,
    /// When the processes run.
    pub scheduling: RefCell<Scheduling>,
    /// What is in the kernel because of the vrrp process.
    pub installed: RefCell<Vec<Held>>,
    /// A process of this daemon may have put there what is in [`Daemon::installed`]; until then it
    /// is what a daemon before this one has left.
    pub begun: Cell<bool>,
    /// A vrrp process takes the place of one of the program before: what that one had is not let go
    /// of before it is looked through.
    pub taking_over: Cell<bool>,
    /// Instances whose objects the supervisor removed, and the last advert of the process that had
    /// them.
    pub disowned: RefCell<BTreeMap<Key, Instant>>,
    /// Rings when something is there and nothing was before.
    pub holds: Notify,
    /// What is in the kernel and nobody's.
    pub remainder: RefCell<Remainder>,
    /// Why the file about [`Daemon::installed`] could not be written.
    pub not_written: RefCell<Option<String>>,
    /// The control socket.
    pub listener: Option<OwnedFd>,
    /// The virtual routers that no other daemon may have.
    pub claims: RefCell<Claims>,
    /// The vrrp process of the program before this one.
    pub former: RefCell<Option<Child>>,
    /// The program that is to take the place of this one.
    pub upgrade: RefCell<Option<Plan>>,
    /// Rings when there is one.
    pub upgrade_asked: Notify,
    /// The program that this one took the place of: its version, and when.
    pub upgraded: Option<(String, Instant)>,
    /// Rings when [`Daemon::installed`] may have changed.
    pub transition: Notify,
    /// Memory that outlives a child.
    pub memory: Region,
    /// Descriptors that are not ours.
    pub strangers: InheritedFds,
    /// Those who want to know the status.
    pub desk: StatusBroker,
    /// One reload at a time.
    pub reloading: smol::lock::Mutex<()>,
    /// A signal asks for a reload that has not begun yet: more of them ask for the same.
    pub reload_asked: Cell<bool>,
    /// The end may not take any longer.
    pub in_a_hurry: Cell<bool>,
    /// The service manager.
    pub service: SdNotify,
    /// The watchdog device.
    pub hardware: WatchdogDevice,
    stopping: Stopping,
}

/// What a daemon is made of.
#[derive(Debug)]
pub struct Parts {
    /// See [`Daemon::log`].
    pub log: Log,
    /// See [`Daemon::dir`].
    pub dir: StateDir,
    /// See [`Daemon::file`].
    pub file: PathBuf,
    /// See [`Daemon::current`].
    pub current: Current,
    /// See [`Daemon::memory`].
    pub memory: Region,
    /// See [`Daemon::strangers`].
    pub strangers: InheritedFds,
    /// See [`Daemon::listener`].
    pub listener: Option<OwnedFd>,
    /// See [`Daemon::claims`].
    pub claims: Claims,
}

/// The configuration in effect.
#[derive(Debug)]
pub struct Current {
    /// What it means.
    pub model: Model,
    /// Counts them.
    pub generation: u32,
    /// Since when.
    pub since: Instant,
    /// How often a child is asked whether it works.
    pub hello_period: Duration,
}

/// The vrrp process.
#[derive(Debug, Default)]
pub struct Vrrp {
    /// Its connection, while it runs.
    pub link: Option<Rc<Link>>,
    /// The process itself, while it runs.
    pub child: Option<Rc<Child>>,
    /// When it is to be started again, while it is not.
    pub starts_at: Option<Instant>,
    /// How often it was started again.
    pub restarts: u32,
    /// The generation of the configuration that it works with.
    pub applied: u32,
    /// What it has said last.
    pub lines: LastLines,
    /// How the last one ended that nobody had asked to.
    pub crash: Option<Crash>,
}

impl Vrrp {
    /// It has ended; its connection.
    pub fn forget_child(&mut self) -> Option<Rc<Link>> {
        self.child = None;
        let link = self.link.take()?;
        link.end();
        Some(link)
    }
}

/// Rung by one task, heard by another; rung twice, heard once.
#[derive(Debug)]
pub struct Notify {
    ring: Sender<()>,
    rung: Receiver<()>,
}

impl Notify {
    /// Silent.
    pub fn new() -> Self {
        let (ring, rung) = bounded(1);
        Self { ring, rung }
    }

    /// Rings.
    pub fn ring(&self) {
        // It rings already.
        let _ = self.ring.try_send(());
    }

    /// Waits until it is rung.
    pub async fn heard(&self) {
        // Both ends are here, so it never ends.
        let _ = self.rung.recv().await;
    }
}

#[derive(Debug)]
struct Stopping {
    begun: Cell<bool>,
    /// Closed when it begins, which wakes all who wait for it.
    begin: Sender<()>,
    begins: Receiver<()>,
}

impl Current {
    /// A configuration that takes effect now.
    pub fn new(model: Model, generation: u32, now: Instant) -> Self {
        let hello_period = super::hello::period(&model);
        Self { model, generation, since: now, hello_period }
    }

    /// The part of the vrrp process, in its encoding: what is different from `base`, or all.
    ///
    /// # Errors
    /// It cannot be encoded.
    pub fn for_vrrp(&self, base: Option<&Self>) -> Result<Vec<u8>, postcard::Error> {
        let base = base.map(|base| &base.model);
        postcard::to_allocvec(&Change::between_models(base, &self.model))
    }

    /// The longest time that another router may take to notice that this one is gone.
    pub fn longest_down_interval(&self) -> Duration {
        let down = self.model.instances.iter().map(|instance| {
            // The skew is less than one interval more.
            instance.interval.duration() * (u32::from(instance.down_timer_adverts) + 1)
        });
        down.max().unwrap_or_default()
    }
}

impl Daemon {
    /// Before any task runs.
    pub fn new(parts: Parts) -> Self {
        let Parts { log, dir, file, current, memory, strangers, listener, claims } = parts;
        let (begin, begins) = bounded(1);
        Self {
            log,
            dir,
            started: current.since,
            file,
            current: RefCell::new(current),
            refused: RefCell::default(),
            group_refused: RefCell::default(),
            vrrp: RefCell::default(),
            scheduling: RefCell::default(),
            installed: RefCell::default(),
            begun: Cell::new(false),
            taking_over: Cell::new(false),
            disowned: RefCell::default(),
            holds: Notify::new(),
            remainder: RefCell::default(),
            not_written: RefCell::default(),
            listener,
            claims: RefCell::new(claims),
            former: RefCell::default(),
            upgrade: RefCell::default(),
            upgrade_asked: Notify::new(),
            upgraded: None,
            transition: Notify::new(),
            memory,
            strangers,
            desk: StatusBroker::new(),
            reloading: smol::lock::Mutex::new(()),
            reload_asked: Cell::new(false),
            in_a_hurry: Cell::new(false),
            service: SdNotify::from_environment(),
            hardware: WatchdogDevice::new(),
            stopping: Stopping { begun: Cell::new(false), begin, begins },
        }
    }

    /// A line about the processes.
    pub fn note(&self, level: Level, text: impl Into<String>) {
        self.log.note(level, Kind::Process, text);
    }

    /// The vrrp process of the program before this one; once.
    pub fn take_former(&self) -> Option<Child> {
        self.former.take()
    }

    /// The connection to the vrrp process, while it runs.
    pub fn link(&self) -> Option<Rc<Link>> {
        self.vrrp.borrow().link.clone()
    }

    /// Whether the vrrp process works, as far as that is known.
    pub fn works(&self) -> bool {
        let works = |link: Rc<Link>| link.applied().is_some() && link.silent(false).is_none();
        self.link().is_some_and(works)
    }

    /// The end begins: no child is started any more.
    pub fn begin_stop(&self) {
        self.stopping.begun.set(true);
        self.stopping.begin.close();
    }

    /// Whether the end has begun.
    pub fn is_stopping(&self) -> bool {
        self.stopping.begun.get()
    }

    /// Waits until the end begins.
    pub async fn stop_begins(&self) {
        // Nothing is ever sent.
        let _ = self.stopping.begins.recv().await;
    }

    /// Gives the control socket to the group of the configuration.
    pub fn set_socket_group(&self) {
        let result = {
            let current = self.current.borrow();
            self.dir.give_to(current.model.global.control_socket_group.as_deref())
        };
        if let Err(text) = &result {
            self.log.note(Level::Warning, Kind::Configuration, text.clone());
        }
        *self.group_refused.borrow_mut() = result.err();
    }
}
