//! One configuration after the other, each with other instances and addresses.

use steadfast::control::request::Request;
use steadfast::control::status::{Memory, State};

use crate::harness::config::Instance;
use crate::harness::router::{Answer, Router};
use crate::reading::{Reading, heap};
use crate::routers::Routers;

/// Instances that stay, and as many that come and go.
const INSTANCES: u8 = 8;
/// Readings of the memory.
const READINGS: u32 = 12;
/// The least of these looks is compared with the least of as many at the end: before, tables grow
/// to their size.
const EARLY: std::ops::Range<usize> = 4..8;
/// Octets in use that may have become more,
const OCTETS: u64 = 24 * 1024;
/// blocks,
const BLOCKS: u64 = 64;
/// and octets that the kernel holds: the allocator of the system loses some between its blocks.
const RESIDENT: u64 = 512 * 1024;

/// The configuration of a router in every second cycle, and in those between.
fn text(priority: u8, odd: bool) -> String {
    let instance = |number: u8, base: u8| {
        let address = |last: u8| format!("192.0.2.{last}/24");
        let mut addresses = vec![address(base + number)];
        if odd {
            addresses.push(address(base + 100 + number));
            addresses.push(format!("fe80::{base:x}:{number:x}/64"));
        }
        let addresses: Vec<&str> = addresses.iter().map(String::as_str).collect();
        let name = format!("{}{number}", if base == 20 { "stays" } else { "goes" });
        let instance = Instance::lan(priority, &addresses).named(&name, base + number);
        instance.every("10ms").with("track_interfaces = [\"lo\"]")
    };
    let stay = (0..INSTANCES).map(|number| instance(number, 20).to_string());
    let go = (0..INSTANCES).filter(|_| odd).map(|number| instance(number, 40).to_string());
    let group = if odd { "[vrrp.group.two]\ninstances = [\"goes0\", \"goes1\"]\n" } else { "" };
    // A machine that is busy with something else makes no process look hung.
    let hello = "hello_interval = \"1s\"\n".to_owned();
    hello + &stay.chain(go).collect::<String>() + group
}

/// Runs it; what is wrong.
pub fn run(reloads: u32) -> Vec<String> {
    let mut routers = Routers::running(|priority| text(priority, false));
    let per_look = (reloads / READINGS).max(2).next_multiple_of(2);
    println!("\nreloads: {INSTANCES} of {} instances come and go with their group", 2 * INSTANCES);
    println!("router  process     reloads  live octets  blocks  allocations  RSS KiB  anon KiB");
    let mut looks = Vec::new();
    for look in 0..=READINGS {
        if look > 0 {
            for cycle in 1..=per_look {
                let odd = cycle % 2 == 1;
                for (router, priority) in [(&routers.a, 150), (&routers.b, 100)] {
                    router.configure(&text(priority, odd));
                }
                // The backup first, so that there is somebody to hand over to.
                for router in [&routers.b, &routers.a] {
                    reload(router);
                }
            }
        }
        settle(&mut routers);
        let readings = [&mut routers.a, &mut routers.b].map(quiet);
        for (router, reading) in [&routers.a, &routers.b].into_iter().zip(&readings) {
            show(router, "supervisor", &reading.supervisor, look * per_look);
            show(router, "vrrp", &reading.vrrp, look * per_look);
        }
        looks.push(readings);
    }
    let late = looks.len() - EARLY.len()..looks.len();
    let mut faults = Vec::new();
    for (router, name) in ["gw-a", "gw-b"].into_iter().enumerate() {
        if looks.iter().any(|look| look[router].restarts > 0) {
            faults.push(format!("{name}: the vrrp process was started again"));
        }
        type Of = fn(&Reading) -> &Memory;
        let processes: [(&str, Of); 2] =
            [("supervisor", |reading| &reading.supervisor), ("vrrp", |reading| &reading.vrrp)];
        for (process, of) in processes {
            let least = |looks: &[[Reading; 2]], number: Number| {
                looks.iter().map(|look| number(of(&look[router]))).min().expect("a look")
            };
            for (what, number, bound) in NUMBERS {
                let before = least(&looks[EARLY], number);
                let after = least(&looks[late.clone()], number);
                if after.saturating_sub(before) > bound {
                    faults.push(format!(
                        "{name}: {process}: {before} {what} became {after}, {bound} more are allowed"
                    ));
                }
            }
        }
    }
    faults
}

/// A number of a process.
type Number = fn(&Memory) -> u64;

/// What may not grow, and by how much it may all the same.
const NUMBERS: [(&str, Number, u64); 3] = [
    ("octets in use", |process| heap(process).live, OCTETS),
    ("blocks", |process| heap(process).blocks, BLOCKS),
    ("octets in RAM", |process| process.resident.expect("the kernel tells"), RESIDENT),
];

/// Reads the file again, through the control socket.
#[track_caller]
fn reload(router: &Router) {
    let line = router.control().request(&Request::Reload).expect("a daemon").line();
    let answer: Answer<String> = serde_json::from_str(&line.expect("an answer")).expect("JSON");
    assert!(matches!(answer, Answer::Ok(_)), "{}: {answer:?}", router.name());
}

/// Waits until everybody has its place, and all is in the kernel that has to be.
#[track_caller]
fn settle(routers: &mut Routers) {
    for (router, state) in [(&mut routers.a, State::Master), (&mut routers.b, State::Backup)] {
        router.until("all have their places", |document| {
            let all = document.instances.as_ref();
            all.is_some_and(|all| {
                all.len() == usize::from(INSTANCES)
                    && all.iter().all(|one| one.state == state && !one.handing_over)
                    && all.iter().flat_map(|one| &one.objects).all(|o| o.wanted == o.present)
            })
        });
    }
}

/// A reading while the daemon is idle: the lowest of several.
fn quiet(router: &mut Router) -> Reading {
    let looks = (0..5).map(|_| Reading::of(router));
    looks.min_by_key(|look| heap(&look.supervisor).live + look.heap().live).expect("some")
}

fn show(router: &Router, process: &str, memory: &Memory, reloads: u32) {
    let heap = heap(memory);
    let kibi = |octets: Option<u64>| octets.unwrap() / 1024;
    println!(
        "{:<7} {:<11} {reloads:>7}  {:>11}  {:>6}  {:>11}  {:>7}  {:>8}",
        router.name(),
        process,
        heap.live,
        heap.blocks,
        heap.allocations,
        kibi(memory.resident),
        kibi(memory.anonymous),
    );
}
