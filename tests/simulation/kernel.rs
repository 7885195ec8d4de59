//! What the kernel of a node does with requests, and what happens to its objects and interfaces
//! without any.

use std::net::IpAddr;
use std::time::Duration;

use steadfast::units::Family;
use steadfast::vrrp::{KernelError, ObjectId};

use crate::node::{Inbound, Interface, Key};
use crate::timeline::note;
use crate::world::{Happening, World};

/// No such device.
const ENODEV: KernelError = KernelError(19);
/// Out of memory.
const ENOMEM: KernelError = KernelError(12);

/// What happens to an interface.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Flap {
    /// The cable.
    Carrier,
    /// `ip link set down`: IPv6 addresses go.
    Down,
    /// The interface vanishes with all its addresses.
    Vanish,
    /// The own IPv4 address goes.
    NoIpv4,
    /// The own link-local address goes.
    NoIpv6,
}

impl World {
    /// Asks the kernel for something. It does one thing after the other.
    pub fn ask_kernel(&mut self, n: usize, object: ObjectId, key: Key, name: usize, present: bool) {
        let node = &mut self.nodes[n];
        let usual = Duration::from_micros(self.chance.kernel.between(5, 80));
        let slow = self.chance.kernel.duration(Duration::ZERO, node.kernel_slow);
        let at = node.kernel_free.max(self.now) + usual + slow;
        node.kernel_free = at;
        let epoch = node.epoch;
        self.at(at, Happening::Kernel { node: n, epoch, object, key, name, present });
    }

    /// The kernel does it. A request of a process that was killed had not been made.
    pub fn kernel_applies(
        &mut self,
        n: usize,
        epoch: u64,
        object: ObjectId,
        key: Key,
        name: usize,
        present: bool,
    ) {
        let node = &mut self.nodes[n];
        if node.epoch != epoch {
            return;
        }
        let refuse = node.refusals > 0 && self.chance.kernel.percent(60);
        let missing = match key {
            Key::Address(_) => !node.interfaces[self.plan.names[name].segment].present,
            Key::Filter(_) => false,
        };
        let result = if refuse {
            node.refusals -= 1;
            Err(ENOMEM)
        } else if missing && present {
            Err(ENODEV)
        } else {
            if present {
                node.kernel.insert(key, name);
            } else {
                node.kernel.remove(&key);
            }
            Ok(())
        };
        if result.is_err() {
            self.watch.kernel_disturbed(n, self.now);
        }
        note!(self, node n, "kernel: {key:?} present {present}: {result:?}");
        self.tell(n, Inbound::Acknowledged { object, present, result });
    }

    /// Somebody else removes something.
    pub fn remove_foreign(&mut self, n: usize, key: Key) {
        if self.nodes[n].kernel.remove(&key).is_none() {
            return;
        }
        note!(self, node n, "{key:?} is removed by somebody else");
        self.nodes[n].vanishing.insert(key);
        let delay = Duration::from_micros(self.chance.kernel.between(10, 400));
        self.tell_later(n, delay, Inbound::Object { key, present: false });
    }

    /// Changes an interface; objects that it takes with it are reported too, in any order.
    pub fn change_interface(&mut self, n: usize, index: usize, flap: Flap, begin: bool) {
        self.watch.disturbed(n, self.now);
        let interface = &mut self.nodes[n].interfaces[index];
        let good = !begin;
        match flap {
            Flap::Carrier => interface.up = good,
            Flap::Down => {
                interface.up = good;
                interface.ipv6 = good;
            }
            Flap::Vanish => {
                *interface = Interface { present: good, up: good, ipv4: good, ipv6: good };
            }
            Flap::NoIpv4 => interface.ipv4 = good,
            Flap::NoIpv6 => interface.ipv6 = good,
        }
        note!(self, node n, "interface {index}: {flap:?} {}", if begin { "begins" } else { "ends" });
        let lost: Vec<Key> = if begin {
            let goes = |address: IpAddr| match flap {
                Flap::Vanish => true,
                Flap::Down => Family::of(address) == Family::V6,
                Flap::Carrier | Flap::NoIpv4 | Flap::NoIpv6 => false,
            };
            let kernel = &self.nodes[n].kernel;
            let here = |name: &usize| self.plan.names[*name].segment == index;
            let gone = kernel.iter().filter(|(key, name)| match key {
                Key::Address(address) => here(name) && goes(*address),
                Key::Filter(_) => false,
            });
            gone.map(|(key, _)| *key).collect()
        } else {
            Vec::new()
        };
        for key in lost {
            self.remove_foreign(n, key);
        }
        let delay = Duration::from_micros(self.chance.kernel.between(10, 400));
        let arrives = (self.now + delay).max(self.nodes[n].reported);
        self.nodes[n].reported = arrives;
        let state = self.interface_state(n, index);
        self.tell_later(n, arrives.since(self.now), Inbound::Interface { index, state });
    }
}
