//! Standard output and standard error.

use std::io::{self, ErrorKind, IsTerminal, Write};

/// Writes to the two streams. A closed pipe is not an error, so that `steadfast check | head` ends
/// silently.
#[derive(Debug, Default)]
pub struct Output {
    failed: Option<io::Error>,
    closed: bool,
}

impl Output {
    /// Writes to standard output.
    pub fn out(&mut self, text: &str) {
        let mut stream = io::stdout().lock();
        let result = stream.write_all(text.as_bytes()).and_then(|()| stream.flush());
        self.closed |= result.is_err();
        self.note(result);
    }

    /// Writes to standard error.
    pub fn err(&mut self, text: &str) {
        let result = io::stderr().lock().write_all(text.as_bytes());
        self.note(result);
    }

    /// The first error of a write.
    pub fn failed(&self) -> Option<&io::Error> {
        self.failed.as_ref()
    }

    /// Whether writing to standard output has failed.
    pub const fn closed(&self) -> bool {
        self.closed
    }

    /// Whether to use colours on standard error.
    pub fn err_colour(&self) -> bool {
        colour(&io::stderr())
    }

    /// Whether to use colours on standard output.
    pub fn out_colour(&self) -> bool {
        colour(&io::stdout())
    }

    fn note(&mut self, result: io::Result<()>) {
        let failed = result.err().filter(|error| error.kind() != ErrorKind::BrokenPipe);
        self.failed = self.failed.take().or(failed);
    }
}

/// Whether a stream is a terminal with colours.
fn colour(stream: &impl IsTerminal) -> bool {
    let unset = |name| std::env::var_os(name).is_none_or(|value| value.is_empty());
    let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
    stream.is_terminal() && unset("NO_COLOR") && !dumb
}
