//! What the processes have in memory, while they run and when they end.

use nix::sys::signal::Signal;
use steadfast::control::status::State;

use crate::harness::config::Instance;
use crate::harness::pair::{Pair, VIRTUAL};
use crate::harness::router::{Router, vrrp};
use crate::scene::Alone;

#[test]
fn the_status_has_the_memory_of_both_processes() {
    let mut alone = Alone::master();
    let child = u32::try_from(alone.child().as_raw()).unwrap();
    let document = alone.router.control().status_with(true).unwrap();
    let process = vrrp(&document).clone();
    assert_eq!(process.pid, Some(child));
    for process in [document.daemon.memory.unwrap(), process.memory.unwrap()] {
        let heap = process.heap.as_ref().expect("the program counts");
        assert!(heap.live > 1_000 && heap.live <= heap.peak, "{process:?}");
        assert!(heap.blocks > 10 && heap.blocks <= heap.allocations, "{process:?}");
        let resident = process.resident.unwrap();
        assert!(resident > process.anonymous.unwrap() && process.anonymous > Some(0));
        assert!(process.proportional.is_some_and(|part| 0 < part && part <= resident));
        assert_eq!(process.unknown, None);
    }
    let document = alone.router.status().unwrap();
    assert_eq!(document.daemon.memory, None, "it was not asked for");
    assert_eq!(vrrp(&document).memory, None);
    let shown = alone.router.ask(&["status", "--memory"]);
    for process in ["  supervisor  ", "  vrrp  "] {
        let line = shown.lines().rfind(|line| line.starts_with(process)).expect("a line");
        let numbers = line.split_whitespace().skip(1).filter_map(|word| word.parse::<u64>().ok());
        assert_eq!(numbers.count(), 7, "{line}");
    }
}

/// Each process lists its own leaks: a block that is not freed, or that is part of a reference cycle,
/// appears with its call site.
#[test]
fn nothing_is_left_in_memory_at_the_end() {
    let mut pair = Pair::new();
    let lan = |priority| Instance::lan(priority, &VIRTUAL);
    pair.a.configure(&lan(150).to_string());
    pair.b.configure(&lan(100).to_string());
    for router in [&mut pair.a, &mut pair.b] {
        router.set_options(&["--memory-check"]);
        router.start();
    }
    pair.settle();
    // A listener that is still there at the end.
    let _events = pair.a.events();

    let more = [&VIRTUAL[..], &["192.0.2.7/24", "2001:db8::7/64"]].concat();
    let two = Instance::lan(150, &["192.0.2.8/24"]).named("two", 52);
    let far = Instance::lan(150, &["192.0.2.9/24"]).named("far", 53).on("none");
    pair.a.configure(&format!("{}{two}{far}", Instance::lan(150, &more).every("50ms")));
    pair.a.ask(&["reload"]);
    pair.a.until_state("two", State::Master);
    pair.a.command(&["status", "--memory"]);
    pair.a.configure(&lan(150).to_string());
    pair.a.ask(&["reload"]);
    pair.a.configure("nonsense");
    assert!(!pair.a.command(&["reload"]).status.success());
    pair.a.configure(&lan(150).to_string());
    for signal in [Signal::SIGHUP, Signal::SIGUSR1, Signal::SIGUSR2] {
        pair.a.daemon().signal(signal);
    }

    pair.a.ask(&["switchover", "lan"]);
    pair.b.until_state("lan", State::Master);
    pair.a.ask(&["release", "lan"]);
    pair.a.until_state("lan", State::Master);
    pair.a.ask(&["log-level", "debug"]);
    pair.a.ask(&["switchover", "lan", "--for", "1h"]);
    pair.a.command(&["status"]);

    all_is_free(&mut pair.a);
    all_is_free(&mut pair.b);
}

/// Ends it; both processes have to say that nothing is left.
#[track_caller]
fn all_is_free(router: &mut Router) {
    router.daemon().signal(Signal::SIGTERM);
    let ended = router.daemon().wait();
    let words = router.words();
    assert!(ended.success(), "it ended with {ended}\n{words}");
    let said: Vec<&str> = words.lines().filter(|line| line.contains("memory check: ")).collect();
    for process in ["vrrp", "supervisor"] {
        let is_its = |line: &&str| line.contains("vrrp process: ") == (process == "vrrp");
        let last = said.iter().copied().rfind(is_its).unwrap_or_default();
        let free = last.ends_with("memory check: no live blocks");
        assert!(free, "{} of {}:\n{}", process, router.name(), said.join("\n"));
    }
}
