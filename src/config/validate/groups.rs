//! Sync groups.

use crate::sorted::Map;

use super::{Checker, instance};
use crate::config::diagnostic::Diagnostic;
use crate::config::locate::Step;
use crate::config::model::{Group, Instance};
use crate::config::reader::join;
use crate::config::suggest::nearest;

/// Checks all groups.
pub fn check(checker: &mut Checker<'_>) {
    let model = checker.model;
    if model.groups.is_empty() {
        return;
    }
    let known: Map<&str, &Instance> =
        model.instances.iter().map(|instance| (&*instance.settings.name, instance)).collect();
    // Where each instance was seen as a member first.
    let mut seen: Map<&str, (&Group, usize)> = Map::new();
    for group in &model.groups {
        let path = [Step::Key("vrrp"), Step::Key("group"), Step::Key(&group.name)];
        let name = join("vrrp.group", &group.name);
        let list = join(&name, "instances");
        instance::tracking(checker, &path, ("vrrp.group", &group.name), &group.track);
        for (index, member) in group.instances.iter().enumerate() {
            let here = checker.places.find(&member_path(group, index));
            if !known.contains_key(&**member) {
                let message = format!("{list}: there is no instance {member}");
                let help = match nearest(member, known.keys().copied()) {
                    Some(near) => format!("did you mean {near}?"),
                    None => format!("add [{}], or remove it", join("vrrp.instance", member)),
                };
                checker.found.push(Diagnostic::error(here, message).help(help));
            } else if let Some((other, other_index)) = seen.insert(member, (group, index)) {
                let there = checker.places.find(&member_path(other, other_index));
                let (message, help) = if std::ptr::eq(other, group) {
                    (format!("{member} is there twice"), "remove one of them")
                } else {
                    (
                        format!("{member} is in group {} already", other.name),
                        "remove it from one of the two, or make one group of both",
                    )
                };
                let message = format!("{list}: {message}");
                let error = Diagnostic::error(here, message).related(there, "here");
                checker.found.push(error.help(help));
            }
        }
        let members = || group.instances.iter().filter_map(|member| known.get(&**member).copied());
        size(checker, group, &list);
        priorities(checker, group, &list, members());
        weights(checker, group, members());
    }
}

/// The way to a member of a group.
fn member_path(group: &Group, index: usize) -> [Step<'_>; 5] {
    let group = Step::Key(&group.name);
    [Step::Key("vrrp"), Step::Key("group"), group, Step::Key("instances"), Step::Index(index)]
}

fn size(checker: &mut Checker<'_>, group: &Group, list: &str) {
    let steps = [Step::Key("vrrp"), Step::Key("group"), Step::Key(&group.name)];
    let steps = [&steps[..], &[Step::Key("instances")]].concat();
    if group.instances.len() > 1 || !checker.places.is_written(&steps) {
        return;
    }
    let span = checker.places.find(&steps);
    let first = [&steps[..], &[Step::Index(0)]].concat();
    if group.instances.is_empty() {
        // Names that could not be read are reported already, and so is what is no list.
        let reported = checker.found.iter().any(|found| found.span == span);
        if !reported && !checker.places.is_written(&first) {
            let error = Diagnostic::error(span, format!("{list}: the group is empty"));
            checker.found.push(error.help("write instances = [\"lan\", \"wan\"]"));
        }
        return;
    }
    let warning = Diagnostic::warning(span, format!("{list}: a group of one does nothing"));
    checker.found.push(warning.help("add another instance, or remove the group"));
}

/// With different priorities the members would elect different masters.
fn priorities<'a>(
    checker: &mut Checker<'_>,
    group: &Group,
    list: &str,
    mut members: impl Iterator<Item = &'a Instance>,
) {
    let Some(first) = members.next() else { return };
    let Some(other) = members.find(|member| member.settings.priority != first.settings.priority)
    else {
        return;
    };
    let steps = [Step::Key("vrrp"), Step::Key("group"), Step::Key(&group.name)];
    let span = checker.places.find(&[&steps[..], &[Step::Key("instances")]].concat());
    let message = format!(
        "{list}: {} has priority {} and {} has {}",
        first.settings.name, first.settings.priority, other.settings.name, other.settings.priority
    );
    let help = "write the same priority for all members: the group is master only while every \
                member wins its own election";
    checker.found.push(Diagnostic::warning(span, message).help(help));
}

/// Weights of members do not count, unless the group says so.
fn weights<'a>(
    checker: &mut Checker<'_>,
    group: &Group,
    members: impl Iterator<Item = &'a Instance>,
) {
    if group.tracking_weight {
        return;
    }
    for member in members {
        let mut weights = member.track.interfaces.iter().filter_map(|tracked| tracked.weight);
        if weights.any(|weight| weight.weight != 0) {
            let what = format!("the weight does not count in a member of group {}", group.name);
            let help = format!(
                "move track_interfaces to [{}], or write sync_group_tracking_weight = true there",
                join("vrrp.group", &group.name)
            );
            checker.warning(member, "track_interfaces", &what, &help);
        }
    }
}
