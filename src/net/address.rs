//! What a master installs in the kernel: virtual addresses, routes and rules.
//!
//! These are values of the configuration and, unchanged, what the VRRP engine asks for and what
//! netlink installs. Two equal values are the same object: that is how a reload knows what stays.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

/// An address that the master holds.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct VirtualAddress {
    /// The address itself.
    pub address: IpAddr,
    /// Prefix length in bits; keepalived's default is the whole address (32 or 128).
    pub prefix_len: u8,
    /// The interface, when it is not the instance's own.
    pub interface: Option<Box<str>>,
    /// IPv4 label (`eth0:v`), at most 15 octets.
    pub label: Option<Box<str>>,
    /// IPv4 broadcast address.
    pub broadcast: Option<Broadcast>,
    /// The other end of a point-to-point link.
    pub peer: Option<IpAddr>,
    /// Where the address is valid.
    pub scope: Scope,
    /// IPv6: mark as home address.
    pub home: bool,
    /// Do not create the route of the prefix.
    pub no_prefix_route: bool,
    /// IPv6: run duplicate address detection (off by default, `netlink:N-41`).
    pub dad: bool,
    /// Seconds for which IPv6 prefers the address as a source; `None`: 0, so that the router's own
    /// connections come from its own address (keepalived: 0 for /128 only).
    pub preferred_lifetime: Option<u32>,
    /// React when somebody else removes it.
    pub track: bool,
}

impl VirtualAddress {
    /// An address with every option at its default.
    pub const fn new(address: IpAddr, prefix_len: u8) -> Self {
        Self {
            address,
            prefix_len,
            interface: None,
            label: None,
            broadcast: None,
            peer: None,
            scope: Scope::Global,
            home: false,
            no_prefix_route: false,
            dad: false,
            preferred_lifetime: None,
            track: true,
        }
    }
}

impl VirtualAddress {
    /// Whether the kernel would hold the same: all but [`VirtualAddress::track`], which is a matter
    /// of the engine.
    pub fn same_in_kernel(&self, other: &Self) -> bool {
        self.address == other.address
            && (self == other || *self == Self { track: self.track, ..other.clone() })
    }
}

/// How the broadcast address of an IPv4 address is given.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub enum Broadcast {
    /// All host bits one.
    Ones,
    /// All host bits zero.
    Zeros,
    /// This one.
    Address(std::net::Ipv4Addr),
}

/// Scope of an address or route (`netlink:N-42`).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub enum Scope {
    /// Everywhere.
    Global,
    /// This site.
    Site,
    /// This link.
    Link,
    /// This host.
    Host,
    /// Nowhere.
    Nowhere,
}
