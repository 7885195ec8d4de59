//! What the library says through the `log` crate, as [`Record`]s.

use std::sync::{Mutex, PoisonError};

use log::{LevelFilter, Log, Metadata};
use smol::channel::Sender;

use crate::control::record::{Kind, Level, Record};
use crate::system::clock;

/// Where the records go. Not a part of the logger, which the `log` crate keeps for ever.
static DELIVER: Mutex<Option<Sender<Record>>> = Mutex::new(None);

struct Logger;

impl Log for Logger {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with(env!("CARGO_PKG_NAME"))
            && metadata.level() <= log::max_level()
    }

    fn log(&self, record: &log::Record<'_>) {
        if !self.enabled(record.metadata()) {
            return;
        }
        if let Some(deliver) = &*DELIVER.lock().unwrap_or_else(PoisonError::into_inner) {
            // A full channel loses what a library says beside the work; it never waits.
            let _ = deliver.try_send(from_log(record));
        }
    }

    fn flush(&self) {}
}

/// A line of the library. Which part of it speaks tells what it is about.
fn from_log(record: &log::Record<'_>) -> Record {
    let kernel = record.target().contains("::netlink");
    Record {
        at: clock::now(),
        level: match record.level() {
            log::Level::Error => Level::Error,
            log::Level::Warn => Level::Warning,
            log::Level::Info => Level::Info,
            log::Level::Debug | log::Level::Trace => Level::Debug,
        },
        kind: if kernel { Kind::Kernel } else { Kind::Process },
        instance: None,
        transition: None,
        text: record.args().to_string(),
        left_out: 0,
    }
}

/// From now on the lines of this library become records.
pub fn install(level: Level, deliver: Sender<Record>) {
    set_receiver(Some(deliver));
    // Fails only when it is the logger already.
    let _ = log::set_logger(&Logger);
    set_level(level);
}

/// From now on nobody wants them.
pub fn uninstall() {
    set_receiver(None);
}

fn set_receiver(deliver: Option<Sender<Record>>) {
    let before = {
        let mut place = DELIVER.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut *place, deliver)
    };
    // Not under the lock: it wakes whoever reads.
    drop(before);
}

/// Lines below this level are not made.
pub fn set_level(level: Level) {
    log::set_max_level(match level {
        Level::Error => LevelFilter::Error,
        Level::Warning | Level::Notice => LevelFilter::Warn,
        Level::Info => LevelFilter::Info,
        Level::Debug => LevelFilter::Debug,
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_becomes_a_record_of_its_kind() {
        let made = |target: &str, level| {
            let text = format_args!("events were lost");
            from_log(&log::Record::builder().target(target).level(level).args(text).build())
        };
        let record = made("steadfast::netlink::monitor", log::Level::Warn);
        assert_eq!((record.level, record.kind), (Level::Warning, Kind::Kernel));
        assert_eq!(record.text, "events were lost");
        let record = made("steadfast::supervisor", log::Level::Trace);
        assert_eq!((record.level, record.kind), (Level::Debug, Kind::Process));
    }
}
