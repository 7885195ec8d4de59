//! The kernel's side of the objects: requests on their way, and what is really there.
//!
//! Whether somebody else removed an object is decided by state and never by the origin of an
//! event: events about IPv6 addresses do not say who caused them (`netlink:N-47` cannot work for
//! them). What is compared: an object without a request on its way, against a cache that is
//! current and read to the end. The kernel queues an event before it answers the request, so such
//! a cache knows everything that was answered, but for one thing: the event about a new IPv6
//! address comes from a work queue, at any time after the answer. Until it comes, the answer counts.

use std::io;
use std::net::{IpAddr, Ipv6Addr};

use nix::errno::Errno;

use super::address_index::AddressIndex;
use super::ipv6_readiness::Ipv6Readiness;
use crate::control::event;
use crate::net::VirtualAddress;
use crate::netlink::address::Address;
use crate::netlink::batch::{
    Answer, MAX_BATCH_REQUESTS, MAX_IN_FLIGHT_REQUESTS, NotTaken, Request,
};
use crate::netlink::cache::{Change, Origin, What};
use crate::netlink::command::Commands;
use crate::netlink::link::{Link, LinkIndex};
use crate::netlink::monitor::{Left, Monitor, RECEIVE_BUFFER_OCTETS};
use crate::netlink::route::{BlockingRoute, Resolved};
use crate::sorted::{Map, Set};
use crate::system::clock;
use crate::units::{Instant, Mac};
use crate::vrrp::settings::Object;
use crate::vrrp::{Engine, InstanceId, KernelError, ObjectId};

/// Slices of requests that what the monitor tells may wait for: some milliseconds.
const MAX_UNREAD_SLICES: u8 = 16;

/// What the engine asks for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Asked {
    object: ObjectId,
    present: bool,
    /// "Exists already" may be about something else in its place: another route, or the same IPv6
    /// address with another prefix length.
    unsure: bool,
    /// What was in the way was removed, and it is asked for once more.
    again: bool,
}

/// A request on its way.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Token {
    /// The engine asks for it, and gets the answer.
    Asked(Asked),
    /// It asks whether the address, which is there, is open.
    Open(ObjectId),
    /// It asks which route is in the place of one that could not be added.
    Finds(Asked),
    /// What stands in the way of an object is removed.
    Way(ObjectId),
    /// An address that was removed to be behind the others of its subnet is added.
    Again(ObjectId),
    /// `promote_secondaries` is set for an object on a link.
    Promotion(ObjectId, LinkIndex),
}

impl Token {
    /// The object whose presence is not known before the answer.
    const fn object(self) -> Option<ObjectId> {
        match self {
            Self::Asked(Asked { object, .. })
            | Self::Finds(Asked { object, .. })
            | Self::Open(object)
            | Self::Way(object)
            | Self::Again(object) => Some(object),
            Self::Promotion(..) => None,
        }
    }
}

/// A request whose answer does not say enough.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Doubt {
    /// What to say when it is not as asked for.
    Unless(Errno),
    /// It is there already, or something else is in its place.
    Exists,
    /// This route is in the place of one that was to be added, if it could be found.
    InTheWay(Option<BlockingRoute>),
}

/// Something that the kernel's side has to say.
#[derive(Clone, PartialEq, Debug)]
pub struct Note {
    /// What it is about.
    pub object: ObjectId,
    /// What happened.
    pub what: event::What,
}

/// The answer to a request: what [`Event::Acknowledged`](crate::vrrp::Event::Acknowledged) wants.
#[derive(Clone, Debug)]
pub struct Done {
    /// Which.
    pub object: ObjectId,
    /// What was asked for.
    pub present: bool,
    /// Whether it worked.
    pub result: Result<(), KernelError>,
}

/// The two netlink sockets and what is known about the objects.
#[derive(Debug)]
pub struct Kernel {
    /// What there is.
    pub monitor: Monitor,
    commands: Commands<Token>,
    /// Which objects are about an address.
    address_index: AddressIndex,
    /// Routes and rules.
    watched: Vec<ObjectId>,
    in_flight: Map<ObjectId, u32>,
    /// The link that an address was put on: that may have another name when it is removed.
    places: Map<ObjectId, LinkIndex>,
    /// The same of each next hop of a route.
    ways: Map<ObjectId, Vec<Option<LinkIndex>>>,
    ipv6_readiness: Ipv6Readiness,
    /// To be compared with the cache when that is possible.
    dirty: Set<ObjectId>,
    /// IPv6 addresses that are to be added or were, and that no event has told of since.
    unheard: Set<ObjectId>,
    /// Requests whose answer is lost, or does not say enough: the cache has to tell.
    lost: Vec<(Asked, Doubt)>,
    /// Addresses that went with a request of ours that was not about them.
    went_along: Set<ObjectId>,
    /// Objects that take over the address of one that is no longer configured: it is changed in
    /// place.
    inherits: Set<ObjectId>,
    subnets: Subnets,
    /// Addresses that stay where they are as somebody else put them there.
    kept: Set<ObjectId>,
    changes: Vec<Change>,
    answers: Vec<Answer<Token>>,
    news: News,
    /// There are more requests to be sent.
    asking: bool,
    /// So many slices of requests were sent since what the monitor tells was read.
    unread_slices: u8,
}

/// What nobody has asked for yet.
#[derive(Debug, Default)]
struct News {
    /// An address opened, or was given up.
    opened: bool,
    /// Addresses that were to be added and were there already.
    there: Vec<ObjectId>,
    /// Links that were deleted. One of the same number that comes later is another one.
    gone: Set<LinkIndex>,
    done: Vec<Done>,
    notes: Vec<Note>,
    /// What the kernel said of refused requests beside an errno.
    words: Map<ObjectId, Box<str>>,
}

impl Kernel {
    /// Opens the sockets and asks for everything that there is.
    ///
    /// # Errors
    /// What the system says.
    pub fn open() -> io::Result<Self> {
        let commands = Commands::open()?;
        let monitor = Monitor::open(Some(commands.port()), RECEIVE_BUFFER_OCTETS)?;
        Ok(Self {
            monitor,
            commands,
            address_index: AddressIndex::default(),
            watched: Vec::new(),
            in_flight: Map::new(),
            places: Map::new(),
            ways: Map::new(),
            ipv6_readiness: Ipv6Readiness::default(),
            dirty: Set::new(),
            unheard: Set::new(),
            lost: Vec::new(),
            went_along: Set::new(),
            inherits: Set::new(),
            subnets: Subnets::default(),
            kept: Set::new(),
            changes: Vec::new(),
            answers: Vec::new(),
            news: News::default(),
            asking: false,
            unread_slices: 0,
        })
    }

    /// Takes over what a configuration has: which objects there are, and which addresses move.
    ///
    /// # Errors
    /// What the system says when routes and rules cannot be watched.
    pub fn configure(&mut self, engine: &Engine) -> io::Result<()> {
        let reloaded = engine.reloaded();
        let mut stays: Vec<bool> = Vec::new();
        for id in engine.instances() {
            stays.resize(id.index() + 1, false);
            if let Some(last) = stays.last_mut() {
                *last = true;
            }
        }
        for id in &reloaded.changed {
            if let Some(stays) = stays.get_mut(id.index()) {
                *stays = false;
            }
        }
        let as_before = |id: InstanceId| stays.get(id.index()) == Some(&true);
        // What the configuration before has taken from an instance is gone by now, and its address
        // may be a real one.
        self.address_index.retain(|object| as_before(object.instance) && engine.has_object(object));
        for &id in &reloaded.changed {
            // The addresses of their owner are real ones of the interface.
            let moves = engine.settings(id).is_some_and(|s| !s.priority.is_owner());
            for (object, what) in engine.objects(id) {
                if let Some(address) = what.announced() {
                    self.address_index.add(address, object, moves);
                }
                self.dirty.insert(object);
            }
        }
        self.watched.clear();
        let (mut routes, mut rules) = (Vec::new(), Vec::new());
        for (object, what) in engine.instances().flat_map(|id| engine.objects(id)) {
            match what {
                Object::Route(route) => routes.push(route.clone()),
                Object::Rule(rule) => rules.push(rule.clone()),
                Object::Filter | Object::Address(_) | Object::Excluded(_) => continue,
            }
            self.watched.push(object);
        }
        self.unheard.retain(|object| engine.object(*object).is_some());
        self.places.retain(|object, _| engine.object(*object).is_some());
        self.ways.retain(|object, _| engine.object(*object).is_some());
        self.went_along.retain(|object| engine.object(*object).is_some());
        self.inherits.retain(|object| engine.object(*object).is_some());
        self.monitor.set_watch(&routes, &rules)
    }

    /// Whether an address is one that moves, so that no advert comes from it.
    pub fn moves(&self, address: IpAddr) -> bool {
        self.address_index.moves(address)
    }

    /// The link of an interface.
    pub fn link(&self, name: &str) -> Option<&Link> {
        self.monitor.cache().link_named(name)
    }

    /// Whether a link has this hardware address.
    pub fn has_mac(&self, mac: Mac) -> bool {
        self.monitor.cache().links().any(|link| link.mac == Some(mac))
    }

    /// The link that an object is on, if it is an address and the link exists.
    pub fn link_of(&self, engine: &Engine, object: ObjectId) -> Option<&Link> {
        let own = &engine.settings(object.instance)?.interface;
        match engine.object(object)? {
            Object::Address(address) | Object::Excluded(address) => {
                self.link(address.interface.as_deref().unwrap_or(own))
            }
            Object::Filter | Object::Route(_) | Object::Rule(_) => None,
        }
    }

    /// The link that an object is on, or is to be put on: a rename does not take it away.
    fn place(&self, engine: &Engine, object: ObjectId) -> Option<LinkIndex> {
        let put = self.places.get(&object).copied();
        put.filter(|link| self.monitor.cache().link(*link).is_some())
            .or_else(|| self.link_of(engine, object).map(|link| link.index))
    }

    /// Asks the kernel to add or remove an object; [`Kernel::send`] sends it. What cannot be asked
    /// is answered at once.
    pub fn ask(&mut self, engine: &Engine, object: ObjectId, present: bool) {
        let unsure = match engine.object(object) {
            Some(Object::Route(_)) => true,
            Some(Object::Address(one) | Object::Excluded(one)) => one.address.is_ipv6(),
            Some(Object::Filter | Object::Rule(_)) | None => false,
        };
        self.ask_for(engine, Asked { object, present, unsure: unsure && present, again: false });
    }

    fn ask_for(&mut self, engine: &Engine, asked: Asked) {
        let Asked { object, present, .. } = asked;
        if self.ipv6_readiness.forget(object) {
            self.finish(Asked { present: true, ..asked }, Ok(()), None);
        }
        let link = if present {
            self.link_of(engine, object).map(|link| link.index)
        } else {
            self.place(engine, object)
        };
        let mut changes = false;
        if let (Some(Object::Address(one) | Object::Excluded(one)), Some(link)) =
            (engine.object(object), link)
        {
            if !present && self.bequeath(engine, object, link) {
                self.places.remove(&object);
                self.finish(asked, Ok(()), None);
                return;
            }
            changes = present && self.inherits.remove(&object) && self.has(link, one);
            self.promote(object, link, one, present);
            if !changes {
                self.clear_way(engine, object, link, one, present);
            }
        }
        if let Some(Object::Route(route)) = engine.object(object).filter(|_| present) {
            self.clear_rest(object, route);
        }
        let resolved;
        let request = match (engine.object(object), link) {
            (Some(Object::Address(address) | Object::Excluded(address)), Some(link)) => {
                Ok(match (present, changes) {
                    (true, true) => Request::Replace(link, address),
                    (true, false) => Request::Add(link, address),
                    (false, _) => Request::Delete(link, address),
                })
            }
            (Some(Object::Route(route)), _) if present => {
                match Resolved::new(route, self.monitor.cache()) {
                    Ok(route) => {
                        resolved = route;
                        self.ways.insert(object, resolved.links().into());
                        Ok(Request::AddRoute(&resolved))
                    }
                    Err(missing) => Err((Errno::ENODEV, Some(missing.to_string().into()))),
                }
            }
            (Some(Object::Route(route)), _) if self.monitor.watch().is_substituted(route) => {
                // It stays with whom it belongs to.
                self.monitor.set_substituted(route, false);
                return self.finish(asked, Ok(()), None);
            }
            (Some(Object::Route(route)), _) => {
                resolved = self.added(object, route);
                Ok(Request::DeleteRoute(&resolved))
            }
            (Some(Object::Rule(rule)), _) => {
                Ok(if present { Request::AddRule(rule) } else { Request::DeleteRule(rule) })
            }
            // Refused by `steadfast check` as long as it is not built.
            (Some(Object::Filter), _) => Err((Errno::EOPNOTSUPP, None)),
            (Some(Object::Address(_) | Object::Excluded(_)), None) | (None, _) => {
                Err((Errno::ENODEV, None))
            }
        };
        let opens = match (engine.object(object), link) {
            (Some(Object::Address(one) | Object::Excluded(one)), Some(link))
                if present && !changes =>
            {
                // With duplicate detection it opens when that is over.
                opens_late(one).map(|address| (link, address))
            }
            (Some(_), _) | (None, _) => None,
        };
        let pushed = request.and_then(|request| {
            self.commands.push(request, Token::Asked(asked)).map_err(|why| match why {
                NotTaken::Full => (Errno::EAGAIN, None),
                NotTaken::Unencodable => (Errno::EINVAL, None),
            })
        });
        match pushed {
            Ok(()) => {
                *self.in_flight.entry(object).or_default() += 1;
                if let Some(link) = link.filter(|_| present) {
                    self.places.insert(object, link);
                }
                if let Some((link, address)) = opens {
                    self.ipv6_readiness.expect(object, link, address);
                }
                if present && !changes && self.comes_late(engine, object) {
                    self.unheard.insert(object);
                } else {
                    self.unheard.remove(&object);
                }
            }
            // What it was on is gone, and it with it.
            Err((Errno::ENODEV, _)) if !present => {
                self.places.remove(&object);
                self.finish(asked, Ok(()), None);
            }
            Err((errno, words)) => self.finish(asked, Err(errno), words),
        }
    }

    fn finish(&mut self, asked: Asked, result: Result<(), Errno>, words: Option<Box<str>>) {
        let result = result.map_err(|errno| KernelError(errno as i32));
        let Asked { object, present, .. } = asked;
        if let Some(words) = words {
            self.news.words.insert(object, words);
        }
        self.news.done.push(Done { object, present, result });
    }

    /// Sends one batch of what was asked, and reads the answers.
    ///
    /// # Errors
    /// What the system says.
    pub fn send(&mut self) -> io::Result<Left> {
        if self.commands.in_flight() == 0 && self.next_deadline().is_none() {
            return Ok(Left::Nothing);
        }
        let now = clock::now();
        self.news.opened |= self.subnets.take_due(now);
        self.ask_whether_open(now);
        let mut left = self.commands.send()?;
        self.commands.read(&mut self.answers)?;
        let mut answers = std::mem::take(&mut self.answers);
        for answer in answers.drain(..) {
            self.answered(answer, now);
        }
        self.answers = answers;
        if self.ipv6_readiness.next().is_some_and(|at| at <= now) {
            left = Left::More;
        }
        Ok(left)
    }

    /// Whether the queue takes no more requests for now: one of the engine's may be several.
    pub fn is_full(&self) -> bool {
        self.commands.in_flight() + MAX_BATCH_REQUESTS >= MAX_IN_FLIGHT_REQUESTS
    }

    /// Whether there are requests that only [`Kernel::observe`] can answer.
    pub const fn has_doubts(&self) -> bool {
        !self.lost.is_empty()
    }

    /// Whether [`Kernel::send`] has something to send.
    pub fn has_unsent(&self) -> bool {
        self.commands.has_unsent()
    }

    /// The links that were deleted since this was asked last.
    pub fn take_gone(&mut self) -> Set<LinkIndex> {
        std::mem::take(&mut self.news.gone)
    }

    /// When [`Kernel::send`] has to be called again, if nothing else happens before.
    pub fn next_deadline(&self) -> Option<Instant> {
        [self.ipv6_readiness.next(), self.subnets.next()].into_iter().flatten().min()
    }

    /// Whether the monitor has to be read, as events about an address did not count while it was
    /// not open.
    pub fn take_opened(&mut self) -> bool {
        std::mem::take(&mut self.news.opened)
    }

    /// The answers that came, to be handed to the engine.
    pub fn take_done(&mut self) -> Vec<Done> {
        std::mem::take(&mut self.news.done)
    }

    /// What the kernel said beside the errno when it refused an object.
    pub fn take_words(&mut self, object: ObjectId) -> Option<Box<str>> {
        self.news.words.remove(&object)
    }

    /// Forgets what is of instances that are gone.
    pub fn retain(&mut self, exists: impl Fn(InstanceId) -> bool) {
        self.news.words.retain(|object, _| exists(object.instance));
    }

    /// Whether there are more requests to be sent.
    pub const fn set_asking(&mut self, asking: bool) {
        self.asking = asking;
    }

    /// Whether what the monitor tells may wait for requests that matter more: most of it is what
    /// became of them.
    pub const fn may_wait(&mut self) -> bool {
        let may = self.asking && self.unread_slices < MAX_UNREAD_SLICES;
        self.unread_slices = if may { self.unread_slices + 1 } else { 0 };
        may
    }

    /// The addresses that the kernel had already when they were to be added, since this was asked
    /// last.
    pub fn take_there(&mut self) -> Vec<ObjectId> {
        std::mem::take(&mut self.news.there)
    }

    /// What there is to say, since this was asked last.
    pub fn take_notes(&mut self) -> Vec<Note> {
        std::mem::take(&mut self.news.notes)
    }

    /// Reads what the monitor has; adds the names of the links that changed.
    ///
    /// # Errors
    /// What the system says.
    pub fn read(&mut self, links: &mut Set<Box<str>>) -> io::Result<Left> {
        let left = self.monitor.read(&mut self.changes)?;
        let mut changes = std::mem::take(&mut self.changes);
        for change in changes.drain(..) {
            match change.what {
                What::Link { before, after } => {
                    match (&before, &after) {
                        (Some(before), None) => {
                            self.news.gone.insert(before.index);
                            self.subnets.forget(before.index);
                        }
                        // What was put on it is still there, and now nobody wants it.
                        (Some(before), Some(after)) if before.name != after.name => {
                            let put = self.places.iter().filter(|(_, on)| **on == after.index);
                            self.dirty.extend(put.map(|(object, _)| *object));
                        }
                        (Some(_) | None, _) => {}
                    }
                    if let Some(after) = &after {
                        self.promote_again(after);
                    }
                    links.extend([before, after].into_iter().flatten().map(|link| link.name));
                }
                What::Address { before, after } => {
                    let ours = change.origin == Origin::Own;
                    self.address_changed(before.as_ref(), after.as_ref(), ours);
                    for address in [before, after].into_iter().flatten() {
                        // No advert comes from those that move: the interface is what it was.
                        if !self.address_index.moves(address.address) {
                            let link = self.monitor.cache().link(address.link);
                            links.extend(link.map(|link| link.name.clone()));
                        }
                    }
                }
                What::Route { .. } | What::Rule { .. } => self.dirty.extend(&self.watched),
            }
        }
        self.changes = changes;
        Ok(left)
    }

    fn address_changed(&mut self, before: Option<&Address>, after: Option<&Address>, ours: bool) {
        for object in after.iter().flat_map(|a| self.address_index.of(a.address)) {
            self.unheard.remove(&object);
            self.went_along.remove(&object);
        }
        for address in [before, after].into_iter().flatten() {
            self.dirty.extend(self.address_index.of(address.address));
            self.subnets.look_at(address);
            if !self.address_index.moves(address.address) {
                // Whether an address is the only one of its interface may be different now.
                self.dirty.extend(&self.kept);
            }
        }
        let (Some(before), None) = (before, after) else { return };
        if ours && self.address_index.of(before.address).next().is_none() {
            self.took_along(before);
        }
        for object in self.address_index.of(before.address) {
            if ours {
                self.went_along.insert(object);
            } else {
                self.went_along.remove(&object);
            }
        }
    }
}

/// The address, if the kernel takes packets to it some time after it was added.
const fn opens_late(address: &VirtualAddress) -> Option<Ipv6Addr> {
    match address.address {
        IpAddr::V6(own) if !address.dad => Some(own),
        IpAddr::V6(_) | IpAddr::V4(_) => None,
    }
}

mod answers;
mod presence;
mod same_address;
mod subnets;

pub use presence::Seen;
use subnets::Subnets;

#[cfg(test)]
mod tests;
