//! What a daemon says about its memory.

use steadfast::control::status::{Document, Heap, Memory};

use crate::harness::router::{Router, vrrp};

/// One look at a daemon.
#[derive(Clone, Debug)]
pub struct Reading {
    /// Adverts that it sent.
    pub sent: u64,
    /// Adverts that it received.
    pub received: u64,
    /// Changes of state.
    pub transitions: u64,
    /// Lines that it logged, those that were left out counted: one says that something else
    /// happened than adverts, if only that the machine was late.
    pub lines: u64,
    /// How often the vrrp process was started again.
    pub restarts: u32,
    /// The supervisor.
    pub supervisor: Memory,
    /// The process that speaks VRRP.
    pub vrrp: Memory,
}

impl Reading {
    /// Asks.
    #[track_caller]
    pub fn of(router: &mut Router) -> Self {
        let document = router.control().status_with(true);
        let document: Document = document.unwrap_or_else(|error| panic!("{error}"));
        let process = vrrp(&document).clone();
        let memory = document.daemon.memory.zip(process.memory);
        let (supervisor, vrrp) = memory.expect("it was asked for");
        let instances = document.instances.expect("the vrrp process answers");
        let limited = process.report.expect("it answers").records_limited;
        let lines = router.words().lines().count();
        let routers = || instances.iter().flat_map(|instance| &instance.routers);
        Self {
            sent: routers().map(|router| u64::from(router.adverts_sent)).sum(),
            received: routers().map(|router| u64::from(router.adverts_received)).sum(),
            transitions: instances.iter().map(|instance| u64::from(instance.transitions)).sum(),
            lines: lines as u64 + limited,
            restarts: process.restarts,
            supervisor,
            vrrp,
        }
    }

    /// What the vrrp process counted.
    pub fn heap(&self) -> Heap {
        heap(&self.vrrp)
    }
}

/// What a process counted.
pub fn heap(process: &Memory) -> Heap {
    process.heap.expect("the program counts")
}
