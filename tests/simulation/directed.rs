//! Scenarios with a fixed story, run before the seeds.

use std::time::Duration;

use steadfast::units::{Centiseconds, Family, Instant, Priority, Version};
use steadfast::vrrp::State;
use steadfast::vrrp::settings::{InstanceSettings, Object, Preempt, Settings};

use crate::kernel::Flap;
use crate::network::{Swallow, Which};
use crate::node::Inbound;
use crate::plan::{self, Host, Plan};
use crate::scenario::{Outcome, Record, hand_over, run_in, settle_and_stay};
use crate::world::World;

type Scenario = (&'static str, fn(Record) -> Outcome);

/// All of them.
pub const ALL: &[Scenario] = &[
    ("stop-with-one-backup", stop_with_one_backup),
    ("stop-with-two-backups", stop_with_two_backups),
    ("switchover-and-release", switchover_and_release),
    ("switchover-without-successor", switchover_without_successor),
    ("lost-short-adverts", lost_short_adverts),
    ("lost-priority-0", lost_priority_0),
    ("third-backup-learned-1-cs", third_backup_learned_1_cs),
    ("split-brain", split_brain),
    ("split-brain-one-direction-at-a-time", split_brain_one_direction),
    ("adverts-refused", adverts_refused),
    ("equal-priorities-both-families", equal_priorities_both_families),
    ("pause-and-thaw-of-the-master", pause_and_thaw),
    ("kill-and-restart-in-time", kill_and_restart_in_time),
    ("kill-and-restart-too-late", kill_and_restart_too_late),
    ("kill-without-restart", kill_without_restart),
    ("version-2-stop", version_2_stop),
    ("preempt-immediate", preempt_immediate),
    ("cable-of-one-group-member", cable_of_one_group_member),
];

const SECOND: Duration = Duration::from_secs(1);
const VR: usize = 0;

/// An instance with addresses of these families.
fn gateway(families: &[Family]) -> InstanceSettings {
    let address = |f: &Family, number| Object::Address(plan::held(*f, 0, 51, number));
    let objects = families.iter().flat_map(|f| [address(f, 1), address(f, 2)]).collect();
    plan::instance("lan", "eth0", 51, objects)
}

/// One segment, one instance, nodes with these priorities.
fn simple(
    priorities: &[u8],
    families: &[Family],
    change: impl Fn(usize, &mut InstanceSettings),
) -> Plan {
    let settings = priorities
        .iter()
        .enumerate()
        .map(|(n, priority)| {
            let mut instance = gateway(families);
            instance.priority = Priority(*priority);
            change(n, &mut instance);
            let settings = Settings { instances: vec![instance], ..Settings::default() };
            [settings.clone(), settings]
        })
        .collect();
    // Orders of the addresses that contradict each other in the two families.
    let hosts = (0..priorities.len() as u8).map(|n| Host { v4: n + 1, v6: 9 - n }).collect();
    Plan::new(1, hosts, settings)
}

/// Starts all nodes, the later ones when the first one is master.
fn begin(world: &mut World) {
    world.start(0);
    let settle = world.settling_time();
    world.run_for(settle);
    for n in 1..world.nodes.len() {
        world.start(n);
    }
    settle_and_stay(world);
    expect_master(world, 0);
}

fn expect_master(world: &mut World, n: usize) {
    if world.master_of(VR) != Some(n) {
        let states: Vec<_> = world.nodes.iter().map(|node| node.state(VR)).collect();
        world.violated(format!("n{n} should be the only master: {states:?}"));
    }
}

fn addresses(world: &World) -> Vec<std::net::IpAddr> {
    world.plan.owners.keys().copied().collect()
}

/// A planned hand-over in which every ping is answered, to this successor.
fn without_loss(world: &mut World, stop: bool, successor: usize) {
    let addresses = addresses(world);
    hand_over(world, 0, VR, stop, &[VR], addresses);
    expect_master(world, successor);
}

fn again_from_the_start(world: &mut World) {
    if world.nodes[0].process.is_none() {
        world.start(0);
    } else {
        world.tell(0, Inbound::Release { name: VR });
    }
    settle_and_stay(world);
}

const BOTH: &[Family] = &Family::ALL;
const V4: &[Family] = &[Family::V4];

fn stop_with_one_backup(record: Record) -> Outcome {
    let plan = simple(&[200, 100], BOTH, |_, i| i.backups = Some(1));
    run_in(0, plan, record, |world| {
        begin(world);
        without_loss(world, true, 1);
        again_from_the_start(world);
        expect_master(world, 0);
    })
}

fn stop_with_two_backups(record: Record) -> Outcome {
    run_in(0, simple(&[200, 100, 99], BOTH, |_, _| {}), record, |world| {
        begin(world);
        let before = world.watch.transitions;
        without_loss(world, true, 1);
        // The master's own way to Backup or Initialize, and the successor's. A second backup
        // that became master as well would be seen here.
        let moved = world.watch.transitions - before;
        if moved > 3 {
            world.violated(format!("{moved} transitions in a hand-over to one of two backups"));
        }
        again_from_the_start(world);
    })
}

fn switchover_and_release(record: Record) -> Outcome {
    run_in(0, simple(&[200, 100, 50], BOTH, |_, _| {}), record, |world| {
        begin(world);
        without_loss(world, false, 1);
        world.run_for(10 * SECOND);
        expect_master(world, 1);
        again_from_the_start(world);
        expect_master(world, 0);
    })
}

fn switchover_without_successor(record: Record) -> Outcome {
    run_in(0, simple(&[200, 100], V4, |_, _| {}), record, |world| {
        begin(world);
        world.kill(1, true);
        world.tell(0, Inbound::Switchover { name: VR, hold_for: None, force: false });
        world.run_for(20 * SECOND);
        expect_master(world, 0);
        if !world.coverage.notices.contains_key("HandOverFailed") {
            world.violated("the failure of the switchover was not told".into());
        }
        world.tell(0, Inbound::Release { name: VR });
        world.start(1);
        settle_and_stay(world);
    })
}

/// Hand-over: all short adverts are lost, the backup learns nothing and waits its skew time.
fn lost_short_adverts(record: Record) -> Outcome {
    let plan = simple(&[200, 100], V4, |_, i| i.backups = Some(1));
    run_in(0, plan, record, |world| {
        begin(world);
        world.network.swallow =
            Some(Swallow { from: 0, to: None, what: Which::ShorterThan(100), left: 100 });
        let addresses = addresses(world);
        world.ping_every(crate::scenario::FAST_PINGS);
        world.run_for(SECOND / 10);
        watch_pings(world, addresses);
        world.tell(0, Inbound::Shutdown);
        world.run_for(2 * SECOND);
        expect_no_lost_pings(world);
        expect_master(world, 1);
        world.network.swallow = None;
        again_from_the_start(world);
    })
}

/// Hand-over: priority 0 is lost; the backup learned the short interval and waits that out.
fn lost_priority_0(record: Record) -> Outcome {
    let plan = simple(&[200, 100], V4, |_, i| i.backups = Some(1));
    run_in(0, plan, record, |world| {
        begin(world);
        world.network.swallow = Some(Swallow { from: 0, to: None, what: Which::Stop, left: 100 });
        without_loss(world, true, 1);
        world.network.swallow = None;
        again_from_the_start(world);
    })
}

/// Hand-over: a third backup learned 1 cs and misses the successor's first advert.
fn third_backup_learned_1_cs(record: Record) -> Outcome {
    let plan = simple(&[200, 150, 100], V4, |_, i| i.backups = Some(1));
    run_in(0, plan, record, |world| {
        begin(world);
        world.network.swallow = Some(Swallow { from: 1, to: Some(2), what: Which::Any, left: 1 });
        let before = world.watch.told(2, VR);
        let addresses = addresses(world);
        world.ping_every(crate::scenario::FAST_PINGS);
        world.run_for(SECOND / 10);
        watch_pings(world, addresses);
        world.tell(0, Inbound::Shutdown);
        world.run_for(SECOND / 5);
        // The third one took over as well, was answered at once, and gave way.
        expect_master(world, 1);
        if world.watch.told(2, VR) != before + 2 {
            world.violated("the third backup should have become master and given way".into());
        }
        expect_no_lost_pings(world);
        world.network.swallow = None;
        again_from_the_start(world);
    })
}

fn split_brain(record: Record) -> Outcome {
    let plan = simple(&[200, 100], BOTH, |_, i| i.higher_prio_send_advert = true);
    run_in(0, plan, record, |world| {
        begin(world);
        world.network.cut(0, 0, 1, true);
        world.network.cut(0, 1, 0, true);
        world.run_for(10 * SECOND);
        for n in 0..2 {
            if !world.nodes[n].claims(VR) {
                world.violated(format!("n{n} hears nobody and is not master"));
            }
        }
        world.network.heal();
        settle_and_stay(world);
        expect_master(world, 0);
    })
}

fn split_brain_one_direction(record: Record) -> Outcome {
    run_in(0, simple(&[200, 100], V4, |_, _| {}), record, |world| {
        begin(world);
        world.network.cut(0, 0, 1, true);
        world.network.cut(0, 1, 0, true);
        world.run_for(10 * SECOND);
        // The master hears the other one first and answers, which is lost.
        world.network.cut(0, 1, 0, false);
        world.run_for(5 * SECOND);
        world.network.cut(0, 0, 1, false);
        settle_and_stay(world);
        expect_master(world, 0);
    })
}

/// A firewall that drops what the master sends: the backup takes over, and there are never two
/// holders for longer than a packet takes; when it is gone the master comes back.
fn adverts_refused(record: Record) -> Outcome {
    run_in(0, simple(&[200, 100], BOTH, |_, _| {}), record, |world| {
        begin(world);
        world.nodes[0].mute = true;
        let mut both = 0;
        // Longer than any pause between two tries.
        for _ in 0..700_000 {
            world.run_for(Duration::from_millis(1));
            let holders = world.nodes.iter().filter(|node| !node.kernel.is_empty()).count();
            both = if holders > 1 { both + 1 } else { 0 };
            if both > 20 {
                world.violated("two holders for more than 20 ms".to_owned());
                return;
            }
        }
        expect_master(world, 1);
        world.nodes[0].mute = false;
        world.tell(0, Inbound::Release { name: VR });
        settle_and_stay(world);
        expect_master(world, 0);
    })
}

/// Equal priorities, and orders of addresses that contradict each other: still one master.
fn equal_priorities_both_families(record: Record) -> Outcome {
    run_in(0, simple(&[100, 100, 100], BOTH, |_, _| {}), record, |world| {
        for n in 0..3 {
            world.start(n);
        }
        settle_and_stay(world);
        let Some(first) = world.master_of(VR) else { return };
        // All are master, then hear each other.
        for (a, b) in [(0, 1), (1, 2), (0, 2)] {
            world.network.cut(0, a, b, true);
            world.network.cut(0, b, a, true);
        }
        world.run_for(10 * SECOND);
        world.network.heal();
        settle_and_stay(world);
        // Its last holder is gone: another one takes over, once.
        world.kill(first, false);
        world.run_for(10 * SECOND);
        if world.master_of(VR).is_none() {
            world.violated("no master after the first one died".into());
        }
        world.start(first);
        settle_and_stay(world);
    })
}

/// The thawed master reads its socket before it sends anything.
fn pause_and_thaw(record: Record) -> Outcome {
    let plan = simple(&[100, 150], V4, |_, i| i.preempt = Preempt::Off);
    run_in(0, plan, record, |world| {
        begin(world);
        for round in 0..20 {
            world.slices = round % 2 == 0;
            world.stall(0, 10 * SECOND, false);
            world.run_for(9 * SECOND);
            expect_master_alone_running(world, 1);
            let before = world.watch.adverts_sent(0, VR);
            world.run_for(2 * SECOND);
            if world.watch.adverts_sent(0, VR) != before {
                world.violated("the thawed master sent an advert before it read its socket".into());
            }
            expect_master(world, 1);
            // Back to the first one for the next round.
            world.tell(1, Inbound::Switchover { name: VR, hold_for: None, force: false });
            world.run_for(2 * SECOND);
            world.tell(1, Inbound::Release { name: VR });
            settle_and_stay(world);
            expect_master(world, 0);
        }
    })
}

fn expect_master_alone_running(world: &mut World, n: usize) {
    if !world.nodes[n].claims(VR) {
        world.violated(format!("n{n} did not take over from the paused master"));
    }
}

/// kill -9 and a restart within two intervals: no peer notices.
fn kill_and_restart_in_time(record: Record) -> Outcome {
    run_in(0, simple(&[200, 100], BOTH, |_, _| {}), record, |world| {
        begin(world);
        for round in 1..10 {
            let before = world.watch.told(1, VR);
            world.kill(0, true);
            world.run_for(Duration::from_millis(97) * round);
            world.start(0);
            world.run_for(5 * SECOND);
            expect_master(world, 0);
            if world.watch.told(1, VR) != before {
                world.violated("the peer noticed a restart within two intervals".into());
            }
        }
        if !world.coverage.transitions.keys().any(|(_, _, cause)| *cause == "Resumed") {
            world.violated("nothing was resumed".into());
        }
        settle_and_stay(world);
    })
}

fn kill_and_restart_too_late(record: Record) -> Outcome {
    run_in(0, simple(&[200, 100], V4, |_, _| {}), record, |world| {
        begin(world);
        world.kill(0, true);
        world.run_for(Duration::from_millis(2500));
        if !world.nodes[0].kernel.is_empty() {
            world.violated("the supervisor has not withdrawn what the dead one left".into());
        }
        world.start(0);
        world.run_for(Duration::from_millis(100));
        if world.nodes[0].state(VR) != Some(State::Backup) {
            world.violated("a process that restarts too late is not backup".into());
        }
        settle_and_stay(world);
    })
}

fn kill_without_restart(record: Record) -> Outcome {
    run_in(0, simple(&[200, 100], V4, |_, _| {}), record, |world| {
        begin(world);
        world.kill(0, true);
        let took = world.run_while_not(10 * SECOND, |world| world.nodes[1].claims(VR));
        if !took {
            world.violated("nobody took over".into());
        }
        if !world.nodes[0].kernel.is_empty() {
            world.violated("two lasting holders of one address".into());
        }
        world.start(0);
        settle_and_stay(world);
    })
}

/// No hand-over in version 2: priority 0, and the backup waits its skew time.
fn version_2_stop(record: Record) -> Outcome {
    let plan = simple(&[200, 100], V4, |_, i| i.version = Version::V2);
    run_in(0, plan, record, |world| {
        begin(world);
        let before = world.now;
        world.tell(0, Inbound::Shutdown);
        let took = world.run_while_not(2 * SECOND, |world| world.nodes[1].claims(VR));
        let skew = plan::skew(Version::V2, Centiseconds::SECOND, Priority(100));
        let gap = world.now.since(before);
        if !took || gap < skew || gap > skew + SECOND / 20 {
            world.violated(format!("the backup took over after {gap:?} instead of {skew:?}"));
        }
        world.run_for(SECOND);
        again_from_the_start(world);
    })
}

fn preempt_immediate(record: Record) -> Outcome {
    let plan = simple(&[100, 200], V4, |_, i| i.preempt = Preempt::Immediate);
    run_in(0, plan, record, |world| {
        world.start(0);
        let settle = world.settling_time();
        world.run_for(settle);
        world.start(1);
        world.run_for(Duration::from_millis(1200));
        expect_master(world, 1);
        settle_and_stay(world);
    })
}

/// The cable of one member is pulled: the whole group moves, and back.
fn cable_of_one_group_member(record: Record) -> Outcome {
    let settings = [200, 100].map(|priority| {
        let instance = |name: &str, segment: usize| {
            let held = Object::Address(plan::held(Family::V4, segment, 51, 1));
            let interface = plan::interface_name(segment, 2);
            let mut instance = plan::instance(name, &interface, 51, vec![held]);
            instance.priority = Priority(priority);
            instance
        };
        let group = steadfast::vrrp::settings::GroupSettings {
            name: "gateway".into(),
            members: vec!["lan".into(), "wan".into()],
            track: Vec::new(),
        };
        let settings = Settings {
            instances: vec![instance("lan", 0), instance("wan", 1)],
            groups: vec![group],
            startup_delay: Duration::ZERO,
        };
        [settings.clone(), settings]
    });
    let hosts = vec![Host { v4: 1, v6: 1 }, Host { v4: 2, v6: 2 }];
    run_in(0, Plan::new(2, hosts, settings.into()), record, |world| {
        begin(world);
        world.change_interface(0, 1, Flap::Carrier, true);
        world.run_for(10 * SECOND);
        for name in 0..2 {
            if world.master_of(name) != Some(1) {
                world.violated(format!("instance {name} has not moved to n1"));
            }
        }
        world.change_interface(0, 1, Flap::Carrier, false);
        settle_and_stay(world);
        expect_master(world, 0);
    })
}

fn watch_pings(world: &mut World, addresses: Vec<std::net::IpAddr>) {
    world.watch.pings = Some(crate::client::PingRecord { addresses, ..Default::default() });
}

fn expect_no_lost_pings(world: &mut World) {
    world.ping_every(Duration::from_millis(100));
    if let Some(pings) = world.watch.pings.take()
        && let Some((when, ..)) = pings.lost.first()
    {
        let when: &Instant = when;
        let lost = pings.lost.len();
        world.violated(format!("{lost} pings lost, the first at {when:?}"));
    }
}
