//! Routes: the requests to list, add and delete routes, and decoding the kernel's messages (`netlink`
//! rules, section 4).

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
/// Octets of a next hop in MULTIPATH, without its attributes.
const HOP_LEN: usize = 8;
/// The metric that the kernel gives to an IPv6 route without one (`netlink:N-57`).
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

/// The metric that the kernel stores.
fn metric(route: &Route) -> u32 {
    let metric = route.metric.unwrap_or(0);
    match route.destination.family() {
        Family::V6 if metric == 0 => IPV6_METRIC,
        Family::V4 | Family::V6 => metric,
    }
}

/// The place of a route in its table. Of several IPv4 routes in one place the kernel uses the first;
/// of IPv6 routes it accepts only one (`netlink:N-56`).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Place {
    /// The table.
    pub table: TableId,
    /// Destination address.
    pub destination: IpAddr,
    /// Prefix length of the destination in bits.
    pub len: u8,
    /// Type of service.
    pub tos: u8,
    /// Metric; lower is preferred.
    pub metric: u32,
}

impl Place {
    /// The place of a configured route.
    pub fn of(route: &Route) -> Self {
        let Prefix { address, len } = route.destination;
        let Route { table, tos, .. } = *route;
        Self { table, destination: address, len, tos, metric: metric(route) }
    }
}

/// A route with the indices of its interfaces.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Resolved<'a> {
    route: &'a Route,
    links: Vec<Option<LinkIndex>>,
}

impl<'a> Resolved<'a> {
    /// Looks up the interfaces by their current names.
    ///
    /// # Errors
    /// [`NoInterface`] names the first one that does not exist.
    pub fn new(route: &'a Route, cache: &Cache) -> Result<Self, NoInterface> {
        let index = |hop: &NextHop| {
            let index = |name: &str| cache.require(name).map(|link| link.index);
            hop.interface.as_deref().map(index).transpose()
        };
        let links = route.next_hops.iter().map(index).collect::<Result<_, _>>()?;
        Ok(Self { route, links })
    }

    /// The route to delete: a next hop whose interface is unknown matches any interface.
    pub fn to_delete(route: &'a Route, index: impl Fn(&str) -> Option<LinkIndex>) -> Self {
        let index = |hop: &NextHop| hop.interface.as_deref().and_then(&index);
        Self { route, links: route.next_hops.iter().map(index).collect() }
    }

    /// The route with the indices that its interfaces had when it was added.
    pub const fn added(route: &'a Route, links: Vec<Option<LinkIndex>>) -> Self {
        Self { route, links }
    }

    /// The index of the interface of each next hop.
    pub fn links(&self) -> &[Option<LinkIndex>] {
        &self.links
    }
}

/// Appends the attributes of one next hop.
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

/// The value of MULTIPATH, for several next hops (`netlink:N-53`).
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

/// The value of METRICS, by ascending number (`netlink:N-52`).
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

/// The scope of a new route (`netlink:N-51`). IPv6 has none.
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

/// The part that all requests about one route have: its place, its kind and our protocol number.
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

/// Appends the next hops of a route and returns its flags.
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

/// Appends the request to add a route. The kernel puts a new IPv4 route in front of those in the same
/// place, and only an identical route is an error (EEXIST). It would put an IPv6 route behind them,
/// or make it a next hop of another program's route; therefore the request makes every route in the
/// same place an error (`netlink:N-56`).
///
/// # Errors
/// [`Unencodable`] when there are too many next hops.
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

/// Appends the request to delete a route. It has the place, the kind, the next hops and our protocol
/// number, since another route may be in the same place.
///
/// # Errors
/// [`Unencodable`] when there are too many next hops.
pub fn encode_delete(
    octets: &mut Vec<u8>,
    sequence: Sequence,
    resolved: &Resolved<'_>,
) -> Result<(), Unencodable> {
    let route = resolved.route;
    let mut attributes = RtBuffer::new();
    // Given several next hops, the kernel would delete those of an IPv6 route one by one. All of them
    // are ours, so the route is deleted as a whole.
    if route.destination.family() == Family::V4 || route.next_hops.len() == 1 {
        ways(resolved, &mut attributes)?;
    }
    let body = body(route, ScopeNumber::from(Scope::Nowhere), 0, attributes)?;
    let body = body.build().map_err(|_| Unencodable)?;
    codec::encode(octets, Rtm::Delroute, NlmF::REQUEST | NlmF::ACK, sequence, body)
}

/// An address that no host has, so that only a default route matches it.
const UNASSIGNED_ADDRESS: Ipv6Addr = Ipv6Addr::new(0x8000, 0, 0, 0, 0, 0, 0, 1);

/// Appends the request for the kernel's route to the destination of an IPv6 route. The answer is that
/// route ([`BlockingRoute`]) or an error.
///
/// # Errors
/// [`Unencodable`], which does not happen: the request has a fixed length.
pub fn encode_find(
    octets: &mut Vec<u8>,
    sequence: Sequence,
    route: &Route,
) -> Result<(), Unencodable> {
    let Prefix { address, len } = route.destination;
    let probe = if len == 0 { IpAddr::V6(UNASSIGNED_ADDRESS) } else { address };
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

/// Appends the request for our routes in one table. Old kernels do not filter (`netlink:N-3`). A missing
/// table is an error (ENOENT).
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

/// One next hop of a route of the kernel.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
struct Way {
    gateway: Option<IpAddr>,
    link: Option<LinkIndex>,
}

impl Way {
    /// Reads an attribute, if it belongs to a next hop.
    fn read_attribute(&mut self, kind: u16, value: &[u8]) -> Result<(), Malformed> {
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

    /// Whether it matches the configured next hop. Values that are not configured match anything.
    fn is(&self, hop: &NextHop, cache: &Cache) -> bool {
        let link = |name: &str| self.link == cache.link_named(name).map(|link| link.index);
        self.gateway == hop.via && hop.interface.as_deref().is_none_or(link)
    }
}

/// A route of the kernel. Its octets are not copied, since a router may have a million routes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct KernelRoute<'a> {
    /// Its place.
    pub place: Place,
    /// Whether it is ours, by its protocol number.
    pub is_own: bool,
    protocol: u8,
    kind: u8,
    source: Option<IpAddr>,
    way: Way,
    multipath: Option<&'a [u8]>,
}

impl<'a> KernelRoute<'a> {
    /// Decodes the payload of NEWROUTE or DELROUTE; `None` when it is neither IPv4 nor IPv6, or a cached
    /// exception of another route. Routes of other programs are decoded only with `all`.
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
                (kind, value) => seen.way.read_attribute(kind, value)?,
            }
        }
        Ok(Some(seen))
    }

    /// Whether it is a configured route: ours, with the same place, kind, source and next hops.
    ///
    /// # Errors
    /// [`Malformed`] when lengths are wrong.
    pub fn is(&self, route: &Route, cache: &Cache) -> Result<bool, Malformed> {
        Ok(self.is_own && self.is_like(route, cache)?)
    }

    /// Whether it has the effect of a configured route, no matter which program added it.
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
            // For such a route, IPv6 reports the loopback interface.
            ([], None) => Ok(true),
            ([hop], None) => Ok(self.way.is(hop, cache)),
            (hops @ [_, _, ..], Some(octets)) => are_ways(octets, hops, cache),
            ([] | [_], Some(_)) | ([_, _, ..], None) => Ok(false),
        }
    }
}

/// A route because of which another one could not be added.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BlockingRoute {
    place: Place,
    protocol: u8,
    kind: u8,
    way: Way,
    /// It has more next hops than this one.
    several: bool,
}

impl BlockingRoute {
    /// Decodes the answer to [`encode_find`]; `None` when it is not a route.
    ///
    /// # Errors
    /// [`Malformed`] when lengths are wrong.
    pub fn decode(payload: &[u8]) -> Result<Option<Self>, Malformed> {
        let Some(seen) = KernelRoute::decode(payload, true)? else { return Ok(None) };
        let KernelRoute { place, protocol, kind, way, multipath, .. } = seen;
        Ok(Some(Self { place, protocol, kind, way, several: multipath.is_some() }))
    }

    /// Whether it is in the place of a configured route.
    pub fn is_in_place_of(&self, route: &Route) -> bool {
        self.place == Place::of(route)
    }

    /// Whether it has the effect of a configured route.
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

    /// Describes it as `ip -6 route` does.
    pub fn describe(&self, cache: &Cache) -> String {
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

/// Whether the next hops in MULTIPATH are the configured ones. IPv6 does not keep their order.
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
            way.read_attribute(kind, value)?;
        }
        let weight = u16::from(weight) + 1;
        let is = |hop: &&NextHop| way.is(hop, cache) && hop.weight.max(1) == weight;
        let Some(at) = left.iter().position(is) else { return Ok(false) };
        left.swap_remove(at);
        octets = octets.get(len.next_multiple_of(4)..).unwrap_or(&[]);
    }
    Ok(left.is_empty())
}
