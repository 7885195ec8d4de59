//! Addresses: decoding the kernel's messages, and the requests to list, add and delete addresses.

use std::net::{IpAddr, Ipv4Addr};

use neli::consts::nl::NlmF;
use neli::consts::rtnl::{Ifa, IfaF, RtAddrFamily, RtScope, Rtm};
use neli::rtnl::{Ifaddrmsg, IfaddrmsgBuilder, Rtattr};
use neli::types::{Buffer, RtBuffer};

use super::codec::{self, Unencodable};
use super::consts;
use super::error::string;
use super::frame::{Malformed, Sequence, attributes, u32_at};
use super::link::LinkIndex;
use crate::net::{Broadcast, Scope, VirtualAddress};
use crate::units::Family;

/// Octets of the fixed part: family, prefix length, flags, scope, link index.
const FIXED_LEN: usize = 8;

/// The flags of an address (`IFA_F_`).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct AddressFlags(pub u32);

impl AddressFlags {
    /// IPv4: the address is in the subnet of an older one (`netlink:N-46`). IPv6: it is temporary.
    pub const fn secondary(self) -> bool {
        self.0 & consts::IFA_F_SECONDARY != 0
    }

    /// IPv6: another host has the address, so that the kernel does not use it (RFC 4862, 5.4).
    pub const fn is_duplicate(self) -> bool {
        self.0 & consts::IFA_F_DADFAILED != 0
    }

    /// IPv6: duplicate address detection has not ended.
    pub const fn is_tentative(self) -> bool {
        self.0 & consts::IFA_F_TENTATIVE != 0 && !self.is_duplicate()
    }

    /// The kernel does not choose the address as a source.
    pub const fn is_deprecated(self) -> bool {
        self.0 & consts::IFA_F_DEPRECATED != 0
    }

    /// IPv6: the address can be used; duplicate address detection neither runs nor failed
    /// (`netlink:N-41`).
    pub const fn usable(self) -> bool {
        self.0 & (consts::IFA_F_TENTATIVE | consts::IFA_F_DADFAILED) == 0
    }
}

/// The number of a scope. Lower numbers are wider scopes (`netlink:N-42`).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ScopeNumber(pub u8);

impl From<Scope> for ScopeNumber {
    fn from(scope: Scope) -> Self {
        Self(match scope {
            Scope::Global => 0,
            Scope::Site => 200,
            Scope::Link => 253,
            Scope::Host => 254,
            Scope::Nowhere => 255,
        })
    }
}

/// An address of a link.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Address {
    /// The link.
    pub link: LinkIndex,
    /// The address itself.
    pub address: IpAddr,
    /// Prefix length in bits; the peer's, when there is one.
    pub prefix_len: u8,
    /// The other end of a point-to-point link.
    pub peer: Option<IpAddr>,
    /// The broadcast address.
    pub broadcast: Option<Ipv4Addr>,
    /// The label (IPv4).
    pub label: Option<Box<str>>,
    /// The scope in which it is valid.
    pub scope: ScopeNumber,
    /// Its flags.
    pub flags: AddressFlags,
    /// This program added it, in this process or in an earlier one (`netlink:N-43`). Kernels before
    /// 5.18 do not store the origin of an address; there it is always `false`.
    pub is_own: bool,
}

impl Address {
    /// Whether the kernel takes both for the same address: one can replace the other, but they
    /// cannot exist side by side.
    pub fn is_same(&self, other: &Self) -> bool {
        (self.link, self.address, self.prefix_len, self.peer)
            == (other.link, other.address, other.prefix_len, other.peer)
    }

    /// Decodes the payload of NEWADDR or DELADDR; `None` when it is neither IPv4 nor IPv6.
    ///
    /// # Errors
    /// [`Malformed`] when lengths are wrong or the address is missing.
    pub fn decode(payload: &[u8]) -> Result<Option<Self>, Malformed> {
        // neli would allocate for each attribute, and a takeover of thousands of addresses causes as
        // many events.
        let Some(([family, prefix_len, low, scope, index @ ..], rest)) =
            payload.split_first_chunk::<FIXED_LEN>()
        else {
            return Err(Malformed::Length);
        };
        let Some(family) = codec::family_of(*family) else {
            return attributes(rest).try_for_each(|all| all.map(drop)).map(|()| None);
        };
        let (mut local, mut address) = (None, None);
        let (mut broadcast, mut label) = (None, None);
        let mut flags = u32::from(*low);
        let mut is_own = false;
        for attribute in attributes(rest) {
            let (kind, value) = attribute?;
            let kind = Ifa::from(kind);
            if kind == Ifa::Local {
                local = Some(ip(family, value)?);
            } else if kind == Ifa::Address {
                address = Some(ip(family, value)?);
            } else if kind == Ifa::Broadcast {
                broadcast = value.first_chunk::<4>().copied().map(Ipv4Addr::from);
            } else if kind == Ifa::Label {
                label = Some(string(value));
            } else if kind == Ifa::Flags {
                flags = u32_at(value, 0)?;
            } else if kind == consts::IFA_PROTO.into() {
                is_own = value == [consts::OWN_PROTOCOL];
            }
        }
        // IPv6 has no LOCAL unless there is a peer.
        let own = local.or(address).ok_or(Malformed::Body)?;
        Ok(Some(Self {
            link: LinkIndex(u32::from_ne_bytes(*index)),
            address: own,
            prefix_len: *prefix_len,
            peer: address.filter(|address| *address != own),
            broadcast,
            label,
            scope: ScopeNumber(*scope),
            flags: AddressFlags(flags),
            is_own,
        }))
    }
}

/// An address from the octets of an attribute.
fn ip(family: Family, value: &[u8]) -> Result<IpAddr, Malformed> {
    let address = match family {
        Family::V4 => <[u8; 4]>::try_from(value).ok().map(IpAddr::from),
        Family::V6 => <[u8; 16]>::try_from(value).ok().map(IpAddr::from),
    };
    address.ok_or(Malformed::Body)
}

/// An attribute that holds an address.
fn ip_attribute(kind: Ifa, address: IpAddr) -> Result<Rtattr<Ifa, Buffer>, Unencodable> {
    match address {
        IpAddr::V4(address) => codec::attribute(kind, &address.octets()),
        IpAddr::V6(address) => codec::attribute(kind, &address.octets()),
    }
}

/// The broadcast address to set. As with `ip address add ... broadcast +`, it is the one of the
/// peer's network when there is a peer. A network of one or two addresses has none.
pub fn broadcast(address: &VirtualAddress) -> Option<Ipv4Addr> {
    let IpAddr::V4(own) = address.address else { return None };
    let network = match address.peer {
        Some(IpAddr::V4(peer)) => peer,
        Some(IpAddr::V6(_)) | None => own,
    };
    let host_bits = u32::MAX.checked_shr(address.prefix_len.into()).unwrap_or(0);
    match address.broadcast? {
        Broadcast::Address(address) => Some(address),
        Broadcast::Ones | Broadcast::Zeros if address.prefix_len > 30 => None,
        Broadcast::Ones => Some((u32::from(network) | host_bits).into()),
        Broadcast::Zeros => Some((u32::from(network) & !host_bits).into()),
    }
}

/// The attributes that requests to add and to delete an address share: LOCAL is the address itself,
/// ADDRESS is the peer or, without a peer, the address again (`netlink:N-40`, `netlink:N-44`).
fn ends(address: &VirtualAddress) -> Result<RtBuffer<Ifa, Buffer>, Unencodable> {
    let mut attributes = RtBuffer::new();
    attributes.push(ip_attribute(Ifa::Local, address.address)?);
    attributes.push(ip_attribute(Ifa::Address, address.peer.unwrap_or(address.address))?);
    Ok(attributes)
}

fn body(
    link: LinkIndex,
    address: &VirtualAddress,
    flags: u8,
    scope: Scope,
    attributes: RtBuffer<Ifa, Buffer>,
) -> Result<Ifaddrmsg, Unencodable> {
    IfaddrmsgBuilder::default()
        .ifa_family(match address.address {
            IpAddr::V4(_) => RtAddrFamily::Inet,
            IpAddr::V6(_) => RtAddrFamily::Inet6,
        })
        .ifa_prefixlen(address.prefix_len)
        .ifa_flags(IfaF::from_bits_retain(flags))
        .ifa_scope(RtScope::from(ScopeNumber::from(scope).0))
        .ifa_index(link.0)
        .rtattrs(attributes)
        .build()
        .map_err(|_| Unencodable)
}

/// Appends the request to add a virtual address. The kernel answers EEXIST when it has the address
/// already (`netlink:N-43`); [`batch`](super::batch) reports that as success.
///
/// # Errors
/// [`Unencodable`] when the label is too long for an attribute.
pub fn encode_add(
    octets: &mut Vec<u8>,
    sequence: Sequence,
    link: LinkIndex,
    address: &VirtualAddress,
) -> Result<(), Unencodable> {
    encode_new(octets, sequence, link, address, NlmF::EXCL)
}

/// Appends the request to change the options of an address in place (`netlink:N-43`).
///
/// # Errors
/// As [`encode_add`].
pub fn encode_replace(
    octets: &mut Vec<u8>,
    sequence: Sequence,
    link: LinkIndex,
    address: &VirtualAddress,
) -> Result<(), Unencodable> {
    encode_new(octets, sequence, link, address, NlmF::REPLACE)
}

/// Whether the kernel can turn one address into the other in place. It cannot change label, broadcast
/// address, scope and prefix route of IPv4. There the old address has to be deleted and the new one
/// added, in this order, since the kernel refuses to add the new one first. Both go into one batch,
/// which the kernel handles before anything else.
pub fn can_replace(old: &VirtualAddress, new: &VirtualAddress) -> bool {
    new.address.is_ipv6()
        && (old.address, old.prefix_len, old.peer) == (new.address, new.prefix_len, new.peer)
        && old.interface == new.interface
}

fn encode_new(
    octets: &mut Vec<u8>,
    sequence: Sequence,
    link: LinkIndex,
    address: &VirtualAddress,
    if_there: NlmF,
) -> Result<(), Unencodable> {
    let mut flags = 0;
    let mut attributes = ends(address)?;
    if let Some(broadcast) = broadcast(address) {
        attributes.push(ip_attribute(Ifa::Broadcast, broadcast.into())?);
    }
    match address.address {
        IpAddr::V4(_) => {
            if let Some(label) = &address.label {
                let label = [label.as_bytes(), &[0]].concat();
                attributes.push(codec::attribute(Ifa::Label, &label)?);
            }
        }
        IpAddr::V6(_) => {
            if !address.dad {
                flags |= consts::IFA_F_NODAD;
            }
            if address.home {
                flags |= consts::IFA_F_HOMEADDRESS;
            }
            // Of two equally suitable source addresses the kernel prefers the one that was added last
            // (RFC 6724, 5). That would be the virtual address, unless it is deprecated.
            let preferred = address.preferred_lifetime.unwrap_or(0);
            if preferred != consts::FOREVER {
                // Preferred and valid lifetime; the kernel sets the two timestamps.
                let times = [preferred, consts::FOREVER, 0, 0].map(u32::to_ne_bytes);
                attributes.push(codec::attribute(Ifa::Cacheinfo, times.as_flattened())?);
            }
        }
    }
    if address.no_prefix_route {
        flags |= consts::IFA_F_NOPREFIXROUTE;
    }
    attributes.push(codec::attribute(consts::IFA_PROTO.into(), &[consts::OWN_PROTOCOL])?);
    // The header holds eight flags; more need the attribute.
    let [low, ..] = flags.to_le_bytes();
    if flags != u32::from(low) {
        attributes.push(codec::attribute(Ifa::Flags, &flags.to_ne_bytes())?);
    }
    let body = body(link, address, low, address.scope, attributes)?;
    let how = NlmF::REQUEST | NlmF::ACK | NlmF::CREATE | if_there;
    codec::encode(octets, Rtm::Newaddr, how, sequence, body)
}

/// Appends the request to delete a virtual address. The label is left out, since the kernel would
/// compare it (`netlink:N-44`).
///
/// # Errors
/// [`Unencodable`], which does not happen: the request has a fixed length.
pub fn encode_delete(
    octets: &mut Vec<u8>,
    sequence: Sequence,
    link: LinkIndex,
    address: &VirtualAddress,
) -> Result<(), Unencodable> {
    let body = body(link, address, 0, Scope::Global, ends(address)?)?;
    codec::encode(octets, Rtm::Deladdr, NlmF::REQUEST | NlmF::ACK, sequence, body)
}

/// Appends the request for all addresses of both families.
///
/// # Errors
/// [`Unencodable`], which does not happen: the request has a fixed length.
pub fn encode_dump(octets: &mut Vec<u8>, sequence: Sequence) -> Result<(), Unencodable> {
    let body = IfaddrmsgBuilder::default()
        .ifa_family(RtAddrFamily::Unspecified)
        .ifa_prefixlen(0)
        .ifa_scope(RtScope::Universe)
        .ifa_index(0)
        .build()
        .map_err(|_| Unencodable)?;
    codec::encode(octets, Rtm::Getaddr, NlmF::REQUEST | NlmF::DUMP, sequence, body)
}
