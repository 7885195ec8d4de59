//! What the supervisor asks for, and the answers.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use nix::errno::Errno;
use nix::sys::socket::{MsgFlags, recv};

use crate::control::child_messages::{FromChild, Ticket, ToChild};
use crate::control::frame::{Decoder, encode};
use crate::control::record::{Kind, Level};
use crate::control::status::VrrpProcess;
use crate::system::{clock, heap, memory};
use crate::units::Instant;
use crate::vrrp::change::Change;
use crate::vrrp::{Command, Event, InstanceId, Notice, State};

use super::shell::{End, Shell};
use super::{instance_status, log_text};

/// Instances of a status that are told in one slice of work.
const REPORTS: usize = 16;
/// Octets that may wait for the supervisor before a status is continued.
const BACKLOG: usize = 256 * 1024;

/// A command whose end is waited for.
#[derive(Clone, Debug)]
pub struct Waiting {
    ticket: Ticket,
    instance: InstanceId,
    name: String,
    /// The state when it came.
    state: Option<State>,
    /// The hold when it came, as [`Engine::held`](crate::vrrp::Engine::held).
    held: Option<Option<Instant>>,
    /// What the hand-over said.
    outcome: Option<Result<String, String>>,
}

impl Shell {
    /// Does what the supervisor asks for.
    pub fn order(&mut self, message: ToChild) {
        match message {
            ToChild::Hello { number } => {
                self.send(&FromChild::Hello { number });
            }
            ToChild::Configuration { generation, base, body } => {
                self.configure(generation, base, &body);
            }
            ToChild::Status { ticket } => self.reporting.push_back((ticket, 0)),
            ToChild::Switchover { ticket, instance, hold_for, force } => {
                self.with_instance(ticket, &instance, |shell, id| {
                    let (state, held) = (shell.engine.state(id), shell.engine.held(id));
                    let command = Command::Switchover { instance: id, hold_for, force };
                    shell.engine.handle(Event::Command(command), clock::now());
                    let (name, outcome) = (instance.clone(), None);
                    shell.waiting.push(Waiting {
                        ticket,
                        instance: id,
                        name,
                        state,
                        held,
                        outcome,
                    });
                });
            }
            ToChild::Release { ticket, instance } => {
                self.with_instance(ticket, &instance, |shell, id| {
                    let result = match shell.engine.held(id) {
                        Some(_) => Ok(format!("{instance}: released{}", shell.held_with(id))),
                        None if shell.engine.is_unheard(id) => {
                            Ok(format!("{instance}: preempts again, if its adverts leave now"))
                        }
                        None if shell.engine.is_losing(id) => {
                            Ok(format!("{instance}: preempts again, whoever removes its addresses"))
                        }
                        None => Err(format!("{instance} is not held: there is nothing to release")),
                    };
                    let command = Command::Release { instance: id };
                    shell.engine.handle(Event::Command(command), clock::now());
                    shell.send(&FromChild::Answer { ticket, result });
                });
            }
            ToChild::LogLevel(level) => self.records.set_level(level),
            ToChild::Stop => self.stop(),
            ToChild::StandBack { hold_for } => {
                self.stand_back = Some(hold_for);
                self.begin_to_stand_back();
            }
            ToChild::Leave => {
                self.send(&FromChild::Leaving);
                self.end.get_or_insert(End::Stopped);
            }
            ToChild::LockMemory { ticket, lock } => {
                let done = if lock { memory::lock() } else { memory::unlock() };
                let result = done.map(|()| String::new()).map_err(|error| error.to_string());
                self.send(&FromChild::Answer { ticket, result });
            }
        }
    }

    /// Hands everything over and ends: asked for, or because the supervisor is gone.
    pub fn stop(&mut self) {
        if std::mem::replace(&mut self.stopping, true) {
            return;
        }
        if self.started {
            self.engine.handle(Event::Shutdown, clock::now());
        } else if self.generation.is_none() {
            self.send(&FromChild::Stopped);
            self.end.get_or_insert(End::Stopped);
        }
        // Else it starts first, which shows what a former process left, and removes it.
    }

    /// Hands over and holds everything that is not held, once it has started.
    fn begin_to_stand_back(&mut self) {
        if !self.started || self.stopping {
            return;
        }
        let Some(hold_for) = self.stand_back.take() else { return };
        let free = self.engine.instances().filter(|id| self.engine.held(*id).is_none());
        let free: Vec<InstanceId> = free.collect();
        for instance in free {
            // Where nobody takes over, addresses that go away now and then are better than none.
            let hold_for = Some(hold_for);
            let command = Command::Switchover { instance, hold_for, force: false };
            self.engine.handle(Event::Command(command), clock::now());
        }
    }

    /// Queues a message to the supervisor.
    pub(super) fn send(&mut self, message: &FromChild) {
        let mut octets = Vec::new();
        if encode(message, &mut octets).is_err() || !self.channel.push(octets) {
            self.fail("the supervisor takes no messages");
        }
    }

    fn with_instance(
        &mut self,
        ticket: Ticket,
        name: &str,
        run: impl FnOnce(&mut Self, InstanceId),
    ) {
        match self.engine.instance(name) {
            Some(id) if self.started && !self.stopping => run(self, id),
            Some(_) => {
                let result = Err("it is not started yet, or it stops: try again".to_owned());
                self.send(&FromChild::Answer { ticket, result });
            }
            None => {
                let have: Vec<&str> = self
                    .engine
                    .instances()
                    .filter_map(|id| Some(&*self.engine.settings(id)?.name))
                    .collect();
                let have = have.join(", ");
                let result = Err(format!("there is no instance {name} (have: {have})"));
                self.send(&FromChild::Answer { ticket, result });
            }
        }
    }

    /// The other held members of an instance's group: a release is for all of them.
    fn held_with(&self, id: InstanceId) -> String {
        let engine = &self.engine;
        let group = engine.group_of(id);
        let others: Vec<&str> = engine
            .instances()
            .filter(|other| *other != id && group.is_some() && engine.group_of(*other) == group)
            .filter(|other| engine.held(*other).is_some())
            .map(|other| log_text::name(engine, other))
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
                self.fail(&format!("the configuration cannot be read: {error}"));
                return;
            }
        };
        let in_effect = self.generation.filter(|_| self.started && self.next.is_none());
        if base.is_some() && base != in_effect {
            self.fail("the supervisor changes a configuration that is not in effect");
            return;
        }
        if self.stopping {
            return;
        }
        if self.started {
            // What the old configuration still wants to say comes first.
            self.next = Some((generation, change));
            return;
        }
        let Some(settings) = change.into_settings() else {
            self.fail("the supervisor changes a configuration that was never sent");
            return;
        };
        self.engine = crate::vrrp::Engine::new(&settings);
        self.generation = Some(generation);
        self.start_when_ready();
    }

    /// Takes over the configuration that waits, if any. To be called when there is nothing left to
    /// do for the one in effect.
    pub(super) fn reload(&mut self) -> bool {
        let Some((generation, change)) = self.next.take().filter(|_| !self.stopping) else {
            return false;
        };
        self.generation = Some(generation);
        // Before its places can be those of new instances.
        self.forget();
        self.engine.handle(Event::Reload(&change), clock::now());
        self.forget();
        self.adopt();
        self.saved.states(&self.engine);
        self.send(&FromChild::Applied { generation });
        true
    }

    /// Everything that follows the engine's configuration.
    fn adopt(&mut self) {
        if let Err(error) = self.kernel.configure(&self.engine) {
            self.fail(&format!("cannot hear of routes and rules: {error}"));
        }
        self.links.configure(&self.engine);
        if self.engine.reloaded().members {
            for text in self.saved.configure(&self.engine) {
                self.say(Level::Warning, Kind::Process, text);
            }
        }
        for (id, name) in self.links.all() {
            self.sync_link(id, &name);
        }
        self.look();
        self.prepare();
    }

    /// Starts the engine once the kernel's links and addresses are known, and no other process
    /// works.
    pub fn start_when_ready(&mut self) {
        if self.started || !self.kernel.monitor.is_current() {
            return;
        }
        let Some(generation) = self.generation else { return };
        if !self.role.is_ours() {
            return;
        }
        let now = clock::now();
        for (instance, last_advert) in self.saved.masters(&self.engine) {
            self.engine.handle(Event::Resume { instance, last_advert }, now);
        }
        let holds = self.saved.holds(&self.engine, now);
        self.started = true;
        self.adopt();
        self.engine.handle(Event::Start, clock::now());
        // What an operator wants outlives the process that was told.
        for (instance, hold_for) in holds {
            let command = Command::Switchover { instance, hold_for, force: true };
            self.engine.handle(Event::Command(command), clock::now());
        }
        self.begin_to_stand_back();
        // Until now it was what the process before has left: should this one die, the next one goes
        // on from there.
        self.saved.states(&self.engine);
        self.send(&FromChild::Applied { generation });
        if self.stopping {
            self.engine.handle(Event::Shutdown, clock::now());
        }
    }

    /// What an end of a hand-over says, for those who wait for it.
    pub(super) fn note_for_waiting(&mut self, notice: &Notice) {
        let (instance, outcome) = match *notice {
            Notice::HandOverTaken { instance, by, after } => {
                let after = after.as_secs_f64() * 1000.0;
                (instance, Ok(format!("{by} took over after {after:.1} ms")))
            }
            Notice::HandOverFailed { instance, resumed: true } => (
                instance,
                Err("nobody took over, so it stays MASTER here; --force gives it up all the same"
                    .to_owned()),
            ),
            Notice::HandOverFailed { instance, resumed: false } => {
                (instance, Ok("nobody took over; it was given up as --force asks".to_owned()))
            }
            Notice::Transition { .. }
            | Notice::PriorityChanged { .. }
            | Notice::FaultChanged { .. }
            | Notice::Rejected { .. }
            | Notice::UnknownVrid { .. }
            | Notice::IntervalDiffers { .. }
            | Notice::AddressesDiffer { .. }
            | Notice::VridConflict { .. }
            | Notice::LowerPriority { .. }
            | Notice::SecondOwner { .. }
            | Notice::SameSender { .. }
            | Notice::OldChecksum { .. }
            | Notice::ForeignRemoval { .. }
            | Notice::GoneWithInterface { .. }
            | Notice::KernelRefused { .. }
            | Notice::Duplicate { .. }
            | Notice::AddressTaken { .. }
            | Notice::AddressFree { .. }
            | Notice::HandOverStarted { .. }
            | Notice::Hold { .. }
            | Notice::LateWake { .. }
            | Notice::Lost { .. } => return,
        };
        for waiting in &mut self.waiting {
            let same_group = self.engine.group_of(instance).is_some()
                && self.engine.group_of(instance) == self.engine.group_of(waiting.instance);
            if waiting.instance == instance || same_group && waiting.outcome.is_none() {
                waiting.outcome = Some(outcome.clone());
            }
        }
    }

    /// Answers the commands that have come to their end.
    pub(super) fn answer_waiting(&mut self) {
        if self.waiting.is_empty() {
            return;
        }
        let mut open = Vec::new();
        for waiting in std::mem::take(&mut self.waiting) {
            let id = waiting.instance;
            if self.engine.handing_over(id) && !self.stopping {
                open.push(waiting);
                continue;
            }
            let name = &waiting.name;
            let hold =
                self.engine.held(id).map(|hold| self.hold_words(id, name, hold, waiting.held));
            let result = match (waiting.outcome, hold, waiting.state) {
                (Some(Ok(words)), Some(hold), _) => Ok(format!("{name}: {words}; {hold}")),
                (Some(Ok(words)), None, _) => Ok(format!("{name}: {words}")),
                (Some(Err(words)), _, _) => Err(format!("{name}: {words}")),
                (None, Some(hold), Some(State::Master)) => {
                    Ok(format!("{name}: this router gave up the addresses; {hold}"))
                }
                (None, Some(hold), state) => {
                    let state = log_text::state(state.unwrap_or(State::Initialize));
                    Ok(format!("{name}: it was {state}, so nothing was handed over; {hold}"))
                }
                (None, None, _) => Err(format!(
                    "{name}: there is no switchover while the daemon stops or the instance is \
                     removed"
                )),
            };
            self.send(&FromChild::Answer { ticket: waiting.ticket, result });
        }
        self.waiting.extend(open);
    }

    /// "it is held as backup for 10 min 0 s (before: until \"steadfast release lan\")".
    fn hold_words(
        &self,
        id: InstanceId,
        name: &str,
        hold: Option<Instant>,
        before: Option<Option<Instant>>,
    ) -> String {
        let now = clock::now();
        let before = before.filter(|before| *before != hold);
        let before =
            before.map(|before| format!(" (before: {})", log_text::hold(name, before, now)));
        format!(
            "it is held as backup {}{}{}",
            log_text::hold(name, hold, now),
            self.held_with(id),
            before.unwrap_or_default()
        )
    }

    /// It has a configuration, and what is true of it is not known before the kernel has told of
    /// its links and addresses: a status waits for that, some milliseconds.
    pub(super) const fn is_starting(&self) -> bool {
        self.generation.is_some() && !self.started
    }

    /// Continues the statuses that were asked for; `true`: there is more to tell.
    pub(super) fn report(&mut self) -> bool {
        if self.is_starting() {
            return false;
        }
        let Some((ticket, mut told)) = self.reporting.pop_front() else { return false };
        let now = clock::now();
        if self.channel.waiting() > BACKLOG {
            // The supervisor reads on, and then this is continued.
            self.reporting.push_front((ticket, told));
            return false;
        }
        let ids: Vec<InstanceId> = self.engine.instances().skip(told).take(REPORTS).collect();
        let more = ids.len() == REPORTS;
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
                self.send(&FromChild::Instance { ticket, status: Box::new(status) });
            }
        }
        if more {
            self.reporting.push_front((ticket, told));
            return true;
        }
        let status = VrrpProcess {
            pid: std::process::id(),
            uptime: now.since(self.started_at).as_secs_f64(),
            loop_late_max: self.saved.worst_late().as_secs_f64(),
            too_short: self.engine.too_short(),
            netlink_overruns: self.kernel.monitor.overruns(),
            records_limited: self.records.limited,
            records_lost: self.records.lost,
        };
        let heap = heap::count().map(Into::into);
        self.send(&FromChild::Process { ticket, status, heap });
        !self.reporting.is_empty()
    }

    /// What has to be done now and then.
    pub(super) fn housekeeping(&mut self, now: Instant) {
        self.records.catch_up(now);
        for (id, warnings) in &mut self.warnings {
            warnings.refresh(&self.engine, *id, now);
        }
        let engine = &self.engine;
        let exists = |id: InstanceId| engine.settings(id).is_some();
        self.warnings.retain(|id, warnings| exists(*id) && !warnings.is_empty());
        if self.links.in_trouble() {
            for (id, name) in self.links.all() {
                self.sync_link(id, &name);
            }
        }
        self.tell_failures();
        if let Some(failures) = self.announcer_failures() {
            self.say(Level::Warning, Kind::Packet, failures);
        }
    }
}

/// Reads what the supervisor sends.
#[derive(Debug)]
pub struct SupervisorStream {
    fd: OwnedFd,
    decoder: Decoder,
    buffer: Box<[u8]>,
}

impl SupervisorStream {
    /// From this stream socket.
    pub fn new(fd: OwnedFd) -> Self {
        Self { fd, decoder: Decoder::default(), buffer: vec![0; 64 * 1024].into() }
    }

    /// Reads once and does what is asked for; `true`: perhaps there is more; `None`: nothing will
    /// ever come again.
    pub fn read(&mut self, shell: &mut Shell) -> Option<bool> {
        let len = match recv(self.fd.as_raw_fd(), &mut self.buffer, MsgFlags::MSG_DONTWAIT) {
            Ok(0) => return Self::gone(shell),
            Ok(len) => len,
            Err(Errno::EAGAIN) => return Some(false),
            Err(Errno::EINTR) => return Some(true),
            Err(_) => return Self::gone(shell),
        };
        self.decoder.push(self.buffer.get(..len).unwrap_or_default());
        loop {
            match self.decoder.message() {
                Ok(Some(message)) => shell.order(message),
                Ok(None) => return Some(true),
                Err(error) => {
                    shell.fail(&format!("the supervisor sent {error}"));
                    return None;
                }
            }
        }
    }

    /// Without a supervisor the addresses go to another router (DESIGN 3).
    fn gone(shell: &mut Shell) -> Option<bool> {
        shell.stop();
        shell.wait_for_supervisor();
        None
    }
}

impl AsFd for SupervisorStream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}
