//! A link with nothing but adverts on it: the program allocates nothing for them, and what the
//! reactor does to wait is shown apart.

use std::thread::sleep;
use std::time::Duration;

use steadfast::control::status::State;

use crate::harness::config::Instance;
use crate::harness::router::{Router, find};
use crate::reading::Reading;
use crate::routers::Routers;

/// Virtual routers, each with an advert every 10 ms in each family.
const INSTANCES: u8 = 100;
/// Adverts in a second.
const RATE: u64 = INSTANCES as u64 * 2 * 100;
/// How often it is looked at,
const WINDOWS: u64 = 5;
/// but not more often than that: the process wakes up a hundred times in a second.
const SHORTEST: Duration = Duration::from_secs(2);
/// Windows that did not count, because the machine was too slow for the adverts.
const PATIENCE: usize = 3;
/// When the second announcements are over: `garp_delay`, and some time for them.
const SETTLED: Duration = Duration::from_secs(6);
/// Allocations of our own that a window may have: a look at 100 instances takes some thousand, and
/// some more or less by how fast the answer is taken. One for each time that it wakes up would be
/// more.
const OWN: i64 = 30;
/// The same for each line that is logged meanwhile.
const LINE: i64 = 30;

fn text(priority: u8) -> String {
    let instance = |number: u8| {
        let address = format!("192.0.2.{}/24", 100 + number);
        let six = format!("fe80::1:{number:x}/64");
        Instance::lan(priority, &[&address, &six])
            .named(&format!("v{number}"), number)
            .every("10ms")
            // A machine that is busy with something else changes no state.
            .with("down_timer_adverts = 100")
    };
    let all: String = (1..=INSTANCES).map(|number| instance(number).to_string()).collect();
    // Nobody asks anything meanwhile.
    format!("hello_interval = \"1h\"\n{all}")
}

/// What a vrrp process allocated while it sent or received adverts.
#[derive(Clone, Copy, Debug)]
struct Window {
    adverts: u64,
    changes: u64,
    lines: u64,
    own: i64,
    reactor: i64,
}

/// Runs it until the first router has sent so many; what is wrong.
pub fn run(adverts: u64) -> Vec<String> {
    let mut routers = Routers::running(text);
    let last = format!("v{INSTANCES}");
    routers.a.until_state(&last, State::Master);
    routers.b.until("it hears all", |document| {
        (1..=INSTANCES).all(|number| {
            find(document, &format!("v{number}")).is_some_and(|one| {
                one.state == State::Backup && one.routers.iter().all(|r| r.master.is_some())
            })
        })
    });
    sleep(SETTLED);
    println!("adverts: {INSTANCES} instances, both families, one each 10 ms");
    println!(
        "router  adverts  lines  own allocations  the reactor's  per advert  live octets  RSS KiB"
    );
    let (mut faults, mut missed, mut sent) = (Vec::new(), 0, 0);
    let length = Duration::from_micros(adverts.div_ceil(WINDOWS) * 1_000_000 / RATE).max(SHORTEST);
    while sent < adverts {
        let before = [&mut routers.a, &mut routers.b].map(look);
        sleep(length);
        let mut complete = true;
        for (router, before) in [&mut routers.a, &mut routers.b].into_iter().zip(&before) {
            let after = Reading::of(router);
            let window = window(before, &after);
            show(router, window, &after);
            complete &= window.changes == 0 && window.adverts > 0;
            let allowed = OWN + LINE * window.lines.cast_signed();
            if window.own > allowed && window.changes == 0 {
                let (name, own) = (router.name(), window.own);
                faults.push(format!("{name}: {own} allocations of ours, {allowed} are allowed"));
            }
            // At most one when it wakes up, and it does that at most once for an advert.
            if window.reactor > window.adverts.cast_signed() {
                let (name, reactor) = (router.name(), window.reactor);
                faults.push(format!("{name}: {reactor} allocations of the reactor"));
            }
            if router.name() == "gw-a" && window.changes == 0 {
                sent += window.adverts;
            }
        }
        missed += usize::from(!complete);
        if missed > PATIENCE {
            faults.push("the machine is too busy: instances changed their states".to_owned());
            break;
        }
    }
    faults
}

/// A look, and what one costs: allocations of ours, and all.
fn look(router: &mut Router) -> (Reading, i64, i64) {
    let looks: Vec<Reading> = (0..4).map(|_| Reading::of(router)).collect();
    let mut costs: Vec<_> = looks.windows(2).map(|two| taken(&two[0], &two[1])).collect();
    costs.sort_unstable();
    let (own, all) = costs[costs.len() / 2];
    (looks[looks.len() - 1].clone(), own, all)
}

/// Allocations between two looks: ours, and all.
fn taken(first: &Reading, second: &Reading) -> (i64, i64) {
    let (first, second) = (first.heap(), second.heap());
    let own = |heap: steadfast::control::status::Heap| {
        heap.own_allocations.expect("a build with debug assertions tells")
    };
    let between = |first: u64, second: u64| (second - first).cast_signed();
    (between(own(first), own(second)), between(first.allocations, second.allocations))
}

fn window(before: &(Reading, i64, i64), after: &Reading) -> Window {
    let (before, own_of_look, all_of_look) = before;
    let (own, all) = taken(before, after);
    let (own, all) = (own - own_of_look, all - all_of_look);
    Window {
        adverts: after.sent + after.received - before.sent - before.received,
        changes: after.transitions - before.transitions,
        lines: after.lines - before.lines,
        own,
        reactor: all - own,
    }
}

fn show(router: &Router, window: Window, after: &Reading) {
    println!(
        "{:<7} {:>7}  {:>5}  {:>15}  {:>13}  {:>10.4}  {:>11}  {:>7}{}",
        router.name(),
        window.adverts,
        window.lines,
        window.own,
        window.reactor,
        window.reactor as f64 / window.adverts as f64,
        after.heap().live,
        after.vrrp.resident.unwrap() / 1024,
        if window.changes > 0 { "  does not count: states changed" } else { "" },
    );
}
