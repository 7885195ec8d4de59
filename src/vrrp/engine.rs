//! All instances of one process, behind three methods: events in, deadlines and actions out.

use std::net::IpAddr;
use std::time::Duration;

use super::announce::Pacers;
use super::event::{Command, InterfaceState, Received, TrackerState};
use super::instance::{Context, Instance, Wish};
use super::objects::Change;
use super::outbox::Outbox;
use super::router::{Heard, Remark};
use super::schedule::Schedule;
use super::settings::{InstanceSettings, Object, OnForeignRemoval, Settings};
use super::statistics::Statistics;
use super::timers::Timer;
use super::tracking::{Source, interface_as_tracker, verdict};
use super::validation::{AddressCheck, Advert, Expectation, Reject, peek_vrid, validate};
use super::{
    Action, Cause, Event, FaultReason, InstanceId, InterfaceId, Notice, ObjectId, RouterId, State,
};
use crate::units::{Family, Instant, Mac, Priority};

/// Where packets of a virtual router arrive.
pub(super) type Key = (InterfaceId, Family, u8);

/// All instances of one process.
///
/// Drive it like this: hand it an event with [`Engine::handle`], take actions with
/// [`Engine::poll_action`] until there are none (or until something more urgent happens), wait
/// until [`Engine::next_deadline`], and hand it [`Event::Wake`].
#[derive(Debug)]
pub struct Engine {
    pub(super) now: Instant,
    pub(super) configured: Settings,
    pub(super) instances: Vec<Option<Instance>>,
    pub(super) groups: Vec<Vec<InstanceId>>,
    pub(super) interfaces: Vec<(Box<str>, InterfaceState)>,
    pub(super) trackers: Vec<(Box<str>, TrackerState)>,
    /// Sorted, for the search on each packet.
    pub(super) lookup: Vec<(Key, InstanceId)>,
    pub(super) schedule: Schedule,
    pub(super) out: Outbox,
    pub(super) pacers: Pacers,
    /// The shortest interval of all instances: what counts as being late.
    pub(super) shortest: Duration,
    pub(super) started: bool,
    /// The end of the startup delay.
    pub(super) start_at: Option<Instant>,
    pub(super) stopping: bool,
    stopped: bool,
    draining: bool,
    burst: u32,
    /// VRIDs of others that were reported already.
    strangers: Vec<Key>,
    too_short: u32,
}

/// Strangers that are remembered; when there are more, they are not reported.
const STRANGERS: usize = 512;

impl Engine {
    /// An engine in which every instance is in Initialize and every interface is missing.
    pub fn new(settings: &Settings) -> Self {
        let mut engine = Self {
            now: Instant::ORIGIN,
            configured: Settings::default(),
            instances: Vec::new(),
            groups: Vec::new(),
            interfaces: Vec::new(),
            trackers: Vec::new(),
            lookup: Vec::new(),
            schedule: Schedule::default(),
            out: Outbox::default(),
            pacers: Pacers::default(),
            shortest: Duration::MAX,
            started: false,
            start_at: None,
            stopping: false,
            stopped: false,
            draining: false,
            burst: 0,
            strangers: Vec::with_capacity(STRANGERS),
            too_short: 0,
        };
        engine.configure(settings);
        engine
    }

    /// Takes one event. Afterwards the driver polls [`Engine::poll_action`].
    pub fn handle(&mut self, event: Event<'_>, now: Instant) {
        self.now = self.now.max(now);
        match event {
            Event::Wake => self.wake(),
            Event::Start => self.start(),
            Event::Received(received) => self.received(&received),
            Event::SocketsDrained => {
                self.draining = false;
                self.run_timers();
            }
            Event::Interface { interface, state } => self.interface_changed(interface, state),
            Event::Tracker { name, state } => self.tracker_changed(name, state),
            Event::Object { object, present } => self.object_seen(object, present),
            Event::Acknowledged { object, present, result } => {
                self.acknowledged(object, present, result);
            }
            Event::Announced { interface, address, mac } => {
                self.announced(interface, address, mac);
            }
            Event::Resume { instance, last_advert } => {
                if !self.started
                    && let Some(instance) = self.get_mut(instance)
                {
                    instance.resume = Some(last_advert);
                }
            }
            Event::Reload(settings) => self.reload(settings),
            Event::Command(command) => self.command(command),
            Event::Shutdown => self.shutdown(),
        }
    }

    /// When [`Event::Wake`] is due; `None`: not before another event.
    pub fn next_deadline(&self) -> Option<Instant> {
        if self.draining {
            return None;
        }
        let timers = self.schedule.first().map(|(at, _)| at);
        [timers, self.start_at, self.pacers.next()].into_iter().flatten().min()
    }

    /// The next thing to do, most urgent first: adverts, then the kernel, then announcements,
    /// then notices. The driver may stop in between and handle other events: what is still to be
    /// done stays, and what became needless in the meantime vanishes.
    pub fn poll_action(&mut self) -> Option<Action> {
        if std::mem::take(&mut self.out.drain) {
            return Some(Action::DrainSockets);
        }
        self.poll_advert()
            .or_else(|| self.poll_kernel())
            .or_else(|| self.poll_announcement())
            .or_else(|| self.out.take_notice().map(Action::Notice))
            .or_else(|| self.poll_stopped())
    }

    fn poll_advert(&mut self) -> Option<Action> {
        while let Some(id) = self.out.adverts.pop_front() {
            let Some(instance) = self.get_mut(id.instance) else { continue };
            let router = instance.router_of(id.family);
            let Some(pending) = router.pending.take() else { continue };
            let statistics = &mut router.statistics;
            statistics.adverts_sent = statistics.adverts_sent.wrapping_add(1);
            if pending.priority.is_stop() {
                statistics.priority_zero_sent = statistics.priority_zero_sent.wrapping_add(1);
            }
            return Some(Action::SendAdvert {
                router: id,
                priority: pending.priority,
                interval: pending.interval,
            });
        }
        None
    }

    fn poll_kernel(&mut self) -> Option<Action> {
        while let Some(id) = self.out.kernel.pop_front() {
            let Some(instance) = self.get_mut(id) else { continue };
            let mute = instance.wants_mute();
            let action = if mute && !instance.muted {
                instance.muted = true;
                Some(Action::Mute(id))
            } else if let Some((slot, present)) = instance.objects.next_request() {
                let object = ObjectId { instance: id, slot };
                Some(if present { Action::Install(object) } else { Action::Remove(object) })
            } else if !mute && instance.muted {
                instance.muted = false;
                Some(Action::Unmute(id))
            } else {
                None
            };
            if action.is_some() {
                // One request at a time in turn, so that no instance waits for all addresses of
                // another.
                self.out.kernel.push_back(id);
                return action;
            }
            instance.kernel_queued = false;
            self.bury(id);
        }
        None
    }

    fn poll_stopped(&mut self) -> Option<Action> {
        let at_rest = self.stopping
            && !self.stopped
            && self.instances.iter().flatten().all(|instance| {
                instance.state == State::Initialize && instance.objects.at_rest()
            });
        at_rest.then(|| {
            self.stopped = true;
            Action::Stopped
        })
    }

    // Access

    pub(super) fn get(&self, id: InstanceId) -> Option<&Instance> {
        self.instances.get(id.0 as usize)?.as_ref()
    }

    pub(super) fn get_mut(&mut self, id: InstanceId) -> Option<&mut Instance> {
        self.instances.get_mut(id.0 as usize)?.as_mut()
    }

    /// Runs something on an instance and brings the schedule up to date.
    pub(super) fn with<R>(
        &mut self,
        id: InstanceId,
        run: impl FnOnce(&mut Instance, &mut Context<'_>) -> R,
    ) -> Option<R> {
        let instance = self.instances.get_mut(id.0 as usize)?.as_mut()?;
        let mut context = Context { now: self.now, out: &mut self.out };
        let result = run(instance, &mut context);
        self.schedule.update(id.0, instance.timers.next());
        Some(result)
    }

    pub(super) fn ids(&self) -> impl Iterator<Item = InstanceId> + use<> {
        (0..u32::try_from(self.instances.len()).unwrap_or(u32::MAX)).map(InstanceId)
    }

    // Time

    fn wake(&mut self) {
        self.burst = self.burst.wrapping_add(1);
        if self.draining {
            return;
        }
        if let Some((due, _)) = self.schedule.first() {
            let late = self.now.since(due);
            if late > self.shortest {
                // The process stood still. What others sent meanwhile comes first.
                self.draining = true;
                self.out.drain = true;
                self.out.notice(Notice::LateWake { by: late });
                return;
            }
        }
        self.run_timers();
    }

    fn run_timers(&mut self) {
        while let Some((due, id)) = self.schedule.first()
            && due <= self.now
        {
            let id = InstanceId(id);
            let wish = self.with(id, |instance, context| {
                let (timer, due) = instance.timers.take_due(context.now)?;
                instance.expire(timer, due, context)
            });
            if let Some(wish) = wish.flatten() {
                self.grant(id, wish);
            }
        }
        if self.start_at.is_some_and(|at| at <= self.now) {
            self.start_at = None;
            self.evaluate_all();
        }
    }

    fn start(&mut self) {
        if std::mem::replace(&mut self.started, true) {
            return;
        }
        if !self.configured.startup_delay.is_zero() {
            self.start_at = Some(self.now + self.configured.startup_delay);
        }
        self.evaluate_all();
        for id in self.ids() {
            // What a former process left behind and nobody wants now goes.
            self.with(id, |instance, context| instance.queue_kernel(context));
        }
    }

    // Packets

    fn received(&mut self, received: &Received<'_>) {
        let Ok(vrid) = peek_vrid(received) else {
            self.too_short = self.too_short.wrapping_add(1);
            return;
        };
        let family = Family::of(received.source);
        let key = (received.interface, family, vrid);
        let Ok(found) = self.lookup.binary_search_by_key(&key, |entry| entry.0) else {
            self.stranger(key, received.source);
            return;
        };
        let Some(&(_, id)) = self.lookup.get(found) else { return };
        let tie_decided = self.tie_is_decided_elsewhere(id, family);
        let burst = self.burst;
        let wish = self.with(id, |instance, context| {
            instance.router_of(family).burst = Some(burst);
            let advert = accept(instance, family, received, context)?;
            instance.advert(family, &advert, tie_decided, context)
        });
        if let Some(wish) = wish.flatten() {
            self.grant(id, wish);
        }
    }

    /// `vrrp:V-22`
    fn stranger(&mut self, key: Key, from: IpAddr) {
        if self.strangers.len() < STRANGERS && !self.strangers.contains(&key) {
            self.strangers.push(key);
            self.out.notice(Notice::UnknownVrid { interface: key.0, from, vrid: key.2 });
        }
    }

    /// Whether the reader of the sockets should stop and let timers run, because this packet's
    /// VRID had one already since the last [`Event::Wake`] (`vrrp:V-24`). To be asked before the
    /// packet is handed over.
    pub fn burst_is_over(&self, received: &Received<'_>) -> bool {
        let Ok(vrid) = peek_vrid(received) else { return false };
        let family = Family::of(received.source);
        let key = (received.interface, family, vrid);
        let Ok(found) = self.lookup.binary_search_by_key(&key, |entry| entry.0) else {
            return false;
        };
        !self.draining
            && self
                .lookup
                .get(found)
                .and_then(|&(_, id)| self.get(id)?.router(family)?.burst)
                .is_some_and(|burst| burst == self.burst)
    }

    fn announced(&mut self, interface: InterfaceId, address: IpAddr, _mac: Mac) {
        for id in self.ids() {
            let handing_over =
                self.get(id).is_some_and(|i| i.hand_over.is_some() && i.interface == interface);
            if handing_over
                && let Some(Some(wish)) = self.with(id, |instance, _| instance.announced(address))
            {
                self.grant(id, wish);
            }
        }
    }

    // Surroundings

    fn interface_changed(&mut self, interface: InterfaceId, state: InterfaceState) {
        let Some((_, known)) = self.interfaces.get_mut(interface.0 as usize) else { return };
        if *known == state {
            return;
        }
        let was = std::mem::replace(known, state);
        let tracker = interface_as_tracker(was) != interface_as_tracker(state);
        for id in self.ids() {
            let Some(instance) = self.get(id) else { continue };
            let own = instance.interface == interface;
            let tracks = tracker
                && instance.tracked.iter().any(|t| t.source == Source::Interface(interface));
            if own && was.present && !state.present {
                self.with(id, |instance, context| {
                    instance.objects.interface_gone();
                    instance.queue_kernel(context);
                });
            }
            if own || tracks {
                self.assess(id);
            }
        }
        self.evaluate_all();
    }

    fn tracker_changed(&mut self, name: &str, state: TrackerState) {
        let Some(index) = self.trackers.iter().position(|(known, _)| **known == *name) else {
            return;
        };
        if let Some((_, known)) = self.trackers.get_mut(index) {
            *known = state;
        }
        let source = Source::Named(u32::try_from(index).unwrap_or(u32::MAX));
        for id in self.ids() {
            if self.get(id).is_some_and(|i| i.tracked.iter().any(|t| t.source == source)) {
                self.assess(id);
            }
        }
        self.evaluate_all();
    }

    /// Recomputes what an instance's surroundings mean for it, without changing its state.
    pub(super) fn assess(&mut self, id: InstanceId) {
        let Some(instance) = self.get(id) else { return };
        let own = self
            .interfaces
            .get(instance.interface.0 as usize)
            .map(|(_, state)| *state)
            .unwrap_or_default();
        let before = instance.effective_priority();
        if let Some(instance) = self.get_mut(id) {
            instance.interface_source = (own.ipv4.map(IpAddr::V4), own.ipv6.map(IpAddr::V6));
            instance.can_send = own.present && (own.up || instance.settings.dont_track_primary);
        }
        let Some(instance) = self.get(id) else { return };
        let found = verdict(instance, own, |source| match source {
            Source::Interface(interface) => self
                .interfaces
                .get(interface.0 as usize)
                .map_or(TrackerState::Down, |(_, state)| interface_as_tracker(*state)),
            Source::Named(index) => self
                .trackers
                .get(index as usize)
                .map_or(TrackerState::Unknown, |(_, state)| *state),
        });
        let Some(instance) = self.get_mut(id) else { return };
        instance.weight = found.weight;
        instance.waiting = found.wait;
        let reason = std::mem::replace(&mut instance.fault, found.fault);
        let (state, now) = (instance.state, instance.effective_priority());
        if state == State::Fault
            && reason != found.fault
            && let Some(reason) = found.fault
        {
            self.out.notice(Notice::FaultChanged { instance: id, reason });
        }
        if before != now {
            self.out.notice(Notice::PriorityChanged { instance: id, from: before, to: now });
        }
    }

    // Kernel objects

    fn object_seen(&mut self, object: ObjectId, present: bool) {
        let started = self.started;
        let wish = self.with(object.instance, |instance, context| {
            let change = instance.objects.observe(object.slot, present);
            if !started {
                return None;
            }
            instance.queue_kernel(context);
            if change != Change::Stolen || instance.hand_over.is_some() {
                return None;
            }
            match instance.settings.on_foreign_removal {
                OnForeignRemoval::Backup => {
                    context.out.notice(Notice::ForeignRemoval { object, restore_in: None });
                    Some(Wish::Backup { cause: Cause::ForeignRemoval { object }, stop: true })
                }
                OnForeignRemoval::Restore => {
                    let wait = instance.objects.restore(object.slot, context.now);
                    if !wait.is_zero() {
                        instance.timers.set_no_later(Timer::Retry, context.now + wait);
                    }
                    let restore_in = Some(wait);
                    context.out.notice(Notice::ForeignRemoval { object, restore_in });
                    None
                }
            }
        });
        if let Some(wish) = wish.flatten() {
            self.grant(object.instance, wish);
        }
    }

    fn acknowledged(
        &mut self,
        object: ObjectId,
        present: bool,
        result: Result<(), super::KernelError>,
    ) {
        self.with(object.instance, |instance, context| {
            let now = context.now;
            match instance.objects.acknowledge(object.slot, present, result.is_ok(), now) {
                Change::Installed => {
                    let rounds = instance.settings.announce.repeat;
                    instance.announce_one(object.slot, rounds, context);
                }
                Change::Refused(retry_in) => {
                    instance.timers.set_no_later(Timer::Retry, now + retry_in);
                    if let Err(error) = result {
                        context.out.notice(Notice::KernelRefused { object, present, error, retry_in });
                    }
                }
                Change::None | Change::Removed | Change::Stolen => {}
            }
            instance.queue_kernel(context);
        });
    }

    // Commands

    fn command(&mut self, command: Command) {
        match command {
            Command::Switchover { instance, hold_for, force } => {
                self.switchover(instance, hold_for, force);
            }
            Command::Release { instance } => self.release(instance),
            Command::Announce { instance } => {
                self.with(instance, |instance, context| {
                    instance.announce(instance.settings.announce.repeat.max(1), context);
                });
            }
        }
    }

    // Queries

    /// The instances.
    pub fn instances(&self) -> impl Iterator<Item = InstanceId> + '_ {
        self.instances.iter().flatten().filter(|i| !i.retiring).map(|i| i.id)
    }

    /// The instance of that name.
    pub fn instance(&self, name: &str) -> Option<InstanceId> {
        let named = |i: &&Instance| !i.retiring && *i.settings.name == *name;
        self.instances.iter().flatten().find(named).map(|i| i.id)
    }

    /// The interfaces that instances use or track; new ones may appear after a reload.
    pub fn interfaces(&self) -> impl Iterator<Item = (InterfaceId, &str)> + '_ {
        (0..).map(InterfaceId).zip(self.interfaces.iter().map(|(name, _)| &**name))
    }

    /// The interface of that name.
    pub fn interface(&self, name: &str) -> Option<InterfaceId> {
        self.interfaces().find(|&(_, known)| known == name).map(|(id, _)| id)
    }

    /// The settings of an instance.
    pub fn settings(&self, instance: InstanceId) -> Option<&InstanceSettings> {
        self.get(instance).map(|i| &i.settings)
    }

    /// What an object is; `None` when it no longer exists.
    pub fn object(&self, object: ObjectId) -> Option<&Object> {
        self.get(object.instance)?.objects.get(object.slot).map(|slot| &slot.object)
    }

    /// Whether the kernel has an object, as far as is known.
    pub fn object_present(&self, object: ObjectId) -> bool {
        let slot = |i: &Instance| i.objects.get(object.slot).is_some_and(|slot| slot.present());
        self.get(object.instance).is_some_and(slot)
    }

    /// The objects of an instance, in the order of installation.
    pub fn objects(&self, instance: InstanceId) -> impl Iterator<Item = (ObjectId, &Object)> + '_ {
        self.get(instance).into_iter().flat_map(move |i| {
            i.objects.iter().map(move |(slot, s)| (ObjectId { instance, slot }, &s.object))
        })
    }

    /// The state of an instance.
    pub fn state(&self, instance: InstanceId) -> Option<State> {
        self.get(instance).map(|i| i.state)
    }

    /// Since when the instance is in its state, and why.
    pub fn since(&self, instance: InstanceId) -> Option<(Instant, Cause)> {
        self.get(instance).map(|i| (i.since, i.cause))
    }

    /// Why an instance cannot take part.
    pub fn fault(&self, instance: InstanceId) -> Option<FaultReason> {
        self.get(instance)?.fault
    }

    /// Whether the instance is in a planned hand-over: state Master, priority 0 sent or about to
    /// be, addresses kept until the successor has announced them.
    pub fn handing_over(&self, instance: InstanceId) -> bool {
        self.get(instance).is_some_and(|i| i.hand_over.is_some())
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
        (instance.state == State::Backup).then(|| instance.router(router.family)?.master)?
    }

    /// What a virtual router counted.
    pub fn statistics(&self, router: RouterId) -> Option<&Statistics> {
        Some(&self.get(router.instance)?.router(router.family)?.statistics)
    }

    /// Packets that were too short to name a virtual router (`vrrp:V-21`).
    pub const fn too_short(&self) -> u32 {
        self.too_short
    }

    /// When a timer of an instance is due.
    pub fn timer(&self, instance: InstanceId, timer: Timer) -> Option<Instant> {
        self.get(instance)?.timers.get(timer)
    }

    /// When an instance last sent an advert as master: what has to be stored where it survives
    /// the process before the packet leaves (DESIGN 3).
    pub fn last_advert(&self, instance: InstanceId) -> Option<Instant> {
        let instance = self.get(instance)?;
        instance.families().filter_map(|f| instance.router(f)?.last_sent).max()
    }
}

/// Validates a packet for a router, counts it and gives the remarks (`vrrp:V-23` to `V-41`).
fn accept(
    instance: &mut Instance,
    family: Family,
    received: &Received<'_>,
    context: &mut Context<'_>,
) -> Option<Advert> {
    let id = instance.router_id(family);
    let from = received.source;
    let state = instance.state;
    let owner = instance.effective_priority().is_owner();
    let router = instance.router(family)?;
    let settings = &instance.settings;
    let result = match state {
        State::Initialize | State::Fault => Err(Reject::NotRunning),
        State::Backup | State::Master => validate(
            &Expectation {
                version: settings.version,
                family,
                unicast: !settings.unicast_peers.is_empty(),
                authentication: settings.authentication,
                interval: settings.interval,
                checksum: settings.checksum,
                old_checksum: router.old_checksum,
                owner,
                owner_ignore_adverts: settings.owner_ignore_adverts,
                addresses: &router.addresses,
                compare_addresses: !settings.skip_check_adv_addr
                    || state == State::Master
                    || router.master.map(|m| m.address) != Some(from),
                unicast_peers: &settings.unicast_peers,
                check_unicast_source: settings.check_unicast_source,
            },
            received,
        ),
    };
    let own_interval = settings.interval;
    let router = instance.router_of(family);
    let advert = match result {
        Ok(advert) => advert,
        Err(reason) => {
            router.statistics.rejected.count(reason);
            let notice = Notice::Rejected { router: id, from, reason };
            if reason != Reject::NotRunning && router.note(Remark::Rejected(reason)) {
                context.out.notice(notice);
            }
            return None;
        }
    };
    let statistics = &mut router.statistics;
    statistics.adverts_received = statistics.adverts_received.wrapping_add(1);
    if advert.priority.is_stop() {
        statistics.priority_zero_received = statistics.priority_zero_received.wrapping_add(1);
    }
    if advert.old_checksum && !std::mem::replace(&mut router.old_checksum, true) {
        context.out.notice(Notice::OldChecksum { router: id, from });
    }
    if advert.interval != own_interval {
        let statistics = &mut router.statistics;
        statistics.interval_differs = statistics.interval_differs.wrapping_add(1);
        if router.note(Remark::Interval) {
            let theirs = advert.interval;
            context.out.notice(Notice::IntervalDiffers { router: id, from, theirs });
        }
    }
    match advert.addresses {
        AddressCheck::Match | AddressCheck::NotCompared => {}
        AddressCheck::CountDiffers | AddressCheck::Missing => {
            let statistics = &mut router.statistics;
            statistics.address_list_errors = statistics.address_list_errors.wrapping_add(1);
            if router.note(Remark::Addresses) {
                context.out.notice(Notice::AddressesDiffer { router: id, from });
            }
        }
    }
    Some(advert)
}
