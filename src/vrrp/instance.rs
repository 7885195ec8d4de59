//! One VRRP instance: the state machine of section 6 of the rules.
//!
//! An instance with addresses of both families has two virtual routers that move together. What
//! concerns more than one instance (a sync group) is not decided here: the methods give back a
//! [`GroupRequest`] and the engine makes all members follow.

use std::net::IpAddr;
use std::time::Duration;

use super::action::{Cause, FaultReason, Notice, State};
use super::action_queue::ActionQueue;
use super::command::HandOverEnd;
use super::hand_over::HandOver;
use super::ids::{InstanceId, InterfaceId, RouterId};
use super::objects::Objects;
use super::router::Router;
use super::second_holder::SecondHolders;
use super::settings::{InstanceSettings, Preempt};
use super::timers::{Timer, TimerTable, master_down, skew};
use super::tracking::TrackRef;
use super::transmit_failure::Pause;
use crate::units::{Centiseconds, Family, Instant, Priority};

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

/// One instance.
#[derive(Clone, Debug)]
pub struct Instance {
    /// Itself.
    pub id: InstanceId,
    /// Its configuration.
    pub settings: InstanceSettings,
    /// Its interface.
    pub interface: InterfaceId,
    /// The sync group it is in.
    pub group: Option<u32>,
    /// Its state.
    pub state: State,
    /// Since when.
    pub since: Instant,
    /// Why.
    pub cause: Cause,
    /// The IPv4 virtual router.
    pub v4: Router,
    /// The IPv6 virtual router.
    pub v6: Router,
    /// What it installs.
    pub objects: Objects,
    /// Its timers.
    pub timers: TimerTable,
    /// It is in the lane of removals.
    pub removals_queued: bool,
    /// It is in the lane of installations.
    pub kernel_queued: bool,
    /// The last word on ARP and neighbour solicitations was to be mute.
    pub muted: bool,
    /// A planned hand-over.
    pub hand_over: Option<HandOver>,
    /// How the last one ended.
    pub(super) hand_over_end: Option<HandOverEnd>,
    /// An operator's hold.
    pub hold: Option<Hold>,
    /// An owner that yields to another one (`vrrp:S-32`).
    pub demoted: bool,
    /// Its adverts did not leave.
    pub unheard: Option<Pause>,
    /// It could not keep its addresses: until then it leaves others alone, or asks nobody to take
    /// over.
    pub losing: Option<Pause>,
    /// Sum of the weights of all trackers.
    pub weight: i32,
    /// Some tracker has no result yet.
    pub waiting: bool,
    /// Why it cannot take part.
    pub fault: Option<FaultReason>,
    /// What it tracks.
    pub tracked: Vec<TrackRef>,
    /// What a former process left: when it sent its last advert as master.
    pub resume: Option<Instant>,
    /// Removed from the configuration; ends when the kernel is clean.
    pub retiring: bool,
    /// The interface is up.
    pub can_send: bool,
    /// The interface's own addresses.
    pub interface_source: (Option<IpAddr>, Option<IpAddr>),
    /// When an address was last announced because another host announced it.
    pub defended_at: Option<Instant>,
    /// When the last burst was sent that an advert of another master caused (`vrrp:S-29`).
    pub reannounced_at: Option<Instant>,
    /// When such a burst is to be repeated.
    pub reannounce_at: Option<Instant>,
    /// Other hosts that hold its addresses as well.
    pub second_holders: SecondHolders,
    /// Priority 0 could not be sent when the interface went down, then.
    pub owes_stop: Option<Instant>,
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
        let router = Router::new(settings.interval, now);
        let mut instance = Self {
            id,
            interface,
            group: None,
            state: State::Initialize,
            since: now,
            cause: Cause::Started,
            v4: router.clone(),
            v6: router,
            objects: Objects::default(),
            timers: TimerTable::default(),
            removals_queued: false,
            kernel_queued: false,
            muted: false,
            hand_over: None,
            hand_over_end: None,
            hold: None,
            demoted: false,
            unheard: None,
            losing: None,
            weight: 0,
            waiting: false,
            fault: None,
            tracked: Vec::new(),
            resume: None,
            retiring: false,
            can_send: false,
            interface_source: (None, None),
            defended_at: None,
            reannounced_at: None,
            reannounce_at: None,
            second_holders: SecondHolders::default(),
            owes_stop: None,
            settings,
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
        if !self.v4.active && !self.v6.active {
            let excluded = self.settings.objects.iter().find_map(|o| o.announced());
            match excluded.map_or(Family::V4, Family::of) {
                Family::V4 => self.v4.active = true,
                Family::V6 => self.v6.active = true,
            }
        }
    }

    /// The virtual router of a family, whether active or not.
    pub const fn router_of(&mut self, family: Family) -> &mut Router {
        match family {
            Family::V4 => &mut self.v4,
            Family::V6 => &mut self.v6,
        }
    }

    /// The virtual router of a family, if the instance has one.
    pub const fn router(&self, family: Family) -> Option<&Router> {
        let router = match family {
            Family::V4 => &self.v4,
            Family::V6 => &self.v6,
        };
        if router.active { Some(router) } else { None }
    }

    /// The families that the instance has a virtual router of.
    pub fn families(&self) -> impl Iterator<Item = Family> + use<> {
        let (v4, v6) = (self.v4.active, self.v6.active);
        Family::ALL.into_iter().filter(move |family| match family {
            Family::V4 => v4,
            Family::V6 => v6,
        })
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
        match family {
            Family::V4 => self.settings.source_v4.map(IpAddr::V4).or(self.interface_source.0),
            Family::V6 => self.settings.source_v6.map(IpAddr::V6).or(self.interface_source.1),
        }
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
        let priority = (i32::from(base.0) + self.weight).clamp(1, 254);
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
        let learned = match family {
            Family::V4 => self.v4.learned,
            Family::V6 => self.v6.learned,
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

    pub(super) fn preempt(&self) -> Preempt {
        // The owner preempts always (`vrrp:S-31`).
        if self.settings.priority.is_owner() && !self.demoted && self.hold.is_none() {
            Preempt::On { delay: Duration::ZERO }
        } else {
            self.settings.preempt
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
        if self.state == State::Backup {
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
