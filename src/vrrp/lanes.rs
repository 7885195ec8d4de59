//! What the driver does next, by lanes: adverts, requests to the kernel, announcements, reports.

use super::action::{Action, KernelRequest, Report, Urgent};
use super::engine::Engine;
use super::ids::ObjectId;
use super::instance::Instance;
use super::statistics::count;
use crate::units::State;

impl Engine {
    /// The next thing to do, most urgent first: adverts, then the kernel, then announcements,
    /// then notices. The driver may stop in between and handle other events: what is still to be
    /// done stays, and what became needless in the meantime vanishes.
    pub fn poll_action(&mut self) -> Option<Action> {
        if let Some(urgent) = self.poll_urgent() {
            return Some(Action::Urgent(urgent));
        }
        if let Some(request) = self.poll_kernel() {
            return Some(Action::Kernel(request));
        }
        if let Some(announcement) = self.poll_announcement() {
            return Some(Action::Announcement(announcement));
        }
        self.poll_report().map(Action::Report)
    }

    /// The first lane of [`Engine::poll_action`] alone: packets to read, adverts to send. For a
    /// driver that works off a lane slowly, to look in between whether there is something more
    /// urgent, and to announce each address as soon as it is there.
    pub fn poll_urgent(&mut self) -> Option<Urgent> {
        // Whoever stood still hears others before it says anything.
        let late = self.timing.drain.is_some_and(|drain| drain.late);
        if late && std::mem::take(&mut self.out.drain) {
            return Some(Urgent::DrainSockets);
        }
        let advert = self.poll_advert();
        advert.or_else(|| std::mem::take(&mut self.out.drain).then_some(Urgent::DrainSockets))
    }

    /// The last lane of [`Engine::poll_action`] alone: notices, answers to commands, and the end.
    pub fn poll_report(&mut self) -> Option<Report> {
        if let Some(notice) = self.out.take_notice() {
            return Some(Report::Notice(notice));
        }
        if let Some(answer) = self.poll_answer() {
            return Some(answer);
        }
        // Not before its last notice: that is about an instance with a name.
        while let Some(id) = self.members.ended.pop() {
            self.bury(id);
        }
        self.poll_stopped()
    }

    fn poll_advert(&mut self) -> Option<Urgent> {
        let now = self.now;
        while let Some(id) = self.out.adverts.pop_front() {
            let Some(instance) = self.get_mut(id.instance) else { continue };
            let may_claim = instance.may_claim();
            let may_leave = instance.source(id.family).is_some();
            let router = instance.router_of(id.family);
            let Some(pending) = router.pending.take() else { continue };
            if !may_leave || !pending.priority.is_stop() && !may_claim {
                continue;
            }
            count(&mut router.statistics.adverts_sent);
            if pending.priority.is_stop() {
                count(&mut router.statistics.priority_zero_sent);
            } else if let Some(refused) =
                instance.claim_mut(id.family).and_then(|claim| claim.departures.asked(now))
            {
                instance.pauses.unheard = None;
                if refused >= instance.settings.down_timer_adverts {
                    self.with(id.instance, Instance::reannounce);
                }
            }
            return Some(Urgent::SendAdvert {
                router: id,
                priority: pending.priority,
                interval: pending.interval,
            });
        }
        None
    }

    /// The second lane of [`Engine::poll_action`] alone: requests to the kernel.
    ///
    /// All removals come before the first installation: an address that moves from one instance
    /// to another would otherwise be removed after it was installed.
    pub fn poll_kernel(&mut self) -> Option<KernelRequest> {
        while let Some(id) = self.out.removals.pop_front() {
            let Some(instance) = self.get_mut(id) else { continue };
            let action = if instance.wants_mute() && !instance.lanes.muted {
                instance.lanes.muted = true;
                Some(KernelRequest::Mute(id))
            } else {
                self.next_removal(id)
            };
            if action.is_some() {
                // One request at a time in turn, so that no instance waits for all addresses of
                // another.
                self.out.removals.push_back(id);
                return action;
            }
            if let Some(instance) = self.get_mut(id) {
                instance.lanes.removals = false;
            }
        }
        while let Some(id) = self.out.kernel.pop_front() {
            let Some(instance) = self.get_mut(id) else { continue };
            let action = if let Some(slot) = instance.objects.next_installation() {
                Some(KernelRequest::Install(ObjectId { instance: id, slot }))
            } else if instance.lanes.muted && !instance.wants_mute() {
                instance.lanes.muted = false;
                Some(KernelRequest::Unmute(id))
            } else {
                None
            };
            if action.is_some() {
                self.out.kernel.push_back(id);
                return action;
            }
            instance.lanes.installations = false;
            if instance.retiring {
                self.members.ended.push(id);
            }
        }
        None
    }

    fn poll_stopped(&mut self) -> Option<Report> {
        let at_rest = self.life.stopping
            && !self.life.stopped
            && self
                .members
                .iter()
                .all(|instance| instance.is(State::Initialize) && instance.objects.at_rest());
        at_rest.then(|| {
            self.life.stopped = true;
            Report::Stopped
        })
    }
}
