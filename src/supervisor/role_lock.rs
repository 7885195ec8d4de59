//! The lock of the vrrp process: who has it works on the addresses (DESIGN 3). A supervisor that
//! was killed leaves a process behind which hands over and removes what it holds; the next one
//! must not add anything meanwhile.

use std::fs;
use std::io::{self, Read, Seek, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::time::Duration;

use nix::unistd::Pid;
use smol::Timer;

use super::daemon::Daemon;
use super::state_dir::StateDir;
use crate::control::record::Level;
use crate::system::{clock, lock, pidfd};

/// The file: its lock is the one of the process, and the process's number is in it.
const FILE: &str = "vrrp.lock";
/// How long a process of a former supervisor may take to hand over.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long a killed one may take to end.
const END: Duration = Duration::from_secs(1);
/// How often is looked.
const LOOK: Duration = Duration::from_millis(10);

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

    /// Writes who has it from now on.
    ///
    /// # Errors
    /// What the system says.
    pub fn give_to(mut self, pid: Pid) -> io::Result<()> {
        self.0.rewind()?;
        self.0.set_len(0)?;
        writeln!(self.0, "{pid}")
    }
}

/// Waits until no other process has the lock; one that keeps it for too long is killed. `None`:
/// there can be no lock, since the state directory takes no files.
///
/// # Errors
/// It can not be had: in words.
pub async fn take(daemon: &Daemon) -> Result<Option<RoleLock>, String> {
    let file = match daemon.dir.open_file(FILE) {
        Ok(file) => file,
        Err(error) => {
            let text = format!("{FILE}: {error}; nothing keeps two vrrp processes apart");
            daemon.note(Level::Warning, text);
            return Ok(None);
        }
    };
    let wrong = |error: io::Error| format!("{FILE} cannot be locked: {error}");
    if lock::take(&file).map_err(wrong)? {
        return Ok(Some(RoleLock(file)));
    }
    let who = match holder(&file) {
        Some(pid) => format!("vrrp process {pid}"),
        None => "a vrrp process".to_owned(),
    };
    let seconds = PATIENCE.as_secs();
    daemon.note(
        Level::Warning,
        format!("{who} of a former supervisor still hands over; it has {seconds} s for that"),
    );
    if wait(&file, PATIENCE).await.map_err(wrong)? {
        daemon.note(Level::Notice, format!("{who} of a former supervisor has ended"));
        return Ok(Some(RoleLock(file)));
    }
    let killed = kill_holder(&file);
    let killed = killed.map_err(|error| format!("{who} of a former supervisor: {error}"))?;
    daemon.note(
        Level::Warning,
        format!("vrrp process {killed} of a former supervisor took too long; it is killed"),
    );
    match wait(&file, END).await.map_err(wrong)? {
        true => Ok(Some(RoleLock(file))),
        false => Err(format!("vrrp process {killed} of a former supervisor does not end")),
    }
}

/// At the end: removes the file, unless a process still hands over.
pub fn leave(dir: &StateDir) {
    if dir.open_file(FILE).is_ok_and(|file| lock::take(&file).unwrap_or(false)) {
        // Nobody is left to tell, and the next start takes it as it is.
        let _ = dir.remove(FILE);
    }
}

/// Whether the lock could be taken in that time.
async fn wait(file: &fs::File, limit: Duration) -> io::Result<bool> {
    let end = clock::now() + limit;
    while clock::now() < end {
        if lock::take(file)? {
            return Ok(true);
        }
        Timer::after(LOOK).await;
    }
    Ok(false)
}

/// The process that the file names.
fn holder(mut file: &fs::File) -> Option<Pid> {
    let mut text = String::new();
    file.rewind().and_then(|()| file.read_to_string(&mut text)).ok()?;
    text.trim().parse().ok().map(Pid::from_raw)
}

/// Kills the holder. A number in a file may be anybody's by now: the process has to have this very
/// file open.
fn kill_holder(file: &fs::File) -> io::Result<Pid> {
    let none = || io::Error::other("it has the lock, and it is not known which process it is");
    let pid = holder(file).ok_or_else(none)?;
    let process = pidfd::open(pid)?;
    let wanted = file.metadata()?;
    let open = fs::read_dir(format!("/proc/{pid}/fd"))?.flatten().any(|entry| {
        let found = fs::metadata(entry.path());
        found.is_ok_and(|found| (found.dev(), found.ino()) == (wanted.dev(), wanted.ino()))
    });
    if !open {
        return Err(none());
    }
    pidfd::kill(&process).map(|()| pid)
}
