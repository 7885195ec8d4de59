//! Adverts on their way out, and what becomes of those that cannot be sent.

use nix::errno::Errno;

use super::advert_sender::{Advert, Transmitter};
use super::interfaces::Interfaces;
use super::packet_templates::Packets;
use super::shared_state::SharedState;
use crate::sorted::Map;
use crate::units::{Centiseconds, Instant, Priority};
use crate::vrrp::{Engine, Event, KernelError, RouterId};

/// Adverts that leave in one call.
const MAX_ADVERTS_PER_CALL: usize = 256;

/// The adverts that are due.
#[derive(Debug)]
pub struct AdvertOutput {
    packets: Packets,
    due: heapless::Vec<RouterId, MAX_ADVERTS_PER_CALL>,
    transmitter: Transmitter,
    /// Those that could not be sent and were not told of yet: the last error, and how many.
    failed: Map<RouterId, (Errno, u32)>,
}

impl AdvertOutput {
    /// Without a packet.
    pub fn new() -> Self {
        Self {
            packets: Packets::default(),
            due: heapless::Vec::new(),
            transmitter: Transmitter::new(),
            failed: Map::new(),
        }
    }

    /// An advert is due. `true`: the engine was told that others could not be sent.
    pub fn push(
        &mut self,
        engine: &mut Engine,
        interfaces: &Interfaces,
        shared_state: &SharedState,
        (router, priority, interval): (RouterId, Priority, Centiseconds),
        now: Instant,
    ) -> bool {
        let link = engine.interface_of(router.instance).and_then(|i| interfaces.index(i));
        let Some(link) = link else { return false };
        if self.packets.set(engine, router, link, priority, interval).is_none() {
            return false;
        }
        // Before it leaves: whoever comes after us has to know that we were master.
        shared_state.advert(engine, router.instance, now);
        if self.due.push(router).is_ok() {
            return false;
        }
        let refused = self.transmit(engine, now);
        // There is room now.
        let _ = self.due.push(router);
        refused
    }

    /// Sends all that are due. `true`: the engine was told that some could not be sent.
    pub fn transmit(&mut self, engine: &mut Engine, now: Instant) -> bool {
        if self.due.is_empty() {
            return false;
        }
        let mut refused = false;
        let Self { due, packets, transmitter, failed } = self;
        let adverts = due.iter().filter_map(|router| packets.get(*router)).map(|packet| Advert {
            link: packet.link,
            source: packet.source,
            template: &packet.template,
        });
        transmitter.send(adverts, |place, errno| {
            if let Some(router) = due.get(place) {
                let (last, count) = failed.entry(*router).or_insert((errno, 0));
                (*last, *count) = (errno, count.saturating_add(1));
                if !is_of_link(errno) {
                    let error = KernelError(errno as i32);
                    engine.handle(Event::Refused { router: *router, error }, now);
                    refused = true;
                }
            }
        });
        due.clear();
        refused
    }

    /// After a reload: makes what adverts need, so that a takeover need not wait for that.
    pub fn prepare(&mut self, engine: &Engine, interfaces: &Interfaces) {
        self.packets.reconfigured(&engine.reloaded().changed);
        for &id in &engine.reloaded().changed {
            let link = engine.interface_of(id).and_then(|i| interfaces.index(i));
            for router in engine.routers(id) {
                self.transmitter.prepare(router.family);
                if let (Some(link), Some(priority), Some(settings)) =
                    (link, engine.effective_priority(id), engine.settings(id))
                {
                    self.packets.set(engine, router, link, priority, settings.interval);
                }
            }
        }
    }

    /// Forgets the packets of instances that are gone.
    pub fn retain(&mut self, engine: &Engine) {
        self.packets.retain(engine);
    }

    /// The adverts that could not be sent since this was asked last: the last error, and how many.
    pub fn take_failed(&mut self) -> Map<RouterId, (Errno, u32)> {
        std::mem::take(&mut self.failed)
    }
}

/// Whether an error says no more than that the interface is down or gone.
pub const fn is_of_link(errno: Errno) -> bool {
    matches!(errno, Errno::ENETDOWN | Errno::ENETUNREACH | Errno::ENODEV | Errno::ENXIO)
}
