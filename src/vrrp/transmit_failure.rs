//! Adverts that do not leave (architecture.md, promises): whoever cannot say that it is master must not
//! hold the addresses beside somebody who can.
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

use std::time::Duration;

use super::action::{Cause, State};
use super::engine::Engine;
use super::event::KernelError;
use super::ids::{InstanceId, RouterId};
use super::instance::{Context, GroupRequest, Instance};
use super::router::Heard;
use crate::units::{Family, Instant};

/// The first pause before it tries to preempt again,
const FIRST_PAUSE: Duration = Duration::from_secs(10);
/// and the longest.
const LONGEST_PAUSE: Duration = Duration::from_secs(300);

/// What became of the adverts of one virtual router.
#[derive(Clone, Copy, Debug)]
pub struct Departures {
    /// When the last one left, as far as is known, or since when there are some.
    left: Instant,
    /// The same without the one that the driver has now.
    before: Instant,
    /// The driver has one and has not called it refused.
    asked: bool,
    /// One has left.
    ever: bool,
    /// The master whose place was taken, until then.
    over: Option<Heard>,
    /// How many in a row were refused.
    refused: u8,
    error: KernelError,
}

impl Departures {
    /// None was sent yet. `over`: a master that is heard, and whose place is taken now.
    pub const fn new(now: Instant, over: Option<Heard>) -> Self {
        let (left, before, error) = (now, now, KernelError(0));
        Self { left, before, asked: false, ever: false, over, refused: 0, error }
    }

    /// The driver gets an advert. If the one before it has left: how many in a row were refused
    /// before that.
    pub const fn asked(&mut self, now: Instant) -> Option<u8> {
        let has_left = std::mem::replace(&mut self.asked, true);
        self.before = self.left;
        self.left = now;
        if !has_left {
            return None;
        }
        self.ever = true;
        Some(std::mem::replace(&mut self.refused, 0))
    }

    const fn refused(&mut self, error: KernelError) {
        if std::mem::replace(&mut self.asked, false) {
            self.left = self.before;
            self.refused = self.refused.saturating_add(1);
            self.error = error;
        }
    }

    const fn is_refused(&self) -> bool {
        !self.asked && self.refused > 0
    }

    /// All that was sent was refused.
    const fn nothing_left(&self) -> bool {
        self.is_refused() && !self.ever
    }
}

/// It gave way to a master of lower priority, because its adverts did not leave, or because it could
/// not keep its addresses (module `losses`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Pause {
    /// Until then it follows masters of lower priority.
    until: Instant,
    /// The pause that ends then.
    pause: Duration,
}

impl Pause {
    /// The next one after another: twice as long, unless that was long ago.
    pub fn after(former: Option<Self>, now: Instant) -> Self {
        let pause = match former.filter(|former| now.since(former.until) < LONGEST_PAUSE) {
            Some(former) => (former.pause * 2).clamp(FIRST_PAUSE, LONGEST_PAUSE),
            None => FIRST_PAUSE,
        };
        Self { until: now + pause, pause }
    }

    /// Whether it lasts.
    pub fn lasts(self, now: Instant) -> bool {
        now < self.until
    }

    /// How long it lasts in all.
    pub const fn length(self) -> Duration {
        self.pause
    }

    const fn end(&mut self, now: Instant) {
        *self = Self { until: now, pause: Duration::ZERO };
    }
}

impl Instance {
    /// Whether it leaves a master of lower priority alone, since it could not send or could not keep
    /// its addresses.
    pub fn leaves_masters_alone(&self, now: Instant) -> bool {
        [self.unheard, self.losing].into_iter().flatten().any(|pause| pause.lasts(now))
    }

    /// Something changed that may let adverts leave: no more pause.
    pub const fn try_again(&mut self, now: Instant) {
        if let Some(pause) = &mut self.unheard {
            pause.end(now);
        }
        if let Some(pause) = &mut self.losing {
            pause.end(now);
        }
    }

    /// Whether nobody can have heard of this master for so long that another one is right to be
    /// there.
    fn cannot_be_heard(&self, family: Family, now: Instant) -> bool {
        let Some(departures) = self.router(family).map(|router| router.departures) else {
            return false;
        };
        let known = self.unheard.is_some() && self.nothing_left();
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
            let over = self.router_of(each).departures.over;
            if let Some(heard) = if each == family { Some(heard) } else { over } {
                self.learn(each, heard.interval);
                self.router_of(each).master = Some(heard);
            }
        }
        let unheard = Pause::after(self.unheard, now);
        self.unheard = Some(unheard);
        let pause = unheard.length();
        let (master, error) = (heard.address, self.router_of(family).departures.error);
        GroupRequest::Backup { cause: Cause::Unheard { master, family, error, pause }, stop: false }
    }

    /// Whether no advert of either family has left.
    fn nothing_left(&self) -> bool {
        let of = |family| self.router(family).is_some_and(|r| r.departures.nothing_left());
        self.families().all(of)
    }

    /// The master whose place it took, and in which family.
    fn took_over(&self) -> Option<(Family, Heard)> {
        self.families().find_map(|family| Some((family, self.router(family)?.departures.over?)))
    }
}

impl Engine {
    /// Whether an instance gave way since none of its adverts leaves, and none has left since.
    pub fn is_unheard(&self, instance: InstanceId) -> bool {
        self.get(instance).is_some_and(|i| i.unheard.is_some())
    }

    /// See [`Event::Refused`](super::Event::Refused).
    pub(super) fn refused(&mut self, router: RouterId, error: KernelError) {
        let id = router.instance;
        let Some(instance) = self.get_mut(id) else { return };
        instance.router_of(router.family).departures.refused(error);
        let is_master = instance.state == State::Master && instance.hand_over.is_none();
        // Rule 2.
        if !is_master || !self.unit(id).all(Instance::nothing_left) {
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
        self.instances.iter_mut().flatten().for_each(|instance| instance.try_again(now));
    }
}
