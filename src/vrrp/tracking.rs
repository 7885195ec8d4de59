//! What interfaces and tracked things do to an instance: points of priority, or a fault (`vrrp:S-40`).

use super::event::{InterfaceState, TrackerState};
use super::ids::InterfaceId;
use super::notice::FaultReason;
use crate::units::Family;

/// A tracked thing, resolved.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TrackRef {
    /// What.
    pub source: Source,
    /// 0 faults the instance; otherwise points.
    pub weight: i16,
    /// Up and down change places.
    pub reverse: bool,
    /// Nobody listed it: an address or a route names it ([`Tracker::InUse`]).
    ///
    /// [`Tracker::InUse`]: super::settings::Tracker::InUse
    pub in_use: bool,
}

/// Where the state of a tracked thing comes from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Source {
    /// An interface.
    Interface(InterfaceId),
    /// An entry of the engine's list of named trackers.
    Named(u32),
}

/// What one tracked thing does to an instance.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Effect {
    /// Adds to the priority.
    Weight(i32),
    /// Faults the instance.
    Fault,
    /// Not known yet: the instance waits.
    Wait,
}

impl TrackRef {
    /// keepalived's scheme of weights.
    pub fn effect(self, state: TrackerState) -> Effect {
        let weight = i32::from(self.weight);
        let good = match state {
            TrackerState::Unknown if weight == 0 => return Effect::Wait,
            TrackerState::Unknown => return Effect::Weight(0),
            TrackerState::Up => true,
            TrackerState::Down => false,
        };
        match (weight, good, self.reverse) {
            (0, false, false) | (0, true, true) => Effect::Fault,
            (0, _, _) => Effect::Weight(0),
            // A positive weight counts while up, a negative one while down; reverse turns the
            // sign round, not the condition.
            (weight, up, reverse) if weight.is_positive() == up => {
                Effect::Weight(if reverse { -weight } else { weight })
            }
            (_, _, _) => Effect::Weight(0),
        }
    }
}

/// The sum over all that an instance depends on.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Verdict {
    /// The first reason why it cannot take part.
    pub fault: Option<FaultReason>,
    /// Points to add to the priority.
    pub weight: i32,
    /// Some result is not known yet.
    pub wait: bool,
}

/// The interface of an instance, as far as it decides whether the instance can take part.
#[derive(Clone, Copy, Debug)]
pub struct OwnInterface {
    /// Which.
    pub id: InterfaceId,
    /// Its state; `None`: it was not reported yet.
    pub state: Option<InterfaceState>,
    /// Whether it may be down.
    pub may_be_down: bool,
    /// A family in which adverts have no source address.
    pub without_source: Option<Family>,
}

impl OwnInterface {
    fn fault(&self) -> Option<FaultReason> {
        let state = self.state?;
        if !state.present {
            Some(FaultReason::InterfaceMissing(self.id))
        } else if !state.up && !self.may_be_down {
            Some(FaultReason::InterfaceDown(self.id))
        } else if state.port {
            Some(FaultReason::InterfaceIsPort(self.id))
        } else {
            self.without_source.map(FaultReason::NoSourceAddress)
        }
    }
}

/// Looks at the interface, the source addresses and everything tracked.
pub fn verdict(
    own: &OwnInterface,
    tracked: &[TrackRef],
    state_of: impl Fn(Source) -> TrackerState,
) -> Verdict {
    let mut verdict = Verdict { fault: own.fault(), weight: 0, wait: own.state.is_none() };
    for (index, track) in tracked.iter().enumerate() {
        match track.effect(state_of(track.source)) {
            Effect::Weight(points) => verdict.weight += points,
            Effect::Wait => verdict.wait = true,
            Effect::Fault => {
                let index = u16::try_from(index).unwrap_or(u16::MAX);
                verdict.fault = verdict.fault.or(Some(FaultReason::Tracked(index)));
            }
        }
    }
    verdict
}

/// An interface as a tracked thing.
pub const fn interface_as_tracker(state: Option<InterfaceState>) -> TrackerState {
    match state {
        None => TrackerState::Unknown,
        Some(state) if state.present && state.up => TrackerState::Up,
        Some(_) => TrackerState::Down,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_of_weights() {
        let effect = |weight, reverse, state| {
            TrackRef { source: Source::Named(0), weight, reverse, in_use: false }.effect(state)
        };
        use Effect::{Fault, Wait, Weight};
        use TrackerState::{Down, Unknown, Up};
        for (weight, reverse, up, down) in [
            (0, false, Weight(0), Fault),
            (0, true, Fault, Weight(0)),
            (20, false, Weight(20), Weight(0)),
            (-20, false, Weight(0), Weight(-20)),
            (20, true, Weight(-20), Weight(0)),
            (-20, true, Weight(0), Weight(20)),
        ] {
            assert_eq!(effect(weight, reverse, Up), up, "{weight} {reverse} up");
            assert_eq!(effect(weight, reverse, Down), down, "{weight} {reverse} down");
        }
        assert_eq!(effect(0, false, Unknown), Wait);
        assert_eq!(effect(-20, false, Unknown), Weight(0));
    }
}
