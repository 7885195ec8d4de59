//! What moves together: how the members of a sync group follow each other, start, stop and hand over
//! (`vrrp:S-41`, `S-1`, `S-2`, `S-11`, `S-21`).
//!
//! A *unit* is a sync group, or an instance that is in none.

use std::time::Duration;

use super::engine::Engine;
use super::ids::InstanceId;
use super::instance::{Context, GroupRequest, Instance};
use super::notice::Cause;
use super::state::{Goal, HandOverResult};
use super::timers::Timer;
use crate::units::{Family, Instant, State};

impl Engine {
    fn unit_len(&self, id: InstanceId) -> usize {
        self.get(id)
            .and_then(|i| i.group)
            .map_or(1, |group| self.members.groups.get(group as usize).map_or(0, Vec::len))
    }

    fn member(&self, id: InstanceId, index: usize) -> Option<InstanceId> {
        match self.get(id)?.group {
            None => (index == 0).then_some(id),
            Some(group) => self.members.groups.get(group as usize)?.get(index).copied(),
        }
    }

    /// The members of the unit that an instance is in.
    pub(super) fn unit_members(&self, id: InstanceId) -> impl Iterator<Item = InstanceId> + '_ {
        (0..self.unit_len(id)).filter_map(move |index| self.member(id, index))
    }

    pub(super) fn unit(&self, id: InstanceId) -> impl Iterator<Item = &Instance> + '_ {
        self.unit_members(id).filter_map(|member| self.get(member))
    }

    /// Runs something on each member of a unit.
    fn each(&mut self, id: InstanceId, mut run: impl FnMut(&mut Instance, &mut Context<'_>)) {
        for index in 0..self.unit_len(id) {
            if let Some(member) = self.member(id, index) {
                self.with(member, &mut run);
            }
        }
    }

    /// Does what an instance wishes, with all of its unit.
    pub(super) fn grant(&mut self, id: InstanceId, wish: GroupRequest) {
        match wish {
            GroupRequest::Master => {
                if self.unit(id).all(Instance::all_want_master) {
                    self.each(id, |member, context| {
                        let cause = member.wanted_cause().unwrap_or(Cause::Group { member: id });
                        member.enter_master(cause, context);
                    });
                }
            }
            GroupRequest::Backup { cause, stop } => {
                self.each(id, |member, context| {
                    if !member.is(State::Master) {
                        return;
                    }
                    if member.id == id {
                        member.enter_backup(cause, stop, context);
                    } else {
                        // Unlike the member that lost, this one may have no successor that was
                        // heard yet.
                        // One that slept is as late as the one that noticed (`vrrp:T-8`).
                        let stop = !matches!(cause, Cause::TimerExpired { .. });
                        member.enter_backup(Cause::Group { member: id }, stop, context);
                    }
                });
            }
            GroupRequest::Reannounce => self.each(id, Instance::reannounce),
            GroupRequest::HandOver => self.settle_hand_over(id),
        }
    }

    /// With equal priorities, each link of a group compares other addresses, and two routers
    /// could each win on one link and both give way for ever. So the first router of the unit
    /// decides for all as long as it hears the contender; whether it does is known only after a
    /// Master_Down_Interval, since its adverts may come later than those on the other links.
    pub(super) fn tie_is_decided_elsewhere(&self, id: InstanceId, family: Family) -> bool {
        let Some(lead) = self.unit(id).next() else { return false };
        let Some(lead_family) = lead.families().next() else { return false };
        if lead.id == id && lead_family == family {
            return false;
        }
        let Some(claim) = lead.claim(lead_family) else { return false };
        let recent = |at: Instant| self.now.since(at) < lead.master_down(lead_family);
        let mine = self.get(id).and_then(|i| i.claim(family));
        let too_early = mine.is_some_and(|mine| {
            // One that was last heard long ago begins anew.
            mine.contest.is_none_or(|contest| !recent(contest.last) || recent(contest.since))
        });
        too_early || claim.contest.is_some_and(|contest| recent(contest.last))
    }

    // Fault and start

    /// Brings the states of all units in line with what [`Engine::assess`] found.
    pub(super) fn evaluate_all(&mut self) {
        for id in self.ids() {
            // A group is looked at once, by its first member.
            if self.member(id, 0) == Some(id) {
                self.evaluate(id);
            }
        }
    }

    fn evaluate(&mut self, id: InstanceId) {
        if !self.life.started || self.life.stopping || self.unit(id).any(|i| i.retiring) {
            return;
        }
        let faulted = self.unit(id).find(|i| i.verdict.fault.is_some()).map(|i| i.id);
        if let Some(first) = faulted {
            let beginning = self.unit(id).all(|i| i.is(State::Initialize));
            if self.life.start_at.is_some() && beginning {
                return;
            }
            self.each(id, |member, context| {
                if !member.is(State::Fault) {
                    let cause =
                        member.verdict.fault.map_or(Cause::Group { member: first }, Cause::Fault);
                    member.enter_fault(cause, context);
                }
            });
            return;
        }
        // What has no result yet keeps a fault from ending, as it keeps a start from happening.
        if !self.unit(id).any(|i| i.verdict.wait) {
            self.each(id, |member, context| {
                if member.is(State::Fault) {
                    member.enter_backup(Cause::Recovered, false, context);
                }
            });
        }
        if self.unit(id).any(|i| i.is(State::Initialize)) {
            self.start_unit(id);
        }
    }

    /// Leaves Initialize (`vrrp:S-1`, `S-2`).
    fn start_unit(&mut self, id: InstanceId) {
        let now = self.now;
        let resumable = |i: &Instance| {
            let within = i.settings.resume_within;
            let within = within.unwrap_or_else(|| i.settings.interval.duration() * 2);
            i.resume().is_some_and(|last| now.since(last) <= within)
        };
        if self.unit(id).all(resumable) {
            self.each(id, |member, context| {
                let gap = member.resume().map_or(Duration::ZERO, |last| now.since(last));
                member.enter_master(Cause::Resumed { gap }, context);
            });
            return;
        }
        if self.life.start_at.is_some() || self.unit(id).any(|i| i.verdict.wait) {
            return;
        }
        self.each(id, |member, _| member.forget_resume());
        // A member that a reload added follows those that are master already.
        let master = self.unit(id).find(|i| i.is(State::Master)).map(|i| i.id);
        if let Some(master) = master
            && self.unit(id).all(|i| i.hand_over().is_none())
        {
            self.each(id, |member, context| {
                if member.is(State::Initialize) {
                    member.enter_master(Cause::Group { member: master }, context);
                }
            });
            return;
        }
        let goes_ahead =
            |i: &Instance| i.is(State::Initialize) && i.effective_priority().is_owner();
        if self.unit(id).all(goes_ahead) {
            self.each(id, |member, context| member.enter_master(Cause::Owner, context));
            return;
        }
        self.each(id, |member, context| {
            if !member.is(State::Initialize) {
                return;
            }
            member.enter_backup(Cause::Started, false, context);
            if member.effective_priority().is_owner() {
                for family in member.families() {
                    if let Some(listening) = member.listening(family) {
                        listening.wants = Some(Cause::Owner);
                    }
                    member.timers.stop(Timer::Down(family));
                }
            }
        });
    }

    // Planned hand-over

    /// `steadfast switchover`: with a hand-over where that is possible, then on hold.
    pub(super) fn switchover(&mut self, id: InstanceId, hold_for: Option<Duration>, force: bool) {
        if self.life.stopping || self.unit(id).any(|i| i.hand_over().is_some() || i.retiring) {
            return;
        }
        if self.unit(id).all(Instance::can_hand_over) {
            self.hand_over_unit(id, Goal::Switchover { hold_for, force });
            return;
        }
        self.each(id, |member, context| {
            if member.is(State::Master) {
                let cause = Cause::Switchover { successor: None };
                member.enter_backup(cause, true, context);
            }
            member.start_hold(hold_for, context);
        });
    }

    /// Begins the planned hand-over of a unit.
    pub(super) fn hand_over_unit(&mut self, id: InstanceId, goal: Goal) {
        self.each(id, |member, context| member.start_hand_over(goal, context));
    }

    /// `steadfast release`
    pub(super) fn release(&mut self, id: InstanceId) {
        self.each(id, |member, context| {
            member.end_hold(context);
            member.pauses.end(context.now);
        });
    }

    /// After a reload: what waited for a member or a family that is gone does not wait any more.
    pub(super) fn settle_units(&mut self) {
        for id in self.ids() {
            if self.get(id).is_some_and(|i| i.hand_over().is_some()) {
                self.with(id, |instance, context| instance.review_hand_over(context));
                self.settle_hand_over(id);
            } else if self.get(id).is_some() {
                self.grant(id, GroupRequest::Master);
            }
        }
    }

    /// A member's hand-over came to an outcome: all members end theirs together.
    fn settle_hand_over(&mut self, id: InstanceId) {
        self.each(id, |member, context| {
            if member.hand_over().is_some_and(|h| h.result == Some(HandOverResult::Taken)) {
                member.release_objects(context);
            }
        });
        // A member that a reload added has no hand-over, and nothing to say here.
        let hand_overs = || self.unit(id).filter_map(Instance::hand_over);
        if hand_overs().any(|hand_over| hand_over.result.is_none()) {
            return;
        }
        let nobody = hand_overs().all(|h| h.result == Some(HandOverResult::NotTaken));
        let insists = hand_overs().any(|h| match h.goal {
            Goal::Stop => true,
            Goal::Switchover { force, .. } => force,
            Goal::Losing { .. } => false,
        });
        if nobody && !insists {
            self.each(id, |member, context| {
                if member.hand_over().is_some() {
                    member.resume_after_hand_over(context);
                } else if member.is(State::Backup) {
                    // Joined meanwhile.
                    member.enter_master(Cause::Group { member: id }, context);
                }
            });
        } else {
            self.each(id, |member, context| member.end_hand_over(context));
        }
    }

    /// Stops a unit: handed over where that is possible, else with priority 0 alone.
    pub(super) fn stop_unit(&mut self, id: InstanceId) {
        if self.unit(id).any(|i| i.hand_over().is_some()) {
            // A switchover under way becomes a stop. A member that a reload added has none, and
            // nothing to wait for.
            self.each(id, |member, context| {
                if let Some(hand_over) = member.hand_over_mut() {
                    hand_over.goal = Goal::Stop;
                } else if !member.is(State::Initialize) {
                    member.enter_initialize(Cause::Stopped, true, context);
                }
            });
        } else if self.unit(id).all(Instance::can_hand_over) {
            self.each(id, |member, context| member.start_hand_over(Goal::Stop, context));
        } else {
            self.each(id, |member, context| {
                if !member.is(State::Initialize) {
                    member.enter_initialize(Cause::Stopped, true, context);
                }
            });
        }
    }

    /// `vrrp:S-21` without waiting for a successor.
    pub(super) fn stop_now(&mut self) {
        self.shutdown();
        for id in self.ids() {
            self.with(id, Instance::abandon_hand_over);
        }
    }

    /// Before a switchover, so that its end is not taken for one before.
    pub(super) fn forget_hand_over_ends(&mut self, id: InstanceId) {
        self.each(id, |member, _| member.hand_over_end = None);
    }

    /// The first members of the units whose stop nobody has heard yet, as far as that is known.
    fn untaken(&self) -> impl Iterator<Item = InstanceId> + '_ {
        let firsts = self.instances().filter(|id| self.member(*id, 0) == Some(*id));
        firsts.filter(|id| self.unit(*id).all(Instance::is_untaken))
    }

    /// Whether [`Event::GoOn`](super::Event::GoOn) makes some instance master again.
    pub fn can_go_on(&self) -> bool {
        self.untaken().next().is_some()
    }

    pub(super) fn go_on(&mut self) {
        for id in self.untaken().collect::<Vec<_>>() {
            self.each(id, |member, context| member.resume_after_hand_over(context));
        }
    }

    /// `vrrp:S-11`, `S-21` for all.
    pub(super) fn shutdown(&mut self) {
        if std::mem::replace(&mut self.life.stopping, true) {
            return;
        }
        self.life.start_at = None;
        for id in self.ids() {
            if self.member(id, 0) == Some(id) {
                self.stop_unit(id);
            }
        }
        // What was found installed and is not ours to keep goes even if we never started.
        for id in self.ids() {
            self.with(id, |instance, context| instance.queue_kernel(context));
        }
    }
}
