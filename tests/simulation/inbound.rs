//! What reaches a process: messages, frames and packets.

use std::net::IpAddr;
use std::rc::Rc;
use std::time::Duration;
use steadfast::vrrp::CommandId;

use steadfast::units::Family;
use steadfast::vrrp::change::Change;
use steadfast::vrrp::settings::Settings;
use steadfast::vrrp::{Command, Event, InterfaceState};

use crate::network::Frame;
use crate::node::{Inbound, Key, key_of, mac};
use crate::packet::Packet;
use crate::plan::{Generation, interface_name};
use crate::random_plan::CHECK;
use crate::timeline::note;
use crate::world::{Happening, World};

/// Packets that wait for a process at the most; more are lost.
const SOCKET_BUFFER: usize = 64;

impl World {
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
                    // Some of what goes, the kernel takes by itself.
                    if !present && self.chance.kernel.percent(25) {
                        self.feed(n, Event::WentAlong { object });
                    } else {
                        self.feed(n, Event::Object { object, present });
                    }
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
                        && self.nodes[n].lists(owner, address)
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
                    self.feed(n, Event::Command(CommandId(0), command));
                }
            }
            Inbound::Release { name } => {
                if let Some(instance) = instance(self, name) {
                    note!(self, node n, "command: release {}", self.plan.names[name].name);
                    self.feed(n, Event::Command(CommandId(0), Command::Release { instance }));
                }
            }
            Inbound::Announce { name } => {
                if let Some(instance) = instance(self, name) {
                    self.feed(n, Event::Command(CommandId(0), Command::Announce { instance }));
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

    pub fn tell_interfaces(&mut self, n: usize) {
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

    fn reload_now(&mut self, n: usize, generation: Generation) {
        note!(self, node n, "reload to generation {generation}");
        self.timeline.mix(self.now, [3, n as u64, generation as u64]);
        let before = std::mem::replace(&mut self.nodes[n].generation, generation);
        self.watch.disturbed(n, self.now);
        let plan = Rc::clone(&self.plan);
        // Some are told all, as a process is whose configuration the supervisor does not know.
        let before = match n % 2 {
            0 => &plan.settings[n][before],
            _ => &Settings::default(),
        };
        let change = Change::between(before, &plan.settings[n][generation]);
        self.feed(n, Event::Reload(&change));
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
        if !interface.present || !interface.up {
            return;
        }
        if let Frame::Probe { from, address } = **frame {
            self.answer_probe(n, segment, from, address);
        }
        if self.nodes[n].process.is_none() {
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
            Frame::Announcement { address, mac, .. } | Frame::Answer { address, mac } => {
                let (address, mac) = (*address, *mac);
                self.tell(n, Inbound::Announced { segment, address, mac });
            }
            Frame::Probe { .. } => {}
        }
    }

    /// The kernel answers for what it has, unless that is muted.
    fn answer_probe(&mut self, n: usize, segment: usize, asker: usize, address: IpAddr) {
        let node = &self.nodes[n];
        let muted = self.plan.owners.get(&address).is_some_and(|name| node.muted.contains(name));
        if muted || !node.kernel.contains_key(&Key::Address(address)) {
            return;
        }
        note!(self, node n, "answers for {address}");
        let mac = mac(segment, n);
        match address {
            IpAddr::V4(_) => self.transmit(segment, n, Some(asker), Frame::Answer { address, mac }),
            IpAddr::V6(_) => {
                let frame = Frame::Announcement { from: n, address, mac };
                self.transmit(segment, n, None, frame);
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
        if packet.of_another_pair {
            let before = self.election(n);
            self.feed(n, Event::Received(packet.received(interface)));
            let after = self.election(n);
            self.coverage.check("another pair changes nothing");
            if before != after {
                let packet = self.describe_packet(packet);
                self.violated(format!("n{n} hears {packet} of another pair\n{before}\n{after}"));
            }
            return;
        }
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
