//! The engine's surroundings: what comes in becomes events, actions become packets and requests.

use std::collections::VecDeque;
use std::io;
use std::os::fd::AsFd;
use std::time::Duration;

use super::advert_input::AdvertInput;
use super::advert_output::AdvertOutput;
use super::announcements::Announcements;
use super::instance_warnings::Warnings;
use super::interfaces::Interfaces;
use super::kernel::Kernel;
use super::neighbor_filter::NeighborFilter;
use super::orphan::Orphan;
use super::phase::Progress;
use super::shared_state::SharedState;
use super::source::Source;
use super::{Link, events, without_packet_sockets};
use crate::child::alarm::Alarm;
use crate::child::event_loop::{Child, End, Read, Sources, Watch};
use crate::child::role_claim::{RETRY_PERIOD, RoleClaim};
use crate::child::supervisor_link::Input;
use crate::control::child_messages::Ticket;
use crate::control::event::What;
use crate::netlink::monitor::Left;
use crate::sorted::Map;
use crate::system::clock;
use crate::units::Instant;
use crate::vrrp::settings::Settings;
use crate::vrrp::{CommandId, Engine, Event, InstanceId, KernelRequest, Urgent};

/// Requests to the kernel in one slice of work. It takes some 30 us for each, and adverts that
/// become due meanwhile wait.
const MAX_REQUESTS_PER_SLICE: usize = 8;
/// Notices in one slice of work,
const MAX_NOTICES_PER_SLICE: usize = 32;
/// and while there are addresses to install or to announce: a log that falls behind harms nobody.
const MAX_NOTICES_MEANWHILE: usize = 2;
/// How often troubles that last are looked at again.
const HOUSEKEEPING_PERIOD: Duration = Duration::from_secs(1);

/// An operator's command that the engine works on.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) id: CommandId,
    pub(super) ticket: Ticket,
    /// The name of the instance.
    pub(super) name: String,
    /// The other members of its group that are held, in words.
    pub(super) others: String,
}

/// Everything of the process but the waiting.
#[derive(Debug)]
pub struct Shell {
    pub(super) engine: Engine,
    pub(super) progress: Progress,
    claim: RoleClaim,
    pub(super) kernel: Kernel,
    filter: NeighborFilter,
    pub(super) interfaces: Interfaces,
    pub(super) adverts: AdvertOutput,
    pub(super) input: AdvertInput,
    pub(super) announcements: Announcements,
    alarm: Alarm,
    pub(super) link: Link,
    pub(super) warnings: Map<InstanceId, Warnings>,
    pub(super) shared_state: SharedState,
    /// Statuses that are being told, and how far.
    pub(super) reporting: VecDeque<(Ticket, usize)>,
    pub(super) waiting: Vec<Waiting>,
    /// When troubles that last were looked at.
    kept_house: Instant,
    /// The last turn that worked left something to do.
    more: bool,
    /// The supervisor is gone, and another one may come.
    pub(super) orphan: Orphan,
    _watches: Vec<Watch<Source>>,
}

/// What the shell is made of.
#[derive(Debug)]
pub struct Parts {
    /// The way to the supervisor.
    pub link: Link,
    /// The memory that survives the process.
    pub shared_state: SharedState,
    /// The lock of the role.
    pub claim: RoleClaim,
    /// What is waited for.
    pub sources: Sources<Source>,
}

impl Shell {
    /// With an engine that has nothing to do yet.
    ///
    /// # Errors
    /// What the system says.
    pub fn new(parts: Parts) -> io::Result<Self> {
        let Parts { mut link, shared_state, claim, sources } = parts;
        let (filter, missing) = match shared_state.is_unfiltered() {
            true => (NeighborFilter::without(), None),
            false => NeighborFilter::open(),
        };
        if let Some(error) = missing {
            shared_state.set_unfiltered();
            link.report(What::NoPacketFilter { error: error.to_string().into() });
        }
        let (kernel, alarm) = (Kernel::open()?, Alarm::new()?);
        let mut watches = vec![
            sources.watch_timer(alarm.as_fd(), Source::Alarm)?,
            sources.watch(kernel.monitor.as_fd(), Source::Kernel)?,
        ];
        if let Some(fd) = filter.fd() {
            watches.push(sources.watch(fd, Source::NeighborFilter)?);
        }
        let announcements = Announcements::open(&sources).map_err(without_packet_sockets)?;
        let now = clock::now();
        Ok(Self {
            engine: Engine::new(&Settings::default()),
            progress: Progress::default(),
            claim,
            kernel,
            filter,
            interfaces: Interfaces::new(sources.clone()),
            adverts: AdvertOutput::new(),
            input: AdvertInput::default(),
            announcements,
            alarm,
            link,
            warnings: Map::new(),
            shared_state,
            reporting: VecDeque::new(),
            waiting: Vec::new(),
            kept_house: now,
            more: true,
            orphan: Orphan::new(sources),
            _watches: watches,
        })
    }

    /// After packets that only moved timers on, which is what most packets do: whether that is all.
    fn nothing_to_do(&mut self) -> bool {
        let now = clock::now();
        let due = self.kernel.next_deadline().is_some_and(|at| at <= now)
            || now.since(self.kept_house) >= HOUSEKEEPING_PERIOD;
        if due || self.link.is_ending() || self.progress.is_starting() || !self.engine.is_quiet(now)
        {
            return false;
        }
        self.alarm.turn(self.shared_state.shared(), now);
        self.arm(now, None);
        true
    }

    fn work(&mut self) -> bool {
        let more = self.act();
        let more = more || self.reload();
        let said = self.link.flush();
        // What was too much for the supervisor before may not be any more.
        let rest = said && !self.reporting.is_empty() && !self.progress.is_starting();
        !self.link.is_ending() && (more || rest)
    }

    /// Does a slice of what is to be done. `true`: there is more; call again after others had their
    /// turn.
    fn act(&mut self) -> bool {
        let now = clock::now();
        self.alarm.turn(self.shared_state.shared(), now);
        let retry = self.wait_for_role(now);
        self.engine.handle(Event::Wake, now);
        self.send_adverts(now);
        if now.since(self.kept_house) >= HOUSEKEEPING_PERIOD {
            self.kept_house = now;
            self.housekeeping(now);
        }
        let mut more = self.ask_kernel();
        self.kernel.set_asking(more);
        let (engine, now) = (&mut self.engine, clock::now());
        more |= self.announcements.send(engine, &self.kernel, &self.interfaces, more, now);
        more |= self.tell(if more { MAX_NOTICES_MEANWHILE } else { MAX_NOTICES_PER_SLICE });
        more |= self.report();
        self.link.pass_library_log();
        self.arm(clock::now(), retry);
        more
    }

    /// All adverts that are due, in as few calls as possible. What cannot be sent may make others
    /// due.
    pub(super) fn send_adverts(&mut self, now: Instant) {
        loop {
            let mut refused = false;
            while let Some(urgent) = self.engine.poll_urgent() {
                match urgent {
                    Urgent::DrainSockets => {
                        // What is owed does not wait for that.
                        refused |= self.adverts.transmit(&mut self.engine, now);
                        self.input.drain(&mut self.engine, &self.interfaces);
                    }
                    Urgent::SendAdvert { router, priority, interval } => {
                        let advert = (router, priority, interval);
                        let (engine, interfaces) = (&mut self.engine, &self.interfaces);
                        refused |=
                            self.adverts.push(engine, interfaces, &self.shared_state, advert, now);
                    }
                }
            }
            refused |= self.adverts.transmit(&mut self.engine, now);
            if !refused {
                return;
            }
        }
    }

    /// Starts when the process before has gone; until then, when to look again.
    fn wait_for_role(&mut self, now: Instant) -> Option<Instant> {
        if !self.progress.is_starting() || !self.kernel.monitor.is_current() {
            return None;
        }
        self.start_when_ready();
        self.progress.is_starting().then(|| now + RETRY_PERIOD)
    }

    /// Whether no other process of the role works.
    pub(super) fn is_alone(&mut self) -> bool {
        self.claim.is_ours()
    }

    /// Sets the timer for what is due next.
    fn arm(&mut self, now: Instant, retry: Option<Instant>) {
        let deadlines = [self.engine.next_deadline(), self.kernel.next_deadline(), retry];
        let next = deadlines.into_iter().flatten().min();
        if let Err(error) = self.alarm.set(self.shared_state.shared(), next, now) {
            self.link.fail(&format!("cannot set the timer: {error}"));
        }
    }

    /// A batch of requests to the kernel; their answers are there when this returns.
    fn ask_kernel(&mut self) -> bool {
        let mut more = true;
        for _ in 0..MAX_REQUESTS_PER_SLICE {
            if self.kernel.is_full() {
                break;
            }
            let Some(request) = self.engine.poll_kernel() else {
                more = false;
                break;
            };
            match request {
                KernelRequest::Install(object) => self.kernel.ask(&self.engine, object, true),
                KernelRequest::Remove(object) => self.kernel.ask(&self.engine, object, false),
                KernelRequest::Mute(instance) => self.filter_neighbors(instance, true),
                KernelRequest::Unmute(instance) => self.filter_neighbors(instance, false),
            }
        }
        match self.kernel.send() {
            Ok(Left::More) => more = true,
            Ok(Left::Nothing) => {}
            Err(error) => self.link.fail(&format!("cannot ask the kernel for addresses: {error}")),
        }
        self.take_answers();
        if self.kernel.take_opened() || self.kernel.has_doubts() {
            more |= self.read_netlink();
        }
        more | self.kernel.has_unsent()
    }

    fn filter_neighbors(&mut self, instance: InstanceId, silent: bool) {
        if let Err(error) = self.filter.set(&self.engine, instance, silent) {
            let text = format!("cannot ask the packet filter for silence: {error}");
            self.link.report(What::PacketFilterFailed(text.into()));
        }
    }

    /// Reads the answers of the packet filter.
    fn read_filter(&mut self) {
        let failures = match self.filter.read() {
            Ok(failures) => failures,
            Err(error) => vec![format!("cannot hear the packet filter: {error}")],
        };
        for text in failures {
            self.link.report(What::PacketFilterFailed(text.into()));
        }
    }

    /// Reads messages of the supervisor.
    fn read_supervisor(&mut self) -> Read {
        match self.link.read() {
            Input::Some => {
                while let Some(message) = self.link.message() {
                    self.take(message);
                }
                if self.link.is_ending() { Read::End } else { Read::More }
            }
            Input::Nothing => Read::All,
            Input::Gone => {
                // Without a supervisor the addresses go to another router.
                self.stop();
                self.orphan.listen();
                Read::End
            }
        }
    }

    /// A supervisor calls. It gets the memory, in which its own process finds that this one was
    /// master until now, unless a successor has been heard: what has come by now is read first.
    fn called(&mut self) {
        self.input.catch_up(&mut self.engine, &self.interfaces);
        let can_go_on = self.engine.can_go_on();
        let answered = self.orphan.answer(can_go_on.then(|| self.shared_state.memory()));
        if answered && can_go_on {
            // The next process sends at once as well; until then nobody is to take over.
            self.engine.handle(Event::GoOn, clock::now());
            self.shared_state.states(&self.engine);
            self.link.finish();
        }
    }

    /// After a reload: forgets what is of instances that are gone.
    pub(super) fn forget(&mut self) {
        let engine = &self.engine;
        let exists = |id: InstanceId| engine.settings(id).is_some();
        self.adverts.retain(engine);
        let names = engine.instances().map(|id| events::name(engine, id));
        self.link.events.retain(&names.collect());
        self.warnings.retain(|id, _| exists(*id));
        self.kernel.retain(exists);
    }
}

impl Child for Shell {
    type Source = Source;

    fn read(&mut self, source: Source) -> Read {
        match source {
            Source::Supervisor => return self.read_supervisor(),
            Source::MessageRoom => {
                self.link.has_message_room();
                return Read::End;
            }
            Source::EventRoom => {
                self.link.has_event_room();
                return Read::End;
            }
            Source::Alarm => self.alarm.fired(),
            Source::Kernel => return Read::more(self.hear_kernel()),
            Source::NeighborFilter => self.read_filter(),
            Source::Adverts(interface, family) => {
                let socket = (interface, family);
                let more = self.input.read(&mut self.engine, &self.interfaces, socket);
                return Read::more(more);
            }
            Source::Announcements(family) => {
                let (engine, kernel) = (&mut self.engine, &self.kernel);
                return Read::more(self.announcements.read(
                    engine,
                    kernel,
                    &self.interfaces,
                    family,
                ));
            }
            Source::Caller => self.called(),
        }
        Read::All
    }

    fn turn(&mut self) -> bool {
        if self.input.take_only_heard() && !self.more && self.nothing_to_do() {
            return false;
        }
        self.more = self.work();
        // Packets that were read meanwhile are among what it was about.
        self.input.take_only_heard();
        self.more
    }

    fn pause(&mut self) -> Option<Duration> {
        self.input.rest(clock::now(), self.alarm.armed())
    }

    fn ended(&self) -> Option<End> {
        self.link.ended()
    }
}
