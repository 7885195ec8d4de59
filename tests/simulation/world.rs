//! Everything in one place: the clock, the queue of what is going to happen, the nodes, the
//! network and the clients.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;
use std::rc::Rc;
use std::time::Duration;

use steadfast::units::Instant;
use steadfast::vrrp::ObjectId;

use crate::client::Client;
use crate::coverage::Coverage;
use crate::faults::Undo;
use crate::invariants::Watch;
use crate::network::{Endpoint, Frame, Network};
use crate::node::{Inbound, Key, Node};
use crate::plan::Plan;
use crate::rng::{Purpose, Rng};
use crate::timeline::Timeline;

/// Something that happens at a point in time.
#[derive(Debug)]
pub enum Happening {
    /// A node's timer.
    Wake { node: usize, token: u64 },
    /// A frame arrives.
    Deliver { segment: usize, to: Endpoint, frame: Rc<Frame> },
    /// The kernel gets to a request.
    Kernel { node: usize, epoch: u64, object: ObjectId, key: Key, name: usize, present: bool },
    /// Something for a process arrives.
    Inbound { node: usize, epoch: u64, inbound: Inbound },
    /// A process goes on with what it has to do.
    Continue { node: usize, epoch: u64 },
    /// The end of a pause.
    Thaw { node: usize, token: u64 },
    /// A process starts.
    Start { node: usize, token: u64 },
    /// The supervisor withdraws what a dead process left.
    Withdraw { node: usize, epoch: u64, name: usize },
    /// A client asks who has an address.
    Solicit { node: usize, client: usize, address: std::net::IpAddr },
    /// The answer.
    Answer { node: usize, client: usize, address: std::net::IpAddr },
    /// The clients ping.
    Ping { token: u64 },
    /// The invariants that concern time.
    Audit,
    /// The end of a fault.
    Undo(Undo),
}

#[derive(Debug)]
struct Scheduled {
    at: Instant,
    sequence: u64,
    happening: Happening,
}

impl PartialEq for Scheduled {
    fn eq(&self, other: &Self) -> bool {
        self.sequence == other.sequence
    }
}

impl Eq for Scheduled {}

impl PartialOrd for Scheduled {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Scheduled {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.at, self.sequence).cmp(&(other.at, other.sequence))
    }
}

/// The streams of chance, by purpose.
#[derive(Debug)]
pub struct Chance {
    pub faults: Rng,
    pub network: Rng,
    pub kernel: Rng,
    pub driver: Rng,
    pub hosts: Rng,
}

/// The world of one scenario.
#[derive(Debug)]
pub struct World {
    pub plan: Rc<Plan>,
    pub now: Instant,
    queue: BinaryHeap<Reverse<Scheduled>>,
    sequence: u64,
    pub nodes: Vec<Node>,
    pub network: Network,
    pub clients: Vec<Client>,
    pub chance: Chance,
    pub coverage: Coverage,
    pub timeline: Timeline,
    pub watch: Watch,
    /// The first violated invariant; everything stops there.
    pub violation: Option<String>,
    pub steps: u64,
    pub ping_period: Duration,
    pub ping_token: u64,
    /// Nobody is left to be woken for a slice: processes do all they have to at once.
    pub slices: bool,
    pub audit_period: Duration,
}

impl World {
    /// A world in which nothing runs yet.
    pub fn new(seed: u64, plan: Plan, recording: bool) -> Self {
        let plan = Rc::new(plan);
        let mut world = Self {
            now: Instant::ORIGIN + Duration::from_secs(1000),
            queue: BinaryHeap::new(),
            sequence: 0,
            nodes: (0..plan.nodes()).map(|n| Node::new(&plan, n)).collect(),
            network: Network::new(&plan),
            clients: (0..plan.segments * 2).map(|c| Client::new(c / 2)).collect(),
            chance: Chance {
                faults: Rng::new(seed, Purpose::Faults),
                network: Rng::new(seed, Purpose::Network),
                kernel: Rng::new(seed, Purpose::Kernel),
                driver: Rng::new(seed, Purpose::Driver),
                hosts: Rng::new(seed, Purpose::Hosts),
            },
            coverage: Coverage::default(),
            timeline: Timeline::new(recording),
            watch: Watch::new(&plan),
            violation: None,
            steps: 0,
            ping_period: Duration::from_millis(100),
            ping_token: 0,
            slices: true,
            audit_period: (plan.times.shortest_interval / 2).max(Duration::from_millis(10)),
            plan,
        };
        world.later(world.ping_period, Happening::Ping { token: 0 });
        world.later(world.audit_period, Happening::Audit);
        world
    }

    /// Puts something into the queue.
    pub fn at(&mut self, at: Instant, happening: Happening) {
        self.sequence += 1;
        self.queue.push(Reverse(Scheduled { at, sequence: self.sequence, happening }));
    }

    /// Puts something into the queue, from now.
    pub fn later(&mut self, delay: Duration, happening: Happening) {
        self.at(self.now + delay, happening);
    }

    /// Breaks off with the sentence that says which invariant does not hold.
    pub fn violated(&mut self, sentence: String) {
        if self.violation.is_none() {
            self.timeline.line(self.now, "!!", &sentence);
            self.timeline.close();
            self.violation = Some(sentence);
        }
    }

    pub fn run_for(&mut self, length: Duration) {
        self.run_until(self.now + length);
    }

    pub fn run_until(&mut self, end: Instant) {
        while self.violation.is_none() {
            match self.queue.peek() {
                Some(Reverse(next)) if next.at <= end => {}
                _ => break,
            }
            let Some(Reverse(next)) = self.queue.pop() else { break };
            self.now = self.now.max(next.at);
            self.steps += 1;
            self.happen(next.happening);
        }
        self.now = self.now.max(end);
    }

    /// Runs until something holds, at the most for `limit`; whether it does.
    pub fn run_while_not(&mut self, limit: Duration, holds: impl Fn(&Self) -> bool) -> bool {
        let end = self.now + limit;
        while self.now < end && self.violation.is_none() {
            if holds(self) {
                return true;
            }
            self.run_for(Duration::from_micros(500));
        }
        holds(self)
    }

    fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::Wake { node, token } => self.wake(node, token),
            Happening::Deliver { segment, to, frame } => self.deliver(segment, to, &frame),
            Happening::Kernel { node, epoch, object, key, name, present } => {
                self.kernel_applies(node, epoch, object, key, name, present);
            }
            Happening::Inbound { node, epoch, inbound } => self.inbound(node, epoch, inbound),
            Happening::Continue { node, epoch } => self.go_on(node, epoch),
            Happening::Thaw { node, token } => self.thaw(node, token),
            Happening::Start { node, token } => self.start_due(node, token),
            Happening::Withdraw { node, epoch, name } => self.withdraw(node, epoch, name),
            Happening::Solicit { node, client, address } => self.solicited(node, client, address),
            Happening::Answer { node, client, address } => self.answered(node, client, address),
            Happening::Ping { token } => self.ping(token),
            Happening::Audit => self.audit(),
            Happening::Undo(undo) => self.undo(undo),
        }
    }
}
