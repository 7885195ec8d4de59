//! VRRP: the engine that decides, without touching the world.
//!
//! # What it is
//!
//! [`Engine`] holds all instances of a process. It takes [`Event`]s with the time they happened at
//! and gives [`Action`]s back; it has no sockets, clocks, tasks or log. The same code runs in the
//! daemon, in the simulator (`tests/simulation`) and under the fuzzers.
//!
//! # Where its rules come from
//!
//! `tests/conformance/rules/vrrp.md` numbers them; comments cite them as `vrrp:S-25`. What goes
//! beyond the RFCs and keepalived is in the modules that do it: the planned hand-over, resuming
//! after a restart, reading the sockets first after a late wake-up, restoring what others remove.
//!
//! # How it is driven
//!
//! ```
//! use steadfast::units::Instant;
//! use steadfast::vrrp::settings::Settings;
//! use steadfast::vrrp::{Action, Engine, Event, Urgent};
//!
//! let mut engine = Engine::new(&Settings::default());
//! // Tell it what interfaces there are and what the kernel holds already, then:
//! let now = Instant::ORIGIN;
//! engine.handle(Event::Start, now);
//! while let Some(action) = engine.poll_action() {
//!     match action {
//!         Action::Urgent(urgent) => println!("adverts come first: {urgent:?}"),
//!         other => println!("{other:?}"),
//!     }
//! }
//! // Then wait for a packet, a kernel event, or this moment, and hand it `Event::Wake`.
//! assert_eq!(engine.next_deadline(), None);
//! ```
//!
//! Actions come in lanes: all due adverts, then requests to the kernel, then announcements, then
//! notices. A driver may take some of them, look at its sockets, and go on; nothing is lost, each
//! lane is bounded, and what became needless is no longer there.
//!
//! # The states of an instance
//!
//! What an instance knows in one state only is in the data of that (module `state`). An arrow names
//! what causes it, and the rule.
//!
//! ```text
//!                    +------------+   stop, removed (S-11, S-21)
//!            +-------| Initialize |<------------------ from every state
//!            |       +------------+
//!            |         |        | start with addresses of its own, or a former
//!            |         | start  | process was master moments ago (S-1)
//!            |         | (S-2)  +---------------------------+
//!            |         v                                    v
//!            |       +--------+  DownTimer, immediate     +-------------------------+
//!            | fault | Backup |  preemption (S-12, S-15)  | Master                  |
//!            | at    |        |-------------------------->|   Serving               |
//!            | the   |        |                           |      | switchover, stop,|
//!            | start | Timers:|<--------------------------|      v addresses lost   |
//!            |       |  Down  |  better master (S-24, -25)|   HandingOver           |
//!            |       +--------+  hand-over taken          |      | nobody took over,|
//!            |         |    ^                             |      v not forced       |
//!            |   fault |    | recovered                   |   Serving               |
//!            |  (S-40) |    | (S-40)                      | Timers: Advert, Owner,  |
//!            |         v    |                             |  SecondBurst, Refresh,  |
//!            |       +--------+          fault (S-40)     |  LowerBurst, Probe,     |
//!            +------>| Fault  |<--------------------------|  HandOver               |
//!                    +--------+                           +-------------------------+
//! ```
//!
//! The timers HoldEnd and Retry run in every state. The members of a sync group move together
//! (`vrrp:S-41`).
//!
//! # Inside
//!
//! Data, from which all else is made:
//!
//! | module | holds |
//! |---|---|
//! | `ids` | the identifiers |
//! | [`settings`], [`change`] | the configuration, and what is different between two |
//! | [`event`], [`command`] | what comes in |
//! | [`action`], [`notice`] | what goes out; `action_queue`, `command_queue` until it is taken |
//! | `instance` | an instance: its settings, its priority, its hold |
//! | `state` | what it knows in one state only |
//! | `router` | what it knows of one family whatever its state is |
//! | `objects` | wanted against seen kernel state |
//! | `members`, `sources`, `router_index`, `timing`, `life`, `pacers` | what all instances share |
//! | `engine` | all of that, and where events come in |
//!
//! Decisions about one instance:
//!
//! | module | decides |
//! |---|---|
//! | `transitions` | entering and leaving its states: S-1, S-2, S-21, S-40, S-42 |
//! | `adverts` | what it sends: T-7, S-22, S-30 |
//! | `election` | what adverts and timers do: S-11 to S-32 |
//! | `hand_over` | the planned hand-over |
//! | `announcements` | when addresses are announced: G-5, S-29 |
//! | [`second_holder`] | whether another host holds an address as well |
//! | `tracking` | priorities and faults: S-40 |
//! | [`validation`] | which packets count: V-21 to V-41 |
//! | [`timers`] | the formulas: T-1 to T-4 |
//! | `pause` | how long it leaves masters of lower priority alone |
//!
//! Decisions about all of them:
//!
//! | module | decides |
//! |---|---|
//! | `group` | what moves together: S-41, starts, stops, switchovers |
//! | `clock` | what happens when time has passed, and what waits for the sockets |
//! | `receive` | which router a packet is for, and what is remarked about it |
//! | `kernel_events` | what interfaces, tracked things and the kernel's answers mean |
//! | `transmit_failure` | what a master does whose adverts do not leave |
//! | `repeated_removal` | what a master does whose addresses others remove again and again |
//! | `reload` | from one configuration to the next |
//! | `answers` | what a command does and how it is answered |
//! | `lanes`, `announcement_lane` | the order in which actions are taken |
//! | `query` | nothing: what drivers, status and tests ask |

pub mod action;
mod action_queue;
mod adverts;
mod announcement_lane;
mod announcements;
mod answers;
pub mod change;
mod clock;
pub mod command;
mod command_queue;
mod deadline_heap;
mod election;
mod engine;
pub mod event;
mod from_config;
mod group;
mod hand_over;
mod heard;
mod ids;
mod instance;
mod kernel_events;
mod lanes;
mod life;
mod members;
pub mod notice;
mod objects;
mod pacers;
mod pause;
mod query;
mod receive;
mod reload;
mod repeated_removal;
mod router;
mod router_index;
pub mod second_holder;
pub mod settings;
mod sources;
mod state;
pub mod statistics;
pub mod timers;
mod timing;
mod tracking;
mod transitions;
mod transmit_failure;
pub mod validation;

pub use action::*;
pub use command::{Command, CommandId, Held, Outcome};
pub use engine::Engine;
pub use event::*;
pub use heard::Heard;
pub use ids::{InstanceId, InterfaceId, ObjectId, RouterId};
pub use members::Reloaded;
pub use notice::*;
pub use query::Tracked;
pub use state::SecondHolder;

pub use crate::units::State;
