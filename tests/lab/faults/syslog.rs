//! `/dev/log`: of the campaign's own `/dev`, read, not read, or not there.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::net::UnixDatagram;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

const PATH: &str = "/dev/log";
/// How long the reader waits before it looks whether it should go on.
const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// Somebody who reads the log of the system.
#[derive(Debug)]
pub struct Syslog {
    reads: Arc<AtomicBool>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Syslog {
    /// Starts to read.
    #[track_caller]
    pub fn start() -> Self {
        let _ = fs::remove_file(PATH);
        let socket = UnixDatagram::bind(PATH).expect("a socket for the log");
        socket.set_read_timeout(Some(POLL_INTERVAL)).expect("a timeout");
        let (reads, stop) = (Arc::new(AtomicBool::new(true)), Arc::new(AtomicBool::new(false)));
        let (go, end) = (Arc::clone(&reads), Arc::clone(&stop));
        let work = move || {
            let mut line = [0; 4096];
            while !end.load(Ordering::Relaxed) {
                if !go.load(Ordering::Relaxed) {
                    thread::sleep(POLL_INTERVAL);
                } else if let Err(error) = socket.recv(&mut line) {
                    let is_silence =
                        matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut);
                    assert!(is_silence, "cannot read the log: {error}");
                }
            }
        };
        let thread = thread::Builder::new().name("syslog".into()).spawn(work);
        Self { reads, stop, thread: Some(thread.expect("a thread")) }
    }

    /// Goes on reading, or does not.
    pub fn read(&self, on: bool) {
        self.reads.store(on, Ordering::Relaxed);
    }
}

impl Drop for Syslog {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
        let _ = fs::remove_file(PATH);
    }
}
