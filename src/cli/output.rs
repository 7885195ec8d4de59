//! Standard output and standard error.

use std::io::{self, ErrorKind, IsTerminal, Write};

/// Writes to the two streams. A reader that went away is no error: `steadfast check | head` ends
/// without a word.
#[derive(Debug, Default)]
pub struct Output {
    failed: Option<io::Error>,
}

impl Output {
    /// What was asked for.
    pub fn out(&mut self, text: &str) {
        let mut stream = io::stdout().lock();
        let result = stream.write_all(text.as_bytes()).and_then(|()| stream.flush());
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

    /// Whether standard error may have colours.
    pub fn err_colour(&self) -> bool {
        let unset = |name| std::env::var_os(name).is_none_or(|value| value.is_empty());
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        io::stderr().is_terminal() && unset("NO_COLOR") && !dumb
    }

    fn note(&mut self, result: io::Result<()>) {
        let failed = result.err().filter(|error| error.kind() != ErrorKind::BrokenPipe);
        self.failed = self.failed.take().or(failed);
    }
}
