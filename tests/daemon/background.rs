//! `--daemon`.

use std::fs;

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, getsid};
use steadfast::control::status::State;

use crate::harness::until;
use crate::scene::{Alone, said};

/// Nobody else ends it when a test fails.
struct Background(Pid);

impl Drop for Background {
    fn drop(&mut self) {
        let _ = kill(self.0, Signal::SIGKILL);
    }
}

#[test]
fn it_works_when_the_command_is_done() {
    let alone = Alone::new();
    let state = alone.router.state();
    let ran = alone.run(&state, &["--daemon"]);
    assert_eq!(ran.status.code(), Some(0), "{}", said(&ran));
    let text = fs::read_to_string(state.join("steadfast.pid")).unwrap();
    let daemon = Background(Pid::from_raw(text.trim().parse().unwrap()));
    assert_eq!(said(&ran), "");
    assert_eq!(getsid(Some(daemon.0)), Ok(daemon.0), "it has a session of its own");
    for number in 0..3 {
        let target = fs::read_link(format!("/proc/{}/fd/{number}", daemon.0)).unwrap();
        assert_eq!(target.to_str(), Some("/dev/null"), "descriptor {number}");
    }
    until("it is master", || {
        let document = alone.router.status().ok()?;
        (document.instances?[0].state == State::Master).then_some(())
    });
    kill(daemon.0, Signal::SIGTERM).unwrap();
    let socket = state.join("control.sock");
    until("its end", || (kill(daemon.0, None).is_err() || is_zombie(daemon.0)).then_some(()));
    assert!(!socket.exists());
    assert!(!alone.holds_address());
}

/// Whether it ended and nobody has asked how.
fn is_zombie(pid: Pid) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(')').is_none_or(|(_, rest)| rest.trim_start().starts_with(['Z', 'X']))
}
