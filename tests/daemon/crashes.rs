//! Crashes of the child, of the supervisor, and of both (architecture.md, processes).

use std::fs;

use nix::sys::signal::{Signal, kill};
use steadfast::control::status::{Crash, Document, State, WarningKind};
use steadfast::supervisor::vrrp::installed;

use crate::harness::config::Instance;
use crate::harness::process::is_alive;
use crate::harness::router::vrrp;
use crate::harness::until;
use crate::scene::{Alone, VIRTUAL, pid, until_said};

/// The number of the right to look at other processes.
const CAP_SYS_PTRACE: u32 = 19;
/// Another virtual address.
const OTHER: &str = "192.0.2.9/24";

#[test]
fn a_killed_child_is_started_again() {
    let mut alone = Alone::master();
    let first = alone.signal_child(Signal::SIGKILL);
    let document = restarted(&mut alone, 1);
    assert_ne!(pid(&document), first);
    let warning = process_warning(&document).expect("a warning");
    assert!(warning.contains(&format!("vrrp process {first} was killed by SIGKILL")), "{warning}");
    alone.router.until_state("lan", State::Master);
    assert!(alone.holds_address());
    alone.router.stop();
}

#[test]
fn a_crash_is_reported() {
    let mut alone = Alone::master();
    let first = alone.signal_child(Signal::SIGFPE);
    let crash = crash(&restarted(&mut alone, 1));
    assert_eq!(crash.end, format!("vrrp process {first} was killed by SIGFPE"));
    let (ran, stood) = (crash.ran.unwrap(), crash.loop_stood.unwrap());
    assert!(ran > 0.3 && stood < ran, "{crash:?}");
    let last = crash.last_lines.last().unwrap();
    assert!(last.starts_with("lan: BACKUP to MASTER"), "{crash:?}");
    until_said(alone.router.daemon(), "was killed by SIGFPE after ");
    until_said(alone.router.daemon(), "; its loop had last turned ");
}

#[test]
fn a_child_that_hangs_is_replaced() {
    let mut alone = Alone::master();
    let first = alone.signal_child(Signal::SIGSTOP);
    let document = restarted(&mut alone, 1);
    assert_ne!(pid(&document), first);
    assert!(!is_alive(first));
    let crash = crash(&document);
    assert!(crash.end.starts_with(&format!("vrrp process {first} had not answered for ")));
    assert!(crash.end.ends_with(" and was killed"), "{}", crash.end);
    alone.router.until_state("lan", State::Master);
    assert!(alone.holds_address());
}

/// The supervisor's own deadline: it does not wait for the next start.
#[test]
fn the_addresses_of_a_dead_child_are_withdrawn_before_it_is_started_again() {
    let mut alone = Alone::master();
    for times in 1..=5 {
        let crashed = alone.signal_child(Signal::SIGKILL);
        assert_ne!(crashed, pid(&restarted(&mut alone, times)));
    }
    // It is to hand over and finds nobody, so it stays.
    until_said(alone.router.daemon(), "nobody took over");
    assert!(alone.holds_address());
    // This time there is a wait, and the deadline is 0.25 s after the last advert.
    alone.signal_child(Signal::SIGKILL);
    until_said(alone.router.daemon(), "it is started again in 8 s");
    let document = alone.router.until("it says when", |d| vrrp(d).starts_in.is_some());
    assert!(document.verdict.text.contains("is started again in 7."), "{}", document.verdict.text);
    until_said(
        alone.router.daemon(),
        "removed 1 address, route or rule of lan: no vrrp process has resumed in time",
    );
    assert!(!alone.holds_address());
    alone.router.stop();
}

/// Nothing but the file knows what there was.
#[test]
fn what_a_killed_daemon_held_is_removed_whatever_the_new_configuration_says() {
    let mut alone = Alone::new();
    alone.configure(&Instance::lan(150, &[VIRTUAL, OTHER]));
    alone.router.start();
    alone.router.until_state("lan", State::Master);
    let file = alone.router.state().join("installed");
    until("the file says what is there", || fs::read(&file).ok());
    alone.router.kill();
    assert!(shows(&alone, OTHER) && alone.holds_address());
    alone.configure(&Instance::lan(150, &["192.0.2.77/24"]));
    alone.router.start();
    alone.router.until_state("lan", State::Master);
    assert!(!shows(&alone, OTHER) && !alone.holds_address());
    let held = installed::parse(&fs::read(&file).unwrap()).unwrap();
    assert!(held.len() == 1 && held[0].objects.len() == 1, "{held:?}");
    alone.router.stop();
    assert!(!file.exists());
}

/// A damaged file is said and does not matter.
#[test]
fn a_damaged_file_is_no_obstacle() {
    let mut alone = Alone::new();
    fs::create_dir(alone.router.state()).unwrap();
    fs::write(alone.router.state().join("installed"), "SFI\u{1}\u{7f}").unwrap();
    alone.router.start();
    alone.router.until_state("lan", State::Master);
    until_said(alone.router.daemon(), "installed is damaged: ");
}

/// A process of a former supervisor that does not end is killed before another one begins.
#[test]
fn an_orphan_never_works_beside_its_successor() {
    kills_an_orphan(&mut Alone::new());
}

/// The same with no more rights than the unit gives: to look at other processes is none of them.
#[test]
fn an_orphan_is_killed_with_the_rights_of_the_unit() {
    let unit = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/conf/steadfast.service"));
    let unit = unit.unwrap();
    let rights = unit.lines().find_map(|line| line.strip_prefix("CapabilityBoundingSet=")).unwrap();
    assert!(!rights.contains("PTRACE") && !rights.contains("KILL"), "{rights}");
    let mut alone = Alone::new();
    alone.router.bound_rights(rights);
    kills_an_orphan(&mut alone);
    let status = fs::read_to_string(format!("/proc/{}/status", alone.router.daemon().id()));
    let status = status.unwrap();
    let has = status.lines().find_map(|line| line.strip_prefix("CapEff:")).unwrap();
    let has = u64::from_str_radix(has.trim(), 16).unwrap();
    assert_eq!(has & 1 << CAP_SYS_PTRACE, 0, "{has:x}");
}

#[track_caller]
fn kills_an_orphan(alone: &mut Alone) {
    alone.router.start();
    alone.router.until_state("lan", State::Master);
    let orphan = alone.child();
    alone.router.kill_supervisor();
    // Not before: the kernel lets a stopped process go on whose parent ends.
    kill(orphan, Signal::SIGSTOP).unwrap();
    assert!(is_alive(orphan) && alone.holds_address());
    alone.router.start();
    let former = format!("vrrp process {orphan} of a former supervisor");
    until_said(alone.router.daemon(), &format!("{former} still hands over"));
    until_said(alone.router.daemon(), &format!("{former} took too long; it is killed"));
    until_said(alone.router.daemon(), "a vrrp process before this one left them");
    assert!(!is_alive(orphan) && !alone.holds_address());
    let words = alone.router.words();
    let (_, since) = words.split_once("still hands over").unwrap();
    let (before, _) = since.split_once("took too long").unwrap();
    assert!(!before.contains(" started"), "{since}");
}

/// An address that somebody else put there is none of ours, listed or not.
#[test]
fn a_stranger_s_address_is_not_removed() {
    let mut alone = Alone::master();
    let file = alone.router.state().join("installed");
    until("the file says what is there", || fs::read(&file).ok());
    alone.router.kill();
    alone.router.host.net.ip(&format!("address del {VIRTUAL} dev eth0"));
    alone.router.host.net.ip(&format!("address add {VIRTUAL} dev eth0"));
    alone.configure(&Instance::lan(150, &[OTHER]));
    alone.router.start();
    alone.router.until_state("lan", State::Master);
    assert!(alone.holds_address());
}

/// Waits until so many restarts are over, and the child answers.
#[track_caller]
fn restarted(alone: &mut Alone, times: u32) -> Document {
    alone.router.until("another child answers", |document| {
        vrrp(document).restarts >= times && document.instances.is_some()
    })
}

#[track_caller]
fn crash(document: &Document) -> Crash {
    vrrp(document).crash.clone().expect("a crash")
}

fn shows(alone: &Alone, address: &str) -> bool {
    alone.router.host.net.try_ip("address show dev eth0").expect("its addresses").contains(address)
}

/// What the status says about the processes.
fn process_warning(document: &Document) -> Option<String> {
    let mut warnings = document.warnings.iter();
    warnings.find(|warning| warning.kind == WarningKind::Process).map(|w| w.text.clone())
}
