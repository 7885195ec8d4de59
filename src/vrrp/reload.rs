//! What a configuration changes, at the start and while running (architecture.md, the way of a reload).
//!
//! An instance is known by its name. While its interface and VRID stay, everything else changes
//! in place: no mastership and no address that both configurations have is lost. When they
//! change it is another virtual router: the old one ends, the new one starts.

use std::time::Duration;

use super::action::KernelRequest;
use super::change::{Change, Piece};
use super::engine::Engine;
use super::ids::{InstanceId, ObjectId};
use super::instance::{Context, GroupRequest, Instance};
use super::members::Reloaded;
use super::notice::Cause;
use super::router_index::Key;
use super::settings::{GroupSettings, InstanceSettings, Object, Settings, Track, Tracker};
use super::state::{Claim, HandOver, Listening, StateData};
use super::timers::Timer;
use super::tracking::{Source, TrackRef};
use crate::sorted::{Map, Set};
use crate::units::{Family, PerFamily, Priority, State, Version};

/// One instance of a configuration to come.
#[derive(Clone, Copy)]
enum Wanted<'a> {
    /// It stays as it is.
    Same(InstanceId),
    /// It is to be like this, and may be so already.
    Like(&'a InstanceSettings),
}

impl Engine {
    /// Takes the first configuration.
    pub(super) fn take_settings(&mut self, settings: &Settings) {
        let wanted: Vec<_> = settings.instances.iter().map(Wanted::Like).collect();
        self.configure(&wanted, &settings.groups, settings.startup_delay);
        self.members.reloaded.members = true;
    }

    pub(super) fn reload(&mut self, change: &Change) {
        if self.life.stopping {
            return;
        }
        let before = std::mem::take(&mut self.members.order);
        let mut wanted = Vec::new();
        for piece in &change.instances {
            match piece {
                Piece::Same { from, count } => {
                    let places = before.iter().skip(*from as usize).take(*count as usize);
                    wanted.extend(places.copied().map(Wanted::Same));
                }
                Piece::New(all) => wanted.extend(all.iter().map(Wanted::Like)),
            }
        }
        self.configure(&wanted, &change.groups, change.startup_delay);
        self.pacers.start_over(self.now, &mut self.out.announcements);
        self.align_groups();
        self.try_all_again();
        self.evaluate_all();
        self.settle_units();
    }

    /// Takes a configuration; states do not change but for instances that end.
    fn configure(
        &mut self,
        wanted: &[Wanted<'_>],
        groups: &[GroupSettings],
        startup_delay: Duration,
    ) {
        let mut named: Map<&str, &InstanceSettings> = Map::new();
        let mut stays = vec![false; self.members.instances.len()];
        for one in wanted {
            match one {
                Wanted::Like(settings) => {
                    named.insert(&settings.name, settings);
                }
                Wanted::Same(id) => {
                    if let Some(stays) = stays.get_mut(id.0 as usize) {
                        *stays = true;
                    }
                }
            }
        }
        self.members.reloaded = Reloaded::default();
        for (id, stays) in self.ids().zip(stays) {
            let Some(instance) = self.get(id).filter(|i| !i.retiring && !stays) else { continue };
            let settings = named.get(&*instance.settings.name);
            match settings.map(|settings| instance.is_router_of(settings)) {
                Some(true) => {}
                Some(false) => self.retire(id, Cause::Reconfigured),
                None => self.retire(id, Cause::Stopped),
            }
        }
        let revived = self.revive(&named);
        self.members.reloaded.changed.extend(&revived);
        let mut known: Map<&str, InstanceId> = Map::new();
        let stay = self.members.iter().filter(|i| !i.retiring);
        known.extend(stay.filter_map(|i| {
            let (name, _) = named.get_key_value(&*i.settings.name)?;
            Some((*name, i.id))
        }));
        // Places below it are taken.
        let mut free = 0;
        let mut order = Vec::with_capacity(wanted.len());
        for one in wanted {
            order.push(match one {
                Wanted::Same(id) => *id,
                Wanted::Like(settings) => match known.get(&*settings.name) {
                    Some(&id) => {
                        let run = |i: &mut Instance, c: &mut Context<'_>| change(i, settings, c);
                        if self.with(id, run) == Some(true) && !revived.contains(&id) {
                            self.members.reloaded.changed.push(id);
                        }
                        id
                    }
                    None => self.add(settings, &mut free),
                },
            });
        }
        self.members.order = order;
        self.group(groups);
        self.life.startup_delay = startup_delay;
        self.reserve();
        self.index();
        for id in self.ids() {
            self.assess(id);
        }
        // Last, since their first adverts have to announce what is configured now.
        for id in revived {
            self.with(id, |instance, context| {
                if instance.hand_over().is_some() {
                    instance.resume_after_hand_over(context);
                }
            });
        }
    }

    fn add(&mut self, settings: &InstanceSettings, free: &mut usize) -> InstanceId {
        let interface = self.sources.intern_interface(&settings.interface);
        while self.members.instances.get(*free).is_some_and(Option::is_some) {
            *free += 1;
        }
        let place = *free;
        if place >= self.members.instances.len() {
            self.members.instances.push(None);
        }
        let id = InstanceId(u32::try_from(place).unwrap_or(u32::MAX));
        if let Some(slot) = self.members.instances.get_mut(place) {
            *slot = Some(Instance::new(id, settings.clone(), interface, self.now));
        }
        self.members.reloaded.changed.push(id);
        self.members.reloaded.members = true;
        id
    }

    /// Ends an instance that is no longer configured. It goes when the kernel is clean.
    fn retire(&mut self, id: InstanceId, cause: Cause) {
        self.members.reloaded.members = true;
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
    fn revive(&mut self, named: &Map<&str, &InstanceSettings>) -> Vec<InstanceId> {
        let mut revived = Vec::new();
        for id in self.ids() {
            let back = self.get(id).is_some_and(|i| {
                i.retiring
                    && named.get(&*i.settings.name).is_some_and(|settings| {
                        i.is_router_of(settings) && self.instance(&settings.name).is_none()
                    })
            });
            if back && let Some(instance) = self.get_mut(id) {
                instance.retiring = false;
                self.members.reloaded.members = true;
                revived.push(id);
            }
        }
        revived
    }

    /// Forgets an instance that has ended.
    pub(super) fn bury(&mut self, id: InstanceId) {
        let ended = self.get(id).is_some_and(|i| {
            i.retiring
                && i.is(State::Initialize)
                && i.objects.none_left()
                && !i.lanes.muted
                && !i.lanes.installations
                && !i.lanes.removals
                && i.routers.iter().all(|router| router.pending.is_none())
        });
        if ended && let Some(slot) = self.members.instances.get_mut(id.0 as usize) {
            *slot = None;
            self.timing.schedule.update(id.0, None);
            self.router_index.lookup.retain(|entry| entry.1 != id);
            self.router_index.replaced.retain(|entry| entry.1 != id);
        }
    }

    /// The next object of an instance to remove. One that a reload gave to another instance, which
    /// has asked the kernel for it, is only struck off the books: a removal that comes later,
    /// because the kernel refused it or was slow, would take it from the new owner.
    pub(super) fn next_removal(&mut self, id: InstanceId) -> Option<KernelRequest> {
        let now = self.now;
        loop {
            let slot = self.get_mut(id)?.objects.next_removal()?;
            if !self.has_new_owner(id, slot) {
                return Some(KernelRequest::Remove(ObjectId { instance: id, slot }));
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
        self.members.iter().any(|other| {
            other.id != id
                && (other.interface == instance.interface || !tied_to_interface)
                && other.is(State::Master)
                && other.objects.iter().any(|(_, new)| {
                    new.listed() && new.expected() && new.object.same_in_kernel(&old.object)
                })
        })
    }

    fn group(&mut self, groups: &[GroupSettings]) {
        for id in self.ids() {
            let Some(instance) = self.get_mut(id) else { continue };
            instance.group = None;
            if instance.retiring {
                continue;
            }
            let own = instance.settings.track.clone();
            // Also of those that are not tracked the engine has to know.
            let objects = instance.settings.objects.iter().flat_map(Object::interfaces);
            let named: Set<Box<str>> = objects.map(Into::into).collect();
            for name in &named {
                self.sources.intern_interface(name);
            }
            let own = own.iter().map(|track| self.resolve(track)).collect();
            if let Some(instance) = self.get_mut(id) {
                instance.tracked = own;
            }
        }
        self.members.group_names = groups.iter().map(|group| group.name.clone()).collect();
        self.members.groups.clear();
        if groups.is_empty() {
            return;
        }
        let members: Vec<Vec<InstanceId>> = {
            let mut ids: Map<&str, InstanceId> = Map::new();
            let all = self.members.order.iter().filter_map(|id| self.get(*id));
            ids.extend(all.map(|instance| (&*instance.settings.name, instance.id)));
            let members = groups.iter().map(|group| group.members.iter());
            members.map(|m| m.filter_map(|name| ids.get(&**name).copied()).collect()).collect()
        };
        for (number, (group, members)) in (0..).zip(groups.iter().zip(&members)) {
            let shared: Vec<_> = group.track.iter().map(|t| self.resolve(t)).collect();
            for member in members {
                if let Some(instance) = self.get_mut(*member) {
                    instance.group = Some(number);
                    // What the group lists counts as it says.
                    let lists = |track: &TrackRef| shared.iter().any(|s| s.source == track.source);
                    instance.tracked.retain(|track| !track.in_use || !lists(track));
                    instance.tracked.extend_from_slice(&shared);
                }
            }
        }
        self.members.groups = members;
    }

    fn resolve(&mut self, track: &Track) -> TrackRef {
        let source = match &track.tracker {
            Tracker::Interface(name) | Tracker::InUse(name) => {
                Source::Interface(self.sources.intern_interface(name))
            }
            Tracker::Named(name) => Source::Named(self.sources.intern_tracker(name)),
        };
        let in_use = matches!(track.tracker, Tracker::InUse(_));
        TrackRef { source, weight: track.weight, reverse: track.reverse, in_use }
    }

    /// Takes all memory that adverts and announcements may need.
    fn reserve(&mut self) {
        let instances = self.members.instances.len();
        let objects = self.members.iter().map(|i| i.objects.len()).sum();
        self.timing.schedule.reserve(instances);
        self.out.reserve(instances, objects);
        let intervals = self.members.iter().map(|i| i.settings.interval.duration());
        self.timing.shortest = intervals.min().unwrap_or(Duration::MAX);
    }

    fn index(&mut self) {
        let (mut lookup, mut replaced): (Vec<(Key, InstanceId)>, Vec<_>) = Default::default();
        let all = || self.members.iter();
        // One that still hands over listens for its successor, also when it has been replaced.
        for instance in all().filter(|i| !i.retiring).chain(all().filter(|i| i.retiring)) {
            for family in instance.families() {
                let key = (instance.interface, family, instance.settings.vrid.get());
                // Most are in order, so that most are put at the end.
                match lookup.binary_search_by_key(&key, |entry| entry.0) {
                    Ok(_) => replaced.push((key, instance.id)),
                    Err(place) => lookup.insert(place, (key, instance.id)),
                }
            }
        }
        self.router_index.lookup = lookup;
        self.router_index.replaced = replaced;
    }

    /// A reload may have put routers of different states into one group.
    fn align_groups(&mut self) {
        for id in self.ids() {
            if self.get(id).is_none_or(|i| !i.is_serving()) {
                continue;
            }
            let others = || self.unit_members(id).filter_map(|member| self.get(member));
            if others().any(|i| i.is(State::Backup) || i.is(State::Fault)) {
                self.grant(id, GroupRequest::Backup { cause: Cause::Reconfigured, stop: true });
            } else if others().any(|i| i.hand_over().is_some()) {
                // Those that hand over go on; this one leaves without.
                self.with(id, |instance, context| {
                    instance.enter_backup(Cause::Reconfigured, true, context);
                });
            }
            // Those that another member kept waiting may not have to any more.
            if self.get(id).is_some_and(Instance::all_want_master) {
                self.grant(id, GroupRequest::Master);
            }
        }
    }
}

/// Changes an instance in place; whether there was something to change.
fn change(instance: &mut Instance, new: &InstanceSettings, context: &mut Context<'_>) -> bool {
    if instance.settings == *new {
        return false;
    }
    let before = instance.effective_priority();
    let preempt = |settings: &InstanceSettings| (settings.preempt, settings.preempt_delay);
    let preempted = preempt(&instance.settings);
    let was_active = PerFamily::new(|family| instance.routers.get(family).active);
    instance.settings = new.clone();
    instance.objects.configure(&instance.settings.objects);
    instance.objects.set_owner(instance.settings.priority.is_owner());
    instance.list_addresses();
    instance.queue_kernel(context);
    if !instance.settings.priority.is_owner() {
        instance.demoted = false;
    }
    if preempt(&instance.settings) != preempted {
        // The delay begins anew with the next lower advert (`vrrp:S-17`).
        for family in Family::ALL {
            if let Some(listening) = instance.listening(family) {
                listening.preempt_at = None;
            }
        }
    }
    for family in Family::ALL {
        let is = instance.router(family).is_some();
        match (*was_active.get(family), is) {
            (true, true) => change_interval(instance, family, context),
            (false, true) => add_family(instance, family, context),
            (true, false) => remove_family(instance, family, context),
            (false, false) => {}
        }
    }
    if instance.is_serving() {
        let announce = instance.settings.announce;
        if announce.refresh.is_zero() || announce.refresh_repeat == 0 {
            instance.timers.stop(Timer::Refresh);
        } else {
            instance.timers.set_no_later(Timer::Refresh, context.now + announce.refresh);
        }
        instance.review_probing(context);
    }
    instance.priority_notice(before, context);
    true
}

fn change_interval(instance: &mut Instance, family: Family, context: &mut Context<'_>) {
    let own = instance.settings.interval;
    let serves = instance.is_serving();
    match &mut instance.state {
        StateData::Master(master) => {
            master.claims.get_mut(family).learned = own;
            if serves {
                // The peers wait by the old interval until they hear the new one: an advert that
                // is due sooner stays due.
                instance.timers.set_no_later(Timer::Advert(family), context.now + own.duration());
            }
        }
        StateData::Backup(backup) => {
            let listening = backup.listening.get_mut(family);
            if instance.settings.version == Version::V2 || listening.master.is_none() {
                listening.learned = own;
            }
            if listening.wants.is_none() {
                let wait = instance.master_down(family);
                instance.timers.set_no_later(Timer::Down(family), context.now + wait);
            }
        }
        StateData::Initialize(_) | StateData::Fault(_) => {}
    }
}

fn start_family_over(instance: &mut Instance, family: Family, context: &Context<'_>) {
    let own = instance.settings.interval;
    match &mut instance.state {
        StateData::Master(master) => {
            *master.claims.get_mut(family) = Claim::new(own, None, context.now);
        }
        StateData::Backup(backup) => {
            *backup.listening.get_mut(family) = Listening::new(own, None, context.now);
        }
        StateData::Initialize(_) | StateData::Fault(_) => {}
    }
    instance.router_of(family).forget_remarks();
}

fn add_family(instance: &mut Instance, family: Family, context: &mut Context<'_>) {
    start_family_over(instance, family, context);
    if instance.is_serving() {
        instance.send_now(family, context);
    } else if instance.is(State::Backup) {
        let wait = instance.master_down(family);
        instance.timers.set(Timer::Down(family), context.now + wait);
    }
}

fn remove_family(instance: &mut Instance, family: Family, context: &mut Context<'_>) {
    for timer in [Timer::Advert(family), Timer::Down(family), Timer::Owner(family)] {
        instance.timers.stop(timer);
    }
    // In a hand-over it may have been said already, and the successor does not need it.
    let was_said = instance.hand_over().is_some_and(HandOver::is_silent);
    if instance.is(State::Master) && !was_said {
        instance.send(family, Priority::STOP, instance.settings.interval, context);
    }
    start_family_over(instance, family, context);
}
