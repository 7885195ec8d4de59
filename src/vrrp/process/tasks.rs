//! The tasks: each waits for one descriptor, and then lets the shell work.

use std::cell::RefCell;
use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::rc::{Rc, Weak};

use async_io::Async;
use smol::future::yield_now;
use smol::{LocalExecutor, Task};

use super::shell::Shell;

/// What a task does after a read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Next {
    /// Reads again: perhaps there is more.
    Read,
    /// Waits until there is something.
    Wait,
    /// Ends: the other side is gone, so that the descriptor is readable for ever.
    End,
}

impl From<bool> for Next {
    /// `true`: perhaps there is more.
    fn from(more: bool) -> Self {
        if more { Self::Read } else { Self::Wait }
    }
}

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
    /// ends when it is dropped, or when `read` says so. It waits on a duplicate, so the shell keeps
    /// the descriptor.
    ///
    /// # Errors
    /// What the system says.
    pub fn watch<N: Into<Next>>(
        &self,
        fd: BorrowedFd<'_>,
        read: impl Fn(&mut Shell) -> N + 'static,
    ) -> io::Result<Task<()>> {
        let fd = duplicate(fd)?;
        let shell = self.shell.clone();
        Ok(self.executor.spawn(async move {
            let mut next = Next::Wait;
            while next != Next::End && fd.readable().await.is_ok() {
                while let Some(shell) = shell.upgrade() {
                    let more = {
                        let mut shell = shell.borrow_mut();
                        if next != Next::End {
                            next = read(&mut shell).into();
                        }
                        shell.turn() || next == Next::Read
                    };
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
                let more = {
                    let mut shell = shell.borrow_mut();
                    if let Some(then) = then.take() {
                        then(&mut shell);
                    }
                    shell.turn()
                };
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
