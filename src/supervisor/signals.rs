//! Signals, read like any other input.

use std::io;

use async_io::Async;
use nix::errno::Errno;
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};

use super::ready;

/// What a signal asks for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Asked {
    /// TERM or INT: end.
    Stop,
    /// HUP: read the configuration again.
    Reload,
    /// USR1: write the status to a file.
    Dump,
    /// USR2: a line of statistics for each instance.
    Statistics,
}

const HANDLED: [(Signal, Asked); 5] = [
    (Signal::SIGTERM, Asked::Stop),
    (Signal::SIGINT, Asked::Stop),
    (Signal::SIGHUP, Asked::Reload),
    (Signal::SIGUSR1, Asked::Dump),
    (Signal::SIGUSR2, Asked::Statistics),
];

/// The signals of this process.
#[derive(Debug)]
pub struct Signals(Async<SignalFd>);

/// Keeps the handled signals from interrupting anything: to be called before there is a thread.
///
/// # Errors
/// What the system says.
pub fn block() -> io::Result<()> {
    Ok(set().thread_block()?)
}

fn set() -> SigSet {
    HANDLED.iter().map(|(signal, _)| *signal).collect()
}

/// What a child does not hear. Its supervisor tells it what to do; `killall`, a service manager and
/// the end of the machine send the same signals to all processes, and it has to hand over instead
/// of ending at once. `SIGABRT` is what systemd's watchdog sends to all when the supervisor hangs;
/// our own abort is not kept back by this.
pub fn kept_from_children() -> SigSet {
    let mut set = set();
    set.add(Signal::SIGABRT);
    set
}

impl Signals {
    /// After [`block`].
    ///
    /// # Errors
    /// What the system says.
    pub fn open() -> io::Result<Self> {
        let flags = SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC;
        Ok(Self(Async::new_nonblocking(SignalFd::with_flags(&set(), flags)?)?))
    }

    /// Waits for one.
    ///
    /// # Errors
    /// What the system says.
    pub async fn next(&self) -> io::Result<Asked> {
        loop {
            let info = ready::read(&self.0, |fd| match fd.read_signal() {
                Ok(Some(info)) => Ok(info),
                Ok(None) | Err(Errno::EAGAIN) => Err(io::ErrorKind::WouldBlock.into()),
                Err(error) => Err(error.into()),
            });
            let number = info.await?.ssi_signo;
            let handled =
                HANDLED.iter().find(|(signal, _)| u32::try_from(*signal as i32) == Ok(number));
            if let Some((_, asked)) = handled {
                return Ok(*asked);
            }
        }
    }
}
