//! Processes: reloads drawn at random. An engine that is told what changes does, action by action,
//! what one does that is told everything; and when all is quiet it is what an engine is that was
//! started with the last configuration.

use std::collections::BTreeSet;
use steadfast::vrrp::{CommandId, KernelRequest, Urgent};

use steadfast::units::{Centiseconds, Instant, Priority, Vrid};
use steadfast::vrrp::change::Change;
use steadfast::vrrp::settings::{Checksum, GroupSettings, InstanceSettings, Object, Settings};
use steadfast::vrrp::{Action, Command, Engine, Event, KernelError, ObjectId, TrackerState};

use super::chance::Random;
use super::driver::*;

const SEEDS: u64 = 10;
const NAMES: [&str; 24] = [
    "a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m", "n", "o", "p", "q", "r", "s",
    "t", "u", "v", "w", "x",
];
const LINKS: [&str; 3] = ["eth0", "eth1", "eth2"];
const TRACKERS: [&str; 2] = ["x", "y"];
const STATES: [TrackerState; 2] = [TrackerState::Up, TrackerState::Down];

fn place<T>(random: &mut Random, list: &[T]) -> usize {
    usize::try_from(random.below(list.len().max(1) as u64)).unwrap()
}

fn some_vrid(random: &mut Random) -> Vrid {
    Vrid::new(random.pick(&[1, 2, 3, 4, 5, 6, 7, 8])).unwrap()
}

/// Addresses that no instance has.
fn some_objects(random: &mut Random, all: &[InstanceSettings]) -> Vec<Object> {
    let mut list: Vec<Object> = Vec::new();
    for _ in 0..=random.below(3) {
        let last = u8::try_from(random.below(200)).unwrap() + 30;
        let kinds = [address(last), excluded(last), address6(last)];
        let used = all.iter().flat_map(|i| &i.objects).chain(&list).any(|o| kinds.contains(o));
        if !used {
            list.push(kinds[random.pick(&[0, 0, 0, 1, 2])].clone());
        }
    }
    // At least one is advertised.
    list.retain(|object| matches!(object, Object::Address(_)) || !random.one_in(2));
    if !list.iter().any(|object| matches!(object, Object::Address(_))) {
        let used = |last: &u8| all.iter().any(|i| i.objects.contains(&address(*last)));
        list.insert(0, address((1..30).find(|last| !used(last)).unwrap()));
    }
    list.sort_by_key(|object| matches!(object, Object::Excluded(_)));
    list
}

/// One thing is different.
fn edit(random: &mut Random, s: &mut Settings) {
    let all = &mut s.instances;
    let (at, other) = (place(random, all), place(random, all));
    let kind = if all.is_empty() { 0 } else { random.below(15) };
    match kind {
        0 => {
            let is_free = |name: &&&str| all.iter().all(|i| *i.name != ***name);
            let Some(name) = NAMES.iter().find(is_free) else { return };
            let new = InstanceSettings {
                interface: random.pick(&LINKS).into(),
                vrid: some_vrid(random),
                objects: some_objects(random, all),
                ..instance(name)
            };
            all.insert(at, new);
        }
        1 if all.len() > 1 => drop(all.remove(at)),
        2 | 3 => all[at].objects = some_objects(random, &all.clone()),
        4 => all[at].priority = Priority(random.pick(&[1, 100, 200, 254, 255])),
        5 => all[at].interval = Centiseconds(random.pick(&[100, 50, 200])),
        6 => all[at].vrid = some_vrid(random),
        7 if at != other => {
            let mine = std::mem::take(&mut all[at].objects);
            all[at].objects = std::mem::replace(&mut all[other].objects, mine);
        }
        8 if at != other => {
            let mine = std::mem::take(&mut all[at].name);
            all[at].name = std::mem::replace(&mut all[other].name, mine);
        }
        9 => all.rotate_left(at),
        10 => all.swap(at, other),
        11 => {
            let trackers = [super::fault::script("x", -20), super::fault::script("y", 0)];
            all[at].track = trackers[..random.pick(&[0, 1, 2])].to_vec();
        }
        12 => all[at].interface = random.pick(&LINKS).into(),
        13 => {
            all[at].checksum = random.pick(&[Checksum::MessageOnly, Checksum::PseudoHeader]);
            all[at].hand_over = !all[at].hand_over;
        }
        _ => regroup(random, s),
    }
}

fn regroup(random: &mut Random, s: &mut Settings) {
    let mut names: Vec<_> = s.instances.iter().map(|i| i.name.clone()).collect();
    s.groups.clear();
    while names.len() > 2 && random.one_in(2) {
        let members = [(); 2].map(|()| names.swap_remove(place(random, &names))).to_vec();
        let track = random.one_in(3).then(|| super::fault::script("y", 0));
        let name = format!("g{}", s.groups.len()).into();
        s.groups.push(GroupSettings { name, members, track: track.into_iter().collect() });
    }
}

/// The next configuration, without what `steadfast check` refuses.
fn next(random: &mut Random, old: &Settings) -> Settings {
    let mut s = old.clone();
    for _ in 0..random.pick(&[1, 1, 1, 2, 4]) {
        edit(random, &mut s);
    }
    let mut seen = BTreeSet::new();
    for i in &mut s.instances {
        while !seen.insert((i.interface.clone(), i.vrid.get())) {
            i.vrid = Vrid::new(i.vrid.get() % 250 + 1).unwrap();
        }
    }
    for group in &mut s.groups {
        group.members.retain(|name| s.instances.iter().any(|i| i.name == *name));
    }
    s.groups.retain(|group| group.members.len() > 1);
    s
}

fn first(random: &mut Random) -> Settings {
    let mut s = settings(Vec::new());
    let count = random.pick(&[2, 5, 23]);
    while s.instances.len() < count {
        s = next(random, &s);
    }
    s
}

/// What can be asked about an engine, but for what only its history makes.
fn shown(engine: &Engine) -> BTreeSet<String> {
    let instance = |id| {
        let mut objects: Vec<_> = engine
            .objects(id)
            .map(|(object, what)| {
                let there = (engine.object_wanted(object), engine.object_present(object));
                format!("{what:?} {there:?}")
            })
            .collect();
        objects.sort_unstable();
        let routers: Vec<_> = engine
            .routers(id)
            .map(|r| (r.family, engine.source(r), engine.packet_addresses(r).collect::<Vec<_>>()))
            .collect();
        let state = (engine.state(id), engine.fault(id), engine.effective_priority(id));
        let (settings, group) = (engine.settings(id), engine.group_of(id));
        let tracked: Vec<_> = engine.tracked(id).collect();
        let held = (engine.held(id), engine.handing_over(id));
        format!("{settings:?} {state:?} {group:?} {tracked:?} {held:?} {routers:?} {objects:?}")
    };
    engine.instances().map(instance).collect()
}

fn started(s: &Settings, trackers: [TrackerState; 2]) -> Driver {
    let mut d = Driver::idle(s);
    TRACKERS.iter().zip(trackers).for_each(|(name, state)| d.tracker(name, state));
    d.event(Event::Start);
    d
}

#[test]
fn as_if_started_with_it() {
    for seed in 0..SEEDS {
        let mut random = Random(seed);
        let mut s = first(&mut random);
        let mut trackers = [TrackerState::Up; 2];
        let mut d = started(&s, trackers);
        for round in 0..12 {
            for _ in 0..random.pick(&[1, 1, 2, 4]) {
                s = next(&mut random, &s);
                d.kernel =
                    random.pick(&[Kernel::Works, Kernel::Works, Kernel::Silent, Kernel::Refuses]);
                d.reload(&s);
                for (name, state) in TRACKERS.iter().zip(&mut trackers) {
                    if random.one_in(4) {
                        *state = random.pick(&STATES);
                    }
                    d.tracker(name, *state);
                }
                if random.one_in(3) {
                    d.all_interfaces_up();
                }
                d.run_for(ms(random.pick(&[0, 0, 1, 100, 5_000])));
                while !d.asked.is_empty() && random.one_in(2) {
                    d.answer(if random.one_in(4) { Err(KernelError(1)) } else { Ok(()) });
                }
            }
            d.kernel = Kernel::Works;
            d.all_interfaces_up();
            while !d.asked.is_empty() {
                d.answer(Ok(()));
            }
            let mut new = started(&s, trackers);
            let quiet = |d: &mut Driver| {
                d.run_for(ms(100_000));
                d.clear();
                d.run_for(ms(5_000));
                let sent: BTreeSet<String> = d.deeds().into_iter().collect();
                (shown(&d.engine), sent)
            };
            assert_eq!(quiet(&mut d), quiet(&mut new), "seed {seed}, round {round}");
        }
    }
}

/// Two engines to which the same happens.
struct Twins {
    engines: [Engine; 2],
    now: Instant,
    /// Requests to the kernel without an answer.
    asked: Vec<(ObjectId, bool)>,
}

impl Twins {
    fn hear(&mut self, event: impl Fn() -> Event<'static>) {
        let now = self.now;
        self.engines.iter_mut().for_each(|engine| engine.handle(event(), now));
        self.act();
    }

    fn act(&mut self) {
        let [one, other] = &mut self.engines;
        loop {
            let action = one.poll_action();
            assert_eq!(action, other.poll_action());
            match action {
                None => break,
                Some(Action::Kernel(KernelRequest::Install(object))) => {
                    self.asked.push((object, true))
                }
                Some(Action::Kernel(KernelRequest::Remove(object))) => {
                    self.asked.push((object, false))
                }
                Some(Action::Urgent(Urgent::DrainSockets)) => {
                    one.handle(Event::SocketsDrained, self.now);
                    other.handle(Event::SocketsDrained, self.now);
                }
                Some(_) => {}
            }
        }
        assert_eq!(one.next_deadline(), other.next_deadline());
    }

    fn reload(&mut self, old: &Settings, new: &Settings) {
        for (engine, old) in self.engines.iter_mut().zip([old, &Settings::default()]) {
            engine.handle(Event::Reload(&Change::between(old, new)), self.now);
        }
        self.act();
        let [one, other] = &self.engines;
        assert_eq!(one.reloaded(), other.reloaded());
        assert_eq!(shown(one), shown(other));
        let objects = |engine: &Engine| {
            let ids = engine.instances().flat_map(|id| engine.objects(id)).map(|(id, _)| id);
            ids.collect::<Vec<_>>()
        };
        assert_eq!(objects(one), objects(other));
    }
}

#[test]
fn told_in_part_or_whole() {
    for seed in 0..SEEDS {
        let mut random = Random(seed);
        let mut s = first(&mut random);
        let engines = [Engine::new(&s), Engine::new(&s)];
        let mut twins = Twins { engines, now: START, asked: Vec::new() };
        twins.hear(|| Event::Start);
        for _ in 0..60 {
            let new = next(&mut random, &s);
            twins.reload(&s, &new);
            s = new;
            let interfaces: Vec<_> = twins.engines[0].interfaces().map(|(id, _)| id).collect();
            for interface in interfaces {
                twins.hear(|| Event::Interface { interface, state: up() });
            }
            if random.one_in(3) {
                let (name, state) = (random.pick(&TRACKERS), random.pick(&STATES));
                twins.hear(|| Event::Tracker { name, state });
            }
            while !twins.asked.is_empty() && !random.one_in(5) {
                let (object, present) = twins.asked.remove(0);
                let result = if random.one_in(5) { Err(KernelError(1)) } else { Ok(()) };
                twins.hear(|| Event::Acknowledged { object, present, result });
            }
            if random.one_in(4) {
                let ids: Vec<_> = twins.engines[0].instances().collect();
                let (instance, force) = (random.pick(&ids), random.one_in(2));
                let hold_for = Some(ms(3_000));
                let command = Command::Switchover { instance, hold_for, force };
                twins.hear(|| Event::Command(CommandId(0), command));
            }
            let end = twins.now + ms(random.pick(&[0, 0, 5, 300, 5_000]));
            while let Some(due) = twins.engines[0].next_deadline().filter(|due| *due <= end) {
                twins.now = twins.now.max(due);
                twins.hear(|| Event::Wake);
            }
            twins.now = end;
        }
    }
}
