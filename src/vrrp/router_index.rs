//! Finds the instance that a packet is for, and remembers packets for none (`vrrp:V-21` to `V-24`).

use std::net::IpAddr;

use super::ids::{InstanceId, InterfaceId};
use crate::units::Family;

/// Where packets of a virtual router arrive.
pub type Key = (InterfaceId, Family, u8);

/// The largest number of unknown VRIDs that are remembered; further ones are not reported.
const MAX_UNKNOWN_VRIDS: usize = 512;

/// The look-up of packets.
#[derive(Debug, Default)]
pub struct RouterIndex {
    /// Sorted, for the search on each packet.
    pub lookup: Vec<(Key, InstanceId)>,
    /// Instances that end while another has their place in the look-up already.
    pub replaced: Vec<(Key, InstanceId)>,
    /// The number of the wake-up: packets between two of them are one burst.
    pub burst: u32,
    /// Unknown VRIDs that were reported already.
    pub unknown_vrids: Vec<(Key, IpAddr)>,
    /// Packets that were too short to name a virtual router.
    pub too_short: u32,
}

impl RouterIndex {
    /// The instance that packets of a key are for.
    pub fn find(&self, key: Key) -> Option<InstanceId> {
        let place = self.lookup.binary_search_by_key(&key, |entry| entry.0).ok()?;
        self.lookup.get(place).map(|(_, id)| *id)
    }

    /// A packet for a VRID that is not ours. Whether that is to be reported.
    pub fn is_new_unknown_vrid(&mut self, key: Key, from: IpAddr) -> bool {
        let known = self.unknown_vrids.iter().any(|(known, _)| *known == key);
        let is_new = self.unknown_vrids.len() < MAX_UNKNOWN_VRIDS && !known;
        if is_new {
            self.unknown_vrids.push((key, from));
        }
        is_new
    }
}
