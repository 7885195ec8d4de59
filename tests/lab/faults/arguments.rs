//! The command line.

use std::time::Duration;

use crate::kind::Kind;

/// What to run.
#[derive(Clone, Debug)]
pub struct Arguments {
    /// How many faults are drawn.
    pub faults: usize,
    /// What they are drawn from.
    pub seed: u64,
    /// Only this fault of the plan, counted from 1.
    pub only: Option<usize>,
    /// Faults of these kinds only.
    pub kinds: Vec<Kind>,
    /// This interval for all.
    pub interval: Option<Duration>,
    /// How often the fixed faults are done; 0: not at all.
    pub fixed: usize,
    /// Scenes at the same time.
    pub parallel: usize,
    /// The clock of the machine may be stepped.
    pub clock: bool,
    /// Show the help.
    pub help: bool,
}

/// What `--help` shows.
pub fn help() -> String {
    let width = Kind::ALL.iter().map(|kind| kind.name().len()).max().unwrap_or_default();
    let kinds: String =
        Kind::ALL.iter().map(|k| format!("  {:width$}  {}\n", k.name(), k.about())).collect();
    format!(
        "\
Faults on real routers in network namespaces, drawn from a seed.

Usage: cargo test --test faults -- [OPTIONS]

Options:
  --faults N       how many are drawn (default: 40; a long run: 300)
  --seed N         what they are drawn from (default: the time, which is printed)
  --only N         only the fault with this number
  --kind NAME      only of this kind; may be given several times
  --interval TIME  between adverts, for all of them: 10ms to 2s
  --fixed N        before that, the fixed ones as master at 1 s: the vrrp process killed N
                   times, and half as often stopped, the supervisor killed, and
                   everything killed; a tenth as often at 100, 50 and 10 ms (default: 0)
  --parallel N     scenes at the same time (default: 10)
  --clock          also step the clock of this machine: only in a virtual machine
  -h, --help       show this

Kinds:
{kinds}"
    )
}

impl Arguments {
    /// Reads the arguments; an error is the text to print.
    pub fn read() -> Result<Self, String> {
        let mut parser = lexopt::Parser::from_env();
        let now = crate::harness::wall_clock();
        let mut all = Self {
            faults: 40,
            seed: now.as_secs() % 1_000_000,
            only: None,
            kinds: Vec::new(),
            interval: None,
            fixed: 0,
            parallel: 10,
            clock: false,
            help: false,
        };
        while let Some(argument) = parser.next().map_err(|error| error.to_string())? {
            let lexopt::Arg::Long(name) = argument else {
                return match argument {
                    lexopt::Arg::Short('h') => Ok(Self { help: true, ..all }),
                    other => Err(format!("{}; see --help", other.unexpected())),
                };
            };
            let name = name.to_owned();
            match name.as_str() {
                "help" => return Ok(Self { help: true, ..all }),
                "clock" => {
                    all.clock = true;
                    continue;
                }
                _ => {}
            }
            let value = parser.value().map_err(|error| format!("{error}; see --help"))?;
            let value = value.to_string_lossy().into_owned();
            let number =
                || value.parse::<u64>().map_err(|_| format!("--{name} {value} is no number"));
            match name.as_str() {
                "faults" => all.faults = number()? as usize,
                "seed" => all.seed = number()?,
                "only" => all.only = Some(number()? as usize),
                "fixed" => all.fixed = number()? as usize,
                "parallel" => all.parallel = (number()? as usize).clamp(1, 64),
                "kind" => {
                    let kind = Kind::ALL.iter().find(|kind| kind.name() == value);
                    all.kinds.push(*kind.ok_or_else(|| format!("no kind {value}; see --help"))?);
                }
                "interval" => {
                    let interval = interval(&value);
                    all.interval =
                        Some(interval.ok_or_else(|| format!("--interval {value}: 10ms to 2s"))?);
                }
                _ => return Err(format!("unknown option --{name}; see --help")),
            }
        }
        Ok(all)
    }
}

fn interval(text: &str) -> Option<Duration> {
    let length = match text.strip_suffix("ms") {
        Some(number) => Duration::from_millis(number.parse().ok()?),
        None => Duration::from_secs(text.strip_suffix('s').unwrap_or(text).parse().ok()?),
    };
    let ticks = length.as_millis() / 10;
    ((1..=200).contains(&ticks) && length.as_millis() % 10 == 0).then_some(length)
}
