//! What every child process has, whatever its role: an event loop, the link to the supervisor, the
//! log, the loop's counter, the lock of its role. A role adds a state that implements
//! [`event_loop::Child`] and its own descriptors.
//!
//! | module | for |
//! |---|---|
//! | [`start`] | what the supervisor leaves open for a child, and what it gives up |
//! | [`event_loop`] | the loop that waits for everything |
//! | [`alarm`] | when the loop turns, also for the supervisor to see |
//! | [`supervisor_link`], [`send_queue`] | messages from and to the supervisor |
//! | [`event_sender`], [`rate_limit`], [`library_log`] | the log, through the supervisor |
//! | [`role_claim`] | which of two processes of a role works |
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
