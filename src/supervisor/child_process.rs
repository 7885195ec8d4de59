//! Starts a child and learns of its end.

use std::ffi::CString;
use std::fs::OpenOptions;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;
use std::path::Path;

use async_io::Async;
use nix::spawn::{PosixSpawnAttr, PosixSpawnFileActions, PosixSpawnFlags, posix_spawn};
use nix::sys::signal::{SigSet, Signal, kill};
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socketpair};
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid, waitpid};
use nix::unistd::Pid;

use super::exec_state::ExecProcess;
use super::role::Role;
use super::role_lock::RoleLock;
use super::signals;
use crate::child::start::{
    EVENTS_FD, LINK_FD, LOCK_FD, LOCKS_MEMORY_ARGUMENT, MEMORY_CHECK_ARGUMENT, MEMORY_FD,
};
use crate::system::inherited_fds::take;
use crate::system::{heap, pidfd};

/// What is executed: the very file that this process was started from, even if another one has
/// its name by now.
const SELF: &str = "/proc/self/exe";

/// A running child, and our ends of what connects us.
#[derive(Debug)]
pub struct Child {
    pid: Pid,
    exit: Async<OwnedFd>,
    /// Messages.
    pub link: Async<UnixStream>,
    /// Records, one in a datagram.
    pub events: Async<OwnedFd>,
    /// What it writes to standard error: the last words of a panic.
    pub stderr: Async<io::PipeReader>,
}

/// Descriptors that this process was started with and knows nothing of. Children do not get them.
#[derive(Clone, Debug, Default)]
pub struct InheritedFds(Vec<RawFd>);

impl InheritedFds {
    /// Those that another program has found.
    pub const fn known(numbers: Vec<RawFd>) -> Self {
        Self(numbers)
    }

    /// Their numbers.
    pub fn numbers(&self) -> &[RawFd] {
        &self.0
    }

    /// All that are open beyond standard error. To be called before anything is opened.
    pub fn look() -> Self {
        let Ok(entries) = std::fs::read_dir("/proc/self/fd") else { return Self::default() };
        let names = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
        Self(names.filter(|fd: &RawFd| *fd > nix::libc::STDERR_FILENO).collect())
    }
}

impl Child {
    /// Starts a process of a role with a socket for messages, one for events, the shared memory and
    /// the lock of its role, which it waits for when another process has it. It gives up the right
    /// to lock its memory unless it `locks` it.
    ///
    /// # Errors
    /// What the system says.
    pub fn start(
        role: &Role,
        memory: &impl AsFd,
        inherited: &InheritedFds,
        lock: Option<&RoleLock>,
        locks: bool,
    ) -> io::Result<Self> {
        let (link, link_there) = UnixStream::pair()?;
        let (events, events_there) = socketpair(
            AddressFamily::Unix,
            SockType::SeqPacket,
            None,
            SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK,
        )?;
        let (stderr, stderr_there) = io::pipe()?;
        // What may fail comes first: a process that nobody watches would go on alone.
        let link = Async::new(link)?;
        let events = Async::new_nonblocking(events)?;
        let stderr = Async::new(stderr)?;
        // Whoever waits for the end of our standard output does not wait for the child's.
        let nothing = OpenOptions::new().read(true).write(true).open("/dev/null")?;
        let locked = match lock {
            Some(lock) => lock.descriptor()?,
            None => nothing.as_fd().try_clone_to_owned()?,
        };
        let pid = spawn(
            &[
                (nix::libc::STDIN_FILENO, high(&nothing)?),
                (nix::libc::STDOUT_FILENO, high(&nothing)?),
                (nix::libc::STDERR_FILENO, high(&stderr_there)?),
                (LINK_FD, high(&link_there)?),
                (EVENTS_FD, high(&events_there)?),
                (MEMORY_FD, high(memory)?),
                (LOCK_FD, high(&locked)?),
            ],
            inherited,
            role.command,
            locks,
        )?;
        let exit = or_end(pid, |pid| Async::new_nonblocking(pidfd::open(pid)?))?;
        Ok(Self { pid, exit, link, events, stderr })
    }

    /// One that the program before this one has started, in this very process.
    ///
    /// # Errors
    /// What the system says.
    pub fn adopt(former: ExecProcess) -> io::Result<Self> {
        let pid = Pid::from_raw(former.pid);
        Ok(Self {
            pid,
            exit: Async::new_nonblocking(pidfd::open(pid)?)?,
            link: Async::new(UnixStream::from(take(former.link)?))?,
            events: Async::new_nonblocking(take(former.events)?)?,
            stderr: Async::new(io::PipeReader::from(take(former.stderr)?))?,
        })
    }

    /// Its process id.
    pub const fn pid(&self) -> Pid {
        self.pid
    }

    /// Ends it at once.
    pub fn kill(&self) {
        // It was not waited for, so the number is still its own.
        let _ = kill(self.pid, Signal::SIGKILL);
    }

    /// Waits for its end: how it ended, in words.
    ///
    /// # Errors
    /// What the system says.
    pub async fn ended(&self) -> io::Result<String> {
        self.exit.readable().await?;
        Ok(match waitid(Id::PIDFd(self.exit.as_fd()), WaitPidFlag::WEXITED)? {
            WaitStatus::Exited(_, status) => format!("ended with exit status {status}"),
            WaitStatus::Signaled(_, signal, _) => format!("was killed by {signal}"),
            WaitStatus::Stopped(..)
            | WaitStatus::PtraceEvent(..)
            | WaitStatus::PtraceSyscall(_)
            | WaitStatus::Continued(_)
            | WaitStatus::StillAlive => "ended".to_owned(),
        })
    }
}

/// Prepares to watch a new process. When that fails, it is ended, and its end is taken.
fn or_end<T>(pid: Pid, watch: impl FnOnce(Pid) -> io::Result<T>) -> io::Result<T> {
    watch(pid).inspect_err(|_| {
        // It was not waited for, so the number is still its own.
        let _ = kill(pid, Signal::SIGKILL);
        let _ = waitpid(pid, None);
    })
}

/// A copy of a descriptor with a number that no fixed one has.
fn high(fd: &impl AsFd) -> io::Result<OwnedFd> {
    let mut low = Vec::new();
    loop {
        let copy = fd.as_fd().try_clone_to_owned()?;
        if copy.as_raw_fd() > LOCK_FD {
            return Ok(copy);
        }
        // Kept until then, so that the next copy is another number.
        low.push(copy);
    }
}

/// Runs this program again. Each descriptor gets its number; the child has no environment,
/// none of the signals that are for the supervisor, and a process group of its own, so that a
/// Ctrl-C on the terminal reaches the supervisor alone.
fn spawn(
    fds: &[(RawFd, OwnedFd)],
    inherited: &InheritedFds,
    command: &str,
    locks: bool,
) -> io::Result<Pid> {
    let mut actions = PosixSpawnFileActions::init()?;
    for other in &inherited.0 {
        actions.add_close(*other)?;
    }
    for (number, fd) in fds {
        actions.add_dup2(fd.as_raw_fd(), *number)?;
    }
    let mut attributes = PosixSpawnAttr::init()?;
    attributes.set_pgroup(Pid::from_raw(0))?;
    attributes.set_sigmask(&signals::kept_from_children())?;
    attributes.set_sigdefault(&SigSet::all())?;
    attributes.set_flags(
        PosixSpawnFlags::POSIX_SPAWN_SETPGROUP
            | PosixSpawnFlags::POSIX_SPAWN_SETSIGMASK
            | PosixSpawnFlags::POSIX_SPAWN_SETSIGDEF,
    )?;
    let locks = locks.then_some(LOCKS_MEMORY_ARGUMENT);
    let records = heap::is_recording().then_some(MEMORY_CHECK_ARGUMENT);
    let words = ["steadfast", command].into_iter().chain(locks).chain(records);
    let words = words.map(CString::new).collect::<Result<Vec<_>, _>>()?;
    let no_environment: [CString; 0] = [];
    Ok(posix_spawn(Path::new(SELF), &actions, &attributes, &words, &no_environment)?)
}

#[cfg(test)]
mod tests {
    use nix::errno::Errno;

    use super::*;

    #[test]
    fn a_process_that_cannot_be_watched_is_ended() {
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let pid = Pid::from_raw(child.id().cast_signed());
        let fails = |_| Err::<(), _>(io::Error::from(Errno::EMFILE));
        assert_eq!(or_end(pid, fails).unwrap_err().raw_os_error(), Some(Errno::EMFILE as i32));
        assert!(child.wait().is_err(), "nothing is left of it");
    }
}
