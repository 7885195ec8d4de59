//! A second role, which does nothing, beside vrrp: both are supervised in the same way.

use std::fs;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use steadfast::control::status::State;

use crate::harness::config::Instance;
use crate::harness::process::is_alive;
use crate::harness::router::vrrp_pid;
use crate::harness::until;
use crate::scene::{Alone, VIRTUAL, until_said};

/// The processes of a role.
fn processes(alone: &mut Alone, role: &str) -> Vec<Pid> {
    let mut all = alone.router.daemon().offspring();
    all.retain(|id| {
        let name = fs::read_to_string(format!("/proc/{id}/comm")).unwrap_or_default();
        name.trim_end() == format!("steadfast: {role}")
    });
    all
}

fn process(alone: &mut Alone, role: &str) -> Pid {
    until(&format!("one {role} process"), || match processes(alone, role)[..] {
        [one] => Some(one),
        _ => None,
    })
}

/// With the interval of hellos that the second role is needed with, or another one.
fn configure(alone: &mut Alone, needed: bool) {
    let instance = Instance::lan(150, &[VIRTUAL]).every("200ms");
    let interval = if needed { 900 } else { 800 };
    alone.router.configure(&format!("hello_interval = \"{interval}ms\"\n{instance}"));
}

/// A master whose configuration needs the second role.
fn two_roles() -> (Alone, Pid, Pid) {
    let mut alone = Alone::new();
    alone.router.set_variable("STEADFAST_IDLE_ROLE", "900");
    configure(&mut alone, true);
    alone.router.start();
    alone.router.until_state("lan", State::Master);
    let (vrrp, idle) = (process(&mut alone, "vrrp"), process(&mut alone, "idle"));
    (alone, vrrp, idle)
}

#[test]
fn the_status_has_each_process() {
    let (mut alone, vrrp, idle) = two_roles();
    let document = alone.router.until("both answer", |document| {
        document.daemon.processes.iter().all(|process| process.report.is_some())
    });
    let shown: Vec<_> =
        document.daemon.processes.iter().map(|p| (p.name.as_str(), p.pid)).collect();
    let pid = |pid: Pid| Some(pid.as_raw().cast_unsigned());
    assert_eq!(shown, [("vrrp", pid(vrrp)), ("idle", pid(idle))]);
    let report = document.daemon.process("idle").unwrap().report.as_ref().unwrap();
    assert_eq!(report.counters["configurations"], 1, "what only this role counts");
    let text = alone.router.ask(&["status", "--memory"]);
    let line = text.lines().find(|line| line.trim_start().starts_with("idle")).unwrap();
    assert!(line.contains(&format!("process {idle}, up ")), "{line}");
    assert!(line.contains("configurations: 1"), "{line}");
    assert!(
        text.lines()
            .rfind(|line| line.starts_with("  idle  "))
            .unwrap()
            .ends_with(char::is_numeric)
    );

    // One that does not answer is told by its name; the virtual routers are not affected.
    kill(idle, Signal::SIGSTOP).unwrap();
    let document = alone.router.until("the hung one", |document| {
        let warnings = &document.warnings;
        warnings.iter().any(|warning| warning.process.as_deref() == Some("idle"))
    });
    assert!(document.instances.is_some(), "{document:?}");
    kill(idle, Signal::SIGKILL).unwrap();
    let document = alone.router.until("another one", |document| {
        let process = document.daemon.process("idle").unwrap();
        process.restarts == 1 && process.report.is_some()
    });
    let crash = document.daemon.process("idle").unwrap().crash.as_ref().expect("how it ended");
    assert_eq!(crash.end, format!("idle process {idle} was killed by SIGKILL"));
    assert_eq!(document.daemon.process("vrrp").unwrap().restarts, 0);
    alone.router.stop();
}

#[test]
fn a_killed_and_a_hung_process_are_replaced_without_the_other_one() {
    let (mut alone, vrrp, idle) = two_roles();
    kill(idle, Signal::SIGKILL).unwrap();
    until_said(alone.router.daemon(), &format!("idle process {idle} was killed by SIGKILL"));
    let second =
        until("another one", || processes(&mut alone, "idle").into_iter().find(|id| *id != idle));
    kill(second, Signal::SIGSTOP).unwrap();
    until_said(alone.router.daemon(), &format!("idle process {second} had not answered for "));
    until("a third one", || processes(&mut alone, "idle").into_iter().find(|id| *id != second));
    assert!(!is_alive(second));
    assert_eq!(process(&mut alone, "vrrp"), vrrp, "the other role was left alone");
    kill(vrrp, Signal::SIGKILL).unwrap();
    alone.router.until("vrrp goes on", |d| vrrp_pid(d).is_some_and(|pid| pid != vrrp));
    let third = process(&mut alone, "idle");
    until("another vrrp process", || {
        processes(&mut alone, "vrrp").into_iter().find(|id| *id != vrrp)
    });
    assert_eq!(process(&mut alone, "idle"), third, "and so was this one");
    alone.router.stop();
    let left: Vec<_> = fs::read_dir(alone.router.state()).unwrap().collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn a_reload_starts_and_ends_what_is_needed() {
    let (mut alone, vrrp, idle) = two_roles();
    configure(&mut alone, false);
    assert!(alone.client().ask(r#"{"method":"reload"}"#)["ok"].is_string());
    until("it ends", || processes(&mut alone, "idle").is_empty().then_some(()));
    assert!(!is_alive(idle));
    configure(&mut alone, true);
    assert!(alone.client().ask(r#"{"method":"reload"}"#)["ok"].is_string());
    assert_ne!(process(&mut alone, "idle"), idle);
    assert_eq!(process(&mut alone, "vrrp"), vrrp);
    let words = alone.router.words();
    assert!(!words.contains("is started again"), "{words}");
    alone.router.stop();
}

#[test]
fn an_upgrade_starts_it_anew_and_keeps_the_mastership() {
    let (mut alone, vrrp, idle) = two_roles();
    let done = alone.router.command(&["upgrade"]);
    assert!(done.status.success(), "{done:?}");
    let next =
        until("another one", || processes(&mut alone, "idle").into_iter().find(|id| *id != idle));
    assert!(!is_alive(idle) && is_alive(next));
    until("vrrp was succeeded", || (!is_alive(vrrp)).then_some(()));
    assert!(alone.holds_address());
    alone.router.until_state("lan", State::Master);
    let words = alone.router.words();
    assert!(!words.contains("MASTER to "), "{words}");
    alone.router.stop();
}
