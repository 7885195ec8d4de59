//! What the library says through the `log` crate, as [`Record`]s.

use log::{LevelFilter, Log, Metadata};

use crate::control::record::{Kind, Level, Record};
use crate::system::clock;

struct Logger<F>(F);

impl<F: Fn(Record) + Send + Sync> Log for Logger<F> {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with(env!("CARGO_PKG_NAME"))
            && metadata.level() <= log::max_level()
    }

    fn log(&self, record: &log::Record<'_>) {
        if self.enabled(record.metadata()) {
            (self.0)(from_log(record));
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

/// From now on the lines of this library become records. `deliver` must not wait, and may not log.
/// A second call in the same process changes nothing.
pub fn install(level: Level, deliver: impl Fn(Record) + Send + Sync + 'static) {
    if log::set_boxed_logger(Box::new(Logger(deliver))).is_ok() {
        set_level(level);
    }
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
