//! `authentication` and `hmac`.

use std::time::Duration;

use crate::config::keys::{self, Place};
use crate::config::model::{Authentication, Hmac, HmacKey, HmacMode, HmacSecret};
use crate::config::reader::{Item, Table};
use crate::config::values::Wrong;

/// Authentication of version 2.
pub fn auth(mut table: Table<'_>) -> Option<Authentication> {
    const TYPES: [(&str, bool); 2] = [("pass", false), ("ah", true)];
    let ah = match table.get("type") {
        Some(item) => item.choice(&TYPES).inspect(|ah| {
            if *ah {
                let version = env!("CARGO_PKG_VERSION");
                item.wrong(Wrong::new(
                    format!("{} not built yet in steadfast {version}", keys::AH),
                    "write type = \"pass\" on all routers, or keep keepalived for this instance",
                ));
            }
        }),
        None => {
            table.missing("type", "add type = \"pass\"");
            None
        }
    };
    let password = match table.get("password") {
        Some(item) => item.parse(|text| {
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
        }),
        None => {
            table.missing("password", "add password = \"...\", 1 to 8 characters");
            None
        }
    };
    table.finish();
    Some(if ah? { Authentication::Ah(password?) } else { Authentication::Pass(password?) })
}

/// keepalived's trailer.
pub fn hmac(mut table: Table<'_>) -> Option<Hmac> {
    const MODES: [(&str, HmacMode); 3] = [
        ("enforce", HmacMode::Enforce),
        ("permissive", HmacMode::Permissive),
        ("receive-only", HmacMode::ReceiveOnly),
    ];
    if !table.has("keys") {
        table.missing("keys", "add keys = [{ id = 1, key = \"...\" }], of 32 to 64 characters");
    }
    let keys = table.list("keys", hmac_key);
    let active = table.get("active_key");
    if active.is_none() {
        table.missing("active_key", "add active_key = 1, the id of the key that signs");
    }
    let id = active.as_ref().and_then(|item| item.integer(1..=u8::MAX));
    if let (Some(item), Some(id)) = (&active, id)
        && !keys.is_empty()
        && !keys.iter().any(|key| key.id == id)
    {
        item.wrong(Wrong::new(format!("no key has the id {id}"), "write the id of one of keys"));
    }
    let hmac = Hmac {
        keys,
        active_key: id.unwrap_or_default(),
        time_window: table
            .duration("time_window", Duration::from_secs(1)..=Duration::from_secs(300)),
        monotonic: table
            .get("anti_replay")
            .and_then(|item| item.choice(&[("time", false), ("monotonic", true)]))
            .unwrap_or(false),
        mode: table.get("mode").and_then(|item| item.choice(&MODES)).unwrap_or_default(),
    };
    table.finish();
    id.map(|_| hmac)
}

fn hmac_key(item: &Item<'_>) -> Option<HmacKey> {
    let mut table = item.table(Place::Other)?;
    let id = match table.get("id") {
        Some(item) => item.integer(1..=u8::MAX),
        None => {
            table.missing("id", "add id = 1, the same on all routers");
            None
        }
    };
    let key = table.get("key").and_then(|item| item.parse(hmac_octets));
    let file = table.text("file");
    if table.has("key") == table.has("file") {
        table.missing("key", "write either key = \"...\" or file = \"/path\"");
    }
    table.finish();
    let secret = key.map(HmacSecret::Inline).or(file.map(HmacSecret::File))?;
    Some(HmacKey { id: id?, secret })
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
