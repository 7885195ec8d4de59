//! Routes and policy rules that a master installs (`netlink` rules, sections 4 and 5).

use std::fmt;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::address::Scope;
use crate::units::Family;

/// An address with a prefix length.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct Prefix {
    /// The address; host bits are zero.
    pub address: IpAddr,
    /// Prefix length in bits, 0 to 32 or 128.
    pub len: u8,
}

impl Prefix {
    /// The address family.
    pub const fn family(&self) -> Family {
        Family::of(self.address)
    }

    /// The prefix that contains every address of a family.
    pub const fn all(family: Family) -> Self {
        let address = match family {
            Family::V4 => IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED),
            Family::V6 => IpAddr::V6(std::net::Ipv6Addr::UNSPECIFIED),
        };
        Self { address, len: 0 }
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.len)
    }
}

/// Number of a routing table (`netlink:N-50`).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct TableId(pub u32);

impl TableId {
    /// `main`: the table of ordinary routes.
    pub const MAIN: Self = Self(254);
    /// `default`: the table that the kernel looks up after `main`.
    pub const DEFAULT: Self = Self(253);
    /// `local`: the table of the host's own addresses.
    pub const LOCAL: Self = Self(255);
}

/// A route. A multipath route has several next hops; `blackhole`, `unreachable`, `prohibit` and `throw`
/// have none.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct Route {
    /// What happens to packets that match.
    pub kind: RouteKind,
    /// The destination, which decides the family.
    pub destination: Prefix,
    /// The type of service that packets must have.
    pub tos: u8,
    /// The table of the route.
    pub table: TableId,
    /// The metric (`netlink:N-57`); lower is preferred. `None`: the kernel's default.
    pub metric: Option<u32>,
    /// Preferred source address (`src`).
    pub source: Option<IpAddr>,
    /// The scope of the destination. `None`: global with a gateway, link without (`netlink:N-51`).
    pub scope: Option<Scope>,
    /// Path MTU in octets.
    pub mtu: Option<u32>,
    /// The MTU is not lowered by path MTU discovery.
    pub mtu_locked: bool,
    /// Largest TCP segment to announce, in octets.
    pub advmss: Option<u32>,
    /// Initial congestion window, in segments.
    pub initcwnd: Option<u32>,
    /// Initial receive window, in segments.
    pub initrwnd: Option<u32>,
    /// Hop limit of the host's own packets.
    pub hop_limit: Option<u8>,
    /// The next hops; several make a multipath route.
    pub next_hops: Vec<NextHop>,
    /// React when another program removes it, or when its interface is down.
    pub track: bool,
}

/// A next hop.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct NextHop {
    /// The gateway, which may be of the other family (`netlink:N-54`). `None`: directly connected.
    pub via: Option<IpAddr>,
    /// The interface. `None`: the kernel finds it from the gateway.
    pub interface: Option<Box<str>>,
    /// Share of the traffic among several next hops, 1 to 256.
    pub weight: u16,
    /// The gateway is reachable on the interface, even if its address is in no known subnet.
    pub onlink: bool,
}

impl NextHop {
    /// A next hop without gateway and interface.
    pub const fn new() -> Self {
        Self { via: None, interface: None, weight: 1, onlink: false }
    }
}

impl Default for NextHop {
    fn default() -> Self {
        Self::new()
    }
}

/// What a route does (`netlink:N-51`).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub enum RouteKind {
    /// Forwards to the next hops.
    Unicast,
    /// Delivers to this host.
    Local,
    /// Sends as a link broadcast.
    Broadcast,
    /// Delivers multicast.
    Multicast,
    /// Drops silently.
    Blackhole,
    /// Drops with "destination unreachable".
    Unreachable,
    /// Drops with "prohibited".
    Prohibit,
    /// Ends the lookup in this table.
    Throw,
}

impl RouteKind {
    /// Whether it needs a device or gateway.
    pub const fn has_next_hop(self) -> bool {
        match self {
            Self::Unicast | Self::Local | Self::Broadcast | Self::Multicast => true,
            Self::Blackhole | Self::Unreachable | Self::Prohibit | Self::Throw => false,
        }
    }
}

/// A policy rule.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct Rule {
    /// The address family.
    pub family: Family,
    /// Priority; lower is looked up first. It is always given, so that the rule can be found again
    /// (`netlink:N-60`).
    pub priority: u32,
    /// Apply the rule to packets that the selectors do not match.
    pub invert: bool,
    /// Source addresses. `None`: all.
    pub from: Option<Prefix>,
    /// Destination addresses. `None`: all.
    pub to: Option<Prefix>,
    /// Incoming interface.
    pub iif: Option<Box<str>>,
    /// Outgoing interface of local sockets.
    pub oif: Option<Box<str>>,
    /// Type of service.
    pub tos: u8,
    /// Firewall mark and the mask under which it is compared.
    pub fwmark: Option<(u32, u32)>,
    /// IP protocol.
    pub ip_protocol: Option<u8>,
    /// Source ports, first and last.
    pub source_ports: Option<(u16, u16)>,
    /// Destination ports, first and last.
    pub destination_ports: Option<(u16, u16)>,
    /// User ids of local sockets, first and last.
    pub uid_range: Option<(u32, u32)>,
    /// What happens to packets that match.
    pub action: RuleAction,
    /// Do not use routes with a prefix of this length or shorter.
    pub suppress_prefix_len: Option<u8>,
    /// React when another program removes it.
    pub track: bool,
}

/// What happens to packets that match a rule.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub enum RuleAction {
    /// Look into a table.
    Table(TableId),
    /// Go on at the rule with this priority.
    Goto(u32),
    /// Drop silently.
    Blackhole,
    /// Drop with "destination unreachable".
    Unreachable,
    /// Drop with "prohibited".
    Prohibit,
}
