//! The tasks: each waits for one descriptor, and then lets the shell work.

use std::cell::RefCell;
use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::rc::{Rc, Weak};

use async_io::Async;
use smol::future::yield_now;
use smol::{LocalExecutor, Task};

use super::shell::Shell;
use crate::system::memory;

/// Work on the shell; `Some(true)`: there is more; `None`: there never will be.
type Read = dyn Fn(&mut Shell) -> Option<bool>;

/// Starts tasks that work on the shell.
#[derive(Clone, Debug)]
pub struct Spawner {
    executor: Rc<LocalExecutor<'static>>,
    shell: Weak<RefCell<Shell>>,
}

impl Spawner {
    /// For tasks on this executor and this shell.
    pub fn new(executor: &Rc<LocalExecutor<'static>>, shell: &Rc<RefCell<Shell>>) -> Self {
        Self { executor: Rc::clone(executor), shell: Rc::downgrade(shell) }
    }

    /// Whenever the descriptor is readable, calls `read` and lets the shell act, again and again
    /// as long as one of them has more to do, with others getting their turn in between. The task
    /// ends when it is dropped. It waits on a duplicate, so the shell keeps the descriptor.
    ///
    /// # Errors
    /// What the system says.
    pub fn watch(
        &self,
        fd: BorrowedFd<'_>,
        read: impl Fn(&mut Shell) -> bool + 'static,
    ) -> io::Result<Task<()>> {
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
    ) -> io::Result<Task<()>> {
        self.watch_boxed(fd, Box::new(read))
    }

    /// One task for all kinds: the machinery of a task is several kilobytes for each type.
    fn watch_boxed(&self, fd: BorrowedFd<'_>, read: Box<Read>) -> io::Result<Task<()>> {
        let fd = duplicate(fd)?;
        let shell = self.shell.clone();
        Ok(self.executor.spawn(async move {
            let mut open = true;
            while open && fd.readable().await.is_ok() {
                while let Some(shell) = shell.upgrade() {
                    let more = memory::own(|| {
                        let mut shell = shell.borrow_mut();
                        let more = if open { read(&mut shell) } else { None };
                        open = more.is_some();
                        shell.turn() || more == Some(true)
                    });
                    if !more {
                        break;
                    }
                    yield_now().await;
                }
            }
        }))
    }

    /// Once the descriptor is writable, lets the shell work.
    ///
    /// # Errors
    /// What the system says.
    pub fn when_writable(
        &self,
        fd: BorrowedFd<'_>,
        then: impl FnOnce(&mut Shell) + 'static,
    ) -> io::Result<()> {
        let fd = duplicate(fd)?;
        let shell = self.shell.clone();
        let task = self.executor.spawn(async move {
            // An error shows when the shell writes.
            let _ = fd.writable().await;
            let mut then = Some(then);
            while let Some(shell) = shell.upgrade() {
                let more = memory::own(|| {
                    let mut shell = shell.borrow_mut();
                    if let Some(then) = then.take() {
                        then(&mut shell);
                    }
                    shell.turn()
                });
                if !more {
                    break;
                }
                yield_now().await;
            }
        });
        task.detach();
        Ok(())
    }
}

fn duplicate(fd: BorrowedFd<'_>) -> io::Result<Async<OwnedFd>> {
    Async::new(fd.try_clone_to_owned()?)
}
