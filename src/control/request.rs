//! What a client of `control.sock` may ask: one JSON object on a line, such as
//! `{"method":"switchover","instance":"lan","for":600}`. Every answer is one line,
//! `{"ok":...}` or `{"error":"..."}` ([`answer`](super::answer)); `events` gives one line for each
//! event until the client hangs up.
//!
//! | method | `ok` holds |
//! |---|---|
//! | `status` | the [document](super::status::Document); `"memory":true` adds that of the processes, `"instance":"lan"` shows one alone, `"format":"text"` gives the verdict's `level` and the `text` for a person, with `"colour":true` in colour |
//! | `reload` | text: what changed, one line for each change |
//! | `switchover`, `release` | text: how it ended |
//! | `events` | an [`Event`](super::event::json::Event), or with `"format":"text"` a line for a person |
//! | `stop` | text: that it stops; the daemon hangs up when it has |
//! | `upgrade` | text: what takes over; the daemon hangs up, and answers again soon |
//! | `log_level` | the [`Level`] in effect |

use super::event::Level;
use super::value::{ToValue, Value};

/// The longest line that is read, in octets.
pub const MAX_LINE: usize = 4096;

/// How an answer is to be written.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Format {
    /// As an object.
    #[default]
    Json,
    /// As text for a person, perhaps with colours.
    Text {
        /// With escape sequences.
        colour: bool,
    },
}

/// A question.
#[derive(Clone, PartialEq, Debug)]
pub enum Request {
    /// The [status document](super::status::Document).
    Status {
        /// With the memory of each process.
        memory: bool,
        /// About this instance alone.
        instance: Option<String>,
        /// How it is to be written.
        format: Format,
    },
    /// Read the configuration again. An error is the refusal with its diagnostics: the
    /// configuration in effect stays.
    Reload,
    /// Hand an instance over to another router, and stay backup until released.
    Switchover {
        /// Its name.
        instance: String,
        /// Release it after so many seconds; not given: only by `release`.
        hold_for: Option<f64>,
        /// Give up the addresses even if nobody takes over.
        force: bool,
    },
    /// End a switchover's hold.
    Release {
        /// Its name.
        instance: String,
    },
    /// Every [event](super::event::Event) from now on, as [`Event`](super::event::json::Event)s.
    Events {
        /// How they are to be written.
        format: Format,
    },
    /// Hand the addresses over and end; only root may ask.
    Stop {
        /// Give up at once what nobody has taken over.
        now: bool,
    },
    /// Let another program take the place of the daemon; only root may ask.
    Upgrade {
        /// Its file; not given: the file that the running one was started from.
        program: Option<String>,
    },
    /// Show or set how much is logged.
    LogLevel {
        /// The new level; not given: only show it.
        level: Option<Level>,
    },
}

/// The methods, for those who wrote another one.
const METHODS: &str = "status, reload, switchover, release, events, stop, upgrade, log_level";

/// The levels of the log, for those who wrote another one.
const LEVELS: &str = "one of error, warning, notice, info, debug";

/// The keys of a request that were not asked for yet.
struct Keys(Vec<(String, Value)>);

impl Keys {
    fn take(&mut self, key: &str) -> Option<Value> {
        let place = self.0.iter().position(|(own, _)| own == key)?;
        Some(self.0.remove(place).1).filter(|value| *value != Value::Null)
    }

    fn read<T>(
        &mut self,
        key: &str,
        what: &str,
        read: impl FnOnce(&Value) -> Option<T>,
    ) -> Result<Option<T>, String> {
        let Some(value) = self.take(key) else { return Ok(None) };
        read(&value).map(Some).ok_or_else(|| format!("\"{key}\" is to be {what}"))
    }

    fn text(&mut self, key: &str) -> Result<Option<String>, String> {
        self.read(key, "a text", |value| value.as_text().map(str::to_owned))
    }

    fn needed(&mut self, key: &str) -> Result<String, String> {
        self.text(key)?.ok_or_else(|| format!("\"{key}\" is missing"))
    }

    fn flag(&mut self, key: &str) -> Result<bool, String> {
        Ok(self.read(key, "true or false", Value::as_bool)?.unwrap_or(false))
    }

    fn format(&mut self) -> Result<Format, String> {
        let colour = self.flag("colour")?;
        match self.text("format")?.as_deref() {
            None | Some("json") => Ok(Format::Json),
            Some("text") => Ok(Format::Text { colour }),
            Some(_) => Err("\"format\" is to be \"json\" or \"text\"".to_owned()),
        }
    }

    fn request(&mut self) -> Result<Request, String> {
        let method = self.needed("method")?;
        Ok(match &*method {
            "status" => Request::Status {
                memory: self.flag("memory")?,
                instance: self.text("instance")?,
                format: self.format()?,
            },
            "reload" => Request::Reload,
            "switchover" => Request::Switchover {
                instance: self.needed("instance")?,
                hold_for: self.read("for", "a number of seconds", Value::as_number)?,
                force: self.flag("force")?,
            },
            "release" => Request::Release { instance: self.needed("instance")? },
            "events" => Request::Events { format: self.format()? },
            "stop" => Request::Stop { now: self.flag("now")? },
            "upgrade" => Request::Upgrade { program: self.text("program")? },
            "log_level" => {
                let level = |value: &Value| Level::named(value.as_text()?);
                Request::LogLevel { level: self.read("level", LEVELS, level)? }
            }
            other => return Err(format!("there is no method \"{other}\"")),
        })
    }
}

impl Request {
    /// Reads a line.
    ///
    /// # Errors
    /// What is wrong with it and what there is instead, in words.
    pub fn parse(line: &[u8]) -> Result<Self, String> {
        let read = || {
            let Value::Object(entries) = Value::from_json(line)? else {
                return Err("an object was expected".to_owned());
            };
            let entries = entries.into_iter().map(|(key, value)| (key.into_owned(), value));
            let mut keys = Keys(entries.collect());
            let request = keys.request()?;
            match keys.0.first() {
                Some((key, _)) => Err(format!("there is no key \"{key}\" in such a request")),
                None => Ok(request),
            }
        };
        read().map_err(|error| {
            format!(
                "this is not a request: {error}; write one JSON object on a line, such as \
                 {{\"method\":\"status\"}}; the methods are: {METHODS}"
            )
        })
    }

    /// The line, without its end.
    pub fn to_line(&self) -> String {
        let mut entries: Vec<(&'static str, Value)> = Vec::new();
        let flag = |set: bool| if set { Value::Bool(true) } else { Value::Null };
        let text = |text: &Option<String>| text.to_value();
        let method = match self {
            Self::Status { memory, instance, format } => {
                entries.push(("memory", flag(*memory)));
                entries.push(("instance", text(instance)));
                entries.extend(format.entries());
                "status"
            }
            Self::Reload => "reload",
            Self::Switchover { instance, hold_for, force } => {
                entries.push(("instance", instance.to_value()));
                entries.push(("for", hold_for.to_value()));
                entries.push(("force", flag(*force)));
                "switchover"
            }
            Self::Release { instance } => {
                entries.push(("instance", instance.to_value()));
                "release"
            }
            Self::Events { format } => {
                entries.extend(format.entries());
                "events"
            }
            Self::Stop { now } => {
                entries.push(("now", flag(*now)));
                "stop"
            }
            Self::Upgrade { program } => {
                entries.push(("program", text(program)));
                "upgrade"
            }
            Self::LogLevel { level } => {
                entries.push(("level", level.to_value()));
                "log_level"
            }
        };
        entries.retain(|(_, value)| *value != Value::Null);
        entries.insert(0, ("method", method.to_value()));
        let entries = entries.into_iter().map(|(key, value)| (key.into(), value));
        Value::Object(entries.collect()).to_json()
    }
}

impl Format {
    fn entries(self) -> impl Iterator<Item = (&'static str, Value)> {
        let (text, colour) = match self {
            Self::Json => (false, false),
            Self::Text { colour } => (true, colour),
        };
        let format = text.then(|| ("format", "text".to_value()));
        format.into_iter().chain(colour.then_some(("colour", Value::Bool(true))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_read() {
        let read = |line: &str| Request::parse(line.as_bytes());
        let status = |memory, format| Request::Status { memory, instance: None, format };
        assert_eq!(read(r#"{"method":"status"}"#), Ok(status(false, Format::Json)));
        let text = r#"{"method":"status","memory":true,"format":"text","colour":true}"#;
        assert_eq!(read(text), Ok(status(true, Format::Text { colour: true })));
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
                assert!(told.contains("\"instance\" is missing"), "{method}: {told}");
            });
            assert_eq!(told.is_err(), ["switchover", "release"].contains(&method), "{method}");
        }
    }

    #[test]
    fn what_is_asked_is_read_as_it_was_meant() {
        let instance = || "lan \"a\"".to_owned();
        for request in [
            Request::Status { memory: false, instance: None, format: Format::Json },
            Request::Status {
                memory: true,
                instance: Some(instance()),
                format: Format::Text { colour: true },
            },
            Request::Reload,
            Request::Switchover { instance: instance(), hold_for: Some(0.5), force: true },
            Request::Switchover { instance: instance(), hold_for: None, force: false },
            Request::Release { instance: instance() },
            Request::Events { format: Format::Text { colour: false } },
            Request::Stop { now: true },
            Request::Upgrade { program: Some("/x".to_owned()) },
            Request::LogLevel { level: Some(Level::Error) },
        ] {
            assert_eq!(Request::parse(request.to_line().as_bytes()), Ok(request));
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
            r#"{"method":"status","memory":"yes"}"#,
            r#"{"method":"log_level","level":"loud"}"#,
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
