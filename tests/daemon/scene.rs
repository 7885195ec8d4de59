//! A router that is alone on its link.

use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Command, Output};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use steadfast::control::status::{Document, State};

use crate::harness::config::Instance;
use crate::harness::process::Process;
use crate::harness::router::{Router, program, vrrp_pid};
use crate::harness::scratch::Scratch;
use crate::harness::{AWAIT_TIMEOUT, until};

/// The virtual address.
pub const VIRTUAL: &str = "192.0.2.1/24";

/// A router with `eth0` and nobody at the other end.
#[derive(Debug)]
pub struct Alone {
    pub router: Router,
    pub scratch: Scratch,
}

impl Alone {
    /// Configured, and not started.
    #[track_caller]
    pub fn new() -> Self {
        let scratch = Scratch::new();
        let router = Router::new(&scratch, "gw");
        router.host.net.ip("link add eth0 type veth peer name far");
        for interface in ["eth0", "far"] {
            router.host.net.ip(&format!("link set {interface} up"));
        }
        router.host.net.ip("address add 192.0.2.2/24 dev eth0");
        let mut alone = Self { router, scratch };
        alone.configure(&Instance::lan(150, &[VIRTUAL]));
        alone
    }

    /// Started, and master.
    #[track_caller]
    pub fn master() -> Self {
        let mut alone = Self::new();
        alone.router.start();
        alone.router.until_state("lan", State::Master);
        alone
    }

    /// Writes a configuration with one instance.
    #[track_caller]
    pub fn configure(&mut self, instance: &Instance) {
        self.router.configure(&instance.to_string());
    }

    /// Whether the kernel has the virtual address.
    #[track_caller]
    pub fn holds_address(&self) -> bool {
        let shown = self.router.host.net.try_ip("address show dev eth0").expect("its addresses");
        shown.contains(VIRTUAL)
    }

    /// Runs the program in the router's network, with this state directory, until it ends.
    #[track_caller]
    pub fn run(&self, state: &Path, more: &[&str]) -> Output {
        self.run_through(&[], state, more)
    }

    /// The same, through a program that becomes it.
    #[track_caller]
    pub fn run_through(&self, wrapper: &[&str], state: &Path, more: &[&str]) -> Output {
        let program = program();
        let mut words: Vec<&OsStr> = wrapper.iter().map(OsStr::new).collect();
        let file = self.router.file();
        let own: [&OsStr; 6] = [
            program.as_ref(),
            "run".as_ref(),
            "-c".as_ref(),
            file.as_ref(),
            "--state-dir".as_ref(),
            state.as_ref(),
        ];
        words.extend(own);
        words.extend(more.iter().map(OsStr::new));
        let mut command = Command::new(words[0]);
        command.args(&words[1..]);
        let output = self.router.host.net.output(&mut command);
        output.unwrap_or_else(|error| panic!("{}: {error}", words[0].display()))
    }

    /// Starts the daemon in a mount namespace of its own, after a line of shell there, with
    /// `$STATE` as its state directory. The log.
    #[track_caller]
    pub fn start_after(&self, shell: &str) -> Process {
        let state = self.router.state();
        fs::create_dir(&state).expect("a directory");
        let script = format!(
            "STATE={state:?}\nset -e\n{shell}\nexec {:?} run -c {:?} --state-dir $STATE",
            program(),
            self.router.file()
        );
        let words = ["--mount", "--propagation", "private", "sh", "-c", &script];
        let net = &self.router.host.net;
        Process::start(net, "daemon", "unshare", words, self.scratch.path())
    }

    /// The process that speaks VRRP.
    #[track_caller]
    pub fn child(&mut self) -> Pid {
        let document = self.router.until("the vrrp process answers", |d| vrrp_pid(d).is_some());
        pid(&document)
    }

    /// Sends a signal to the process that speaks VRRP; which one it is.
    #[track_caller]
    pub fn signal_child(&mut self, signal: Signal) -> Pid {
        let child = self.child();
        kill(child, signal).expect("a signal");
        child
    }

    /// A client.
    #[track_caller]
    pub fn client(&self) -> Client {
        Client::connect(&self.router.state().join("control.sock"))
    }
}

/// The process that speaks VRRP, by a status that knows it.
pub fn pid(document: &Document) -> Pid {
    vrrp_pid(document).expect("it answers")
}

/// What a program said on standard error.
pub fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Waits until a program has said something.
#[track_caller]
pub fn until_said(process: &Process, what: &str) {
    until(&format!("{what:?} in the log"), || process.words().contains(what).then_some(()));
}

/// A client of the control socket that may do as it likes.
#[derive(Debug)]
pub struct Client(BufReader<UnixStream>);

impl Client {
    #[track_caller]
    pub fn connect(path: &Path) -> Self {
        let stream = UnixStream::connect(path).expect("a connection");
        stream.set_read_timeout(Some(AWAIT_TIMEOUT)).expect("a time limit");
        stream.set_write_timeout(Some(AWAIT_TIMEOUT)).expect("a time limit");
        Self(BufReader::new(stream))
    }

    /// Sends octets as they are; whether they were taken.
    pub fn send(&mut self, octets: &[u8]) -> bool {
        self.0.get_mut().write_all(octets).is_ok()
    }

    /// The next line; empty at the end.
    pub fn line(&mut self) -> String {
        let mut line = String::new();
        // A connection that is reset has ended as well.
        let _ = self.0.read_line(&mut line);
        line
    }

    /// The next answer.
    #[track_caller]
    pub fn answer(&mut self) -> Value {
        let line = self.line();
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line:?}"))
    }

    /// Asks something.
    #[track_caller]
    pub fn ask(&mut self, request: &str) -> Value {
        assert!(self.send(format!("{request}\n").as_bytes()), "{request}");
        self.answer()
    }

    /// Says that nothing will follow.
    pub fn half_close(&mut self) {
        let _ = self.0.get_ref().shutdown(std::net::Shutdown::Write);
    }
}

/// The text of a refusal.
#[track_caller]
pub fn error(answer: &Value) -> &str {
    answer["error"].as_str().unwrap_or_else(|| panic!("{answer}"))
}
