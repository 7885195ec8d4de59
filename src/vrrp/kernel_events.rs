//! What reports of interfaces, tracked things and kernel objects mean for the instances (`vrrp:S-40`,
//! `S-42`, `netlink:N-22`).

use std::net::IpAddr;

use super::engine::Engine;
use super::event::{InterfaceState, KernelError, TrackerState};
use super::ids::{InstanceId, InterfaceId, ObjectId};
use super::instance::GroupRequest;
use super::notice::{Cause, Notice};
use super::objects::Change;
use super::repeated_removal::MAX_REMOVALS;
use super::settings::OnForeignRemoval;
use super::timers::Timer;
use super::tracking::{OwnInterface, Source, interface_as_tracker, verdict};
use crate::units::{Family, PerFamily, State};

impl Engine {
    pub(super) fn interface_changed(&mut self, interface: InterfaceId, state: InterfaceState) {
        let Some((name, known)) = self.sources.interfaces.get_mut(interface.0 as usize) else {
            return;
        };
        if *known == Some(state) {
            return;
        }
        let was = known.replace(state);
        let name = name.clone();
        // Hosts go on sending to the old one until they are told.
        let has_other_mac =
            was.is_some_and(|was| was.mac.is_some() && state.mac.is_some() && was.mac != state.mac);
        let now = self.now;
        for id in self.ids() {
            let Some(instance) = self.get(id) else { continue };
            let own = instance.interface == interface;
            let tracks = instance.tracked.iter().any(|t| t.source == Source::Interface(interface));
            if own && was.is_some_and(|was| was.present) && !state.present {
                self.with(id, |instance, context| {
                    instance.objects.interface_gone();
                    instance.queue_kernel(context);
                });
            }
            if own || tracks {
                self.assess(id);
            }
            if own && let Some(instance) = self.get_mut(id) {
                instance.pauses.end(now);
            }
            let is_back = state.up && !was.is_some_and(|was| was.up);
            if is_back {
                self.with(id, |instance, context| {
                    if instance.has_object_on(interface, &name) {
                        instance.objects.unblock();
                        instance.queue_kernel(context);
                    }
                });
            }
            if has_other_mac {
                self.with(id, |instance, context| instance.announce_on(&name, context));
            }
            if own && is_back {
                // A master that does not track its interface stayed master all the time, and
                // others may have announced meanwhile.
                self.with(id, |instance, context| {
                    instance.announce(instance.settings.announce.repeat, context);
                });
            }
        }
        self.evaluate_all();
    }

    pub(super) fn tracker_changed(&mut self, name: &str, state: TrackerState) {
        let Some(index) = self.sources.trackers.iter().position(|(known, _)| **known == *name)
        else {
            return;
        };
        if let Some((_, known)) = self.sources.trackers.get_mut(index) {
            *known = state;
        }
        let source = Source::Named(u32::try_from(index).unwrap_or(u32::MAX));
        for id in self.ids() {
            if self.get(id).is_some_and(|i| i.tracked.iter().any(|t| t.source == source)) {
                self.assess(id);
            }
        }
        self.evaluate_all();
    }

    /// Recomputes what an instance's surroundings mean for it, without changing its state.
    pub(super) fn assess(&mut self, id: InstanceId) {
        let Some(instance) = self.get(id) else { return };
        let interface = instance.interface;
        let state = self.sources.interface(interface);
        let before = instance.effective_priority();
        let Some(instance) = self.members.instances.get_mut(id.0 as usize).and_then(Option::as_mut)
        else {
            return;
        };
        let known = state.unwrap_or_default();
        instance.link.addresses = PerFamily::new(|family| match family {
            Family::V4 => known.ipv4.map(IpAddr::V4),
            Family::V6 => known.ipv6.map(IpAddr::V6),
        });
        let may_be_down = instance.settings.dont_track_primary;
        instance.link.can_send = known.up || known.present && may_be_down;
        let without_source = instance.families().find(|family| instance.source(*family).is_none());
        let own = OwnInterface { id: interface, state, may_be_down, without_source };
        let sources = &self.sources;
        let found = verdict(&own, &instance.tracked, |source| match source {
            Source::Interface(id) => interface_as_tracker(sources.interface(id)),
            Source::Named(index) => sources.tracker(index),
        });
        let reason = std::mem::replace(&mut instance.verdict, found).fault;
        let now = instance.effective_priority();
        if instance.is(State::Fault)
            && reason != found.fault
            && let Some(reason) = found.fault
        {
            self.out.notice(Notice::FaultChanged { instance: id, reason });
        }
        if before != now {
            self.out.notice(Notice::PriorityChanged { instance: id, from: before, to: now });
        }
    }

    pub(super) fn object_seen(&mut self, object: ObjectId, present: bool) {
        let started = self.life.started;
        let mut losing = false;
        let interface = self.interface_down_of(object).filter(|_| started && !present);
        let wish = self.with(object.instance, |instance, context| {
            let wanted = instance.objects.wants(object.slot);
            let change = instance.objects.observe(object.slot, present);
            if !started {
                return None;
            }
            instance.queue_kernel(context);
            // The kernel takes IPv6 addresses and routes from an interface that is set down: nobody
            // else has removed them.
            if let Some(interface) = interface
                && (change == Change::Stolen || wanted && !instance.objects.wants(object.slot))
            {
                if instance.objects.await_interface(object.slot) {
                    context.out.notice(Notice::GoneWithInterface { object, interface });
                }
                return None;
            }
            if change != Change::Stolen || instance.hand_over().is_some() {
                return None;
            }
            match instance.settings.on_foreign_removal {
                OnForeignRemoval::Backup => {
                    context.out.notice(Notice::ForeignRemoval { object, restore_in: None });
                    Some(GroupRequest::Backup {
                        cause: Cause::ForeignRemoval { object },
                        stop: true,
                    })
                }
                OnForeignRemoval::Restore => {
                    let (wait, removals) = instance.objects.restore(object.slot, context.now);
                    if !wait.is_zero() {
                        instance.timers.set_no_later(Timer::Retry, context.now + wait);
                    }
                    let restore_in = Some(wait);
                    context.out.notice(Notice::ForeignRemoval { object, restore_in });
                    losing = removals >= MAX_REMOVALS;
                    None
                }
            }
        });
        if let Some(wish) = wish.flatten() {
            self.grant(object.instance, wish);
        }
        if losing {
            self.give_way_losing(object.instance, object);
        }
    }

    pub(super) fn object_duplicated(&mut self, object: ObjectId) {
        self.with(object.instance, |instance, context| {
            if let Some(retry_in) = instance.objects.duplicated(object.slot, context.now) {
                instance.timers.set_no_later(Timer::Retry, context.now + retry_in);
                context.out.notice(Notice::Duplicate { object, retry_in });
            }
            instance.queue_kernel(context);
        });
    }

    pub(super) fn acknowledged(
        &mut self,
        object: ObjectId,
        present: bool,
        result: Result<(), KernelError>,
    ) {
        self.with(object.instance, |instance, context| {
            let now = context.now;
            match instance.objects.acknowledge(object.slot, present, result.is_ok(), now) {
                Change::Installed => {
                    let rounds = instance.settings.announce.repeat;
                    instance.announce_one(object.slot, rounds, context);
                }
                Change::Refused(retry_in) => {
                    instance.timers.set_no_later(Timer::Retry, now + retry_in);
                    if let Err(error) = result {
                        context.out.notice(Notice::KernelRefused {
                            object,
                            present,
                            error,
                            retry_in,
                        });
                    }
                }
                Change::None | Change::Removed | Change::Stolen => {}
            }
            instance.queue_kernel(context);
        });
    }
}
