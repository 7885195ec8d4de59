//! Which addresses are blocked in the kernel, and the batches that change it.
//!
//! Each family has one table, which is created for the first address and deleted after the last. One
//! batch for each family is in flight at a time; later changes go into the next batch.
//!
//! ```text
//!           +-> not owned -+                    +------- refused ---------+
//!           |   (refused)  |                    v                         |
//!  start -> clear ---------+-> no table --> set up --> there <--> elements
//!             |                  ^            |          |
//!             +-- refused -> broken <- refused+          |
//!                                ^------ delete ---------+
//! ```

use std::fmt;
use std::net::IpAddr;

use nix::errno::Errno;

use super::error::{KernelError, Reply};
use super::frame::{Malformed, Message, PortId, Sequence};
use super::nft::{Batch, MAX_BATCH_ADDRESSES, SequenceRange};
use crate::sorted::Set;
use crate::units::Family;

/// The kernel cannot block the addresses of one family.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FilterFailure {
    /// The family.
    pub family: Family,
    /// The kernel's error.
    pub error: KernelError,
}

impl fmt::Display for FilterFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (what, error) = (
            match self.family {
                Family::V4 => "ARP",
                Family::V6 => "neighbour solicitations",
            },
            &self.error,
        );
        write!(f, "cannot leave {what} unanswered during a planned hand-over: {error}; ")?;
        if matches!(error.errno, Errno::EPERM) {
            f.write_str("give the daemon CAP_NET_ADMIN")
        } else {
            f.write_str("a kernel with nf_tables can")
        }
    }
}

impl std::error::Error for FilterFailure {}

/// The purpose of a batch.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Job {
    /// Removes the table of an earlier process, and finds out what the kernel supports.
    Clear,
    /// Creates the table with these addresses.
    SetUp(Set<IpAddr>),
    /// Changes the set to these addresses.
    Elements(Set<IpAddr>),
    /// Deletes the table.
    Delete,
}

/// A batch that waits for its answer.
#[derive(Debug)]
struct Flight {
    job: Job,
    numbers: SequenceRange,
    error: Option<KernelError>,
}

/// The state of a table in the kernel.
#[derive(Clone, PartialEq, Eq, Debug)]
enum State {
    /// Unknown: nothing was sent yet.
    New,
    /// The table does not exist.
    None,
    /// The table exists with these addresses.
    There(Set<IpAddr>),
    /// The kernel does not support it.
    Broken,
}

/// The table of one family.
#[derive(Debug)]
struct Table {
    family: Family,
    wanted: Set<IpAddr>,
    state: State,
    owned: bool,
    flight: Option<Flight>,
}

impl Table {
    fn new(family: Family) -> Self {
        let (wanted, state) = (Set::new(), State::New);
        Self { family, wanted, state, owned: true, flight: None }
    }

    /// The purpose of the next batch, if one is needed.
    fn job(&self) -> Option<Job> {
        let some = || self.wanted.iter().take(MAX_BATCH_ADDRESSES).copied().collect();
        match &self.state {
            State::Broken => None,
            State::New => Some(Job::Clear),
            State::None => (!self.wanted.is_empty()).then(|| Job::SetUp(some())),
            State::There(_) if self.wanted.is_empty() => Some(Job::Delete),
            State::There(there) if *there == self.wanted => None,
            State::There(there) => {
                let mut after = there.clone();
                for address in there.difference(&self.wanted).take(MAX_BATCH_ADDRESSES) {
                    after.remove(address);
                }
                after.extend(self.wanted.difference(there).take(MAX_BATCH_ADDRESSES));
                Some(Job::Elements(after))
            }
        }
    }

    fn batch(&mut self, name: &str, last: &mut Sequence) -> Option<Vec<u8>> {
        if self.flight.is_some() {
            return None;
        }
        let job = self.job()?;
        let mut batch = Batch::new(name, self.family, *last);
        match &job {
            Job::Clear => {
                batch.new_table(false);
                batch.delete_table();
                if self.owned {
                    batch.new_table(true);
                    batch.delete_table();
                }
            }
            Job::SetUp(addresses) => {
                // Deleting a missing table is an error, creating an existing one is not.
                batch.new_table(false);
                batch.delete_table();
                batch.new_table(self.owned);
                batch.contents();
                batch.add(addresses.iter().copied());
            }
            Job::Elements(after) => {
                if let State::There(there) = &self.state {
                    batch.remove(there.difference(after).copied());
                    batch.add(after.difference(there).copied());
                }
            }
            Job::Delete => batch.delete_table(),
        }
        let (octets, numbers) = batch.finish();
        *last = numbers.last.next();
        self.flight = Some(Flight { job, numbers, error: None });
        Some(octets)
    }

    /// Handles an answer. Returns a failure that blocking cannot work around.
    fn handle(&mut self, sequence: Sequence, reply: Reply) -> Option<FilterFailure> {
        let flight = self.flight.as_mut().filter(|f| f.numbers.contains(sequence))?;
        let SequenceRange { first, last } = flight.numbers;
        let refused = matches!(reply, Reply::Refused(_));
        if let Reply::Refused(error) = reply {
            flight.error.get_or_insert(error);
        }
        if sequence != last && !(refused && sequence == first) {
            return None;
        }
        let Flight { job, error, .. } = self.flight.take()?;
        let Some(error) = error else {
            self.state = match job {
                Job::Clear | Job::Delete => State::None,
                Job::SetUp(after) | Job::Elements(after) => State::There(after),
            };
            return None;
        };
        match job {
            // The kernel does not know ownership of tables: go on without it.
            Job::Clear if self.owned && sequence != first => {
                self.owned = false;
                None
            }
            Job::Clear | Job::SetUp(_) => {
                self.state = State::Broken;
                Some(FilterFailure { family: self.family, error })
            }
            // Another program deleted the table: start again.
            Job::Elements(_) | Job::Delete => {
                self.state = State::None;
                None
            }
        }
    }
}

/// The tables of both families.
#[derive(Debug)]
pub struct FilterState {
    name: Box<str>,
    port: PortId,
    last: Sequence,
    tables: [Table; 2],
}

impl FilterState {
    /// The state for a socket with this port id. No other process may have tables of this name.
    pub fn new(port: PortId, name: &str) -> Self {
        let tables = [Table::new(Family::V4), Table::new(Family::V6)];
        Self { name: name.into(), port, last: Sequence(0), tables }
    }

    fn table(&mut self, family: Family) -> &mut Table {
        let [four, six] = &mut self.tables;
        match family {
            Family::V4 => four,
            Family::V6 => six,
        }
    }

    /// Blocks or unblocks these addresses with the next batch.
    pub fn set_blocked(&mut self, addresses: &[IpAddr], silence: bool) {
        for address in addresses {
            let wanted = &mut self.table(Family::of(*address)).wanted;
            if silence {
                wanted.insert(*address);
            } else {
                wanted.remove(address);
            }
        }
    }

    /// The next batch to send.
    pub fn to_send(&mut self) -> Option<Vec<u8>> {
        let Self { name, last, tables, .. } = self;
        tables.iter_mut().find_map(|table| table.batch(name, last))
    }

    /// Takes back the last batch, which could not be sent.
    pub fn not_sent(&mut self) {
        let last = self.last;
        for table in &mut self.tables {
            table.flight.take_if(|flight| flight.numbers.last.next() == last);
        }
    }

    /// Whether the kernel has all changes that it supports.
    pub fn is_settled(&self) -> bool {
        self.tables.iter().all(|table| table.flight.is_none() && table.job().is_none())
    }

    /// Handles a message. Returns a failure, one for each family.
    ///
    /// # Errors
    /// [`Malformed`] when the message is an answer but cannot be read.
    pub fn handle(&mut self, message: &Message<'_>) -> Result<Option<FilterFailure>, Malformed> {
        if message.port != self.port {
            return Ok(None);
        }
        let Some(reply) = Reply::of_answer(message)? else { return Ok(None) };
        let sequence = message.sequence;
        let table = self.tables.iter_mut().find(|table| {
            table.flight.as_ref().is_some_and(|flight| flight.numbers.contains(sequence))
        });
        Ok(table.and_then(|table| table.handle(sequence, reply)))
    }

    /// Handles the loss of answers: the tables are created again, since their state is unknown.
    pub fn lost(&mut self) {
        for table in &mut self.tables {
            if let Some(flight) = table.flight.take()
                && flight.job != Job::Clear
            {
                table.state = State::None;
            }
        }
    }
}

#[cfg(test)]
mod tests;
