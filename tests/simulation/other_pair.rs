//! Another pair of routers that uses a VRID of ours: nothing comes of it (`vrrp:V-40`).

use std::rc::Rc;
use std::time::Duration;

use steadfast::units::{Centiseconds, Family, Priority, Version};
use steadfast::vrrp::timers::Timer;
use steadfast::wire::vrrp::group;

use crate::network::{Endpoint, Frame};
use crate::packet::{Packet, Route};
use crate::plan;
use crate::timeline::note;
use crate::world::{Happening, World};

/// The last octet of its routers, and of its address.
const OTHER: u8 = 99;

impl World {
    /// Its adverts reach all nodes of a segment for some time.
    pub fn other_pair(&mut self, segment: usize, length: Duration) {
        let plan = Rc::clone(&self.plan);
        let here: Vec<usize> =
            (0..plan.names.len()).filter(|name| plan.names[*name].segment == segment).collect();
        if here.is_empty() {
            return;
        }
        let name = self.chance.faults.pick(&here);
        let (node, generation) =
            (self.chance.faults.index(plan.nodes()), self.chance.faults.index(2));
        let Some(settings) = plan.instance(node, generation, name) else { return };
        let families: Vec<Family> =
            Family::ALL.into_iter().filter(|family| settings.has_family(*family)).collect();
        self.coverage.fault("adverts of another pair");
        note!(self, "net", "segment {segment}: another pair uses the VRID of {name}");
        for _ in 0..self.chance.faults.between(1, 30) {
            let family = self.chance.faults.pick(&families);
            let any = self.chance.faults.between(0, 255) as u8;
            let priority = Priority(self.chance.faults.pick(&[0, 1, 254, 255, any, any]));
            let interval = match settings.version {
                Version::V2 if self.chance.faults.percent(80) => settings.interval,
                Version::V2 => Centiseconds(100 * self.chance.faults.between(1, 10) as u16),
                Version::V3 => Centiseconds(self.chance.faults.between(1, 4095) as u16),
            };
            let at = self.now + self.chance.faults.duration(Duration::ZERO, length);
            let from = plan::Host { v4: OTHER, v6: OTHER };
            let addresses = [plan::address(family, segment, settings.vrid.get(), OTHER)];
            for to in 0..plan.nodes() {
                let destination = if settings.unicast_peers.is_empty() {
                    group(family)
                } else {
                    plan.hosts[to].address(family, segment)
                };
                let source = from.address(family, segment);
                let route = Route { from: plan.nodes(), name, source, destination };
                let mut packet = Packet::new(route, settings, priority, interval, &addresses);
                packet.of_another_pair = true;
                let (to, frame) = (Endpoint::Node(to), Rc::new(Frame::Advert(packet)));
                self.at(at, Happening::Deliver { segment, to, frame });
            }
        }
    }

    /// All of a node's process that an advert could change, in words.
    pub fn election(&self, n: usize) -> String {
        let Some(process) = &self.nodes[n].process else { return String::new() };
        let engine = &process.engine;
        let of_instance = |(id, _): &(_, usize)| {
            let id = *id;
            let timers = Timer::ALL.map(|timer| engine.timer(id, timer));
            let routers: Vec<_> = engine
                .routers(id)
                .map(|router| {
                    let statistics = engine.statistics(router);
                    let heard = statistics.map(|s| (s.adverts_received, s.last_received));
                    (engine.master(router), heard)
                })
                .collect();
            let priority = engine.effective_priority(id);
            let role = (engine.state(id), engine.since(id), engine.handing_over(id), priority);
            format!("{role:?} {timers:?} {routers:?}")
        };
        let instances: Vec<String> = process.ids.iter().map(of_instance).collect();
        format!("{:?} {instances:?}", engine.next_deadline())
    }
}
