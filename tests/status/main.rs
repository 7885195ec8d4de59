//! `steadfast status` and its relatives: the texts of documents, the schema, and the commands
//! against a daemon that misbehaves.
//!
//! Each `cases/NN-name.json` is a document as the daemon puts it together, without what follows
//! from it; its text is beside it in `NN-name.txt`. After a change of the text,
//! `UPDATE_SNAPSHOTS=1 cargo test --test status` writes them again; read them aloud.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test may panic")]
#![allow(clippy::disallowed_methods, reason = "commands that ask a daemon, and no router")]

mod commands;
mod daemon;
mod documents;
mod events;
mod schema;
mod texts;
