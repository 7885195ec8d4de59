//! The child's ends of what connects it with the supervisor: the stream of messages, and the
//! events for the log. Nothing here waits; what the supervisor does not take yet is queued.

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

/// Octets of answers that may wait for the supervisor: the status of thousands of instances.
const MAX_QUEUED_OCTETS: usize = 32 * 1024 * 1024;
/// Octets that are read at once.
const READ_OCTETS: usize = 64 * 1024;

/// What there was to read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Input {
    /// Something, and perhaps there is more.
    Some,
    /// Nothing.
    Nothing,
    /// The supervisor is gone.
    Gone,
}

/// The sources that the link adds to those of a child.
#[derive(Clone, Copy, Debug)]
pub struct LinkSources<T> {
    /// There are messages.
    pub messages: T,
    /// There is room for messages.
    pub message_room: T,
    /// There is room for events.
    pub event_room: T,
}

/// The link.
#[derive(Debug)]
pub struct SupervisorLink<T> {
    /// The name of the role.
    role: &'static str,
    stream: OwnedFd,
    decoder: Decoder,
    buffer: Box<[u8]>,
    queue: SendQueue,
    /// The log.
    pub events: EventSender,
    sources: Sources<T>,
    of: LinkSources<T>,
    /// It is waited for that the stream, or the log, is writable.
    blocked: [bool; 2],
    end: Option<End>,
    /// The end is told.
    over: bool,
    _messages: Watch<T>,
}

impl<T: Copy> SupervisorLink<T> {
    /// Over a stream of messages and datagrams of events.
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

    /// Reads once; what came is taken by [`SupervisorLink::message`].
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

    /// The next message that has come. What makes no sense ends the child.
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

    /// Octets of messages that the supervisor has not taken.
    pub const fn waiting(&self) -> usize {
        self.queue.waiting()
    }

    /// Tells of something that is of the process itself.
    pub fn tell(&mut self, what: What) {
        self.events.add(Event::of_process(clock::now(), what));
    }

    /// The same, as free text.
    pub fn say(&mut self, level: Level, kind: Kind, text: String) {
        self.tell(What::message(level, kind, text));
    }

    /// Tells what libraries have logged.
    pub fn pass_library_log(&mut self) {
        for (level, text) in library_log::take() {
            self.say(level, Kind::Process, text);
        }
    }

    /// The process cannot go on; the supervisor starts another one.
    pub fn fail(&mut self, why: &str) {
        if self.end.is_none() {
            self.say(Level::Error, Kind::Process, format!("the {} process ends: {why}", self.role));
            self.end = Some(End::Failed);
        }
    }

    /// The process has done its work.
    pub fn finish(&mut self) {
        self.end.get_or_insert(End::Stopped);
    }

    /// Whether it ends.
    pub const fn is_ending(&self) -> bool {
        self.end.is_some()
    }

    /// How it ended, once that is told.
    pub fn over(&self) -> Option<End> {
        self.end.filter(|_| self.over)
    }

    /// Sends what waits; `true`: nothing waits any more.
    pub fn flush(&mut self) -> bool {
        let (queue, events) = (self.queue.flush(), self.events.flush());
        let mut said = true;
        for (place, result) in [queue, events].into_iter().enumerate() {
            match result {
                Ok(true) => {}
                Ok(false) => {
                    said = false;
                    self.wait_until_writable(place);
                }
                // The supervisor is gone. The reader of the stream sees it, too.
                Err(_) => {}
            }
        }
        self.over |= said && self.end.is_some();
        said
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

    /// There is room for messages again.
    pub const fn has_message_room(&mut self) {
        let [messages, _] = &mut self.blocked;
        *messages = false;
    }

    /// There is room for events again.
    pub const fn has_event_room(&mut self) {
        let [_, events] = &mut self.blocked;
        *events = false;
    }
}
