//! Collects the lines that this library and others log, to send them as events.

use std::sync::Mutex;

use log::{LevelFilter, Log, Metadata};

use crate::control::event::Level;

/// Lines that wait, at most. Further ones are lost; they are usually about the same problem.
const MAX_WAITING_LINES: usize = 32;

static WAITING: Mutex<Vec<(Level, String)>> = Mutex::new(Vec::new());

struct Collector;

impl Log for Collector {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, line: &log::Record<'_>) {
        let level = match line.level() {
            log::Level::Error => Level::Error,
            log::Level::Warn => Level::Warning,
            log::Level::Info => Level::Info,
            log::Level::Debug | log::Level::Trace => Level::Debug,
        };
        if let Ok(mut waiting) = WAITING.try_lock()
            && waiting.len() < MAX_WAITING_LINES
        {
            waiting.push((level, line.args().to_string()));
        }
    }

    fn flush(&self) {}
}

/// Starts to collect warnings and errors.
pub fn install() {
    // It fails only when a logger is installed already.
    if log::set_logger(&Collector).is_ok() {
        log::set_max_level(LevelFilter::Warn);
    }
}

/// Takes the lines that were logged since the last call.
pub fn take() -> Vec<(Level, String)> {
    WAITING.try_lock().map(|mut waiting| std::mem::take(&mut *waiting)).unwrap_or_default()
}
