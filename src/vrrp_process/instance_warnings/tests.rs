//! Which warnings there are, and when they end.

use std::net::{IpAddr, Ipv4Addr};

use super::*;
use crate::control::event::Fault;
use crate::control::event::cause::{InterfaceState, InterfaceTrouble};
use crate::units::Priority;
use crate::vrrp::settings::Settings;

fn id() -> InstanceId {
    InstanceId::new(0)
}

fn peer(last: u8) -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(192, 0, 2, last))
}

fn happened(last: u8) -> What {
    What::SameSender { peer: peer(last) }
}

fn said(last: u8) -> String {
    text::what(&happened(last))
}

fn change(from: State, to: State, cause: Cause) -> What {
    What::Transition { from, to, cause, priority: Priority::DEFAULT }
}

fn fault(interface: &str, state: InterfaceState) -> Fault {
    Fault::Interface(InterfaceTrouble { interface: interface.into(), state })
}

fn down() -> Cause {
    Cause::Fault(fault("eth0", InterfaceState::Down))
}

fn at(seconds: u64) -> Instant {
    Instant::ORIGIN + Duration::from_secs(seconds)
}

fn listed(engine: &Engine, warnings: &Warnings) -> Vec<(String, u64)> {
    let list = warnings.list(engine, "lan", at(1000));
    list.map(|warning| (warning.text, warning.count)).collect()
}

/// The texts, each with its end.
fn ends(warnings: &Warnings, now: u64) -> Vec<(String, Option<f64>)> {
    let engine = Engine::new(&Settings::default());
    let list = warnings.list(&engine, "lan", at(now));
    list.map(|warning| (warning.text, warning.ended_age)).collect()
}

#[test]
fn the_same_again_counts_and_has_the_last_words() {
    let engine = Engine::new(&Settings::default());
    let mut warnings = Warnings::default();
    let claims = |yielding| What::SecondOwner { peer: peer(1), yielding };
    for (at_second, yielding) in [(1, true), (2, true), (3, false)] {
        warnings.take(&engine, id(), &claims(yielding), None, at(at_second));
    }
    warnings.take(&engine, id(), &happened(2), None, at(3));
    let listed = listed(&engine, &warnings);
    assert_eq!(listed, [(text::what(&claims(false)), 3), (said(2), 1)]);
}

#[test]
fn what_ended_and_then_the_oldest_makes_room() {
    let engine = Engine::new(&Settings::default());
    let mut warnings = Warnings::default();
    for number in 0..=16 {
        // The first one goes on, so that the second is the oldest.
        warnings.take(&engine, id(), &happened(number), None, at(number.into()));
        warnings.take(&engine, id(), &happened(0), None, at(number.into()));
    }
    let texts: Vec<String> = listed(&engine, &warnings).into_iter().map(|(text, _)| text).collect();
    assert_eq!(texts.len(), MAX_WARNINGS);
    assert!(texts.contains(&said(0)) && !texts.contains(&said(1)), "{texts:?}");
    let mut changed = |from, to, cause| {
        warnings.take(&engine, id(), &change(from, to, cause), None, at(17));
    };
    changed(State::Backup, State::Fault, down());
    changed(State::Fault, State::Backup, Cause::Recovered);
    warnings.take(&engine, id(), &happened(20), None, at(18));
    let texts: Vec<String> = listed(&engine, &warnings).into_iter().map(|(text, _)| text).collect();
    let ended = format!("FAULT: {}", text::cause(&down()));
    assert!(!texts.contains(&ended) && texts.contains(&said(3)), "{texts:?}");
}

#[test]
fn what_ended_is_marked_and_forgotten_after_five_minutes() {
    let engine = Engine::new(&Settings::default());
    let mut warnings = Warnings::default();
    warnings.take(&engine, id(), &happened(1), None, at(1));
    warnings.refresh(&engine, id(), at(3));
    assert_eq!(ends(&warnings, 3), [(said(1), None)]);
    warnings.refresh(&engine, id(), at(4));
    assert_eq!(ends(&warnings, 43), [(said(1), Some(42.0))]);
    // The same again is no news, but it is true again.
    assert!(!warnings.take(&engine, id(), &happened(1), None, at(50)));
    assert_eq!(ends(&warnings, 50), [(said(1), None)]);
    warnings.refresh(&engine, id(), at(60));
    warnings.refresh(&engine, id(), at(349));
    assert!(!warnings.is_empty());
    warnings.refresh(&engine, id(), at(350));
    assert!(warnings.is_empty());
}

#[test]
fn a_fault_that_is_over_is_past_from_its_end() {
    let engine = Engine::new(&Settings::default());
    let mut warnings = Warnings::default();
    let mut happens = |what: What, second| {
        warnings.take(&engine, id(), &what, None, at(second));
    };
    happens(change(State::Backup, State::Fault, down()), 10);
    let missing = InterfaceState::Missing { have: vec!["lo".into()] };
    happens(What::FaultChanged(fault("eth0", missing)), 10);
    assert_eq!(ends(&warnings, 11), []);
    let back = change(State::Fault, State::Backup, Cause::Recovered);
    warnings.take(&engine, id(), &back, None, at(20));
    warnings.refresh(&engine, id(), at(21));
    let text = "FAULT: interface \"eth0\" does not exist (have: lo)".to_owned();
    assert_eq!(ends(&warnings, 21), [(text, Some(1.0))]);
    let again = change(State::Backup, State::Fault, down());
    warnings.take(&engine, id(), &again, None, at(22));
    assert_eq!(ends(&warnings, 23), [], "the state says so");
}

#[test]
fn flapping_counts_all_changes_and_ends_a_minute_after_them() {
    let engine = Engine::new(&Settings::default());
    let mut warnings = Warnings::default();
    let started = change(State::Initialize, State::Backup, Cause::Started);
    warnings.take(&engine, id(), &started, None, at(90));
    for number in 0..75 {
        let now = at(100) + Duration::from_millis(200 * number);
        let fails = change(State::Backup, State::Fault, down());
        warnings.take(&engine, id(), &fails, None, now);
        let back = change(State::Fault, State::Backup, Cause::Recovered);
        warnings.take(&engine, id(), &back, None, now);
    }
    let text = |warnings: &Warnings, now| {
        let mut all = ends(warnings, now).into_iter();
        all.find(|(text, _)| text.starts_with("changed"))
    };
    let told = "changed state 150 times within 14 s: see \"steadfast events\" for the causes";
    for now in [115, 170] {
        warnings.refresh(&engine, id(), at(now));
        assert_eq!(text(&warnings, now), Some((told.to_owned(), None)), "{now}");
    }
    warnings.refresh(&engine, id(), at(174));
    let (ended, age) = text(&warnings, 174).unwrap();
    assert_eq!(ended, told);
    assert!((age.unwrap() - 59.2).abs() < 0.001, "since the last change: {age:?}");
}

#[test]
fn a_failover_and_its_way_back_are_no_flapping() {
    let engine = Engine::new(&Settings::default());
    let mut warnings = Warnings::default();
    for (second, from, to) in [
        (1, State::Backup, State::Master),
        (10, State::Master, State::Fault),
        (20, State::Fault, State::Backup),
        (24, State::Backup, State::Master),
        (65, State::Master, State::Backup),
        (75, State::Backup, State::Master),
    ] {
        warnings.take(&engine, id(), &change(from, to, Cause::Started), None, at(second));
        warnings.refresh(&engine, id(), at(second));
    }
    assert!(ends(&warnings, 75).iter().all(|(text, _)| !text.starts_with("changed")));
}
