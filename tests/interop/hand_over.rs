//! The planned hand-over (architecture.md, hand-over) to a backup that is keepalived, and to one of ours,
//! with a client that asks every 2 ms.
//!
//! `STEADFAST_RUNS` is how often each kind is done. Over IPv6 keepalived 2.2.7 loses a few questions:
//! it announces an address as soon as the kernel has it, which takes no packets to it until a
//! worker has made the local route.

use std::fmt::Write as _;
use std::io::Write as _;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use steadfast::control::request::Request;

use crate::departures::{Departure, Departures};
use crate::harness::lan::Host;
use crate::harness::packet::Packet;
use crate::harness::ping::Pinger;
use crate::harness::wall_clock;
use crate::scene::Scene;
use crate::settings::{INSTANCE, INTERFACE, Instance, Profile};
use crate::speaker::{Maker, Role};

/// Between two questions of the client.
const ASKS_EVERY: Duration = Duration::from_millis(2);
/// How long the client goes on when all is over.
const AFTER: Duration = Duration::from_millis(200);

/// Held while addresses move.
static ALONE: Mutex<()> = Mutex::new(());

/// What starts the hand-over.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum By {
    Stop,
    Switchover,
}

/// What is done several times.
#[derive(Clone, Copy, Debug)]
struct Kind {
    by: By,
    successor: Maker,
    profile: Profile,
    addresses: u8,
}

/// What was seen in one run.
#[derive(Clone, Copy, Debug)]
struct Run {
    /// From priority 0 to the successor's advert. `None`: the successor came first, since our
    /// process had to wait for a processor when it had announced the short interval; then there is
    /// no priority 0.
    answered: Option<Duration>,
    /// From there until the first of our addresses was still there at least, and until it was gone.
    first_gone: (Duration, Duration),
    /// Until the last one was gone.
    last_gone: Duration,
    sent: usize,
    lost: usize,
}

#[test]
fn the_successor_speaks_before_our_addresses_go() {
    let runs = std::env::var("STEADFAST_RUNS").map_or(3, |runs| {
        runs.parse::<usize>().unwrap_or_else(|_| panic!("STEADFAST_RUNS={runs} is no number"))
    });
    let to_keepalived = [(Profile::V3Ipv4, 1), (Profile::V3Ipv4, 100), (Profile::V3Ipv6, 2)]
        .into_iter()
        .flat_map(|(profile, addresses)| {
            [By::Stop, By::Switchover].map(|by| (by, Maker::Keepalived, profile, addresses))
        });
    let to_ours = [(Profile::V3Ipv4, 100), (Profile::V3Ipv6, 2)]
        .map(|(profile, addresses)| (By::Switchover, Maker::Steadfast, profile, addresses));
    let kinds: Vec<Kind> = to_keepalived
        .chain(to_ours)
        .map(|(by, successor, profile, addresses)| Kind { by, successor, profile, addresses })
        .collect();
    let mut table = format!(
        "\nplanned hand-over, v3 at 1 s, {runs} runs each; times in ms: least, median, most\n\
         {:<10} {:<10} {:<6} {:>9}  {:>8}  {:>20}  {:>20}  {:>20}  {:>12}\n",
        "by",
        "successor",
        "family",
        "addresses",
        "answered",
        "0 to successor",
        "from there: first",
        "last one gone",
        "lost pings",
    );
    let all: Vec<(Kind, Vec<Run>)> = thread::scope(|scope| {
        let name = thread::current().name().unwrap_or_default().to_owned();
        let started: Vec<_> = kinds
            .iter()
            .map(|&kind| {
                let name = format!("{name} {kind:?}");
                let work = thread::Builder::new().name(name);
                (kind, work.spawn_scoped(scope, move || several(kind, runs)).expect("a thread"))
            })
            .collect();
        let join = |(kind, work): (Kind, thread::ScopedJoinHandle<'_, Vec<Run>>)| match work.join()
        {
            Ok(runs) => (kind, runs),
            Err(panic) => std::panic::resume_unwind(panic),
        };
        started.into_iter().map(join).collect()
    });
    for (kind, runs) in &all {
        row(&mut table, *kind, runs);
    }
    // Past the test runner, which shows only what failed tests print.
    let _ = std::io::stderr().write_all(table.as_bytes());
}

/// A line of the table.
fn row(table: &mut String, kind: Kind, runs: &[Run]) {
    let sorted = |of: fn(&Run) -> Option<Duration>| {
        let mut all: Vec<f64> =
            runs.iter().filter_map(of).map(|time| time.as_secs_f64() * 1e3).collect();
        all.sort_by(f64::total_cmp);
        all
    };
    let range = |all: &[f64]| match all {
        [] => "-".to_owned(),
        [least, .., most] => format!("{least:.2} {:.2} {most:.2}", all[all.len() / 2]),
        [only] => format!("{only:.2}"),
    };
    let answered = sorted(|run| run.answered);
    let (sent, lost) =
        runs.iter().fold((0, 0), |(sent, lost), run| (sent + run.sent, lost + run.lost));
    writeln!(
        table,
        "{:<10} {:<10} {:<6} {:>9}  {:>8}  {:>20}  {:>20}  {:>20}  {:>12}",
        format!("{:?}", kind.by).to_lowercase(),
        format!("{:?}", kind.successor).to_lowercase(),
        kind.profile.family().to_string(),
        kind.addresses,
        format!("{} of {}", answered.len(), runs.len()),
        range(&answered),
        range(&sorted(|run| Some(run.first_gone.0))),
        range(&sorted(|run| Some(run.last_gone))),
        format!("{lost} of {sent}"),
    )
    .expect("a text");
}

/// So many runs between the same two routers.
fn several(kind: Kind, runs: usize) -> Vec<Run> {
    let told = |priority, backups| {
        let addresses = match kind.profile {
            Profile::V2 | Profile::V3Ipv4 => {
                (0..kind.addresses).map(|n| format!("192.0.2.{}/24", 100 + n)).collect()
            }
            Profile::V3Ipv6 => {
                let global = (1..kind.addresses).map(|n| format!("2001:db8::{}/64", 100 + n));
                ["fe80::51/64".to_owned()].into_iter().chain(global).collect()
            }
        };
        let interval = Duration::from_secs(1);
        vec![Instance { addresses, interval, backups, ..Instance::new(kind.profile, priority) }]
    };
    let mut scene = Scene::new((Maker::Steadfast, told(150, 1)), (kind.successor, told(100, 0)));
    let client = Host::new("client");
    scene.lan.attach(&client, INTERFACE, &["192.0.2.250/24", "2001:db8::250/64"]);
    scene.a.start();
    scene.a.becomes(Role::Master);
    scene.b.start();
    (0..runs).map(|_| one(kind, &mut scene, &client)).collect()
}

fn one(kind: Kind, scene: &mut Scene, client: &Host) -> Run {
    let Scene { wire, a, b, .. } = scene;
    a.becomes(Role::Master);
    a.holds(true);
    b.follows(a);
    b.holds(false);
    let addresses: Vec<IpAddr> = a.instance().addresses.iter().map(|text| address(text)).collect();
    let last = addresses.last().expect("one").to_string();
    let ping = Pinger::start(&client.net, &last, ASKS_EVERY);
    ping.until_answered();

    // One at a time: others would only be in the way of the measurement.
    let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    wire.mark();
    let departures = Departures::start(a.net());
    let from = wall_clock();
    match kind.by {
        By::Stop => a.stop(),
        By::Switchover => a.ask(&Request::Switchover {
            instance: INSTANCE.to_owned(),
            hold_for: None,
            force: false,
        }),
    }
    b.becomes(Role::Master);
    b.holds(true);
    a.holds(false);
    let departures = departures.finish();
    thread::sleep(AFTER);
    drop(alone);
    let loss = ping.loss(from, wall_clock());
    drop(ping);

    let heard = wire.packets();
    let find = |what, is_it: &dyn Fn(&Packet) -> bool| {
        heard.iter().find(|p| is_it(p)).unwrap_or_else(|| panic!("not on the wire: {what}")).at
    };
    let end = heard.iter().find(|p| a.gave_up(p)).map(|p| p.at);
    let successor = find("the successor's advert", &|p| b.sent(p));
    assert!(end < Some(successor), "priority 0 came after the successor's advert");
    let after = heard.iter().filter(|p| a.sent(p) && p.at > successor).count();
    assert_eq!(after, 0, "we speak after the successor");
    let ours = |departure: &&Departure| addresses.contains(&departure.address);
    let gone: Vec<_> = departures.iter().filter(ours).collect();
    assert_eq!(gone.len(), addresses.len(), "all left: {gone:?}");
    let first = gone.iter().min_by_key(|departure| departure.not_after).expect("one");
    assert!(
        successor < first.not_before,
        "{first:?}; the successor spoke at {successor:?}, priority 0 was at {end:?}"
    );
    let last = gone.iter().map(|departure| departure.not_after).max().expect("one");

    match kind.by {
        By::Stop => a.start(),
        By::Switchover => a.ask(&Request::Release { instance: INSTANCE.to_owned() }),
    }
    Run {
        answered: end.map(|end| successor - end),
        first_gone: (first.not_before - successor, first.not_after - successor),
        last_gone: last - successor,
        sent: loss.sent,
        lost: loss.lost,
    }
}

fn address(text: &str) -> IpAddr {
    text.split_once('/').expect("a prefix").0.parse().expect("an address")
}
