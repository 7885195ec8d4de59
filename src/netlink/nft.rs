//! Encodes requests to nf_tables, in batches that the kernel applies completely or not at all
//! (`netlink:N-75`).
//!
//! neli does not support nf_tables, so the few numbers that are needed stand here. All of them are in
//! network byte order.

use std::net::IpAddr;

use super::codec::address_value;
use super::frame::Sequence;
use crate::units::Family;

/// The subsystem number of nf_tables in a message type.
const SUBSYSTEM: u16 = 10;
/// Addresses in one batch, at most: an attribute holds 64 KiB, and one address needs 28 octets.
pub const MAX_BATCH_ADDRESSES: usize = 1_000;

const BATCH_BEGIN: u16 = 16;
const BATCH_END: u16 = 17;
const NEW_TABLE: u16 = SUBSYSTEM << 8;
const DELETE_TABLE: u16 = NEW_TABLE | 2;
const NEW_CHAIN: u16 = NEW_TABLE | 3;
const NEW_RULE: u16 = NEW_TABLE | 6;
const NEW_SET: u16 = NEW_TABLE | 9;
const NEW_ELEMENT: u16 = NEW_TABLE | 12;
const DELETE_ELEMENT: u16 = NEW_TABLE | 14;

const REQUEST: u16 = 0x1;
const ACK: u16 = 0x4;
const CREATE: u16 = 0x400;
const APPEND: u16 = 0x800;
/// Flag of an attribute that holds other attributes.
const NESTED: u16 = 0x8000;

/// Table flag, since Linux 5.12: the kernel deletes the table when the socket that created it is
/// closed, and a flush of the ruleset does not touch it.
const OWNED: u32 = 2;
/// Policy of a chain for packets that no rule matches.
const ACCEPT: u32 = 1;
const DROP: u32 = 0;

const SET: &str = "blocked";
const CHAIN: &str = "out";

const ICMPV6: u8 = 58;
const NEIGHBOUR_SOLICITATION: u8 = 135;
const NEIGHBOUR_ADVERTISEMENT: u8 = 136;

/// A header that an offset counts from.
#[derive(Clone, Copy)]
enum Base {
    Network = 1,
    Transport = 2,
}

/// The sequence numbers of a batch, by which its answers are recognised.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SequenceRange {
    /// The number of the message that begins the batch. It is answered only by errors.
    pub first: Sequence,
    /// The number of the message that is also answered on success.
    pub last: Sequence,
}

impl SequenceRange {
    /// Whether a number belongs to the batch.
    pub const fn contains(self, sequence: Sequence) -> bool {
        sequence.0.wrapping_sub(self.first.0) <= self.last.0.wrapping_sub(self.first.0)
    }
}

/// Encodes one batch for one table.
#[derive(Debug)]
pub struct Batch<'a> {
    table: &'a str,
    family: Family,
    octets: Vec<u8>,
    first: Sequence,
    sequence: Sequence,
    /// The offset of the last message, and its flags.
    last: (usize, u16),
}

impl<'a> Batch<'a> {
    /// Begins a batch with the number after `before`.
    pub fn new(table: &'a str, family: Family, before: Sequence) -> Self {
        let first = before.next();
        let mut batch =
            Self { table, family, octets: Vec::new(), first, sequence: before, last: (0, 0) };
        batch.message(BATCH_BEGIN, 0, |_| {});
        batch
    }

    /// Creates the table if it does not exist. The kernel deletes an owned table with its socket.
    pub fn new_table(&mut self, owned: bool) {
        self.message(NEW_TABLE, CREATE, |octets| {
            if owned {
                number(octets, 2, OWNED);
            }
        });
    }

    /// Deletes the table with all that is in it.
    pub fn delete_table(&mut self) {
        self.message(DELETE_TABLE, 0, |_| {});
    }

    /// Fills the new table: an empty set of addresses, and a chain that drops the kernel's own ARP and
    /// neighbour discovery packets for them. Frames from packet sockets do not pass this chain.
    pub fn contents(&mut self) {
        let (key_type, key_len, hook) = match self.family {
            Family::V4 => (7, 4, 1),
            Family::V6 => (8, 16, 3),
        };
        self.message(NEW_SET, CREATE, |octets| {
            string(octets, 2, SET);
            number(octets, 3, 0);
            number(octets, 4, key_type);
            number(octets, 5, key_len);
            number(octets, 10, 1);
        });
        self.message(NEW_CHAIN, CREATE, |octets| {
            string(octets, 3, CHAIN);
            nest(octets, 4, |octets| {
                number(octets, 1, hook);
                number(octets, 2, 0);
            });
            number(octets, 5, ACCEPT);
            string(octets, 7, "filter");
        });
        match self.family {
            // With these lengths of hardware and protocol addresses, the sender's is at offset 14.
            Family::V4 => self.rule(|octets| {
                payload(octets, Base::Network, 4, 2);
                compare(octets, &[6, 4]);
                payload(octets, Base::Network, 14, 4);
                look_up(octets);
            }),
            Family::V6 => {
                let neighbour_discovery = |octets: &mut Vec<u8>, kind| {
                    protocol(octets);
                    compare(octets, &[ICMPV6]);
                    payload(octets, Base::Transport, 0, 1);
                    compare(octets, &[kind]);
                };
                self.rule(|octets| {
                    neighbour_discovery(octets, NEIGHBOUR_ADVERTISEMENT);
                    payload(octets, Base::Transport, 8, 16);
                    look_up(octets);
                });
                // Receivers of a solicitation learn the address of its sender.
                self.rule(|octets| {
                    neighbour_discovery(octets, NEIGHBOUR_SOLICITATION);
                    payload(octets, Base::Network, 8, 16);
                    look_up(octets);
                });
            }
        }
    }

    /// Adds at most [`MAX_BATCH_ADDRESSES`] addresses to the set.
    pub fn add(&mut self, addresses: impl Iterator<Item = IpAddr>) {
        self.elements(NEW_ELEMENT, CREATE, addresses);
    }

    /// Removes at most [`MAX_BATCH_ADDRESSES`] addresses from the set.
    pub fn remove(&mut self, addresses: impl Iterator<Item = IpAddr>) {
        self.elements(DELETE_ELEMENT, 0, addresses);
    }

    /// Ends the batch.
    pub fn finish(mut self) -> (Vec<u8>, SequenceRange) {
        let numbers = SequenceRange { first: self.first, last: self.sequence };
        // Errors are always answered. For success, one answer is enough.
        let (start, flags) = self.last;
        if let Some(place) = self.octets.get_mut(start + 6..start + 8) {
            place.copy_from_slice(&(flags | ACK).to_ne_bytes());
        }
        self.message(BATCH_END, 0, |_| {});
        (self.octets, numbers)
    }

    fn elements(&mut self, kind: u16, flags: u16, addresses: impl Iterator<Item = IpAddr>) {
        let mut addresses = addresses.take(MAX_BATCH_ADDRESSES).peekable();
        if addresses.peek().is_none() {
            return;
        }
        self.message(kind, flags, |octets| {
            string(octets, 2, SET);
            nest(octets, 3, |octets| {
                for address in addresses {
                    nest(octets, 1, |octets| {
                        nest(octets, 1, |octets| attribute(octets, 1, &address_value(address)));
                    });
                }
            });
        });
    }

    /// Adds a rule that drops what the expressions match.
    fn rule(&mut self, expressions: impl FnOnce(&mut Vec<u8>)) {
        self.message(NEW_RULE, CREATE | APPEND, |octets| {
            string(octets, 2, CHAIN);
            nest(octets, 4, |octets| {
                expressions(octets);
                expression(octets, "immediate", |octets| {
                    number(octets, 1, 0);
                    nest(octets, 2, |octets| nest(octets, 2, |octets| number(octets, 1, DROP)));
                });
            });
        });
    }

    /// Adds a message: its header, nfgenmsg, and the name of the table. The messages that begin and end
    /// the batch have no name.
    fn message(&mut self, kind: u16, flags: u16, body: impl FnOnce(&mut Vec<u8>)) {
        self.sequence = self.sequence.next();
        let start = self.octets.len();
        self.last = (start, REQUEST | flags);
        self.octets.extend([0; 4]);
        self.octets.extend(kind.to_ne_bytes());
        self.octets.extend((REQUEST | flags).to_ne_bytes());
        self.octets.extend(self.sequence.0.to_ne_bytes());
        self.octets.extend([0; 4]);
        if matches!(kind, BATCH_BEGIN | BATCH_END) {
            self.octets.extend([0, 0]);
            self.octets.extend(SUBSYSTEM.to_be_bytes());
        } else {
            self.octets.extend([
                match self.family {
                    Family::V4 => 3,
                    Family::V6 => 10,
                },
                0,
                0,
                0,
            ]);
            string(&mut self.octets, 1, self.table);
        }
        body(&mut self.octets);
        let len = self.octets.len() - start;
        let len = u32::try_from(len).unwrap_or(u32::MAX).to_ne_bytes();
        if let Some(place) = self.octets.get_mut(start..start + len.len()) {
            place.copy_from_slice(&len);
        }
    }
}

/// Appends an attribute.
fn attribute(octets: &mut Vec<u8>, kind: u16, value: &[u8]) {
    wrap(octets, kind, |octets| octets.extend(value));
}

/// Appends an attribute that holds others.
fn nest(octets: &mut Vec<u8>, kind: u16, inside: impl FnOnce(&mut Vec<u8>)) {
    wrap(octets, kind | NESTED, inside);
}

fn wrap(octets: &mut Vec<u8>, kind: u16, value: impl FnOnce(&mut Vec<u8>)) {
    let start = octets.len();
    octets.extend([0; 2]);
    octets.extend(kind.to_ne_bytes());
    value(octets);
    // MAX_BATCH_ADDRESSES keeps the value below 64 KiB.
    let len = u16::try_from(octets.len() - start).unwrap_or(u16::MAX).to_ne_bytes();
    if let Some(place) = octets.get_mut(start..start + len.len()) {
        place.copy_from_slice(&len);
    }
    octets.resize(octets.len().next_multiple_of(4), 0);
}

fn number(octets: &mut Vec<u8>, kind: u16, value: u32) {
    attribute(octets, kind, &value.to_be_bytes());
}

fn string(octets: &mut Vec<u8>, kind: u16, value: &str) {
    attribute(octets, kind, &[value.as_bytes(), &[0]].concat());
}

fn expression(octets: &mut Vec<u8>, name: &str, data: impl FnOnce(&mut Vec<u8>)) {
    nest(octets, 1, |octets| {
        string(octets, 1, name);
        nest(octets, 2, data);
    });
}

/// Loads octets of the packet into register 1.
fn payload(octets: &mut Vec<u8>, base: Base, offset: u32, len: u32) {
    expression(octets, "payload", |octets| {
        number(octets, 1, 1);
        number(octets, 2, base as u32);
        number(octets, 3, offset);
        number(octets, 4, len);
    });
}

/// Loads the protocol number after the network header into register 1.
fn protocol(octets: &mut Vec<u8>) {
    expression(octets, "meta", |octets| {
        number(octets, 1, 1);
        number(octets, 2, 16);
    });
}

/// Matches when register 1 has this value.
fn compare(octets: &mut Vec<u8>, value: &[u8]) {
    expression(octets, "cmp", |octets| {
        number(octets, 1, 1);
        number(octets, 2, 0);
        nest(octets, 3, |octets| attribute(octets, 1, value));
    });
}

/// Matches when the address in register 1 is in the set.
fn look_up(octets: &mut Vec<u8>) {
    expression(octets, "lookup", |octets| {
        string(octets, 1, SET);
        number(octets, 2, 1);
        number(octets, 4, 1);
    });
}
