//! What a master installs in the kernel: virtual addresses, routes and rules.
//!
//! The configuration, the VRRP engine and netlink use the same values. A reload keeps an object when
//! the old and the new value are equal.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

/// An address that the master holds.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct VirtualAddress {
    /// The address.
    pub address: IpAddr,
    /// Prefix length in bits. The default is the whole address (32 or 128), as in keepalived.
    pub prefix_len: u8,
    /// The interface, if it is not the one of the instance.
    pub interface: Option<Box<str>>,
    /// IPv4 label (`eth0:v`), at most 15 octets.
    pub label: Option<Box<str>>,
    /// IPv4 broadcast address.
    pub broadcast: Option<Broadcast>,
    /// The other end of a point-to-point link.
    pub peer: Option<IpAddr>,
    /// The scope in which the address is valid.
    pub scope: Scope,
    /// IPv6: mark it as a home address.
    pub home: bool,
    /// Do not create the route to the prefix.
    pub no_prefix_route: bool,
    /// IPv6: run duplicate address detection (off by default, `netlink:N-41`).
    pub dad: bool,
    /// IPv6: preferred lifetime in seconds. `None` is 0, so that the router's own connections do not
    /// use it as their source (keepalived: 0 for /128 only).
    pub preferred_lifetime: Option<u32>,
    /// React when another program removes it, or when its interface is down.
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
    /// Whether both are the same in the kernel: [`VirtualAddress::track`] matters only to the engine.
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
    /// The given address.
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
