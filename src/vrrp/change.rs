//! What a reload changes: as large as the difference, and not as the configuration.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::from_config;
use super::settings::{GroupSettings, InstanceSettings, Settings};
use crate::config::model::{Instance, Model};
use crate::sorted::Set;

/// How far is looked for the instance of a name, when others are in its place. Whoever has been
/// moved further is told anew.
const AHEAD: usize = 16;

/// The settings of a new generation, told by those in effect.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Change {
    /// All instances, in configuration order.
    pub instances: Vec<Piece>,
    /// All groups.
    pub groups: Vec<GroupSettings>,
    /// As [`Settings::startup_delay`].
    pub startup_delay: Duration,
}

/// Some instances, one after the other.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub enum Piece {
    /// They are as before.
    Same {
        /// The place that the first of them had.
        from: u32,
        /// How many.
        count: u32,
    },
    /// They are new, or not as before.
    New(Vec<InstanceSettings>),
}

impl Change {
    /// From one configuration to the next.
    pub fn between(old: &Settings, new: &Settings) -> Self {
        let (old, new_instances) = (&old.instances, &new.instances);
        Self {
            instances: pieces(old, new_instances, |i| &i.name, |a, b| a == b, Clone::clone),
            groups: new.groups.clone(),
            startup_delay: new.startup_delay,
        }
    }

    /// The same of models that were checked; the settings of instances that stay are not even
    /// made. Without an old one, everything is new.
    pub fn between_models(old: Option<&Model>, new: &Model) -> Self {
        let was_in_group = old.map(from_config::unweighted).unwrap_or_default();
        let in_group = from_config::unweighted(new);
        // What an instance tracks says it with the words of the trackers.
        let comparable = old.is_some_and(|old| old.trackers == new.trackers);
        let has = |set: &Set<&str>, instance: &Instance| set.contains(&*instance.name);
        let same = |a: &Instance, b: &Instance| {
            comparable && has(&was_in_group, a) == has(&in_group, b) && a == b
        };
        let settings = |i: &Instance| from_config::instance(i, has(&in_group, i), &new.trackers);
        let before = old.map(|old| &*old.instances).unwrap_or_default();
        Self {
            instances: pieces(before, &new.instances, |i| &i.name, same, settings),
            groups: from_config::groups(new),
            startup_delay: new.global.startup_delay,
        }
    }

    /// All of the settings, if this says all of them.
    pub fn into_settings(self) -> Option<Settings> {
        let (groups, startup_delay) = (self.groups, self.startup_delay);
        let mut instances = Vec::new();
        for piece in self.instances {
            match piece {
                Piece::New(all) if instances.is_empty() => instances = all,
                Piece::New(all) => instances.extend(all),
                Piece::Same { .. } => return None,
            }
        }
        Some(Settings { instances, groups, startup_delay })
    }
}

fn pieces<T>(
    old: &[T],
    new: &[T],
    name: impl Fn(&T) -> &str,
    same: impl Fn(&T, &T) -> bool,
    settings: impl Fn(&T) -> InstanceSettings,
) -> Vec<Piece> {
    let mut pieces: Vec<Piece> = Vec::new();
    let mut place = 0;
    for item in new {
        let ahead = old.get(place..).unwrap_or_default().iter().take(AHEAD);
        let found = ahead.zip(place..).find(|(before, _)| name(before) == name(item));
        if let Some((before, at)) = found {
            place = at + 1;
            if same(before, item) {
                let at = u32::try_from(at).unwrap_or(u32::MAX);
                match pieces.last_mut() {
                    Some(Piece::Same { from, count }) if *from + *count == at => *count += 1,
                    _ => pieces.push(Piece::Same { from: at, count: 1 }),
                }
                continue;
            }
        }
        match pieces.last_mut() {
            Some(Piece::New(all)) => all.push(settings(item)),
            _ => pieces.push(Piece::New(vec![settings(item)])),
        }
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::model::{FileTracker, Weight};
    use crate::config::parse;

    fn parsed(text: &str) -> Model {
        let parsed = parse(text, None);
        let messages: Vec<String> = parsed.diagnostics.into_iter().map(|d| d.message).collect();
        parsed.model.unwrap_or_else(|| panic!("{messages:#?}"))
    }

    fn model(instances: &[(u8, u8)]) -> Model {
        let instance = |(vrid, priority): &(u8, u8)| {
            format!(
                "[vrrp.instance.i{vrid}]\ninterface = \"eth0\"\nvirtual_router_id = {vrid}\n\
                 priority = {priority}\nvirtual_addresses = [\"10.0.0.{vrid}/24\"]\n"
            )
        };
        parsed(&instances.iter().map(instance).collect::<String>())
    }

    /// What a receiver that has the old settings makes of a change.
    fn applied(old: &Settings, change: &Change) -> Settings {
        let mut instances = Vec::new();
        for piece in &change.instances {
            match piece {
                Piece::Same { from, count } => {
                    instances
                        .extend_from_slice(&old.instances[*from as usize..][..*count as usize]);
                }
                Piece::New(new) => instances.extend_from_slice(new),
            }
        }
        let (groups, startup_delay) = (change.groups.clone(), change.startup_delay);
        Settings { instances, groups, startup_delay }
    }

    fn check(old: &Model, new: &Model) -> Change {
        let (was, is) = (Settings::from_model(old), Settings::from_model(new));
        let change = Change::between_models(Some(old), new);
        assert_eq!(Change::between_models(None, new).into_settings(), Some(is.clone()));
        assert_eq!(applied(&was, &change), is);
        assert_eq!(applied(&was, &Change::between(&was, &is)), is);
        change
    }

    #[test]
    fn only_what_changes_is_told() {
        let old = model(&[(1, 50), (2, 50), (3, 50), (4, 50)]);
        let new = model(&[(1, 50), (2, 60), (3, 50), (4, 50)]);
        let change = check(&old, &new);
        let [Piece::Same { from: 0, count: 1 }, Piece::New(new), Piece::Same { from: 2, count: 2 }] =
            &*change.instances
        else {
            panic!("{change:#?}")
        };
        assert_eq!(new.len(), 1);
        assert!(matches!(&*check(&old, &old).instances, [Piece::Same { from: 0, count: 4 }]));
    }

    #[test]
    fn added_removed_and_moved() {
        let all = [(1, 50), (2, 50), (3, 50), (4, 50)];
        for other in [
            &[][..],
            &[(1, 50), (9, 50), (2, 50), (3, 50), (4, 50), (8, 50)],
            &[(2, 50), (4, 50)],
            &[(4, 50), (3, 50), (2, 50), (1, 50)],
            &[(3, 50), (9, 50), (1, 60)],
        ] {
            check(&model(&all), &model(other));
            check(&model(other), &model(&all));
        }
        let many: Vec<(u8, u8)> = (1..=100).map(|vrid| (vrid, 50)).collect();
        check(&model(&many), &model(&many[50..]));
        check(&model(&many[50..]), &model(&many));
    }

    #[test]
    fn a_group_or_a_tracker_is_a_change_of_its_members() {
        let instances = "[vrrp.instance.a]\ninterface = \"eth0\"\nvirtual_router_id = 7\n\
             virtual_addresses = [\"10.0.0.1/24\"]\ntrack_interfaces = { wan = -40 }\n\
             [vrrp.instance.b]\ninterface = \"eth1\"\nvirtual_router_id = 7\n\
             virtual_addresses = [\"10.0.1.1/24\"]\n";
        let group = "[vrrp.group.g]\ninstances = [\"a\", \"b\"]\n";
        let (alone, grouped) = (parsed(instances), parsed(&format!("{instances}{group}")));
        assert!(matches!(&*check(&alone, &grouped).instances, [Piece::New(_)]));
        assert!(matches!(&*check(&grouped, &alone).instances, [Piece::New(_)]));
        let mut tracker = alone.clone();
        tracker.trackers.files.push(FileTracker {
            name: "f".into(),
            file: "/run/f".into(),
            weight: Weight::default(),
            init_file: None,
            overwrite: false,
        });
        assert!(matches!(&*check(&alone, &tracker).instances, [Piece::New(_)]));
    }
}
