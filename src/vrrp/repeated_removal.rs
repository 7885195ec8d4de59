//! A master whose addresses somebody else removes again and again: it puts them back each second, and
//! serves nobody meanwhile, perhaps beside a router that could.
//!
//! After [`MAX_REMOVALS`] removals of one address, route or rule within half a minute it gives way. A master
//! does not hear backups, so it asks whether there is one by a planned hand-over: when nobody takes
//! over it goes on as master, after no more than the skew time of the slowest backup. Where there is
//! no hand-over (version 2, strict mode), it gives way when another router was ever heard.
//!
//! Whoever gave way preempts again after a pause (module `pause`). When the other master goes away, it takes over as always.

use std::net::IpAddr;

use super::engine::Engine;
use super::ids::{InstanceId, ObjectId};
use super::instance::{GroupRequest, Instance};
use super::notice::Cause;
use super::pause::Pause;
use super::state::Goal;
use crate::units::State;

/// Removals of one object within half a minute that are too many.
pub const MAX_REMOVALS: u8 = 5;

impl Instance {
    /// Another router that was heard since this one runs.
    fn other_router(&self) -> Option<IpAddr> {
        let last = |family| {
            let heard = self.router(family)?.statistics.last_received?;
            (self.source(family) != Some(heard.address)).then_some(heard.address)
        };
        self.families().find_map(last)
    }
}

impl Engine {
    /// Whether an instance gave way since it could not keep its addresses, and leaves others alone.
    pub fn is_losing(&self, instance: InstanceId) -> bool {
        let backup = self.get(instance).filter(|i| i.is(State::Backup));
        backup.and_then(|i| i.pauses.losing).is_some_and(|pause| pause.lasts(self.now))
    }

    /// An object of a master was lost too often.
    pub(super) fn give_way_losing(&mut self, id: InstanceId, object: ObjectId) {
        let now = self.now;
        let Some(instance) = self.get_mut(id) else { return };
        if instance.pauses.losing.is_some_and(|pause| pause.lasts(now)) {
            return;
        }
        let other = instance.other_router();
        let pause = Pause::after(instance.pauses.losing, now);
        if self.unit(id).all(Instance::can_hand_over) {
            self.set_losing(id, pause);
            self.hand_over_unit(id, Goal::Losing { object, pause: pause.length() });
        } else if other.is_some() && self.unit(id).all(|i| i.hand_over().is_none()) {
            self.set_losing(id, pause);
            let cause = Cause::AddressesLost { object, successor: None, pause: pause.length() };
            self.grant(id, GroupRequest::Backup { cause, stop: true });
        }
    }

    fn set_losing(&mut self, id: InstanceId, pause: Pause) {
        if let Some(instance) = self.get_mut(id) {
            instance.pauses.losing = Some(pause);
        }
    }
}
