//! One role of a running daemon: its process, as far as there is one, and what is known of it.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use nix::unistd::Pid;

use super::child_link::Link;
use super::child_process::{Child, InheritedFds};
use super::crash::{Crash, LastEvents};
use super::notify::{Notify, Once};
use super::role::{Holdings, Role};
use super::role_context::RoleContext;
use super::scheduling::Scheduling;
use super::status_broker::StatusBroker;
use crate::control::child_messages::ToChild;
use crate::control::shared_memory::Shared;
use crate::units::Instant;

/// What all roles of a daemon have in common.
#[derive(Clone, Debug)]
pub struct Common {
    /// The end of the daemon.
    pub stopping: Rc<Stopping>,
    /// Notified when the task that looks at all children has a reason to look at once.
    pub look: Rc<Notify>,
    /// Descriptors that no child gets.
    pub inherited: Rc<InheritedFds>,
}

/// The end of the daemon.
#[derive(Debug)]
pub struct Stopping {
    /// Happens when it begins: no child is started any more.
    pub begun: Once,
    /// It may not take any longer.
    pub in_a_hurry: Cell<bool>,
}

/// A role.
#[derive(Debug)]
pub struct Supervised {
    /// Its row of the table.
    pub role: &'static Role,
    /// What it works with.
    pub context: RoleContext,
    /// What it shares with the others.
    pub common: Common,
    /// What its process leaves in the kernel.
    pub holdings: Holdings,
    /// Collects the requests for its status.
    pub broker: StatusBroker,
    /// How its process is scheduled.
    pub scheduling: RefCell<Scheduling>,
    /// The process of the program before this one.
    pub former: RefCell<Option<Child>>,
    /// Happens when its process ends for another program, and no other one is started.
    pub leaves: Once,
    /// Notified when what is in the kernel may have changed.
    pub account: Notify,
    /// Notified when another configuration is in effect.
    pub reloaded: Notify,
    period: Cell<Option<(u32, Duration)>>,
    running: RefCell<Running>,
    history: RefCell<History>,
}

/// The process of a role.
#[derive(Debug, Default)]
struct Running {
    /// The connection to it.
    link: Option<Rc<Link>>,
    /// The process itself.
    child: Option<Rc<Child>>,
    /// When the process was started.
    began: Option<Instant>,
    /// When it is to be started again.
    starts_at: Option<Instant>,
}

/// What became of the processes of a role.
#[derive(Debug, Default)]
pub struct History {
    /// How often one was started again.
    pub restarts: u32,
    /// What the last one has said last.
    pub events: LastEvents,
    /// How the last one ended that nobody had asked to.
    pub crash: Option<Crash>,
}

impl Supervised {
    /// Without a process.
    pub fn new(role: &'static Role, context: RoleContext, common: Common) -> Self {
        Self {
            role,
            holdings: (role.holdings)(context.clone()),
            context,
            common,
            broker: StatusBroker::new(),
            scheduling: RefCell::default(),
            former: RefCell::default(),
            leaves: Once::new(),
            account: Notify::new(),
            reloaded: Notify::new(),
            period: Cell::new(None),
            running: RefCell::default(),
            history: RefCell::default(),
        }
    }

    /// Whether the configuration in effect needs a process of the role.
    pub fn is_needed(&self) -> bool {
        (self.role.is_needed)(&self.context.configuration.model())
    }

    /// How often the loop of its process has to turn.
    pub fn period(&self) -> Duration {
        let current = self.context.configuration.current();
        match self.period.get() {
            Some((generation, period)) if generation == current.generation => period,
            Some(_) | None => {
                let period = (self.role.period)(&current.model);
                self.period.set(Some((current.generation, period)));
                period
            }
        }
    }

    /// Whether the daemon is ending.
    pub fn is_stopping(&self) -> bool {
        self.common.stopping.begun.has_happened()
    }

    /// The connection to its process, while that runs.
    pub fn link(&self) -> Option<Rc<Link>> {
        self.running.borrow().link.clone()
    }

    /// The number of its process, while that runs.
    pub fn pid(&self) -> Option<Pid> {
        self.running.borrow().child.as_ref().map(|child| child.pid())
    }

    /// When its process is to be started again, while it waits for that.
    pub fn starts_at(&self) -> Option<Instant> {
        self.running.borrow().starts_at
    }

    /// See [`Supervised::starts_at`].
    pub fn set_starts_at(&self, at: Option<Instant>) {
        self.running.borrow_mut().starts_at = at;
    }

    /// When its process was started, while that runs.
    pub fn began(&self) -> Option<Instant> {
        self.running.borrow().began
    }

    /// A process runs.
    pub fn set_running(&self, link: &Rc<Link>, child: &Rc<Child>, began: Instant) {
        let mut running = self.running.borrow_mut();
        running.link = Some(Rc::clone(link));
        running.child = Some(Rc::clone(child));
        running.began = Some(began);
        self.common.look.notify();
    }

    /// Its process has ended; the connection that there was.
    pub fn forget_process(&self) -> Option<Rc<Link>> {
        let mut running = self.running.borrow_mut();
        (running.child, running.began) = (None, None);
        let link = running.link.take()?;
        link.end();
        Some(link)
    }

    /// The process is the next program's.
    pub fn take_child(&self) -> Option<Rc<Child>> {
        self.running.borrow_mut().child.take()
    }

    /// Does something with what is known of its processes.
    pub fn history<T>(&self, with: impl FnOnce(&mut History) -> T) -> T {
        with(&mut self.history.borrow_mut())
    }

    /// Whether its process has a configuration in effect.
    pub fn has_applied(&self) -> bool {
        self.link().is_some_and(|link| link.applied().is_some())
    }

    /// Whether its process works, as far as that is known.
    pub fn works(&self) -> bool {
        let works = |link: Rc<Link>| link.applied().is_some() && link.silent().is_none();
        self.link().is_some_and(works)
    }

    /// Tells its process something, if there is one that reads; whether it was told.
    pub fn say(&self, message: ToChild) -> bool {
        self.link().is_some_and(|link| link.say(message).is_ok())
    }

    /// The memory that the process shares with the supervisor.
    pub fn shared(&self) -> Option<Shared<&crate::system::shared_memory::Region>> {
        Shared::open(&*self.context.memory).ok()
    }
}
