//! `steadfast run` on a host.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Command, Output};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use nix::unistd::Pid;
use steadfast::control::event::json::Event;
use steadfast::control::request::{Format, Request};
use steadfast::control::status::{Document, InstanceStatus, ProcessStatus, State, VRRP};

use super::lan::Host;
use super::process::Process;
use super::scratch::Scratch;
use super::{AWAIT_TIMEOUT, until};

/// The longest time that the daemon may take for an answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// The program, when cargo does not tell.
static PROGRAM: OnceLock<PathBuf> = OnceLock::new();

/// Says where the program is; for those that are no test of cargo.
pub fn set_program(path: PathBuf) {
    PROGRAM.set(path).expect("it is said once");
}

/// The program.
pub fn program() -> PathBuf {
    let told = option_env!("CARGO_BIN_EXE_steadfast").map(PathBuf::from);
    PROGRAM.get().cloned().or(told).expect("the path of the program")
}

/// A host with a configuration, a state directory, and the daemon when it runs.
#[derive(Debug)]
pub struct Router {
    /// The host.
    pub host: Host,
    daemon: Option<Process>,
    directory: PathBuf,
    options: &'static [&'static str],
    /// A program that becomes the daemon, with its arguments.
    wrapper: Vec<OsString>,
}

impl Router {
    /// A host without network, and without a daemon yet.
    #[track_caller]
    pub fn new(scratch: &Scratch, name: &str) -> Self {
        let directory = scratch.path().join(name);
        fs::create_dir(&directory).expect("a directory");
        Self { host: Host::new(name), daemon: None, directory, options: &[], wrapper: Vec::new() }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.host.name
    }

    /// Its state directory.
    pub fn state(&self) -> PathBuf {
        self.directory.join("state")
    }

    /// Its configuration.
    pub fn file(&self) -> PathBuf {
        self.directory.join("steadfast.toml")
    }

    /// Writes the configuration, in one step.
    #[track_caller]
    pub fn configure(&self, text: &str) {
        let text = format!("[global]\nrouter_id = {:?}\n\n{text}", self.name());
        let new = self.directory.join("new.toml");
        fs::write(&new, text).expect("a file");
        fs::rename(new, self.file()).expect("a file");
    }

    /// Further options of `steadfast run` from the next start on.
    pub const fn set_options(&mut self, options: &'static [&'static str]) {
        self.options = options;
    }

    /// From the next start on the daemon has no right beyond these, as a systemd unit has them
    /// behind `CapabilityBoundingSet=`.
    pub fn bound_rights(&mut self, rights: &str) {
        let mut bound = "--bounding-set=-all".to_owned();
        for right in rights.split_whitespace() {
            let name = right.strip_prefix("CAP_").expect("the name of a right");
            bound.push_str(",+");
            bound.push_str(&name.to_lowercase());
        }
        self.wrapper = ["setpriv", &bound, "--"].map(OsString::from).into();
    }

    /// Sets a variable in the environment of the daemon.
    pub fn set_variable(&mut self, name: &str, value: &str) {
        self.wrapper = ["env".into(), format!("{name}={value}").into()].into();
    }

    /// Starts the daemon; does not wait.
    #[track_caller]
    pub fn start(&mut self) {
        assert!(self.daemon.is_none(), "{} runs already", self.name());
        let (file, state) = (self.file(), self.state());
        let arguments: [&OsStr; 3] = ["run".as_ref(), "-c".as_ref(), file.as_os_str()];
        let arguments = arguments.into_iter().chain(["--state-dir".as_ref(), state.as_os_str()]);
        let arguments = arguments.chain(self.options.iter().map(AsRef::as_ref));
        let name = format!("steadfast-{}", self.name());
        let wrapper = self.wrapper.iter().cloned();
        let mut words = wrapper.chain([program().into()]).chain(arguments.map(OsString::from));
        let first = words.next().expect("a program");
        let daemon = Process::start(&self.host.net, &name, first, words, &self.directory);
        self.daemon = Some(daemon);
    }

    /// The daemon.
    #[track_caller]
    pub fn daemon(&mut self) -> &mut Process {
        let name = self.host.name.clone();
        self.daemon.as_mut().unwrap_or_else(|| panic!("{name} does not run"))
    }

    /// Whether it was started and not ended again.
    pub const fn is_running(&self) -> bool {
        self.daemon.is_some()
    }

    /// Ends all its processes at once, without a word.
    #[track_caller]
    pub fn kill(&mut self) {
        self.daemon().kill_all();
        self.daemon = None;
    }

    /// Kills the supervisor alone: the vrrp process lives on without it.
    #[track_caller]
    pub fn kill_supervisor(&mut self) {
        self.daemon().signal(Signal::SIGKILL);
        self.forget();
    }

    /// Waits for the end of the supervisor, however it ends.
    #[track_caller]
    pub fn forget(&mut self) {
        self.daemon().wait();
        self.daemon = None;
    }

    /// Asks it to end, and waits for that.
    #[track_caller]
    pub fn stop(&mut self) {
        self.daemon().signal(Signal::SIGTERM);
        self.wait_for_stop();
    }

    /// Waits for the end that it was asked for.
    #[track_caller]
    pub fn wait_for_stop(&mut self) {
        let ended = self.daemon().wait();
        assert!(ended.success(), "it ended with {ended}\n{}", self.daemon().last_words());
        self.daemon = None;
    }

    /// All that the daemon wrote.
    #[track_caller]
    pub fn words(&mut self) -> String {
        self.daemon().words()
    }

    /// Runs a command of the program for this daemon.
    #[track_caller]
    pub fn command(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(program());
        command.args(arguments).arg("--state-dir").arg(self.state());
        self.host.net.output(&mut command).expect("the program")
    }

    /// The same; it has to succeed. What it printed.
    #[track_caller]
    pub fn ask(&self, arguments: &[&str]) -> String {
        let output = self.command(arguments);
        let out = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(
            output.status.success(),
            "steadfast {}: {}\n{out}{}",
            arguments.join(" "),
            output.status,
            String::from_utf8_lossy(&output.stderr)
        );
        out
    }

    /// The way to the daemon, for other threads.
    pub fn control(&self) -> Control {
        Control(self.state().join("control.sock"))
    }

    /// The status; an error while nobody answers.
    ///
    /// # Errors
    /// What the system says, or the daemon.
    pub fn status(&self) -> Result<Document, String> {
        self.control().status()
    }

    /// Waits until the status is so.
    ///
    /// # Panics
    /// When that does not come to be in time, or the daemon ends.
    #[track_caller]
    pub fn until(&mut self, what: &str, is_so: impl Fn(&Document) -> bool) -> Document {
        let deadline = Instant::now() + AWAIT_TIMEOUT;
        loop {
            let last = match self.status() {
                Ok(document) if is_so(&document) => return document,
                Ok(document) => format!("{document:#?}"),
                Err(error) => error,
            };
            if let Some(ended) = self.daemon().ended() {
                panic!("{}: the daemon ended with {ended}: {what}", self.name());
            }
            assert!(
                Instant::now() < deadline,
                "{}: waited {} s in vain: {what}; the last status:\n{last}",
                self.name(),
                AWAIT_TIMEOUT.as_secs()
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Waits until an instance is in a state.
    #[track_caller]
    pub fn until_state(&mut self, instance: &str, state: State) -> InstanceStatus {
        let what = format!("{instance} is {state}");
        let document = self.until(&what, |document| {
            find(document, instance).is_some_and(|found| found.state == state)
        });
        find(&document, instance).expect("it was there").clone()
    }

    /// Everything that it tells from now on.
    #[track_caller]
    pub fn events(&self) -> Events {
        let control = self.control();
        Events(until("the daemon answers", || {
            control.request(&Request::Events { format: Format::Json }).ok()
        }))
    }
}

/// An instance of a status.
pub fn find<'a>(document: &'a Document, name: &str) -> Option<&'a InstanceStatus> {
    document.instances.as_ref()?.iter().find(|instance| instance.name == name)
}

/// The vrrp process in a status.
#[track_caller]
pub fn vrrp(document: &Document) -> &ProcessStatus {
    document.daemon.process(VRRP).expect("the daemon always needs a vrrp process")
}

/// The id of the vrrp process, once it answers.
pub fn vrrp_pid(document: &Document) -> Option<Pid> {
    let process = vrrp(document);
    process.report.as_ref()?;
    process.pid.map(|pid| Pid::from_raw(pid.cast_signed()))
}

/// An answer of the daemon.
#[derive(Debug, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer<T> {
    /// What was asked for.
    Ok(T),
    /// Why not.
    Error(String),
}

/// The control socket of a daemon.
#[derive(Clone, Debug)]
pub struct Control(PathBuf);

impl Control {
    /// Asks something.
    ///
    /// # Errors
    /// What the system says.
    pub fn request(&self, request: &Request) -> std::io::Result<Stream> {
        let mut stream = UnixStream::connect(&self.0)?;
        stream.set_read_timeout(Some(ANSWER_TIMEOUT))?;
        stream.set_write_timeout(Some(ANSWER_TIMEOUT))?;
        let line = request.to_line() + "\n";
        stream.write_all(line.as_bytes())?;
        Ok(Stream(BufReader::new(stream)))
    }

    /// The status; an error while nobody answers.
    ///
    /// # Errors
    /// What the system says, or the daemon.
    pub fn status(&self) -> Result<Document, String> {
        self.status_with(false)
    }

    /// The status, with or without the memory of the processes.
    ///
    /// # Errors
    /// What the system says, or the daemon.
    pub fn status_with(&self, memory: bool) -> Result<Document, String> {
        let request = Request::Status { memory, instance: None, format: Format::Json };
        let stream = self.request(&request).map_err(|error| error.to_string());
        let line = stream?.line().ok_or("no answer")?;
        match serde_json::from_str(&line).map_err(|error| format!("{error}: {line}"))? {
            Answer::Ok(document) => Ok(document),
            Answer::Error(words) => Err(words),
        }
    }
}

/// What the daemon answers, line by line.
#[derive(Debug)]
pub struct Stream(BufReader<UnixStream>);

impl Stream {
    /// The next line; `None` when there is no more.
    pub fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        match self.0.read_line(&mut line) {
            Ok(length) if length > 0 => Some(line),
            Ok(_) | Err(_) => None,
        }
    }
}

/// Events of a daemon.
#[derive(Debug)]
pub struct Events(Stream);

impl Events {
    /// Waits for an event.
    ///
    /// # Panics
    /// When it does not come in time.
    #[track_caller]
    pub fn until(&mut self, what: &str, is_it: impl Fn(&Event) -> bool) -> Event {
        let deadline = Instant::now() + AWAIT_TIMEOUT;
        let mut seen = Vec::new();
        while Instant::now() < deadline {
            let Some(line) = self.0.line() else { break };
            if let Ok(Answer::Ok(event)) = serde_json::from_str::<Answer<Event>>(&line)
                && is_it(&event)
            {
                return event;
            }
            seen.push(line);
        }
        panic!("no such event: {what}; there were:\n{}", seen.concat());
    }
}
