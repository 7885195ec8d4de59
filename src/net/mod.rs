//! What a master installs in the kernel: addresses, routes and rules.
//!
//! They are plain values: the configuration reads them, the engine decides when they are installed,
//! and netlink installs them.

mod address;
mod object;
mod route;

pub use address::*;
pub use object::*;
pub use route::*;
