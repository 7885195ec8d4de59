//! What the fuzzers do with octets that somebody else made. Each target is a function that takes any
//! octets and panics when something does not hold; `cargo fuzz` and the test `fuzz` call the same.

// Each fuzzer calls one of them.
#![allow(dead_code, reason = "each fuzzer is a program of its own and uses one target")]

mod input;

pub mod config;
pub mod control;
pub mod engine;
pub mod installed;
pub mod netlink;
pub mod shared;
pub mod wire;

/// A target.
pub type Target = fn(&[u8]);

/// All of them, by the names of their corpora.
pub const TARGETS: [(&str, Target); 7] = [
    ("engine", engine::run),
    ("wire", wire::run),
    ("netlink", netlink::run),
    ("control", control::run),
    ("config", config::run),
    ("shared", shared::run),
    ("installed", installed::run),
];
