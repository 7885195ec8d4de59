//! What is to be done, by urgency. Each lane is bounded: a router is in the advert lane at most
//! once, an instance in the kernel lane, an object in the announcement lane.

use std::collections::VecDeque;

use super::action::Probed;
use super::ids::{InstanceId, ObjectId, RouterId};
use super::notice::Notice;

/// Notices that wait at the most; further ones are counted and lost.
const MAX_NOTICES: usize = 1024;
/// The same for each instance, when that is more: all may change their state at once, and scripts
/// have to know of it.
const MAX_NOTICES_PER_INSTANCE: usize = 4;

/// Probes that wait at the most, beside one for each instance; those beyond are left out.
const MAX_PROBES: usize = 64;

/// The lanes, most urgent first.
#[derive(Debug)]
pub struct ActionQueue {
    /// Read the sockets empty.
    pub drain: bool,
    /// Routers with an advert to send.
    pub adverts: VecDeque<RouterId>,
    /// Instances that may have kernel objects to remove.
    pub removals: VecDeque<InstanceId>,
    /// Instances that may have kernel objects to install.
    pub kernel: VecDeque<InstanceId>,
    /// Addresses to announce for the first time in a burst.
    pub announcements: VecDeque<ObjectId>,
    /// Addresses to announce once more.
    pub repeats: VecDeque<ObjectId>,
    /// Addresses to ask for.
    pub probes: VecDeque<Probed>,
    notices: VecDeque<Notice>,
    notice_limit: usize,
    lost: u32,
}

impl Default for ActionQueue {
    fn default() -> Self {
        Self {
            drain: false,
            adverts: VecDeque::new(),
            removals: VecDeque::new(),
            kernel: VecDeque::new(),
            announcements: VecDeque::new(),
            repeats: VecDeque::new(),
            probes: VecDeque::with_capacity(MAX_PROBES),
            notices: VecDeque::with_capacity(MAX_NOTICES),
            notice_limit: MAX_NOTICES,
            lost: 0,
        }
    }
}

impl ActionQueue {
    /// Makes room for so many instances and objects, so that no lane has to grow later.
    pub fn reserve(&mut self, instances: usize, objects: usize) {
        self.adverts.reserve(2 * instances);
        self.removals.reserve(instances);
        self.kernel.reserve(instances);
        self.announcements.reserve(objects);
        self.repeats.reserve(objects);
        self.probes.reserve(MAX_PROBES + instances);
        self.notice_limit = MAX_NOTICES.max(instances.saturating_mul(MAX_NOTICES_PER_INSTANCE));
    }

    /// Whether there is nothing to be done.
    pub fn is_empty(&self) -> bool {
        !self.drain
            && self.lost == 0
            && self.notices.is_empty()
            && [&self.removals, &self.kernel].iter().all(|lane| lane.is_empty())
            && [&self.announcements, &self.repeats].iter().all(|lane| lane.is_empty())
            && self.probes.is_empty()
            && self.adverts.is_empty()
    }

    /// Asks for an address, unless too many wait.
    pub fn probe(&mut self, probed: Probed) {
        if self.probes.len() < self.probes.capacity() {
            self.probes.push_back(probed);
        }
    }

    /// Adds a notice, or counts it when nobody takes them.
    pub fn notice(&mut self, notice: Notice) {
        if self.notices.len() < self.notice_limit {
            self.notices.push_back(notice);
        } else {
            self.lost = self.lost.saturating_add(1);
        }
    }

    /// The oldest notice; after the last one, how many were lost.
    pub fn take_notice(&mut self) -> Option<Notice> {
        self.notices.pop_front().or_else(|| {
            let count = std::mem::take(&mut self.lost);
            (count > 0).then_some(Notice::Lost { count })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each instance has two routers.
    #[test]
    fn room_is_made_for_everything_at_once() {
        let mut queue = ActionQueue::default();
        queue.reserve(100, 300);
        assert!(queue.adverts.capacity() >= 200);
        assert!(queue.removals.capacity() >= 100 && queue.kernel.capacity() >= 100);
        assert!(queue.announcements.capacity() >= 300);
    }

    #[test]
    fn notices_beyond_the_bound_are_counted() {
        let mut queue = ActionQueue::default();
        for _ in 0..MAX_NOTICES + 3 {
            queue.notice(Notice::HandOverStarted { instance: InstanceId(0) });
        }
        for _ in 0..MAX_NOTICES {
            assert!(matches!(queue.take_notice(), Some(Notice::HandOverStarted { .. })));
        }
        assert_eq!(queue.take_notice(), Some(Notice::Lost { count: 3 }));
        assert_eq!(queue.take_notice(), None);
    }
}
