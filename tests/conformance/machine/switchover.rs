//! Status: switchover, hold and release.

use std::time::Duration;

use steadfast::units::{Family, Priority};
use steadfast::vrrp::settings::InstanceSettings;
use steadfast::vrrp::timers::Timer;
use steadfast::vrrp::{Command, Event, Notice, Outcome, State};

use super::driver::*;

fn held(hold_for: Option<Duration>) -> Driver {
    let mut d = Driver::master(instance("a"));
    d.switchover(hold_for, false);
    d.run_for(ms(20));
    d.hear(&peer(20, 90));
    d.hear_announcement(v4(100));
    assert_eq!(d.state(), State::Backup);
    d
}

/// A held router has the lowest priority: it follows anybody and waits longest.
#[test]
fn a_hold_is_the_lowest_priority() {
    let mut d = held(None);
    let instance = d.a();
    let (from, to) = (Priority(100), Priority::LOWEST);
    assert_eq!(d.engine.effective_priority(instance), Some(to));
    let told = d.notices();
    assert_eq!(
        told[told.len() - 2..],
        [
            Notice::Hold { instance, held: true, hold_for: None },
            Notice::PriorityChanged { instance, from, to }
        ]
    );
    assert_eq!(d.down(), Some(us(3_996_093)));
    d.hear_for(&peer(20, 1), ms(60_000));
    assert_eq!(d.state(), State::Backup);
}

/// Nobody else: a held router takes over, with its lowest priority.
#[test]
fn a_held_router_still_backs_up() {
    let mut d = held(None);
    d.clear();
    d.run_for(us(3_996_093));
    assert_eq!(d.state(), State::Master);
    assert_eq!(d.adverts()[0].1, 1);
}

/// `release` ends the hold, and preemption works again.
#[test]
fn release() {
    let mut d = held(None);
    let instance = d.a();
    d.clear();
    d.command(Command::Release { instance });
    let (from, to) = (Priority::LOWEST, Priority(100));
    assert_eq!(
        d.notices(),
        [
            Notice::Hold { instance, held: false, hold_for: None },
            Notice::PriorityChanged { instance, from, to }
        ]
    );
    d.hear_for(&peer(20, 90), ms(5_000));
    assert_eq!(d.state(), State::Master);
    d.clear();
    d.command(Command::Release { instance });
    assert_eq!((d.log.len(), d.answers()), (1, vec![Outcome::NotHeld]), "and nothing else is done");
}

/// `--for`: the hold ends by itself.
#[test]
fn a_hold_expires() {
    let mut d = held(Some(ms(30_000)));
    assert_eq!(d.left(Timer::HoldEnd), Some(ms(30_000)));
    d.hear_for(&peer(20, 90), ms(29_999));
    assert!(d.engine.held(d.a()).is_some());
    d.run_for(ms(1));
    assert_eq!(d.engine.held(d.a()), None);
    d.hear_for(&peer(20, 90), ms(5_000));
    assert_eq!(d.state(), State::Master);
}

/// The hold outlasts being master, a fault and a reload.
#[test]
fn a_hold_stays() {
    let mut d = held(Some(ms(30_000)));
    d.run_for(ms(5_000));
    assert_eq!(d.state(), State::Master);
    d.interface_down("eth0");
    d.interface("eth0", up());
    d.reload_one(InstanceSettings { priority: Priority(150), ..instance("a") });
    assert_eq!(d.engine.effective_priority(d.a()), Some(Priority::LOWEST));
    d.run_for(ms(25_000));
    assert_eq!(d.engine.effective_priority(d.a()), Some(Priority(150)));
}

/// A backup is held where it is; a second switchover only sets the time anew.
#[test]
fn a_backup_is_held() {
    let mut d = Driver::one(instance("a"));
    d.run_for(ms(1_000));
    d.switchover(Some(ms(10_000)), false);
    assert_eq!(d.state(), State::Backup);
    assert_eq!(d.deeds(), [""; 0]);
    assert_eq!(d.left(Timer::Down(Family::V4)), Some(us(3_996_093)));
    d.run_for(ms(1_000));
    d.switchover(Some(ms(60_000)), false);
    assert_eq!(d.left(Timer::HoldEnd), Some(ms(60_000)));
    d.switchover(None, false);
    assert_eq!(d.left(Timer::HoldEnd), None);
    assert_eq!(d.engine.held(d.a()), Some(None));
}

/// A held owner does not preempt.
#[test]
fn a_held_owner_waits() {
    let mut d = Driver::one(InstanceSettings { priority: Priority::OWNER, ..instance("a") });
    d.switchover(None, false);
    d.run_for(ms(20));
    d.hear(&peer(20, 90));
    d.hear_for(&peer(20, 90), ms(30_000));
    assert_eq!(d.state(), State::Backup);
    let instance = d.a();
    d.command(Command::Release { instance });
    d.hear_for(&peer(20, 90), ms(5_000));
    assert_eq!(d.state(), State::Master);
}

/// While one is under way another one does nothing.
#[test]
fn a_second_switchover_does_not_start_anew() {
    let mut d = Driver::master(instance("a"));
    d.switchover(None, false);
    d.run_for(ms(8));
    d.switchover(Some(ms(1_000)), true);
    d.run_for(ms(12));
    let priorities: Vec<u8> = d.adverts().iter().map(|advert| advert.1).collect();
    assert_eq!(priorities, [100, 100, 100, 0]);
    d.run_for(ms(10_000));
    assert_eq!(d.state(), State::Master, "nor does it insist");
    assert_eq!(d.engine.held(d.a()), None);
}

/// What stops is not held.
#[test]
fn a_stopping_router_is_not_held() {
    let mut d = Driver::master(InstanceSettings { hand_over: false, ..instance("a") });
    d.event(Event::Shutdown);
    d.clear();
    d.switchover(None, false);
    assert_eq!((d.engine.held(d.a()), d.answers()), (None, vec![Outcome::Ended]));
}

/// Each command has one answer, when its end is known.
#[test]
fn commands_are_answered_once() {
    let held = |d: &Driver| d.engine.held(d.a());
    let mut d = Driver::master(instance("a"));
    d.switchover(Some(ms(60_000)), false);
    assert_eq!(d.answers(), []);
    d.run_for(ms(10_000));
    assert_eq!(d.answers(), [Outcome::NotTaken], "nobody is there");
    d.switchover(Some(ms(60_000)), true);
    d.run_for(ms(6_000));
    let hold = held(&d);
    assert!(hold.is_some());
    assert_eq!(d.answers(), [Outcome::GivenUp { hold, before: None }]);
    d.switchover(None, false);
    let (before, hold, state) = (hold, held(&d), State::Backup);
    assert_eq!(d.answers(), [Outcome::Held { state, hold, before }]);
    d.release();
    d.release();
    assert_eq!(d.answers(), [Outcome::Released, Outcome::NotHeld]);
}

/// A stop that cannot wait gives up what nobody has taken yet, with priority 0.
#[test]
fn a_stop_at_once_waits_for_nobody() {
    for after in [0, 3, 12, 500] {
        let mut d = Driver::master(instance("a"));
        d.clear();
        d.event(Event::Shutdown);
        d.run_for(ms(after));
        assert_eq!(d.state(), State::Master);
        d.event(Event::StopNow);
        assert_eq!(d.state(), State::Initialize);
        let last = d.adverts().last().map(|(_, priority, _)| *priority);
        assert_eq!(last, Some(0), "after {after} ms");
        assert_eq!(d.engine.installed(d.a()), 0);
        assert!(d.has_stopped());
    }
}
