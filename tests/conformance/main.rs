//! Conformance: one test for each rule of the handbook in `rules/`, and the captured packets in
//! `vectors/`.

mod purity;
