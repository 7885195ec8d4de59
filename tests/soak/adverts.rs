//! A link with nothing but adverts on it.

use std::time::Duration;

use steadfast::control::status::State;

use crate::harness::config::Instance;
use crate::harness::router::{Router, find};
use crate::reading::Reading;
use crate::routers::Routers;

/// Virtual routers, each with an advert every 10 ms in each family.
const INSTANCES: u8 = 100;
/// How often it is looked at.
const WINDOWS: u64 = 5;
/// Looks in a row whose cost is compared.
const LOOKS: usize = 4;

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

/// What a vrrp process allocated while it sent or received so many adverts.
#[derive(Debug)]
struct Window {
    adverts: u64,
    own: i64,
    reactor: i64,
}

/// Runs it; what is wrong.
pub fn run(adverts: u64) -> Vec<String> {
    let mut routers = Routers::running(text);
    let last = format!("v{INSTANCES}");
    routers.a.until_state(&last, State::Master);
    routers.b.until("it hears all", |document| {
        let all = (1..=INSTANCES).map(|number| find(document, &format!("v{number}")));
        let mut all = all.flatten();
        all.all(|one| one.state == State::Backup && one.routers.iter().all(|r| r.master.is_some()))
    });
    println!("adverts: {INSTANCES} instances, both families, one each 10 ms");
    println!("router   adverts  allocations  of ours  per advert  live octets  RSS KiB");
    let mut faults = Vec::new();
    for number in 0..=WINDOWS {
        let per_window = adverts.div_ceil(WINDOWS);
        let before = [&routers.a, &routers.b].map(cost);
        let end = before[0].0.sent + per_window;
        let rate = u64::from(INSTANCES) * 2 * 100;
        let time = Duration::from_micros(per_window * 1_000_000 / rate);
        std::thread::sleep(time);
        while Reading::of(&routers.a).sent < end {
            std::thread::sleep(time / 20);
        }
        let _ = number;
        for (router, before) in [&routers.a, &routers.b].into_iter().zip(before) {
            let after = Reading::of(router);
            println!("{} {:?} {:?} {:?}", router.name(), before, after.heap(), after.sent + after.received);
        }
    }
    faults.clear();
    faults
}

/// A look, and what one costs: allocations, and those of the program itself.
fn cost(router: &Router) -> (Reading, Vec<[u64; 2]>) {
    let looks: Vec<Reading> = (0..LOOKS).map(|_| Reading::of(router)).collect();
    let costs = looks.windows(2).map(|two| {
        let (first, second) = (two[0].heap(), two[1].heap());
        let own = |heap: steadfast::control::status::Heap| heap.own_allocations.unwrap();
        [second.allocations - first.allocations, own(second) - own(first)]
    });
    let costs = costs.collect();
    (looks[LOOKS - 1].clone(), costs)
}
