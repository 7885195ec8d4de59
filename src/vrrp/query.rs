//! Looking at the engine: what drivers, status and tests ask.

use std::net::IpAddr;

use super::engine::Engine;
use super::event::TrackerState;
use super::heard::Heard;
use super::ids::{InstanceId, InterfaceId, ObjectId, RouterId};
use super::instance::Instance;
use super::members::Reloaded;
use super::notice::{Cause, FaultReason};
use super::settings::{InstanceSettings, Object};
use super::state::StateData;
use super::statistics::Statistics;
use super::timers::Timer;
use super::tracking::{Source, TrackRef, interface_as_tracker};
use crate::units::{Instant, Priority, State};

/// A tracked thing as an instance sees it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Tracked<'a> {
    /// Its name.
    pub name: &'a str,
    /// It is an interface.
    pub interface: bool,
    /// Nobody listed it: an address or a route of the instance names it.
    pub in_use: bool,
    /// 0 faults the instance; otherwise points of priority.
    pub weight: i16,
    /// Up and down change places.
    pub reverse: bool,
    /// Its state.
    pub state: TrackerState,
}

impl Engine {
    /// Whether [`Event::Wake`](super::Event::Wake) and [`Engine::poll_action`] would do nothing now:
    /// what was heard has only moved timers on, as most adverts do.
    pub fn is_quiet(&self, now: Instant) -> bool {
        self.out.is_empty()
            && self.members.ended.is_empty()
            && self.commands.is_empty()
            && !self.life.stopping
            && self.timing.drain.is_none()
            && self.next_deadline().is_none_or(|at| at > now)
    }

    /// What the last configuration has changed; after [`Engine::new`], everything.
    pub const fn reloaded(&self) -> &Reloaded {
        &self.members.reloaded
    }

    /// The instances.
    pub fn instances(&self) -> impl Iterator<Item = InstanceId> + '_ {
        self.members.iter().filter(|i| !i.retiring).map(|i| i.id)
    }

    /// The instance of that name.
    pub fn instance(&self, name: &str) -> Option<InstanceId> {
        let named = |i: &&Instance| !i.retiring && *i.settings.name == *name;
        self.members.iter().find(named).map(|i| i.id)
    }

    /// The interfaces that instances use, name or track. Those that a reload adds are unknown, and
    /// what needs them waits, until [`Event::Interface`](super::Event::Interface) says what they
    /// are: also when they do not exist.
    pub fn interfaces(&self) -> impl Iterator<Item = (InterfaceId, &str)> + '_ {
        (0..).map(InterfaceId).zip(self.sources.interfaces.iter().map(|(name, _)| &**name))
    }

    /// The interface of that name.
    pub fn interface(&self, name: &str) -> Option<InterfaceId> {
        self.sources.find(name)
    }

    /// The settings of an instance.
    pub fn settings(&self, instance: InstanceId) -> Option<&InstanceSettings> {
        self.get(instance).map(|i| &i.settings)
    }

    /// What an object is; `None` when it no longer exists.
    pub fn object(&self, object: ObjectId) -> Option<&Object> {
        self.get(object.instance)?.objects.get(object.slot).map(|slot| &slot.object)
    }

    /// Whether an object is configured, or may be in the kernel yet.
    pub fn has_object(&self, object: ObjectId) -> bool {
        let slot = |i: &Instance| i.objects.get(object.slot).is_some_and(|slot| !slot.forgotten());
        self.get(object.instance).is_some_and(slot)
    }

    /// Whether the kernel has an object, as far as is known.
    pub fn object_present(&self, object: ObjectId) -> bool {
        let slot = |i: &Instance| i.objects.get(object.slot).is_some_and(|slot| slot.present());
        self.get(object.instance).is_some_and(slot)
    }

    /// Whether the kernel has an object but does not use it, as another host has it.
    pub fn object_duplicate(&self, object: ObjectId) -> bool {
        let slot = |i: &Instance| i.objects.get(object.slot).is_some_and(|slot| slot.duplicate());
        self.get(object.instance).is_some_and(slot)
    }

    /// Whether an object stays where it is, as somebody else put it there.
    pub fn object_kept(&self, object: ObjectId) -> bool {
        let slot = |i: &Instance| i.objects.get(object.slot).is_some_and(|slot| slot.kept());
        self.get(object.instance).is_some_and(slot)
    }

    /// Whether the configuration has an object: one that it has no more is on its way out.
    pub fn object_listed(&self, object: ObjectId) -> bool {
        let slot = |i: &Instance| i.objects.get(object.slot).is_some_and(|slot| slot.listed());
        self.get(object.instance).is_some_and(slot)
    }

    /// The objects of an instance, in the order of installation.
    pub fn objects(&self, instance: InstanceId) -> impl Iterator<Item = (ObjectId, &Object)> + '_ {
        self.get(instance).into_iter().flat_map(move |i| {
            let known = i.objects.iter().filter(|(_, s)| !s.forgotten());
            known.map(move |(slot, s)| (ObjectId { instance, slot }, &s.object))
        })
    }

    /// Whether the kernel should have an object now.
    pub fn object_wanted(&self, object: ObjectId) -> bool {
        let wanted = |i: &Instance| i.objects.wants(object.slot);
        self.get(object.instance).is_some_and(wanted)
    }

    /// What an instance tracks, its group's following: the name, whether it is an interface, the
    /// weight, whether it is turned round, and the state. [`FaultReason::Tracked`] counts these.
    pub fn tracked(&self, instance: InstanceId) -> impl Iterator<Item = Tracked<'_>> {
        let tracked = self.get(instance).into_iter().flat_map(|i| i.tracked.iter());
        tracked.filter_map(|track| {
            let TrackRef { weight, reverse, in_use, .. } = *track;
            match track.source {
                Source::Interface(id) => {
                    let name = self.sources.name(id)?;
                    let state = interface_as_tracker(self.sources.interface(id));
                    Some(Tracked { name, interface: true, in_use, weight, reverse, state })
                }
                Source::Named(index) => {
                    let &(ref name, state) = self.sources.trackers.get(index as usize)?;
                    Some(Tracked { name, interface: false, in_use, weight, reverse, state })
                }
            }
        })
    }

    /// Of the interfaces that an object is on, or goes out by, the first one that is not up.
    pub fn interface_down_of(&self, object: ObjectId) -> Option<InterfaceId> {
        let instance = self.get(object.instance)?;
        let what = &instance.objects.get(object.slot)?.object;
        let is_down = |id: InterfaceId| {
            let state = self.sources.interface(id)?;
            (!state.present || !state.up).then_some(id)
        };
        let own = what.announced().filter(|_| what.interfaces().next().is_none());
        own.and_then(|_| is_down(instance.interface))
            .or_else(|| what.interfaces().find_map(|name| is_down(self.interface(name)?)))
    }

    /// The sync group that an instance is in.
    pub fn group_of(&self, instance: InstanceId) -> Option<&str> {
        let place = self.get(instance)?.group?;
        self.members.group_names.get(place as usize).map(|name| &**name)
    }

    /// The interface that an instance sends and receives on.
    pub fn interface_of(&self, instance: InstanceId) -> Option<InterfaceId> {
        self.get(instance).map(|i| i.interface)
    }

    /// How many objects of an instance the kernel has.
    pub fn installed(&self, instance: InstanceId) -> u32 {
        let objects = self.get(instance).into_iter().flat_map(|i| i.objects.iter());
        let present = objects.filter(|(_, slot)| slot.present()).count();
        u32::try_from(present).unwrap_or(u32::MAX)
    }

    /// The state of an instance.
    pub fn state(&self, instance: InstanceId) -> Option<State> {
        self.get(instance).map(|i| i.state.name())
    }

    /// Since when the instance is in its state, and why.
    pub fn since(&self, instance: InstanceId) -> Option<(Instant, Cause)> {
        self.get(instance).map(|i| (i.since, i.cause))
    }

    /// Why an instance cannot take part.
    pub fn fault(&self, instance: InstanceId) -> Option<FaultReason> {
        self.get(instance)?.verdict.fault
    }

    /// Whether the instance is in a planned hand-over: state Master, priority 0 sent or about to
    /// be, addresses kept until the successor has announced them.
    pub fn handing_over(&self, instance: InstanceId) -> bool {
        self.get(instance).is_some_and(|i| i.hand_over().is_some())
    }

    /// Whether an operator holds the instance, and until when.
    pub fn held(&self, instance: InstanceId) -> Option<Option<Instant>> {
        self.get(instance)?.hold.map(|hold| hold.until)
    }

    /// The priority that elections use now.
    pub fn effective_priority(&self, instance: InstanceId) -> Option<Priority> {
        self.get(instance).map(Instance::effective_priority)
    }

    /// The virtual routers of an instance, one for each family it has addresses of.
    pub fn routers(&self, instance: InstanceId) -> impl Iterator<Item = RouterId> + '_ {
        self.get(instance)
            .into_iter()
            .flat_map(move |i| i.families().map(move |family| RouterId { instance, family }))
    }

    /// The addresses in the packets of a virtual router, in packet order.
    pub fn packet_addresses(&self, router: RouterId) -> impl Iterator<Item = IpAddr> + '_ {
        self.get(router.instance)
            .and_then(|i| i.router(router.family))
            .into_iter()
            .flat_map(|r| r.addresses.iter().copied())
    }

    /// The address that the router's adverts come from; `None` when there is none now.
    pub fn source(&self, router: RouterId) -> Option<IpAddr> {
        self.get(router.instance)?.source(router.family)
    }

    /// The master that a backup follows.
    pub fn master(&self, router: RouterId) -> Option<Heard> {
        let instance = self.get(router.instance)?;
        let StateData::Backup(backup) = &instance.state else { return None };
        instance.router(router.family)?;
        backup.listening.get(router.family).master
    }

    /// What a virtual router counted.
    pub fn statistics(&self, router: RouterId) -> Option<&Statistics> {
        Some(&self.get(router.instance)?.router(router.family)?.statistics)
    }

    /// Packets that were too short to name a virtual router (`vrrp:V-21`).
    pub const fn too_short(&self) -> u32 {
        self.router_index.too_short
    }

    /// When a timer of an instance is due.
    pub fn timer(&self, instance: InstanceId, timer: Timer) -> Option<Instant> {
        self.get(instance)?.timers.get(timer)
    }

    /// When an instance last sent an advert as master: what has to be stored where it survives
    /// the process before the packet leaves (architecture.md, processes).
    pub fn last_advert(&self, instance: InstanceId) -> Option<Instant> {
        self.get(instance)?.last_sent()
    }
}
