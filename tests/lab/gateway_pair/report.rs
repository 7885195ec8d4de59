//! The table at the end.

use std::fmt::Write;
use std::time::Duration;

use steadfast::units::Centiseconds;

use crate::harness::ping::Loss;

/// What happened in a phase.
#[derive(Clone, Debug)]
pub struct Row {
    /// What was done.
    pub phase: &'static str,
    /// The master before; nothing at the start.
    pub from: Option<&'static str>,
    /// The master afterwards.
    pub to: &'static str,
    /// From [`Row::since`] to the first advert of the new master.
    pub takeover: Duration,
    /// What begins the takeover.
    pub since: Since,
    /// The protocol's own time for it.
    pub own: Own,
    /// From that advert to the first announcement of the address.
    pub announced: Duration,
    /// What the client lost; nothing at the start, when there was nobody to ask.
    pub loss: Option<Loss>,
}

/// What begins a takeover.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Since {
    /// The last advert of the old master.
    LastAdvert,
    /// Its priority 0.
    GaveUp,
    /// The new master's entry into BACKUP.
    Backup,
}

impl Since {
    const fn text(self) -> &'static str {
        match self {
            Self::LastAdvert => "last advert",
            Self::GaveUp => "priority 0",
            Self::Backup => "BACKUP",
        }
    }
}

/// A time of the protocol.
#[derive(Clone, Debug)]
pub struct Own {
    /// How long.
    pub time: Duration,
    /// How it is computed.
    pub formula: String,
}

impl Own {
    /// Master_Down_Interval of a router of this priority.
    pub fn master_down(priority: u8, interval: Centiseconds) -> Self {
        let skew = Self::skew(priority, interval);
        Self {
            time: 3 * interval.duration() + skew.time,
            formula: format!("3 x {} + {}", length(interval.duration()), skew.formula),
        }
    }

    /// Skew_Time of a router of this priority.
    pub fn skew(priority: u8, interval: Centiseconds) -> Self {
        let rank = 256 - u32::from(priority);
        let formula = format!("{rank}/256 x {}", length(interval.duration()));
        Self { time: interval.duration() * rank / 256, formula }
    }
}

/// The table, with what its words mean.
pub fn table(rows: &[Row], interval: Centiseconds) -> String {
    let mut text = String::from("\n");
    let _ = writeln!(
        text,
        "{:<28} {:<12} {:>9}  {:<16} {:>9}  {:<22} {:>9}  {:>13}",
        "", "master", "takeover", "counted from", "protocol", "", "announced", "pings lost"
    );
    for row in rows {
        let way = row.from.map_or(row.to.to_owned(), |from| format!("{from} > {}", row.to));
        let lost = row.loss.map_or("-".to_owned(), |l| format!("{} of {}", l.lost, l.sent));
        let _ = writeln!(
            text,
            "{:<28} {:<12} {:>9}  {:<16} {:>9}  {:<22} {:>9}  {:>13}",
            row.phase,
            way,
            time(row.takeover),
            row.since.text(),
            time(row.own.time),
            row.own.formula,
            format!("+{}", length(row.announced)),
            lost
        );
    }
    let _ = write!(
        text,
        "\n\
         takeover   until the first advert of the new master, on the switch, by the kernel's clock\n\
         protocol   Master_Down_Interval = 3 x interval + Skew_Time;\n\
         \u{20}          Skew_Time = (256 - priority) / 256 x interval; the interval is {}\n\
         announced  after that advert: the first gratuitous ARP for the address\n\
         \n\
         A killed daemon leaves its address in the kernel, which goes on answering; a router\n\
         whose cable is pulled does not. A planned hand-over shortens Skew_Time for the\n\
         successor by announcing an interval of 0.01 s before priority 0.\n",
        length(interval.duration())
    );
    text
}

/// In seconds, for a column.
pub fn time(time: Duration) -> String {
    format!("{:.4} s", time.as_secs_f64())
}

/// As short as it can be said.
pub fn length(length: Duration) -> String {
    if length >= Duration::from_secs(1) {
        format!("{} s", length.as_secs_f64())
    } else {
        let micros = length.as_micros();
        format!("{} ms", f64::from(u32::try_from(micros).unwrap_or(u32::MAX)) / 1_000.0)
    }
}
