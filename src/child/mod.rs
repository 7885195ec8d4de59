//! The runtime of a child process, the same for every role: event loop, link to the supervisor, events
//! for the log, counter of the loop, lock of the role. A role adds a state that implements
//! [`event_loop::Child`], and its own descriptors.
//!
//! | module | for |
//! |---|---|
//! | [`start`] | the descriptors from the supervisor, and giving up privileges |
//! | [`event_loop`] | waiting for all descriptors |
//! | [`alarm`] | the timer and the counter of the loop |
//! | [`supervisor_link`], [`send_queue`] | messages from and to the supervisor |
//! | [`event_sender`], [`rate_limit`], [`library_log`] | events for the log, through the supervisor |
//! | [`role_claim`] | the lock of the role, which one of two processes holds |
//! | `idle` | a role that does nothing, for tests of the supervisor |

pub mod alarm;
pub mod event_loop;
pub mod event_sender;
#[cfg(debug_assertions)]
pub mod idle;
pub mod library_log;
pub mod rate_limit;
pub mod role_claim;
pub mod send_queue;
pub mod start;
pub mod supervisor_link;
