//! The configured routes and rules, and which of them the kernel has.
//!
//! Other routes are not stored, since a router may have a million of them. Ours are recognised by their
//! protocol number and their place. When an IPv6 route cannot be added, since another program's route
//! with the same effect is in its place, the other route is its substitute: the configured route counts
//! as present until the substitute is removed.

use super::cache::{Cache, Change, Origin, What};
use super::codec::Unencodable;
use super::consts;
use super::frame::{Malformed, Message, Sequence};
use super::route::{self, KernelRoute, Place};
use super::rule;
use crate::net::{Route, Rule, TableId};
use crate::sorted::{Map, Set};
use crate::units::Family;

/// A watched route or rule.
#[derive(Debug)]
struct Watched<T> {
    what: T,
    /// The kernel has it.
    present: bool,
    /// Another program's route has the same effect in its place.
    substituted: bool,
    /// The running dump has shown it.
    fresh: bool,
    /// It was last removed by the kernel itself, together with an address or a link.
    went_along: bool,
    /// Another program changed a route in its place since it was present.
    replaced: bool,
}

/// A table that a separate dump lists.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Table {
    /// Our routes in one table.
    Routes(Family, TableId),
    /// The rules of a family.
    Rules(Family),
}

impl Table {
    /// Appends the request for its dump.
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

/// The source of information about a route or rule.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Source {
    /// A part of a dump.
    Dump,
    /// An event with this origin.
    Event(Origin),
    /// No request of a program: an event of the kernel itself, or a route that is missing in a dump
    /// without an event about its place. In both cases the kernel removed the route together with an
    /// address or a link (`netlink:N-58`).
    Kernel,
}

/// The configured routes and rules.
#[derive(Debug, Default)]
pub struct WatchList {
    routes: Vec<Watched<Route>>,
    places: Map<Place, Vec<usize>>,
    rules: Vec<Watched<Rule>>,
    tables: Vec<Table>,
}

/// Replaces the watched objects. Objects that stay keep their state.
fn renew<T: Clone + PartialEq>(watched: &mut Vec<Watched<T>>, new: &[T]) {
    let old = std::mem::take(watched);
    for what in new {
        if watched.iter().all(|known| known.what != *what) {
            let before = old.iter().find(|known| known.what == *what);
            let (present, substituted) =
                before.map_or((false, false), |known| (known.present, known.substituted));
            watched.push(Watched {
                what: what.clone(),
                present,
                substituted,
                fresh: false,
                went_along: false,
                replaced: false,
            });
        }
    }
}

impl WatchList {
    /// An empty list.
    pub const fn new() -> Self {
        Self { routes: Vec::new(), places: Map::new(), rules: Vec::new(), tables: Vec::new() }
    }

    /// Replaces the watched routes and rules. New ones count as absent until the next dump.
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

    /// The tables to dump.
    pub fn tables(&self) -> &[Table] {
        &self.tables
    }

    /// Whether routes are watched.
    pub const fn has_routes(&self) -> bool {
        !self.routes.is_empty()
    }

    /// Whether the kernel has a route or its substitute. `false` for a route that is not watched.
    pub fn has_route(&self, route: &Route) -> bool {
        let numbers = self.places.get(&Place::of(route)).into_iter().flatten();
        let mut found = numbers.filter_map(|number| self.routes.get(*number));
        found.any(|known| (known.present || known.substituted) && known.what == *route)
    }

    /// Whether another program's route counts as this one.
    pub fn is_substituted(&self, route: &Route) -> bool {
        self.routes.iter().any(|known| known.substituted && known.what == *route)
    }

    /// Sets whether another program's route counts as this one.
    pub fn set_substituted(&mut self, route: &Route, substituted: bool) {
        for known in self.routes.iter_mut().filter(|known| known.what == *route) {
            known.substituted = substituted;
        }
    }

    /// Whether a route is missing because the kernel removed it with an address or a link.
    pub fn went_along(&self, route: &Route) -> bool {
        let numbers = self.places.get(&Place::of(route)).into_iter().flatten();
        let mut found = numbers.filter_map(|number| self.routes.get(*number));
        found.any(|known| !known.present && known.went_along && known.what == *route)
    }

    /// Whether the kernel has a rule. `false` for a rule that is not watched.
    pub fn has_rule(&self, rule: &Rule) -> bool {
        self.rules.iter().any(|known| known.present && known.what == *rule)
    }

    /// Begins a dump.
    pub fn begin(&mut self) {
        for route in &mut self.routes {
            route.fresh = false;
        }
        for rule in &mut self.rules {
            rule.fresh = false;
        }
    }

    /// Handles a message about a route or rule and appends the changes. Returns `true` when another
    /// route in the place of a watched one changed, so that only a dump shows whether ours is present.
    ///
    /// # Errors
    /// [`Malformed`] when the message cannot be read.
    pub fn handle(
        &mut self,
        message: &Message<'_>,
        source: Source,
        cache: &Cache,
        changes: &mut Vec<Change>,
    ) -> Result<bool, Malformed> {
        match message.kind {
            consts::RTM_NEWROUTE | consts::RTM_DELROUTE if !self.routes.is_empty() => {
                self.handle_route(message, source, cache, changes)
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

    fn handle_route(
        &mut self,
        message: &Message<'_>,
        source: Source,
        cache: &Cache,
        changes: &mut Vec<Change>,
    ) -> Result<bool, Malformed> {
        // Another program's route may have replaced ours.
        let replaces = message.flags.replaces();
        let present = message.kind == consts::RTM_NEWROUTE;
        let all = replaces || !present && self.routes.iter().any(|route| route.substituted);
        let Some(seen) = KernelRoute::decode(message.payload, all)? else { return Ok(false) };
        let mut in_doubt = false;
        for number in self.places.get(&seen.place).into_iter().flatten() {
            let Some(route) = self.routes.get_mut(*number) else { continue };
            let same = seen.is_like(&route.what, cache)?;
            if route.substituted && !seen.is_own && same != present {
                route.substituted = false;
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

    /// Ends the dump: objects that it did not show are absent.
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

/// Builds the report of a change.
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
