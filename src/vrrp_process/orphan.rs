//! A vrrp process whose supervisor is gone. It hands over at once; should another supervisor come
//! before anybody has taken the addresses, they stay where they are.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener};

use nix::sys::socket::getsockopt;
use nix::sys::socket::sockopt::PeerCredentials;
use nix::unistd::geteuid;

use super::shell::{End, Shell};
use crate::control::child_messages::orphan_name;
use crate::system::{clock, fd_passing};
use crate::vrrp::Event;

/// Packets of a socket that are looked at before a caller has an answer.
const PACKETS: usize = 64;

fn listen() -> io::Result<UnixListener> {
    let address = SocketAddr::from_abstract_name(orphan_name(std::process::id()))?;
    let listener = UnixListener::bind_addr(&address)?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// Sends the memory to whoever has called, if that is a process of our own user.
fn answer(listener: &UnixListener, memory: BorrowedFd<'_>) -> io::Result<()> {
    let (caller, _) = listener.accept()?;
    if getsockopt(&caller, PeerCredentials)?.uid() != geteuid().as_raw() {
        return Err(io::ErrorKind::PermissionDenied.into());
    }
    caller.set_nonblocking(true)?;
    fd_passing::send(&caller, memory)
}

impl Shell {
    /// The hand-over has begun. Until somebody has taken it, another supervisor may call.
    pub(super) fn wait_for_supervisor(&mut self) {
        // Nobody is left to tell that there is no such way.
        let Some(spawner) = self.spawner.clone() else { return };
        let Ok(listener) = listen() else { return };
        let Ok(fd) = listener.as_fd().try_clone_to_owned() else { return };
        let called = move |shell: &mut Self| shell.called(&listener);
        self.orphan = spawner.watch(fd.as_fd(), called).ok();
    }

    /// A supervisor calls. It gets the memory, in which its own process finds that this one was
    /// master until now, unless a successor has been heard: what has come by now is read first.
    fn called(&mut self, listener: &UnixListener) -> bool {
        for (interface, family) in self.links.sockets().collect::<Vec<_>>() {
            // A flood has no end.
            for _ in 0..PACKETS {
                if !self.receive(interface, family) {
                    break;
                }
            }
        }
        let answered = match self.engine.can_go_on() {
            true => answer(listener, self.saved.memory()),
            false => listener.accept().map(drop),
        };
        if answered.is_ok() && self.engine.can_go_on() {
            // The next process sends at once as well; until then nobody is to take over.
            self.engine.handle(Event::GoOn, clock::now());
            self.saved.states(&self.engine);
            self.end.get_or_insert(End::Stopped);
        }
        false
    }
}
