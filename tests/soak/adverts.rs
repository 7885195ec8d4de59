//! A link with nothing but adverts on it: nothing is allocated for them.

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
/// The number of windows in which memory is measured.
const WINDOWS: u64 = 5;
/// The shortest window: the process wakes up a hundred times in a second.
const MIN_WINDOW: Duration = Duration::from_secs(2);
/// Windows that may be repeated, because the machine was too slow for the adverts.
const SLOW_WINDOWS_ALLOWED: usize = 3;
/// When the second announcements are over: `garp_delay`, and some time for them.
const SETTLED: Duration = Duration::from_secs(6);
/// Allocations that a window may have: a look at 100 instances takes some thousand, and
/// some more or less by how fast the answer is taken. One for each time that it wakes up would be
/// more.
const FEW: i64 = 30;
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
    allocations: i64,
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
    println!("router  adverts  lines  allocations  per advert  live octets  RSS KiB");
    let (mut faults, mut missed, mut sent) = (Vec::new(), 0, 0);
    let length =
        Duration::from_micros(adverts.div_ceil(WINDOWS) * 1_000_000 / RATE).max(MIN_WINDOW);
    while sent < adverts {
        let before = [&mut routers.a, &mut routers.b].map(look);
        sleep(length);
        let mut complete = true;
        for (router, before) in [&mut routers.a, &mut routers.b].into_iter().zip(&before) {
            let after = Reading::of(router);
            let window = window(before, &after);
            show(router, window, &after);
            complete &= window.changes == 0 && window.adverts > 0;
            let allowed = FEW + LINE * window.lines.cast_signed();
            if window.allocations > allowed && window.changes == 0 {
                let (name, taken) = (router.name(), window.allocations);
                faults.push(format!("{name}: {taken} allocations, {allowed} are allowed"));
            }
            if router.name() == "gw-a" && window.changes == 0 {
                sent += window.adverts;
            }
        }
        missed += usize::from(!complete);
        if missed > SLOW_WINDOWS_ALLOWED {
            faults.push("the machine is too busy: instances changed their states".to_owned());
            break;
        }
    }
    faults
}

/// A look, and how many allocations one costs.
fn look(router: &mut Router) -> (Reading, i64) {
    let looks: Vec<Reading> = (0..4).map(|_| Reading::of(router)).collect();
    let mut costs: Vec<_> = looks.windows(2).map(|two| taken(&two[0], &two[1])).collect();
    costs.sort_unstable();
    (looks[looks.len() - 1].clone(), costs[costs.len() / 2])
}

/// Allocations between two looks.
fn taken(first: &Reading, second: &Reading) -> i64 {
    (second.heap().allocations - first.heap().allocations).cast_signed()
}

fn window((before, cost): &(Reading, i64), after: &Reading) -> Window {
    Window {
        adverts: after.sent + after.received - before.sent - before.received,
        changes: after.transitions - before.transitions,
        lines: after.lines - before.lines,
        allocations: taken(before, after) - cost,
    }
}

fn show(router: &Router, window: Window, after: &Reading) {
    println!(
        "{:<7} {:>7}  {:>5}  {:>11}  {:>10.4}  {:>11}  {:>7}{}",
        router.name(),
        window.adverts,
        window.lines,
        window.allocations,
        window.allocations as f64 / window.adverts as f64,
        after.heap().live,
        after.vrrp.resident.unwrap() / 1024,
        if window.changes > 0 { "  does not count: states changed" } else { "" },
    );
}
