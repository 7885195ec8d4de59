//! From the model of a configuration to the settings of the engine.

use std::time::Duration;

use super::change::Change;
use super::settings::{GroupSettings, InstanceSettings, Object, Settings, Track, Tracker};
use crate::config::model::{self, Instance, Model, TrackRef, Trackers, Tracking, Weight};
use crate::config::section::Section;
use crate::sorted::Set;
use crate::units::{Priority, Version};

impl Settings {
    /// What the engine is to do for a model that was checked.
    pub fn from_model(model: &Model) -> Self {
        Change::between_models(None, model).into_settings().unwrap_or_default()
    }
}

/// The instances in which trackers with a weight do not count, since their group does not say so.
pub(super) fn unweighted(model: &Model) -> Set<&str> {
    let groups = model.groups.iter().filter(|group| !group.tracking_weight);
    let mut names: Set<&str> = Set::new();
    names.extend(groups.flat_map(|group| group.instances.iter().map(|name| &**name)));
    names
}

/// The groups.
pub(super) fn groups(model: &Model) -> Vec<GroupSettings> {
    let settings = |group: &model::Group| GroupSettings {
        name: group.name.clone(),
        members: group.instances.clone(),
        track: tracks(&group.track, &model.trackers),
    };
    model.groups.iter().map(settings).collect()
}

/// Settings of one instance; `in_group` as [`unweighted`] says. `None` when it asks for what is not
/// built yet, which the reader refuses: without authentication, say, it must not run.
pub(super) fn instance(
    from: &Instance,
    in_group: bool,
    trackers: &Trackers,
) -> Option<InstanceSettings> {
    if from.needs_unbuilt() {
        return None;
    }
    let mut track = tracks(&from.track, trackers);
    if in_group {
        track.retain(|track| track.weight == 0);
    }
    let objects = objects(from);
    track.extend(in_use(from, &objects));
    let mut settings = InstanceSettings {
        objects,
        unicast_peers: from.unicast.peers.iter().map(|peer| peer.address).collect(),
        check_unicast_source: from.unicast.check_source,
        track,
        ..from.settings.clone()
    };
    settings.hand_over &= settings.version == Version::V3 && !settings.strict;
    if settings.strict {
        // Nothing extra is sent.
        settings.lower_prio_no_advert = true;
        settings.higher_prio_send_advert = false;
        settings.owner_ignore_adverts |= settings.priority.is_owner();
        settings.announce.lower_prio_repeat = 0;
        settings.announce.lower_prio_delay = Duration::ZERO;
    }
    Some(settings)
}

/// The interfaces that addresses and routes name, unless `no_track` stands there, or the instance
/// says itself how they count.
fn in_use(from: &Instance, objects: &[Object]) -> Vec<Track> {
    let mut tracks: Vec<Track> = Vec::new();
    let tracked = objects.iter().filter(|object| object.tracked());
    for name in tracked.flat_map(Object::interfaces) {
        let is_listed = from.track.interfaces.iter().any(|listed| *listed.name == *name);
        let tracker = Tracker::InUse(name.into());
        let is_own = *name == *from.settings.interface;
        if !is_listed && !is_own && !tracks.iter().any(|known| known.tracker == tracker) {
            tracks.push(Track { tracker, weight: 0, reverse: false });
        }
    }
    tracks
}

/// In the order of installing (`vrrp:S-42`).
fn objects(from: &Instance) -> Vec<Object> {
    let filter =
        (!from.accept && from.settings.priority != Priority::OWNER).then_some(Object::Filter);
    let addresses = from.addresses.iter().cloned().map(Object::Address);
    let excluded = from.excluded.iter().cloned().map(Object::Excluded);
    let routes = from.routes.iter().cloned().map(Object::Route);
    let rules = from.rules.iter().cloned().map(Object::Rule);
    filter.into_iter().chain(addresses).chain(excluded).chain(routes).chain(rules).collect()
}

fn tracks(from: &Tracking, trackers: &Trackers) -> Vec<Track> {
    let interfaces = from.interfaces.iter().map(|reference| {
        track(Tracker::Interface(reference.name.clone()), reference, Weight::default())
    });
    let scripts = from.scripts.iter().map(|reference| {
        let own = trackers.scripts.iter().find(|tracker| tracker.name == reference.name);
        named(reference, own.map(|own| Weight { weight: own.weight, reverse: own.reverse }))
    });
    let files = from.files.iter().map(|reference| {
        let own = trackers.files.iter().find(|tracker| tracker.name == reference.name);
        named(reference, own.map(|own| Weight { weight: own.weight, reverse: own.reverse }))
    });
    let processes = from.processes.iter().map(|reference| {
        let own = trackers.processes.iter().find(|tracker| tracker.name == reference.name);
        named(reference, own.map(|own| Weight { weight: own.weight, reverse: own.reverse }))
    });
    let bfd = from.bfd.iter().map(|reference| {
        let own = trackers.bfd.iter().find(|tracker| tracker.name == reference.name);
        named(reference, own.map(|own| Weight { weight: own.weight, reverse: own.reverse }))
    });
    interfaces.chain(scripts).chain(files).chain(processes).chain(bfd).collect()
}

fn named(reference: &TrackRef, own: Option<Weight>) -> Track {
    track(Tracker::Named(reference.name.clone()), reference, own.unwrap_or_default())
}

fn track(tracker: Tracker, reference: &TrackRef, own: Weight) -> Track {
    let weight = reference.weight.unwrap_or(own);
    Track { tracker, weight: weight.weight, reverse: weight.reverse }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::parse;
    use crate::units::{Centiseconds, Family, Vrid};
    use crate::vrrp::settings::{Backups, Preempt};

    fn settings(text: &str) -> Settings {
        let parsed = parse(text, None);
        let messages: Vec<String> = parsed.diagnostics.into_iter().map(|d| d.message).collect();
        Settings::from_model(&parsed.model.unwrap_or_else(|| panic!("{messages:#?}")))
    }

    #[test]
    fn defaults_are_keepalived_s() {
        let settings = settings(
            "[vrrp.instance.a]\ninterface = \"eth0\"\nvirtual_router_id = 7\n\
             virtual_addresses = [\"10.0.0.1/24\"]\n",
        );
        let a = &settings.instances[0];
        assert_eq!(a.vrid, Vrid::new(7).unwrap());
        assert_eq!(a.version, Version::V2);
        assert_eq!(a.priority, Priority::DEFAULT);
        assert_eq!(a.interval, Centiseconds::SECOND);
        assert_eq!((a.preempt, a.preempt_delay), (Preempt::On, Duration::ZERO));
        assert_eq!(a.announce.repeat, 5);
        assert_eq!(a.announce.delay, Duration::from_secs(5));
        assert!(a.answers_lower_priority());
        assert!(!a.hand_over, "version 2 has no planned hand-over");
        assert_eq!(a.backups(), Backups::Several);
        assert!(a.has_family(Family::V4) && !a.has_family(Family::V6));
    }

    #[test]
    fn objects_are_in_the_order_of_installing() {
        let settings = settings(
            "[vrrp.instance.a]\ninterface = \"eth0\"\nvirtual_router_id = 7\nversion = 3\n\
             virtual_rules = [\"from 10.0.0.0/8 table 100 priority 500\"]\n\
             virtual_routes = [\"default via 10.0.0.254 dev eth0\"]\n\
             excluded_addresses = [\"10.0.0.2/24\"]\nvirtual_addresses = [\"10.0.0.1/24\"]\n",
        );
        let kinds: Vec<&str> = settings.instances[0]
            .objects
            .iter()
            .map(|object| match object {
                Object::Filter => "filter",
                Object::Address(_) => "address",
                Object::Excluded(_) => "excluded",
                Object::Route(_) => "route",
                Object::Rule(_) => "rule",
            })
            .collect();
        assert_eq!(kinds, ["address", "excluded", "route", "rule"]);
        assert!(settings.instances[0].hand_over);
    }

    #[test]
    fn an_instance_that_needs_what_is_not_built_does_not_run() {
        let text = "[vrrp.instance.a]\ninterface = \"eth0\"\nvirtual_router_id = 7\n\
             virtual_addresses = [\"10.0.0.1/24\"]\n";
        let mut model = parse(text, None).model.unwrap();
        assert_eq!(Settings::from_model(&model).instances.len(), 1);
        model.instances[0].hmac = Some(model::Hmac {
            keys: Vec::new(),
            active_key: 1,
            time_window: None,
            monotonic: false,
            mode: model::HmacMode::Enforce,
        });
        assert_eq!(Settings::from_model(&model).instances, []);
    }

    #[test]
    fn strict_mode_sends_nothing_extra() {
        let settings = settings(
            "[global]\nvrrp_strict = true\nvrrp_higher_prio_send_advert = true\n\
             [vrrp.instance.a]\ninterface = \"eth0\"\nvirtual_router_id = 7\nversion = 3\n\
             virtual_addresses = [\"10.0.0.1/24\"]\n",
        );
        let a = &settings.instances[0];
        assert!(
            a.strict && !a.hand_over && !a.answers_lower_priority() && !a.higher_prio_send_advert
        );
        assert_eq!(a.announce.lower_prio_repeat, 0);
    }

    #[test]
    fn weights_count_in_members_only_when_the_group_says_so() {
        let text = "[vrrp.instance.a]\ninterface = \"eth0\"\nvirtual_router_id = 7\n\
             virtual_addresses = [\"10.0.0.1/24\"]\ntrack_interfaces = { wan = -40, dmz = {} }\n\
             [vrrp.instance.b]\ninterface = \"eth1\"\nvirtual_router_id = 7\n\
             virtual_addresses = [\"10.0.1.1/24\"]\n\
             [vrrp.group.g]\ninstances = [\"a\", \"b\"]\ntrack_interfaces = [\"mgmt\"]\n";
        let plain = settings(text);
        assert_eq!(plain.instances[0].track.len(), 1);
        assert_eq!(plain.instances[0].track[0].tracker, Tracker::Interface("dmz".into()));
        assert_eq!(plain.groups[0].track[0].tracker, Tracker::Interface("mgmt".into()));
        let counted = settings(&format!("{text}sync_group_tracking_weight = true\n"));
        assert_eq!(counted.instances[0].track.len(), 2);
    }

    #[test]
    fn interfaces_in_use_are_tracked_unless_it_is_said_otherwise() {
        let tracked = |lines: &str| {
            let text = format!(
                "[vrrp.instance.a]\ninterface = \"eth0\"\nvirtual_router_id = 7\n{lines}\n"
            );
            let mut settings = settings(&text);
            settings.instances.remove(0).track
        };
        let in_use = |name: &str| {
            let tracker = Tracker::InUse(name.into());
            Track { tracker, weight: 0, reverse: false }
        };
        let addresses = "virtual_addresses = [\"10.0.0.1/24 dev wan\", \"10.0.0.2/24 dev eth0\"]";
        assert_eq!(tracked(addresses), [in_use("wan")]);
        let more = "excluded_addresses = [{ address = \"10.0.1.1/24\", dev = \"dmz\" }]\n\
                    virtual_routes = [\"10.1.0.0/16 dev wan\", \
                    \"10.2.0.0/16 nexthop via 10.0.0.9 dev a nexthop via 10.0.0.8 dev b\"]";
        let all = tracked(&format!("{addresses}\n{more}"));
        assert_eq!(all, ["wan", "dmz", "a", "b"].map(in_use));
        let silent = "virtual_addresses = [\"10.0.0.1/24 dev wan no_track\"]\n\
                      excluded_addresses = [{ address = \"10.0.1.1/24\", dev = \"dmz\", \
                      no_track = true }]\nvirtual_routes = [\"10.1.0.0/16 dev wan no_track\"]";
        assert_eq!(tracked(silent), []);
        let listed = tracked(&format!("{addresses}\ntrack_interfaces = {{ wan = -40 }}"));
        assert_eq!(listed.len(), 1);
        assert_eq!(
            (&listed[0].tracker, listed[0].weight),
            (&Tracker::Interface("wan".into()), -40)
        );
    }

    #[test]
    fn a_tracker_has_its_own_weight_unless_the_instance_gives_one() {
        let weight = |weight| Weight { weight, reverse: false };
        let trackers = Trackers {
            files: vec![model::FileTracker {
                name: "f".into(),
                file: "/run/f".into(),
                weight: 1,
                ..model::FileTracker::default()
            }],
            ..Trackers::default()
        };
        let of = |weight| {
            let files = vec![TrackRef { name: "f".into(), weight }];
            let tracks = tracks(&Tracking { files, ..Tracking::default() }, &trackers);
            assert_eq!(tracks[0].tracker, Tracker::Named("f".into()));
            tracks[0].weight
        };
        assert_eq!(of(None), 1);
        assert_eq!(of(Some(weight(-9))), -9);
    }
}
