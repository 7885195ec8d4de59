//! A daemon of a test: a socket, and answers that the test writes.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, channel};

use steadfast::control::answer::{self, Refusal};
use steadfast::control::request::Request;
use steadfast::control::status::Document;

static NUMBER: AtomicU32 = AtomicU32::new(0);

/// A state directory that goes with the test.
pub struct StateDir(pub PathBuf);

impl StateDir {
    pub fn new() -> Self {
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("steadfast-status-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir(&path).unwrap();
        Self(path)
    }

    pub fn socket(&self) -> PathBuf {
        self.0.join("control.sock")
    }

    /// Runs `steadfast ARGS --state-dir` this.
    pub fn run(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }

    pub fn command(&self, args: &[&str]) -> Command {
        let first = args.iter().find(|word| !word.starts_with('-'));
        assert!(first != Some(&"run") || args.contains(&"--help"), "a router, outside of the lab");
        let mut command = Command::new(env!("CARGO_BIN_EXE_steadfast"));
        command.args(args).arg("--state-dir").arg(&self.0);
        command
    }
}

impl Drop for StateDir {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Listens, and gives each connection with its question to `answer` until the test ends.
pub fn listen(
    directory: &StateDir,
    answer: impl Fn(&str, UnixStream) + Send + 'static,
) -> Receiver<String> {
    let listener = UnixListener::bind(directory.socket()).unwrap();
    let (asked, questions) = channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let stream = stream.unwrap();
            let mut question = String::new();
            BufReader::new(&stream).read_line(&mut question).unwrap();
            let question = question.trim_end().to_owned();
            // Before the answer, after which the test asks what was asked.
            let nobody_hears = asked.send(question.clone()).is_err();
            answer(&question, stream);
            if nobody_hears {
                return;
            }
        }
    });
    questions
}

/// A daemon that shows a document and knows its instances, and otherwise answers with one line.
pub fn well(directory: &StateDir, document: &Document, line: &str) -> Receiver<String> {
    let document = document.clone();
    let line = line.to_owned();
    listen(directory, move |question, mut stream| {
        let names = || document.instances.iter().flatten().map(|instance| &*instance.name);
        let is_unknown = |name: &str| !names().any(|have| have == name);
        let text = match Request::parse(question.as_bytes()).unwrap() {
            Request::Status { instance, format, .. } => {
                answer::line(answer::status(document.clone(), instance.as_deref(), format))
            }
            Request::Switchover { instance, .. } | Request::Release { instance }
                if is_unknown(&instance) =>
            {
                answer::line(Err(Refusal::no_instance(&instance, names())))
            }
            Request::LogLevel { level: None } if !line.contains("notice") => {
                r#"{"ok":"notice"}"#.to_owned()
            }
            Request::Reload
            | Request::Switchover { .. }
            | Request::Release { .. }
            | Request::Events { .. }
            | Request::Stop { .. }
            | Request::Upgrade { .. }
            | Request::LogLevel { .. } => line.clone(),
        };
        // The client may have gone.
        let _ = stream.write_all((text + "\n").as_bytes());
    })
}

/// What a run says and how it ends.
pub fn shown(output: &Output) -> (i32, String, String) {
    let text = |octets: &[u8]| String::from_utf8(octets.to_vec()).unwrap();
    (output.status.code().unwrap(), text(&output.stdout), text(&output.stderr))
}

/// A connection that never was read from.
pub fn stale(path: &Path) {
    drop(UnixListener::bind(path).unwrap());
}
