//! The client of the control socket.

use std::io::{ErrorKind, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use lexopt::Parser;
use socket2::{Domain, SockAddr, Socket, Type};

use super::output::Output;
use super::{Exit, UsageError};
use crate::control::answer::{self, Kind, Refusal};
use crate::control::humanize::length;
use crate::control::request::{Format, MAX_LINE, Request};
use crate::control::value::Value;
use crate::supervisor::state_dir::{DEFAULT, SOCKET};

/// The time in which a working daemon answers.
pub const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);
/// The longest answer: the status of some ten thousand instances.
const MAX_ANSWER_OCTETS: usize = 64 * 1024 * 1024;
/// Octets that one call reads, at most.
const READ_OCTETS: usize = 64 * 1024;

/// The reason why there is no answer.
#[derive(Debug)]
pub enum ClientError {
    /// The daemon refused the request.
    Refused(Refusal),
    /// No daemon runs, or it does not answer.
    Dead(Problem),
    /// Another error, after which it is not known whether a daemon runs.
    Failed(Problem),
}

/// A problem and its remedy.
#[derive(Debug)]
pub struct Problem {
    /// The problem.
    pub what: String,
    /// The remedy.
    pub help: String,
}

fn problem(what: impl Into<String>, help: impl Into<String>) -> Problem {
    Problem { what: what.into(), help: help.into() }
}

impl ClientError {
    /// Writes the error to standard error; returns the exit code.
    pub fn report(&self, output: &mut Output) -> Exit {
        let (problem, exit) = match self {
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
            Self::Dead(problem) => (problem, Exit::Dead),
            Self::Failed(problem) => (problem, Exit::Failure),
        };
        output.err(&format!("steadfast: {}\n  = help: {}\n", problem.what, problem.help));
        exit
    }
}

/// The daemon to ask, by its control socket.
#[derive(Debug)]
pub struct DaemonClient {
    socket: PathBuf,
}

impl Default for DaemonClient {
    fn default() -> Self {
        Self { socket: Path::new(DEFAULT).join(SOCKET) }
    }
}

impl DaemonClient {
    /// Reads the value of `--state-dir`.
    pub fn set_state_dir(&mut self, parser: &mut Parser) -> Result<(), UsageError> {
        let directory = parser.value()?;
        if directory.is_empty() {
            return Err(UsageError::new(
                "the name after --state-dir is empty",
                "write --state-dir DIR",
            ));
        }
        self.socket = Path::new(&directory).join(SOCKET);
        Ok(())
    }

    /// Sends a request and returns its answer. The time limit covers both.
    pub fn ask(&self, request: &Request, limit: Duration) -> Result<Value, ClientError> {
        let deadline = Instant::now() + limit;
        let mut conversation = self.begin(request, limit)?;
        decode(conversation.line(Some(deadline))?, &self.socket)
    }

    /// Sends a request and returns its answer, which is a text.
    pub fn ask_text(&self, request: &Request, limit: Duration) -> Result<String, ClientError> {
        self.ask(request, limit)?.as_text().map(str::to_owned).ok_or_else(other_version)
    }

    /// Asks for the status document.
    pub fn status(&self) -> Result<Value, ClientError> {
        let (memory, instance, format) = (false, None, Format::Json);
        self.ask(&Request::Status { memory, instance, format }, ANSWER_TIMEOUT)
    }

    /// Sends a request that has several answers.
    pub fn begin(
        &self,
        request: &Request,
        limit: Duration,
    ) -> Result<Conversation<'_>, ClientError> {
        let socket = self.socket.as_path();
        let stream = connect(socket, limit).map_err(|error| unreachable(&error, socket))?;
        let line = request.to_line() + "\n";
        if line.len() > MAX_LINE {
            let what = format!("the request is longer than {MAX_LINE} bytes");
            return Err(ClientError::Failed(problem(what, "use the name of an instance")));
        }
        let mut conversation = Conversation { stream, socket, octets: Vec::new(), used: 0, limit };
        conversation.send(line.as_bytes())?;
        Ok(conversation)
    }
}

fn connect(path: &Path, limit: Duration) -> std::io::Result<UnixStream> {
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    // This also limits connect(2), which waits while the queue of the socket is full.
    socket.set_write_timeout(Some(limit))?;
    socket.connect(&SockAddr::unix(path)?)?;
    Ok(UnixStream::from(OwnedFd::from(socket)))
}

/// A connection whose answers are read line by line.
#[derive(Debug)]
pub struct Conversation<'a> {
    stream: UnixStream,
    socket: &'a Path,
    octets: Vec<u8>,
    /// Octets of the line that was returned last.
    used: usize,
    limit: Duration,
}

impl Conversation<'_> {
    fn send(&mut self, line: &[u8]) -> Result<(), ClientError> {
        match self.stream.write_all(line) {
            // The daemon closed the connection; its reason can be read.
            Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
            written => written.map_err(|error| unreachable(&error, self.socket)),
        }
    }

    /// The next answer, without a time limit.
    pub fn next(&mut self) -> Result<Value, ClientError> {
        let socket = self.socket;
        decode(self.line(None)?, socket)
    }

    /// The next line, without its newline.
    fn line(&mut self, deadline: Option<Instant>) -> Result<&[u8], ClientError> {
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
                return Err(ClientError::Failed(problem(what, OTHER_PROGRAM_HELP)));
            }
            self.read(deadline)?;
        }
    }

    /// Reads at least one octet.
    fn read(&mut self, deadline: Option<Instant>) -> Result<(), ClientError> {
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
            return Err(ClientError::Dead(problem(
                "the daemon hung up: it ended, or was restarted",
                "ask again; if it stays like this, see its log",
            )));
        }
        self.octets.extend_from_slice(chunk.get(..count).unwrap_or_default());
        Ok(())
    }

    fn late(&self) -> ClientError {
        let limit = length(self.limit.as_secs_f64());
        ClientError::Dead(problem(
            format!("the daemon does not answer within {limit}"),
            "see its log; if it hangs, end it and start it again",
        ))
    }
}

const OTHER_PROGRAM_HELP: &str = "something else than steadfast listens there: see --state-dir";

/// Decodes the answer in a line.
fn decode(line: &[u8], socket: &Path) -> Result<Value, ClientError> {
    match answer::read(line) {
        Ok(answer) => answer.map_err(ClientError::Refused),
        Err(_) => {
            let what = format!("what comes from {} is not an answer of a daemon", socket.display());
            Err(ClientError::Failed(problem(what, OTHER_PROGRAM_HELP)))
        }
    }
}

/// The error for an answer that this version does not understand.
pub fn other_version() -> ClientError {
    ClientError::Failed(problem(
        "the daemon is of another version: this program does not understand its answer",
        "restart the daemon, so that it runs the installed version",
    ))
}

/// The error for a socket that cannot be used.
fn unreachable(error: &std::io::Error, socket: &Path) -> ClientError {
    let path = socket.display();
    let is = |kinds: &[ErrorKind]| kinds.contains(&error.kind());
    if is(&[ErrorKind::NotFound]) {
        ClientError::Dead(problem(
            format!("no daemon runs: there is no {path}"),
            "start it with steadfast run, or name the directory of another one with --state-dir",
        ))
    } else if is(&[ErrorKind::ConnectionRefused]) {
        ClientError::Dead(problem(
            format!("no daemon runs: nobody listens on {path}, which an ended one left"),
            "start it with steadfast run",
        ))
    } else if is(&[ErrorKind::BrokenPipe, ErrorKind::ConnectionReset]) {
        ClientError::Dead(problem(
            "the daemon hung up before it answered",
            "ask again; see its log",
        ))
    } else if is(&[ErrorKind::WouldBlock, ErrorKind::TimedOut]) {
        ClientError::Dead(problem(
            format!("the daemon does not take connections on {path}"),
            "see its log; if it hangs, end it and start it again",
        ))
    } else if is(&[ErrorKind::PermissionDenied]) {
        ClientError::Failed(problem(
            format!("no permission to use {path}"),
            "run it as root, or as a member of the group of control_socket_group in [global]",
        ))
    } else {
        ClientError::Failed(problem(
            format!("cannot use {path}: {error}"),
            "name the directory of the daemon with --state-dir",
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_that_came_before_the_request_is_shown() {
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
        conversation.send(b"{\"method\":\"status\"}\n").unwrap();
        let error = conversation.next().unwrap_err();
        assert!(matches!(&error, ClientError::Refused(no) if no.text == "too many clients"));
    }
}
