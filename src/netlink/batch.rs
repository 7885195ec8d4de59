//! Requests to the kernel in batches, and whose answer is whose.
//!
//! Every request carries a token of the caller's, which comes back with the answer. Requests are
//! written together up to [`BATCH`] at a time, as the kernel works them off while they are sent;
//! at most [`IN_FLIGHT`] wait for their answers, as these need room in the socket.

use std::collections::VecDeque;
use std::net::Ipv6Addr;

use nix::errno::Errno;

use super::codec::Unencodable;
use super::error::{KernelError, Verdict};
use super::frame::{Malformed, Message, PortId, Sequence};
use super::link::{self, LinkIndex};
use super::{address, consts, lookup, route, rule};
use crate::net::VirtualAddress;
use crate::net::{Route, Rule};

/// The most requests that are sent at a time.
pub const BATCH: usize = 32;
/// The most requests that are sent or wait to be sent, without an answer.
pub const IN_FLIGHT: usize = 256;

/// What to do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Request<'a> {
    /// Add an address to a link.
    Add(LinkIndex, &'a VirtualAddress),
    /// Change the options of an address in place, where [`address::can_replace`] says that the
    /// kernel can; adds the address if it is not there.
    Replace(LinkIndex, &'a VirtualAddress),
    /// Delete an address from a link.
    Delete(LinkIndex, &'a VirtualAddress),
    /// Add a route.
    AddRoute(&'a route::Resolved<'a>),
    /// Delete a route.
    DeleteRoute(&'a route::Resolved<'a>),
    /// Which route stands where this IPv6 route could not be added? The answer is
    /// [`Outcome::Found`].
    FindRoute(&'a Route),
    /// Add a rule.
    AddRule(&'a Rule),
    /// Delete a rule.
    DeleteRule(&'a Rule),
    /// Set `promote_secondaries` of a link: whether an address may go without its subnet's others.
    Promote(LinkIndex, bool),
    /// Does a packet to this address, coming in by this link, end here ([`lookup`])? When it does
    /// not, the answer is [`Outcome::Refused`].
    Ask(LinkIndex, Ipv6Addr),
}

impl Request<'_> {
    /// Appends the request; gives what to think of errors.
    fn encode(self, octets: &mut Vec<u8>, sequence: Sequence) -> Result<Verb, Unencodable> {
        match self {
            Self::Add(link, address) => {
                address::encode_add(octets, sequence, link, address).map(|()| Verb::Add)
            }
            Self::Replace(link, address) => {
                address::encode_replace(octets, sequence, link, address).map(|()| Verb::Replace)
            }
            Self::Delete(link, address) => {
                address::encode_delete(octets, sequence, link, address).map(|()| Verb::Delete)
            }
            Self::AddRoute(resolved) => {
                route::encode_add(octets, sequence, resolved).map(|()| Verb::Add)
            }
            Self::DeleteRoute(route) => {
                route::encode_delete(octets, sequence, route).map(|()| Verb::DeleteRoute)
            }
            Self::FindRoute(route) => {
                route::encode_find(octets, sequence, route).map(|()| Verb::Find)
            }
            Self::AddRule(rule) => rule::encode_add(octets, sequence, rule).map(|()| Verb::Add),
            Self::DeleteRule(rule) => {
                rule::encode_delete(octets, sequence, rule).map(|()| Verb::DeleteRule)
            }
            Self::Promote(link, promote) => {
                link::encode_promote(octets, sequence, link, promote).map(|()| Verb::Promote)
            }
            Self::Ask(link, address) => {
                lookup::encode(octets, sequence, link, address).map(|()| Verb::Ask)
            }
        }
    }
}

/// Which errors mean that all is as it should be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Verb {
    Add,
    Replace,
    Delete,
    DeleteRoute,
    DeleteRule,
    Promote,
    Ask,
    Find,
}

impl Verb {
    /// Whether the kernel is in the state that was asked for, though it refused (`netlink:N-43`,
    /// `netlink:N-44`, `netlink:N-56`, and the table in section 9).
    fn is_satisfied(self, errno: Errno) -> bool {
        match self {
            Self::Add => errno == Errno::EEXIST,
            Self::Replace | Self::Ask | Self::Find => false,
            Self::Delete => matches!(errno, Errno::EADDRNOTAVAIL | Errno::ENODEV),
            Self::DeleteRoute => errno == Errno::ESRCH,
            Self::Promote => errno == Errno::ENODEV,
            Self::DeleteRule => errno == Errno::ENOENT,
        }
    }
}

/// What became of a request.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// Done, perhaps with a warning in the kernel's words.
    Done(Option<Box<str>>),
    /// There was nothing to do: it was there, or gone, already. A route that was "there" may be
    /// another one in the same [`Place`](route::Place): only the mirror knows ours.
    Unchanged,
    /// The route that was asked for, if it is one.
    Found(Option<route::Standing>),
    /// The kernel refused.
    Refused(KernelError),
    /// The answer got lost: only the mirror can tell.
    Lost,
}

/// The answer to a request.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Answer<T> {
    /// What the caller gave with the request.
    pub token: T,
    /// What became of it.
    pub outcome: Outcome,
}

/// Why a request was not taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NotTaken {
    /// [`IN_FLIGHT`] requests wait: try again after the next answers.
    Full,
    /// It cannot be written.
    Unencodable,
}

impl From<Unencodable> for NotTaken {
    fn from(_: Unencodable) -> Self {
        Self::Unencodable
    }
}

/// What a route says to [`Request::Ask`].
const fn verdict(is_local: bool) -> Verdict {
    if is_local {
        return Verdict::Done(None);
    }
    Verdict::Refused(KernelError { errno: Errno::EADDRNOTAVAIL, text: None, offset: None })
}

/// A request without an answer.
#[derive(Debug)]
struct Waiting<T> {
    sequence: Sequence,
    verb: Verb,
    token: T,
}

/// Requests that are to be sent, and those that wait for their answers.
#[derive(Debug)]
pub struct Batch<T> {
    port: PortId,
    last: Sequence,
    /// Octets of the requests to send, and the length of each.
    octets: Vec<u8>,
    lengths: VecDeque<usize>,
    /// The sent ones, and behind them those to send.
    waiting: VecDeque<Waiting<T>>,
}

impl<T> Batch<T> {
    /// For a command socket with this port id.
    pub fn new(port: PortId) -> Self {
        Self {
            port,
            last: Sequence(0),
            octets: Vec::new(),
            lengths: VecDeque::with_capacity(IN_FLIGHT),
            waiting: VecDeque::with_capacity(IN_FLIGHT),
        }
    }

    /// How many requests have no answer yet, sent or not.
    pub fn in_flight(&self) -> usize {
        self.waiting.len()
    }

    /// Takes a request.
    ///
    /// # Errors
    /// [`NotTaken`]; the request is then forgotten.
    pub fn push(&mut self, request: Request<'_>, token: T) -> Result<(), NotTaken> {
        if self.waiting.len() >= IN_FLIGHT {
            return Err(NotTaken::Full);
        }
        let sequence = self.last.next();
        let before = self.octets.len();
        let verb = request.encode(&mut self.octets, sequence)?;
        self.last = sequence;
        self.lengths.push_back(self.octets.len() - before);
        self.waiting.push_back(Waiting { sequence, verb, token });
        Ok(())
    }

    /// The octets to send next: up to [`BATCH`] whole requests; empty when all are sent.
    pub fn to_send(&self) -> &[u8] {
        let len = self.lengths.iter().take(BATCH).sum();
        self.octets.get(..len).unwrap_or(&[])
    }

    /// The octets of [`Batch::to_send`] are on their way.
    pub fn sent(&mut self) {
        let len = self.to_send().len();
        self.octets.drain(..len);
        self.lengths.drain(..self.lengths.len().min(BATCH));
    }

    /// Takes a message; gives the answer that it is.
    ///
    /// # Errors
    /// [`Malformed`] when it is an answer but cannot be read.
    pub fn take(&mut self, message: &Message<'_>) -> Result<Option<Answer<T>>, Malformed> {
        if message.port != self.port {
            return Ok(None);
        }
        let is_route = message.kind == consts::RTM_NEWROUTE;
        let verdict = if is_route { None } else { Verdict::of_answer(message)? };
        if verdict.is_none() && !is_route {
            return Ok(None);
        }
        let sent = self.waiting.len() - self.lengths.len();
        let mut sent = self.waiting.iter().take(sent);
        let Some(at) = sent.position(|waiting| waiting.sequence == message.sequence) else {
            return Ok(None);
        };
        let verb = self.waiting.get(at).map(|waiting| waiting.verb);
        let verdict = match verdict {
            None if verb == Some(Verb::Find) => {
                let found = Outcome::Found(route::Standing::decode(message.payload)?);
                return Ok(self.answer(at, |_| found));
            }
            None => self::verdict(lookup::is_local(message.payload)?),
            Some(verdict) => verdict,
        };
        Ok(self.answer(at, |verb| match verdict {
            Verdict::Done(warning) => Outcome::Done(warning),
            Verdict::Refused(error) if verb.is_satisfied(error.errno) => Outcome::Unchanged,
            Verdict::Refused(error) => Outcome::Refused(error),
        }))
    }

    fn answer(&mut self, at: usize, outcome: impl FnOnce(Verb) -> Outcome) -> Option<Answer<T>> {
        let waiting = self.waiting.remove(at)?;
        Some(Answer { token: waiting.token, outcome: outcome(waiting.verb) })
    }

    /// Answers were lost: none of the requests that were sent will be answered any more.
    pub fn lost(&mut self) -> impl Iterator<Item = Answer<T>> {
        let sent = self.waiting.len() - self.lengths.len();
        self.waiting.drain(..sent).map(|w| Answer { token: w.token, outcome: Outcome::Lost })
    }
}

#[cfg(test)]
mod tests;
