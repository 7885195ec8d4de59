//! Sends requests to the kernel in batches and assigns the answers to them.
//!
//! Every request carries a token of the caller, which comes back with the answer. At most
//! [`MAX_BATCH_REQUESTS`] requests are sent with one system call, since the kernel handles them during
//! that call. At most [`MAX_IN_FLIGHT_REQUESTS`] wait for their answers, since the answers have to fit
//! into the receive buffer of the socket.

use std::collections::VecDeque;
use std::net::Ipv6Addr;

use nix::errno::Errno;

use super::codec::Unencodable;
use super::error::{KernelError, Reply};
use super::frame::{Malformed, Message, PortId, Sequence};
use super::link::{self, LinkIndex};
use super::{address, consts, lookup, route, rule};
use crate::net::VirtualAddress;
use crate::net::{Route, Rule};

/// Requests that are sent with one system call, at most.
pub const MAX_BATCH_REQUESTS: usize = 32;
/// Requests without an answer, sent or waiting to be sent, at most.
pub const MAX_IN_FLIGHT_REQUESTS: usize = 256;

/// A request to the kernel.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Request<'a> {
    /// Add an address to a link.
    Add(LinkIndex, &'a VirtualAddress),
    /// Change the options of an address in place, where [`address::can_replace`] says that the
    /// kernel can. The kernel adds the address if it is missing.
    Replace(LinkIndex, &'a VirtualAddress),
    /// Delete an address from a link.
    Delete(LinkIndex, &'a VirtualAddress),
    /// Add a route.
    AddRoute(&'a route::Resolved<'a>),
    /// Delete a route.
    DeleteRoute(&'a route::Resolved<'a>),
    /// Find the route that prevents this IPv6 route from being added. The answer is
    /// [`Outcome::Found`].
    FindRoute(&'a Route),
    /// Add a rule.
    AddRule(&'a Rule),
    /// Delete a rule.
    DeleteRule(&'a Rule),
    /// Set `promote_secondaries` of a link: whether the other addresses of a subnet stay when its
    /// primary address is deleted.
    Promote(LinkIndex, bool),
    /// Check that a packet to this address that arrives on this link is delivered locally
    /// ([`lookup`]). If not, the answer is [`Outcome::Refused`].
    CheckLocal(LinkIndex, Ipv6Addr),
}

impl Request<'_> {
    /// Appends the request. Returns its verb, which decides how errors are judged.
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
            Self::CheckLocal(link, address) => {
                lookup::encode(octets, sequence, link, address).map(|()| Verb::CheckLocal)
            }
        }
    }
}

/// The kind of a request, which decides what errors mean that the wanted state is reached.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Verb {
    Add,
    Replace,
    Delete,
    DeleteRoute,
    DeleteRule,
    Promote,
    CheckLocal,
    Find,
}

impl Verb {
    /// Whether an error means that the kernel already is in the requested state (`netlink:N-43`,
    /// `netlink:N-44`, `netlink:N-56`, and the table in section 9).
    fn is_satisfied(self, errno: Errno) -> bool {
        match self {
            Self::Add => errno == Errno::EEXIST,
            Self::Replace | Self::CheckLocal | Self::Find => false,
            Self::Delete => matches!(errno, Errno::EADDRNOTAVAIL | Errno::ENODEV),
            Self::DeleteRoute => errno == Errno::ESRCH,
            Self::Promote => errno == Errno::ENODEV,
            Self::DeleteRule => errno == Errno::ENOENT,
        }
    }
}

/// The outcome of a request.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// Done, with the text of the kernel's warning if there is one.
    Done(Option<Box<str>>),
    /// The object existed, or was missing, already. An existing route may be another one in the same
    /// [`Place`](route::Place): only the mirror knows whether it is ours.
    Unchanged,
    /// The route that [`Request::FindRoute`] asked for, if the kernel has one.
    Found(Option<route::BlockingRoute>),
    /// The kernel refused.
    Refused(KernelError),
    /// The answer was lost: only the mirror knows the outcome.
    Lost,
}

/// The answer to a request.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Answer<T> {
    /// The token of the request.
    pub token: T,
    /// The outcome of the request.
    pub outcome: Outcome,
}

/// Why a request was not accepted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NotTaken {
    /// [`MAX_IN_FLIGHT_REQUESTS`] requests wait: try again after the next answers.
    Full,
    /// The request does not fit into a netlink message.
    Unencodable,
}

impl From<Unencodable> for NotTaken {
    fn from(_: Unencodable) -> Self {
        Self::Unencodable
    }
}

/// The reply to [`Request::CheckLocal`] that a route stands for.
const fn reply(is_local: bool) -> Reply {
    if is_local {
        return Reply::Done(None);
    }
    Reply::Refused(KernelError { errno: Errno::EADDRNOTAVAIL, text: None, offset: None })
}

/// A request without an answer.
#[derive(Debug)]
struct Waiting<T> {
    sequence: Sequence,
    verb: Verb,
    token: T,
}

/// Requests to send, and requests that wait for their answers.
#[derive(Debug)]
pub struct Batch<T> {
    port: PortId,
    last: Sequence,
    /// Octets of the requests to send, and the length of each.
    octets: Vec<u8>,
    lengths: VecDeque<usize>,
    /// Requests that were sent, followed by those to send.
    waiting: VecDeque<Waiting<T>>,
}

impl<T> Batch<T> {
    /// For a command socket with this port id.
    pub fn new(port: PortId) -> Self {
        Self {
            port,
            last: Sequence(0),
            octets: Vec::new(),
            lengths: VecDeque::with_capacity(MAX_IN_FLIGHT_REQUESTS),
            waiting: VecDeque::with_capacity(MAX_IN_FLIGHT_REQUESTS),
        }
    }

    /// How many requests have no answer yet, sent or not.
    pub fn in_flight(&self) -> usize {
        self.waiting.len()
    }

    /// Queues a request.
    ///
    /// # Errors
    /// [`NotTaken`]; the request is dropped.
    pub fn push(&mut self, request: Request<'_>, token: T) -> Result<(), NotTaken> {
        if self.waiting.len() >= MAX_IN_FLIGHT_REQUESTS {
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

    /// The octets to send next, with up to [`MAX_BATCH_REQUESTS`] whole requests. Empty when all are
    /// sent.
    pub fn to_send(&self) -> &[u8] {
        let len = self.lengths.iter().take(MAX_BATCH_REQUESTS).sum();
        self.octets.get(..len).unwrap_or(&[])
    }

    /// Notes that the octets of [`Batch::to_send`] were sent.
    pub fn sent(&mut self) {
        let len = self.to_send().len();
        self.octets.drain(..len);
        self.lengths.drain(..self.lengths.len().min(MAX_BATCH_REQUESTS));
    }

    /// Handles a message of the kernel. Returns the answer, or `None` when the message answers no
    /// request of this batch.
    ///
    /// # Errors
    /// [`Malformed`] when the message is an answer but cannot be read.
    pub fn handle(&mut self, message: &Message<'_>) -> Result<Option<Answer<T>>, Malformed> {
        if message.port != self.port {
            return Ok(None);
        }
        let is_route = message.kind == consts::RTM_NEWROUTE;
        let reply = if is_route { None } else { Reply::of_answer(message)? };
        if reply.is_none() && !is_route {
            return Ok(None);
        }
        let sent = self.waiting.len() - self.lengths.len();
        let mut sent = self.waiting.iter().take(sent);
        let Some(at) = sent.position(|waiting| waiting.sequence == message.sequence) else {
            return Ok(None);
        };
        let verb = self.waiting.get(at).map(|waiting| waiting.verb);
        let reply = match reply {
            None if verb == Some(Verb::Find) => {
                let found = Outcome::Found(route::BlockingRoute::decode(message.payload)?);
                return Ok(self.answer(at, |_| found));
            }
            None => self::reply(lookup::is_local(message.payload)?),
            Some(reply) => reply,
        };
        Ok(self.answer(at, |verb| match reply {
            Reply::Done(warning) => Outcome::Done(warning),
            Reply::Refused(error) if verb.is_satisfied(error.errno) => Outcome::Unchanged,
            Reply::Refused(error) => Outcome::Refused(error),
        }))
    }

    fn answer(&mut self, at: usize, outcome: impl FnOnce(Verb) -> Outcome) -> Option<Answer<T>> {
        let waiting = self.waiting.remove(at)?;
        Some(Answer { token: waiting.token, outcome: outcome(waiting.verb) })
    }

    /// Handles the loss of answers: gives up all requests that were sent, as [`Outcome::Lost`].
    pub fn lost(&mut self) -> impl Iterator<Item = Answer<T>> {
        let sent = self.waiting.len() - self.lengths.len();
        self.waiting.drain(..sent).map(|w| Answer { token: w.token, outcome: Outcome::Lost })
    }
}

#[cfg(test)]
mod tests;
