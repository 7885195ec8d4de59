//! `steadfast upgrade`: another program in the place of the running one.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use steadfast::control::status::{Document, State, WarningKind};

use crate::harness::config::Instance;
use crate::harness::process::is_alive;
use crate::harness::router::{find, program, vrrp};
use crate::harness::until;
use crate::harness::watch::Watch;
use crate::scene::{Alone, Client, VIRTUAL, error, pid, until_said};

/// The address without its prefix.
const ADDRESS: &str = "192.0.2.1";

/// A master with time enough to be one again, and another program beside it.
fn master_and_next() -> (Alone, PathBuf) {
    master_and_next_every("1s")
}

fn master_and_next_every(interval: &str) -> (Alone, PathBuf) {
    let mut alone = Alone::new();
    let instance = Instance::lan(150, &[VIRTUAL]).every(interval);
    // A slow machine makes no difference.
    alone.router.configure(&format!("{instance}resume_within = \"20s\"\n"));
    alone.router.start();
    alone.router.until_state("lan", State::Master);
    let next = alone.scratch.path().join("next");
    fs::copy(program(), &next).unwrap();
    (alone, next)
}

/// A program that says what it likes about itself.
fn script(alone: &Alone, text: &str) -> PathBuf {
    let path = alone.scratch.path().join("script");
    fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path
}

#[test]
fn the_next_program_goes_on_and_nobody_notices() {
    let (mut alone, next) = master_and_next();
    let mut kernel = Watch::start(&alone.router.host.net);
    let (supervisor, child) = (alone.router.daemon().id(), alone.child());
    let before = alone.router.status().unwrap();
    let said = alone.router.ask(&["upgrade", next.to_str().unwrap()]);
    assert!(said.contains("goes on after 0.1.0"), "{said}");
    assert!(said.contains("MASTER of 1/1"), "{said}");
    let after = alone.router.until("the new one answers", |d| d.instances.is_some());
    assert_eq!(alone.router.daemon().id(), supervisor);
    assert_ne!(pid(&after), child);
    for process in [supervisor, pid(&after)] {
        assert_eq!(fs::read_link(format!("/proc/{process}/exe")).unwrap(), next);
    }
    assert_eq!(kernel.removed(), Vec::<std::net::IpAddr>::new());
    let lan = find(&after, "lan").unwrap();
    assert!(lan.state == State::Master && lan.cause.contains("resumed"), "{}", lan.cause);
    assert_eq!(vrrp(&after).restarts, 0);
    assert!(after.daemon.uptime > before.daemon.uptime);
    assert_eq!(after.daemon.upgraded.as_ref().unwrap().from, "0.1.0");
    let told = |document: &Document| -> Vec<String> {
        document.transitions.iter().map(|event| event.text.clone()).collect()
    };
    assert!(told(&after).starts_with(&told(&before)), "{:?}", told(&after));
    // And once more, by the name that the running one has.
    let said = alone.router.ask(&["upgrade"]);
    assert!(said.starts_with(&format!("{} (steadfast 0.1.0) takes over", next.display())));
    assert_eq!(kernel.removed(), Vec::<std::net::IpAddr>::new());
    // All the rest works as before.
    alone.router.daemon().signal(Signal::SIGHUP);
    until_said(alone.router.daemon(), "says the same as before");
    alone.signal_child(Signal::SIGKILL);
    alone.router.until("another child", |d| vrrp(d).restarts == 1 && d.instances.is_some());
    alone.router.stop();
    assert!(!kernel.has("eth0", ADDRESS));
    let left: Vec<_> = fs::read_dir(alone.router.state()).unwrap().collect();
    assert!(left.is_empty(), "{left:?}");
}

/// The next program begins with the file as it is by then.
#[test]
fn what_the_file_has_no_more_is_removed() {
    let other = "192.0.2.9/24";
    for instance in [Instance::lan(150, &[other]), Instance::lan(150, &[other]).named("new", 52)] {
        let (mut alone, next) = master_and_next();
        alone.configure(&instance);
        alone.router.ask(&["upgrade", next.to_str().unwrap()]);
        alone.router.until_state(&instance.name, State::Master);
        until("it is removed", || (!alone.holds_address()).then_some(()));
        let mut kernel = Watch::start(&alone.router.host.net);
        kernel.until_address("eth0", "192.0.2.9", true);
        assert_eq!(kernel.removed(), Vec::<std::net::IpAddr>::new());
        alone.router.stop();
    }
}

/// What is long over is told with its age, and not as if the upgrade had been a crash.
#[test]
fn a_crash_before_it_stays_as_old_as_it_is() {
    let (mut alone, next) = master_and_next();
    alone.signal_child(Signal::SIGKILL);
    let crashed = |document: &Document| vrrp(document).crash.is_some();
    let answers = |document: &Document| crashed(document) && document.instances.is_some();
    let before = alone.router.until("another child answers", answers);
    let text = |document: &Document| {
        let mut warnings = document.warnings.iter();
        warnings.find(|w| w.kind == WarningKind::Process).map(|w| w.text.clone()).unwrap()
    };
    alone.router.ask(&["upgrade", next.to_str().unwrap()]);
    let after = alone.router.until("the new one answers", |d| d.instances.is_some());
    let (crash, old) = (vrrp(&after).crash.clone(), vrrp(&before).crash.clone().unwrap());
    let crash = crash.unwrap();
    assert_eq!((&crash.end, &crash.last_lines), (&old.end, &old.last_lines));
    assert!(crash.age > vrrp(&after).uptime.unwrap(), "{crash:?}");
    assert_eq!(text(&after), text(&before));
    let warning = after.warnings.iter().find(|w| w.kind == WarningKind::Process).unwrap();
    assert!(warning.last_age >= crash.age - 0.001, "{warning:?}");
}

#[test]
fn a_file_that_was_replaced_is_found_by_its_name() {
    let (mut alone, next) = master_and_next();
    alone.router.ask(&["upgrade", next.to_str().unwrap()]);
    fs::remove_file(&next).unwrap();
    fs::copy(program(), &next).unwrap();
    let supervisor = alone.router.daemon().id();
    let exe = || fs::read_link(format!("/proc/{supervisor}/exe")).unwrap();
    assert!(exe().to_str().unwrap().ends_with(" (deleted)"));
    alone.router.ask(&["upgrade"]);
    assert_eq!(exe(), next);
}

#[test]
fn what_can_not_take_over_is_refused_and_nothing_happens() {
    let (mut alone, next) = master_and_next();
    let child = alone.child();
    let refused = |alone: &Alone, program: &str| {
        let output = alone.router.command(&["upgrade", program]);
        assert_eq!(output.status.code(), Some(1), "{program}");
        String::from_utf8(output.stderr).unwrap()
    };
    let told = refused(&alone, "/no/such/program");
    assert!(told.contains("/no/such/program: No such file"), "{told}");
    let told = refused(&alone, "/bin/false");
    assert!(told.contains("/bin/false refuses to take over (exit status: 1): is it steadfast?"));
    until_said(alone.router.daemon(), "no upgrade: /bin/false refuses");
    let told = refused(&alone, script(&alone, "echo not today").to_str().unwrap());
    assert!(told.contains("refuses to take over (exit status: 0):\nnot today"), "{told}");
    alone.router.configure("[vrrp.instance.lan]\ninterfaces = \"eth0\"\n");
    let told = refused(&alone, next.to_str().unwrap());
    assert!(told.contains("interfaces") && told.contains("did you mean"), "{told}");
    assert_eq!(alone.child(), child);
    alone.router.until_state("lan", State::Master);
}

#[test]
fn a_program_that_does_not_understand_this_one_starts_after_a_hand_over() {
    let (mut alone, _) = master_and_next();
    let mut kernel = Watch::start(&alone.router.host.net);
    // Nobody takes over, and that is waited for.
    let about = r#"{"version":"9.9","layout":1,"link":9,"former":9}"#;
    let check = format!(
        "[ \"$1\" = upgrade-check ] && {{ echo '{about}'; exit; }}\n\
         for word; do [ \"$word\" = --take-over ] && exit 9; done"
    );
    let other = script(&alone, &format!("{check}\nexec {:?} \"$@\"", program()));
    let (supervisor, child) = (alone.router.daemon().id(), alone.child());
    let said = alone.router.ask(&["upgrade", other.to_str().unwrap()]);
    assert!(said.contains("(steadfast 9.9) takes over"), "{said}");
    assert!(said.contains(" starts in the place of 0.1.0"), "{said}");
    assert_eq!(alone.router.daemon().id(), supervisor);
    assert_ne!(alone.child(), child);
    assert_eq!(kernel.removed(), [ADDRESS.parse::<std::net::IpAddr>().unwrap()]);
    assert!(alone.router.words().contains("it does not understand what this one leaves"));
    alone.router.until_state("lan", State::Master);
}

/// The vrrp process hands over, and the client of the upgrade is informed.
#[test]
fn a_program_that_dies_when_it_is_to_go_on_is_said() {
    let (mut alone, next) = master_and_next();
    let text = format!("[ \"$1\" = upgrade-check ] && exec {:?} \"$@\"\nexit 7", program());
    let other = script(&alone, &text);
    let output = alone.router.command(&["upgrade", other.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(5), "{output:?}");
    assert_eq!(alone.router.daemon().wait().code(), Some(7));
    until("the address is given up", || (!alone.holds_address()).then_some(()));
    alone.router.forget();
    alone.router.start();
    alone.router.until_state("lan", State::Master);
    drop(next);
}

/// A hold is the operator's: neither a new program nor a crash ends it.
#[test]
fn a_hold_stays() {
    let (mut alone, next) = master_and_next();
    alone.router.ask(&["switchover", "lan", "--force"]);
    let held = |alone: &mut Alone| {
        let document = alone.router.until("it answers", |d| d.instances.is_some());
        let lan = find(&document, "lan").unwrap().clone();
        assert!(lan.hold.is_some() && lan.state == State::Backup, "{lan:?}");
    };
    held(&mut alone);
    alone.router.ask(&["upgrade", next.to_str().unwrap()]);
    held(&mut alone);
    alone.signal_child(Signal::SIGKILL);
    alone.router.until("another child", |d| vrrp(d).restarts == 1 && d.instances.is_some());
    held(&mut alone);
    alone.router.ask(&["release", "lan"]);
    alone.router.until_state("lan", State::Master);
}

/// A user who may use the control socket still may not run programs as root.
#[test]
fn only_root_chooses_the_program() {
    let (alone, next) = master_and_next();
    let socket = alone.router.state().join("control.sock");
    fs::set_permissions(&socket, fs::Permissions::from_mode(0o666)).unwrap();
    for directory in socket.ancestors().skip(1).take(3) {
        let mode = fs::metadata(directory).unwrap().permissions().mode();
        fs::set_permissions(directory, fs::Permissions::from_mode(mode | 0o011)).unwrap();
    }
    let mut command = Command::new("setpriv");
    let state = alone.router.state();
    // The copy, since others may not reach the place of the program itself.
    command.args(["--reuid=65534", "--clear-groups", "--"]).arg(&next);
    command.args(["upgrade".as_ref(), next.as_os_str(), "--state-dir".as_ref()]).arg(state);
    let output = alone.router.host.net.output(&mut command).unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(told.contains("only root may choose"), "{told}");
    let mut client = Client::connect(&socket);
    let answer = client.ask(r#"{"method":"upgrade","program":"/no/such"}"#);
    assert!(error(&answer).contains("No such file"), "root is asked for more");
}

/// The vrrp processes of a daemon.
fn vrrp_processes(alone: &mut Alone) -> Vec<Pid> {
    let mut all = alone.router.daemon().offspring();
    all.retain(|id| {
        let words = fs::read(format!("/proc/{id}/cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&words).contains("vrrp-process")
    });
    all
}

/// When either process is killed, the other one hands the addresses over: the process that has them ends
/// only after its successor has its configuration.
#[test]
fn a_supervisor_that_is_killed_in_between_leaves_nothing() {
    let (mut alone, next) = master_and_next_every("200ms");
    // The successor may have been quicker than we are.
    for _ in 0..10 {
        let former = alone.child();
        let request = format!("{{\"method\":\"upgrade\",\"program\":{:?}}}\n", next);
        assert!(alone.client().send(request.as_bytes()));
        let successor = until("there is a successor", || {
            vrrp_processes(&mut alone).into_iter().find(|id| *id != former)
        });
        kill(successor, Signal::SIGSTOP).unwrap();
        // What was said to the former one until now is in the log.
        let _ = alone.client().ask(r#"{"method":"log_level"}"#);
        let leaves = format!("vrrp process {former} makes room for its successor");
        if !is_alive(former) || alone.router.words().contains(&leaves) {
            kill(successor, Signal::SIGCONT).unwrap();
            alone.router.until("the new one answers", |d| d.instances.is_some());
            continue;
        }
        alone.router.daemon().signal(Signal::SIGKILL);
        alone.router.daemon().wait();
        alone.router.forget();
        let given_up = until("the address is given up", || {
            let given_up = !alone.holds_address();
            (given_up || !is_alive(former)).then_some(given_up)
        });
        let _ = kill(successor, Signal::SIGCONT);
        until("both have ended", || (!is_alive(former) && !is_alive(successor)).then_some(()));
        assert!(!alone.holds_address());
        alone.router.start();
        alone.router.until_state("lan", State::Master);
        // Otherwise the successor had its configuration before it was stopped.
        if given_up {
            return;
        }
    }
    panic!("the former process has always left before its successor was there");
}
