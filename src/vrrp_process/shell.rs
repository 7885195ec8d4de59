//! The engine's surroundings: what comes in becomes events, actions become packets and requests.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::rc::Rc;
use std::time::Duration;

use super::advert_receiver::Buffer;
use super::advert_sender::Transmitter;
use super::event_loop::{Spawner, Watch};
use super::forwarding::Forwarding;
use super::instance_warnings::Warnings;
use super::kernel::Kernel;
use super::links::Links;
use super::log_records::Records;
use super::neighbor_filter::NeighborFilter;
use super::neighbor_packets::Announcer;
use super::packet_templates::Packets;
use super::receive_coalescing::ReceiveCoalescing;
use super::role_claim::RoleClaim;
use super::send_queue::SendQueue;
use super::shared_state::SharedState;
use super::supervisor_commands::Waiting;
use crate::control::child_messages::Ticket;
use crate::control::record::{Kind, Level};
use crate::netlink::monitor::Left;
use crate::system::clock;
use crate::system::timer::Timer;
use crate::units::{Family, Instant};
use crate::vrrp::change::Change;
use crate::vrrp::settings::Settings;
use crate::vrrp::{Action, Engine, Event, InstanceId, InterfaceId, ObjectId, Probed, RouterId};
use nix::errno::Errno;

/// Requests to the kernel in one slice of work. It takes some 30 us for each, and adverts that
/// become due meanwhile wait.
const REQUESTS: usize = 8;
/// Announcements in one slice of work.
const ANNOUNCEMENTS: usize = 32;
/// Notices in one slice of work,
const NOTICES: usize = 32;
/// and while there are addresses to install or to announce: a log that falls behind harms nobody.
const NOTICES_MEANWHILE: usize = 2;
/// The loop turns so often even if nothing happens: the supervisor sees that the process works.
const IDLE_PERIOD: Duration = Duration::from_millis(2_500);
/// How often troubles that last are looked at again.
const HOUSEKEEPING_PERIOD: Duration = Duration::from_secs(1);
/// Adverts that leave in one call.
const ADVERTS: usize = 256;

/// How the process ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum End {
    /// It did what it was asked for.
    Stopped,
    /// Something that it cannot work without does not work.
    Failed,
}

/// Everything of the process but the waiting.
#[derive(Debug)]
pub struct Shell {
    pub(super) engine: Engine,
    /// The configuration in effect has interfaces and addresses reported, and the engine runs.
    pub(super) started: bool,
    /// A configuration came, and waits for the kernel's links and addresses, and for the role.
    pub(super) generation: Option<u32>,
    pub(super) role: RoleClaim,
    /// Another configuration came, and waits until the one in effect has nothing left to do.
    pub(super) next: Option<(u32, Change)>,
    pub(super) kernel: Kernel,
    /// There are more requests for it.
    pub(super) asking: bool,
    /// Slices of them since its news were read.
    pub(super) unheard_slices: u8,
    pub(super) silence: NeighborFilter,
    pub(super) links: Links,
    pub(super) changed_links: BTreeSet<Box<str>>,
    pub(super) packets: Packets,
    pub(super) due: heapless::Vec<RouterId, ADVERTS>,
    pub(super) transmitter: Transmitter,
    pub(super) announcer: Announcer,
    forwarding: Forwarding,
    /// Adverts that could not be sent and were not told of yet.
    pub(super) failed: BTreeMap<RouterId, (Errno, u32)>,
    pub(super) buffer: Buffer,
    /// Sockets to be read before masters count as gone; kept for its memory.
    pub(super) to_drain: Vec<(InterfaceId, Family)>,
    /// Packets came since it waited last.
    pub(super) heard: bool,
    /// Nothing but packets came since the last turn.
    pub(super) only_heard: bool,
    /// The last turn that worked left something to do.
    more: bool,
    pace: ReceiveCoalescing,
    pub(super) timer: Rc<Timer>,
    /// When the timer is to ring.
    armed: Option<Instant>,
    /// When troubles that last were looked at.
    kept_house: Instant,
    pub(super) records: Records,
    pub(super) channel: SendQueue,
    pub(super) warnings: BTreeMap<InstanceId, Warnings>,
    pub(super) saved: SharedState,
    /// Statuses that are being told, and how far.
    pub(super) reporting: VecDeque<(Ticket, usize)>,
    pub(super) waiting: Vec<Waiting>,
    /// What the kernel said beside an errno.
    pub(super) kernel_words: BTreeMap<ObjectId, Box<str>>,
    pub(super) started_at: Instant,
    pub(super) stopping: bool,
    /// It is to hand over and be held for so long, once it has started.
    pub(super) stand_back: Option<Duration>,
    pub(super) end: Option<End>,
    /// The end is told.
    over: bool,
    pub(super) spawner: Option<Spawner>,
    /// The supervisor is gone, and another one may come.
    pub(super) orphan: Option<Watch>,
    /// It is waited for that the channel, or the log, is writable.
    blocked: [bool; 2],
}

/// What the shell is made of.
#[derive(Debug)]
pub struct Parts {
    /// The stream to the supervisor.
    pub channel: SendQueue,
    /// The datagrams to its log.
    pub records: Records,
    /// The memory that survives the process.
    pub saved: SharedState,
    /// The timer that is waited for.
    pub timer: Rc<Timer>,
    /// Whoever has it is the vrrp process.
    pub lock: OwnedFd,
}

impl Shell {
    /// With an engine that has nothing to do yet.
    ///
    /// # Errors
    /// What the system says.
    pub fn new(parts: Parts) -> io::Result<Self> {
        let (silence, missing) = match parts.saved.is_unfiltered() {
            true => (NeighborFilter::without(), None),
            false => NeighborFilter::open(),
        };
        if missing.is_some() {
            parts.saved.set_unfiltered();
        }
        let mut shell = Self {
            engine: Engine::new(&Settings::default()),
            started: false,
            generation: None,
            role: RoleClaim::new(parts.lock),
            next: None,
            kernel: Kernel::open()?,
            asking: false,
            unheard_slices: 0,
            silence,
            links: Links::default(),
            changed_links: BTreeSet::new(),
            packets: Packets::default(),
            due: heapless::Vec::new(),
            transmitter: Transmitter::new(),
            announcer: Announcer::open().map_err(super::without_packet_sockets)?,
            forwarding: Forwarding::default(),
            failed: BTreeMap::new(),
            buffer: Buffer::default(),
            to_drain: Vec::new(),
            heard: false,
            only_heard: false,
            more: true,
            pace: ReceiveCoalescing::default(),
            timer: parts.timer,
            armed: None,
            kept_house: clock::now(),
            records: parts.records,
            channel: parts.channel,
            warnings: BTreeMap::new(),
            saved: parts.saved,
            reporting: VecDeque::new(),
            waiting: Vec::new(),
            kernel_words: BTreeMap::new(),
            started_at: clock::now(),
            stopping: false,
            stand_back: None,
            end: None,
            over: false,
            spawner: None,
            orphan: None,
            blocked: [false; 2],
        };
        if let Some(error) = missing {
            let text = format!("no packet filter, so planned hand-overs are not silent: {error}");
            shell.say(Level::Notice, Kind::Kernel, text);
        }
        Ok(shell)
    }

    /// Who waits for descriptors.
    pub fn set_spawner(&mut self, spawner: Spawner) {
        self.links.set_spawner(spawner.clone());
        self.spawner = Some(spawner);
    }

    /// A slice of work, and what it has to say to the supervisor. `true`: there is more.
    pub fn turn(&mut self) -> bool {
        if std::mem::take(&mut self.only_heard) && !self.more && self.nothing_to_do() {
            return false;
        }
        self.more = self.work();
        // Packets that were read meanwhile are among what it was about.
        self.only_heard = false;
        self.more
    }

    /// After packets that only moved timers on, which is what most packets do: whether that is all.
    fn nothing_to_do(&mut self) -> bool {
        let now = clock::now();
        let due = self.kernel.next_deadline().is_some_and(|at| at <= now);
        let untidy = now.since(self.kept_house) >= HOUSEKEEPING_PERIOD;
        if due || untidy || self.end.is_some() || self.is_starting() || !self.engine.is_quiet(now) {
            return false;
        }
        self.saved.count_turn(now);
        self.arm(now, None);
        true
    }

    fn work(&mut self) -> bool {
        let more = self.act();
        let more = more || self.reload();
        let said = self.flush();
        match self.end {
            Some(_) => {
                self.over |= said;
                false
            }
            // What was too much for the supervisor before may not be any more.
            None => more || said && !self.reporting.is_empty() && !self.is_starting(),
        }
    }

    /// How long to rest before it is waited for more, when packets come one after the other.
    pub fn rest(&mut self) -> Option<Duration> {
        if !std::mem::take(&mut self.heard) {
            return None;
        }
        self.pace.woken(clock::now(), self.armed)
    }

    /// How it ended, once that is told.
    pub fn over(&self) -> Option<End> {
        self.end.filter(|_| self.over)
    }

    /// Sends what waits for the supervisor; `true`: nothing waits any more.
    fn flush(&mut self) -> bool {
        let (channel, records) = (self.channel.flush(), self.records.flush());
        let mut said = true;
        for (place, result) in [channel, records].into_iter().enumerate() {
            match result {
                Ok(true) => {}
                Ok(false) => {
                    said = false;
                    self.wait_until_writable(place);
                }
                // The supervisor is gone. The reader of the channel sees it, too.
                Err(_) => {}
            }
        }
        said
    }

    fn wait_until_writable(&mut self, place: usize) {
        let Some(blocked) = self.blocked.get_mut(place) else { return };
        if std::mem::replace(blocked, true) {
            return;
        }
        let fd = if place == 0 { self.channel.as_fd() } else { self.records.as_fd() };
        let then = move |shell: &mut Self| {
            if let Some(blocked) = shell.blocked.get_mut(place) {
                *blocked = false;
            }
        };
        if let Some(Err(error)) = self.spawner.as_ref().map(|s| s.when_writable(fd, then)) {
            self.fail(&format!("cannot wait for the supervisor: {error}"));
        }
    }

    /// Does a slice of what is to be done. `true`: there is more; call again after others had their
    /// turn.
    pub fn act(&mut self) -> bool {
        let now = clock::now();
        self.saved.count_turn(now);
        if let Some(armed) = self.armed.filter(|armed| now > *armed) {
            self.saved.late(now.since(armed));
        }
        let try_again = self.wait_for_role(now);
        self.engine.handle(Event::Wake, now);
        self.send_adverts(now);
        if now.since(self.kept_house) >= HOUSEKEEPING_PERIOD {
            self.kept_house = now;
            self.housekeeping(now);
        }
        self.asking = self.ask_kernel();
        let mut more = self.asking;
        more |= self.announce(more);
        let untold = self.tell(if more { NOTICES_MEANWHILE } else { NOTICES });
        more |= untold;
        // What there is to tell says how a command ended.
        if !untold {
            self.answer_waiting();
        }
        more |= self.report();
        self.pass_log();
        self.arm(now, try_again);
        more
    }

    /// Sets the timer for what is due next.
    fn arm(&mut self, now: Instant, try_again: Option<Instant>) {
        let deadlines = [self.engine.next_deadline(), self.kernel.next_deadline(), try_again];
        let idle = now + IDLE_PERIOD;
        let due = deadlines.into_iter().flatten().min().map_or(idle, |at| at.min(idle));
        self.armed = Some(due);
        self.saved.set_due(due);
        if let Err(error) = self.timer.set(self.armed, now) {
            self.fail(&format!("cannot set the timer: {error}"));
        }
    }

    /// A batch of requests to the kernel; their answers are there when this returns.
    fn ask_kernel(&mut self) -> bool {
        let mut more = true;
        for _ in 0..REQUESTS {
            if self.kernel.is_full() {
                break;
            }
            let Some(action) = self.engine.poll_kernel() else {
                more = false;
                break;
            };
            if let Action::Install(object) = action {
                self.kernel.ask(&self.engine, object, true);
            } else if let Action::Remove(object) = action {
                self.kernel.ask(&self.engine, object, false);
            } else if let Action::Mute(instance) = action {
                self.silence(instance, true);
            } else if let Action::Unmute(instance) = action {
                self.silence(instance, false);
            }
        }
        match self.kernel.send() {
            Ok(Left::More) => more = true,
            Ok(Left::Nothing) => {}
            Err(error) => self.fail(&format!("cannot ask the kernel for addresses: {error}")),
        }
        self.take_answers();
        if self.kernel.take_opened() || self.kernel.has_doubts() {
            more |= self.read_netlink();
        }
        more | self.kernel.has_unsent()
    }

    fn silence(&mut self, instance: InstanceId, silent: bool) {
        if let Err(error) = self.silence.set(&self.engine, instance, silent) {
            let text = format!("cannot ask the packet filter for silence: {error}");
            self.say(Level::Warning, Kind::Kernel, text);
        }
    }

    /// Reads the answers of the packet filter.
    pub fn read_silence(&mut self) -> bool {
        match self.silence.read() {
            Ok(failures) => {
                for text in failures {
                    self.say(Level::Warning, Kind::Kernel, text);
                }
            }
            Err(error) => {
                let text = format!("cannot hear the packet filter: {error}");
                self.say(Level::Warning, Kind::Kernel, text);
            }
        }
        false
    }

    /// Hands the kernel's answers to the engine.
    pub(super) fn take_answers(&mut self) {
        let now = clock::now();
        let mut touched: Option<InstanceId> = None;
        for done in self.kernel.take_done() {
            let object = done.object;
            if let Some(words) = done.words {
                self.kernel_words.insert(object, words);
            }
            let (present, result) = (done.present, done.result);
            self.engine.handle(Event::Acknowledged { object, present, result }, now);
            if let Some(former) = touched.replace(object.instance)
                && former != object.instance
            {
                self.saved.state(&self.engine, former);
            }
        }
        if let Some(last) = touched {
            self.saved.state(&self.engine, last);
        }
        // An owner that begins before everything was seen has asked for what it has.
        for object in self.kernel.take_there() {
            if self.kernel.stays(&self.engine, object) {
                self.engine.handle(Event::Found { object }, now);
            }
        }
        for note in self.kernel.take_notes() {
            self.tell_note(note);
        }
    }

    /// Announces what there is; while addresses are still `installing`, only those that were not
    /// announced yet.
    fn announce(&mut self, installing: bool) -> bool {
        let now = clock::now();
        let mut more = true;
        for _ in 0..ANNOUNCEMENTS {
            let action = if installing {
                self.engine.poll_first_announcement()
            } else {
                self.engine.poll_announcement()
            };
            let Some(action) = action else {
                more = false;
                break;
            };
            let engine = &self.engine;
            let (address, link) = if let Action::Announce(object) = action {
                let address = engine.object(object).and_then(|object| object.announced());
                (address, self.kernel.link_of(engine, object))
            } else if let Action::Probe(probed) = action {
                let link = match probed {
                    Probed::Object(object) => self.kernel.link_of(engine, object),
                    Probed::Source(router) => {
                        let interface = engine.interface_of(router.instance);
                        let index = interface.and_then(|interface| self.links.index(interface));
                        index.and_then(|index| self.kernel.monitor.cache().link(index))
                    }
                };
                (engine.probed_address(probed), link)
            } else {
                continue;
            };
            let (Some(address), Some(link)) = (address, link) else { continue };
            // Where there is no ARP, nobody has learned anything (`vrrp:G-4`), nor answers.
            let Some(mac) = link.mac.filter(|_| link.flags.resolves()) else { continue };
            if matches!(action, Action::Probe(_)) {
                self.announcer.probe(link.index, mac, address);
            } else {
                let router = address.is_ipv6() && self.forwarding.on(link, now);
                self.announcer.push(link.index, mac, address, router);
            }
        }
        self.announcer.flush();
        more
    }

    /// After a reload: forgets what is of instances that are gone.
    pub(super) fn forget(&mut self) {
        let engine = &self.engine;
        let exists = |id: InstanceId| engine.settings(id).is_some();
        self.packets.retain(engine);
        self.records.retain(exists);
        self.warnings.retain(|id, _| exists(*id));
        self.kernel_words.retain(|object, _| exists(object.instance));
    }
}
