//! Lines, tables and colours.

use std::borrow::Cow;

use crate::config::values::hidden;

/// Columns of a narrow terminal. Only tables and what came with its own line ends are wider.
const MAX_LINE_COLUMNS: usize = 80;

/// What a colour says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Paint {
    /// Nothing.
    Plain,
    /// As it should be.
    Good,
    /// Needs a look.
    Odd,
    /// Wrong.
    Bad,
    /// A heading.
    Strong,
}

/// The text as it grows.
#[derive(Debug)]
pub struct Page {
    text: String,
    colour: bool,
}

impl Page {
    /// Empty; `colour` allows escape sequences.
    pub const fn new(colour: bool) -> Self {
        Self { text: String::new(), colour }
    }

    /// What was written.
    pub fn into_text(self) -> String {
        self.text
    }

    /// Text in a colour. Characters that are not seen, and that a terminal
    /// would obey, are replaced.
    pub fn put(&mut self, paint: Paint, text: &str) {
        let code = match paint {
            Paint::Plain => "",
            Paint::Good => "32",
            Paint::Odd => "33",
            Paint::Bad => "1;31",
            Paint::Strong => "1",
        };
        if self.colour && !code.is_empty() {
            self.text.push_str(&format!("\x1b[{code}m{}\x1b[0m", clean(text)));
        } else {
            self.text.push_str(&clean(text));
        }
    }

    /// Ends the line.
    pub fn end(&mut self) {
        self.text.truncate(self.text.trim_end_matches(' ').len());
        self.text.push('\n');
    }

    /// An empty line and a heading.
    pub fn heading(&mut self, text: &str) {
        self.end();
        self.put(Paint::Strong, text);
        self.end();
    }

    /// A mark or label, then words that are broken into lines below each other; `column` is where
    /// they begin.
    pub fn item(&mut self, paint: Paint, label: &str, column: usize, words: &str) {
        let pad = column.saturating_sub(label.chars().count());
        self.put(paint, label);
        self.put(Paint::Plain, &" ".repeat(pad));
        for (index, line) in
            broken(words, MAX_LINE_COLUMNS.saturating_sub(column)).iter().enumerate()
        {
            if index > 0 {
                self.end();
                self.put(Paint::Plain, &" ".repeat(column));
            }
            self.put(Paint::Plain, line);
        }
        self.end();
    }

    /// Columns below each other; the first row is the heading.
    pub fn table(&mut self, rows: &[Vec<(Paint, String)>]) {
        let columns = rows.iter().map(Vec::len).max().unwrap_or_default();
        let width = |column: usize| {
            let cells = rows.iter().filter_map(|row| row.get(column));
            cells.map(|(_, text)| text.chars().count()).max().unwrap_or_default()
        };
        let widths: Vec<usize> = (0..columns).map(width).collect();
        for row in rows {
            for ((paint, text), width) in row.iter().zip(&widths) {
                self.put(*paint, text);
                let gap = width - text.chars().count() + 2;
                self.put(Paint::Plain, &" ".repeat(gap));
            }
            self.end();
        }
    }
}

/// Without control characters and others that are not seen.
fn clean(text: &str) -> Cow<'_, str> {
    if text.contains(hidden) {
        Cow::Owned(text.replace(hidden, "\u{fffd}"))
    } else {
        Cow::Borrowed(text)
    }
}

/// Lines of at most `width` characters, broken at spaces; longer words stay whole.
fn broken(text: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in text.split(' ') {
        let full = line.chars().count() + 1 + word.chars().count() > width;
        if full && !line.is_empty() {
            lines.push(std::mem::take(&mut line));
        } else if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    lines.push(line);
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_broken_at_spaces() {
        assert_eq!(broken("aa bb cc", 5), ["aa bb", "cc"]);
        assert_eq!(broken("aa bb cc", 4), ["aa", "bb", "cc"]);
        assert_eq!(broken("aaaaaaa b", 3), ["aaaaaaa", "b"]);
        assert_eq!(broken("", 3), [""]);
    }

    #[test]
    fn a_terminal_gets_no_orders_from_names() {
        let mut page = Page::new(false);
        page.put(Paint::Bad, "lan\x1b[2J\n");
        assert_eq!(page.into_text(), "lan\u{fffd}[2J\u{fffd}");
    }

    #[test]
    fn colours_are_only_where_they_are_wanted() {
        let mut page = Page::new(true);
        page.put(Paint::Good, "OK");
        page.put(Paint::Plain, "x");
        assert_eq!(page.into_text(), "\x1b[32mOK\x1b[0mx");
    }
}
