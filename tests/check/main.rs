//! `steadfast check` as a person sees it: its whole output for wrong files, and its exit codes.
//!
//! Each `cases/NN-name.toml` has its output beside it in `NN-name.txt`. After a change of the
//! messages, `UPDATE_SNAPSHOTS=1 cargo test --test check` writes them again; read them aloud.

#![allow(clippy::unwrap_used, reason = "a test may panic")]
#![allow(clippy::disallowed_methods, reason = "commands that check a file, and no router")]

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn steadfast(directory: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_steadfast"));
    command.current_dir(directory).args(args).output().unwrap()
}

/// The files of a directory with an ending, in order.
fn files(directory: &Path, ending: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> =
        entries.filter(|path| path.extension().is_some_and(|e| e == ending)).collect();
    files.sort();
    files
}

/// Everything that a run shows, in one text.
fn shown(output: &Output) -> String {
    let part = |name: &str, octets: &[u8]| {
        let text = String::from_utf8(octets.to_vec()).unwrap();
        if text.is_empty() { String::new() } else { format!("--- {name}\n{text}") }
    };
    let code = output.status.code().unwrap();
    format!(
        "exit code {code}\n{}{}",
        part("stdout", &output.stdout),
        part("stderr", &output.stderr)
    )
}

#[test]
fn wrong_files_get_their_messages() {
    let cases = root().join("tests/check/cases");
    let update = std::env::var_os("UPDATE_SNAPSHOTS").is_some();
    let mut different = Vec::new();
    let files = files(&cases, "toml");
    assert!(files.len() >= 20);
    for file in files {
        let name = file.file_name().unwrap().to_str().unwrap();
        let text = fs::read(&file).unwrap();
        let first = text.split(|octet| *octet == b'\n').next().unwrap_or_default();
        let first = String::from_utf8_lossy(first);
        let options = first.strip_prefix("# check: ").unwrap_or_default();
        let mut args = vec!["check", "-c", name, "--no-system"];
        args.extend(options.split_whitespace());
        let output = steadfast(&cases, &args);
        assert_ne!(output.status.code(), Some(0), "{name} is not wrong");
        let snapshot = file.with_extension("txt");
        let shown = shown(&output);
        if update {
            fs::write(&snapshot, &shown).unwrap();
        } else if fs::read_to_string(&snapshot).unwrap_or_default() != shown {
            different.push(format!("{name} now shows:\n{shown}"));
        }
    }
    assert!(different.is_empty(), "{}", different.join("\n"));
}

#[test]
fn the_shipped_files_are_clean() {
    let conf = root().join("conf");
    let mut shipped = files(&conf.join("examples"), "toml");
    assert_eq!(shipped.len(), 5);
    shipped.push(conf.join("steadfast.toml"));
    for file in shipped {
        let path = file.to_str().unwrap();
        let output = steadfast(&root(), &["check", "-c", path, "--no-system", "--strict"]);
        assert_eq!(output.status.code(), Some(0), "{}", shown(&output));
        assert!(output.stderr.is_empty(), "{}", shown(&output));
    }
}

#[test]
fn exit_codes_are_as_documented() {
    let code = |args: &[&str]| steadfast(&root(), args).status.code().unwrap();
    assert_eq!(code(&["check", "-c", "conf/steadfast.toml", "--no-system"]), 0);
    assert_eq!(code(&["--help"]), 0);
    assert_eq!(code(&["--version"]), 0);
    assert_eq!(code(&["check", "--help"]), 0);
    assert_eq!(code(&["check", "-c", "no/such/file.toml"]), 1);
    assert_eq!(code(&["check", "-c", "conf"]), 1);
    assert_eq!(code(&["check", "-c", "keepalived.conf"]), 1);
    assert_eq!(code(&["check", "-c", "tests/check/cases/10-identifier-twice.toml"]), 2);
    assert_eq!(code(&[]), 64);
    assert_eq!(code(&["chekc"]), 64);
    assert_eq!(code(&["check", "--no-sytem"]), 64);
    assert_eq!(code(&["check", "conf/steadfast.toml"]), 64);
    assert_eq!(code(&["check", "-c"]), 64);
    let lan = "tests/check/cases/26-warnings.toml";
    assert_eq!(code(&["check", "-c", lan, "--no-system"]), 0);
    assert_eq!(code(&["check", "-c", lan, "--no-system", "--strict"]), 2);
}

#[test]
fn wrong_arguments_get_a_suggestion() {
    let says = |args: &[&str], what: &str| {
        let shown = shown(&steadfast(&root(), args));
        assert!(shown.contains(what), "{shown}");
    };
    says(&["chekc"], "did you mean steadfast check?");
    says(&["check", "--no-sytem"], "did you mean --no-system?");
    says(&["-c", "a.toml"], "steadfast check -c FILE");
    says(&["check", "-c"], "-c needs a value");
    says(&["check", "-c", ""], "the name after -c is empty");
    says(&["check", "--strict=1"], "--strict takes no value");
    says(&["help", "chekc"], "did you mean steadfast check?");
    says(&["check", "a.toml"], "steadfast check -c a.toml");
    says(&["--versoin"], "did you mean --version?");
    says(&["check", "-c", "keepalived.conf"], "reading keepalived.conf is not built yet");
    says(&["check", "-c", "/etc/config/steadfast"], "reading UCI is not built yet");
}

#[test]
fn standard_input_is_read() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_steadfast"))
        .args(["check", "-c", "-", "--no-system"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(b"[global]\nrouter = 1\n").unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8(output.stderr).unwrap().contains("<stdin>:2:1: error:"));
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut command = Command::new(env!("CARGO_BIN_EXE_steadfast"));
    let child = command.args(["check", "--help"]).stdout(writer).stderr(Stdio::piped()).spawn();
    let output = child.unwrap().wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert!(output.stderr.is_empty());
}

#[test]
fn a_full_disk_is_said() {
    let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_steadfast"));
    let child = command.args(["check", "--help"]).stdout(full).stderr(Stdio::piped()).spawn();
    let output = child.unwrap().wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("cannot write the output"), "{said}");
}
