//! What a document comes to, in one line that is understood at 3 am.
//!
//! | level | when |
//! |---|---|
//! | DEAD | the process that runs the virtual routers does not answer |
//! | SPLIT | we are master, not handing over, and another master was heard within its Master_Down_Interval, or another host holds one of our addresses |
//! | DEGRADED | an instance is in FAULT or INIT, or flaps; the kernel lacks an address or holds one too many; a backup hears no master; trackers lower a priority; an operator holds an instance; the last reload was refused; nothing is configured; or something else is wrong now |
//! | OK | otherwise; what was wrong within the last five minutes is said in brackets |
//!
//! The first that holds counts. A hold is DEGRADED because it outlives the night in which it was
//! made; a refused reload is, because the router would not come back from a restart. Lost records
//! and unwritable files do not count: the log suffers, not the network. Nothing is said about
//! routers that are backup: VRRP lets a master hear none.

use super::humanize::{length, plural, some};
use super::status::{
    Document, InstanceStatus, MasterStatus, Seconds, State, VRRP, Verdict, VerdictLevel, Warning,
    WarningKind,
};
use super::warnings::{
    discards, first_line, is_duplicate, masterless, missing, out_of_service, rivals, too, warnings,
};

/// Characters of a verdict: what a person takes in at once, and a pager shows.
const MAX_VERDICT_CHARS: usize = 100;
/// Characters that the first trouble has at least, whatever else is to be said.
const MIN_PART_CHARS: usize = 50;

impl VerdictLevel {
    const ALL: [Self; 4] = [Self::Ok, Self::Degraded, Self::Split, Self::Dead];

    /// By its name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|level| level.name() == name)
    }

    /// As shown.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ok => "OK",
            Self::Degraded => "DEGRADED",
            Self::Split => "SPLIT",
            Self::Dead => "DEAD",
        }
    }
}

impl Document {
    /// Fills in what follows from the rest: [`Document::warnings`] and [`Document::verdict`].
    pub fn conclude(&mut self) {
        self.warnings = warnings(self);
        self.verdict = from_warnings(self, &self.warnings);
    }

    /// The same about one instance only.
    #[must_use]
    pub fn only(mut self, name: &str) -> Self {
        if let Some(instances) = &mut self.instances {
            instances.retain(|instance| instance.name == name);
        }
        let of_it = |instance: &Option<String>| instance.as_deref().is_none_or(|n| n == name);
        self.transitions.retain(|event| of_it(&event.instance));
        self.warnings.retain(|warning| of_it(&warning.instance));
        self.conclude();
        self
    }
}

/// How things stand.
pub fn verdict(document: &Document) -> Verdict {
    from_warnings(document, &warnings(document))
}

/// How things stand, with all warnings of the document.
fn from_warnings(document: &Document, warnings: &[Warning]) -> Verdict {
    let (level, text) = match &document.instances {
        None => (VerdictLevel::Dead, dead(document)),
        Some(instances) => split(instances, warnings)
            .map(|text| (VerdictLevel::Split, text))
            .or_else(|| Some((VerdictLevel::Degraded, degraded(document, instances, warnings)?)))
            .unwrap_or_else(|| (VerdictLevel::Ok, well(instances, warnings))),
    };
    Verdict { level, text: format!("{}: {text}", level.name()) }
}

fn dead(document: &Document) -> String {
    let process = document.daemon.process(VRRP);
    let looping = process.and_then(|process| process.crash.as_ref());
    let looping = looping.filter(|crash| crash.handed_over);
    let mut text = match (process.and_then(|process| process.starts_in), looping) {
        // Its end is among the warnings.
        (Some(time), Some(crash)) => {
            let (times, time) = (crash.in_a_minute, length(time));
            return format!(
                "the {VRRP} process crashed {times} times within a minute, and is started again in \
                 {time}"
            );
        }
        (Some(time), None) => {
            format!("the {VRRP} process has ended, and is started again in {}", length(time))
        }
        (None, _) => format!("the {VRRP} process does not answer"),
    };
    let restarts = process.map_or(0, |process| process.restarts);
    if restarts > 0 {
        let times = plural(restarts as usize, "time");
        text.push_str(&format!("; it was started again {times} before"));
    }
    text
}

/// Whether a warning makes the verdict worse.
pub(super) fn counts(warning: &Warning) -> bool {
    is_of_network(warning) && warning.ended_age.is_none()
}

/// Not of the log only.
const fn is_of_network(warning: &Warning) -> bool {
    !matches!(warning.kind, WarningKind::Storage | WarningKind::RecordsLost)
}

/// The roles, and what was.
fn well(instances: &[InstanceStatus], warnings: &[Warning]) -> String {
    let past = past(instances, warnings);
    let long = roles(instances) + &past;
    if long.chars().count() <= room(VerdictLevel::Ok, "") {
        return long;
    }
    counts_of_roles(instances) + &past
}

/// " (FAULT until 1.0 s ago; 2 warnings ended, the last 42 s ago)".
fn past(instances: &[InstanceStatus], warnings: &[Warning]) -> String {
    let ended = warnings.iter().filter(|warning| is_of_network(warning));
    let mut others: Vec<(&Warning, Seconds)> =
        ended.filter_map(|warning| Some((warning, warning.ended_age?))).collect();
    others.sort_by(|(_, one), (_, other)| one.total_cmp(other));
    let mut parts = Vec::new();
    // What nobody wants to have missed, by its name.
    for (kind, word) in [(WarningKind::SplitBrain, "SPLIT"), (WarningKind::Fault, "FAULT")] {
        let Some((last, age)) = others.iter().find(|(warning, _)| warning.kind == kind) else {
            continue;
        };
        let name = last.instance.as_deref().filter(|_| instances.len() > 1);
        let name = name.map(|name| format!("{name} ")).unwrap_or_default();
        parts.push(format!("{name}{word} until {} ago", length(*age)));
        others.retain(|(warning, _)| warning.kind != kind);
    }
    if let Some((_, last)) = others.first() {
        let the_last = if others.len() == 1 { "" } else { ", the last" };
        let count = plural(others.len(), "warning");
        parts.push(format!("{count} ended{the_last} {} ago", length(*last)));
    }
    if parts.is_empty() { String::new() } else { format!(" ({})", parts.join("; ")) }
}

fn split(instances: &[InstanceStatus], warnings: &[Warning]) -> Option<String> {
    let split: Vec<(&InstanceStatus, &MasterStatus)> = instances
        .iter()
        .filter_map(|instance| Some((instance, rivals(instance).next()?.1)))
        .collect();
    let Some((instance, rival)) = split.first().copied() else {
        return taken(instances, warnings);
    };
    let others = warnings.iter().filter(|w| counts(w) && w.kind != WarningKind::SplitBrain);
    let others = and_more(others.count());
    let name = &instance.name;
    Some(match split.len() {
        1 => {
            let room = room(VerdictLevel::Split, &others);
            let text = match discards(instance, rival) {
                // The remedy is another one: no filter is to be looked for.
                true => format!(
                    "{name}: {} is MASTER too: it discards our adverts, its list differs",
                    rival.address
                ),
                false => format!("{name}: {}", too(instance, rival)),
            };
            fit(&text, room) + &others
        }
        several => {
            let total = instances.len();
            format!("{several} of {total} ({name}: {} is MASTER too){others}", rival.address)
        }
    })
}

/// "lan: another host (02:00:00:00:00:0c) holds 192.0.2.1 too, ours as MASTER".
fn taken(instances: &[InstanceStatus], warnings: &[Warning]) -> Option<String> {
    let is_taken = |warning: &&Warning| {
        let name = warning.instance.as_deref();
        let master = |i: &InstanceStatus| i.state == State::Master && !i.handing_over;
        warning.kind == WarningKind::AddressTaken
            && counts(warning)
            && instances.iter().any(|i| Some(i.name.as_str()) == name && master(i))
    };
    let first = warnings.iter().find(is_taken)?;
    let others = and_more(warnings.iter().filter(|warning| counts(warning)).count() - 1);
    Some(fit(&first.text, room(VerdictLevel::Split, &others)) + &others)
}

/// Characters that are left of the line.
fn room(level: VerdictLevel, rest: &str) -> usize {
    MAX_VERDICT_CHARS
        .saturating_sub(level.name().len() + 2 + rest.chars().count())
        .max(MIN_PART_CHARS)
}

/// The text, or as many of its first clauses as there is room for: the rest is among the warnings.
fn fit(text: &str, room: usize) -> String {
    let Some((end, _)) = text.char_indices().nth(room) else { return text.to_owned() };
    let head = text.get(..end).unwrap_or_default();
    let mut ends = head.char_indices().filter_map(|(end, _)| text.get(..end)).filter(|clause| {
        let rest = text.get(clause.len()..).unwrap_or_default();
        let marks = ["; ", ": ", ", ", " ("];
        // Not within brackets.
        marks.into_iter().any(|mark| rest.starts_with(mark))
            && clause.matches('(').count() == clause.matches(')').count()
    });
    match ends.next_back().filter(|clause| clause.chars().count() > room / 3) {
        Some(clause) => clause.to_owned(),
        None => {
            let words = head.get(..head.len().saturating_sub(3)).unwrap_or(head);
            let words = words.rfind(' ').and_then(|end| words.get(..end)).unwrap_or(words);
            format!("{words}...")
        }
    }
}

fn degraded(
    document: &Document,
    instances: &[InstanceStatus],
    warnings: &[Warning],
) -> Option<String> {
    let mut counting = warnings.iter().filter(|warning| counts(warning));
    let first = counting.next()?;
    let mut others = counting.collect::<Vec<_>>();
    let told = [WarningKind::Fault, WarningKind::AddressMissing];
    if let Some(told) = told.into_iter().find(|kind| *kind == first.kind) {
        others.retain(|warning| warning.kind != told);
    }
    // The masters of others only where there is room.
    let rest = |roles: String| {
        let roles = Some(roles).filter(|roles| !roles.is_empty());
        and_more(others.len()) + &roles.map(|roles| format!("; {roles}")).unwrap_or_default()
    };
    let short = rest(counts_of_roles(instances));
    let room = room(VerdictLevel::Degraded, &short);
    let text = match first.kind {
        WarningKind::Fault => out(instances, room).unwrap_or_else(|| first.text.clone()),
        WarningKind::AddressMissing => lacking(instances).unwrap_or_else(|| first.text.clone()),
        WarningKind::ReloadRefused => match &document.daemon.configuration.refused {
            Some(refused) => {
                let reason = reason(&document.daemon.configuration.file, first_line(refused));
                format!("last reload refused: {reason}")
            }
            None => first.text.clone(),
        },
        WarningKind::SplitBrain
        | WarningKind::Process
        | WarningKind::NoMaster
        | WarningKind::Flapping
        | WarningKind::LeftBehind
        | WarningKind::SameSender
        | WarningKind::SecondOwner
        | WarningKind::AddressTaken
        | WarningKind::VridConflict
        | WarningKind::AddressesDiffer
        | WarningKind::SendFailed
        | WarningKind::KernelRefused
        | WarningKind::ForeignRemoval
        | WarningKind::Empty
        | WarningKind::Held
        | WarningKind::PriorityLowered
        | WarningKind::BadPackets
        | WarningKind::IntervalDiffers
        | WarningKind::Storage
        | WarningKind::RecordsLost => first.text.lines().next().unwrap_or_default().to_owned(),
    };
    let text = fit(&text, room);
    let long = rest(roles(instances));
    let fits =
        VerdictLevel::Degraded.name().len() + 2 + text.chars().count() + long.chars().count();
    Some(text + if fits <= MAX_VERDICT_CHARS { &long } else { &short })
}

/// "line 5: no such key" instead of "/etc/steadfast/steadfast.toml:5:1: error: no such key".
fn reason(file: &str, first: &str) -> String {
    let place = || {
        let (place, text) = first.strip_prefix(file)?.strip_prefix(':')?.split_once(": error: ")?;
        let (line, _) = place.split_once(':')?;
        Some(format!("line {line}: {text}"))
    };
    place().unwrap_or_else(|| first.to_owned())
}

fn and_more(count: usize) -> String {
    if count == 0 { String::new() } else { format!("; {}", plural(count, "more warning")) }
}

/// "1 of 2 in FAULT (lan: interface "br-lan" is down)".
fn out(instances: &[InstanceStatus], room: usize) -> Option<String> {
    let states = [State::Fault, State::Initialize].into_iter().filter_map(|state| {
        let inside: Vec<_> = instances.iter().filter(|i| i.state == state).collect();
        let names = inside.iter().skip(1).map(|instance| instance.name.as_str());
        let first = inside.first()?;
        let count = format!("{} of {} in {state}", inside.len(), instances.len());
        let also = some(names);
        let also = if also.is_empty() { also } else { format!("; also {also}") };
        let room = room.saturating_sub(count.len() + also.chars().count() + 3);
        let why =
            fit(&format!("{}: {}", first.name, out_of_service(first)), room.max(MIN_PART_CHARS));
        Some(format!("{count} ({why}{also})"))
    });
    let states: Vec<String> = states.collect();
    Some(states.join(", ")).filter(|text| !text.is_empty())
}

/// "lan has an address that the kernel does not hold: 192.168.1.1/24".
fn lacking(instances: &[InstanceStatus]) -> Option<String> {
    let lacking: Vec<_> = instances.iter().filter(|i| missing(i).next().is_some()).collect();
    let first = lacking.first()?;
    let objects: Vec<_> = missing(first).collect();
    let kind = match objects.first()?.kind.as_str() {
        "route" => "a route",
        "rule" => "a rule",
        _ => "an address",
    };
    let what = some(objects.iter().map(|object| object.what.as_str()));
    let also = lacking.iter().skip(1).map(|instance| instance.name.as_str());
    let also = Some(some(also)).filter(|also| !also.is_empty());
    let also = also.map(|also| format!("; also {also}")).unwrap_or_default();
    let kind = match objects.len() {
        1 if objects.iter().all(|object| is_duplicate(object)) => {
            format!("{kind} that another host uses")
        }
        1 => format!("{kind} that the kernel does not hold"),
        several => format!("{several} objects that the kernel does not hold"),
    };
    Some(format!("{} has {kind}: {what}{also}", first.name))
}

/// "MASTER of 1/2, BACKUP of 1/2, master 192.168.1.3 heard 0.4 s ago".
fn roles(instances: &[InstanceStatus]) -> String {
    let backups: Vec<_> = instances.iter().filter(|i| i.state == State::Backup).collect();
    let heard = Some(heard(&backups)).filter(|_| !backups.is_empty());
    [Some(counts_of_roles(instances)), heard].into_iter().flatten().collect::<Vec<_>>().join(", ")
}

/// "MASTER of 1/2, BACKUP of 1/2".
fn counts_of_roles(instances: &[InstanceStatus]) -> String {
    let total = instances.len();
    let handing_over = |i: &&InstanceStatus| i.state == State::Master && i.handing_over;
    let master = |i: &&InstanceStatus| i.state == State::Master && !i.handing_over;
    let mut parts = Vec::new();
    for (role, count) in [
        ("MASTER of", instances.iter().filter(master).count()),
        ("handing over", instances.iter().filter(handing_over).count()),
        ("BACKUP of", instances.iter().filter(|i| i.state == State::Backup).count()),
    ] {
        if count > 0 {
            parts.push(format!("{role} {count}/{total}"));
        }
    }
    parts.join(", ")
}

/// The masters that backups follow, and the longest silence of one.
fn heard(backups: &[&InstanceStatus]) -> String {
    let routers = backups.iter().flat_map(|i| i.routers.iter().map(move |router| (*i, router)));
    let mut waiting = 0;
    let mut masters: Vec<&MasterStatus> = Vec::new();
    for (instance, router) in routers {
        match router.master.as_ref().filter(|_| !masterless(instance, router)) {
            Some(master) => masters.push(master),
            None => waiting += 1,
        }
    }
    let mut addresses: Vec<_> = masters.iter().map(|master| master.address).collect();
    addresses.sort_unstable();
    addresses.dedup();
    let age = masters.iter().map(|master| master.heard_age).fold(0.0, f64::max);
    match addresses.as_slice() {
        [] => "listening for a master".to_owned(),
        _ if waiting > 0 => {
            format!("listening for {}", plural(waiting, "more master"))
        }
        [one] => format!("master {one} heard {} ago", length(age)),
        [one, two] => format!("masters {one} and {two} heard {} ago", length(age)),
        many => format!("{} masters heard {} ago or less", many.len(), length(age)),
    }
}

#[cfg(test)]
mod tests;
