//! What the kernel tells: links and addresses that appeared, changed or went away. A dump says the
//! same about everything that there is.

use super::address::Address;
use super::consts;
use super::frame::{Malformed, Message};
use super::link::Link;

/// One piece of news.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Event {
    /// There is this link, new or changed (`netlink:N-22`).
    Link(Link),
    /// This link is gone.
    LinkGone(Link),
    /// There is this address, new or changed.
    Address(Address),
    /// This address is gone.
    AddressGone(Address),
}

impl Event {
    /// From a message; `None` when it is about something else.
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
