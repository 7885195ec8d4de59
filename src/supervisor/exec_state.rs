//! What a supervisor leaves to the program that takes its place in the same process: descriptors,
//! and a document about them. Its children notice nothing, and neither do those who connect to the
//! control socket.

use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::os::fd::{OwnedFd, RawFd};
use std::path::PathBuf;

use nix::sys::memfd::{MFdFlags, memfd_create};
use serde::{Deserialize, Serialize};

use super::crash::Crash;
use super::role::{FormerClaim, Held};
use crate::control::event::{Event, Level};
use crate::system::inherited_fds::take;
use crate::units::Instant;

/// The format of the document: another number when a field gets another meaning.
pub const FORMAT: u32 = 4;
/// The longest document, in octets.
const MAX_OCTETS: u64 = 256 * 1024 * 1024;

/// The document.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct ExecState {
    /// The version of the program that wrote it.
    pub version: String,
    /// The file of the configuration.
    pub file: PathBuf,
    /// The state directory.
    pub state_dir: PathBuf,
    /// Whether the log goes to syslog.
    pub syslog: bool,
    /// How much is logged.
    pub level: Level,
    /// When the daemon was started, by whichever program.
    pub started: Instant,
    /// Of the configuration in effect.
    pub generation: u32,
    /// The last changes of state.
    pub transitions: Vec<Event>,
    /// The lock of the state directory, and whether our process id is in it.
    pub lock: Option<(RawFd, bool)>,
    /// The control socket.
    pub listener: Option<RawFd>,
    /// The claims of its virtual routers.
    pub claims: Vec<FormerClaim>,
    /// The roles that survive.
    pub children: Vec<ExecChild>,
    /// Descriptors that are not ours.
    pub inherited: Vec<RawFd>,
}

/// One role.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct ExecChild {
    /// Its name.
    pub role: String,
    /// How often its process had to be started again.
    pub restarts: u32,
    /// How it ended the last time that nobody had asked it to.
    pub crash: Option<Crash>,
    /// What is in the kernel.
    pub installed: Vec<Held>,
    /// The shared memory.
    pub memory: RawFd,
    /// Its process; `None`: it has handed over and ended.
    pub process: Option<ExecProcess>,
}

/// A process and our ends of what connects us.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ExecProcess {
    /// Its process id.
    pub pid: i32,
    /// The stream of messages.
    pub link: RawFd,
    /// The datagrams with events.
    pub events: RawFd,
    /// The pipe with its last words.
    pub stderr: RawFd,
}

impl ExecState {
    /// Writes it into memory that the next program finds under the number that this gives.
    ///
    /// # Errors
    /// What the system says.
    pub fn leave(&self) -> io::Result<OwnedFd> {
        let fd = memfd_create(c"steadfast-former", MFdFlags::MFD_CLOEXEC)?;
        let mut file = File::from(fd);
        file.write_all(&FORMAT.to_le_bytes())?;
        file.write_all(&postcard::to_allocvec(self).map_err(io::Error::other)?)?;
        file.flush()?;
        Ok(file.into())
    }

    /// Reads what the program before has left under that number.
    ///
    /// # Errors
    /// In words.
    pub fn find(number: RawFd) -> io::Result<Self> {
        let mut file = File::from(take(number)?);
        file.rewind()?;
        let mut octets = Vec::new();
        file.take(MAX_OCTETS).read_to_end(&mut octets)?;
        let wrong = || io::Error::other("what the former program left is of another version");
        match octets.split_first_chunk() {
            Some((format, document)) if *format == FORMAT.to_le_bytes() => {
                postcard::from_bytes(document).map_err(io::Error::other)
            }
            Some(_) | None => Err(wrong()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::fd::IntoRawFd;

    use super::*;
    use crate::system::inherited_fds::pass_on;
    use crate::units::Vrid;

    #[test]
    fn what_is_left_is_found() {
        let former = ExecState {
            version: "0.1.0".to_owned(),
            file: "/etc/x.toml".into(),
            state_dir: "/run/x".into(),
            syslog: true,
            level: Level::Debug,
            started: Instant::from_nanos(7),
            generation: 3,
            transitions: Vec::new(),
            lock: Some((9, true)),
            listener: None,
            claims: vec![("eth0".into(), Vrid::new(51).unwrap(), 12)],
            children: vec![ExecChild {
                role: "x".to_owned(),
                restarts: 1,
                crash: Some(Crash::not_started(Instant::from_nanos(9), "no".to_owned())),
                installed: Vec::new(),
                memory: 11,
                process: Some(ExecProcess { pid: 4, link: 5, events: 6, stderr: 7 }),
            }],
            inherited: vec![3],
        };
        let left = former.leave().unwrap();
        let number = pass_on(&left).unwrap();
        assert_eq!(left.into_raw_fd(), number);
        assert_eq!(ExecState::find(number).unwrap(), former);
        assert!(ExecState::find(number).is_err(), "it is read once");
    }
}
