//! What a reload changes: as large as the difference, and not as the configuration.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::from_config;
use super::settings::{GroupSettings, InstanceSettings, Settings};
use crate::config::diff::{Changes, Fate};
use crate::config::model::{Instance, Model};
use crate::sorted::Set;

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
        let changes = Changes::between(&old.instances, &new.instances, |i| &i.name);
        Self {
            instances: pieces(&changes, &new.instances, |_, _| true, |i| Some(i.clone())),
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
        let has = |set: &Set<&str>, instance: &Instance| set.contains(&*instance.settings.name);
        let before = old.map(|old| &*old.instances).unwrap_or_default();
        let changes = Changes::between(before, &new.instances, |i| &i.settings.name);
        let same = |was_at: usize, new: &Instance| {
            let was = before.get(was_at).is_some_and(|was| has(&was_in_group, was));
            comparable && was == has(&in_group, new)
        };
        let settings = |i: &Instance| from_config::instance(i, has(&in_group, i), &new.trackers);
        Self {
            instances: pieces(&changes, &new.instances, same, settings),
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

/// The instances of a new configuration. `same` says whether one that has not changed itself may
/// stay as it was, at the place that it had; `settings` makes those of the others.
fn pieces<T>(
    changes: &Changes,
    new: &[T],
    same: impl Fn(usize, &T) -> bool,
    settings: impl Fn(&T) -> Option<InstanceSettings>,
) -> Vec<Piece> {
    let mut pieces: Vec<Piece> = Vec::new();
    for (item, (_, fate)) in new.iter().zip(&changes.new) {
        let was_at = match *fate {
            Fate::Same { was_at } if same(was_at, item) => u32::try_from(was_at).ok(),
            Fate::Same { .. } | Fate::Added | Fate::Changed(_) => None,
        };
        match (was_at, pieces.last_mut()) {
            (Some(at), Some(Piece::Same { from, count })) if *from + *count == at => *count += 1,
            (Some(from), _) => pieces.push(Piece::Same { from, count: 1 }),
            (None, Some(Piece::New(all))) => all.extend(settings(item)),
            (None, _) => pieces.push(Piece::New(settings(item).into_iter().collect())),
        }
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::model::FileTracker;
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
            ..FileTracker::default()
        });
        assert!(matches!(&*check(&alone, &tracker).instances, [Piece::New(_)]));
    }
}
