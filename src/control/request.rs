//! What a client of `control.sock` may ask: one JSON object on a line, such as
//! `{"method":"switchover","instance":"lan","for":600}`. Every answer is one line,
//! `{"ok":...}` or `{"error":"..."}`; `events` gives one line for each event until the client
//! hangs up.
//!
//! | method | `ok` holds |
//! |---|---|
//! | `status` | the [document](super::status::Document); `"memory":true` adds that of the processes |
//! | `reload` | text: what changed, one line for each change |
//! | `switchover`, `release` | text: how it ended |
//! | `events` | an [`Event`](super::event::json::Event) |
//! | `stop` | text: that it stops; the daemon hangs up when it has |
//! | `upgrade` | text: what takes over; the daemon hangs up, and answers again soon |
//! | `log_level` | the [`Level`] in effect |

use serde::{Deserialize, Serialize};

use super::event::Level;

/// The longest line that is read, in octets.
pub const MAX_LINE: usize = 4096;

/// A question.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(tag = "method", rename_all = "snake_case", deny_unknown_fields)]
pub enum Request {
    /// The [status document](super::status::Document).
    Status {
        /// With the memory of each process.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        memory: bool,
    },
    /// Read the configuration again. An error is the refusal with its diagnostics: the
    /// configuration in effect stays.
    Reload {},
    /// Hand an instance over to another router, and stay backup until released.
    Switchover {
        /// Its name.
        instance: String,
        /// Release it after so many seconds; not given: only by `release`.
        #[serde(rename = "for", default, skip_serializing_if = "Option::is_none")]
        hold_for: Option<f64>,
        /// Give up the addresses even if nobody takes over.
        #[serde(default)]
        force: bool,
    },
    /// End a switchover's hold.
    Release {
        /// Its name.
        instance: String,
    },
    /// Every [event](super::event::Event) from now on, as [`Event`](super::event::json::Event)s.
    Events {},
    /// Hand the addresses over and end; only root may ask.
    Stop {
        /// Give up at once what nobody has taken over.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        now: bool,
    },
    /// Let another program take the place of the daemon; only root may ask.
    Upgrade {
        /// Its file; not given: the file that the running one was started from.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        program: Option<String>,
    },
    /// Show or set how much is logged.
    LogLevel {
        /// The new level; not given: only show it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        level: Option<Level>,
    },
}

/// An answer.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer<T> {
    /// What was asked for.
    Ok(T),
    /// Why not, in words for the user.
    Error(String),
}

/// The methods, for those who wrote another one.
const METHODS: &str = "status, reload, switchover, release, events, stop, upgrade, log_level";

impl Request {
    /// Reads a line.
    ///
    /// # Errors
    /// What is wrong with it and what there is instead, in words.
    pub fn parse(line: &[u8]) -> Result<Self, String> {
        serde_json::from_slice(line).map_err(|error| {
            format!(
                "this is not a request: {error}; write one JSON object on a line, such as \
                 {{\"method\":\"status\"}}; the methods are: {METHODS}"
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_read() {
        let read = |line: &str| Request::parse(line.as_bytes());
        assert_eq!(read(r#"{"method":"status"}"#), Ok(Request::Status { memory: false }));
        let memory = r#"{"method":"status","memory":true}"#;
        assert_eq!(read(memory), Ok(Request::Status { memory: true }));
        assert_eq!(
            read(r#"{"method":"switchover","instance":"lan","for":600}"#),
            Ok(Request::Switchover {
                instance: "lan".to_owned(),
                hold_for: Some(600.0),
                force: false
            })
        );
        assert_eq!(
            read(r#"{"method":"log_level","level":"debug"}"#),
            Ok(Request::LogLevel { level: Some(Level::Debug) })
        );
        for method in METHODS.split(", ") {
            let told = read(&format!(r#"{{"method":"{method}"}}"#)).map_err(|told| {
                assert!(told.contains("missing field"), "{method}: {told}");
            });
            assert_eq!(told.is_err(), ["switchover", "release"].contains(&method), "{method}");
        }
    }

    #[test]
    fn garbage_is_told_what_there_is() {
        for line in [
            "",
            "GET / HTTP/1.1",
            "{}",
            r#"{"method":"stauts"}"#,
            r#"{"method":"status","x":1}"#,
            "[[[[",
            "\u{0}\u{1}",
        ] {
            let told = Request::parse(line.as_bytes()).unwrap_err();
            assert!(told.starts_with("this is not a request: "), "{told}");
            assert!(told.ends_with(METHODS), "{told}");
        }
        assert!(Request::parse(b"\xff\xfe").is_err());
        let deep = "[".repeat(4_000);
        assert!(Request::parse(deep.as_bytes()).is_err());
    }
}
