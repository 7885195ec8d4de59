//! Scenarios with two routers of any implementation.

use std::time::Duration;

use crate::harness::packet::Packet;
use crate::scene::{Member, Scene};
use crate::settings::{Instance, Profile};
use crate::speaker::{Maker, Role};

/// Adverts of a master in which somebody else would have shown up.
const WHILE: usize = 4;

/// The error when two clocks are compared: captures use the wall clock, which may be adjusted, daemons a
/// clock that is not.
const CLOCKS: Duration = Duration::from_millis(2);

/// Priorities of a master and its backup.
const HIGH: u8 = 150;
const LOW: u8 = 100;

/// The master is killed and the backup takes over; the master comes back and takes over again.
#[track_caller]
pub fn dies_and_returns(profile: Profile, master: Maker, backup: Maker) {
    dies_and_returns_with(master, backup, |priority| Instance::new(profile, priority));
}

/// The same with a password.
#[track_caller]
pub fn dies_and_returns_with_password(master: Maker, backup: Maker) {
    dies_and_returns_with(master, backup, |priority| Instance {
        password: Some("tr0ub4do"),
        ..Instance::new(Profile::V2, priority)
    });
}

#[track_caller]
fn dies_and_returns_with(master: Maker, backup: Maker, told: impl Fn(u8) -> Instance) {
    let scene = &mut Scene::new((master, vec![told(HIGH)]), (backup, vec![told(LOW)]));
    start(scene);
    let Scene { wire, a, b, .. } = scene;

    wire.mark();
    wire.wait_for("an advert of the master", |p| a.sent(p));
    a.kill();
    b.becomes(Role::Master);
    b.holds(true);
    // FRR announces the addresses first, and waits for its macvlan with the advert.
    wire.wait_for("an advert of the new master", |p| b.sent(p));
    let heard = wire.packets();
    let first = position(heard, |p| b.sent(p));
    assert!(!heard.iter().any(|p| a.gave_up(p)), "whoever is dead says nothing");
    let last = &heard[..first].iter().rfind(|p| a.sent(p)).expect("it was waited for");
    let took = heard[first].at - last.at;
    let due = b.instance().master_down_interval(a.instance().interval);
    println!("{}: {took:?} after the last advert; the protocol says {due:?}", b.name);
    assert!(b.maker != Maker::Steadfast || took + CLOCKS >= due, "too early: {took:?} of {due:?}");

    wire.mark();
    a.start();
    a.becomes(Role::Master);
    b.follows(a);
    a.holds(true);
    b.holds(false);
    wire.wait_for_many(2, "adverts of the master", |p| a.sent(p));
    gives_way(wire.packets(), a, b);
    speaks_alone(scene);
}

/// The master was away; with `preempt` off it leaves the other one alone when it is back, until
/// that one dies.
#[track_caller]
pub fn stays_backup(profile: Profile, high: Maker, low: Maker) {
    let told = |priority| vec![Instance { preempt: false, ..Instance::new(profile, priority) }];
    let scene = &mut Scene::new((low, told(LOW)), (high, told(HIGH)));
    start(scene);
    speaks_alone(scene);
    let Scene { wire, a, b, .. } = scene;
    assert_eq!(b.role(), Role::Backup);
    wire.mark();
    a.kill();
    b.becomes(Role::Master);
    b.holds(true);
    assert!(!wire.packets().iter().any(|p| a.gave_up(p)));
}

/// Both are master with the same priority, apart from each other, and meet.
#[track_caller]
pub fn higher_address_wins(profile: Profile, lower: Maker, higher: Maker) {
    let told = || vec![Instance::new(profile, LOW)];
    let scene = &mut Scene::new((lower, told()), (higher, told()));
    scene.split(true);
    let Scene { wire, a, b, lan: _, .. } = scene;
    a.start();
    b.start();
    a.becomes(Role::Master);
    b.becomes(Role::Master);
    wire.mark();
    wire.wait_for("an advert of the lower address", |p| a.sent(p));
    wire.wait_for("an advert of the higher address", |p| b.sent(p));

    scene.split(false);
    let Scene { wire, a, b, .. } = scene;
    a.follows(b);
    assert_eq!(b.role(), Role::Master);
    a.holds(false);
    b.holds(true);
    assert!(!wire.packets().iter().any(|p| a.gave_up(p) || b.gave_up(p)), "nobody ends");
    // No flapping: neither of them changes its mind.
    speaks_alone_as(scene, false);
    assert_eq!((scene.a.role(), scene.b.role()), (Role::Backup, Role::Master));
}

/// A backup with an interval of 1 s follows a master with 300 ms: it takes over earlier than
/// it does in a second virtual router, whose master has 1 s, although its priority lets it wait
/// shorter there.
#[track_caller]
pub fn learns_the_interval(profile: Profile, master: Maker, backup: Maker) {
    let slow = Duration::from_secs(1);
    let beside = |priority| Instance { interval: slow, ..Instance::beside(profile, priority) };
    let scene = &mut Scene::new(
        (master, vec![Instance::new(profile, HIGH), beside(254)]),
        (backup, vec![Instance { interval: slow, ..Instance::new(profile, LOW) }, beside(253)]),
    );
    start(scene);
    let Scene { wire, a, b, .. } = scene;
    wire.mark();
    a.kill();
    b.becomes(Role::Master);
    let order: Vec<u8> = wire
        .packets()
        .iter()
        .filter(|p| p.is_of_master(b.name))
        .filter_map(|p| Some(p.advert()?.vrid))
        .collect();
    let first_of = |instance: &Instance| order.iter().position(|vrid| *vrid == instance.vrid);
    let (lan, beside) = (first_of(&b.instances[0]), first_of(&b.instances[1]));
    assert!(lan.is_some() && lan < beside, "{order:?}");
    // As master it has its own interval.
    let own = wire.last(|p| b.sent(p)).expect("there is one");
    assert_eq!(own.advert().map(|advert| advert.interval.duration()), Some(slow));
}

/// The master ends as its administrator asks it to, and the backup takes over.
#[track_caller]
pub fn stops(profile: Profile, master: Maker, backup: Maker) {
    let told = |priority| vec![Instance::new(profile, priority)];
    let scene = &mut Scene::new((master, told(HIGH)), (backup, told(LOW)));
    start(scene);
    let Scene { wire, a, b, .. } = scene;
    wire.mark();
    wire.wait_for("an advert of the master", |p| a.sent(p));
    a.stop();
    b.becomes(Role::Master);
    b.holds(true);
    a.holds(false);
    wire.wait_for("an advert of the new master", |p| b.sent(p));
    let heard = wire.packets();
    let end = position(heard, |p| a.gave_up(p));
    let first = position(heard, |p| b.sent(p));
    assert!(end < first, "nobody takes over before the master gives up");
    assert!(!heard[end..].iter().any(|p| a.sent(p)), "whoever gave up is silent");
    let took = heard[first].at - heard[end].at;
    let usual = b.instance().skew_time(a.instance().interval);
    println!("{}: {took:?} after priority 0; the skew time is {usual:?}", b.name);
    let announced = intervals(heard, a);
    if a.maker == Maker::Steadfast && profile != Profile::V2 {
        // architecture.md, hand-over: with no number of backups given, 5 cs.
        assert!(announced.contains(&Duration::from_millis(50)), "{announced:?}");
    } else {
        assert_eq!(announced, [a.instance().interval], "the master keeps its interval");
    }
}

/// The passwords differ: neither takes the other one for a router of the same pair.
#[track_caller]
pub fn other_password() {
    let told = |priority, password| {
        vec![Instance { password: Some(password), ..Instance::new(Profile::V2, priority) }]
    };
    let scene = &mut Scene::new(
        (Maker::Keepalived, told(HIGH, "tr0ub4do")),
        (Maker::Steadfast, told(LOW, "horse")),
    );
    let Scene { wire, a, b, .. } = scene;
    a.start();
    b.start();
    a.becomes(Role::Master);
    b.becomes(Role::Master);
    wire.mark();
    wire.wait_for_many(WHILE, "adverts of ours", |p| b.sent(p));
    assert_eq!((a.role(), b.role()), (Role::Master, Role::Master));
    let rejected = b.rejected();
    assert_eq!(rejected.keys().collect::<Vec<_>>(), ["auth_failed"], "{rejected:?}");
}

/// The intervals that a master announced, each once, in order.
fn intervals(heard: &[Packet], of: &Member) -> Vec<Duration> {
    let mut all: Vec<Duration> = heard
        .iter()
        .filter(|p| of.sent(p))
        .filter_map(|p| Some(p.advert()?.interval.duration()))
        .collect();
    all.dedup();
    all
}

/// Starts the first, then the second, which follows it.
#[track_caller]
fn start(scene: &mut Scene) {
    let Scene { wire, a, b, .. } = scene;
    wire.mark();
    a.start();
    a.becomes(Role::Master);
    a.holds(true);
    wire.wait_for("an advert of the master", |p| a.sent(p));
    b.start();
    b.follows(a);
    b.holds(false);
    assert!(!wire.packets().iter().any(|p| b.sent(p)), "the backup never was master");
}

/// From its second advert on, the new master speaks alone. The first one may cross one of the
/// old one, which may say one last word (keepalived: `vrrp_higher_prio_send_advert`).
#[track_caller]
fn gives_way(heard: &[Packet], master: &Member, backup: &Member) {
    let first = position(heard, |p| master.sent(p));
    let second = first + 1 + position(&heard[first + 1..], |p| master.sent(p));
    assert!(heard[..first].iter().any(|p| backup.sent(p)), "it was master until then");
    assert!(!heard[second..].iter().any(|p| backup.sent(p)), "it gives way");
    assert!(!heard.iter().any(|p| backup.gave_up(p)), "it was overruled and does not end");
}

/// Only the first router is heard for some time.
#[track_caller]
fn speaks_alone(scene: &mut Scene) {
    speaks_alone_as(scene, true);
}

#[track_caller]
fn speaks_alone_as(scene: &mut Scene, first: bool) {
    let Scene { wire, a, b, .. } = scene;
    let (master, backup) = if first { (a, b) } else { (b, a) };
    wire.mark();
    wire.wait_for_many(WHILE, "adverts of the master", |p| master.sent(p));
    let others = wire.packets().iter().filter(|p| backup.sent(p) || backup.gave_up(p)).count();
    assert_eq!(others, 0, "adverts of the backup");
    for packet in wire.packets() {
        let Some(advert) = packet.advert() else { continue };
        assert!(advert.checksum_is_good, "{packet}");
        assert_eq!(advert.version, master.instance().profile.version(), "{packet}");
        assert_eq!(advert.hop_limit, 255, "{packet}");
    }
}

#[track_caller]
fn position(heard: &[Packet], is_it: impl Fn(&Packet) -> bool) -> usize {
    heard.iter().position(is_it).expect("a packet that was seen by others")
}
