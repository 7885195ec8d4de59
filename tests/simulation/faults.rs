//! What goes wrong.

use std::rc::Rc;
use std::time::Duration;

use steadfast::vrrp::TrackerState;

use crate::kernel::Flap;
use crate::network::Quality;
use crate::node::{Inbound, Key};
use crate::rng::Rng;
use crate::timeline::note;
use crate::world::{Happening, World};

/// The end of a fault.
#[derive(Clone, Copy, Debug)]
pub enum Undo {
    Quality { segment: usize },
    Cut { segment: usize, from: usize, to: usize },
    Clients { segment: usize, node: usize },
    Interface { node: usize, index: usize, flap: Flap },
    Late { node: usize },
    Slow { node: usize },
    Refusals { node: usize },
    Mute { node: usize },
    Check { node: usize },
}

/// Names of all faults; a long run has to have had each.
pub const ALL: &[&str] = &[
    "adverts of another pair",
    "adverts refused",
    "announcement asked for",
    "carrier lost",
    "check down",
    "check unknown",
    "client forgets",
    "clients cut off",
    "cut of a pair",
    "cut of one direction",
    "delay",
    "duplication",
    "foreign removal",
    "frozen with its kernel",
    "interface down",
    "interface vanishes",
    "kernel refuses",
    "kernel slow",
    "kill, restart with shared state in time",
    "kill, restart with shared state later",
    "kill, restart without shared state",
    "late timers",
    "loss",
    "node isolated",
    "own IPv4 address lost",
    "own IPv6 address lost",
    "partition, links restored one by one",
    "pause of the process",
    "release",
    "reload",
    "reload in mid-transition",
    "reordering",
    "segment cut for all",
    "stop and start",
    "switchover",
    "switchover for a time",
    "switchover, forced",
    "uplink down",
];

impl World {
    fn cut_for(&mut self, segment: usize, from: usize, to: usize, length: Duration) {
        note!(self, "net", "segment {segment}: n{from} to n{to} cut for {length:?}");
        self.network.cut(segment, from, to, true);
        self.later(length, Happening::Undo(Undo::Cut { segment, from, to }));
    }

    pub fn undo(&mut self, undo: Undo) {
        match undo {
            Undo::Quality { segment } => {
                note!(self, "net", "segment {segment} healthy");
                self.network.quality[segment] = Quality::HEALTHY;
            }
            Undo::Cut { segment, from, to } => {
                note!(self, "net", "segment {segment}: n{from} to n{to} restored");
                self.network.cut(segment, from, to, false);
            }
            Undo::Clients { segment, node } => self.network.cut_clients(segment, node, false),
            Undo::Interface { node, index, flap } => {
                self.change_interface(node, index, flap, false);
            }
            Undo::Late { node } => self.timers_run_on_time(node),
            Undo::Slow { node } => self.nodes[node].kernel_slow = Duration::ZERO,
            Undo::Refusals { node } => self.nodes[node].refusals = 0,
            Undo::Mute { node } => self.nodes[node].mute = false,
            Undo::Check { node } => self.set_check(node, TrackerState::Up),
        }
    }

    fn set_check(&mut self, n: usize, state: TrackerState) {
        if self.nodes[n].check != state {
            self.nodes[n].check = state;
            self.watch.disturbed(n, self.now);
            self.tell(n, Inbound::Check);
        }
    }

    /// A reload that waited for a transition of this node.
    pub fn reload_armed(&mut self, n: usize) {
        if self.nodes[n].reload_armed {
            self.nodes[n].reload_armed = false;
            self.coverage.fault("reload in mid-transition");
            let delay = Duration::from_micros(self.chance.faults.between(1, 2000));
            let generation = 1 - self.nodes[n].generation;
            self.tell_later(n, delay, Inbound::Reload(generation));
        }
    }

    /// Some length in the order of the time that a backup waits.
    fn fault_length(&mut self) -> Duration {
        let down = self.plan.times.down;
        let times = self.plan.times;
        match self.chance.faults.below(3) {
            0 => self.chance.faults.duration(times.shortest_interval / 10, times.interval * 2),
            _ => self.chance.faults.duration(down / 4, down * 3),
        }
    }

    /// One fault of any kind.
    pub fn fault(&mut self) {
        let nodes = self.nodes.len();
        let n = self.chance.faults.index(nodes);
        let segment = self.chance.faults.index(self.plan.segments);
        let length = self.fault_length();
        match self.chance.faults.below(36) {
            0..=7 => self.network_fault(segment, n, length),
            8..=13 => self.interface_fault(segment, n, length),
            14..=22 => self.process_fault(n, length),
            23..=26 => self.kernel_fault(n, length),
            27..=30 => self.operator(n, length),
            _ => self.reload_fault(n),
        }
    }

    fn network_fault(&mut self, segment: usize, n: usize, length: Duration) {
        let nodes = self.nodes.len();
        let other = (n + 1 + self.chance.faults.index(nodes - 1)) % nodes;
        let kind = self.chance.faults.below(13);
        match kind {
            0..=3 => {
                let faults = &mut self.chance.faults;
                let quality = &mut self.network.quality[segment];
                let name = match kind {
                    0 => {
                        quality.loss = faults.between(5, 70);
                        "loss"
                    }
                    1 => {
                        quality.duplication = faults.between(10, 90);
                        "duplication"
                    }
                    2 => {
                        quality.longest = faults.duration(
                            Duration::from_millis(1),
                            length / 2 + Duration::from_millis(1),
                        );
                        "delay"
                    }
                    _ => {
                        quality.reorder = true;
                        quality.longest = Duration::from_millis(faults.between(1, 50));
                        "reordering"
                    }
                };
                self.coverage.fault(name);
                note!(self, "net", "segment {segment}: {name} for {length:?}");
                self.later(length, Happening::Undo(Undo::Quality { segment }));
            }
            4 => {
                self.coverage.fault("cut of one direction");
                self.cut_for(segment, n, other, length);
            }
            5 => {
                self.coverage.fault("cut of a pair");
                self.cut_for(segment, n, other, length);
                self.cut_for(segment, other, n, length);
            }
            6 => {
                self.coverage.fault("node isolated");
                for other in (0..nodes).filter(|other| *other != n) {
                    self.cut_for(segment, n, other, length);
                    self.cut_for(segment, other, n, length);
                }
                if self.chance.faults.percent(50) {
                    self.cut_clients_for(segment, n, length);
                }
            }
            7 => {
                self.coverage.fault("clients cut off");
                self.cut_clients_for(segment, n, length);
            }
            8 => {
                self.coverage.fault("segment cut for all");
                for from in 0..nodes {
                    for to in (0..nodes).filter(|to| *to != from) {
                        self.cut_for(segment, from, to, length);
                    }
                }
            }
            9 => {
                self.coverage.fault("adverts refused");
                note!(self, node n, "cannot send for {length:?}");
                self.nodes[n].mute = true;
                self.later(length, Happening::Undo(Undo::Mute { node: n }));
            }
            10 => self.other_pair(segment, length),
            _ => self.partition(segment, length),
        }
    }

    fn cut_clients_for(&mut self, segment: usize, node: usize, length: Duration) {
        self.network.cut_clients(segment, node, true);
        self.later(length, Happening::Undo(Undo::Clients { segment, node }));
    }

    /// Two sides that do not hear each other; then one link after the other comes back.
    fn partition(&mut self, segment: usize, length: Duration) {
        self.coverage.fault("partition, links restored one by one");
        let nodes = self.nodes.len();
        let faults = &mut self.chance.faults;
        let mut side: Vec<bool> = (0..nodes).map(|n| n % 2 == 0).collect();
        faults.shuffle(&mut side);
        let pairs = (0..nodes).flat_map(|a| (0..nodes).map(move |b| (a, b)));
        let mut links: Vec<_> = pairs.filter(|(a, b)| side[*a] != side[*b]).collect();
        faults.shuffle(&mut links);
        let step = faults.duration(Duration::from_millis(1), length);
        for (place, (from, to)) in links.into_iter().enumerate() {
            self.cut_for(segment, from, to, length + step * place as u32 / 2);
        }
    }

    fn interface_fault(&mut self, segment: usize, n: usize, length: Duration) {
        let (name, index, flap) = match self.chance.faults.below(7) {
            0 => ("carrier lost", segment, Flap::Carrier),
            1 => ("interface down", segment, Flap::Down),
            2 => ("interface vanishes", segment, Flap::Vanish),
            3 => ("own IPv4 address lost", segment, Flap::NoIpv4),
            4 => ("own IPv6 address lost", segment, Flap::NoIpv6),
            5 => ("uplink down", self.plan.segments, Flap::Carrier),
            _ => {
                let unknown = self.chance.faults.percent(20);
                let (name, state) = if unknown {
                    ("check unknown", TrackerState::Unknown)
                } else {
                    ("check down", TrackerState::Down)
                };
                self.coverage.fault(name);
                self.set_check(n, state);
                self.later(length, Happening::Undo(Undo::Check { node: n }));
                return;
            }
        };
        let interface = self.nodes[n].interfaces[index];
        if interface.present && interface.up && interface.ipv4 && interface.ipv6 {
            self.coverage.fault(name);
            self.change_interface(n, index, flap, true);
            self.later(length, Happening::Undo(Undo::Interface { node: n, index, flap }));
        }
    }

    fn process_fault(&mut self, n: usize, length: Duration) {
        if self.nodes[n].process.is_none() {
            return;
        }
        let short = self.plan.times.shortest_interval;
        match self.chance.faults.below(8) {
            0 | 1 => {
                self.coverage.fault("kill, restart with shared state in time");
                self.kill(n, true);
                let delay = self.chance.faults.duration(Duration::from_millis(1), short);
                self.start_later(n, delay);
            }
            2 => {
                self.coverage.fault("kill, restart with shared state later");
                self.kill(n, true);
                self.start_later(n, length + short * 2);
            }
            3 => {
                self.coverage.fault("kill, restart without shared state");
                self.kill(n, false);
                self.start_later(n, length);
            }
            4 | 5 => {
                self.coverage.fault("pause of the process");
                self.stall(n, length, false);
            }
            6 => {
                self.coverage.fault("frozen with its kernel");
                self.stall(n, length, true);
            }
            _ => {
                self.coverage.fault("late timers");
                let late = self.chance.faults.duration(Duration::from_millis(1), short * 3);
                note!(self, node n, "timers up to {late:?} late for {length:?}");
                self.timers_run_on_time(n);
                self.nodes[n].late = late;
                self.later(length, Happening::Undo(Undo::Late { node: n }));
            }
        }
    }

    fn kernel_fault(&mut self, n: usize, length: Duration) {
        match self.chance.faults.below(5) {
            0 => {
                self.coverage.fault("kernel refuses");
                self.nodes[n].refusals = self.chance.faults.between(1, 6) as u32;
                note!(self, node n, "the kernel will refuse {} requests", self.nodes[n].refusals);
                self.later(length, Happening::Undo(Undo::Refusals { node: n }));
            }
            1 => {
                self.coverage.fault("kernel slow");
                self.nodes[n].kernel_slow =
                    Duration::from_millis(self.chance.faults.between(1, 60));
                self.later(length, Happening::Undo(Undo::Slow { node: n }));
            }
            2 => {
                self.coverage.fault("client forgets");
                let client = self.chance.faults.index(self.clients.len());
                self.clients[client].flush();
            }
            _ => {
                // Most of the time from a master, since others hold nothing.
                let nodes = self.nodes.len();
                let victim = (0..nodes)
                    .map(|step| (n + step) % nodes)
                    .find(|n| !self.nodes[*n].kernel.is_empty());
                if let Some(victim) = victim {
                    let keys: Vec<Key> = self.nodes[victim].kernel.keys().copied().collect();
                    let key = self.chance.faults.pick(&keys);
                    if matches!(key, Key::Address(_)) && self.nodes[victim].process.is_some() {
                        self.coverage.fault("foreign removal");
                        self.watch.kernel_disturbed(victim, self.now);
                        self.remove_foreign(victim, key);
                    }
                }
            }
        }
    }

    fn operator(&mut self, n: usize, length: Duration) {
        let names = self.plan.names.len();
        let name = self.chance.faults.index(names);
        // Commands mostly go to the master.
        let n = match self.master_of(name) {
            Some(master) if self.chance.faults.percent(80) => master,
            _ => n,
        };
        if !self.nodes[n].running() {
            return;
        }
        match self.chance.faults.below(10) {
            0 | 1 => {
                self.coverage.fault("switchover");
                self.tell(n, Inbound::Switchover { name, hold_for: None, force: false });
            }
            2 => {
                self.coverage.fault("switchover for a time");
                self.tell(n, Inbound::Switchover { name, hold_for: Some(length), force: false });
            }
            3 => {
                self.coverage.fault("switchover, forced");
                self.tell(n, Inbound::Switchover { name, hold_for: Some(length), force: true });
            }
            4 | 5 => {
                self.coverage.fault("release");
                self.tell(n, Inbound::Release { name });
            }
            6 => {
                self.coverage.fault("announcement asked for");
                self.tell(n, Inbound::Announce { name });
            }
            _ => {
                self.coverage.fault("stop and start");
                self.tell(n, Inbound::Shutdown);
                self.start_after_stop(n, length);
            }
        }
        self.watch.disturbed(n, self.now);
    }

    /// The service manager starts the process again; one that has not ended by then is killed.
    pub fn start_after_stop(&mut self, n: usize, length: Duration) {
        self.start_later(n, length + 3 * self.plan.times.down);
    }

    fn reload_fault(&mut self, n: usize) {
        if !self.nodes[n].running() {
            return;
        }
        if self.chance.faults.percent(30) {
            self.nodes[n].reload_armed = true;
        } else {
            self.coverage.fault("reload");
            let generation = 1 - self.nodes[n].generation;
            self.tell(n, Inbound::Reload(generation));
        }
    }

    /// Ends all faults; what did not run runs again.
    pub fn heal(&mut self) {
        note!(self, "heal", "all faults end");
        self.network.heal();
        let plan = Rc::clone(&self.plan);
        for n in 0..self.nodes.len() {
            for index in 0..=plan.segments {
                let interface = self.nodes[n].interfaces[index];
                if !interface.present {
                    self.change_interface(n, index, Flap::Vanish, false);
                } else if !interface.up || !interface.ipv4 || !interface.ipv6 {
                    self.change_interface(n, index, Flap::Carrier, false);
                    self.change_interface(n, index, Flap::NoIpv4, false);
                    self.change_interface(n, index, Flap::NoIpv6, false);
                }
            }
            let node = &mut self.nodes[n];
            node.kernel_slow = Duration::ZERO;
            node.refusals = 0;
            node.mute = false;
            node.reload_armed = false;
            self.timers_run_on_time(n);
            if self.nodes[n].stalled {
                let token = self.nodes[n].stall_token;
                self.thaw(n, token);
            }
            if self.nodes[n].process.as_ref().is_some_and(|p| p.stopping) {
                self.kill(n, false);
            }
            if self.nodes[n].process.is_none() {
                self.start(n);
            }
            self.set_check(n, TrackerState::Up);
            let second = !plan.mixed_is_fine || self.chance.faults.percent(30);
            if second && self.nodes[n].generation != 1 {
                self.tell(n, Inbound::Reload(1));
            }
            for name in 0..plan.names.len() {
                self.tell(n, Inbound::Release { name });
            }
        }
    }
}

/// Time between two faults.
pub fn gap(rng: &mut Rng, down: Duration) -> Duration {
    rng.duration(Duration::from_millis(1), down * 2)
}
