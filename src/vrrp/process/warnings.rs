//! What is wrong with an instance now: notices come once, `status` has to show what lasts.
//!
//! The engine tells of a thing once and counts each time it happens, so a warning keeps a counter:
//! as long as that grows, the thing goes on.

use std::net::IpAddr;
use std::time::Duration;

use super::words::Concern;
use crate::control::status::{self, WarningKind};
use crate::units::Instant;
use crate::vrrp::{Engine, InstanceId};

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
    /// Takes what a notice says.
    pub fn add(&mut self, engine: &Engine, concern: Concern, text: String, now: Instant) {
        let counter = counter(engine, &concern);
        if let Some(known) = self.entries.iter_mut().find(|entry| entry.concern == concern) {
            known.text = text;
            known.count += u64::from(counter.wrapping_sub(known.counter)).max(1);
            known.counter = counter;
            known.last = now;
            return;
        }
        if self.entries.len() >= MOST {
            let oldest = self.entries.iter().enumerate().min_by_key(|(_, entry)| entry.last);
            if let Some((oldest, _)) = oldest {
                self.entries.swap_remove(oldest);
            }
        }
        self.entries.push(Entry { concern, text, count: 1, counter, last: now });
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
        WarningKind::BadPackets => {
            concern.reject.map_or(0, |reject| statistics.rejected.get(reject))
        }
        WarningKind::AddressesDiffer => statistics.address_list_errors,
        WarningKind::IntervalDiffers => statistics.interval_differs,
        WarningKind::SplitBrain
        | WarningKind::VridConflict
        | WarningKind::SecondOwner
        | WarningKind::SameSender
        | WarningKind::ForeignRemoval
        | WarningKind::KernelRefused
        | WarningKind::AddressTaken
        | WarningKind::AddressMissing
        | WarningKind::Fault
        | WarningKind::SendFailed
        | WarningKind::ReloadRefused
        | WarningKind::Process
        | WarningKind::Storage
        | WarningKind::RecordsLost => 0,
    }
}

/// Another router that is master of the same addresses as we are, now: its adverts come while we
/// are MASTER and not handing over, and not only the last one of a router that gives way.
pub fn rival(engine: &Engine, instance: InstanceId, now: Instant) -> Option<Rival> {
    let settings = engine.settings(instance)?;
    let (since, _) = engine.since(instance)?;
    let is_master = engine.state(instance) == Some(crate::vrrp::State::Master);
    if !is_master || engine.handing_over(instance) {
        return None;
    }
    let rivals = engine.routers(instance).filter_map(|router| {
        let heard = engine.statistics(router)?.last_received?;
        let own = engine.source(router);
        let wait = heard.interval.duration().max(settings.interval.duration());
        let lasting = heard.at > since + wait;
        let fresh = now.since(heard.at) <= wait * u32::from(settings.down_timer_adverts) + wait;
        (lasting && fresh && !heard.priority.is_stop() && Some(heard.address) != own)
            .then_some(Rival { address: heard.address, priority: heard.priority.0, at: heard.at })
    });
    rivals.max_by_key(|rival| rival.at)
}

/// See [`rival`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Rival {
    /// Its address.
    pub address: IpAddr,
    /// Its priority.
    pub priority: u8,
    /// When it was last heard.
    pub at: Instant,
}
