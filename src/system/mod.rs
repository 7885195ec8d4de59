//! The operating system: clock, timer, memory that processes share, raw and packet sockets. The
//! only module with `unsafe`, each time with its reason.
//!
//! | module | for |
//! |---|---|
//! | [`clock`] | what time it is |
//! | [`timer`] | waking up at a moment |
//! | [`shared_memory`] | memory that outlives a process |
//! | [`inherited_fds`] | descriptors that the parent process left open for us |
//! | [`fd_passing`] | descriptors that one process sends to another |
//! | [`options`] | options of sockets that nix and socket2 do not have |
//! | [`filter`] | which packets the kernel should not even hand over |
//! | [`poller`] | waiting for many descriptors |
//! | [`lock`] | a lock that goes with a descriptor |
//! | [`memory`] | what is kept in RAM, and what is kept out of files |
//! | [`pidfd`] | the end of a process, as a descriptor |
//! | [`heap`] | what the allocator gave out |
//! | [`privileges`] | what this process may do |
//! | [`scheduling`] | when a process runs |
//! | [`terminal`] | the size of the screen |
//! | [`resident_memory`] | what the kernel holds in RAM for a process |
//! | [`threads`] | the stacks of threads |
//! | [`watchdog`] | a device that restarts the machine when nobody feeds it |
//! | [`raw`] | many messages in one call; a message with what the IP layer says about it |

#![allow(unsafe_code, reason = "the system is called here, so that it need not be elsewhere")]

pub mod clock;
pub mod fd_passing;
pub mod filter;
pub mod heap;
pub mod inherited_fds;
pub mod limits;
pub mod lock;
pub mod memory;
pub mod options;
pub mod pidfd;
pub mod poller;
pub mod privileges;
pub mod raw;
pub mod resident_memory;
pub mod scheduling;
pub mod shared_memory;
pub mod terminal;
pub mod threads;
pub mod timer;
pub mod watchdog;
