//! What the supervisor asks for, and the answers.

use crate::control::child_messages::{FromChild, Ticket, ToChild};
use crate::control::event::{Kind, Level, What};
use crate::control::humanize::{decimals, length};
use crate::control::status::ProcessReport;
use crate::system::{clock, heap, memory};
use crate::units::Instant;
use crate::vrrp::change::Change;
use crate::vrrp::{Command, CommandId, Event, Held, InstanceId, Outcome, State};

use super::shell::{Shell, Waiting};
use super::{events, instance_status};

/// Instances of a status that are told in one slice of work.
const MAX_REPORTS_PER_SLICE: usize = 16;
/// Octets that may wait for the supervisor before a status is continued.
const MAX_BACKLOG_OCTETS: usize = 256 * 1024;
/// The command that nobody waits for the answer of.
const UNANSWERED: CommandId = CommandId(0);

impl Shell {
    /// Does what the supervisor asks for.
    pub(super) fn take(&mut self, message: ToChild) {
        match message {
            ToChild::Hello { number } => self.link.send(&FromChild::Hello { number }),
            ToChild::Configuration { generation, base, body } => {
                self.configure(generation, base, &body);
            }
            ToChild::Status { ticket } => self.reporting.push_back((ticket, 0)),
            ToChild::Switchover { ticket, instance, hold_for, force } => {
                let command = |instance| Command::Switchover { instance, hold_for, force };
                self.command(ticket, instance, command);
            }
            ToChild::Release { ticket, instance } => {
                self.command(ticket, instance, |instance| Command::Release { instance });
            }
            ToChild::LogLevel(level) => self.link.events.set_level(level),
            ToChild::Stop => self.stop(),
            ToChild::StopNow => self.stop_now(),
            ToChild::StandBack { hold_for } => {
                self.progress.set_stand_back(hold_for);
                self.begin_to_stand_back();
            }
            ToChild::Leave => {
                self.link.send(&FromChild::Leaving);
                self.link.finish();
            }
            ToChild::LockMemory { ticket, lock } => {
                let done = if lock { memory::lock() } else { memory::unlock() };
                let result = done.map(|()| String::new()).map_err(|error| error.to_string());
                self.link.send(&FromChild::Answer { ticket, result });
            }
        }
    }

    /// Hands everything over and ends: asked for, or because the supervisor is gone.
    pub(super) fn stop(&mut self) {
        if !self.progress.stop() {
            return;
        }
        if self.progress.has_started() {
            self.engine.handle(Event::Shutdown, clock::now());
        } else if !self.progress.is_starting() {
            self.link.send(&FromChild::Stopped);
            self.link.finish();
        }
        // Else it starts first, which shows what a former process left, and removes it.
    }

    /// The same, without waiting for somebody to take over.
    fn stop_now(&mut self) {
        self.stop();
        if self.progress.has_started() {
            self.engine.handle(Event::StopNow, clock::now());
        }
    }

    /// Hands over and holds everything that is not held, once it has started.
    fn begin_to_stand_back(&mut self) {
        let Some(hold_for) = self.progress.take_stand_back() else { return };
        let free = self.engine.instances().filter(|id| self.engine.held(*id).is_none());
        let free: Vec<InstanceId> = free.collect();
        for instance in free {
            // Where nobody takes over, addresses that go away now and then are better than none.
            let hold_for = Some(hold_for);
            let command = Command::Switchover { instance, hold_for, force: false };
            self.engine.handle(Event::Command(UNANSWERED, command), clock::now());
        }
    }

    /// Gives the engine a command about an instance.
    fn command(
        &mut self,
        ticket: Ticket,
        name: String,
        command: impl FnOnce(InstanceId) -> Command,
    ) {
        let ready = self.progress.has_started() && !self.progress.is_stopping();
        let refusal = match self.engine.instance(&name) {
            Some(instance) if ready => {
                let id = CommandId(ticket.0);
                let others = self.held_with(instance);
                self.waiting.push(Waiting { id, ticket, name, others });
                self.engine.handle(Event::Command(id, command(instance)), clock::now());
                return;
            }
            Some(_) => "it is not started yet, or it stops: try again".to_owned(),
            None => {
                let engine = &self.engine;
                let names = engine.instances().map(|id| events::name(engine, id));
                let have = names.collect::<Vec<_>>().join(", ");
                format!("there is no instance {name} (have: {have})")
            }
        };
        self.link.send(&FromChild::Answer { ticket, result: Err(refusal) });
    }

    /// The other held members of an instance's group: a release is for all of them.
    fn held_with(&self, id: InstanceId) -> String {
        let engine = &self.engine;
        let group = engine.group_of(id);
        let others: Vec<&str> = engine
            .instances()
            .filter(|other| *other != id && group.is_some() && engine.group_of(*other) == group)
            .filter(|other| engine.held(*other).is_some())
            .map(|other| events::name(engine, other))
            .collect();
        if others.is_empty() {
            return String::new();
        }
        format!(", with {} of its sync group", others.join(", "))
    }

    fn configure(&mut self, generation: u32, base: Option<u32>, body: &[u8]) {
        let change: Change = match postcard::from_bytes(body) {
            Ok(change) => change,
            Err(error) => {
                self.link.fail(&format!("the configuration cannot be read: {error}"));
                return;
            }
        };
        if base.is_some() && base != self.progress.in_effect() {
            self.link.fail("the supervisor changes a configuration that is not in effect");
            return;
        }
        if self.progress.is_stopping() {
            return;
        }
        if self.progress.has_started() {
            // What the old configuration still wants to say comes first.
            self.progress.reload(generation, change);
            return;
        }
        let Some(settings) = change.into_settings() else {
            self.link.fail("the supervisor changes a configuration that was never sent");
            return;
        };
        self.engine = crate::vrrp::Engine::new(&settings);
        self.progress.begin(generation);
        self.start_when_ready();
    }

    /// Takes over the configuration that waits, if any. To be called when there is nothing left to
    /// do for the one in effect.
    pub(super) fn reload(&mut self) -> bool {
        let Some((generation, change)) = self.progress.take_reload() else { return false };
        // Before its places can be those of new instances.
        self.forget();
        self.engine.handle(Event::Reload(&change), clock::now());
        self.forget();
        self.adopt();
        self.shared_state.states(&self.engine);
        self.link.send(&FromChild::Applied { generation });
        true
    }

    /// Everything that follows the engine's configuration.
    fn adopt(&mut self) {
        if let Err(error) = self.kernel.configure(&self.engine) {
            self.link.fail(&format!("cannot hear of routes and rules: {error}"));
        }
        self.interfaces.configure(&self.engine);
        if self.engine.reloaded().members {
            for text in self.shared_state.configure(&self.engine) {
                self.link.log(Level::Warning, Kind::Process, text);
            }
        }
        for (id, name) in self.interfaces.all() {
            self.sync_link(id, &name);
        }
        self.look();
        self.adverts.prepare(&self.engine, &self.interfaces);
    }

    /// Starts the engine once the kernel's links and addresses are known, and no other process
    /// works.
    pub(super) fn start_when_ready(&mut self) {
        if !self.progress.is_starting() || !self.kernel.monitor.is_current() || !self.is_alone() {
            return;
        }
        let now = clock::now();
        for (instance, last_advert) in self.shared_state.masters(&self.engine) {
            self.engine.handle(Event::Resume { instance, last_advert }, now);
        }
        let holds = self.shared_state.holds(&self.engine, now);
        let Some(generation) = self.progress.started() else { return };
        self.adopt();
        self.engine.handle(Event::Start, clock::now());
        // What an operator wants outlives the process that was told.
        for (instance, hold_for) in holds {
            let command = Command::Switchover { instance, hold_for, force: true };
            self.engine.handle(Event::Command(UNANSWERED, command), clock::now());
        }
        self.begin_to_stand_back();
        // Until now it was what the process before has left: should this one die, the next one goes
        // on from there.
        self.shared_state.states(&self.engine);
        self.link.send(&FromChild::Applied { generation });
        if self.progress.is_stopping() {
            self.engine.handle(Event::Shutdown, clock::now());
        }
    }

    /// Answers a command that has come to its end.
    pub(super) fn answer(&mut self, id: CommandId, instance: InstanceId, outcome: &Outcome) {
        let Some(place) = self.waiting.iter().position(|waiting| waiting.id == id) else { return };
        let Waiting { ticket, name, others, .. } = self.waiting.remove(place);
        let held = |hold, before| self.hold_text(instance, &name, hold, before);
        let result = match *outcome {
            Outcome::Taken { by, after, hold, before } => {
                let after = decimals(after.as_secs_f64() * 1000.0, 1);
                let text = format!("{name}: {by} took over after {after} ms");
                Ok(text + &held(hold, before))
            }
            Outcome::GivenUp { hold, before } => {
                let text = format!("{name}: nobody took over; it was given up as --force asks");
                Ok(text + &held(hold, before))
            }
            Outcome::NotTaken => Err(format!(
                "{name}: nobody took over, so it stays MASTER here; --force gives it up all the \
                 same"
            )),
            Outcome::Held { state: State::Master, hold, before } => {
                let text = format!("{name}: this router gave up the addresses");
                Ok(text + &held(hold, before))
            }
            Outcome::Held { state, hold, before } => {
                let text = format!("{name}: it was {state}, so nothing was handed over");
                Ok(text + &held(hold, before))
            }
            Outcome::Ended => Err(format!(
                "{name}: there is no switchover while the daemon stops or the instance is removed"
            )),
            Outcome::Released => Ok(format!("{name}: released{others}")),
            Outcome::Unheard => Ok(format!("{name}: preempts again, if its adverts leave now")),
            Outcome::Losing => Ok(format!("{name}: preempts again, whoever removes its addresses")),
            Outcome::NotHeld => Err(format!("{name} is not held: there is nothing to release")),
            Outcome::Announced => Ok(format!("{name}: its addresses are announced")),
        };
        self.link.send(&FromChild::Answer { ticket, result });
    }

    /// "; it is held as backup for 10 min 0 s (before: until \"steadfast release lan\")".
    fn hold_text(&self, id: InstanceId, name: &str, hold: Held, before: Held) -> String {
        let Some(hold) = hold else { return String::new() };
        let now = clock::now();
        let text = |hold: Option<Instant>| hold_length(name, hold, now);
        let before = before.filter(|before| *before != hold);
        let before = before.map(|before| format!(" (before: {})", text(before)));
        format!(
            "; it is held as backup {}{}{}",
            text(hold),
            self.held_with(id),
            before.unwrap_or_default()
        )
    }

    /// Continues the statuses that were asked for; `true`: there is more to tell.
    pub(super) fn report(&mut self) -> bool {
        // A status waits until what is true of the configuration is known, some milliseconds.
        if self.progress.is_starting() {
            return false;
        }
        let Some((ticket, mut told)) = self.reporting.pop_front() else { return false };
        let now = clock::now();
        if self.link.waiting() > MAX_BACKLOG_OCTETS {
            // The supervisor reads on, and then this is continued.
            self.reporting.push_front((ticket, told));
            return false;
        }
        let ids: Vec<InstanceId> =
            self.engine.instances().skip(told).take(MAX_REPORTS_PER_SLICE).collect();
        let more = ids.len() == MAX_REPORTS_PER_SLICE;
        for id in ids {
            told += 1;
            let flags = |object| self.kernel.flags(&self.engine, object);
            let warnings = self.warnings.get_mut(&id).map(|warnings| {
                warnings.refresh(&self.engine, id, now);
                &*warnings
            });
            if let Some(status) = instance_status::instance(
                &self.engine,
                self.kernel.monitor.cache(),
                id,
                warnings,
                flags,
                now,
            ) {
                self.link.send(&FromChild::Instance { ticket, status: Box::new(status) });
            }
        }
        if more {
            self.reporting.push_front((ticket, told));
            return true;
        }
        let counters = [
            ("packets_too_short", self.engine.too_short()),
            ("netlink_overruns", self.kernel.monitor.overruns()),
        ];
        let report = ProcessReport {
            records_limited: self.link.events.limited,
            records_lost: self.link.events.lost,
            counters: counters.map(|(name, count)| (name.to_owned(), count)).into(),
        };
        let heap = heap::count().map(Into::into);
        self.link.send(&FromChild::Process { ticket, report, heap });
        !self.reporting.is_empty()
    }

    /// What has to be done now and then.
    pub(super) fn housekeeping(&mut self, now: Instant) {
        self.link.events.catch_up(now);
        for (id, warnings) in &mut self.warnings {
            warnings.refresh(&self.engine, *id, now);
        }
        let engine = &self.engine;
        let exists = |id: InstanceId| engine.settings(id).is_some();
        self.warnings.retain(|id, warnings| exists(*id) && !warnings.is_empty());
        if self.interfaces.in_trouble() {
            for (id, name) in self.interfaces.all() {
                self.sync_link(id, &name);
            }
        }
        self.tell_failures();
        if let Some(failures) = self.announcements.failures() {
            self.link.report(What::AnnounceFailed(failures.into()));
        }
    }
}

/// How long an operator's hold lasts.
fn hold_length(name: &str, until: Option<Instant>, now: Instant) -> String {
    match until {
        Some(until) => format!("for {}", length(until.since(now).as_secs_f64().round())),
        None => format!("until \"steadfast release {name}\""),
    }
}
