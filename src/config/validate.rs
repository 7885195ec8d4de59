//! stub
use super::{diagnostic::Diagnostic, locate::Places, machine::Machine, read::Reading};
/// stub
pub fn validate(_: &Reading, _: &dyn Places, _: Option<&Machine>, _: &mut Vec<Diagnostic>) {}
