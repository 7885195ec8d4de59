//! The process that speaks VRRP: the engine with sockets, a timer and netlink around it.
//!
//! One thread, which itself waits for all descriptors (`system::poller` says why not by way of
//! async-io). What comes in is work for one `shell`, a slice at a time: first the adverts that are
//! due, then a batch of requests to the kernel, then announcements, then what there is to report.
//! Nothing waits for anything.
//!
//! | module | for |
//! |---|---|
//! | `shell` | events in, actions out, in this order |
//! | `source` | what is waited for |
//! | `phase` | from one configuration to the next |
//! | `supervisor_commands` | what the supervisor asks for, and the answers |
//! | `interfaces` | interfaces and the sockets on them |
//! | `kernel_events` | what the kernel tells, on its way to the engine |
//! | `kernel`, `address_index`, `ipv6_readiness` | requests to netlink, and what is really there |
//! | `neighbor_filter` | no answers for addresses that a successor takes over |
//! | `advert_input`, [`advert_receiver`], `receive_coalescing` | adverts of others |
//! | `advert_output`, [`advert_sender`], `packet_templates` | our adverts |
//! | `announcements`, [`neighbor_packets`], `forwarding` | announcements and probes |
//! | `shared_state` | what the next process has to know |
//! | `orphan` | what becomes of it without a supervisor |
//! | `reporting`, [`events`] | what there is to log |
//! | `instance_status`, `instance_warnings` | the status |
//!
//! It never opens a file for writing, resolves a name or starts a program, and it logs through the
//! supervisor. When the supervisor is gone, it hands its addresses over and ends. What it shares
//! with the processes of other roles is in [`child`](crate::child).

mod address_index;
mod advert_input;
mod advert_output;
pub mod advert_receiver;
pub mod advert_sender;
mod announcements;
pub mod events;
mod forwarding;
mod instance_status;
mod instance_warnings;
mod interfaces;
mod ipv6_readiness;
mod kernel;
mod kernel_events;
mod neighbor_filter;
pub mod neighbor_packets;
mod orphan;
mod packet_templates;
mod phase;
mod receive_coalescing;
mod reporting;
mod shared_state;
mod shell;
mod source;
mod supervisor_commands;

use std::ffi::OsString;
use std::io;
use std::process::ExitCode;

use nix::errno::Errno;

use self::shared_state::SharedState;
use self::shell::{Parts, Shell};
use self::source::Source;
use crate::child::event_loop::{End, Sources};
use crate::child::role_claim::RoleClaim;
use crate::child::start::{self, Inherited};
use crate::child::supervisor_link::{LinkSources, SupervisorLink};
use crate::system::privileges::NEEDED;

/// The hidden command that makes this program a vrrp process.
pub const COMMAND: &str = "vrrp-process";

/// The way to the supervisor.
type Link = SupervisorLink<Source>;

/// Says what is missing when there are no packet sockets.
fn without_packet_sockets(error: io::Error) -> io::Error {
    let help = match error.raw_os_error().map(Errno::from_raw) {
        Some(Errno::EAFNOSUPPORT) => ": the kernel was built without CONFIG_PACKET",
        Some(_) | None => "",
    };
    io::Error::new(error.kind(), format!("cannot open a packet socket: {error}{help}"))
}

/// Runs until the supervisor says stop, or is gone. `words`: what the command line has beside the
/// command.
///
/// # Errors
/// What the process cannot work without: shared memory, timer, netlink, packet sockets.
pub fn run(words: &[OsString]) -> io::Result<ExitCode> {
    let Inherited { stream, events, shared, lock } =
        start::start(c"steadfast: vrrp", words, &NEEDED)?;
    let sources = Sources::new()?;
    let of = LinkSources {
        messages: Source::Supervisor,
        message_room: Source::MessageRoom,
        event_room: Source::EventRoom,
    };
    let mut shell = Shell::new(Parts {
        link: SupervisorLink::new("vrrp", stream, events, &sources, of)?,
        shared_state: SharedState::new(shared),
        claim: RoleClaim::new(lock),
        sources: sources.clone(),
    })?;
    let end = sources.run(&mut shell)?;
    // With the lock, last.
    drop(shell);
    Ok(match end {
        End::Stopped => ExitCode::SUCCESS,
        End::Failed => ExitCode::FAILURE,
    })
}
