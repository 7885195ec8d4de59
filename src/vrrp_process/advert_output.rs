//! Adverts on their way out, and what becomes of those that cannot be sent.

use nix::errno::Errno;

use super::advert_sender::Advert;
use super::log_records::Entry;
use super::log_text::{self, Concern};
use super::shell::Shell;
use crate::control::record::{Kind, Level};
use crate::control::status::WarningKind;
use crate::system::clock;
use crate::units::{Family, Instant};
use crate::vrrp::{Action, Event, InterfaceId, KernelError, RouterId, State};

impl Shell {
    /// All adverts that are due, in as few calls as possible. What cannot be sent may make others
    /// due.
    pub(super) fn send_adverts(&mut self, now: Instant) {
        while self.send_some_adverts(now) {}
    }

    fn send_some_adverts(&mut self, now: Instant) -> bool {
        let mut refused = false;
        while let Some(action) = self.engine.poll_urgent() {
            if action == Action::DrainSockets {
                // What is owed does not wait for that.
                refused |= self.transmit(now);
                self.drain();
            }
            let Action::SendAdvert { router, priority, interval } = action else { continue };
            let link = self.engine.interface_of(router.instance).and_then(|i| self.links.index(i));
            let Some(link) = link else { continue };
            if self.packets.set(&self.engine, router, link, priority, interval).is_none() {
                continue;
            }
            // Before it leaves: whoever comes after us has to know that we were master.
            self.saved.advert(&self.engine, router.instance, now);
            if self.due.push(router).is_err() {
                refused |= self.transmit(now);
                // There is room now.
                let _ = self.due.push(router);
            }
        }
        refused | self.transmit(now)
    }

    /// Makes what adverts need, so that a takeover need not wait for that.
    pub(super) fn prepare(&mut self) {
        let engine = &self.engine;
        self.packets.reconfigured(&engine.reloaded().changed);
        for &id in &engine.reloaded().changed {
            let link = engine.interface_of(id).and_then(|i| self.links.index(i));
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

    /// `true`: the engine was told that something could not be sent.
    fn transmit(&mut self, now: Instant) -> bool {
        if self.due.is_empty() {
            return false;
        }
        let mut refused = false;
        let Self { due, packets, transmitter, failed, engine, .. } = self;
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

    /// Reads all packets that wait, since the process stood still or a master seems to be gone; not
    /// longer than the engine allows.
    fn drain(&mut self) {
        let until = self.engine.next_deadline();
        let mut sockets = std::mem::take(&mut self.to_drain);
        sockets.clear();
        if self.engine.sockets_to_drain(|interface, family| sockets.push((interface, family))) {
            sockets.sort_unstable();
            sockets.dedup();
        } else {
            sockets.extend(self.links.sockets());
        }
        let broken_off = sockets.iter().any(|&(interface, family)| {
            while self.receive(interface, family) {
                if until.is_some_and(|until| clock::now() >= until) {
                    return true;
                }
            }
            false
        });
        self.to_drain = sockets;
        if !broken_off {
            self.engine.handle(Event::SocketsDrained, clock::now());
        }
    }

    /// Reads packets of one socket; `true`: perhaps there are more.
    pub fn receive(&mut self, interface: InterfaceId, family: Family) -> bool {
        super::links::receive(self, interface, family)
    }

    /// Tells of adverts that could not be sent. Some time later, because an interface that goes
    /// down fails first and is heard of then (`vrrp:X-4`): that is no fault of the sending.
    pub(super) fn tell_failures(&mut self) {
        for (router, (errno, count)) in std::mem::take(&mut self.failed) {
            let id = router.instance;
            let concerns =
                self.engine.state(id) == Some(State::Master) || self.engine.is_unheard(id);
            if concerns && !is_of_link(errno) {
                self.tell_failed(router, errno, count);
            }
        }
    }

    fn tell_failed(&mut self, router: RouterId, errno: Errno, count: u32) {
        let now = clock::now();
        let id = router.instance;
        let text = log_text::send_failed(router.family, errno);
        let concern = Concern {
            kind: WarningKind::SendFailed,
            router: Some(router),
            from: None,
            reject: None,
        };
        let warnings = self.warnings.entry(id).or_default();
        let mut news = false;
        for _ in 0..count {
            news |= warnings.add(&self.engine, concern.clone(), text.clone(), None, now);
        }
        // It may last for days: the list of warnings has it, the log once.
        if news {
            let instance = Some((id, log_text::name(&self.engine, id).to_owned()));
            let (level, kind) = (Level::Warning, Kind::Packet);
            self.records.add(Entry { level, kind, instance, transition: None, text }, now);
        }
    }
}

/// Whether an error says no more than that the interface is down or gone.
pub(super) const fn is_of_link(errno: Errno) -> bool {
    matches!(errno, Errno::ENETDOWN | Errno::ENETUNREACH | Errno::ENODEV | Errno::ENXIO)
}
