//! What the supervisor and a child say to each other, in the [frames](super::frame) of a stream
//! socket. Records take another way, so that a full log never holds up an answer.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::event::Level;
use super::shared_memory::MAGIC;
use super::status::{Heap, InstanceStatus, ProcessReport};

/// Of the messages here: another number whenever one of them means something else, so that a program
/// does not take over the child of one that it does not understand.
pub const VERSION: u32 = 6;

/// The abstract name of the socket at which a vrrp process without a supervisor waits for the next
/// one, of the same layout of the shared memory: it sends that memory, and leaves everything as it
/// is.
pub fn orphan_name(pid: u32) -> String {
    format!("steadfast-vrrp-{MAGIC:08x}-{pid}")
}

/// Matches an answer to its question.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct Ticket(pub u32);

/// From the supervisor to a child.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub enum ToChild {
    /// Are you alive? Goes the same way as real work (architecture.md, processes).
    Hello {
        /// Comes back in the answer.
        number: u32,
    },
    /// The configuration: the first one starts the work, each further one is a reload. Answered
    /// with [`FromChild::Applied`].
    Configuration {
        /// Counts the configurations.
        generation: u32,
        /// Of the one in effect, if only what is different is told.
        base: Option<u32>,
        /// The child's part, in the encoding of the child.
        body: Vec<u8>,
    },
    /// Everything about each instance, one message for each, then about the process.
    Status {
        /// For the answers.
        ticket: Ticket,
    },
    /// Hand an instance over. Answered when it is known how it went.
    Switchover {
        /// For the answer.
        ticket: Ticket,
        /// Its name.
        instance: String,
        /// Release it after that time.
        hold_for: Option<Duration>,
        /// Even if nobody takes over.
        force: bool,
    },
    /// End a hold.
    Release {
        /// For the answer.
        ticket: Ticket,
        /// Its name.
        instance: String,
    },
    /// Records below this level are not wanted.
    LogLevel(Level),
    /// Hand everything over and end; [`FromChild::Stopped`] comes when it is done.
    Stop,
    /// The same at once: what nobody has taken over yet is given up.
    StopNow,
    /// Hand everything over, as far as somebody takes it, and stay backup for so long, since this
    /// process has ended again and again. Instances that are held already are left alone.
    StandBack {
        /// For how long.
        hold_for: Duration,
    },
    /// End and leave everything as it is, since another process resumes at once.
    Leave,
    /// Keep all memory in RAM, or not any more. Answered with how it went.
    LockMemory {
        /// For the answer.
        ticket: Ticket,
        /// Whether to keep it there.
        lock: bool,
    },
}

/// From a child to the supervisor.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub enum FromChild {
    /// I am alive.
    Hello {
        /// Of the question.
        number: u32,
    },
    /// This configuration is in effect.
    Applied {
        /// Which.
        generation: u32,
    },
    /// One instance of a status.
    Instance {
        /// Of the question.
        ticket: Ticket,
        /// The instance.
        status: Box<InstanceStatus>,
    },
    /// The end of a status.
    Process {
        /// Of the question.
        ticket: Ticket,
        /// What it says about itself.
        report: ProcessReport,
        /// What it counted of its memory.
        heap: Option<Heap>,
    },
    /// How a command ended: what to tell the user.
    Answer {
        /// Of the question.
        ticket: Ticket,
        /// Words for the user.
        result: Result<String, String>,
    },
    /// All is handed over and removed; the child ends.
    Stopped,
    /// All stays as it is; the child ends.
    Leaving,
}
