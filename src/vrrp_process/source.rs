//! What the process waits for.

use crate::units::Family;
use crate::vrrp::InterfaceId;

/// One descriptor.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Source {
    /// Messages of the supervisor.
    Supervisor,
    /// Room for messages to it.
    MessageRoom,
    /// Room for events to it.
    EventRoom,
    /// The timer.
    Alarm,
    /// What the kernel tells of links, addresses, routes and rules.
    Kernel,
    /// Answers of the packet filter.
    NeighborFilter,
    /// Adverts of others.
    Adverts(InterfaceId, Family),
    /// Announcements of others.
    Announcements(Family),
    /// A supervisor that calls a process which has none.
    Caller,
}
