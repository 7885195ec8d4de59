//! The process's side of the log: limited, queued, and lost rather than waited for.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use super::limit::Limit;
use super::outlet::Outlet;
use crate::control::record::{Kind, Level, Record, Transition};
use crate::units::Instant;
use crate::vrrp::InstanceId;

/// Octets that may wait for the supervisor: some thousand records.
const ROOM: usize = 512 * 1024;

/// What a record says, before limits.
#[derive(Clone, Debug)]
pub struct Entry {
    /// How much it matters.
    pub level: Level,
    /// What it is about.
    pub kind: Kind,
    /// The instance, with its name.
    pub instance: Option<(InstanceId, String)>,
    /// The change of state, if it is one.
    pub transition: Option<Transition>,
    /// What follows the instance's name.
    pub text: String,
}

/// Records on their way to the supervisor.
#[derive(Debug)]
pub struct Records {
    outlet: Outlet,
    level: Level,
    limits: BTreeMap<(Option<InstanceId>, Kind), Limit>,
    /// Left out by limits.
    pub limited: u64,
    /// Lost because the supervisor did not take them.
    pub lost: u64,
}

impl Records {
    /// Through this datagram socket.
    pub const fn new(fd: OwnedFd) -> Self {
        Self {
            outlet: Outlet::new(fd, ROOM),
            level: Level::Info,
            limits: BTreeMap::new(),
            limited: 0,
            lost: 0,
        }
    }

    /// From now on, what matters less than this is not sent.
    pub const fn set_level(&mut self, level: Level) {
        self.level = level;
    }

    /// Takes a record.
    pub fn add(&mut self, entry: Entry, now: Instant) {
        if entry.level > self.level {
            return;
        }
        let sort = (entry.instance.as_ref().map(|(id, _)| *id), entry.kind);
        let limit = self.limits.entry(sort).or_insert_with(|| Limit::new(now));
        let Some(left_out) = limit.take(now) else {
            self.limited += 1;
            return;
        };
        let name = entry.instance.map(|(_, name)| name);
        let text = match &name {
            Some(name) => format!("{name}: {}", entry.text),
            None => entry.text,
        };
        let record = Record {
            at: now,
            level: entry.level,
            kind: entry.kind,
            instance: name,
            transition: entry.transition,
            text,
            left_out,
        };
        let sent = postcard::to_allocvec(&record).is_ok_and(|octets| self.outlet.push(octets));
        if !sent {
            self.lost += 1;
        }
    }

    /// Forgets the limits of instances that are gone.
    pub fn retain(&mut self, exists: impl Fn(InstanceId) -> bool) {
        self.limits.retain(|(instance, _), _| instance.is_none_or(&exists));
    }

    /// See [`Outlet::flush`].
    ///
    /// # Errors
    /// What the system says.
    pub fn flush(&mut self) -> io::Result<bool> {
        self.outlet.flush()
    }
}

impl AsFd for Records {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.outlet.as_fd()
    }
}
