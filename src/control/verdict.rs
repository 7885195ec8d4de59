//! What a document comes to, in one line that is understood at 3 am.
//!
//! | level | when |
//! |---|---|
//! | DEAD | the process that runs the virtual routers does not answer |
//! | SPLIT | we are master, not handing over, and another master was heard within its Master_Down_Interval |
//! | DEGRADED | an instance is in FAULT or INIT; the kernel lacks an address or holds one too many; a backup hears no master; trackers lower a priority; an operator holds an instance; the last reload was refused; nothing is configured; or something else was wrong within the last minute |
//! | OK | otherwise |
//!
//! The first that holds counts. A hold is DEGRADED because it outlives the night in which it was
//! made; a refused reload is, because the router would not come back from a restart. Lost records
//! and unwritable files do not count: the log suffers, not the network. Nothing is said about
//! routers that are backup: VRRP lets a master hear none.

use super::status::{
    Document, InstanceStatus, MasterStatus, Seconds, State, Verdict, VerdictLevel, Warning,
    WarningKind,
};
use super::warnings::{
    first_line, is_duplicate, masterless, missing, out_of_service, rivals, too, warnings,
};
use super::words::{length, plural, some};

/// Warnings of something that happened longer ago do not count any more.
const RECENT: Seconds = 60.0;

impl VerdictLevel {
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

    /// The same about one instance only; `None` when there is no such instance.
    #[must_use]
    pub fn only(mut self, name: &str) -> Option<Self> {
        let instances = self.instances.as_mut()?;
        instances.retain(|instance| instance.name == name);
        if instances.is_empty() {
            return None;
        }
        let of_it = |instance: &Option<String>| instance.as_deref().is_none_or(|n| n == name);
        self.transitions.retain(|event| of_it(&event.instance));
        self.warnings.retain(|warning| of_it(&warning.instance));
        self.conclude();
        Some(self)
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
            .unwrap_or_else(|| (VerdictLevel::Ok, roles(instances))),
    };
    Verdict { level, text: format!("{}: {text}", level.name()) }
}

fn dead(document: &Document) -> String {
    let process = "the process that runs the virtual routers";
    let daemon = &document.daemon;
    let looping = daemon.vrrp_crash.as_ref().filter(|crash| crash.handed_over);
    let mut text = match (daemon.vrrp_starts_in, looping) {
        // Its end is among the warnings.
        (Some(time), Some(crash)) => {
            let (times, time) = (crash.in_a_minute, length(time));
            return format!(
                "{process} crashed {times} times within a minute, and is started again in {time}: \
                 see the log"
            );
        }
        (Some(time), None) => {
            format!("{process} has ended, and is started again in {}", length(time))
        }
        (None, _) => format!("{process} does not answer"),
    };
    if daemon.vrrp_restarts > 0 {
        let times = plural(daemon.vrrp_restarts as usize, "time");
        text.push_str(&format!("; it was started again {times} before"));
    }
    text
}

/// Whether a warning makes the verdict worse.
pub(super) fn counts(warning: &Warning) -> bool {
    let log_only = matches!(warning.kind, WarningKind::Storage | WarningKind::RecordsLost);
    !log_only && warning.last_age < RECENT
}

fn split(instances: &[InstanceStatus], warnings: &[Warning]) -> Option<String> {
    let split: Vec<(&InstanceStatus, &MasterStatus)> = instances
        .iter()
        .filter_map(|instance| Some((instance, rivals(instance).next()?.1)))
        .collect();
    let (instance, rival) = *split.first()?;
    let first = format!("{}: {}", instance.name, too(instance, rival));
    let text = match split.len() {
        1 => first,
        several => format!("{several} of {} ({first})", instances.len()),
    };
    let others = warnings.iter().filter(|w| counts(w) && w.kind != WarningKind::SplitBrain);
    Some(text + &and_more(others.count()))
}

fn degraded(
    document: &Document,
    instances: &[InstanceStatus],
    warnings: &[Warning],
) -> Option<String> {
    let mut counting = warnings.iter().filter(|warning| counts(warning));
    let first = counting.next()?;
    let mut others = counting.collect::<Vec<_>>();
    let text = match first.kind {
        WarningKind::Fault => {
            others.retain(|warning| warning.kind != WarningKind::Fault);
            out(instances).unwrap_or_else(|| first.text.clone())
        }
        WarningKind::AddressMissing => {
            others.retain(|warning| warning.kind != WarningKind::AddressMissing);
            lacking(instances).unwrap_or_else(|| first.text.clone())
        }
        WarningKind::ReloadRefused => match &document.daemon.configuration.refused {
            Some(refused) => format!("the last reload was refused: {}", first_line(refused)),
            None => first.text.clone(),
        },
        WarningKind::SplitBrain
        | WarningKind::Process
        | WarningKind::NoMaster
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
    let roles = Some(roles(instances)).filter(|roles| !roles.is_empty());
    let roles = roles.map(|roles| format!("; {roles}")).unwrap_or_default();
    Some(text + &and_more(others.len()) + &roles)
}

fn and_more(count: usize) -> String {
    if count == 0 { String::new() } else { format!("; {}", plural(count, "more warning")) }
}

/// "1 of 2 in FAULT (lan: interface "br-lan" is down)".
fn out(instances: &[InstanceStatus]) -> Option<String> {
    let states = [State::Fault, State::Init].into_iter().filter_map(|state| {
        let inside: Vec<_> = instances.iter().filter(|i| i.state == state).collect();
        let names = inside.iter().skip(1).map(|instance| instance.name.as_str());
        let first = inside.first()?;
        let mut why = format!("{}: {}", first.name, out_of_service(first));
        if inside.len() > 1 {
            why = format!("{why}; also {}", some(names));
        }
        Some(format!("{} of {} in {state} ({why})", inside.len(), instances.len()))
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
    let total = instances.len();
    let handing_over = |i: &&InstanceStatus| i.state == State::Master && i.handing_over;
    let master = |i: &&InstanceStatus| i.state == State::Master && !i.handing_over;
    let backups: Vec<_> = instances.iter().filter(|i| i.state == State::Backup).collect();
    let mut parts = Vec::new();
    for (role, count) in [
        ("MASTER of", instances.iter().filter(master).count()),
        ("handing over", instances.iter().filter(handing_over).count()),
        ("BACKUP of", backups.len()),
    ] {
        if count > 0 {
            parts.push(format!("{role} {count}/{total}"));
        }
    }
    if !backups.is_empty() {
        parts.push(heard(&backups));
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
