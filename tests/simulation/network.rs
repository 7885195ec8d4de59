//! Segments: who hears whom, how late, how often and in which order.

use std::net::IpAddr;
use std::rc::Rc;
use std::time::Duration;

use steadfast::units::{Instant, Mac};

use crate::packet::Packet;
use crate::plan::Plan;
use crate::timeline::note;
use crate::world::{Happening, World};

/// Where a frame goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Endpoint {
    Node(usize),
    Client(usize),
}

/// What travels.
#[derive(Debug)]
pub enum Frame {
    Advert(Packet),
    /// Gratuitous ARP or unsolicited neighbour advertisement.
    Announcement {
        from: usize,
        address: IpAddr,
        mac: Mac,
    },
    /// Who holds the address?
    Probe {
        from: usize,
        address: IpAddr,
    },
    /// An IPv4 holder's answer to a probe; an IPv6 one announces.
    Answer {
        address: IpAddr,
        mac: Mac,
    },
}

/// How a segment treats frames.
#[derive(Clone, Copy, Debug)]
pub struct Quality {
    /// Frames lost, in percent.
    pub loss: u64,
    /// Frames that arrive twice, in percent.
    pub duplication: u64,
    pub shortest: Duration,
    pub longest: Duration,
    /// Frames of one sender may overtake each other.
    pub reorder: bool,
}

impl Quality {
    pub const HEALTHY: Self = Self {
        loss: 0,
        duplication: 0,
        shortest: Duration::from_micros(10),
        longest: Duration::from_micros(60),
        reorder: false,
    };
}

/// One direction between two nodes on a segment.
#[derive(Clone, Copy, Debug)]
struct Link {
    cut: bool,
    last_arrival: Instant,
}

/// All segments.
#[derive(Debug)]
pub struct Network {
    nodes: usize,
    links: Vec<Link>,
    pub quality: Vec<Quality>,
    /// Per segment and node: whether clients and the node hear each other.
    clients_cut: Vec<bool>,
    /// The next adverts that match are lost: sender, highest priority, how many.
    pub swallow: Option<Swallow>,
}

/// Adverts that a directed scenario loses.
#[derive(Clone, Copy, Debug)]
pub struct Swallow {
    pub from: usize,
    /// Only towards this node; `None`: towards all.
    pub to: Option<usize>,
    pub what: Which,
    pub left: u32,
}

/// Which adverts are lost.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Which {
    /// Priority 0.
    Stop,
    /// With priority, of an interval below this many hundredths.
    ShorterThan(u16),
    /// With priority.
    Any,
}

impl Network {
    pub fn new(plan: &Plan) -> Self {
        let nodes = plan.nodes();
        Self {
            nodes,
            links: vec![
                Link { cut: false, last_arrival: Instant::ORIGIN };
                plan.segments * nodes * nodes
            ],
            quality: vec![Quality::HEALTHY; plan.segments],
            clients_cut: vec![false; plan.segments * nodes],
            swallow: None,
        }
    }

    fn link(&mut self, segment: usize, from: usize, to: usize) -> &mut Link {
        &mut self.links[(segment * self.nodes + from) * self.nodes + to]
    }

    pub fn cut(&mut self, segment: usize, from: usize, to: usize, cut: bool) {
        self.link(segment, from, to).cut = cut;
    }

    pub fn cut_clients(&mut self, segment: usize, node: usize, cut: bool) {
        self.clients_cut[segment * self.nodes + node] = cut;
    }

    /// Whether clients and a node hear each other.
    pub fn reaches_clients(&self, segment: usize, node: usize) -> bool {
        !self.clients_cut[segment * self.nodes + node]
    }

    /// As new.
    pub fn heal(&mut self) {
        for link in &mut self.links {
            link.cut = false;
        }
        self.quality.fill(Quality::HEALTHY);
        self.clients_cut.fill(false);
        self.swallow = None;
    }

    fn swallows(&mut self, to: usize, packet: &Packet) -> bool {
        let Some(swallow) = &mut self.swallow else { return false };
        let matches = swallow.from == packet.from
            && swallow.to.is_none_or(|only| only == to)
            && match swallow.what {
                Which::Stop => packet.priority.is_stop(),
                Which::ShorterThan(limit) => {
                    !packet.priority.is_stop() && packet.interval.0 < limit
                }
                Which::Any => !packet.priority.is_stop(),
            };
        if !matches || swallow.left == 0 {
            return false;
        }
        swallow.left -= 1;
        true
    }
}

impl World {
    /// Puts a frame on a segment, for one node or for all.
    pub fn transmit(&mut self, segment: usize, from: usize, only: Option<usize>, frame: Frame) {
        let frame = Rc::new(frame);
        for to in (0..self.plan.nodes()).filter(|to| *to != from) {
            if only.is_none_or(|only| only == to) {
                self.carry(segment, from, to, &frame);
            }
        }
        if matches!(*frame, Frame::Announcement { .. })
            && self.network.reaches_clients(segment, from)
        {
            for client in (0..self.clients.len()).filter(|c| c / 2 == segment) {
                let delay = self.client_delay(segment);
                let to = Endpoint::Client(client);
                self.later(delay, Happening::Deliver { segment, to, frame: Rc::clone(&frame) });
            }
        }
    }

    /// The same for all clients of a segment, so that the order on the wire is kept for them.
    fn client_delay(&self, segment: usize) -> Duration {
        self.network.quality[segment].shortest
    }

    fn carry(&mut self, segment: usize, from: usize, to: usize, frame: &Rc<Frame>) {
        if self.network.link(segment, from, to).cut {
            return;
        }
        let quality = self.network.quality[segment];
        if let Frame::Advert(packet) = &**frame
            && self.network.swallows(to, packet)
        {
            note!(self, "net", "advert of n{from} to n{to} swallowed");
            return;
        }
        if quality.loss > 0 && self.chance.network.percent(quality.loss) {
            return;
        }
        let twice = quality.duplication > 0 && self.chance.network.percent(quality.duplication);
        for _ in 0..=u8::from(twice) {
            let delay = self.chance.network.duration(quality.shortest, quality.longest);
            let mut arrival = self.now + delay;
            let link = self.network.link(segment, from, to);
            if !quality.reorder {
                arrival = arrival.max(link.last_arrival);
            }
            link.last_arrival = link.last_arrival.max(arrival);
            let to = Endpoint::Node(to);
            self.at(arrival, Happening::Deliver { segment, to, frame: Rc::clone(frame) });
        }
    }

    /// A frame arrives.
    pub fn deliver(&mut self, segment: usize, to: Endpoint, frame: &Rc<Frame>) {
        match to {
            Endpoint::Node(node) => self.node_hears(node, segment, frame),
            Endpoint::Client(client) => {
                if let Frame::Announcement { from, address, .. } = **frame {
                    self.clients[client].learn(address, from);
                }
            }
        }
    }
}
