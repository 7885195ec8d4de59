//! Programs in a namespace.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ExitStatus, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::namespace::{Namespace, mortal};
use super::until;

/// Lines of stderr that a failed test shows of each program.
const SHOWN_LINES: usize = 60;

/// A running program. It is killed when this is dropped; when that happens because the test
/// failed, its last words are printed.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    words: PathBuf,
    ended: Option<ExitStatus>,
}

impl Process {
    /// Starts `program` in a namespace. What it says goes to `NAME.log` in `directory`, appended.
    #[track_caller]
    pub fn start<A: AsRef<OsStr>>(
        net: &Namespace,
        name: &str,
        program: impl AsRef<OsStr>,
        arguments: impl IntoIterator<Item = A>,
        directory: &Path,
    ) -> Self {
        let words = directory.join(format!("{name}.log"));
        let log = File::options().create(true).append(true).open(&words).expect("a log file");
        let mut command = mortal(&program);
        command.args(arguments).current_dir(directory).stdin(Stdio::null());
        command.stdout(log.try_clone().expect("a descriptor")).stderr(log);
        // What the terminal sends is for us alone.
        command.process_group(0);
        let child = match net.spawn(command) {
            Ok(child) => child,
            Err(error) => panic!(
                "cannot start {name} through setpriv: {error}\n  = help: \
                 apt-get install util-linux"
            ),
        };
        Self { name: name.to_owned(), child, words, ended: None }
    }

    /// Its process id.
    pub fn id(&self) -> Pid {
        Pid::from_raw(self.child.id().cast_signed())
    }

    /// The processes that it, and they, started.
    pub fn offspring(&self) -> Vec<Pid> {
        let mut found = vec![self.id()];
        let mut next = 0;
        while let Some(&parent) = found.get(next) {
            found.extend(children(parent));
            next += 1;
        }
        found.split_off(1)
    }

    /// Sends a signal.
    #[track_caller]
    pub fn signal(&self, signal: Signal) {
        if let Err(error) = kill(self.id(), signal) {
            panic!("cannot send {signal} to {}: {error}\n{}", self.name, self.last_words());
        }
    }

    /// Kills it and what it started, all at the same time as nearly as that can be.
    pub fn kill_all(&mut self) {
        let everyone: Vec<Pid> = std::iter::once(self.id()).chain(self.offspring()).collect();
        // Nobody may hear of the end of another one and act.
        for &one in &everyone {
            let _ = kill(one, Signal::SIGSTOP);
        }
        // Children first: when a parent ends, the kernel lets stopped children go on.
        for &one in everyone.iter().rev() {
            let _ = kill(one, Signal::SIGKILL);
        }
        self.ended = self.child.wait().ok();
        for one in everyone {
            until("a killed process ends", || (!is_alive(one)).then_some(()));
        }
    }

    /// Whether it has ended, and how.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        if self.ended.is_none() {
            self.ended = self.child.try_wait().expect("its state");
        }
        self.ended
    }

    /// Waits for its end.
    #[track_caller]
    pub fn wait(&mut self) -> ExitStatus {
        let name = self.name.clone();
        until(&format!("the end of {name}"), || self.ended())
    }

    /// All it said.
    pub fn words(&self) -> String {
        fs::read_to_string(&self.words).unwrap_or_default()
    }

    /// The end of it, as a block for a message.
    pub fn last_words(&self) -> String {
        let words = self.words();
        let lines: Vec<&str> = words.lines().collect();
        let last = lines.get(lines.len().saturating_sub(SHOWN_LINES)..).unwrap_or_default();
        format!("-- {} said:\n{}\n--", self.name, last.join("\n"))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}", self.last_words());
        }
        if self.ended().is_none() {
            self.kill_all();
        }
    }
}

/// The processes whose parent this is.
fn children(parent: Pid) -> Vec<Pid> {
    let all = fs::read_dir("/proc").into_iter().flatten().flatten();
    all.filter_map(|entry| {
        let id: i32 = entry.file_name().to_str()?.parse().ok()?;
        // "id (name) state parent ...", and a name may have brackets in it.
        let stat = fs::read_to_string(entry.path().join("stat")).ok()?;
        let of: i32 = stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()?;
        (of == parent.as_raw()).then_some(Pid::from_raw(id))
    })
    .collect()
}

/// Whether a process runs; one that nobody has waited for yet does not.
pub fn is_alive(id: Pid) -> bool {
    let stat = fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
    stat.rsplit_once(')').is_some_and(|(_, rest)| !rest.trim_start().starts_with(['Z', 'X']))
}
