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
//! use steadfast::vrrp::{Action, Engine, Event};
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
//! # Inside
//!
//! | module | decides |
//! |---|---|
//! | `instance` | what an instance is: its routers, its priority, its hold |
//! | `transitions` | entering and leaving its states: S-1, S-2, S-21, S-40, S-42 |
//! | `adverts` | what it sends: T-7, S-22, S-30 |
//! | `election` | what adverts and timers do: S-11 to S-32 |
//! | `group` | what moves together: S-41, starts, stops, switchovers |
//! | `hand_over` | the planned hand-over |
//! | `objects` | wanted against seen kernel state |
//! | `announcements` | the schedule and spacing of announcements: G-5 |
//! | `repeated_removal` | what a master does whose addresses others remove again and again |
//! | [`second_holder`] | whether another host holds an address as well |
//! | `tracking` | priorities and faults: S-40 |
//! | `kernel_events` | what interfaces, tracked things and the kernel's answers mean |
//! | `reload` | from one configuration to the next |
//! | [`change`] | what is different between two configurations |
//! | `transmit_failure` | what a master does whose adverts do not leave |
//! | `receive` | which router a packet is for, and what is remarked about it |
//! | [`validation`] | which packets count: V-21 to V-41 |
//! | [`timers`] | the formulas: T-1 to T-4 |

pub mod action;
mod action_queue;
mod adverts;
mod announcements;
pub mod change;
pub mod command;
mod deadline_heap;
mod election;
mod engine;
pub mod event;
mod from_config;
mod group;
mod hand_over;
mod ids;
mod instance;
mod kernel_events;
mod objects;
mod query;
mod receive;
mod reload;
mod repeated_removal;
mod router;
pub mod second_holder;
pub mod settings;
pub mod statistics;
pub mod timers;
mod tracking;
mod transitions;
mod transmit_failure;
pub mod validation;

pub use action::*;
pub use command::{Command, CommandId, Held, Outcome};
pub use engine::Engine;
pub use event::*;
pub use ids::{InstanceId, InterfaceId, ObjectId, RouterId};
pub use query::Tracked;
pub use reload::Reloaded;
pub use router::Heard;
