//! Virtual addresses, and the words that they share with routes and rules.

use std::net::{IpAddr, Ipv4Addr};

use super::tokens::{Builder, Words, read};
use crate::config::keys::Kind;
use crate::config::reader::{FromItem, Item};
use crate::config::tree::Value;
use crate::config::values::{self, Wrong};
use crate::net::{Broadcast, Scope, VirtualAddress};
use crate::units::Family;

impl FromItem for VirtualAddress {
    fn from_item(item: &Item<'_>, _: Kind) -> Option<Self> {
        read(item, AddressBuilder(None, Vec::new()))
    }

    fn from_list(item: &Item<'_>, _: Kind) -> Option<Vec<Self>> {
        Some(addresses(item))
    }
}

fn addresses(item: &Item<'_>) -> Vec<VirtualAddress> {
    // What most of them are takes no words apart.
    let plain = |value: &Value<'_>, list: &mut Vec<VirtualAddress>| {
        let plain = value.as_str().and_then(values::plain_v4);
        let Some((address, len)) = plain.filter(|(address, _)| is_of_host_v4(*address)) else {
            return false;
        };
        list.push(VirtualAddress::new(IpAddr::V4(address), len));
        true
    };
    item.list_of(plain, |item| read(item, AddressBuilder(None, Vec::new())))
}

/// Whether a host can have it.
fn is_of_host_v4(address: Ipv4Addr) -> bool {
    !address.is_multicast()
        && !address.is_unspecified()
        && !address.is_broadcast()
        && !address.is_loopback()
}

/// An address that a host can have.
fn of_host(address: IpAddr, len: u8) -> Result<VirtualAddress, Wrong> {
    let broadcast = address == IpAddr::V4(Ipv4Addr::BROADCAST);
    if address.is_multicast() || address.is_unspecified() || broadcast {
        return Err(Wrong::new(
            format!("{address} cannot be the address of a host"),
            "write the address that the routers share",
        ));
    }
    if address.is_loopback() {
        return Err(Wrong::new(
            format!("{address} never leaves a machine"),
            "write the address that the routers share",
        ));
    }
    Ok(VirtualAddress::new(address, len))
}

/// The address once it is known, and what was set, for the order of words is free in a table.
struct AddressBuilder(Option<VirtualAddress>, Vec<AddressOption>);

enum AddressOption {
    Interface(Box<str>),
    Label(Box<str>),
    Broadcast(Broadcast),
    Peer(IpAddr),
    Scope(Scope),
    PreferredLifetime(Option<u32>),
    Home,
    Dad,
    NoPrefixRoute,
    NoTrack,
}

impl Builder for AddressBuilder {
    type Built = VirtualAddress;
    const WHAT: &'static str = "an address";
    const FIRST: &'static str = "address";
    const KEYS: &'static [&'static str] =
        &["dev", "label", "brd", "peer", "scope", "preferred_lft"];
    const FLAGS: &'static [&'static str] = &["home", "dad", "noprefixroute", "no_track"];

    fn set(&mut self, key: &str, words: &mut Words<'_>) -> Result<bool, Wrong> {
        let option = match key {
            "dev" => AddressOption::Interface(interface(words.value(key)?)?),
            "label" => AddressOption::Label(label(words.value(key)?)?),
            "brd" => AddressOption::Broadcast(broadcast(words.value(key)?)?),
            "peer" => AddressOption::Peer(values::address_with_len(words.value(key)?)?.0),
            "scope" => AddressOption::Scope(scope(words.value(key)?)?),
            "preferred_lft" => AddressOption::PreferredLifetime(match words.peek() {
                Some("forever") => words.next().and(None),
                _ => Some(words.number(key)?),
            }),
            "home" => AddressOption::Home,
            "dad" => AddressOption::Dad,
            "noprefixroute" => AddressOption::NoPrefixRoute,
            "no_track" => AddressOption::NoTrack,
            word if self.0.is_none() => {
                let (address, len) = values::address_with_len(word)?;
                self.0 = Some(of_host(address, len)?);
                return Ok(true);
            }
            _ => return Ok(false),
        };
        self.1.push(option);
        Ok(true)
    }

    fn finish(self) -> Result<VirtualAddress, Wrong> {
        let mut address = self.0.ok_or_else(|| {
            Wrong::new(
                "the address is missing",
                "write it first, such as \"192.168.1.1/24\", or address = \"...\" in a table",
            )
        })?;
        for option in self.1 {
            match option {
                AddressOption::Interface(name) => address.interface = Some(name),
                AddressOption::Label(label) => address.label = Some(label),
                AddressOption::Broadcast(to) => address.broadcast = Some(to),
                AddressOption::Peer(peer) => address.peer = Some(peer),
                AddressOption::Scope(scope) => address.scope = scope,
                AddressOption::PreferredLifetime(seconds) => {
                    address.preferred_lifetime = Some(seconds.unwrap_or(u32::MAX));
                }
                AddressOption::Home => address.home = true,
                AddressOption::Dad => address.dad = true,
                AddressOption::NoPrefixRoute => address.no_prefix_route = true,
                AddressOption::NoTrack => address.track = false,
            }
        }
        let wrong_family = match Family::of(address.address) {
            Family::V4 => [
                (address.home, "home"),
                (address.dad, "dad"),
                (address.preferred_lifetime.is_some(), "preferred_lft"),
            ],
            Family::V6 => [
                (address.label.is_some(), "label"),
                (address.broadcast.is_some(), "brd"),
                (false, ""),
            ],
        };
        let family = Family::of(address.address);
        if let Some((_, word)) = wrong_family.into_iter().find(|(given, _)| *given) {
            let other = if family == Family::V4 { Family::V6 } else { Family::V4 };
            return Err(Wrong::new(
                format!("{word} is only for {other} addresses"),
                format!("remove {word}"),
            ));
        }
        match address.peer {
            Some(peer) if Family::of(peer) != family => Err(Wrong::new(
                format!("peer {peer} is of another family than {}", address.address),
                format!("write an {family} address as the peer"),
            )),
            Some(_) | None => Ok(address),
        }
    }
}

/// The name of an interface.
pub fn interface(word: &str) -> Result<Box<str>, Wrong> {
    values::interface(word).map(|()| word.into())
}

fn label(word: &str) -> Result<Box<str>, Wrong> {
    if word.len() <= values::INTERFACE_NAME_MAX {
        return Ok(word.into());
    }
    Err(Wrong::new(
        format!("label \"{word}\" has {} characters", word.len()),
        format!("Linux allows {}: write a shorter one", values::INTERFACE_NAME_MAX),
    ))
}

fn broadcast(word: &str) -> Result<Broadcast, Wrong> {
    match word {
        "+" => Ok(Broadcast::Ones),
        "-" => Ok(Broadcast::Zeros),
        _ => match values::address(word)? {
            IpAddr::V4(address) => Ok(Broadcast::Address(address)),
            IpAddr::V6(address) => Err(Wrong::new(
                format!("{address} is not a broadcast address"),
                "write an IPv4 address, or + for the one of the prefix",
            )),
        },
    }
}

/// A scope by name or number.
pub fn scope(word: &str) -> Result<Scope, Wrong> {
    match word {
        "global" | "0" => Ok(Scope::Global),
        "site" | "200" => Ok(Scope::Site),
        "link" | "253" => Ok(Scope::Link),
        "host" | "254" => Ok(Scope::Host),
        "nowhere" | "255" => Ok(Scope::Nowhere),
        _ => Err(Wrong::new(
            format!("\"{word}\" is not a scope"),
            "write global, site, link, host or nowhere",
        )),
    }
}

/// Decimal, or hexadecimal with `0x`.
pub fn number(word: &str) -> Option<u32> {
    match word.strip_prefix("0x") {
        Some(digits) => u32::from_str_radix(digits, 16).ok(),
        None => word.parse().ok(),
    }
}

/// An octet, decimal or hexadecimal.
pub fn octet(word: &str) -> Result<u8, Wrong> {
    number(word).and_then(|number| u8::try_from(number).ok()).ok_or_else(|| {
        Wrong::new(
            format!("\"{word}\" is not a byte"),
            "write a number from 0 to 255, or 0x00 to 0xff",
        )
    })
}

/// A number within bounds.
pub fn bounded<N>(words: &mut Words<'_>, key: &str, low: N, high: N) -> Result<N, Wrong>
where
    N: std::str::FromStr + PartialOrd + std::fmt::Display,
{
    let word = words.value(key)?;
    match word.parse() {
        Ok(number) if number >= low && number <= high => Ok(number),
        Ok(_) | Err(_) => Err(Wrong::new(
            format!("{key} {word} is out of range"),
            format!("write a whole number from {low} to {high}"),
        )),
    }
}
