//! Events of the kernel: links and addresses that appeared, changed or went away. A dump consists of
//! the same messages, one for each object.

use super::address::Address;
use super::consts;
use super::frame::{Malformed, Message};
use super::link::Link;

/// One event.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Event {
    /// A link is new or changed (`netlink:N-22`).
    Link(Link),
    /// A link is gone.
    LinkGone(Link),
    /// An address is new or changed.
    Address(Address),
    /// An address is gone.
    AddressGone(Address),
}

impl Event {
    /// Decodes a message; `None` when it is about neither links nor addresses.
    ///
    /// # Errors
    /// [`Malformed`] when it is about links or addresses but cannot be read.
    pub fn decode(message: &Message<'_>) -> Result<Option<Self>, Malformed> {
        let link = || Link::decode(message.payload);
        let address = || Address::decode(message.payload);
        Ok(match message.kind {
            consts::RTM_NEWLINK => link()?.map(Self::Link),
            consts::RTM_DELLINK => link()?.map(Self::LinkGone),
            consts::RTM_NEWADDR => address()?.map(Self::Address),
            consts::RTM_DELADDR => address()?.map(Self::AddressGone),
            _ => None,
        })
    }
}
