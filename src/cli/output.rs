//! Standard output and standard error.

use std::io::{self, ErrorKind, IsTerminal, Write};

/// Writes to the two streams. A reader that went away is no error: `steadfast check | head` ends
/// without a word.
#[derive(Debug, Default)]
pub struct Output {
    failed: Option<io::Error>,
    closed: bool,
}

impl Output {
    /// What was asked for.
    pub fn out(&mut self, text: &str) {
        let mut stream = io::stdout().lock();
        let result = stream.write_all(text.as_bytes()).and_then(|()| stream.flush());
        self.closed |= result.is_err();
        self.note(result);
    }

    /// What is wrong.
    pub fn err(&mut self, text: &str) {
        let result = io::stderr().lock().write_all(text.as_bytes());
        self.note(result);
    }

    /// Why something could not be written; the first time.
    pub fn failed(&self) -> Option<&io::Error> {
        self.failed.as_ref()
    }

    /// Whether nobody gets what is written to standard output any more.
    pub const fn closed(&self) -> bool {
        self.closed
    }

    /// Whether standard error may have colours.
    pub fn err_colour(&self) -> bool {
        colour(&io::stderr())
    }

    /// Whether standard output may have colours.
    pub fn out_colour(&self) -> bool {
        colour(&io::stdout())
    }

    fn note(&mut self, result: io::Result<()>) {
        let failed = result.err().filter(|error| error.kind() != ErrorKind::BrokenPipe);
        self.failed = self.failed.take().or(failed);
    }
}

/// Whether a stream is a terminal that may get colours.
fn colour(stream: &impl IsTerminal) -> bool {
    let unset = |name| std::env::var_os(name).is_none_or(|value| value.is_empty());
    let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
    stream.is_terminal() && unset("NO_COLOR") && !dumb
}
