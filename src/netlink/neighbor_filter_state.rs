//! Which addresses the kernel is silent about, and how it gets there.
//!
//! A family has one table, made for the first address and deleted after the last. One batch a
//! family is under way at a time; what is wanted meanwhile goes into the next one.
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

use super::error::{KernelError, Verdict};
use super::frame::{Malformed, Message, PortId, Sequence};
use super::nft::{Batch, MOST, Numbers};
use crate::sorted::Set;
use crate::units::Family;

/// That the kernel cannot be made silent for one family.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CannotMute {
    /// The family.
    pub family: Family,
    /// Why.
    pub error: KernelError,
}

impl fmt::Display for CannotMute {
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

impl std::error::Error for CannotMute {}

/// What a batch does.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Job {
    /// Removes what a dead process left, and finds out what the kernel can do.
    Clear,
    /// Makes the table, with these addresses.
    SetUp(Set<IpAddr>),
    /// Leaves these addresses in the set.
    Elements(Set<IpAddr>),
    /// Deletes the table.
    Delete,
}

/// A batch without an answer.
#[derive(Debug)]
struct Flight {
    job: Job,
    numbers: Numbers,
    error: Option<KernelError>,
}

/// How far it came.
#[derive(Clone, PartialEq, Eq, Debug)]
enum State {
    /// Nothing was said yet.
    New,
    /// There is no table.
    None,
    /// There is a table with these addresses.
    There(Set<IpAddr>),
    /// It does not work here.
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

    /// What has to be done next.
    fn job(&self) -> Option<Job> {
        let some = || self.wanted.iter().take(MOST).copied().collect();
        match &self.state {
            State::Broken => None,
            State::New => Some(Job::Clear),
            State::None => (!self.wanted.is_empty()).then(|| Job::SetUp(some())),
            State::There(_) if self.wanted.is_empty() => Some(Job::Delete),
            State::There(there) if *there == self.wanted => None,
            State::There(there) => {
                let mut after = there.clone();
                for address in there.difference(&self.wanted).take(MOST) {
                    after.remove(address);
                }
                after.extend(self.wanted.difference(there).take(MOST));
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
                // Deleting what is not there is an error, making what is there is none.
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

    /// Takes an answer; gives what does not work.
    fn take(&mut self, sequence: Sequence, verdict: Verdict) -> Option<CannotMute> {
        let flight = self.flight.as_mut().filter(|f| f.numbers.contains(sequence))?;
        let Numbers { first, last } = flight.numbers;
        let refused = matches!(verdict, Verdict::Refused(_));
        if let Verdict::Refused(error) = verdict {
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
            // The kernel is older than ownership: without it.
            Job::Clear if self.owned && sequence != first => {
                self.owned = false;
                None
            }
            Job::Clear | Job::SetUp(_) => {
                self.state = State::Broken;
                Some(CannotMute { family: self.family, error })
            }
            // Somebody deleted the table: from the beginning.
            Job::Elements(_) | Job::Delete => {
                self.state = State::None;
                None
            }
        }
    }
}

/// The tables of both families.
#[derive(Debug)]
pub struct Mute {
    name: Box<str>,
    port: PortId,
    last: Sequence,
    tables: [Table; 2],
}

impl Mute {
    /// For a socket with this port id. No other process has tables of this name.
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

    /// Wants silence about these addresses, or no more.
    pub fn want(&mut self, addresses: &[IpAddr], silence: bool) {
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

    /// The batch that was taken last could not be sent: as if it had not been.
    pub fn not_sent(&mut self) {
        let last = self.last;
        for table in &mut self.tables {
            table.flight.take_if(|flight| flight.numbers.last.next() == last);
        }
    }

    /// Whether all is as it is wanted, as far as the kernel can.
    pub fn is_settled(&self) -> bool {
        self.tables.iter().all(|table| table.flight.is_none() && table.job().is_none())
    }

    /// Takes a message; gives what does not work, once for each family.
    ///
    /// # Errors
    /// [`Malformed`] when it is an answer but cannot be read.
    pub fn take(&mut self, message: &Message<'_>) -> Result<Option<CannotMute>, Malformed> {
        if message.port != self.port {
            return Ok(None);
        }
        let Some(verdict) = Verdict::of_answer(message)? else { return Ok(None) };
        let sequence = message.sequence;
        let table = self.tables.iter_mut().find(|table| {
            table.flight.as_ref().is_some_and(|flight| flight.numbers.contains(sequence))
        });
        Ok(table.and_then(|table| table.take(sequence, verdict)))
    }

    /// Answers were lost: what is there is not known, and is made anew.
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
