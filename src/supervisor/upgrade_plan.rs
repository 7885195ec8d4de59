//! Which program takes the place of this one: asked before anything is given up.

use std::fs;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use async_io::Async;
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use smol::io::AsyncReadExt;

use super::exec_state;
use super::timeouts::within;
use crate::control::child_messages;
use crate::control::shared_memory::MAGIC;
use crate::control::value::{ToValue, Value};
use crate::system::pidfd;

/// The hidden command that says whether a program could take over.
pub const CHECK_COMMAND: &str = "upgrade-check";
/// How long the other program may take to read the configuration.
const PLAN_TIMEOUT: Duration = Duration::from_secs(20);
/// How long it may take to end when it is killed.
const KILL_TIMEOUT: Duration = Duration::from_secs(1);
/// Lines of it that are shown.
const MAX_SHOWN_LINES: usize = 20;
/// Octets of what it says that are looked at.
const MAX_ANSWER_OCTETS: u64 = 64 * 1024;

/// What a program says about itself.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct About {
    /// Its version.
    pub version: String,
    /// Of the shared memory.
    pub layout: u32,
    /// Of what supervisor and child say to each other.
    pub link: u32,
    /// Of what a supervisor leaves.
    pub former: u32,
}

impl About {
    /// As the other program writes it.
    pub fn to_value(&self) -> Value {
        Value::object([
            ("version", self.version.to_value()),
            ("layout", self.layout.to_value()),
            ("link", self.link.to_value()),
            ("former", self.former.to_value()),
        ])
    }

    fn read(text: &[u8]) -> Option<Self> {
        let value = Value::from_json(text).ok()?;
        let number = |key: &str| u32::try_from(value.get(key)?.as_integer()?).ok();
        Some(Self {
            version: value.get("version")?.as_text()?.to_owned(),
            layout: number("layout")?,
            link: number("link")?,
            former: number("former")?,
        })
    }

    /// This program.
    pub fn this() -> Self {
        Self {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            layout: MAGIC,
            link: child_messages::VERSION,
            former: exec_state::FORMAT,
        }
    }
}

/// Which program takes over, and how.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Plan {
    /// Its file.
    pub program: PathBuf,
    /// Its version.
    pub version: String,
    /// It understands what runs now.
    pub seamless: bool,
}

/// The file of this program, as it is called today.
///
/// # Errors
/// What the system says.
fn own_file() -> io::Result<PathBuf> {
    let link = fs::read_link("/proc/self/exe")?;
    let name = link.to_string_lossy();
    // Of a file that was replaced since.
    Ok(name.strip_suffix(" (deleted)").map_or_else(|| link.clone(), PathBuf::from))
}

/// Asks a program whether it could take over with this file of a configuration; `None`: the one that has the name of this one now.
///
/// # Errors
/// Why not, in words.
pub async fn plan(configuration: &Path, program: Option<PathBuf>) -> Result<Plan, String> {
    let own = || own_file().map_err(|error| format!("the file of this program: {error}"));
    let program = program.map_or_else(own, Ok)?;
    let shown = program.display();
    let answer = ask(&program, configuration, PLAN_TIMEOUT).await;
    let (text, end) = answer.map_err(|error| format!("{shown}: {error}"))?;
    let about = About::read(&text).ok_or_else(|| {
        let text = String::from_utf8_lossy(&text);
        let lines: Vec<&str> = text.lines().take(MAX_SHOWN_LINES).collect();
        match lines.is_empty() {
            true => format!("{shown} refuses to take over ({end}): is it steadfast?"),
            false => format!("{shown} refuses to take over ({end}):\n{}", lines.join("\n")),
        }
    })?;
    let this = About::this();
    let seamless =
        (about.layout, about.link, about.former) == (this.layout, this.link, this.former);
    Ok(Plan { program, version: about.version, seamless })
}

/// What the program says: about itself, or why it does not take this configuration. It and all that
/// it has started end with the answer, or after `limit`.
async fn ask(program: &Path, file: &Path, limit: Duration) -> io::Result<(Vec<u8>, ExitStatus)> {
    let (reader, writer) = io::pipe()?;
    let reader = Async::new(reader)?;
    let mut command = Command::new(program);
    command.args([CHECK_COMMAND, "-c"]).arg(file).env_clear().stdin(Stdio::null());
    command.stderr(writer.try_clone()?).stdout(writer).process_group(0);
    let mut child = EndAtOnce(command.spawn()?);
    // It has the writing ends, and the end of the pipe would never come.
    drop(command);
    let process = Async::new_nonblocking(pidfd::open(child.pid())?)?;
    let mut said = Vec::new();
    let answer = async {
        reader.take(MAX_ANSWER_OCTETS).read_to_end(&mut said).await?;
        process.readable().await
    };
    let answer = within(limit, answer).await;
    child.kill();
    // Whatever it did, it has to be waited for.
    within(KILL_TIMEOUT, process.readable()).await;
    let end = child.0.try_wait()?;
    match (answer, end) {
        (Some(answer), Some(end)) => answer.map(|()| (said, end)),
        (_, _) => Err(io::Error::new(io::ErrorKind::TimedOut, "it does not answer")),
    }
}

/// A process that does not outlive this, with all that it has started.
struct EndAtOnce(Child);

impl EndAtOnce {
    fn pid(&self) -> Pid {
        Pid::from_raw(self.0.id().cast_signed())
    }

    /// To be called before it was waited for: the number is its own until then.
    fn kill(&self) {
        // They have ended most often.
        let _ = killpg(self.pid(), Signal::SIGKILL);
    }
}

impl Drop for EndAtOnce {
    fn drop(&mut self) {
        // Otherwise it was waited for.
        if let Ok(None) = self.0.try_wait() {
            self.kill();
            let _ = self.0.wait();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt;

    use nix::sys::wait::{WaitPidFlag, waitpid};

    use super::*;

    #[test]
    fn nothing_is_left_of_a_program_that_does_not_answer() {
        let path = std::env::temp_dir().join(format!("steadfast-{}-ask", std::process::id()));
        let said = path.with_extension("pid");
        let text = format!("#!/bin/sh\necho $$ > {}\nsleep 60 & sleep 60\n", said.display());
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o755)).unwrap();
        let answer = ask(&path, Path::new("/x"), Duration::from_secs(1));
        let error = async_io::block_on(answer).unwrap_err();
        assert_eq!(error.to_string(), "it does not answer");
        let pid: i32 = fs::read_to_string(&said).unwrap().trim().parse().unwrap();
        let state = waitpid(Pid::from_raw(pid), Some(WaitPidFlag::WNOHANG));
        assert_eq!(state, Err(nix::errno::Errno::ECHILD), "it was waited for");
        for file in [path, said] {
            fs::remove_file(file).unwrap();
        }
    }
}
