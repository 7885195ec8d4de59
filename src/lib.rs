//! Steadfast keeps a gateway alive.

pub mod cli;
pub mod config;
pub mod units;
pub mod vrrp;
pub mod wire;
