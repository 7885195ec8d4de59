//! What a daemon says about its memory.

use steadfast::control::status::{Document, Heap, ProcessMemory};

use crate::harness::router::Router;

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
    /// The supervisor.
    pub supervisor: ProcessMemory,
    /// The process that speaks VRRP.
    pub vrrp: ProcessMemory,
}

impl Reading {
    /// Asks.
    #[track_caller]
    pub fn of(router: &mut Router) -> Self {
        let document = router.control().status_with(true);
        let document: Document = document.unwrap_or_else(|error| panic!("{error}"));
        let memory = document.daemon.memory.expect("it was asked for");
        let [supervisor, vrrp] = memory.try_into().expect("two processes");
        let instances = document.instances.expect("the vrrp process answers");
        let limited = document.daemon.vrrp.expect("it answers").records_limited;
        let lines = router.words().lines().count();
        let routers = || instances.iter().flat_map(|instance| &instance.routers);
        Self {
            sent: routers().map(|router| u64::from(router.adverts_sent)).sum(),
            received: routers().map(|router| u64::from(router.adverts_received)).sum(),
            transitions: instances.iter().map(|instance| u64::from(instance.transitions)).sum(),
            lines: lines as u64 + limited,
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
pub fn heap(process: &ProcessMemory) -> Heap {
    process.heap.expect("the program counts")
}
