//! The process around the engine: sockets, the timer, netlink.

pub mod announce;
pub mod receive;
pub mod transmit;
