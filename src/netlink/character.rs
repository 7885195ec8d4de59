//! Asks the kernel what one interface can be used for. `steadfast check` uses it: it has no monitor,
//! and needs a few interfaces of perhaps thousands.

use nix::sys::socket::SockProtocol;

use super::consts;
use super::frame::{Sequence, messages};
use super::link::{self, Link, LinkIndex};
use super::socket::{Received, Socket};
use crate::config::machine::Character;

/// Size of the kernel's receive buffer: one answer.
const RECEIVE_BUFFER_OCTETS: usize = 64 * 1024;

/// The properties of an interface; `None` when it does not exist or the kernel does not answer. It does
/// not wait, since the kernel answers during the call that asks it.
pub fn character(name: &str) -> Option<Character> {
    let mut socket = Socket::open(SockProtocol::NetlinkRoute, 0, RECEIVE_BUFFER_OCTETS).ok()?;
    let link = ask(&mut socket, Asked::Name(name))?;
    let master = link.master.and_then(|master| ask(&mut socket, Asked::Index(master)));
    Some(Character {
        port_of: master.filter(Link::takes_all).map(|master| master.name),
        loopback: link.flags.loopback(),
        multicast: link.flags.multicast(),
        resolves: link.flags.resolves(),
    })
}

enum Asked<'a> {
    Name(&'a str),
    Index(LinkIndex),
}

fn ask(socket: &mut Socket, what: Asked<'_>) -> Option<Link> {
    let mut octets = Vec::new();
    let (name, index) = match what {
        Asked::Name(name) => (Some(name), LinkIndex(0)),
        Asked::Index(index) => (None, index),
    };
    link::encode_get(&mut octets, Sequence(1), index, name).ok()?;
    socket.send(&octets).ok()?;
    loop {
        match socket.receive().ok()? {
            Received::Datagram(len) => {
                let message = messages(socket.datagram(len)).next()?.ok()?;
                let is_link = message.kind == consts::RTM_NEWLINK;
                // Every other message is an error.
                return is_link.then(|| Link::decode(message.payload).ok()).flatten()?;
            }
            Received::Foreign => {}
            Received::Overrun | Received::Drained => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loopback_interface_is_one() {
        let lo = character("lo").unwrap();
        assert!(lo.loopback && !lo.multicast);
        assert_eq!(lo.port_of, None);
        assert_eq!(character("no-such-one"), None);
    }
}
