//! One node: its interfaces, its kernel and the process that drives an engine.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::IpAddr;
use std::rc::Rc;
use std::time::Duration;

use steadfast::units::{Family, Instant, Mac, Priority};
use steadfast::vrrp::settings::Object;
use steadfast::vrrp::{
    Command, Engine, Event, InstanceId, InterfaceState, KernelError, ObjectId, State, TrackerState,
};

use crate::network::Frame;
use crate::packet::Packet;
use crate::plan::{Generation, Plan, interface_name};
use crate::random_plan::CHECK;
use crate::timeline::note;
use crate::world::{Happening, World};

/// Packets that wait for a process at the most; more are lost.
const SOCKET_BUFFER: usize = 64;

/// What the kernel can hold.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Key {
    Address(IpAddr),
    /// The filter of an instance.
    Filter(usize),
}

/// One interface of a node.
#[derive(Clone, Copy, Debug)]
pub struct Interface {
    pub present: bool,
    pub up: bool,
    pub ipv4: bool,
    pub ipv6: bool,
}

/// What a process has stored where it survives.
#[derive(Clone, Copy, Debug)]
pub struct Shared {
    pub master: bool,
    pub last_advert: Instant,
}

/// Something that a process is told, beside packets and time.
#[derive(Clone, Debug)]
pub enum Inbound {
    Interface {
        index: usize,
        state: InterfaceState,
    },
    Object {
        key: Key,
        present: bool,
    },
    Acknowledged {
        object: ObjectId,
        present: bool,
        result: Result<(), KernelError>,
    },
    /// The check's result, whatever it is when this arrives.
    Check,
    Announced {
        segment: usize,
        address: IpAddr,
        mac: Mac,
    },
    Reload(Generation),
    Switchover {
        name: usize,
        hold_for: Option<Duration>,
        force: bool,
    },
    Release {
        name: usize,
    },
    Announce {
        name: usize,
    },
    Shutdown,
}

/// A running process.
#[derive(Debug)]
pub struct Process {
    pub engine: Engine,
    /// Instances by identity, in the order of the plan's names.
    pub ids: Vec<(InstanceId, usize)>,
    /// Those that a reload removed: they may still have something to clean up.
    pub retired: Vec<(InstanceId, usize)>,
    /// It has something left to do.
    pub busy: bool,
    pub stopping: bool,
    wake: Option<(Instant, u64)>,
    /// When it was woken last, until it has done all there is to do.
    pub woken: Option<Instant>,
}

/// One node.
#[derive(Debug)]
pub struct Node {
    pub process: Option<Process>,
    /// Counts processes and, within one, nothing else: what was sent to a former one is lost.
    pub epoch: u64,
    pub generation: Generation,
    /// The process does not run.
    pub stalled: bool,
    /// Neither does the kernel: a virtual machine was frozen.
    pub frozen: bool,
    pub stall_token: u64,
    pub start_token: u64,
    inbox: VecDeque<Inbound>,
    sockets: VecDeque<(usize, Rc<Frame>)>,
    pub interfaces: Vec<Interface>,
    /// What is installed, and for which instance.
    pub kernel: BTreeMap<Key, usize>,
    /// Gone from the kernel, and the process has not been told yet.
    pub vanishing: BTreeSet<Key>,
    pub muted: BTreeSet<usize>,
    /// When the kernel has done all that it was asked for.
    pub kernel_free: Instant,
    pub kernel_slow: Duration,
    /// So many requests will be refused.
    pub refusals: u32,
    pub shared: Vec<Option<Shared>>,
    pub check: TrackerState,
    /// Timers run late by up to this much.
    pub late: Duration,
    /// The next transition brings a reload.
    pub reload_armed: bool,
    wake_tokens: u64,
}

impl Node {
    pub fn new(plan: &Plan, _index: usize) -> Self {
        let interface = Interface { present: true, up: true, ipv4: true, ipv6: true };
        Self {
            process: None,
            epoch: 0,
            generation: 0,
            stalled: false,
            frozen: false,
            stall_token: 0,
            start_token: 0,
            inbox: VecDeque::new(),
            sockets: VecDeque::new(),
            interfaces: vec![interface; plan.segments + 1],
            kernel: BTreeMap::new(),
            vanishing: BTreeSet::new(),
            muted: BTreeSet::new(),
            kernel_free: Instant::ORIGIN,
            kernel_slow: Duration::ZERO,
            refusals: 0,
            shared: vec![None; plan.names.len()],
            check: TrackerState::Up,
            late: Duration::ZERO,
            reload_armed: false,
            wake_tokens: 0,
        }
    }

    /// Whether the process runs now.
    pub fn running(&self) -> bool {
        self.process.is_some() && !self.stalled
    }

    /// The instance of a name in the running engine.
    pub fn id(&self, name: usize) -> Option<InstanceId> {
        let process = self.process.as_ref()?;
        process.ids.iter().find(|(_, n)| *n == name).map(|(id, _)| *id)
    }

    pub fn state(&self, name: usize) -> Option<State> {
        self.state_of(self.id(name)?)
    }

    /// The state of an instance, also of one that was removed.
    pub fn state_of(&self, id: InstanceId) -> Option<State> {
        self.process.as_ref()?.engine.state(id)
    }

    /// The priority that the instance has in elections now.
    pub fn priority(&self, name: usize) -> Option<Priority> {
        self.process.as_ref()?.engine.effective_priority(self.id(name)?)
    }

    pub fn handing_over(&self, name: usize) -> bool {
        self.id(name).is_some_and(|id| self.hands_over(id))
    }

    /// Whether an instance is in a planned hand-over, also one that was removed.
    pub fn hands_over(&self, id: InstanceId) -> bool {
        self.process.as_ref().is_some_and(|p| p.engine.handing_over(id))
    }

    /// The plan's name of an instance, also of one that was removed.
    pub fn name_of(&self, id: InstanceId) -> Option<usize> {
        let process = self.process.as_ref()?;
        let mut all = process.ids.iter().chain(&process.retired);
        all.find(|(known, _)| *known == id).map(|(_, name)| *name)
    }

    /// Master, and not about to leave.
    pub fn claims(&self, name: usize) -> bool {
        self.state(name) == Some(State::Master) && !self.handing_over(name)
    }

    pub fn link_up(&self, index: usize) -> bool {
        let interface = self.interfaces[index];
        interface.present && interface.up && !self.frozen
    }
}

/// What identifies an object in the kernel.
pub fn key_of(object: &Object, name: usize) -> Key {
    match object {
        Object::Address(address) | Object::Excluded(address) => Key::Address(address.address),
        Object::Filter => Key::Filter(name),
        Object::Route(_) | Object::Rule(_) => panic!("plans have no routes and rules"),
    }
}

/// The Ethernet address of a node on a segment.
pub fn mac(segment: usize, node: usize) -> Mac {
    Mac([2, 0, 0, 0, segment as u8, node as u8])
}

impl World {
    pub fn interface_state(&self, node: usize, index: usize) -> InterfaceState {
        let interface = self.nodes[node].interfaces[index];
        if !interface.present {
            return InterfaceState::default();
        }
        let host = self.plan.hosts[node];
        InterfaceState {
            present: true,
            up: interface.up,
            ipv4: interface.ipv4.then(|| host.ipv4(index)),
            ipv6: interface.ipv6.then(|| host.ipv6()),
        }
    }

    // The life of a process

    /// Starts a process after a time, unless something else decides about it before.
    pub fn start_later(&mut self, node: usize, delay: Duration) {
        self.nodes[node].start_token += 1;
        let token = self.nodes[node].start_token;
        self.later(delay, Happening::Start { node, token });
    }

    pub fn start_due(&mut self, node: usize, token: u64) {
        if token == self.nodes[node].start_token && self.nodes[node].process.is_none() {
            self.start(node);
        }
    }

    /// Starts a process: what it finds, then `Start`.
    pub fn start(&mut self, n: usize) {
        let plan = Rc::clone(&self.plan);
        let generation = self.nodes[n].generation;
        let settings = &plan.settings[n][generation];
        note!(self, node n, "process starts with generation {generation}");
        self.timeline.mix(self.now, [1, n as u64, generation as u64]);
        let engine = Engine::new(settings);
        let node = &mut self.nodes[n];
        let left = std::mem::replace(&mut node.shared, vec![None; plan.names.len()]);
        node.epoch += 1;
        node.start_token += 1;
        node.stalled = false;
        node.inbox.clear();
        node.sockets.clear();
        node.muted.clear();
        node.vanishing.clear();
        node.process = Some(Process {
            engine,
            ids: Vec::new(),
            retired: Vec::new(),
            woken: None,
            busy: false,
            stopping: false,
            wake: None,
        });
        self.watch.disturbed(n, self.now);
        self.watch.forget_process(n);
        self.learn_ids(n);
        self.clear_unknown(n);
        self.tell_interfaces(n);
        let mut found = Vec::new();
        let node = &self.nodes[n];
        if let Some(process) = &node.process {
            for (id, name) in &process.ids {
                for (object, value) in process.engine.objects(*id) {
                    if node.kernel.contains_key(&key_of(value, *name)) {
                        found.push(object);
                    }
                }
            }
        }
        for object in found {
            self.feed(n, Event::Object { object, present: true });
        }
        for name in 0..plan.names.len() {
            let node = &mut self.nodes[n];
            if let Some(shared) = left[name]
                && shared.master
                && let Some(instance) = node.id(name)
            {
                let last_advert = shared.last_advert;
                self.feed(n, Event::Resume { instance, last_advert });
            }
        }
        // Results of checks come when they come.
        let check = self.nodes[n].check;
        if self.chance.driver.percent(30) {
            self.feed(n, Event::Tracker { name: CHECK, state: check });
        } else {
            let longest = self.plan.times.interval;
            let delay = self.chance.driver.duration(Duration::ZERO, longest);
            self.tell_later(n, delay, Inbound::Check);
        }
        self.feed(n, Event::Start);
        self.settle(n);
    }

    /// Objects of instances that the configuration no longer has are the supervisor's work.
    fn clear_unknown(&mut self, n: usize) {
        let plan = Rc::clone(&self.plan);
        let generation = self.nodes[n].generation;
        self.nodes[n].kernel.retain(|key, name| {
            plan.instance(n, generation, *name)
                .is_some_and(|i| i.objects.iter().any(|o| key_of(o, *name) == *key))
        });
    }

    fn learn_ids(&mut self, n: usize) {
        let plan = Rc::clone(&self.plan);
        let Some(process) = &mut self.nodes[n].process else { return };
        process.retired.append(&mut process.ids);
        for (index, name) in plan.names.iter().enumerate() {
            if let Some(id) = process.engine.instance(&name.name) {
                process.retired.retain(|(old, _)| *old != id);
                process.ids.push((id, index));
            }
        }
    }

    fn tell_interfaces(&mut self, n: usize) {
        for index in 0..=self.plan.segments {
            let state = self.interface_state(n, index);
            self.tell_interface(n, index, state);
        }
    }

    fn tell_interface(&mut self, n: usize, index: usize, state: InterfaceState) {
        let name = interface_name(index, self.plan.segments);
        let Some(process) = &self.nodes[n].process else { return };
        if let Some(interface) = process.engine.interface(&name) {
            note!(self, node n, "interface {name}: {}", describe_interface(&state));
            self.feed(n, Event::Interface { interface, state });
        }
    }

    /// The process dies without a word.
    pub fn kill(&mut self, n: usize, shared_survives: bool) {
        if self.nodes[n].process.is_none() {
            return;
        }
        note!(self, node n, "process killed, shared memory {}", if shared_survives { "survives" } else { "lost" });
        self.timeline.mix(self.now, [2, n as u64, u64::from(shared_survives)]);
        self.end_process(n);
        let epoch = self.nodes[n].epoch;
        if !shared_survives {
            self.nodes[n].shared.fill(None);
            return;
        }
        // The supervisor lives, and it owns the deadline.
        for name in 0..self.plan.names.len() {
            let Some(shared) = self.nodes[n].shared[name] else { continue };
            let window = self
                .plan
                .instance(n, self.nodes[n].generation, name)
                .map_or(Duration::ZERO, |i| i.resume_within.unwrap_or(i.interval.duration() * 2));
            let due = if shared.master { shared.last_advert + window } else { self.now };
            self.at(due.max(self.now), Happening::Withdraw { node: n, epoch, name });
        }
    }

    /// What a process that ends leaves nowhere.
    pub fn end_process(&mut self, n: usize) {
        let node = &mut self.nodes[n];
        node.process = None;
        node.epoch += 1;
        node.stalled = false;
        node.frozen = false;
        node.inbox.clear();
        node.sockets.clear();
        self.watch.disturbed(n, self.now);
    }

    /// No process has confirmed in time: the supervisor takes the addresses away.
    pub fn withdraw(&mut self, n: usize, epoch: u64, name: usize) {
        let node = &mut self.nodes[n];
        if node.epoch != epoch {
            return;
        }
        let before = node.kernel.len();
        node.kernel.retain(|_, owner| *owner != name);
        node.muted.remove(&name);
        node.shared[name] = None;
        if node.kernel.len() != before {
            note!(self, node n, "supervisor withdraws {}", self.plan.names[name].name);
        }
    }

    /// Stops a process from running for a time; with `frozen` the kernel as well.
    pub fn stall(&mut self, n: usize, length: Duration, frozen: bool) {
        if self.nodes[n].process.is_none() || self.nodes[n].stalled {
            return;
        }
        note!(self, node n, "stalls for {length:?}{}", if frozen { " with its kernel" } else { "" });
        let node = &mut self.nodes[n];
        node.stalled = true;
        node.frozen = frozen;
        node.stall_token += 1;
        let token = node.stall_token;
        self.watch.disturbed(n, self.now);
        self.later(length, Happening::Thaw { node: n, token });
    }

    /// The process runs again: packets, messages and timers wait, in any order.
    pub fn thaw(&mut self, n: usize, token: u64) {
        let node = &mut self.nodes[n];
        if !node.stalled || node.stall_token != token {
            return;
        }
        node.stalled = false;
        node.frozen = false;
        note!(self, node n, "runs again, {} packets and {} messages wait", self.nodes[n].sockets.len(), self.nodes[n].inbox.len());
        self.watch.disturbed(n, self.now);
        let mut order = [0, 1, 2];
        self.chance.driver.shuffle(&mut order);
        for part in order {
            match part {
                0 => {
                    let due = self.deadline(n).is_some_and(|due| due <= self.now);
                    if due && self.nodes[n].running() {
                        self.run_timers(n);
                    }
                }
                1 => self.read_sockets(n, true),
                _ => {
                    let waiting = std::mem::take(&mut self.nodes[n].inbox);
                    for inbound in waiting {
                        self.tell(n, inbound);
                    }
                }
            }
        }
        self.settle(n);
    }

    // What reaches a process

    /// Sends something to the process that runs now; lost when it ends before.
    pub fn tell_later(&mut self, n: usize, delay: Duration, inbound: Inbound) {
        let epoch = self.nodes[n].epoch;
        self.later(delay, Happening::Inbound { node: n, epoch, inbound });
    }

    pub fn inbound(&mut self, n: usize, epoch: u64, inbound: Inbound) {
        if self.nodes[n].epoch == epoch {
            self.tell(n, inbound);
        }
    }

    /// Tells a process something, or lets it wait until it runs again.
    pub fn tell(&mut self, n: usize, inbound: Inbound) {
        let node = &mut self.nodes[n];
        if node.process.is_none() {
            return;
        }
        if node.stalled {
            node.inbox.push_back(inbound);
            return;
        }
        self.tell_now(n, inbound);
        self.settle(n);
    }

    fn tell_now(&mut self, n: usize, inbound: Inbound) {
        let instance = |world: &Self, name| world.nodes[n].id(name);
        match inbound {
            Inbound::Interface { index, state } => self.tell_interface(n, index, state),
            Inbound::Object { key, present } => {
                self.nodes[n].vanishing.remove(&key);
                let node = &self.nodes[n];
                let object = node.process.as_ref().and_then(|process| {
                    process.ids.iter().chain(&process.retired).find_map(|(id, name)| {
                        let mut objects = process.engine.objects(*id);
                        objects.find(|(_, o)| key_of(o, *name) == key).map(|(object, _)| object)
                    })
                });
                if let Some(object) = object {
                    note!(self, node n, "kernel reports {key:?} present: {present}");
                    self.feed(n, Event::Object { object, present });
                }
            }
            Inbound::Acknowledged { object, present, result } => {
                self.feed(n, Event::Acknowledged { object, present, result });
            }
            Inbound::Check => {
                let state = self.nodes[n].check;
                note!(self, node n, "check is {state:?}");
                self.feed(n, Event::Tracker { name: CHECK, state });
            }
            Inbound::Announced { segment, address, mac } => {
                let name = interface_name(segment, self.plan.segments);
                let process = self.nodes[n].process.as_ref();
                if let Some(interface) = process.and_then(|p| p.engine.interface(&name)) {
                    if let Some(owner) = self.plan.owners.get(&address).copied()
                        && self.nodes[n].claims(owner)
                    {
                        self.watch.hears_rival_announce(n, owner, self.now);
                    }
                    self.feed(n, Event::Announced { interface, address, mac });
                }
            }
            Inbound::Reload(generation) => self.reload_now(n, generation),
            Inbound::Switchover { name, hold_for, force } => {
                if let Some(instance) = instance(self, name) {
                    let name = &self.plan.names[name].name;
                    note!(self, node n, "command: switchover {name} force {force} for {hold_for:?}");
                    let command = Command::Switchover { instance, hold_for, force };
                    self.feed(n, Event::Command(command));
                }
            }
            Inbound::Release { name } => {
                if let Some(instance) = instance(self, name) {
                    note!(self, node n, "command: release {}", self.plan.names[name].name);
                    self.feed(n, Event::Command(Command::Release { instance }));
                }
            }
            Inbound::Announce { name } => {
                if let Some(instance) = instance(self, name) {
                    self.feed(n, Event::Command(Command::Announce { instance }));
                }
            }
            Inbound::Shutdown => {
                note!(self, node n, "told to stop");
                if let Some(process) = &mut self.nodes[n].process {
                    process.stopping = true;
                }
                self.feed(n, Event::Shutdown);
            }
        }
    }

    fn reload_now(&mut self, n: usize, generation: Generation) {
        note!(self, node n, "reload to generation {generation}");
        self.timeline.mix(self.now, [3, n as u64, generation as u64]);
        self.nodes[n].generation = generation;
        self.watch.disturbed(n, self.now);
        let plan = Rc::clone(&self.plan);
        self.feed(n, Event::Reload(&plan.settings[n][generation]));
        self.learn_ids(n);
        // Interfaces that the engine has not known until now, and results of checks that nothing
        // used before.
        self.tell_interfaces(n);
        let delay = self.chance.driver.duration(Duration::ZERO, self.plan.times.interval);
        self.tell_later(n, delay, Inbound::Check);
    }

    /// A frame reaches a node's interface.
    pub fn node_hears(&mut self, n: usize, segment: usize, frame: &Rc<Frame>) {
        let interface = self.nodes[n].interfaces[segment];
        if !interface.present || !interface.up || self.nodes[n].process.is_none() {
            return;
        }
        match &**frame {
            Frame::Advert(_) => {
                if self.nodes[n].sockets.len() < SOCKET_BUFFER {
                    self.nodes[n].sockets.push_back((segment, Rc::clone(frame)));
                }
                if self.nodes[n].running() {
                    self.read_sockets(n, true);
                    self.settle(n);
                }
            }
            Frame::Announcement { address, mac, .. } => {
                let (address, mac) = (*address, *mac);
                self.tell(n, Inbound::Announced { segment, address, mac });
            }
        }
    }

    /// Hands over all packets that wait. With `settle`, what comes of each is done at once.
    pub fn read_sockets(&mut self, n: usize, settle: bool) {
        while self.nodes[n].running()
            && let Some((segment, frame)) = self.nodes[n].sockets.pop_front()
        {
            if let Frame::Advert(packet) = &*frame {
                self.hand_over_packet(n, segment, packet);
            }
            if settle {
                self.settle(n);
            }
        }
    }

    fn hand_over_packet(&mut self, n: usize, segment: usize, packet: &Packet) {
        let name = interface_name(segment, self.plan.segments);
        let Some(process) = &self.nodes[n].process else { return };
        let Some(interface) = process.engine.interface(&name) else { return };
        note!(self, node n, "hears {}", self.describe_packet(packet));
        let expectation = self.before_packet(n, packet);
        self.feed(n, Event::Received(packet.received(interface)));
        self.after_packet(n, packet, expectation);
    }

    pub fn describe_packet(&self, packet: &Packet) -> String {
        format!(
            "{} {} of n{}: priority {}, {} cs",
            self.plan.names[packet.name].name,
            Family::of(packet.source),
            packet.from,
            packet.priority,
            packet.interval.0
        )
    }

    // Time

    pub fn deadline(&self, n: usize) -> Option<Instant> {
        self.nodes[n].process.as_ref()?.engine.next_deadline()
    }

    /// The end of a time in which timers run late.
    pub fn timers_run_on_time(&mut self, n: usize) {
        self.watch.disturbed(n, self.now);
        let node = &mut self.nodes[n];
        node.late = Duration::ZERO;
        if let Some(process) = &mut node.process {
            process.wake = None;
        }
        if node.running() {
            self.set_timer(n);
        }
    }

    /// Sets the timer to the engine's next deadline.
    pub fn set_timer(&mut self, n: usize) {
        let deadline = self.deadline(n);
        let late = self.nodes[n].late;
        let Some(process) = &mut self.nodes[n].process else { return };
        if process.wake.map(|(at, _)| at) == deadline {
            return;
        }
        self.nodes[n].wake_tokens += 1;
        let token = self.nodes[n].wake_tokens;
        if let Some(process) = &mut self.nodes[n].process {
            process.wake = deadline.map(|at| (at, token));
        }
        if let Some(at) = deadline {
            let usual = Duration::from_micros(self.chance.driver.below(50));
            let late = self.chance.driver.duration(Duration::ZERO, late);
            let at = (at + usual + late).max(self.now);
            self.at(at, Happening::Wake { node: n, token });
        }
    }

    pub fn wake(&mut self, n: usize, token: u64) {
        let node = &mut self.nodes[n];
        let current = node.process.as_ref().and_then(|p| p.wake);
        if node.stalled || current.map(|(_, t)| t) != Some(token) {
            return;
        }
        self.run_timers(n);
        self.settle(n);
    }

    fn run_timers(&mut self, n: usize) {
        if let Some(process) = &mut self.nodes[n].process {
            process.wake = None;
            process.woken = Some(self.now);
        }
        if let Some(sentence) = self.watch.wakes(n, self.now, &self.plan) {
            self.violated(sentence);
        }
        self.feed(n, Event::Wake);
    }

    // What others see of a node

    /// Whether a client that believes in this node gets an answer from the address.
    pub fn answers_pings(&self, n: usize, segment: usize, address: IpAddr) -> bool {
        self.nodes[n].link_up(segment)
            && self.network.reaches_clients(segment, n)
            && self.nodes[n].kernel.contains_key(&Key::Address(address))
    }

    /// Whether it answers the question who has the address.
    pub fn answers_solicitations(&self, n: usize, segment: usize, address: IpAddr) -> bool {
        let node = &self.nodes[n];
        node.link_up(segment)
            && node
                .kernel
                .get(&Key::Address(address))
                .is_some_and(|name| !node.muted.contains(name))
    }
}

fn describe_interface(state: &InterfaceState) -> String {
    format!(
        "{}, {}, IPv4 {:?}, IPv6 {:?}",
        if state.present { "present" } else { "missing" },
        if state.up { "up" } else { "down" },
        state.ipv4,
        state.ipv6
    )
}
