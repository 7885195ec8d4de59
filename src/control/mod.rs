//! What the processes and the user say to each other: messages, the status document, events.
//! Formats and pure functions only; sockets are where they are used.
//!
//! | module | for |
//! |---|---|
//! | [`frame`] | messages in a stream between the supervisor and a child |
//! | [`child_messages`] | those messages |
//! | [`event`] | what happens, and its renderings: the log, `steadfast events`, warnings |
//! | [`request`] | what a client of `control.sock` may ask, and the answers |
//! | [`shared_memory`] | what outlives a child: the memory that it and the supervisor share |
//! | [`status`] | the status document: one versioned JSON schema |
//! | [`value`] | a tree of values, written as JSON |
//! | [`answer`] | answers to clients |
//! | [`warnings`] | what is wrong, as one list: what was reported and what follows from the document |
//! | [`verdict`] | what a document comes to, in one line |
//! | [`render`] | a document as text for a person |
//! | [`humanize`] | ages, times and counts as a person reads them |

pub mod answer;
pub mod child_messages;
pub mod event;
pub mod frame;
pub mod humanize;
pub mod render;
pub mod request;
pub mod shared_memory;
pub mod status;
mod status_value;
pub mod value;
pub mod verdict;
pub mod warnings;
