//! The driver of one engine: hands events over and does what the engine asks for.

use std::rc::Rc;
use std::time::Duration;
use steadfast::vrrp::{Announcement, KernelRequest, Report, Urgent};

use steadfast::units::{Family, Priority};
use steadfast::vrrp::{
    Action, Event, InstanceId, KernelError, Notice, ObjectId, Probed, RouterId, State,
};

use crate::coverage::{cause_name, notice_name, state_name};
use crate::network::Frame;
use crate::node::{self, Key, Shared};
use crate::packet::{Packet, Route};
use crate::timeline::note;
use crate::world::{Happening, World};

/// So many actions after one event are no longer work but a loop.
const ENDLESS: usize = 20_000;

/// The order in which work is handed out.
const fn rank(action: &Action) -> u8 {
    match action {
        Action::Urgent(_) => 0,
        Action::Kernel(_) => 1,
        Action::Announcement(_) => 2,
        Action::Report(Report::Notice(_)) => 3,
        Action::Report(Report::Answer { .. }) => 4,
        Action::Report(Report::Stopped) => 5,
    }
}

impl World {
    /// Hands one event to a process that runs.
    pub fn feed(&mut self, n: usize, event: Event<'_>) {
        let now = self.now;
        let Some(process) = &mut self.nodes[n].process else { return };
        process.engine.handle(event, now);
        process.busy = true;
        self.steps += 1;
        self.observe(n);
    }

    /// Does what the engine asks for: all of it, or only a slice.
    pub fn settle(&mut self, n: usize) {
        if !self.nodes[n].running() || self.violation.is_some() {
            return;
        }
        let slice = self.slices && self.chance.driver.percent(8);
        let limit = if slice { self.chance.driver.below(4) as usize } else { ENDLESS };
        if self.poll(n, limit) {
            self.nothing_left(n);
        } else if slice {
            let delay = Duration::from_micros(self.chance.driver.between(1, 200));
            let epoch = self.nodes[n].epoch;
            self.later(delay, Happening::Continue { node: n, epoch });
        } else {
            self.violated(format!("n{n}: the engine asks for more than {ENDLESS} actions"));
        }
        self.set_timer(n);
    }

    /// The next slice.
    pub fn go_on(&mut self, n: usize, epoch: u64) {
        let node = &self.nodes[n];
        if node.epoch == epoch && node.process.as_ref().is_some_and(|p| p.busy) {
            self.settle(n);
        }
    }

    /// Takes up to `limit` actions; true when there are no more.
    fn poll(&mut self, n: usize, limit: usize) -> bool {
        let mut last = 0;
        for _ in 0..limit {
            let Some(process) = &mut self.nodes[n].process else { return true };
            let Some(action) = process.engine.poll_action() else { return true };
            let rank = rank(&action);
            if rank < last {
                self.violated(format!("n{n}: {action:?} comes after something less urgent"));
            }
            // The answer to DrainSockets may bring anything.
            last = if action == Action::Urgent(Urgent::DrainSockets) { 0 } else { rank };
            self.act(n, action);
            if self.violation.is_some() {
                return true;
            }
        }
        false
    }

    /// The engine has no more to do: it has to be quiet until the next event.
    fn nothing_left(&mut self, n: usize) {
        let now = self.now;
        let Some(process) = &mut self.nodes[n].process else { return };
        process.busy = false;
        let deadline = process.engine.next_deadline();
        if process.woken.take() == Some(now) && deadline.is_some_and(|due| due <= now) {
            self.violated(format!("n{n}: after Wake the next deadline {deadline:?} is not later"));
            return;
        }
        if self.chance.driver.below(64) != 0 {
            return;
        }
        let Some(process) = &mut self.nodes[n].process else { return };
        if deadline.is_none_or(|due| due > now) {
            // Too early: nothing may come of it.
            process.engine.handle(Event::Wake, now);
            if let Some(action) = process.engine.poll_action() {
                self.violated(format!("n{n}: an early Wake gives {action:?}"));
            } else if process.engine.next_deadline() != deadline {
                self.violated(format!("n{n}: an early Wake moves the deadline {deadline:?}"));
            }
            self.coverage.check("nothing to do, nothing done");
        }
    }

    fn act(&mut self, n: usize, action: Action) {
        match action {
            Action::Urgent(Urgent::SendAdvert { router, priority, interval }) => {
                let Some(name) = self.known(n, router.instance, &action) else { return };
                let words = [10, n as u64, u64::from(priority.0) << 32 | name as u64];
                self.timeline.mix(self.now, words);
                self.send_advert(n, name, router, priority, interval);
            }
            Action::Urgent(Urgent::DrainSockets) => {
                self.timeline.mix(self.now, [11, n as u64, 0]);
                note!(self, node n, "reads its sockets empty");
                self.read_sockets(n, false);
                self.feed(n, Event::SocketsDrained);
            }
            Action::Kernel(KernelRequest::Install(object)) => {
                self.request(n, object, true, &action)
            }
            Action::Kernel(KernelRequest::Remove(object)) => {
                self.request(n, object, false, &action)
            }
            Action::Kernel(KernelRequest::Mute(instance))
            | Action::Kernel(KernelRequest::Unmute(instance)) => {
                let mute = matches!(action, Action::Kernel(KernelRequest::Mute(_)));
                let Some(name) = self.known(n, instance, &action) else { return };
                self.timeline.mix(self.now, [12, n as u64, u64::from(mute)]);
                note!(self, node n, "{} {}", if mute { "mutes" } else { "unmutes" }, self.plan.names[name].name);
                if mute {
                    self.nodes[n].muted.insert(name);
                } else {
                    self.nodes[n].muted.remove(&name);
                }
            }
            Action::Announcement(Announcement::Announce(object)) => {
                self.announce(n, object, &action)
            }
            Action::Announcement(Announcement::Probe(probed)) => self.probe(n, probed, &action),
            Action::Report(Report::Notice(notice)) => self.notice(n, &notice),
            Action::Report(Report::Answer { .. }) => {}
            Action::Report(Report::Stopped) => self.stopped(n),
        }
    }

    /// The name of an instance that an action speaks of.
    fn known(&mut self, n: usize, id: InstanceId, action: &Action) -> Option<usize> {
        let name = self.nodes[n].name_of(id);
        if name.is_none() {
            self.violated(format!("n{n}: {action:?} speaks of an instance that never was"));
        }
        name
    }

    /// The name and key of an object that an action speaks of.
    fn resolve(&mut self, n: usize, object: ObjectId, action: &Action) -> Option<(usize, Key)> {
        let name = self.known(n, object.instance, action)?;
        let process = self.nodes[n].process.as_ref()?;
        let Some(value) = process.engine.object(object) else {
            self.violated(format!("n{n}: {action:?} speaks of an object that is not known"));
            return None;
        };
        Some((name, node::key_of(value, name)))
    }

    fn send_advert(
        &mut self,
        n: usize,
        name: usize,
        router: RouterId,
        priority: Priority,
        interval: steadfast::units::Centiseconds,
    ) {
        self.may_send(n, name, router, priority, interval);
        let plan = Rc::clone(&self.plan);
        let generation = self.nodes[n].generation;
        // An instance that a reload removed says goodbye as it was.
        let settings = plan
            .instance(n, generation, name)
            .or_else(|| plan.instance(n, 1 - generation, name))
            .expect("an instance is in a generation");
        let segment = plan.names[name].segment;
        let node = &mut self.nodes[n];
        let Some(process) = &node.process else { return };
        let Some(source) = process.engine.source(router) else {
            self.violated(format!("n{n}: an advert of {router:?} has no address to come from"));
            return;
        };
        let addresses: Vec<_> = process.engine.packet_addresses(router).collect();
        let last = process.engine.last_advert(router.instance);
        if !priority.is_stop() {
            let Some(last_advert) = last else {
                self.violated(format!("n{n}: an advert goes out and last_advert knows of none"));
                return;
            };
            let master = node.claims(name);
            node.shared[name] = Some(Shared { master, last_advert });
        }
        note!(self, node n, "sends {} {} priority {priority} interval {} cs", plan.names[name].name, router.family, interval.0);
        if !self.nodes[n].link_up(segment) {
            return;
        }
        if self.nodes[n].mute {
            self.feed(n, Event::Refused { router, error: KernelError(1) });
            return;
        }
        let peers = settings.unicast_peers.iter().copied();
        let peers: Vec<_> = peers.filter(|p| Family::of(*p) == router.family).collect();
        let group = [steadfast::wire::vrrp::group(router.family)];
        let destinations: &[_] = if settings.unicast_peers.is_empty() { &group } else { &peers };
        for destination in destinations {
            let route = Route { from: n, name, source, destination: *destination };
            let packet = Packet::new(route, settings, priority, interval, &addresses);
            let only = (0..plan.nodes())
                .find(|other| plan.hosts[*other].address(router.family, segment) == *destination);
            for chunk in packet.octets().chunks(8) {
                let mut octets = [0; 8];
                octets[..chunk.len()].copy_from_slice(chunk);
                self.timeline.mix(self.now, [13, n as u64, u64::from_be_bytes(octets)]);
            }
            self.transmit(segment, n, only, Frame::Advert(packet));
        }
    }

    fn request(&mut self, n: usize, object: ObjectId, present: bool, action: &Action) {
        let Some((name, key)) = self.resolve(n, object, action) else { return };
        self.timeline.mix(self.now, [14, n as u64, u64::from(present) << 32 | name as u64]);
        note!(self, node n, "asks for {key:?} present {present}");
        if present && self.nodes[n].state_of(object.instance) != Some(State::Master) {
            self.violated(format!("n{n} installs {key:?} and is not master"));
            return;
        }
        self.ask_kernel(n, object, key, name, present);
    }

    fn announce(&mut self, n: usize, object: ObjectId, action: &Action) {
        let Some((name, key)) = self.resolve(n, object, action) else { return };
        let Key::Address(address) = key else {
            self.violated(format!("n{n} announces {key:?}, which is no address"));
            return;
        };
        self.timeline.mix(self.now, [15, n as u64, name as u64]);
        note!(self, node n, "announces {address}");
        let node = &self.nodes[n];
        if !node.kernel.contains_key(&key) && !node.vanishing.contains(&key) {
            self.violated(format!("n{n} announces {address}, which its kernel does not have"));
            return;
        }
        let master = node.state_of(object.instance) == Some(State::Master);
        if !master || node.hands_over(object.instance) {
            self.violated(format!("n{n} announces {address} and is not master"));
            return;
        }
        let segment = self.plan.names[name].segment;
        if node.link_up(segment) {
            self.watch.announced(address, n, self.now);
            let mac = node::mac(segment, n);
            self.transmit(segment, n, None, Frame::Announcement { from: n, address, mac });
        }
    }

    fn probe(&mut self, n: usize, probed: Probed, action: &Action) {
        let Some(name) = self.known(n, probed.instance(), action) else { return };
        let node = &self.nodes[n];
        let address = node.process.as_ref().and_then(|p| p.engine.probed_address(probed));
        let master = node.state_of(probed.instance()) == Some(State::Master);
        let (Some(address), true) =
            (address.filter(|_| master), !node.hands_over(probed.instance()))
        else {
            self.violated(format!("n{n}: {action:?} of one that is not master"));
            return;
        };
        self.timeline.mix(self.now, [17, n as u64, name as u64]);
        note!(self, node n, "probes {address}");
        let segment = self.plan.names[name].segment;
        if self.nodes[n].link_up(segment) {
            self.transmit(segment, n, None, Frame::Probe { from: n, address });
        }
    }

    fn notice(&mut self, n: usize, notice: &Notice) {
        *self.coverage.notices.entry(notice_name(notice)).or_default() += 1;
        self.timeline.mix_text(self.now, n, notice_name(notice));
        if let Notice::Transition { instance, from, to, cause } = notice {
            let name = self.nodes[n].name_of(*instance);
            let called = name.map_or("?", |name| &*self.plan.names[name].name).to_owned();
            note!(self, node n, "== {called}: {} -> {} ({cause:?})", state_name(*from), state_name(*to));
            let key = (state_name(*from), state_name(*to), cause_name(cause));
            *self.coverage.transitions.entry(key).or_default() += 1;
            *self.coverage.states.entry(state_name(*to)).or_default() += 1;
            if let Some(name) = name {
                self.watch.transitions += 1;
                if let Some(sentence) = self.watch.moves(n, name, *from, *to) {
                    self.violated(sentence);
                }
                self.reload_armed(n);
            }
        } else {
            note!(self, node n, "notice {notice:?}");
            if let Some(sentence) = self.watch.notices(n, self.now, &self.plan) {
                self.violated(sentence);
            }
        }
        if let Notice::HandOverTaken { instance, .. } = notice
            && let Some(name) = self.nodes[n].name_of(*instance)
        {
            self.watch.taken.push((n, name));
        }
    }

    fn stopped(&mut self, n: usize) {
        note!(self, node n, "process ends");
        self.timeline.mix(self.now, [16, n as u64, 0]);
        let node = &self.nodes[n];
        if !node.process.as_ref().is_some_and(|p| p.stopping) {
            self.violated(format!("n{n} ends without having been told to"));
            return;
        }
        if !node.kernel.is_empty() && self.watch.undisturbed_kernel(n, self.now) {
            let left: Vec<_> = node.kernel.keys().collect();
            self.violated(format!("n{n} ends and leaves {left:?} in the kernel"));
            return;
        }
        // Mute stays what is still there because the kernel refused: the supervisor's work too.
        if node.muted.iter().any(|name| node.kernel.values().all(|owner| owner != name)) {
            self.violated(format!("n{n} ends and leaves its addresses mute"));
            return;
        }
        self.nodes[n].shared.fill(None);
        self.end_process(n);
        // What the kernel refused to give back, the supervisor takes.
        self.nodes[n].kernel.clear();
        self.nodes[n].muted.clear();
    }
}
