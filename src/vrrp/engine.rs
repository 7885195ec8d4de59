//! All instances of one process, behind three methods: events in, deadlines and actions out.

use std::net::IpAddr;
use std::time::Duration;

use super::action_queue::ActionQueue;
use super::announcements::Pacers;
use super::command::Commands;
use super::deadline_heap::Schedule;
use super::event::{InterfaceState, TrackerState};
use super::instance::{Context, Instance};
use super::reload::{Reloaded, Wanted};
use super::settings::Settings;
use super::statistics::count;
use super::timers::{Timer, TimerTable};
use super::{
    Action, Event, InstanceId, InterfaceId, KernelRequest, Notice, ObjectId, Report, State, Urgent,
};
use crate::units::{Family, Instant};

/// Where packets of a virtual router arrive.
pub(super) type Key = (InterfaceId, Family, u8);

/// The longest that reading the sockets may keep timers waiting: a flood must not silence us.
const DRAIN_LIMIT: Duration = Duration::from_millis(100);
/// The shortest time between two notices of late wake-ups.
const LATE_TOLD: Duration = Duration::from_secs(1);

/// The sockets are being read empty: what others sent counts before timers do.
#[derive(Clone, Copy, Debug)]
pub(super) struct Drain {
    /// Until this moment at the latest.
    until: Instant,
    /// The process woke up late, and all timers wait. Otherwise DownTimers do, and adverts leave in
    /// time.
    late: bool,
}

/// All instances of one process.
///
/// Drive it like this: hand it an event with [`Engine::handle`], take actions with
/// [`Engine::poll_action`] until there are none (or until something more urgent happens), wait
/// until [`Engine::next_deadline`], and hand it [`Event::Wake`].
#[derive(Debug)]
pub struct Engine {
    pub(super) now: Instant,
    pub(super) startup_delay: Duration,
    /// The names of the groups.
    pub(super) group_names: Vec<Box<str>>,
    pub(super) instances: Vec<Option<Instance>>,
    /// Those of the configuration, in its order.
    pub(super) order: Vec<InstanceId>,
    pub(super) reloaded: Reloaded,
    pub(super) groups: Vec<Vec<InstanceId>>,
    /// `None`: a reload brought it, and it was not reported yet.
    pub(super) interfaces: Vec<(Box<str>, Option<InterfaceState>)>,
    pub(super) trackers: Vec<(Box<str>, TrackerState)>,
    /// Sorted, for the search on each packet.
    pub(super) lookup: Vec<(Key, InstanceId)>,
    /// Instances that end while another has their place in the look-up already.
    pub(super) replaced: Vec<(Key, InstanceId)>,
    /// Instances to forget as soon as all that they had to tell was told.
    pub(super) ended: Vec<InstanceId>,
    pub(super) schedule: Schedule,
    pub(super) out: ActionQueue,
    pub(super) pacers: Pacers,
    /// The shortest interval of all instances: what counts as being late.
    pub(super) shortest: Duration,
    pub(super) started: bool,
    /// The end of the startup delay.
    pub(super) start_at: Option<Instant>,
    pub(super) stopping: bool,
    stopped: bool,
    /// When a late wake-up was last told of.
    late_told: Option<Instant>,
    pub(super) drain: Option<Drain>,
    /// Instances with timers that run while others wait for the sockets. Empty in between.
    pub(super) in_time: Vec<InstanceId>,
    pub(super) burst: u32,
    /// VRIDs of others that were reported already.
    pub(super) strangers: Vec<(Key, IpAddr)>,
    pub(super) too_short: u32,
    pub(super) commands: Commands,
}

impl Engine {
    /// An engine in which every instance is in Initialize and every interface is missing.
    pub fn new(settings: &Settings) -> Self {
        let mut engine = Self {
            now: Instant::ORIGIN,
            startup_delay: Duration::ZERO,
            group_names: Vec::new(),
            instances: Vec::new(),
            order: Vec::new(),
            reloaded: Reloaded::default(),
            groups: Vec::new(),
            interfaces: Vec::new(),
            trackers: Vec::new(),
            lookup: Vec::new(),
            replaced: Vec::new(),
            ended: Vec::new(),
            schedule: Schedule::default(),
            out: ActionQueue::default(),
            pacers: Pacers::default(),
            shortest: Duration::MAX,
            started: false,
            start_at: None,
            stopping: false,
            stopped: false,
            late_told: None,
            drain: None,
            in_time: Vec::new(),
            burst: 0,
            strangers: Vec::new(),
            too_short: 0,
            commands: Commands::default(),
        };
        let wanted: Vec<_> = settings.instances.iter().map(Wanted::Like).collect();
        engine.configure(&wanted, &settings.groups, settings.startup_delay);
        engine.reloaded.members = true;
        engine
    }

    /// Takes one event. Afterwards the driver polls [`Engine::poll_action`].
    pub fn handle(&mut self, event: Event<'_>, now: Instant) {
        self.now = self.now.max(now);
        match event {
            Event::Wake => self.wake(),
            Event::Start => self.start(),
            Event::Received(received) => self.received(&received),
            Event::SocketsDrained => self.drained(),
            Event::Interface { interface, state } => self.interface_changed(interface, state),
            Event::Tracker { name, state } => self.tracker_changed(name, state),
            Event::Object { object, present } => self.object_seen(object, present),
            Event::Found { object } => {
                self.object_seen(object, true);
                self.with(object.instance, |instance, _| instance.objects.found(object.slot));
            }
            Event::WentAlong { object } => {
                self.with(object.instance, |instance, context| {
                    instance.objects.went_along(object.slot);
                    instance.queue_kernel(context);
                });
            }
            Event::Duplicate { object } => self.object_duplicated(object),
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
            Event::Reload(change) => self.reload(change),
            Event::Refused { router, error } => self.refused(router, error),
            Event::Command(id, command) => self.command(id, command),
            Event::Shutdown => self.shutdown(),
            Event::StopNow => self.stop_now(),
            Event::GoOn => self.go_on(),
        }
    }

    /// When [`Event::Wake`] is due; `None`: not before another event.
    pub fn next_deadline(&self) -> Option<Instant> {
        let timers = match self.drain {
            Some(Drain { until, late: true }) => return Some(until),
            Some(Drain { until, late: false }) => {
                let mut next = until;
                let others = self.schedule.due(self.now, &mut |id| {
                    let timers = self.get(InstanceId(id)).map(|instance| &instance.timers);
                    next = timers.and_then(TimerTable::next_but_down).map_or(next, |t| next.min(t));
                });
                Some(others.map_or(next, |others| next.min(others)))
            }
            None => self.schedule.first().map(|(at, _)| at),
        };
        [timers, self.start_at, self.pacers.next()].into_iter().flatten().min()
    }

    /// The next thing to do, most urgent first: adverts, then the kernel, then announcements,
    /// then notices. The driver may stop in between and handle other events: what is still to be
    /// done stays, and what became needless in the meantime vanishes.
    pub fn poll_action(&mut self) -> Option<Action> {
        if let Some(urgent) = self.poll_urgent() {
            return Some(Action::Urgent(urgent));
        }
        if let Some(request) = self.poll_kernel() {
            return Some(Action::Kernel(request));
        }
        if let Some(announcement) = self.poll_announcement() {
            return Some(Action::Announcement(announcement));
        }
        self.poll_report().map(Action::Report)
    }

    /// The first lane of [`Engine::poll_action`] alone: packets to read, adverts to send. For a
    /// driver that works off a lane slowly, to look in between whether there is something more
    /// urgent, and to announce each address as soon as it is there.
    pub fn poll_urgent(&mut self) -> Option<Urgent> {
        // Whoever stood still hears others before it says anything.
        let late = self.drain.is_some_and(|drain| drain.late);
        if late && std::mem::take(&mut self.out.drain) {
            return Some(Urgent::DrainSockets);
        }
        let advert = self.poll_advert();
        advert.or_else(|| std::mem::take(&mut self.out.drain).then_some(Urgent::DrainSockets))
    }

    /// The sockets that [`Urgent::DrainSockets`] is about: hands over those of routers whose
    /// DownTimer ran out, some of them perhaps more than once. `false`: it is about all.
    pub fn sockets_to_drain(&self, mut take: impl FnMut(InterfaceId, Family)) -> bool {
        if self.drain.is_none_or(|drain| drain.late) {
            return false;
        }
        self.schedule.due(self.now, &mut |id| {
            let Some(instance) = self.get(InstanceId(id)) else { return };
            for family in instance.families() {
                let due = instance.timers.get(Timer::Down(family));
                if due.is_some_and(|due| due <= self.now) {
                    take(instance.interface, family);
                }
            }
        });
        true
    }

    /// The last lane of [`Engine::poll_action`] alone: notices, answers to commands, and the end.
    pub fn poll_report(&mut self) -> Option<Report> {
        if let Some(notice) = self.out.take_notice() {
            return Some(Report::Notice(notice));
        }
        if let Some(answer) = self.poll_answer() {
            return Some(answer);
        }
        // Not before its last notice: that is about an instance with a name.
        while let Some(id) = self.ended.pop() {
            self.bury(id);
        }
        self.poll_stopped()
    }

    fn poll_advert(&mut self) -> Option<Urgent> {
        let now = self.now;
        while let Some(id) = self.out.adverts.pop_front() {
            let Some(instance) = self.get_mut(id.instance) else { continue };
            let may_claim = instance.may_claim();
            let may_leave = instance.source(id.family).is_some();
            let router = instance.router_of(id.family);
            let Some(pending) = router.pending.take() else { continue };
            if !may_leave || !pending.priority.is_stop() && !may_claim {
                continue;
            }
            count(&mut router.statistics.adverts_sent);
            if pending.priority.is_stop() {
                count(&mut router.statistics.priority_zero_sent);
            } else if let Some(refused) = router.departures.asked(now) {
                instance.unheard = None;
                if refused >= instance.settings.down_timer_adverts {
                    self.with(id.instance, Instance::reannounce);
                }
            }
            return Some(Urgent::SendAdvert {
                router: id,
                priority: pending.priority,
                interval: pending.interval,
            });
        }
        None
    }

    /// The second lane of [`Engine::poll_action`] alone: requests to the kernel.
    ///
    /// All removals come before the first installation: an address that moves from one instance
    /// to another would otherwise be removed after it was installed.
    pub fn poll_kernel(&mut self) -> Option<KernelRequest> {
        while let Some(id) = self.out.removals.pop_front() {
            let Some(instance) = self.get_mut(id) else { continue };
            let action = if instance.wants_mute() && !instance.muted {
                instance.muted = true;
                Some(KernelRequest::Mute(id))
            } else {
                self.next_removal(id)
            };
            if action.is_some() {
                // One request at a time in turn, so that no instance waits for all addresses of
                // another.
                self.out.removals.push_back(id);
                return action;
            }
            if let Some(instance) = self.get_mut(id) {
                instance.removals_queued = false;
            }
        }
        while let Some(id) = self.out.kernel.pop_front() {
            let Some(instance) = self.get_mut(id) else { continue };
            let action = if let Some(slot) = instance.objects.next_installation() {
                Some(KernelRequest::Install(ObjectId { instance: id, slot }))
            } else if instance.muted && !instance.wants_mute() {
                instance.muted = false;
                Some(KernelRequest::Unmute(id))
            } else {
                None
            };
            if action.is_some() {
                self.out.kernel.push_back(id);
                return action;
            }
            instance.kernel_queued = false;
            if instance.retiring {
                self.ended.push(id);
            }
        }
        None
    }

    fn poll_stopped(&mut self) -> Option<Report> {
        let at_rest =
            self.stopping
                && !self.stopped
                && self.instances.iter().flatten().all(|instance| {
                    instance.state == State::Initialize && instance.objects.at_rest()
                });
        at_rest.then(|| {
            self.stopped = true;
            Report::Stopped
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
        match self.drain {
            Some(drain) if drain.until <= self.now => return self.drained(),
            Some(Drain { late: true, .. }) => return,
            Some(Drain { late: false, .. }) => {
                // The reading was broken off for these.
                self.run_in_time();
                self.out.drain = true;
                return;
            }
            None => {}
        }
        if let Some((due, _)) = self.schedule.first() {
            let late = self.now.since(due);
            if late > self.patience() {
                // The process stood still. What others sent meanwhile comes first.
                self.start_drain(true);
                if self.late_told.is_none_or(|told| self.now.since(told) >= LATE_TOLD) {
                    self.late_told = Some(self.now);
                    self.out.notice(Notice::LateWake { by: late });
                }
                return;
            }
        }
        self.run_timers(false);
    }

    /// How late a wake-up may be, and how long the sockets may be read.
    fn patience(&self) -> Duration {
        // Whoever learned the interval of a hand-over waits no longer than that says.
        let first = self.schedule.first().and_then(|(_, id)| self.get(InstanceId(id)));
        let short = first.and_then(Instance::hand_over_interval);
        short.map_or(self.shortest, |short| self.shortest.min(short.duration()))
    }

    fn start_drain(&mut self, late: bool) {
        let until = self.now + self.patience().min(DRAIN_LIMIT);
        self.drain = Some(Drain { until, late });
        self.out.drain = true;
    }

    /// The sockets are empty, or a flood keeps them from ever being so.
    fn drained(&mut self) {
        if let Some(drain) = self.drain.take() {
            self.out.drain = false;
            if drain.late {
                self.announce_after_sleep();
            }
            self.run_timers(true);
        }
    }

    /// Runs what is due. `heard`: the sockets were read empty just now. Before that no master counts
    /// as gone: however little late we are, its advert may be there already.
    fn run_timers(&mut self, heard: bool) {
        while let Some((due, id)) = self.schedule.first()
            && due <= self.now
        {
            let timers = self.get(InstanceId(id)).map(|instance| &instance.timers);
            let first = timers.and_then(|timers| timers.first_due(self.now));
            if !heard && first.is_some_and(|(timer, _)| timer.is_down()) {
                self.start_drain(false);
                return self.run_in_time();
            }
            self.expire(InstanceId(id), first);
        }
        self.run_start();
    }

    /// Runs what is due and does not wait for the sockets.
    fn run_in_time(&mut self) {
        let mut due = std::mem::take(&mut self.in_time);
        self.schedule.due(self.now, &mut |id| due.push(InstanceId(id)));
        for id in due.drain(..) {
            while let Some(first) = self.get(id).and_then(|i| i.timers.first_due_but_down(self.now))
            {
                self.expire(id, Some(first));
            }
        }
        self.in_time = due;
        self.run_start();
    }

    fn expire(&mut self, id: InstanceId, first: Option<(Timer, Instant)>) {
        let wish = self.with(id, |instance, context| {
            let (timer, due) = first?;
            instance.timers.stop(timer);
            instance.expire(timer, due, context)
        });
        if let Some(wish) = wish.flatten() {
            self.grant(id, wish);
        }
    }

    fn run_start(&mut self) {
        if self.start_at.is_some_and(|at| at <= self.now) {
            self.start_at = None;
            self.evaluate_all();
        }
    }

    /// While a master slept for longer than others wait for it, they may have announced its
    /// addresses, in packets that are lost by now.
    fn announce_after_sleep(&mut self) {
        for id in self.ids() {
            self.with(id, |instance, context| {
                let limit = instance.settings.interval.duration()
                    * u32::from(instance.settings.down_timer_adverts);
                let last = instance.last_sent();
                if last.is_some_and(|last| context.now.since(last) > limit) {
                    instance.announce(instance.settings.announce.repeat, context);
                }
            });
        }
    }

    fn start(&mut self) {
        if std::mem::replace(&mut self.started, true) {
            return;
        }
        for (_, state) in &mut self.interfaces {
            state.get_or_insert_default();
        }
        for id in self.ids() {
            self.assess(id);
        }
        if !self.startup_delay.is_zero() {
            self.start_at = Some(self.now + self.startup_delay);
        }
        self.evaluate_all();
        for id in self.ids() {
            // What a former process left behind and nobody wants now goes.
            self.with(id, |instance, context| instance.queue_kernel(context));
        }
    }
}
