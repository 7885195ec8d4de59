//! What a fault came to.

use std::fmt;
use std::ops::Range;
use std::time::{Duration, Instant};

use crate::harness::process::is_alive;
use crate::holders::{acquired, longest, returned};
use crate::inflict::Done;
use crate::kind::Both;
use crate::plan::Fault;
use crate::scene::Scene;
use crate::wire;

/// A return begins with an advert, and what it costs may begin before the address is there.
const BEFORE_RETURN: Duration = Duration::from_millis(20);

/// What a fault came to.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// How often the other router took over.
    pub failovers: usize,
    /// The longest time in which nobody had the address.
    pub nobody: Duration,
    /// The longest time in which both had it.
    pub both: Duration,
    /// The same, from when the cause was gone.
    pub both_afterwards: Duration,
    /// When the client asked what was not answered, on the wall clock of captures.
    pub lost: Vec<Duration>,
    /// How many of those the kernel of a router could not answer, which is nobody's fault here.
    pub unsent: usize,
    /// The same as those lost, while the first router took its place back.
    pub lost_at_return: Vec<Duration>,
    /// How long it took until all was whole and had been so for a while.
    pub took: Duration,
    /// What should not have been.
    pub wrong: Vec<String>,
    /// What is good to know.
    pub notes: Vec<&'static str>,
}

impl Outcome {
    /// One that was not measured.
    pub fn failed(why: String) -> Self {
        Self { wrong: vec![why], ..Self::default() }
    }

    /// Measures, when all is whole or will never be.
    pub fn measure(
        scene: &mut Scene,
        fault: &Fault,
        start: Instant,
        before: (Option<(u32, u32)>, usize),
        done: Done,
        whole: Result<Range<Duration>, String>,
    ) -> Self {
        let side = usize::from(!fault.on_master);
        let (restarts, unsent) = before;
        let end = Instant::now();
        let changes = scene.holders.since(start);
        let back = returned(&changes, 0).map_or(end, |at| (at - BEFORE_RETURN).max(start));
        let is_both = |holds: [bool; 2]| holds == [true, true];
        let mut outcome = Self {
            failovers: acquired(&changes, 1),
            nobody: longest(&changes, end, |holds| holds == [false, false]),
            both: longest(&changes, end, is_both),
            both_afterwards: longest(&scene.holders.since(done.lifted), end, is_both),
            lost: scene.ping.lost_between(start, back),
            unsent: scene.unsent_replies() - unsent,
            lost_at_return: scene.ping.lost_between(back, end),
            took: end.duration_since(start),
            wrong: done.wrong,
            notes: done.notes,
        };
        if let Err(why) = &whole {
            outcome.wrong.push(format!("it is not whole again: {why}"));
        }
        outcome.wrong.extend(wire::wrong(scene, fault, whole.as_ref().ok()));
        for id in done.to_end {
            if is_alive(id) {
                outcome.wrong.push(format!("process {id} is still there"));
            }
        }
        match (restarts, scene.restarts(side)) {
            (Some((before, old)), Some((after, new))) if old == new => {
                outcome.judge_restarts(fault, after - before);
            }
            (_, Some(_)) => {}
            (_, None) => outcome.wrong.push("the status does not answer".to_owned()),
        }
        outcome.judge(fault);
        outcome
    }

    fn judge_restarts(&mut self, fault: &Fault, restarts: u32) {
        let (least, most) = fault.kind.bounds(fault.on_master, fault.interval).restarts;
        if !(least..=most).contains(&restarts) {
            self.wrong.push(format!("{restarts} restarts of the vrrp process, not {least}-{most}"));
        }
    }

    fn judge(&mut self, fault: &Fault) {
        let bounds = fault.kind.bounds(fault.on_master, fault.interval);
        let (since, limit) = bounds.both;
        let both = match since {
            Both::Always => self.both,
            Both::Afterwards => self.both_afterwards,
        };
        if both > limit && !fault.only_shown {
            self.wrong.push(format!(
                "both had the address for {} ms, more than {}",
                both.as_millis(),
                limit.as_millis()
            ));
        }
        if let Some(most) = bounds.failovers.filter(|_| !fault.only_shown)
            && self.failovers > most
        {
            self.wrong.push(format!("{} failovers, more than {most}", self.failovers));
        }
        if let Some(most) = bounds.lost.filter(|_| !fault.only_shown)
            && self.lost.len() > most + self.unsent
        {
            self.wrong.push(format!("{} pings lost, more than {most}", self.lost.len()));
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} failovers, nobody {}, both {} ({} afterwards), {} + {} lost, whole after {:.1} s",
            self.failovers,
            Millis(self.nobody),
            Millis(self.both),
            Millis(self.both_afterwards),
            self.lost.len(),
            self.lost_at_return.len(),
            self.took.as_secs_f64()
        )
    }
}

/// A time in milliseconds.
#[derive(Clone, Copy, Debug)]
pub struct Millis(pub Duration);

impl fmt::Display for Millis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = self.0.as_secs_f64() * 1e3;
        let text = if millis >= 10.0 || millis == 0.0 {
            format!("{millis:.0} ms")
        } else {
            format!("{millis:.1} ms")
        };
        f.pad(&text)
    }
}
