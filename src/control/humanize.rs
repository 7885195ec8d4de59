//! Ages, times and counts as a person reads them.

pub use crate::config::report::plural;

/// Seconds.
pub type Seconds = f64;

/// A number of seconds, or of anything else that is not negative, with so many decimals.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "it is not negative, and larger numbers become the largest one"
)]
pub fn decimals(number: f64, places: u32) -> String {
    let (scale, width) = (10_u64.pow(places), places as usize);
    let scaled = (number * scale as f64).round() as u64;
    match places {
        0 => scaled.to_string(),
        _ => format!("{}.{:0width$}", scaled / scale, scaled % scale),
    }
}

/// A length of time in its two largest units: `0.4 s`, `34 s`, `3 min 20 s`, `2 h 13 min`,
/// `4 d 3 h`.
pub fn length(seconds: Seconds) -> String {
    let Ok(length) = std::time::Duration::try_from_secs_f64(seconds.max(0.0)) else {
        return "?".to_owned();
    };
    let tenths = length.as_millis() / 100;
    let whole = length.as_secs();
    match whole {
        0..10 => format!("{}.{} s", tenths / 10, tenths % 10),
        10..60 => format!("{whole} s"),
        60..3_600 => format!("{} min {} s", whole / 60, whole % 60),
        3_600..86_400 => format!("{} h {} min", whole / 3_600, whole % 3_600 / 60),
        86_400.. => format!("{} d {} h", whole / 86_400, whole % 86_400 / 3_600),
    }
}

/// A point in time, seconds since 1970: `2026-03-01 03:07:12Z`.
pub fn utc(time: Seconds) -> String {
    let Ok(since) = std::time::Duration::try_from_secs_f64(time) else {
        return "?".to_owned();
    };
    let (days, second) = (since.as_secs() / 86_400, since.as_secs() % 86_400);
    // Years that begin in March, so that the leap day is the last of its year, in cycles of 400.
    let days = days + 719_468;
    let (cycle, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (month, next) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    let year = cycle * 400 + year + next;
    let (hour, minute, second) = (second / 3_600, second % 3_600 / 60, second % 60);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}Z")
}

/// The first two of a list, and how many more there are.
pub fn some<'a>(items: impl IntoIterator<Item = &'a str>) -> String {
    let items: Vec<&str> = items.into_iter().collect();
    match items.as_slice() {
        [first, second, _, ..] => format!("{first}, {second} and {} more", items.len() - 2),
        short => short.join(" and "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_time_have_two_units_at_most() {
        for (seconds, text) in [
            (0.0, "0.0 s"),
            (0.449, "0.4 s"),
            (9.99, "9.9 s"),
            (10.0, "10 s"),
            (59.9, "59 s"),
            (60.0, "1 min 0 s"),
            (3_599.0, "59 min 59 s"),
            (3_600.0, "1 h 0 min"),
            (90_000.0, "1 d 1 h"),
            (-1.0, "0.0 s"),
            (f64::INFINITY, "?"),
        ] {
            assert_eq!(length(seconds), text, "{seconds}");
        }
    }

    #[test]
    fn points_in_time_are_dates() {
        for (time, text) in [
            (0.0, "1970-01-01 00:00:00Z"),
            (951_782_400.0, "2000-02-29 00:00:00Z"),
            (951_868_800.0, "2000-03-01 00:00:00Z"),
            (1_772_334_432.9, "2026-03-01 03:07:12Z"),
            (1_798_761_599.0, "2026-12-31 23:59:59Z"),
            (4_107_542_400.0, "2100-03-01 00:00:00Z"),
            (-1.0, "?"),
        ] {
            assert_eq!(utc(time), text, "{time}");
        }
    }

    #[test]
    fn lists_are_cut() {
        assert_eq!(some([]), "");
        assert_eq!(some(["a"]), "a");
        assert_eq!(some(["a", "b"]), "a and b");
        assert_eq!(some(["a", "b", "c"]), "a, b and 1 more");
    }

    #[test]
    fn plurals() {
        assert_eq!(plural(1, "error"), "1 error");
        assert_eq!(plural(0, "error"), "0 errors");
        assert_eq!(plural(2, "address"), "2 addresses");
    }
}
