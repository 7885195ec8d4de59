//! Runs an engine: a clock that only the tests move, a kernel that answers as told, and a record
//! of everything the engine did.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;
use steadfast::vrrp::{Announcement, CommandId, KernelRequest, Outcome, Report, Urgent};

use steadfast::units::{Family, Instant, Mac};
use steadfast::vrrp::change::Change;
use steadfast::vrrp::settings::{InstanceSettings, Object, Settings};
use steadfast::vrrp::timers::Timer;
use steadfast::vrrp::*;

pub use super::given::*;

/// The moment that all times of the tests count from.
pub const START: Instant = Instant::from_nanos(1_000_000_000_000);
/// The last octet (group) of our own addresses: peers may be below and above.
pub const OWN: u8 = 10;

/// No times at all, with their type: an empty list alone could be of several that compare.
pub const NEVER: [Duration; 0] = [];

pub const fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

pub const fn us(microseconds: u64) -> Duration {
    Duration::from_micros(microseconds)
}

/// How the kernel answers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kernel {
    /// Everything works, at once.
    Works,
    /// Everything is refused, at once.
    Refuses,
    /// No answer; requests are kept in [`Driver::asked`].
    Silent,
}

pub struct Driver {
    pub engine: Engine,
    settings: Settings,
    pub now: Instant,
    pub log: Vec<(Duration, Action)>,
    /// The same without notices, in words.
    words: Vec<String>,
    announcements: Vec<(Duration, IpAddr)>,
    pub kernel: Kernel,
    /// Requests without an answer.
    pub asked: Vec<(ObjectId, bool)>,
    /// Whether a request to read the sockets empty is answered at once.
    pub drains: bool,
    /// Adverts that leave by this interface are refused.
    pub refused_on: Option<&'static str>,
    /// Only those of this family.
    pub refused_family: Option<Family>,
    /// The last configuration has a group.
    pub grouped: bool,
}

/// The state of a working interface of ours.
pub fn up() -> InterfaceState {
    InterfaceState {
        present: true,
        up: true,
        port: false,
        mac: Some(Mac([2, 0, 0, 0, 0, OWN])),
        ipv4: Some(Ipv4Addr::new(192, 0, 2, OWN)),
        ipv6: Some(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, u16::from(OWN))),
    }
}

impl Driver {
    /// An engine whose interfaces are up, not started.
    pub fn idle(settings: &Settings) -> Self {
        let mut driver = Self {
            engine: Engine::new(settings),
            settings: settings.clone(),
            now: START,
            log: Vec::new(),
            words: Vec::new(),
            announcements: Vec::new(),
            kernel: Kernel::Works,
            asked: Vec::new(),
            drains: true,
            refused_on: None,
            refused_family: None,
            grouped: !settings.groups.is_empty(),
        };
        driver.all_interfaces_up();
        driver
    }

    pub fn all_interfaces_up(&mut self) {
        let all: Vec<_> = self.engine.interfaces().map(|(id, _)| id).collect();
        for interface in all {
            self.event(Event::Interface { interface, state: up() });
        }
    }

    /// An engine that was started at [`START`].
    pub fn started(settings: &Settings) -> Self {
        let mut driver = Self::idle(settings);
        driver.event(Event::Start);
        driver
    }

    /// One started instance.
    pub fn one(instance: InstanceSettings) -> Self {
        Self::started(&settings(vec![instance]))
    }

    /// Started, and alone long enough to be master of everything. The record is empty.
    pub fn master_of(settings: &Settings) -> Self {
        let mut driver = Self::started(settings);
        driver.run_for(ms(200_000));
        for id in driver.engine.instances().collect::<Vec<_>>() {
            assert_eq!(driver.engine.state(id), Some(State::Master), "{id:?}");
        }
        // On the moment of an advert, so that the next one comes a whole interval later.
        driver.run_until(driver.next_advert());
        driver.clear();
        driver
    }

    pub fn master(instance: InstanceSettings) -> Self {
        Self::master_of(&settings(vec![instance]))
    }

    fn next_advert(&self) -> Instant {
        let family = self.engine.routers(self.id("a")).next().unwrap().family;
        self.timer(Timer::Advert(family)).unwrap()
    }

    pub fn id(&self, name: &str) -> InstanceId {
        self.engine.instance(name).unwrap()
    }

    /// The instance "a".
    pub fn a(&self) -> InstanceId {
        self.id("a")
    }

    pub fn router(&self, family: Family) -> RouterId {
        RouterId { instance: self.a(), family }
    }

    pub fn state(&self) -> State {
        self.state_of("a")
    }

    pub fn state_of(&self, name: &str) -> State {
        self.engine.state(self.id(name)).unwrap()
    }

    pub fn timer(&self, timer: Timer) -> Option<Instant> {
        self.engine.timer(self.a(), timer)
    }

    /// What is left of a timer of "a".
    pub fn left(&self, timer: Timer) -> Option<Duration> {
        self.timer(timer).map(|due| due.since(self.now))
    }

    /// What is left of the DownTimer of "a" for IPv4.
    pub fn down(&self) -> Option<Duration> {
        self.left(Timer::Down(Family::V4))
    }

    pub fn elapsed(&self) -> Duration {
        self.now.since(START)
    }

    // What happens

    /// Hands over an event and does what the engine wants.
    pub fn event(&mut self, event: Event<'_>) {
        self.engine.handle(event, self.now);
        self.settle();
    }

    fn settle(&mut self) {
        let mut actions = 0;
        let quiet = self.engine.is_quiet(self.now);
        while let Some(action) = self.engine.poll_action() {
            assert!(!quiet, "it was quiet, and there is {action:?}");
            actions += 1;
            assert!(actions < 100_000, "the engine never comes to rest: {action:?}");
            if let Action::Urgent(Urgent::SendAdvert { router, priority, .. }) = action {
                let last = self.engine.settings(router.instance).unwrap().last_word();
                let master = self.engine.state(router.instance) == Some(State::Master);
                assert!(master || last || priority.is_stop(), "{router:?} sends as no master");
            }
            if action == Action::Urgent(Urgent::DrainSockets) && self.drains {
                // The sockets are empty.
                self.engine.handle(Event::SocketsDrained, self.now);
                continue;
            }
            self.log.push((self.elapsed(), action));
            self.words.extend(self.deed(&action));
            if let Action::Announcement(Announcement::Announce(id)) = action {
                let address = self.engine.object(id).and_then(Object::announced).unwrap();
                self.announcements.push((self.elapsed(), address));
            }
            match action {
                Action::Kernel(KernelRequest::Install(object)) => self.request(object, true),
                Action::Kernel(KernelRequest::Remove(object)) => self.request(object, false),
                Action::Urgent(Urgent::SendAdvert { router, .. }) => self.refuse(router),
                Action::Urgent(Urgent::DrainSockets)
                | Action::Kernel(KernelRequest::Mute(_))
                | Action::Kernel(KernelRequest::Unmute(_))
                | Action::Announcement(Announcement::Announce(_))
                | Action::Announcement(Announcement::Probe(_))
                | Action::Report(Report::Notice(_))
                | Action::Report(Report::Answer { .. } | Report::Stopped) => {}
            }
        }
    }

    fn refuse(&mut self, router: RouterId) {
        let interface = self.engine.interface_of(router.instance).unwrap();
        let here = |name: &str| self.engine.interface(name) == Some(interface);
        let concerned = self.refused_family.is_none_or(|family| family == router.family);
        if concerned && self.refused_on.is_some_and(here) {
            let error = KernelError(1);
            self.engine.handle(Event::Refused { router, error }, self.now);
        }
    }

    fn request(&mut self, object: ObjectId, present: bool) {
        assert!(self.engine.object(object).is_some(), "request for no object");
        let result = match self.kernel {
            Kernel::Works => Ok(()),
            Kernel::Refuses => Err(KernelError(1)),
            Kernel::Silent => return self.asked.push((object, present)),
        };
        self.engine.handle(Event::Acknowledged { object, present, result }, self.now);
    }

    /// Answers the oldest request that has none.
    pub fn answer(&mut self, result: Result<(), KernelError>) {
        let (object, present) = self.asked.remove(0);
        self.event(Event::Acknowledged { object, present, result });
    }

    /// Lets time pass, waking the engine whenever it wants to be.
    pub fn run_until(&mut self, end: Instant) {
        while let Some(due) = self.engine.next_deadline().filter(|due| *due <= end) {
            self.now = self.now.max(due);
            self.event(Event::Wake);
            let next = self.engine.next_deadline();
            assert!(next.is_none_or(|next| next > self.now), "a deadline that stays in the past");
        }
        self.now = self.now.max(end);
    }

    pub fn run_for(&mut self, length: Duration) {
        self.run_until(self.now + length);
    }

    /// Time passes, but the process stands still.
    pub fn stall(&mut self, length: Duration) {
        self.now = self.now + length;
    }

    /// Another router's advert arrives.
    pub fn hear(&mut self, peer: &Peer) {
        self.hear_octets(peer, &peer.octets());
    }

    /// Without doing what the engine wants.
    pub fn hear_only(&mut self, peer: &Peer) {
        let interface = self.engine.interface(peer.interface).unwrap();
        let octets = peer.octets();
        self.engine.handle(Event::Received(received(interface, peer, &octets)), self.now);
    }

    pub fn hear_octets(&mut self, peer: &Peer, octets: &[u8]) {
        let interface = self.engine.interface(peer.interface).unwrap();
        self.event(Event::Received(received(interface, peer, octets)));
    }

    /// The peer sends as often as it says, for some time; the first one now.
    pub fn hear_for(&mut self, peer: &Peer, length: Duration) {
        let end = self.now + length;
        let period = ms(u64::from(peer.interval) * 10);
        while self.now < end {
            self.hear(peer);
            self.run_until((self.now + period).min(end));
        }
    }

    pub fn interface(&mut self, name: &str, state: InterfaceState) {
        let interface = self.engine.interface(name).unwrap();
        self.event(Event::Interface { interface, state });
    }

    pub fn interface_down(&mut self, name: &str) {
        self.interface(name, InterfaceState { up: false, ..up() });
    }

    pub fn tracker(&mut self, name: &str, state: TrackerState) {
        self.event(Event::Tracker { name, state });
    }

    pub fn command(&mut self, command: Command) {
        self.event(Event::Command(CommandId(0), command));
    }

    pub fn switchover(&mut self, hold_for: Option<Duration>, force: bool) {
        let instance = self.a();
        self.command(Command::Switchover { instance, hold_for, force });
    }

    pub fn release(&mut self) {
        let instance = self.a();
        self.command(Command::Release { instance });
    }

    /// Whether the engine has said that nothing is left to do.
    pub fn has_stopped(&self) -> bool {
        self.log.iter().any(|(_, action)| *action == Action::Report(Report::Stopped))
    }

    /// The answers to commands since this was asked last.
    pub fn answers(&mut self) -> Vec<Outcome> {
        let mut found = Vec::new();
        for (_, action) in std::mem::take(&mut self.log) {
            if let Action::Report(Report::Answer { outcome, .. }) = action {
                found.push(outcome);
            }
        }
        found
    }

    pub fn reload(&mut self, settings: &Settings) {
        self.grouped = !settings.groups.is_empty();
        // As the supervisor tells it: the engine has to come to the same as with all settings.
        let change = Change::between(&self.settings, settings);
        self.settings = settings.clone();
        self.event(Event::Reload(&change));
        let has = |i: &InstanceSettings| {
            self.engine.instance(&i.name).and_then(|id| self.engine.settings(id)) == Some(i)
        };
        assert!(settings.instances.iter().all(has));
        assert_eq!(self.engine.instances().count(), settings.instances.len());
    }

    /// Reloads with one instance.
    pub fn reload_one(&mut self, instance: InstanceSettings) {
        self.reload(&settings(vec![instance]));
    }

    /// Somebody else announces an address.
    pub fn hear_announcement(&mut self, address: IpAddr) {
        self.hear_announcement_on("eth0", address);
    }

    pub fn hear_announcement_on(&mut self, interface: &str, address: IpAddr) {
        let interface = self.engine.interface(interface).unwrap();
        let mac = Mac([2, 0, 0, 0, 0, 2]);
        self.event(Event::Announced { interface, address, mac });
    }

    pub fn objects(&self) -> Vec<ObjectId> {
        self.objects_of("a")
    }

    pub fn objects_of(&self, name: &str) -> Vec<ObjectId> {
        self.engine.objects(self.id(name)).map(|(id, _)| id).collect()
    }

    /// Whether all objects of "a" are installed.
    pub fn installed(&self) -> bool {
        self.objects().into_iter().all(|object| self.engine.object_present(object))
    }

    // What the engine did

    /// The adverts of "a" so far: when, priority, interval.
    pub fn adverts(&self) -> Vec<(Duration, u8, u16)> {
        let family = self.engine.routers(self.a()).next().unwrap().family;
        self.adverts_of(self.router(family))
    }

    pub fn adverts_of(&self, of: RouterId) -> Vec<(Duration, u8, u16)> {
        let mut found = Vec::new();
        for (at, action) in &self.log {
            if let Action::Urgent(Urgent::SendAdvert { router, priority, interval }) = *action
                && router == of
            {
                found.push((*at, priority.0, interval.0));
            }
        }
        found
    }

    /// All that was done but notices, in words.
    pub fn deeds(&self) -> Vec<String> {
        self.words.clone()
    }

    fn deed(&self, action: &Action) -> Option<String> {
        let name = |id| self.engine.settings(id).map_or("?".into(), |s| s.name.to_string());
        let object = |id: ObjectId| match self.engine.object(id) {
            Some(Object::Filter) => "filter".into(),
            Some(Object::Address(a) | Object::Excluded(a)) => a.address.to_string(),
            Some(Object::Route(_)) => "route".into(),
            Some(Object::Rule(_)) => "rule".into(),
            None => "?".into(),
        };
        Some(match *action {
            Action::Urgent(Urgent::SendAdvert { router, priority, .. }) => {
                format!("send {} {} {}", name(router.instance), router.family, priority)
            }
            Action::Urgent(Urgent::DrainSockets) => "drain".into(),
            Action::Kernel(KernelRequest::Install(id)) => format!("install {}", object(id)),
            Action::Kernel(KernelRequest::Remove(id)) => format!("remove {}", object(id)),
            Action::Kernel(KernelRequest::Mute(_)) => "mute".into(),
            Action::Kernel(KernelRequest::Unmute(_)) => "unmute".into(),
            Action::Announcement(Announcement::Announce(id)) => format!("announce {}", object(id)),
            Action::Announcement(Announcement::Probe(probed)) => {
                format!("probe {}", self.engine.probed_address(probed)?)
            }
            Action::Report(Report::Stopped) => "stopped".into(),
            Action::Report(Report::Notice(_) | Report::Answer { .. }) => return None,
        })
    }

    /// When each announcement of an address was sent.
    pub fn announced(&self, address: IpAddr) -> Vec<Duration> {
        self.announcements.iter().filter(|(_, of)| *of == address).map(|(at, _)| *at).collect()
    }

    pub fn notices(&self) -> Vec<Notice> {
        let notice = |(_, action): &(Duration, Action)| {
            if let Action::Report(Report::Notice(notice)) = action { Some(*notice) } else { None }
        };
        self.log.iter().filter_map(notice).collect()
    }

    /// The transitions of "a" so far.
    pub fn transitions(&self) -> Vec<(Duration, State, State, Cause)> {
        self.transitions_of("a")
    }

    pub fn transitions_of(&self, name: &str) -> Vec<(Duration, State, State, Cause)> {
        let of = self.id(name);
        let mut found = Vec::new();
        for (at, action) in &self.log {
            if let Action::Report(Report::Notice(Notice::Transition { instance, from, to, cause })) =
                *action
                && instance == of
            {
                found.push((*at, from, to, cause));
            }
        }
        found
    }

    /// The last cause of a transition of "a".
    pub fn cause(&self) -> Cause {
        self.engine.since(self.a()).unwrap().1
    }

    pub fn clear(&mut self) {
        self.log.clear();
        self.words.clear();
        self.announcements.clear();
    }
}
