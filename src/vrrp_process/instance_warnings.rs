//! What is wrong with an instance now, and what was within the last minutes: notices come once,
//! `status` has to show what lasts, and that it has ended.
//!
//! The engine tells of a thing once and counts each time it happens, so a warning keeps a counter:
//! as long as that grows, the thing goes on. What has no counter is looked up in the engine.

use std::collections::VecDeque;
use std::time::Duration;

use super::log_text::{Concern, Settled};
use crate::control::humanize::length;
use crate::control::status::{self, WarningKind};
use crate::units::Instant;
use crate::vrrp::validation::Reject;
use crate::vrrp::{Engine, Heard, InstanceId, RouterId, State};

/// The most warnings of one instance; the one that ended first, or the oldest, makes room.
const MOST: usize = 16;
/// How long something is shown after its end.
const SHOWN: Duration = Duration::from_secs(300);
/// A thing that a sender does is over when it did not do so for this many adverts,
const ADVERTS: u32 = 3;
/// and not before.
const LEAST: Duration = Duration::from_secs(3);
/// What is told once each time it happens and does not say how long it lasts.
const EVENT: Duration = Duration::from_secs(60);
/// What happens so often within [`Window::LENGTH`] goes on, even if it is over each time.
const AGAIN: u32 = 3;
/// So many changes to or from MASTER or FAULT within [`Window::LENGTH`] are flapping. A router that
/// fails, comes back and preempts makes four.
const FLAPPING: u32 = 6;

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

#[derive(Clone, Debug)]
struct Entry {
    concern: Concern,
    text: String,
    /// Of what is over when the kernel has what it should have.
    settled: Option<Settled>,
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
    fn new(concern: Concern, text: String, now: Instant) -> Self {
        let lately = Window::default();
        let (settled, ended) = (None, None);
        Self { concern, text, settled, count: 1, lately, counter: 0, last: now, ended }
    }

    /// It happened, and is over when that is so.
    fn settles(&mut self, settled: Option<Settled>, now: Instant) {
        if settled.is_some() {
            self.lately.add(1, now);
        }
        self.settled = settled;
    }
}

/// The warnings of one instance.
#[derive(Clone, Debug, Default)]
pub struct Warnings {
    entries: Vec<Entry>,
    /// Changes of state to or from MASTER or FAULT.
    changes: Window,
    /// Why it is in FAULT.
    fault: Option<String>,
}

impl Warnings {
    /// Takes what a notice says. Whether it is news, and not the same once more.
    pub fn add(
        &mut self,
        engine: &Engine,
        concern: Concern,
        text: String,
        settled: Option<Settled>,
        now: Instant,
    ) -> bool {
        let counter = counter(engine, &concern);
        if let Some(known) = self.entries.iter_mut().find(|entry| entry.concern == concern) {
            known.count += u64::from(counter.wrapping_sub(known.counter)).max(1);
            (known.text, known.counter, known.last, known.ended) = (text, counter, now, None);
            known.settles(settled, now);
            return false;
        }
        let mut entry = Entry { counter, ..Entry::new(concern, text, now) };
        entry.settles(settled, now);
        self.insert(entry);
        true
    }

    fn insert(&mut self, entry: Entry) {
        if self.entries.len() >= MOST {
            let age = |entry: &Entry| (entry.ended.is_none(), entry.last);
            let oldest = self.entries.iter().enumerate().min_by_key(|(_, entry)| age(entry));
            if let Some((oldest, _)) = oldest {
                self.entries.swap_remove(oldest);
            }
        }
        self.entries.push(entry);
    }

    /// Takes a change of state, with the reason of a FAULT.
    pub fn changed(&mut self, from: State, to: State, why: &str, now: Instant) {
        let counts = |state| matches!(state, State::Master | State::Fault);
        if counts(from) || counts(to) {
            self.changes.add(1, now);
        }
        let is_fault = |entry: &Entry| entry.concern.kind == WarningKind::Fault;
        if to == State::Fault {
            // Until it is over, it follows from the state.
            self.entries.retain(|entry| !is_fault(entry));
            self.fault = Some(why.to_owned());
        } else if let Some(why) = self.fault.take() {
            let concern = Concern::of_itself(WarningKind::Fault);
            let fault = Entry::new(concern, format!("FAULT: {why}"), now);
            self.insert(Entry { ended: Some(now), ..fault });
        }
        self.note_flapping(now);
    }

    /// The reason of a FAULT is another one.
    pub fn fault_changed(&mut self, why: &str) {
        self.fault = Some(why.to_owned());
    }

    /// To be called after each change, so that the text is about the time of the changes, and not
    /// about the quiet time since.
    fn note_flapping(&mut self, now: Instant) {
        let (count, Some(since)) = (self.changes.count(), self.changes.since()) else { return };
        if count < FLAPPING {
            return;
        }
        let within = length(now.since(since).as_secs_f64());
        let text = format!(
            "changed state {count} times within {within}: see \"steadfast events\" for the causes"
        );
        let concern = Concern::of_itself(WarningKind::Flapping);
        match self.entries.iter_mut().find(|entry| entry.concern == concern) {
            Some(known) => (known.text, known.last, known.ended) = (text, now, None),
            None => self.insert(Entry::new(concern, text, now)),
        }
    }

    /// Sees what went on since the last look and what has ended, and forgets what ended long ago.
    pub fn refresh(&mut self, engine: &Engine, id: InstanceId, now: Instant) {
        self.changes.forget(now);
        let flapping = self.changes.count() >= FLAPPING;
        for entry in &mut self.entries {
            let counter = counter(engine, &entry.concern);
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
        self.entries.retain(|entry| entry.ended.is_none_or(|at| now.since(at) < SHOWN));
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
            text: match entry.settled.as_ref().filter(|settled| is_settled(engine, settled)) {
                Some(Settled { object, given_up: Some(text), .. })
                    if engine.is_losing(object.instance) =>
                {
                    text.clone()
                }
                Some(settled) => settled.text.clone(),
                None => entry.text.clone(),
            },
            from: entry.concern.from,
            count: entry.count,
            last_age: now.since(entry.last).as_secs_f64(),
            ended_age: entry.ended.map(|at| now.since(at).as_secs_f64()),
        })
    }
}

/// Whether the kernel has what it should have.
fn is_settled(engine: &Engine, settled: &Settled) -> bool {
    engine.object_wanted(settled.object) == engine.object_present(settled.object)
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
    let lasts = match entry.concern.kind {
        WarningKind::ForeignRemoval if engine.is_losing(id) => true,
        WarningKind::ForeignRemoval | WarningKind::KernelRefused => {
            entry.lately.forget(now);
            let settled = entry.settled.as_ref();
            let settled = settled.map_or(silent >= EVENT, |settled| is_settled(engine, settled));
            if settled && entry.lately.count() < AGAIN {
                return Some(now);
            }
            true
        }
        WarningKind::SendFailed => silent < patience(engine, id, None) || engine.is_unheard(id),
        WarningKind::SecondOwner | WarningKind::SameSender => {
            let last = entry.concern.router.and_then(|router| last_from(engine, router, entry));
            let claims = |last: &Heard| {
                entry.concern.kind == WarningKind::SameSender || last.priority.is_owner()
            };
            if let Some(last) = last.filter(claims) {
                entry.last = entry.last.max(last.at);
            }
            now.since(entry.last) < patience(engine, id, entry.concern.router)
        }
        WarningKind::BadPackets
        | WarningKind::AddressesDiffer
        | WarningKind::VridConflict
        | WarningKind::IntervalDiffers => silent < patience(engine, id, entry.concern.router),
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
        | WarningKind::RecordsLost => silent < EVENT,
    };
    (!lasts).then_some(entry.last)
}

/// The last valid advert of a router, if it came from the one that an entry is about.
fn last_from(engine: &Engine, router: RouterId, entry: &Entry) -> Option<Heard> {
    let last = engine.statistics(router)?.last_received?;
    (Some(last.address) == entry.concern.from).then_some(last)
}

/// How long a thing that comes with adverts may be silent until it is over: who sends less often
/// than we do has its own time.
fn patience(engine: &Engine, id: InstanceId, router: Option<RouterId>) -> Duration {
    let own = engine.settings(id).map(|settings| settings.interval);
    let last = router.and_then(|router| engine.statistics(router)?.last_received);
    let interval = own.max(last.map(|last| last.interval));
    interval.map_or(LEAST, |interval| (interval.duration() * ADVERTS).max(LEAST))
}

/// The engine's counter of a thing, 0 when it has none.
fn counter(engine: &Engine, concern: &Concern) -> u32 {
    let Some(statistics) = concern.router.and_then(|router| engine.statistics(router)) else {
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
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use super::*;
    use crate::vrrp::settings::Settings;

    fn concern(last: u8) -> Concern {
        let from = Some(IpAddr::V4(Ipv4Addr::new(192, 0, 2, last)));
        Concern { kind: WarningKind::SameSender, router: None, from, reject: None }
    }

    fn at(seconds: u64) -> Instant {
        Instant::ORIGIN + Duration::from_secs(seconds)
    }

    fn listed(engine: &Engine, warnings: &Warnings) -> Vec<(String, u64)> {
        let list = warnings.list(engine, "lan", at(1000));
        list.map(|warning| (warning.text, warning.count)).collect()
    }

    /// The texts, each with its end.
    fn ends(warnings: &Warnings, now: u64) -> Vec<(String, Option<f64>)> {
        let engine = Engine::new(&Settings::default());
        let list = warnings.list(&engine, "lan", at(now));
        list.map(|warning| (warning.text, warning.ended_age)).collect()
    }

    #[test]
    fn the_same_again_counts_and_has_the_last_words() {
        let engine = Engine::new(&Settings::default());
        let mut warnings = Warnings::default();
        for (at_second, text) in [(1, "first"), (2, "second"), (3, "third")] {
            warnings.add(&engine, concern(1), text.into(), None, at(at_second));
        }
        warnings.add(&engine, concern(2), "other".into(), None, at(3));
        let listed = listed(&engine, &warnings);
        assert_eq!(listed, [("third".to_owned(), 3), ("other".to_owned(), 1)]);
    }

    #[test]
    fn what_ended_and_then_the_oldest_makes_room() {
        let engine = Engine::new(&Settings::default());
        let mut warnings = Warnings::default();
        for number in 0..=16 {
            // The first one goes on, so that the second is the oldest.
            warnings.add(&engine, concern(number), number.to_string(), None, at(number.into()));
            warnings.add(&engine, concern(0), "0".into(), None, at(number.into()));
        }
        let texts: Vec<String> =
            listed(&engine, &warnings).into_iter().map(|(text, _)| text).collect();
        assert_eq!(texts.len(), MOST);
        assert!(texts.contains(&"0".into()) && !texts.contains(&"1".into()), "{texts:?}");
        warnings.changed(State::Backup, State::Fault, "down", at(17));
        warnings.changed(State::Fault, State::Backup, "back", at(17));
        warnings.add(&engine, concern(20), "20".into(), None, at(18));
        let texts: Vec<String> =
            listed(&engine, &warnings).into_iter().map(|(text, _)| text).collect();
        assert!(!texts.contains(&"FAULT: down".into()) && texts.contains(&"3".into()), "{texts:?}");
    }

    #[test]
    fn what_ended_is_marked_and_forgotten_after_five_minutes() {
        let engine = Engine::new(&Settings::default());
        let mut warnings = Warnings::default();
        warnings.add(&engine, concern(1), "a".into(), None, at(1));
        warnings.refresh(&engine, InstanceId::new(0), at(3));
        assert_eq!(ends(&warnings, 3), [("a".to_owned(), None)]);
        warnings.refresh(&engine, InstanceId::new(0), at(4));
        assert_eq!(ends(&warnings, 43), [("a".to_owned(), Some(42.0))]);
        // The same again is no news, but it is true again.
        assert!(!warnings.add(&engine, concern(1), "a".into(), None, at(50)));
        assert_eq!(ends(&warnings, 50), [("a".to_owned(), None)]);
        warnings.refresh(&engine, InstanceId::new(0), at(60));
        warnings.refresh(&engine, InstanceId::new(0), at(349));
        assert!(!warnings.is_empty());
        warnings.refresh(&engine, InstanceId::new(0), at(350));
        assert!(warnings.is_empty());
    }

    #[test]
    fn a_fault_that_is_over_is_past_from_its_end() {
        let engine = Engine::new(&Settings::default());
        let mut warnings = Warnings::default();
        warnings.changed(State::Backup, State::Fault, "interface \"eth0\" is down", at(10));
        warnings.fault_changed("interface \"eth0\" does not exist");
        assert_eq!(ends(&warnings, 11), []);
        warnings.changed(State::Fault, State::Backup, "it is back", at(20));
        warnings.refresh(&engine, InstanceId::new(0), at(21));
        let text = "FAULT: interface \"eth0\" does not exist".to_owned();
        assert_eq!(ends(&warnings, 21), [(text, Some(1.0))]);
        warnings.changed(State::Backup, State::Fault, "once more", at(22));
        assert_eq!(ends(&warnings, 23), [], "the state says so");
    }

    #[test]
    fn flapping_counts_all_changes_and_ends_a_minute_after_them() {
        let engine = Engine::new(&Settings::default());
        let mut warnings = Warnings::default();
        warnings.changed(State::Initialize, State::Backup, "started", at(90));
        for change in 0..75 {
            let now = at(100) + Duration::from_millis(200 * change);
            warnings.changed(State::Backup, State::Fault, "down", now);
            warnings.changed(State::Fault, State::Backup, "back", now);
        }
        let text = |warnings: &Warnings, now| {
            let mut all = ends(warnings, now).into_iter();
            all.find(|(text, _)| text.starts_with("changed"))
        };
        let told = "changed state 150 times within 14 s: see \"steadfast events\" for the causes";
        for now in [115, 170] {
            warnings.refresh(&engine, InstanceId::new(0), at(now));
            assert_eq!(text(&warnings, now), Some((told.to_owned(), None)), "{now}");
        }
        warnings.refresh(&engine, InstanceId::new(0), at(174));
        let (ended, age) = text(&warnings, 174).unwrap();
        assert_eq!(ended, told);
        assert!((age.unwrap() - 59.2).abs() < 0.001, "since the last change: {age:?}");
    }

    #[test]
    fn a_failover_and_its_way_back_are_no_flapping() {
        let engine = Engine::new(&Settings::default());
        let mut warnings = Warnings::default();
        for (second, from, to) in [
            (1, State::Backup, State::Master),
            (10, State::Master, State::Fault),
            (20, State::Fault, State::Backup),
            (24, State::Backup, State::Master),
            (65, State::Master, State::Backup),
            (75, State::Backup, State::Master),
        ] {
            warnings.changed(from, to, "", at(second));
            warnings.refresh(&engine, InstanceId::new(0), at(second));
        }
        assert!(ends(&warnings, 75).iter().all(|(text, _)| !text.starts_with("changed")));
    }
}
