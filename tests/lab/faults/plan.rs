//! Which faults, drawn from the seed: the same seed gives the same faults at the same moments of
//! the advert interval.

use std::fmt;
use std::time::Duration;

use crate::arguments::Arguments;
use crate::kind::Kind;
use crate::rng::{Purpose, Rng};

/// Who the two routers are. The first one has the higher priority.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Routers {
    /// Both ours.
    Ours,
    /// Ours, and keepalived as its backup.
    KeepalivedBackup,
    /// keepalived, and ours as its backup.
    KeepalivedMaster,
}

/// A fault to come.
#[derive(Clone, Debug)]
pub struct Fault {
    /// Its number in the plan, from 1.
    pub number: usize,
    /// What happens.
    pub kind: Kind,
    /// To whom.
    pub routers: Routers,
    /// Whether it hits the master.
    pub on_master: bool,
    /// Between adverts.
    pub interval: Duration,
    /// When, as a part of the interval since an advert.
    pub moment: f64,
    /// For what else is drawn while it happens.
    pub seed: u64,
    /// What it costs is shown and not judged; that all is whole afterwards is judged.
    pub only_shown: bool,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let role = if self.on_master { "master" } else { "backup" };
        let peer = match self.routers {
            Routers::Ours => "ours",
            Routers::KeepalivedBackup | Routers::KeepalivedMaster => "keepalived",
        };
        write!(
            f,
            "{:>4} {:<18} {role} with {peer:<10} {:>5} ms, at {:.2}",
            self.number,
            self.kind.name(),
            self.interval.as_millis(),
            self.moment
        )
    }
}

/// Intervals of those faults that need no second.
const SHORT: [Duration; 2] = [Duration::from_millis(200), Duration::from_millis(300)];
/// Intervals of the fixed faults that are only shown, as all drawn ones at such intervals are.
const SHOWN_INTERVALS: [Duration; 3] =
    [Duration::from_millis(100), Duration::from_millis(50), Duration::from_millis(10)];
/// The fixed faults.
const FIXED: [Kind; 4] = [Kind::Kill, Kind::Stop, Kind::SupervisorKill, Kind::AllKill];

/// The drawn ones.
pub fn drawn(arguments: &Arguments) -> Vec<Fault> {
    let mut rng = Rng::new(arguments.seed, Purpose::Faults);
    let mut kinds = arguments.kinds.clone();
    if kinds.is_empty() {
        kinds = Kind::ALL.to_vec();
        kinds.retain(|&kind| kind != Kind::Clock || arguments.clock);
    }
    // Every kind as often as every other one, in an order of the seed.
    let mut plan = Vec::with_capacity(arguments.faults);
    let mut round = Vec::new();
    for number in 1..=arguments.faults {
        if round.is_empty() {
            round.clone_from(&kinds);
            rng.shuffle(&mut round);
        }
        let kind = round.pop().expect("a kind");
        let (routers, on_master) = *[
            (Routers::Ours, true),
            (Routers::Ours, true),
            (Routers::Ours, false),
            (Routers::KeepalivedBackup, true),
            (Routers::KeepalivedBackup, true),
            (Routers::KeepalivedMaster, false),
        ]
        .get(rng.index(6))
        .expect("one of six");
        let short = rng.pick(&SHORT);
        let second = kind.wants_a_second() || rng.percent(25);
        let drawn = if second { Duration::from_secs(1) } else { short };
        let interval = arguments.interval.unwrap_or(drawn);
        plan.push(Fault {
            number,
            kind,
            routers,
            on_master,
            interval,
            moment: rng.below(1_000) as f64 / 1_000.0,
            seed: rng.below(u64::MAX),
            only_shown: interval <= SHOWN_INTERVALS[0],
        });
    }
    if let Some(only) = arguments.only {
        plan.retain(|fault| fault.number == only);
    }
    plan
}

/// The fixed ones as master, with both makers as its peer: the first kind `times` times, the others
/// half as often, and all of them a tenth as often at short intervals, only to be shown.
pub fn fixed(arguments: &Arguments) -> Vec<Fault> {
    let times = arguments.fixed;
    let mut rng = Rng::new(arguments.seed, Purpose::Plan);
    let mut plan = Vec::new();
    let second = Duration::from_secs(1);
    for interval in [second].into_iter().chain(SHOWN_INTERVALS) {
        let only_shown = interval < second;
        for (place, kind) in FIXED.into_iter().enumerate() {
            let part = if only_shown { 10 } else { 1 + usize::from(place > 0) };
            for n in 0..times.div_ceil(part) {
                let routers = if n % 2 == 0 { Routers::Ours } else { Routers::KeepalivedBackup };
                plan.push(Fault {
                    number: plan.len() + 1,
                    kind,
                    routers,
                    on_master: true,
                    interval,
                    moment: rng.below(1_000) as f64 / 1_000.0,
                    seed: rng.below(u64::MAX),
                    only_shown,
                });
            }
        }
    }
    plan
}
