//! What an operator's command does, and which answer it gets: every command has one.

use super::action::Report;
use super::command::{Command, CommandId, Outcome};
use super::command_queue::Pending;
use super::engine::Engine;
use super::ids::InstanceId;
use super::state::HandOverEnd;

impl Engine {
    pub(super) fn command(&mut self, id: CommandId, command: Command) {
        match command {
            Command::Switchover { instance, hold_for, force } => {
                let Some(state) = self.state(instance).filter(|_| !self.life.stopping) else {
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
            let over =
                |pending: &Pending| self.life.stopping || !self.handing_over(pending.instance);
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
