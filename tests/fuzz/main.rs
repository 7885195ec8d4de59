//! Replays the corpora of the fuzzers with the stable compiler, and runs some thousand mutations of
//! their entries. The same each time: what it finds, it finds again.
//!
//!     cargo test --profile simulation --test fuzz -- [TARGET [FILE ...]] [--runs N] [--seed N]
//!
//! With files: these only, once each. Inputs that fail are kept in tests/fuzz/artifacts/TARGET.

#![allow(
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::panic,
    clippy::expect_used,
    clippy::cast_possible_truncation,
    clippy::wildcard_enum_match_arm,
    missing_debug_implementations,
    reason = "a test program: what it did not expect has to stop it, and it prints its results"
)]

mod mutate;
mod targets;

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use mutate::Rng;
use targets::{TARGETS, Target};

/// Mutated inputs for each target.
const RUNS: u64 = 20_000;
/// An input that takes longer counts as an endless loop.
const INPUT_TIMEOUT: Duration = Duration::from_secs(60);

/// Inputs begun so far, and the present one.
static BEGUN: AtomicU64 = AtomicU64::new(0);
static PRESENT: Mutex<(&str, Vec<u8>)> = Mutex::new(("", Vec::new()));

struct Args {
    target: Option<String>,
    files: Vec<PathBuf>,
    runs: u64,
    seed: u64,
}

impl Args {
    fn parse(mut args: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut parsed = Self { target: None, files: Vec::new(), runs: RUNS, seed: 1 };
        while let Some(arg) = args.next() {
            let mut number = || {
                let value = args.next().and_then(|value| value.parse().ok());
                value.ok_or_else(|| format!("{arg} wants a number"))
            };
            match arg.as_str() {
                "--runs" => parsed.runs = number()?,
                "--seed" => parsed.seed = number()?,
                option if option.starts_with('-') => {
                    return Err(format!("unknown option {option}; there are: --runs, --seed"));
                }
                name if parsed.target.is_none() => parsed.target = Some(name.to_owned()),
                file => parsed.files.push(file.into()),
            }
        }
        if let Some(name) = &parsed.target
            && TARGETS.iter().all(|(known, _)| known != name)
        {
            let names = TARGETS.map(|(name, _)| name).join(", ");
            return Err(format!("unknown target {name}; there are: {names}"));
        }
        Ok(parsed)
    }
}

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz")
}

/// The corpus of a target, in the order of the names.
fn corpus(name: &str) -> Vec<Vec<u8>> {
    let path = directory().join("corpus").join(name);
    let entries = fs::read_dir(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.expect("it is there").path()).collect();
    files.sort();
    files.iter().map(|file| read(file)).collect()
}

fn read(file: &Path) -> Vec<u8> {
    fs::read(file).unwrap_or_else(|e| panic!("{}: {e}", file.display()))
}

/// Keeps an input; gives its place.
fn keep(name: &str, input: &[u8]) -> PathBuf {
    let sum = input.iter().fold(0xcbf2_9ce4_8422_2325_u64, |sum, octet| {
        (sum ^ u64::from(*octet)).wrapping_mul(0x0100_0000_01b3)
    });
    let path = directory().join("artifacts").join(name);
    let file = path.join(format!("replay-{sum:016x}"));
    if let Err(error) = fs::create_dir_all(&path).and_then(|()| fs::write(&file, input)) {
        println!("{}: {error}; the input is {input:02x?}", file.display());
    }
    file
}

/// Runs one input; false when it fails.
fn run(name: &'static str, target: Target, input: &[u8]) -> bool {
    if let Ok(mut present) = PRESENT.lock() {
        present.0 = name;
        present.1.clear();
        present.1.extend_from_slice(input);
    }
    BEGUN.fetch_add(1, Ordering::Relaxed);
    let good = catch_unwind(AssertUnwindSafe(|| target(input))).is_ok();
    if !good {
        println!("{name}: failed with {}", keep(name, input).display());
    }
    good
}

/// Ends the program when one input takes for ever.
fn watch() {
    let mut last = 0;
    loop {
        std::thread::sleep(INPUT_TIMEOUT);
        let begun = BEGUN.load(Ordering::Relaxed);
        if begun == last && begun > 0 {
            if let Ok(present) = PRESENT.lock() {
                let file = keep(present.0, &present.1);
                println!("{}: no end after {INPUT_TIMEOUT:?} with {}", present.0, file.display());
            }
            std::process::exit(1);
        }
        last = begun;
    }
}

fn test(name: &'static str, target: Target, args: &Args) -> bool {
    if !args.files.is_empty() {
        return args.files.iter().all(|file| run(name, target, &read(file)));
    }
    let corpus = corpus(name);
    assert!(!corpus.is_empty(), "{name}: the corpus is empty");
    let replayed = corpus.iter().all(|input| run(name, target, input));
    let mut rng = Rng::new(args.seed);
    // One failure is enough: the next ones are mostly the same.
    let mutated = replayed && {
        let mut input = Vec::new();
        (0..args.runs).all(|_| {
            rng.mutate(&corpus, &mut input);
            run(name, target, &input)
        })
    };
    let words = if mutated { "passed" } else { "FAILED" };
    println!("{name:<8} {words}: {} inputs of the corpus, {} mutations", corpus.len(), args.runs);
    mutated
}

fn main() -> ExitCode {
    let args = match Args::parse(std::env::args().skip(1)) {
        Ok(args) => args,
        Err(text) => {
            eprintln!("{text}");
            return ExitCode::from(2);
        }
    };
    std::thread::spawn(watch);
    let wanted = |name: &str| args.target.as_deref().is_none_or(|wanted| wanted == name);
    let mut failed = false;
    for (name, target) in TARGETS.into_iter().filter(|(name, _)| wanted(name)) {
        failed |= !test(name, target, &args);
    }
    if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}
