//! Steadfast keeps a gateway alive: two or more routers share virtual addresses by VRRP, and one
//! of them holds them at any time.
//!
//! This library is the daemon without its `main`. It is a library so that the simulator, the
//! fuzzers and the tests drive the very code that runs on the router; its interface follows the
//! daemon's needs and is not a promise to other crates.
//!
//! # The map
//!
//! | module | for | driven by |
//! |---|---|---|
//! | [`units`] | values with their units: times, priorities, identifiers | everybody |
//! | [`wire`] | packet formats: octets to values and back | [`vrrp`], and whoever has a socket |
//! | [`config`] | the configuration: text to a checked model, or to messages that say what to write | [`cli`] |
//! | [`netlink`] | the kernel's links and addresses: what there is, and requests to change it | a process that waits for its sockets |
//! | [`control`] | what the processes and the user say to each other: messages, status, records | [`vrrp`], [`cli`] and the supervisor |
//! | [`system`] | the operating system: clock, timer, shared memory, raw sockets | whoever needs them |
//! | [`vrrp`] | the virtual routers: events in, actions out | a process with sockets, or a simulator |
//! | [`supervisor`] | configuration, log, control socket; keeps the other processes running | [`cli`] |
//! | [`cli`] | the command line | `main` |
//!
//! Modules use only those above them in this table, but for `cli`, which uses all.
//!
//! # How a configuration becomes adverts
//!
//! ```
//! use steadfast::config;
//! use steadfast::units::Instant;
//! use steadfast::vrrp::settings::Settings;
//! use steadfast::vrrp::{Action, Engine, Event, InterfaceState, Urgent};
//!
//! let text = r#"
//!     [vrrp.instance.lan]
//!     interface = "br-lan"
//!     virtual_router_id = 51
//!     priority = 150
//!     version = 3
//!     virtual_addresses = ["192.168.1.1/24"]
//! "#;
//! let model = config::parse(text, None).model.expect("no errors in it");
//! let mut engine = Engine::new(&Settings::from_model(&model));
//!
//! // The driver tells what there is ...
//! let (interface, _) = engine.interfaces().next().expect("the one of the instance");
//! let state = InterfaceState {
//!     present: true,
//!     up: true,
//!     port: false,
//!     mac: None,
//!     ipv4: Some([192, 168, 1, 2].into()),
//!     ipv6: None,
//! };
//! let mut now = Instant::ORIGIN;
//! engine.handle(Event::Interface { interface, state }, now);
//! engine.handle(Event::Start, now);
//! while engine.poll_action().is_some() {}
//!
//! // ... waits for packets, and when none come, until the deadline.
//! now = engine.next_deadline().expect("a backup has a timer");
//! engine.handle(Event::Wake, now);
//! let first = engine.poll_action();
//! assert_eq!(first, Some(Action::Urgent(Urgent::DrainSockets)), "a packet may wait there");
//! engine.handle(Event::SocketsDrained, now);
//! let first = engine.poll_action();
//! let sends = matches!(first, Some(Action::Urgent(Urgent::SendAdvert { .. })));
//! assert!(sends, "nobody is master: we are");
//! ```
//!
//! # What holds everywhere
//!
//! - **Pure core.** [`wire`], [`vrrp`] and [`config`]'s parser have no sockets, clocks, tasks, files
//!   or log. A test reads the sources and says so (`tests/conformance/purity.rs`).
//! - **Rules have numbers.** `tests/conformance/rules/` is the specification; comments and tests
//!   cite it as `vrrp:S-25`.
//! - **Input never panics.** Indexing, `unwrap` and their like are denied by lints outside tests.
//! - **Units are in types.** There is no bare integer for a time, a priority or an identifier.

#![allow(clippy::disallowed_methods, reason = "it is about what tests may start")]

pub mod child;
pub mod cli;
pub mod config;
pub mod control;
pub mod net;
pub mod netlink;
pub mod sorted;
pub mod supervisor;
pub mod system;
pub mod units;
pub mod vrrp;
pub mod vrrp_process;
pub mod wire;
