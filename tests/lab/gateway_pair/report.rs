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
    /// Its last advert before the command, which is the last one that the other one followed.
    AdvertBefore,
    /// Its priority 0.
    GaveUp,
    /// The new master's entry into BACKUP.
    Backup,
}

impl Since {
    const fn text(self) -> &'static str {
        match self {
            Self::LastAdvert => "the last advert",
            Self::AdvertBefore => "the advert before the release",
            Self::GaveUp => "priority 0",
            Self::Backup => "its entry into BACKUP",
        }
    }
}

/// A time of the protocol.
#[derive(Clone, Debug)]
pub struct Own {
    /// How long.
    pub time: Duration,
    /// Its name, and how it is computed.
    pub formula: String,
}

impl Own {
    /// Master_Down_Interval of a router of this priority.
    pub fn master_down(router: &str, priority: u8, interval: Centiseconds) -> Self {
        let rank = 256 - u32::from(priority);
        let text = length(interval.duration());
        let formula = format!("Master_Down_Interval of {router}: 3 x {text} + {rank}/256 x {text}");
        Self { time: (3 * 256 + rank) * interval.duration() / 256, formula }
    }

    /// Skew_Time of a router of this priority.
    pub fn skew(router: &str, priority: u8, interval: Centiseconds) -> Self {
        let rank = 256 - u32::from(priority);
        let text = length(interval.duration());
        let formula = format!("Skew_Time of {router}: {rank}/256 x {text}");
        Self { time: rank * interval.duration() / 256, formula }
    }
}

/// The table, with what its words mean.
pub fn table(rows: &[Row]) -> String {
    let mut text = format!(
        "\n{:<26} {:<11}  {:>9}  {:>9}    {:>9}  {:>12}\n",
        "", "master", "takeover", "protocol", "announced", "pings lost"
    );
    let mut notes: Vec<String> = Vec::new();
    for row in rows {
        let way = row.from.map_or(row.to.to_owned(), |from| format!("{from} > {}", row.to));
        let lost = row.loss.map_or("-".to_owned(), |l| format!("{} of {}", l.lost, l.sent));
        let note = format!("{}, since {}", row.own.formula, row.since.text());
        let number = notes.iter().position(|known| *known == note).unwrap_or(notes.len());
        if number == notes.len() {
            notes.push(note);
        }
        let _ = writeln!(
            text,
            "{:<26} {way:<11}  {:>9}  {:>9} {}  {:>9}  {lost:>12}",
            row.phase,
            seconds(row.takeover),
            seconds(row.own.time),
            letter(number),
            format!("+{:.1} ms", row.announced.as_secs_f64() * 1_000.0),
        );
    }
    text.push('\n');
    for (number, note) in notes.iter().enumerate() {
        let _ = writeln!(text, "{}  {note}", letter(number));
    }
    text.push_str(
        "\n\
         takeover: until the first advert of the new master, as the switch saw it, by the clock\n\
         of the kernel. announced: after that, the first gratuitous ARP for the address.\n\
         A killed daemon leaves its address in the kernel, which goes on answering; a router\n\
         whose cable is pulled does not. Who is stopped or switched over hands over: it announces\n\
         an interval of 0.01 s before priority 0, and the successor's Skew_Time is short.\n",
    );
    text
}

/// The mark of a note.
fn letter(number: usize) -> char {
    ('a'..='z').nth(number).unwrap_or('?')
}

/// For a column.
pub fn seconds(time: Duration) -> String {
    format!("{:.4} s", time.as_secs_f64())
}

/// A configured time, as short as it can be said.
pub fn length(length: Duration) -> String {
    if length.subsec_nanos() == 0 {
        format!("{} s", length.as_secs())
    } else {
        format!("{} ms", length.as_millis())
    }
}
