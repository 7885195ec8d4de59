//! The log: takes the records of all processes, writes them, keeps the last changes of state, and
//! gives every record to those who listen.

mod library;
pub mod line;
mod writer;

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::io;
use std::rc::Rc;
use std::time::Duration;

use smol::channel::{Receiver, Sender, TrySendError, bounded};

use crate::control::humanize::plural;
use crate::control::record::{Kind, Level, Record};
use crate::control::status::Event;
use crate::system::clock;
use line::Clocks;
pub use writer::Target;
use writer::Writer;

/// How many changes of state are kept.
pub const KEPT: usize = 10;
/// How many events wait for a listener.
const WAITING: usize = 256;
/// Records of the library that wait for their turn.
const OWN: usize = 256;
/// How long the end waits for the log.
const PATIENCE: Duration = Duration::from_secs(1);

/// The log.
#[derive(Debug)]
pub struct Log {
    target: Target,
    writer: Writer,
    level: Cell<Level>,
    transitions: RefCell<VecDeque<Record>>,
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
    pub fn of_library(&self) -> Receiver<Record> {
        let (sender, receiver) = bounded(OWN);
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

    /// Takes a record.
    pub fn take(&self, record: Record) {
        let clocks = Clocks { now: clock::now(), wall: clock::wall() };
        if record.level <= self.level.get() {
            self.writer.put(line::line(&record, &clocks));
        }
        self.tell(&record, &clocks);
        if record.transition.is_some() {
            let mut transitions = self.transitions.borrow_mut();
            if transitions.len() == KEPT {
                transitions.pop_front();
            }
            transitions.push_back(record);
        }
    }

    /// A record of the supervisor itself.
    pub fn note(&self, level: Level, kind: Kind, text: impl Into<String>) {
        self.take(Record {
            at: clock::now(),
            level,
            kind,
            instance: None,
            transition: None,
            text: text.into(),
            left_out: 0,
        });
    }

    fn tell(&self, record: &Record, clocks: &Clocks) {
        let mut listeners = self.listeners.borrow_mut();
        if listeners.is_empty() {
            return;
        }
        let event = Rc::new(line::event(record, clocks));
        listeners.retain(|listener| match listener.events.try_send(Rc::clone(&event)) {
            Ok(()) => true,
            Err(TrySendError::Full(_)) => {
                listener.missed.set(listener.missed.get().saturating_add(1));
                true
            }
            Err(TrySendError::Closed(_)) => false,
        });
    }

    /// Every record from now on.
    pub fn subscribe(&self) -> Subscription {
        let (sender, events) = bounded(WAITING);
        let missed = Rc::new(Cell::new(0));
        self.listeners.borrow_mut().push(Listener { events: sender, missed: Rc::clone(&missed) });
        Subscription { events, missed }
    }

    /// The last changes of state, oldest first.
    pub fn transitions(&self) -> Vec<Event> {
        let clocks = Clocks { now: clock::now(), wall: clock::wall() };
        self.transitions.borrow().iter().map(|record| line::event(record, &clocks)).collect()
    }

    /// The same, as they came.
    pub fn last_transitions(&self) -> Vec<Record> {
        self.transitions.borrow().iter().cloned().collect()
    }

    /// Goes on after another program with the last changes of state that it knew.
    pub fn go_on(&self, transitions: Vec<Record>) {
        *self.transitions.borrow_mut() = transitions.into();
    }

    /// Where it is written to.
    pub const fn target(&self) -> Target {
        self.target
    }

    /// Records that were lost because the log was too slow.
    pub fn lost(&self) -> u64 {
        self.writer.lost().into()
    }

    /// Waits until all is written, unless that takes too long.
    pub fn finish(self) {
        library::uninstall();
        self.writer.finish(PATIENCE);
    }
}

impl Subscription {
    /// The next event; after a loss one that says how many there were. `None` when the log ends.
    pub async fn next(&self) -> Option<Rc<Event>> {
        let missed = self.missed.take();
        if missed == 0 {
            return self.events.recv().await.ok();
        }
        Some(Rc::new(Event {
            time: clock::wall().as_secs_f64(),
            level: Level::Warning,
            kind: Kind::Process,
            instance: None,
            from: None,
            to: None,
            cause: None,
            text: format!("{} left out: this client reads too slowly", plural(missed, "event")),
            left_out: missed,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::record::Transition;
    use crate::control::status::State;

    fn log() -> Log {
        Log::start(Target::Stderr, Level::Error).unwrap()
    }

    #[test]
    fn the_last_ten_changes_of_state_are_kept() {
        let log = log();
        for number in 0..25 {
            log.note(Level::Notice, Kind::Process, "something else");
            log.take(Record {
                at: clock::now(),
                level: Level::Notice,
                kind: Kind::Transition,
                instance: Some("lan".to_owned()),
                transition: Some(Transition {
                    from: State::Backup,
                    to: State::Master,
                    cause: number.to_string(),
                }),
                text: String::new(),
                left_out: 0,
            });
        }
        let kept = log.transitions();
        let causes: Vec<String> = kept.into_iter().filter_map(|event| event.cause).collect();
        assert_eq!(causes, (15..25).map(|n| n.to_string()).collect::<Vec<_>>());
    }

    #[test]
    fn a_listener_that_does_not_read_is_told_how_many_it_missed() {
        let log = log();
        let (slow, gone) = (log.subscribe(), log.subscribe());
        drop(gone);
        for number in 0..WAITING + 5 {
            log.note(Level::Info, Kind::Process, number.to_string());
        }
        assert_eq!(log.listeners.borrow().len(), 1);
        let next = || async_io::block_on(slow.next()).unwrap();
        let told = next();
        assert_eq!((told.left_out, told.level), (5, Level::Warning));
        assert_eq!(next().text, "0");
        drop(log);
        for _ in 1..WAITING {
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
