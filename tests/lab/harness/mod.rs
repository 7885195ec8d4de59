//! Networks that a test makes for itself, and what it sees in them.
//!
//! | module | for |
//! |---|---|
//! | [`guard`] | programs start only in a namespace that the tests made |
//! | [`namespace`] | a network namespace without a name: it ends with the test, however that ends |
//! | [`lan`] | a switch, and the hosts on it |
//! | [`process`] | a program in a namespace; killed with the test, its stderr kept |
//! | [`capture`], [`packet`] | what goes over a switch, in order, with the kernel's times |
//! | [`watch`] | the links and addresses of a namespace, and every change of them |
//! | [`inject`] | a host that sends what it should not |
//! | [`ping`] | a client that never stops asking, and which questions got no answer |
//! | [`config`] | the text of a configuration |
//! | [`router`], [`pair`] | `steadfast run` on a host, and two of them with a client |
//! | [`scratch`] | directories that are gone afterwards |
//!
//! Nothing here has a name outside the process: namespaces are held by threads and descriptors,
//! and children die with the thread that started them. A test that is killed leaves nothing
//! behind but a directory, which the next one removes.
//!
//! Whatever goes wrong panics, with the words that help.

#![allow(dead_code, reason = "several targets use this, and none of them all of it")]

pub mod capture;
pub mod config;
pub mod guard;
pub mod inject;
pub mod lan;
pub mod namespace;
pub mod packet;
pub mod pair;
pub mod ping;
pub mod process;
pub mod router;
pub mod scratch;
pub mod watch;

use std::os::fd::AsFd;
use std::time::{Duration, Instant, SystemTime};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

/// How long tests wait for an expected state; only a failing test waits that long.
pub const AWAIT_TIMEOUT: Duration = Duration::from_secs(20);

/// Pause between two looks at something that cannot be waited for.
const POLL_INTERVAL: Duration = Duration::from_millis(5);

/// Looks until there is an answer.
///
/// # Panics
/// When there is none in time; says what was missing.
#[track_caller]
pub fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + AWAIT_TIMEOUT;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "waited {} s in vain: {what}", AWAIT_TIMEOUT.as_secs());
        std::thread::sleep(POLL_INTERVAL);
    }
}

/// The clock of captures, pings and the events of a daemon: since 1970.
pub fn wall_clock() -> Duration {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("a clock that is set")
}

/// Waits until there is something to read, at most until `deadline`; whether there is.
pub fn readable(descriptor: &impl AsFd, deadline: Instant) -> bool {
    loop {
        let rest = deadline.saturating_duration_since(Instant::now());
        // Rounded up: a wait of nothing would be a busy loop.
        let rest = rest.as_micros().div_ceil(1_000);
        let timeout = PollTimeout::try_from(rest).unwrap_or(PollTimeout::MAX);
        let mut all = [PollFd::new(descriptor.as_fd(), PollFlags::POLLIN)];
        match poll(&mut all, timeout) {
            Err(Errno::EINTR) => {}
            found => return found.expect("a poll") > 0,
        }
    }
}
