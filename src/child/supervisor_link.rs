//! The child's side of its connection with the supervisor: the stream of messages, and the events for
//! the log. Nothing here blocks; messages and events that the sockets do not accept are queued.

use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use nix::errno::Errno;
use nix::sys::socket::{MsgFlags, recv};

use super::event_loop::{End, Sources, Watch};
use super::event_sender::EventSender;
use super::library_log;
use super::send_queue::SendQueue;
use crate::control::child_messages::{FromChild, ToChild};
use crate::control::event::{Event, Kind, Level, What};
use crate::control::frame::{Decoder, encode};
use crate::system::clock;

/// Octets of messages that wait for the supervisor, at most: the status of thousands of instances.
const MAX_QUEUED_OCTETS: usize = 32 * 1024 * 1024;
/// Octets that one call reads, at most.
const READ_OCTETS: usize = 64 * 1024;

/// The result of reading from the supervisor.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Input {
    /// Octets were read; there may be more.
    Some,
    /// No octets wait.
    Nothing,
    /// The supervisor is gone.
    Gone,
}

/// The sources of the event loop that the link uses.
#[derive(Clone, Copy, Debug)]
pub struct LinkSources<T> {
    /// The socket for messages is readable.
    pub messages: T,
    /// The socket for messages is writable.
    pub message_room: T,
    /// The socket for events is writable.
    pub event_room: T,
}

/// The connection of a child with the supervisor.
#[derive(Debug)]
pub struct SupervisorLink<T> {
    /// The name of the role.
    role: &'static str,
    stream: OwnedFd,
    decoder: Decoder,
    buffer: Box<[u8]>,
    queue: SendQueue,
    /// The events for the log.
    pub events: EventSender,
    sources: Sources<T>,
    of: LinkSources<T>,
    /// Whether the loop waits until the socket for messages, or for events, is writable.
    blocked: [bool; 2],
    end: Option<End>,
    /// Everything is sent after the end was decided.
    over: bool,
    _messages: Watch<T>,
}

impl<T: Copy> SupervisorLink<T> {
    /// A link over the stream socket for messages and the datagram socket for events.
    ///
    /// # Errors
    /// The error of the system call.
    pub fn new(
        role: &'static str,
        stream: OwnedFd,
        events: OwnedFd,
        sources: &Sources<T>,
        of: LinkSources<T>,
    ) -> std::io::Result<Self> {
        Ok(Self {
            role,
            queue: SendQueue::new(stream.try_clone()?, MAX_QUEUED_OCTETS),
            decoder: Decoder::default(),
            buffer: vec![0; READ_OCTETS].into(),
            events: EventSender::new(events),
            sources: sources.clone(),
            of,
            blocked: [false; 2],
            end: None,
            over: false,
            _messages: sources.watch(stream.as_fd(), of.messages)?,
            stream,
        })
    }

    /// Reads once. [`SupervisorLink::message`] returns the messages.
    pub fn read(&mut self) -> Input {
        match recv(self.stream.as_raw_fd(), &mut self.buffer, MsgFlags::MSG_DONTWAIT) {
            Ok(0) => Input::Gone,
            Ok(len) => {
                self.decoder.push(self.buffer.get(..len).unwrap_or_default());
                Input::Some
            }
            Err(Errno::EINTR) => Input::Some,
            Err(Errno::EAGAIN) => Input::Nothing,
            Err(_) => Input::Gone,
        }
    }

    /// The next message that was read. An invalid message ends the child.
    pub fn message(&mut self) -> Option<ToChild> {
        match self.decoder.message() {
            Ok(message) => message,
            Err(error) => {
                self.fail(&format!("the supervisor sent {error}"));
                None
            }
        }
    }

    /// Queues a message.
    pub fn send(&mut self, message: &FromChild) {
        let mut octets = Vec::new();
        if encode(message, &mut octets).is_err() || !self.queue.push(octets) {
            self.fail("the supervisor takes no messages");
        }
    }

    /// Octets of messages that are not sent yet.
    pub const fn waiting(&self) -> usize {
        self.queue.waiting()
    }

    /// Reports an event about the process itself.
    pub fn report(&mut self, what: What) {
        self.events.add(Event::of_process(clock::now(), what));
    }

    /// Reports a text as an event about the process itself.
    pub fn log(&mut self, level: Level, kind: Kind, text: String) {
        self.report(What::message(level, kind, text));
    }

    /// Reports the lines that libraries have logged.
    pub fn pass_library_log(&mut self) {
        for (level, text) in library_log::take() {
            self.log(level, Kind::Process, text);
        }
    }

    /// Ends the process because of an error; the supervisor starts it again.
    pub fn fail(&mut self, why: &str) {
        if self.end.is_none() {
            self.log(Level::Error, Kind::Process, format!("the {} process ends: {why}", self.role));
            self.end = Some(End::Failed);
        }
    }

    /// Ends the process as requested.
    pub fn finish(&mut self) {
        self.end.get_or_insert(End::Stopped);
    }

    /// Whether the end is decided.
    pub const fn is_ending(&self) -> bool {
        self.end.is_some()
    }

    /// How the process ended, once everything is sent.
    pub fn ended(&self) -> Option<End> {
        self.end.filter(|_| self.over)
    }

    /// Sends queued messages and events; `true` when all are sent.
    pub fn flush(&mut self) -> bool {
        let (queue, events) = (self.queue.flush(), self.events.flush());
        let mut sent = true;
        for (place, result) in [queue, events].into_iter().enumerate() {
            match result {
                Ok(true) => {}
                Ok(false) => {
                    sent = false;
                    self.wait_until_writable(place);
                }
                // The supervisor is gone, which reading from the stream reports as well.
                Err(_) => {}
            }
        }
        self.over |= sent && self.end.is_some();
        sent
    }

    fn wait_until_writable(&mut self, place: usize) {
        let Some(blocked) = self.blocked.get_mut(place) else { return };
        if std::mem::replace(blocked, true) {
            return;
        }
        let waited = match place {
            0 => self.sources.when_writable(self.queue.as_fd(), self.of.message_room),
            _ => self.sources.when_writable(self.events.as_fd(), self.of.event_room),
        };
        if let Err(error) = waited {
            self.fail(&format!("cannot wait for the supervisor: {error}"));
        }
    }

    /// Notes that the socket for messages is writable.
    pub const fn has_message_room(&mut self) {
        let [messages, _] = &mut self.blocked;
        *messages = false;
    }

    /// Notes that the socket for events is writable.
    pub const fn has_event_room(&mut self) {
        let [_, events] = &mut self.blocked;
        *events = false;
    }
}
