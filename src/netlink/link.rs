//! Links: decoding the kernel's messages, and the requests to list links and to set an option.

use std::fmt;

use neli::consts::nl::NlmF;
use neli::consts::rtnl::{Ifla, IflaInfo, RtAddrFamily, Rtm};
use neli::rtnl::{Ifinfomsg, IfinfomsgBuilder};
use neli::types::{Buffer, RtBuffer};

use super::codec::{self, Unencodable};
use super::consts;
use super::error::string;
use super::frame::{Malformed, Sequence, attributes, u32_at};
use crate::units::{Family, Mac};

/// Octets of the fixed part: family, padding, hardware type, index, flags, change mask.
const FIXED_LEN: usize = 16;

/// Link flag: loopback interface.
const IFF_LOOPBACK: u32 = 0x8;
/// Link flag: supports multicast.
const IFF_MULTICAST: u32 = 0x1000;
/// Link flag: no address resolution.
const IFF_NOARP: u32 = 0x80;
/// Link flag: administratively up.
const IFF_UP: u32 = 0x1;
/// Link flag: has a carrier and is not dormant.
const IFF_RUNNING: u32 = 0x40;

/// The kernel's index of a link. A rename does not change it, and the kernel does not soon reuse it
/// (`netlink:N-23`).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct LinkIndex(pub u32);

impl fmt::Display for LinkIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The flags of a link (`IFF_`).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct LinkFlags(pub u32);

impl LinkFlags {
    /// Whether the link is administratively up, with or without a carrier.
    pub const fn enabled(self) -> bool {
        self.0 & IFF_UP != 0
    }

    /// Whether it is the loopback interface.
    pub const fn loopback(self) -> bool {
        self.0 & IFF_LOOPBACK != 0
    }

    /// Whether it supports multicast.
    pub const fn multicast(self) -> bool {
        self.0 & IFF_MULTICAST != 0
    }

    /// Whether hosts on the link resolve link-layer addresses (by ARP or neighbour discovery).
    pub const fn resolves(self) -> bool {
        self.0 & IFF_NOARP == 0
    }

    /// Whether the link is up and running, which is "up" for VRRP (`netlink:N-21`).
    pub const fn up(self) -> bool {
        self.0 & (IFF_UP | IFF_RUNNING) == IFF_UP | IFF_RUNNING
    }
}

/// No interface has the given name.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NoInterface {
    /// The name.
    pub name: Box<str>,
    /// The names of the existing interfaces.
    pub have: Vec<Box<str>>,
}

impl fmt::Display for NoInterface {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, have } = self;
        write!(f, "interface \"{name}\" does not exist (have: {})", have.join(", "))
    }
}

impl std::error::Error for NoInterface {}

/// A network interface.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Link {
    /// Its index.
    pub index: LinkIndex,
    /// Its name. Octets that are not UTF-8 are replaced; such a name cannot be configured.
    pub name: Box<str>,
    /// Its flags.
    pub flags: LinkFlags,
    /// Its hardware address, if that is an Ethernet address.
    pub mac: Option<Mac>,
    /// Its MTU in octets.
    pub mtu: Option<u32>,
    /// The bridge, bond, team, Open vSwitch or VRF that it is a port of.
    pub master: Option<LinkIndex>,
    /// Its kind (`macvlan`, `vlan`, `bridge`, ...); `None` for hardware.
    pub kind: Option<Box<str>>,
    /// The setting `promote_secondaries` of the interface: whether the next address of a subnet becomes
    /// primary when the primary one is deleted. Otherwise the kernel deletes all of them, unless the
    /// setting for all interfaces is on. `None` when the interface has no IPv4.
    pub promotes: Option<bool>,
}

/// Kinds of devices that take all packets that arrive on their ports. A VRF does not: sockets on its
/// ports receive them.
const CAPTURING_KINDS: [&str; 4] = ["bridge", "bond", "team", "openvswitch"];

impl Link {
    /// Whether it takes all packets that arrive on its ports, so that sockets on a port receive
    /// nothing.
    pub fn takes_all(&self) -> bool {
        self.kind.as_deref().is_some_and(|kind| CAPTURING_KINDS.contains(&kind))
    }

    /// Decodes the payload of NEWLINK or DELLINK; `None` when it is not about the link itself, but, for
    /// example, about its role as a bridge port (`netlink:N-24`).
    ///
    /// # Errors
    /// [`Malformed`] when lengths are wrong, or name or index are missing.
    pub fn decode(payload: &[u8]) -> Result<Option<Self>, Malformed> {
        let message: Ifinfomsg = codec::decode(payload, FIXED_LEN)?;
        if *message.ifi_family() != RtAddrFamily::Unspecified {
            return Ok(None);
        }
        let index = u32::try_from(*message.ifi_index()).map_err(|_| Malformed::Body)?;
        let mut link = Self {
            index: LinkIndex(index),
            name: Box::default(),
            flags: LinkFlags(message.ifi_flags().bits()),
            mac: None,
            mtu: None,
            master: None,
            kind: None,
            promotes: None,
        };
        for attribute in message.rtattrs().iter() {
            let value = attribute.rta_payload().as_ref();
            // Not a match: there are hundreds of other attribute types.
            let kind = *attribute.rta_type();
            if kind == Ifla::Ifname {
                link.name = string(value);
            } else if kind == Ifla::Address {
                link.mac = value.try_into().ok().map(Mac);
            } else if kind == Ifla::Mtu {
                link.mtu = Some(u32_at(value, 0)?);
            } else if kind == Ifla::Master {
                let master = u32_at(value, 0)?;
                link.master = (master != 0).then_some(LinkIndex(master));
            } else if kind == Ifla::Linkinfo {
                let info: RtBuffer<IflaInfo, Buffer> = codec::decode(value, 0)?;
                let kind = info.iter().find(|info| *info.rta_type() == IflaInfo::Kind);
                link.kind = kind.map(|kind| string(kind.rta_payload().as_ref()));
            } else if kind == consts::IFLA_AF_SPEC.into() {
                link.promotes = promotes(value)?;
            }
        }
        if link.name.is_empty() { Err(Malformed::Body) } else { Ok(Some(link)) }
    }
}

/// The setting `promote_secondaries` from [`consts::IFLA_AF_SPEC`].
fn promotes(families: &[u8]) -> Result<Option<bool>, Malformed> {
    let place = 4 * usize::from(consts::IPV4_DEVCONF_PROMOTE_SECONDARIES - 1);
    for family in attributes(families) {
        let (family, settings) = family?;
        if u8::try_from(family).ok().and_then(codec::family_of) != Some(Family::V4) {
            continue;
        }
        for setting in attributes(settings) {
            let (kind, values) = setting?;
            if kind == consts::IFLA_INET_CONF && values.len() >= place + 4 {
                return u32_at(values, place).map(|value| Some(value != 0));
            }
        }
    }
    Ok(None)
}

/// Appends the request to set `promote_secondaries` of an interface. It needs only CAP_NET_ADMIN, while
/// the file in /proc needs the permissions of its owner.
///
/// # Errors
/// [`Unencodable`], which does not happen: the request has a fixed length.
pub fn encode_promote(
    octets: &mut Vec<u8>,
    sequence: Sequence,
    link: LinkIndex,
    promote: bool,
) -> Result<(), Unencodable> {
    let nested = |kind: u16, inner: &[u8]| {
        let mut octets = u16::try_from(4 + inner.len()).unwrap_or(u16::MAX).to_ne_bytes().to_vec();
        octets.extend(kind.to_ne_bytes());
        octets.extend(inner);
        octets
    };
    let value = u32::from(promote).to_ne_bytes();
    let setting = nested(consts::IPV4_DEVCONF_PROMOTE_SECONDARIES, &value);
    let settings = nested(consts::IFLA_INET_CONF, &setting);
    let family = u8::from(codec::family(Family::V4));
    let families = nested(family.into(), &settings);
    let body = IfinfomsgBuilder::default()
        .ifi_family(RtAddrFamily::Unspecified)
        .ifi_index(i32::try_from(link.0).map_err(|_| Unencodable)?)
        .rtattrs([codec::attribute(consts::IFLA_AF_SPEC.into(), &families)?].into_iter().collect())
        .build()
        .map_err(|_| Unencodable)?;
    codec::encode(octets, Rtm::Setlink, NlmF::REQUEST | NlmF::ACK, sequence, body)
}

/// Appends the request for all links, without statistics (`netlink:N-20`).
///
/// # Errors
/// [`Unencodable`], which does not happen: the request has a fixed length.
pub fn encode_dump(octets: &mut Vec<u8>, sequence: Sequence) -> Result<(), Unencodable> {
    let mask = consts::RTEXT_FILTER_SKIP_STATS.to_ne_bytes();
    let body = IfinfomsgBuilder::default()
        .ifi_family(RtAddrFamily::Unspecified)
        .rtattrs([codec::attribute(Ifla::ExtMask, &mask)?].into_iter().collect())
        .build()
        .map_err(|_| Unencodable)?;
    codec::encode(octets, Rtm::Getlink, NlmF::REQUEST | NlmF::DUMP, sequence, body)
}

/// Appends the request for one link, by its name if given, otherwise by its index.
///
/// # Errors
/// [`Unencodable`] when the index or the name is too large.
pub fn encode_get(
    octets: &mut Vec<u8>,
    sequence: Sequence,
    index: LinkIndex,
    name: Option<&str>,
) -> Result<(), Unencodable> {
    let mut attributes = RtBuffer::new();
    if let Some(name) = name {
        let name = [name.as_bytes(), &[0]].concat();
        attributes.push(codec::attribute(Ifla::Ifname, &name)?);
    }
    let mask = consts::RTEXT_FILTER_SKIP_STATS.to_ne_bytes();
    attributes.push(codec::attribute(Ifla::ExtMask, &mask)?);
    let body = IfinfomsgBuilder::default()
        .ifi_family(RtAddrFamily::Unspecified)
        .ifi_index(i32::try_from(index.0).map_err(|_| Unencodable)?)
        .rtattrs(attributes)
        .build()
        .map_err(|_| Unencodable)?;
    codec::encode(octets, Rtm::Getlink, NlmF::REQUEST, sequence, body)
}
