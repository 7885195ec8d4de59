//! Routes and rules.

use std::net::IpAddr;

use super::objects::{bounded, interface, number, octet, scope};
use super::tokens::{Builder, Words, read};
use crate::config::keys::Kind;
use crate::config::reader::{FromItem, Item};
use crate::config::values::{self, Wrong};
use crate::net::Scope;
use crate::net::{NextHop, Prefix, Route, RouteKind, Rule, RuleAction, TableId};
use crate::units::Family;

impl FromItem for Route {
    fn from_item(item: &Item<'_>, _: Kind) -> Option<Self> {
        read(item, RouteBuilder::default())
    }
}

impl FromItem for Rule {
    fn from_item(item: &Item<'_>, _: Kind) -> Option<Self> {
        read(item, RuleBuilder::default())
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
                    Wrong::new(format!("\"{word}\" is not a type of route"), help)
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
            "default" if self.destination.is_none() => {
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
                format!("IPv6 cannot go by way of {via}"),
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
                        format!("\"{word}\" is not a type of rule"),
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

fn table(word: &str) -> Result<TableId, Wrong> {
    match word {
        "main" => Ok(TableId::MAIN),
        "local" => Ok(TableId::LOCAL),
        "default" => Ok(TableId::DEFAULT),
        _ => match word.parse() {
            Ok(number) if number > 0 => Ok(TableId(number)),
            Ok(_) | Err(_) => Err(Wrong::new(
                format!("\"{word}\" is not a routing table"),
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

fn mark(word: &str) -> Result<(u32, u32), Wrong> {
    let (mark, mask) = word.split_once('/').map_or((word, None), |(mark, mask)| (mark, Some(mask)));
    let mask = mask.map_or(Some(u32::MAX), number);
    number(mark).zip(mask).ok_or_else(|| {
        Wrong::new(format!("\"{word}\" is not a firewall mark"), "write a number, or MARK/MASK")
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
                format!("\"{word}\" is not an IP protocol"),
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
        Wrong::new(format!("{key} {word} is not a range"), "write one number, or FIRST-LAST")
    })
}
