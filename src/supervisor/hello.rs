//! Whether a child answers.

use std::time::Duration;

use crate::config::model::Model;
use crate::units::Instant;

/// How often is asked when nothing else is said.
const USUAL: Duration = Duration::from_secs(1);
/// The shortest period.
const SHORTEST: Duration = Duration::from_millis(50);
/// The shortest period for a child that holds nothing.
const UNHURRIED: Duration = USUAL;
/// A child that left so many periods without an answer does not work.
const PERIODS: u32 = 3;
/// What a child may take that has a configuration to take in: thousands of instances on a slow CPU.
const BUSY: Duration = Duration::from_secs(10);
/// What a child may take at least that holds nothing: nobody waits for it, and a slow kernel is no
/// reason to start again.
const IDLE: Duration = Duration::from_secs(1);

/// What a child that holds addresses may take when an advert is overdue: nothing that it does takes
/// so long, and its successor needs the rest of the time until another router takes over.
pub const LEAST: Duration = Duration::from_millis(150);

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

/// How long a child that is asked with that period may be silent.
pub fn limit(period: Duration, work: Work) -> Duration {
    let limit = period * PERIODS;
    match work {
        Work::Configuring => limit.max(BUSY),
        Work::Holding => limit,
        Work::Waiting => limit.max(IDLE),
    }
}

/// How often to ask: as configured, or once a second, or twice in the shortest advertisement
/// interval if that is less (DESIGN 3).
pub fn period(model: &Model) -> Duration {
    let shortest = model.instances.iter().map(|instance| instance.interval.duration() / 2).min();
    let usual = shortest.map_or(USUAL, |half| half.clamp(SHORTEST, USUAL));
    model.global.hello_interval.unwrap_or(usual)
}

/// How often a child is asked right now: one that holds nothing not so often, as each question
/// takes as much time as some adverts.
pub fn pace(period: Duration, holds: bool) -> Duration {
    if holds { period } else { period.max(UNHURRIED) }
}

/// The questions and answers of one child.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Hello {
    asked: u32,
    /// When the oldest question was asked that has no answer.
    waiting_since: Option<Instant>,
    limit: Duration,
}

impl Hello {
    /// Of a child that was not asked yet.
    pub const fn new() -> Self {
        Self { asked: 0, waiting_since: None, limit: BUSY }
    }

    /// The number of the next question, now that it is asked. Nothing may be unanswered for longer
    /// than `limit`.
    pub fn ask(&mut self, now: Instant, limit: Duration) -> u32 {
        self.asked = self.asked.wrapping_add(1);
        self.waiting_since = self.waiting_since.or(Some(now));
        self.limit = limit;
        self.asked
    }

    /// An answer came. Only the one to the last question counts: any other was asked before.
    pub fn answered(&mut self, number: u32) {
        if number == self.asked {
            self.waiting_since = None;
        }
    }

    /// Nothing that was asked until now counts: the child works, though it has not answered, or we
    /// could not have seen the answer.
    pub fn excuse(&mut self) {
        self.waiting_since = None;
    }

    /// Whether no question waits for its answer.
    pub const fn is_answered(&self) -> bool {
        self.waiting_since.is_none()
    }

    /// For how long the child has not answered, when that is too long. `overdue`: an advert should
    /// have left long ago, so that there is no time to lose.
    pub fn silent(&self, now: Instant, overdue: bool) -> Option<Duration> {
        let silent = now.since(self.waiting_since?);
        let limit = if overdue && self.limit < BUSY { self.limit.min(LEAST) } else { self.limit };
        (silent >= limit).then_some(silent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Instant {
        Instant::ORIGIN + Duration::from_millis(millis)
    }

    #[test]
    fn three_periods_without_an_answer_are_too_long() {
        let limit = limit(Duration::from_secs(1), Work::Holding);
        let mut hello = Hello::new();
        assert_eq!(hello.silent(at(9_000), false), None, "it was not asked");
        let first = hello.ask(at(0), limit);
        hello.answered(first);
        assert_eq!(hello.silent(at(9_000), false), None);
        let second_one = hello.ask(at(1_000), limit);
        let third = hello.ask(at(2_000), limit);
        hello.answered(second_one);
        assert_eq!(hello.silent(at(3_999), false), None);
        assert_eq!(hello.silent(at(4_000), false), Some(Duration::from_secs(3)));
        hello.answered(third);
        assert_eq!(hello.silent(at(4_000), false), None);
    }

    #[test]
    fn a_child_that_holds_nothing_is_asked_less_often() {
        let millis = |period, holds| pace(Duration::from_millis(period), holds).as_millis();
        assert_eq!((millis(50, true), millis(50, false), millis(2_000, false)), (50, 1_000, 2_000));
    }

    #[test]
    fn an_overdue_advert_leaves_no_time() {
        let mut hello = Hello::new();
        hello.ask(at(0), Duration::from_secs(3));
        assert_eq!(hello.silent(at(149), true), None);
        assert_eq!(hello.silent(at(150), true), Some(LEAST));
        assert_eq!(hello.silent(at(150), false), None);
        hello.ask(at(200), BUSY);
        assert_eq!(hello.silent(at(9_000), true), None, "it takes in a configuration");
    }

    #[test]
    fn patience_depends_on_what_is_at_stake() {
        let millis = |work| limit(Duration::from_millis(50), work).as_millis();
        assert_eq!(millis(Work::Holding), 150);
        assert_eq!(millis(Work::Waiting), 1_000);
        assert_eq!(millis(Work::Configuring), 10_000);
        assert_eq!(limit(Duration::from_secs(9), Work::Waiting), Duration::from_secs(27));
    }

    #[test]
    fn the_period_follows_the_shortest_interval() {
        let model = |global: &str, interval: &str| {
            let text = format!(
                "[global]\n{global}\n[vrrp.instance.a]\ninterface = \"eth0\"\n\
                 virtual_router_id = 1\nversion = 3\nvirtual_addresses = [\"10.0.0.1/24\"]\n\
                 advertisement_interval = \"{interval}\"\n"
            );
            crate::config::parse(&text, None).model.unwrap()
        };
        let millis = |global, interval| period(&model(global, interval)).as_millis();
        assert_eq!(millis("", "10s"), 1_000);
        assert_eq!(millis("", "1s"), 500);
        assert_eq!(millis("", "50ms"), 50);
        assert_eq!(millis("hello_interval = \"200ms\"", "1s"), 200);
        assert_eq!(period(&Model::default()), USUAL);
    }
}
