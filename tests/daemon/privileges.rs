//! What the processes may do, what they hold, and when they run: as `/proc` shows it.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::chown;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use steadfast::control::status::{State, WarningKind};

use crate::harness::config::Instance;
use crate::harness::guard;
use crate::harness::process::Process;
use crate::harness::router::{find, program, vrrp, vrrp_pid};
use crate::harness::until;
use crate::scene::{Alone, VIRTUAL, until_said};
use crate::seen::{classes, descriptors, field, limit, read, status, threads};

const PASSWORD: &str = "s3cr3t-7";

/// CAP_NET_ADMIN and CAP_NET_RAW.
const NET: &str = "0000000000003000";
/// With CAP_IPC_LOCK.
const NET_AND_LOCK: &str = "0000000000007000";
const NOTHING: &str = "0000000000000000";

/// The class that the tests were started in.
fn normal() -> String {
    format!("SCHED_OTHER 0 nice {}", nice())
}

/// As this process runs.
fn nice() -> String {
    let stat = read(Pid::this(), "stat");
    field(&stat, 19).to_owned()
}

fn set<T: Into<String>>(words: impl IntoIterator<Item = T>) -> BTreeSet<String> {
    words.into_iter().map(Into::into).collect()
}

/// Every thread of the vrrp process has these rights, and cannot get others.
#[track_caller]
fn assert_rights(child: Pid, rights: &str, bound: &str) {
    let of = |thread| {
        ["CapEff", "CapPrm", "CapBnd", "CapInh", "CapAmb", "NoNewPrivs"].map(|k| status(thread, k))
    };
    for thread in threads(child) {
        assert_eq!(of(thread), [rights, rights, bound, NOTHING, NOTHING, "1"], "{thread}");
    }
}

/// With these lines in `[global]`.
fn configure(alone: &Alone, global: &str, instance: &Instance) {
    alone.router.configure(&format!("hello_interval = \"100ms\"\n{global}\n{instance}"));
}

#[track_caller]
fn reload(alone: &Alone) -> String {
    let told = alone.client().ask(r#"{"method":"reload"}"#);
    told["ok"].as_str().unwrap_or_else(|| panic!("{told}")).to_owned()
}

/// Waits until all threads of both are in these classes: the last ones are there a moment after
/// the process works.
#[track_caller]
fn until_classes(child: Pid, of_child: &str, supervisor: Pid, of_supervisor: &str) {
    until(&format!("{of_child} of the child, {of_supervisor} of the supervisor"), || {
        let seen = (classes(child), classes(supervisor));
        (seen == (set([of_child]), set([of_supervisor]))).then_some(())
    });
}

#[test]
fn the_processes_have_what_they_need_and_no_more() {
    let mut alone = Alone::new();
    let lock = format!("authentication = {{ type = \"pass\", password = {PASSWORD:?} }}");
    let instance = Instance::lan(150, &[VIRTUAL]).version(2).every("1s").with(&lock);
    configure(&alone, "", &instance);
    alone.router.start();
    let child = alone.child();
    let supervisor = alone.router.daemon().id();
    alone.router.until_state("lan", State::Master);

    assert_rights(child, NET, NET);
    assert_eq!(status(supervisor, "CapBnd"), status(Pid::this(), "CapBnd"));
    assert_eq!(status(supervisor, "CapEff"), status(Pid::this(), "CapEff"));

    let of_child = ["null", "pipe", "memfd", "vrrp.lock", "timerfd", "eventpoll"];
    let of_child = of_child.into_iter().chain(["unix", "netlink", "packet", "raw"]);
    assert_eq!(descriptors(child), of_child.map(seen_as).collect());
    let own = ["null", "pipe", "memfd", "timerfd", "eventpoll", "eventfd", "signalfd", "pidfd"];
    let own = own.into_iter().chain(["unix", "listening unix"]);
    let files = ["steadfast.pid", "steadfast-gw.log"];
    // The connection of a client ends a moment after the answer.
    let wanted = own.chain(files).map(seen_as).collect();
    until(&format!("the supervisor has {wanted:?}"), || {
        (descriptors(supervisor) == wanted).then_some(())
    });

    assert_eq!((read(child, "environ").as_str(), threads(child).len()), ("", 1));
    assert_eq!(read(child, "cmdline"), "steadfast\0vrrp-process\0");
    for pid in [child, supervisor] {
        for name in ["environ", "cmdline"] {
            assert!(!read(pid, name).contains(PASSWORD), "{name} of {pid}");
        }
        assert!(limit(pid, "Max core file size").starts_with("0 "), "{pid}");
    }

    // Somebody with more rights than it, but for the one to look into any process.
    let look = |pid: Pid| {
        let file = format!("/proc/{pid}/exe");
        let drop = ["--bounding-set", "-sys_ptrace", "--", "readlink", &file];
        let ran = guard::tool(std::process::Command::new("setpriv").args(drop));
        ran.expect("setpriv; apt-get install util-linux").status.success()
    };
    let drop = ["--bounding-set", "-sys_ptrace", "--", "sleep", "60"];
    let net = &alone.router.host.net;
    let other = Process::start(net, "other", "setpriv", drop, alone.scratch.path());
    until("sleep runs", || read(other.id(), "cmdline").starts_with("sleep").then_some(()));
    assert!(look(other.id()), "this is how to look into a process");
    assert!(!look(child), "this one has a password");

    assert_eq!((status(child, "VmLck"), classes(child)), ("0 kB".to_owned(), set([normal()])));
}

/// As a link of `/proc/PID/fd` ends.
fn seen_as(kind: &str) -> String {
    if kind == "memfd" { "steadfast (deleted)".to_owned() } else { kind.to_owned() }
}

#[test]
fn scheduling_is_as_configured_and_follows_a_reload() {
    let mut alone = Alone::new();
    let lan = Instance::lan(150, &[VIRTUAL]);
    let options = "vrrp_rt_priority = 50\nvrrp_no_swap = true\nvrrp_cpu_affinity = [0, 4000]\n\
                   vrrp_priority = -5";
    configure(&alone, options, &lan);
    alone.router.start();
    alone.router.until_state("lan", State::Master);
    let (child, supervisor) = (alone.child(), alone.router.daemon().id());
    let round_robin =
        |priority, nice: &str| format!("SCHED_RR|SCHED_RESET_ON_FORK {priority} nice {nice}");
    let usual = nice();
    until_classes(child, &round_robin(50, "-5"), supervisor, &round_robin(49, &usual));
    for thread in threads(child) {
        assert_eq!(status(thread, "Cpus_allowed_list"), "0");
    }
    let all = status(supervisor, "Cpus_allowed_list");
    assert_eq!(all, status(Pid::this(), "Cpus_allowed_list"), "it watches from elsewhere");
    until_said(alone.router.daemon(), "vrrp_cpu_affinity: this process has no CPU 4000 (there are");
    let rest = |pid| limit(pid, "Max realtime timeout");
    assert_eq!((rest(child), rest(supervisor)), ("200000 unlimited".into(), rest(child)));
    until("its memory is locked", || (status(child, "VmLck") != "0 kB").then_some(()));
    assert_rights(child, NET_AND_LOCK, NET_AND_LOCK);
    let document = alone.router.status().unwrap();
    let warning = document.warnings.iter().find(|w| w.kind == WarningKind::Process);
    assert!(warning.expect("a warning").text.contains("no CPU 4000"), "{document:#?}");

    configure(&alone, "", &lan);
    let changed = "vrrp_priority, vrrp_rt_priority, vrrp_cpu_affinity, vrrp_no_swap\n";
    assert_eq!(reload(&alone), format!("global changed: {changed}"));
    // In effect when the answer comes.
    assert_eq!((classes(child), classes(supervisor)), (set([normal()]), set([normal()])));
    assert_eq!(status(child, "Cpus_allowed_list"), all);
    assert_eq!((rest(child), rest(supervisor)), ("unlimited unlimited".into(), rest(child)));
    assert_eq!(status(child, "VmLck"), "0 kB");
    let document = alone.router.status().unwrap();
    assert!(document.warnings.is_empty(), "{document:#?}");

    configure(&alone, "vrrp_rt_priority = 1\nvrrp_rlimit_rttime = \"70ms\"", &lan);
    reload(&alone);
    assert_eq!(classes(child), set([round_robin(1, &usual)]));
    assert_eq!(classes(supervisor), set([round_robin(1, &usual)]), "there is nothing below");
    assert_eq!(
        (rest(child), rest(supervisor)),
        ("70000 unlimited".into(), "200000 unlimited".into())
    );

    // The next one has it as well.
    kill(child, Signal::SIGKILL).unwrap();
    alone
        .router
        .until("another child", |document| vrrp_pid(document).is_some_and(|pid| pid != child));
    let next = alone.child();
    until_classes(next, &round_robin(1, &usual), supervisor, &round_robin(1, &usual));
    assert_rights(next, NET, NET);

    // And so have the next programs.
    let said = alone.router.ask(&["upgrade", program().to_str().unwrap()]);
    assert!(said.contains("goes on after"), "{said}");
    let last = alone.child();
    assert_ne!(last, next);
    until_classes(last, &round_robin(1, &usual), supervisor, &round_robin(1, &usual));
    assert_rights(last, NET, NET);
    alone.router.stop();
}

#[test]
fn a_process_that_runs_for_too_long_leaves_real_time_for_a_while() {
    let mut alone = Alone::new();
    let lan = Instance::lan(150, &[VIRTUAL]);
    let options = |limit| format!("vrrp_rt_priority = 9\nvrrp_rlimit_rttime = \"{limit}\"");
    configure(&alone, &options("250ms"), &lan);
    alone.router.start();
    alone.router.until_state("lan", State::Master);
    let (child, supervisor) = (alone.child(), alone.router.daemon().id());
    let real_time = |priority| format!("SCHED_RR|SCHED_RESET_ON_FORK {priority} nice {}", nice());
    until_classes(child, &real_time(9), supervisor, &real_time(8));

    // The kernel sends the same to a thread that does not rest.
    kill(child, Signal::SIGXCPU).unwrap();
    until_said(alone.router.daemon(), "warning the vrrp process ran for 250 ms without rest");
    assert!(classes(child).contains(&normal().replacen(' ', "|SCHED_RESET_ON_FORK ", 1)));
    let document = alone.router.status().unwrap();
    let warning = document.warnings.iter().find(|w| w.kind == WarningKind::Process);
    assert!(warning.expect("a warning").text.contains("real-time priority is off for 10 s"));
    assert_eq!(find(&document, "lan").unwrap().state, State::Master);

    until_said(alone.router.daemon(), "notice the vrrp process is in real time again");
    assert_eq!(classes(child), set([real_time(9)]));

    kill(supervisor, Signal::SIGXCPU).unwrap();
    kill(child, Signal::SIGXCPU).unwrap();
    until_said(alone.router.daemon(), "warning the supervisor ran for 200 ms without rest");
    until_said(alone.router.daemon(), "real-time priority is off for 20 s");
    // Who changes the settings wants to see what they do.
    configure(&alone, &options("300ms"), &lan);
    reload(&alone);
    assert_eq!(classes(child), set([real_time(9)]));
    assert_eq!((alone.child(), vrrp(&alone.router.status().unwrap()).restarts), (child, 0));
}

/// A user with the two rights that are needed, and none for the rest.
#[test]
fn what_is_not_permitted_is_said_and_all_else_works() {
    let alone = Alone::new();
    let options = "vrrp_rt_priority = 50\nvrrp_no_swap = true\nvrrp_priority = -5";
    configure(&alone, options, &Instance::lan(150, &[VIRTUAL]));
    let state = alone.router.state();
    fs::create_dir(&state).unwrap();
    chown(&state, Some(65_534), Some(65_534)).unwrap();
    let (program, file) = (program(), alone.router.file());
    let rights = ["--inh-caps=+net_admin,+net_raw", "--ambient-caps=+net_admin,+net_raw"];
    let mut words = vec!["--reuid=65534", "--regid=65534", "--clear-groups"];
    words.extend(rights);
    words.extend(["--", program.to_str().unwrap(), "run", "-c", file.to_str().unwrap()]);
    words.extend(["--state-dir", state.to_str().unwrap()]);
    let net = &alone.router.host.net;
    let mut daemon = Process::start(net, "daemon", "setpriv", words, alone.scratch.path());
    until_said(&daemon, "lan: BACKUP to MASTER");
    let child = until("its child", || daemon.offspring().first().copied());
    // Without the right to change it the bound stays, and leads nowhere.
    assert_rights(child, NET, &status(Pid::this(), "CapBnd"));
    assert_eq!(status(daemon.id(), "CapEff"), NET);
    assert_eq!((classes(child), classes(daemon.id())), (set([normal()]), set([normal()])));
    for words in [
        "vrrp_priority has no effect: Permission denied (os error 13): it needs CAP_SYS_NICE, or \
         LimitNICE=-20 in its unit",
        "vrrp_rt_priority has no effect: Operation not permitted (os error 1): it needs \
         CAP_SYS_NICE, or LimitRTPRIO=99 in its unit",
        "vrrp_no_swap has no effect: Operation not permitted (os error 1): it needs CAP_IPC_LOCK, or",
    ] {
        until_said(&daemon, words);
    }
    assert!(alone.holds_address());
    daemon.signal(Signal::SIGTERM);
    assert!(daemon.wait().success());
    assert!(!alone.holds_address());
}
