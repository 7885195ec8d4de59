//! The engine's surroundings: what comes in becomes events, actions become packets and requests.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::rc::Rc;
use std::time::Duration;

use super::announce::Announcer;
use super::forwarding::Forwarding;
use super::kernel::Kernel;
use super::links::Links;
use super::orders::Waiting;
use super::outlet::Outlet;
use super::pace::Pace;
use super::packets::Packets;
use super::receive::Buffer;
use super::records::{Entry, Records};
use super::role::Role;
use super::saved::Saved;
use super::silence::Silence;
use super::transmit::{Advert, Transmitter};
use super::warnings::Warnings;
use super::watches::Spawner;
use super::words::{self, Concern};
use crate::control::link::{FromChild, Ticket};
use crate::control::record::{Kind, Level, Transition};
use crate::control::status::WarningKind;
use crate::netlink::monitor::Left;
use crate::system::clock;
use crate::system::timer::Timer;
use crate::units::{Family, Instant};
use crate::vrrp::settings::Settings;
use crate::vrrp::{
    Action, Engine, Event, InstanceId, InterfaceId, KernelError, Notice, ObjectId, RouterId, State,
};
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
/// Adverts that leave in one call.
const ADVERTS: usize = 256;

/// How the process ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum End {
    /// It did what it was asked for.
    Stopped,
    /// Something that it can not work without does not work.
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
    pub(super) role: Role,
    /// Another configuration came, and waits until the one in effect has nothing left to do.
    pub(super) next: Option<(u32, Settings)>,
    pub(super) kernel: Kernel,
    /// There are more requests for it.
    pub(super) asking: bool,
    /// Slices of them since its news were read.
    pub(super) unheard_slices: u8,
    pub(super) silence: Silence,
    pub(super) links: Links,
    pub(super) changed_links: BTreeSet<Box<str>>,
    packets: Packets,
    due: heapless::Vec<RouterId, ADVERTS>,
    transmitter: Transmitter,
    pub(super) announcer: Announcer,
    forwarding: Forwarding,
    /// Adverts that could not be sent and were not told of yet.
    failed: BTreeMap<RouterId, (Errno, u32)>,
    pub(super) buffer: Buffer,
    /// Packets came since it waited last.
    pub(super) heard: bool,
    pace: Pace,
    pub(super) timer: Rc<Timer>,
    /// When the timer is to ring.
    armed: Option<Instant>,
    pub(super) records: Records,
    pub(super) channel: Outlet,
    pub(super) warnings: BTreeMap<InstanceId, Warnings>,
    pub(super) saved: Saved,
    /// Statuses that are being told, and how far.
    pub(super) reporting: VecDeque<(Ticket, usize)>,
    pub(super) waiting: Vec<Waiting>,
    /// What the kernel said beside an errno.
    kernel_words: BTreeMap<ObjectId, Box<str>>,
    pub(super) started_at: Instant,
    pub(super) stopping: bool,
    pub(super) end: Option<End>,
    /// The end is told.
    over: bool,
    spawner: Option<Spawner>,
    /// It is waited for that the channel, or the log, is writable.
    blocked: [bool; 2],
}

/// What the shell is made of.
#[derive(Debug)]
pub struct Parts {
    /// The stream to the supervisor.
    pub channel: Outlet,
    /// The datagrams to its log.
    pub records: Records,
    /// The memory that survives the process.
    pub saved: Saved,
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
            true => (Silence::without(), None),
            false => Silence::open(),
        };
        if missing.is_some() {
            parts.saved.set_unfiltered();
        }
        let mut shell = Self {
            engine: Engine::new(&Settings::default()),
            started: false,
            generation: None,
            role: Role::new(parts.lock),
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
            heard: false,
            pace: Pace::default(),
            timer: parts.timer,
            armed: None,
            records: parts.records,
            channel: parts.channel,
            warnings: BTreeMap::new(),
            saved: parts.saved,
            reporting: VecDeque::new(),
            waiting: Vec::new(),
            kernel_words: BTreeMap::new(),
            started_at: clock::now(),
            stopping: false,
            end: None,
            over: false,
            spawner: None,
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
        let deadlines = [self.engine.next_deadline(), self.kernel.next_deadline(), try_again];
        self.armed = deadlines.into_iter().flatten().min();
        if let Err(error) = self.timer.set(self.armed, now) {
            self.fail(&format!("cannot set the timer: {error}"));
        }
        more
    }

    /// All adverts that are due, in as few calls as possible. What cannot be sent may make others
    /// due.
    fn send_adverts(&mut self, now: Instant) {
        while self.send_some_adverts(now) {}
    }

    fn send_some_adverts(&mut self, now: Instant) -> bool {
        let mut refused = false;
        while let Some(action) = self.engine.poll_urgent() {
            if action == Action::DrainSockets {
                self.drain();
            }
            let Action::SendAdvert { router, priority, interval } = action else { continue };
            let link = self.engine.interface_of(router.instance).and_then(|i| self.links.index(i));
            let Some(link) = link else { continue };
            if self.packets.set(&self.engine, router, link, priority, interval).is_none() {
                continue;
            }
            // Before it leaves: whoever comes after us has to know that we were master.
            self.saved.advert(&self.engine, router.instance, now);
            if self.due.push(router).is_err() {
                refused |= self.transmit(now);
                // There is room now.
                let _ = self.due.push(router);
            }
        }
        refused | self.transmit(now)
    }

    /// Makes what adverts need, so that a takeover need not wait for that.
    pub(super) fn prepare(&mut self) {
        let engine = &self.engine;
        for id in engine.instances() {
            let link = engine.interface_of(id).and_then(|i| self.links.index(i));
            for router in engine.routers(id) {
                self.transmitter.prepare(router.family);
                if let (Some(link), Some(priority), Some(settings)) =
                    (link, engine.effective_priority(id), engine.settings(id))
                {
                    self.packets.set(engine, router, link, priority, settings.interval);
                }
            }
        }
    }

    /// `true`: the engine was told that something could not be sent.
    fn transmit(&mut self, now: Instant) -> bool {
        if self.due.is_empty() {
            return false;
        }
        let mut refused = false;
        let Self { due, packets, transmitter, failed, engine, .. } = self;
        let adverts = due.iter().filter_map(|router| packets.get(*router)).map(|packet| Advert {
            link: packet.link,
            source: packet.source,
            template: &packet.template,
        });
        transmitter.send(adverts, |place, errno| {
            if let Some(router) = due.get(place) {
                let (last, count) = failed.entry(*router).or_insert((errno, 0));
                (*last, *count) = (errno, count.saturating_add(1));
                if !is_of_link(errno) {
                    let error = KernelError(errno as i32);
                    engine.handle(Event::Refused { router: *router, error }, now);
                    refused = true;
                }
            }
        });
        due.clear();
        refused
    }

    /// Reads all packets that wait, since the process stood still; not longer than the engine
    /// allows.
    fn drain(&mut self) {
        let until = self.engine.next_deadline();
        for (interface, family) in self.links.sockets() {
            while self.receive(interface, family) {
                if until.is_some_and(|until| clock::now() >= until) {
                    return;
                }
            }
        }
        self.engine.handle(Event::SocketsDrained, clock::now());
    }

    /// Reads packets of one socket; `true`: perhaps there are more.
    pub fn receive(&mut self, interface: InterfaceId, family: Family) -> bool {
        super::links::receive(self, interface, family)
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
        more
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
            let Action::Announce(object) = action else { continue };
            let address = self.engine.object(object).and_then(|object| object.announced());
            let link = self.kernel.link_of(&self.engine, object);
            let (Some(address), Some(link)) = (address, link) else { continue };
            // Where there is no ARP, nobody has learned anything (`vrrp:G-4`).
            if let Some(mac) = link.mac.filter(|_| link.flags.resolves()) {
                let router = address.is_ipv6() && self.forwarding.on(link, now);
                self.announcer.push(link.index, mac, address, router);
            }
        }
        self.announcer.flush();
        more
    }

    fn tell(&mut self, most: usize) -> bool {
        for _ in 0..most {
            match self.engine.poll_rest() {
                None => return false,
                Some(Action::Notice(notice)) => self.tell_notice(&notice),
                Some(Action::Stopped) => self.stopped(),
                Some(
                    Action::SendAdvert { .. }
                    | Action::DrainSockets
                    | Action::Install(_)
                    | Action::Remove(_)
                    | Action::Mute(_)
                    | Action::Unmute(_)
                    | Action::Announce(_),
                ) => {}
            }
        }
        true
    }

    fn tell_notice(&mut self, notice: &Notice) {
        let now = clock::now();
        self.note_for_waiting(notice);
        let links = self.kernel.monitor.cache();
        let mut transition = None;
        if let Notice::Transition { instance, from, to, cause } = notice {
            self.saved.state(&self.engine, *instance);
            transition = Some(Transition {
                from: words::state(*from),
                to: words::state(*to),
                cause: words::cause(&self.engine, links, *instance, cause),
            });
        }
        if let Notice::Hold { instance, .. } = notice {
            self.saved.state(&self.engine, *instance);
        }
        let refused = if let Notice::KernelRefused { object, .. } = notice {
            self.kernel_words.remove(object)
        } else {
            None
        };
        let told = words::notice(&self.engine, links, notice, refused.as_deref());
        let instance = told.instance.map(|id| (id, words::name(&self.engine, id).to_owned()));
        if let (Some(concern), Some((id, _))) = (told.concern, &instance) {
            let warnings = self.warnings.entry(*id).or_default();
            warnings.add(&self.engine, concern, told.text.clone(), now);
        }
        let entry =
            Entry { level: told.level, kind: told.kind, instance, transition, text: told.text };
        self.records.add(entry, now);
    }

    /// Tells of something that is of no instance.
    pub(super) fn say(&mut self, level: Level, kind: Kind, text: String) {
        let entry = Entry { level, kind, instance: None, transition: None, text };
        self.records.add(entry, clock::now());
    }

    /// The process can not go on; the supervisor starts another one.
    pub(super) fn fail(&mut self, why: &str) {
        if self.end.is_none() {
            self.say(Level::Error, Kind::Process, format!("the vrrp process ends: {why}"));
            self.end = Some(End::Failed);
        }
    }

    fn stopped(&mut self) {
        self.send(&FromChild::Stopped);
        self.end.get_or_insert(End::Stopped);
    }

    /// What the library logged itself.
    fn pass_log(&mut self) {
        for (level, text) in super::log::take() {
            self.say(level, Kind::Process, text);
        }
    }

    /// Tells of adverts that could not be sent. Some time later, because an interface that goes
    /// down fails first and is heard of then (`vrrp:X-4`): that is no fault of the sending.
    pub(super) fn tell_failures(&mut self) {
        for (router, (errno, count)) in std::mem::take(&mut self.failed) {
            let id = router.instance;
            let concerns =
                self.engine.state(id) == Some(State::Master) || self.engine.is_unheard(id);
            if concerns && !is_of_link(errno) {
                self.tell_failed(router, errno, count);
            }
        }
    }

    fn tell_failed(&mut self, router: RouterId, errno: Errno, count: u32) {
        let now = clock::now();
        let id = router.instance;
        let text = words::send_failed(router.family, errno);
        let concern = Concern {
            kind: WarningKind::SendFailed,
            router: Some(router),
            from: None,
            reject: None,
        };
        let warnings = self.warnings.entry(id).or_default();
        let mut news = false;
        for _ in 0..count {
            news |= warnings.add(&self.engine, concern.clone(), text.clone(), now);
        }
        // It may last for days: the list of warnings has it, the log once.
        if news {
            let instance = Some((id, words::name(&self.engine, id).to_owned()));
            let (level, kind) = (Level::Warning, Kind::Packet);
            self.records.add(Entry { level, kind, instance, transition: None, text }, now);
        }
    }

    /// After a reload: forgets what is of instances that are gone.
    pub(super) fn forget(&mut self) {
        let engine = &self.engine;
        let exists = |id: InstanceId| engine.settings(id).is_some();
        self.packets.reconfigured();
        self.packets.retain(engine);
        self.records.retain(exists);
        self.warnings.retain(|id, _| exists(*id));
        self.kernel_words.retain(|object, _| exists(object.instance));
    }
}

/// Whether an error says no more than that the interface is down or gone.
pub(super) const fn is_of_link(errno: Errno) -> bool {
    matches!(errno, Errno::ENETDOWN | Errno::ENETUNREACH | Errno::ENODEV | Errno::ENXIO)
}
