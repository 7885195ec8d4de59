//! Keeps a [`Cache`] equal to the kernel through everything that can happen to a monitor socket.
//!
//! The dumps go through the monitor socket itself, so that their parts and the events stand in one
//! queue. While a dump runs, events go into the old picture and into the new: those before the
//! part about the same object are overwritten by it, those after it are newer. At the end the new
//! picture replaces the old one.
//!
//! ```text
//!  new ---> wanted --drained--> links --end--> between --drained--> addresses --end--> idle
//!             ^                    (overrun, table changed: wanted again)               |
//!             +-------------------------------- overrun --------------------------------+
//! ```
//!
//! When routes or rules are watched, their tables follow one by one. They are read again, alone,
//! when routes may have gone without a word (`netlink:N-58`).

use std::fmt;

use nix::errno::Errno;

use super::cache::{Cache, Change, Origin, What};
use super::codec::Unencodable;
use super::consts;
use super::error::{KernelError, Verdict};
use super::event::Event;
use super::frame::{Malformed, Message, PortId, Sequence};
use super::watch::{Source, Watch};
use super::{address, link};
use crate::net::{Route, Rule};

/// Where the dump is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Stage {
    /// None runs.
    Idle,
    /// Links come.
    Links,
    /// All links are here, the addresses are not asked for yet.
    Between,
    /// Addresses come.
    Addresses,
    /// The table with this number is not asked for yet.
    BeforeTable(usize),
    /// It comes.
    Table(usize),
}

impl Stage {
    /// Whether the kernel is at it.
    const fn is_running(self) -> bool {
        match self {
            Self::Links | Self::Addresses | Self::Table(_) => true,
            Self::Idle | Self::Between | Self::BeforeTable(_) => false,
        }
    }
}

/// Why a message could not be used.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Fault {
    /// It is malformed, and skipped: to read everything again would bring it again.
    Malformed(Malformed),
    /// The kernel refused to list something; it can be asked again.
    Dump(KernelError),
}

impl Fault {
    /// Whether the same request may succeed.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Malformed(_) => true,
            Self::Dump(error) => matches!(
                error.errno,
                Errno::EBUSY | Errno::EINTR | Errno::EAGAIN | Errno::ENOBUFS | Errno::ENOMEM
            ),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed(error) => error.fmt(f),
            Self::Dump(error) => {
                write!(f, "cannot list links, addresses, routes or rules: {error}")
            }
        }
    }
}

impl std::error::Error for Fault {}

impl From<Malformed> for Fault {
    fn from(error: Malformed) -> Self {
        Self::Malformed(error)
    }
}

/// The kernel's links and addresses, kept up to date.
#[derive(Debug)]
pub struct Mirror {
    cache: Cache,
    /// The picture that the running dump draws.
    fresh: Cache,
    stage: Stage,
    sequence: Sequence,
    watch: Watch,
    /// Everything has to be read (again).
    wanted: bool,
    /// Watched routes and rules have to be read (again).
    tables_wanted: bool,
    /// The running dump of routes and rules has holes.
    tables_torn: bool,
    /// It was read at least once.
    complete: bool,
    port: PortId,
    own: Option<PortId>,
}

impl Mirror {
    /// For a monitor socket with the port id `port`; `own` is that of the command socket.
    pub const fn new(port: PortId, own: Option<PortId>) -> Self {
        Self {
            cache: Cache::new(),
            fresh: Cache::new(),
            stage: Stage::Idle,
            sequence: Sequence(0),
            watch: Watch::new(),
            wanted: true,
            tables_wanted: false,
            tables_torn: false,
            complete: false,
            port,
            own,
        }
    }

    /// What is known.
    pub const fn cache(&self) -> &Cache {
        &self.cache
    }

    /// Which of the watched routes and rules there are.
    pub const fn watch(&self) -> &Watch {
        &self.watch
    }

    /// Watches these routes and rules, and no others any more. The groups that tell of them have
    /// to be joined before, unless there are none.
    pub fn set_watch(&mut self, routes: &[Route], rules: &[Rule]) {
        self.watch.set(routes, rules);
        self.tables_wanted = !self.watch.tables().is_empty();
        self.tables_torn = true;
        if let Stage::BeforeTable(_) = self.stage {
            self.stage = Stage::Idle;
        }
    }

    /// As [`Watch::lend`].
    pub fn lend(&mut self, route: &Route, lent: bool) {
        self.watch.lend(route, lent);
    }

    /// Whether everything has been read and nothing was lost since.
    pub const fn is_current(&self) -> bool {
        self.complete && !self.wanted && !self.tables_wanted && matches!(self.stage, Stage::Idle)
    }

    /// Events were lost (`netlink:N-10`).
    pub const fn overrun(&mut self) {
        self.wanted = true;
    }

    /// What to send now that the socket is drained, if anything: only then is there room for an
    /// answer.
    ///
    /// # Errors
    /// [`Unencodable`], which does not happen: the requests have a fixed length.
    pub fn request(&mut self) -> Result<Option<Vec<u8>>, Unencodable> {
        let mut octets = Vec::new();
        match self.stage {
            Stage::Links | Stage::Addresses | Stage::Table(_) => return Ok(None),
            Stage::Idle if self.wanted => {
                self.sequence = self.sequence.next();
                link::encode_dump(&mut octets, self.sequence)?;
                self.wanted = false;
                self.tables_wanted = !self.watch.tables().is_empty();
                self.fresh = Cache::new();
                self.stage = Stage::Links;
            }
            Stage::Idle if self.tables_wanted => {
                self.tables_wanted = false;
                self.tables_torn = false;
                self.watch.begin();
                return self.request_table(0);
            }
            Stage::Idle => return Ok(None),
            Stage::Between => {
                self.sequence = self.sequence.next();
                address::encode_dump(&mut octets, self.sequence)?;
                self.stage = Stage::Addresses;
            }
            Stage::BeforeTable(number) => return self.request_table(number),
        }
        Ok(Some(octets))
    }

    fn request_table(&mut self, number: usize) -> Result<Option<Vec<u8>>, Unencodable> {
        let mut octets = Vec::new();
        let Some(table) = self.watch.tables().get(number) else { return Ok(None) };
        self.sequence = self.sequence.next();
        table.encode_dump(&mut octets, self.sequence)?;
        self.stage = Stage::Table(number);
        Ok(Some(octets))
    }

    /// Takes a message from the kernel; appends what is different.
    ///
    /// # Errors
    /// [`Fault`]: the message is skipped, or the dump has failed and [`Mirror::request`] begins
    /// another.
    pub fn take(&mut self, message: &Message<'_>, changes: &mut Vec<Change>) -> Result<(), Fault> {
        let answer = message.port == self.port
            && message.sequence == self.sequence
            && self.stage.is_running();
        if answer {
            if message.flags.dump_interrupted() {
                self.repeat();
            }
            match message.kind {
                consts::NLMSG_DONE => {
                    let end = Verdict::of_end(message.payload);
                    return self.end(end, changes);
                }
                consts::NLMSG_ERROR => {
                    let end = Verdict::of_answer(message);
                    return self.end(end.and_then(|v| v.ok_or(Malformed::Body)), changes);
                }
                _ => {}
            }
        }
        if message.kind == consts::NLMSG_OVERRUN {
            self.overrun();
        }
        let part = answer && message.flags.multi();
        let is_own = self.own == Some(message.port);
        let origin = if is_own { Origin::Own } else { Origin::Other };
        let source = match message.port {
            _ if part => Source::Dump,
            PortId::KERNEL => Source::Kernel,
            _ => Source::Event(origin),
        };
        self.tables_wanted |= self.watch.take(message, source, &self.cache, changes)?;
        let Some(event) = Event::decode(message)? else { return Ok(()) };
        if part {
            self.fresh.apply(event, Origin::Other, &mut Vec::new());
            return Ok(());
        }
        if matches!(self.stage, Stage::Links | Stage::Between | Stage::Addresses) {
            self.fresh.apply(event.clone(), Origin::Other, &mut Vec::new());
        }
        let known = changes.len();
        self.cache.apply(event, origin, changes);
        self.review(changes.get(known..).unwrap_or(&[]));
        Ok(())
    }

    /// The running dump has holes, or there is none.
    const fn repeat(&mut self) {
        match self.stage {
            Stage::BeforeTable(_) | Stage::Table(_) => {
                self.tables_wanted = true;
                self.tables_torn = true;
            }
            Stage::Idle | Stage::Links | Stage::Between | Stage::Addresses => self.wanted = true,
        }
    }

    /// With a link or address, the kernel takes away routes without a word (`netlink:N-58`).
    fn review(&mut self, changes: &[Change]) {
        let takes_routes = |change: &Change| match &change.what {
            What::Link { before: Some(before), after } => {
                let enabled = after.as_ref().is_some_and(|after| after.flags.enabled());
                before.flags.enabled() && !enabled
            }
            What::Address { before: Some(_), after: None } => true,
            What::Link { .. } | What::Address { .. } | What::Route { .. } | What::Rule { .. } => {
                false
            }
        };
        if self.watch.has_routes() && changes.iter().any(takes_routes) {
            self.tables_wanted = true;
        }
    }

    /// The running dump has ended.
    fn end(
        &mut self,
        end: Result<Verdict, Malformed>,
        changes: &mut Vec<Change>,
    ) -> Result<(), Fault> {
        let verdict = match end {
            Ok(verdict) => verdict,
            Err(error) => {
                self.repeat();
                self.stage = Stage::Idle;
                return Err(error.into());
            }
        };
        if let Verdict::Refused(error) = verdict {
            let is_table = matches!(self.stage, Stage::Table(_));
            // There are no routes in a table that there is not.
            if !is_table || error.errno != Errno::ENOENT {
                self.repeat();
                self.stage = Stage::Idle;
                return Err(Fault::Dump(error));
            }
        }
        let stage = std::mem::replace(&mut self.stage, Stage::Idle);
        // When it has to be repeated anyway, the picture has holes.
        if self.wanted {
            return Ok(());
        }
        match stage {
            Stage::Links => self.stage = Stage::Between,
            Stage::Addresses => {
                let known = changes.len();
                self.cache.replace(std::mem::take(&mut self.fresh), changes);
                self.complete = true;
                self.review(changes.get(known..).unwrap_or(&[]));
            }
            Stage::Table(_) if self.tables_torn => {}
            Stage::Table(number) if number + 1 < self.watch.tables().len() => {
                self.stage = Stage::BeforeTable(number + 1);
            }
            Stage::Table(_) => self.watch.settle(changes),
            Stage::Idle | Stage::Between | Stage::BeforeTable(_) => {}
        }
        Ok(())
    }
}

#[cfg(test)]
pub(super) mod tests;
