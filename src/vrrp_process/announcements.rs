//! Announcements and probes: ours on their way out, and those of others on their way in.

use std::io;
use std::os::fd::AsFd;

use super::advert_output::is_of_link;
use super::forwarding::Forwarding;
use super::interfaces::Interfaces;
use super::kernel::Kernel;
use super::neighbor_packets::{Announcer, Listener};
use super::source::Source;
use crate::child::event_loop::{Sources, Watch};
use crate::control::humanize::plural;
use crate::system::clock;
use crate::units::{Family, Instant};
use crate::vrrp::{Announcement, Engine, Event, Probed};

/// Announcements in one slice of work.
const MAX_SENT_PER_SLICE: usize = 32;
/// Announcements of others that are read before others get their turn.
const MAX_READ_PER_SLICE: usize = 64;

/// The sockets.
#[derive(Debug)]
pub struct Announcements {
    announcer: Announcer,
    forwarding: Forwarding,
    listeners: Vec<(Family, Listener, Watch<Source>)>,
}

impl Announcements {
    /// Opens the sockets.
    ///
    /// # Errors
    /// What the system says.
    pub fn open(sources: &Sources<Source>) -> io::Result<Self> {
        let mut listeners = Vec::new();
        for family in Family::ALL {
            let listener = Listener::open(family)?;
            let watch = sources.watch(listener.as_fd(), Source::Announcements(family))?;
            listeners.push((family, listener, watch));
        }
        let (announcer, forwarding) = (Announcer::open()?, Forwarding::default());
        Ok(Self { announcer, forwarding, listeners })
    }

    /// Announces what there is; while addresses are still `installing`, only those that were not
    /// announced yet. `true`: there is more.
    pub fn send(
        &mut self,
        engine: &mut Engine,
        kernel: &Kernel,
        interfaces: &Interfaces,
        installing: bool,
        now: Instant,
    ) -> bool {
        let mut more = true;
        for _ in 0..MAX_SENT_PER_SLICE {
            let next = if installing {
                engine.poll_first_announcement()
            } else {
                engine.poll_announcement()
            };
            let Some(next) = next else {
                more = false;
                break;
            };
            self.push(engine, kernel, interfaces, next, now);
        }
        self.announcer.flush();
        more
    }

    fn push(
        &mut self,
        engine: &Engine,
        kernel: &Kernel,
        interfaces: &Interfaces,
        what: Announcement,
        now: Instant,
    ) {
        let (address, link) = match what {
            Announcement::Announce(object) => {
                let address = engine.object(object).and_then(|object| object.announced());
                (address, kernel.link_of(engine, object))
            }
            Announcement::Probe(probed) => {
                let link = match probed {
                    Probed::Object(object) => kernel.link_of(engine, object),
                    Probed::Source(router) => {
                        let interface = engine.interface_of(router.instance);
                        let index = interface.and_then(|interface| interfaces.index(interface));
                        index.and_then(|index| kernel.monitor.cache().link(index))
                    }
                };
                (engine.probed_address(probed), link)
            }
        };
        let (Some(address), Some(link)) = (address, link) else { return };
        // Where there is no ARP, nobody has learned anything (`vrrp:G-4`), nor answers.
        let Some(mac) = link.mac.filter(|_| link.flags.resolves()) else { return };
        match what {
            Announcement::Announce(_) => {
                let router = address.is_ipv6() && self.forwarding.on(link, now);
                self.announcer.push(link.index, mac, address, router);
            }
            Announcement::Probe(_) => self.announcer.probe(link.index, mac, address),
        }
    }

    /// Reads those of others; `true`: perhaps there are more.
    pub fn read(
        &self,
        engine: &mut Engine,
        kernel: &Kernel,
        interfaces: &Interfaces,
        family: Family,
    ) -> bool {
        let of_family = self.listeners.iter().find(|(of, ..)| *of == family);
        let Some((_, listener, _)) = of_family else { return false };
        for _ in 0..MAX_READ_PER_SLICE {
            // An error is that of one interface that went away: there is nothing to read.
            let Ok(Some(heard)) = listener.read() else { return false };
            let Some(interface) = interfaces.interface(heard.link) else { continue };
            let (address, mac) = (heard.address, heard.mac);
            // What bridges and switches send back to us is our own. So is the answer of another
            // interface on the same segment: Linux answers on each of them for all addresses.
            if kernel.has_mac(mac) {
                continue;
            }
            engine.handle(Event::Announced { interface, address, mac }, clock::now());
        }
        true
    }

    /// What became of ours that could not be sent, in words.
    pub fn failures(&mut self) -> Option<String> {
        let failures = self.announcer.take_failures().filter(|f| !is_of_link(f.error))?;
        Some(format!(
            "cannot send {}, the last one for {}: {}",
            plural(failures.count, "announcement"),
            failures.address,
            failures.error.desc()
        ))
    }
}
