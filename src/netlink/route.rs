//! Routes: the requests to list, add and delete them, and what the kernel says about them
//! (`netlink` rules, section 4).

use std::fmt::Write;
use std::net::{IpAddr, Ipv6Addr};

use neli::consts::nl::NlmF;
use neli::consts::rtnl::{RtScope, RtTable, Rta, Rtm, RtmF, Rtn, Rtprot};
use neli::rtnl::RtmsgBuilder;
use neli::types::{Buffer, RtBuffer};

use super::address::ScopeNumber;
use super::cache::Cache;
use super::codec::{self, Unencodable, address_value};
use super::consts;
use super::frame::{self, Malformed, Sequence, attributes, u16_at, u32_at};
use super::link::{LinkIndex, NoInterface};
use crate::net::Scope;
use crate::net::{NextHop, Prefix, Route, RouteKind, TableId};
use crate::units::Family;

/// Octets of the fixed part: family, two prefix lengths, type of service, table, protocol, scope,
/// type, flags.
const FIXED_LEN: usize = 12;
/// Octets of a next hop of several, without its attributes.
const HOP_LEN: usize = 8;
/// The metric of an IPv6 route that is given none (`netlink:N-57`).
const IPV6_METRIC: u32 = 1024;

/// The number of a kind of route (`netlink:N-51`).
const fn kind_number(kind: RouteKind) -> u8 {
    match kind {
        RouteKind::Unicast => 1,
        RouteKind::Local => 2,
        RouteKind::Broadcast => 3,
        RouteKind::Multicast => 5,
        RouteKind::Blackhole => 6,
        RouteKind::Unreachable => 7,
        RouteKind::Prohibit => 8,
        RouteKind::Throw => 9,
    }
}

/// The metric as the kernel has it.
fn metric(route: &Route) -> u32 {
    let metric = route.metric.unwrap_or(0);
    match route.destination.family() {
        Family::V6 if metric == 0 => IPV6_METRIC,
        Family::V4 | Family::V6 => metric,
    }
}

/// Where a route stands. Of several IPv4 routes with the same place, the first one is used; IPv6
/// lets only one be added (`netlink:N-56`).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Place {
    /// The table.
    pub table: TableId,
    /// What it matches.
    pub destination: IpAddr,
    /// Prefix length in bits.
    pub len: u8,
    /// Type of service that it matches.
    pub tos: u8,
    /// Lower is preferred.
    pub metric: u32,
}

impl Place {
    /// Of a configured route.
    pub fn of(route: &Route) -> Self {
        let Prefix { address, len } = route.destination;
        let Route { table, tos, .. } = *route;
        Self { table, destination: address, len, tos, metric: metric(route) }
    }
}

/// A route with the numbers of its interfaces.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Resolved<'a> {
    route: &'a Route,
    links: Vec<Option<LinkIndex>>,
}

impl<'a> Resolved<'a> {
    /// Looks up the interfaces by their present names.
    ///
    /// # Errors
    /// [`NoInterface`] names the first one that there is not.
    pub fn new(route: &'a Route, cache: &Cache) -> Result<Self, NoInterface> {
        let index = |hop: &NextHop| {
            let index = |name: &str| cache.require(name).map(|link| link.index);
            hop.interface.as_deref().map(index).transpose()
        };
        let links = route.next_hops.iter().map(index).collect::<Result<_, _>>()?;
        Ok(Self { route, links })
    }

    /// To delete it: a next hop whose interface is not known may be on any one.
    pub fn to_delete(route: &'a Route, index: impl Fn(&str) -> Option<LinkIndex>) -> Self {
        let index = |hop: &NextHop| hop.interface.as_deref().and_then(&index);
        Self { route, links: route.next_hops.iter().map(index).collect() }
    }

    /// The same with the numbers that its interfaces had when it was added.
    pub const fn added(route: &'a Route, links: Vec<Option<LinkIndex>>) -> Self {
        Self { route, links }
    }

    /// The numbers of the interfaces, of each next hop.
    pub fn links(&self) -> &[Option<LinkIndex>] {
        &self.links
    }
}

/// Appends the attributes of one way out.
fn hop_attributes(
    hop: &NextHop,
    family: Family,
    attributes: &mut RtBuffer<Rta, Buffer>,
) -> Result<(), Unencodable> {
    let Some(gateway) = hop.via else { return Ok(()) };
    if Family::of(gateway) == family {
        attributes.push(codec::attribute(Rta::Gateway, &address_value(gateway))?);
    } else {
        // netlink:N-54
        let number = u16::from(u8::from(codec::family(Family::of(gateway)))).to_ne_bytes();
        let via = [&number[..], &address_value(gateway)].concat();
        attributes.push(codec::attribute(consts::RTA_VIA.into(), &via)?);
    }
    Ok(())
}

/// Several ways out (`netlink:N-53`).
fn multipath(resolved: &Resolved<'_>, family: Family) -> Result<Vec<u8>, Unencodable> {
    let mut octets = Vec::new();
    for (hop, link) in resolved.route.next_hops.iter().zip(&resolved.links) {
        let mut attributes = RtBuffer::new();
        hop_attributes(hop, family, &mut attributes)?;
        let attributes = codec::octets(&attributes)?;
        let len = u16::try_from(HOP_LEN + attributes.len()).map_err(|_| Unencodable)?;
        octets.extend(len.to_ne_bytes());
        octets.push(if hop.onlink { consts::RTNH_F_ONLINK } else { 0 });
        octets.push(u8::try_from(hop.weight.saturating_sub(1)).unwrap_or(u8::MAX));
        octets.extend(link.map_or(0, |link| link.0).to_ne_bytes());
        octets.extend(attributes);
    }
    Ok(octets)
}

/// The values in METRICS, by ascending number (`netlink:N-52`).
fn metrics(route: &Route) -> Result<Option<Vec<u8>>, Unencodable> {
    let lock = route.mtu.filter(|_| route.mtu_locked).map(|_| 1 << consts::RTAX_MTU);
    let mut attributes: RtBuffer<Rta, Buffer> = RtBuffer::new();
    for (kind, value) in [
        (consts::RTAX_LOCK, lock),
        (consts::RTAX_MTU, route.mtu),
        (consts::RTAX_ADVMSS, route.advmss),
        (consts::RTAX_HOPLIMIT, route.hop_limit.map(u32::from)),
        (consts::RTAX_INITCWND, route.initcwnd),
        (consts::RTAX_INITRWND, route.initrwnd),
    ] {
        if let Some(value) = value {
            attributes.push(codec::attribute(kind.into(), &value.to_ne_bytes())?);
        }
    }
    let octets = codec::octets(&attributes)?;
    Ok((!octets.is_empty()).then_some(octets))
}

/// The scope to add with (`netlink:N-51`). IPv6 has none.
fn scope(route: &Route) -> ScopeNumber {
    let gateway = route.next_hops.iter().any(|hop| hop.via.is_some());
    let scope = match (route.destination.family(), route.scope, route.kind) {
        (Family::V6, _, _) => Scope::Global,
        (Family::V4, Some(scope), _) => scope,
        (Family::V4, None, RouteKind::Local) => Scope::Host,
        (Family::V4, None, RouteKind::Broadcast | RouteKind::Multicast) => Scope::Link,
        (Family::V4, None, RouteKind::Unicast) if !gateway => Scope::Link,
        (
            Family::V4,
            None,
            RouteKind::Unicast
            | RouteKind::Blackhole
            | RouteKind::Unreachable
            | RouteKind::Prohibit
            | RouteKind::Throw,
        ) => Scope::Global,
    };
    scope.into()
}

/// What is in every request about one route: its place, its kind, and that it is ours.
fn body(
    route: &Route,
    scope: ScopeNumber,
    flags: u32,
    attributes: RtBuffer<Rta, Buffer>,
) -> Result<RtmsgBuilder, Unencodable> {
    let Place { table, destination, len, tos, metric } = Place::of(route);
    let mut all = RtBuffer::new();
    if len > 0 {
        all.push(codec::attribute(Rta::Dst, &address_value(destination))?);
    }
    if metric > 0 {
        all.push(codec::attribute(Rta::Priority, &metric.to_ne_bytes())?);
    }
    let short = codec::short_table(table);
    if short.is_none() {
        all.push(codec::attribute(Rta::Table, &table.0.to_ne_bytes())?);
    }
    for attribute in attributes {
        all.push(attribute);
    }
    Ok(RtmsgBuilder::default()
        .rtm_family(codec::family(route.destination.family()))
        .rtm_dst_len(len)
        .rtm_src_len(0)
        .rtm_tos(tos)
        .rtm_table(short.unwrap_or(RtTable::Compat))
        .rtm_protocol(Rtprot::from(consts::OWN_PROTOCOL))
        .rtm_scope(RtScope::from(scope.0))
        .rtm_type(Rtn::from(kind_number(route.kind)))
        .rtm_flags(RtmF::from_bits_retain(flags))
        .rtattrs(all))
}

/// Appends the ways out of a route; gives the flags that belong to it.
fn ways(
    resolved: &Resolved<'_>,
    attributes: &mut RtBuffer<Rta, Buffer>,
) -> Result<u32, Unencodable> {
    let family = resolved.route.destination.family();
    match (resolved.route.next_hops.as_slice(), resolved.links.as_slice()) {
        ([], _) => Ok(0),
        ([hop], links) => {
            hop_attributes(hop, family, attributes)?;
            for link in links.iter().flatten() {
                attributes.push(codec::attribute(Rta::Oif, &link.0.to_ne_bytes())?);
            }
            Ok(if hop.onlink { u32::from(consts::RTNH_F_ONLINK) } else { 0 })
        }
        (_, _) => {
            attributes.push(codec::attribute(Rta::Multipath, &multipath(resolved, family)?)?);
            Ok(0)
        }
    }
}

/// Appends the request to add a route. IPv4: it is put in front of those that stand in its place,
/// and only the very same one is an error (EEXIST). IPv6 would put it behind them, or make it one
/// of several ways of a route that is somebody else's: every route in its place is an error
/// (`netlink:N-56`).
///
/// # Errors
/// [`Unencodable`] when there are too many ways out.
pub fn encode_add(
    octets: &mut Vec<u8>,
    sequence: Sequence,
    resolved: &Resolved<'_>,
) -> Result<(), Unencodable> {
    let route = resolved.route;
    let mut attributes = RtBuffer::new();
    if let Some(source) = route.source {
        attributes.push(codec::attribute(Rta::Prefsrc, &address_value(source))?);
    }
    let flags = ways(resolved, &mut attributes)?;
    if let Some(metrics) = metrics(route)? {
        attributes.push(codec::attribute(Rta::Metrics, &metrics)?);
    }
    let body = body(route, scope(route), flags, attributes)?.build().map_err(|_| Unencodable)?;
    let how = NlmF::REQUEST | NlmF::ACK | NlmF::CREATE;
    let how = match route.destination.family() {
        Family::V4 => how,
        Family::V6 => how | NlmF::EXCL,
    };
    codec::encode(octets, Rtm::Newroute, how, sequence, body)
}

/// Appends the request to delete a route. It names the place, the kind, the ways out, and that the
/// route is ours: another one may stand beside it.
///
/// # Errors
/// [`Unencodable`] when there are too many ways out.
pub fn encode_delete(
    octets: &mut Vec<u8>,
    sequence: Sequence,
    resolved: &Resolved<'_>,
) -> Result<(), Unencodable> {
    let route = resolved.route;
    let mut attributes = RtBuffer::new();
    // IPv6 would delete several ways one by one. None of them is somebody else's.
    if route.destination.family() == Family::V4 || route.next_hops.len() == 1 {
        ways(resolved, &mut attributes)?;
    }
    let body = body(route, ScopeNumber::from(Scope::Nowhere), 0, attributes)?;
    let body = body.build().map_err(|_| Unencodable)?;
    codec::encode(octets, Rtm::Delroute, NlmF::REQUEST | NlmF::ACK, sequence, body)
}

/// An address that only the default route leads to, if there is one: nobody has it.
const NOBODY: Ipv6Addr = Ipv6Addr::new(0x8000, 0, 0, 0, 0, 0, 0, 1);

/// Appends the question which route the kernel has for the destination of an IPv6 route; the answer
/// is that route ([`Standing`]), or an error.
///
/// # Errors
/// [`Unencodable`], which does not happen: the request has a fixed length.
pub fn encode_find(
    octets: &mut Vec<u8>,
    sequence: Sequence,
    route: &Route,
) -> Result<(), Unencodable> {
    let Prefix { address, len } = route.destination;
    let probe = if len == 0 { IpAddr::V6(NOBODY) } else { address };
    let attribute = codec::attribute(Rta::Dst, &address_value(probe))?;
    let body = RtmsgBuilder::default()
        .rtm_family(codec::family(Family::V6))
        .rtm_dst_len(128)
        .rtm_src_len(0)
        .rtm_tos(0)
        .rtm_table(RtTable::Unspec)
        .rtm_protocol(Rtprot::Unspec)
        .rtm_scope(RtScope::Universe)
        .rtm_type(Rtn::Unspec)
        .rtm_flags(RtmF::from_bits_retain(consts::RTM_F_FIB_MATCH))
        .rtattrs([attribute].into_iter().collect())
        .build()
        .map_err(|_| Unencodable)?;
    codec::encode(octets, Rtm::Getroute, NlmF::REQUEST, sequence, body)
}

/// Appends the request for our routes in one table; the kernel filters unless it is old
/// (`netlink:N-3`). That there is no such table is an error (ENOENT).
///
/// # Errors
/// [`Unencodable`], which does not happen: the request has a fixed length.
pub fn encode_dump(
    octets: &mut Vec<u8>,
    sequence: Sequence,
    family: Family,
    table: TableId,
) -> Result<(), Unencodable> {
    let attribute = codec::attribute(Rta::Table, &table.0.to_ne_bytes())?;
    let body = RtmsgBuilder::default()
        .rtm_family(codec::family(family))
        .rtm_dst_len(0)
        .rtm_src_len(0)
        .rtm_tos(0)
        .rtm_table(RtTable::Unspec)
        .rtm_protocol(Rtprot::from(consts::OWN_PROTOCOL))
        .rtm_scope(RtScope::Universe)
        .rtm_type(Rtn::Unspec)
        .rtattrs([attribute].into_iter().collect())
        .build()
        .map_err(|_| Unencodable)?;
    codec::encode(octets, Rtm::Getroute, NlmF::REQUEST | NlmF::DUMP, sequence, body)
}

/// One way out of a route of the kernel.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
struct Way {
    gateway: Option<IpAddr>,
    link: Option<LinkIndex>,
}

impl Way {
    /// Takes an attribute, if it is about a way out.
    fn take(&mut self, kind: u16, value: &[u8]) -> Result<(), Malformed> {
        match kind {
            consts::RTA_OIF => self.link = Some(LinkIndex(u32_at(value, 0)?)),
            consts::RTA_GATEWAY => self.gateway = Some(frame::address(value)?),
            consts::RTA_VIA => {
                self.gateway = Some(frame::address(value.get(2..).unwrap_or(&[]))?);
            }
            _ => {}
        }
        Ok(())
    }

    /// Whether it is the configured one. What is not configured may be anything.
    fn is(&self, hop: &NextHop, cache: &Cache) -> bool {
        let link = |name: &str| self.link == cache.link_named(name).map(|link| link.index);
        self.gateway == hop.via && hop.interface.as_deref().is_none_or(link)
    }
}

/// A route as the kernel tells of it. Nothing is copied, since a router may have a million.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Seen<'a> {
    /// Where it stands.
    pub place: Place,
    /// Whether we made it: it has our protocol number.
    pub is_own: bool,
    protocol: u8,
    kind: u8,
    source: Option<IpAddr>,
    way: Way,
    multipath: Option<&'a [u8]>,
}

impl<'a> Seen<'a> {
    /// From the payload of NEWROUTE or DELROUTE; `None` when it is neither IPv4 nor IPv6, only an
    /// exception of another route, or somebody else's, unless `all` are of interest.
    ///
    /// # Errors
    /// [`Malformed`] when lengths are wrong.
    pub fn decode(payload: &'a [u8], all: bool) -> Result<Option<Self>, Malformed> {
        let (fixed, rest) = payload.split_first_chunk::<FIXED_LEN>().ok_or(Malformed::Length)?;
        let [family, len, _, tos, table, protocol, _, kind, flags @ ..] = *fixed;
        let is_own = protocol == consts::OWN_PROTOCOL;
        let family = codec::family_of(family);
        let cloned = u32::from_ne_bytes(flags) & consts::RTM_F_CLONED != 0;
        let Some(family) = family.filter(|_| (is_own || all) && !cloned) else { return Ok(None) };
        let table = TableId(table.into());
        let destination = Prefix::all(family).address;
        let place = Place { table, destination, len, tos, metric: 0 };
        let mut seen = Self {
            place,
            is_own,
            protocol,
            kind,
            source: None,
            way: Way::default(),
            multipath: None,
        };
        for attribute in attributes(rest) {
            match attribute? {
                (consts::RTA_DST, value) => seen.place.destination = frame::address(value)?,
                (consts::RTA_PRIORITY, value) => seen.place.metric = u32_at(value, 0)?,
                (consts::RTA_TABLE, value) => seen.place.table = TableId(u32_at(value, 0)?),
                (consts::RTA_PREFSRC, value) => seen.source = Some(frame::address(value)?),
                (consts::RTA_MULTIPATH, value) => seen.multipath = Some(value),
                (kind, value) => seen.way.take(kind, value)?,
            }
        }
        Ok(Some(seen))
    }

    /// Whether it is a configured one: ours, with its place, kind, source and ways out.
    ///
    /// # Errors
    /// [`Malformed`] when lengths are wrong.
    pub fn is(&self, route: &Route, cache: &Cache) -> Result<bool, Malformed> {
        Ok(self.is_own && self.is_like(route, cache)?)
    }

    /// Whether it does what a configured one does, whoever made it.
    ///
    /// # Errors
    /// [`Malformed`] when lengths are wrong.
    pub fn is_like(&self, route: &Route, cache: &Cache) -> Result<bool, Malformed> {
        let is_alike = self.place == Place::of(route)
            && self.kind == kind_number(route.kind)
            && route.source.is_none_or(|source| self.source == Some(source));
        if !is_alike {
            return Ok(false);
        }
        match (route.next_hops.as_slice(), self.multipath) {
            // IPv6 names the loopback interface.
            ([], None) => Ok(true),
            ([hop], None) => Ok(self.way.is(hop, cache)),
            (hops @ [_, _, ..], Some(octets)) => are_ways(octets, hops, cache),
            ([] | [_], Some(_)) | ([_, _, ..], None) => Ok(false),
        }
    }
}

/// The route that stands in the place of one that could not be added.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Standing {
    place: Place,
    protocol: u8,
    kind: u8,
    way: Way,
    /// It has more ways out than this one.
    several: bool,
}

impl Standing {
    /// From the answer to [`encode_find`]; `None` when it is something else.
    ///
    /// # Errors
    /// [`Malformed`] when lengths are wrong.
    pub fn decode(payload: &[u8]) -> Result<Option<Self>, Malformed> {
        let Some(seen) = Seen::decode(payload, true)? else { return Ok(None) };
        let Seen { place, protocol, kind, way, multipath, .. } = seen;
        Ok(Some(Self { place, protocol, kind, way, several: multipath.is_some() }))
    }

    /// Whether it is where a configured one is to be.
    pub fn is_in_place_of(&self, route: &Route) -> bool {
        self.place == Place::of(route)
    }

    /// Whether it does what a configured one would do.
    pub fn does_the_same(&self, route: &Route, cache: &Cache) -> bool {
        let same_way = match route.next_hops.as_slice() {
            [] => true,
            [hop] => self.way.is(hop, cache),
            [_, _, ..] => false,
        };
        self.is_in_place_of(route)
            && self.kind == kind_number(route.kind)
            && !self.several
            && same_way
    }

    /// As `ip -6 route` shows it.
    pub fn words(&self, cache: &Cache) -> String {
        let Place { destination, len, metric, .. } = self.place;
        let mut words =
            if len == 0 { "default".to_owned() } else { format!("{destination}/{len}") };
        // Writing to a String cannot fail.
        if let Some(gateway) = self.way.gateway {
            let _ = write!(words, " via {gateway}");
        }
        if let Some(link) = self.way.link.and_then(|link| cache.link(link)) {
            let _ = write!(words, " dev {}", link.name);
        }
        if self.several {
            words.push_str(" with several next hops");
        }
        let _ = match self.protocol {
            2 => write!(words, " proto kernel"),
            3 => write!(words, " proto boot"),
            4 => write!(words, " proto static"),
            9 => write!(words, " proto ra"),
            16 => write!(words, " proto dhcp"),
            number => write!(words, " proto {number}"),
        };
        let _ = write!(words, " metric {metric}");
        words
    }
}

/// Whether several ways out are the configured ones. IPv6 does not keep their order.
fn are_ways(octets: &[u8], hops: &[NextHop], cache: &Cache) -> Result<bool, Malformed> {
    let mut left: Vec<&NextHop> = hops.iter().collect();
    let mut octets = octets;
    while !octets.is_empty() {
        let len = usize::from(u16_at(octets, 0)?);
        let (hop, _) = octets.split_at_checked(len).ok_or(Malformed::Length)?;
        let (fixed, rest) = hop.split_first_chunk::<HOP_LEN>().ok_or(Malformed::Length)?;
        let [_, _, _, weight, link @ ..] = *fixed;
        let mut way = Way { gateway: None, link: Some(LinkIndex(u32::from_ne_bytes(link))) };
        for attribute in attributes(rest) {
            let (kind, value) = attribute?;
            way.take(kind, value)?;
        }
        let weight = u16::from(weight) + 1;
        let is = |hop: &&NextHop| way.is(hop, cache) && hop.weight.max(1) == weight;
        let Some(at) = left.iter().position(is) else { return Ok(false) };
        left.swap_remove(at);
        octets = octets.get(len.next_multiple_of(4)..).unwrap_or(&[]);
    }
    Ok(left.is_empty())
}
