//! Looks whether the children work, at next to no cost while they do.
//!
//! A thread of its own sleeps until the loop of some child could be overdue, reads the children's
//! memory, and sleeps again: a wake-up and a system call for all of them together, whatever the
//! configuration. Only when a loop is overdue, or a child has changed something in the kernel, it
//! wakes the supervisor, which decides ([`liveness`](super::liveness)). It is a thread since the
//! supervisor's reactor takes a dozen system calls for a timer.

use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use smol::Timer;
use smol::channel::{Receiver, Sender, bounded};
use smol::future::or;

use super::liveness::{Look, Loop};
use super::notify::Notify;
use super::supervised::Supervised;
use crate::control::shared_memory::Shared;
use crate::system::clock;
use crate::system::shared_memory::Region;
use crate::system::threads::STACK_OCTETS;
use crate::units::Instant;

/// The thread sleeps for so long when no child is to be looked at.
const MAX_SLEEP: Duration = Duration::from_secs(60);
/// After it has woken the supervisor, it sleeps for so long, unless that wakes it.
const ALERT_PAUSE: Duration = Duration::from_secs(1);
/// Stands for a child that the supervisor itself looks at.
const NOT_WATCHED: u32 = u32::MAX;

/// What the thread knows of a child.
#[derive(Debug)]
struct Watched {
    memory: Arc<Region>,
    /// How long the loop may be overdue, in milliseconds.
    overdue: AtomicU32,
}

/// What both threads share.
#[derive(Debug)]
struct Board {
    children: Vec<Watched>,
    ended: AtomicBool,
}

/// The thread.
#[derive(Debug)]
struct Watcher {
    board: Arc<Board>,
    alert: Receiver<()>,
    thread: Option<JoinHandle<()>>,
}

impl Watcher {
    fn start(children: &[Rc<Supervised>]) -> io::Result<Self> {
        let watched = |child: &Rc<Supervised>| Watched {
            memory: Arc::clone(&child.context.memory),
            overdue: AtomicU32::new(NOT_WATCHED),
        };
        let board = Arc::new(Board {
            children: children.iter().map(watched).collect(),
            ended: AtomicBool::new(false),
        });
        let (sender, alert) = bounded(1);
        let theirs = Arc::clone(&board);
        let thread = thread::Builder::new()
            .name("steadfast: look".to_owned())
            .stack_size(STACK_OCTETS)
            .spawn(move || look_again_and_again(&theirs, &sender))?;
        Ok(Self { board, alert, thread: Some(thread) })
    }

    /// Leaves a child to the thread, or takes it back.
    fn leave(&self, place: usize, overdue: Option<Duration>) {
        let overdue = overdue.map_or(NOT_WATCHED, |overdue| {
            u32::try_from(overdue.as_millis()).unwrap_or(NOT_WATCHED - 1)
        });
        if let Some(watched) = self.board.children.get(place) {
            watched.overdue.store(overdue, Ordering::Release);
        }
    }

    /// The thread looks at once.
    fn wake(&self) {
        if let Some(thread) = &self.thread {
            thread.thread().unpark();
        }
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        self.board.ended.store(true, Ordering::Release);
        self.wake();
        if let Some(thread) = self.thread.take() {
            // It has ended, or panicked, which ends this process as well.
            let _ = thread.join();
        }
    }
}

/// The thread's work.
fn look_again_and_again(board: &Board, alert: &Sender<()>) {
    let mut seen = vec![0; board.children.len()];
    while !board.ended.load(Ordering::Acquire) {
        let now = clock::now();
        let mut next = now + MAX_SLEEP;
        let mut alarming = false;
        for (watched, seen) in board.children.iter().zip(&mut seen) {
            let Ok(shared) = Shared::open(&*watched.memory) else { continue };
            let changes = shared.changes();
            alarming |= std::mem::replace(seen, changes) != changes;
            let overdue = watched.overdue.load(Ordering::Acquire);
            if overdue != NOT_WATCHED {
                let at = shared.due(now) + Duration::from_millis(overdue.into());
                if at <= now {
                    alarming = true;
                    next = next.min(now + ALERT_PAUSE);
                } else {
                    next = next.min(at);
                }
            }
        }
        if alarming {
            // A full channel is an alert that was not heard yet.
            let _ = alert.try_send(());
        }
        thread::park_timeout(next.since(now));
    }
}

/// Checks the children without end. `look` asks for a check at once.
///
/// # Errors
/// There is no thread.
pub async fn watch(children: &[Rc<Supervised>], look: &Notify) -> io::Result<()> {
    let watcher = Watcher::start(children)?;
    loop {
        let now = clock::now();
        let mut next: Option<Instant> = None;
        for (place, child) in children.iter().enumerate() {
            let overdue = match look_at(child, now) {
                Some(Look::Works(overdue)) => Some(overdue),
                Some(Look::Again(at) | Look::Ask(_, at)) => {
                    next = Some(next.map_or(at, |next| next.min(at)));
                    None
                }
                Some(Look::Hung(_)) | None => None,
            };
            watcher.leave(place, overdue);
        }
        watcher.wake();
        let alert = async {
            // The other end is dropped after this one.
            let _ = watcher.alert.recv().await;
        };
        let timer = async {
            match next {
                Some(at) => drop(Timer::after(at.since(now)).await),
                None => std::future::pending().await,
            }
        };
        or(timer, or(alert, look.notified())).await;
    }
}

/// Looks at one child; `None`: it does not run.
fn look_at(child: &Supervised, now: Instant) -> Option<Look> {
    if child.holdings.is_outdated() {
        child.account.notify();
    }
    let (link, shared) = (child.link()?, child.shared()?);
    let seen = Loop { turns: shared.beats(), due: shared.due(now) };
    link.look(now, seen, child.period(), child.holdings.is_held())
}
