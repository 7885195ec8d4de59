//! Adverts that do not leave (architecture.md, promises): whoever cannot say that it is master must not hold
//! the addresses beside somebody who can.
//!
//! A firewall rule that drops IP protocol 112 makes every send fail. The other router hears nothing,
//! takes over and says so; here it has the lower priority, which an election ignores. So:
//!
//! 1. A master gives way to a master of lower priority that it hears when none of its own adverts
//!    has left for a whole Master_Down_Interval and several in a row were refused.
//! 2. A master that has just taken the place of one that it heard gives way as soon as its first
//!    advert is refused, before it has asked for an address. So does one that gave way before, when
//!    it hears another one. Not when an advert left in the other family, or of another member of
//!    its sync group: the one before has heard that, and nobody would have the addresses.
//! 3. Whoever gave way follows masters of lower priority, and tries to preempt them only after a
//!    pause: 10 s, then twice as long each time, up to 5 min. By rule 2 nobody notices that. A
//!    change of its interface, a reload and an operator's release end the pause at once. When no
//!    master is heard any more it takes over as always: a backup cannot know whether it could send.
//! 4. When an advert has left all is forgotten.
//!    A master that stayed one announces its addresses again, for another one that had them as well
//!    gives way without a word.
//! 5. With nobody else heard it stays master: addresses that somebody serves are better than none.
//!
//! The driver reports no error that only says that the link is down: that is a matter of
//! `vrrp:S-40`.

use super::engine::Engine;
use super::event::KernelError;
use super::heard::Heard;
use super::ids::{InstanceId, RouterId};
use super::instance::{Context, GroupRequest, Instance};
use super::notice::Cause;
use super::pause::Pause;
use crate::units::{Family, Instant};

impl Instance {
    /// Whether nobody can have heard of this master for so long that another one is right to be
    /// there.
    fn cannot_be_heard(&self, family: Family, now: Instant) -> bool {
        let Some(departures) = self.claim(family).map(|claim| claim.departures) else {
            return false;
        };
        let known = self.pauses.unheard.is_some() && self.nothing_left();
        let long = departures.refused >= self.settings.down_timer_adverts
            && now.since(departures.left) >= self.master_down(family);
        departures.is_refused() && (known || long)
    }

    /// Rule 1: whether a master that an election does not prefer is left in peace.
    pub fn leaves_it_to(&self, family: Family, heard: Heard, now: Instant) -> bool {
        !heard.priority.is_stop()
            && heard.priority <= self.effective_priority()
            && self.source(family) != Some(heard.address)
            && self.cannot_be_heard(family, now)
    }

    /// Goes to Backup without priority 0, which would not leave either.
    pub fn give_way_unheard(&mut self, family: Family, heard: Heard, now: Instant) -> GroupRequest {
        for each in self.families() {
            let over = self.claim(each).and_then(|claim| claim.departures.over);
            if let Some(heard) = if each == family { Some(heard) } else { over } {
                self.learn(each, heard.interval);
                self.set_rival(each, heard);
            }
        }
        let unheard = Pause::after(self.pauses.unheard, now);
        self.pauses.unheard = Some(unheard);
        let pause = unheard.length();
        let error = self.claim(family).map_or(KernelError(0), |claim| claim.departures.error);
        let master = heard.address;
        GroupRequest::Backup { cause: Cause::Unheard { master, family, error, pause }, stop: false }
    }

    /// Whether no advert of either family has left.
    fn nothing_left(&self) -> bool {
        let of = |family| self.claim(family).is_some_and(|claim| claim.departures.nothing_left());
        self.families().all(of)
    }

    /// The master whose place it took, and in which family.
    fn took_over(&self) -> Option<(Family, Heard)> {
        self.families().find_map(|family| Some((family, self.claim(family)?.departures.over?)))
    }
}

impl Engine {
    /// Whether an instance gave way since none of its adverts leaves, and none has left since.
    pub fn is_unheard(&self, instance: InstanceId) -> bool {
        self.get(instance).is_some_and(|i| i.pauses.unheard.is_some())
    }

    /// See [`Event::Refused`](super::Event::Refused).
    pub(super) fn refused(&mut self, router: RouterId, error: KernelError) {
        let id = router.instance;
        let Some(instance) = self.get_mut(id) else { return };
        if let Some(claim) = instance.claim_mut(router.family) {
            claim.departures.refuse(error);
        }
        // Rule 2.
        if !instance.is_serving() || !self.unit(id).all(Instance::nothing_left) {
            return;
        }
        let mut unit = self.unit(id);
        let Some((id, (family, over))) = unit.find_map(|i| Some((i.id, i.took_over()?))) else {
            return;
        };
        drop(unit);
        let wish = self.with(id, |instance, context: &mut Context<'_>| {
            instance.give_way_unheard(family, over, context.now)
        });
        if let Some(wish) = wish {
            self.grant(id, wish);
        }
    }

    /// No more pause for anybody.
    pub(super) fn try_all_again(&mut self) {
        let now = self.now;
        self.members.instances.iter_mut().flatten().for_each(|i| i.pauses.end(now));
    }
}
