//! One VRRP instance: what it is made of, its priority (`vrrp:T-3`) and an operator's hold.
//!
//! What it knows in one state only is in module `state`; what makes it leave a state is decided by the
//! modules `transitions`, `election` and `hand_over`. An instance with addresses of both families has two virtual routers that move together. What
//! concerns more than one instance (a sync group) is not decided here: the methods give back a
//! [`GroupRequest`] and the engine makes all members follow.

use std::net::IpAddr;
use std::time::Duration;

use super::action_queue::ActionQueue;
use super::ids::{InstanceId, InterfaceId, RouterId};
use super::notice::{Cause, Notice};
use super::objects::Objects;
use super::pause::Pauses;
use super::router::Router;
use super::settings::{InstanceSettings, Preempt};
use super::state::{
    Backup, Claim, Duty, HandOver, HandOverEnd, Initialize, Listening, Master, SecondHolders,
    StateData,
};
use super::timers::{Timer, TimerTable, master_down, skew};
use super::tracking::{TrackRef, Verdict};
use crate::units::{Centiseconds, Family, Instant, PerFamily, Priority, State};

/// The moment and where results go.
#[derive(Debug)]
pub struct Context<'a> {
    /// Now.
    pub now: Instant,
    /// What is to be done.
    pub out: &'a mut ActionQueue,
}

/// What an instance wants its whole group to do.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum GroupRequest {
    /// Become master, once all members can.
    Master,
    /// Go to Backup.
    Backup {
        /// Why.
        cause: Cause,
        /// Send priority 0 first (`vrrp:S-30`).
        stop: bool,
    },
    /// Announce all addresses again, since a lower-priority router did (`vrrp:S-29`).
    Reannounce,
    /// A step of the planned hand-over came to its end.
    HandOver,
}

/// An operator's hold after a switchover.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Hold {
    /// When it ends by itself.
    pub until: Option<Instant>,
}

/// What an instance knows of its own interface.
#[derive(Clone, Copy, Debug, Default)]
pub struct Link {
    /// Adverts can be sent.
    pub can_send: bool,
    /// The interface's own address of each family.
    pub addresses: PerFamily<Option<IpAddr>>,
}

/// The places of an instance in the lanes of requests to the kernel.
#[derive(Clone, Copy, Debug, Default)]
pub struct KernelLanes {
    /// It is in the lane of removals.
    pub removals: bool,
    /// It is in the lane of installations.
    pub installations: bool,
    /// The last word on ARP and neighbour solicitations was to be mute.
    pub muted: bool,
}

/// What announcements and probes remember beyond the time as master.
#[derive(Clone, Copy, Debug, Default)]
pub struct Announcing {
    /// When the last burst was sent that another host's announcement caused, or the next one is due.
    pub defended_at: Option<Instant>,
    /// When the last burst was sent that an advert of another master caused (`vrrp:S-29`).
    pub reannounced_at: Option<Instant>,
    /// The address that is probed next: its place among the objects and the sources of adverts.
    pub probe_place: usize,
}

/// One instance.
#[derive(Clone, Debug)]
pub struct Instance {
    /// Itself.
    pub id: InstanceId,
    /// Its configuration.
    pub settings: InstanceSettings,
    /// Removed from the configuration; ends when the kernel is clean.
    pub retiring: bool,
    /// The sync group it is in.
    pub group: Option<u32>,
    /// Its interface.
    pub interface: InterfaceId,
    /// What is known of that.
    pub link: Link,
    /// What it tracks.
    pub tracked: Vec<TrackRef>,
    /// What that and the interface mean.
    pub verdict: Verdict,
    /// Its state, with what belongs to it.
    pub state: StateData,
    /// Since when.
    pub since: Instant,
    /// Why.
    pub cause: Cause,
    /// The virtual routers.
    pub routers: PerFamily<Router>,
    /// Its timers.
    pub timers: TimerTable,
    /// What it installs.
    pub objects: Objects,
    /// Whether requests about that may be due.
    pub lanes: KernelLanes,
    /// An operator's hold.
    pub hold: Option<Hold>,
    /// An owner that yields to another one (`vrrp:S-32`).
    pub demoted: bool,
    /// How long it leaves masters of lower priority alone.
    pub pauses: Pauses,
    /// Its announcements and probes.
    pub announcing: Announcing,
    /// How the last planned hand-over ended.
    pub hand_over_end: Option<HandOverEnd>,
}

impl Instance {
    /// Whether these settings are about the same virtual router: everything else changes in place.
    pub fn is_router_of(&self, settings: &InstanceSettings) -> bool {
        settings.vrid == self.settings.vrid && settings.interface == self.settings.interface
    }

    /// An instance in Initialize.
    pub fn new(
        id: InstanceId,
        settings: InstanceSettings,
        interface: InterfaceId,
        now: Instant,
    ) -> Self {
        let mut instance = Self {
            id,
            settings,
            retiring: false,
            group: None,
            interface,
            link: Link::default(),
            tracked: Vec::new(),
            verdict: Verdict::default(),
            state: StateData::Initialize(Initialize::default()),
            since: now,
            cause: Cause::Started,
            routers: PerFamily::new(|_| Router::new(now)),
            timers: TimerTable::default(),
            objects: Objects::default(),
            lanes: KernelLanes::default(),
            hold: None,
            demoted: false,
            pauses: Pauses::default(),
            announcing: Announcing::default(),
            hand_over_end: None,
        };
        instance.objects.configure(&instance.settings.objects);
        instance.objects.set_owner(instance.settings.priority.is_owner());
        instance.list_addresses();
        instance
    }

    /// Takes the packet addresses from the settings and decides which families there are.
    pub fn list_addresses(&mut self) {
        for family in Family::ALL {
            let mut addresses = std::mem::take(&mut self.router_of(family).addresses);
            addresses.clear();
            let packet = self.settings.objects.iter().filter_map(|o| o.in_packet());
            addresses.extend(packet.filter(|a| Family::of(*a) == family));
            let mut excluded = std::mem::take(&mut self.router_of(family).excluded);
            excluded.clear();
            let outside = self.settings.objects.iter().filter(|o| o.in_packet().is_none());
            let outside = outside.filter_map(|o| o.announced());
            excluded.extend(outside.filter(|a| Family::of(*a) == family));
            excluded.sort_unstable();
            let router = self.router_of(family);
            router.active = !addresses.is_empty();
            router.addresses = addresses;
            router.excluded = excluded;
        }
        // An instance with excluded addresses only still sends adverts, with no address in them
        // (`vrrp:V3-4`): of the family of the first one.
        if self.routers.iter().all(|router| !router.active) {
            let excluded = self.settings.objects.iter().find_map(|o| o.announced());
            self.router_of(excluded.map_or(Family::V4, Family::of)).active = true;
        }
    }

    /// The virtual router of a family, whether active or not.
    pub const fn router_of(&mut self, family: Family) -> &mut Router {
        self.routers.get_mut(family)
    }

    /// The virtual router of a family, if the instance has one.
    pub const fn router(&self, family: Family) -> Option<&Router> {
        let router = self.routers.get(family);
        if router.active { Some(router) } else { None }
    }

    /// The families that the instance has a virtual router of.
    pub fn families(&self) -> impl Iterator<Item = Family> + use<> {
        let active = PerFamily::new(|family| self.routers.get(family).active);
        Family::ALL.into_iter().filter(move |family| *active.get(*family))
    }

    /// Whether it is in a state.
    pub fn is(&self, state: State) -> bool {
        self.state.name() == state
    }

    /// What a backup hears in a family.
    pub const fn listening(&mut self, family: Family) -> Option<&mut Listening> {
        match &mut self.state {
            StateData::Backup(backup) => Some(backup.listening.get_mut(family)),
            StateData::Initialize(_) | StateData::Master(_) | StateData::Fault(_) => None,
        }
    }

    /// What a master knows in a family, if the instance has a virtual router of that.
    pub const fn claim(&self, family: Family) -> Option<&Claim> {
        match &self.state {
            StateData::Master(master) if self.routers.get(family).active => {
                Some(master.claims.get(family))
            }
            StateData::Master(_)
            | StateData::Initialize(_)
            | StateData::Backup(_)
            | StateData::Fault(_) => None,
        }
    }

    /// What a master knows in a family.
    pub const fn claim_mut(&mut self, family: Family) -> Option<&mut Claim> {
        match &mut self.state {
            StateData::Master(master) => Some(master.claims.get_mut(family)),
            StateData::Initialize(_) | StateData::Backup(_) | StateData::Fault(_) => None,
        }
    }

    const fn duty(&self) -> Option<&Duty> {
        match &self.state {
            StateData::Master(Master { duty, .. }) => Some(duty),
            StateData::Initialize(_) | StateData::Backup(_) | StateData::Fault(_) => None,
        }
    }

    const fn duty_mut(&mut self) -> Option<&mut Duty> {
        match &mut self.state {
            StateData::Master(Master { duty, .. }) => Some(duty),
            StateData::Initialize(_) | StateData::Backup(_) | StateData::Fault(_) => None,
        }
    }

    /// Whether it is a master that keeps its addresses.
    pub const fn is_serving(&self) -> bool {
        matches!(self.duty(), Some(Duty::Serving(_)))
    }

    /// The planned hand-over of a master.
    pub const fn hand_over(&self) -> Option<&HandOver> {
        match self.duty() {
            Some(Duty::HandingOver(hand_over)) => Some(hand_over),
            Some(Duty::Serving(_)) | None => None,
        }
    }

    /// The same, to change it.
    pub const fn hand_over_mut(&mut self) -> Option<&mut HandOver> {
        match self.duty_mut() {
            Some(Duty::HandingOver(hand_over)) => Some(hand_over),
            Some(Duty::Serving(_)) | None => None,
        }
    }

    /// When a former process sent its last advert as master, before this one has left Initialize.
    pub const fn resume(&self) -> Option<Instant> {
        match &self.state {
            StateData::Initialize(initialize) => initialize.resume,
            StateData::Backup(_) | StateData::Master(_) | StateData::Fault(_) => None,
        }
    }

    /// It does not resume.
    pub fn forget_resume(&mut self) {
        if let StateData::Initialize(initialize) = &mut self.state {
            initialize.resume = None;
        }
    }

    /// Gives a master another duty.
    pub fn set_duty(&mut self, new: Duty) {
        if let Some(duty) = self.duty_mut() {
            *duty = new;
        }
    }

    /// The second holders that a serving master knows.
    pub const fn second_holders(&self) -> Option<&SecondHolders> {
        match self.duty() {
            Some(Duty::Serving(holders)) => Some(holders),
            Some(Duty::HandingOver(_)) | None => None,
        }
    }

    /// The same, to change them.
    pub const fn second_holders_mut(&mut self) -> Option<&mut SecondHolders> {
        match self.duty_mut() {
            Some(Duty::Serving(holders)) => Some(holders),
            Some(Duty::HandingOver(_)) | None => None,
        }
    }

    /// Whether something that it installs is on an interface, or goes out by it.
    pub fn has_object_on(&self, interface: InterfaceId, name: &str) -> bool {
        let mut all = self.settings.objects.iter().flat_map(|object| object.interfaces());
        self.interface == interface || all.any(|named| named == name)
    }

    /// The identifier of one of its routers.
    pub const fn router_id(&self, family: Family) -> RouterId {
        RouterId { instance: self.id, family }
    }

    /// The address that adverts of a family come from.
    pub fn source(&self, family: Family) -> Option<IpAddr> {
        self.settings.source.of(family).or(*self.link.addresses.get(family))
    }

    /// The priority that elections use now (`vrrp:T-3`): a held router has the lowest, an owner
    /// is not moved by trackers.
    pub fn effective_priority(&self) -> Priority {
        let base = self.settings.priority;
        if self.hold.is_some() {
            return Priority::LOWEST;
        }
        if base.is_owner() {
            return if self.demoted { Priority::HIGHEST_BACKUP } else { Priority::OWNER };
        }
        let priority = (i32::from(base.0) + self.verdict.weight).clamp(1, 254);
        Priority(u8::try_from(priority).unwrap_or(base.0))
    }

    /// The priority that timers use (`vrrp:T-3`): an owner's are those of 255 even while it yields
    /// to another one.
    pub(super) fn timer_priority(&self) -> Priority {
        if self.settings.priority.is_owner() && self.hold.is_none() {
            Priority::OWNER
        } else {
            self.effective_priority()
        }
    }

    pub(super) fn skew(&self, interval: Centiseconds) -> Duration {
        skew(self.settings.version, self.timer_priority(), interval)
    }

    /// Master_Down_Interval for the learned interval of a family.
    pub fn master_down(&self, family: Family) -> Duration {
        let learned = match &self.state {
            StateData::Backup(Backup { listening }) => listening.get(family).learned,
            StateData::Master(master) => master.claims.get(family).learned,
            StateData::Initialize(_) | StateData::Fault(_) => self.settings.interval,
        };
        master_down(
            self.settings.version,
            self.timer_priority(),
            learned,
            self.settings.down_timer_adverts,
        )
    }

    /// The longest that any router which follows our interval may wait for our next advert.
    pub fn longest_master_down(&self) -> Duration {
        master_down(
            self.settings.version,
            Priority::LOWEST,
            self.settings.interval,
            self.settings.down_timer_adverts,
        )
    }

    /// Whether to take over from a lower master, and when.
    pub(super) fn preempt(&self) -> (Preempt, Duration) {
        // The owner preempts always (`vrrp:S-31`).
        if self.settings.priority.is_owner() && !self.demoted && self.hold.is_none() {
            (Preempt::On, Duration::ZERO)
        } else {
            (self.settings.preempt, self.settings.preempt_delay)
        }
    }

    /// Says that the effective priority is no longer what it was.
    pub fn priority_notice(&self, before: Priority, context: &mut Context<'_>) {
        let to = self.effective_priority();
        if before != to {
            let instance = self.id;
            context.out.notice(Notice::PriorityChanged { instance, from: before, to });
        }
    }

    /// Whether this owner yields to another one (`vrrp:S-32`).
    pub fn demote(&mut self, demoted: bool, context: &mut Context<'_>) {
        let before = self.effective_priority();
        self.demoted = demoted;
        self.priority_notice(before, context);
    }

    /// Puts the instance on hold: lowest priority until released.
    pub fn start_hold(&mut self, hold_for: Option<Duration>, context: &mut Context<'_>) {
        let before = self.effective_priority();
        let until = hold_for.map(|length| context.now + length);
        match until {
            Some(until) => self.timers.set(Timer::HoldEnd, until),
            None => self.timers.stop(Timer::HoldEnd),
        }
        self.hold = Some(Hold { until });
        context.out.notice(Notice::Hold { instance: self.id, held: true, hold_for });
        self.priority_notice(before, context);
        if self.is(State::Backup) {
            // Now it waits longer than any other router.
            for family in self.families() {
                if self.timers.get(Timer::Down(family)).is_some() {
                    self.restart_down_timer(family, context.now);
                }
            }
        }
    }

    /// Ends the hold.
    pub fn end_hold(&mut self, context: &mut Context<'_>) {
        let before = self.effective_priority();
        self.timers.stop(Timer::HoldEnd);
        if self.hold.take().is_some() {
            let (instance, hold_for) = (self.id, None);
            context.out.notice(Notice::Hold { instance, held: false, hold_for });
            self.priority_notice(before, context);
        }
    }
}
