//! Ends that nobody planned: whatever it was, no address stays behind that nobody defends.

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use steadfast::control::status::State;

use crate::harness::config::Instance;
use crate::harness::pair::{Pair, VIRTUAL, VIRTUAL_4, VIRTUAL_6};
use crate::harness::process::is_alive;
use crate::harness::router::find;
use crate::harness::until;

/// The vrrp process of the first router.
fn child(pair: &mut Pair) -> Pid {
    let document = pair.a.until("it has a vrrp process", |document| document.daemon.vrrp.is_some());
    Pid::from_raw(document.daemon.vrrp.unwrap().pid.cast_signed())
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
