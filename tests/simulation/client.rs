//! Clients of the virtual addresses: a neighbour cache and a regular ping.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use steadfast::units::Instant;

use crate::timeline::note;
use crate::world::{Happening, World};

/// One client on a segment.
#[derive(Debug)]
pub struct Client {
    pub segment: usize,
    cache: BTreeMap<IpAddr, Entry>,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    node: usize,
    misses: u32,
}

/// Pings during a planned hand-over.
#[derive(Debug, Default)]
pub struct PingRecord {
    /// The addresses that count.
    pub addresses: Vec<IpAddr>,
    pub answered: u64,
    /// When, which client, which address, whom it believed.
    pub lost: Vec<(Instant, usize, IpAddr, Option<usize>)>,
}

impl Client {
    pub fn new(segment: usize) -> Self {
        Self { segment, cache: BTreeMap::new() }
    }

    /// An announcement or an answer was heard: the last one wins.
    pub fn learn(&mut self, address: IpAddr, node: usize) {
        self.cache.insert(address, Entry { node, misses: 0 });
    }

    pub fn believes(&self, address: IpAddr) -> Option<usize> {
        self.cache.get(&address).map(|entry| entry.node)
    }

    /// Forgets everything.
    pub fn flush(&mut self) {
        self.cache.clear();
    }
}

impl World {
    /// Pings more or less often from now on.
    pub fn ping_every(&mut self, period: Duration) {
        self.ping_period = period;
        self.ping_token += 1;
        self.later(Duration::ZERO, Happening::Ping { token: self.ping_token });
    }

    /// One round: every client pings every address of its segment.
    pub fn ping(&mut self, token: u64) {
        if token != self.ping_token {
            return;
        }
        self.later(self.ping_period, Happening::Ping { token });
        let plan = std::rc::Rc::clone(&self.plan);
        for client in 0..self.clients.len() {
            let segment = self.clients[client].segment;
            for (address, _) in
                plan.owners.iter().filter(|(_, n)| plan.names[**n].segment == segment)
            {
                self.ping_one(client, segment, *address);
            }
        }
    }

    fn ping_one(&mut self, client: usize, segment: usize, address: IpAddr) {
        let believed = self.clients[client].believes(address);
        let answered = believed.is_some_and(|node| self.answers_pings(node, segment, address));
        if let Some(record) = &mut self.watch.pings
            && record.addresses.contains(&address)
        {
            if answered {
                record.answered += 1;
            } else {
                record.lost.push((self.now, client, address, believed));
                note!(self, "client", "c{client}: ping to {address} lost (believes {believed:?})");
            }
        }
        let ask = match self.clients[client].cache.get_mut(&address) {
            None => true,
            Some(entry) if answered => {
                entry.misses = 0;
                // The entry became stale and is confirmed.
                self.chance.hosts.below(40) == 0
            }
            Some(entry) => {
                entry.misses += 1;
                entry.misses >= 3
            }
        };
        if ask {
            for node in 0..self.plan.nodes() {
                if self.network.reaches_clients(segment, node) {
                    let delay = self.chance.hosts.between(10, 60);
                    let delay = Duration::from_micros(delay);
                    self.later(delay, Happening::Solicit { node, client, address });
                }
            }
        }
    }

    /// A request who has an address reaches a node.
    pub fn solicited(&mut self, node: usize, client: usize, address: IpAddr) {
        let segment = self.clients[client].segment;
        if self.answers_solicitations(node, segment, address) {
            let delay = Duration::from_micros(self.chance.hosts.between(10, 60));
            self.later(delay, Happening::Answer { node, client, address });
        }
    }

    /// The answer reaches the client.
    pub fn answered(&mut self, node: usize, client: usize, address: IpAddr) {
        let segment = self.clients[client].segment;
        if self.network.reaches_clients(segment, node) {
            self.clients[client].learn(address, node);
        }
    }
}
