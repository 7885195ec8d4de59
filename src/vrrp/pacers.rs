//! The spacing of announcements that an administrator asked for (`vrrp:G-5`).

use std::collections::VecDeque;

use super::ids::{InterfaceId, ObjectId};
use crate::units::{Family, Instant};

/// The queues of interfaces on which announcements are spaced.
#[derive(Debug, Default)]
pub struct Pacers {
    /// One for each interface and family that announcements were sent on.
    pub list: Vec<Pacer>,
}

/// One queue: GARP and NA are spaced apart.
#[derive(Debug)]
pub struct Pacer {
    interface: InterfaceId,
    family: Family,
    /// What waits.
    pub queue: VecDeque<ObjectId>,
    /// When the next one may leave.
    pub free_at: Instant,
}

impl Pacers {
    /// When the next spaced announcement may leave.
    pub fn next(&self) -> Option<Instant> {
        self.list.iter().filter(|p| !p.queue.is_empty()).map(|p| p.free_at).min()
    }

    /// The spacing may have changed: what waits for its turn is looked at again.
    pub fn start_over(&mut self, now: Instant, lane: &mut VecDeque<ObjectId>) {
        for pacer in &mut self.list {
            pacer.free_at = pacer.free_at.min(now);
            lane.extend(pacer.queue.drain(..));
        }
    }

    /// Adds an announcement to the queue of its interface.
    pub fn push(&mut self, interface: InterfaceId, family: Family, object: ObjectId) {
        let mine = |p: &&mut Pacer| p.interface == interface && p.family == family;
        match self.list.iter_mut().find(mine) {
            Some(pacer) => pacer.queue.push_back(object),
            None => self.list.push(Pacer {
                interface,
                family,
                queue: [object].into(),
                free_at: Instant::ORIGIN,
            }),
        }
    }

    /// The next announcement of a queue, if it may leave.
    pub fn take(&mut self, place: usize, now: Instant) -> Option<ObjectId> {
        let pacer = self.list.get_mut(place).filter(|pacer| pacer.free_at <= now)?;
        pacer.queue.pop_front()
    }
}
