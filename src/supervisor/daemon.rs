//! What the tasks of the supervisor share.

use std::cell::RefCell;
use std::os::fd::OwnedFd;
use std::rc::Rc;

use super::in_effect::InEffect;
use super::log::Log;
use super::notify::Notify;
use super::role::Claims;
use super::sd_notify::SdNotify;
use super::state_dir::StateDir;
use super::supervised::{Common, Supervised};
use super::upgrade_plan::Plan;
use super::watchdog_device::WatchdogDevice;
use crate::control::event::{Kind, Level};
use crate::units::Instant;

/// The daemon: what it has, and how it stands.
#[derive(Debug)]
pub struct Daemon {
    /// The log.
    pub log: Rc<Log>,
    /// The state directory.
    pub dir: Rc<StateDir>,
    /// When this process began to work.
    pub started: Instant,
    /// The configuration in effect.
    pub configuration: Rc<InEffect>,
    /// The roles, as in the table.
    pub children: Vec<Rc<Supervised>>,
    /// What the children have in common.
    pub common: Common,
    /// What no other daemon may run.
    pub claims: RefCell<Claims>,
    /// The control socket.
    pub listener: Option<OwnedFd>,
    /// Why the group of the control socket could not be set.
    pub group_refused: RefCell<Option<String>>,
    /// The program that is to take the place of this one.
    pub upgrade: RefCell<Option<Plan>>,
    /// Notified when there is one.
    pub upgrade_asked: Notify,
    /// Notified when a client asks for the end,
    pub stop_asked: Notify,
    /// and when that is not to wait for anybody.
    pub stop_now: Notify,
    /// The program that this one took the place of: its version, and when.
    pub upgraded: Option<(String, Instant)>,
    /// The service manager.
    pub sd_notify: SdNotify,
    /// The watchdog device.
    pub watchdog: WatchdogDevice,
}

impl Daemon {
    /// Logs a line about the processes.
    pub fn note(&self, level: Level, text: impl Into<String>) {
        self.log.note(level, Kind::Process, text);
    }

    /// The role with this name.
    pub fn child(&self, name: &str) -> Option<&Rc<Supervised>> {
        self.children.iter().find(|child| child.role.name == name)
    }

    /// The role whose process has the instances, when the configuration in effect needs it.
    pub fn of_instances(&self) -> Option<&Rc<Supervised>> {
        self.needed().find(|child| child.role.has_instances)
    }

    /// The roles that the configuration in effect needs.
    pub fn needed(&self) -> impl Iterator<Item = &Rc<Supervised>> {
        self.children.iter().filter(|child| child.is_needed())
    }

    /// Whether all processes that are needed work, as far as that is known.
    pub fn works(&self) -> bool {
        self.needed().all(|child| child.works())
    }

    /// Whether the end has begun.
    pub fn is_stopping(&self) -> bool {
        self.common.stopping.begun.has_happened()
    }

    /// Gives the control socket to the group of the configuration.
    pub fn set_socket_group(&self) {
        let result = {
            let model = self.configuration.model();
            self.dir.give_to(model.global.control_socket_group.as_deref())
        };
        if let Err(text) = &result {
            self.log.note(Level::Warning, Kind::Configuration, text.clone());
        }
        *self.group_refused.borrow_mut() = result.err();
    }
}
