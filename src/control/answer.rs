//! The answers on the control socket: `{"ok":...}` or `{"error":"...","kind":"...","help":"..."}`.

use super::render;
use super::request::Format;
use super::status::Document;
use super::value::{ToValue, Value};
use crate::config::suggest::nearest;

/// Why something was not done.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// It did not work, or is not allowed.
    Refused,
    /// The configuration has errors, and the one before stays in effect.
    Configuration,
    /// There is no such instance.
    Instance,
    /// The process that would have to do it does not answer.
    Dead,
}

impl Kind {
    const ALL: [Self; 4] = [Self::Refused, Self::Configuration, Self::Instance, Self::Dead];

    const fn name(self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::Configuration => "configuration",
            Self::Instance => "instance",
            Self::Dead => "dead",
        }
    }
}

/// An answer that is a no.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Refusal {
    /// Why.
    pub kind: Kind,
    /// In words for the user.
    pub text: String,
    /// What to do about it.
    pub help: Option<String>,
}

impl Refusal {
    /// Of a kind, in words.
    pub fn new(kind: Kind, text: impl Into<String>) -> Self {
        Self { kind, text: text.into(), help: None }
    }

    /// There is no instance with that name.
    pub fn no_instance<'a>(name: &str, have: impl Iterator<Item = &'a str> + Clone) -> Self {
        let help = match nearest(name, have.clone().collect::<Vec<_>>()) {
            Some(near) => format!("did you mean {near}?"),
            None => "the names are those of steadfast status".to_owned(),
        };
        let text = format!("there is no instance {name} (have: {})", listed(have));
        Self { kind: Kind::Instance, text, help: Some(help) }
    }

    fn to_value(&self) -> Value {
        let mut entries = vec![("error".into(), self.text.to_value())];
        if self.kind != Kind::Refused {
            entries.push(("kind".into(), self.kind.name().to_value()));
        }
        entries.extend(self.help.as_ref().map(|help| ("help".into(), help.to_value())));
        Value::Object(entries)
    }
}

impl From<String> for Refusal {
    fn from(text: String) -> Self {
        Self::new(Kind::Refused, text)
    }
}

/// How many names are listed.
const MAX_LISTED_NAMES: usize = 20;

fn listed<'a>(names: impl Iterator<Item = &'a str> + Clone) -> String {
    let shown = names.clone().take(MAX_LISTED_NAMES).collect::<Vec<_>>().join(", ");
    match names.count() {
        0 => "none".to_owned(),
        count if count > MAX_LISTED_NAMES => {
            format!("{shown} and {} more", count - MAX_LISTED_NAMES)
        }
        _ => shown,
    }
}

/// The line of an answer, without its end.
pub fn line(answer: Result<Value, Refusal>) -> String {
    let value = match answer {
        Ok(value) => Value::object([("ok", value)]),
        Err(refusal) => refusal.to_value(),
    };
    value.to_json()
}

/// What a status document is answered with.
///
/// # Errors
/// There is no such instance.
pub fn status(
    document: Document,
    instance: Option<&str>,
    format: Format,
) -> Result<Value, Refusal> {
    let document = match (instance, &document.instances) {
        (Some(name), Some(instances)) => {
            let have = || instances.iter().map(|instance| &*instance.name);
            if !have().any(|have| have == name) {
                return Err(Refusal::no_instance(name, have()));
            }
            document.only(name)
        }
        // Nothing is known about any instance: the whole says so.
        (Some(_), None) | (None, _) => document,
    };
    Ok(match format {
        Format::Json => document.to_value(),
        Format::Text { colour } => Value::object([
            ("level", document.verdict.level.to_value()),
            ("text", render::document(&document, colour).to_value()),
        ]),
    })
}

/// Reads the line of an answer.
///
/// # Errors
/// What is wrong with the line.
pub fn read(line: &[u8]) -> Result<Result<Value, Refusal>, String> {
    let Value::Object(entries) = Value::from_json(line)? else {
        return Err("an object was expected".to_owned());
    };
    let mut answer = Value::Object(entries);
    if let Value::Object(entries) = &mut answer
        && let Some(place) = entries.iter().position(|(key, _)| key == "ok")
    {
        return Ok(Ok(entries.remove(place).1));
    }
    let text = |key: &str| answer.get(key).and_then(Value::as_text).map(str::to_owned);
    let error = text("error").ok_or("neither \"ok\" nor \"error\" is there")?;
    let name = text("kind");
    let kind = Kind::ALL.into_iter().find(|kind| name.as_deref() == Some(kind.name()));
    Ok(Err(Refusal { kind: kind.unwrap_or(Kind::Refused), text: error, help: text("help") }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_answered_is_read() {
        let names = ["lan", "wan"];
        for answer in [
            Ok("done".to_value()),
            Ok(Value::Null),
            Err(Refusal::from("no".to_owned())),
            Err(Refusal::new(Kind::Configuration, "a.toml:1:1: error: no\nmore")),
            Err(Refusal::no_instance("wann", names.into_iter())),
        ] {
            assert_eq!(read(line(answer.clone()).as_bytes()), Ok(answer));
        }
        assert_eq!(line(Err("no".to_owned().into())), r#"{"error":"no"}"#);
        for wrong in ["", "[]", "{}", "{\"error\":1}", "HTTP/1.1 400"] {
            assert!(read(wrong.as_bytes()).is_err(), "{wrong}");
        }
    }

    #[test]
    fn many_names_are_not_all_listed() {
        let names: Vec<String> = (0..30).map(|number| format!("n{number}")).collect();
        let told = Refusal::no_instance("x", names.iter().map(String::as_str));
        assert!(told.text.ends_with(", n19 and 10 more)"), "{}", told.text);
        let none = Refusal::no_instance("x", std::iter::empty());
        assert_eq!(none.text, "there is no instance x (have: none)");
    }
}
