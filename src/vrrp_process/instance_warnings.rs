//! What is wrong with an instance now, and what was within the last minutes: events come once,
//! `status` has to show what lasts, and that it has ended.
//!
//! The engine tells of a thing once and counts each time it happens, so a warning keeps a counter:
//! as long as that grows, the thing goes on. What has no counter is looked up in the engine.

use std::collections::VecDeque;
use std::time::Duration;

use crate::control::event::{Cause, Concern, What, text};
use crate::control::humanize::length;
use crate::control::status::{self, State, WarningKind};
use crate::units::Instant;
use crate::vrrp::validation::Reject;
use crate::vrrp::{Engine, Heard, InstanceId, ObjectId, RouterId};

/// The warnings of one instance at most; the one that ended first, or the oldest, makes room.
const MAX_WARNINGS: usize = 16;
/// How long a warning is shown after its end.
const PAST_TIME: Duration = Duration::from_secs(300);
/// What a sender does is over when it did not do so for this many adverts,
const SILENT_ADVERTS: u32 = 3;
/// and for this time.
const MIN_SILENCE: Duration = Duration::from_secs(3);
/// How long an event is a concern that does not say itself how long it lasts.
const CONCERN_TIME: Duration = Duration::from_secs(60);
/// What happens so often within [`Window::LENGTH`] goes on, even if it is over each time.
const RECURRENCES: u32 = 3;
/// So many changes to or from MASTER or FAULT within [`Window::LENGTH`] are flapping. A router that
/// fails, comes back and preempts makes four.
const FLAPPING_CHANGES: u32 = 6;

/// How often something happened lately.
#[derive(Clone, Debug, Default)]
struct Window {
    /// Since when, and how often in the second after that.
    counts: VecDeque<(Instant, u32)>,
}

impl Window {
    const LENGTH: Duration = Duration::from_secs(60);
    const STEP: Duration = Duration::from_secs(1);

    fn add(&mut self, times: u32, now: Instant) {
        match self.counts.back_mut().filter(|(since, _)| now.since(*since) < Self::STEP) {
            Some((_, count)) => *count = count.saturating_add(times),
            None => self.counts.push_back((now, times)),
        }
        self.forget(now);
    }

    fn forget(&mut self, now: Instant) {
        while self.counts.front().is_some_and(|(at, _)| now.since(*at) >= Self::LENGTH) {
            self.counts.pop_front();
        }
    }

    fn count(&self) -> u32 {
        self.counts.iter().fold(0, |sum, (_, count)| sum.saturating_add(*count))
    }

    fn since(&self) -> Option<Instant> {
        self.counts.front().map(|(since, _)| *since)
    }
}

/// What a warning says.
#[derive(Clone, Debug)]
enum Trouble {
    /// An event.
    Event(What),
    /// A fault that is over.
    Fault(Cause),
    /// Changes of state, and within which time.
    Flapping(u32, Duration),
}

#[derive(Clone, Debug)]
struct Entry {
    concern: Concern,
    trouble: Trouble,
    /// Of what is over when the kernel has an address, route or rule as it should be.
    object: Option<ObjectId>,
    /// How often it happened.
    count: u64,
    /// The same within the last minute, of what may be over at once each time.
    lately: Window,
    /// The engine's counter when it was last looked at.
    counter: u32,
    last: Instant,
    /// It is over.
    ended: Option<Instant>,
}

impl Entry {
    fn new(concern: Concern, trouble: Trouble, now: Instant) -> Self {
        let lately = Window::default();
        let (object, ended) = (None, None);
        Self { concern, trouble, object, count: 1, lately, counter: 0, last: now, ended }
    }

    /// It happened, and is over when the kernel has that object as it should be.
    fn happened_to(&mut self, object: Option<ObjectId>, now: Instant) {
        if object.is_some() {
            self.lately.add(1, now);
        }
        self.object = object;
    }

    fn text(&self, engine: &Engine) -> String {
        match &self.trouble {
            Trouble::Event(what) => match self.object.filter(|id| is_settled(engine, *id)) {
                Some(object) => text::settled(what, engine.is_losing(object.instance)),
                None => text::what(what),
            },
            Trouble::Fault(cause) => format!("FAULT: {}", text::cause(cause)),
            Trouble::Flapping(count, within) => format!(
                "changed state {count} times within {}: see \"steadfast events\" for the causes",
                length(within.as_secs_f64())
            ),
        }
    }
}

/// The warnings of one instance.
#[derive(Clone, Debug, Default)]
pub struct Warnings {
    entries: Vec<Entry>,
    /// Changes of state to or from MASTER or FAULT.
    changes: Window,
    /// Why it is in FAULT.
    fault: Option<Cause>,
}

impl Warnings {
    /// Takes an event of the instance `id`; `object` is the address, route or rule that is as it
    /// should be when the concern is over, if there is one. Whether it is news, and not the same
    /// concern once more.
    pub fn take(
        &mut self,
        engine: &Engine,
        id: InstanceId,
        what: &What,
        object: Option<ObjectId>,
        now: Instant,
    ) -> bool {
        if let What::Transition { from, to, cause, .. } = what {
            self.changed(*from, *to, cause, now);
        } else if let What::FaultChanged(fault) = what {
            self.fault = Some(Cause::Fault(fault.clone()));
        }
        let Some(concern) = Concern::of(what) else { return false };
        let counter = counter(engine, id, &concern);
        if let Some(known) = self.entries.iter_mut().find(|entry| entry.concern == concern) {
            known.count += u64::from(counter.wrapping_sub(known.counter)).max(1);
            (known.counter, known.last, known.ended) = (counter, now, None);
            known.trouble = Trouble::Event(what.clone());
            known.happened_to(object, now);
            return false;
        }
        let entry = Entry::new(concern, Trouble::Event(what.clone()), now);
        let mut entry = Entry { counter, ..entry };
        entry.happened_to(object, now);
        self.insert(entry);
        true
    }

    fn insert(&mut self, entry: Entry) {
        if self.entries.len() >= MAX_WARNINGS {
            let age = |entry: &Entry| (entry.ended.is_none(), entry.last);
            let oldest = self.entries.iter().enumerate().min_by_key(|(_, entry)| age(entry));
            if let Some((oldest, _)) = oldest {
                self.entries.swap_remove(oldest);
            }
        }
        self.entries.push(entry);
    }

    fn changed(&mut self, from: State, to: State, cause: &Cause, now: Instant) {
        let counts = |state| matches!(state, State::Master | State::Fault);
        if counts(from) || counts(to) {
            self.changes.add(1, now);
        }
        let is_fault = |entry: &Entry| entry.concern.kind == WarningKind::Fault;
        if to == State::Fault {
            // Until it is over, it follows from the state.
            self.entries.retain(|entry| !is_fault(entry));
            self.fault = Some(cause.clone());
        } else if let Some(cause) = self.fault.take() {
            let concern = Concern::of_itself(WarningKind::Fault);
            let fault = Entry::new(concern, Trouble::Fault(cause), now);
            self.insert(Entry { ended: Some(now), ..fault });
        }
        self.note_flapping(now);
    }

    /// To be called after each change, so that the text is about the time of the changes, and not
    /// about the quiet time since.
    fn note_flapping(&mut self, now: Instant) {
        let (count, Some(since)) = (self.changes.count(), self.changes.since()) else { return };
        if count < FLAPPING_CHANGES {
            return;
        }
        let trouble = Trouble::Flapping(count, now.since(since));
        let concern = Concern::of_itself(WarningKind::Flapping);
        match self.entries.iter_mut().find(|entry| entry.concern == concern) {
            Some(known) => (known.trouble, known.last, known.ended) = (trouble, now, None),
            None => self.insert(Entry::new(concern, trouble, now)),
        }
    }

    /// Sees what went on since the last look and what has ended, and forgets what ended long ago.
    pub fn refresh(&mut self, engine: &Engine, id: InstanceId, now: Instant) {
        self.changes.forget(now);
        let flapping = self.changes.count() >= FLAPPING_CHANGES;
        for entry in &mut self.entries {
            let counter = counter(engine, id, &entry.concern);
            let more = counter.wrapping_sub(entry.counter);
            if more > 0 {
                entry.count += u64::from(more);
                entry.counter = counter;
                entry.last = now;
                entry.ended = None;
            }
            if entry.ended.is_none() {
                entry.ended = end(engine, id, entry, flapping, now);
            }
        }
        self.entries.retain(|entry| entry.ended.is_none_or(|at| now.since(at) < PAST_TIME));
    }

    /// Whether there is nothing to refresh.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty() && self.changes.since().is_none() && self.fault.is_none()
    }

    /// For the status document.
    pub fn list<'a>(
        &'a self,
        engine: &'a Engine,
        instance: &'a str,
        now: Instant,
    ) -> impl Iterator<Item = status::Warning> + 'a {
        self.entries.iter().map(move |entry| status::Warning {
            kind: entry.concern.kind,
            instance: Some(instance.to_owned()),
            process: None,
            text: entry.text(engine),
            from: entry.concern.from,
            count: entry.count,
            last_age: now.since(entry.last).as_secs_f64(),
            ended_age: entry.ended.map(|at| now.since(at).as_secs_f64()),
        })
    }
}

/// Whether the kernel has what it should have.
fn is_settled(engine: &Engine, object: ObjectId) -> bool {
    engine.object_wanted(object) == engine.object_present(object)
}

/// When a thing ended that lasted until now; `None`: it lasts.
fn end(
    engine: &Engine,
    id: InstanceId,
    entry: &mut Entry,
    flapping: bool,
    now: Instant,
) -> Option<Instant> {
    let silent = now.since(entry.last);
    let router = router_of(id, &entry.concern);
    let lasts = match entry.concern.kind {
        WarningKind::ForeignRemoval if engine.is_losing(id) => true,
        WarningKind::ForeignRemoval | WarningKind::KernelRefused => {
            entry.lately.forget(now);
            let over = |object| is_settled(engine, object);
            let settled = entry.object.map_or(silent >= CONCERN_TIME, over);
            if settled && entry.lately.count() < RECURRENCES {
                return Some(now);
            }
            true
        }
        WarningKind::SendFailed => silent < max_silence(engine, id, None) || engine.is_unheard(id),
        WarningKind::SecondOwner | WarningKind::SameSender => {
            let last = router.and_then(|router| last_from(engine, router, entry));
            let claims = |last: &Heard| {
                entry.concern.kind == WarningKind::SameSender || last.priority.is_owner()
            };
            if let Some(last) = last.filter(claims) {
                entry.last = entry.last.max(last.at);
            }
            now.since(entry.last) < max_silence(engine, id, router)
        }
        WarningKind::BadPackets
        | WarningKind::AddressesDiffer
        | WarningKind::VridConflict
        | WarningKind::IntervalDiffers => silent < max_silence(engine, id, router),
        WarningKind::Flapping => flapping,
        // Whether another host holds an address is known while it is probed for.
        WarningKind::AddressTaken if engine.is_probing(id) => {
            let mut holders = engine.second_holders(id);
            let holder = holders.find(|holder| Some(holder.address) == entry.concern.from);
            entry.last = holder.map_or(entry.last, |holder| holder.heard);
            holder.is_some()
        }
        WarningKind::SplitBrain
        | WarningKind::Process
        | WarningKind::NoMaster
        | WarningKind::Fault
        | WarningKind::AddressMissing
        | WarningKind::LeftBehind
        | WarningKind::AddressTaken
        | WarningKind::ReloadRefused
        | WarningKind::Empty
        | WarningKind::Held
        | WarningKind::PriorityLowered
        | WarningKind::Storage
        | WarningKind::RecordsLost => silent < CONCERN_TIME,
    };
    (!lasts).then_some(entry.last)
}

/// The last valid advert of a router, if it came from the one that an entry is about.
fn last_from(engine: &Engine, router: RouterId, entry: &Entry) -> Option<Heard> {
    let last = engine.statistics(router)?.last_received?;
    (Some(last.address) == entry.concern.from).then_some(last)
}

/// The virtual router that a concern is about, if it is about packets.
fn router_of(instance: InstanceId, concern: &Concern) -> Option<RouterId> {
    concern.family.map(|family| RouterId { instance, family })
}

/// How long a thing that comes with adverts may be silent until it is over: who sends less often
/// than we do has its own time.
fn max_silence(engine: &Engine, id: InstanceId, router: Option<RouterId>) -> Duration {
    let own = engine.settings(id).map(|settings| settings.interval);
    let last = router.and_then(|router| engine.statistics(router)?.last_received);
    let interval = own.max(last.map(|last| last.interval));
    interval.map_or(MIN_SILENCE, |own| (own.duration() * SILENT_ADVERTS).max(MIN_SILENCE))
}

/// The engine's counter of a thing, 0 when it has none.
fn counter(engine: &Engine, id: InstanceId, concern: &Concern) -> u32 {
    let router = router_of(id, concern);
    let Some(statistics) = router.and_then(|router| engine.statistics(router)) else {
        return 0;
    };
    match concern.kind {
        WarningKind::BadPackets | WarningKind::VridConflict => {
            concern.reject.map_or(0, |reject| statistics.rejected.get(reject))
        }
        WarningKind::AddressesDiffer => statistics
            .address_list_errors
            .wrapping_sub(statistics.rejected.get(Reject::ForeignAddresses)),
        WarningKind::IntervalDiffers => statistics.interval_differs,
        WarningKind::SplitBrain
        | WarningKind::Process
        | WarningKind::NoMaster
        | WarningKind::Flapping
        | WarningKind::Fault
        | WarningKind::AddressMissing
        | WarningKind::LeftBehind
        | WarningKind::SameSender
        | WarningKind::SecondOwner
        | WarningKind::AddressTaken
        | WarningKind::SendFailed
        | WarningKind::KernelRefused
        | WarningKind::ForeignRemoval
        | WarningKind::ReloadRefused
        | WarningKind::Empty
        | WarningKind::Held
        | WarningKind::PriorityLowered
        | WarningKind::Storage
        | WarningKind::RecordsLost => 0,
    }
}

/// The other router that last announced itself as master since this one is, and is not handing
/// over. Not the last word of one that gives way, which comes with or just after our first advert.
pub fn rival(engine: &Engine, router: RouterId) -> Option<Heard> {
    let id = router.instance;
    if engine.state(id) != Some(State::Master) || engine.handing_over(id) {
        return None;
    }
    let heard = engine.statistics(router)?.last_received?;
    let (since, _) = engine.since(id)?;
    let lasting = heard.at > since + heard.interval.duration();
    let other = engine.source(router) != Some(heard.address);
    (lasting && other && !heard.priority.is_stop()).then_some(heard)
}

#[cfg(test)]
mod tests;
