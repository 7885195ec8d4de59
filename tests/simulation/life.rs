//! The life of a process: start, death, pauses, and what its supervisor does meanwhile.

use std::rc::Rc;
use std::time::Duration;

use steadfast::vrrp::{Engine, Event};

use crate::node::{Inbound, Process, key_of};
use crate::random_plan::CHECK;
use crate::timeline::note;
use crate::world::{Happening, World};

impl World {
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
        for (name, shared) in left.into_iter().enumerate() {
            let node = &mut self.nodes[n];
            if let Some(shared) = shared
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

    pub fn learn_ids(&mut self, n: usize) {
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
}
