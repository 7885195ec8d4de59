//! What the kernel tells, on its way to the engine: links, addresses, others' announcements.

use crate::control::event::What;
use crate::netlink::monitor::Left;
use crate::system::clock;
use crate::vrrp::{Event, InstanceId, InterfaceId};

use super::kernel::Seen;
use super::shell::Shell;

/// Slices of news from the kernel that are read at once at the most: more than its queue has. What
/// comes after is left to the task that waits for it.
const MAX_READS_PER_TURN: usize = 64;

impl Shell {
    /// Reads what the monitor has, unless there are requests to be sent that matter more: most of
    /// what it has to tell meanwhile is what became of them. `true`: there is more.
    pub fn hear_kernel(&mut self) -> bool {
        self.kernel.may_wait() || self.read_netlink()
    }

    /// Reads what the monitor has; `true`: perhaps there is more.
    pub fn read_netlink(&mut self) -> bool {
        match self.kernel.read(&mut self.interfaces.changed) {
            Ok(Left::More) => return true,
            Ok(Left::Nothing) => {}
            Err(error) => {
                self.link.fail(&format!("cannot hear of links and addresses: {error}"));
                return false;
            }
        }
        if !self.progress.has_started() {
            self.interfaces.changed.clear();
            self.kernel.take_gone();
            self.start_when_ready();
            return false;
        }
        for link in self.kernel.take_gone() {
            if let Some((interface, state)) = self.interfaces.lose(link) {
                self.engine.handle(Event::Interface { interface, state }, clock::now());
            }
        }
        // Before the addresses: an interface that is gone takes them along, and then nobody has
        // removed them.
        for name in std::mem::take(&mut self.interfaces.changed) {
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
        for _ in 0..MAX_READS_PER_TURN {
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
        if let Some(state) = self.interfaces.renamed(id, index, cache) {
            self.engine.handle(Event::Interface { interface: id, state }, now);
            self.send_adverts(now);
        }
        let kernel = &self.kernel;
        let found = kernel.monitor.cache().interface(name, |address| kernel.moves(address));
        let (reports, trouble) = self.interfaces.sync(id, found.as_ref());
        for state in reports {
            self.engine.handle(Event::Interface { interface: id, state }, now);
        }
        if let Some(text) = trouble {
            self.link.report(What::ListenFailed(text.into()));
        }
    }

    /// Hands the kernel's answers to the engine.
    pub(super) fn take_answers(&mut self) {
        let now = clock::now();
        let mut touched: Option<InstanceId> = None;
        for done in self.kernel.take_done() {
            let object = done.object;
            let (present, result) = (done.present, done.result);
            self.engine.handle(Event::Acknowledged { object, present, result }, now);
            if let Some(former) = touched.replace(object.instance)
                && former != object.instance
            {
                self.shared_state.state(&self.engine, former);
            }
        }
        if let Some(last) = touched {
            self.shared_state.state(&self.engine, last);
        }
        // An owner that begins before everything was seen has asked for what it has.
        for object in self.kernel.take_there() {
            if self.kernel.stays(&self.engine, object) {
                self.engine.handle(Event::Found { object }, now);
            }
        }
        for note in self.kernel.take_notes() {
            self.tell_note(note);
        }
    }
}
