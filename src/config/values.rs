//! Texts with a meaning: lengths of time, addresses, interface names.
//!
//! Every parser takes the text alone and says what is wrong with it in words; the reader adds
//! where it stands.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use crate::net::Prefix;
use crate::units::Family;

/// Why a text is not what it should be.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Wrong {
    /// What is wrong.
    pub message: String,
    /// What to write instead.
    pub help: String,
}

impl Wrong {
    /// With both parts.
    pub fn new(message: impl Into<String>, help: impl Into<String>) -> Self {
        Self { message: message.into(), help: help.into() }
    }
}

/// Units of time, the longest suffix first where one ends with another.
const UNITS: [(&str, u64); 7] = [
    ("us", 1_000),
    ("ms", 1_000_000),
    ("min", 60_000_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
    ("d", 86_400_000_000_000),
];

/// `1s`, `300ms`, `1.5s`, `5m`; without a unit it is seconds.
pub fn duration(text: &str) -> Result<Duration, Wrong> {
    let wrong = |what: &str| {
        let help = "write a number with a unit, such as \"1s\", \"300ms\" or \"5m\"";
        Wrong::new(format!("\"{text}\" {what}"), help)
    };
    let trimmed = text.trim();
    if trimmed.starts_with('-') {
        return Err(wrong("is negative"));
    }
    let (number, unit) = UNITS
        .iter()
        .find_map(|(suffix, nanos)| Some((trimmed.strip_suffix(suffix)?.trim_end(), *nanos)))
        .unwrap_or((trimmed, 1_000_000_000));
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    if !digits(whole) || !digits(fraction) {
        return Err(wrong("is not a length of time"));
    }
    let too_long = || wrong("is too long");
    let mut nanos =
        whole.parse().ok().and_then(|n: u64| n.checked_mul(unit)).ok_or_else(too_long)?;
    let mut place = unit;
    for digit in fraction.bytes() {
        let digit = u64::from(digit.wrapping_sub(b'0'));
        if !place.is_multiple_of(10) {
            if digit != 0 {
                return Err(wrong("has more decimals than a nanosecond"));
            }
            continue;
        }
        place /= 10;
        nanos = nanos.checked_add(place * digit).ok_or_else(too_long)?;
    }
    Ok(Duration::from_nanos(nanos))
}

/// A length of time as a person writes it.
pub fn show_duration(length: Duration) -> String {
    let nanos = length.as_nanos();
    let (whole, part, unit) = if nanos == 0 || nanos >= 1_000_000_000 {
        (nanos / 1_000_000_000, nanos % 1_000_000_000, "s")
    } else if nanos >= 1_000_000 {
        (nanos / 1_000_000, nanos % 1_000_000 * 1_000, "ms")
    } else {
        (nanos / 1_000, nanos % 1_000 * 1_000_000, "us")
    };
    if part == 0 {
        return format!("{whole}{unit}");
    }
    let fraction = format!("{part:09}");
    let fraction = fraction.trim_end_matches('0');
    format!("{whole}.{fraction}{unit}")
}

/// The number of bits of an address.
pub const fn full_len(address: IpAddr) -> u8 {
    match address {
        IpAddr::V4(_) => 32,
        IpAddr::V6(_) => 128,
    }
}

/// An IPv4 or IPv6 address without anything else.
pub fn address(text: &str) -> Result<IpAddr, Wrong> {
    text.parse().map_err(|_| {
        let help = if text.contains('/') {
            "write the address without a prefix length"
        } else if text.contains('%') {
            "write the address without an interface"
        } else if text.parse::<std::net::SocketAddr>().is_ok() {
            "write the address without a port"
        } else {
            "write an address such as 192.168.1.1 or fe80::1 (names are not looked up)"
        };
        Wrong::new(explain_address(text), help)
    })
}

/// Says what is wrong with a text that is no address.
fn explain_address(text: &str) -> String {
    let parts: Vec<&str> = text.split('.').collect();
    let numeric = |part: &&str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    if parts.len() > 1 && parts.iter().all(numeric) {
        if parts.len() != 4 {
            return format!("\"{text}\" has {} numbers, an IPv4 address has 4", parts.len());
        }
        if let Some(part) = parts.iter().find(|part| part.parse::<u8>().is_err()) {
            return format!("\"{text}\" is not an IPv4 address: {part} is more than 255");
        }
        if let Some(part) = parts.iter().find(|part| part.len() > 1 && part.starts_with('0')) {
            return format!("\"{text}\" is not an IPv4 address: {part} begins with 0");
        }
    }
    format!("\"{text}\" is not an IP address")
}

/// `ADDRESS/LENGTH`; without a length it is that of the whole address.
pub fn address_with_len(text: &str) -> Result<(IpAddr, u8), Wrong> {
    let Some((before, len)) = text.split_once('/') else {
        return address(text).map(|address| (address, full_len(address)));
    };
    let address = address(before)?;
    let full = full_len(address);
    match len.parse::<u8>() {
        Ok(bits) if bits <= full && len.bytes().all(|b| b.is_ascii_digit()) => Ok((address, bits)),
        Ok(_) | Err(_) => Err(Wrong::new(
            format!("\"/{len}\" is not a prefix length of an {} address", Family::of(address)),
            if len.contains('.') {
                "write the number of bits, such as /24 for 255.255.255.0".to_owned()
            } else {
                format!("write a number from 0 to {full}, such as {address}/{}", full - full / 4)
            },
        )),
    }
}

/// `A.B.C.D` or `A.B.C.D/LENGTH`, as [`address_with_len`] reads it but sooner: a large configuration
/// is addresses for the most part. `None`: something else.
pub fn plain_v4(text: &str) -> Option<(Ipv4Addr, u8)> {
    let (mut bits, mut number, mut digits, mut separators) = (0_u32, 0_u32, 0, 0);
    for octet in text.bytes() {
        if octet.is_ascii_digit() {
            // A zero before other digits is a mistake.
            if digits == 3 || digits > 0 && number == 0 {
                return None;
            }
            number = number * 10 + u32::from(octet - b'0');
            digits += 1;
            continue;
        }
        let expected = if separators < 3 { b'.' } else { b'/' };
        if octet != expected || digits == 0 || number > 255 || separators == 4 {
            return None;
        }
        bits = bits << 8 | number;
        (number, digits) = (0, 0);
        separators += 1;
    }
    if digits == 0 {
        return None;
    }
    let len = match separators {
        3 if number <= 255 => {
            bits = bits << 8 | number;
            32
        }
        4 => u8::try_from(number).ok().filter(|len| *len <= 32)?,
        _ => return None,
    };
    Some((Ipv4Addr::from_bits(bits), len))
}

/// A destination or selector: `ADDRESS/LENGTH` with all host bits zero.
pub fn prefix(text: &str) -> Result<Prefix, Wrong> {
    let (address, len) = address_with_len(text)?;
    let network = network(address, len);
    if network == address {
        Ok(Prefix { address, len })
    } else {
        Err(Wrong::new(
            format!("{text} has bits beyond its prefix length"),
            format!("write {network}/{len} for the network, or {address} for this one address"),
        ))
    }
}

/// The address with its host bits cleared.
pub fn network(address: IpAddr, len: u8) -> IpAddr {
    match address {
        IpAddr::V4(v4) => {
            let mask = u32::MAX.checked_shl(32 - u32::from(len.min(32))).unwrap_or(0);
            IpAddr::V4(Ipv4Addr::from_bits(v4.to_bits() & mask))
        }
        IpAddr::V6(v6) => {
            let mask = u128::MAX.checked_shl(128 - u32::from(len.min(128))).unwrap_or(0);
            IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & mask))
        }
    }
}

/// The longest name of an instance, group or tracker, in bytes.
const NAME_MAX: usize = 64;

/// The longest name that the kernel allows an interface, in bytes.
pub const INTERFACE_NAME_MAX: usize = 15;

/// A name that the kernel would accept for an interface.
pub fn interface(text: &str) -> Result<(), Wrong> {
    if text.is_empty() {
        return Err(Wrong::new(
            "the interface name is empty",
            "write its name as `ip link` shows it",
        ));
    }
    if text.len() > INTERFACE_NAME_MAX {
        return Err(Wrong::new(
            format!("interface name \"{text}\" has {} characters", text.len()),
            format!("Linux allows {INTERFACE_NAME_MAX}: write the name as `ip link` shows it"),
        ));
    }
    visible(text)
        .map_err(|wrong| Wrong::new(format!("the interface name {}", wrong.message), wrong.help))?;
    if text == "." || text == ".." || text.contains(['/', ':']) || !text.chars().all(graphic) {
        return Err(Wrong::new(
            format!("\"{text}\" cannot be the name of an interface"),
            "write its name as `ip link` shows it, without \":\", \"/\" or spaces",
        ));
    }
    Ok(())
}

/// A character that is seen and is no space.
pub fn graphic(char: char) -> bool {
    !char.is_whitespace() && !hidden(char)
}

/// A character that is not seen, or that changes how those around it are shown: control characters,
/// and the format characters of Unicode (category Cf), such as those that turn the direction of a
/// line round.
pub fn hidden(char: char) -> bool {
    char.is_control()
        || matches!(
            char,
            '\u{ad}'
                | '\u{600}'..='\u{605}'
                | '\u{61c}'
                | '\u{6dd}'
                | '\u{70f}'
                | '\u{180e}'
                | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{feff}'
                | '\u{fff9}'..='\u{fffb}'
                | '\u{110bd}'
                | '\u{1d173}'..='\u{1d17a}'
                | '\u{e0000}'..='\u{e0fff}'
        )
}

/// What is wrong with a text that has a hidden character, which a reader of logs would not see.
///
/// # Errors
/// Which one it is.
pub fn visible(text: &str) -> Result<(), Wrong> {
    match text.chars().find(|char| hidden(*char)) {
        None => Ok(()),
        Some(char) => Err(Wrong::new(
            format!("has the invisible character U+{:04X}", u32::from(char)),
            "remove it; it may be invisible in an editor",
        )),
    }
}

/// A name that logs and commands can use: of an instance, a group or a tracker.
///
/// # Errors
/// What is wrong with it.
pub fn name(text: &str) -> Result<(), Wrong> {
    visible(text)
        .map_err(|wrong| Wrong::new(format!("this name {}", wrong.message), wrong.help))?;
    if text.starts_with('-') {
        return Err(Wrong::new(
            "this name begins with \"-\": commands would take it for an option",
            "write a name that begins with a letter or a digit",
        ));
    }
    if text.is_empty() || text.len() > NAME_MAX || !text.chars().all(|c| graphic(c) && c != '"') {
        return Err(Wrong::new(
            "this name cannot be used in logs and commands",
            format!("write 1 to {NAME_MAX} characters without spaces and quotes"),
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_time() {
        let parse = |text| duration(text).map(|d| d.as_nanos());
        assert_eq!(parse("1s"), Ok(1_000_000_000));
        assert_eq!(parse("300ms"), Ok(300_000_000));
        assert_eq!(parse("5m"), Ok(300_000_000_000));
        assert_eq!(parse("2 min"), Ok(120_000_000_000));
        assert_eq!(parse("1.5"), Ok(1_500_000_000));
        assert_eq!(parse("0.25s"), Ok(250_000_000));
        assert_eq!(parse("0.0010us"), Ok(1));
        assert_eq!(parse("10us"), Ok(10_000));
        for bad in ["", "s", "1x", "-1s", "1.s", ".5s", "1e3", "1 2s", "0.0001us", "99999999999d"] {
            assert!(duration(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn lengths_of_time_are_shown_as_written() {
        for text in ["0s", "1s", "300ms", "1.5s", "10us", "40.95s", "2.5ms"] {
            assert_eq!(show_duration(duration(text).unwrap()), text);
        }
    }

    #[test]
    fn addresses() {
        assert_eq!(address_with_len("192.168.1.1/24").unwrap().1, 24);
        assert_eq!(address_with_len("192.168.1.1").unwrap().1, 32);
        assert_eq!(address_with_len("fe80::1").unwrap().1, 128);
        for bad in
            ["192.168.1.1/33", "192.168.1.1/+4", "192.168.1.1/", "fe80::1/129", "a/24", "/24"]
        {
            assert!(address_with_len(bad).is_err(), "{bad}");
        }
        let say = |text| address(text).unwrap_err();
        assert!(say("192.168.1.300").message.contains("300 is more than 255"));
        assert!(say("192.168.1").message.contains("3 numbers"));
        assert!(say("192.168.01.1").message.contains("begins with 0"));
        assert!(say("10.0.0.1:80").help.contains("without a port"));
        assert!(
            address_with_len("10.0.0.1/255.0.0.0").unwrap_err().help.contains("number of bits")
        );
    }

    #[test]
    fn a_plain_address_is_the_same_in_both_ways() {
        let parts = ["", "0", "7", "32", "33", "255", "256", "01", "00", "1000", "+1", " 1", "a"];
        let (mut plain, mut texts) = (0, Vec::new());
        for one in parts {
            for other in parts {
                texts.push(format!("{one}.2.{other}.4"));
                texts.push(format!("1.2.3.{one}/{other}"));
                texts.push(format!("{one}.2.3.4{other}"));
                texts.push(format!("1.2.3{one}/2{other}"));
                texts.push(format!("1.2.3.4/{one}/{other}"));
                texts.push(format!("1.2.3.4.{one}{other}"));
            }
        }
        for text in texts {
            let Some((address, len)) = plain_v4(&text) else { continue };
            assert_eq!(address_with_len(&text), Ok((IpAddr::V4(address), len)), "{text}");
            plain += 1;
        }
        assert!(plain > 50, "{plain}");
        assert_eq!(plain_v4("192.168.1.1/24"), Some((Ipv4Addr::new(192, 168, 1, 1), 24)));
    }

    #[test]
    fn prefixes_have_no_host_bits() {
        assert_eq!(prefix("10.0.0.0/8").unwrap().len, 8);
        assert_eq!(prefix("::/0").unwrap().len, 0);
        assert_eq!(prefix("10.0.0.1").unwrap().len, 32);
        assert!(prefix("10.0.0.1/8").unwrap_err().help.contains("10.0.0.0/8"));
        assert!(prefix("2001:db8::1/64").is_err());
    }

    #[test]
    fn interface_names() {
        for good in ["eth0", "br-lan", "eth0.100", "wg_0", "a23456789012345"] {
            assert_eq!(interface(good), Ok(()), "{good}");
        }
        for bad in ["", "a234567890123456", "eth0:1", "a b", "a/b", "..", "a\tb"] {
            assert!(interface(bad).is_err(), "{bad}");
        }
    }
}
