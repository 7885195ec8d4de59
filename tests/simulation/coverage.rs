//! What a run has exercised, and what every long run has to.

use std::collections::BTreeMap;

use steadfast::vrrp::{Cause, Notice, State};

/// Counters by kind and name.
#[derive(Clone, Debug, Default)]
pub struct Coverage {
    pub states: BTreeMap<&'static str, u64>,
    pub transitions: BTreeMap<(&'static str, &'static str, &'static str), u64>,
    pub notices: BTreeMap<&'static str, u64>,
    pub faults: BTreeMap<&'static str, u64>,
    pub checks: BTreeMap<&'static str, u64>,
}

pub fn state_name(state: State) -> &'static str {
    match state {
        State::Initialize => "Initialize",
        State::Backup => "Backup",
        State::Master => "Master",
        State::Fault => "Fault",
    }
}

pub fn cause_name(cause: &Cause) -> &'static str {
    match cause {
        Cause::Started => "Started",
        Cause::Owner => "Owner",
        Cause::Resumed { .. } => "Resumed",
        Cause::NoAdvert { .. } => "NoAdvert",
        Cause::MasterLeft { .. } => "MasterLeft",
        Cause::Preempted { .. } => "Preempted",
        Cause::HigherPriority { .. } => "HigherPriority",
        Cause::HigherAddress { .. } => "HigherAddress",
        Cause::Unheard { .. } => "Unheard",
        Cause::Group { .. } => "Group",
        Cause::Fault(_) => "Fault",
        Cause::Recovered => "Recovered",
        Cause::Switchover { .. } => "Switchover",
        Cause::TimerExpired { .. } => "TimerExpired",
        Cause::ForeignRemoval { .. } => "ForeignRemoval",
        Cause::AddressesLost { .. } => "AddressesLost",
        Cause::Stopped => "Stopped",
        Cause::Reconfigured => "Reconfigured",
    }
}

pub fn notice_name(notice: &Notice) -> &'static str {
    match notice {
        Notice::Transition { .. } => "Transition",
        Notice::PriorityChanged { .. } => "PriorityChanged",
        Notice::FaultChanged { .. } => "FaultChanged",
        Notice::Rejected { .. } => "Rejected",
        Notice::UnknownVrid { .. } => "UnknownVrid",
        Notice::IntervalDiffers { .. } => "IntervalDiffers",
        Notice::AddressesDiffer { .. } => "AddressesDiffer",
        Notice::VridConflict { .. } => "VridConflict",
        Notice::LowerPriority { .. } => "LowerPriority",
        Notice::SecondOwner { .. } => "SecondOwner",
        Notice::SameSender { .. } => "SameSender",
        Notice::OldChecksum { .. } => "OldChecksum",
        Notice::ForeignRemoval { .. } => "ForeignRemoval",
        Notice::GoneWithInterface { .. } => "GoneWithInterface",
        Notice::Duplicate { .. } => "Duplicate",
        Notice::AddressTaken { .. } => "AddressTaken",
        Notice::AddressFree { .. } => "AddressFree",
        Notice::KernelRefused { .. } => "KernelRefused",
        Notice::HandOverStarted { .. } => "HandOverStarted",
        Notice::HandOverTaken { .. } => "HandOverTaken",
        Notice::HandOverFailed { .. } => "HandOverFailed",
        Notice::Hold { .. } => "Hold",
        Notice::LateWake { .. } => "LateWake",
        Notice::Lost { .. } => "Lost",
    }
}

/// Causes that a run of some length must have seen, whatever the states around them.
const CAUSES: [&str; 17] = [
    "Started",
    "Owner",
    "Resumed",
    "NoAdvert",
    "MasterLeft",
    "Preempted",
    "HigherPriority",
    "HigherAddress",
    "Unheard",
    "Group",
    "Fault",
    "Recovered",
    "Switchover",
    "TimerExpired",
    "ForeignRemoval",
    "Stopped",
    "Reconfigured",
];

/// Changes of state that have to be seen.
const MOVES: [(&str, &str); 11] = [
    ("Initialize", "Backup"),
    ("Initialize", "Master"),
    ("Initialize", "Fault"),
    ("Backup", "Master"),
    ("Backup", "Fault"),
    ("Backup", "Initialize"),
    ("Master", "Backup"),
    ("Master", "Fault"),
    ("Master", "Initialize"),
    ("Fault", "Backup"),
    ("Fault", "Initialize"),
];

impl Coverage {
    pub fn add(&mut self, other: &Self) {
        fn merge<K: Ord + Copy>(into: &mut BTreeMap<K, u64>, from: &BTreeMap<K, u64>) {
            for (key, count) in from {
                *into.entry(*key).or_default() += count;
            }
        }
        merge(&mut self.states, &other.states);
        merge(&mut self.transitions, &other.transitions);
        merge(&mut self.notices, &other.notices);
        merge(&mut self.faults, &other.faults);
        merge(&mut self.checks, &other.checks);
    }

    pub fn fault(&mut self, name: &'static str) {
        *self.faults.entry(name).or_default() += 1;
    }

    pub fn check(&mut self, name: &'static str) {
        *self.checks.entry(name).or_default() += 1;
    }

    /// What a long run should have seen and has not.
    pub fn missing(&self, faults: &[&'static str]) -> Vec<String> {
        let mut missing = Vec::new();
        for state in ["Initialize", "Backup", "Master", "Fault"] {
            if !self.states.contains_key(state) {
                missing.push(format!("state {state}"));
            }
        }
        for cause in CAUSES {
            if !self.transitions.keys().any(|(_, _, seen)| *seen == cause) {
                missing.push(format!("a transition because of {cause}"));
            }
        }
        for (from, to) in MOVES {
            if !self.transitions.keys().any(|(f, t, _)| (*f, *t) == (from, to)) {
                missing.push(format!("a transition from {from} to {to}"));
            }
        }
        for fault in faults {
            if !self.faults.contains_key(fault) {
                missing.push(format!("fault {fault}"));
            }
        }
        missing
    }

    pub fn print(&self) {
        fn table(title: &str, rows: impl Iterator<Item = (String, u64)>) {
            println!("\n{title}");
            for (name, count) in rows {
                println!("  {count:>12}  {name}");
            }
        }
        let plain = |map: &BTreeMap<&'static str, u64>| {
            map.iter().map(|(k, v)| ((*k).to_owned(), *v)).collect::<Vec<_>>()
        };
        table("states entered", plain(&self.states).into_iter());
        table(
            "transitions",
            self.transitions
                .iter()
                .map(|((from, to, cause), count)| (format!("{from} -> {to}: {cause}"), *count)),
        );
        table("faults", plain(&self.faults).into_iter());
        table("notices", plain(&self.notices).into_iter());
        table("checks", plain(&self.checks).into_iter());
    }
}
