//! The operating system: clock, timer, memory that processes share, raw and packet sockets. The
//! only module with `unsafe`, each time with its reason.

pub mod clock;
pub mod inherited;
pub mod pidfd;
pub mod privileges;
