//! One line of the log as text.

use std::time::Duration;

use crate::config::values::hidden;
use crate::control::event::{Event, Level, text};
use crate::system::clock;
use crate::units::Instant;

/// A line on its way out.
#[derive(Clone, PartialEq, Debug)]
pub struct Line {
    /// When, since 1970, UTC.
    pub time: Duration,
    /// How much it matters.
    pub level: Level,
    /// Without control characters.
    pub text: String,
}

/// Turns times of [`Instant`]'s clock into times of day.
#[derive(Clone, Copy, Debug)]
pub struct Clocks {
    /// This moment.
    pub now: Instant,
    /// The same, since 1970, UTC.
    pub wall: Duration,
}

impl Clocks {
    /// Reads them.
    pub fn read() -> Self {
        Self { now: clock::now(), wall: clock::wall() }
    }

    /// The time of day of a moment in the past.
    pub fn wall(&self, at: Instant) -> Duration {
        self.wall.saturating_sub(self.now.since(at))
    }
}

/// The line of an event.
pub fn line(event: &Event, clocks: &Clocks) -> Line {
    let text = text::event(event);
    let mut text: String =
        text.trim_end().chars().map(|c| if hidden(c) { ' ' } else { c }).collect();
    if event.left_out > 0 {
        text.push_str(&format!(" ({} more like it were left out)", event.left_out));
    }
    Line { time: clocks.wall(event.at), level: event.level(), text }
}

impl Line {
    /// For standard error: `2026-11-21T23:40:12.345Z notice lan: ...`, with the line end.
    pub fn with_time(&self) -> String {
        let seconds = self.time.as_secs();
        let (year, month, day) = date(seconds / 86_400);
        let (hour, minute) = (seconds / 3_600 % 24, seconds / 60 % 60);
        format!(
            "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{:02}.{:03}Z {} {}\n",
            seconds % 60,
            self.time.subsec_millis(),
            self.level.name(),
            self.text
        )
    }

    /// For the system's log: `Nov  1 23:40:12`, UTC (RFC 3164, section 4.1.2).
    pub fn short_time(&self) -> String {
        let seconds = self.time.as_secs();
        let (_, month, day) = date(seconds / 86_400);
        let month = (1..).zip(MONTHS).find(|(number, _)| *number == month).map_or("", |(_, m)| m);
        let (hour, minute) = (seconds / 3_600 % 24, seconds / 60 % 60);
        format!("{month} {day:2} {hour:02}:{minute:02}:{:02}", seconds % 60)
    }
}

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// Year, month and day of a number of days since 1970 in the Gregorian calendar: years are counted
/// from a first of March, so that the leap day is the last one.
fn date(days: u64) -> (u64, u64, u64) {
    const ERA: u64 = 146_097;
    let days = days + 719_468;
    let (era, day_of_era) = (days / ERA, days % ERA);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    (400 * era + year_of_era + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::event::{Kind, What};

    #[test]
    fn times_of_day_are_right() {
        let shown = |seconds: u64, millis: u64| {
            let time = Duration::from_millis(seconds * 1_000 + millis);
            Line { time, level: Level::Notice, text: "x".to_owned() }.with_time()
        };
        // What `date -u -d @N` says.
        assert_eq!(shown(0, 0), "1970-01-01T00:00:00.000Z notice x\n");
        assert_eq!(shown(951_782_399, 7), "2000-02-28T23:59:59.007Z notice x\n");
        assert_eq!(shown(951_782_400, 0), "2000-02-29T00:00:00.000Z notice x\n");
        assert_eq!(shown(1_795_304_412, 345), "2026-11-21T23:40:12.345Z notice x\n");
        assert_eq!(shown(4_107_542_399, 0), "2100-02-28T23:59:59.000Z notice x\n");
        assert_eq!(shown(4_107_542_400, 0), "2100-03-01T00:00:00.000Z notice x\n");
    }

    #[test]
    fn short_times_have_no_year_and_are_of_one_length() {
        let shown = |seconds: u64| {
            let time = Duration::from_secs(seconds);
            Line { time, level: Level::Notice, text: "x".to_owned() }.short_time()
        };
        assert_eq!(shown(0), "Jan  1 00:00:00");
        assert_eq!(shown(1_795_304_412), "Nov 21 23:40:12");
        assert_eq!(shown(4_133_980_799), "Dec 31 23:59:59");
    }

    #[test]
    fn an_event_is_one_line_and_keeps_its_own_time() {
        let what = What::message(Level::Warning, Kind::Packet, "a\nb\x1b[1m\n");
        let at = Instant::from_nanos(4_000_000_000);
        let event = Event { left_out: 3, ..Event::of_process(at, what) };
        let clocks =
            Clocks { now: Instant::from_nanos(9_000_000_000), wall: Duration::from_secs(100) };
        let line = line(&event, &clocks);
        assert_eq!(line.text, "a b [1m (3 more like it were left out)");
        assert_eq!(line.time, Duration::from_secs(95));
    }
}
