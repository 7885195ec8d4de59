//! Runs the directed scenarios, then the seeds, and reports.

use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::args::Args;
use crate::coverage::Coverage;
use crate::scenario::{Outcome, Record};
use crate::{directed, faults, scenario};

/// Every so many seeds one is run twice, and both runs have to have the same hash.
const TWICE_EVERY: u64 = 20;
/// Runs of this many seeds have to have exercised everything.
const FULL_COVERAGE_FROM: u64 = 2000;
/// More failing seeds than these are only counted.
const SHOWN_FAILURES: usize = 5;

#[derive(Default)]
struct Total {
    coverage: Coverage,
    schedules: u64,
    steps: u64,
    simulated: Duration,
    /// Order does not matter: each seed's hash is mixed with its number.
    hash: u64,
    passed: u64,
    failures: Vec<(u64, String)>,
}

impl Total {
    fn add(&mut self, seed: u64, outcome: Outcome) {
        self.coverage.add(&outcome.coverage);
        self.schedules += 1;
        self.steps += outcome.steps;
        self.simulated += outcome.simulated;
        self.hash ^= outcome.hash.wrapping_add(seed).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        match outcome.violation {
            None => self.passed += 1,
            Some(sentence) => self.failures.push((seed, sentence)),
        }
    }
}

/// Runs what the arguments say.
pub fn run(args: &Args) -> ExitCode {
    scenario::keep_panics();
    if let Some(seed) = args.seed {
        return single(&format!("seed {seed}"), scenario::run(seed, Record::Live));
    }
    if let Some(name) = &args.directed {
        let Some(scenario) = directed::ALL.iter().find(|(known, _)| known == name) else {
            eprintln!("no directed scenario is called {name:?}; there are:");
            directed::ALL.iter().for_each(|(name, _)| eprintln!("  {name}"));
            return ExitCode::from(2);
        };
        return single(name, (scenario.1)(Record::Live));
    }
    let (mut passed, mut failed) = directed_scenarios(args.verbose);
    let began = Instant::now();
    let mut total = seeds(args);
    report(&total, began.elapsed());
    passed += total.passed;
    failed += total.failures.len() as u64;
    total.failures.sort();
    for (place, (seed, sentence)) in total.failures.iter().enumerate() {
        if place < SHOWN_FAILURES {
            show_failure(*seed, sentence);
        } else {
            println!("seed {seed} failed: {sentence}");
        }
    }
    if total.schedules >= FULL_COVERAGE_FROM {
        let missing = total.coverage.missing(faults::ALL);
        for what in &missing {
            println!("never exercised: {what}");
        }
        if missing.is_empty() {
            passed += 1;
        } else {
            failed += 1;
        }
    }
    println!("\n{passed} passed, {failed} failed");
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The directed scenarios: how many passed and failed.
fn directed_scenarios(verbose: bool) -> (u64, u64) {
    let (mut passed, mut failed) = (0, 0);
    for (name, scenario) in directed::ALL {
        let outcome = scenario(Record::Tail);
        match &outcome.violation {
            None => {
                passed += 1;
                if verbose {
                    println!("directed: {name}: ok");
                }
            }
            Some(sentence) => {
                failed += 1;
                println!("\ndirected scenario {name} failed: {sentence}");
                outcome.tail.iter().for_each(|line| println!("  {line}"));
                println!("repeat: tests/run simulation --directed {name}");
            }
        }
    }
    println!("{passed} directed scenarios passed, {failed} failed");
    (passed, failed)
}

/// Runs the seeds on all threads.
fn seeds(args: &Args) -> Total {
    let next = AtomicU64::new(0);
    let total = Mutex::new(Total::default());
    let began = Instant::now();
    let work = || {
        loop {
            let place = next.fetch_add(1, Ordering::Relaxed);
            let late = args.time.is_none_or(|limit| began.elapsed() >= limit);
            if place >= args.seeds && late {
                return;
            }
            let seed = args.first + place;
            let mut outcome = scenario::run(seed, Record::Hash);
            if seed.is_multiple_of(TWICE_EVERY) && outcome.violation.is_none() {
                outcome.coverage.check("the same seed twice");
                let again = scenario::run(seed, Record::Hash).hash;
                if again != outcome.hash {
                    let first = outcome.hash;
                    outcome.violation =
                        Some(format!("the same seed gives traces {first:016x} and {again:016x}"));
                }
            }
            if args.verbose {
                println!("seed {seed}: {} steps, hash {:016x}", outcome.steps, outcome.hash);
            }
            total.lock().expect("no thread panics with the lock").add(seed, outcome);
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..args.threads {
            scope.spawn(work);
        }
    });
    total.into_inner().expect("no thread panics with the lock")
}

fn report(total: &Total, took: Duration) {
    total.coverage.print();
    let seconds = took.as_secs_f64();
    println!("\nschedules        {:>12}", total.schedules);
    println!("steps            {:>12}", total.steps);
    println!("simulated hours  {:>12.1}", total.simulated.as_secs_f64() / 3600.0);
    println!("seeds per second {:>12.1}", total.schedules as f64 / seconds.max(0.001));
    println!("trace hash       {:016x}", total.hash);
}

/// Runs a failing seed again, this time with its timeline.
fn show_failure(seed: u64, sentence: &str) {
    println!("\nseed {seed} failed: {sentence}");
    let outcome = scenario::run(seed, Record::Tail);
    outcome.tail.iter().for_each(|line| println!("  {line}"));
    println!("repeat: tests/run simulation --seed {seed}");
}

fn single(what: &str, outcome: Outcome) -> ExitCode {
    println!(
        "\n{what}: {} steps, {:?} simulated, hash {:016x}",
        outcome.steps, outcome.simulated, outcome.hash
    );
    match outcome.violation {
        None => {
            println!("1 passed, 0 failed");
            ExitCode::SUCCESS
        }
        Some(sentence) => {
            println!("violated: {sentence}\n0 passed, 1 failed");
            ExitCode::FAILURE
        }
    }
}
