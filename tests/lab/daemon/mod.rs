//! `steadfast run` on real interfaces.

mod bad_input;
mod consequences;
mod endings;
mod failover;
mod firewall;
mod foreign;
mod impostor;
mod interfaces;
mod overrun;
mod past;
mod reload;
mod routes;
mod second_holder;
mod strangers;
mod subnets;
