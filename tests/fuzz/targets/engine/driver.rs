//! Drives an engine as the process does, and looks at it after each event.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;
use steadfast::control::event::text;
use steadfast::vrrp::{Announcement, KernelRequest, Report, Urgent};

use steadfast::netlink::cache::Cache;
use steadfast::units::Instant;
use steadfast::vrrp::change::Change;
use steadfast::vrrp::settings::Settings;
use steadfast::vrrp::timers::Timer;
use steadfast::vrrp::{
    Action, Engine, Event, InstanceId, InterfaceId, InterfaceState, KernelError, Notice, ObjectId,
    RouterId, State,
};
use steadfast::vrrp_process::events::Translator;

use super::super::input::Input;
use super::settings::{INTERFACES, address};

/// More actions than any event can ask for in this small world.
const ACTIONS: usize = 5_000;
/// Wake-ups until everything has stopped: more than a hand-over and its retries can take.
const LAST_WAKES: usize = 5_000;
/// No space left on device, for want of a better reason.
const REFUSED: KernelError = KernelError(28);

/// How the surroundings behave, as bits of the first octet.
mod manners {
    /// The kernel answers only when it is told to.
    pub const SLOW_KERNEL: u8 = 1;
    /// The sockets are never reported empty.
    pub const NEVER_DRAINED: u8 = 2;
    /// The engine starts only when it is told to.
    pub const LATE_START: u8 = 4;
    /// One interface is missing at first.
    pub const MISSING: u8 = 8;
    /// The clock begins far from its origin.
    pub const LATE_CLOCK: u8 = 16;
}

/// What was counted beside the engine.
#[derive(Clone, Copy, Debug, Default)]
struct Sent {
    adverts: u32,
    stops: u32,
}

pub struct Driver {
    pub engine: Engine,
    settings: Settings,
    pub refusals: u8,
    /// No advert can be sent.
    pub mute: bool,
    now: Instant,
    manners: u8,
    started: bool,
    stopping: bool,
    stopped: bool,
    reloaded: bool,
    /// Requests to the kernel without an answer.
    waiting: VecDeque<(ObjectId, bool)>,
    /// What the kernel did last for an object.
    held: BTreeMap<ObjectId, bool>,
    /// What others had a hand in.
    foreign: BTreeSet<ObjectId>,
    sent: BTreeMap<RouterId, Sent>,
    links: Cache,
}

impl Driver {
    pub fn new(settings: &Settings, manners: u8) -> Self {
        let late = manners & manners::LATE_CLOCK != 0;
        let mut driver = Self {
            engine: Engine::new(settings),
            settings: settings.clone(),
            refusals: 0,
            mute: false,
            now: Instant::from_nanos(if late { 1 << 60 } else { 1_000_000_000 }),
            manners,
            started: false,
            stopping: false,
            stopped: false,
            reloaded: false,
            waiting: VecDeque::new(),
            held: BTreeMap::new(),
            foreign: BTreeSet::new(),
            sent: BTreeMap::new(),
            links: Cache::new(),
        };
        driver.report_interfaces(manners & manners::MISSING != 0);
        if manners & manners::LATE_START == 0 {
            driver.start();
        }
        driver
    }

    fn is(&self, manner: u8) -> bool {
        self.manners & manner != 0
    }

    fn report_interfaces(&mut self, missing: bool) {
        let all: Vec<InterfaceId> = self.engine.interfaces().map(|(id, _)| id).collect();
        for (number, interface) in all.into_iter().enumerate() {
            let state = InterfaceState {
                present: true,
                up: true,
                port: false,
                mac: None,
                ipv4: match address(3) {
                    std::net::IpAddr::V4(own) => Some(own),
                    std::net::IpAddr::V6(_) => None,
                },
                ipv6: match address(0x83) {
                    std::net::IpAddr::V4(_) => None,
                    std::net::IpAddr::V6(own) => Some(own),
                },
            };
            let state = if missing && number == 0 { InterfaceState::default() } else { state };
            self.report(interface, state);
        }
    }

    pub fn report(&mut self, interface: InterfaceId, state: InterfaceState) {
        if !state.present {
            // What was on it is gone with it.
            self.held.clear();
        }
        self.feed(Event::Interface { interface, state });
    }

    // Choices

    pub fn interface(&self, input: &mut Input<'_>) -> InterfaceId {
        let number = input.u8();
        let name = INTERFACES[usize::from(number) % 2];
        let known = self.engine.interface(name).or_else(|| self.engine.interface("wan"));
        known.unwrap_or(InterfaceId::new(number.into()))
    }

    pub fn instance(&self, input: &mut Input<'_>) -> Option<InstanceId> {
        let number = input.below(3);
        self.engine.instances().nth(number)
    }

    // Events

    pub fn feed(&mut self, event: Event<'_>) {
        let wake = matches!(event, Event::Wake);
        self.engine.handle(event, self.now);
        self.take_actions();
        if wake {
            let due = self.engine.next_deadline();
            assert!(
                due.is_none_or(|due| due > self.now),
                "it wants to be woken at {due:?}, and it is {:?}: the process would spin",
                self.now
            );
        }
        self.audit();
    }

    pub fn start(&mut self) {
        if !std::mem::replace(&mut self.started, true) {
            self.feed(Event::Start);
        }
    }

    pub fn shutdown(&mut self) {
        self.start();
        self.stopping = true;
        self.feed(Event::Shutdown);
    }

    pub fn pass(&mut self, time: Duration) {
        self.now = self.now + time;
        if self.engine.next_deadline().is_some_and(|due| due <= self.now) {
            self.feed(Event::Wake);
        }
    }

    pub fn run_to_deadline(&mut self) {
        if let Some(due) = self.engine.next_deadline() {
            self.now = self.now.max(due);
            self.feed(Event::Wake);
        }
    }

    /// A reload, told whole or as a change.
    pub fn reload(&mut self, settings: &Settings, by_change: bool) {
        if self.stopping {
            return;
        }
        self.reloaded = true;
        // Another instance may have the place of one that has ended.
        self.sent.clear();
        let before = std::mem::replace(&mut self.settings, settings.clone());
        let before = if by_change { before } else { Settings::default() };
        self.feed(Event::Reload(&Change::between(&before, settings)));
        self.report_interfaces(false);
    }

    /// Somebody else adds or removes what is ours.
    pub fn somebody_else(&mut self, input: &mut Input<'_>) {
        let Some(instance) = self.instance(input) else { return };
        let objects: Vec<ObjectId> = self.engine.objects(instance).map(|(id, _)| id).collect();
        if objects.is_empty() {
            return;
        }
        let object = objects[input.below(objects.len())];
        match input.u8() % 5 {
            0 => self.feed(Event::Object { object, present: false }),
            1 => self.feed(Event::Object { object, present: true }),
            2 => self.feed(Event::WentAlong { object }),
            3 => self.feed(Event::Duplicate { object }),
            _ => self.feed(Event::Found { object }),
        }
        // What is there from now on need not be ours to remove.
        self.foreign.insert(object);
    }

    /// A send fails that nobody asked for.
    pub fn refuse_out_of_turn(&mut self, input: &mut Input<'_>) {
        let routers = self.routers();
        if !routers.is_empty() {
            let router = routers[input.below(routers.len())];
            self.feed(Event::Refused { router, error: REFUSED });
        }
    }

    /// The kernel answers the first of the requests that wait.
    pub fn answer(&mut self) {
        if let Some((object, present)) = self.waiting.pop_front() {
            self.acknowledge(object, present);
            self.take_actions();
            self.audit();
        }
    }

    fn acknowledge(&mut self, object: ObjectId, present: bool) {
        let refused = self.refusals > 0;
        self.refusals = self.refusals.saturating_sub(1);
        let result = if refused { Err(REFUSED) } else { Ok(()) };
        if refused {
            // An engine that stops does not try again.
            self.held.remove(&object);
        } else {
            self.held.insert(object, present);
        }
        self.engine.handle(Event::Acknowledged { object, present, result }, self.now);
    }

    // Actions

    fn take_actions(&mut self) {
        let mut adverts: BTreeMap<RouterId, u32> = BTreeMap::new();
        let quiet = self.engine.is_quiet(self.now);
        for _ in 0..ACTIONS {
            let Some(action) = self.engine.poll_action() else { return };
            assert!(!quiet, "it was quiet, and there is {action:?}");
            match action {
                Action::Urgent(Urgent::SendAdvert { router, priority, interval }) => {
                    let count = adverts.entry(router).or_default();
                    *count += 1;
                    assert!(*count <= 1, "{router:?} sends twice without an event between");
                    assert!(interval.0 > 0, "interval 0 (vrrp:V3-5)");
                    assert!(self.engine.source(router).is_some(), "sent without an address");
                    let state = self.engine.state(router.instance);
                    let settings = self.engine.settings(router.instance).expect("it exists");
                    if !priority.is_stop() {
                        let last_word = state == Some(State::Backup) && settings.last_word();
                        let may = state == Some(State::Master) || last_word;
                        assert!(may, "{router:?} claims to be master in {state:?}");
                    }
                    if priority.is_owner() {
                        assert!(settings.priority.is_owner(), "255 is for the owner");
                    }
                    let sent = self.sent.entry(router).or_default();
                    sent.adverts += 1;
                    sent.stops += u32::from(priority.is_stop());
                    if self.mute {
                        self.engine.handle(Event::Refused { router, error: REFUSED }, self.now);
                        adverts.clear();
                    }
                }
                Action::Urgent(Urgent::DrainSockets) => {
                    if !self.is(manners::NEVER_DRAINED) {
                        self.engine.handle(Event::SocketsDrained, self.now);
                        adverts.clear();
                    }
                }
                Action::Kernel(KernelRequest::Install(object)) => {
                    self.request(object, true, &mut adverts)
                }
                Action::Kernel(KernelRequest::Remove(object)) => {
                    self.request(object, false, &mut adverts)
                }
                Action::Announcement(Announcement::Announce(object)) => {
                    let what = self.engine.object(object).expect("it exists");
                    assert!(what.announced().is_some(), "{what:?} is no address");
                    let state = self.engine.state(object.instance);
                    assert_eq!(state, Some(State::Master), "only a master announces");
                }
                Action::Announcement(Announcement::Probe(probed)) => {
                    assert!(self.engine.probed_address(probed).is_some(), "{probed:?} is held");
                    let state = self.engine.state(probed.instance());
                    assert_eq!(state, Some(State::Master), "only a master probes");
                }
                Action::Kernel(KernelRequest::Mute(instance))
                | Action::Kernel(KernelRequest::Unmute(instance)) => {
                    assert!(self.engine.settings(instance).is_some(), "it exists");
                }
                Action::Report(Report::Notice(notice)) => self.notice(&notice),
                Action::Report(Report::Answer { .. }) => {}
                Action::Report(Report::Stopped) => {
                    assert!(self.stopping && !self.stopped, "stopped once, and when told to");
                    self.stopped = true;
                }
            }
        }
        panic!("there is no end to the actions");
    }

    fn request(&mut self, object: ObjectId, present: bool, adverts: &mut BTreeMap<RouterId, u32>) {
        assert!(self.engine.object(object).is_some(), "{object:?} does not exist");
        // What is wanted may change before the answer comes, but is not asked for twice.
        let last = self.waiting.iter().rev().find(|(waiting, _)| *waiting == object);
        assert!(last.is_none_or(|(_, asked)| *asked != present), "{object:?} is asked for twice");
        if self.is(manners::SLOW_KERNEL) {
            self.waiting.push_back((object, present));
        } else {
            self.acknowledge(object, present);
            adverts.clear();
        }
    }

    fn notice(&mut self, notice: &Notice) {
        let translator = Translator { engine: &self.engine, links: &self.links };
        let told = text::what(&translator.notice(notice, None).1);
        assert!(!told.is_empty(), "{notice:?} says nothing");
        assert!(!told.contains('\n'), "{notice:?} is one line");
        if let Notice::Transition { from, to, .. } = notice {
            assert_ne!(from, to, "no change is no news");
        }
    }

    // What has to hold

    fn routers(&self) -> Vec<RouterId> {
        self.engine.instances().flat_map(|id| self.engine.routers(id)).collect()
    }

    /// Packets that the engine has counted, for whatever reason.
    pub fn counted_packets(&self) -> u32 {
        let of = |router: &RouterId| {
            let statistics = self.engine.statistics(*router).expect("it exists");
            let rejected = statistics.rejected.iter().map(|(_, count)| count).sum::<u32>();
            statistics.adverts_received.wrapping_add(rejected)
        };
        self.routers().iter().map(of).fold(self.engine.too_short(), u32::wrapping_add)
    }

    /// All that an advert could change, in words.
    pub fn election(&self) -> String {
        let engine = &self.engine;
        let of_instance = |id| {
            let timers = Timer::ALL.map(|timer| engine.timer(id, timer));
            let role = (engine.state(id), engine.since(id), engine.handing_over(id));
            let priority = engine.effective_priority(id);
            let heard = |router| {
                let last = engine.statistics(router).and_then(|s| s.last_received);
                (engine.master(router), last)
            };
            let routers: Vec<_> = engine.routers(id).map(heard).collect();
            format!("{role:?} {priority:?} {timers:?} {routers:?}")
        };
        engine.instances().map(of_instance).collect()
    }

    fn audit(&self) {
        let engine = &self.engine;
        for id in engine.instances() {
            let settings = engine.settings(id).expect("it exists");
            let state = engine.state(id).expect("it exists");
            let priority = engine.effective_priority(id).expect("it exists");
            assert!(!priority.is_stop(), "priority 0 is never a router's own");
            assert!(!priority.is_owner() || settings.priority.is_owner(), "255 is the owner's");
            let (since, _) = engine.since(id).expect("it exists");
            assert!(since <= self.now, "in a state since a time to come");
            assert!(engine.last_advert(id).is_none_or(|at| at <= self.now));
            assert!(!engine.handing_over(id) || state == State::Master, "{state:?}");
            for router in engine.routers(id) {
                let statistics = engine.statistics(router).expect("it exists");
                let sent = self.sent.get(&router).copied().unwrap_or_default();
                assert!(statistics.adverts_sent >= sent.adverts, "adverts are counted");
                assert!(statistics.priority_zero_sent >= sent.stops, "priority 0 is counted");
                if !self.reloaded {
                    assert_eq!(statistics.adverts_sent, sent.adverts, "sent as counted");
                    assert_eq!(statistics.priority_zero_sent, sent.stops, "sent as counted");
                    let times = statistics.become_master - statistics.release_master;
                    assert_eq!(times, u32::from(state == State::Master), "{state:?}");
                }
                assert!(statistics.priority_zero_received <= statistics.adverts_received);
                assert!(statistics.last_received.is_none_or(|heard| heard.at <= self.now));
                if let Some(master) = engine.master(router) {
                    assert_eq!(state, State::Backup);
                    assert!(master.at <= self.now && master.interval.0 > 0);
                }
            }
        }
    }

    /// Stops everything: whatever happened before, that has an end.
    pub fn end(&mut self) {
        self.refusals = 0;
        self.shutdown();
        for _ in 0..LAST_WAKES {
            while let Some((object, present)) = self.waiting.pop_front() {
                self.acknowledge(object, present);
                self.take_actions();
            }
            if self.stopped {
                break;
            }
            assert!(self.engine.next_deadline().is_some(), "it waits for nothing to stop");
            self.run_to_deadline();
        }
        assert!(self.stopped, "it does not stop");
        for id in self.engine.instances() {
            assert_eq!(self.engine.state(id), Some(State::Initialize));
        }
        if !self.reloaded {
            let ours = |(id, present): &(&ObjectId, &bool)| **present && !self.foreign.contains(id);
            let left: Vec<_> = self.held.iter().filter(ours).collect();
            assert!(left.is_empty(), "left in the kernel: {left:?}");
        }
    }
}
