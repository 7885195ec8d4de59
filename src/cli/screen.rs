//! Fits texts to the screen. The beginning of a status is its most important part.

use crate::control::humanize::plural;
use crate::system::terminal::Size;

/// The text. When it is longer than the screen, its first line is repeated at the end, where the reader
/// sees it.
pub fn with_verdict(text: &str, size: Size) -> String {
    let rows: usize = text.lines().map(|line| height(line, size)).sum();
    match text.lines().next() {
        Some(first) if rows >= usize::from(size.rows) => format!("{text}\n{first}\n"),
        Some(_) | None => text.to_owned(),
    }
}

/// The beginning of a text, with the control sequences that replace the present screen by it.
pub fn fitted(text: &str, size: Size) -> String {
    let mut screen = "\x1b[H".to_owned();
    // The last row is for the cursor, or for the number of lines that do not fit.
    let mut room = usize::from(size.rows).saturating_sub(1);
    let mut lines = text.lines();
    let mut left = 0;
    for line in lines.by_ref() {
        match room.checked_sub(height(line, size)) {
            Some(rest) => room = rest,
            None => {
                left = 1;
                break;
            }
        }
        screen.push_str(line);
        screen.push_str("\x1b[K\n");
    }
    left += lines.count();
    if left > 0 {
        screen.push_str(&format!("... {}\x1b[K", plural(left, "more line")));
    }
    screen.push_str("\x1b[J");
    screen
}

/// The number of rows that a line takes. Colour sequences have no width.
fn height(line: &str, size: Size) -> usize {
    let mut characters = 0;
    let mut hidden = false;
    for character in line.chars() {
        match character {
            '\x1b' => hidden = true,
            'm' if hidden => hidden = false,
            _ if hidden => {}
            _ => characters += 1,
        }
    }
    let characters: usize = characters;
    characters.div_ceil(usize::from(size.columns).max(1)).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: Size = Size { rows: 4, columns: 5 };

    #[test]
    fn lines_are_as_high_as_the_terminal_makes_them() {
        for (line, rows) in [
            ("", 1),
            ("12345", 1),
            ("123456", 2),
            ("\x1b[1;31m12345\x1b[0m", 1),
            ("12345678901", 3),
        ] {
            assert_eq!(height(line, SIZE), rows, "{line}");
        }
    }

    #[test]
    fn a_short_text_is_shown_whole() {
        assert_eq!(fitted("a\nb\nc\n", SIZE), "\x1b[Ha\x1b[K\nb\x1b[K\nc\x1b[K\n\x1b[J");
        assert_eq!(with_verdict("a\nb\nc\n", SIZE), "a\nb\nc\n");
    }

    #[test]
    fn of_a_long_text_the_beginning_stays() {
        assert_eq!(
            fitted("a\nb\nc\nd\ne\n", SIZE),
            "\x1b[Ha\x1b[K\nb\x1b[K\nc\x1b[K\n... 2 more lines\x1b[K\x1b[J"
        );
        assert_eq!(
            fitted("123456\nb\nc\n", SIZE),
            "\x1b[H123456\x1b[K\nb\x1b[K\n... 1 more line\x1b[K\x1b[J"
        );
        assert_eq!(with_verdict("OK\nb\nc\nd\n", SIZE), "OK\nb\nc\nd\n\nOK\n");
    }
}
