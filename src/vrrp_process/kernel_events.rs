//! What the kernel tells, on its way to the engine: links, addresses, others' announcements.

use crate::control::humanize::plural;
use crate::control::record::{Kind, Level};
use crate::netlink::monitor::Left;
use crate::system::clock;
use crate::vrrp::{Event, InterfaceId};

use super::advert_output::is_of_link;
use super::kernel::Seen;
use super::neighbor_packets::Listener;
use super::shell::Shell;

/// Announcements of others that are read before others get their turn.
const HEARD: usize = 64;
/// Slices of requests that the kernel's news may wait for: some milliseconds.
const UNHEARD: u8 = 16;
/// Slices of news from the kernel that are read at once at the most: more than its queue has. What
/// comes after is left to the task that waits for it.
const LOOKS: usize = 64;

impl Shell {
    /// Reads what the monitor has, unless there are requests to be sent that matter more: most of
    /// what it has to tell meanwhile is what became of them. `true`: there is more.
    pub fn hear_kernel(&mut self) -> bool {
        if self.asking && self.unheard_slices < UNHEARD {
            self.unheard_slices += 1;
            return true;
        }
        self.unheard_slices = 0;
        self.read_netlink()
    }

    /// Reads what the monitor has; `true`: perhaps there is more.
    pub fn read_netlink(&mut self) -> bool {
        match self.kernel.read(&mut self.changed_links) {
            Ok(Left::More) => return true,
            Ok(Left::Nothing) => {}
            Err(error) => {
                self.fail(&format!("cannot hear of links and addresses: {error}"));
                return false;
            }
        }
        if !self.started {
            self.changed_links.clear();
            self.kernel.take_gone();
            self.start_when_ready();
            return false;
        }
        for link in self.kernel.take_gone() {
            if let Some((interface, state)) = self.links.lose(link) {
                self.engine.handle(Event::Interface { interface, state }, clock::now());
            }
        }
        // Before the addresses: an interface that is gone takes them along, and then nobody has
        // removed them.
        for name in std::mem::take(&mut self.changed_links) {
            if let Some(id) = self.engine.interface(&name) {
                self.sync_link(id, &name);
            }
        }
        self.observe();
        false
    }

    /// Sees what the kernel has now. What it has told meanwhile is read first: only then the cache
    /// knows all that was answered.
    pub(super) fn look(&mut self) {
        for _ in 0..LOOKS {
            if !self.read_netlink() {
                return;
            }
        }
    }

    /// Tells the engine which objects are there, or are not, otherwise than it knows. To be called
    /// when the monitor is read to the end.
    fn observe(&mut self) {
        let now = clock::now();
        for (object, seen) in self.kernel.observe(&self.engine) {
            let event = match seen {
                Seen::Present => Event::Object { object, present: true },
                Seen::Kept => Event::Found { object },
                Seen::Duplicate => Event::Duplicate { object },
                Seen::Removed => Event::Object { object, present: false },
                Seen::WentAlong => Event::WentAlong { object },
            };
            self.engine.handle(event, now);
        }
        self.take_answers();
    }

    /// Sees what an interface is now, and tells the engine.
    pub(super) fn sync_link(&mut self, id: InterfaceId, name: &str) {
        let now = clock::now();
        let cache = self.kernel.monitor.cache();
        let index = cache.link_named(name).map(|link| link.index);
        if let Some(state) = self.links.renamed(id, index, cache) {
            self.engine.handle(Event::Interface { interface: id, state }, now);
            self.send_adverts(now);
        }
        let kernel = &self.kernel;
        let found = kernel.monitor.cache().interface(name, |address| kernel.moves(address));
        let (reports, trouble) = self.links.sync(id, found.as_ref());
        for state in reports {
            self.engine.handle(Event::Interface { interface: id, state }, now);
        }
        if let Some(text) = trouble {
            self.say(Level::Error, Kind::Packet, text);
        }
    }

    /// Reads others' announcements; `true`: perhaps there are more.
    pub fn hear(&mut self, listener: &Listener) -> bool {
        for _ in 0..HEARD {
            // An error is that of one interface that went away: there is nothing to read.
            let Ok(Some(heard)) = listener.read() else { return false };
            let Some(interface) = self.links.interface(heard.link) else { continue };
            let (address, mac) = (heard.address, heard.mac);
            // What bridges and switches send back to us is our own. So is the answer of another
            // interface on the same segment: Linux answers on each of them for all addresses.
            if self.kernel.has_mac(mac) {
                continue;
            }
            self.engine.handle(Event::Announced { interface, address, mac }, clock::now());
        }
        true
    }

    /// What became of announcements that could not be sent.
    pub(super) fn announcer_failures(&mut self) -> Option<String> {
        let failures = self.announcer.take_failures().filter(|f| !is_of_link(f.error))?;
        Some(format!(
            "cannot send {}, the last one for {}: {}",
            plural(failures.count, "announcement"),
            failures.address,
            failures.error.desc()
        ))
    }
}
