//! Network namespaces.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::MetadataExt;
use std::panic::resume_unwind;
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{Sender, channel};
use std::thread::{self, JoinHandle};

use nix::sched::{CloneFlags, setns, unshare};

use super::guard;

/// A program to start, and where to answer.
type Job = (Command, Sender<io::Result<Child>>);

/// A network namespace with `lo` up. It has no name: a thread and a descriptor hold it. The
/// kernel removes it, with all that is in it, when both and the processes in it are gone.
#[derive(Debug)]
pub struct Namespace {
    file: File,
    /// `None` only while it is dropped.
    jobs: Option<Sender<Job>>,
    holder: Option<JoinHandle<()>>,
}

/// A program that is killed when the thread that starts it ends, however that happens.
pub fn mortal(program: impl AsRef<OsStr>) -> Command {
    // The wrapper sets what std cannot, and becomes the program, with the same process id.
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", "--"]).arg(program);
    command
}

impl Namespace {
    /// A new one.
    #[track_caller]
    pub fn new() -> Self {
        let (jobs, work) = channel::<Job>();
        let (tell, told) = channel();
        let hold = move || {
            let _ = tell.send(enter_new());
            for (mut command, answer) in work {
                let _ = answer.send(guard::spawn(&mut command));
            }
        };
        let holder = thread::Builder::new().name("namespace".into()).spawn(hold);
        let file = match told.recv().expect("the thread answers") {
            Ok(file) => file,
            Err(error) => panic!(
                "cannot make a network namespace: {error}\n  = help: be root; for the tests: \
                 sudo -E tests/run lab"
            ),
        };
        let holder = Some(holder.expect("a thread"));
        let namespace = Self { file, jobs: Some(jobs), holder };
        // Duplicate detection takes a second in which an address is of no use.
        namespace.sysctl("net/ipv6/conf/default/accept_dad", "0");
        namespace.ip("link set lo up");
        namespace
    }

    /// Its name for `ip`: `link add a type veth peer name b netns NAME`.
    pub fn path(&self) -> String {
        format!("/proc/{}/fd/{}", std::process::id(), self.file.as_raw_fd())
    }

    /// Does something inside. What is opened there stays there: a socket belongs to the namespace
    /// that it was made in.
    pub fn run<T: Send>(&self, job: impl FnOnce() -> T + Send) -> T {
        let inside = || {
            setns(&self.file, CloneFlags::CLONE_NEWNET).expect("the way into a namespace");
            job()
        };
        thread::scope(|scope| match scope.spawn(inside).join() {
            Ok(result) => result,
            Err(panic) => resume_unwind(panic),
        })
    }

    /// Starts a program inside. A [`mortal`] one ends with the namespace.
    ///
    /// # Errors
    /// What the system says.
    pub fn spawn(&self, command: Command) -> io::Result<Child> {
        let (answer, answered) = channel();
        let jobs = self.jobs.as_ref().expect("it is there until it is dropped");
        jobs.send((command, answer)).expect("the thread works");
        answered.recv().expect("the thread answers")
    }

    /// Runs a program inside, to its end.
    ///
    /// # Errors
    /// What the system says.
    pub fn output(&self, command: &mut Command) -> io::Result<Output> {
        self.run(|| guard::output(command))
    }

    /// Runs `ip` with these words.
    #[track_caller]
    pub fn ip(&self, words: &str) {
        if let Err(error) = self.try_ip(words) {
            panic!("ip {words}: {error}");
        }
    }

    /// Runs `ip` with these words.
    ///
    /// # Errors
    /// What it says on stderr.
    pub fn try_ip(&self, words: &str) -> Result<String, String> {
        let mut command = Command::new("ip");
        command.args(words.split_whitespace());
        let output = self.output(&mut command);
        let output = output.expect("ip; install it with: apt-get install iproute2");
        if output.status.success() {
            Ok(String::from_utf8_lossy(&output.stdout).into_owned())
        } else {
            Err(String::from_utf8_lossy(&output.stderr).trim().to_owned())
        }
    }

    /// Runs many commands of `ip`, one a line, as fast as it can.
    #[track_caller]
    pub fn ip_batch(&self, lines: &str) {
        let mut command = Command::new("ip");
        command.args(["-batch", "-"]).stdin(Stdio::piped());
        let child = self.run(|| guard::spawn(&mut command));
        let mut child = child.expect("ip; install it with: apt-get install iproute2");
        child.stdin.take().expect("a pipe").write_all(lines.as_bytes()).expect("ip reads");
        assert!(child.wait().expect("its end").success(), "ip -batch failed");
    }

    /// Sets one of the namespace's sysctls: `net/ipv4/ip_forward`.
    #[track_caller]
    pub fn sysctl(&self, name: &str, value: &str) {
        let path = format!("/proc/sys/{name}");
        if let Err(error) = self.run(|| fs::write(&path, value)) {
            panic!("cannot write {value} to {path}: {error}");
        }
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(holder) = self.holder.take() {
            let _ = holder.join();
        }
    }
}

/// Puts the calling thread into a new namespace.
fn enter_new() -> io::Result<File> {
    unshare(CloneFlags::CLONE_NEWNET)?;
    let new = File::open("/proc/thread-self/ns/net")?;
    // A router in the network of this machine would take its addresses.
    if new.metadata()?.ino() == fs::metadata("/proc/self/ns/net")?.ino() {
        return Err(io::Error::other("it is the one that the tests run in"));
    }
    Ok(new)
}
