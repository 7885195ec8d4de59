//! One node: its interfaces, its kernel and the process that drives an engine.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::IpAddr;
use std::rc::Rc;
use std::time::Duration;

use steadfast::units::{Instant, Mac, Priority};
use steadfast::vrrp::settings::Object;
use steadfast::vrrp::{
    Engine, Event, InstanceId, InterfaceState, KernelError, ObjectId, State, TrackerState,
};

use crate::network::Frame;
use crate::plan::{Generation, Plan};
use crate::world::{Happening, World};

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
    pub wake: Option<(Instant, u64)>,
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
    pub inbox: VecDeque<Inbound>,
    pub sockets: VecDeque<(usize, Rc<Frame>)>,
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
    /// A firewall refuses all adverts.
    pub mute: bool,
    pub shared: Vec<Option<Shared>>,
    pub check: TrackerState,
    /// Timers run late by up to this much.
    pub late: Duration,
    /// When the last report of an interface arrives: a socket keeps their order.
    pub reported: Instant,
    /// The next transition brings a reload.
    pub reload_armed: bool,
    pub wake_tokens: u64,
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
            mute: false,
            shared: vec![None; plan.names.len()],
            check: TrackerState::Up,
            late: Duration::ZERO,
            reported: Instant::ORIGIN,
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

    /// Whether the instance's own generation of the configuration has the address.
    pub fn lists(&self, name: usize, address: IpAddr) -> bool {
        let (Some(process), Some(id)) = (self.process.as_ref(), self.id(name)) else {
            return false;
        };
        let settings = process.engine.settings(id);
        settings.is_some_and(|s| s.objects.iter().any(|o| o.announced() == Some(address)))
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
            port: false,
            mac: Some(mac(index, node)),
            ipv4: interface.ipv4.then(|| host.ipv4(index)),
            ipv6: interface.ipv6.then(|| host.ipv6()),
        }
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

    pub fn run_timers(&mut self, n: usize) {
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
