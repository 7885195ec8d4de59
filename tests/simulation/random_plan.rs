//! A random but valid configuration.

use std::time::Duration;

use steadfast::units::{Centiseconds, Family, Priority, Version, Vrid};
use steadfast::vrrp::settings::{
    Announce, Authentication, Checksum, GroupSettings, InstanceSettings, Object, OnForeignRemoval,
    Pacing, Preempt, Settings, Track, Tracker,
};

use crate::plan::{self, Host, Plan, down_interval};
use crate::rng::Rng;

/// The name of the tracker that scenarios turn up and down.
pub const CHECK: &str = "check";

/// What all nodes agree about in one virtual router.
#[derive(Clone)]
struct Draft {
    segment: usize,
    grouped: bool,
    /// The identifier changes: another virtual router with the same addresses.
    second_vrid: Option<Vrid>,
    /// Which nodes have it, per generation.
    members: [Vec<bool>; 2],
    template: InstanceSettings,
    /// Per generation and node.
    priorities: [Vec<Priority>; 2],
    intervals: [Vec<Centiseconds>; 2],
    preempt: Vec<(Preempt, Duration)>,
    objects: [Vec<Object>; 2],
}

/// Draws a plan.
pub fn random(rng: &mut Rng) -> Plan {
    let nodes = rng.weighted(&[(40, 2), (35, 3), (15, 4), (10, 5)]);
    let segments = rng.weighted(&[(50, 1), (35, 2), (15, 3)]);
    let speed =
        rng.weighted(&[(4, 1), (6, 2), (10, 5), (15, 10), (15, 20), (10, 30), (15, 50), (30, 100)]);
    let hosts = hosts(rng, nodes);
    let mut drafts = Vec::new();
    for segment in 0..segments {
        for _ in 0..rng.weighted(&[(60, 1), (30, 2), (10, 3)]) {
            let vrid = drafts.len() as u8 + 1;
            drafts.push(draft(rng, nodes, segment, vrid, speed));
        }
    }
    let groups = if segments > 1 && rng.percent(60) {
        group(rng, nodes, segments, &mut drafts)
    } else {
        Vec::new()
    };
    let startup_delay = if rng.percent(8) {
        Duration::from_millis(rng.between(10, 20 * u64::from(speed)))
    } else {
        Duration::ZERO
    };
    // Version 2 discards adverts with another interval, so there both generations must meet.
    let mixed_is_fine = drafts.iter().all(|d| {
        let intervals = d.template.version == Version::V3 || d.intervals[0] == d.intervals[1];
        // Two owners that do not listen both stay master; that is what they were told to do.
        let owner = |g: usize| d.priorities[g].iter().position(|p| p.is_owner());
        let owners = !d.template.owner_ignore_adverts
            || owner(0).is_none_or(|n| owner(1).is_none_or(|m| m == n));
        intervals && owners && d.second_vrid.is_none()
    });
    let settings = (0..nodes)
        .map(|node| {
            [0, 1].map(|generation| {
                let mut settings =
                    Settings { startup_delay, groups: groups.clone(), ..Settings::default() };
                for draft in &drafts {
                    if draft.members[generation][node] {
                        settings.instances.push(draft.instance(rng, node, generation, &hosts));
                    }
                }
                settings
            })
        })
        .collect();
    let mut plan = Plan::new(segments, hosts, settings);
    plan.mixed_is_fine = mixed_is_fine;
    plan
}

fn hosts(rng: &mut Rng, nodes: usize) -> Vec<Host> {
    let mut v4: Vec<u8> = (1..=9).collect();
    let mut v6 = v4.clone();
    rng.shuffle(&mut v4);
    rng.shuffle(&mut v6);
    v4.into_iter().zip(v6).map(|(v4, v6)| Host { v4, v6 }).take(nodes).collect()
}

/// Priorities of all nodes: distinct, equal, or with an owner.
fn priorities(rng: &mut Rng, nodes: usize) -> Vec<Priority> {
    let mut list: Vec<u8> = match rng.below(10) {
        0..=4 => (0..nodes).map(|n| 40 * (n as u8 + 1) + rng.below(40) as u8).collect(),
        5 => (0..nodes).map(|n| 100 - n as u8).collect(),
        6 | 7 => vec![rng.between(1, 254) as u8; nodes],
        _ => (0..nodes).map(|_| rng.pick(&[1, 50, 100, 100, 254])).collect(),
    };
    rng.shuffle(&mut list);
    if rng.percent(12) {
        let owner = rng.index(nodes);
        list[owner] = 255;
    }
    list.into_iter().map(Priority).collect()
}

fn draft(rng: &mut Rng, nodes: usize, segment: usize, vrid: u8, speed: u16) -> Draft {
    let version = if speed == 100 && rng.percent(35) { Version::V2 } else { Version::V3 };
    let families: &[Family] = match version {
        Version::V2 => &[Family::V4],
        Version::V3 => rng.weighted(&[
            (45, &[Family::V4] as &[Family]),
            (25, &[Family::V6]),
            (30, &[Family::V4, Family::V6]),
        ]),
    };
    let name = format!("s{segment}v{vrid}");
    let interface = plan::interface_name(segment, usize::MAX);
    let mut template = plan::instance(&name, &interface, vrid, Vec::new());
    template.version = version;
    let base = Centiseconds(speed);
    let (objects, second_objects) = objects(rng, families, segment, vrid);

    let strict = rng.percent(10);
    template.strict = strict;
    options(rng, &mut template);
    if strict {
        template.lower_prio_no_advert = true;
        template.higher_prio_send_advert = false;
        template.owner_ignore_adverts = true;
        template.hand_over = false;
        template.down_timer_adverts = 3;
        template.announce.lower_prio_repeat = 0;
    }
    if version == Version::V2 && !strict && rng.percent(40) {
        template.authentication = Authentication::Password(*b"secret\0\0");
    }
    if version == Version::V3 && rng.percent(12) {
        template.checksum = Checksum::MessageOnly;
    }

    let all = || vec![true; nodes];
    let some = |rng: &mut Rng| {
        let mut members = vec![true; nodes];
        if nodes > 2 && rng.percent(20) {
            members[rng.index(nodes)] = false;
        }
        members
    };
    let members = match rng.below(10) {
        // Added or removed by the second generation.
        0 => [vec![false; nodes], some(rng)],
        1 => [some(rng), vec![false; nodes]],
        2 => [some(rng), some(rng)],
        _ => [all(), all()],
    };
    if !strict && rng.percent(12) {
        template.unicast_peers = vec![plan::address(Family::V4, 0, 0, 0)];
        template.check_unicast_source = rng.percent(50);
        if version == Version::V3 && rng.percent(30) {
            template.checksum = Checksum::OldUnicast;
        }
    }

    let first = priorities(rng, nodes);
    let second = if rng.percent(60) { priorities(rng, nodes) } else { first.clone() };
    let mut intervals = [vec![base; nodes], vec![base; nodes]];
    if version == Version::V3 && rng.percent(30) {
        for interval in intervals.iter_mut().flatten() {
            *interval = Centiseconds(rng.between(u64::from(speed), u64::from(speed) * 3) as u16);
        }
    } else if rng.percent(30) {
        intervals[1] = vec![Centiseconds(speed * 2); nodes];
    }
    let down = down_interval(version, 3, base, Priority::DEFAULT);
    let delay = rng.duration(down / 4, down);
    let one = preempt(rng, delay, strict);
    let preempt = (0..nodes)
        .map(|_| if rng.percent(15) { preempt(rng, delay, strict) } else { one })
        .collect();
    Draft {
        segment,
        grouped: false,
        second_vrid: if rng.percent(5) { Vrid::new(vrid + 100) } else { None },
        members,
        template,
        priorities: [first, second],
        intervals,
        preempt,
        objects: [objects, second_objects],
    }
}

/// Whether and after which delay to preempt.
fn preempt(rng: &mut Rng, delay: Duration, strict: bool) -> (Preempt, Duration) {
    match rng.below(20) {
        0..=2 => (Preempt::Off, Duration::ZERO),
        3..=5 if !strict => (Preempt::On, delay),
        6..=8 if !strict => (Preempt::Immediate, Duration::ZERO),
        _ => (Preempt::On, Duration::ZERO),
    }
}

/// The objects of both generations.
fn objects(
    rng: &mut Rng,
    families: &[Family],
    segment: usize,
    vrid: u8,
) -> (Vec<Object>, Vec<Object>) {
    let mut first = Vec::new();
    if rng.percent(15) {
        first.push(Object::Filter);
    }
    for family in families {
        for number in 1..=rng.weighted(&[(60, 1), (25, 2), (10, 3), (5, 6)]) {
            first.push(Object::Address(plan::held(*family, segment, vrid, number)));
        }
    }
    if rng.percent(25) {
        // Any family may be excluded, also one without a virtual router.
        let family = if rng.percent(50) { Family::V4 } else { Family::V6 };
        first.push(Object::Excluded(plan::held(family, segment, vrid, 20)));
    }
    let mut second = first.clone();
    if rng.percent(40) {
        second.push(Object::Address(plan::held(families[0], segment, vrid, 10)));
    }
    if rng.percent(20) && second.len() > families.len() + 2 {
        let last = second.len() - 1;
        second.remove(last);
    }
    if rng.percent(15) {
        second.retain(|o| *o != Object::Filter);
    }
    (first, second)
}

fn options(rng: &mut Rng, template: &mut InstanceSettings) {
    let interval = u64::from(template.interval.0) * 10;
    let maybe = |rng: &mut Rng, percent: u64, low: u64, high: u64| {
        if rng.percent(percent) {
            Duration::from_millis(rng.between(low, high))
        } else {
            Duration::ZERO
        }
    };
    template.announce = Announce {
        repeat: rng.between(1, 5) as u8,
        delay: maybe(rng, 60, 50, 5 * interval),
        refresh: maybe(rng, 25, interval, 6 * interval),
        refresh_repeat: rng.between(1, 2) as u8,
        lower_prio_repeat: rng.between(1, 3) as u8,
        lower_prio_delay: maybe(rng, 40, 50, 3 * interval),
        probe: Duration::from_millis(3 * interval),
    };
    template.pacing =
        Pacing { garp_interval: maybe(rng, 20, 1, 5), gna_interval: maybe(rng, 20, 1, 5) };
    template.skip_check_adv_addr = rng.percent(30);
    template.higher_prio_send_advert = rng.percent(50);
    template.lower_prio_no_advert = !rng.percent(90);
    template.owner_ignore_adverts = rng.percent(10);
    template.hand_over = rng.percent(85) && template.version == Version::V3;
    template.down_timer_adverts = rng.weighted(&[(80, 3), (10, 2), (10, 5)]);
    template.on_foreign_removal =
        if rng.percent(60) { OnForeignRemoval::Restore } else { OnForeignRemoval::Backup };
    template.resume_within =
        rng.percent(20).then(|| Duration::from_millis(rng.between(interval / 2, 3 * interval)));
    template.dont_track_primary = rng.percent(5);
    template.track = tracks(rng);
}

fn tracks(rng: &mut Rng) -> Vec<Track> {
    let mut track = Vec::new();
    let weight = |rng: &mut Rng| {
        let size = rng.between(5, 60) as i16;
        match rng.below(5) {
            0 => 0,
            1 | 2 => size,
            _ => -size,
        }
    };
    if rng.percent(25) {
        track.push(Track {
            tracker: Tracker::Interface("up0".into()),
            weight: weight(rng),
            reverse: false,
        });
    }
    if rng.percent(25) {
        let weight = weight(rng);
        track.push(Track {
            tracker: Tracker::Named(CHECK.into()),
            weight,
            // Turned round and without weight it would be a fault for ever.
            reverse: weight != 0 && rng.percent(15),
        });
    }
    track
}

/// Joins one instance of each segment: same nodes, priorities and preemption, as a sensible
/// administrator has it; members that disagree about who is best never settle.
fn group(rng: &mut Rng, nodes: usize, segments: usize, drafts: &mut [Draft]) -> Vec<GroupSettings> {
    let mut members: Vec<usize> = Vec::new();
    for segment in 0..segments {
        if let Some(first) = drafts.iter().position(|d| d.segment == segment) {
            members.push(first);
        }
    }
    rng.shuffle(&mut members);
    let leader = drafts[members[0]].clone();
    for index in &members {
        let draft = &mut drafts[*index];
        draft.grouped = true;
        draft.second_vrid = None;
        draft.members = [vec![true; nodes], vec![true; nodes]];
        draft.priorities = leader.priorities.clone();
        draft.preempt = leader.preempt.clone();
        draft.template.track = Vec::new();
        draft.template.strict = false;
        draft.template.owner_ignore_adverts = leader.template.owner_ignore_adverts;
        // One that may hand over and one that may not would contradict each other.
        draft.template.hand_over =
            leader.template.hand_over && draft.template.version == Version::V3;
        draft.template.on_foreign_removal = leader.template.on_foreign_removal;
    }
    vec![GroupSettings {
        name: "gateway".into(),
        members: members.iter().map(|m| drafts[*m].template.name.clone()).collect(),
        track: tracks(rng),
    }]
}

impl Draft {
    fn instance(
        &self,
        rng: &mut Rng,
        node: usize,
        generation: usize,
        hosts: &[Host],
    ) -> InstanceSettings {
        let mut one = self.template.clone();
        let others = || (0..hosts.len()).filter(|n| *n != node);
        one.priority = self.priorities[generation][node];
        one.interval = self.intervals[generation][node];
        one.objects = self.objects[generation].clone();
        if generation == 1 {
            one.vrid = self.second_vrid.unwrap_or(one.vrid);
        }
        (one.preempt, one.preempt_delay) = self.preempt[node];
        if one.priority.is_owner() {
            (one.preempt, one.preempt_delay) = (Preempt::On, Duration::ZERO);
            one.track.retain(|t| t.weight == 0);
        }
        if one.preempt == Preempt::Off && !self.grouped && rng.percent(30) {
            one.timer_expired_backup =
                others().map(|n| self.priorities[generation][n]).max_by_key(|p| p.0);
        }
        if self.members[generation].iter().filter(|m| **m).count() == 2 && rng.percent(60) {
            one.backups = Some(1);
        }
        if !one.unicast_peers.is_empty() {
            one.unicast_peers = Family::ALL
                .into_iter()
                .filter(|family| one.has_family(*family))
                .flat_map(|family| others().map(move |n| (family, n)))
                .map(|(family, n)| hosts[n].address(family, self.segment))
                .collect();
        }
        one
    }
}
