//! JSON (RFC 8259): written, and read with a bound for the depth.

use std::borrow::Cow;
use std::fmt::Write;

use super::Value;

/// The deepest nesting that is read.
const MAX_DEPTH: u32 = 32;

/// Writes a value; on many lines when an indentation, in steps of two spaces, is given.
pub fn write(value: &Value, to: &mut String, indent: Option<usize>) {
    // Writing to a text does not fail.
    let _ = match value {
        Value::Null => to.write_str("null"),
        Value::Bool(value) => write!(to, "{value}"),
        Value::Integer(number) => write!(to, "{number}"),
        Value::Number(number) => to.write_str(&decimal(*number)),
        Value::Text(value) => {
            text(value, to);
            Ok(())
        }
        Value::List(list) => {
            let each = list.iter().map(|value| (None, value));
            several(each, ['[', ']'], to, indent);
            Ok(())
        }
        Value::Object(entries) => {
            let each = entries.iter().map(|(key, value)| (Some(key.as_ref()), value));
            several(each, ['{', '}'], to, indent);
            Ok(())
        }
    };
}

/// With up to six decimals, at least one. Numbers here are seconds and shares: to read and write all
/// of floating point exactly takes 20 KB of code and tables.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "it is not negative, and larger numbers become the largest one"
)]
fn decimal(number: f64) -> String {
    if !number.is_finite() {
        return "null".to_owned();
    }
    let millionths = (number.abs() * 1e6).round() as u128;
    let sign = if number < 0.0 && millionths > 0 { "-" } else { "" };
    let text = format!("{sign}{}.{:06}", millionths / 1_000_000, millionths % 1_000_000);
    let short = text.trim_end_matches('0');
    if short.ends_with('.') { format!("{short}0") } else { short.to_owned() }
}

/// The number that digits with decimals or an exponent mean, to about fifteen digits.
#[expect(clippy::cast_precision_loss, reason = "about fifteen digits")]
fn number(digits: &str) -> Option<f64> {
    let (number, exponent) = match digits.split_once(['e', 'E']) {
        Some((number, exponent)) => (number, exponent.parse::<i32>().ok()?),
        None => (digits, 0),
    };
    let (sign, number) = number.strip_prefix('-').map_or((1.0, number), |number| (-1.0, number));
    let (whole, decimals) = number.split_once('.').unwrap_or((number, "0"));
    let are_digits = |text: &str| !text.is_empty() && text.bytes().all(|c| c.is_ascii_digit());
    if !are_digits(whole) || !are_digits(decimals) {
        return None;
    }
    // Digits that do not count any more are cut off.
    let (mut value, mut power) = (0_u64, exponent);
    for (place, digit) in whole.bytes().chain(decimals.bytes()).enumerate() {
        let is_whole = place < whole.len();
        if value < 1_000_000_000_000_000_000 {
            value = value * 10 + u64::from(digit - b'0');
            power = power.saturating_sub(i32::from(!is_whole));
        } else {
            power = power.saturating_add(i32::from(is_whole));
        }
    }
    let scale = 10_f64.powi(power.unsigned_abs().try_into().ok()?);
    let value = if power < 0 { value as f64 / scale } else { value as f64 * scale };
    value.is_finite().then_some(sign * value)
}

fn several<'a>(
    all: impl ExactSizeIterator<Item = (Option<&'a str>, &'a Value)>,
    [begin, end]: [char; 2],
    to: &mut String,
    indent: Option<usize>,
) {
    to.push(begin);
    let (is_empty, inner) = (all.len() == 0, indent.map(|indent| indent + 1));
    for (place, (key, value)) in all.enumerate() {
        if place > 0 {
            to.push(',');
        }
        new_line(to, inner);
        if let Some(key) = key {
            text(key, to);
            to.push_str(if indent.is_some() { ": " } else { ":" });
        }
        write(value, to, inner);
    }
    if !is_empty {
        new_line(to, indent);
    }
    to.push(end);
}

fn new_line(to: &mut String, indent: Option<usize>) {
    if let Some(indent) = indent {
        to.push('\n');
        (0..indent).for_each(|_| to.push_str("  "));
    }
}

fn text(value: &str, to: &mut String) {
    to.push('"');
    for c in value.chars() {
        match c {
            '"' => to.push_str("\\\""),
            '\\' => to.push_str("\\\\"),
            '\n' => to.push_str("\\n"),
            '\r' => to.push_str("\\r"),
            '\t' => to.push_str("\\t"),
            c if c < ' ' => {
                // Writing to a text does not fail.
                let _ = write!(to, "\\u{:04x}", u32::from(c));
            }
            c => to.push(c),
        }
    }
    to.push('"');
}

/// Reads a text that is one value.
///
/// # Errors
/// What is wrong, and at which octet.
pub fn read(octets: &[u8]) -> Result<Value, String> {
    let text = std::str::from_utf8(octets)
        .map_err(|error| format!("octet {} is not UTF-8", error.valid_up_to() + 1))?;
    let mut reader = Reader { text, at: 0 };
    let value = reader.value(0)?;
    match reader.next() {
        None => Ok(value),
        Some(_) => Err(reader.wrong("the end was expected")),
    }
}

/// The rest of a text.
struct Reader<'a> {
    text: &'a str,
    /// How much of it is read.
    at: usize,
}

impl<'a> Reader<'a> {
    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn wrong(&self, what: &str) -> String {
        format!("{what} at octet {}", self.at + 1)
    }

    /// The next octet that is no white space.
    fn next(&mut self) -> Option<u8> {
        let rest = self.rest();
        let trimmed = rest.trim_start_matches([' ', '\t', '\n', '\r']);
        self.at += rest.len() - trimmed.len();
        trimmed.bytes().next()
    }

    /// Reads one octet, if it is the next one.
    fn take(&mut self, octet: u8) -> bool {
        let is_next = self.next() == Some(octet);
        self.at += usize::from(is_next);
        is_next
    }

    fn value(&mut self, depth: u32) -> Result<Value, String> {
        if depth > MAX_DEPTH {
            return Err(self.wrong("the nesting is too deep"));
        }
        match self.next() {
            Some(b'{') => self.object(depth),
            Some(b'[') => self.list(depth),
            Some(b'"') => self.string().map(Value::Text),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(_) => self.word(),
            None => Err(self.wrong("a value was expected")),
        }
    }

    fn object(&mut self, depth: u32) -> Result<Value, String> {
        self.at += 1;
        let mut entries: Vec<(Cow<'static, str>, Value)> = Vec::new();
        if self.take(b'}') {
            return Ok(Value::Object(entries));
        }
        loop {
            if self.next() != Some(b'"') {
                return Err(self.wrong("a key in quotes was expected"));
            }
            let key = self.string()?;
            if entries.iter().any(|(known, _)| *known == key) {
                return Err(self.wrong("a key is there twice"));
            }
            if !self.take(b':') {
                return Err(self.wrong("a colon was expected"));
            }
            let value = self.value(depth + 1)?;
            entries.push((key, value));
            if self.take(b'}') {
                return Ok(Value::Object(entries));
            }
            if !self.take(b',') {
                return Err(self.wrong("a comma or the end of the object was expected"));
            }
        }
    }

    fn list(&mut self, depth: u32) -> Result<Value, String> {
        self.at += 1;
        let mut list = Vec::new();
        if self.take(b']') {
            return Ok(Value::List(list));
        }
        loop {
            list.push(self.value(depth + 1)?);
            if self.take(b']') {
                return Ok(Value::List(list));
            }
            if !self.take(b',') {
                return Err(self.wrong("a comma or the end of the list was expected"));
            }
        }
    }

    fn word(&mut self) -> Result<Value, String> {
        for (word, value) in
            [("true", Value::Bool(true)), ("false", Value::Bool(false)), ("null", Value::Null)]
        {
            if self.rest().starts_with(word) {
                self.at += word.len();
                return Ok(value);
            }
        }
        Err(self.wrong("a value was expected"))
    }

    fn number(&mut self) -> Result<Value, String> {
        let is_of_number = |c: char| c.is_ascii_digit() || matches!(c, '+' | '-' | '.' | 'e' | 'E');
        let rest = self.rest();
        let end = rest.find(|c| !is_of_number(c)).unwrap_or(rest.len());
        let digits = rest.get(..end).unwrap_or_default();
        let whole = digits.strip_prefix('-').unwrap_or(digits);
        let has_zeros = whole.len() > 1
            && whole.starts_with('0')
            && whole.as_bytes().get(1).is_some_and(u8::is_ascii_digit);
        let (Some(number), false) = (number(digits), has_zeros) else {
            return Err(self.wrong("a number was expected"));
        };
        self.at += end;
        Ok(digits.parse().map_or(Value::Number(number), Value::Integer))
    }

    fn string(&mut self) -> Result<Cow<'static, str>, String> {
        self.at += 1;
        let mut found = String::new();
        loop {
            let rest = self.rest();
            let Some(end) = rest.find(|c| matches!(c, '"' | '\\') || c < ' ') else {
                return Err(self.wrong("a text has no end"));
            };
            found.push_str(rest.get(..end).unwrap_or_default());
            self.at += end;
            match rest.as_bytes().get(end) {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(found.into());
                }
                Some(b'\\') => {
                    self.at += 1;
                    found.push(self.escape()?);
                }
                Some(_) | None => return Err(self.wrong("a text has a control character")),
            }
        }
    }

    fn escape(&mut self) -> Result<char, String> {
        let c = self.rest().chars().next();
        self.at += c.map_or(0, char::len_utf8);
        Ok(match c {
            Some(c @ ('"' | '\\' | '/')) => c,
            Some('b') => '\u{8}',
            Some('f') => '\u{c}',
            Some('n') => '\n',
            Some('r') => '\r',
            Some('t') => '\t',
            Some('u') => return self.unicode(),
            Some(_) | None => return Err(self.wrong("there is no such escape")),
        })
    }

    fn unicode(&mut self) -> Result<char, String> {
        let first = self.hex()?;
        if !(0xd800..0xe000).contains(&first) {
            return char::from_u32(first).ok_or_else(|| self.wrong("there is no such character"));
        }
        // Two surrogates are one character.
        let second = if self.rest().starts_with("\\u") {
            self.at += 2;
            self.hex()?
        } else {
            0
        };
        if first >= 0xdc00 || !(0xdc00..0xe000).contains(&second) {
            return Err(self.wrong("half of a surrogate pair"));
        }
        let code = 0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00);
        char::from_u32(code).ok_or_else(|| self.wrong("there is no such character"))
    }

    fn hex(&mut self) -> Result<u32, String> {
        let digits =
            self.rest().get(..4).filter(|four| four.bytes().all(|d| d.is_ascii_hexdigit()));
        let code = digits.and_then(|digits| u32::from_str_radix(digits, 16).ok());
        let code = code.ok_or_else(|| self.wrong("four hexadecimal digits were expected"))?;
        self.at += 4;
        Ok(code)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::value::ToValue;

    #[test]
    fn what_is_written_is_what_others_read() {
        let value = Value::object([
            ("a \"b\"", "\u{1}\n\t\\/ü\u{1f600}".to_value()),
            (
                "list",
                Value::List(vec![Value::Null, true.to_value(), 7_u32.to_value(), 0.5.to_value()]),
            ),
            (
                "numbers",
                Value::List(vec![(-3_i16).to_value(), Value::Integer(i64::MAX), 0.1.to_value()]),
            ),
            ("empty", Value::List(vec![Value::object([]), Value::List(Vec::new())])),
        ]);
        for text in [value.to_json(), value.to_pretty_json()] {
            let theirs: serde_json::Value = serde_json::from_str(&text).unwrap();
            assert_eq!(theirs["a \"b\""], "\u{1}\n\t\\/ü\u{1f600}");
            assert_eq!(theirs["numbers"][1], i64::MAX);
            assert_eq!(theirs["list"][3], 0.5);
            assert_eq!(read(text.as_bytes()).as_ref(), Ok(&value));
        }
        assert_eq!(f64::NAN.to_value().to_json(), "null");
        assert!(!value.to_json().contains('\n'));
    }

    #[test]
    fn what_others_take_is_taken_and_means_the_same() {
        let texts = [
            " { \"a\" : [ 1 , -2.5e-3, \"\\u00fc\\ud83d\\ude00\\/\\b\" ] } ",
            "[]",
            "0",
            "-0",
            "1E2",
            "\"\"",
            "nul",
            "01",
            "1.",
            "-",
            ".5",
            "1e999",
            "+1",
            "[1,]",
            "{\"a\":1,}",
            "{a:1}",
            "{\"a\" 1}",
            "\"\\x\"",
            "\"\\ud83d\"",
            "\"\\udc00\"",
            "\"\\u12\"",
            "\"\u{1}\"",
            "\"a",
            "true false",
            "",
        ];
        for text in texts {
            let theirs = serde_json::from_str::<serde_json::Value>(text).ok();
            let ours = read(text.as_bytes());
            assert_eq!(ours.is_ok(), theirs.is_some(), "{text}: {ours:?}");
            if let (Ok(ours), Some(theirs)) = (ours, theirs) {
                let again: serde_json::Value = serde_json::from_str(&ours.to_json()).unwrap();
                let number = |value: &serde_json::Value| value.as_f64();
                assert!(again == theirs || number(&again) == number(&theirs), "{text}");
            }
        }
        assert!(read(b"\xff").is_err());
        assert!(read(&b"[".repeat(4_000)).is_err());
    }

    #[test]
    fn a_key_that_is_there_twice_is_ambiguous() {
        assert_eq!(read(b"{\"a\":1,\"a\":2}").unwrap_err(), "a key is there twice at octet 11");
    }
}
