//! Keeps a [`Cache`] equal to the kernel, also when events are lost or dumps fail.
//!
//! Dumps are requested through the monitor socket itself, so that their parts and the events arrive in
//! one queue. While a dump runs, events are applied to the old cache and to the new one: an event
//! before the part about the same object is overwritten by that part, an event after it is newer. At
//! the end of the dump the new cache replaces the old one.
//!
//! ```text
//!  new ---> wanted --drained--> links --end--> between --drained--> addresses --end--> idle
//!             ^                    (overrun, table changed: wanted again)               |
//!             +-------------------------------- overrun --------------------------------+
//! ```
//!
//! When routes or rules are watched, dumps of their tables follow one by one. Only these are repeated
//! when the kernel may have removed routes without an event (`netlink:N-58`).

use std::fmt;

use nix::errno::Errno;

use super::cache::{Cache, Change, Origin, What};
use super::codec::Unencodable;
use super::consts;
use super::error::{KernelError, Reply};
use super::event::Event;
use super::frame::{Malformed, Message, PortId, Sequence};
use super::watch::{Source, WatchList};
use super::{address, link};
use crate::net::{Route, Rule};

/// The progress of a dump.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Stage {
    /// No dump runs.
    Idle,
    /// Links are being received.
    Links,
    /// All links are received, the addresses are not requested yet.
    Between,
    /// Addresses are being received.
    Addresses,
    /// The table with this number is not requested yet.
    BeforeTable(usize),
    /// The table with this number is being received.
    Table(usize),
}

impl Stage {
    /// Whether the kernel is sending a dump.
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
    /// The message is malformed. It is skipped, since another dump would contain it again.
    Malformed(Malformed),
    /// The kernel refused a dump.
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
    /// The cache that the running dump fills.
    fresh: Cache,
    stage: Stage,
    sequence: Sequence,
    watch: WatchList,
    /// A dump of links and addresses is needed.
    wanted: bool,
    /// A dump of the watched routes and rules is needed.
    tables_wanted: bool,
    /// The running dump of routes and rules is incomplete.
    tables_torn: bool,
    /// At least one dump has ended.
    complete: bool,
    port: PortId,
    own: Option<PortId>,
}

impl Mirror {
    /// A mirror for the monitor socket with the port id `port`. `own` is the port id of the command
    /// socket.
    pub const fn new(port: PortId, own: Option<PortId>) -> Self {
        Self {
            cache: Cache::new(),
            fresh: Cache::new(),
            stage: Stage::Idle,
            sequence: Sequence(0),
            watch: WatchList::new(),
            wanted: true,
            tables_wanted: false,
            tables_torn: false,
            complete: false,
            port,
            own,
        }
    }

    /// The links and addresses, as far as they are known.
    pub const fn cache(&self) -> &Cache {
        &self.cache
    }

    /// The watched routes and rules, and which of them the kernel has.
    pub const fn watch(&self) -> &WatchList {
        &self.watch
    }

    /// Replaces the watched routes and rules. The socket has to be in their multicast groups already,
    /// unless there are none.
    pub fn set_watch(&mut self, routes: &[Route], rules: &[Rule]) {
        self.watch.set(routes, rules);
        self.tables_wanted = !self.watch.tables().is_empty();
        self.tables_torn = true;
        if let Stage::BeforeTable(_) = self.stage {
            self.stage = Stage::Idle;
        }
    }

    /// As [`WatchList::set_substituted`].
    pub fn set_substituted(&mut self, route: &Route, substituted: bool) {
        self.watch.set_substituted(route, substituted);
    }

    /// Whether all dumps have ended and no event was lost since.
    pub const fn is_current(&self) -> bool {
        self.complete && !self.wanted && !self.tables_wanted && matches!(self.stage, Stage::Idle)
    }

    /// Notes that events were lost (`netlink:N-10`).
    pub const fn overrun(&mut self) {
        self.wanted = true;
    }

    /// The next request to send, if any. To be called when the socket is drained, so that its buffer
    /// has room for the answer.
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

    /// Handles a message from the kernel and appends the changes.
    ///
    /// # Errors
    /// [`Fault`]: the message was skipped, or the dump failed and [`Mirror::request`] begins another
    /// one.
    pub fn handle(
        &mut self,
        message: &Message<'_>,
        changes: &mut Vec<Change>,
    ) -> Result<(), Fault> {
        let answer = message.port == self.port
            && message.sequence == self.sequence
            && self.stage.is_running();
        if answer {
            if message.flags.dump_interrupted() {
                self.repeat();
            }
            match message.kind {
                consts::NLMSG_DONE => {
                    let end = Reply::of_end(message.payload);
                    return self.end(end, changes);
                }
                consts::NLMSG_ERROR => {
                    let end = Reply::of_answer(message);
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
        self.tables_wanted |= self.watch.handle(message, source, &self.cache, changes)?;
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

    /// Notes that the running dump is incomplete and has to be repeated.
    const fn repeat(&mut self) {
        match self.stage {
            Stage::BeforeTable(_) | Stage::Table(_) => {
                self.tables_wanted = true;
                self.tables_torn = true;
            }
            Stage::Idle | Stage::Links | Stage::Between | Stage::Addresses => self.wanted = true,
        }
    }

    /// Requests the routes again after a change of a link or address with which the kernel removes
    /// routes without an event (`netlink:N-58`).
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

    /// Handles the end of the running dump.
    fn end(
        &mut self,
        end: Result<Reply, Malformed>,
        changes: &mut Vec<Change>,
    ) -> Result<(), Fault> {
        let reply = match end {
            Ok(reply) => reply,
            Err(error) => {
                self.repeat();
                self.stage = Stage::Idle;
                return Err(error.into());
            }
        };
        if let Reply::Refused(error) = reply {
            let is_table = matches!(self.stage, Stage::Table(_));
            // A table that does not exist has no routes.
            if !is_table || error.errno != Errno::ENOENT {
                self.repeat();
                self.stage = Stage::Idle;
                return Err(Fault::Dump(error));
            }
        }
        let stage = std::mem::replace(&mut self.stage, Stage::Idle);
        // The dump is incomplete and has to be repeated.
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
