//! One random scenario: start, faults, healing, rest, a planned hand-over, rest again.

use std::cell::{Cell, RefCell};
use std::net::IpAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::time::Duration;

use steadfast::units::{Centiseconds, Family, Instant, Priority, Version};
use steadfast::vrrp::State;
use steadfast::vrrp::settings::{Backups, InstanceSettings, Object};

use crate::client::PingRecord;
use crate::coverage::Coverage;
use crate::faults;
use crate::node::Inbound;
use crate::plan::{self, Plan};
use crate::random_plan;
use crate::rng::{Purpose, Rng};
use crate::timeline::note;
use crate::world::World;

/// What became of a scenario.
#[derive(Debug)]
pub struct Outcome {
    pub hash: u64,
    pub steps: u64,
    pub simulated: Duration,
    pub coverage: Coverage,
    /// The violated invariant, or what the engine panicked with.
    pub violation: Option<String>,
    /// The end of the timeline, when it was recorded.
    pub tail: Vec<String>,
}

/// Time between pings while a planned hand-over is watched.
pub const FAST_PINGS: Duration = Duration::from_millis(2);

/// What two backups have to be apart so that only one takes over: the longest way of a frame,
/// and twice what a timer is late (architecture.md, hand-over: at 5 cs two backups of priorities 100 and 99 never
/// both became master).
const MARGIN: Duration = Duration::from_micros(170);

/// How much a run records.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Record {
    Hash,
    Tail,
    Live,
}

thread_local! {
    static IN_SCENARIO: Cell<bool> = const { Cell::new(false) };
    static LAST_PANIC: RefCell<String> = const { RefCell::new(String::new()) };
}

/// A panic within a scenario is its result, shown with the timeline; any other is a defect of the
/// simulator and shown as usual.
pub fn keep_panics() {
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        if IN_SCENARIO.get() {
            LAST_PANIC.set(info.to_string());
        } else {
            usual(info);
        }
    }));
}

/// Lines of the timeline that a failing seed shows.
const TAIL: usize = 60;

/// Runs one seed.
pub fn run(seed: u64, record: Record) -> Outcome {
    let mut rng = Rng::new(seed, Purpose::Plan);
    let plan = random_plan::random(&mut rng);
    run_in(seed, plan, record, random)
}

/// Runs something in a world of its own.
pub fn run_in(seed: u64, plan: Plan, record: Record, story: impl FnOnce(&mut World)) -> Outcome {
    let mut world = World::new(seed, plan, record != Record::Hash);
    world.timeline.live = record == Record::Live;
    let began = world.now;
    IN_SCENARIO.set(true);
    let panicked = catch_unwind(AssertUnwindSafe(|| story(&mut world))).is_err();
    IN_SCENARIO.set(false);
    let panicked = panicked.then(|| LAST_PANIC.take());
    Outcome {
        hash: world.timeline.hash(),
        steps: world.steps,
        simulated: world.now.since(began),
        violation: panicked.or(world.violation),
        tail: world.timeline.last(TAIL).to_vec(),
        coverage: world.coverage,
    }
}

fn random(world: &mut World) {
    describe(world);
    let down = world.plan.times.down;
    for n in 0..world.nodes.len() {
        if world.chance.faults.percent(20) {
            world.nodes[n].generation = 1;
        }
        let delay = world.chance.faults.duration(Duration::ZERO, down);
        world.start_later(n, delay);
    }
    if !world.plan.mixed_is_fine {
        for node in &mut world.nodes {
            node.generation = 0;
        }
    }
    if world.chance.faults.percent(40) {
        world.run_for(down);
        let settle = world.settling_time();
        world.run_for(settle);
        world.check_rest();
    }
    // A safety phase under faults.
    for _ in 0..world.chance.faults.between(3, 20) {
        world.fault();
        let gap = faults::gap(&mut world.chance.faults, down);
        world.run_for(gap);
    }
    // A healed phase that has to converge, and to stay so.
    world.heal();
    settle_and_stay(world);
    let planned = world.chance.faults.percent(60);
    if planned && world.violation.is_none() {
        planned_hand_over(world);
    }
}

fn describe(world: &mut World) {
    if !world.timeline.recording() {
        return;
    }
    let plan = Rc::clone(&world.plan);
    for n in 0..plan.nodes() {
        for generation in 0..2 {
            for i in &plan.settings[n][generation].instances {
                let objects: Vec<_> = i.objects.iter().map(brief).collect();
                let who = format!("n{n} g{generation}");
                let text = format!(
                    "{} {} v{} vrid {} priority {} interval {} cs, {} adverts, {:?}, hand over {}, \
                     strict {}, peers {:?}, backups {:?}, resume {:?}, foreign {:?}, expired {:?}, \
                     dont_track {}, higher_send {}, answer {}, track {:?}, {:?}, objects {}",
                    i.name,
                    i.interface,
                    i.version,
                    i.vrid,
                    i.priority,
                    i.interval.0,
                    i.down_timer_adverts,
                    i.preempt,
                    i.hand_over,
                    i.strict,
                    i.unicast_peers,
                    i.backups,
                    i.resume_within,
                    i.on_foreign_removal,
                    i.timer_expired_backup,
                    i.dont_track_primary,
                    i.higher_prio_send_advert,
                    i.lower_prio_no_advert,
                    i.track,
                    i.announce,
                    objects.join(" ")
                );
                world.timeline.line(Instant::ORIGIN, &who, &text);
            }
            for g in &plan.settings[n][generation].groups {
                let text = format!("{g:?}");
                world.timeline.line(Instant::ORIGIN, "group", &text);
            }
        }
    }
    note!(world, "hosts", "{:?} startup delay {:?}", plan.hosts, plan.times.startup);
}

fn brief(object: &Object) -> String {
    match object {
        Object::Filter => "filter".into(),
        Object::Address(a) => a.address.to_string(),
        Object::Excluded(a) => format!("({})", a.address),
        Object::Route(_) | Object::Rule(_) => "route".into(),
    }
}

/// Lets everything settle, checks it, and checks that it stays so.
pub fn settle_and_stay(world: &mut World) {
    let settle = world.settling_time();
    world.run_for(settle);
    if world.violation.is_some() {
        return;
    }
    world.check_rest();
    let before = world.watch.transitions;
    world.run_for(3 * world.plan.times.interval);
    let moved = world.watch.transitions - before;
    if moved > 0 {
        world.violated(format!("{moved} transitions after everything has settled"));
    }
}

/// Whether architecture.md, hand-over applies to an instance.
fn hands_over(settings: &InstanceSettings) -> bool {
    settings.version == Version::V3 && settings.hand_over && !settings.strict
}

/// What has to work when `master` hands these instances over: the instances whose whole group
/// can, and their addresses that every other node has too.
fn watched(world: &World, master: usize, names: &[usize]) -> (Vec<usize>, Vec<IpAddr>) {
    let plan = &world.plan;
    let of = |n: usize, name: usize| plan.instance(n, world.nodes[n].generation, name);
    let able = |name: usize| {
        let mut group = plan.group(master, world.nodes[master].generation, name).into_iter();
        group.all(|member| of(master, member).is_some_and(hands_over))
    };
    let wait = |n: usize, name: usize| {
        let priority = world.nodes[n].priority(name).unwrap_or(Priority::LOWEST);
        let short = match of(master, name).map(|s| (s.backups(), s.interval)) {
            Some((Backups::One, interval)) => interval.min(Centiseconds(1)),
            Some((Backups::Several, interval)) => interval.min(Centiseconds(5)),
            None => Centiseconds(1),
        };
        plan::skew(Version::V3, short, priority)
    };
    let mut taken = Vec::new();
    let mut addresses = Vec::new();
    for name in names {
        let Some(settings) = of(master, *name) else { continue };
        let others: Vec<usize> =
            (0..plan.nodes()).filter(|n| *n != master && of(*n, *name).is_some()).collect();
        // Of two backups the first one's advert has to reach the second before it acts too.
        let mut waits: Vec<Duration> = others.iter().map(|n| wait(*n, *name)).collect();
        waits.sort();
        if waits.len() > 1 && waits[1] - waits[0] < MARGIN {
            continue;
        }
        // A successor without the one family never takes over that one.
        let families = |s: &InstanceSettings| Family::ALL.map(|f| s.has_family(f));
        let alike = |n: &usize| of(*n, *name).map(families) == Some(families(settings));
        if !able(*name) || others.is_empty() || !others.iter().all(alike) {
            continue;
        }
        taken.push(*name);
        let known = |n: &usize, object: &Object| {
            let mut list = of(*n, *name).into_iter().flat_map(|s| &s.objects);
            list.any(|o| o.announced() == object.announced())
        };
        let objects = settings.objects.iter().filter(|o| others.iter().all(|n| known(n, o)));
        addresses.extend(objects.filter_map(Object::announced));
    }
    (taken, addresses)
}

/// A switchover or a stop on a healthy network: no ping is lost.
fn planned_hand_over(world: &mut World) {
    let name = world.chance.faults.index(world.plan.names.len());
    let Some(master) = world.master_of(name) else { return };
    let generation = world.nodes[master].generation;
    let stop = world.chance.faults.percent(40);
    let mut names = world.plan.group(master, generation, name);
    if stop {
        names = (0..world.plan.names.len()).filter(|n| world.nodes[master].claims(*n)).collect();
    }
    let (names, addresses) = watched(world, master, &names);
    hand_over(world, master, name, stop, &names, addresses);
    // Back to where it was.
    if stop {
        if world.nodes[master].process.is_some() {
            world.violated(format!("n{master} was told to stop and has not ended"));
            return;
        }
        world.start(master);
    } else {
        world.tell(master, Inbound::Release { name });
    }
    settle_and_stay(world);
}

/// Hands over and waits for the end of it; the addresses have to be answered all the time.
pub fn hand_over(
    world: &mut World,
    master: usize,
    name: usize,
    stop: bool,
    expected: &[usize],
    addresses: Vec<IpAddr>,
) {
    world.slices = false;
    world.ping_every(FAST_PINGS);
    world.run_for(FAST_PINGS * 10);
    world.watch.taken.clear();
    world.watch.pings = Some(PingRecord { addresses, ..PingRecord::default() });
    if stop {
        world.tell(master, Inbound::Shutdown);
        world.coverage.check("planned stop");
    } else {
        world.tell(master, Inbound::Switchover { name, hold_for: None, force: false });
        world.coverage.check("planned switchover");
    }
    world.run_for(Duration::from_millis(400));
    let watching = world.watch.pings.take();
    world.slices = true;
    let slow = world.plan.times.down + world.plan.times.interval * 2;
    world.ping_every(Duration::from_millis(100));
    if let Some(pings) = watching
        && !expected.is_empty()
        && world.violation.is_none()
    {
        world.coverage.check("pings of a planned hand-over");
        if let Some((when, client, address, believed)) = pings.lost.first() {
            world.violated(format!(
                "planned hand-over: {} of {} pings lost, the first of client {client} to {address} \
                 at {when:?}, when it believed in {believed:?}",
                pings.lost.len(),
                pings.answered + pings.lost.len() as u64
            ));
            return;
        }
        if let Some(name) = expected.iter().find(|n| !world.watch.taken.contains(&(master, **n))) {
            world.violated(format!(
                "planned hand-over of {} by n{master}: no successor was heard",
                world.plan.names[*name].name
            ));
            return;
        }
    }
    world.run_for(slow);
    if world.violation.is_none() && !stop {
        // Without a successor it may go on; with one it is held as backup.
        let state = world.nodes[master].state(name);
        if !expected.is_empty() && state != Some(State::Backup) {
            world.violated(format!("n{master} handed over and is {state:?}"));
        }
    }
}
