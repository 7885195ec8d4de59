//! The packet of each virtual router, built once.

use std::net::IpAddr;

use crate::netlink::link::LinkIndex;
use crate::units::{Centiseconds, Family, Priority, Version};
use crate::vrrp::settings::{Authentication, Checksum, InstanceSettings};
use crate::vrrp::{Engine, InstanceId, RouterId};
use crate::wire::checksum::PseudoHeader;
use crate::wire::vrrp::{self, Addresses, Format, Repr, Template};

/// A packet and where it goes.
#[derive(Clone, Debug)]
pub struct Packet {
    /// The octets.
    pub template: Template,
    /// Its source address.
    pub source: IpAddr,
    /// The link that it leaves from.
    pub link: LinkIndex,
    /// The configuration may have changed since it was built.
    stale: bool,
}

/// The packets of all virtual routers that have sent something.
#[derive(Debug, Default)]
pub struct Packets {
    /// By the number of the instance, which is small; IPv4 and IPv6.
    known: Vec<[Option<Packet>; 2]>,
}

impl Packets {
    /// After a reload: packets of these instances are built again when they are sent next. Those
    /// of routers that are gone stay, since their priority 0 is still to be sent.
    pub fn reconfigured(&mut self, changed: &[InstanceId]) {
        for id in changed {
            let packets = self.known.get_mut(id.index());
            for packet in packets.into_iter().flatten().flatten() {
                packet.stale = true;
            }
        }
    }

    /// Forgets packets of instances that no longer exist.
    pub fn retain(&mut self, engine: &Engine) {
        for (number, packets) in (0..).zip(&mut self.known) {
            if engine.settings(InstanceId::new(number)).is_none() {
                *packets = [None, None];
            }
        }
    }

    /// Makes the packet of a router announce this. `None` when it cannot be sent now: there is no
    /// source address. Builds it when it is new or its source has changed, and only then takes
    /// memory.
    pub fn set(
        &mut self,
        engine: &Engine,
        router: RouterId,
        link: LinkIndex,
        priority: Priority,
        interval: Centiseconds,
    ) -> Option<&Packet> {
        let source = engine.source(router)?;
        let good =
            |packet: &Packet| !packet.stale && packet.source == source && packet.link == link;
        let (number, family) = place(router);
        if number >= self.known.len() {
            self.known.resize(number + 1, [None, None]);
        }
        let known = self.known.get_mut(number)?.get_mut(family)?;
        if !known.as_ref().is_some_and(good)
            && let Some(template) = build(engine, router, source)
        {
            *known = Some(Packet { template, source, link, stale: false });
        }
        let packet = known.as_mut()?;
        packet.template.set(priority, interval);
        Some(packet)
    }

    /// The packet of a router as it was set last.
    pub fn get(&self, router: RouterId) -> Option<&Packet> {
        let (number, family) = place(router);
        self.known.get(number)?.get(family)?.as_ref()
    }
}

const fn place(router: RouterId) -> (usize, usize) {
    let family = match router.family {
        Family::V4 => 0,
        Family::V6 => 1,
    };
    (router.instance.index(), family)
}

/// `None` when the router has no addresses, or none of the family of the source.
fn build(engine: &Engine, router: RouterId, source: IpAddr) -> Option<Template> {
    let settings = engine.settings(router.instance)?;
    let family = router.family;
    let addresses: Vec<IpAddr> = engine.packet_addresses(router).collect();
    if addresses.is_empty() {
        return None;
    }
    let destination = vrrp::group(family);
    let repr = Repr {
        format: format(settings),
        vrid: settings.vrid,
        priority: settings.priority,
        interval: settings.interval,
        addresses: Addresses::of_family(family, &addresses),
    };
    let pseudo_header = match (family, settings.checksum) {
        (Family::V4, Checksum::MessageOnly) => None,
        (
            Family::V4,
            Checksum::PseudoHeader | Checksum::PseudoHeaderStrict | Checksum::OldUnicast,
        )
        | (Family::V6, _) => Some(PseudoHeader::new(source, destination)?),
    };
    Template::new(&repr, source, destination, vrrp::HOP_LIMIT, pseudo_header).ok()
}

const fn format(settings: &InstanceSettings) -> Format {
    match settings.version {
        Version::V2 => Format::V2(match settings.authentication {
            Authentication::None => vrrp::Authentication::None,
            Authentication::Password(password) => vrrp::Authentication::Password(password),
        }),
        Version::V3 => Format::V3,
    }
}
