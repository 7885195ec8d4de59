//! The command line.

use std::time::Duration;

/// What to run.
#[derive(Clone, Debug)]
pub struct Args {
    /// How many seeds; with a time, how many at least.
    pub seeds: u64,
    /// The first of them.
    pub first: u64,
    /// Only this one, with its whole timeline.
    pub seed: Option<u64>,
    /// As many seeds as fit.
    pub time: Option<Duration>,
    /// One line per seed.
    pub verbose: bool,
    /// Only the directed scenario of this name.
    pub directed: Option<String>,
    /// How many threads.
    pub threads: usize,
}

const USAGE: &str = "\
usage: simulation [--seeds N] [--first N] [--time SECONDS] [--verbose] [--threads N]
           N seeds (2000 when nothing is said); with --time as many as fit, N at least
       simulation --seed X          one seed with its whole timeline
       simulation --directed NAME   one directed scenario with its whole timeline";

impl Args {
    /// Reads the arguments; an error is the text to print.
    pub fn parse(arguments: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut args = Self {
            seeds: 0,
            first: 1,
            seed: None,
            time: None,
            verbose: false,
            directed: None,
            threads: std::thread::available_parallelism().map_or(1, usize::from),
        };
        let mut arguments = arguments;
        let mut seeds = None;
        while let Some(argument) = arguments.next() {
            let mut value =
                || arguments.next().ok_or_else(|| format!("{argument} needs a value\n{USAGE}"));
            let number = |text: String| {
                text.parse::<u64>().map_err(|_| format!("{text:?} is no number\n{USAGE}"))
            };
            match argument.as_str() {
                "--seeds" => seeds = Some(number(value()?)?),
                "--first" => args.first = number(value()?)?,
                "--seed" => args.seed = Some(number(value()?)?),
                "--time" => args.time = Some(Duration::from_secs(number(value()?)?)),
                "--threads" => args.threads = number(value()?)?.clamp(1, 256) as usize,
                "--directed" => args.directed = Some(value()?),
                "--verbose" => args.verbose = true,
                "--help" | "-h" => return Err(USAGE.to_owned()),
                _ => return Err(format!("unknown argument {argument:?}\n{USAGE}")),
            }
        }
        args.seeds = seeds.unwrap_or(if args.time.is_some() { 0 } else { 2000 });
        Ok(args)
    }
}
