//! What is on the terminal while it runs.

use std::fmt::Write as _;
use std::io::{IsTerminal, Write as _, stdout};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use steadfast::control::status::State;

use crate::harness::ping::Counter;
use crate::harness::router::{Control, find};

/// Time between two looks at the routers.
const REFRESH: Duration = Duration::from_millis(100);

/// A router, for the line.
#[derive(Debug)]
pub struct Shown {
    /// Its name.
    pub name: String,
    /// The way to its daemon.
    pub control: Control,
}

/// A line at the bottom that shows both routers, and lines above it that stay. Where the output
/// is no terminal, the line at the bottom is missing.
#[derive(Debug)]
pub struct Screen {
    now: Arc<Mutex<String>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Screen {
    /// Starts the line.
    pub fn start(routers: Vec<Shown>, pings: Counter) -> Self {
        let now = Arc::<Mutex<String>>::default();
        let stop = Arc::<AtomicBool>::default();
        let line = Line { routers, pings, now: Arc::clone(&now), begin: Instant::now() };
        let stopped = Arc::clone(&stop);
        let draw = move || {
            while !stopped.load(Ordering::Relaxed) {
                line.draw();
                thread::sleep(REFRESH);
            }
        };
        let thread = stdout().is_terminal().then(|| thread::spawn(draw));
        Self { now, stop, thread }
    }

    /// What happens now, for the end of the line.
    pub fn now(&self, what: &str) {
        what.clone_into(&mut lock(&self.now));
    }

    /// A line that stays.
    pub fn say(&self, line: &str) {
        // Who holds this draws.
        let _now = lock(&self.now);
        clear();
        println!("{line}");
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
        clear();
    }
}

/// Takes the line at the bottom away.
pub fn clear() {
    if stdout().is_terminal() {
        print!("\r\x1b[2K");
        let _ = stdout().flush();
    }
}

struct Line {
    routers: Vec<Shown>,
    pings: Counter,
    now: Arc<Mutex<String>>,
    begin: Instant,
}

impl Line {
    fn draw(&self) {
        let mut line = format!("{:5.1} s", self.begin.elapsed().as_secs_f64());
        for router in &self.routers {
            let state = router.control.status().ok();
            let state = state.and_then(|document| find(&document, "lan").map(|lan| lan.state));
            let (colour, word) = match state {
                Some(State::Master) => ("1;32", State::Master.name()),
                Some(State::Fault) => ("31", State::Fault.name()),
                Some(other) => ("0", other.name()),
                None => ("2", "-"),
            };
            let _ = write!(line, "  {} \x1b[{colour}m{word:<6}\x1b[0m", router.name);
        }
        let (sent, answered) = self.pings.get();
        let now = lock(&self.now);
        let _ = write!(line, "  {answered}/{sent} pings  {now}");
        print!("\r\x1b[2K{line}");
        let _ = stdout().flush();
    }
}

fn lock(text: &Mutex<String>) -> MutexGuard<'_, String> {
    text.lock().unwrap_or_else(PoisonError::into_inner)
}
