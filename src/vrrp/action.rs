//! What the engine wants done, and what it has to say.

use super::command::{CommandId, Outcome};
use super::ids::{InstanceId, ObjectId, RouterId};
use super::notice::Notice;
use crate::units::{Centiseconds, Priority};

/// One output of [`Engine::poll_action`](super::Engine::poll_action), of whichever lane.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Action {
    /// What cannot wait.
    Urgent(Urgent),
    /// A request to the kernel.
    Kernel(KernelRequest),
    /// A packet about an address.
    Announcement(Announcement),
    /// Something to say.
    Report(Report),
}

/// The first lane: packets to read, adverts to send.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Urgent {
    /// Send an advert of this router, to the group or to each unicast peer. Only these two fields
    /// (and the checksum) ever differ from the last one.
    SendAdvert {
        /// Which virtual router.
        router: RouterId,
        /// The priority to announce, 0 included.
        priority: Priority,
        /// The interval to announce.
        interval: Centiseconds,
    },
    /// The process woke up late, or a DownTimer ran out: hand over all packets that wait in the
    /// sockets (of [`Engine::sockets_to_drain`](super::Engine::sockets_to_drain) at least), then
    /// [`Event::SocketsDrained`](super::Event::SocketsDrained). Those timers run only after that. To
    /// be broken off at [`Engine::next_deadline`](super::Engine::next_deadline), which bounds the
    /// wait; [`Event::Wake`](super::Event::Wake) then asks for it again when it is not over.
    DrainSockets,
}

/// The second lane: requests to the kernel.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum KernelRequest {
    /// Install an object and report with [`Event::Acknowledged`](super::Event::Acknowledged).
    Install(ObjectId),
    /// Remove an object and report likewise.
    Remove(ObjectId),
    /// Answer no ARP and no neighbour solicitation for the instance's addresses.
    Mute(InstanceId),
    /// Answer them again.
    Unmute(InstanceId),
}

/// The third lane: packets about addresses.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Announcement {
    /// Send one gratuitous ARP or unsolicited neighbour advertisement for an address.
    Announce(ObjectId),
    /// Ask who holds an address (module `second_holder`): who does, announces it or answers, which
    /// is [`Event::Announced`](super::Event::Announced).
    Probe(Probed),
}

/// The last lane: what the engine has to say.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Report {
    /// Something to log, show and notify.
    Notice(Notice),
    /// How an operator's command ended.
    Answer {
        /// Of the command.
        id: CommandId,
        /// The instance that it was about.
        instance: InstanceId,
        /// How it ended.
        outcome: Outcome,
    },
    /// After [`Event::Shutdown`](super::Event::Shutdown): nothing is left to do.
    Stopped,
}

/// An address whose other holders are asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Probed {
    /// A virtual one.
    Object(ObjectId),
    /// The one that the adverts of a router come from.
    Source(RouterId),
}

impl Probed {
    /// Whose address it is.
    pub const fn instance(self) -> InstanceId {
        match self {
            Self::Object(object) => object.instance,
            Self::Source(router) => router.instance,
        }
    }
}
