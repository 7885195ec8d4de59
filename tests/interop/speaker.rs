//! A VRRP router of any implementation.

use std::fmt::Debug;
use std::net::IpAddr;
use std::time::Duration;

use crate::harness::lan::Host;
use crate::harness::router::Router;
use crate::settings::Instance;

/// What a router says that it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Role {
    /// It holds the addresses.
    Master,
    /// It listens for a master.
    Backup,
    /// It does not run, or cannot take part.
    Neither,
}

/// The master that a backup should know.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Master {
    /// Where its adverts come from.
    pub address: IpAddr,
    /// Its priority.
    pub priority: u8,
    /// Its interval.
    pub interval: Duration,
}

/// Whose program it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Maker {
    /// Ours.
    Steadfast,
    /// Debian's keepalived.
    Keepalived,
    /// Debian's FRR.
    Frr,
}

/// A router that speaks VRRP.
pub trait Speaker: Debug {
    /// Where it runs.
    fn host(&self) -> &Host;

    /// Starts it, also again.
    fn start(&mut self);

    /// Kills all its processes at once: a power failure, but for what the kernel keeps.
    fn kill(&mut self);

    /// Stops it as its administrator does, and waits for its end.
    fn stop(&mut self);

    /// The daemon, if it is ours.
    fn ours(&self) -> Option<&Router> {
        None
    }

    /// What it says that it is now.
    fn role(&self, instance: &Instance) -> Role;

    /// Whether it says that it follows this master.
    fn follows(&self, instance: &Instance, master: &Master) -> bool;
}
