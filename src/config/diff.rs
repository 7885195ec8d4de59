//! What is different between two models, for a reload and for a person who looks at one.

use crate::sorted::Map;
use std::fmt;

use super::model::Model;
use super::section::Section;

/// The differences between two models.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Diff {
    /// Keys of `[global]`. Defaults for instances show as changes of the instances.
    pub global: Vec<String>,
    /// Keys of `[static]`.
    pub statics: Vec<String>,
    /// Instances.
    pub instances: Changes,
    /// Groups.
    pub groups: Changes,
    /// Scripts.
    pub scripts: Changes,
    /// Files.
    pub files: Changes,
    /// Processes.
    pub processes: Changes,
    /// BFD sessions.
    pub bfd: Changes,
}

/// What became of the tables of one kind.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Changes {
    /// Each table of the new model, in its order.
    pub new: Vec<(Box<str>, Fate)>,
    /// Names of those that only the old model has, in its order.
    pub removed: Vec<Box<str>>,
}

/// What became of a table.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Fate {
    /// Only the new model has it.
    Added,
    /// Both have it, with other values of these keys.
    Changed(Vec<String>),
    /// It is as it was.
    Same {
        /// Its place in the old model.
        was_at: usize,
    },
}

/// What became of the table at the first place of the old model, which is at the second one of the
/// new model.
type Compare<'a> = dyn Fn(usize, usize) -> Option<Fate> + 'a;

impl Changes {
    /// Whether nothing is different.
    pub fn is_empty(&self) -> bool {
        let same = |(_, fate): &(Box<str>, Fate)| matches!(fate, Fate::Same { .. });
        self.removed.is_empty() && self.new.iter().all(same)
    }

    /// Compares tables with the same name.
    pub fn between<T: Section>(old: &[T], new: &[T], name: impl Fn(&T) -> &str) -> Self {
        let names = [old, new].map(|tables| tables.iter().map(&name).collect::<Vec<_>>());
        Self::of_names(&names, &|was_at, at| {
            let (was, is) = (old.get(was_at)?, new.get(at)?);
            if was == is {
                return Some(Fate::Same { was_at });
            }
            let mut keys = Vec::new();
            was.changed(is, "", &mut keys);
            Some(Fate::Changed(keys))
        })
    }

    /// The same for the names of tables, of the old model and of the new one; `compare` gets the
    /// places of two tables with the same name.
    fn of_names([old, new]: &[Vec<&str>; 2], compare: &Compare<'_>) -> Self {
        let mut changes = Self::default();
        // Most often all are in their places, and need not be looked for.
        let in_place = old == new;
        let moved: &[&str] = if in_place { &[] } else { old };
        let mut before: Map<&str, usize> =
            moved.iter().enumerate().map(|(at, name)| (*name, at)).collect();
        for (at, name) in new.iter().enumerate() {
            let was_at = if in_place { Some(at) } else { before.remove(name) };
            let fate = was_at.and_then(|was_at| compare(was_at, at)).unwrap_or(Fate::Added);
            changes.new.push(((*name).into(), fate));
        }
        let gone = old.iter().filter(|name| before.contains_key(*name));
        changes.removed = gone.map(|name| (*name).into()).collect();
        changes
    }
}

impl Diff {
    /// From the old model to the new one.
    pub fn between(old: &Model, new: &Model) -> Self {
        let (was, is) = (&old.trackers, &new.trackers);
        let mut diff = Self {
            global: Vec::new(),
            statics: Vec::new(),
            instances: Changes::between(&old.instances, &new.instances, |i| &i.settings.name),
            groups: Changes::between(&old.groups, &new.groups, |group| &group.name),
            scripts: Changes::between(&was.scripts, &is.scripts, |tracker| &tracker.name),
            files: Changes::between(&was.files, &is.files, |tracker| &tracker.name),
            processes: Changes::between(&was.processes, &is.processes, |tracker| &tracker.name),
            bfd: Changes::between(&was.bfd, &is.bfd, |tracker| &tracker.name),
        };
        old.global.changed(&new.global, "", &mut diff.global);
        old.statics.changed(&new.statics, "", &mut diff.statics);
        diff
    }

    /// Whether nothing is different.
    pub fn is_empty(&self) -> bool {
        self.global.is_empty()
            && self.statics.is_empty()
            && self.tables().iter().all(|(_, changes)| changes.is_empty())
    }

    /// The kinds of named tables, with what to call them.
    fn tables(&self) -> [(&'static str, &Changes); 6] {
        [
            ("instance", &self.instances),
            ("group", &self.groups),
            ("script", &self.scripts),
            ("file", &self.files),
            ("process", &self.processes),
            ("bfd session", &self.bfd),
        ]
    }
}

/// One line for each difference; nothing when there is none.
impl fmt::Display for Diff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, keys) in [("global", &self.global), ("static", &self.statics)] {
            if !keys.is_empty() {
                writeln!(f, "{name} changed: {}", keys.join(", "))?;
            }
        }
        for (kind, changes) in self.tables() {
            for name in &changes.removed {
                writeln!(f, "{kind} {name} removed")?;
            }
            for (name, fate) in &changes.new {
                if matches!(fate, Fate::Added) {
                    writeln!(f, "{kind} {name} added")?;
                }
            }
            for (name, fate) in &changes.new {
                if let Fate::Changed(keys) = fate {
                    writeln!(f, "{kind} {name} changed: {}", keys.join(", "))?;
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::parse;

    fn model(text: &str) -> Model {
        let parsed = parse(text, None);
        let messages: Vec<String> = parsed.diagnostics.into_iter().map(|d| d.message).collect();
        parsed.model.unwrap_or_else(|| panic!("{messages:#?}"))
    }

    fn lan(lines: &str) -> String {
        format!(
            "[vrrp.instance.lan]\ninterface = \"eth0\"\nvirtual_router_id = 7\nversion = 3\n\
             virtual_addresses = [\"10.0.0.1/24\"]\n{lines}\n"
        )
    }

    #[test]
    fn the_same_is_no_difference() {
        let diff = Diff::between(&model(&lan("")), &model(&lan("priority = 100")));
        assert!(diff.is_empty(), "{diff}");
        assert_eq!(diff.to_string(), "");
    }

    #[test]
    fn differences_are_named() {
        let wan = "[vrrp.instance.wan]\ninterface = \"wan\"\nvirtual_router_id = 7\nversion = 3\n\
                   virtual_addresses = [\"10.0.1.1/24\"]\n";
        let old = model(&lan(wan));
        let new = model(&format!(
            "[global]\nrouter_id = \"a\"\nvrrp_garp_master_repeat = 3\nvrrp_no_swap = true\n\
             vrrp_rt_priority = 50\n{}",
            lan("priority = 7\n[vrrp.instance.dmz]\ninterface = \"dmz\"\nvirtual_router_id = 9\n\
                 virtual_addresses = [\"10.0.2.1/24\"]\n")
        ));
        assert_eq!(
            Diff::between(&old, &new).to_string(),
            "global changed: router_id, vrrp_rt_priority, vrrp_no_swap\ninstance wan removed\n\
             instance dmz added\n\
             instance lan changed: priority, garp_master_repeat, garp_lower_prio_repeat\n"
        );
        let (name, fate) = Diff::between(&new, &old).instances.new.remove(1);
        assert_eq!((&*name, fate), ("wan", Fate::Added));
    }
}
