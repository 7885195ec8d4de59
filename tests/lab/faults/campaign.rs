//! Does all faults of a plan, several at the same time, and tells how it went.

use std::any::Any;
use std::collections::VecDeque;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::{Mutex, PoisonError, RwLock};
use std::thread;
use std::time::Instant;

use crate::arguments::Arguments;
use crate::inflict::Patient;
use crate::outcome::Outcome;
use crate::plan::{self, Fault};
use crate::scene::Scene;
use crate::table::table;

/// Held by one that the whole machine feels, and shared by all others.
static MACHINE: RwLock<()> = RwLock::new(());
/// The log of the system is one for all.
static SYSLOG: Mutex<()> = Mutex::new(());

/// Runs all; whether everything was as it should be is the exit code.
pub fn run(arguments: &Arguments) -> ExitCode {
    println!(
        "faults: seed {} ({} drawn, the fixed ones up to {} times, {} at a time)",
        arguments.seed, arguments.faults, arguments.fixed, arguments.parallel
    );
    let begin = Instant::now();
    let fixed = all("fixed", plan::fixed(arguments), arguments.parallel);
    let drawn = all("drawn", plan::drawn(arguments), arguments.parallel);
    if !fixed.is_empty() {
        let rows = fixed.iter().map(|(fault, outcome)| {
            let interval = fault.interval.as_millis();
            (format!("{} at {interval} ms", fault.kind.name()), fault, outcome)
        });
        print!("{}", table("the fixed faults, as master; below 1 s only shown", rows));
    }
    if !drawn.is_empty() {
        let mut sorted: Vec<_> = drawn.iter().collect();
        sorted.sort_by_key(|(fault, _)| fault.kind);
        let rows =
            sorted.iter().map(|(fault, outcome)| (fault.kind.name().to_owned(), fault, outcome));
        print!("{}", table(&format!("faults drawn from seed {}", arguments.seed), rows));
    }
    let mut failed = 0;
    for (fault, outcome) in fixed.iter().chain(&drawn) {
        for wrong in &outcome.wrong {
            println!("wrong: {fault}: {wrong}");
        }
        failed += usize::from(!outcome.wrong.is_empty());
    }
    let count = fixed.len() + drawn.len();
    println!(
        "faults: {count} in {} s, {failed} of them with something wrong (seed {})",
        begin.elapsed().as_secs(),
        arguments.seed
    );
    if failed > 0 {
        println!(
            "  = help: the same one again: cargo test --test faults -- --seed {} --only NUMBER\n  \
             = help: reports are in {}",
            arguments.seed,
            reports().display()
        );
    }
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Does a plan, in the order of its numbers as nearly as that can be.
fn all(name: &str, plan: Vec<Fault>, parallel: usize) -> Vec<(Fault, Outcome)> {
    let queue = Mutex::new(VecDeque::from(plan));
    let results = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..parallel {
            let work = || {
                loop {
                    let next = queue.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
                    let Some(fault) = next else { return };
                    let outcome = alone_if_needed(name, &fault);
                    let verdict = if outcome.wrong.is_empty() { "" } else { "  WRONG" };
                    println!("{fault}: {outcome}{verdict}");
                    for note in &outcome.notes {
                        println!("      ({note})");
                    }
                    for wrong in &outcome.wrong {
                        println!("      {wrong}");
                    }
                    results.lock().unwrap_or_else(PoisonError::into_inner).push((fault, outcome));
                }
            };
            thread::Builder::new()
                .name(name.to_owned())
                .spawn_scoped(scope, work)
                .expect("a thread");
        }
    });
    let mut results = results.into_inner().unwrap_or_else(PoisonError::into_inner);
    results.sort_by_key(|(fault, _)| fault.number);
    results
}

fn alone_if_needed(name: &str, fault: &Fault) -> Outcome {
    let _syslog =
        fault.kind.needs_syslog().then(|| SYSLOG.lock().unwrap_or_else(PoisonError::into_inner));
    if fault.kind.is_global() {
        let _alone = MACHINE.write().unwrap_or_else(PoisonError::into_inner);
        caught(name, fault)
    } else {
        let _shared = MACHINE.read().unwrap_or_else(PoisonError::into_inner);
        caught(name, fault)
    }
}

fn caught(name: &str, fault: &Fault) -> Outcome {
    catch_unwind(AssertUnwindSafe(|| one(name, fault)))
        .unwrap_or_else(|panic| Outcome::failed(words(panic.as_ref())))
}

fn one(name: &str, fault: &Fault) -> Outcome {
    let side = usize::from(!fault.on_master);
    let mut scene = Scene::start(fault, side);
    let before = (scene.restarts(side), scene.unsent_replies());
    scene.wire.mark();
    scene.wire.wait_for("an advert of the master", |p| p.is_of_master("gw-a"));
    thread::sleep(fault.interval.mul_f64(fault.moment));
    let begin = Instant::now();
    let suffered = catch_unwind(AssertUnwindSafe(|| {
        let done = Patient::new(&mut scene, fault, side).suffer();
        let whole = scene.becomes_whole(fault);
        Outcome::measure(&mut scene, fault, begin, before, done, whole)
    }));
    let outcome = suffered.unwrap_or_else(|panic| Outcome::failed(words(panic.as_ref())));
    if !outcome.wrong.is_empty() {
        report(name, fault, &outcome, &mut scene);
    }
    outcome
}

/// Where the reports of failed faults are.
fn reports() -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("faults")
}

fn report(name: &str, fault: &Fault, outcome: &Outcome, scene: &mut Scene) {
    let path = reports().join(format!("{name}-{}-{}", fault.number, fault.kind.name()));
    let text = format!("{fault}\n{outcome}\n{outcome:#?}\n{}", scene.report());
    let written = fs::create_dir_all(reports())
        .and_then(|()| fs::write(path.with_extension("txt"), text))
        .and_then(|()| scene.wire.write(&path.with_extension("pcap")));
    if let Err(error) = written {
        eprintln!("faults: cannot write {}: {error}", path.display());
    }
}

/// What a panic said.
fn words(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().cloned();
    let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
    text.unwrap_or_else(|| "a panic without words".to_owned())
}
