//! Which of the configured routes and rules the kernel has.
//!
//! Only what is configured is remembered, since a router may have a million routes of others.
//! Which these are is told from the protocol number that ours carry and from their place. An IPv6
//! route that cannot be added, since somebody else's stands in its place and does the same, is lent:
//! it counts as there until that one goes.

use super::cache::{Cache, Change, Origin, What};
use super::codec::Unencodable;
use super::consts;
use super::frame::{Malformed, Message, Sequence};
use super::route::{self, Place, Seen};
use super::rule;
use crate::net::{Route, Rule, TableId};
use crate::sorted::{Map, Set};
use crate::units::Family;

/// Something that is watched.
#[derive(Debug)]
struct Watched<T> {
    what: T,
    /// The kernel has it.
    present: bool,
    /// Somebody else's route does the same in its place.
    lent: bool,
    /// The running dump has it.
    fresh: bool,
    /// When it went last, the kernel took it by itself.
    went_along: bool,
    /// Somebody did something in its place since it was there.
    replaced: bool,
}

/// What can be dumped on its own.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Table {
    /// Our routes in one table.
    Routes(Family, TableId),
    /// The rules of a family.
    Rules(Family),
}

impl Table {
    /// The request for it.
    ///
    /// # Errors
    /// [`Unencodable`], which does not happen: the requests have a fixed length.
    pub fn encode_dump(self, octets: &mut Vec<u8>, sequence: Sequence) -> Result<(), Unencodable> {
        match self {
            Self::Routes(family, table) => route::encode_dump(octets, sequence, family, table),
            Self::Rules(family) => rule::encode_dump(octets, sequence, family),
        }
    }
}

/// Who says something about a route or rule.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Source {
    /// A part of a dump.
    Dump,
    /// An event with this origin.
    Event(Origin),
    /// Nobody's request: an event of the kernel's own, or it is missing in a dump without any event
    /// about its place. Both mean that the kernel took it with an address or a link (`netlink:N-58`).
    Kernel,
}

/// The configured routes and rules.
#[derive(Debug, Default)]
pub struct Watch {
    routes: Vec<Watched<Route>>,
    places: Map<Place, Vec<usize>>,
    rules: Vec<Watched<Rule>>,
    tables: Vec<Table>,
}

/// Puts new things in the place of the old; what stays is still there, or not.
fn renew<T: Clone + PartialEq>(watched: &mut Vec<Watched<T>>, new: &[T]) {
    let old = std::mem::take(watched);
    for what in new {
        if watched.iter().all(|known| known.what != *what) {
            let before = old.iter().find(|known| known.what == *what);
            let (present, lent) =
                before.map_or((false, false), |known| (known.present, known.lent));
            watched.push(Watched {
                what: what.clone(),
                present,
                lent,
                fresh: false,
                went_along: false,
                replaced: false,
            });
        }
    }
}

impl Watch {
    /// Watches nothing.
    pub const fn new() -> Self {
        Self { routes: Vec::new(), places: Map::new(), rules: Vec::new(), tables: Vec::new() }
    }

    /// Watches these. The new ones are unknown, and so absent, until the next dump.
    pub fn set(&mut self, routes: &[Route], rules: &[Rule]) {
        renew(&mut self.routes, routes);
        renew(&mut self.rules, rules);
        self.places.clear();
        let mut tables = Set::new();
        for (number, route) in self.routes.iter().enumerate() {
            self.places.entry(Place::of(&route.what)).or_default().push(number);
            let family = route.what.destination.family();
            tables.insert(Table::Routes(family, route.what.table));
        }
        tables.extend(self.rules.iter().map(|rule| Table::Rules(rule.what.family)));
        self.tables = tables.into_iter().collect();
    }

    /// What has to be dumped.
    pub fn tables(&self) -> &[Table] {
        &self.tables
    }

    /// Whether routes are watched.
    pub const fn has_routes(&self) -> bool {
        !self.routes.is_empty()
    }

    /// Whether the kernel has a route. `false` for one that is not watched.
    pub fn has_route(&self, route: &Route) -> bool {
        let numbers = self.places.get(&Place::of(route)).into_iter().flatten();
        let mut found = numbers.filter_map(|number| self.routes.get(*number));
        found.any(|known| (known.present || known.lent) && known.what == *route)
    }

    /// Whether it is somebody else's route that counts as this one.
    pub fn is_lent(&self, route: &Route) -> bool {
        self.routes.iter().any(|known| known.lent && known.what == *route)
    }

    /// Says that somebody else's route does what this one would do, or that it does not matter any
    /// more.
    pub fn lend(&mut self, route: &Route, lent: bool) {
        for known in self.routes.iter_mut().filter(|known| known.what == *route) {
            known.lent = lent;
        }
    }

    /// Whether the kernel took a route that is missing by itself, with an address or a link.
    pub fn went_along(&self, route: &Route) -> bool {
        let numbers = self.places.get(&Place::of(route)).into_iter().flatten();
        let mut found = numbers.filter_map(|number| self.routes.get(*number));
        found.any(|known| !known.present && known.went_along && known.what == *route)
    }

    /// Whether the kernel has a rule. `false` for one that is not watched.
    pub fn has_rule(&self, rule: &Rule) -> bool {
        self.rules.iter().any(|known| known.present && known.what == *rule)
    }

    /// A dump begins.
    pub fn begin(&mut self) {
        for route in &mut self.routes {
            route.fresh = false;
        }
        for rule in &mut self.rules {
            rule.fresh = false;
        }
    }

    /// Takes a message about a route or rule; appends what is different. `true`: something happened
    /// at the place of a watched route, after which only a dump can tell whether it is there.
    ///
    /// # Errors
    /// [`Malformed`] when it cannot be read.
    pub fn take(
        &mut self,
        message: &Message<'_>,
        source: Source,
        cache: &Cache,
        changes: &mut Vec<Change>,
    ) -> Result<bool, Malformed> {
        match message.kind {
            consts::RTM_NEWROUTE | consts::RTM_DELROUTE if !self.routes.is_empty() => {
                self.take_route(message, source, cache, changes)
            }
            consts::RTM_NEWRULE | consts::RTM_DELRULE if !self.rules.is_empty() => {
                let Some(seen) = rule::decode(message.payload)? else { return Ok(false) };
                let present = message.kind == consts::RTM_NEWRULE;
                for rule in self.rules.iter_mut().filter(|known| rule::is(&seen, &known.what)) {
                    rule.see(present, source, changes);
                }
                Ok(false)
            }
            _ => Ok(false),
        }
    }

    fn take_route(
        &mut self,
        message: &Message<'_>,
        source: Source,
        cache: &Cache,
        changes: &mut Vec<Change>,
    ) -> Result<bool, Malformed> {
        // Somebody else's route may have taken the place of ours.
        let replaces = message.flags.replaces();
        let present = message.kind == consts::RTM_NEWROUTE;
        let all = replaces || !present && self.routes.iter().any(|route| route.lent);
        let Some(seen) = Seen::decode(message.payload, all)? else { return Ok(false) };
        let mut in_doubt = false;
        for number in self.places.get(&seen.place).into_iter().flatten() {
            let Some(route) = self.routes.get_mut(*number) else { continue };
            let same = seen.is_like(&route.what, cache)?;
            if route.lent && !seen.is_own && same != present {
                route.lent = false;
                changes.push(Change { origin: Origin::Other, what: route.what.report(false) });
            }
            if seen.is_own && same {
                route.see(present, source, changes);
            } else if source != Source::Dump {
                in_doubt |= route.present;
                route.replaced |= source != Source::Kernel;
            }
        }
        Ok(in_doubt)
    }

    /// The dump has ended: what it did not show is not there.
    pub fn settle(&mut self, changes: &mut Vec<Change>) {
        for route in &mut self.routes {
            let source = match std::mem::take(&mut route.replaced) {
                true => Source::Event(Origin::Other),
                false => Source::Kernel,
            };
            route.see(route.fresh, source, changes);
        }
        for rule in &mut self.rules {
            rule.see(rule.fresh, Source::Event(Origin::Other), changes);
        }
    }
}

/// What a change of it is.
trait Report {
    fn report(&self, present: bool) -> What;
}

impl Report for Route {
    fn report(&self, present: bool) -> What {
        What::Route { route: Box::new(self.clone()), present }
    }
}

impl Report for Rule {
    fn report(&self, present: bool) -> What {
        What::Rule { rule: Box::new(self.clone()), present }
    }
}

impl<T: Report> Watched<T> {
    fn see(&mut self, present: bool, source: Source, changes: &mut Vec<Change>) {
        self.fresh = present;
        let origin = match source {
            Source::Dump => return,
            Source::Event(origin) => origin,
            Source::Kernel => Origin::Other,
        };
        if self.present != present {
            self.present = present;
            self.went_along = source == Source::Kernel;
            changes.push(Change { origin, what: self.what.report(present) });
        }
    }
}
