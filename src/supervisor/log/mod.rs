//! The log: takes the events of all processes, writes their lines, keeps the last changes of state,
//! and gives every event to those who listen.

mod library;
pub mod line;
mod writer;

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::io;
use std::rc::Rc;
use std::time::Duration;

use smol::channel::{Receiver, Sender, TrySendError, bounded};

use crate::control::event::{Event, Kind, Level, What, json};
use crate::system::clock;
use line::Clocks;
pub use writer::Target;
use writer::Writer;

/// How many changes of state are kept.
pub const MAX_TRANSITIONS: usize = 10;
/// How many events wait for a listener at most.
const MAX_WAITING_EVENTS: usize = 256;
/// How many events of the library wait at most.
const MAX_LIBRARY_EVENTS: usize = 256;
/// How long the end waits for the log.
const FINISH_TIMEOUT: Duration = Duration::from_secs(1);

/// The log.
#[derive(Debug)]
pub struct Log {
    target: Target,
    writer: Writer,
    level: Cell<Level>,
    transitions: RefCell<VecDeque<Rc<Event>>>,
    listeners: RefCell<Vec<Listener>>,
}

#[derive(Debug)]
struct Listener {
    events: Sender<Rc<Event>>,
    missed: Rc<Cell<u32>>,
}

/// The other end of a listener.
#[derive(Debug)]
pub struct Subscription {
    events: Receiver<Rc<Event>>,
    missed: Rc<Cell<u32>>,
}

impl Log {
    /// Starts to write.
    ///
    /// # Errors
    /// What the system says.
    pub fn start(target: Target, level: Level) -> io::Result<Self> {
        Ok(Self {
            target,
            writer: Writer::start(target)?,
            level: Cell::new(level),
            transitions: RefCell::default(),
            listeners: RefCell::default(),
        })
    }

    /// Lines of the library in this process come out of the channel from now on.
    pub fn of_library(&self) -> Receiver<Event> {
        let (sender, receiver) = bounded(MAX_LIBRARY_EVENTS);
        library::install(self.level.get(), sender);
        receiver
    }

    /// How much is written.
    pub fn level(&self) -> Level {
        self.level.get()
    }

    /// Changes how much is written.
    pub fn set_level(&self, level: Level) {
        self.level.set(level);
        library::set_level(level);
    }

    /// The level that children have to send at least: changes of state are kept for the status
    /// whatever is written.
    pub fn level_of_children(&self) -> Level {
        self.level.get().max(Level::Notice)
    }

    /// Takes an event.
    pub fn take(&self, event: Rc<Event>) {
        if event.level() <= self.level.get() {
            self.writer.put(line::line(&event, &Clocks::read()));
        }
        self.tell_listeners(&event);
        if event.is_transition() {
            let mut transitions = self.transitions.borrow_mut();
            if transitions.len() == MAX_TRANSITIONS {
                transitions.pop_front();
            }
            transitions.push_back(event);
        }
    }

    /// An event of the supervisor itself.
    pub fn tell(&self, what: What) {
        self.take(Rc::new(Event::of_process(clock::now(), what)));
    }

    /// The same, as free text.
    pub fn note(&self, level: Level, kind: Kind, text: impl Into<String>) {
        self.tell(What::message(level, kind, text.into()));
    }

    fn tell_listeners(&self, event: &Rc<Event>) {
        self.listeners.borrow_mut().retain(|listener| {
            match listener.events.try_send(Rc::clone(event)) {
                Ok(()) => true,
                Err(TrySendError::Full(_)) => {
                    listener.missed.set(listener.missed.get().saturating_add(1));
                    true
                }
                Err(TrySendError::Closed(_)) => false,
            }
        });
    }

    /// Every event from now on.
    pub fn subscribe(&self) -> Subscription {
        let (sender, events) = bounded(MAX_WAITING_EVENTS);
        let missed = Rc::new(Cell::new(0));
        self.listeners.borrow_mut().push(Listener { events: sender, missed: Rc::clone(&missed) });
        Subscription { events, missed }
    }

    /// The last changes of state, oldest first.
    pub fn transitions(&self) -> Vec<Rc<Event>> {
        self.transitions.borrow().iter().cloned().collect()
    }

    /// Goes on after another program with the last changes of state that it knew.
    pub fn go_on(&self, transitions: Vec<Event>) {
        *self.transitions.borrow_mut() = transitions.into_iter().map(Rc::new).collect();
    }

    /// Where it is written to.
    pub const fn target(&self) -> Target {
        self.target
    }

    /// Lines that were lost because the log was too slow.
    pub fn lost(&self) -> u64 {
        self.writer.lost().into()
    }

    /// Waits until all is written, unless that takes too long.
    pub fn finish(self) {
        library::uninstall();
        self.writer.finish(FINISH_TIMEOUT);
    }
}

/// An event as clients of the control socket read it.
pub fn shown(event: &Event) -> json::Event {
    json::event(event, Clocks::read().wall(event.at))
}

impl Subscription {
    /// The next event; after a loss one that says how many there were. `None` when the log ends.
    pub async fn next(&self) -> Option<Rc<Event>> {
        match self.missed.take() {
            0 => self.events.recv().await.ok(),
            count => {
                let lost = Event::of_process(clock::now(), What::EventsLost { count });
                Some(Rc::new(Event { left_out: count, ..lost }))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::event::{Cause, Subject, text};
    use crate::control::status::State;
    use crate::units::{Priority, Vrid};

    fn log() -> Log {
        Log::start(Target::Stderr, Level::Error).unwrap()
    }

    #[test]
    fn the_last_ten_changes_of_state_are_kept() {
        let log = log();
        for number in 0..25 {
            log.note(Level::Notice, Kind::Process, "something else");
            let subject = Subject::Instance {
                name: "lan".into(),
                interface: "eth0".into(),
                vrid: Vrid::new(1).unwrap(),
            };
            let what = What::Transition {
                from: State::Backup,
                to: State::Master,
                cause: Cause::Preempted { master: [192, 0, 2, 1].into(), theirs: Priority(number) },
                priority: Priority::DEFAULT,
            };
            log.take(Rc::new(Event { at: clock::now(), subject, what, left_out: 0 }));
        }
        let kept = log.transitions();
        let causes: Vec<String> = kept.iter().filter_map(|event| shown(event).cause).collect();
        let priority = |n| format!("priority is higher than that of 192.0.2.1 ({n})");
        assert_eq!(causes, (15..25).map(priority).collect::<Vec<_>>());
    }

    #[test]
    fn a_listener_that_does_not_read_is_told_how_many_it_missed() {
        let log = log();
        let (slow, gone) = (log.subscribe(), log.subscribe());
        drop(gone);
        for number in 0..MAX_WAITING_EVENTS + 5 {
            log.note(Level::Info, Kind::Process, number.to_string());
        }
        assert_eq!(log.listeners.borrow().len(), 1);
        let next = || async_io::block_on(slow.next()).unwrap();
        let told = next();
        assert_eq!((told.left_out, told.level()), (5, Level::Warning));
        assert_eq!(text::event(&next()), "0");
        drop(log);
        for _ in 1..MAX_WAITING_EVENTS {
            next();
        }
        assert_eq!(async_io::block_on(slow.next()), None);
    }

    #[test]
    fn children_send_changes_of_state_at_any_level() {
        let log = log();
        assert_eq!(log.level_of_children(), Level::Notice);
        log.set_level(Level::Debug);
        assert_eq!(log.level_of_children(), Level::Debug);
    }
}
