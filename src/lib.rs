//! Steadfast keeps a gateway alive: two or more routers share virtual addresses by VRRP, and one
//! of them holds them at any time.
//!
//! This library is the daemon without its `main`. It is a library so that the simulator, the
//! fuzzers and the tests drive the very code that runs on the router; its interface follows the
//! daemon's needs and is not a promise to other crates.
//!
//! The [architecture] page is the map: processes, the ways that things take, where a behaviour lives.
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

#![allow(clippy::disallowed_methods, reason = "it is about what tests may start")]

#[doc = include_str!("architecture.md")]
pub mod architecture {}
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
