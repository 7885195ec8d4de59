//! Into the background: the same program again, before anything is opened, and a pipe that says
//! when it works.

use std::ffi::OsString;
use std::fs::OpenOptions;
use std::io::{self, Read, Write};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use nix::sys::stat::{Mode, umask};
use nix::unistd::{dup2_stderr, dup2_stdout, setsid};

/// What the process in the background says when it works.
const READY: &[u8] = b"ready\n";

/// Starts this program with these arguments as a process without a terminal. Its standard error
/// stays ours until it works.
///
/// Gives its exit status when it ended instead.
///
/// # Errors
/// What the system says.
pub fn launch(words: &[OsString]) -> io::Result<Result<(), u8>> {
    let (reader, writer) = io::pipe()?;
    let mut command = Command::new("/proc/self/exe");
    command.arg0("steadfast").args(words).stdin(Stdio::null()).stdout(writer);
    let mut child = command.spawn()?;
    // It holds the writing end, and the end of the pipe would never come.
    drop(command);
    let mut said = Vec::new();
    reader.take(READY.len() as u64).read_to_end(&mut said)?;
    if said == READY {
        return Ok(Ok(()));
    }
    let code = child.wait()?.code().and_then(|code| u8::try_from(code).ok());
    Ok(Err(code.filter(|code| *code != 0).unwrap_or(1)))
}

/// The process in the background.
#[derive(Debug)]
pub struct Detached(());

impl Detached {
    /// Leaves the terminal and the directory of whoever started us.
    ///
    /// # Errors
    /// What the system says.
    pub fn begin() -> io::Result<Self> {
        setsid()?;
        std::env::set_current_dir(PathBuf::from("/"))?;
        umask(Mode::from_bits_truncate(0o022));
        Ok(Self(()))
    }

    /// Tells whoever started us that all is well, and lets go of standard output and error.
    ///
    /// # Errors
    /// What the system says.
    pub fn ready(self) -> io::Result<()> {
        // Nobody may be left to hear it.
        let _ = io::stdout().write_all(READY).and_then(|()| io::stdout().flush());
        let null = OpenOptions::new().read(true).write(true).open("/dev/null")?;
        dup2_stdout(&null)?;
        dup2_stderr(&null)?;
        Ok(())
    }
}
