//! The engine: all instances, pure.

use std::net::IpAddr;

use super::settings::{Object, Settings};
use super::{Action, Event, InstanceId, InterfaceId, ObjectId, RouterId, State};
use crate::units::{Instant, Priority};

/// All instances of one process.
#[derive(Debug)]
pub struct Engine {}

impl Engine {
    /// An engine in which every instance is in Initialize and every interface is missing.
    pub fn new(_settings: &Settings) -> Self {
        Self {}
    }

    /// Takes one event. Afterwards the driver polls [`Engine::poll_action`].
    pub fn handle(&mut self, _event: Event<'_>, _now: Instant) {}

    /// When [`Event::Wake`] is due; `None`: not before another event.
    pub fn next_deadline(&self) -> Option<Instant> {
        None
    }

    /// The next thing to do, most urgent first: adverts, then the kernel, then announcements,
    /// then notices. The driver may stop in between and handle other events: what is still to be
    /// done stays, and what became needless in the meantime vanishes.
    pub fn poll_action(&mut self) -> Option<Action> {
        None
    }

    /// The instances.
    pub fn instances(&self) -> impl Iterator<Item = InstanceId> + '_ {
        [].into_iter()
    }

    /// The instance of that name.
    pub fn instance(&self, _name: &str) -> Option<InstanceId> {
        None
    }

    /// The interfaces that instances use or track; new ones may appear after a reload.
    pub fn interfaces(&self) -> impl Iterator<Item = (InterfaceId, &str)> + '_ {
        [].into_iter()
    }

    /// The interface of that name.
    pub fn interface(&self, _name: &str) -> Option<InterfaceId> {
        None
    }

    /// What an object is; `None` when it no longer exists.
    pub fn object(&self, _object: ObjectId) -> Option<&Object> {
        None
    }

    /// The objects of an instance, in the order of installation.
    pub fn objects(&self, _instance: InstanceId) -> impl Iterator<Item = (ObjectId, &Object)> + '_ {
        [].into_iter()
    }

    /// The state of an instance.
    pub fn state(&self, _instance: InstanceId) -> Option<State> {
        None
    }

    /// Whether the instance is in a planned hand-over: state Master, priority 0 sent or about to
    /// be, addresses kept until the successor has announced them.
    pub fn handing_over(&self, _instance: InstanceId) -> bool {
        false
    }

    /// The priority that elections use now.
    pub fn effective_priority(&self, _instance: InstanceId) -> Option<Priority> {
        None
    }

    /// The virtual routers of an instance, one for each family it has addresses of.
    pub fn routers(&self, _instance: InstanceId) -> impl Iterator<Item = RouterId> + '_ {
        [].into_iter()
    }

    /// The addresses in the packets of a virtual router, in packet order.
    pub fn packet_addresses(&self, _router: RouterId) -> impl Iterator<Item = IpAddr> + '_ {
        [].into_iter()
    }

    /// The address that the router's adverts come from; `None` when there is none now.
    pub fn source(&self, _router: RouterId) -> Option<IpAddr> {
        None
    }

    /// When an instance last sent an advert as master: what has to be stored where it survives
    /// the process before the packet leaves (DESIGN 3).
    pub fn last_advert(&self, _instance: InstanceId) -> Option<Instant> {
        None
    }
}
