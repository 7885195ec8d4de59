//! Random events: nothing panics, no deadline stays in the past, and every state can be left. When the
//! disturbances end and no other router is there, all instances become master; on a stop, all stop.

use std::time::Duration;
use steadfast::vrrp::{KernelRequest, Report};

use steadfast::units::{Family, Priority, Version};
use steadfast::vrrp::settings::{InstanceSettings, OnForeignRemoval, Preempt, Settings};
use steadfast::vrrp::{Action, Command, Event, InterfaceState, KernelError, State, TrackerState};

use super::driver::*;

pub struct Random(pub u64);

impl Random {
    pub fn below(&mut self, bound: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }

    pub fn pick<T: Copy>(&mut self, list: &[T]) -> T {
        list[usize::try_from(self.below(list.len() as u64)).unwrap()]
    }

    pub fn one_in(&mut self, bound: u64) -> bool {
        self.below(bound) == 0
    }
}

/// One or two instances, in a group or not, with one or two families.
fn configuration(random: &mut Random) -> Settings {
    let mut s = pair();
    for instance in &mut s.instances {
        *instance = InstanceSettings {
            priority: Priority(random.pick(&[1, 100, 254, 255])),
            preempt: random.pick(&[Preempt::Off, Preempt::Immediate, Preempt::On, Preempt::On]),
            preempt_delay: random.pick(&[ms(2_000), Duration::ZERO]),
            on_foreign_removal: random.pick(&[OnForeignRemoval::Backup, OnForeignRemoval::Restore]),
            hand_over: !random.one_in(4),
            timer_expired_backup: random.one_in(3).then_some(Priority(254)),
            ..instance.clone()
        };
        if random.one_in(3) {
            instance.objects.push(address6(instance.name.as_bytes()[0]));
        }
        if random.one_in(3) {
            instance.track.push(super::fault::script("x", random.pick(&[0, -50])));
        }
        if random.one_in(6) {
            instance.version = Version::V2;
            instance.objects.truncate(1);
        }
    }
    if random.one_in(3) {
        s.groups.clear();
    }
    if random.one_in(4) {
        s.instances.pop();
    }
    s
}

fn disturb(d: &mut Driver, random: &mut Random) {
    let link = random.pick(&["eth0", "eth1"]);
    let instance = random.pick(&[d.a(), d.engine.instance("b").unwrap_or(d.a())]);
    let name = d.engine.settings(instance).unwrap().name.to_string();
    let known = d.engine.interface(link).is_some();
    match random.below(16) {
        0..5 if known => {
            let family = random.pick(&Family::ALL);
            let version = random.pick(&[Version::V2, Version::V3, Version::V3]);
            let priority = random.pick(&[0, 1, 100, 200, 255]);
            let last = random.pick(&[1, OWN, 20]);
            let interval = if version == Version::V2 { 100 } else { random.pick(&[1, 100, 300]) };
            if version == Version::V3 || family == Family::V4 {
                d.hear(&peer_of(family, last, priority).on(link).version(version).every(interval));
            }
        }
        5 if known => d.interface_down(link),
        6 if known => d.interface(link, InterfaceState::default()),
        7 => d.all_interfaces_up(),
        8 => d.tracker("x", random.pick(&[TrackerState::Up, TrackerState::Down])),
        9 => {
            let hold_for = random.one_in(2).then_some(ms(10_000));
            let force = random.one_in(2);
            d.command(Command::Switchover { instance, hold_for, force });
        }
        10 => d.command(Command::Release { instance }),
        11 => {
            let objects = d.objects_of(&name);
            let object = random.pick(&objects);
            d.event(Event::Object { object, present: random.one_in(3) });
        }
        12 => {
            d.kernel =
                random.pick(&[Kernel::Works, Kernel::Works, Kernel::Refuses, Kernel::Silent]);
        }
        13 => d.reload(&configuration(random)),
        14 => d.hear_announcement(v4(random.pick(&[100, 200]))),
        15 => {
            d.stall(ms(random.below(8_000)));
            d.event(Event::Wake);
        }
        _ => {}
    }
    if !d.asked.is_empty() && random.one_in(2) {
        let result = if random.one_in(4) { Err(KernelError(1)) } else { Ok(()) };
        d.answer(result);
    }
    let most = 1 << random.below(23);
    d.run_for(us(random.below(most)));
}

/// vrrp:S-41: of the members of a group no one is master beside a backup or a fault.
fn moves_together(d: &Driver, seed: u64) {
    let Some(b) = d.engine.instance("b") else { return };
    let together = d.grouped && !d.engine.handing_over(d.a()) && !d.engine.handing_over(b);
    let states = [d.state(), d.state_of("b")];
    if together && states.contains(&State::Master) {
        let others = states.iter().any(|s| matches!(s, State::Backup | State::Fault));
        assert!(!others, "seed {seed}: {states:?}");
    }
}

#[test]
fn from_every_state_something_leads_out() {
    for seed in 0..500 {
        let mut random = Random(seed);
        let mut d = Driver::started(&configuration(&mut random));
        for _ in 0..150 {
            disturb(&mut d, &mut random);
            moves_together(&d, seed);
        }
        d.kernel = Kernel::Works;
        while !d.asked.is_empty() {
            d.answer(Ok(()));
        }
        d.all_interfaces_up();
        d.tracker("x", TrackerState::Up);
        d.run_for(ms(100_000));
        for instance in d.engine.instances().collect::<Vec<_>>() {
            assert_eq!(d.engine.state(instance), Some(State::Master), "seed {seed}");
            assert!(!d.engine.handing_over(instance), "seed {seed}");
            for (object, _) in d.engine.objects(instance) {
                assert!(d.engine.object_present(object), "seed {seed}");
            }
            let last = |wanted| d.log.iter().rposition(|(_, action)| *action == wanted);
            let mute = last(Action::Kernel(KernelRequest::Mute(instance)))
                > last(Action::Kernel(KernelRequest::Unmute(instance)));
            assert!(!mute, "seed {seed}");
        }
        d.event(Event::Shutdown);
        d.run_for(ms(100_000));
        assert!(
            d.log.iter().any(|(_, action)| *action == Action::Report(Report::Stopped)),
            "seed {seed}"
        );
        assert_eq!(d.engine.next_deadline(), None, "seed {seed}");
    }
}
