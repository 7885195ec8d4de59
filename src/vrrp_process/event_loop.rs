//! Who waits for which descriptor, and the loop that waits for all of them and lets the shell work.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::io;
use std::os::fd::BorrowedFd;
use std::rc::{Rc, Weak};

use super::shell::{End, Shell};
use crate::system::poller::{Interest, Member, Poller};

/// Work on the shell; `Some(true)`: there is more; `None`: there never will be.
type Read = dyn Fn(&mut Shell) -> Option<bool>;

/// Something that is waited for.
struct Entry {
    member: Member,
    read: Rc<Read>,
}

/// All that is waited for. Keys are never used twice: what is told of an entry that was removed in
/// the meantime finds nobody.
struct Watches {
    poller: Poller,
    entries: RefCell<BTreeMap<u64, Entry>>,
    last: Cell<u64>,
}

/// Adds to what is waited for.
#[derive(Clone)]
pub struct Spawner(Rc<Watches>);

impl std::fmt::Debug for Spawner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Spawner").field(&self.0.entries.borrow().len()).finish()
    }
}

/// Waits for a descriptor until it is dropped.
pub struct Watch {
    key: u64,
    watches: Weak<Watches>,
}

impl std::fmt::Debug for Watch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Watch").field(&self.key).finish()
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        if let Some(watches) = self.watches.upgrade() {
            watches.remove(self.key);
        }
    }
}

impl Watches {
    fn remove(&self, key: u64) {
        let entry = self.entries.borrow_mut().remove(&key);
        if let Some(entry) = entry {
            self.poller.remove(entry.member);
        }
    }

    fn add(&self, fd: BorrowedFd<'_>, interest: Interest, read: Rc<Read>) -> io::Result<u64> {
        let key = self.last.get() + 1;
        self.last.set(key);
        let member = self.poller.add(fd, key, interest)?;
        self.entries.borrow_mut().insert(key, Entry { member, read });
        Ok(key)
    }
}

impl Spawner {
    /// With nothing to wait for yet.
    ///
    /// # Errors
    /// What the system says.
    pub fn new() -> io::Result<Self> {
        let (entries, last) = (RefCell::default(), Cell::new(0));
        Ok(Self(Rc::new(Watches { poller: Poller::new()?, entries, last })))
    }

    /// Whenever the descriptor is readable, calls `read` and lets the shell act, again and again
    /// as long as one of them has more to do, with others getting their turn in between. The shell
    /// keeps the descriptor.
    ///
    /// # Errors
    /// What the system says.
    pub fn watch(
        &self,
        fd: BorrowedFd<'_>,
        read: impl Fn(&mut Shell) -> bool + 'static,
    ) -> io::Result<Watch> {
        self.watch_until_end(fd, move |shell| Some(read(shell)))
    }

    /// As [`Spawner::watch`], until `read` gives `None`: a stream that has ended stays readable for
    /// ever.
    ///
    /// # Errors
    /// What the system says.
    pub fn watch_until_end(
        &self,
        fd: BorrowedFd<'_>,
        read: impl Fn(&mut Shell) -> Option<bool> + 'static,
    ) -> io::Result<Watch> {
        self.keep(fd, Interest::Readable, Rc::new(read))
    }

    /// Whenever the timer fires, calls `read`, which need not read it, and lets the shell act.
    ///
    /// # Errors
    /// What the system says.
    pub fn watch_timer(
        &self,
        fd: BorrowedFd<'_>,
        read: impl Fn(&mut Shell) + 'static,
    ) -> io::Result<Watch> {
        let read = move |shell: &mut Shell| {
            read(shell);
            Some(false)
        };
        self.keep(fd, Interest::Fired, Rc::new(read))
    }

    fn keep(&self, fd: BorrowedFd<'_>, interest: Interest, read: Rc<Read>) -> io::Result<Watch> {
        let key = self.0.add(fd, interest, read)?;
        Ok(Watch { key, watches: Rc::downgrade(&self.0) })
    }

    /// Once the descriptor is writable, lets the shell work.
    ///
    /// # Errors
    /// What the system says.
    pub fn when_writable(
        &self,
        fd: BorrowedFd<'_>,
        then: impl Fn(&mut Shell) + 'static,
    ) -> io::Result<()> {
        let read = move |shell: &mut Shell| {
            then(shell);
            None
        };
        self.0.add(fd, Interest::Writable, Rc::new(read)).map(drop)
    }

    /// Lets the shell work until it has come to its end.
    ///
    /// # Errors
    /// What the system says.
    pub fn run(&self, shell: &mut Shell) -> io::Result<End> {
        let watches = &*self.0;
        // What is ready, and what had more to read the last time.
        let (mut ready, mut again): (Vec<u64>, Vec<u64>) = (Vec::new(), Vec::new());
        let mut more = true;
        loop {
            std::mem::swap(&mut ready, &mut again);
            let block = !more && ready.is_empty();
            if block && let Some(rest) = shell.rest() {
                std::thread::sleep(rest);
            }
            watches.poller.wait(block, |key| {
                if !ready.contains(&key) {
                    ready.push(key);
                }
            })?;
            if ready.is_empty() {
                more = shell.turn();
            }
            for key in ready.drain(..) {
                let read = watches.entries.borrow().get(&key).map(|entry| Rc::clone(&entry.read));
                match read.map(|read| read(shell)) {
                    Some(Some(true)) => again.push(key),
                    Some(None) => watches.remove(key),
                    Some(Some(false)) | None => {}
                }
                more = shell.turn();
            }
            if let Some(end) = shell.over() {
                return Ok(end);
            }
        }
    }
}
