//! What is wrong with an instance now: notices come once, `status` has to show what lasts.
//!
//! The engine tells of a thing once and counts each time it happens, so a warning keeps a counter:
//! as long as that grows, the thing goes on.

use std::time::Duration;

use super::words::Concern;
use crate::control::status::{self, WarningKind};
use crate::units::Instant;
use crate::vrrp::validation::Reject;
use crate::vrrp::{Engine, Heard, RouterId, State};

/// The most warnings of one instance; the oldest makes room.
const MOST: usize = 16;
/// How long something is shown after the last time it happened.
const SHOWN: Duration = Duration::from_secs(600);

#[derive(Clone, Debug)]
struct Entry {
    concern: Concern,
    text: String,
    /// How often it happened.
    count: u64,
    /// The engine's counter when it was last looked at.
    counter: u32,
    last: Instant,
}

/// The warnings of one instance.
#[derive(Clone, Debug, Default)]
pub struct Warnings {
    entries: Vec<Entry>,
}

impl Warnings {
    /// Takes what a notice says. Whether it is news, and not the same once more.
    pub fn add(&mut self, engine: &Engine, concern: Concern, text: String, now: Instant) -> bool {
        let counter = counter(engine, &concern);
        if let Some(known) = self.entries.iter_mut().find(|entry| entry.concern == concern) {
            known.text = text;
            known.count += u64::from(counter.wrapping_sub(known.counter)).max(1);
            known.counter = counter;
            known.last = now;
            return false;
        }
        if self.entries.len() >= MOST {
            let oldest = self.entries.iter().enumerate().min_by_key(|(_, entry)| entry.last);
            if let Some((oldest, _)) = oldest {
                self.entries.swap_remove(oldest);
            }
        }
        self.entries.push(Entry { concern, text, count: 1, counter, last: now });
        true
    }

    /// Sees what went on since the last look, and forgets what ended long ago.
    pub fn refresh(&mut self, engine: &Engine, now: Instant) {
        for entry in &mut self.entries {
            let counter = counter(engine, &entry.concern);
            let more = counter.wrapping_sub(entry.counter);
            if more > 0 {
                entry.count += u64::from(more);
                entry.counter = counter;
                entry.last = now;
            }
        }
        self.entries.retain(|entry| now.since(entry.last) < SHOWN);
    }

    /// Whether there is nothing to refresh.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// For the status document.
    pub fn list<'a>(
        &'a self,
        instance: &'a str,
        now: Instant,
    ) -> impl Iterator<Item = status::Warning> + 'a {
        self.entries.iter().map(move |entry| status::Warning {
            kind: entry.concern.kind,
            instance: Some(instance.to_owned()),
            text: entry.text.clone(),
            from: entry.concern.from,
            count: entry.count,
            last_age: now.since(entry.last).as_secs_f64(),
        })
    }
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

    fn listed(warnings: &Warnings) -> Vec<(String, u64)> {
        let list = warnings.list("lan", at(1000));
        list.map(|warning| (warning.text, warning.count)).collect()
    }

    #[test]
    fn the_same_again_counts_and_has_the_last_words() {
        let engine = Engine::new(&Settings::default());
        let mut warnings = Warnings::default();
        for (at_second, text) in [(1, "first"), (2, "second"), (3, "third")] {
            warnings.add(&engine, concern(1), text.into(), at(at_second));
        }
        warnings.add(&engine, concern(2), "other".into(), at(3));
        assert_eq!(listed(&warnings), [("third".to_owned(), 3), ("other".to_owned(), 1)]);
    }

    #[test]
    fn the_oldest_makes_room() {
        let engine = Engine::new(&Settings::default());
        let mut warnings = Warnings::default();
        for number in 0..=16 {
            // The first one goes on, so that the second is the oldest.
            warnings.add(&engine, concern(number), number.to_string(), at(number.into()));
            warnings.add(&engine, concern(0), "0".into(), at(number.into()));
        }
        let texts: Vec<String> = listed(&warnings).into_iter().map(|(text, _)| text).collect();
        assert_eq!(texts.len(), MOST);
        assert!(texts.contains(&"0".into()) && !texts.contains(&"1".into()), "{texts:?}");
    }

    #[test]
    fn what_ended_is_forgotten_after_ten_minutes() {
        let engine = Engine::new(&Settings::default());
        let mut warnings = Warnings::default();
        warnings.add(&engine, concern(1), "a".into(), at(1));
        warnings.refresh(&engine, at(600));
        assert!(!warnings.is_empty());
        warnings.refresh(&engine, at(601));
        assert!(warnings.is_empty());
    }
}
