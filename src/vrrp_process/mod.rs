//! The process that speaks VRRP: the engine with sockets, a timer and netlink around it.
//!
//! One thread, which itself waits for all descriptors (`system::poller` says why not by way of
//! async-io). What comes in is work for one `shell`, a slice at a time: first the adverts that are
//! due, then a batch of requests to the kernel, then announcements, then what there is to tell.
//! Nothing waits for anything.
//!
//! | module | for |
//! |---|---|
//! | `shell` | events in, actions out |
//! | `advert_output`, `telling` | two kinds of actions |
//! | `event_loop` | who waits for which descriptor |
//! | `supervisor_commands` | what the supervisor asks for |
//! | `links` | interfaces and the sockets on them |
//! | `kernel_events` | what the kernel tells |
//! | `kernel`, `neighbor_filter` | requests to netlink and nf_tables, and what is really there |
//! | `ipv6_readiness` | IPv6 addresses that are not open for packets yet |
//! | `advert_receiver`, `advert_sender`, `neighbor_packets`, `forwarding` | packets |
//! | `receive_coalescing` | how often packets wake it |
//! | `packet_templates` | the packet of each virtual router |
//! | `shared_state` | what the next process has to know |
//! | `role_claim` | who of two processes is the one |
//! | `orphan` | what becomes of it without a supervisor |
//! | `log_records`, `rate_limit`, `library_log`, `log_text` | the log |
//! | `instance_status`, `instance_warnings` | the status |
//! | `send_queue` | octets that wait for a socket |
//!
//! It never opens a file for writing, resolves a name or starts a program, and it logs through the
//! supervisor. When the supervisor is gone, it hands its addresses over and ends.

mod address_index;
mod advert_output;
pub mod advert_receiver;
pub mod advert_sender;
mod event_loop;
mod forwarding;
mod instance_status;
mod instance_warnings;
mod ipv6_readiness;
mod kernel;
mod kernel_events;
mod library_log;
mod links;
mod log_records;
pub mod log_text;
mod neighbor_filter;
pub mod neighbor_packets;
mod orphan;
mod packet_templates;
mod rate_limit;
mod receive_coalescing;
mod role_claim;
mod send_queue;
mod shared_state;
mod shell;
mod supervisor_commands;
mod telling;

pub use log_text::object_words;

use std::cell::RefCell;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::process::ExitCode;
use std::rc::Rc;

use nix::errno::Errno;

use self::event_loop::Spawner;
use self::log_records::Records;
use self::neighbor_packets::Listener;
use self::send_queue::SendQueue;
use self::shared_state::SharedState;
use self::shell::{End, Parts, Shell};
use crate::control::shared_memory::{Shared, WORDS};
use crate::system::limits::raise_descriptors;
use crate::system::memory;
use crate::system::privileges::{IPC_LOCK, give_up_all_but};
use crate::system::scheduling::yield_when_too_long;
use crate::system::shared_memory::Region;
use crate::system::timer::Timer;
use crate::units::Family;

/// The hidden command that makes this program a vrrp process.
pub const COMMAND: &str = "vrrp-process";

/// Octets of answers that may wait for the supervisor: the status of thousands of instances.
const ANSWERS: usize = 32 * 1024 * 1024;

/// What the supervisor gives its child.
#[derive(Debug)]
pub struct Inherited {
    /// Stream socket for [`ToChild`](crate::control::child_messages::ToChild) and its answers.
    pub channel: OwnedFd,
    /// Datagram socket for [`Record`](crate::control::record::Record)s.
    pub records: OwnedFd,
    /// Memory that outlives this process.
    pub shared: OwnedFd,
    /// The lock of the role, waited for when another process has it, and held until this one ends.
    pub lock: OwnedFd,
    /// Whether it keeps the right to lock its memory.
    pub locks_memory: bool,
}

/// Says what is missing when there are no packet sockets.
fn without_packet_sockets(error: io::Error) -> io::Error {
    let help = match error.raw_os_error().map(Errno::from_raw) {
        Some(Errno::EAFNOSUPPORT) => ": the kernel was built without CONFIG_PACKET",
        Some(_) | None => "",
    };
    io::Error::new(error.kind(), format!("cannot open a packet socket: {error}{help}"))
}

/// Gives up what is not needed, while there is one thread: the others would keep it. It works
/// without, too, so what goes wrong is only said.
fn give_up(locks_memory: bool) -> impl Iterator<Item = String> {
    // Then it may even without the right, after a reload. Not everybody may lift it.
    let _ = memory::lift_lock_bound();
    let lock: &[_] = if locks_memory { &[IPC_LOCK] } else { &[] };
    [
        ("keep passwords out of core files", memory::keep_private()),
        ("give up rights", give_up_all_but(lock)),
        ("take SIGXCPU", yield_when_too_long()),
    ]
    .into_iter()
    .filter_map(|(what, result)| Some(format!("cannot {what}: {}", result.err()?)))
}

/// Runs until the supervisor says stop, or is gone.
///
/// # Errors
/// What the process cannot work without: shared memory, timer, netlink, packet sockets.
pub fn run(inherited: Inherited) -> io::Result<ExitCode> {
    library_log::install();
    for error in give_up(inherited.locks_memory) {
        log::warn!("{error}");
    }
    // Each interface takes two for each family. Should it fail, there are as many as there were.
    let _ = raise_descriptors();
    let memory = Region::open(inherited.shared, WORDS)?;
    let shared = Shared::open(memory).map_err(io::Error::other)?;
    let timer = Rc::new(Timer::new()?);
    let parts = Parts {
        channel: SendQueue::new(inherited.channel.try_clone()?, ANSWERS),
        records: Records::new(inherited.records),
        saved: SharedState::new(shared),
        timer: Rc::clone(&timer),
        lock: inherited.lock,
    };
    let mut shell = Shell::new(parts)?;
    let spawner = Spawner::new()?;
    shell.set_spawner(spawner.clone());

    let channel = {
        let inlet = supervisor_commands::SupervisorStream::new(inherited.channel);
        let fd = inlet.as_fd().try_clone_to_owned()?;
        let inlet = RefCell::new(inlet);
        spawner.watch_until_end(fd.as_fd(), move |shell| inlet.borrow_mut().read(shell))?
    };
    let alarm = spawner.watch_timer(timer.as_fd(), |shell| shell.timer.fired())?;
    let netlink = spawner.watch(shell.kernel.monitor.as_fd(), Shell::hear_kernel)?;
    let silence =
        shell.silence.fd().map(|fd| spawner.watch(fd, Shell::read_silence)).transpose()?;
    let mut listeners = Vec::new();
    for family in Family::ALL {
        let listener = Listener::open(family).map_err(without_packet_sockets)?;
        let fd = listener.as_fd().try_clone_to_owned()?;
        listeners.push(spawner.watch(fd.as_fd(), move |shell| shell.hear(&listener))?);
    }
    let end = spawner.run(&mut shell)?;
    drop((channel, alarm, netlink, silence, listeners));
    // With the lock, last.
    drop(shell);
    Ok(match end {
        End::Stopped => ExitCode::SUCCESS,
        End::Failed => ExitCode::FAILURE,
    })
}
