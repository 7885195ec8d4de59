//! The kernel's links, addresses, routes and rules: watching them and changing them (`netlink` rules,
//! sections 1 to 5).
//!
//! | module | for |
//! |---|---|
//! | [`frame`] | splitting datagrams into messages and attributes; all lengths are checked there |
//! | [`link`], [`address`], [`route`], [`rule`] | decoding the kernel's messages, encoding requests |
//! | [`event`] | messages as typed events |
//! | [`error`] | acknowledgements and errors of the kernel |
//! | [`cache`] | a copy of the links and addresses, which reports what changes |
//! | [`watch`] | which of the configured routes and rules the kernel has |
//! | [`mirror`] | when to request a dump, and how events and dumps are combined |
//! | [`batch`] | sending requests in batches, and assigning the answers |
//! | [`monitor`], [`command`] | the two sockets: thin, non-blocking, without a reactor |
//! | [`character`] | the properties of one interface, for `steadfast check` |
//! | [`lookup`] | whether the kernel already accepts packets to an IPv6 address |
//! | [`neighbor_filter_state`], [`neighbor_filter`] | blocking answers for addresses during a planned hand-over, and the socket for it |
//!
//! There are two sockets, so that a flood of events cannot displace an answer (`netlink:N-1`). neli is
//! only used to encode and decode; framing, lengths and sockets are our own.
//!
//! A process waits until one of the sockets is readable, and calls [`monitor::Monitor::read`] or
//! [`command::Commands::read`] until it returns [`monitor::Left::Nothing`]. Neither blocks.
//! [`command::Commands::send`] takes as long as the kernel needs for a batch, so a process sends one
//! batch in each turn of its loop, after the adverts that are due.

pub mod address;
pub mod batch;
pub mod cache;
pub mod character;
mod codec;
pub mod command;
mod consts;
pub mod error;
pub mod event;
pub mod frame;
pub mod link;
pub mod lookup;
pub mod mirror;
pub mod monitor;
pub mod neighbor_filter;
pub mod neighbor_filter_state;
mod nft;
pub mod route;
pub mod rule;
mod socket;
pub mod watch;

pub use codec::Unencodable;
