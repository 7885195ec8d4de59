//! Steadfast keeps a gateway alive: two or more routers share virtual addresses by VRRP, and one
//! of them holds them at any time.
//!
//! This library is the daemon without its `main`, so that the simulator, the fuzzers and the tests run
//! the same code as the router. Its interface follows the needs of the daemon and is not stable for
//! other crates.
//!
//! The [architecture] page describes the processes, the flow of adverts, reloads, commands and events,
//! and where each behaviour is implemented.
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
//! // The driver reports the state of the interface ...
//! let (interface, _) = engine.interfaces().next().expect("the interface of the instance");
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
//! // ... and waits for packets, at most until the deadline.
//! now = engine.next_deadline().expect("a backup has a timer");
//! engine.handle(Event::Wake, now);
//! let first = engine.poll_action();
//! assert_eq!(first, Some(Action::Urgent(Urgent::DrainSockets)), "a packet may be waiting");
//! engine.handle(Event::SocketsDrained, now);
//! let first = engine.poll_action();
//! let sends = matches!(first, Some(Action::Urgent(Urgent::SendAdvert { .. })));
//! assert!(sends, "no other router is master, so this one becomes master");
//! ```

#![allow(clippy::disallowed_methods, reason = "the lint is for programs that tests start")]

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
