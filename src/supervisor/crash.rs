//! What is known about the end of a process that was not asked for.

use std::collections::VecDeque;
use std::fmt;
use std::rc::Rc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::control::event::{Event, Level, text};
use crate::control::humanize::decimals;
use crate::control::shared_memory::Shared;
use crate::control::status;
use crate::system::shared_memory::Region;
use crate::units::Instant;

/// How many events are kept.
const MAX_EVENTS: usize = 5;

/// The end of a process.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Crash {
    /// When it was seen.
    pub at: Instant,
    /// How it ended: "vrrp process 77 was killed by SIGSEGV".
    pub end: String,
    /// How often one has ended within a minute.
    pub ends: usize,
    /// That is so often that the next one hands over what it resumes.
    pub handed_over: bool,
    /// How long it had run; `None`: it was not even started.
    ran: Option<Ran>,
    /// What it had said last, oldest first.
    events: Vec<Event>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
struct Ran {
    ran: Duration,
    stood: Duration,
    late: Duration,
}

/// The last events of a process.
#[derive(Debug, Default)]
pub struct LastEvents(VecDeque<Rc<Event>>);

impl LastEvents {
    /// Takes one more.
    pub fn take(&mut self, event: Rc<Event>) {
        if self.0.len() == MAX_EVENTS {
            self.0.pop_front();
        }
        self.0.push_back(event);
    }

    /// Those of a process that is no more.
    pub fn clear(&mut self) {
        self.0.clear();
    }
}

impl Crash {
    /// Of a process that could not be started.
    pub fn not_started(at: Instant, end: String) -> Self {
        Self { at, end, ends: 1, handed_over: false, ran: None, events: Vec::new() }
    }

    /// Of a process that ran since `began`.
    pub fn new(
        at: Instant,
        end: String,
        began: Instant,
        memory: &Region,
        events: &LastEvents,
    ) -> Self {
        let shared = Shared::open(memory);
        let ran = shared.ok().map(|shared| Ran {
            ran: at.since(began),
            stood: shared.since_beat(at).min(at.since(began)),
            late: shared.worst_late(),
        });
        let events = events.0.iter().map(|event| Event::clone(event)).collect();
        Self { at, end, ends: 1, handed_over: false, ran, events }
    }

    /// The lines that matter less than what is logged, and so are in no log yet.
    pub fn unlogged(&self, level: Level) -> impl Iterator<Item = String> {
        self.events.iter().filter(move |event| event.level() > level).map(text::event)
    }

    /// As the status document has it.
    pub fn status(&self, now: Instant) -> status::Crash {
        let seconds = |time: fn(&Ran) -> Duration| self.ran.as_ref().map(|r| time(r).as_secs_f64());
        status::Crash {
            age: now.since(self.at).as_secs_f64(),
            end: self.end.clone(),
            in_a_minute: self.ends as u64,
            handed_over: self.handed_over,
            ran: seconds(|ran| ran.ran),
            loop_stood: seconds(|ran| ran.stood),
            loop_late_max: seconds(|ran| ran.late),
            last_lines: self.events.iter().map(text::event).collect(),
        }
    }
}

impl fmt::Display for Crash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.end)?;
        let Some(Ran { ran, stood, late }) = self.ran else { return Ok(()) };
        write!(
            f,
            " after {} s; its loop had last turned {} s before, and was late by {} ms at worst",
            decimals(ran.as_secs_f64(), 1),
            decimals(stood.as_secs_f64(), 3),
            decimals(late.as_secs_f64() * 1000.0, 1)
        )
    }
}
