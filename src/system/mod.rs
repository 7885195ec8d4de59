//! The interface to the operating system. It is the only module with `unsafe`, each time with a reason.
//!
//! | module | for |
//! |---|---|
//! | [`clock`] | clocks |
//! | [`timer`] | a timer as a descriptor |
//! | [`shared_memory`] | memory that outlives a process |
//! | [`inherited_fds`] | descriptors that this process inherits from its parent |
//! | [`fd_passing`] | sending descriptors from one process to another |
//! | [`options`] | socket options that nix and socket2 lack |
//! | [`filter`] | BPF programs that drop unwanted packets in the kernel |
//! | [`poller`] | waiting for many descriptors |
//! | [`limits`] | resource limits |
//! | [`lock`] | a file lock that belongs to a descriptor |
//! | [`memory`] | locking memory in RAM, and keeping it out of core files |
//! | [`pidfd`] | the end of a process, as a descriptor |
//! | [`heap`] | counting allocations |
//! | [`privileges`] | capabilities |
//! | [`scheduling`] | real-time priority, niceness, processors |
//! | [`terminal`] | the size of the terminal |
//! | [`resident_memory`] | the memory that a process has in RAM |
//! | [`threads`] | the stacks of threads |
//! | [`watchdog`] | a hardware watchdog device |
//! | [`raw`] | sending and receiving many packets with one system call |

#![allow(unsafe_code, reason = "system calls are wrapped here, so that other modules need none")]

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
