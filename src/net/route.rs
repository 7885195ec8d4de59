//! Routes and policy rules that a master installs (`netlink` rules, sections 4 and 5).

use std::fmt;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::address::Scope;
use crate::units::Family;

/// An address with a prefix length.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct Prefix {
    /// The address; host bits are zero.
    pub address: IpAddr,
    /// 0 to 32 or 128.
    pub len: u8,
}

impl Prefix {
    /// The address family.
    pub const fn family(&self) -> Family {
        Family::of(self.address)
    }

    /// Every address of a family.
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
    /// What is looked up when no rule says otherwise.
    pub const MAIN: Self = Self(254);
    /// The last resort.
    pub const DEFAULT: Self = Self(253);
    /// The host's own addresses.
    pub const LOCAL: Self = Self(255);
}

/// A route. A multipath route has several next hops, a `blackhole` and its like have none.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct Route {
    /// What happens to packets that it matches.
    pub kind: RouteKind,
    /// What it matches; decides the family.
    pub destination: Prefix,
    /// Type of service that it matches.
    pub tos: u8,
    /// The table it is in.
    pub table: TableId,
    /// Lower is preferred (`netlink:N-57`); `None` leaves it to the kernel.
    pub metric: Option<u32>,
    /// Preferred source address (`src`).
    pub source: Option<IpAddr>,
    /// How far away the destination is; `None`: global with a gateway, link without
    /// (`netlink:N-51`).
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
    /// Hop limit of packets sent.
    pub hop_limit: Option<u8>,
    /// Where packets go; more than one is multipath.
    pub next_hops: Vec<NextHop>,
    /// React when somebody else removes it.
    pub track: bool,
}

/// One way out.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct NextHop {
    /// The gateway; may be of the other family (`netlink:N-54`). `None`: directly connected.
    pub via: Option<IpAddr>,
    /// The interface; `None` lets the kernel find it from the gateway.
    pub interface: Option<Box<str>>,
    /// Share of the traffic, 1 to 256; matters among several.
    pub weight: u16,
    /// The gateway is reachable on the interface whatever its address.
    pub onlink: bool,
}

impl NextHop {
    /// Without gateway and interface.
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
    /// Delivers here.
    Local,
    /// Sends as link broadcast.
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
    /// Where it stands; always given, so that it can be found again (`netlink:N-60`).
    pub priority: u32,
    /// Matches what the selectors do not.
    pub invert: bool,
    /// Source addresses; `None`: all.
    pub from: Option<Prefix>,
    /// Destination addresses; `None`: all.
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
    /// What to do.
    pub action: RuleAction,
    /// Do not use routes whose prefix is this long or shorter.
    pub suppress_prefix_len: Option<u8>,
    /// React when somebody else removes it.
    pub track: bool,
}

/// What a rule does.
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
