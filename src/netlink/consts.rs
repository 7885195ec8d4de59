//! Numbers of the netlink protocol that neli lacks, or hides on musl. The others come from neli.

/// Message type of an acknowledgement or error (`netlink:N-4`).
pub const NLMSG_ERROR: u16 = 2;
/// Message type that ends a dump (`netlink:N-8`).
pub const NLMSG_DONE: u16 = 3;
/// Message type of data lost (`netlink:N-4`).
pub const NLMSG_OVERRUN: u16 = 4;

/// Message type: a link appeared or changed.
pub const RTM_NEWLINK: u16 = 16;
/// Message type: a link is gone.
pub const RTM_DELLINK: u16 = 17;
/// Message type: an address appeared or changed.
pub const RTM_NEWADDR: u16 = 20;
/// Message type: an address is gone.
pub const RTM_DELADDR: u16 = 21;
/// Message type: a route appeared or changed.
pub const RTM_NEWROUTE: u16 = 24;
/// Message type: a route is gone.
pub const RTM_DELROUTE: u16 = 25;
/// Message type: a rule appeared.
pub const RTM_NEWRULE: u16 = 32;
/// Message type: a rule is gone.
pub const RTM_DELRULE: u16 = 33;

/// Type of a route: to this machine.
pub const RTN_LOCAL: u8 = 2;

/// Flag: part of a dump (`netlink:N-5`).
pub const NLM_F_MULTI: u16 = 2;
/// Flag: the table changed during the dump (`netlink:N-8`).
pub const NLM_F_DUMP_INTR: u16 = 0x10;
/// Flag of an event: the new object replaced another one (`netlink:N-5`).
pub const NLM_F_REPLACE: u16 = 0x100;
/// Flag of an answer: it does not repeat the request (`netlink:N-6`).
pub const NLM_F_CAPPED: u16 = 0x100;
/// Flag of an answer: attributes follow (`netlink:N-6`).
pub const NLM_F_ACK_TLVS: u16 = 0x200;

/// Attribute of an answer: the text of an error or warning.
pub const NLMSGERR_ATTR_MSG: u16 = 1;
/// Attribute of an answer: the offset of the error in the request.
pub const NLMSGERR_ATTR_OFFS: u16 = 2;

/// The bits of an attribute's type that hold its number. The others are the flags "nested" and
/// "network byte order".
pub const NLA_TYPE_MASK: u16 = 0x3fff;

/// The multicast groups of links and of IPv4 and IPv6 addresses (1, 5, 9), as bits of the address
/// that a socket is bound to (`netlink:N-2`).
pub const GROUPS: u32 = 0x1 | 0x10 | 0x100;

/// The multicast groups of IPv4 and IPv6 routes and rules, by number (`netlink:N-2`).
pub const ROUTE_GROUPS: [u32; 4] = [7, 8, 11, 19];

/// Bit of `IFLA_EXT_MASK`: leave out the statistics (`netlink:N-20`).
pub const RTEXT_FILTER_SKIP_STATS: u32 = 8;

/// Attribute of a link: the settings of each address family.
pub const IFLA_AF_SPEC: u16 = 26;
/// In [`IFLA_AF_SPEC`], for IPv4: the settings of the interface. A dump has an array of 32-bit
/// numbers; a request has attributes whose type is the number of the setting, counted from 1.
pub const IFLA_INET_CONF: u16 = 1;
/// The number of the setting `promote_secondaries`.
pub const IPV4_DEVCONF_PROMOTE_SECONDARIES: u16 = 20;

/// Address flag: in the subnet of an older address (IPv4), or temporary (IPv6).
pub const IFA_F_SECONDARY: u32 = 0x01;
/// Address flag: no duplicate address detection.
pub const IFA_F_NODAD: u32 = 0x02;
/// Address flag: another host has the address.
pub const IFA_F_DADFAILED: u32 = 0x08;
/// Address flag: mobile IPv6 home address.
pub const IFA_F_HOMEADDRESS: u32 = 0x10;
/// Address flag: the kernel does not choose it as a source.
pub const IFA_F_DEPRECATED: u32 = 0x20;
/// Address flag: not yet known to be unique.
pub const IFA_F_TENTATIVE: u32 = 0x40;
/// Address flag: the kernel does not create the route of the prefix.
pub const IFA_F_NOPREFIXROUTE: u32 = 0x200;

/// An infinite lifetime, in seconds.
pub const FOREVER: u32 = u32::MAX;

/// The protocol number of our addresses, routes and rules. By it the next start finds what a crash
/// left behind, and administrators see who added them. It is the number that is registered for VRRP
/// under the name keepalived (`netlink:N-43`, `netlink:N-50`, `netlink:N-60`).
pub const OWN_PROTOCOL: u8 = 18;
/// Attribute of an address: the protocol number of the program that added it. Kernels before 5.18
/// ignore it.
pub const IFA_PROTO: u16 = 11;

/// Attribute of a route: its destination.
pub const RTA_DST: u16 = 1;
/// Attribute of a route: the link.
pub const RTA_OIF: u16 = 4;
/// Attribute of a route: a gateway of the same family.
pub const RTA_GATEWAY: u16 = 5;
/// Attribute of a route: its metric.
pub const RTA_PRIORITY: u16 = 6;
/// Attribute of a route: the preferred source.
pub const RTA_PREFSRC: u16 = 7;
/// Attribute of a route: several next hops.
pub const RTA_MULTIPATH: u16 = 9;
/// Attribute of a route: its table.
pub const RTA_TABLE: u16 = 15;
/// Attribute of a route: a gateway of the other family.
pub const RTA_VIA: u16 = 18;
/// Flag of a next hop: its gateway need not be in a known subnet (`netlink:N-53`).
pub const RTNH_F_ONLINK: u8 = 4;
/// In METRICS: a bit for each other metric that the kernel must not change (`netlink:N-52`).
pub const RTAX_LOCK: u16 = 1;
/// In METRICS: path MTU.
pub const RTAX_MTU: u16 = 2;
/// In METRICS: largest TCP segment to announce.
pub const RTAX_ADVMSS: u16 = 8;
/// In METRICS: hop limit.
pub const RTAX_HOPLIMIT: u16 = 10;
/// In METRICS: initial congestion window.
pub const RTAX_INITCWND: u16 = 11;
/// In METRICS: initial receive window.
pub const RTAX_INITRWND: u16 = 14;

/// Flag of a rule: the rule applies to packets that its selectors do not match.
pub const FIB_RULE_INVERT: u32 = 2;
/// Action of a rule: look into a table.
pub const FR_ACT_TO_TBL: u8 = 1;
/// Action of a rule: go on at another rule.
pub const FR_ACT_GOTO: u8 = 2;
/// Action of a rule: drop silently.
pub const FR_ACT_BLACKHOLE: u8 = 6;
/// Action of a rule: drop with "destination unreachable".
pub const FR_ACT_UNREACHABLE: u8 = 7;
/// Action of a rule: drop with "prohibited".
pub const FR_ACT_PROHIBIT: u8 = 8;
/// Flag of a route lookup: the answer is the matching route of the table.
pub const RTM_F_FIB_MATCH: u32 = 0x2000;
/// Flag of a route: a cached exception of another route.
pub const RTM_F_CLONED: u32 = 0x200;
/// Suppressed prefix length of a rule that suppresses nothing.
pub const NOT_SUPPRESSED: u32 = u32::MAX;
