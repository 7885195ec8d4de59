//! Why an instance has no address to send adverts from.

use std::net::IpAddr;

use super::Translator;
use crate::control::event::Fault;
use crate::control::event::cause::SourceTrouble;
use crate::units::Family;
use crate::vrrp::InstanceId;

impl Translator<'_> {
    pub(super) fn no_source(&self, instance: InstanceId, family: Family) -> Fault {
        let on = self.engine.settings(instance).map_or("?", |settings| &settings.interface);
        if self.has_source(on, family) {
            return Fault::NotListening { interface: on.into(), family };
        }
        match self.unusable(instance, on, family) {
            Some((address, why)) => Fault::SourceUnusable { interface: on.into(), address, why },
            None => Fault::NoSource { interface: on.into(), family },
        }
    }

    /// Whether there is another address to send from.
    fn has_source(&self, interface: &str, family: Family) -> bool {
        let is_virtual = |address| {
            let mut objects = self.engine.instances().flat_map(|id| self.engine.objects(id));
            objects.any(|(_, object)| object.announced() == Some(address))
        };
        self.links.interface(interface, is_virtual).is_some_and(|found| match family {
            Family::V4 => found.ipv4.is_some(),
            Family::V6 => found.ipv6.is_some(),
        })
    }

    /// The address that adverts of an instance would come from, if it were not for something that
    /// can be mended.
    fn unusable(
        &self,
        instance: InstanceId,
        on: &str,
        family: Family,
    ) -> Option<(IpAddr, SourceTrouble)> {
        let is_source = |address: IpAddr| match address {
            IpAddr::V4(_) => family == Family::V4,
            IpAddr::V6(own) => family == Family::V6 && own.is_unicast_link_local(),
        };
        let mut all = self.links.addresses(self.links.link_named(on)?.index);
        let held = all.find(|held| is_source(held.address) && !held.is_own)?;
        let address = held.address;
        if held.flags.is_duplicate() {
            return Some((address, SourceTrouble::Duplicate));
        }
        if held.flags.is_tentative() {
            return Some((address, SourceTrouble::Tentative));
        }
        let mut objects = self.engine.objects(instance);
        let is_virtual = objects.any(|(_, object)| object.announced() == Some(address));
        is_virtual.then_some((address, SourceTrouble::Virtual))
    }
}
