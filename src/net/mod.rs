//! What a master installs in the kernel: addresses, routes and rules.
//!
//! They are values: the configuration reads them, the engine asks for them, and netlink installs
//! them unchanged.

mod address;
mod object;
mod route;

pub use address::*;
pub use object::*;
pub use route::*;
