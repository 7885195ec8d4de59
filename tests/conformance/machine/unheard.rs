//! Adverts that do not leave (`src/vrrp/refusal.rs`): never two holders for long.

use std::time::Duration;

use steadfast::units::{Family, Priority};
use steadfast::vrrp::settings::{Announce, InstanceSettings, Preempt};
use steadfast::vrrp::{Cause, Command, KernelError, State};

use super::driver::*;

/// Of priority 100, with everything that leaves refused from now on.
fn refused_master() -> Driver {
    let mut d = Driver::master(instance("a"));
    d.refused_on = Some("eth0");
    d
}

/// What gave way to the peer 192.0.2.20, which went on being master until now.
fn gave_way() -> Driver {
    let mut d = refused_master();
    d.run_for(ms(3_703));
    d.hear(&peer(20, 50));
    assert_eq!(d.state(), State::Backup);
    d.clear();
    d
}

fn unheard(pause: Duration) -> Cause {
    Cause::Unheard { master: v4(20), family: Family::V4, error: KernelError(1), pause }
}

const TEN: Duration = Duration::from_secs(10);

/// Rule 1: no advert left for a Master_Down_Interval, so the first advert of the router that took over
/// ends the mastership: the addresses are removed, without priority 0 or another advert.
#[test]
fn a_master_that_nobody_hears_gives_way_to_the_first_lower_one() {
    let mut d = refused_master();
    d.run_for(us(3_609_374));
    d.clear();
    d.hear(&peer(20, 50));
    assert_eq!(d.state(), State::Master, "a Master_Down_Interval is not over");
    d.run_for(us(1));
    d.clear();
    d.hear(&peer(20, 50));
    assert_eq!(d.state(), State::Backup);
    assert_eq!(d.deeds(), ["remove 192.0.2.100"]);
    assert_eq!(d.cause(), unheard(TEN));
    let router = d.router(Family::V4);
    assert_eq!(d.engine.master(router).map(|m| m.address), Some(v4(20)));
}

/// Rule 1: the same for an equal priority that would lose.
#[test]
fn a_master_that_nobody_hears_gives_way_to_an_equal_one() {
    let mut d = refused_master();
    d.run_for(ms(3_703));
    d.hear(&peer(OWN - 1, 100));
    assert_eq!(d.state(), State::Backup);
}

/// Rule 1: one advert that left within the time is enough to stay master, and so is one without a
/// reported error.
#[test]
fn an_advert_that_left_is_enough_to_stay() {
    let mut d = refused_master();
    d.run_for(ms(2_500));
    d.refused_on = None;
    d.run_for(ms(1_000));
    d.refused_on = Some("eth0");
    d.hear_for(&peer(20, 50), ms(3_000));
    assert_eq!(d.state(), State::Master);
    let mut d = refused_master();
    d.run_for(ms(3_500));
    d.refused_on = None;
    d.run_for(ms(600));
    d.hear(&peer(20, 50));
    assert_eq!(d.state(), State::Master);
}

/// Rule 1: one refusal after a long sleep says nothing about the time before.
#[test]
fn a_single_refusal_is_not_enough() {
    let mut d = Driver::master(instance("a"));
    d.stall(ms(20_000));
    d.refused_on = Some("eth0");
    d.event(steadfast::vrrp::Event::Wake);
    d.hear(&peer(20, 50));
    assert_eq!(d.state(), State::Master);
}

/// Rule 1: our own advert that the network returns, priority 0, another pair of routers and invalid
/// packets do not count as another master.
#[test]
fn only_another_master_counts() {
    let mut d = refused_master();
    d.run_for(ms(20_000));
    d.hear(&peer(OWN, 100));
    d.hear(&peer(20, 0));
    d.hear(&peer(20, 50).addresses(&[v4(7)]));
    d.hear(&Peer { hop_limit: 254, ..peer(20, 50) });
    assert_eq!(d.state(), State::Master);
}

/// Rule 5.
#[test]
fn with_nobody_else_it_stays_master() {
    let mut d = refused_master();
    d.run_for(ms(600_000));
    assert_eq!(d.state(), State::Master);
    assert!(d.installed());
}

/// Rules 2 and 3: it tries again after pauses that grow, and nothing but the advert is ever asked
/// for.
#[test]
fn it_preempts_again_after_growing_pauses_and_nobody_notices() {
    let mut d = gave_way();
    d.hear_for(&peer(20, 50), ms(1_000_000));
    let tries: Vec<_> =
        d.transitions().iter().filter(|t| t.2 == State::Master).map(|t| t.0).collect();
    let pauses: Vec<_> = tries.windows(2).map(|two| (two[1] - two[0]).as_secs()).collect();
    // Each ends with an advert that is not followed; the DownTimer runs out by then.
    assert_eq!(pauses, [23, 43, 83, 163, 303, 303]);
    let deeds = d.deeds();
    assert!(deeds.iter().all(|deed| deed == "send a IPv4 100"), "{deeds:?}");
    assert_eq!(deeds.len(), tries.len(), "one advert each time");
    assert_eq!(d.cause(), unheard(Duration::from_secs(300)));
    assert_eq!(d.state(), State::Backup);
    let router = d.router(Family::V4);
    assert_eq!(
        d.engine.master(router).map(|m| m.address),
        Some(v4(20)),
        "it is known all the time"
    );
}

/// Rule 4: when adverts leave again it is as before, and the next time begins with the first pause.
#[test]
fn when_adverts_leave_all_is_forgotten() {
    let mut d = gave_way();
    d.hear_for(&peer(20, 50), ms(30_000));
    d.refused_on = None;
    d.hear_for(&peer(20, 50), ms(30_000));
    assert_eq!(d.state(), State::Master);
    assert!(d.installed());
    // The peer is mute now, and comes back.
    d.run_for(ms(5_000));
    d.refused_on = Some("eth0");
    d.run_for(ms(5_000));
    d.hear(&peer(20, 50));
    assert_eq!(d.cause(), unheard(TEN));
}

/// Rule 4: a master whose adverts leave again announces its addresses once, since clients may have
/// learned those of another master that gives way now. One failed advert is no reason for that.
#[test]
fn who_is_heard_again_announces() {
    let announce = Announce { lower_prio_repeat: 1, ..instance("a").announce };
    for (refused, count) in [(1, 0), (2, 0), (3, 1), (60, 1)] {
        let mut d = Driver::master(InstanceSettings { announce, ..instance("a") });
        d.refused_on = Some("eth0");
        d.run_for(ms(refused * 1_000 + 500));
        d.refused_on = None;
        d.clear();
        d.run_for(ms(30_000));
        assert_eq!(d.announced(v4(100)).len(), count, "after {refused}");
    }
}

/// Rule 3: what may have mended it ends the pause.
#[test]
fn a_change_of_the_interface_a_reload_and_a_release_end_the_pause() {
    let release = |d: &mut Driver| {
        let instance = d.a();
        d.command(Command::Release { instance });
    };
    let mends: [fn(&mut Driver); 3] = [
        |d| {
            d.interface_down("eth0");
            d.interface("eth0", up());
        },
        |d| d.reload_one(instance("a")),
        release,
    ];
    for (which, mend) in mends.into_iter().enumerate() {
        let mut d = gave_way();
        // A pause of 40 s has begun.
        d.hear_for(&peer(20, 50), ms(38_000));
        d.refused_on = None;
        mend(&mut d);
        d.hear_for(&peer(20, 50), ms(4_000));
        assert_eq!(d.state(), State::Master, "{which}");
    }
    // Without, it waits.
    let mut d = gave_way();
    d.hear_for(&peer(20, 50), ms(38_000));
    d.refused_on = None;
    d.hear_for(&peer(20, 50), ms(4_000));
    assert_eq!(d.state(), State::Backup);
}

/// Rule 3: a master with a higher priority, and one that falls silent, are handled as usual.
#[test]
fn it_takes_over_from_a_master_that_falls_silent() {
    let mut d = gave_way();
    d.run_for(us(3_609_374));
    assert_eq!(d.state(), State::Backup);
    d.run_for(us(1));
    assert_eq!(d.state(), State::Master);
    assert!(d.installed());
    // Rule 2: a third router did not hear that.
    d.run_for(ms(200));
    d.hear(&peer(30, 40));
    assert_eq!(d.state(), State::Backup);
}

/// Rule 2: also at the first attempt: a router that starts behind a firewall does not disturb others.
#[test]
fn a_takeover_that_cannot_be_said_does_not_happen() {
    for preempt in [Preempt::On, Preempt::Immediate] {
        let mut d = Driver::one(InstanceSettings { preempt, ..instance("a") });
        d.refused_on = Some("eth0");
        d.hear_for(&peer(20, 50).every(400), ms(9_000));
        assert_eq!(d.deeds(), ["send a IPv4 100"], "{preempt:?}");
        assert_eq!(d.cause(), unheard(TEN));
        // The interval of the one that serves is not forgotten.
        d.hear(&peer(20, 50).every(400));
        assert_eq!(d.down(), Some(us(12_000_000 + 4_000_000 * 156 / 256)));
    }
}

/// Rule 2: an advert that left in one family, or for one member, has ended the other router's
/// mastership. Giving way then would leave the addresses without a master. When no advert left, all give
/// way.
#[test]
fn a_takeover_of_which_a_part_was_said_happens() {
    let hear = |d: &mut Driver| Family::ALL.into_iter().for_each(|f| d.hear(&peer_of(f, 20, 50)));
    for family in Family::ALL {
        let mut d = Driver::one(both());
        (d.refused_on, d.refused_family) = (Some("eth0"), Some(family));
        for _ in 0..4 {
            hear(&mut d);
            d.run_for(ms(1_000));
        }
        assert!(d.state() == State::Master && d.installed(), "{family}");
        // It crossed our first one.
        hear(&mut d);
        assert_eq!(d.state(), State::Master, "{family}");
    }
    let mut d = Driver::one(both());
    d.refused_on = Some("eth0");
    for _ in 0..4 {
        hear(&mut d);
        d.run_for(ms(1_000));
    }
    assert_eq!(d.state(), State::Backup);
    assert_eq!(d.deeds(), ["send a IPv4 100", "send a IPv6 100"]);
}

/// Rule 2, in a group.
#[test]
fn a_group_takes_over_when_some_member_can_say_so() {
    let takeover = |refused| {
        let mut d = Driver::started(&pair());
        d.refused_on = Some(refused);
        for _ in 0..4 {
            d.hear(&peer(20, 50));
            d.hear(&peer(20, 50).on("eth1").addresses(&[v4(200)]));
            d.run_for(ms(1_000));
        }
        (d.state_of("a"), d.state_of("b"))
    };
    for interface in ["eth0", "eth1"] {
        assert_eq!(takeover(interface), (State::Master, State::Master), "{interface}");
    }
}

/// A whole group gives way; those that could send say so.
#[test]
fn a_group_gives_way_together() {
    let mut d = Driver::master_of(&pair());
    d.refused_on = Some("eth1");
    d.run_for(ms(3_703));
    d.clear();
    d.hear(&peer(20, 50).on("eth1").addresses(&[v4(200)]));
    assert_eq!((d.state_of("a"), d.state_of("b")), (State::Backup, State::Backup));
    assert_eq!(d.deeds(), ["send a IPv4 0", "remove 192.0.2.100", "remove 192.0.2.200"]);
    assert_eq!(d.cause(), Cause::Group { member: d.id("b") });
}

/// An owner cannot say it either.
#[test]
fn an_owner_gives_way_as_well() {
    let mut d = Driver::master(InstanceSettings { priority: Priority::OWNER, ..instance("a") });
    d.refused_on = Some("eth0");
    d.run_for(ms(3_703));
    d.hear(&peer(20, 50));
    assert_eq!(d.state(), State::Backup);
    d.clear();
    d.hear_for(&peer(20, 50), ms(60_000));
    let deeds = d.deeds();
    assert!(deeds.iter().all(|deed| deed == "send a IPv4 255"), "{deeds:?}");
}
