//! A supervisor that was killed leaves a vrrp process behind which hands over. When nobody has taken
//! the addresses yet, the next supervisor goes on with them: that process sends its memory, is master
//! once more, and ends, and the next one resumes from there.

use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixStream};
use std::time::Duration;

use async_io::Async;
use nix::sys::socket::getsockopt;
use nix::sys::socket::sockopt::PeerCredentials;
use nix::unistd::{Pid, geteuid};
use smol::Timer;

use crate::control::child_messages::orphan_name;
use crate::control::shared_memory::{Shared, WORDS};
use crate::supervisor::ready;
use crate::supervisor::timeouts::within;
use crate::system::fd_passing;
use crate::system::shared_memory::Region;

/// The number of attempts: the process may not have noticed yet that its supervisor is gone.
const MAX_CALLS: u32 = 20;
/// Between two calls.
const CALL_PAUSE: Duration = Duration::from_millis(10);
/// How long it may take to answer.
const ANSWER_TIMEOUT: Duration = Duration::from_millis(500);

/// The memory of a vrrp process that has no supervisor and has found no successor. It ends.
/// `None`: it goes on handing over, or does not answer.
pub async fn take_over(orphan: Pid) -> Option<Shared<Region>> {
    for call in 0..MAX_CALLS {
        if call > 0 {
            Timer::after(CALL_PAUSE).await;
        }
        match dial(orphan) {
            Ok(stream) => return within(ANSWER_TIMEOUT, memory(&stream)).await?.ok()?,
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {}
            Err(_) => return None,
        }
    }
    None
}

/// The name may be anybody's: only the process itself counts, and only one of our own user.
fn dial(orphan: Pid) -> io::Result<Async<UnixStream>> {
    let name = orphan_name(orphan.as_raw().cast_unsigned());
    let stream = UnixStream::connect_addr(&SocketAddr::from_abstract_name(name)?)?;
    let other = getsockopt(&stream, PeerCredentials)?;
    if (other.pid(), other.uid()) != (orphan.as_raw(), geteuid().as_raw()) {
        return Err(io::ErrorKind::PermissionDenied.into());
    }
    Async::new(stream)
}

async fn memory(stream: &Async<UnixStream>) -> io::Result<Option<Shared<Region>>> {
    let Some(fd) = ready::read(stream, fd_passing::receive).await? else { return Ok(None) };
    Shared::open(Region::open(fd, WORDS)?).map(Some).map_err(io::Error::other)
}
