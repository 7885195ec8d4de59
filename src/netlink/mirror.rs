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

use std::fmt;

use nix::errno::Errno;

use super::cache::{Cache, Change, Origin};
use super::codec::Unencodable;
use super::consts;
use super::error::{KernelError, Verdict};
use super::event::Event;
use super::frame::{Malformed, Message, PortId, Sequence};
use super::{address, link};

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
}

/// Why a message could not be used.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Fault {
    /// It is malformed, and skipped: to read everything again would bring it again.
    Malformed(Malformed),
    /// The kernel refused to list links or addresses; it can be asked again.
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
            Self::Dump(error) => write!(f, "cannot list links and addresses: {error}"),
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
    /// Everything has to be read (again).
    wanted: bool,
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
            wanted: true,
            complete: false,
            port,
            own,
        }
    }

    /// What is known.
    pub const fn cache(&self) -> &Cache {
        &self.cache
    }

    /// Whether everything has been read and nothing was lost since.
    pub const fn is_current(&self) -> bool {
        self.complete && !self.wanted && matches!(self.stage, Stage::Idle)
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
            Stage::Links | Stage::Addresses => return Ok(None),
            Stage::Idle if !self.wanted => return Ok(None),
            Stage::Idle => {
                self.sequence = self.sequence.next();
                link::encode_dump(&mut octets, self.sequence)?;
                self.wanted = false;
                self.fresh = Cache::new();
                self.stage = Stage::Links;
            }
            Stage::Between => {
                self.sequence = self.sequence.next();
                address::encode_dump(&mut octets, self.sequence)?;
                self.stage = Stage::Addresses;
            }
        }
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
            && matches!(self.stage, Stage::Links | Stage::Addresses);
        if answer {
            if message.flags.dump_interrupted() {
                self.wanted = true;
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
        let Some(event) = Event::decode(message)? else { return Ok(()) };
        if answer && message.flags.multi() {
            self.fresh.apply(event, Origin::Other, &mut Vec::new());
            return Ok(());
        }
        if self.stage != Stage::Idle {
            self.fresh.apply(event.clone(), Origin::Other, &mut Vec::new());
        }
        let is_own = self.own == Some(message.port);
        let origin = if is_own { Origin::Own } else { Origin::Other };
        self.cache.apply(event, origin, changes);
        Ok(())
    }

    /// The running dump has ended.
    fn end(
        &mut self,
        end: Result<Verdict, Malformed>,
        changes: &mut Vec<Change>,
    ) -> Result<(), Fault> {
        let stage = std::mem::replace(&mut self.stage, Stage::Idle);
        match end {
            Ok(Verdict::Done(_)) => {}
            Ok(Verdict::Refused(error)) => {
                self.wanted = true;
                return Err(Fault::Dump(error));
            }
            Err(error) => {
                self.wanted = true;
                return Err(error.into());
            }
        }
        // When it has to be repeated anyway, the picture has holes.
        if !self.wanted {
            if stage == Stage::Links {
                self.stage = Stage::Between;
            } else {
                self.cache.replace(std::mem::take(&mut self.fresh), changes);
                self.complete = true;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
