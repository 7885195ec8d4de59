//! The way out: standard error or syslog. Both block when their reader is slow, so a thread of its
//! own writes, behind a queue with an end.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use syslog::{Facility, LogFormat, Logger, LoggerBackend, Severity};

use super::line::Line;
use crate::control::event::Level;
use crate::control::humanize::plural;
use crate::system::threads::STACK_OCTETS;

/// The largest number of lines in the queue.
const MAX_QUEUED_LINES: usize = 1_024;
/// The time between two attempts to connect to a missing log.
const RETRY_PERIOD: Duration = Duration::from_secs(1);

/// What standard error gets when the system's log is missing at the start.
const NO_SYSTEM_LOG: &str = "steadfast: warning: there is no system log at /dev/log; it is tried again with \
                    every line, and lines are lost until then; to log to standard error, run it \
                    without --syslog and --daemon\n";

/// Where the log goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Target {
    /// Standard error, with the time.
    Stderr,
    /// The system's log, facility `daemon`.
    Syslog,
}

/// The lines between the two threads. A channel of the standard library would be three kinds of
/// channels in one, 10 KB of code.
#[derive(Debug, Default)]
struct Queue {
    state: Mutex<QueueState>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct QueueState {
    lines: VecDeque<Line>,
    /// No more lines will come.
    closed: bool,
    /// All lines are written.
    ended: bool,
}

impl Queue {
    fn state(&self) -> MutexGuard<'_, QueueState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for the next line; `None`: there will be none.
    fn next(&self) -> Option<Line> {
        let waits = |state: &mut QueueState| state.lines.is_empty() && !state.closed;
        let state = self.changed.wait_while(self.state(), waits);
        state.unwrap_or_else(PoisonError::into_inner).lines.pop_front()
    }
}

/// The sending end.
#[derive(Debug)]
pub struct Writer {
    queue: Arc<Queue>,
    capacity: usize,
    thread: JoinHandle<()>,
    /// Lines that did not get out: there was no room for them, or they could not be written.
    lost: Arc<AtomicU32>,
}

impl Writer {
    /// Starts the thread. Standard error is told when the system's log is to be used and away.
    ///
    /// # Errors
    /// What the system says.
    pub fn start(target: Target) -> io::Result<Self> {
        if target == Target::Syslog && connect().is_none() {
            // Whoever closed standard error does not want to know.
            let _ = io::stderr().lock().write_all(NO_SYSTEM_LOG.as_bytes());
        }
        Self::with(MAX_QUEUED_LINES, move |line| match target {
            Target::Stderr => io::stderr().lock().write_all(line.with_time().as_bytes()).is_ok(),
            Target::Syslog => SYSTEM_LOG.with_borrow_mut(|log| log.write(line)),
        })
    }

    /// `write` tells whether a line got out.
    fn with(capacity: usize, write: impl Fn(&Line) -> bool + Send + 'static) -> io::Result<Self> {
        let queue = Arc::new(Queue::default());
        let lost = Arc::new(AtomicU32::new(0));
        let (lines, counter) = (Arc::clone(&queue), Arc::clone(&lost));
        let work = move || {
            let mut said = 0;
            while let Some(line) = lines.next() {
                let total = counter.load(Ordering::Relaxed);
                if total != said && write(&about_loss(total.wrapping_sub(said), line.time)) {
                    said = total;
                }
                if !write(&line) {
                    counter.fetch_add(1, Ordering::Relaxed);
                }
            }
            lines.state().ended = true;
            lines.changed.notify_all();
        };
        let thread =
            thread::Builder::new().name("steadfast: log".to_owned()).stack_size(STACK_OCTETS);
        Ok(Self { queue, capacity, thread: thread.spawn(work)?, lost })
    }

    /// Puts a line in the queue; without room it is lost.
    pub fn put(&self, line: Line) {
        let mut state = self.queue.state();
        if state.lines.len() < self.capacity {
            state.lines.push_back(line);
            self.queue.changed.notify_all();
        } else {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// How many lines did not get out.
    pub fn lost(&self) -> u32 {
        self.lost.load(Ordering::Relaxed)
    }

    /// Waits until all is written, but not for longer than `timeout`.
    pub fn finish(self, timeout: Duration) -> bool {
        let mut state = self.queue.state();
        state.closed = true;
        self.queue.changed.notify_all();
        let waited = self.queue.changed.wait_timeout_while(state, timeout, |state| !state.ended);
        let ended = waited.unwrap_or_else(PoisonError::into_inner).0.ended;
        if ended {
            // It has nothing left to do; what it has is to be gone when we are done.
            let _ = self.thread.join();
        }
        ended
    }
}

/// What the log says when it is back.
fn about_loss(count: u32, time: Duration) -> Line {
    let text = format!("{} lost: the log was away or too slow", plural(count, "record"));
    Line { time, level: Level::Warning, text }
}

thread_local! {
    static SYSTEM_LOG: std::cell::RefCell<SystemLog> = const { std::cell::RefCell::new(SystemLog::new()) };
}

/// What the system's log gets (RFC 3164, section 4.1): the crate's own formatter parses a
/// description of the time for every line, and brings 50 kilobytes for that.
#[derive(Clone, Debug)]
struct Format {
    pid: u32,
}

impl LogFormat<&Line> for Format {
    fn format<W: Write>(&self, w: &mut W, severity: Severity, line: &Line) -> syslog::Result<()> {
        let priority = Facility::LOG_DAEMON as u32 | severity as u32;
        let time = line.short_time();
        write!(w, "<{priority}>{time} steadfast[{}]: {}", self.pid, line.text)
            .map_err(syslog::Error::Write)
    }
}

/// Connects to the system's log; `None`: it is away.
fn connect() -> Option<Logger<LoggerBackend, Format>> {
    syslog::unix(Format { pid: std::process::id() }).ok()
}

/// The connection to the system's log, made when it is needed.
struct SystemLog {
    logger: Option<Logger<LoggerBackend, Format>>,
    /// When the last connection failed.
    missed: Option<Instant>,
}

impl SystemLog {
    const fn new() -> Self {
        Self { logger: None, missed: None }
    }

    fn write(&mut self, line: &Line) -> bool {
        // A log that was restarted is found only by connecting again.
        self.try_write(line) || self.try_write(line)
    }

    fn try_write(&mut self, line: &Line) -> bool {
        if self.logger.is_none()
            && self.missed.is_none_or(|missed| missed.elapsed() >= RETRY_PERIOD)
        {
            self.logger = connect();
            self.missed = self.logger.is_none().then(Instant::now);
        }
        let Some(logger) = &mut self.logger else { return false };
        let written = match line.level {
            Level::Error => logger.err(line),
            Level::Warning => logger.warning(line),
            Level::Notice => logger.notice(line),
            Level::Info => logger.info(line),
            Level::Debug => logger.debug(line),
        };
        if written.is_err() {
            self.logger = None;
        }
        written.is_ok()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;

    fn line(text: &str) -> Line {
        Line { time: Duration::ZERO, level: Level::Info, text: text.to_owned() }
    }

    #[test]
    fn a_slow_log_fills_the_queue_and_no_more() {
        let (began, begins) = channel();
        let (go, may_go) = channel::<()>();
        let writer = Writer::with(2, move |line| {
            began.send(line.text.clone()).unwrap();
            may_go.recv().unwrap();
            true
        });
        let writer = writer.unwrap();
        writer.put(line("a"));
        assert_eq!(begins.recv().unwrap(), "a");
        // The first is being written, two wait, and there is no room for more.
        for text in ["b", "c", "d", "e"] {
            writer.put(line(text));
        }
        assert_eq!(writer.lost(), 2);
        for _ in 0..4 {
            go.send(()).unwrap();
        }
        assert!(writer.finish(Duration::from_secs(60)));
        let said = about_loss(2, Duration::ZERO).text;
        assert_eq!(begins.iter().collect::<Vec<_>>(), [&*said, "b", "c"]);
    }

    #[test]
    fn the_system_log_gets_priority_time_and_name() {
        let line = Line {
            time: Duration::from_secs(951_782_399),
            level: Level::Warning,
            text: "lan: is MASTER".to_owned(),
        };
        let mut written = Vec::new();
        Format { pid: 7 }.format(&mut written, Severity::LOG_WARNING, &line).unwrap();
        let text = "<28>Feb 28 23:59:59 steadfast[7]: lan: is MASTER";
        assert_eq!(String::from_utf8(written).unwrap(), text);
    }

    #[test]
    fn what_was_lost_is_said_when_the_log_is_back() {
        let (written, read) = channel();
        let (turn, turns) = channel::<bool>();
        let writer = Writer::with(8, move |line| {
            let works = turns.recv().unwrap();
            written.send((works, line.text.clone())).unwrap();
            works
        });
        let writer = writer.unwrap();
        // The second one fails with the line about the first.
        for works in [false, false, false, true, true] {
            turn.send(works).unwrap();
        }
        for text in ["a", "b", "c"] {
            writer.put(line(text));
        }
        let lost = Arc::clone(&writer.lost);
        assert!(writer.finish(Duration::from_secs(60)));
        assert_eq!(lost.load(Ordering::Relaxed), 2);
        let out: Vec<String> = read.iter().filter(|(works, _)| *works).map(|(_, t)| t).collect();
        assert_eq!(out, [&*about_loss(2, Duration::ZERO).text, "c"]);
    }
}
