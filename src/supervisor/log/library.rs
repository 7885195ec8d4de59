//! What the library says through the `log` crate, as [`Event`]s.

use std::sync::{Mutex, PoisonError};

use log::{LevelFilter, Log, Metadata};
use smol::channel::Sender;

use crate::control::event::{Event, Kind, Level, What};
use crate::system::clock;

/// Where the events go. It is not a part of the logger, which is never freed.
static DELIVER: Mutex<Option<Sender<Event>>> = Mutex::new(None);

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
fn from_log(record: &log::Record<'_>) -> Event {
    let level = match record.level() {
        log::Level::Error => Level::Error,
        log::Level::Warn => Level::Warning,
        log::Level::Info => Level::Info,
        log::Level::Debug | log::Level::Trace => Level::Debug,
    };
    let is_kernel = record.target().contains("::netlink");
    let kind = if is_kernel { Kind::Kernel } else { Kind::Process };
    Event::of_process(clock::now(), What::message(level, kind, record.args().to_string()))
}

/// From now on the lines of this library become events.
pub fn install(level: Level, deliver: Sender<Event>) {
    set_receiver(Some(deliver));
    // Fails only when it is the logger already.
    let _ = log::set_logger(&Logger);
    set_level(level);
}

/// From now on nobody wants them.
pub fn uninstall() {
    set_receiver(None);
}

fn set_receiver(deliver: Option<Sender<Event>>) {
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
    use crate::control::event::text;

    #[test]
    fn a_line_becomes_an_event_of_its_kind() {
        let made = |target: &str, level| {
            let text = format_args!("events were lost");
            from_log(&log::Record::builder().target(target).level(level).args(text).build())
        };
        let event = made("steadfast::netlink::monitor", log::Level::Warn);
        assert_eq!((event.level(), event.kind()), (Level::Warning, Kind::Kernel));
        assert_eq!(text::event(&event), "events were lost");
        let event = made("steadfast::supervisor", log::Level::Trace);
        assert_eq!((event.level(), event.kind()), (Level::Debug, Kind::Process));
    }
}
