//! Unplanned ends of processes: no address stays behind without a process that owns it.

use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use steadfast::control::status::{State, VerdictLevel};

use crate::harness::config::Instance;
use crate::harness::pair::{Pair, VIRTUAL, VIRTUAL_4, VIRTUAL_6};
use crate::harness::ping::Pinger;
use crate::harness::process::is_alive;
use crate::harness::router::{find, vrrp, vrrp_pid};
use crate::harness::until;

/// The vrrp process of the first router.
fn child(pair: &mut Pair) -> Pid {
    let document = pair.a.until("it has a vrrp process", |document| vrrp_pid(document).is_some());
    vrrp_pid(&document).unwrap()
}

/// `vrrp:S-11`
#[test]
fn a_stop_just_after_a_crash_removes_the_addresses() {
    for _ in 0..3 {
        let mut pair = Pair::running(&VIRTUAL);
        let mut watch = pair.watch_a();
        watch.until_address("eth0", VIRTUAL_4, true);
        watch.until_address("eth0", VIRTUAL_6, true);
        let crashed = child(&mut pair);
        kill(crashed, Signal::SIGKILL).unwrap();
        pair.a.stop();
        for address in [VIRTUAL_4, VIRTUAL_6] {
            watch.until_address("eth0", address, false);
        }
    }
}

/// Each advert is written down, so that the next process knows that nobody has taken over yet.
#[test]
fn a_process_that_is_killed_is_master_again_at_once() {
    let mut pair =
        Pair::running_with(|priority| Instance::lan(priority, &VIRTUAL).every("1s").to_string());
    // Longer than after the first advert alone it would be too late.
    pair.capture.mark();
    pair.capture.wait_for_many(8, "adverts of gw-a", |p| p.is_of_master("gw-a"));
    let mut other = pair.watch_b();
    other.changes();
    let crashed = child(&mut pair);
    kill(crashed, Signal::SIGKILL).unwrap();
    let document = pair.a.until("it is master again", |document| {
        let another = vrrp_pid(document).is_some_and(|pid| pid != crashed);
        another && find(document, "lan").is_some_and(|lan| lan.state == State::Master)
    });
    let cause = &find(&document, "lan").unwrap().cause;
    assert!(cause.starts_with("resumed after a restart of the vrrp process, "), "{cause}");
    let last = document.transitions.last().unwrap();
    assert_eq!((last.from, last.to), (Some(State::Master), Some(State::Master)));
    assert!(last.text.starts_with("lan: stays MASTER: resumed after a restart"), "{}", last.text);
    // It is degraded, which is no success.
    let shown = String::from_utf8(pair.a.command(&["status"]).stdout).unwrap();
    assert!(shown.contains("are counted since the vrrp process was started"), "{shown}");
    assert_eq!(other.changes(), [], "the other one has noticed nothing");
}

/// What `inflict` does to the vrrp process of the first router costs no failover, three times in a
/// row.
#[track_caller]
fn is_resumed_three_times(inflict: Signal) {
    let mut pair =
        Pair::running_with(|priority| Instance::lan(priority, &VIRTUAL).every("1s").to_string());
    let ping = Pinger::start(&pair.client.net, VIRTUAL_4, Duration::from_millis(2));
    ping.until_answered();
    let (mut own, mut other) = (pair.watch_a(), pair.watch_b());
    other.changes();
    let begin = std::time::Instant::now();
    for times in 1..=3 {
        let crashed = child(&mut pair);
        kill(crashed, inflict).unwrap();
        pair.a.until("it is master again", |document| {
            let resumed = find(document, "lan").is_some_and(|lan| lan.state == State::Master);
            vrrp(document).restarts == times && resumed
        });
    }
    assert_eq!(other.changes(), [], "the other one has noticed nothing");
    assert_eq!(own.removed(), Vec::<std::net::IpAddr>::new());
    let document = pair.a.status().unwrap();
    assert!(begin.elapsed() < Duration::from_secs(60), "or it is not what is to be shown");
    let crash = vrrp(&document).crash.as_ref().unwrap();
    assert!(crash.in_a_minute == 3 && !crash.handed_over, "{crash:?}");
    let told = "the vrrp process crashed 3 times within a minute";
    let verdict = &document.verdict.text;
    assert!(verdict.starts_with(&format!("DEGRADED: {told}")), "{verdict}");
    let whole = format!("{told}, at last vrrp process ");
    assert!(document.warnings.iter().any(|warning| warning.text.starts_with(&whole)));
    assert_eq!(pair.b.status().unwrap().verdict.level, VerdictLevel::Ok);
    assert_eq!(ping.lost_between(begin, std::time::Instant::now()), Vec::<Duration>::new());
}

#[test]
fn three_crashes_within_a_minute_cost_no_failover() {
    is_resumed_three_times(Signal::SIGKILL);
}

#[test]
fn three_hangs_within_a_minute_cost_no_failover() {
    is_resumed_three_times(Signal::SIGSTOP);
}

/// Somebody has to look at it: it does not come back by itself for some minutes.
#[test]
fn a_process_that_crashes_again_and_again_hands_over_and_stays_backup() {
    let mut pair =
        Pair::running_with(|priority| Instance::lan(priority, &VIRTUAL).every("1s").to_string());
    let ping = Pinger::start(&pair.client.net, VIRTUAL_4, Duration::from_millis(2));
    ping.until_answered();
    let begin = std::time::Instant::now();
    for times in 1..=5 {
        let crashed = child(&mut pair);
        kill(crashed, Signal::SIGKILL).unwrap();
        pair.a.until("another one answers", |document| {
            vrrp(document).restarts == times && find(document, "lan").is_some()
        });
    }
    pair.b.until_state("lan", State::Master);
    let lan = pair.a.until_state("lan", State::Backup);
    let hold = lan.hold.and_then(|hold| hold.ends_in).expect("a hold that ends");
    assert!((200.0..=300.0).contains(&hold), "{hold}");
    let document = pair.a.status().unwrap();
    let verdict = &document.verdict.text;
    assert!(verdict.contains("crashed 5 times within a minute"), "{verdict}");
    let mut texts = document.warnings.iter().map(|warning| &warning.text);
    let text = texts.find(|text| text.contains(" times within a minute, at last vrrp process "));
    let text = text.expect("how it ended");
    assert!(text.contains("; it hands over and stays backup: see the log"), "{text}");
    assert_eq!(ping.lost_between(begin, std::time::Instant::now()), Vec::<Duration>::new());
    // The sixth one waits, and is backup again.
    kill(child(&mut pair), Signal::SIGKILL).unwrap();
    let document = pair.a.until("it says when", |d| vrrp(d).starts_in.is_some());
    let text = &document.verdict.text;
    assert!(text.starts_with("DEAD: ") && text.contains("crashed 6 times"), "{text}");
    assert!(vrrp(&document).starts_in.unwrap() > 4.0, "{text}");
    assert!(!pair.watch_a().has("eth0", VIRTUAL_4));
    pair.a.stop();
}

/// The process that lost its supervisor waits for its successor; it does not turn round and round.
#[test]
fn without_its_supervisor_it_hands_over_and_ends() {
    let mut pair = Pair::new();
    // Nobody takes over, so it waits for as long as the protocol says: 3.41 s.
    pair.a.configure(&Instance::lan(150, &VIRTUAL).every("1s").to_string());
    pair.a.start();
    pair.a.until_state("lan", State::Master);
    let mut watch = pair.watch_a();
    watch.until_address("eth0", VIRTUAL_4, true);
    let orphan = child(&mut pair);
    kill(pair.a.daemon().id(), Signal::SIGKILL).unwrap();
    let mut spent = 0;
    until("it ends", || {
        if !is_alive(orphan) {
            return Some(());
        }
        spent = ticks(orphan).unwrap_or(spent);
        None
    });
    watch.until_address("eth0", VIRTUAL_4, false);
    // In a loop it would be some hundreds, of hundredths of a second.
    assert!(spent < 100, "{spent} ticks of the processor");
}

/// With nobody to hand over to, the next supervisor goes on with the addresses.
#[test]
fn a_lone_master_whose_supervisor_is_killed_loses_nothing() {
    let mut pair = Pair::new();
    pair.a.configure(&Instance::lan(150, &VIRTUAL).every("1s").to_string());
    pair.a.start();
    pair.a.until_state("lan", State::Master);
    let mut watch = pair.watch_a();
    watch.until_address("eth0", VIRTUAL_4, true);
    watch.until_address("eth0", VIRTUAL_6, true);
    let ping = [VIRTUAL_4, VIRTUAL_6]
        .map(|address| Pinger::start(&pair.client.net, address, Duration::from_millis(2)));
    ping.iter().for_each(Pinger::until_answered);
    // At once, while it announces that it leaves, and when it has said so.
    for pause in [0, 5, 100, 1_000, 2_500] {
        let begin = std::time::Instant::now();
        let orphan = child(&mut pair);
        pair.a.kill_supervisor();
        std::thread::sleep(Duration::from_millis(pause));
        assert!(is_alive(orphan), "it waits for a successor");
        pair.a.start();
        let lan = pair.a.until_state("lan", State::Master);
        assert!(lan.cause.starts_with("resumed "), "{}", lan.cause);
        // It has released the lock; its new parent may not have waited for it yet.
        until("the orphan has ended", || (!is_alive(orphan)).then_some(()));
        for ping in &ping {
            assert_eq!(ping.lost_between(begin, std::time::Instant::now()), Vec::<Duration>::new());
        }
    }
    assert_eq!(watch.removed(), Vec::<std::net::IpAddr>::new());
    pair.a.stop();
    watch.until_address("eth0", VIRTUAL_4, false);
}

/// What another router has taken is not taken back by a supervisor that comes a little later.
#[test]
fn a_supervisor_that_comes_after_the_hand_over_is_backup_first() {
    let mut pair =
        Pair::running_with(|priority| Instance::lan(priority, &VIRTUAL).every("1s").to_string());
    let ping = Pinger::start(&pair.client.net, VIRTUAL_4, Duration::from_millis(2));
    ping.until_answered();
    let begin = std::time::Instant::now();
    pair.a.kill_supervisor();
    pair.b.until_state("lan", State::Master);
    assert_eq!(ping.lost_between(begin, std::time::Instant::now()), Vec::<Duration>::new());
    pair.a.start();
    pair.settle();
    let lan = pair.a.until_state("lan", State::Master);
    assert!(lan.cause.contains("priority"), "it has preempted: {}", lan.cause);
}

/// What a process has spent of the processor.
fn ticks(id: Pid) -> Option<u64> {
    let text = std::fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    let mut fields = text.rsplit_once(')')?.1.split_whitespace().skip(11);
    Some(fields.next()?.parse::<u64>().ok()? + fields.next()?.parse::<u64>().ok()?)
}

/// netlink:N-23
#[test]
fn a_rename_of_a_link_that_is_up_leaves_nothing_on_it() {
    let mut pair = Pair::running(&VIRTUAL);
    let mut watch = pair.watch_a();
    watch.until_address("eth0", VIRTUAL_4, true);
    watch.until_address("eth0", VIRTUAL_6, true);
    pair.a.host.net.ip("link set eth0 name wan0");
    for address in [VIRTUAL_4, VIRTUAL_6] {
        watch.until_address("wan0", address, false);
    }
    pair.b.until_state("lan", State::Master);
}

/// What was answered just before is known only when the news of it is read.
#[test]
fn a_reload_amid_many_additions_takes_nothing_for_stolen() {
    let mut pair = Pair::running(&VIRTUAL);
    let many = |count: u32, priority| {
        let more = (0..count).map(|n| format!("10.{}.{}.1/32", n / 250, n % 250));
        let all: Vec<String> = VIRTUAL.map(str::to_owned).into_iter().chain(more).collect();
        let all: Vec<&str> = all.iter().map(String::as_str).collect();
        Instance::lan(priority, &all).to_string()
    };
    for round in 0..8 {
        for (count, priority) in [(240, 150), (240, 151), (240, 152), (0, 150)] {
            pair.a.configure(&many(count, priority));
            pair.a.ask(&["reload"]);
        }
        assert!(!pair.a.words().contains("somebody else"), "round {round}: {}", pair.a.words());
    }
    let document = pair.a.until("all are gone", |document| {
        find(document, "lan").is_some_and(|lan| lan.objects.len() == VIRTUAL.len())
    });
    assert_eq!(document.warnings, []);
    assert_eq!(find(&document, "lan").unwrap().state, State::Master);
}
