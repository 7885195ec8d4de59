//! The kernel's links, addresses, routes and rules: what there is, and requests to change it (`netlink` rules,
//! sections 1 to 5).
//!
//! | module | for |
//! |---|---|
//! | [`frame`] | a datagram to messages and attributes; checks every length |
//! | [`link`], [`address`], [`route`], [`rule`] | typed values, read from the kernel; requests, written for it |
//! | [`event`] | a message to a piece of news |
//! | [`error`] | the kernel's answers, with its words |
//! | [`cache`] | links and addresses, and what is different from before |
//! | [`watch`] | which of the configured routes and rules there are |
//! | [`mirror`] | when to read everything, and how events and dumps come together |
//! | [`batch`] | requests in batches, and whose answer is whose |
//! | [`monitor`], [`command`] | the two sockets: thin, non-blocking, without a reactor |
//! | [`character`] | what an interface can be used for, asked once |
//! | [`lookup`] | whether packets to an IPv6 address are taken already |
//! | [`neighbor_filter_state`], [`neighbor_filter`] | silence about addresses during a planned hand-over, and its socket |
//!
//! The two sockets are apart so that a flood of events does not cost an answer (`netlink:N-1`).
//! neli is only a codec and does not show outside: framing, lengths and sockets are ours.
//!
//! A process waits for both sockets to be readable, and calls [`monitor::Monitor::read`] and
//! [`command::Commands::read`] until they have [`monitor::Left::Nothing`]. Neither blocks, but
//! [`command::Commands::send`] takes as long as the kernel needs for a batch; a process sends one
//! batch a turn, after what is due.

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
