//! What the keys of one instance say together.

use crate::sorted::Set;

use super::Checker;
use crate::config::locate::Step;
use crate::config::model::{Authentication, Checksum, Instance, Preempt, TrackRef, Tracking};
use crate::config::suggest::nearest;
use crate::config::{diagnostic::Diagnostic, reader::join};
use crate::units::{Family, Version};

/// Checks one instance.
pub fn check(checker: &mut Checker<'_>, instance: &Instance) {
    preemption(checker, instance);
    version(checker, instance);
    if instance.settings.strict {
        strict(checker, instance);
    }
    if instance.settings.timer_expired_backup.is_some() && instance.settings.preempt != Preempt::Off
    {
        checker.error(
            instance,
            "timer_expired_backup",
            "works only without preemption",
            "add preempt = false, or remove timer_expired_backup",
        );
    }
    let weighted = instance
        .track
        .interfaces
        .iter()
        .any(|tracked| tracked.weight.is_some_and(|weight| weight.weight != 0));
    if instance.settings.priority.is_owner() && weighted {
        checker.warning(
            instance,
            "track_interfaces",
            "weights do not change the priority of an address owner",
            "write priority = 254 or less, or remove the weight",
        );
    }
    let own = |tracked: &&TrackRef| {
        tracked.name == instance.settings.interface && tracked.weight.is_none()
    };
    if !instance.settings.dont_track_primary && instance.track.interfaces.iter().any(|t| own(&t)) {
        checker.warning(
            instance,
            "track_interfaces",
            &format!(
                "{} is the interface of the instance, which is tracked anyway",
                instance.settings.interface
            ),
            "remove it, or add a weight",
        );
    }
    let path = [Step::Key("vrrp"), Step::Key("instance"), Step::Key(&instance.settings.name)];
    tracking(checker, &path, ("vrrp.instance", &instance.settings.name), &instance.track);
}

/// `preempt` and `preempt_delay` (`vrrp:S-14`, `S-17`, `S-31`).
fn preemption(checker: &mut Checker<'_>, instance: &Instance) {
    let owner = instance.settings.priority.is_owner();
    if owner && instance.settings.preempt == Preempt::Off {
        checker.error(
            instance,
            "preempt",
            "the address owner (priority 255) always takes over",
            "write priority = 254 or less, or remove preempt = false",
        );
    }
    if instance.settings.preempt_delay.is_zero() {
        return;
    }
    let (what, help) = match instance.settings.preempt {
        Preempt::Off => ("there is no preemption to delay", "remove preempt_delay"),
        Preempt::Immediate => (
            "preempt = \"immediate\" takes over without any delay",
            "write preempt = true, or remove preempt_delay",
        ),
        Preempt::On if owner => (
            "the address owner (priority 255) takes over without any delay",
            "write priority = 254 or less, or remove preempt_delay",
        ),
        Preempt::On if instance.settings.strict => {
            ("strict_mode has no delay", "remove preempt_delay, or strict_mode")
        }
        Preempt::On => return,
    };
    checker.error(instance, "preempt_delay", what, help);
}

/// What only one of the versions has.
fn version(checker: &mut Checker<'_>, instance: &Instance) {
    match instance.settings.version {
        Version::V2 => {
            let v6 = instance.addresses.iter().position(|a| Family::of(a.address) == Family::V6);
            if v6.is_some() {
                checker.error(
                    instance,
                    "version",
                    "version 2 is for IPv4 only, and there are IPv6 addresses",
                    "write version = 3 on all routers that share the addresses",
                );
            }
            if instance.settings.checksum != Checksum::PseudoHeader {
                checker.error(
                    instance,
                    "checksum",
                    "the checksum of version 2 has no variants",
                    "remove checksum, or write version = 3 on all routers",
                );
            }
            if instance.settings.hand_over && checker.writes(instance, "hand_over") {
                checker.warning(
                    instance,
                    "hand_over",
                    "version 2 cannot hand over without a gap",
                    "write version = 3 on all routers, or remove hand_over",
                );
            }
        }
        Version::V3 => {
            if instance.settings.authentication != Authentication::None {
                checker.error(
                    instance,
                    "authentication",
                    "version 3 has no authentication",
                    "remove it, or write version = 2 on all routers; a password in clear text \
                     protects against mistakes only",
                );
            }
        }
    }
    for (family, written) in [
        (Family::V4, instance.settings.source.v4.is_some()),
        (Family::V6, instance.settings.source.v6.is_some()),
    ] {
        if written && !instance.addresses.is_empty() && !instance.has_family(family) {
            checker.error(
                instance,
                "source_address",
                &format!("there is no virtual {family} address to advertise"),
                &format!("remove the {family} address, or add one to virtual_addresses"),
            );
        }
    }
    if let Some(source) = instance.settings.source.v6
        && !source.is_unicast_link_local()
    {
        checker.warning(
            instance,
            "source_address",
            &format!("{source} is not link-local; other routers may refuse the adverts"),
            "write a link-local address of the interface (fe80::...), or remove the key",
        );
    }
}

/// What strict mode does not allow (section 14 of the rules).
fn strict(checker: &mut Checker<'_>, instance: &Instance) {
    let forbidden = [
        ("authentication", instance.settings.authentication != Authentication::None),
        ("down_timer_adverts", instance.settings.down_timer_adverts != 3),
        ("higher_prio_send_advert", instance.settings.higher_prio_send_advert),
        ("hand_over", instance.settings.hand_over),
        ("garp_lower_prio_repeat", instance.settings.announce.lower_prio_repeat != 0),
    ];
    for (key, against) in forbidden {
        if against && checker.writes(instance, key) {
            let help = format!("remove {key}, or strict_mode");
            checker.error(instance, key, "strict_mode does not allow this", &help);
        }
    }
    if !instance.unicast.peers.is_empty() {
        checker.error(
            instance,
            "unicast_peers",
            "strict_mode is for multicast",
            "remove unicast_peers, or strict_mode",
        );
    }
}

/// The names in `track_*` exist and are there once.
pub fn tracking(
    checker: &mut Checker<'_>,
    path: &[Step<'_>],
    (kind, name): (&str, &str),
    track: &Tracking,
) {
    if *track == Tracking::default() {
        return;
    }
    let name = join(kind, name);
    let trackers = &checker.model.trackers;
    let scripts: Vec<&str> = trackers.scripts.iter().map(|tracker| &*tracker.name).collect();
    let files: Vec<&str> = trackers.files.iter().map(|tracker| &*tracker.name).collect();
    let processes: Vec<&str> = trackers.processes.iter().map(|tracker| &*tracker.name).collect();
    let bfd: Vec<&str> = trackers.bfd.iter().map(|tracker| &*tracker.name).collect();
    let lists = [
        ("track_interfaces", "", &track.interfaces, None),
        ("track_scripts", "track.script", &track.scripts, Some(scripts)),
        ("track_files", "track.file", &track.files, Some(files)),
        ("track_processes", "track.process", &track.processes, Some(processes)),
        ("track_bfd", "track.bfd", &track.bfd, Some(bfd)),
    ];
    for (key, table, list, known) in lists {
        let mut seen = Set::new();
        for (index, reference) in list.iter().enumerate() {
            let what = &*reference.name;
            let place = || {
                let mut steps = path.to_vec();
                steps.extend([Step::Key(key), Step::Index(index)]);
                checker.places.find(&steps)
            };
            if !seen.insert(what) {
                let message = format!("{name}.{key}: {what} is there twice");
                let error = Diagnostic::error(place(), message).help("remove one of them");
                checker.found.push(error);
            } else if let Some(known) = &known
                && !known.contains(&what)
            {
                let span = place();
                let message = format!("{name}.{key}: there is no [{}]", join(table, what));
                let help = match nearest(what, known.iter().copied()) {
                    Some(near) => format!("did you mean {near}?"),
                    None => format!("add [{}], or remove the name", join(table, what)),
                };
                checker.found.push(Diagnostic::error(span, message).help(help));
            }
        }
    }
}
