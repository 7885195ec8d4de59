//! Names and values that the data of events are made of.

use std::time::Duration;

use super::kind::Name;
use crate::control::value::Value;

/// Names with their values.
pub(super) type Entries = Vec<(&'static str, Value)>;

pub(super) fn name(name: &Name) -> Value {
    Value::Text(name.to_string().into())
}

pub(super) fn seconds(length: Duration) -> Value {
    Value::Number(length.as_secs_f64())
}
