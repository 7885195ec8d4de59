//! An operator's commands, and how they end.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::time::Duration;

use super::action::{Report, State};
use super::engine::Engine;
use super::ids::InstanceId;
use crate::units::Instant;

/// Matches the answer to a command.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct CommandId(pub u32);

/// An operator's command.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Command {
    /// Hand over, then stay backup with the lowest priority until released. Concerns all members
    /// of the instance's group.
    Switchover {
        /// Which instance.
        instance: InstanceId,
        /// Release by itself after this time; `None`: only by command.
        hold_for: Option<Duration>,
        /// Give up the addresses even if no successor is heard.
        force: bool,
    },
    /// End of a switchover's hold.
    Release {
        /// Which instance.
        instance: InstanceId,
    },
    /// Announce all addresses once more.
    Announce {
        /// Which instance.
        instance: InstanceId,
    },
}

/// An operator's hold of an instance: none, until a moment, or until it is released.
pub type Held = Option<Option<Instant>>;

/// How a command ended. Every command has one answer.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Outcome {
    /// Another router took over.
    Taken {
        /// Who.
        by: IpAddr,
        /// Since priority 0 was sent.
        after: Duration,
        /// The hold now.
        hold: Held,
        /// The hold before the command.
        before: Held,
    },
    /// Nobody took over, so that the instance stays master.
    NotTaken,
    /// Nobody took over; the addresses were given up as the command asked.
    GivenUp {
        /// The hold now.
        hold: Held,
        /// The hold before the command.
        before: Held,
    },
    /// The addresses were given up without a planned hand-over, or there were none to give up.
    Held {
        /// The state before the command.
        state: State,
        /// The hold now.
        hold: Held,
        /// The hold before the command.
        before: Held,
    },
    /// There is no switchover while everything stops, or the instance is removed.
    Ended,
    /// A hold ended.
    Released,
    /// Nothing was held, but the instance left a master of lower priority alone, since its own
    /// adverts did not leave; it preempts again.
    Unheard,
    /// The same, since somebody removed its addresses again and again.
    Losing,
    /// There was nothing to release.
    NotHeld,
    /// The addresses are announced.
    Announced,
}

/// How a planned hand-over of an instance ended.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) enum HandOverEnd {
    /// A successor was heard.
    Taken { by: IpAddr, after: Duration },
    /// Nobody was, and the instance goes on as master.
    Resumed,
    /// Nobody was, and the instance gave up its addresses all the same.
    GivenUp,
}

/// A switchover whose end is not known yet.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pending {
    id: CommandId,
    instance: InstanceId,
    state: State,
    held: Held,
}

/// Commands on their way.
#[derive(Debug, Default)]
pub(super) struct Commands {
    pending: Vec<Pending>,
    answers: VecDeque<Report>,
}

impl Commands {
    /// Whether every command has been answered.
    pub(super) fn is_empty(&self) -> bool {
        self.pending.is_empty() && self.answers.is_empty()
    }
}

impl Engine {
    pub(super) fn command(&mut self, id: CommandId, command: Command) {
        match command {
            Command::Switchover { instance, hold_for, force } => {
                let Some(state) = self.state(instance).filter(|_| !self.stopping) else {
                    return self.answer(id, instance, Outcome::Ended);
                };
                let held = self.held(instance);
                self.forget_hand_over_ends(instance);
                self.switchover(instance, hold_for, force);
                self.commands.pending.push(Pending { id, instance, state, held });
            }
            Command::Release { instance } => {
                let outcome = if self.held(instance).is_some() {
                    Outcome::Released
                } else if self.is_unheard(instance) {
                    Outcome::Unheard
                } else if self.is_losing(instance) {
                    Outcome::Losing
                } else {
                    Outcome::NotHeld
                };
                self.release(instance);
                self.answer(id, instance, outcome);
            }
            Command::Announce { instance } => {
                self.with(instance, |instance, context| {
                    instance.announce(instance.settings.announce.repeat.max(1), context);
                });
                self.answer(id, instance, Outcome::Announced);
            }
        }
    }

    fn answer(&mut self, id: CommandId, instance: InstanceId, outcome: Outcome) {
        self.commands.answers.push_back(Report::Answer { id, instance, outcome });
    }

    /// The next answer, when its notices have been told.
    pub(super) fn poll_answer(&mut self) -> Option<Report> {
        if self.commands.answers.is_empty() {
            let over = |pending: &Pending| self.stopping || !self.handing_over(pending.instance);
            let place = self.commands.pending.iter().position(over)?;
            let pending = self.commands.pending.remove(place);
            let outcome = self.outcome(pending);
            self.answer(pending.id, pending.instance, outcome);
        }
        self.commands.answers.pop_front()
    }

    fn outcome(&self, pending: Pending) -> Outcome {
        let Pending { instance, state, held: before, .. } = pending;
        let hold = self.held(instance);
        let own = self.get(instance).and_then(|own| own.hand_over_end);
        let end = own.or_else(|| self.unit(instance).find_map(|member| member.hand_over_end));
        match end {
            Some(HandOverEnd::Taken { by, after }) => Outcome::Taken { by, after, hold, before },
            Some(HandOverEnd::GivenUp) => Outcome::GivenUp { hold, before },
            Some(HandOverEnd::Resumed) => Outcome::NotTaken,
            None if hold.is_some() => Outcome::Held { state, hold, before },
            None => Outcome::Ended,
        }
    }
}
