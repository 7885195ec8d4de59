//! `steadfast run` on real interfaces.

mod bad_input;
mod consequences;
mod endings;
mod failover;
mod firewall;
mod foreign;
mod interfaces;
mod overrun;
mod reload;
mod strangers;
mod subnets;
