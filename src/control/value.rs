//! A tree of values: what the status document, events and answers are made of before they are
//! written in some format.

mod json;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::net::IpAddr;

/// A value.
#[derive(Clone, PartialEq, Debug)]
pub enum Value {
    /// Not known, or not applicable.
    Null,
    /// Yes or no.
    Bool(bool),
    /// A whole number.
    Integer(i64),
    /// Any other number.
    Number(f64),
    /// A text.
    Text(Cow<'static, str>),
    /// A list.
    List(Vec<Self>),
    /// Keys and their values, in this order.
    Object(Vec<(Cow<'static, str>, Self)>),
}

impl Value {
    /// Of these keys and values.
    pub fn object<const N: usize>(entries: [(&'static str, Self); N]) -> Self {
        Self::Object(entries.into_iter().map(|(key, value)| (key.into(), value)).collect())
    }

    /// The value of a key.
    pub fn get(&self, key: &str) -> Option<&Self> {
        let Self::Object(entries) = self else { return None };
        entries.iter().find(|(own, _)| own == key).map(|(_, value)| value)
    }

    /// The value at the end of a way of keys, unless it is null.
    pub fn at(&self, keys: &[&str]) -> Option<&Self> {
        let found = keys.iter().try_fold(self, |value, key| value.get(key))?;
        (*found != Self::Null).then_some(found)
    }

    /// The text, if it is one.
    pub fn as_text(&self) -> Option<&str> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }

    /// The number, if it is a whole one.
    pub const fn as_integer(&self) -> Option<i64> {
        if let Self::Integer(number) = self { Some(*number) } else { None }
    }

    /// The number, if it is one.
    #[expect(clippy::cast_precision_loss, reason = "a number of JSON is one of these")]
    pub const fn as_number(&self) -> Option<f64> {
        match self {
            Self::Integer(number) => Some(*number as f64),
            Self::Number(number) => Some(*number),
            Self::Null | Self::Bool(_) | Self::Text(_) | Self::List(_) | Self::Object(_) => None,
        }
    }

    /// Yes or no, if it is one of them.
    pub const fn as_bool(&self) -> Option<bool> {
        if let Self::Bool(value) = self { Some(*value) } else { None }
    }

    /// As JSON (RFC 8259) on one line.
    pub fn to_json(&self) -> String {
        let mut text = String::new();
        json::write(self, &mut text, None);
        text
    }

    /// As JSON on many lines, for people.
    pub fn to_pretty_json(&self) -> String {
        let mut text = String::new();
        json::write(self, &mut text, Some(0));
        text.push('\n');
        text
    }

    /// From JSON.
    ///
    /// # Errors
    /// What is wrong, and at which octet.
    pub fn from_json(octets: &[u8]) -> Result<Self, String> {
        json::read(octets)
    }
}

/// What has a value.
pub trait ToValue {
    /// Its value.
    fn to_value(&self) -> Value;
}

/// Values of plain types.
macro_rules! plain {
    ($($type:ty: $this:ident => $value:expr;)+) => {
        $(impl ToValue for $type {
            fn to_value(&self) -> Value {
                let $this = self;
                $value
            }
        })+
    };
}

plain! {
    bool: this => Value::Bool(*this);
    f64: this => Value::Number(*this);
    u64: this => i64::try_from(*this).map_or_else(|_| Value::Number(*this as f64), Value::Integer);
    u32: this => Value::Integer((*this).into());
    u8: this => Value::Integer((*this).into());
    i16: this => Value::Integer((*this).into());
    &'static str: this => Value::Text((*this).into());
    String: this => Value::Text(this.clone().into());
    IpAddr: this => Value::Text(this.to_string().into());
}

impl ToValue for Value {
    fn to_value(&self) -> Value {
        self.clone()
    }
}

impl<T: ToValue> ToValue for Option<T> {
    fn to_value(&self) -> Value {
        self.as_ref().map_or(Value::Null, ToValue::to_value)
    }
}

impl<T: ToValue> ToValue for Vec<T> {
    fn to_value(&self) -> Value {
        Value::List(self.iter().map(ToValue::to_value).collect())
    }
}

impl<T: ToValue> ToValue for BTreeMap<String, T> {
    fn to_value(&self) -> Value {
        let entries = self.iter().map(|(key, value)| (key.clone().into(), value.to_value()));
        Value::Object(entries.collect())
    }
}
