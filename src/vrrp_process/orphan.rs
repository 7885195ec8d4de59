//! A vrrp process whose supervisor is gone. It hands over at once; should another supervisor come
//! before anybody has taken the addresses, they stay where they are.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener};

use nix::sys::socket::getsockopt;
use nix::sys::socket::sockopt::PeerCredentials;
use nix::unistd::geteuid;

use super::source::Source;
use crate::child::event_loop::{Sources, Watch};
use crate::control::child_messages::orphan_name;
use crate::system::fd_passing;

/// Where the next supervisor calls.
#[derive(Debug)]
pub struct Orphan {
    sources: Sources<Source>,
    listener: Option<(UnixListener, Watch<Source>)>,
}

impl Orphan {
    /// The supervisor is there.
    pub const fn new(sources: Sources<Source>) -> Self {
        Self { sources, listener: None }
    }

    /// The supervisor is gone, and the hand-over has begun. Until somebody has taken it, another
    /// supervisor may call.
    pub fn listen(&mut self) {
        // Nobody is left to tell that there is no such way.
        self.listener = self.open().ok();
    }

    fn open(&self) -> io::Result<(UnixListener, Watch<Source>)> {
        let address = SocketAddr::from_abstract_name(orphan_name(std::process::id()))?;
        let listener = UnixListener::bind_addr(&address)?;
        listener.set_nonblocking(true)?;
        let watch = self.sources.watch(listener.as_fd(), Source::Caller)?;
        Ok((listener, watch))
    }

    /// Sends the memory to whoever has called, if that is a process of our own user, or hangs up
    /// without any. `true`: that was done.
    pub fn answer(&self, memory: Option<BorrowedFd<'_>>) -> bool {
        let Some((listener, _)) = &self.listener else { return false };
        let answer = || {
            let (caller, _) = listener.accept()?;
            let Some(memory) = memory else { return Ok(()) };
            if getsockopt(&caller, PeerCredentials)?.uid() != geteuid().as_raw() {
                return Err(io::ErrorKind::PermissionDenied.into());
            }
            caller.set_nonblocking(true)?;
            fd_passing::send(&caller, memory)
        };
        let answered: io::Result<()> = answer();
        answered.is_ok()
    }
}
