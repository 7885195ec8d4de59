//! The loop of a child: it waits for all descriptors at once, and lets the child work.

use std::cell::{Cell, RefCell};
use std::io;
use std::os::fd::BorrowedFd;
use std::rc::{Rc, Weak};
use std::time::Duration;

use crate::sorted::Map;
use crate::system::poller::{Interest, Member, Poller};

/// How a child ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum End {
    /// It did what it was asked for.
    Stopped,
    /// Something that it cannot work without does not work.
    Failed,
}

/// What was read from a source.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Read {
    /// There may be more: it is read again after others had their turn.
    More,
    /// All there was.
    All,
    /// Nothing will ever come again: it is not waited for any more.
    End,
}

impl Read {
    /// [`Read::More`] if there is more.
    pub const fn more(more: bool) -> Self {
        if more { Self::More } else { Self::All }
    }
}

/// What a child does, a slice at a time. Nothing in it may wait for anything.
pub trait Child {
    /// Names what the child waits for.
    type Source: Copy;

    /// The source is readable, has fired, or is writable.
    fn read(&mut self, source: Self::Source) -> Read;

    /// A slice of work; `true`: there is more.
    fn turn(&mut self) -> bool;

    /// How long to sleep before it is waited for more.
    fn rest(&mut self) -> Option<Duration> {
        None
    }

    /// How it ended, once that is told.
    fn over(&self) -> Option<End>;
}

struct Entry<T> {
    member: Member,
    source: T,
}

/// All that is waited for. Keys are never used twice: what is told of an entry that was removed in
/// the meantime finds nobody.
struct Registry<T> {
    poller: Poller,
    entries: RefCell<Map<u64, Entry<T>>>,
    last: Cell<u64>,
}

/// Adds to what is waited for.
pub struct Sources<T>(Rc<Registry<T>>);

impl<T> Clone for Sources<T> {
    fn clone(&self) -> Self {
        Self(Rc::clone(&self.0))
    }
}

impl<T> std::fmt::Debug for Sources<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Sources").field(&self.0.entries.borrow().len()).finish()
    }
}

/// A descriptor is waited for until this is dropped.
pub struct Watch<T> {
    key: u64,
    registry: Weak<Registry<T>>,
}

impl<T> std::fmt::Debug for Watch<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Watch").field(&self.key).finish()
    }
}

impl<T> Drop for Watch<T> {
    fn drop(&mut self) {
        if let Some(registry) = self.registry.upgrade() {
            registry.remove(self.key);
        }
    }
}

impl<T> Registry<T> {
    fn remove(&self, key: u64) {
        let entry = self.entries.borrow_mut().remove(&key);
        if let Some(entry) = entry {
            self.poller.remove(entry.member);
        }
    }

    fn add(&self, fd: BorrowedFd<'_>, interest: Interest, source: T) -> io::Result<u64> {
        let key = self.last.get() + 1;
        self.last.set(key);
        let member = self.poller.add(fd, key, interest)?;
        self.entries.borrow_mut().insert(key, Entry { member, source });
        Ok(key)
    }
}

impl<T: Copy> Sources<T> {
    /// With nothing to wait for yet.
    ///
    /// # Errors
    /// The error of the system call.
    pub fn new() -> io::Result<Self> {
        let (entries, last) = (RefCell::default(), Cell::new(0));
        Ok(Self(Rc::new(Registry { poller: Poller::new()?, entries, last })))
    }

    /// Whenever the descriptor is readable, the child reads the source. The child keeps the
    /// descriptor.
    ///
    /// # Errors
    /// The error of the system call.
    pub fn watch(&self, fd: BorrowedFd<'_>, source: T) -> io::Result<Watch<T>> {
        self.keep(fd, Interest::Readable, source)
    }

    /// The same for a timer, whose descriptor need not be read.
    ///
    /// # Errors
    /// The error of the system call.
    pub fn watch_timer(&self, fd: BorrowedFd<'_>, source: T) -> io::Result<Watch<T>> {
        self.keep(fd, Interest::Fired, source)
    }

    fn keep(&self, fd: BorrowedFd<'_>, interest: Interest, source: T) -> io::Result<Watch<T>> {
        let key = self.0.add(fd, interest, source)?;
        Ok(Watch { key, registry: Rc::downgrade(&self.0) })
    }

    /// Once the descriptor is writable, the child reads the source, which is to give
    /// [`Read::End`].
    ///
    /// # Errors
    /// The error of the system call.
    pub fn when_writable(&self, fd: BorrowedFd<'_>, source: T) -> io::Result<()> {
        self.0.add(fd, Interest::Writable, source).map(drop)
    }

    /// Lets the child work until it has come to its end.
    ///
    /// # Errors
    /// The error of the system call.
    pub fn run(&self, child: &mut impl Child<Source = T>) -> io::Result<End> {
        let registry = &*self.0;
        // What is ready, and what had more to read the last time.
        let (mut ready, mut again): (Vec<u64>, Vec<u64>) = (Vec::new(), Vec::new());
        let mut more = true;
        loop {
            std::mem::swap(&mut ready, &mut again);
            let block = !more && ready.is_empty();
            if block && let Some(rest) = child.rest() {
                std::thread::sleep(rest);
            }
            registry.poller.wait(block, |key| {
                if !ready.contains(&key) {
                    ready.push(key);
                }
            })?;
            if ready.is_empty() {
                more = child.turn();
            }
            for key in ready.drain(..) {
                let source = registry.entries.borrow().get(&key).map(|entry| entry.source);
                match source.map(|source| child.read(source)) {
                    Some(Read::More) => again.push(key),
                    Some(Read::End) => registry.remove(key),
                    Some(Read::All) | None => {}
                }
                more = child.turn();
            }
            if let Some(end) = child.over() {
                return Ok(end);
            }
        }
    }
}
