//! The event loop of a child: it waits for all descriptors at once, and calls the child.

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
    /// It stopped as requested.
    Stopped,
    /// It cannot work any more.
    Failed,
}

/// What is left in a source after reading.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Read {
    /// There may be more: the source is read again after the other sources.
    More,
    /// Everything was read.
    All,
    /// The source has ended: it is not waited for any more.
    End,
}

impl Read {
    /// [`Read::More`] if there is more, otherwise [`Read::All`].
    pub const fn more(more: bool) -> Self {
        if more { Self::More } else { Self::All }
    }
}

/// The work of a child. None of its methods may block.
pub trait Child {
    /// Identifies what the child waits for.
    type Source: Copy;

    /// Handles a source that is readable, has fired, or is writable.
    fn read(&mut self, source: Self::Source) -> Read;

    /// Does one turn's part of the work; `true` when more is left.
    fn turn(&mut self) -> bool;

    /// The time to sleep before the loop waits again, so that events that arrive meanwhile are handled
    /// in one turn.
    fn pause(&mut self) -> Option<Duration> {
        None
    }

    /// How the child ended, once the supervisor was informed.
    fn ended(&self) -> Option<End>;
}

struct Entry<T> {
    member: Member,
    source: T,
}

/// All sources. Keys are never reused, so that an event of an entry that was removed meanwhile is ignored.
struct Registry<T> {
    poller: Poller,
    entries: RefCell<Map<u64, Entry<T>>>,
    last: Cell<u64>,
}

/// A handle for adding sources to the loop.
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

/// Keeps a source in the loop until it is dropped.
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
    /// An event loop without sources.
    ///
    /// # Errors
    /// The error of the system call.
    pub fn new() -> io::Result<Self> {
        let (entries, last) = (RefCell::default(), Cell::new(0));
        Ok(Self(Rc::new(Registry { poller: Poller::new()?, entries, last })))
    }

    /// Calls [`Child::read`] whenever the descriptor is readable. The child keeps the descriptor.
    ///
    /// # Errors
    /// The error of the system call.
    pub fn watch(&self, fd: BorrowedFd<'_>, source: T) -> io::Result<Watch<T>> {
        self.watch_for(fd, Interest::Readable, source)
    }

    /// Calls [`Child::read`] whenever the timer fires. Its descriptor need not be read.
    ///
    /// # Errors
    /// The error of the system call.
    pub fn watch_timer(&self, fd: BorrowedFd<'_>, source: T) -> io::Result<Watch<T>> {
        self.watch_for(fd, Interest::Fired, source)
    }

    fn watch_for(&self, fd: BorrowedFd<'_>, interest: Interest, source: T) -> io::Result<Watch<T>> {
        let key = self.0.add(fd, interest, source)?;
        Ok(Watch { key, registry: Rc::downgrade(&self.0) })
    }

    /// Calls [`Child::read`] once the descriptor is writable. It must return [`Read::End`].
    ///
    /// # Errors
    /// The error of the system call.
    pub fn when_writable(&self, fd: BorrowedFd<'_>, source: T) -> io::Result<()> {
        self.0.add(fd, Interest::Writable, source).map(drop)
    }

    /// Runs the child until it has ended.
    ///
    /// # Errors
    /// The error of the system call.
    pub fn run(&self, child: &mut impl Child<Source = T>) -> io::Result<End> {
        let registry = &*self.0;
        // The sources that are ready, and those that had more to read in the last turn.
        let (mut ready, mut again): (Vec<u64>, Vec<u64>) = (Vec::new(), Vec::new());
        let mut more = true;
        loop {
            std::mem::swap(&mut ready, &mut again);
            let block = !more && ready.is_empty();
            if block && let Some(rest) = child.pause() {
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
            if let Some(end) = child.ended() {
                return Ok(end);
            }
        }
    }
}
