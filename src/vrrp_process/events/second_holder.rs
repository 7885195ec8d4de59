//! What may be behind another host that holds an address of a master.

use std::net::IpAddr;

use super::Translator;
use crate::control::event::what::Suspect;
use crate::units::Family;
use crate::vrrp::{InstanceId, RouterId};

impl Translator<'_> {
    /// A sender whose packets are not for us, or are dropped, if there is one.
    pub(super) fn suspect(&self, instance: InstanceId) -> Suspect {
        if let Some((peer, reason)) = self.engine.last_rejected(instance) {
            return Suspect::Rejected { peer, reason };
        }
        if let Some(source) = self.source_without_subnet(instance) {
            return Suspect::NoSubnet { source };
        }
        let on = self.engine.interface_of(instance);
        match on.and_then(|on| self.engine.last_stranger(on)) {
            Some((peer, vrid)) => Suspect::Stranger { peer, vrid },
            None => Suspect::Unknown,
        }
    }

    /// The address that IPv4 adverts come from, if no other host can be in its subnet.
    fn source_without_subnet(&self, instance: InstanceId) -> Option<IpAddr> {
        let source = self.engine.source(RouterId { instance, family: Family::V4 })?;
        let link = self.links.link_named(&self.engine.settings(instance)?.interface)?;
        let mut alike = self.links.addresses(link.index).filter(|own| own.address == source);
        alike.any(|own| own.prefix_len == 32).then_some(source)
    }
}
