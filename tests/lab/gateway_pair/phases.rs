//! What happens to the two routers, and what is seen of it.

use std::thread;
use std::time::Duration;

use steadfast::control::status::State;
use steadfast::units::Centiseconds;

use crate::harness::config::Instance;
use crate::harness::packet::Packet;
use crate::harness::pair::{Pair, VIRTUAL_4};
use crate::harness::ping::Pinger;
use crate::harness::router::{Router, find};
use crate::harness::wall_clock;
use crate::report::{Own, Row, Since, length, seconds};
use crate::screen::{Screen, Shown};

const A: &str = "gw-a";
const B: &str = "gw-b";
const PRIORITY_A: u8 = 150;
const PRIORITY_B: u8 = 100;
const PING: Duration = Duration::from_millis(2);
/// How long pings still count after a phase.
const AFTERWARDS: Duration = Duration::from_millis(300);
/// How long all of it takes: so many intervals,
const INTERVALS: u32 = 25;
/// and this.
const BASE: Duration = Duration::from_secs(5);
/// Of a router that is on hold.
const PRIORITY_ON_HOLD: u8 = 1;

/// Runs all phases.
pub fn run(interval: Centiseconds) -> Vec<Row> {
    println!(
        "Two routers and a client on a switch: gw-a (priority {PRIORITY_A}), gw-b (priority \
         {PRIORITY_B}).\nVirtual address {VIRTUAL_4}; VRRPv3, an advert every {}, a ping every \
         {}.\nNine events follow, in network namespaces of this process; that takes about {} s.\n",
        length(interval.duration()),
        length(PING),
        BASE.saturating_add(interval.duration() * INTERVALS).as_secs()
    );
    let mut demo = Demo::new(interval);
    let down_a = Own::master_down("gw-a", PRIORITY_A, interval);
    let down_b = Own::master_down("gw-b", PRIORITY_B, interval);
    let skew_b = Own::skew("gw-b", PRIORITY_B, interval);
    let down_on_hold = Own::master_down("a hold (priority 1)", PRIORITY_ON_HOLD, interval);

    demo.phase("both start", None, A, Since::Backup, &down_a, |pair| {
        pair.a.start();
        pair.b.start();
    });
    demo.phase("gw-a is killed (kill -9)", Some(A), B, Since::LastAdvert, &down_b, |pair| {
        pair.a.kill();
    });
    demo.phase("gw-a is started again", Some(B), A, Since::Backup, &down_a, |pair| {
        pair.a.start();
    });
    demo.phase("gw-a: cable pulled", Some(A), B, Since::LastAdvert, &down_b, |pair| {
        pair.lan.cable(&pair.a.host, false);
    });
    demo.phase("gw-a: cable back", Some(B), A, Since::Backup, &down_a, |pair| {
        pair.lan.cable(&pair.a.host, true);
    });
    demo.phase("gw-a is stopped", Some(A), B, Since::GaveUp, &skew_b, |pair| pair.a.stop());
    demo.phase("gw-a is started again", Some(B), A, Since::Backup, &down_a, |pair| {
        pair.a.start();
    });
    demo.phase("steadfast switchover lan", Some(A), B, Since::GaveUp, &skew_b, |pair| {
        pair.a.ask(&["switchover", "lan"]);
    });
    demo.phase("steadfast release lan", Some(B), A, Since::AdvertBefore, &down_on_hold, |pair| {
        pair.a.ask(&["release", "lan"]);
    });
    demo.rows
}

struct Demo {
    // Dropped first: it looks at the routers.
    screen: Screen,
    ping: Pinger,
    pair: Pair,
    rows: Vec<Row>,
}

impl Demo {
    fn new(interval: Centiseconds) -> Self {
        let pair = Pair::new();
        let every = format!("{}ms", interval.duration().as_millis());
        for (router, priority) in [(&pair.a, PRIORITY_A), (&pair.b, PRIORITY_B)] {
            let lan = Instance::lan(priority, &["192.0.2.1/24"]).every(&every);
            router.configure(&lan.with("backups = 1").to_string());
        }
        let ping = Pinger::start(&pair.client.net, VIRTUAL_4, PING);
        let shown =
            |router: &Router| Shown { name: router.name().to_owned(), control: router.control() };
        let screen = Screen::start(vec![shown(&pair.a), shown(&pair.b)], ping.counter());
        Self { screen, ping, pair, rows: Vec::new() }
    }

    /// Does something, waits until `to` is master and all is quiet again, and measures.
    fn phase(
        &mut self,
        name: &'static str,
        from: Option<&'static str>,
        to: &'static str,
        since: Since,
        own: &Own,
        act: impl FnOnce(&mut Pair),
    ) {
        self.screen.now(name);
        let begin = wall_clock();
        act(&mut self.pair);
        // First, since this sees at once when a daemon ended.
        self.settle(to);
        let capture = &mut self.pair.capture;
        let first = capture.wait_for("the first advert of the new master", |packet| {
            packet.at >= begin && packet.is_of_master(to)
        });
        let announced = capture.wait_for("the announcement of the address", |packet| {
            packet.at >= begin && is_announcement(packet, to)
        });
        let old = |packet: &Packet| from.is_some_and(|from| packet.is_of_master(from));
        let stop = |packet: &Packet| from.is_some_and(|from| packet.is_stop(from));
        let start = match since {
            Since::LastAdvert => self.last_before(first.at, old),
            Since::AdvertBefore => self.last_before(begin, old),
            Since::GaveUp => self.last_before(first.at, stop),
            Since::Backup => self.entry_into_backup(to),
        };
        self.ping.until_answered();
        // What goes wrong just afterwards belongs to it.
        thread::sleep(AFTERWARDS);
        let loss = from.map(|_| self.ping.loss(begin, wall_clock()));
        let row = Row {
            phase: name,
            from,
            to,
            takeover: first.at.saturating_sub(start),
            since,
            own: own.clone(),
            announced: announced.at.saturating_sub(first.at),
            loss,
        };
        let lost = loss.map_or(String::new(), |l| format!(", {} of {} pings lost", l.lost, l.sent));
        let takeover = seconds(row.takeover);
        self.screen.say(&format!("{name:<26} {to} is master after {takeover}{lost}"));
        self.rows.push(row);
    }

    /// When the last such packet before a time was sent.
    fn last_before(&mut self, end: Duration, is_it: impl Fn(&Packet) -> bool) -> Duration {
        let found = self.pair.capture.last(|packet| packet.at < end && is_it(packet));
        found.expect("the old master said something").at
    }

    /// When a router became BACKUP the last time.
    fn entry_into_backup(&mut self, name: &str) -> Duration {
        let router = if name == A { &self.pair.a } else { &self.pair.b };
        let document = router.status().expect("a status");
        let entry = document.transitions.iter().rev().find(|e| e.to == Some(State::Backup));
        Duration::from_secs_f64(entry.expect("it was BACKUP before").time)
    }

    /// Waits until each router is what it should be, and only one has the address.
    fn settle(&mut self, master: &str) {
        for router in [&mut self.pair.a, &mut self.pair.b] {
            let is_master = router.name() == master;
            if is_master {
                router.until("it is master and has the address", |document| {
                    find(document, "lan").is_some_and(|lan| {
                        lan.state == State::Master && lan.objects.iter().all(|o| o.present)
                    })
                });
            } else if router.is_running() {
                router.until("it is not master and has no address", |document| {
                    find(document, "lan").is_some_and(|lan| {
                        matches!(lan.state, State::Backup | State::Fault)
                            && lan.objects.iter().all(|o| !o.present)
                    })
                });
            }
        }
    }
}

/// Whether a host says that the virtual address is at its link layer address.
fn is_announcement(packet: &Packet, host: &str) -> bool {
    packet.host == host && packet.announces().is_some_and(|a| a.to_string() == VIRTUAL_4)
}
