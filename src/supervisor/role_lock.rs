//! The lock of a role: the process that has it is the one that works. A supervisor that was killed
//! leaves processes behind, such as one that hands addresses over and removes them; its successor
//! must not add anything meanwhile.

use std::fmt;
use std::fs;
use std::io::{self, Read, Seek, Write};
use std::os::fd::OwnedFd;
use std::time::Duration;

use nix::unistd::Pid;
use smol::Timer;

use super::supervised::Supervised;
use crate::control::event::Level;
use crate::system::{clock, limits, lock, pidfd};

/// How long a process of a former supervisor may take to hand over.
const HAND_OVER_TIMEOUT: Duration = Duration::from_secs(2);
/// How long a killed one may take to end.
const KILL_TIMEOUT: Duration = Duration::from_secs(1);
/// How often is looked.
const POLL_PERIOD: Duration = Duration::from_millis(10);

/// The lock, until the process that is to have it exists.
#[derive(Debug)]
pub struct RoleLock(fs::File);

impl RoleLock {
    /// A descriptor for the process. The lock is held as long as that one is open.
    ///
    /// # Errors
    /// What the system says.
    pub fn descriptor(&self) -> io::Result<OwnedFd> {
        Ok(self.0.try_clone()?.into())
    }

    /// Writes who has it from now on. The lock works without that, but a process that waits
    /// for it does not know its number.
    pub fn give_to(mut self, pid: Pid) {
        let mut write = || {
            let process = Holder { pid, start: start_of(pid)? };
            self.0.rewind()?;
            self.0.set_len(0)?;
            writeln!(self.0, "{process}")
        };
        let _: io::Result<()> = write();
    }
}

/// The process that a file names. When it was started tells it from another one that has its number
/// by now.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Holder {
    pid: Pid,
    /// In ticks since the machine was started.
    start: u64,
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.pid, self.start)
    }
}

impl Holder {
    fn parse(text: &str) -> Option<Self> {
        let (pid, start) = text.trim_end().split_once(' ')?;
        let pid = pid.parse().ok().filter(|pid| *pid > 0)?;
        Some(Self { pid: Pid::from_raw(pid), start: start.parse().ok()? })
    }

    /// Whether the number is still its own.
    fn is_there(&self) -> bool {
        start_of(self.pid).is_ok_and(|start| start == self.start)
    }

    /// Kills it, if the number is still its own. Its descriptors, the lock among them, are not
    /// looked at: that takes a right which nothing else here needs (`CAP_SYS_PTRACE`), since the
    /// memory of the process is private.
    fn kill(&self) -> io::Result<()> {
        // Before the look: should it end meanwhile, this does not become another one.
        let process = pidfd::open(self.pid)?;
        if !self.is_there() {
            return Err(io::ErrorKind::NotFound.into());
        }
        pidfd::kill(&process)
    }
}

/// When a process was started. Whoever may do so little that the descriptors of another process are
/// hidden from it can still read that.
fn start_of(pid: Pid) -> io::Result<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    start_in(&text).ok_or_else(|| io::ErrorKind::InvalidData.into())
}

/// Field 22 of the kernel's text; the second one is a name in brackets, with anything in it.
fn start_in(text: &str) -> Option<u64> {
    let (_, fields) = text.rsplit_once(')')?;
    fields.split_whitespace().nth(19)?.parse().ok()
}

/// Waits until no other process has the lock; one that keeps it for too long is killed. `None`:
/// there can be no lock, since the state directory takes no files.
///
/// # Errors
/// It cannot be had: in words.
pub async fn take(child: &Supervised) -> Result<Option<RoleLock>, String> {
    let (dir, role) = (&child.context.dir, child.role);
    let name = role.name;
    let path = dir.path().join(role.lock);
    let path = path.display();
    let note = |level, text| child.context.note(level, text);
    let file = match dir.open_file(role.lock) {
        Ok(file) => file,
        Err(error) if limits::is_exhausted(&error) => {
            return Err(format!("{path}: {}", limits::explained(&error)));
        }
        Err(error) => {
            let text = format!("{}: {error}; nothing keeps two {name} processes apart", role.lock);
            note(Level::Warning, text);
            return Ok(None);
        }
    };
    let wrong = |error: io::Error| format!("{path} cannot be locked: {error}");
    if lock::take(&file).map_err(wrong)? {
        return Ok(Some(RoleLock(file)));
    }
    let holder = holder(&file).filter(Holder::is_there);
    let who = match holder {
        Some(Holder { pid, .. }) => format!("{name} process {pid} of a former supervisor"),
        None => format!("another program that has locked {path}"),
    };
    if let Some(Holder { pid, .. }) = holder
        && let Some(memory) = child.holdings.orphan_memory(pid).await
    {
        let text = format!("{who} has found no successor: this one goes on with its addresses");
        note(Level::Notice, text);
        if wait(&file, HAND_OVER_TIMEOUT).await.map_err(wrong)? {
            if let Some(own) = child.shared() {
                own.take_over(&memory);
            }
            return Ok(Some(RoleLock(file)));
        }
    }
    let seconds = HAND_OVER_TIMEOUT.as_secs();
    let text = match holder {
        Some(_) => format!("{who} still hands over; it has {seconds} s for that"),
        None => format!("there is {who}; its end is waited for {seconds} s"),
    };
    note(Level::Warning, text);
    if wait(&file, HAND_OVER_TIMEOUT).await.map_err(wrong)? {
        note(Level::Notice, format!("{who} has ended"));
        return Ok(Some(RoleLock(file)));
    }
    let Some(holder) = holder else {
        return Err(format!("there is {who}: end it, `fuser {path}` says which one it is"));
    };
    holder.kill().map_err(|error| format!("{who} cannot be killed: {error}"))?;
    note(Level::Warning, format!("{who} took too long; it is killed"));
    match wait(&file, KILL_TIMEOUT).await.map_err(wrong)? {
        true => Ok(Some(RoleLock(file))),
        false => Err(format!("{who} does not end")),
    }
}

/// The lock that another process of this daemon has, for the one that comes after it. `None`: there
/// is none.
pub fn share(child: &Supervised) -> Option<RoleLock> {
    child.context.dir.open_file(child.role.lock).ok().map(RoleLock)
}

/// At the end: removes the file, unless a process still hands over.
pub fn leave(child: &Supervised) {
    let (dir, name) = (&child.context.dir, child.role.lock);
    if dir.has(name) && dir.open_file(name).is_ok_and(|file| lock::take(&file).unwrap_or(false)) {
        // Nobody is left to tell, and the next start takes it as it is.
        let _ = dir.remove(name);
    }
}

/// Whether the lock could be taken in that time.
async fn wait(file: &fs::File, limit: Duration) -> io::Result<bool> {
    let end = clock::now() + limit;
    while clock::now() < end {
        if lock::take(file)? {
            return Ok(true);
        }
        Timer::after(POLL_PERIOD).await;
    }
    Ok(false)
}

/// The process that the file names.
fn holder(mut file: &fs::File) -> Option<Holder> {
    let mut text = String::new();
    file.rewind().and_then(|()| file.read_to_string(&mut text)).ok()?;
    Holder::parse(&text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_known_by_its_number_and_its_start() {
        let fields = (3..=52).map(|field| field.to_string()).collect::<Vec<_>>().join(" ");
        assert_eq!(start_in(&format!("7 (steadfast: ) 1) {fields}\n")), Some(22));
        assert_eq!(start_in("7 (x) S 1"), None);
        let pid = nix::unistd::getpid();
        let own = Holder { pid, start: start_of(pid).unwrap() };
        assert_eq!(Holder::parse(&format!("{own}\n")), Some(own));
        let other = Holder { start: own.start + 1, ..own };
        assert!(own.is_there() && !other.is_there() && other.kill().is_err());
        for text in ["", "7", "7 x", "-7 1", "0 1"] {
            assert_eq!(Holder::parse(text), None, "{text:?}");
        }
    }
}
