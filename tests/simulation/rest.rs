//! What has to hold when the network is healthy and the bounded time to settle has passed.

use std::rc::Rc;
use std::time::Duration;

use steadfast::vrrp::State;
use steadfast::vrrp::settings::{InstanceSettings, Object, Preempt};

use crate::coverage::state_name;
use crate::invariants::SLACK;
use crate::node::{Key, key_of};
use crate::world::World;

/// An announcement of another router is answered at most this much later, so that two masters
/// that hear only each other's announcements do not drive each other on.
const DEFEND_INTERVAL: Duration = Duration::from_secs(10);

impl World {
    /// How long everything may take to settle after the last fault ended.
    ///
    /// Three times (largest Master_Down_Interval + preemption delay): once until somebody is
    /// master, once until the highest has taken over, once for the members of a sync group that
    /// were out of step. Then ten adverts, the startup delay of a process that was just started,
    /// the announcements that are still to come, the answer to those of others, and two seconds in which clients find out that
    /// whom they believe in is gone and the kernel is asked again.
    pub fn settling_time(&self) -> Duration {
        let times = self.plan.times;
        3 * (times.down + times.preempt_delay)
            + 10 * times.interval
            + times.startup
            + times.announce
            + DEFEND_INTERVAL
            + Duration::from_secs(2)
            + SLACK
    }

    /// Checks everything.
    pub fn check_rest(&mut self) {
        for name in 0..self.plan.names.len() {
            if let Err(sentence) = self.rest_of(name) {
                let name = &self.plan.names[name].name;
                self.violated(format!("at rest, {name}: {sentence}"));
                return;
            }
        }
        self.coverage.check("at rest");
    }

    /// The master, when there is exactly one.
    pub fn master_of(&self, name: usize) -> Option<usize> {
        let mut claimers = (0..self.nodes.len()).filter(|n| self.nodes[*n].claims(name));
        let first = claimers.next()?;
        claimers.next().is_none().then_some(first)
    }

    fn rest_of(&mut self, name: usize) -> Result<(), String> {
        let plan = Rc::clone(&self.plan);
        let settings = |n: usize| plan.instance(n, self.nodes[n].generation, name);
        let holders: Vec<usize> =
            (0..self.nodes.len()).filter(|n| settings(*n).is_some()).collect();
        let mut master = None;
        if !holders.is_empty() {
            let found = self.one_master(name, &holders)?;
            self.highest_is_master(name, found, &holders)?;
            self.group_is_together(name, &holders)?;
            master = settings(found).map(|s| (found, s));
        }
        for n in 0..self.nodes.len() {
            let wanted: Vec<Key> = match master {
                Some((master, settings)) if master == n => {
                    settings.objects.iter().map(|o| key_of(o, name)).collect()
                }
                Some(_) | None => Vec::new(),
            };
            self.kernel_is_right(n, name, wanted)?;
        }
        match master {
            Some((n, settings)) => self.clients_know(name, n, settings),
            None => Ok(()),
        }
    }

    fn states(&self, name: usize) -> String {
        let state = |n: &usize| {
            let node = &self.nodes[*n];
            let handing_over = if node.handing_over(name) { " (handing over)" } else { "" };
            let state = node.state(name).map_or("not there", state_name);
            let priority = node.priority(name).map_or_else(String::new, |p| format!(" {p}"));
            format!("n{n} is {state}{priority}{handing_over}")
        };
        let nodes: Vec<usize> = (0..self.nodes.len()).collect();
        nodes.iter().map(state).collect::<Vec<_>>().join(", ")
    }

    fn one_master(&self, name: usize, holders: &[usize]) -> Result<usize, String> {
        for n in holders {
            match self.nodes[*n].state(name) {
                Some(State::Master | State::Backup) if !self.nodes[*n].handing_over(name) => {}
                _ => {
                    return Err(format!(
                        "n{n} is neither master nor backup: {}",
                        self.states(name)
                    ));
                }
            }
        }
        self.master_of(name)
            .ok_or_else(|| format!("there is not exactly one master: {}", self.states(name)))
    }

    /// Nobody of higher effective priority waits, unless preemption is off. Equal priority does
    /// not preempt (`vrrp:S-16`).
    fn highest_is_master(
        &self,
        name: usize,
        master: usize,
        holders: &[usize],
    ) -> Result<(), String> {
        let priority = |n: usize| self.nodes[n].priority(name);
        for n in holders {
            let settings = self.plan.instance(*n, self.nodes[*n].generation, name);
            let preempts =
                settings.is_some_and(|s| s.preempt != Preempt::Off || s.priority.is_owner());
            if preempts && priority(*n) > priority(master) {
                return Err(format!(
                    "n{n} has a higher priority than the master and preempts: {}",
                    self.states(name)
                ));
            }
        }
        Ok(())
    }

    fn group_is_together(&self, name: usize, holders: &[usize]) -> Result<(), String> {
        for n in holders {
            for member in self.plan.group(*n, self.nodes[*n].generation, name) {
                if self.nodes[*n].claims(member) != self.nodes[*n].claims(name) {
                    let other = &self.plan.names[member].name;
                    return Err(format!("on n{n} the member {other} of its group is apart"));
                }
            }
        }
        Ok(())
    }

    fn kernel_is_right(&self, n: usize, name: usize, mut wanted: Vec<Key>) -> Result<(), String> {
        let node = &self.nodes[n];
        let mut held: Vec<Key> =
            node.kernel.iter().filter(|(_, owner)| **owner == name).map(|(key, _)| *key).collect();
        held.sort();
        wanted.sort();
        if held != wanted {
            return Err(format!(
                "the kernel of n{n} holds {held:?} and should hold {wanted:?}: {}",
                self.states(name)
            ));
        }
        if node.muted.contains(&name) {
            return Err(format!("n{n} is still mute"));
        }
        Ok(())
    }

    /// The last announcement is the master's, and clients believe in it.
    ///
    /// A master that was master when another one announced, and has not heard an advert of that
    /// one since, cannot know (a cut in one direction); then only a refresh corrects it. Clients
    /// find out in any case, because they get no answers.
    fn clients_know(
        &mut self,
        name: usize,
        master: usize,
        settings: &InstanceSettings,
    ) -> Result<(), String> {
        let segment = self.plan.names[name].segment;
        for address in settings.objects.iter().filter_map(Object::announced) {
            if let Some((who, when)) = self.watch.last_announcement(address)
                && who != master
            {
                let announce = settings.announce;
                let became = self.watch.since(master, name) > when && announce.repeat > 0;
                let told = (self.watch.rival_heard(master, name) >= when
                    || self.watch.rival_announced(master, name) >= when)
                    && announce.lower_prio_repeat > 0
                    && !settings.strict;
                let refreshes = !announce.refresh.is_zero() && announce.refresh_repeat > 0;
                if became || told || refreshes {
                    return Err(format!(
                        "the last announcement of {address} was n{who}'s at {when:?} and n{master} \
                         is master (became: {became}, was told: {told}, refreshes: {refreshes})"
                    ));
                }
                self.coverage.check("last announcement: the master could not know of it");
            }
            for client in 0..self.clients.len() {
                let believed = self.clients[client].believes(address);
                if self.clients[client].segment == segment && believed != Some(master) {
                    return Err(format!(
                        "client {client} believes that {address} is at {believed:?}, n{master} is \
                         master"
                    ));
                }
            }
        }
        Ok(())
    }
}
