//! Whether a child works.
//!
//! A child stores in the shared memory how often its loop has turned and when it is due to turn
//! next. While that moment moves on, the child works, and nothing is said to it. When it has passed,
//! the child is asked, by a message that goes the same way as real work; one that neither answers
//! nor turns its loop is hung.

use std::time::Duration;

use crate::units::Instant;

/// The shortest time for an answer. Nothing that a child does in one go takes so long, and its
/// successor needs the rest of the time until another router takes over.
const ANSWER_TIME: Duration = Duration::from_millis(150);
/// What a child may take that takes a configuration in: thousands of instances on a slow CPU.
const CONFIGURING_TIME: Duration = Duration::from_secs(10);
/// The shortest time for the answer, and the shortest period, of a child that holds nothing: nobody
/// waits for it, and a slow kernel is no reason to start another one.
const WAITING_TIME: Duration = Duration::from_secs(1);

/// What a child does, as far as its silence matters.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Work {
    /// It takes a configuration in.
    Configuring,
    /// It holds addresses: another one has to be there before its peer takes over.
    Holding,
    /// It waits.
    Waiting,
}

/// How long the loop of a child may be overdue before it is asked, and how long the answer may take.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Limits {
    overdue: Duration,
    answer: Duration,
}

impl Limits {
    /// Of a child whose loop has to turn that often while it holds something.
    fn new(period: Duration, work: Work) -> Self {
        match work {
            Work::Configuring => {
                Self { overdue: Duration::ZERO, answer: CONFIGURING_TIME.max(period * 3) }
            }
            // Together one period, if that is long enough: an advert is late by half an interval
            // then.
            Work::Holding => {
                let overdue = period.saturating_sub(ANSWER_TIME).max(period / 2);
                Self { overdue, answer: ANSWER_TIME }
            }
            Work::Waiting => {
                let period = period.max(WAITING_TIME);
                Self { overdue: period * 2, answer: period }
            }
        }
    }
}

/// The loop of a child, as the shared memory shows it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Loop {
    /// How often it has turned.
    pub turns: u32,
    /// When it is due to turn again.
    pub due: Instant,
}

/// What follows from a look.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Look {
    /// Its loop turns: look again when that is overdue for so long.
    Works(Duration),
    /// It owes an answer, or has just given one: look again then.
    Again(Instant),
    /// Ask it, with this number, and look again then.
    Ask(u32, Instant),
    /// It has not answered for so long, and its loop stands still.
    Hung(Duration),
}

/// A question that has no answer yet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Question {
    since: Instant,
    /// How often the loop had turned then.
    turns: u32,
    limit: Duration,
}

/// The questions and answers of one child.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Liveness {
    number: u32,
    question: Option<Question>,
    /// The next look is due then.
    planned: Option<Instant>,
}

impl Liveness {
    /// Looks at the child.
    pub fn look(&mut self, now: Instant, seen: Loop, period: Duration, work: Work) -> Look {
        let limits = Limits::new(period, work);
        // Nothing can be said about the time when this process did not run itself.
        let planned = self.planned.unwrap_or(now);
        let away = now.since(planned) > ANSWER_TIME / 2;
        let look = self.decide(now, seen, limits, work, away);
        self.planned = match look {
            Look::Again(at) | Look::Ask(_, at) => Some(at),
            Look::Works(_) | Look::Hung(_) => None,
        };
        look
    }

    fn decide(&mut self, now: Instant, seen: Loop, limits: Limits, work: Work, away: bool) -> Look {
        if let Some(mut question) = self.question.filter(|question| question.turns == seen.turns) {
            if away {
                question.since = now;
            }
            // A child that holds something by now has less time than before.
            question.limit = question.limit.min(limits.answer);
            self.question = Some(question);
            let silent = now.since(question.since);
            return match silent >= question.limit {
                true => Look::Hung(silent),
                false => Look::Again(question.since + question.limit),
            };
        }
        let has_turned = self.question.take().is_some();
        match work {
            // Its loop has just turned, and is busy with the configuration.
            Work::Configuring if has_turned => return Look::Again(now + limits.answer),
            Work::Holding | Work::Waiting if seen.due + limits.overdue > now => {
                return Look::Works(limits.overdue);
            }
            Work::Configuring | Work::Holding | Work::Waiting => {}
        }
        self.number = self.number.wrapping_add(1);
        self.question = Some(Question { since: now, turns: seen.turns, limit: limits.answer });
        Look::Ask(self.number, now + limits.answer)
    }

    /// An answer came. Only the one to the last question counts: any other was asked before.
    pub fn answered(&mut self, number: u32) {
        if number == self.number {
            self.question = None;
        }
    }

    /// Whether no question waits for its answer.
    pub const fn is_answered(&self) -> bool {
        self.question.is_none()
    }

    /// For how long the child has not answered, when that is too long.
    pub fn silent(&self, now: Instant) -> Option<Duration> {
        let question = self.question?;
        let silent = now.since(question.since);
        (silent >= question.limit).then_some(silent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PERIOD: Duration = Duration::from_millis(500);

    fn at(millis: u64) -> Instant {
        Instant::ORIGIN + Duration::from_millis(millis)
    }

    fn seen(turns: u32, due: u64) -> Loop {
        Loop { turns, due: at(due) }
    }

    #[test]
    fn a_loop_that_turns_is_asked_nothing() {
        let mut child = Liveness::default();
        for second in 0..1_000 {
            let now = second * 1_000;
            let (turns, due) = (u32::try_from(second).unwrap(), now + 650);
            let look = child.look(at(now), seen(turns, due), PERIOD, Work::Holding);
            assert_eq!(look, Look::Works(Duration::from_millis(350)), "until it is overdue");
        }
    }

    #[test]
    fn a_holder_whose_loop_is_overdue_by_half_an_interval_is_hung() {
        let mut child = Liveness::default();
        let mut look = |now| child.look(at(now), seen(7, 1_000), PERIOD, Work::Holding);
        assert_eq!(look(100), Look::Works(Duration::from_millis(350)));
        assert_eq!(look(1_350), Look::Ask(1, at(1_500)));
        assert_eq!(look(1_400), Look::Again(at(1_500)));
        assert_eq!(look(1_500), Look::Hung(Duration::from_millis(150)));
    }

    #[test]
    fn an_answer_or_a_turn_of_the_loop_is_a_sign_of_life() {
        let mut child = Liveness::default();
        assert_eq!(
            child.look(at(2_000), seen(7, 0), PERIOD, Work::Holding),
            Look::Ask(1, at(2_150))
        );
        child.answered(7);
        assert!(!child.is_answered(), "that was not asked");
        child.answered(1);
        assert!(child.is_answered());
        assert_eq!(
            child.look(at(2_150), seen(7, 0), PERIOD, Work::Holding),
            Look::Ask(2, at(2_300))
        );
        let turned = child.look(at(2_300), seen(8, 2_200), PERIOD, Work::Holding);
        assert_eq!(turned, Look::Works(Duration::from_millis(350)));
    }

    #[test]
    fn time_in_which_nobody_looked_does_not_count() {
        let mut child = Liveness::default();
        let mut look = |now| child.look(at(now), seen(7, 0), PERIOD, Work::Holding);
        assert_eq!(look(1_000), Look::Ask(1, at(1_150)));
        assert_eq!(look(60_000), Look::Again(at(60_150)), "both may have been asleep");
        assert_eq!(look(60_150), Look::Hung(Duration::from_millis(150)));
    }

    #[test]
    fn the_time_for_an_answer_depends_on_what_is_at_stake() {
        let limits = |period, work| {
            let limits = Limits::new(Duration::from_millis(period), work);
            (limits.overdue.as_millis(), limits.answer.as_millis())
        };
        assert_eq!(limits(1_000, Work::Holding), (850, 150));
        assert_eq!(limits(500, Work::Holding), (350, 150));
        assert_eq!(limits(50, Work::Holding), (25, 150));
        assert_eq!(limits(50, Work::Waiting), (2_000, 1_000));
        assert_eq!(limits(9_000, Work::Waiting), (18_000, 9_000));
        assert_eq!(limits(50, Work::Configuring), (0, 10_000));
    }

    #[test]
    fn a_child_that_takes_a_configuration_in_is_asked_once() {
        let mut child = Liveness::default();
        let look = |child: &mut Liveness, now, turns| {
            child.look(at(now), seen(turns, 0), PERIOD, Work::Configuring)
        };
        assert_eq!(look(&mut child, 0, 0), Look::Ask(1, at(10_000)));
        assert_eq!(look(&mut child, 5, 3), Look::Again(at(10_005)));
        let mut hurried = child;
        assert_eq!(look(&mut child, 10_005, 3), Look::Ask(2, at(20_005)));
        // It has taken it in and holds something.
        let look = hurried.look(at(6), seen(3, 1_000), PERIOD, Work::Holding);
        assert_eq!(look, Look::Works(Duration::from_millis(350)));
    }
}
