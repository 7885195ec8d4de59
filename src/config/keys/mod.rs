//! What a key of the configuration is: name, type, range, default, and what other languages call
//! it.
//!
//! The keys of a table are written down once, in [`model`](super::model), by the macro
//! [`section`](crate::config::section): a row there is the field of the model, its default, its
//! [`Key`] and its help. Reading, the advice for unknown keys, the differences between two
//! configurations, the refusal of what is not built and `steadfast explain` work from these rows.

pub mod aliases;

use std::time::Duration;

/// Which kind of table a key is in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Place {
    /// The file itself.
    Root,
    /// `[global]`.
    Global,
    /// `[vrrp]`.
    Vrrp,
    /// `[vrrp.instance.NAME]`.
    Instance,
    /// `[vrrp.group.NAME]`.
    Group,
    /// `[track]`.
    Track,
    /// `[track.script.NAME]`.
    Script,
    /// `[track.file.NAME]`.
    File,
    /// `[track.process.NAME]`.
    Process,
    /// `[track.bfd.NAME]`.
    Bfd,
    /// `[static]`.
    Static,
    /// `authentication`.
    Authentication,
    /// `hmac`.
    Hmac,
    /// A table in braces that is the value of a key.
    Value,
    /// A table whose keys are names that the user chooses.
    Names,
}

impl Place {
    /// As it is written in the file; empty for tables without a header of their own.
    pub const fn header(self) -> &'static str {
        match self {
            Self::Root | Self::Value | Self::Names => "",
            Self::Global => "[global]",
            Self::Vrrp => "[vrrp]",
            Self::Instance => "[vrrp.instance.NAME]",
            Self::Group => "[vrrp.group.NAME]",
            Self::Track => "[track]",
            Self::Script => "[track.script.NAME]",
            Self::File => "[track.file.NAME]",
            Self::Process => "[track.process.NAME]",
            Self::Bfd => "[track.bfd.NAME]",
            Self::Static => "[static]",
            Self::Authentication => "authentication = { ... }",
            Self::Hmac => "hmac = { ... }",
        }
    }
}

/// The type of a key's value, and its range.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Kind {
    /// `true` or `false`.
    Flag,
    /// A whole number from the first to the second.
    Whole(i64, i64),
    /// A length of time from the first to the second.
    Time(Duration, Duration),
    /// A text.
    Text,
    /// The name of an interface.
    Interface,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// Something else, in words.
    Other(&'static str),
}

/// One key of a table.
///
/// Made by [`Key::flag`] and its like and completed by the methods that return `Self`.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Key {
    /// The name in the file, without the prefix of its section.
    pub name: &'static str,
    /// Type and range.
    pub kind: Kind,
    /// A value, as it is written in the file.
    pub example: &'static str,
    /// The default, as it would be written; `None`: none, or one that depends on other keys.
    pub default: Option<&'static str>,
    /// keepalived's keywords for it in the block that corresponds to the table, each with the value
    /// that it stands for; without one the value follows the keyword there as well.
    pub keepalived: &'static [(&'static str, Option<&'static str>)],
    /// What to do when it is not there, if it has to be.
    pub required: Option<&'static str>,
    /// The feature that it waits for, as the begin of a sentence ("... not built yet").
    pub unbuilt: Option<&'static str>,
    /// The option's name in UCI; `None`: as in the file.
    pub uci: Option<&'static str>,
    /// The version that has it first.
    pub since: &'static str,
}

impl Key {
    /// A key of any kind.
    pub const fn new(name: &'static str, kind: Kind, example: &'static str) -> Self {
        Self {
            name,
            kind,
            example,
            default: None,
            keepalived: &[],
            required: None,
            unbuilt: None,
            uci: None,
            since: "0.1",
        }
    }

    /// `true` or `false`; the default is `false`.
    pub const fn flag(name: &'static str) -> Self {
        Self::new(name, Kind::Flag, "true").default("false")
    }

    /// A whole number.
    pub const fn whole(name: &'static str, low: i64, high: i64, example: &'static str) -> Self {
        Self::new(name, Kind::Whole(low, high), example)
    }

    /// A length of time.
    pub const fn time(
        name: &'static str,
        low: Duration,
        high: Duration,
        example: &'static str,
    ) -> Self {
        Self::new(name, Kind::Time(low, high), example)
    }

    /// A text.
    pub const fn text(name: &'static str, example: &'static str) -> Self {
        Self::new(name, Kind::Text, example)
    }

    /// One of several words.
    pub const fn choice(
        name: &'static str,
        words: &'static [&'static str],
        example: &'static str,
    ) -> Self {
        Self::new(name, Kind::Choice(words), example)
    }

    /// The default, as it would be written.
    #[must_use]
    pub const fn default(self, default: &'static str) -> Self {
        Self { default: Some(default), ..self }
    }

    /// keepalived's keywords for it.
    #[must_use]
    pub const fn keepalived(
        self,
        keepalived: &'static [(&'static str, Option<&'static str>)],
    ) -> Self {
        Self { keepalived, ..self }
    }

    /// It has to be there; what to do when it is not.
    #[must_use]
    pub const fn required(self, help: &'static str) -> Self {
        Self { required: Some(help), ..self }
    }

    /// It waits for a feature, as the begin of a sentence ("... not built yet").
    #[must_use]
    pub const fn unbuilt(self, feature: &'static str) -> Self {
        Self { unbuilt: Some(feature), ..self }
    }

    /// UCI has another name for it.
    #[must_use]
    pub const fn uci(self, name: &'static str) -> Self {
        Self { uci: Some(name), ..self }
    }
}

/// Zero, the smallest length of time.
pub const NO_TIME: Duration = Duration::ZERO;
/// The longest time that a key takes.
pub const DAY: Duration = Duration::from_secs(86_400);

/// The keys of a table: those of its own section, and those of sections that are part of it.
#[derive(Debug)]
pub struct Keys {
    /// Own keys, each with its help; `None` stands for a field without a key.
    pub own: &'static [Option<(Key, &'static str)>],
    /// Sections that are part of this one, with what their keys begin with here.
    pub parts: &'static [(&'static str, &'static Self)],
}

impl Keys {
    /// No key at all.
    pub const NONE: &'static Self = &Self { own: &[], parts: &[] };

    /// Every key, with what comes before its name, and with its help.
    pub fn each(&'static self, visit: &mut dyn FnMut(&'static str, &'static Key, &'static str)) {
        self.own.iter().flatten().for_each(|(key, help)| visit("", key, help));
        for (prefix, keys) in self.parts {
            // Of the prefixes of a part and of its own parts, at most one is not empty.
            keys.each(&mut |inner, key, help| {
                visit(if prefix.is_empty() { inner } else { prefix }, key, help);
            });
        }
    }

    /// A key by its whole name.
    pub fn find(&'static self, name: &str) -> Option<&'static Key> {
        let own = self.own.iter().flatten().map(|(key, _)| key).find(|key| key.name == name);
        own.or_else(|| {
            let mut parts = self.parts.iter();
            parts.find_map(|(prefix, keys)| keys.find(name.strip_prefix(prefix)?))
        })
    }
}

/// A kind of table and its keys.
#[derive(Clone, Copy, Debug)]
pub struct Table {
    /// Which kind.
    pub place: Place,
    /// Its keys.
    pub keys: &'static Keys,
}

impl Table {
    /// A table whose keys are names that the user chooses.
    pub const NAMES: Self = Self { place: Place::Names, keys: Keys::NONE };
}
