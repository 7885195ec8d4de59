//! A role that does nothing, for tests of the supervisor.

use std::ffi::OsString;
use std::io;
use std::os::fd::AsFd;
use std::process::ExitCode;

use super::alarm::Alarm;
use super::event_loop::{Child, End, Read, Sources};
use super::role_claim::RoleClaim;
use super::start::{self, Inherited};
use super::supervisor_link::{Input, LinkSources, SupervisorLink};
use crate::control::child_messages::{FromChild, ToChild};
use crate::control::shared_memory::Shared;
use crate::control::status::ProcessReport;
use crate::system::shared_memory::Region;
use crate::system::{clock, heap, memory};

/// The hidden command that starts this role.
pub const COMMAND: &str = "idle-process";

#[derive(Clone, Copy, Debug)]
enum Source {
    Supervisor,
    MessageRoom,
    EventRoom,
    Alarm,
}

#[derive(Debug)]
struct Idle {
    link: SupervisorLink<Source>,
    alarm: Alarm,
    shared: Shared<Region>,
    claim: RoleClaim,
    /// The generation of a configuration that waits for the lock of the role.
    waiting: Option<u32>,
    /// How many configurations it was given.
    configurations: u32,
}

/// Runs until the supervisor stops it or is gone.
///
/// # Errors
/// The error because of which the process cannot start.
pub fn run(words: &[OsString]) -> io::Result<ExitCode> {
    let Inherited { stream, events, shared, lock } = start::start(c"steadfast: idle", words, &[])?;
    let sources = Sources::new()?;
    let of = LinkSources {
        messages: Source::Supervisor,
        message_room: Source::MessageRoom,
        event_room: Source::EventRoom,
    };
    let alarm = Alarm::new()?;
    let _watch = sources.watch_timer(alarm.as_fd(), Source::Alarm)?;
    let mut idle = Idle {
        link: SupervisorLink::new("idle", stream, events, &sources, of)?,
        alarm,
        shared,
        claim: RoleClaim::new(lock),
        waiting: None,
        configurations: 0,
    };
    Ok(match sources.run(&mut idle)? {
        End::Stopped => ExitCode::SUCCESS,
        End::Failed => ExitCode::FAILURE,
    })
}

impl Idle {
    fn handle(&mut self, message: ToChild) {
        match message {
            ToChild::Hello { number } => self.link.send(&FromChild::Hello { number }),
            ToChild::Configuration { generation, .. } => {
                self.waiting = Some(generation);
                self.configurations = self.configurations.wrapping_add(1);
            }
            ToChild::Status { ticket } => {
                let report = ProcessReport {
                    records_limited: self.link.events.limited,
                    records_lost: self.link.events.lost,
                    counters: [("configurations".to_owned(), self.configurations)].into(),
                };
                let heap = heap::count().map(Into::into);
                self.link.send(&FromChild::Process { ticket, report, heap });
            }
            ToChild::LogLevel(level) => self.link.events.set_level(level),
            ToChild::Stop | ToChild::StopNow => {
                self.link.send(&FromChild::Stopped);
                self.link.finish();
            }
            ToChild::Leave => {
                self.link.send(&FromChild::Leaving);
                self.link.finish();
            }
            ToChild::LockMemory { ticket, lock } => {
                let done = if lock { memory::lock() } else { memory::unlock() };
                let result = done.map(|()| String::new()).map_err(|error| error.to_string());
                self.link.send(&FromChild::Answer { ticket, result });
            }
            ToChild::Switchover { ticket, .. } | ToChild::Release { ticket, .. } => {
                let result = Err("this process has no instances".to_owned());
                self.link.send(&FromChild::Answer { ticket, result });
            }
            ToChild::StandBack { .. } => {}
        }
    }
}

impl Child for Idle {
    type Source = Source;

    fn read(&mut self, source: Source) -> Read {
        match source {
            Source::Supervisor => match self.link.read() {
                Input::Some => {
                    while let Some(message) = self.link.message() {
                        self.handle(message);
                    }
                    Read::More
                }
                Input::Nothing => Read::All,
                Input::Gone => {
                    self.link.finish();
                    Read::End
                }
            },
            Source::MessageRoom => {
                self.link.has_message_room();
                Read::End
            }
            Source::EventRoom => {
                self.link.has_event_room();
                Read::End
            }
            Source::Alarm => {
                self.alarm.fired();
                Read::All
            }
        }
    }

    fn turn(&mut self) -> bool {
        let now = clock::now();
        self.alarm.turn(&self.shared, now);
        if let Some(generation) = self.waiting.filter(|_| self.claim.is_ours()) {
            self.waiting = None;
            self.link.send(&FromChild::Applied { generation });
        }
        self.link.pass_library_log();
        let retry = self.waiting.map(|_| now + super::role_claim::RETRY_PERIOD);
        if let Err(error) = self.alarm.set(&self.shared, retry, now) {
            self.link.fail(&format!("cannot set the timer: {error}"));
        }
        self.link.flush();
        false
    }

    fn ended(&self) -> Option<End> {
        self.link.ended()
    }
}
