//! Taking a configuration, at the start and while running.
//!
//! An instance is known by its name. While its interface and VRID stay, everything else changes
//! in place: no mastership and no address that both configurations have is lost. When they
//! change it is another virtual router: the old one ends, the new one starts.

use std::collections::BTreeMap;
use std::time::Duration;

use super::engine::{Engine, Key};
use super::event::TrackerState;
use super::instance::{Context, Instance, Wish};
use super::settings::{InstanceSettings, Object, Settings, Track, Tracker};
use super::timers::Timer;
use super::tracking::{Source, TrackRef};
use super::{Action, Cause, InstanceId, InterfaceId, ObjectId, State};
use crate::units::{Family, Priority, Version};

impl Engine {
    pub(super) fn reload(&mut self, settings: &Settings) {
        if self.stopping {
            return;
        }
        self.configure(settings);
        self.pacers.start_over(self.now, &mut self.out.announcements);
        self.align_groups();
        self.try_all_again();
        self.evaluate_all();
        self.settle_units();
    }

    /// Takes a configuration; states do not change but for instances that end.
    pub(super) fn configure(&mut self, new: &Settings) {
        let mut wanted: BTreeMap<&str, &InstanceSettings> = BTreeMap::new();
        wanted.extend(new.instances.iter().map(|settings| (&*settings.name, settings)));
        for id in self.ids() {
            let Some(instance) = self.get(id) else { continue };
            if instance.retiring {
                continue;
            }
            let settings = wanted.get(&*instance.settings.name);
            let same = settings.map(|s| {
                s.vrid == instance.settings.vrid && s.interface == instance.settings.interface
            });
            match same {
                Some(true) => {}
                Some(false) => self.retire(id, Cause::Reconfigured),
                None => self.retire(id, Cause::Stopped),
            }
        }
        let revived = self.revive(&wanted);
        let mut known: BTreeMap<&str, InstanceId> = BTreeMap::new();
        let stay = self.instances.iter().flatten().filter(|i| !i.retiring);
        known.extend(stay.filter_map(|i| {
            let (name, _) = wanted.get_key_value(&*i.settings.name)?;
            Some((*name, i.id))
        }));
        // Places below it are taken.
        let mut free = 0;
        for settings in &new.instances {
            if let Some(&id) = known.get(&*settings.name) {
                self.with(id, |instance, context| change(instance, settings, context));
            } else {
                let id = self.add(settings, &mut free);
                known.insert(&settings.name, id);
            }
        }
        self.group(new, &known);
        self.startup_delay = new.startup_delay;
        self.group_names = new.groups.iter().map(|group| group.name.clone()).collect();
        self.reserve();
        self.index();
        for id in self.ids() {
            self.assess(id);
        }
        // Last, since their first adverts have to announce what is configured now.
        for id in revived {
            self.with(id, |instance, context| {
                if instance.hand_over.is_some() {
                    instance.resume_after_hand_over(context);
                }
            });
        }
    }

    fn add(&mut self, settings: &InstanceSettings, free: &mut usize) -> InstanceId {
        let interface = self.intern_interface(&settings.interface);
        while self.instances.get(*free).is_some_and(Option::is_some) {
            *free += 1;
        }
        let place = *free;
        if place >= self.instances.len() {
            self.instances.push(None);
        }
        let id = InstanceId(u32::try_from(place).unwrap_or(u32::MAX));
        if let Some(slot) = self.instances.get_mut(place) {
            *slot = Some(Instance::new(id, settings.clone(), interface, self.now));
        }
        id
    }

    /// Ends an instance that is no longer configured. It goes when the kernel is clean.
    fn retire(&mut self, id: InstanceId, cause: Cause) {
        self.with(id, |instance, context| {
            instance.retiring = true;
            instance.group = None;
            instance.queue_kernel(context);
        });
        if cause == Cause::Stopped {
            self.stop_unit(id);
        } else {
            self.with(id, |instance, context| instance.enter_initialize(cause, true, context));
        }
    }

    /// An instance that was removed and comes back before it has ended goes on. Gives those.
    fn revive(&mut self, wanted: &BTreeMap<&str, &InstanceSettings>) -> Vec<InstanceId> {
        let mut revived = Vec::new();
        for id in self.ids() {
            let back = self.get(id).is_some_and(|i| {
                i.retiring
                    && wanted.get(&*i.settings.name).is_some_and(|settings| {
                        settings.vrid == i.settings.vrid
                            && settings.interface == i.settings.interface
                            && self.instance(&settings.name).is_none()
                    })
            });
            if back && let Some(instance) = self.get_mut(id) {
                instance.retiring = false;
                revived.push(id);
            }
        }
        revived
    }

    /// Forgets an instance that has ended.
    pub(super) fn bury(&mut self, id: InstanceId) {
        let ended = self.get(id).is_some_and(|i| {
            i.retiring
                && i.state == State::Initialize
                && i.objects.none_left()
                && !i.muted
                && !i.kernel_queued
                && !i.removals_queued
                && i.v4.pending.is_none()
                && i.v6.pending.is_none()
        });
        if ended && let Some(slot) = self.instances.get_mut(id.0 as usize) {
            *slot = None;
            self.schedule.update(id.0, None);
            self.lookup.retain(|entry| entry.1 != id);
            self.replaced.retain(|entry| entry.1 != id);
        }
    }

    /// The next object of an instance to remove. One that a reload gave to another instance, which
    /// has asked the kernel for it, is only struck off the books: a removal that comes later,
    /// because the kernel refused it or was slow, would take it from the new owner.
    pub(super) fn next_removal(&mut self, id: InstanceId) -> Option<Action> {
        let now = self.now;
        loop {
            let slot = self.get_mut(id)?.objects.next_removal()?;
            if !self.has_new_owner(id, slot) {
                return Some(Action::Remove(ObjectId { instance: id, slot }));
            }
            self.get_mut(id)?.objects.acknowledge(slot, false, true, now);
        }
    }

    fn has_new_owner(&self, id: InstanceId, slot: u32) -> bool {
        let Some(instance) = self.get(id) else { return false };
        let Some(old) = instance.objects.get(slot) else { return false };
        if old.object == Object::Filter || old.listed() && !instance.retiring {
            return false;
        }
        let tied_to_interface = match &old.object {
            Object::Address(address) | Object::Excluded(address) => address.interface.is_none(),
            Object::Filter | Object::Route(_) | Object::Rule(_) => false,
        };
        self.instances.iter().flatten().any(|other| {
            other.id != id
                && (other.interface == instance.interface || !tied_to_interface)
                && other.state == State::Master
                && other.objects.iter().any(|(_, new)| {
                    new.listed() && new.expected() && new.object.same_in_kernel(&old.object)
                })
        })
    }

    fn group(&mut self, new: &Settings, known: &BTreeMap<&str, InstanceId>) {
        let mut tracks: BTreeMap<InstanceId, Vec<TrackRef>> = BTreeMap::new();
        for settings in &new.instances {
            let own = settings.track.iter().map(|t| self.resolve(t)).collect();
            if let Some(&id) = known.get(&*settings.name) {
                tracks.insert(id, own);
            }
        }
        for instance in self.instances.iter_mut().flatten() {
            instance.group = None;
        }
        self.groups.clear();
        for group in &new.groups {
            let number = u32::try_from(self.groups.len()).unwrap_or(u32::MAX);
            let shared: Vec<_> = group.track.iter().map(|t| self.resolve(t)).collect();
            let members: Vec<_> =
                group.members.iter().filter_map(|name| known.get(&**name).copied()).collect();
            for member in &members {
                if let Some(instance) = self.get_mut(*member) {
                    instance.group = Some(number);
                }
                tracks.entry(*member).or_default().extend_from_slice(&shared);
            }
            self.groups.push(members);
        }
        for (id, tracked) in tracks {
            if let Some(instance) = self.get_mut(id) {
                instance.tracked = tracked;
            }
        }
    }

    fn resolve(&mut self, track: &Track) -> TrackRef {
        let source = match &track.tracker {
            Tracker::Interface(name) => Source::Interface(self.intern_interface(name)),
            Tracker::Named(name) => Source::Named(self.intern_tracker(name)),
        };
        TrackRef { source, weight: track.weight, reverse: track.reverse }
    }

    fn intern_interface(&mut self, name: &str) -> InterfaceId {
        self.interface(name).unwrap_or_else(|| {
            self.interfaces.push((name.into(), None));
            InterfaceId(u32::try_from(self.interfaces.len() - 1).unwrap_or(u32::MAX))
        })
    }

    fn intern_tracker(&mut self, name: &str) -> u32 {
        let found = self.trackers.iter().position(|(known, _)| **known == *name);
        let index = found.unwrap_or_else(|| {
            self.trackers.push((name.into(), TrackerState::Unknown));
            self.trackers.len() - 1
        });
        u32::try_from(index).unwrap_or(u32::MAX)
    }

    /// Takes all memory that adverts and announcements may need.
    fn reserve(&mut self) {
        let instances = self.instances.len();
        let objects = self.instances.iter().flatten().map(|i| i.objects.len()).sum();
        self.schedule.reserve(instances);
        self.out.reserve(instances, objects);
        let intervals = self.instances.iter().flatten().map(|i| i.settings.interval.duration());
        self.shortest = intervals.min().unwrap_or(Duration::MAX);
    }

    fn index(&mut self) {
        let mut index: BTreeMap<Key, InstanceId> = BTreeMap::new();
        let mut replaced = Vec::new();
        let all = || self.instances.iter().flatten();
        // One that still hands over listens for its successor, also when it has been replaced.
        for instance in all().filter(|i| !i.retiring).chain(all().filter(|i| i.retiring)) {
            for family in instance.families() {
                let key = (instance.interface, family, instance.settings.vrid.get());
                if *index.entry(key).or_insert(instance.id) != instance.id {
                    replaced.push((key, instance.id));
                }
            }
        }
        self.lookup = index.into_iter().collect();
        self.replaced = replaced;
    }

    /// A reload may have put routers of different states into one group.
    fn align_groups(&mut self) {
        for id in self.ids() {
            if self.get(id).is_none_or(|i| i.state != State::Master || i.hand_over.is_some()) {
                continue;
            }
            let others = || self.unit_members(id).filter_map(|member| self.get(member));
            if others().any(|i| matches!(i.state, State::Backup | State::Fault)) {
                self.grant(id, Wish::Backup { cause: Cause::Reconfigured, stop: true });
            } else if others().any(|i| i.hand_over.is_some()) {
                // Those that hand over go on; this one leaves without.
                self.with(id, |instance, context| {
                    instance.enter_backup(Cause::Reconfigured, true, context);
                });
            }
            // Those that another member kept waiting may not have to any more.
            if self.get(id).is_some_and(Instance::all_want_master) {
                self.grant(id, Wish::Master);
            }
        }
    }
}

/// Changes an instance in place.
fn change(instance: &mut Instance, new: &InstanceSettings, context: &mut Context<'_>) {
    if instance.settings == *new {
        return;
    }
    let before = instance.effective_priority();
    let preempt = instance.settings.preempt;
    let was_active = (instance.v4.active, instance.v6.active);
    instance.settings = new.clone();
    instance.objects.configure(&instance.settings.objects);
    instance.objects.keep_found(instance.settings.priority.is_owner());
    instance.list_addresses();
    instance.queue_kernel(context);
    if !instance.settings.priority.is_owner() {
        instance.demoted = false;
    }
    if instance.settings.preempt != preempt {
        // The delay begins anew with the next lower advert (`vrrp:S-17`).
        instance.v4.preempt_at = None;
        instance.v6.preempt_at = None;
    }
    for (family, was) in [(Family::V4, was_active.0), (Family::V6, was_active.1)] {
        let is = instance.router(family).is_some();
        match (was, is) {
            (true, true) => change_interval(instance, family, context),
            (false, true) => add_family(instance, family, context),
            (true, false) => remove_family(instance, family, context),
            (false, false) => {}
        }
    }
    if instance.state == State::Master && instance.hand_over.is_none() {
        let announce = instance.settings.announce;
        if announce.refresh.is_zero() || announce.refresh_repeat == 0 {
            instance.timers.stop(Timer::Refresh);
        } else {
            instance.timers.set_no_later(Timer::Refresh, context.now + announce.refresh);
        }
    }
    instance.priority_notice(before, context);
}

fn change_interval(instance: &mut Instance, family: Family, context: &mut Context<'_>) {
    let own = instance.settings.interval;
    match instance.state {
        State::Master => {
            let router = instance.router_of(family);
            router.learned = own;
            if instance.hand_over.is_none() {
                // The peers wait by the old interval until they hear the new one: an advert that
                // is due sooner stays due.
                instance.timers.set_no_later(Timer::Advert(family), context.now + own.duration());
            }
        }
        State::Backup => {
            let version = instance.settings.version;
            let router = instance.router_of(family);
            if version == Version::V2 || router.master.is_none() {
                router.learned = own;
            }
            if router.wants.is_none() {
                let wait = instance.master_down(family);
                instance.timers.set_no_later(Timer::Down(family), context.now + wait);
            }
        }
        State::Initialize | State::Fault => instance.router_of(family).learned = own,
    }
}

fn add_family(instance: &mut Instance, family: Family, context: &mut Context<'_>) {
    let own = instance.settings.interval;
    let router = instance.router_of(family);
    router.start_over(context.now);
    router.learned = own;
    match instance.state {
        State::Master if instance.hand_over.is_none() => instance.send_now(family, context),
        State::Backup => {
            let wait = instance.master_down(family);
            instance.timers.set(Timer::Down(family), context.now + wait);
        }
        State::Master | State::Initialize | State::Fault => {}
    }
}

fn remove_family(instance: &mut Instance, family: Family, context: &mut Context<'_>) {
    for timer in [Timer::Advert(family), Timer::Down(family), Timer::Owner(family)] {
        instance.timers.stop(timer);
    }
    // In a hand-over it may have been said already, and the successor does not need it.
    if instance.state == State::Master && !instance.hand_over.is_some_and(|h| h.silent()) {
        instance.send(family, Priority::STOP, instance.settings.interval, context);
    }
    instance.router_of(family).start_over(context.now);
}
