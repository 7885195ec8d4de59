//! The deadline of a process that is gone: when nobody resumes in time, the supervisor removes the
//! addresses itself, so that the other router is the only one to have them.

use std::time::Duration;

use smol::Timer;

use super::holdings::Holdings;
use super::installed::{self, Held};
use super::sweep::{Source, sweep};
use crate::control::event::{DaemonEvent, Kind, Level, What};
use crate::control::shared_memory::{Key, Saved};
use crate::sorted::Map;
use crate::system::clock;
use crate::units::Instant;
use crate::vrrp::settings::Settings;

/// Watches the deadlines, and removes what is due. To be run as long as no process has said that
/// it works; never ends.
pub async fn when_due(holdings: &Holdings) {
    loop {
        holdings.update();
        let due = holdings.with(|held| installed::due(held, &holdings.saved()));
        let Some(due) = due else { return std::future::pending().await };
        let now = clock::now();
        if due > now {
            // The process that starts may resume meanwhile, and then it is due later.
            Timer::after(due.since(now)).await;
            continue;
        }
        if !remove_due(holdings, "no vrrp process has resumed in time", now).await {
            // The next process, or the next start, tries again.
            return std::future::pending().await;
        }
    }
}

/// The first pause before what could not be removed is tried again,
const FIRST_RETRY: Duration = Duration::from_secs(1);
/// and the longest.
const LONGEST_RETRY: Duration = Duration::from_secs(600);

/// What could not be removed, and no vrrp process knows of: it is tried again, and stays in the file
/// until then.
#[derive(Debug, Default)]
pub struct Remainder {
    held: Vec<Held>,
    /// When it is tried again.
    at: Option<Instant>,
    pause: Duration,
}

impl Remainder {
    /// All of it.
    pub fn held(&self) -> &[Held] {
        &self.held
    }

    /// When it is tried again.
    pub const fn at(&self) -> Option<Instant> {
        self.at
    }

    fn add(&mut self, held: Vec<Held>, now: Instant) {
        self.held.extend(held);
        self.pause = (self.pause * 2).clamp(FIRST_RETRY, LONGEST_RETRY);
        self.at = Some(now + self.pause);
    }

    /// What is to be tried now. What is configured by now is the vrrp process's.
    fn take_due(&mut self, now: Instant, settings: impl FnOnce() -> Settings) -> Option<Vec<Held>> {
        self.at.take_if(|at| *at <= now)?;
        let held = std::mem::take(&mut self.held);
        Some(installed::stale(&held, &settings()))
    }
}

/// Before a process starts: removes what it would not know of, or has no right to resume.
pub async fn before_start(holdings: &Holdings) {
    remove_due(holdings, "a vrrp process before this one left them", clock::now()).await;
    let settings = holdings.settings();
    let mut stale = holdings.with(|held| installed::stale(held, &settings));
    if holdings.taking_over.take() {
        // The process that has taken over knows of what another instance has by now.
        installed::spare(&mut stale, &settings);
    }
    if !stale.is_empty() {
        if !remove(holdings, &stale, "they are no longer configured").await {
            holdings.remainder.borrow_mut().add(stale.clone(), clock::now());
        }
        holdings.set(holdings.with(|held| installed::without(held, &stale)));
    }
    holdings.begun.set(true);
}

/// Tries again what could not be removed before a process started.
pub async fn remove_rest(holdings: &Holdings) {
    let now = clock::now();
    let due = holdings.remainder.borrow_mut().take_due(now, || holdings.settings());
    let Some(due) = due else { return };
    let why = "they were left by a vrrp process that has ended";
    match remove_from(holdings, &due, Source::Past, why).await {
        true => *holdings.remainder.borrow_mut() = Remainder::default(),
        false => holdings.remainder.borrow_mut().add(due, clock::now()),
    }
    holdings.store();
}

/// Removes all that there is, at the end.
pub async fn all(holdings: &Holdings) {
    holdings.update();
    let (held, saved) = (holdings.installed(), holdings.saved());
    if remove(holdings, &held, "the vrrp process has not handed them over").await {
        disown(holdings, &held, &saved);
    }
}

/// Forgets what is not in the memory any more, or was written anew.
fn forget(disowned: &mut Map<Key, Instant>, written: &Map<Key, Saved>) {
    let old = std::mem::take(disowned);
    // Not `retain`, which is kilobytes of flash for each type.
    disowned.extend(
        old.into_iter()
            .filter(|(key, last)| written.get(key).is_some_and(|slot| slot.last_advert <= *last)),
    );
}

async fn remove_due(holdings: &Holdings, why: &str, now: Instant) -> bool {
    let saved = holdings.saved();
    let due = holdings.with(|held| installed::due_by(held, &saved, now));
    let removed = due.is_empty() || remove(holdings, &due, why).await;
    if removed {
        disown(holdings, &due, &saved);
    }
    removed
}

/// What was in the shared memory about them before they were removed counts no more. What a process
/// has written meanwhile does: it may have resumed at the last moment.
fn disown(holdings: &Holdings, gone: &[Held], saved: &Map<Key, Saved>) {
    {
        let mut disowned = holdings.disowned.borrow_mut();
        for one in gone {
            if let Some(slot) = saved.get(&one.key()) {
                disowned.insert(one.key(), slot.last_advert);
            }
        }
        forget(&mut disowned, &holdings.written(&|_, _| true));
    }
    holdings.set(holdings.with(|held| installed::without(held, gone)));
}

async fn remove(holdings: &Holdings, held: &[Held], why: &str) -> bool {
    let source = if holdings.begun.get() { Source::Present } else { Source::Past };
    remove_from(holdings, held, source, why).await
}

/// Whether nothing of them is left.
async fn remove_from(holdings: &Holdings, held: &[Held], source: Source, why: &str) -> bool {
    if held.is_empty() {
        return true;
    }
    let names: Vec<&str> = held.iter().map(|one| &*one.instance).collect();
    let names = names.join(", ");
    let note = |level, text: String| holdings.context.log.note(level, Kind::Kernel, text);
    match sweep(held, source).await {
        Ok(swept) => {
            for text in &swept.refused {
                note(Level::Error, format!("cannot be removed: {text}"));
            }
            if swept.removed > 0 {
                let count = u32::try_from(swept.removed).unwrap_or(u32::MAX);
                let instances = held.iter().map(|one| one.instance.clone()).collect();
                let withdrawn = DaemonEvent::Withdrawn { instances, count, why: why.into() };
                holdings.context.log.tell(What::Daemon(withdrawn));
            }
            swept.refused.is_empty()
        }
        Err(error) => {
            let text = format!(
                "the addresses of {names} cannot be removed: {error}; look at ip address, the \
                 other router may have them as well"
            );
            note(Level::Error, text);
            false
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::{Priority, State, Vrid};

    fn at(seconds: u64) -> Instant {
        Instant::ORIGIN + Duration::from_secs(seconds)
    }

    fn settings(addresses: &str) -> Settings {
        let text = format!(
            "[vrrp.instance.a]\ninterface = \"eth0\"\nvirtual_router_id = 1\n\
             virtual_addresses = [{addresses}]\n"
        );
        Settings::from_model(&crate::config::parse(&text, None).model.unwrap())
    }

    #[test]
    fn what_could_not_be_removed_is_tried_again_after_growing_pauses() {
        let held = installed::tests::held(&settings("\"10.0.0.1/24\""));
        let other = || settings("\"10.0.0.9/24\"");
        let mut rest = Remainder::default();
        assert_eq!(rest.take_due(at(0), other), None);
        rest.add(held.clone(), at(0));
        let mut tries = Vec::new();
        for second in 0..200 {
            if let Some(due) = rest.take_due(at(second), other) {
                assert_eq!(due, held);
                tries.push(second);
                rest.add(due, at(second));
            }
        }
        assert_eq!(tries, [1, 3, 7, 15, 31, 63, 127]);
        assert_eq!(rest.held(), held);
        // A reload has it: the vrrp process sees to it.
        let due = rest.take_due(at(900), || settings("\"10.0.0.1/24\""));
        assert_eq!((due, rest.held()), (Some(Vec::new()), [].as_slice()));
    }

    #[test]
    fn what_is_disowned_is_forgotten_when_it_says_nothing_any_more() {
        let key = |name| Key::new(name, "eth0", Vrid::new(1).unwrap());
        let slot = |seconds| Saved {
            state: State::Backup,
            last_advert: at(seconds),
            priority: Priority(100),
            installed: 1,
            handing_over: false,
            hold: None,
        };
        let mut disowned: Map<_, _> =
            [("a", 5), ("b", 5), ("gone", 5)].map(|(name, last)| (key(name), at(last))).into();
        forget(&mut disowned, &[(key("a"), slot(5)), (key("b"), slot(6))].into());
        assert_eq!(disowned, [(key("a"), at(5))].into());
    }
}
