//! What is different between two models, for a reload and for a person who looks at one.

use std::collections::HashMap;
use std::fmt;

use super::model::{
    BfdTracker, FileTracker, Global, Group, Instance, Model, ProcessOptions, ProcessTracker,
    ScriptTracker, Statics,
};

/// The names of the keys in which two values of a type differ. Names every field of the type, so
/// that a new field cannot be forgotten.
macro_rules! changed_keys {
    ($type:ident, $old:expr, $new:expr, { $($field:ident: $key:expr),* $(,)? }) => {{
        let (old, new): (&$type, &$type) = ($old, $new);
        let $type { $($field: _),* } = old;
        once(&[$(($key, old.$field != new.$field)),*])
    }};
}

/// The keys with `true`, each once.
fn once(differ: &[(&'static str, bool)]) -> Vec<&'static str> {
    let mut keys = Vec::new();
    for (key, differs) in differ {
        if *differs && !keys.contains(key) {
            keys.push(*key);
        }
    }
    keys
}

/// The differences between two models.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Diff {
    /// Keys of `[global]`. Defaults for instances show as changes of the instances.
    pub global: Vec<&'static str>,
    /// Keys of `[static]`.
    pub statics: Vec<&'static str>,
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

/// What became of the tables of one kind, by name.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Changes {
    /// Only in the new model, in its order.
    pub added: Vec<Box<str>>,
    /// Only in the old model, in its order.
    pub removed: Vec<Box<str>>,
    /// In both, with the keys that differ, in the order of the new model.
    pub changed: Vec<(Box<str>, Vec<&'static str>)>,
}

impl Changes {
    /// Whether nothing is different.
    pub fn is_empty(&self) -> bool {
        self.added.is_empty() && self.removed.is_empty() && self.changed.is_empty()
    }

    fn between<T>(
        old: &[T],
        new: &[T],
        name: impl Fn(&T) -> &str,
        keys: impl Fn(&T, &T) -> Vec<&'static str>,
    ) -> Self {
        let mut changes = Self::default();
        // Most often all are in their places, and need not be looked for.
        let in_place =
            old.len() == new.len() && old.iter().zip(new).all(|(a, b)| name(a) == name(b));
        let moved = if in_place { &[] } else { old };
        let mut before: HashMap<&str, &T> = moved.iter().map(|item| (name(item), item)).collect();
        for (at, item) in new.iter().enumerate() {
            let was = if in_place { old.get(at) } else { before.remove(name(item)) };
            match was {
                None => changes.added.push(name(item).into()),
                Some(was) => {
                    let keys = keys(was, item);
                    if !keys.is_empty() {
                        changes.changed.push((name(item).into(), keys));
                    }
                }
            }
        }
        let gone = old.iter().map(name).filter(|name| before.contains_key(name));
        changes.removed = gone.map(Into::into).collect();
        changes
    }
}

impl Diff {
    /// From the old model to the new one.
    pub fn between(old: &Model, new: &Model) -> Self {
        Self {
            global: global(&old.global, &new.global),
            statics: changed_keys!(Statics, &old.statics, &new.statics, {
                addresses: "addresses",
                routes: "routes",
                rules: "rules",
            }),
            instances: Changes::between(&old.instances, &new.instances, |i| &i.name, instance),
            groups: Changes::between(&old.groups, &new.groups, |group| &group.name, group),
            scripts: Changes::between(
                &old.trackers.scripts,
                &new.trackers.scripts,
                |tracker| &tracker.name,
                script,
            ),
            files: Changes::between(
                &old.trackers.files,
                &new.trackers.files,
                |tracker| &tracker.name,
                file,
            ),
            processes: Changes::between(
                &old.trackers.processes,
                &new.trackers.processes,
                |tracker| &tracker.name,
                process,
            ),
            bfd: Changes::between(
                &old.trackers.bfd,
                &new.trackers.bfd,
                |tracker| &tracker.name,
                bfd,
            ),
        }
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
            for name in &changes.added {
                writeln!(f, "{kind} {name} added")?;
            }
            for (name, keys) in &changes.changed {
                writeln!(f, "{kind} {name} changed: {}", keys.join(", "))?;
            }
        }
        Ok(())
    }
}

/// Stands for the keys of the vrrp process.
const VRRP_PROCESS: &str = "vrrp process";

fn global(old: &Global, new: &Global) -> Vec<&'static str> {
    let mut keys = changed_keys!(Global, old, new, {
        router_id: "router_id",
        startup_delay: "vrrp_startup_delay",
        delay_after_boot: "vrrp_delay_after_boot",
        mcast_group4: "vrrp_mcast_group4",
        mcast_group6: "vrrp_mcast_group6",
        log_unknown_vrids: "log_unknown_vrids",
        script_user: "script_user",
        enable_script_security: "enable_script_security",
        notify: "notify",
        notify_fifo: "notify_fifo",
        notify_fifo_script: "notify_fifo_script",
        startup_script: "startup_script",
        shutdown_script: "shutdown_script",
        smtp: "smtp",
        snmp: "snmp",
        vrrp_process: VRRP_PROCESS,
        checker_process: "checker process",
        bfd_process: "bfd process",
        hello_interval: "hello_interval",
        control_socket_group: "control_socket_group",
        watchdog_device: "watchdog_device",
        watchdog_timeout: "watchdog_timeout",
        net_namespace: "net_namespace",
    });
    if let Some(place) = keys.iter().position(|key| *key == VRRP_PROCESS) {
        keys.splice(place..=place, vrrp_process(&old.vrrp_process, &new.vrrp_process));
    }
    keys
}

fn vrrp_process(old: &ProcessOptions, new: &ProcessOptions) -> Vec<&'static str> {
    changed_keys!(ProcessOptions, old, new, {
        nice: "vrrp_priority",
        realtime: "vrrp_rt_priority",
        rlimit_rttime: "vrrp_rlimit_rttime",
        cpu_affinity: "vrrp_cpu_affinity",
        no_swap: "vrrp_no_swap",
    })
}

fn instance(old: &Instance, new: &Instance) -> Vec<&'static str> {
    changed_keys!(Instance, old, new, {
        name: "name",
        interface: "interface",
        vrid: "virtual_router_id",
        priority: "priority",
        version: "version",
        interval: "advertisement_interval",
        down_timer_adverts: "down_timer_adverts",
        preempt: "preempt",
        preempt_delay: "preempt_delay",
        addresses: "virtual_addresses",
        excluded: "excluded_addresses",
        no_virtual_addresses: "no_virtual_addresses",
        routes: "virtual_routes",
        rules: "virtual_rules",
        promote_secondaries: "promote_secondaries",
        source_v4: "source_address",
        source_v6: "source_address",
        track_src_ip: "track_src_ip",
        accept: "accept",
        authentication: "authentication",
        hmac: "hmac",
        checksum: "checksum",
        announce: "garp_*",
        lower_prio_no_advert: "lower_prio_no_advert",
        higher_prio_send_advert: "higher_prio_send_advert",
        owner_ignore_adverts: "owner_ignore_adverts",
        strict: "strict_mode",
        skip_check_adv_addr: "skip_check_adv_addr",
        timer_expired_backup: "timer_expired_backup",
        on_foreign_removal: "on_foreign_removal",
        resume_within: "resume_within",
        backups: "backups",
        hand_over: "hand_over",
        dont_track_primary: "dont_track_primary",
        track: "track_*",
        notify: "notify",
        vmac: "use_vmac",
        ipvlan: "use_ipvlan",
        unicast: "unicast",
        mcast_group: "mcast_dst_ip",
        kernel_rx_buf_size: "kernel_rx_buf_size",
    })
}

fn group(old: &Group, new: &Group) -> Vec<&'static str> {
    changed_keys!(Group, old, new, {
        name: "name",
        instances: "instances",
        track: "track_*",
        tracking_weight: "sync_group_tracking_weight",
        notify: "notify",
    })
}

fn script(old: &ScriptTracker, new: &ScriptTracker) -> Vec<&'static str> {
    changed_keys!(ScriptTracker, old, new, {
        name: "name",
        command: "command",
        interval: "interval",
        timeout: "timeout",
        weight: "weight",
        rise: "rise",
        fall: "fall",
        init_fail: "init_fail",
    })
}

fn file(old: &FileTracker, new: &FileTracker) -> Vec<&'static str> {
    changed_keys!(FileTracker, old, new, {
        name: "name",
        file: "file",
        weight: "weight",
        init_file: "init_file",
        overwrite: "overwrite",
    })
}

fn process(old: &ProcessTracker, new: &ProcessTracker) -> Vec<&'static str> {
    changed_keys!(ProcessTracker, old, new, {
        name: "name",
        process: "process",
        param_match: "param_match",
        full_command: "full_command",
        weight: "weight",
        quorum: "quorum",
        quorum_max: "quorum_max",
        fork_delay: "fork_delay",
        terminate_delay: "terminate_delay",
    })
}

fn bfd(old: &BfdTracker, new: &BfdTracker) -> Vec<&'static str> {
    changed_keys!(BfdTracker, old, new, {
        name: "name",
        neighbor: "neighbor_ip",
        source: "source_ip",
        min_rx: "min_rx",
        min_tx: "min_tx",
        idle_tx: "idle_tx",
        multiplier: "multiplier",
        passive: "passive",
        multihop: "multihop",
        ttl: "ttl",
        max_hops: "max_hops",
        weight: "weight",
    })
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
            "global changed: router_id, vrrp_rt_priority, vrrp_no_swap\ninstance wan removed\ninstance dmz added\n\
             instance lan changed: priority, garp_*\n"
        );
        assert_eq!(Diff::between(&new, &old).instances.added, ["wan".into()]);
    }
}
