//! `authentication` and `hmac`.

use std::time::Duration;

use super::value_table;
use crate::config::keys::{self, Key, Kind, Place, aliases};
use crate::config::model::{Authentication, Hmac, HmacKey, HmacMode, HmacSecret};
use crate::config::reader::{FromItem, Item};
use crate::config::section::{Section, section};
use crate::config::values::Wrong;

section! {
    /// `authentication` as it is written.
    #[derive(Clone, PartialEq, Debug)]
    pub struct AuthenticationTable {
        /// How adverts are authenticated; AH is not built yet.
        kind: Option<Box<str>> = None,
            own Key::choice("type", &["pass", "ah"], "\"pass\"")
                .keepalived(&[("auth_type", None)])
                .required("add type = \"pass\"");
        /// Up to eight characters, the same on all routers.
        password: [u8; 8] = [0; 8],
            own Key::text("password", "\"...\"")
                .keepalived(&[("auth_pass", None)])
                .required("add password = \"...\", 1 to 8 characters");
    }
}

impl FromItem for Authentication {
    fn from_item(item: &Item<'_>, _: Kind) -> Option<Self> {
        let table = item.table(AUTHENTICATION)?;
        table.read(|_, _| ());
        if let Some(item) = table.get("type")
            && item.choice(&["pass", "ah"]) == Some(1)
        {
            let version = env!("CARGO_PKG_VERSION");
            item.wrong(Wrong::new(
                format!("{} not built yet in steadfast {version}", aliases::AH),
                "write type = \"pass\" on all routers, or keep keepalived for this instance",
            ));
        }
        table.get("password")?.parse(password).map(Self::Password)
    }
}

/// `authentication`.
const AUTHENTICATION: keys::Table =
    keys::Table { place: Place::Authentication, keys: AuthenticationTable::KEYS };

fn password(text: &str) -> Result<[u8; 8], Wrong> {
    if text.is_empty() {
        return Err(Wrong::new("the password is empty", "write 1 to 8 characters"));
    }
    let mut key = [0; 8];
    if text.len() > key.len() {
        return Err(Wrong::new(
            format!("the password has {} bytes, only 8 are sent", text.len()),
            "write its first 8 characters: keepalived uses no more either",
        ));
    }
    key.iter_mut().zip(text.bytes()).for_each(|(to, from)| *to = from);
    Ok(key)
}

const MODES: &[&str] = &["enforce", "permissive", "receive-only"];
const REPLAY: &[&str] = &["time", "monotonic"];

section! {
    /// `hmac` as it is written.
    #[derive(Clone, PartialEq, Debug)]
    pub struct HmacTable {
        /// The keys; identifiers are unique.
        keys: Vec<HmacKey> = Vec::new(),
            key Key::new("keys", Kind::Other("a list of tables"), "[{ id = 1, key = \"...\" }]")
                .required("add keys = [{ id = 1, key = \"...\" }], of 32 to 64 characters");
        /// The identifier of the key that signs.
        active_key: u8 = 0,
            key Key::whole("active_key", 1, 255, "1")
                .required("add active_key = 1, the id of the key that signs");
        /// How far clocks may differ; the default is three intervals, at least 5 s.
        time_window: Option<Duration> = None,
            key Key::time("time_window", Duration::from_secs(1), MAX_TIME_WINDOW, "\"5s\"");
        /// What adverts are not accepted twice by.
        anti_replay: bool = false, own Key::choice("anti_replay", REPLAY, "\"time\"");
        /// How strict it is (`vrrp:H-7`).
        mode: HmacMode = HmacMode::Enforce, own Key::choice("mode", MODES, "\"enforce\"");
    }
}

const MAX_TIME_WINDOW: Duration = Duration::from_secs(300);

impl FromItem for Hmac {
    fn from_item(item: &Item<'_>, _: Kind) -> Option<Self> {
        let table = item.table(keys::Table { place: Place::Hmac, keys: HmacTable::KEYS })?;
        let mut hmac = HmacTable::default();
        table.read(|name, given| _ = hmac.set(name, given));
        let id = hmac.active_key;
        if let Some(item) = table.get("active_key")
            && id != 0
            && !hmac.keys.is_empty()
            && !hmac.keys.iter().any(|key| key.id == id)
        {
            item.wrong(Wrong::new(
                format!("no key has the id {id}"),
                "write the id of one of keys",
            ));
        }
        let replay = table.get("anti_replay").and_then(|item| item.choice(REPLAY));
        let mode = match table.get("mode").and_then(|item| item.choice(MODES)) {
            Some(1) => HmacMode::Permissive,
            Some(2) => HmacMode::ReceiveOnly,
            Some(_) | None => HmacMode::Enforce,
        };
        let HmacTable { keys, active_key, time_window, .. } = hmac;
        Some(Self { keys, active_key, time_window, monotonic: replay == Some(1), mode })
    }
}

section! {
    /// One of the keys of `hmac` as it is written.
    #[derive(Clone, PartialEq, Debug)]
    pub struct HmacKeyTable {
        /// The same on all routers.
        id: Option<u8> = None,
            key Key::whole("id", 1, 255, "1").required("add id = 1, the same on all routers");
        /// The octets of the key.
        key: Option<Box<[u8]>> = None, own Key::text("key", "\"...\"");
        /// The file that the key is in.
        file: Option<Box<str>> = None, key Key::text("file", "\"/path\"");
    }
}

impl FromItem for HmacKey {
    fn from_item(item: &Item<'_>, _: Kind) -> Option<Self> {
        let table = item.table(value_table::<HmacKeyTable>())?;
        let mut read = HmacKeyTable::default();
        table.read(|name, given| _ = read.set(name, given));
        if table.has("key") == table.has("file") {
            item.wrong(Wrong::new(
                "needs the octets of the key, once",
                "write either key = \"...\" or file = \"/path\"",
            ));
        }
        let key = table.get("key").and_then(|item| item.parse(hmac_octets));
        let secret = key.map(HmacSecret::Inline).or(read.file.map(HmacSecret::File))?;
        Some(Self { id: read.id?, secret })
    }
}

/// `hex:...`, or the characters themselves.
fn hmac_octets(text: &str) -> Result<Box<[u8]>, Wrong> {
    let octets: Vec<u8> = match text.strip_prefix("hex:") {
        Some(digits) => {
            let nibbles: Option<Vec<u32>> =
                digits.chars().map(|digit| digit.to_digit(16)).collect();
            let pairs =
                nibbles.filter(|nibbles| nibbles.len().is_multiple_of(2)).ok_or_else(|| {
                    Wrong::new(
                        "the key is not a hexadecimal number",
                        "write two digits for each byte",
                    )
                })?;
            let octet = |pair: &[u32]| match pair {
                [high, low] => u8::try_from(high * 16 + low).unwrap_or_default(),
                _ => 0,
            };
            pairs.chunks_exact(2).map(octet).collect()
        }
        None => text.bytes().collect(),
    };
    if (32..=64).contains(&octets.len()) {
        return Ok(octets.into());
    }
    Err(Wrong::new(
        format!("the key has {} bytes", octets.len()),
        "write 32 to 64 characters, or \"hex:\" and 64 to 128 digits",
    ))
}
