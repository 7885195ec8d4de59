//! Asks the daemon, through the control socket.

use std::io::{ErrorKind, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use lexopt::Parser;
use socket2::{Domain, SockAddr, Socket, Type};

use super::output::Output;
use super::{Exit, Wrong};
use crate::control::answer::{self, Kind, Refusal};
use crate::control::humanize::length;
use crate::control::request::{Format, MAX_LINE, Request};
use crate::control::value::Value;
use crate::supervisor::state_dir::{DEFAULT, SOCKET};

/// How long a daemon that is well may take to answer.
pub const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);
/// The longest answer, in octets: the status of some ten thousand instances.
const MAX_ANSWER_OCTETS: usize = 64 * 1024 * 1024;
/// Octets that are read at once.
const READ_OCTETS: usize = 64 * 1024;

/// Why there is no answer.
#[derive(Debug)]
pub enum Trouble {
    /// The daemon says no, in its words.
    Refused(Refusal),
    /// There is no daemon, or it does not answer.
    Dead(Fault),
    /// Something else is in the way: whether there is a daemon is not known.
    Failed(Fault),
}

/// What is wrong, and the remedy.
#[derive(Debug)]
pub struct Fault {
    /// What is wrong.
    pub what: String,
    /// The remedy.
    pub help: String,
}

fn fault(what: impl Into<String>, help: impl Into<String>) -> Fault {
    Fault { what: what.into(), help: help.into() }
}

impl Trouble {
    /// Says it on standard error.
    pub fn report(&self, output: &mut Output) -> Exit {
        let (fault, exit) = match self {
            Self::Refused(Refusal { kind, text, help }) => {
                output.err(&format!("steadfast: {}\n", text.trim_end()));
                if let Some(help) = help {
                    output.err(&format!("  = help: {help}\n"));
                }
                return match kind {
                    Kind::Refused => Exit::Failure,
                    Kind::Configuration => Exit::Configuration,
                    Kind::Instance => Exit::Usage,
                    Kind::Dead => Exit::Dead,
                };
            }
            Self::Dead(fault) => (fault, Exit::Dead),
            Self::Failed(fault) => (fault, Exit::Failure),
        };
        output.err(&format!("steadfast: {}\n  = help: {}\n", fault.what, fault.help));
        exit
    }
}

/// Where to ask.
#[derive(Debug)]
pub struct Daemon {
    socket: PathBuf,
}

impl Default for Daemon {
    fn default() -> Self {
        Self { socket: Path::new(DEFAULT).join(SOCKET) }
    }
}

impl Daemon {
    /// Takes the value of `--state-dir`.
    pub fn set_state_dir(&mut self, parser: &mut Parser) -> Result<(), Wrong> {
        let directory = parser.value()?;
        if directory.is_empty() {
            return Err(Wrong::new("the name after --state-dir is empty", "write --state-dir DIR"));
        }
        self.socket = Path::new(&directory).join(SOCKET);
        Ok(())
    }

    /// One question, one answer, within a time limit that covers all of it.
    pub fn ask(&self, request: &Request, limit: Duration) -> Result<Value, Trouble> {
        let deadline = Instant::now() + limit;
        let mut conversation = self.begin(request, limit)?;
        decode(conversation.line(Some(deadline))?, &self.socket)
    }

    /// The same, for an answer that is a text.
    pub fn ask_text(&self, request: &Request, limit: Duration) -> Result<String, Trouble> {
        self.ask(request, limit)?.as_text().map(str::to_owned).ok_or_else(other_version)
    }

    /// The status document: as a value, and the line that it came in.
    pub fn status(&self) -> Result<Value, Trouble> {
        let (memory, instance, format) = (false, None, Format::Json);
        self.ask(&Request::Status { memory, instance, format }, ANSWER_TIMEOUT)
    }

    /// Asks for a stream of answers.
    pub fn begin(&self, request: &Request, limit: Duration) -> Result<Conversation<'_>, Trouble> {
        let socket = self.socket.as_path();
        let stream = connect(socket, limit).map_err(|error| unreachable(&error, socket))?;
        let line = request.to_line() + "\n";
        if line.len() > MAX_LINE {
            let what = format!("the request is longer than {MAX_LINE} bytes");
            return Err(Trouble::Failed(fault(what, "use the name of an instance")));
        }
        let mut conversation = Conversation { stream, socket, octets: Vec::new(), used: 0, limit };
        conversation.say(line.as_bytes())?;
        Ok(conversation)
    }
}

fn connect(path: &Path, limit: Duration) -> std::io::Result<UnixStream> {
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    // The kernel waits that long when too many clients wait before us.
    socket.set_write_timeout(Some(limit))?;
    socket.connect(&SockAddr::unix(path)?)?;
    Ok(UnixStream::from(OwnedFd::from(socket)))
}

/// Answers, line by line.
#[derive(Debug)]
pub struct Conversation<'a> {
    stream: UnixStream,
    socket: &'a Path,
    octets: Vec<u8>,
    /// How many of them were given out already.
    used: usize,
    limit: Duration,
}

impl Conversation<'_> {
    fn say(&mut self, line: &[u8]) -> Result<(), Trouble> {
        match self.stream.write_all(line) {
            // Whoever is turned away was told why before it could ask.
            Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
            written => written.map_err(|error| unreachable(&error, self.socket)),
        }
    }

    /// The next answer, without a time limit.
    pub fn next(&mut self) -> Result<Value, Trouble> {
        let socket = self.socket;
        decode(self.line(None)?, socket)
    }

    /// The next line, without its end.
    fn line(&mut self, deadline: Option<Instant>) -> Result<&[u8], Trouble> {
        self.octets.drain(..self.used);
        self.used = 0;
        let mut searched = 0;
        loop {
            let rest = self.octets.get(searched..).unwrap_or_default();
            if let Some(end) = rest.iter().position(|octet| *octet == b'\n') {
                let end = searched + end;
                self.used = end + 1;
                return Ok(self.octets.get(..end).unwrap_or_default());
            }
            searched = self.octets.len();
            if searched > MAX_ANSWER_OCTETS {
                let what = format!("the answer from {} has no end", self.socket.display());
                return Err(Trouble::Failed(fault(what, NOT_OURS)));
            }
            self.read(deadline)?;
        }
    }

    /// Reads what there is, at least one octet.
    fn read(&mut self, deadline: Option<Instant>) -> Result<(), Trouble> {
        let mut chunk = [0; READ_OCTETS];
        let count = loop {
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            if left.is_some_and(|left| left.is_zero()) {
                return Err(self.late());
            }
            let read =
                self.stream.set_read_timeout(left).and_then(|()| self.stream.read(&mut chunk));
            match read {
                Ok(count) => break count,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Err(self.late()),
                Err(error) => return Err(unreachable(&error, self.socket)),
            }
        };
        if count == 0 {
            return Err(Trouble::Dead(fault(
                "the daemon hung up: it ended, or was restarted",
                "ask again; if it stays like this, see its log",
            )));
        }
        self.octets.extend_from_slice(chunk.get(..count).unwrap_or_default());
        Ok(())
    }

    fn late(&self) -> Trouble {
        let limit = length(self.limit.as_secs_f64());
        Trouble::Dead(fault(
            format!("the daemon does not answer within {limit}"),
            "see its log; if it hangs, end it and start it again",
        ))
    }
}

const NOT_OURS: &str = "something else than steadfast listens there: see --state-dir";

/// What a line says.
fn decode(line: &[u8], socket: &Path) -> Result<Value, Trouble> {
    match answer::read(line) {
        Ok(answer) => answer.map_err(Trouble::Refused),
        Err(_) => {
            let what = format!("what comes from {} is not an answer of a daemon", socket.display());
            Err(Trouble::Failed(fault(what, NOT_OURS)))
        }
    }
}

/// The answer is none that this program knows.
pub fn other_version() -> Trouble {
    Trouble::Failed(fault(
        "the daemon answers in another way than this program knows",
        "restart the daemon, so that it runs the installed version",
    ))
}

/// Why the socket is of no use.
fn unreachable(error: &std::io::Error, socket: &Path) -> Trouble {
    let path = socket.display();
    let is = |kinds: &[ErrorKind]| kinds.contains(&error.kind());
    if is(&[ErrorKind::NotFound]) {
        Trouble::Dead(fault(
            format!("no daemon runs: there is no {path}"),
            "start it with steadfast run, or name the directory of another one with --state-dir",
        ))
    } else if is(&[ErrorKind::ConnectionRefused]) {
        Trouble::Dead(fault(
            format!("no daemon runs: nobody listens on {path}, which an ended one left"),
            "start it with steadfast run",
        ))
    } else if is(&[ErrorKind::BrokenPipe, ErrorKind::ConnectionReset]) {
        Trouble::Dead(fault("the daemon hung up before it answered", "ask again; see its log"))
    } else if is(&[ErrorKind::WouldBlock, ErrorKind::TimedOut]) {
        Trouble::Dead(fault(
            format!("the daemon does not take connections on {path}"),
            "see its log; if it hangs, end it and start it again",
        ))
    } else if is(&[ErrorKind::PermissionDenied]) {
        Trouble::Failed(fault(
            format!("no permission to use {path}"),
            "run it as root, or as a member of the group of control_socket_group in [global]",
        ))
    } else {
        Trouble::Failed(fault(
            format!("cannot use {path}: {error}"),
            "name the directory of the daemon with --state-dir",
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_turned_away_before_it_could_ask_says_why() {
        let (near, mut far) = UnixStream::pair().unwrap();
        far.write_all(b"{\"error\":\"too many clients\"}\n").unwrap();
        drop(far);
        let socket = Path::new("control.sock");
        let mut conversation = Conversation {
            stream: near,
            socket,
            octets: Vec::new(),
            used: 0,
            limit: ANSWER_TIMEOUT,
        };
        conversation.say(b"{\"method\":\"status\"}\n").unwrap();
        let trouble = conversation.next().unwrap_err();
        assert!(matches!(&trouble, Trouble::Refused(no) if no.text == "too many clients"));
    }
}
