//! The files for service managers: the systemd unit, and the init script of OpenWrt.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use nix::sys::signal::Signal;

use crate::harness::guard;
use crate::harness::process::Process;
use crate::harness::router::program;
use crate::scene::{Alone, said, until_said};

/// Where the files expect the program.
const INSTALLED: &str = "/usr/sbin/steadfast";

/// The text of a file of the repository, with the program where it is here.
#[track_caller]
fn with_program(file: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    let text = fs::read_to_string(&path).expect("the file");
    assert!(text.contains(INSTALLED), "{text}");
    text.replace(INSTALLED, program().to_str().expect("a path"))
}

#[track_caller]
fn run(command: &mut Command, package: &str) -> Output {
    let name = command.get_program().to_owned();
    guard::tool(command).unwrap_or_else(|error| {
        panic!("{}: {error}\n  = help: apt-get install {package}", name.display())
    })
}

#[test]
fn systemd_has_nothing_against_the_unit() {
    let alone = Alone::new();
    let unit = alone.scratch.path().join("steadfast.service");
    fs::write(&unit, with_program("conf/steadfast.service")).unwrap();
    let mut verify = Command::new("systemd-analyze");
    let told = run(verify.args(["verify", "--man=no"]).arg(&unit), "systemd");
    assert!(told.status.success() && told.stderr.is_empty(), "{}", said(&told));
    // A check of the check: what it does not know, it says.
    let wrong = fs::read_to_string(&unit).unwrap().replace("WatchdogSec=", "WatchdogSecs=");
    fs::write(&unit, wrong).unwrap();
    assert!(said(&guard::tool(&mut verify).unwrap()).contains("WatchdogSecs"));
}

/// What the functions of procd are called with, and nothing else of OpenWrt.
const STUBS: &str = r#"
for stub in open_instance close_instance set_param; do
    eval "procd_$stub() { printf '%s\n' \"$stub\${*:+ }\$*\"; }"
done
"#;

/// Runs a function of the init script.
#[track_caller]
fn procd(script: &Path, function: &str) -> Output {
    let line = format!("{STUBS}. \"$0\"; {function}");
    let mut ash = Command::new("busybox");
    run(ash.args(["ash", "-euc", &line]).arg(script), "busybox")
}

#[test]
fn procd_starts_what_can_be_started_and_reloads_it() {
    let alone = Alone::new();
    let (script, file, state) = (init_script(&alone), alone.router.file(), alone.router.state());
    let started = procd(&script, "start_service");
    assert!(started.status.success(), "{}", said(&started));
    let words = String::from_utf8(started.stdout).unwrap();
    let lines: Vec<&str> = words.lines().collect();
    assert_eq!((lines[0], *lines.last().unwrap()), ("open_instance", "close_instance"));
    for line in ["set_param respawn 3600 1 0", "set_param term_timeout 60"] {
        assert!(lines.contains(&line), "{words}");
    }
    let command = lines.iter().find_map(|line| line.strip_prefix("set_param command ")).unwrap();
    let told = format!("{} run -c {} --syslog", program().display(), file.display());
    assert_eq!(command, told);

    // The very command, but for what would reach out of this test.
    let here = command.replace("--syslog", &format!("--state-dir {}", state.display()));
    let words = ["-c".to_owned(), format!("exec {here}")];
    let net = &alone.router.host.net;
    let mut daemon = Process::start(net, "daemon", "sh", words, alone.scratch.path());
    until_said(&daemon, "lan: BACKUP to MASTER");
    fs::write(&file, fs::read_to_string(&file).unwrap().replace("150", "140")).unwrap();
    let reloaded = procd(&script, "reload_service");
    assert!(reloaded.status.success(), "{}", said(&reloaded));
    assert_eq!(alone.router.status().unwrap().instances.unwrap()[0].base_priority, 140);
    fs::write(&file, "wrong").unwrap();
    let refused = procd(&script, "reload_service");
    assert!(!refused.status.success() && said(&refused).contains("wrong"), "{}", said(&refused));
    daemon.signal(Signal::SIGTERM);
    assert!(daemon.wait().success());
}

/// The script, for this daemon.
fn init_script(alone: &Alone) -> PathBuf {
    let path = alone.scratch.path().join("steadfast.init");
    let text = with_program("openwrt/files/steadfast.init");
    let (file, state) = (alone.router.file(), alone.router.state());
    let text = text.replace("/etc/steadfast/steadfast.toml", file.to_str().unwrap());
    let reload = format!("reload --state-dir {}", state.display());
    fs::write(&path, text.replace("\"$PROG\" reload", &format!("\"$PROG\" {reload}"))).unwrap();
    path
}
