//! Virtual addresses, routes and rules.

use std::net::IpAddr;

use super::words::{Builder, Words, read};
use crate::config::objects::{Broadcast, Scope, VirtualAddress};
use crate::config::reader::Item;
use crate::config::routes::{NextHop, Prefix, Route, RouteKind, Rule, RuleAction, TableId};
use crate::config::values::{self, Wrong};
use crate::units::Family;

/// One of `virtual_addresses`.
pub fn address(item: &Item<'_>) -> Option<VirtualAddress> {
    read(item, AddressBuilder(None, Vec::new()))
}

/// One of `virtual_routes`.
pub fn route(item: &Item<'_>) -> Option<Route> {
    read(item, RouteBuilder::default())
}

/// One of `virtual_rules`.
pub fn rule(item: &Item<'_>) -> Option<Rule> {
    read(item, RuleBuilder::default())
}

/// The address once it is known, and what was set, for the order of words is free in a table.
struct AddressBuilder(Option<VirtualAddress>, Vec<AddressOption>);

enum AddressOption {
    Interface(Box<str>),
    Label(Box<str>),
    Broadcast(Broadcast),
    Peer(IpAddr),
    Scope(Scope),
    PreferredLifetime(Option<u32>),
    Home,
    Dad,
    NoPrefixRoute,
    NoTrack,
}

impl Builder for AddressBuilder {
    type Built = VirtualAddress;
    const WHAT: &'static str = "an address";
    const FIRST: &'static str = "address";
    const KEYS: &'static [&'static str] =
        &["dev", "label", "brd", "peer", "scope", "preferred_lft"];
    const FLAGS: &'static [&'static str] = &["home", "dad", "noprefixroute", "no_track"];

    fn set(&mut self, key: &str, words: &mut Words<'_>) -> Result<bool, Wrong> {
        let option = match key {
            "dev" => AddressOption::Interface(interface(words.value(key)?)?),
            "label" => AddressOption::Label(label(words.value(key)?)?),
            "brd" => AddressOption::Broadcast(broadcast(words.value(key)?)?),
            "peer" => AddressOption::Peer(values::address_with_len(words.value(key)?)?.0),
            "scope" => AddressOption::Scope(scope(words.value(key)?)?),
            "preferred_lft" => AddressOption::PreferredLifetime(match words.peek() {
                Some("forever") => words.next().and(None),
                _ => Some(words.number(key)?),
            }),
            "home" => AddressOption::Home,
            "dad" => AddressOption::Dad,
            "noprefixroute" => AddressOption::NoPrefixRoute,
            "no_track" => AddressOption::NoTrack,
            word if self.0.is_none() => {
                let (address, len) = values::address_with_len(word)?;
                if address.is_multicast() || address.is_unspecified() {
                    return Err(Wrong::new(
                        format!("{address} can not be the address of a host"),
                        "write the address that the routers share",
                    ));
                }
                self.0 = Some(VirtualAddress::new(address, len));
                return Ok(true);
            }
            _ => return Ok(false),
        };
        self.1.push(option);
        Ok(true)
    }

    fn finish(self) -> Result<VirtualAddress, Wrong> {
        let mut address = self.0.ok_or_else(|| {
            Wrong::new(
                "the address is missing",
                "write it first, such as \"192.168.1.1/24\", or address = \"...\" in a table",
            )
        })?;
        for option in self.1 {
            match option {
                AddressOption::Interface(name) => address.interface = Some(name),
                AddressOption::Label(label) => address.label = Some(label),
                AddressOption::Broadcast(to) => address.broadcast = Some(to),
                AddressOption::Peer(peer) => address.peer = Some(peer),
                AddressOption::Scope(scope) => address.scope = scope,
                AddressOption::PreferredLifetime(seconds) => {
                    address.preferred_lifetime = Some(seconds.unwrap_or(u32::MAX));
                }
                AddressOption::Home => address.home = true,
                AddressOption::Dad => address.dad = true,
                AddressOption::NoPrefixRoute => address.no_prefix_route = true,
                AddressOption::NoTrack => address.track = false,
            }
        }
        let wrong_family = match Family::of(address.address) {
            Family::V4 => [
                (address.home, "home"),
                (address.dad, "dad"),
                (address.preferred_lifetime.is_some(), "preferred_lft"),
            ],
            Family::V6 => [
                (address.label.is_some(), "label"),
                (address.broadcast.is_some(), "brd"),
                (false, ""),
            ],
        };
        let family = Family::of(address.address);
        if let Some((_, word)) = wrong_family.into_iter().find(|(given, _)| *given) {
            let other = if family == Family::V4 { Family::V6 } else { Family::V4 };
            return Err(Wrong::new(
                format!("{word} is only for {other} addresses"),
                format!("remove {word}"),
            ));
        }
        match address.peer {
            Some(peer) if Family::of(peer) != family => Err(Wrong::new(
                format!("peer {peer} is of another family than {}", address.address),
                format!("write an {family} address as the peer"),
            )),
            Some(_) | None => Ok(address),
        }
    }
}

#[derive(Default)]
struct RouteBuilder {
    kind: Option<RouteKind>,
    destination: Option<Destination>,
    tos: u8,
    table: Option<TableId>,
    metric: Option<u32>,
    source: Option<IpAddr>,
    scope: Option<Scope>,
    mtu: Option<u32>,
    mtu_locked: bool,
    advmss: Option<u32>,
    initcwnd: Option<u32>,
    initrwnd: Option<u32>,
    hop_limit: Option<u8>,
    /// The way out that is given without `nexthop`.
    single: Option<NextHop>,
    hops: Vec<NextHop>,
    no_track: bool,
}

/// `default` waits for the family.
#[derive(Clone, Copy)]
enum Destination {
    Default,
    Prefix(Prefix),
}

impl RouteBuilder {
    fn hop(&mut self) -> &mut NextHop {
        match self.hops.last_mut() {
            Some(hop) => hop,
            None => self.single.get_or_insert_default(),
        }
    }
}

impl Builder for RouteBuilder {
    type Built = Route;
    const WHAT: &'static str = "a route";
    const FIRST: &'static str = "to";
    const KEYS: &'static [&'static str] = &[
        "via", "dev", "table", "metric", "src", "scope", "tos", "mtu", "advmss", "initcwnd",
        "initrwnd", "hoplimit", "weight", "type", "nexthop",
    ];
    const FLAGS: &'static [&'static str] = &["onlink", "no_track"];

    fn set(&mut self, key: &str, words: &mut Words<'_>) -> Result<bool, Wrong> {
        match key {
            "via" => {
                if matches!(words.peek(), Some("inet" | "inet6")) {
                    words.next();
                }
                self.hop().via = Some(values::address(words.value(key)?)?);
            }
            "dev" => self.hop().interface = Some(interface(words.value(key)?)?),
            "onlink" => self.hop().onlink = true,
            "weight" => {
                self.hop().weight = bounded(words, key, 1, 256)?;
            }
            "nexthop" => self.hops.push(NextHop::new()),
            "table" => self.table = Some(table(words.value(key)?)?),
            "metric" | "priority" | "preference" => self.metric = Some(words.number(key)?),
            "src" => self.source = Some(values::address(words.value(key)?)?),
            "scope" => self.scope = Some(scope(words.value(key)?)?),
            "tos" | "dsfield" => self.tos = octet(words.value(key)?)?,
            "mtu" => {
                if words.peek() == Some("lock") {
                    words.next();
                    self.mtu_locked = true;
                }
                self.mtu = Some(bounded(words, key, 68, 65535)?);
            }
            "advmss" => self.advmss = Some(bounded(words, key, 1, 65535)?),
            "initcwnd" => self.initcwnd = Some(bounded(words, key, 1, 65535)?),
            "initrwnd" => self.initrwnd = Some(bounded(words, key, 1, 65535)?),
            "hoplimit" => self.hop_limit = Some(bounded(words, key, 1, 255)?),
            "no_track" => self.no_track = true,
            "type" => {
                let word = words.value(key)?;
                let kind = kind(word).ok_or_else(|| {
                    let help = "write unicast, local, broadcast, multicast, blackhole, \
                                unreachable, prohibit or throw";
                    Wrong::new(format!("\"{word}\" is no type of route"), help)
                })?;
                self.kind = Some(kind);
            }
            "to" => {
                let word = words.value(key)?;
                return self.set(word, words);
            }
            word if self.kind.is_none() && self.destination.is_none() && kind(word).is_some() => {
                self.kind = kind(word);
            }
            "default" | "default6" if self.destination.is_none() => {
                self.destination = Some(Destination::Default);
            }
            word if self.destination.is_none() => {
                self.destination = Some(Destination::Prefix(values::prefix(word)?));
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn set_list(&mut self, key: &str, item: &Item<'_>) -> Option<()> {
        (key == "nexthop").then(|| {
            for hop in item.items().unwrap_or_default() {
                self.hops.extend(read(&hop, HopBuilder(NextHop::new())));
            }
        })
    }

    fn finish(self) -> Result<Route, Wrong> {
        let gateway = |hop: &NextHop| hop.via.map(Family::of);
        let hint = self
            .source
            .map(Family::of)
            .or_else(|| self.single.iter().chain(&self.hops).find_map(gateway))
            .unwrap_or(Family::V4);
        let destination = match self.destination {
            Some(Destination::Prefix(prefix)) => prefix,
            Some(Destination::Default) => Prefix::all(hint),
            None => {
                return Err(Wrong::new(
                    "the destination is missing",
                    "write it first, such as \"default via 203.0.113.1 dev wan\"",
                ));
            }
        };
        let kind = self.kind.unwrap_or(RouteKind::Unicast);
        if self.single.is_some() && !self.hops.is_empty() {
            return Err(Wrong::new(
                "the route has via or dev beside nexthop",
                "write every way out after its own nexthop",
            ));
        }
        let next_hops: Vec<NextHop> = self.single.into_iter().chain(self.hops).collect();
        if kind.has_next_hop() && next_hops.is_empty() {
            return Err(Wrong::new(
                "the route has no way out",
                "add \"via GATEWAY\" or \"dev INTERFACE\", or write blackhole first",
            ));
        }
        if let (false, Some(_)) = (kind.has_next_hop(), next_hops.first()) {
            return Err(Wrong::new(
                "the route drops packets and has a way out",
                "remove via and dev",
            ));
        }
        let nowhere = |hop: &&NextHop| hop.via.is_none() && hop.interface.is_none();
        if next_hops.iter().any(|hop| nowhere(&hop)) {
            return Err(Wrong::new("a next hop has no way out", "add \"via GATEWAY\" to it"));
        }
        if destination.family() == Family::V6
            && let Some(via) = next_hops.iter().filter_map(|hop| hop.via).find(IpAddr::is_ipv4)
        {
            return Err(Wrong::new(
                format!("IPv6 can not go by way of {via}"),
                "write an IPv6 gateway",
            ));
        }
        if let Some(source) = self.source
            && Family::of(source) != destination.family()
        {
            return Err(Wrong::new(
                format!("src {source} is of another family than {destination}"),
                format!("write an {} address", destination.family()),
            ));
        }
        Ok(Route {
            kind,
            destination,
            tos: self.tos,
            table: self.table.unwrap_or(TableId::MAIN),
            metric: self.metric,
            source: self.source,
            scope: self.scope,
            mtu: self.mtu,
            mtu_locked: self.mtu_locked,
            advmss: self.advmss,
            initcwnd: self.initcwnd,
            initrwnd: self.initrwnd,
            hop_limit: self.hop_limit,
            next_hops,
            track: !self.no_track,
        })
    }
}

struct HopBuilder(NextHop);

impl Builder for HopBuilder {
    type Built = NextHop;
    const WHAT: &'static str = "a next hop";
    const FIRST: &'static str = "via";
    const KEYS: &'static [&'static str] = &["via", "dev", "weight"];
    const FLAGS: &'static [&'static str] = &["onlink"];

    fn set(&mut self, key: &str, words: &mut Words<'_>) -> Result<bool, Wrong> {
        match key {
            "via" => self.0.via = Some(values::address(words.value(key)?)?),
            "dev" => self.0.interface = Some(interface(words.value(key)?)?),
            "weight" => self.0.weight = bounded(words, key, 1, 256)?,
            "onlink" => self.0.onlink = true,
            word if self.0.via.is_none() => self.0.via = Some(values::address(word)?),
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn finish(self) -> Result<NextHop, Wrong> {
        Ok(self.0)
    }
}

#[derive(Default)]
struct RuleBuilder {
    family: Option<Family>,
    priority: Option<u32>,
    invert: bool,
    from: Option<Prefix>,
    to: Option<Prefix>,
    iif: Option<Box<str>>,
    oif: Option<Box<str>>,
    tos: u8,
    fwmark: Option<(u32, u32)>,
    ip_protocol: Option<u8>,
    source_ports: Option<(u16, u16)>,
    destination_ports: Option<(u16, u16)>,
    uid_range: Option<(u32, u32)>,
    action: Option<RuleAction>,
    suppress_prefix_len: Option<u8>,
    no_track: bool,
}

impl Builder for RuleBuilder {
    type Built = Rule;
    const WHAT: &'static str = "a rule";
    const FIRST: &'static str = "family";
    const KEYS: &'static [&'static str] = &[
        "from",
        "to",
        "iif",
        "oif",
        "tos",
        "fwmark",
        "ipproto",
        "sport",
        "dport",
        "uidrange",
        "table",
        "goto",
        "priority",
        "suppress_prefixlength",
        "type",
    ];
    const FLAGS: &'static [&'static str] = &["not", "no_track"];

    fn set(&mut self, key: &str, words: &mut Words<'_>) -> Result<bool, Wrong> {
        match key {
            "inet" => self.family = Some(Family::V4),
            "inet6" => self.family = Some(Family::V6),
            "not" => self.invert = true,
            "from" => self.from = selector(words.value(key)?)?,
            "to" => self.to = selector(words.value(key)?)?,
            "iif" | "dev" => self.iif = Some(interface(words.value(key)?)?),
            "oif" => self.oif = Some(interface(words.value(key)?)?),
            "tos" | "dsfield" => self.tos = octet(words.value(key)?)?,
            "fwmark" => self.fwmark = Some(mark(words.value(key)?)?),
            "ipproto" => self.ip_protocol = Some(protocol(words.value(key)?)?),
            "sport" => self.source_ports = Some(range(key, words.value(key)?)?),
            "dport" => self.destination_ports = Some(range(key, words.value(key)?)?),
            "uidrange" => self.uid_range = Some(range(key, words.value(key)?)?),
            "table" | "lookup" => self.action = Some(RuleAction::Table(table(words.value(key)?)?)),
            "goto" => self.action = Some(RuleAction::Goto(words.number(key)?)),
            "priority" | "pref" | "preference" | "order" => {
                self.priority = Some(words.number(key)?);
            }
            "suppress_prefixlength" => {
                self.suppress_prefix_len = Some(bounded(words, key, 0, 128)?);
            }
            "no_track" => self.no_track = true,
            "type" => {
                let word = words.value(key)?;
                return if matches!(word, "blackhole" | "unreachable" | "prohibit") {
                    self.set(word, words)
                } else {
                    Err(Wrong::new(
                        format!("\"{word}\" is no type of rule"),
                        "write blackhole, unreachable or prohibit; leave it out beside table",
                    ))
                };
            }
            "blackhole" => self.action = Some(RuleAction::Blackhole),
            "unreachable" => self.action = Some(RuleAction::Unreachable),
            "prohibit" => self.action = Some(RuleAction::Prohibit),
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn finish(self) -> Result<Rule, Wrong> {
        let families = [self.from, self.to].into_iter().flatten().map(|prefix| prefix.family());
        let mut families: Vec<Family> = families.chain(self.family).collect();
        families.dedup();
        let family = match families.as_slice() {
            [] => Family::V4,
            [family] => *family,
            _ => {
                return Err(Wrong::new(
                    "the rule mixes IPv4 and IPv6",
                    "write one rule for each address family",
                ));
            }
        };
        let priority = self.priority.ok_or_else(|| {
            Wrong::new(
                "the rule has no priority",
                "add \"priority 1000\": without one the rule could not be found again to remove it",
            )
        })?;
        let action = self.action.ok_or_else(|| {
            Wrong::new(
                "the rule does nothing",
                "add \"table NUMBER\", or blackhole, unreachable or prohibit",
            )
        })?;
        Ok(Rule {
            family,
            priority,
            invert: self.invert,
            from: self.from,
            to: self.to,
            iif: self.iif,
            oif: self.oif,
            tos: self.tos,
            fwmark: self.fwmark,
            ip_protocol: self.ip_protocol,
            source_ports: self.source_ports,
            destination_ports: self.destination_ports,
            uid_range: self.uid_range,
            action,
            suppress_prefix_len: self.suppress_prefix_len,
            track: !self.no_track,
        })
    }
}

fn interface(word: &str) -> Result<Box<str>, Wrong> {
    values::interface(word).map(|()| word.into())
}

fn label(word: &str) -> Result<Box<str>, Wrong> {
    if word.len() <= values::INTERFACE_NAME_MAX {
        return Ok(word.into());
    }
    Err(Wrong::new(
        format!("label \"{word}\" has {} characters", word.len()),
        format!("Linux allows {}: write a shorter one", values::INTERFACE_NAME_MAX),
    ))
}

fn broadcast(word: &str) -> Result<Broadcast, Wrong> {
    match word {
        "+" => Ok(Broadcast::Ones),
        "-" => Ok(Broadcast::Zeros),
        _ => match values::address(word)? {
            IpAddr::V4(address) => Ok(Broadcast::Address(address)),
            IpAddr::V6(address) => Err(Wrong::new(
                format!("{address} is no broadcast address"),
                "write an IPv4 address, or + for the one of the prefix",
            )),
        },
    }
}

fn scope(word: &str) -> Result<Scope, Wrong> {
    match word {
        "global" | "0" => Ok(Scope::Global),
        "site" | "200" => Ok(Scope::Site),
        "link" | "253" => Ok(Scope::Link),
        "host" | "254" => Ok(Scope::Host),
        "nowhere" | "255" => Ok(Scope::Nowhere),
        _ => Err(Wrong::new(
            format!("\"{word}\" is no scope"),
            "write global, site, link, host or nowhere",
        )),
    }
}

fn table(word: &str) -> Result<TableId, Wrong> {
    match word {
        "main" => Ok(TableId::MAIN),
        "local" => Ok(TableId::LOCAL),
        "default" => Ok(TableId::DEFAULT),
        _ => match word.parse() {
            Ok(number) if number > 0 => Ok(TableId(number)),
            Ok(_) | Err(_) => Err(Wrong::new(
                format!("\"{word}\" is no routing table"),
                "write its number as in /etc/iproute2/rt_tables, or main, local or default",
            )),
        },
    }
}

fn kind(word: &str) -> Option<RouteKind> {
    Some(match word {
        "unicast" => RouteKind::Unicast,
        "local" => RouteKind::Local,
        "broadcast" => RouteKind::Broadcast,
        "multicast" => RouteKind::Multicast,
        "blackhole" => RouteKind::Blackhole,
        "unreachable" => RouteKind::Unreachable,
        "prohibit" => RouteKind::Prohibit,
        "throw" => RouteKind::Throw,
        _ => return None,
    })
}

/// `all`, `default` or a prefix.
fn selector(word: &str) -> Result<Option<Prefix>, Wrong> {
    match word {
        "all" | "any" | "default" => Ok(None),
        _ => values::prefix(word).map(Some),
    }
}

/// Decimal, or hexadecimal with `0x`.
fn number(word: &str) -> Option<u32> {
    match word.strip_prefix("0x") {
        Some(digits) => u32::from_str_radix(digits, 16).ok(),
        None => word.parse().ok(),
    }
}

fn octet(word: &str) -> Result<u8, Wrong> {
    number(word).and_then(|number| u8::try_from(number).ok()).ok_or_else(|| {
        Wrong::new(
            format!("\"{word}\" is no octet"),
            "write a number from 0 to 255, or 0x00 to 0xff",
        )
    })
}

fn mark(word: &str) -> Result<(u32, u32), Wrong> {
    let (mark, mask) = word.split_once('/').map_or((word, None), |(mark, mask)| (mark, Some(mask)));
    let mask = mask.map_or(Some(u32::MAX), number);
    number(mark).zip(mask).ok_or_else(|| {
        Wrong::new(format!("\"{word}\" is no firewall mark"), "write a number, or MARK/MASK")
    })
}

fn protocol(word: &str) -> Result<u8, Wrong> {
    match word {
        "icmp" => Ok(1),
        "tcp" => Ok(6),
        "udp" => Ok(17),
        "ipv6-icmp" => Ok(58),
        "sctp" => Ok(132),
        _ => word.parse().map_err(|_| {
            Wrong::new(
                format!("\"{word}\" is no IP protocol"),
                "write tcp, udp, icmp, ipv6-icmp, sctp or a number from 0 to 255",
            )
        }),
    }
}

/// `N` or `N-M`.
fn range<N: std::str::FromStr + PartialOrd + Copy>(key: &str, word: &str) -> Result<(N, N), Wrong> {
    let (first, last) = word.split_once('-').unwrap_or((word, word));
    let bounds = first.parse().ok().zip(last.parse().ok());
    bounds.filter(|(first, last): &(N, N)| first <= last).ok_or_else(|| {
        Wrong::new(format!("{key} {word} is no range"), "write one number, or FIRST-LAST")
    })
}

fn bounded<N>(words: &mut Words<'_>, key: &str, low: N, high: N) -> Result<N, Wrong>
where
    N: std::str::FromStr + PartialOrd + std::fmt::Display,
{
    let word = words.value(key)?;
    match word.parse() {
        Ok(number) if number >= low && number <= high => Ok(number),
        Ok(_) | Err(_) => Err(Wrong::new(
            format!("{key} {word} is out of range"),
            format!("write a whole number from {low} to {high}"),
        )),
    }
}
