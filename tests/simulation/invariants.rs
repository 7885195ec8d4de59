//! What has to hold after every step, whatever the network does. What has to hold at rest is in
//! `rest.rs`.
//!
//! Each bound is a sum of what the protocol allows and [`SLACK`] for the driver's own delays.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::rc::Rc;
use std::time::Duration;

use steadfast::units::{Centiseconds, Family, Instant, Priority, Version};
use steadfast::vrrp::settings::InstanceSettings;
use steadfast::vrrp::{RouterId, State};

use crate::client::PingRecord;
use crate::coverage::state_name;
use crate::packet::Packet;
use crate::plan::{Plan, down_interval};
use crate::world::{Happening, World};

/// Wake-ups come a little late, and work is done in slices.
pub const SLACK: Duration = Duration::from_millis(10);

/// What was seen of one instance of one node.
#[derive(Clone, Copy, Debug)]
struct Seen {
    state: Option<State>,
    handing_over: bool,
    /// Since when both are so.
    since: Instant,
    /// The last advert handed to the engine that it has to accept.
    heard: Instant,
    /// The longest interval that may have been learned since the instance entered its state.
    learned: Centiseconds,
    /// The last advert with a priority, per family.
    sent: [Instant; 2],
    /// The last state that a notice told, and how many have been.
    told: State,
    tellings: u64,
    adverts: u64,
    /// When, as master, it heard an advert of another one, and an announcement.
    rival: Instant,
    rival_announced: Instant,
}

/// Everything that invariants have to remember.
#[derive(Debug)]
pub struct Watch {
    seen: Vec<Vec<Seen>>,
    /// Per node: the last time that something outside of the protocol happened to it.
    disturbed: Vec<Instant>,
    /// Per node: the last time that its kernel refused or lost something.
    kernel_disturbed: Vec<Instant>,
    announced: BTreeMap<IpAddr, (usize, Instant)>,
    wakes: Vec<Rate>,
    notices: Vec<Rate>,
    adverts: Vec<Rate>,
    pub transitions: u64,
    /// Finished hand-overs: node and instance.
    pub taken: Vec<(usize, usize)>,
    pub pings: Option<PingRecord>,
}

/// Counts within a second.
#[derive(Clone, Copy, Debug, Default)]
struct Rate {
    from: Instant,
    count: u64,
}

impl Rate {
    fn count(&mut self, now: Instant) -> u64 {
        if now.since(self.from) > Duration::from_secs(1) {
            *self = Self { from: now, count: 0 };
        }
        self.count += 1;
        self.count
    }
}

/// What was the case before a packet was handed over.
#[derive(Clone, Copy, Debug)]
pub struct Expectation {
    /// The engine has to count it.
    acceptable: bool,
    claimed: bool,
    priority: Option<Priority>,
}

impl Watch {
    pub fn new(plan: &Plan) -> Self {
        let fresh = Seen {
            state: None,
            handing_over: false,
            since: Instant::ORIGIN,
            heard: Instant::ORIGIN,
            learned: Centiseconds(0),
            sent: [Instant::ORIGIN; 2],
            told: State::Initialize,
            tellings: 0,
            adverts: 0,
            rival: Instant::ORIGIN,
            rival_announced: Instant::ORIGIN,
        };
        let nodes = plan.nodes();
        Self {
            seen: vec![vec![fresh; plan.names.len()]; nodes],
            disturbed: vec![Instant::ORIGIN; nodes],
            kernel_disturbed: vec![Instant::ORIGIN; nodes],
            announced: BTreeMap::new(),
            wakes: vec![Rate::default(); nodes],
            notices: vec![Rate::default(); nodes],
            adverts: vec![Rate::default(); nodes],
            transitions: 0,
            taken: Vec::new(),
            pings: None,
        }
    }

    /// Something happened to a node: what it should have done by now counts from here.
    pub fn disturbed(&mut self, n: usize, now: Instant) {
        self.disturbed[n] = now;
    }

    pub fn kernel_disturbed(&mut self, n: usize, now: Instant) {
        self.kernel_disturbed[n] = now;
    }

    /// Whether the kernel has done what it was asked for in the last minute.
    pub fn undisturbed_kernel(&self, n: usize, now: Instant) -> bool {
        now.since(self.kernel_disturbed[n]) > Duration::from_secs(60)
    }

    pub fn hears_rival_announce(&mut self, n: usize, name: usize, now: Instant) {
        self.seen[n][name].rival_announced = now;
    }

    pub fn rival_announced(&self, n: usize, name: usize) -> Instant {
        self.seen[n][name].rival_announced
    }

    pub fn rival_heard(&self, n: usize, name: usize) -> Instant {
        self.seen[n][name].rival
    }

    /// How many transitions were told.
    pub fn told(&self, n: usize, name: usize) -> u64 {
        self.seen[n][name].tellings
    }

    /// How many adverts with a priority were sent.
    pub fn adverts_sent(&self, n: usize, name: usize) -> u64 {
        self.seen[n][name].adverts
    }

    /// Since when the instance is what it is.
    pub fn since(&self, n: usize, name: usize) -> Instant {
        self.seen[n][name].since
    }

    pub fn announced(&mut self, address: IpAddr, n: usize, now: Instant) {
        self.announced.insert(address, (n, now));
    }

    /// Who announced an address last, and when.
    pub fn last_announcement(&self, address: IpAddr) -> Option<(usize, Instant)> {
        self.announced.get(&address).copied()
    }

    pub fn forget_process(&mut self, n: usize) {
        for seen in &mut self.seen[n] {
            seen.state = None;
            seen.told = State::Initialize;
        }
    }

    pub fn wakes(&mut self, n: usize, now: Instant, plan: &Plan) -> Option<String> {
        let count = self.wakes[n].count(now);
        let interval = plan.times.shortest_interval.as_secs_f64();
        let limit = 3000 + (plan.names.len() as f64 * 20.0 / interval) as u64;
        (count > limit).then(|| format!("n{n} is woken more than {limit} times in a second"))
    }

    /// A notice that is no transition.
    pub fn notices(&mut self, n: usize, now: Instant, plan: &Plan) -> Option<String> {
        let count = self.notices[n].count(now);
        let interval = plan.times.shortest_interval.as_secs_f64();
        let limit = 100 + (plan.names.len() as f64 * 20.0 / interval) as u64;
        (count > limit).then(|| format!("n{n} gives more than {limit} notices in a second"))
    }

    /// A transition was told: the chain has no gaps.
    pub fn moves(&mut self, n: usize, name: usize, from: State, to: State) -> Option<String> {
        self.seen[n][name].tellings += 1;
        let told = std::mem::replace(&mut self.seen[n][name].told, to);
        (told != from || from == to).then(|| {
            format!(
                "n{n} tells a transition of instance {name} from {} to {}, and was {}",
                state_name(from),
                state_name(to),
                state_name(told)
            )
        })
    }
}

const fn family_index(family: Family) -> usize {
    match family {
        Family::V4 => 0,
        Family::V6 => 1,
    }
}

impl World {
    /// After each event: what changed.
    pub fn observe(&mut self, n: usize) {
        let now = self.now;
        let node = &mut self.nodes[n];
        let Some(process) = &node.process else { return };
        for (id, name) in &process.ids {
            let state = process.engine.state(*id);
            let handing_over = process.engine.handing_over(*id);
            let seen = &mut self.watch.seen[n][*name];
            if seen.state != state || seen.handing_over != handing_over {
                seen.state = state;
                seen.handing_over = handing_over;
                seen.since = now;
            }
            if (state != Some(State::Master) || handing_over)
                && let Some(shared) = &mut node.shared[*name]
            {
                shared.master = false;
            }
        }
    }

    /// Whether the engine has to count this packet: not one that section 4 of the rules drops.
    fn acceptable(&self, n: usize, packet: &Packet) -> Option<&InstanceSettings> {
        let settings = self.plan.instance(n, self.nodes[n].generation, packet.name)?;
        let interval_fits = settings.version == Version::V3 || settings.interval == packet.interval;
        let family_fits = settings.has_family(Family::of(packet.source));
        let node = &self.nodes[n];
        let owner = node.priority(packet.name)?.is_owner();
        // One that hands over listens for its successor.
        let ignored = owner && settings.owner_ignore_adverts && !node.handing_over(packet.name);
        let same = settings.version == packet.version && settings.vrid == packet.vrid;
        (same && interval_fits && family_fits && !ignored).then_some(settings)
    }

    pub fn before_packet(&mut self, n: usize, packet: &Packet) -> Expectation {
        let node = &self.nodes[n];
        let priority = node.priority(packet.name);
        let acceptable = self.acceptable(n, packet).is_some();
        Expectation { acceptable, claimed: node.claims(packet.name), priority }
    }

    /// `vrrp:S-24`: a master that hears a higher priority is master no more.
    pub fn after_packet(&mut self, n: usize, packet: &Packet, before: Expectation) {
        if !before.acceptable {
            return;
        }
        let now = self.now;
        let claims = self.nodes[n].claims(packet.name);
        let seen = &mut self.watch.seen[n][packet.name];
        seen.heard = now;
        seen.learned = seen.learned.max(packet.interval);
        if packet.priority.is_stop() {
            return;
        }
        if before.claimed && claims {
            seen.rival = now;
            if before.priority.is_some_and(|mine| packet.priority > mine) {
                let packet = self.describe_packet(packet);
                self.violated(format!(
                    "n{n} is master with priority {:?}, hears {packet}, and stays master",
                    before.priority
                ));
            }
        }
    }

    /// Only a master sends adverts with a priority, except for the one that it sends while it
    /// gives way (`vrrp:S-29`).
    pub fn may_send(
        &mut self,
        n: usize,
        name: usize,
        router: RouterId,
        priority: Priority,
        interval: Centiseconds,
    ) {
        let now = self.now;
        let state = self.nodes[n].state_of(router.instance);
        let generation = self.nodes[n].generation;
        let settings = self.plan.instance(n, generation, name);
        // Asked for before a reload, sent after it.
        let former = self.plan.instance(n, 1 - generation, name).map(|s| s.interval);
        if priority.is_stop() {
            return;
        }
        let last_word = settings.is_some_and(|s| s.higher_prio_send_advert && !s.strict)
            && state == Some(State::Backup);
        if state != Some(State::Master) && !last_word {
            self.violated(format!(
                "n{n} sends an advert of {} with priority {priority} and is {state:?}",
                self.plan.names[name].name
            ));
            return;
        }
        let handing_over = self.nodes[n].hands_over(router.instance);
        if let Some(settings) = settings
            && interval != settings.interval
            && Some(interval) != former
            && !handing_over
        {
            self.violated(format!("n{n} announces {interval} and is in no hand-over"));
            return;
        }
        self.watch.seen[n][name].adverts += 1;
        // Its own in each interval, and answers to four others whose frames may arrive twice.
        let interval = self.plan.times.shortest_interval.as_secs_f64();
        let limit = 60 + (self.plan.names.len() as f64 * 24.0 / interval) as u64;
        if self.watch.adverts[n].count(now) > limit {
            self.violated(format!("n{n} sends more than {limit} adverts in a second"));
        }
        self.watch.seen[n][name].sent[family_index(router.family)] = now;
    }

    /// The invariants about time.
    pub fn audit(&mut self) {
        self.later(self.audit_period, Happening::Audit);
        for n in 0..self.nodes.len() {
            let quiet = self.nodes[n].running()
                && self.nodes[n].process.as_ref().is_some_and(|p| !p.stopping && !p.busy);
            if quiet {
                for name in 0..self.plan.names.len() {
                    self.audit_backup(n, name);
                    self.audit_master(n, name);
                }
            }
        }
    }

    /// "Never no master": a backup that has heard no advert for longer than its
    /// Master_Down_Interval is not backup any more. In a sync group that counts from the last
    /// advert that any member heard. With the invariant about masters below it follows that a
    /// segment with a backup that hears it is never without master for longer than
    /// Master_Down_Interval.
    ///
    /// Bound: the longest over the members of `adverts x interval + Skew_Time(priority 1)`, with
    /// the longest of the own and the heard intervals, plus how late this node's timers are.
    fn audit_backup(&mut self, n: usize, name: usize) {
        if self.watch.seen[n][name].state != Some(State::Backup) {
            return;
        }
        let plan = Rc::clone(&self.plan);
        let generation = self.nodes[n].generation;
        let mut silent_since = self.watch.disturbed[n];
        let mut bound = Duration::ZERO;
        for member in plan.group(n, generation, name) {
            let seen = &self.watch.seen[n][member];
            let Some(settings) = plan.instance(n, generation, member) else { return };
            if seen.state != Some(State::Backup) {
                return;
            }
            silent_since = silent_since.max(seen.heard).max(seen.since);
            let interval = settings.interval.max(seen.learned);
            let adverts = settings.down_timer_adverts;
            bound = bound.max(down_interval(settings.version, adverts, interval, Priority::LOWEST));
        }
        let bound = bound + SLACK + self.nodes[n].late;
        self.coverage.check("a silent backup becomes master");
        if self.now.since(silent_since) > bound {
            self.violated(format!(
                "no master of {}: n{n} can take over and has heard nothing since {silent_since:?}, \
                 longer than {bound:?}, and is still backup",
                plan.names[name].name
            ));
        }
    }

    /// A master sends in each of its intervals. Bound: interval plus how late its timers are.
    fn audit_master(&mut self, n: usize, name: usize) {
        let seen = self.watch.seen[n][name];
        if seen.state != Some(State::Master) || seen.handing_over {
            return;
        }
        let plan = Rc::clone(&self.plan);
        let generation = self.nodes[n].generation;
        let Some(settings) = plan.instance(n, generation, name) else { return };
        let node = &self.nodes[n];
        let Some((process, id)) = node.process.as_ref().zip(node.id(name)) else { return };
        let bound = settings.interval.duration() + SLACK + node.late;
        let since = seen.since.max(self.watch.disturbed[n]);
        let silent = process.engine.routers(id).find_map(|router| {
            let sent = seen.sent[family_index(router.family)].max(since);
            let overdue = process.engine.source(router).is_some()
                && node.link_up(plan.names[name].segment)
                && self.now.since(sent) > bound;
            overdue.then_some((router.family, sent))
        });
        if let Some((family, sent)) = silent {
            let name = &plan.names[name].name;
            self.violated(format!(
                "n{n} is master of {name} and has sent no {family} advert since {sent:?}, longer \
                 than {bound:?}"
            ));
        }
        self.coverage.check("a master sends in every interval");
    }
}
