//! The way out: standard error or syslog. Both block when their reader is slow, so a thread of its
//! own writes, behind a queue with an end.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use syslog::{Facility, LogFormat, Logger, LoggerBackend, Severity};

use super::line::Line;
use crate::control::record::Level;

/// Lines that wait at most.
pub const QUEUE: usize = 1_024;
/// Octets of the thread's stack: it formats.
const STACK: usize = 128 * 1024;
/// How often a log that is away is looked for.
const RETRY: Duration = Duration::from_secs(1);

/// Where the log goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Target {
    /// Standard error, with the time.
    Stderr,
    /// The system's log, facility `daemon`.
    Syslog,
}

/// The sending end.
#[derive(Debug)]
pub struct Writer {
    queue: SyncSender<Line>,
    ended: Receiver<()>,
    /// Lines that the thread could not write.
    unwritten: Arc<AtomicU32>,
}

impl Writer {
    /// Starts the thread.
    ///
    /// # Errors
    /// What the system says.
    pub fn start(target: Target) -> io::Result<Self> {
        Self::with(QUEUE, move |line, unwritten| match target {
            Target::Stderr => {
                let written = io::stderr().lock().write_all(line.with_time().as_bytes());
                count(written.is_ok(), unwritten);
            }
            Target::Syslog => SYSTEM_LOG.with_borrow_mut(|log| log.write(line, unwritten)),
        })
    }

    fn with(room: usize, write: impl Fn(&Line, &AtomicU32) + Send + 'static) -> io::Result<Self> {
        let (queue, lines) = sync_channel::<Line>(room);
        let (ending, ended) = sync_channel::<()>(0);
        let unwritten = Arc::new(AtomicU32::new(0));
        let counter = Arc::clone(&unwritten);
        thread::Builder::new().name("steadfast: log".to_owned()).stack_size(STACK).spawn(
            move || {
                // Dropping it tells the other end.
                let _ending = ending;
                for line in lines {
                    write(&line, &counter);
                }
            },
        )?;
        Ok(Self { queue, ended, unwritten })
    }

    /// Puts a line in the queue; `false` when there is no room.
    pub fn put(&self, line: Line) -> bool {
        match self.queue.try_send(line) {
            Ok(()) => true,
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => false,
        }
    }

    /// How many lines could not be written since the last call.
    pub fn take_unwritten(&self) -> u32 {
        self.unwritten.swap(0, Ordering::Relaxed)
    }

    /// Waits until all is written, but not for longer than `limit`.
    pub fn finish(self, limit: Duration) -> bool {
        drop(self.queue);
        matches!(self.ended.recv_timeout(limit), Err(RecvTimeoutError::Disconnected))
    }
}

fn count(written: bool, unwritten: &AtomicU32) {
    if !written {
        unwritten.fetch_add(1, Ordering::Relaxed);
    }
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

/// The connection to the system's log, made when it is needed.
struct SystemLog {
    logger: Option<Logger<LoggerBackend, Format>>,
    /// When it was looked for in vain.
    missed: Option<Instant>,
}

impl SystemLog {
    const fn new() -> Self {
        Self { logger: None, missed: None }
    }

    fn write(&mut self, line: &Line, unwritten: &AtomicU32) {
        // A log that was restarted is found only by connecting again.
        let written = self.try_write(line) || self.try_write(line);
        count(written, unwritten);
    }

    fn try_write(&mut self, line: &Line) -> bool {
        if self.logger.is_none() && self.missed.is_none_or(|missed| missed.elapsed() >= RETRY) {
            self.logger = syslog::unix(Format { pid: std::process::id() }).ok();
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
        let writer = Writer::with(2, move |line, _| {
            began.send(line.text.clone()).unwrap();
            may_go.recv().unwrap();
        });
        let writer = writer.unwrap();
        assert!(writer.put(line("a")));
        assert_eq!(begins.recv().unwrap(), "a");
        // The first is being written, two wait.
        assert!(writer.put(line("b")) && writer.put(line("c")));
        assert!(!writer.put(line("d")));
        assert!(!writer.put(line("e")));
        for _ in 0..3 {
            go.send(()).unwrap();
        }
        assert!(writer.finish(Duration::from_secs(60)));
        assert_eq!(begins.iter().collect::<Vec<_>>(), ["b", "c"]);
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
    fn what_cannot_be_written_is_counted() {
        let writer = Writer::with(8, |line, unwritten| count(line.text == "ok", unwritten));
        let writer = writer.unwrap();
        let unwritten = Arc::clone(&writer.unwritten);
        assert!(writer.put(line("ok")) && writer.put(line("no")) && writer.put(line("no")));
        assert!(writer.finish(Duration::from_secs(60)));
        assert_eq!(unwritten.load(Ordering::Relaxed), 2);
    }
}
