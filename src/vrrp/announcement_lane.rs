//! The lane of announcements and probes: which one is sent next, and what is not wanted any more
//! (`vrrp:G-5`).

use std::collections::VecDeque;
use std::time::Duration;

use super::action::Announcement;
use super::action_queue::ActionQueue;
use super::engine::Engine;
use super::ids::{InterfaceId, ObjectId};
use super::statistics::count;
use crate::units::Family;

impl Engine {
    /// The third lane of [`Engine::poll_action`] alone: announcements that may leave now, and
    /// probes.
    pub fn poll_announcement(&mut self) -> Option<Announcement> {
        self.poll_first_announcement()
            .or_else(|| self.poll_paced())
            .or_else(|| self.poll_queued(|out| &mut out.repeats))
            .or_else(|| self.poll_probe())
    }

    /// Of the third lane, addresses that were not announced in this burst yet. For a driver that
    /// still has addresses to install: each of them is to be announced once before others are
    /// again.
    pub fn poll_first_announcement(&mut self) -> Option<Announcement> {
        self.poll_queued(|out| &mut out.announcements)
    }

    fn poll_queued(
        &mut self,
        queue: impl Fn(&mut ActionQueue) -> &mut VecDeque<ObjectId>,
    ) -> Option<Announcement> {
        while let Some(object) = queue(&mut self.out).pop_front() {
            match self.spacing(object) {
                Some((interface, family, spacing)) if !spacing.is_zero() => {
                    self.pacers.push(interface, family, object);
                }
                Some(_) | None => {
                    if let Some(again) = self.take_announcement(object) {
                        if again {
                            self.out.repeats.push_back(object);
                        }
                        return Some(Announcement::Announce(object));
                    }
                }
            }
        }
        None
    }

    fn poll_paced(&mut self) -> Option<Announcement> {
        for index in 0..self.pacers.list.len() {
            while let Some(object) = self.pacers.take(index, self.now) {
                let spacing = self.spacing(object).map_or(Duration::ZERO, |(_, _, s)| s);
                if let Some(again) = self.take_announcement(object) {
                    if let Some(pacer) = self.pacers.list.get_mut(index) {
                        pacer.free_at = self.now + spacing;
                        if again {
                            pacer.queue.push_back(object);
                        }
                    }
                    return Some(Announcement::Announce(object));
                }
            }
        }
        None
    }

    /// Where an announcement goes, and the spacing there.
    fn spacing(&self, object: ObjectId) -> Option<(InterfaceId, Family, Duration)> {
        let instance = self.get(object.instance)?;
        let address = instance.objects.get(object.slot)?.object.announced()?;
        let family = Family::of(address);
        let pacing = instance.settings.pacing;
        let spacing = match family {
            Family::V4 => pacing.garp_interval,
            Family::V6 => pacing.gna_interval,
        };
        Some((instance.interface, family, spacing))
    }

    /// Counts one announcement as sent and says whether it is due again, so that it stays in its
    /// queue; `None` when it is no longer wanted.
    fn take_announcement(&mut self, object: ObjectId) -> Option<bool> {
        let instance = self.get_mut(object.instance)?;
        let address = instance.to_announce(object.slot);
        let slot = instance.objects.get_mut(object.slot)?;
        let (Some(address), Some(left)) = (address, slot.due.checked_sub(1)) else {
            slot.due = 0;
            slot.queued = false;
            return None;
        };
        slot.due = left;
        slot.queued = left > 0;
        let again = slot.queued;
        count(&mut instance.router_of(Family::of(address)).statistics.announcements_sent);
        Some(again)
    }
}
